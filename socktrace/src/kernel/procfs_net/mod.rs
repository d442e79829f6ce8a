//! Sockets from `/proc/net`: less is known there, but it needs no diag module.
//!
//! The tables have no cookies, no peers of UNIX sockets, no interfaces of IP sockets and no details but timers.
//! I/O: reads files of procfs, or others that look like them.

mod inet;
mod local;

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use super::sock_diag::{InetTable, IpVersion};
use crate::socket::{NetnsId, Socket};

/// A file of `/proc/net`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ProcTable {
    /// TCP, UDP, UDP-Lite or raw sockets.
    Inet(InetTable, IpVersion),
    /// ICMP datagram ("ping") sockets, which sock_diag never lists.
    Ping(IpVersion),
    /// UNIX sockets.
    Unix,
    /// Packet sockets.
    Packet,
    /// Netlink sockets.
    Netlink,
}

/// Why a table could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ProcNetError {
    /// The file is not there (the kernel has no such sockets) or cannot be read.
    #[error("cannot read {}: {source}", .path.display())]
    Read {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A line is not what the kernel writes.
    #[error("cannot make sense of line {line} of {}", .path.display())]
    Line {
        /// Which file.
        path: PathBuf,
        /// Which line, counted from 1.
        line: usize,
    },
}

impl ProcTable {
    /// The name of the file in `/proc/net`; none for tables that procfs does not have.
    #[must_use]
    pub const fn file_name(self) -> Option<&'static str> {
        use IpVersion::{V4, V6};
        match self {
            Self::Inet(InetTable::Tcp, V4) => Some("tcp"),
            Self::Inet(InetTable::Tcp, V6) => Some("tcp6"),
            Self::Inet(InetTable::Udp, V4) => Some("udp"),
            Self::Inet(InetTable::Udp, V6) => Some("udp6"),
            Self::Inet(InetTable::UdpLite, V4) => Some("udplite"),
            Self::Inet(InetTable::UdpLite, V6) => Some("udplite6"),
            Self::Inet(InetTable::Raw, V4) => Some("raw"),
            Self::Inet(InetTable::Raw, V6) => Some("raw6"),
            Self::Inet(InetTable::Mptcp | InetTable::Sctp | InetTable::Dccp, _) => None,
            Self::Ping(V4) => Some("icmp"),
            Self::Ping(V6) => Some("icmp6"),
            Self::Unix => Some("unix"),
            Self::Packet => Some("packet"),
            Self::Netlink => Some("netlink"),
        }
    }

    /// One line after the heading; none if it is not what the kernel writes.
    fn decode(self, line: &[u8], netns: NetnsId) -> Option<Socket> {
        match self {
            Self::Inet(table, ip) => inet::decode(line, inet::Kind::Table(table), ip, netns),
            Self::Ping(ip) => inet::decode(line, inet::Kind::Ping, ip, netns),
            Self::Unix => local::unix(line, netns),
            Self::Packet => local::packet(line, netns),
            Self::Netlink => local::netlink(line, netns),
        }
    }
}

/// Hands out the rows of one file.
///
/// The namespace of `/proc/net` is that of the reading process's first thread, that of `/proc/thread-self/net` the
/// reading thread's; `netns` is only written into the rows.
pub fn list(
    table: ProcTable,
    path: &Path,
    netns: NetnsId,
    mut each: impl FnMut(Socket) -> ControlFlow<()>,
) -> Result<(), ProcNetError> {
    let cannot_read = |source| ProcNetError::Read { path: path.to_owned(), source };
    let mut reader = BufReader::with_capacity(64 * 1024, File::open(path).map_err(cannot_read)?);
    let mut line = Vec::new();
    for number in 1usize.. {
        line.clear();
        if reader.read_until(b'\n', &mut line).map_err(cannot_read)? == 0 {
            break;
        }
        let text = line.strip_suffix(b"\n").unwrap_or(&line);
        if number == 1 || text.is_empty() {
            continue;
        }
        let row = table
            .decode(text, netns)
            .ok_or_else(|| ProcNetError::Line { path: path.to_owned(), line: number })?;
        if each(row).is_break() {
            break;
        }
    }
    Ok(())
}

/// The words of a line.
fn words(line: &[u8]) -> impl Iterator<Item = &str> {
    line.split(u8::is_ascii_whitespace)
        .filter(|word| !word.is_empty())
        .map(|word| std::str::from_utf8(word).unwrap_or_default())
}

/// A hexadecimal word.
fn hex(word: &str) -> Option<u32> {
    u32::from_str_radix(word, 16).ok()
}

#[cfg(test)]
mod tests;

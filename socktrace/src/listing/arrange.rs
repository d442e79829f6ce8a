//! Rows in another order, and counted instead of listed.

use std::cmp::Ordering;
use std::io::Write;

use rustc_hash::FxHashMap;

use crate::render::escape::push_text;
use crate::render::json::Object;
use crate::render::names::{Named, Names};
use crate::render::ss::{Round, Row};
use crate::render::units::{push_ip, push_u32};
use crate::socket::info::tcp;
use crate::socket::{Endpoint, Proto, Socket};

use super::error::Error;
use super::held::Held;
use super::hints::Hints;
use super::names::Directory;
use super::options::{Format, Key, Options};
use super::rounds::Rounds;

/// What a row is ordered by; what comes first is the smaller.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    /// Large numbers first; those that are not known come last.
    Largest(std::cmp::Reverse<Option<u64>>),
    /// Small numbers first.
    Smallest(u64),
    /// From A to Z.
    Text(Vec<u8>),
    /// Addresses by their numbers, then ports.
    End(std::net::IpAddr, u16),
}

impl Held {
    /// Orders the sockets; equal ones stay in the kernel's order.
    pub(super) fn sort(&mut self, key: Key, names: &mut Directory, hints: Hints<'_>) {
        let mut ranks = Vec::with_capacity(self.sockets.len());
        // Asking costs something.
        let opener = |row: &Row<'_>| (key == Key::Age).then(|| hints.opener(row.socket)).flatten();
        // Writing nowhere cannot fail.
        let _ = self.each(|row| {
            let row = Row { opener: opener(row), ..*row };
            ranks.push(rank(key, &row, names));
            Ok(())
        });
        let mut order: Vec<usize> = (0..self.sockets.len()).collect();
        order.sort_by(|&a, &b| match (ranks.get(a), ranks.get(b)) {
            (Some(a), Some(b)) => a.cmp(b),
            (a, b) => a.is_some().cmp(&b.is_some()).then(Ordering::Equal),
        });
        let mut sockets: Vec<Option<Socket>> =
            std::mem::take(&mut self.sockets).into_iter().map(Some).collect();
        self.sockets = order.into_iter().filter_map(|index| sockets.get_mut(index)?.take()).collect();
    }

    /// Writes how many sockets there are of each kind, the most first; how many lines that were.
    pub(super) fn count(
        &self,
        key: Key,
        options: &Options,
        names: &mut Directory,
        rounds: Option<&Rounds>,
        out: &mut impl Write,
    ) -> Result<usize, Error> {
        let mut counts: FxHashMap<Group, u64> = FxHashMap::default();
        self.each(|row| {
            *counts.entry(group(key, row, names)).or_default() += 1;
            Ok(())
        })?;
        let mut counts: Vec<_> =
            counts.into_iter().map(|(Group { name, .. }, count)| (name, count)).collect();
        counts.sort_unstable_by(|(a_name, a), (b_name, b)| b.cmp(a).then_with(|| a_name.cmp(b_name)));
        counts.truncate(options.top.unwrap_or(usize::MAX));
        let mut text = Vec::new();
        if options.header && options.format != Format::Json {
            let word = Key::WORDS.iter().find(|(_, known)| *known == key).map_or("", |(word, _)| word);
            text.extend_from_slice(format!("  Count {word}\n").as_bytes());
        }
        for (name, count) in &counts {
            match options.format {
                Format::Json => {
                    let mut object = Object::open(&mut text);
                    if let Some(Round { number, at }) = rounds.map(Rounds::now) {
                        object.text("ts", at.as_bytes());
                        object.number("round", number);
                    }
                    object.number("count", *count);
                    object.text("key", name);
                    object.close();
                }
                Format::Text { .. } => {
                    text.extend_from_slice(format!("{count:>7} ").as_bytes());
                    push_text(&mut text, name);
                }
            }
            text.push(b'\n');
        }
        out.write_all(&text).and_then(|()| out.flush()).map_err(Error::Output)?;
        Ok(counts.len())
    }
}

fn rank(key: Key, row: &Row<'_>, names: &mut Directory) -> Rank {
    let socket = row.socket;
    let info = |member: crate::socket::info::Member| {
        let info = socket.detail.as_ref().and_then(|detail| detail.info.as_deref());
        let value = info.filter(|_| socket.proto == Proto::Tcp).and_then(|info| member.of(info));
        Rank::Largest(std::cmp::Reverse(value))
    };
    let end = |end: &Endpoint, names: &mut Directory| match end {
        Endpoint::Inet { addr, port } => Rank::End(addr.to_canonical(), *port),
        _ => {
            let mut name = Vec::new();
            push_end(&mut name, end, true, names);
            Rank::Text(name)
        }
    };
    match key {
        // Signed, as they are shown.
        Key::RecvQ => Rank::Largest(std::cmp::Reverse(u64::try_from(socket.recv_q.cast_signed()).ok())),
        Key::SendQ => Rank::Largest(std::cmp::Reverse(u64::try_from(socket.send_q.cast_signed()).ok())),
        Key::Rtt => info(tcp::RTT),
        Key::Retrans => info(tcp::TOTAL_RETRANS),
        Key::BytesSent => info(tcp::BYTES_SENT),
        Key::BytesReceived => info(tcp::BYTES_RECEIVED),
        // The oldest first, those of which we do not know last.
        Key::Age => Rank::Smallest(row.opener.and_then(|opener| opener.opened).unwrap_or(u64::MAX)),
        Key::LocalPort => Rank::Smallest(socket.local.port().into()),
        Key::PeerPort => Rank::Smallest(socket.peer.port().into()),
        Key::Netns => Rank::Smallest(socket.netns.into()),
        Key::Local => end(&socket.local, names),
        Key::Peer => end(&socket.peer, names),
        Key::State | Key::Process | Key::User | Key::Netid => {
            let mut name = Vec::new();
            push_name(&mut name, key, row, names);
            Rank::Text(name)
        }
    }
}

/// A group of rows: what makes two of the same name two, and its name.
#[derive(PartialEq, Eq, Hash)]
struct Group {
    id: u32,
    name: Vec<u8>,
}

fn group(key: Key, row: &Row<'_>, names: &mut Directory) -> Group {
    let id = match key {
        // Two users, or namespaces, may be called alike.
        Key::User => row.socket.uid.unwrap_or(0),
        Key::Netns => row.socket.netns,
        Key::State
        | Key::Local
        | Key::LocalPort
        | Key::Peer
        | Key::PeerPort
        | Key::RecvQ
        | Key::SendQ
        | Key::Process
        | Key::Netid
        | Key::Rtt
        | Key::Retrans
        | Key::BytesSent
        | Key::BytesReceived
        | Key::Age => 0,
    };
    let mut name = Vec::new();
    push_name(&mut name, key, row, names);
    Group { id, name }
}

/// What a group of rows is called.
fn push_name(out: &mut Vec<u8>, key: Key, row: &Row<'_>, names: &mut Directory) {
    let socket = row.socket;
    match key {
        Key::State => out.extend_from_slice(socket.state.word().as_bytes()),
        Key::Netid => out.extend_from_slice(socket.proto.netid().as_bytes()),
        Key::Local => push_end(out, &socket.local, true, names),
        // The port of a client is another one each time.
        Key::Peer => push_end(out, &socket.peer, false, names),
        Key::LocalPort => push_u32(out, socket.local.port().into()),
        Key::PeerPort => push_u32(out, socket.peer.port().into()),
        Key::Process => match row.users.last() {
            Some(user) => out.extend_from_slice(user.process.comm.as_bytes()),
            None => out.extend_from_slice(b"-"),
        },
        Key::User => match socket.uid {
            Some(uid) => match names.name(Named::User(uid)) {
                Some(name) => out.extend_from_slice(name),
                None => push_u32(out, uid),
            },
            None => out.extend_from_slice(b"-"),
        },
        Key::Netns => match row.netns {
            Some(label) => out.extend_from_slice(label.text.as_bytes()),
            None if socket.netns == 0 => out.push(b'-'),
            None => push_u32(out, socket.netns),
        },
        Key::RecvQ
        | Key::SendQ
        | Key::Rtt
        | Key::Retrans
        | Key::BytesSent
        | Key::BytesReceived
        | Key::Age => {}
    }
}

fn push_end(out: &mut Vec<u8>, end: &Endpoint, port: bool, names: &mut Directory) {
    match end {
        Endpoint::Inet { addr, port: number } => {
            // A v4-mapped address is the IPv4 address, as in filters.
            let addr = &addr.to_canonical();
            let bracket = port && addr.is_ipv6();
            out.extend_from_slice(if bracket { b"[" } else { b"" });
            push_ip(out, *addr);
            out.extend_from_slice(if bracket { b"]" } else { b"" });
            if port {
                out.push(b':');
                push_u32(out, (*number).into());
            }
        }
        Endpoint::Unix { name, .. } if name.is_unnamed() => out.push(b'*'),
        Endpoint::Unix { name, .. } => {
            out.extend(name.as_bytes().iter().map(|&byte| if byte == 0 { b'@' } else { byte }));
        }
        Endpoint::Netlink { protocol, .. } => match names.name(Named::NetlinkProtocol(*protocol)) {
            Some(name) => out.extend_from_slice(name),
            None => push_u32(out, (*protocol).into()),
        },
        Endpoint::Packet { protocol, .. } => push_u32(out, (*protocol).into()),
        Endpoint::Vsock { cid, .. } => push_u32(out, *cid),
        Endpoint::Tipc { node, .. } => push_u32(out, *node),
        Endpoint::Xdp { ifindex, .. } => push_u32(out, *ifindex),
        Endpoint::None | Endpoint::NetlinkPeer { .. } => out.push(b'*'),
    }
}

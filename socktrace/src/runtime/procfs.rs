//! Sockets that sock_diag does not list: ping sockets on every kernel, RAW sockets where the kernel has no `INET_RAW_DIAG`. They
//! are from `/proc/net`, which tells their inodes, with the cookies that the iterator over descriptors tells of these inodes.
//!
//! I/O: procfs and bpf(2).

use crate::kernel::ebpf::{EbpfError, HolderIter};
use crate::kernel::netns::Netns;
use crate::kernel::procfs_net::{ProcNetError, ProcTable, list};
use crate::socket::{NetnsId, Socket};
use crate::table::Scope;
use rustc_hash::FxHashMap;
use std::io;
use std::ops::ControlFlow;
use std::path::Path;

/// What procfs is to tell of one namespace.
#[derive(Debug)]
pub(super) struct Wanted<'a> {
    pub(super) namespace: &'a Netns,
    /// The files, and what each of them covers.
    pub(super) tables: Vec<(ProcTable, Scope)>,
}

impl Wanted<'_> {
    /// The rows of each table; none of those that cannot be read.
    fn read(&self) -> Vec<Option<Vec<Socket>>> {
        let netns = self.namespace.id;
        let rows = || -> Vec<_> { self.tables.iter().map(|&(table, _)| rows(table, netns)).collect() };
        let read = self.namespace.run(rows);
        let none = |error| {
            log::debug!("no sockets by procfs: {error}");
            self.tables.iter().map(|_| None).collect()
        };
        read.unwrap_or_else(none)
    }
}

/// The sockets of each of these tables with their cookies, in that order; none where that cannot be told of each.
pub(super) fn sockets(wanted: &[Wanted<'_>]) -> Vec<(Scope, Option<Vec<Socket>>)> {
    let found: Vec<_> = wanted.iter().map(|of| (of, of.read())).collect();
    let rows = found.iter().flat_map(|(_, tables)| tables).flatten().flatten();
    // One walk for all: it looks at every descriptor of every process.
    let cookies = cookies(rows.map(|row| (row.inode, 0)).collect());
    let each = found.into_iter().flat_map(|(of, tables)| {
        // A file that changes while it is read may lack a row.
        let is_empty = tables.iter().flatten().all(Vec::is_empty);
        let again = if is_empty { tables.clone() } else { of.read() };
        let cookies = &cookies;
        of.tables.iter().zip(tables).zip(again).map(|((&(_, scope), rows), again)| {
            (scope, rows.zip(again).and_then(|(rows, again)| named(rows, &again, cookies)))
        })
    });
    each.collect()
}

/// The rows with their cookies, if each has one and the second look showed the same sockets.
fn named(rows: Vec<Socket>, again: &[Socket], cookies: &FxHashMap<u32, u64>) -> Option<Vec<Socket>> {
    let inode = |row: &Socket| row.inode;
    if !rows.iter().map(inode).eq(again.iter().map(inode)) {
        return None;
    }
    rows.into_iter().map(|row| Some(Socket { cookie: *cookies.get(&row.inode)?, ..row })).collect()
}

fn rows(table: ProcTable, netns: NetnsId) -> Option<Vec<Socket>> {
    let mut rows = Vec::new();
    let take = |row| {
        rows.push(row);
        ControlFlow::Continue(())
    };
    match list(table, &Path::new("/proc/thread-self/net").join(table.file_name()?), netns, take) {
        Ok(()) => Some(rows),
        // A kernel without IPv6.
        Err(ProcNetError::Read { source, .. }) if source.kind() == io::ErrorKind::NotFound => Some(rows),
        Err(error) => {
            log::debug!("no sockets by procfs: {error}");
            None
        }
    }
}

/// The cookies of the sockets with these inodes, as far as some process has them open.
fn cookies(mut cookies: FxHashMap<u32, u64>) -> FxHashMap<u32, u64> {
    if cookies.is_empty() {
        return cookies;
    }
    let none = |error: &EbpfError| log::debug!("no cookies of sockets that procfs lists: {error}");
    let Ok(iter) = HolderIter::of_this_process().inspect_err(none) else { return FxHashMap::default() };
    let found = iter.each(|(inode, cookie), _| {
        if let Some(known) = cookies.get_mut(&inode) {
            *known = cookie;
        }
    });
    if found.inspect_err(none).is_err() {
        return FxHashMap::default();
    }
    cookies.retain(|_, cookie| *cookie != 0);
    cookies
}

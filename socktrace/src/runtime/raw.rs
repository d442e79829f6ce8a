//! RAW sockets where the kernel has no sock_diag for them: from `/proc/net`, which tells their inodes, with the cookies that
//! the iterator over descriptors tells of these inodes.
//!
//! I/O: procfs and bpf(2).

use crate::kernel::ebpf::HolderIter;
use crate::kernel::netns::Netns;
use crate::kernel::procfs_net::{ProcNetError, ProcTable, list};
use crate::kernel::sock_diag::{InetTable, IpVersion};
use crate::socket::Socket;
use rustc_hash::FxHashMap;
use std::io;
use std::ops::ControlFlow;
use std::path::Path;

/// The RAW sockets of a namespace with their cookies; none where that cannot be told of each.
pub(super) fn sockets(namespace: &Netns, ip: IpVersion) -> Option<Vec<Socket>> {
    let read = || namespace.run(|| rows(namespace, ip)).map_err(io::Error::other)?;
    let rows = read().inspect_err(|error| log::debug!("no RAW sockets by procfs: {error}")).ok()?;
    if rows.is_empty() {
        return Some(rows);
    }
    let cookies = cookies(&rows)?;
    let named = rows.into_iter().map(|row| Some(Socket { cookie: *cookies.get(&row.inode)?, ..row }));
    let named: Vec<_> = named.collect::<Option<_>>()?;
    // A file that changes while it is read may lack a row.
    let again = read().ok()?;
    let is_same = again.iter().map(|row| row.inode).eq(named.iter().map(|row| row.inode));
    is_same.then_some(named)
}

fn rows(namespace: &Netns, ip: IpVersion) -> io::Result<Vec<Socket>> {
    let table = ProcTable::Inet(InetTable::Raw, ip);
    let Some(name) = table.file_name() else { return Ok(Vec::new()) };
    let mut rows = Vec::new();
    let take = |row| {
        rows.push(row);
        ControlFlow::Continue(())
    };
    match list(table, &Path::new("/proc/thread-self/net").join(name), namespace.id, take) {
        Ok(()) => Ok(rows),
        // A kernel without IPv6.
        Err(ProcNetError::Read { source, .. }) if source.kind() == io::ErrorKind::NotFound => Ok(rows),
        Err(error) => Err(io::Error::other(error)),
    }
}

/// The cookies of these sockets, by inode, as far as some process has them open.
fn cookies(rows: &[Socket]) -> Option<FxHashMap<u32, u64>> {
    let mut cookies: FxHashMap<u32, u64> = rows.iter().map(|row| (row.inode, 0)).collect();
    let iter = HolderIter::of_this_process();
    let iter = iter.inspect_err(|error| log::debug!("no cookies of RAW sockets: {error}")).ok()?;
    let found = iter.each(|(inode, cookie), _| {
        if let Some(known) = cookies.get_mut(&inode) {
            *known = cookie;
        }
    });
    found.inspect_err(|error| log::debug!("no cookies of RAW sockets: {error}")).ok()?;
    cookies.retain(|_, cookie| *cookie != 0);
    Some(cookies)
}

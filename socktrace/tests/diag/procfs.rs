//! `/proc/net` tells what sock_diag tells, as far as it tells.

use std::net::UdpSocket;
use std::ops::ControlFlow;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{UnixDatagram, UnixListener};
use std::path::Path;

use socktrace::kernel::procfs_net::{self, ProcTable};
use socktrace::kernel::sock_diag::{DiagError, InetQuery, InetTable, IpVersion, SockDiag, Want};
use socktrace::socket::{Proto, Socket, StateSet};

use super::{inet, pair, socket_of, unix};
use crate::support::in_own_netns;

#[test]
fn procfs_has_the_raw_sockets_that_this_kernel_may_not_diagnose() {
    in_own_netns(|| {
        let raw = socket_of(libc::AF_INET6, libc::SOCK_RAW, libc::IPPROTO_ICMPV6);
        let inode = nix::sys::stat::fstat(&raw).expect("open").st_ino as u32;
        let table = ProcTable::Inet(InetTable::Raw, IpVersion::V6);
        let path = Path::new("/proc/thread-self/net").join(table.file_name().expect("a file"));
        let mut rows = Vec::new();
        procfs_net::list(table, &path, 1, |row| {
            rows.push((row.proto, row.inode));
            ControlFlow::Continue(())
        })
        .expect("procfs");
        assert_eq!(rows, [(Proto::Raw(58), inode)]);

        let mut diag = SockDiag::open().expect("netlink");
        let query = InetQuery::new(InetTable::Raw, IpVersion::V6, StateSet::ALL);
        let mut diagnosed = Vec::new();
        match diag.inet(&query, |row| {
            diagnosed.push((row.proto(), row.inode()));
            ControlFlow::Continue(())
        }) {
            Ok(_) => assert_eq!(diagnosed, rows),
            Err(error) => assert!(matches!(error, DiagError::Unsupported("raw")), "{error}"),
        }
    });
}

#[test]
fn procfs_lists_what_sock_diag_lists() {
    in_own_netns(|| {
        let streams = [pair("127.0.0.1:0"), pair("[::1]:0")];
        let datagrams = ["127.0.0.1:0", "[::1]:0"].map(|address| UdpSocket::bind(address).expect("free"));
        let packet = socket_of(libc::AF_PACKET, libc::SOCK_RAW, 0);
        let name = std::os::unix::net::SocketAddr::from_abstract_name("a b").expect("a short name");
        let local = (UnixListener::bind_addr(&name).expect("free"), UnixDatagram::pair().expect("a pair"));
        let path =
            |table: ProcTable| Path::new("/proc/thread-self/net").join(table.file_name().expect("a file"));
        let listed = |table: ProcTable| {
            let mut rows = Vec::new();
            procfs_net::list(table, &path(table), 0, |row| {
                rows.push((row.local.inet(), row.peer.inet(), row.state, row.inode, row.uid));
                ControlFlow::Continue(())
            })
            .expect("procfs");
            rows.sort_by_key(|row| row.3);
            rows
        };
        for table in [InetTable::Tcp, InetTable::Udp] {
            let mut expected: Vec<_> = inet(table, StateSet::ALL, Want::NONE)
                .into_iter()
                .map(|row| (row.local.inet(), row.peer.inet(), row.state, row.inode, row.uid))
                .collect();
            expected.sort_by_key(|row| row.3);
            let mut rows = listed(ProcTable::Inet(table, IpVersion::V4));
            rows.extend(listed(ProcTable::Inet(table, IpVersion::V6)));
            rows.sort_by_key(|row| row.3);
            assert_eq!(rows, expected);
            assert!(rows.len() >= 2);
        }
        assert_eq!(listed(ProcTable::Packet).len(), 1);
        let here = |row: &Socket| (row.inode, row.local.clone(), row.state);
        let mut unix_rows = Vec::new();
        procfs_net::list(ProcTable::Unix, &path(ProcTable::Unix), 0, |row| {
            unix_rows.push(here(&row));
            ControlFlow::Continue(())
        })
        .expect("procfs");
        assert_eq!(unix_rows, unix(Want::NONE).iter().map(here).collect::<Vec<_>>());
        assert_eq!(unix_rows.len(), 3);
        drop((streams, datagrams, packet, local));
    });
}

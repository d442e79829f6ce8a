//! What a dump may do: narrow, stop, be refused, be recorded.

use std::net::{TcpListener, TcpStream};
use std::ops::ControlFlow;
use std::path::Path;

use socktrace::kernel::sock_diag::{DiagError, InetQuery, InetTable, IpVersion, SockDiag, Want, replay};
use socktrace::socket::{Family, State, StateSet};

use super::{pair, tcp};
use crate::support::{cookie, in_own_netns};

#[test]
fn a_filter_in_the_kernel_narrows() {
    in_own_netns(|| {
        let listeners = ["127.0.0.1:4713", "127.0.0.1:4714"].map(|a| TcpListener::bind(a).expect("free"));
        // INET_DIAG_BC_S_EQ (11): yes, skip these 8 bytes; no, skip beyond the end. Then the port, as a u16 in
        // the place of an operation's `no`.
        let port = 4714u16.to_ne_bytes();
        let bytecode = [11, 8, 12, 0, 0, 0, port[0], port[1]];
        let query =
            InetQuery { bytecode: &bytecode, ..InetQuery::new(InetTable::Tcp, IpVersion::V4, StateSet::ALL) };
        let mut ports = Vec::new();
        let mut diag = SockDiag::open().expect("netlink");
        let _ = diag
            .inet(&query, |row| {
                ports.push(row.local_port());
                ControlFlow::Continue(())
            })
            .expect("the kernel knows the bytecode");
        assert_eq!(ports, [4714]);
        drop(listeners);
    });
}

#[test]
fn one_walk_for_both_ips_of_tcp_lists_what_two_list() {
    in_own_netns(|| {
        let pairs = ["127.0.0.1:4713", "[::1]:4713", "[::1]:0", "127.0.0.1:0"].map(pair);
        // So many that the answer has parts.
        let addresses = ["[::1]:0", "127.0.0.1:0", "127.0.0.1:0"].into_iter().cycle().take(400);
        let dual_stack = ["[::]:4714", "127.0.0.1:4715"].into_iter().chain(addresses);
        let listeners: Vec<_> = dual_stack.map(|a| TcpListener::bind(a).expect("free")).collect();
        let to_both = ["127.0.0.1:4714", "[::1]:4714"].map(|to| TcpStream::connect(to).expect("a listener"));
        let port = 4714u16.to_ne_bytes();
        let narrow = [11, 8, 12, 0, 0, 0, port[0], port[1]];
        let mut diag = SockDiag::open().expect("netlink");
        for (states, bytecode) in [
            (StateSet::ALL, &[][..]),
            (StateSet::of(State::Listen), &[]),
            (StateSet::of(State::Established), &[]),
            (StateSet::ALL, &narrow),
        ] {
            let query = InetQuery { bytecode, ..InetQuery::new(InetTable::Tcp, IpVersion::V4, states) };
            let mut two_walks = Vec::new();
            for ip in IpVersion::BOTH {
                let _ = diag
                    .inet(&InetQuery { ip, ..query }, |row| {
                        two_walks.push(row.to_socket(Want::NONE).expect("well-formed"));
                        ControlFlow::Continue(())
                    })
                    .expect("an answer");
            }
            let mut one_walk = Vec::new();
            let answer = diag.tcp_of_both(&query, |row| {
                one_walk.push(row.to_socket(Want::NONE).expect("well-formed"));
                ControlFlow::Continue(())
            });
            assert!(!answer.expect("an answer").stopped);
            // Each IP in its order.
            one_walk.sort_by_key(|socket| socket.family == Family::Inet6);
            assert_eq!(one_walk, two_walks, "{states:?} {bytecode:?}");
            assert!(two_walks.len() > 1);
        }
        drop((pairs, listeners, to_both));
    });
}

#[test]
fn a_reader_may_stop_and_ask_again() {
    in_own_netns(|| {
        let listeners: Vec<_> = (0..900).map(|_| TcpListener::bind("127.0.0.1:0").expect("free")).collect();
        let mut diag = SockDiag::open().expect("netlink");
        let query = InetQuery::new(InetTable::Tcp, IpVersion::V4, StateSet::ALL);
        // With all details the answer is long enough to be read ahead.
        for want in [Want::NONE, Want::ALL] {
            let query = InetQuery { want, ..query };
            for stop_after in [1, 400, 3, 899, 900] {
                let mut rows = 0;
                let answer = diag.inet(&query, |_| {
                    rows += 1;
                    if rows == stop_after { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
                });
                assert!(answer.expect("an answer").stopped && rows == stop_after);
            }
            let mut cookies = std::collections::HashSet::new();
            let answer = diag.inet(&query, |row| {
                cookies.insert(row.cookie());
                ControlFlow::Continue(())
            });
            assert!(!answer.expect("an answer").stopped);
            assert_eq!(cookies, listeners.iter().map(cookie).collect());
        }
    });
}

#[test]
fn a_table_without_a_handler_is_not_an_empty_table() {
    let mut diag = SockDiag::open().expect("netlink");
    // No kernel has a handler for DCCP any more (removed in 6.16), and few have one for TIPC.
    let query = InetQuery::new(InetTable::Dccp, IpVersion::V4, StateSet::ALL);
    let answer = diag.inet(&query, |_| ControlFlow::Continue(()));
    if !Path::new("/proc/sys/net/dccp").exists() {
        assert!(matches!(answer, Err(DiagError::Unsupported("dccp"))), "{answer:?}");
    }
    let answer = diag.tipc(StateSet::ALL, Want::NONE, |_| ControlFlow::Continue(()));
    if !Path::new("/proc/sys/net/tipc").exists() {
        assert!(matches!(answer, Err(DiagError::Unsupported("tipc"))), "{answer:?}");
    }
}

#[test]
fn a_recorded_dump_replays() {
    in_own_netns(|| {
        let v4 = pair("127.0.0.1:0");
        let v6 = pair("[::1]:0");
        let mut diag = SockDiag::open().expect("netlink");
        let mut file = Vec::new();
        for ip in IpVersion::BOTH {
            let query = InetQuery { want: Want::ALL, ..InetQuery::new(InetTable::Tcp, ip, StateSet::ALL) };
            diag.record(&query, &mut file).expect("an answer");
        }
        let mut rows = Vec::new();
        replay(&file, diag.netns(), |row| {
            rows.push(row.to_socket(Want::NONE).expect("well-formed"));
            ControlFlow::Continue(())
        })
        .expect("well-formed");
        assert_eq!(rows, tcp(Want::NONE));
        assert_eq!(rows.len(), 6);
        drop((v4, v6));
    });
}

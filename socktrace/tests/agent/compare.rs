//! The agent's table against the kernel's.

use super::{Agent, get};
use crate::support::actor::Actor;
use serde_json::Value;
use socktrace::kernel::netns::Netns;
use socktrace::kernel::sock_diag::{DiagError, InetQuery, InetTable, IpVersion, SockDiag, Want};
use socktrace::socket::{Endpoint, Proto, Socket, State, StateSet};
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::ops::ControlFlow;
use std::path::Path;
use std::time::{Duration, Instant};

impl Agent {
    /// Every row of the agent's table.
    pub(crate) fn rows(&self) -> impl DoubleEndedIterator<Item = Value> + use<> {
        let (head, body) = get(&self.path, "/v1/table");
        assert!(head.starts_with("HTTP/1.0 200"), "{head}");
        let rows: Vec<Value> = body.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        rows.into_iter()
    }

    /// The IPv4 and IPv6 sockets of a namespace, as the agent knows them.
    pub(crate) fn table(&self, netns: u64) -> BTreeMap<u64, String> {
        let ours = self.rows().filter(|row| row["netns"] == netns && row["family"] != "unix");
        ours.map(|row| {
            let end = |addr: &str, port: &str| match row[addr].as_str() {
                Some(addr) => format!("{addr} {}", row[port]),
                None => "none".to_owned(),
            };
            let number = |field: &str| row[field].as_u64().unwrap_or(0);
            let text = format!(
                "{} {} {} {} uid {} interface {}",
                row["proto"].as_str().unwrap(),
                row["state"].as_str().unwrap(),
                end("local_addr", "local_port"),
                end("peer_addr", "peer_port"),
                number("uid"),
                number("ifindex"),
            );
            (row["cookie"].as_u64().unwrap(), text)
        })
        .collect()
    }

    /// The table is the kernel's, without waiting for anything.
    #[track_caller]
    pub(crate) fn is_right_now(&self, actor: &Actor) {
        let (ours, kernels) = self.both(actor);
        assert!(ours == kernels, "differences: {:#?}", differences(&ours, &kernels));
    }

    /// Both tables of the actor's namespace at a moment when the kernel's stood still (an acknowledgement that was
    /// delayed, or a timer, moves a socket on by itself), without the protocols that sock_diag does not show here.
    fn both(&self, actor: &Actor) -> (BTreeMap<u64, String>, BTreeMap<u64, String>) {
        let (mut kernels, hidden) = kernels_table(actor.pid());
        loop {
            let mut ours = self.table(actor.netns());
            let (after, _) = kernels_table(actor.pid());
            if kernels == after {
                ours.retain(|_, row| hidden.iter().all(|proto| row.split(' ').next() != Some(proto)));
                return (ours, kernels);
            }
            kernels = after;
        }
    }

    /// Waits until the table is the kernel's.
    #[track_caller]
    pub(crate) fn is_right(&self, actor: &Actor) {
        let mut last = None;
        let deadline = Instant::now() + Duration::from_secs(10);
        loop {
            let (ours, kernels) = self.both(actor);
            if ours == kernels {
                return;
            }
            // The last events may still be on their way.
            assert!(
                Instant::now() < deadline,
                "differences: {:#?}",
                last.replace(differences(&ours, &kernels))
            );
            last = Some(differences(&ours, &kernels));
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

fn differences(ours: &BTreeMap<u64, String>, kernels: &BTreeMap<u64, String>) -> Vec<String> {
    let cookies: BTreeSet<_> = ours.keys().chain(kernels.keys()).collect();
    let differ = cookies.into_iter().filter(|cookie| ours.get(cookie) != kernels.get(cookie));
    differ.map(|c| format!("{c}: ours {:?}, the kernel's {:?}", ours.get(c), kernels.get(c))).collect()
}

/// The IPv4 and IPv6 sockets in the namespace of a process, as the kernel tells them; without mini-sockets. And the
/// protocols that it does not tell of.
fn kernels_table(pid: u32) -> (BTreeMap<u64, String>, Vec<&'static str>) {
    let netns = Netns::of_process(Path::new("/proc"), pid).unwrap();
    let mut diag = SockDiag::open_in(&netns).unwrap();
    let mut rows = BTreeMap::new();
    let mut hidden = Vec::new();
    for (table, proto) in [
        (InetTable::Tcp, "tcp"),
        (InetTable::Udp, "udp"),
        (InetTable::UdpLite, "udplite"),
        (InetTable::Raw, "raw"),
    ] {
        for ip in IpVersion::BOTH {
            let query = InetQuery::new(table, ip, StateSet::ALL.difference(StateSet::of(State::TimeWait)));
            let each = |socket: Socket| {
                if socket.state != State::SynRecv || socket.inode != 0 {
                    rows.insert(socket.cookie, describe(&socket));
                }
            };
            let mut each = each;
            let answer = diag.inet(&query, |row| {
                each(row.to_socket(Want::NONE).unwrap());
                ControlFlow::Continue(())
            });
            match answer {
                Ok(answer) => assert!(!answer.interrupted),
                Err(DiagError::Unsupported(_)) => hidden.push(proto),
                Err(error) => panic!("{error}"),
            }
        }
    }
    (rows, hidden)
}

fn describe(socket: &Socket) -> String {
    let end = |end: &Endpoint| match end.inet() {
        Some((addr, port)) => format!("{addr} {port}"),
        None => "none".to_owned(),
    };
    // After a connect(2) that failed the kernel shows the address that was tried, without its port.
    let is_nobody = |addr: IpAddr| addr.is_unspecified() || socket.proto == Proto::Tcp;
    let peer = match socket.peer.inet() {
        Some((addr, 0)) if is_nobody(addr) => "none".to_owned(),
        _ => end(&socket.peer),
    };
    let (proto, state, local) = (socket.proto.name(), socket.state.word(), end(&socket.local));
    let uid = socket.uid.unwrap_or(0);
    format!("{proto} {state} {local} {peer} uid {uid} interface {}", socket.ifindex)
}

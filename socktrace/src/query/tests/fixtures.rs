//! Sockets that the filters are asked about.

use std::net::IpAddr;

use super::super::{Facts, InCgroup, Processes};
use crate::socket::{
    Cgroup, Comm, Detail, Endpoint, Family, Holder, Process, Proto, Socket, State, UnixName,
};

/// One socket of the fixtures with those who hold it.
pub(super) struct Animal {
    pub(super) name: &'static str,
    pub(super) socket: Socket,
    pub(super) holders: Option<Vec<Holder>>,
    pub(super) age_us: Option<u64>,
    pub(super) cgroup: Option<Cgroup>,
}

impl Animal {
    pub(super) fn facts(&self) -> Facts<'_> {
        let mut facts = Facts::of_socket(&self.socket);
        facts.age_us = self.age_us;
        if let Some(cgroup) = &self.cgroup {
            facts.cgroup = InCgroup::Known(cgroup);
        }
        if let Some(holders) = &self.holders {
            facts.processes = Processes::Holders(holders);
        }
        facts
    }
}

pub(super) fn inet(addr: &str, port: u16) -> Endpoint {
    Endpoint::Inet { addr: addr.parse::<IpAddr>().unwrap(), port }
}

fn unix(name: &[u8], inode: u32) -> Endpoint {
    Endpoint::Unix { name: UnixName::from_bytes(name), inode }
}

fn holder(pid: u32, comm: &str) -> Holder {
    Holder { process: Process { pid, comm: Comm::from_bytes(comm.as_bytes()) }, tid: None, fd: 3 }
}

fn animal(name: &'static str, proto: Proto, state: State, local: Endpoint, peer: Endpoint) -> Animal {
    let family = match &local {
        Endpoint::Inet { addr: IpAddr::V4(_), .. } => Family::Inet,
        Endpoint::Inet { addr: IpAddr::V6(_), .. } => Family::Inet6,
        Endpoint::Unix { .. } => Family::Unix,
        Endpoint::Packet { .. } => Family::Packet,
        Endpoint::Netlink { .. } => Family::Netlink,
        Endpoint::Vsock { .. } => Family::Vsock,
        other => panic!("no animal of {other:?}"),
    };
    let socket = Socket {
        proto,
        family,
        state,
        recv_q: 0,
        send_q: 0,
        local,
        peer,
        ifindex: 0,
        inode: 0,
        cookie: 0,
        netns: 4_026_531_840,
        uid: Some(0),
        v6only: None,
        detail: None,
    };
    Animal { name, socket, holders: None, age_us: None, cgroup: None }
}

/// `struct tcp_info` with a round-trip time and retransmissions.
fn tcp_info(rtt_us: u32, retrans: u32) -> Box<[u8]> {
    let mut info = vec![0; 104];
    info[68..72].copy_from_slice(&rtt_us.to_ne_bytes());
    info[100..104].copy_from_slice(&retrans.to_ne_bytes());
    info.into()
}

pub(super) fn fixtures() -> Vec<Animal> {
    let mut sshd = animal("sshd", Proto::Tcp, State::Listen, inet("0.0.0.0", 22), inet("0.0.0.0", 0));
    sshd.socket.inode = 411;
    sshd.socket.cookie = 0x1a;
    sshd.socket.send_q = 128;
    sshd.holders = Some(vec![holder(77, "sshd"), holder(1, "systemd")]);

    let mut web = animal("web", Proto::Tcp, State::Listen, inet("::", 443), inet("::", 0));
    web.socket.uid = Some(33);
    web.socket.ifindex = 2;
    web.socket.inode = 412;
    web.cgroup = Some(Cgroup::new(b"/system.slice/nginx.service"));
    web.holders = Some(vec![holder(500, "nginx")]);

    let mut client =
        animal("client", Proto::Tcp, State::Established, inet("10.0.0.1", 40000), inet("10.0.0.2", 443));
    client.socket.uid = Some(1000);
    client.socket.recv_q = 70000;
    client.socket.cookie = u64::MAX;
    client.age_us = Some(12_000_000);
    client.cgroup = Some(Cgroup::new(
        b"/kubepods.slice/kubepods-pod3c1b9a7e_5d42_4f6a_9e0b_1a2b3c4d5e6f.slice/\
        cri-containerd-4f2a8e5b0d1c9a7e6f3b2c1d0e9f8a7b6c5d4e3f2a1b0c9d8e7f6a5b4c3d2e1f.scope",
    ));
    client.holders = Some(vec![holder(600, "curl")]);
    client.socket.detail = Some(Box::new(Detail {
        mark: Some(0x15),
        cgroup_id: Some(77),
        info: Some(tcp_info(5000, 3)),
        ..Detail::default()
    }));

    let mapped = animal(
        "mapped",
        Proto::Tcp,
        State::Established,
        inet("::ffff:10.0.0.1", 443),
        inet("::ffff:10.0.0.3", 50000),
    );
    let mut waiting =
        animal("waiting", Proto::Tcp, State::TimeWait, inet("127.0.0.1", 22), inet("127.0.0.5", 55555));
    waiting.holders = Some(Vec::new());
    let linklocal = animal("linklocal", Proto::Udp, State::Close, inet("fe80::1", 546), inet("::", 0));
    let path = animal("path", Proto::UnixStream, State::Listen, unix(b"/run/Agent.sock", 9000), unix(b"", 0));
    let abstr =
        animal("abstract", Proto::UnixDgram, State::Close, unix(b"\0bus\0x", 9001), unix(b"/run/peer", 22));
    let auto =
        animal("auto", Proto::UnixStream, State::Established, unix(b"\x000a1b2", 9002), Endpoint::None);
    let packet = animal(
        "packet",
        Proto::PacketRaw,
        State::Close,
        Endpoint::Packet { protocol: 0x806, ifindex: 2 },
        Endpoint::None,
    );
    let netlink = animal(
        "netlink",
        Proto::Netlink,
        State::Close,
        Endpoint::Netlink { protocol: 16, portid: 4_294_963_227 },
        Endpoint::None,
    );
    let vsock = animal(
        "vsock",
        Proto::VsockStream,
        State::Established,
        Endpoint::Vsock { cid: 3, port: 1024 },
        Endpoint::Vsock { cid: 2, port: 22 },
    );
    vec![sshd, web, client, mapped, waiting, linklocal, path, abstr, auto, packet, netlink, vsock]
}

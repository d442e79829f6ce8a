//! A socket as it is listed: a line of `/v1/sockets`, `/v1/table` and `socktrace ss --json`.

use crate::Time;
use crate::event::Attribution;
use crate::parts::{
    Addr, BpfStorage, Dctcp, Delta, FileOfSocket, Holder, Instruction, Md5Key, Members, Shutdown, Timer, Ulp,
};
use serde::{Deserialize, Serialize};

/// A socket. In `/v1/table` it is one that the agent's table has, else a row of a listing.
///
/// A field is there where it applies, is asked for and is known. `pid` and `comm` are null where the owner is not known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Socket {
    /// Of a listing that is repeated: when the round began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ts: Option<Time>,
    /// Likewise: which round it is, from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub round: Option<u64>,
    /// The kind of socket in ss's words: `tcp`, `u_str`, `p_raw`, `nl` …
    pub netid: String,
    /// The kind of socket in the words of events: `tcp`, `udp`, `unix` …
    pub proto: String,
    /// `inet`, `inet6`, `unix`, `packet`, `netlink`, `vsock`, `tipc`, `xdp`.
    pub family: String,
    /// The state in ss's words: `ESTAB`, `LISTEN`, `UNCONN`, `TIME-WAIT` …
    pub state: String,
    /// Bytes received and not yet read; of a listener, connections that wait to be accepted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recv_q: Option<u32>,
    /// Bytes sent and not yet acknowledged; of a listener, the backlog.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub send_q: Option<u32>,
    /// This side: an IP address without brackets, or the name of a UNIX socket (`@` for a NUL byte).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub local_addr: Option<String>,
    /// This side's port; of a RAW socket the IP protocol.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub local_port: Option<u32>,
    /// The other side, as `local_addr`; none where there is none, as for a listener.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peer_addr: Option<String>,
    /// The other side's port.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peer_port: Option<u32>,
    /// UNIX: inode number of the socket that it is connected to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peer_inode: Option<u32>,
    /// UNIX: who holds the socket that it is connected to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peer_processes: Option<Vec<Holder>>,
    /// What this side's host is called, if it has a name (`resolve`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub local_host: Option<String>,
    /// What the other side's host is called, if it has a name (`resolve`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peer_host: Option<String>,
    /// Packet: which packets (`linux/if_ether.h`); 3 for all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ethertype: Option<u32>,
    /// Netlink: the protocol (`linux/netlink.h`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub protocol: Option<u32>,
    /// Netlink: the protocol's name: `rtnl`, `tcpdiag` …
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub protocol_name: Option<String>,
    /// Netlink: port id, 0 for the kernel.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub portid: Option<u32>,
    /// Netlink, connected: the group that it sends to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peer_group: Option<u32>,
    /// Netlink, connected: the port id that it sends to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peer_portid: Option<u32>,
    /// vsock: this side's context id, 4294967295 for any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub local_cid: Option<u32>,
    /// vsock: the other side's context id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peer_cid: Option<u32>,
    /// TIPC: this side's node.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub local_node: Option<u32>,
    /// TIPC: the other side's node.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peer_node: Option<u32>,
    /// XDP: queue of the interface.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub queue: Option<u32>,
    /// The interface that it is bound to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ifindex: Option<u32>,
    /// That interface's name in the socket's own network namespace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interface: Option<String>,
    /// Inode number of the socket, 0 where no file refers to it; none where `/v1/table` does not know it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inode: Option<u32>,
    /// The kernel's identity of the socket (`SO_COOKIE`); 0 where it was read from /proc/net.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cookie: Option<u64>,
    /// User id, where the kernel reports it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uid: Option<u32>,
    /// Inode of the network namespace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub netns: Option<u32>,
    /// What that namespace is called, if it has a name and there are several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub netns_name: Option<String>,
    /// A process that lives in it, likewise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub netns_pid: Option<u32>,
    /// Of a listing that is repeated: what has changed since the round before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delta: Option<Delta>,
    /// Who opened it; null where that is not known. Only through an agent.
    #[serde(default)]
    pub pid: Option<u32>,
    /// That process's name, at most 15 bytes; null where that is not known.
    #[serde(default)]
    pub comm: Option<String>,
    /// How `pid` is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attribution: Option<Attribution>,
    /// When it was opened, if an agent saw that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub opened: Option<Time>,
    /// Who holds it (`processes`), newest first; empty if nobody, or nobody whom the asker may see.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub processes: Option<Vec<Holder>>,
    /// The timer that runs (`options`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timer: Option<Timer>,
    /// `SO_MARK` (`extended`); shown to CAP_NET_ADMIN.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mark: Option<u32>,
    /// `IPV6_V6ONLY` (`extended`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub v6only: Option<bool>,
    /// Which directions are shut down (`extended`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shutdown: Option<Shutdown>,
    /// Id of its cgroup (v2).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cgroup_id: Option<u64>,
    /// That cgroup's path beneath the mount.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cgroup_path: Option<String>,
    /// The systemd unit that the path names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<String>,
    /// Id of the container that the path names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub container: Option<String>,
    /// `docker`, `containerd`, `cri-o`, `podman`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub container_runtime: Option<String>,
    /// Uid of the Kubernetes pod that the path names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pod: Option<String>,
    /// IPv4 type of service.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tos: Option<u32>,
    /// IPv6 traffic class.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tclass: Option<u32>,
    /// Net class id, or the priority.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub class_id: Option<u32>,
    /// The options that are set (`linux/inet_diag.h`, `struct inet_diag_sockopt`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inet_sockopt: Option<Vec<String>>,
    /// Memory (`memory`), bytes, by the names of `SK_MEMINFO_*`; `drops` are packets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub skmem: Option<Members>,
    /// Congestion control (`info`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub congestion: Option<String>,
    /// What was negotiated: `ts`, `sack`, `wscale` …
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tcp_options: Option<Vec<String>>,
    /// `struct tcp_info`; times in microseconds, `last_*` in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tcp_info: Option<Members>,
    /// `struct mptcp_info`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mptcp_info: Option<Members>,
    /// `struct sctp_info`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sctp_info: Option<Members>,
    /// TCP Vegas; times in microseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vegas: Option<Members>,
    /// DCTCP.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dctcp: Option<Dctcp>,
    /// BBR: `bw` in bytes per second, `min_rtt` in microseconds, gains in 1/256.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bbr: Option<Members>,
    /// Keys of RFC 2385; shown to CAP_NET_ADMIN.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub md5_keys: Option<Vec<Md5Key>>,
    /// What runs on top of TCP.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ulp: Option<Ulp>,
    /// SCTP: this side's addresses.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub local_addrs: Option<Vec<Addr>>,
    /// SCTP: the other side's addresses.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peer_addrs: Option<Vec<Addr>>,
    /// What BPF programs stored beside it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bpf_storages: Option<Vec<BpfStorage>>,
    /// UNIX: the file that it is bound to (`extended`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<FileOfSocket>,
    /// UNIX: inode numbers of the sockets that wait to be accepted (`extended`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pending: Option<Vec<u32>>,
    /// Netlink: numbers of the multicast groups that it listens to (`extended`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub groups: Option<Vec<u32>>,
    /// Packet: version of the ring (`extended`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<u32>,
    /// Packet: from which length on packets are copied (`extended`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub copy_thresh: Option<u32>,
    /// Packet: `running`, `auxdata`, `origdev`, `vnethdr`, `loss` (`extended`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub flags: Option<Vec<String>>,
    /// Packet: `id` and `type` of `linux/if_packet.h` (`extended`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fanout: Option<Members>,
    /// Packet and XDP: the ring of what is received (`extended`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rx_ring: Option<Members>,
    /// Packet and XDP: the ring of what is sent (`extended`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tx_ring: Option<Members>,
    /// XDP: the fill ring (`extended`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fill_ring: Option<Members>,
    /// XDP: the completion ring (`extended`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub completion_ring: Option<Members>,
    /// XDP: the memory that is shared with the program, `size` in bytes (`extended`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub umem: Option<Members>,
    /// XDP: what was dropped (`extended`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stats: Option<Members>,
    /// Packet: its filter in classic BPF (`bpf`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub filter: Option<Vec<Instruction>>,
    /// TIPC: whether it has a name (`tipcinfo`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub published: Option<bool>,
    /// TIPC: whether it waits for a link (`tipcinfo`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link_congested: Option<bool>,
    /// TIPC: whether it waits for its connection (`tipcinfo`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connection_congested: Option<bool>,
    /// TIPC: messages dropped (`tipcinfo`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dropped: Option<u32>,
}

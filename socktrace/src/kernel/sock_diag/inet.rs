//! Requests for IP sockets (include/uapi/linux/inet_diag.h, `struct inet_diag_req_v2`).

use std::os::fd::RawFd;

use super::super::netlink::{Malformed, Request};
use super::{BY_FAMILY, Want};
use crate::socket::{Family, Proto, StateSet};

/// `TCPDIAG_GETSOCK`, from before other families had requests.
pub(super) const TCP_OF_BOTH: u16 = 18;
/// `INET_DIAG_REQ_BYTECODE`.
const REQ_BYTECODE: u16 = 1;
/// `INET_DIAG_REQ_SK_BPF_STORAGES`.
const REQ_BPF_STORAGES: u16 = 2;
/// `INET_DIAG_REQ_PROTOCOL`.
const REQ_PROTOCOL: u16 = 3;
/// `SK_DIAG_BPF_STORAGE_REQ_MAP_FD`.
const REQ_MAP_FD: u16 = 1;

/// Which of the kernel's tables of IP sockets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum InetTable {
    /// TCP, with the mini-sockets of SYN-RECV and TIME-WAIT.
    Tcp,
    /// MPTCP connections.
    Mptcp,
    /// UDP.
    Udp,
    /// UDP-Lite.
    UdpLite,
    /// Raw IP.
    Raw,
    /// SCTP, endpoints and associations.
    Sctp,
    /// DCCP.
    Dccp,
}

impl InetTable {
    /// All of them.
    pub const ALL: [Self; 7] =
        [Self::Raw, Self::Udp, Self::UdpLite, Self::Tcp, Self::Dccp, Self::Sctp, Self::Mptcp];

    /// The protocol number (`IPPROTO_*`).
    #[must_use]
    pub const fn number(self) -> u16 {
        match self {
            Self::Tcp => 6,
            Self::Mptcp => 262,
            Self::Udp => 17,
            Self::UdpLite => 136,
            Self::Raw => 255,
            Self::Sctp => 132,
            Self::Dccp => 33,
        }
    }

    /// Its name, for messages.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Mptcp => "mptcp",
            Self::Udp => "udp",
            Self::UdpLite => "udplite",
            Self::Raw => "raw",
            Self::Sctp => "sctp",
            Self::Dccp => "dccp",
        }
    }

    /// The table a socket of that kind is in; none for those that are no IP sockets, and for ping sockets.
    #[must_use]
    pub const fn of(proto: Proto) -> Option<Self> {
        match proto {
            Proto::Tcp => Some(Self::Tcp),
            Proto::Mptcp => Some(Self::Mptcp),
            Proto::Udp => Some(Self::Udp),
            Proto::UdpLite => Some(Self::UdpLite),
            Proto::Raw(_) => Some(Self::Raw),
            Proto::Sctp => Some(Self::Sctp),
            Proto::Dccp => Some(Self::Dccp),
            Proto::Ping(_)
            | Proto::UnixStream
            | Proto::UnixDgram
            | Proto::UnixSeqpacket
            | Proto::PacketRaw
            | Proto::PacketDgram
            | Proto::Netlink
            | Proto::VsockStream
            | Proto::VsockDgram
            | Proto::VsockSeqpacket
            | Proto::TipcStream
            | Proto::TipcDgram
            | Proto::TipcRdm
            | Proto::TipcSeqpacket
            | Proto::Xdp
            | Proto::Other(_) => None,
        }
    }
}

/// Which IP. The kernel dumps one at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum IpVersion {
    /// AF_INET.
    V4,
    /// AF_INET6, with dual-stack sockets.
    V6,
}

impl IpVersion {
    /// Both, in the order in which ss lists them.
    pub const BOTH: [Self; 2] = [Self::V4, Self::V6];

    /// As an address family.
    #[must_use]
    pub const fn family(self) -> Family {
        match self {
            Self::V4 => Family::Inet,
            Self::V6 => Family::Inet6,
        }
    }

    /// The byte that requests carry.
    pub(super) const fn byte(self) -> u8 {
        match self {
            Self::V4 => 2,
            Self::V6 => 10,
        }
    }
}

/// A question for a whole table.
#[derive(Debug, Clone, Copy)]
pub struct InetQuery<'a> {
    /// Which table.
    pub table: InetTable,
    /// Which IP.
    pub ip: IpVersion,
    /// In which states. Asking TCP for `BoundInactive` costs the kernel another walk, of the bind table.
    pub states: StateSet,
    /// What beyond the rows.
    pub want: Want,
    /// A filter in the kernel's bytecode (`struct inet_diag_bc_op`), empty for none. It may only narrow.
    pub bytecode: &'a [u8],
    /// BPF socket storages: of these maps, or of all where the list is empty.
    pub bpf_storages: Option<&'a [RawFd]>,
}

impl InetQuery<'_> {
    /// All sockets of a table in these states, nothing but rows.
    #[must_use]
    pub const fn new(table: InetTable, ip: IpVersion, states: StateSet) -> Self {
        Self { table, ip, states, want: Want::NONE, bytecode: &[], bpf_storages: None }
    }

    pub(super) fn request(&self) -> Result<Request, Malformed> {
        let body = body(self.table, self.ip, (extensions(self.want), 0), self.states, &[0; SOCKID]);
        self.with_attributes(with_protocol(Request::dump(BY_FAMILY, &body), self.table)?)
    }

    /// The same of TCP and both IPs, `table` and `ip` aside (`struct inet_diag_req`).
    pub(super) fn request_of_both(&self) -> Result<Request, Malformed> {
        let mut body = Vec::with_capacity(12 + SOCKID);
        body.extend_from_slice(&[0, 0, 0, extensions(self.want)]);
        body.extend_from_slice(&[0; SOCKID]);
        body.extend_from_slice(&self.states.bits().to_ne_bytes());
        body.extend_from_slice(&[0; 4]);
        self.with_attributes(Request::dump(TCP_OF_BOTH, &body))
    }

    fn with_attributes(&self, mut request: Request) -> Result<Request, Malformed> {
        if !self.bytecode.is_empty() {
            request = request.attribute(REQ_BYTECODE, self.bytecode)?;
        }
        if let Some(maps) = self.bpf_storages {
            let mut nested = Vec::with_capacity(maps.len() * 8);
            for map in maps {
                nested.extend_from_slice(&8u16.to_ne_bytes());
                nested.extend_from_slice(&REQ_MAP_FD.to_ne_bytes());
                nested.extend_from_slice(&map.to_ne_bytes());
            }
            request = request.attribute(REQ_BPF_STORAGES, &nested)?;
        }
        Ok(request)
    }
}

/// Length of `struct inet_diag_sockid`.
pub(super) const SOCKID: usize = 48;

/// `struct inet_diag_req_v2`. `raw` is the protocol of a raw socket (`struct inet_diag_req_raw`), else 0.
pub(super) fn body(
    table: InetTable,
    ip: IpVersion,
    (extensions, raw): (u8, u8),
    states: StateSet,
    id: &[u8; SOCKID],
) -> Vec<u8> {
    // A number beyond a byte goes into an attribute; the 0 left here has no handler, so that a kernel which does
    // not know the attribute refuses instead of listing something else.
    let protocol = u8::try_from(table.number()).unwrap_or(0);
    let mut body = Vec::with_capacity(8 + SOCKID);
    body.extend_from_slice(&[ip.byte(), protocol, extensions, raw]);
    body.extend_from_slice(&states.bits().to_ne_bytes());
    body.extend_from_slice(id);
    body
}

/// The request with the attribute that protocol numbers above 255 need.
pub(super) fn with_protocol(request: Request, table: InetTable) -> Result<Request, Malformed> {
    if table.number() <= 255 {
        return Ok(request);
    }
    request.attribute(REQ_PROTOCOL, &u32::from(table.number()).to_ne_bytes())
}

/// `idiag_ext`: bit n asks for attribute n + 1.
pub(super) const fn extensions(want: Want) -> u8 {
    /// `INET_DIAG_SKMEMINFO`.
    const SKMEMINFO: u8 = 1 << 6;
    /// `INET_DIAG_INFO`, `INET_DIAG_VEGASINFO` (with it DCTCP's and BBR's), `INET_DIAG_CONG`.
    const INFO: u8 = 1 << 1 | 1 << 2 | 1 << 3;
    /// `INET_DIAG_TOS`, `INET_DIAG_TCLASS` (with it the class id).
    const TOS: u8 = 1 << 4 | 1 << 5;

    (if want.memory { SKMEMINFO } else { 0 })
        | (if want.info { INFO } else { 0 })
        | (if want.tos { TOS } else { 0 })
}

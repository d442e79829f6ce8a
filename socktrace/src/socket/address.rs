//! Where a socket's ends are.

use std::borrow::Cow;
use std::net::IpAddr;

/// One end of a socket.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub enum Endpoint {
    /// Not known, or the family has none on this side.
    #[default]
    None,
    /// IPv4 or IPv6 (v4-mapped addresses stay IPv6); port 0 for none.
    Inet {
        /// The address; unspecified (`0.0.0.0`, `::`) for any.
        addr: IpAddr,
        /// Host byte order; 0 for none. For raw sockets, the IP protocol.
        port: u16,
    },
    /// A UNIX socket: its name and inode.
    Unix {
        /// The name it is bound to.
        name: UnixName,
        /// Inode of the socket on this side, 0 if there is none.
        inode: u32,
    },
    /// A packet socket: ethertype and interface.
    Packet {
        /// Ethertype, host byte order; 3 (ETH_P_ALL) for all.
        protocol: u16,
        /// Interface index, 0 for any.
        ifindex: u32,
    },
    /// A netlink socket: its protocol and port id.
    Netlink {
        /// Netlink protocol (`NETLINK_ROUTE` = 0 …).
        protocol: u8,
        /// Port id; 0 is the kernel.
        portid: u32,
    },
    /// The other side of a connected netlink socket.
    NetlinkPeer {
        /// Multicast group it sends to, 0 for none.
        group: u32,
        /// Port id it sends to; 0 is the kernel.
        portid: u32,
    },
    /// A vsock socket.
    Vsock {
        /// Context id; `u32::MAX` for any.
        cid: u32,
        /// Port; `u32::MAX` for any.
        port: u32,
    },
    /// A TIPC socket.
    Tipc {
        /// Node hash or address.
        node: u32,
        /// Port reference.
        reference: u32,
    },
    /// An XDP socket.
    Xdp {
        /// Interface index.
        ifindex: u32,
        /// Queue id.
        queue: u32,
    },
}

impl Endpoint {
    /// Address and port, if it is an IP endpoint.
    #[must_use]
    pub const fn inet(&self) -> Option<(IpAddr, u16)> {
        if let Self::Inet { addr, port } = self { Some((*addr, *port)) } else { None }
    }

    /// The port of an IP endpoint, 0 for every other.
    #[must_use]
    pub const fn port(&self) -> u16 {
        if let Self::Inet { port, .. } = self { *port } else { 0 }
    }
}

/// The name of a UNIX socket: bytes, as the kernel has them.
///
/// Empty: unbound. First byte NUL: abstract. Anything else: a path, which may hold any byte but NUL.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, PartialOrd, Ord)]
pub struct UnixName(Box<[u8]>);

impl UnixName {
    /// From the bytes of `sun_path`. A path ends at its first NUL; an abstract name keeps them all.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Self {
        let end = match bytes.first() {
            None => 0,
            Some(0) => bytes.len(),
            Some(_) => bytes.iter().position(|&b| b == 0).unwrap_or(bytes.len()),
        };
        Self(bytes.get(..end).unwrap_or_default().into())
    }

    /// The bytes, an abstract name with its leading NUL.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// As ss writes it: the NULs of an abstract name are `@`.
    #[must_use]
    pub fn shown(&self) -> Cow<'_, [u8]> {
        if self.is_abstract() {
            self.0.iter().map(|&byte| if byte == 0 { b'@' } else { byte }).collect()
        } else {
            Cow::Borrowed(&self.0)
        }
    }

    /// Whether it has no name.
    #[must_use]
    pub fn is_unnamed(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether it is an abstract name.
    #[must_use]
    pub fn is_abstract(&self) -> bool {
        self.0.first() == Some(&0)
    }
}

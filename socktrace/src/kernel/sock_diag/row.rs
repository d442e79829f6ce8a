//! One row of an IP dump, read where it lies (include/uapi/linux/inet_diag.h, `struct inet_diag_msg`).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::super::netlink::{Attributes, Malformed, byte, cookie, half_be, part, word};
use super::{InetTable, Want, details};
use crate::socket::{Cookie, Detail, Endpoint, Family, NetnsId, Proto, Socket, State, Timer, TimerKind};

/// Length of `struct inet_diag_msg`.
const HEAD: usize = 72;

/// A row in the receive buffer. Nothing is decoded before it is asked for, and nothing is allocated but by
/// [`InetRow::to_socket`] when details are wanted.
#[derive(Debug, Clone, Copy)]
pub struct InetRow<'a> {
    head: &'a [u8; HEAD],
    attributes: &'a [u8],
    table: InetTable,
    netns: NetnsId,
}

impl<'a> InetRow<'a> {
    /// From a message's payload.
    pub fn decode(payload: &'a [u8], table: InetTable, netns: NetnsId) -> Result<Self, Malformed> {
        let (head, attributes) = payload.split_first_chunk().ok_or(Malformed {
            what: "inet_diag_msg",
            length: HEAD,
            have: payload.len(),
        })?;
        Ok(Self { head, attributes, table, netns })
    }

    /// The table it was listed from.
    #[must_use]
    pub const fn table(&self) -> InetTable {
        self.table
    }

    /// The same row, of another table.
    pub(super) const fn with_table(self, table: InetTable) -> Self {
        Self { table, ..self }
    }

    /// The table that an attribute tells; its own where none does.
    pub(super) fn told_table(&self) -> Result<InetTable, Malformed> {
        /// `INET_DIAG_PROTOCOL`, in a byte.
        const PROTOCOL: u16 = 10;
        for attribute in self.attributes() {
            let attribute = attribute?;
            if attribute.kind == PROTOCOL {
                let number = attribute.u8().map(u16::from);
                return Ok(InetTable::ALL
                    .into_iter()
                    .find(|table| Some(table.number()) == number)
                    .unwrap_or(self.table));
            }
        }
        Ok(self.table)
    }

    /// What kind of socket; a raw one with its IP protocol, which the kernel gives in place of the port.
    #[must_use]
    pub fn proto(&self) -> Proto {
        match self.table {
            InetTable::Tcp => Proto::Tcp,
            InetTable::Mptcp => Proto::Mptcp,
            InetTable::Udp => Proto::Udp,
            InetTable::UdpLite => Proto::UdpLite,
            InetTable::Raw => Proto::Raw(self.local_port()),
            InetTable::Sctp => Proto::Sctp,
            InetTable::Dccp => Proto::Dccp,
        }
    }

    /// Address family.
    #[must_use]
    pub fn family(&self) -> Family {
        Family::from_number(u16::from(byte::<0, HEAD>(self.head)))
    }

    /// The state.
    #[must_use]
    pub fn state(&self) -> State {
        State::from_number(byte::<1, HEAD>(self.head))
    }

    /// The running timer, if one runs.
    #[must_use]
    pub fn timer(&self) -> Option<Timer> {
        let kind = match byte::<2, HEAD>(self.head) {
            0 => return None,
            1 => TimerKind::On,
            2 => TimerKind::Keepalive,
            3 => TimerKind::TimeWait,
            4 => TimerKind::Persist,
            other => TimerKind::Other(other),
        };
        Some(Timer { kind, retrans: byte::<3, HEAD>(self.head), expires_ms: word::<52, HEAD>(self.head) })
    }

    /// This side's port, host byte order.
    #[must_use]
    pub fn local_port(&self) -> u16 {
        half_be::<4, HEAD>(self.head)
    }

    /// The other side's port, host byte order.
    #[must_use]
    pub fn peer_port(&self) -> u16 {
        half_be::<6, HEAD>(self.head)
    }

    /// This side's address.
    #[must_use]
    pub fn local_addr(&self) -> IpAddr {
        self.address(part::<8, 16, HEAD>(self.head))
    }

    /// The other side's address.
    #[must_use]
    pub fn peer_addr(&self) -> IpAddr {
        self.address(part::<24, 16, HEAD>(self.head))
    }

    /// Interface the socket is bound to, 0 for none.
    #[must_use]
    pub fn ifindex(&self) -> u32 {
        word::<40, HEAD>(self.head)
    }

    /// The kernel's identity of the socket.
    #[must_use]
    pub fn cookie(&self) -> Cookie {
        cookie::<44, HEAD>(self.head)
    }

    /// Bytes received and not yet read; for a listener, pending connections.
    #[must_use]
    pub fn recv_q(&self) -> u32 {
        word::<56, HEAD>(self.head)
    }

    /// Bytes sent and not yet acknowledged; for a listener, the backlog.
    #[must_use]
    pub fn send_q(&self) -> u32 {
        word::<60, HEAD>(self.head)
    }

    /// User id.
    #[must_use]
    pub fn uid(&self) -> u32 {
        word::<64, HEAD>(self.head)
    }

    /// Inode number, 0 where no file refers to the socket.
    #[must_use]
    pub fn inode(&self) -> u32 {
        word::<68, HEAD>(self.head)
    }

    /// The attributes, undecoded.
    #[must_use]
    pub const fn attributes(&self) -> Attributes<'a> {
        Attributes::new(self.attributes)
    }

    /// `IPV6_V6ONLY`: the kernel tells it of IPv6 sockets that listen or are unconnected.
    pub fn v6only(&self) -> Result<Option<bool>, Malformed> {
        /// `INET_DIAG_SKV6ONLY`.
        const SKV6ONLY: u16 = 11;
        if self.family() != Family::Inet6 {
            return Ok(None);
        }
        for attribute in self.attributes() {
            let attribute = attribute?;
            if attribute.kind == SKV6ONLY {
                return Ok(attribute.u8().map(|value| value != 0));
            }
        }
        Ok(None)
    }

    /// The row as a value. Fails if the attributes are malformed, as far as it looks at them.
    pub fn to_socket(&self, want: Want) -> Result<Socket, Malformed> {
        let detail = if want.is_none() { None } else { Some(Box::new(self.detail(want)?)) };
        Ok(Socket {
            proto: self.proto(),
            family: self.family(),
            state: self.state(),
            recv_q: self.recv_q(),
            send_q: self.send_q(),
            local: Endpoint::Inet { addr: self.local_addr(), port: self.local_port() },
            peer: Endpoint::Inet { addr: self.peer_addr(), port: self.peer_port() },
            ifindex: self.ifindex(),
            inode: self.inode(),
            cookie: self.cookie(),
            netns: self.netns,
            uid: Some(self.uid()),
            v6only: self.v6only()?,
            detail,
        })
    }

    fn detail(&self, want: Want) -> Result<Detail, Malformed> {
        let timer = if want.extended { self.timer() } else { None };
        Ok(Detail { timer, ..details::inet(self.attributes(), want)? })
    }

    /// IPv4 lies in the first four bytes; anything else is shown as the sixteen bytes it has.
    fn address(&self, bytes: [u8; 16]) -> IpAddr {
        if self.family() == Family::Inet {
            let [a, b, c, d, ..] = bytes;
            IpAddr::V4(Ipv4Addr::new(a, b, c, d))
        } else {
            IpAddr::V6(Ipv6Addr::from(bytes))
        }
    }
}

//! What one part of a dump covers, and how far it came.

use super::entry::Entry;
use crate::socket::{Family, NetnsId, Proto};

/// What one request of a dump covers: one kind of socket of one family in one namespace. The three UNIX kinds are
/// one scope, named by any of them; so are the protocols of RAW, and of ping.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Scope {
    /// The namespace that was asked.
    pub netns: NetnsId,
    /// The family.
    pub family: Family,
    /// The kind of socket.
    pub proto: Proto,
}

/// How far a scope came. Only what is missing from a complete one is known to be gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Every socket was shown. Also right for a namespace that has vanished: it has no socket.
    Complete,
    /// Some may be missing: an error, an interrupted dump (`NLM_F_DUMP_INTR`), no access.
    Partial,
    /// This kernel cannot show them at all.
    Unsupported,
}

impl Scope {
    /// Whether the entry is of the kind and family, whatever the namespace.
    pub(super) fn is_kind_of(&self, entry: &Entry) -> bool {
        self.family == entry.family && Class::of(self.proto) == Class::of(entry.proto)
    }

    /// Whether the row lies in it.
    #[cfg(test)]
    pub(crate) fn shows(&self, row: &crate::socket::Socket) -> bool {
        self.covers(&Entry::of_row(row, 0))
    }

    /// Whether the entry lies in it.
    pub(super) fn covers(&self, entry: &Entry) -> bool {
        self.netns == entry.netns && self.is_kind_of(entry)
    }
}

/// Kinds of which one request shows all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Class {
    Tcp,
    Mptcp,
    Udp,
    UdpLite,
    Raw,
    Ping,
    Unix,
}

impl Class {
    /// None for a kind that the table does not keep.
    pub(super) const fn of(proto: Proto) -> Option<Self> {
        match proto {
            Proto::Tcp => Some(Self::Tcp),
            Proto::Mptcp => Some(Self::Mptcp),
            Proto::Udp => Some(Self::Udp),
            Proto::UdpLite => Some(Self::UdpLite),
            Proto::Raw(_) => Some(Self::Raw),
            Proto::Ping(_) => Some(Self::Ping),
            Proto::UnixStream | Proto::UnixDgram | Proto::UnixSeqpacket => Some(Self::Unix),
            Proto::Sctp
            | Proto::Dccp
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

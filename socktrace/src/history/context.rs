//! What a record may leave out because the ones before it have said it, and the numbers of kinds. Both ends, `pack` and
//! `unpack`, take the same steps.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use crate::socket::{Cgroup, ClosedFirst, Cookie, FailedBy, Family, NetnsId, Owner, Proto, Reset, UnixNs};

/// So many of what comes again are remembered. More would be dearer to look through than to write again.
const REMEMBERED: usize = 14;

/// A cgroup: its id, and what it is, where that is known.
pub(super) type Place = (u64, Option<Arc<Cgroup>>);

/// What the records before have said. The first record of a chunk, and the first of what is written to a file, stand
/// on nothing.
#[derive(Debug)]
pub(super) struct Context {
    pub(super) at: UnixNs,
    pub(super) cookie: Cookie,
    pub(super) netns: NetnsId,
    pub(super) kind: (Proto, Family),
    pub(super) uid: Option<u32>,
    pub(super) place: Place,
    pub(super) local: IpAddr,
    pub(super) peer: IpAddr,
    pub(super) owners: Seen<Owner>,
    pub(super) places: Seen<Place>,
}

/// What has come lately, each at a place of its own.
#[derive(Debug)]
pub(super) struct Seen<T> {
    all: Vec<T>,
    /// Which is forgotten next.
    oldest: usize,
}

impl<T> Default for Seen<T> {
    fn default() -> Self {
        Self { all: Vec::new(), oldest: 0 }
    }
}

impl<T: PartialEq> Seen<T> {
    /// The place of one that is remembered.
    pub(super) fn place_of(&self, one: &T) -> Option<u8> {
        self.all.iter().position(|known| known == one).and_then(|place| u8::try_from(place).ok())
    }

    /// The one at that place.
    pub(super) fn at(&self, place: u8) -> Option<&T> {
        self.all.get(usize::from(place))
    }

    /// Remembers one, in the place of the oldest if there are too many.
    pub(super) fn remember(&mut self, one: T) {
        if self.all.len() < REMEMBERED {
            self.all.push(one);
        } else if let Some(place) = self.all.get_mut(self.oldest) {
            *place = one;
            self.oldest = (self.oldest + 1) % REMEMBERED;
        }
    }

    fn clear(&mut self) {
        self.all.clear();
        self.oldest = 0;
    }
}

impl Default for Context {
    fn default() -> Self {
        Self {
            at: 0,
            cookie: 0,
            netns: 0,
            kind: (Proto::Tcp, Family::Inet),
            uid: None,
            place: (0, None),
            local: Ipv4Addr::LOCALHOST.into(),
            peer: Ipv4Addr::LOCALHOST.into(),
            owners: Seen::default(),
            places: Seen::default(),
        }
    }
}

impl Context {
    /// Forgets everything but its memory.
    pub(super) fn reset(&mut self) {
        let (mut owners, mut places) = (std::mem::take(&mut self.owners), std::mem::take(&mut self.places));
        owners.clear();
        places.clear();
        *self = Self { owners, places, ..Self::default() };
    }
}

/// The number of a kind of socket, and what it carries.
pub(super) const fn number_of(proto: Proto) -> (u8, u16) {
    match proto {
        Proto::Tcp => (0, 0),
        Proto::Mptcp => (1, 0),
        Proto::Udp => (2, 0),
        Proto::UdpLite => (3, 0),
        Proto::Raw(number) => (4, number),
        Proto::Ping(number) => (5, number as u16),
        Proto::Sctp => (6, 0),
        Proto::Dccp => (7, 0),
        Proto::UnixStream => (8, 0),
        Proto::UnixDgram => (9, 0),
        Proto::UnixSeqpacket => (10, 0),
        Proto::PacketRaw => (11, 0),
        Proto::PacketDgram => (12, 0),
        Proto::Netlink => (13, 0),
        Proto::VsockStream => (14, 0),
        Proto::VsockDgram => (15, 0),
        Proto::VsockSeqpacket => (16, 0),
        Proto::TipcStream => (17, 0),
        Proto::TipcDgram => (18, 0),
        Proto::TipcRdm => (19, 0),
        Proto::TipcSeqpacket => (20, 0),
        Proto::Xdp => (21, 0),
        Proto::Other(number) => (22, number),
    }
}

/// The kind of socket of that number; none if this build knows none.
pub(super) fn proto_of(number: u8, carries: u16) -> Option<Proto> {
    let small = u8::try_from(carries);
    Some(match number {
        0 => Proto::Tcp,
        1 => Proto::Mptcp,
        2 => Proto::Udp,
        3 => Proto::UdpLite,
        4 => Proto::Raw(carries),
        5 => Proto::Ping(small.ok()?),
        6 => Proto::Sctp,
        7 => Proto::Dccp,
        8 => Proto::UnixStream,
        9 => Proto::UnixDgram,
        10 => Proto::UnixSeqpacket,
        11 => Proto::PacketRaw,
        12 => Proto::PacketDgram,
        13 => Proto::Netlink,
        14 => Proto::VsockStream,
        15 => Proto::VsockDgram,
        16 => Proto::VsockSeqpacket,
        17 => Proto::TipcStream,
        18 => Proto::TipcDgram,
        19 => Proto::TipcRdm,
        20 => Proto::TipcSeqpacket,
        21 => Proto::Xdp,
        22 => Proto::Other(carries),
        _ => return None,
    })
}

/// The number of a value in a table; 0 is none.
pub(super) fn place_in<T: PartialEq>(all: &[T; 3], one: Option<&T>) -> u8 {
    let place = one.and_then(|one| all.iter().position(|other| other == one));
    place.map_or(0, |place| place as u8 + 1)
}

/// The value of that number; none of 0 and of a number that this build does not know.
pub(super) fn at_place<T: Copy>(all: &[T; 3], number: u8) -> Option<T> {
    all.get(usize::from(number).checked_sub(1)?).copied()
}

pub(super) const CLOSED_FIRST: [ClosedFirst; 3] = [ClosedFirst::Local, ClosedFirst::Peer, ClosedFirst::Both];
pub(super) const RESET: [Reset; 3] = [Reset::Local, Reset::Peer, Reset::Either];
pub(super) const FAILED_BY: [FailedBy; 3] = [FailedBy::Local, FailedBy::Peer, FailedBy::Network];

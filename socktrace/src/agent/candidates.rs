//! Sockets of the table as names that the kernel finds them by.

use crate::kernel::sock_diag::{InetId, InetTable, IpVersion};
use crate::socket::{Endpoint, Family, NetnsId, State};
use crate::table::View;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// From so many on, a dump that the kernel filters is the quicker way.
const MANY: usize = 64;

/// The TCP and UDP sockets among these, of one namespace, in the order of a listing: IPv4 first, and listeners first
/// in each. None if there are too many, or one that the kernel does not find by name.
pub(super) fn candidates(views: &[View<'_>], netns: NetnsId) -> Option<Vec<InetId>> {
    let mut found = Vec::new();
    // Where its namespace is not known, it may be in this one.
    for view in views.iter().filter(|view| view.netns() == netns || view.netns() == 0) {
        let Some(table @ (InetTable::Tcp | InetTable::Udp)) = InetTable::of(view.proto()) else { continue };
        // Only the walk of a whole table shows a TCP socket that is bound and nothing else.
        let nameless = table == InetTable::Tcp && matches!(view.state(), State::Close | State::BoundInactive);
        if nameless || found.len() == MANY {
            return None;
        }
        found.push((view.state() != State::Listen, name(view, table)?));
    }
    found.sort_by_key(|&(rest, id)| (id.ip, rest, id.cookie));
    Some(found.into_iter().map(|(_, id)| id).collect())
}

fn name(view: &View<'_>, table: InetTable) -> Option<InetId> {
    let subject = view.subject();
    let (ip, any) = match subject.family {
        Family::Inet => (IpVersion::V4, IpAddr::from(Ipv4Addr::UNSPECIFIED)),
        Family::Inet6 => (IpVersion::V6, IpAddr::from(Ipv6Addr::UNSPECIFIED)),
        Family::Unix
        | Family::Netlink
        | Family::Packet
        | Family::Tipc
        | Family::Vsock
        | Family::Xdp
        | Family::Other(_) => return None,
    };
    let end = |end: &Endpoint| end.inet().unwrap_or((any, 0));
    Some(InetId {
        table,
        ip,
        local: end(&subject.local),
        peer: end(&subject.peer),
        ifindex: subject.ifindex,
        cookie: subject.cookie,
    })
}

//! Sockets of the table as names that the kernel finds them by.

use crate::kernel::sock_diag::{InetId, InetTable, IpVersion};
use crate::listing::Named;
use crate::socket::{Endpoint, Family, NetnsId, State};
use crate::table::View;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The TCP and UDP sockets among these, of one namespace, in the order in which the kernel lists them, unless only the
/// kernel knows that order, or does not find one of them by name.
///
/// The kernel walks IPv4 before IPv6, listeners before the rest, and each of these by hash, whose seed it tells
/// nobody: there is an order of ours as long as there is one socket of each.
pub(super) fn candidates<'a>(views: impl IntoIterator<Item = View<'a>>, netns: NetnsId) -> Named {
    let mut found: Vec<(Place, InetId)> = Vec::new();
    // Where its namespace is not known, it may be in this one.
    for view in views.into_iter().filter(|view| view.netns() == netns || view.netns() == 0) {
        let Some(table @ (InetTable::Tcp | InetTable::Udp)) = InetTable::of(view.proto()) else { continue };
        // Only the walk of a whole table shows a TCP socket that is bound and nothing else.
        let nameless = table == InetTable::Tcp && matches!(view.state(), State::Close | State::BoundInactive);
        // Until it is connected, nothing tells the port that the kernel chose for it.
        if nameless || view.local_port() == 0 {
            return Named::NotNow;
        }
        let Some(id) = name(&view, table) else { return Named::No };
        let place = Place { udp: table == InetTable::Udp, ip: id.ip, rest: view.state() != State::Listen };
        if found.iter().any(|(taken, _)| *taken == place) {
            return Named::No;
        }
        found.push((place, id));
    }
    found.sort_by_key(|&(place, _)| place);
    Named::All(found.into_iter().map(|(_, id)| id).collect())
}

/// Where in a listing a socket stands; the kernel alone knows the order of those that share a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    udp: bool,
    ip: IpVersion,
    rest: bool,
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

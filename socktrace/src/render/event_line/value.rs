//! What an event has in a column, as a value that lines are ordered and counted by.

use crate::api::columns::Column;
use crate::render::event_json::is_wildcard;
use crate::render::groups::Value;
use crate::socket::{Closing, Endpoint, Event};

/// Numbers as numbers, ports without the names of services. Nothing is shortened.
#[must_use]
pub fn value(event: &Event, column: Column) -> Value {
    let Some(subject) = &event.subject else { return Value::Unknown };
    let process = subject.owner.process();
    let place = subject.place.as_deref();
    let known = |number: u64| Value::number(Some(number).filter(|&number| number != 0));
    let port = |end: &Endpoint| Value::number(end.inet().map(|(_, port)| port.into()));
    match column {
        Column::Time => Value::Number(event.at),
        Column::Event => Value::text(Some(event.kind.name().as_bytes())),
        Column::Lifetime => Value::number(event.kind.lifetime_us()),
        Column::Proto => Value::text(Some(subject.proto.name().as_bytes())),
        Column::Family => Value::text(Some(subject.family.name().as_bytes())),
        Column::Local => end(&subject.local),
        Column::Peer if is_wildcard(&subject.peer) => Value::text(Some(b"*")),
        Column::Peer => end(&subject.peer),
        Column::LocalPort => port(&subject.local),
        Column::PeerPort => port(&subject.peer),
        Column::State => Value::text(Some(subject.state.word().as_bytes())),
        Column::Process | Column::Command => Value::text(process.map(|process| process.comm.as_bytes())),
        Column::Pid => Value::number(process.map(|process| process.pid.into())),
        Column::Attribution => Value::text(Some(subject.owner.attribution().name().as_bytes())),
        Column::User => Value::number(subject.uid.map(u64::from)),
        Column::Netns => known(subject.netns.into()),
        Column::Cookie => known(subject.cookie),
        Column::Cgroup => Value::text(place.map(|place| &*place.path)),
        Column::Unit => Value::text(place.and_then(|place| place.unit.as_deref())),
        Column::Container => {
            Value::text(place.and_then(|place| place.container.as_ref()).map(|it| it.id.as_bytes()))
        }
        Column::Pod => Value::text(place.and_then(|place| place.pod.as_ref()).map(|uid| uid.as_bytes())),
        Column::Sent => Value::number(event.kind.closing().map(|closing| closing.bytes_sent)),
        Column::Received => Value::number(event.kind.closing().map(|closing| closing.bytes_received)),
        Column::Rtt => Value::number(event.kind.closing().map(|it| it.rtt_us.into()).filter(|&us| us != 0)),
        Column::Retrans => {
            Value::number(event.kind.closing().and_then(Closing::segments).map(|it| it.again.into()))
        }
        Column::Details => Value::Unknown,
    }
}

/// As `ss --sort` and `--count-by` take it: a v4-mapped address is the IPv4 address.
fn end(end: &Endpoint) -> Value {
    match end {
        Endpoint::Inet { addr, port } => Value::End(addr.to_canonical(), Some(*port)),
        Endpoint::Unix { name, .. } if name.is_unnamed() => Value::text(Some(b"*")),
        Endpoint::Unix { name, .. } => Value::Text(name.shown().into_owned(), 0),
        // Not known, or of a family that no hook reports.
        Endpoint::None
        | Endpoint::Packet { .. }
        | Endpoint::Netlink { .. }
        | Endpoint::NetlinkPeer { .. }
        | Endpoint::Vsock { .. }
        | Endpoint::Tipc { .. }
        | Endpoint::Xdp { .. } => Value::Unknown,
    }
}

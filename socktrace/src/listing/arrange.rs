//! Rows in another order, and counted instead of listed.

use std::cmp::Ordering;
use std::io::Write;
use std::net::IpAddr;

use rustc_hash::FxHashMap;

use crate::render::escape::push_text;
use crate::render::json::Object;
use crate::render::names::{Named, Names};
use crate::render::ss::{Round, Row, Takes};
use crate::render::units::{push_ip, push_u64};
use crate::render::width::width;
use crate::socket::info::{Member, tcp};
use crate::socket::{Cgroup, Endpoint, Proto, Socket};

use super::error::Error;
use super::held::Held;
use super::hints::Hints;
use super::key::{By, Key};
use super::names::Directory;
use super::options::{Format, Options};
use super::rounds::Rounds;

/// What a row has of a key.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Value {
    Number(u64),
    /// A name, and what makes two of one name two.
    Text(Vec<u8>, u32),
    /// Addresses by their numbers, then ports.
    End(IpAddr, u16),
    /// Always last.
    Unknown,
}

impl Held {
    /// Orders the sockets; equal ones stay in the kernel's order.
    pub(super) fn sort(&mut self, order: &[By], names: &mut Directory, hints: Hints<'_>) {
        let mut values = Vec::with_capacity(self.sockets.len() * order.len());
        // Asking costs something.
        let asks = order.iter().any(|by| by.key.takes() == Takes::Opener);
        // Writing nowhere cannot fail.
        let _ = self.each(|row| {
            let row = Row { opener: if asks { hints.opener(row.socket) } else { None }, ..*row };
            values.extend(order.iter().map(|by| value(by.key, &row, names)));
            Ok(())
        });
        let of =
            |place: usize| values.get(place * order.len()..(place + 1) * order.len()).unwrap_or_default();
        let mut places: Vec<usize> = (0..self.sockets.len()).collect();
        places.sort_by(|&a, &b| {
            let each = order.iter().zip(of(a).iter().zip(of(b)));
            each.map(|(by, (a, b))| by.compare(a, b)).find(|order| order.is_ne()).unwrap_or(Ordering::Equal)
        });
        let mut sockets: Vec<Option<Socket>> =
            std::mem::take(&mut self.sockets).into_iter().map(Some).collect();
        self.sockets = places.into_iter().filter_map(|place| sockets.get_mut(place)?.take()).collect();
    }

    /// Writes how many sockets there are of each kind, the most first; how many lines that were.
    pub(super) fn count(
        &self,
        options: &Options,
        names: &mut Directory,
        hints: Hints<'_>,
        rounds: Option<&Rounds>,
        out: &mut impl Write,
    ) -> Result<usize, Error> {
        let keys = &options.count_by;
        let asks = options.arranges_by(Takes::Opener);
        let mut counts: FxHashMap<Vec<Group>, u64> = FxHashMap::default();
        self.each(|row| {
            let row = Row { opener: if asks { hints.opener(row.socket) } else { None }, ..*row };
            let group = keys.iter().map(|&key| group(key, &row, names)).collect();
            *counts.entry(group).or_default() += 1;
            Ok(())
        })?;
        let mut counts: Vec<_> = counts.into_iter().collect();
        counts.sort_unstable_by(|(a_name, a), (b_name, b)| b.cmp(a).then_with(|| a_name.cmp(b_name)));
        counts.truncate(options.top.unwrap_or(usize::MAX));
        let text = match options.format {
            Format::Json => objects(&counts, rounds.map(Rounds::now)),
            Format::Text { .. } => table(&counts, options.header.then_some(keys)),
        };
        out.write_all(&text).and_then(|()| out.flush()).map_err(Error::Output)?;
        Ok(counts.len())
    }
}

impl By {
    fn compare(self, a: &Value, b: &Value) -> Ordering {
        match (a, b) {
            (Value::Unknown, _) | (_, Value::Unknown) => a.cmp(b),
            _ if self.key.is_largest_first() != self.reversed => b.cmp(a),
            _ => a.cmp(b),
        }
    }
}

/// A group of rows by one key: its name, and what makes two of one name two.
#[derive(PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Group {
    name: Vec<u8>,
    id: u32,
}

fn group(key: Key, row: &Row<'_>, names: &mut Directory) -> Group {
    let mut name = Vec::new();
    let mut id = 0;
    match value(key, row, names) {
        Value::Number(number) => push_u64(&mut name, number),
        Value::Text(text, of) => (name, id) = (text, of),
        // The port of a client is another one each time.
        Value::End(addr, port) => push_end(&mut name, addr, (key != Key::Peer).then_some(port)),
        Value::Unknown => name.push(b'-'),
    }
    Group { name, id }
}

fn objects(counts: &[(Vec<Group>, u64)], round: Option<Round<'_>>) -> Vec<u8> {
    let mut text = Vec::new();
    for (groups, count) in counts {
        let mut object = Object::open(&mut text);
        if let Some(Round { number, at }) = round {
            object.text("ts", at.as_bytes());
            object.number("round", number);
        }
        object.number("count", *count);
        match groups.as_slice() {
            [Group { name, .. }] => object.text("key", name),
            groups => object.texts("keys", groups.iter().map(|group| group.name.as_slice())),
        }
        object.close();
        text.push(b'\n');
    }
    text
}

/// With a line of names if they are wanted.
fn table(counts: &[(Vec<Group>, u64)], header: Option<&Vec<Key>>) -> Vec<u8> {
    let mut rows: Vec<(String, Vec<Vec<u8>>)> = Vec::with_capacity(counts.len() + 1);
    if let Some(keys) = header {
        let words = keys.iter().map(|key| key.word().as_bytes().to_vec());
        rows.push(("Count".to_owned(), words.collect()));
    }
    for (groups, count) in counts {
        let escaped = groups.iter().map(|group| {
            let mut name = Vec::new();
            push_text(&mut name, &group.name);
            name
        });
        rows.push((count.to_string(), escaped.collect()));
    }
    let mut widths = Vec::new();
    for (_, cells) in &rows {
        widths.resize(cells.len(), 0);
        widths.iter_mut().zip(cells).for_each(|(widest, cell)| *widest = width(cell).max(*widest));
    }
    let mut text = Vec::new();
    for (count, cells) in &rows {
        text.extend_from_slice(format!("{count:>7}").as_bytes());
        let mut blanks = 1;
        for (cell, wide) in cells.iter().zip(&widths) {
            text.resize(text.len() + blanks, b' ');
            text.extend_from_slice(cell);
            blanks = wide - width(cell) + 1;
        }
        text.push(b'\n');
    }
    text
}

fn value(key: Key, row: &Row<'_>, names: &mut Directory) -> Value {
    let socket = row.socket;
    let number = |number: Option<u64>| number.map_or(Value::Unknown, Value::Number);
    let text = |text: Option<&[u8]>| text.map_or(Value::Unknown, |text| Value::Text(text.to_vec(), 0));
    let info = |member: Member| {
        let info = socket.detail.as_ref().and_then(|detail| detail.info.as_deref());
        number(info.filter(|_| socket.proto == Proto::Tcp).and_then(|info| member.of(info)))
    };
    match key {
        Key::State => text(Some(socket.state.word().as_bytes())),
        Key::Netid => text(Some(socket.proto.netid().as_bytes())),
        Key::Local => end(&socket.local, names),
        Key::Peer => end(&socket.peer, names),
        Key::LocalPort => Value::Number(socket.local.port().into()),
        Key::PeerPort => Value::Number(socket.peer.port().into()),
        // Signed, as they are shown.
        Key::RecvQ => number(u64::try_from(socket.recv_q.cast_signed()).ok()),
        Key::SendQ => number(u64::try_from(socket.send_q.cast_signed()).ok()),
        Key::Process => text(row.users.last().map(|user| user.process.comm.as_bytes())),
        Key::Pid => number(row.users.last().map(|user| user.process.pid.into())),
        Key::Opener => {
            text(row.opener.as_ref().and_then(|it| it.owner.process()).map(|it| it.comm.as_bytes()))
        }
        // The oldest first.
        Key::Age => number(row.opener.and_then(|opener| opener.opened)),
        // Two users, or namespaces, may be called alike.
        Key::User => match socket.uid {
            Some(uid) => match names.name(Named::User(uid)) {
                Some(name) => Value::Text(name.to_vec(), uid),
                None => Value::Number(uid.into()),
            },
            None => Value::Unknown,
        },
        Key::Netns => match row.netns {
            Some(label) => Value::Text(label.text.as_bytes().to_vec(), socket.netns),
            None => number(Some(socket.netns).filter(|&netns| netns != 0).map(u64::from)),
        },
        Key::Unit => of_cgroup(socket, names, |cgroup| cgroup.unit.as_deref()),
        Key::Container => of_cgroup(socket, names, |cgroup| Some(cgroup.container.as_ref()?.id.as_bytes())),
        Key::Pod => of_cgroup(socket, names, |cgroup| Some(cgroup.pod.as_ref()?.as_bytes())),
        Key::Rtt => info(tcp::RTT),
        Key::Retrans => info(tcp::TOTAL_RETRANS),
        Key::BytesSent => info(tcp::BYTES_SENT),
        Key::BytesReceived => info(tcp::BYTES_RECEIVED),
    }
}

fn of_cgroup(socket: &Socket, names: &mut Directory, part: impl Fn(&Cgroup) -> Option<&[u8]>) -> Value {
    let id = socket.detail.as_ref().and_then(|detail| detail.cgroup_id).filter(|&id| id != 0);
    let path = id.and_then(|id| names.name(Named::Cgroup(id)));
    let cgroup = path.map(Cgroup::new);
    cgroup.as_ref().and_then(part).map_or(Value::Unknown, |name| Value::Text(name.to_vec(), 0))
}

fn end(end: &Endpoint, names: &mut Directory) -> Value {
    let number = |number: u32| Value::Number(number.into());
    match end {
        // A v4-mapped address is the IPv4 address, as in filters.
        Endpoint::Inet { addr, port } => Value::End(addr.to_canonical(), *port),
        Endpoint::Unix { name, .. } if name.is_unnamed() => Value::Text(b"*".to_vec(), 0),
        Endpoint::Unix { name, .. } => {
            let name = name.as_bytes().iter().map(|&byte| if byte == 0 { b'@' } else { byte });
            Value::Text(name.collect(), 0)
        }
        Endpoint::Netlink { protocol, .. } => match names.name(Named::NetlinkProtocol(*protocol)) {
            Some(name) => Value::Text(name.to_vec(), 0),
            None => number((*protocol).into()),
        },
        Endpoint::Packet { protocol, .. } => number((*protocol).into()),
        Endpoint::Vsock { cid, .. } => number(*cid),
        Endpoint::Tipc { node, .. } => number(*node),
        Endpoint::Xdp { ifindex, .. } => number(*ifindex),
        Endpoint::None | Endpoint::NetlinkPeer { .. } => Value::Text(b"*".to_vec(), 0),
    }
}

fn push_end(out: &mut Vec<u8>, addr: IpAddr, port: Option<u16>) {
    let bracket = port.is_some() && addr.is_ipv6();
    out.extend_from_slice(if bracket { b"[" } else { b"" });
    push_ip(out, addr);
    out.extend_from_slice(if bracket { b"]" } else { b"" });
    if let Some(port) = port {
        out.push(b':');
        push_u64(out, port.into());
    }
}

//! Rows in another order, and counted instead of listed.

use std::io::Write;

use crate::api::sockets::pick::Takes;
use crate::render::groups::{Counts, Look, Value, compare};
use crate::render::names::{Named, Names};
use crate::render::ss::Row;
use crate::socket::info::{Member, tcp};
use crate::socket::{Cgroup, Endpoint, Proto, Socket};

use super::context::AnswerContext;
use super::error::Error;
use super::names::Directory;
use super::pending::PendingRows;
use super::rounds::Rounds;
use crate::api::sockets::key::{By, Key};
use crate::api::sockets::{Format, Question};

impl PendingRows {
    /// Orders the sockets; equal ones stay in the kernel's order.
    pub(super) fn sort(&mut self, order: &[By], names: &mut Directory, context: AnswerContext<'_>) {
        let mut values = Vec::with_capacity(self.sockets.len() * order.len());
        // Asking costs something.
        let asks = order.iter().any(|by| by.key.takes() == Takes::Opener);
        // Writing nowhere cannot fail.
        let _ = self.each(|row| {
            let row = Row { opener: if asks { context.opener(row.socket) } else { None }, ..*row };
            values.extend(order.iter().map(|by| value(by.key, &row, names)));
            Ok(())
        });
        let of =
            |place: usize| values.get(place * order.len()..(place + 1) * order.len()).unwrap_or_default();
        let mut paths: Vec<usize> = (0..self.sockets.len()).collect();
        let descending = || order.iter().map(|by| by.key.is_largest_first() != by.reversed);
        paths.sort_by(|&a, &b| compare(of(a), of(b), descending()));
        let mut sockets: Vec<Option<Socket>> =
            std::mem::take(&mut self.sockets).into_iter().map(Some).collect();
        self.sockets = paths.into_iter().filter_map(|place| sockets.get_mut(place)?.take()).collect();
    }

    /// Writes how many sockets there are of each kind, the most first; how many lines that were.
    pub(super) fn count(
        &self,
        question: &Question,
        names: &mut Directory,
        context: AnswerContext<'_>,
        rounds: Option<&Rounds>,
        out: &mut impl Write,
    ) -> Result<usize, Error> {
        let keys = &question.count_by;
        let asks = question.arranges_by(Takes::Opener);
        let mut counts = Counts::default();
        self.each(|row| {
            let row = Row { opener: if asks { context.opener(row.socket) } else { None }, ..*row };
            counts.add(keys.iter().map(|&key| group(key, &row, names)));
            Ok(())
        })?;
        let words: Vec<_> = keys.iter().map(|key| key.word()).collect();
        let look = match question.format {
            Format::Json => Look::Json(rounds.map(Rounds::now)),
            Format::Text { .. } => Look::Table(question.header.then_some(&words)),
        };
        let mut text = Vec::new();
        let lines = counts.write(question.top, look, &mut text);
        out.write_all(&text).and_then(|()| out.flush()).map_err(Error::Output)?;
        Ok(lines)
    }
}

fn group(key: Key, row: &Row<'_>, names: &mut Directory) -> Value {
    let value = value(key, row, names);
    if key == Key::Peer { value.without_port() } else { value }
}

fn value(key: Key, row: &Row<'_>, names: &mut Directory) -> Value {
    let socket = row.socket;
    let info = |member: Member| {
        let info = socket.detail.as_ref().and_then(|detail| detail.info.as_deref());
        Value::number(info.filter(|_| socket.proto == Proto::Tcp).and_then(|info| member.of(info)))
    };
    match key {
        Key::State => Value::text(Some(socket.state.word().as_bytes())),
        Key::Netid => Value::text(Some(socket.proto.netid().as_bytes())),
        Key::Local => end(&socket.local, names),
        Key::Peer => end(&socket.peer, names),
        Key::LocalPort => Value::Number(socket.local.port().into()),
        Key::PeerPort => Value::Number(socket.peer.port().into()),
        // Signed, as they are shown.
        Key::RecvQ => Value::number(u64::try_from(socket.recv_q.cast_signed()).ok()),
        Key::SendQ => Value::number(u64::try_from(socket.send_q.cast_signed()).ok()),
        Key::Process => Value::text(row.users.last().map(|user| user.process.comm.as_bytes())),
        Key::Pid => Value::number(row.users.last().map(|user| user.process.pid.into())),
        Key::Opener => {
            Value::text(row.opener.as_ref().and_then(|it| it.owner.process()).map(|it| it.comm.as_bytes()))
        }
        // The oldest first.
        Key::Age => Value::number(row.opener.and_then(|opener| opener.opened)),
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
            None => Value::number(Some(socket.netns).filter(|&netns| netns != 0).map(u64::from)),
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
        Endpoint::Inet { addr, port } => Value::End(addr.to_canonical(), Some(*port)),
        Endpoint::Unix { name, .. } if name.is_unnamed() => Value::Text(b"*".to_vec(), 0),
        Endpoint::Unix { name, .. } => Value::Text(name.shown().into_owned(), 0),
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

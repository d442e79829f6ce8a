//! The columns of `--columns`: ss's own, with address and port as one, and what ss has no column for.

use std::borrow::Cow;

use crate::api::sockets::pick::Pick;
use crate::render::amounts::Micros;
use crate::render::escape::{push_quoted, push_text};
use crate::render::names::Named;
use crate::render::places::short_unit;
use crate::render::units::{push_hex, push_i64, push_u32, push_u64};
use crate::socket::info::{Member, tcp};
use crate::socket::{Cgroup, Opener, Owner, Proto};

use super::columns::{self, Align, Column};
use super::{Cell, address, details, push, users};

const fn column_of(header: &'static str, cell: fn(&mut Vec<u8>, &mut Cell<'_>)) -> Column {
    Column { header, separator: " ", align: Align::Left, shown: |_| false, cell }
}

/// How each column is written.
pub(super) fn column(pick: Pick) -> &'static Column {
    match pick {
        Pick::Netns => const { &column_of("Netns", netns) },
        Pick::Netid => const { &column_of("Netid", columns::netid) },
        Pick::State => const { &column_of("State", columns::state) },
        Pick::RecvQ => const { &column_of("Recv-Q", |out, cell| queue(out, cell.socket().recv_q)) },
        Pick::SendQ => const { &column_of("Send-Q", |out, cell| queue(out, cell.socket().send_q)) },
        Pick::Local => const { &column_of("Local Address:Port", local) },
        Pick::Peer => const { &column_of("Peer Address:Port", peer) },
        Pick::Process => const { &column_of("Process", process) },
        Pick::PeerProcess => const { &column_of("Peer Process", peer_process) },
        Pick::Opener => const { &column_of("Opener", opener) },
        Pick::Uid => const { &column_of("UID", uid) },
        Pick::User => const { &column_of("User", user) },
        Pick::Inode => const { &column_of("Inode", |out, cell| push_u32(out, cell.socket().inode)) },
        Pick::Cookie => const { &column_of("Cookie", |out, cell| push_hex(out, cell.socket().cookie)) },
        Pick::Interface => const { &column_of("Interface", interface) },
        Pick::Cgroup => {
            const { &column_of("Cgroup", |out, cell| of_cgroup(out, cell, |it| Some((&*it.path).into()))) }
        }
        Pick::Unit => const { &column_of("Unit", unit) },
        Pick::Container => const { &column_of("Container", container) },
        Pick::Pod => {
            const {
                &column_of("Pod", |out, cell| {
                    of_cgroup(out, cell, |it| Some(it.pod.as_ref()?.as_bytes().into()))
                })
            }
        }
        Pick::Rtt => const { &column_of("RTT", rtt) },
        Pick::Retrans => const { &column_of("Retrans", |out, cell| info(out, cell, tcp::TOTAL_RETRANS)) },
        Pick::Sent => const { &column_of("Sent", |out, cell| info(out, cell, tcp::BYTES_SENT)) },
        Pick::Received => const { &column_of("Received", |out, cell| info(out, cell, tcp::BYTES_RECEIVED)) },
        Pick::Age => const { &column_of("Age", age) },
        Pick::Delta => const { &column_of("Delta", |out, cell| trimmed(out, cell, details::delta)) },
        Pick::Details => const { &column_of("Details", |out, cell| trimmed(out, cell, details::cell)) },
    }
}

fn netns(out: &mut Vec<u8>, cell: &mut Cell<'_>) {
    match cell.row.netns {
        Some(label) => push_text(out, label.text.as_bytes()),
        None if cell.socket().netns == 0 => out.push(b'-'),
        None => push_u32(out, cell.socket().netns),
    }
}

fn queue(out: &mut Vec<u8>, bytes: u32) {
    push_i64(out, i64::from(bytes.cast_signed()));
}

fn local(out: &mut Vec<u8>, cell: &mut Cell<'_>) {
    columns::local(out, cell);
    columns::local_port(out, cell);
}

fn peer(out: &mut Vec<u8>, cell: &mut Cell<'_>) {
    columns::peer(out, cell);
    columns::peer_port(out, cell);
}

fn process(out: &mut Vec<u8>, cell: &mut Cell<'_>) {
    trimmed(out, cell, users::cell);
}

/// The cells of ss bring a blank of their own.
fn trimmed(out: &mut Vec<u8>, cell: &mut Cell<'_>, fill: fn(&mut Vec<u8>, &mut Cell<'_>)) {
    let start = out.len();
    fill(out, cell);
    if out.get(start) == Some(&b' ') {
        out.remove(start);
    }
}

/// As [`process`], of the other end of a UNIX socket.
fn peer_process(out: &mut Vec<u8>, cell: &mut Cell<'_>) {
    let (Some(style), Some(peer)) = (cell.show.users, &cell.row.peer) else { return };
    if !peer.users.is_empty() {
        users::push_users(out, cell.names, style, peer.users);
    }
}

/// `?` follows one that was found holding the socket: it may have come by it otherwise.
fn opener(out: &mut Vec<u8>, cell: &mut Cell<'_>) {
    let Some(Opener { owner, .. }) = cell.row.opener else { return };
    let (process, mark) = match owner {
        Owner::Exact(process) => (process, ""),
        Owner::Holder(process) => (process, "?"),
        Owner::Unknown => return,
    };
    push(out, "(\"");
    push_quoted(out, process.comm.as_bytes());
    push(out, "\",pid=");
    push_u32(out, process.pid);
    push(out, ")");
    push(out, mark);
}

/// What `tcp_info` has, as the number that it is.
fn info(out: &mut Vec<u8>, cell: &mut Cell<'_>, member: Member) {
    if let Some(number) = of_tcp(cell, member) {
        push_u64(out, number);
    }
}

fn of_tcp(cell: &Cell<'_>, member: Member) -> Option<u64> {
    let socket = cell.socket();
    let info = socket.detail.as_ref()?.info.as_deref().filter(|_| socket.proto == Proto::Tcp)?;
    member.of(info)
}

/// In the words of events. A listener measures nothing, which the kernel says as 0.
fn rtt(out: &mut Vec<u8>, cell: &mut Cell<'_>) {
    if let Some(us) = of_tcp(cell, tcp::RTT).filter(|&us| us != 0) {
        push(out, &Micros(us).to_string());
    }
}

fn age(out: &mut Vec<u8>, cell: &mut Cell<'_>) {
    if let Some(us) = cell.row.age_us {
        push(out, &Micros(us).to_string());
    }
}

fn uid(out: &mut Vec<u8>, cell: &mut Cell<'_>) {
    if let Some(uid) = cell.socket().uid {
        push_u32(out, uid);
    }
}

fn user(out: &mut Vec<u8>, cell: &mut Cell<'_>) {
    let Some(uid) = cell.socket().uid else { return };
    match cell.names.name(Named::User(uid)) {
        Some(name) => push_text(out, name),
        None => push_u32(out, uid),
    }
}

fn interface(out: &mut Vec<u8>, cell: &mut Cell<'_>) {
    let index @ 1.. = cell.socket().ifindex else { return };
    address::interface(out, cell, index);
}

fn of_cgroup(out: &mut Vec<u8>, cell: &mut Cell<'_>, part: impl Fn(&Cgroup) -> Option<Cow<'_, [u8]>>) {
    let Some(id @ 1..) = cell.socket().detail.as_ref().and_then(|detail| detail.cgroup_id) else { return };
    let Some(path) = cell.names.name(Named::Cgroup(id)) else { return };
    if let Some(name) = part(&Cgroup::new(path)) {
        push_text(out, &name);
    }
}

fn unit(out: &mut Vec<u8>, cell: &mut Cell<'_>) {
    of_cgroup(out, cell, |it| it.unit.as_deref().map(short_unit));
}

/// As the engines shorten it.
fn container(out: &mut Vec<u8>, cell: &mut Cell<'_>) {
    of_cgroup(out, cell, |cgroup| {
        let id = cgroup.container.as_ref()?.id.as_bytes();
        Some(id.get(..12)?.into())
    });
}

/// What stands where a cell is empty.
pub(super) fn fill(out: &mut Vec<u8>, start: usize) {
    if out.len() == start {
        push(out, "-");
    }
}

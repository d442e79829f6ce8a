//! The columns of `--columns`: ss's own, with address and port as one, and what ss has no column for.

use std::borrow::Cow;

use crate::render::amounts::Micros;
use crate::render::escape::{push_quoted, push_text};
use crate::render::names::Named;
use crate::render::places::short_unit;
use crate::render::units::{push_hex, push_i64, push_u32, push_u64};
use crate::socket::info::{Member, tcp};
use crate::socket::{Cgroup, Opener, Owner, Proto};

use super::columns::{self, Align, Column};
use super::{Cell, address, details, push, users};

/// A column that can be chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pick(usize);

/// What a column takes to be shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Takes {
    /// Nothing beyond the row.
    Nothing,
    /// The processes that hold the socket.
    Processes,
    /// The processes that hold the other end of a UNIX socket.
    PeerProcesses,
    /// The cgroup.
    Cgroup,
    /// `tcp_info`.
    Info,
    /// Who opened the socket, and when, which only an agent knows.
    Opener,
    /// Nothing beyond the row; shows addresses.
    Address,
    /// Nothing beyond the row; shows what `-o -e -m -i` and their like ask for.
    Details,
    /// Nothing beyond the row; shows what has changed since the round before.
    Delta,
}

const fn column(header: &'static str, cell: fn(&mut Vec<u8>, &mut Cell<'_>)) -> Column {
    Column { header, separator: " ", align: Align::Left, shown: |_| false, cell }
}

static CHOICES: [(&str, Takes, Column); 26] = [
    ("netns", Takes::Nothing, column("Netns", netns)),
    ("netid", Takes::Nothing, column("Netid", columns::netid)),
    ("state", Takes::Nothing, column("State", columns::state)),
    ("recvq", Takes::Nothing, column("Recv-Q", |out, cell| queue(out, cell.socket().recv_q))),
    ("sendq", Takes::Nothing, column("Send-Q", |out, cell| queue(out, cell.socket().send_q))),
    ("local", Takes::Address, column("Local Address:Port", local)),
    ("peer", Takes::Address, column("Peer Address:Port", peer)),
    ("process", Takes::Processes, column("Process", process)),
    ("peerprocess", Takes::PeerProcesses, column("Peer Process", peer_process)),
    ("opener", Takes::Opener, column("Opener", opener)),
    ("uid", Takes::Nothing, column("UID", uid)),
    ("user", Takes::Nothing, column("User", user)),
    ("inode", Takes::Nothing, column("Inode", |out, cell| push_u32(out, cell.socket().inode))),
    ("cookie", Takes::Nothing, column("Cookie", |out, cell| push_hex(out, cell.socket().cookie))),
    ("interface", Takes::Nothing, column("Interface", interface)),
    (
        "cgroup",
        Takes::Cgroup,
        column("Cgroup", |out, cell| of_cgroup(out, cell, |it| Some((&*it.path).into()))),
    ),
    ("unit", Takes::Cgroup, column("Unit", unit)),
    ("container", Takes::Cgroup, column("Container", container)),
    (
        "pod",
        Takes::Cgroup,
        column("Pod", |out, cell| of_cgroup(out, cell, |it| Some(it.pod.as_ref()?.as_bytes().into()))),
    ),
    ("rtt", Takes::Info, column("RTT", rtt)),
    ("retrans", Takes::Info, column("Retrans", |out, cell| info(out, cell, tcp::TOTAL_RETRANS))),
    ("sent", Takes::Info, column("Sent", |out, cell| info(out, cell, tcp::BYTES_SENT))),
    ("received", Takes::Info, column("Received", |out, cell| info(out, cell, tcp::BYTES_RECEIVED))),
    ("age", Takes::Opener, column("Age", age)),
    ("delta", Takes::Delta, column("Delta", |out, cell| trimmed(out, cell, details::delta))),
    ("details", Takes::Details, column("Details", |out, cell| trimmed(out, cell, details::cell))),
];

impl Pick {
    /// The words of all of them, as `--columns` takes them.
    pub fn words() -> impl Iterator<Item = &'static str> + Clone {
        CHOICES.iter().map(|(word, ..)| *word)
    }

    /// The column of that word.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        CHOICES.iter().position(|(known, ..)| *known == word).map(Self)
    }

    /// Its word.
    #[must_use]
    pub fn word(self) -> &'static str {
        self.row().0
    }

    /// What it takes to be shown.
    #[must_use]
    pub fn takes(self) -> Takes {
        self.row().1
    }

    pub(super) fn column(self) -> &'static Column {
        &self.row().2
    }

    fn row(self) -> &'static (&'static str, Takes, Column) {
        // Only made from places in the table.
        &CHOICES[self.0]
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_column_is_in_the_help_and_found_by_its_word() {
        for word in Pick::words() {
            assert!(include_str!("../../cli/ss_help.txt").contains(word), "{word} is not in the help");
            assert_eq!(Pick::from_word(word).map(|choice| choice.row().0), Some(word));
        }
        assert_eq!(Pick::from_word("Local"), None);
    }
}

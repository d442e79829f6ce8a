//! What is known of which socket at which moment, and why not elsewhere.

use super::cells::{Cells, Sort, Sorts};
use super::{Ground, Listing, Source};
use crate::query::check::{Check, Literal, Number, Set, Tree};
use crate::query::ending::Ending;
use crate::query::glob::Glob;
use crate::query::states::holds;
use crate::query::tree::{Address, CgroupPart, Field, Test};
use crate::socket::{Family, KindSet, State, StateSet};

/// The longest name of a process (include/linux/sched.h, `TASK_COMM_LEN`), bytes.
const COMM: usize = 15;
/// Digits of a container's id.
const CONTAINER: usize = 64;
/// Characters of a pod's uid, and of the hash that a pod of a file has instead.
const POD: [usize; 2] = [36, 32];
/// Units that have processes (see `socket::Cgroup`).
const UNITS: [&str; 6] = [".service", ".scope", ".slice", ".socket", ".mount", ".swap"];

/// Where a test can pass.
pub(super) fn possible(tree: &Tree<Literal>, ground: &Ground) -> Cells {
    match tree {
        Tree::All(parts) => parts.iter().map(|part| possible(part, ground)).fold(Cells::ALL, Cells::and),
        Tree::Any(parts) => parts.iter().map(|part| possible(part, ground)).fold(Cells::NONE, Cells::or),
        Tree::Leaf(Literal { check, want }) => of_check(check, *want, ground),
    }
}

/// Where the answer is known, and can be the one that passes.
fn of_check(check: &Check, want: bool, ground: &Ground) -> Cells {
    let listing = match ground.source {
        Source::Listing(listing) => Some(listing),
        Source::Events | Source::History => None,
    };
    let only_if = |can: bool| if can { Cells::ALL } else { Cells::NONE };
    let of = |sorts: Sorts| if want { Cells::of(sorts) } else { Cells::ALL };
    match check {
        Check::Number(Number::Port(_), set) => ports(set, want),
        Check::Number(Number::Dev, set) if want && !set.contains(0) => {
            Cells::of(Sorts::IP.union(Sorts::of(&[Sort::Packet, Sort::Xdp])))
        }
        Check::Device(_) => of(Sorts::IP.union(Sorts::of(&[Sort::Packet, Sort::Xdp]))),
        Check::Number(Number::Netns, set) => match listing.and_then(|listing| listing.netns) {
            Some(netns) => only_if(set.contains(netns.into()) == want),
            None => Cells::ALL,
        },
        Check::Number(Number::RecvQ | Number::SendQ, _) => Cells::listed(Sorts::ALL),
        Check::Number(Number::Rtt | Number::Retrans, _) => {
            Cells::listed(Sorts::TCP).or(Cells::events(KindSet::CLOSE, Sorts::TCP))
        }
        Check::Number(Number::Age, _) => only_if(listing.is_none_or(|listing| listing.openers)),
        Check::Number(Number::Dev | Number::Uid | Number::Inode | Number::Cookie, _) => Cells::ALL,
        Check::Pid(set) => only_if(holders(listing) && (!want || overlaps(set, 1, i32::MAX.into()))),
        Check::Comm(glob) => only_if(holders(listing) && (!want || glob.least() <= COMM)),
        Check::CgroupPart(place, glob) => {
            let known = Cells::listed(Sorts::IP).or(Cells::events(KindSet::ALL, Sorts::ALL));
            if want && !names_a(*place, glob) { Cells::NONE } else { known }
        }
        Check::Inet4 { .. } => of(Sorts::IP),
        Check::Inet6 { .. } => of(Sorts::of_family(Family::Inet6)),
        Check::Unix(..) => of(Sorts::UNIX),
        Check::Ethertype(..) => of(Sorts::of_family(Family::Packet)),
        Check::NetlinkProtocol(..) => of(Sorts::of_family(Family::Netlink)),
        Check::Cid(..) => of(Sorts::of_family(Family::Vsock)),
        Check::Family(family) if want => Cells::of(Sorts::of_family(*family)),
        Check::Family(family) => Cells::of(Sorts::ALL.without(Sorts::of_family(*family))),
        Check::Mark { value, mask } => {
            let can = !want || value & !mask == 0;
            match listing {
                Some(listing) => {
                    let ip = if can && listing.marks { Sorts::IP } else { Sorts::NONE };
                    // Other families have none, which is 0.
                    let others =
                        if (*value == 0) == want { Sorts::ALL.without(Sorts::IP) } else { Sorts::NONE };
                    Cells::listed(ip.union(others))
                }
                None => only_if(can),
            }
        }
        // In a listing that of other families is 0.
        Check::Cgroup(_) => of(Sorts::IP).and(Cells::listed(Sorts::ALL)).or(events()),
        Check::State(set) => match listing {
            Some(listing) => only_if(is_listed(*set, want, listing.states)),
            None => states_of_events(*set, want),
        },
        Check::Ending(ending, _) => match (ending, want) {
            (Ending::ClosedFirst | Ending::Reset, true) => Cells::events(KindSet::CLOSE, Sorts::STREAMS),
            (Ending::FailedBy, true) => Cells::events(KindSet::CONNECT_FAILED, Sorts::ALL),
            (Ending::ClosedFirst | Ending::Reset | Ending::FailedBy, false) => {
                Cells::events(KindSet::CLOSE.union(KindSet::CONNECT_FAILED), Sorts::ALL)
            }
        },
        Check::Autobound => Cells::ALL,
    }
}

/// In events of every kind.
fn events() -> Cells {
    Cells::events(KindSet::ALL, Sorts::ALL)
}

fn holders(listing: Option<Listing>) -> bool {
    listing.is_none_or(|listing| listing.holders)
}

/// In a listing everything has a number in the Port column, in events what has ports.
fn ports(set: &Set, want: bool) -> Cells {
    let ip = if want { overlaps(set, 0, u16::MAX.into()) } else { !covers(set, 0, u16::MAX.into()) };
    let ip = if ip { Cells::of(Sorts::IP) } else { Cells::NONE };
    let others = Sorts::ALL.without(Sorts::IP);
    let listed = if want || !covers(set, i64::MIN, i64::MAX) { others } else { Sorts::NONE };
    let told = if want { Sorts::NONE } else { others };
    ip.or(Cells::listed(listed)).or(Cells::events(KindSet::ALL, told))
}

fn overlaps(set: &Set, low: i64, high: i64) -> bool {
    set.ranges().any(|(from, to)| from <= high && low <= to)
}

fn covers(set: &Set, low: i64, high: i64) -> bool {
    set.ranges().any(|(from, to)| from <= low && high <= to)
}

fn is_listed(set: StateSet, want: bool, listed: StateSet) -> bool {
    // The small sockets of connections that are over say of themselves what they like of these two.
    let over = StateSet::of(State::TimeWait).union(StateSet::of(State::FinWait2));
    let half = StateSet::of(State::SynRecv).union(StateSet::of(State::NewSynRecv));
    let mut seen = listed;
    for alike in [over, half] {
        if !seen.intersection(alike).is_empty() {
            seen = seen.union(alike);
        }
    }
    (0..32).map(State::from_number).any(|state| seen.contains(state) && holds(set, state) == want)
}

/// What has closed is in CLOSE, or bound again; of the other events any state may be reported.
fn states_of_events(set: StateSet, want: bool) -> Cells {
    let over = [State::Close, State::BoundInactive].into_iter().any(|state| holds(set, state) == want);
    let close = Cells::events(KindSet::CLOSE, Sorts::ALL);
    let failed = Cells::events(KindSet::CONNECT_FAILED, Sorts::STREAMS);
    let others = events_but(KindSet::CLOSE.union(KindSet::CONNECT_FAILED))
        .or(Cells::events(KindSet::CONNECT_FAILED, Sorts::ALL.without(Sorts::STREAMS)));
    if over { others.or(close).or(failed) } else { others }
}

fn events_but(kinds: KindSet) -> Cells {
    let each = (0..KindSet::KINDS).filter(|&kind| !kinds.has(kind));
    let names = each.filter_map(|kind| KindSet::from_name(KindSet::names().get(kind)?));
    names.fold(Cells::NONE, |all, kind| all.or(Cells::events(kind, Sorts::ALL)))
}

/// Whether the pattern can be a name of such a thing.
fn names_a(place: CgroupPart, glob: &Glob) -> bool {
    let hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    match place {
        CgroupPart::Container => glob.fits(hex, CONTAINER..=CONTAINER),
        CgroupPart::Pod => POD
            .into_iter()
            .any(|length| glob.fits(|byte| byte.is_ascii_hexdigit() || byte == b'-', length..=length)),
        CgroupPart::Unit => match glob.is_literal() {
            true => UNITS.iter().any(|kind| glob.pattern().ends_with(kind)),
            false => true,
        },
    }
}

/// Why a test matches nothing.
pub(super) struct Why {
    pub(super) text: String,
    /// Because of its value, which is to be pointed at.
    pub(super) of_value: bool,
}

impl Why {
    const fn name(text: String) -> Self {
        Self { text, of_value: false }
    }

    const fn value(text: String) -> Self {
        Self { text, of_value: true }
    }
}

/// Why the test matches nothing of what is asked for, and what to do. `clashes`: it could, but for the rest of the filter.
pub(super) fn why(test: &Test, want: bool, clashes: bool, ground: &Ground) -> Why {
    if clashes {
        return Why::name("nothing has this and the rest of the filter together".to_owned());
    }
    match test {
        Test::Host { address, family, .. } => of_address(address, *family, ground),
        Test::Port { family: Some(family), .. } if !asks_for(*family, ground) => {
            not_asked_for(*family, ground)
        }
        Test::Port { .. } => match ground.cells.and(Cells::of(Sorts::IP)).is_empty() {
            true => Why::name(format!("{} sockets have no ports", ground.sorts().join(", "))),
            false => Why::value("a port is a number from 0 to 65535".to_owned()),
        },
        Test::Number { field, .. } => of_field(*field, ground),
        Test::Mark { .. } => match ground.source {
            Source::Listing(Listing { marks: false, .. }) => Why::name(
                "the kernel reports \"fwmark\" to those with CAP_NET_ADMIN only (try: sudo)".to_owned(),
            ),
            Source::Listing(_) if ground.cells.and(Cells::of(Sorts::IP)).is_empty() => {
                Why::name(format!("{} sockets have no mark", ground.sorts().join(", ")))
            }
            Source::Listing(_) | Source::Events | Source::History => {
                Why::value("the value has bits that the mask has not".to_owned())
            }
        },
        Test::Cgroup { .. } => Why::name(no_cgroup("cgroup", ground)),
        Test::Comm(_) if !has_holders(ground) => Why::name(no_holders("comm")),
        Test::Comm(glob) => Why::value(long_name(glob.pattern())),
        Test::CgroupPart(place, glob) => {
            let word = place_word(*place);
            match want && !names_a(*place, glob) {
                true => Why::value(no_place(*place, glob.pattern())),
                false => Why::name(no_cgroup(word, ground)),
            }
        }
        Test::State(_) => Why::name(match ground.source {
            Source::Listing(_) => "no socket in that state is asked for".to_owned(),
            Source::Events => "the state is the one after the event: what has closed is `closed`".to_owned(),
            Source::History => "what has closed is in the state `closed`".to_owned(),
        }),
        Test::Ending(ending, _) => of_ending(*ending, ground),
        Test::Device { .. } | Test::Autobound => Why::name("nothing that is asked for can match".to_owned()),
    }
}

fn of_field(field: Field, ground: &Ground) -> Why {
    let is_listing = matches!(ground.source, Source::Listing(_));
    match field {
        Field::Age => Why::name(only_an_agent_knows("age")),
        Field::RecvQ | Field::SendQ => {
            let word = if field == Field::RecvQ { "recvq" } else { "sendq" };
            Why::name(format!("{word:?} is known in listings only (socktrace ss)"))
        }
        Field::Rtt | Field::Retrans => {
            let word = if field == Field::Rtt { "rtt" } else { "retrans" };
            match is_listing || ground.cells.and(Cells::of(Sorts::TCP)).is_empty() {
                true => Why::name(format!("{word:?} is known of TCP sockets only")),
                false => Why::name(format!("{word:?} is known when a TCP connection closes: --kinds close")),
            }
        }
        Field::Pid if !has_holders(ground) => Why::name(no_holders("pid")),
        Field::Pid => Why::value("no process has such a number".to_owned()),
        Field::Netns => {
            let there = "another network namespace is not listed: use -N NAME, or --all-netns";
            Why::value(there.to_owned())
        }
        Field::Dev => Why::name("only IP, packet and XDP sockets are bound to a device".to_owned()),
        Field::Uid | Field::Inode | Field::Cookie => {
            Why::name("nothing that is asked for can match".to_owned())
        }
    }
}

/// What is said of anything that only an agent knows.
pub(super) fn only_an_agent_knows(word: &str) -> String {
    format!("{word:?} is known to an agent only: start one (sudo socktrace agent), or leave it out")
}

/// What is said of a name that no process can have.
#[must_use]
pub fn long_name(name: &str) -> String {
    let mut end = name.len().min(COMM);
    while !name.is_char_boundary(end) {
        end -= 1;
    }
    let short = name.get(..end).unwrap_or_default();
    format!("the kernel keeps {COMM} bytes of a process's name; did you mean {short:?}?")
}

/// Whether a process can have that name.
#[must_use]
pub const fn is_long_name(name: &str) -> bool {
    name.len() > COMM
}

fn has_holders(ground: &Ground) -> bool {
    match ground.source {
        Source::Listing(listing) => listing.holders,
        Source::Events | Source::History => true,
    }
}

fn no_holders(word: &str) -> String {
    format!("{word:?} is not known of sockets that are being destroyed: use socktrace events")
}

pub(super) fn no_cgroup(word: &str, ground: &Ground) -> String {
    let sorts = ground.sorts().join(", ");
    format!(
        "the kernel lists no cgroup of {sorts} sockets, so {word:?} is not known (events and history know it)"
    )
}

const fn place_word(place: CgroupPart) -> &'static str {
    match place {
        CgroupPart::Unit => "unit",
        CgroupPart::Container => "container",
        CgroupPart::Pod => "pod",
    }
}

fn no_place(place: CgroupPart, text: &str) -> String {
    match place {
        CgroupPart::Unit => {
            format!("{text:?}: such a unit has no processes; those that have are {}", UNITS.join(", "))
        }
        CgroupPart::Container => format!(
            "{text:?} is not the id of a container: 64 hexadecimal digits, the first 12 or more of them, or a pattern like \
             4f2a*"
        ),
        CgroupPart::Pod => {
            format!("{text:?} is not the uid of a pod: 3c1b9a7e-5d42-4f6a-9e0b-1a2b3c4d5e6f, 3c1b*")
        }
    }
}

fn of_ending(ending: Ending, ground: &Ground) -> Why {
    let word = ending.name();
    let kind = match ending {
        Ending::ClosedFirst | Ending::Reset => "close",
        Ending::FailedBy => "connect_failed",
    };
    Why::name(match ground.source {
        Source::Listing(_) => format!(
            "{word:?} is known of what has ended: use socktrace history, or socktrace events --kinds {kind}"
        ),
        Source::Events | Source::History => match ground.cells.and(Cells::of(Sorts::STREAMS)).is_empty() {
            true => format!("{word:?} is known of TCP connections only"),
            false => format!("{word:?} is known of events of the kind {kind}"),
        },
    })
}

fn of_address(address: &Address, family: Option<Family>, ground: &Ground) -> Why {
    let asked = match (address, family) {
        (Address::Unix(_), _) => Family::Unix,
        (Address::Ethertype(_), _) => Family::Packet,
        (Address::NetlinkProtocol(_), _) => Family::Netlink,
        (Address::Cid(_), _) => Family::Vsock,
        (Address::Any | Address::Prefix { .. }, Some(family)) => family,
        (Address::Prefix { addr, .. }, None) if addr.is_ipv6() => Family::Inet6,
        (Address::Any | Address::Prefix { .. }, None) => Family::Inet,
    };
    not_asked_for(asked, ground)
}

fn asks_for(family: Family, ground: &Ground) -> bool {
    !ground.cells.and(Cells::of(Sorts::of_family(family))).is_empty()
}

fn not_asked_for(family: Family, ground: &Ground) -> Why {
    let name = match family {
        Family::Inet => "IPv4",
        Family::Inet6 => "IPv6",
        Family::Unix => "UNIX",
        Family::Packet => "packet",
        Family::Netlink => "netlink",
        Family::Vsock => "vsock",
        Family::Tipc => "TIPC",
        Family::Xdp => "XDP",
        Family::Other(_) => "such",
    };
    let told = matches!(family, Family::Inet | Family::Inet6 | Family::Unix);
    Why::value(match ground.source {
        Source::Events | Source::History if !told => {
            format!("{name} sockets have no events: they are known in listings only (socktrace ss)")
        }
        Source::Listing(_) | Source::Events | Source::History => {
            format!("no {name} sockets are asked for, but {}", ground.sorts().join(", "))
        }
    })
}

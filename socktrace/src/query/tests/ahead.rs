//! What a filter says of itself before any socket is there: what it looks at, and what every match has.

use super::super::{Filter, IndexKeys, Needs};
use super::evaluate::passing;
use super::read;
use crate::socket::{State, StateSet};

#[test]
fn states_that_a_match_can_have() {
    use State::{Established, Listen, SynRecv, TimeWait};
    let of =
        |states: &[State]| states.iter().fold(StateSet::EMPTY, |set, &state| set.union(StateSet::of(state)));
    for (text, expected) in [
        ("state established", of(&[Established])),
        ("state established or state time-wait and sport = 22", of(&[Established, TimeWait])),
        ("state syn-recv", of(&[SynRecv, State::NewSynRecv])),
        ("state established and state time-wait", StateSet::EMPTY),
        ("sport = 22 and state listening", of(&[Listen])),
    ] {
        assert_eq!(read(text).unwrap().states(), expected, "{text}");
    }
    assert_eq!(read("sport = 22 or state listening").unwrap().states().bits(), u32::MAX);
    assert_eq!(read("not state listening").unwrap().states().bits(), !(1 << 10));
    assert_eq!(Filter::default().states().bits(), u32::MAX);
}

#[test]
fn needs_are_what_is_looked_at() {
    for (text, expected) in [
        ("sport = 22 and dst 10/8", Needs::default()),
        ("pid 1 or comm x", Needs { processes: true, ..Needs::default() }),
        ("not rtt > 5ms", Needs { info: true, ..Needs::default() }),
        ("( retrans > 0 and age > 5s )", Needs { info: true, age: true, ..Needs::default() }),
        ("unit x", Needs { cgroup: true, place: true, ..Needs::default() }),
        ("fwmark 1 cgroup /user.slice", Needs { mark: true, cgroup: true, ..Needs::default() }),
        ("autobound state listening", Needs { port_range: true, state: true, ..Needs::default() }),
    ] {
        assert_eq!(read(text).unwrap().needs(), expected, "{text}");
    }
}

#[test]
fn hints_are_what_every_match_has() {
    let none = IndexKeys::default();
    for (text, expected) in [
        ("sport = 22", IndexKeys { local_port: Some(22), either_port: Some(22), ..none }),
        (
            "src 10/8:22 and pid 5",
            IndexKeys { local_port: Some(22), either_port: Some(22), pid: Some(5), ..none },
        ),
        ("port = 22", IndexKeys { either_port: Some(22), ..none }),
        ("sport = 22 or dport = 22", IndexKeys { either_port: Some(22), ..none }),
        (
            "( sport = 22 and dst 10/8 ) or sport = 22",
            IndexKeys { local_port: Some(22), either_port: Some(22), ..none },
        ),
        ("sport = 22 or sport = 23", none),
        ("sport != 22", none),
        ("not sport != 22", IndexKeys { local_port: Some(22), either_port: Some(22), ..none }),
        ("sport = {22,23}", none),
        ("sport >= 22", none),
        ("cookie sk:1a or cookie 26", IndexKeys { cookie: Some(26), ..none }),
        ("inode 7 dport = 70000", IndexKeys { inode: Some(7), ..none }),
        (
            "dport = 80 and ( pid 1 or pid 2 )",
            IndexKeys { peer_port: Some(80), either_port: Some(80), ..none },
        ),
    ] {
        assert_eq!(read(text).unwrap().keys(), expected, "{text}");
    }
}

#[test]
fn mixing_is_noticed() {
    let mixed = |text: &str| read(text).expect(text).mixes_and_or();
    assert!(mixed("sport = 1 or sport = 2 and dport = 3"));
    assert!(mixed("sport = 1 sport = 2 or dport = 3"));
    assert!(mixed("dport = 9 and ( sport = 1 or sport = 2 and dport = 3 )"));
    assert!(!mixed("sport = 1 or ( sport = 2 and dport = 3 )"));
    assert!(!mixed("sport = 1 and sport = 2 dport = 3"));
}

#[test]
fn two_filters_make_one() {
    let both = read("sport = 22").unwrap().and(read("state listening").unwrap());
    assert_eq!(passing(&both), "sshd");
    assert_eq!(both, read("sport = 22 state listening").unwrap());
    assert_eq!(Filter::default().and(Filter::default()), Filter::default());
}

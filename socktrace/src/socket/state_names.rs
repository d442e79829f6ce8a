//! What states and groups of states are called in filters and questions.

use super::{State, StateSet};

/// Bit 0, where ss keeps what it has no name for.
pub const UNKNOWN: StateSet = StateSet::from_bits(1);

/// The names, ss's own first; upper and lower case are one. The last few are words that ss prints but does not
/// read.
const NAMES: [(&str, StateSet); 26] = [
    ("all", StateSet::ALL),
    ("connected", StateSet::CONNECTED),
    ("synchronized", StateSet::SYNCHRONIZED),
    ("bucket", StateSet::BUCKET),
    ("big", StateSet::BIG),
    ("established", StateSet::of(State::Established)),
    ("syn-sent", StateSet::of(State::SynSent)),
    ("syn-recv", StateSet::of(State::SynRecv)),
    ("syn-rcv", StateSet::of(State::SynRecv)),
    ("fin-wait-1", StateSet::of(State::FinWait1)),
    ("fin-wait-2", StateSet::of(State::FinWait2)),
    ("time-wait", StateSet::of(State::TimeWait)),
    ("closed", StateSet::of(State::Close)),
    ("close", StateSet::of(State::Close)),
    ("unconnected", StateSet::of(State::Close)),
    ("close-wait", StateSet::of(State::CloseWait)),
    ("last-ack", StateSet::of(State::LastAck)),
    ("listening", StateSet::of(State::Listen)),
    ("closing", StateSet::of(State::Closing)),
    ("bound-inactive", StateSet::of(State::BoundInactive)),
    ("unknown", UNKNOWN),
    ("estab", StateSet::of(State::Established)),
    ("listen", StateSet::of(State::Listen)),
    ("unconn", StateSet::of(State::Close)),
    ("fin-wait1", StateSet::of(State::FinWait1)),
    ("fin-wait2", StateSet::of(State::FinWait2)),
];

/// The names of all states and groups.
pub fn names() -> impl Iterator<Item = &'static str> {
    NAMES.iter().map(|(name, _)| *name)
}

/// The states of a name or a group.
#[must_use]
pub fn named(name: &str) -> Option<StateSet> {
    NAMES.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|&(_, set)| set)
}

/// The set without the kernel's private number 12, which people know as SYN-RECV.
pub const fn public(set: StateSet) -> StateSet {
    set.difference(StateSet::of(State::NewSynRecv))
}

/// The names of a [`public`] set, a group or every single state; [`named`] of them together is the set again.
#[must_use]
pub fn names_of(set: StateSet) -> Vec<&'static str> {
    if let Some((name, _)) = NAMES.iter().find(|(_, known)| public(*known) == set) {
        return vec![name];
    }
    let mut rest = set;
    let mut names = Vec::new();
    for (name, known) in NAMES {
        if known.len() == 1 && !rest.intersection(known).is_empty() {
            rest = rest.difference(known);
            names.push(name);
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_set_has_names_that_give_it_back() {
        for bits in 0..1 << 14 {
            let set = public(StateSet::from_bits(bits));
            let names = names_of(set);
            let back = names.iter().filter_map(|name| named(name)).fold(StateSet::EMPTY, StateSet::union);
            assert_eq!(public(back), set, "{names:?}");
        }
    }
}

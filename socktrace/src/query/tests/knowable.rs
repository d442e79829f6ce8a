//! What is known where is what the evaluator can see there.

mod samples;

use proptest::prelude::*;

use super::super::Filter;
use super::super::knowable::{Ground, Listing, Sort, Sorts};
use super::super::words::WORDS;
use super::fixtures::fixtures;
use super::laws::expr;
use super::read;
use crate::socket::{KindSet, State, StateSet};
use samples::{EVERY, PASSED, everywhere};

#[test]
fn no_word_is_unmatched_in_silence_and_none_is_refused_that_can_match() {
    for word in WORDS {
        let has = |text: &&str| text.split(' ').any(|part| part == word.name);
        assert!(word.name == "reset" || PASSED.iter().any(has), "no predicate of {}", word.name);
    }
    for text in PASSED.into_iter().chain(["reset *", "not rtt > 1h", "not reset peer", "not comm = sshd"]) {
        let filter = read(text).unwrap_or_else(|error| panic!("{text}: {error}"));
        for (place, ground, passes) in everywhere(&filter) {
            let judged = filter.judge(&ground);
            assert_eq!(judged.is_ok(), passes, "{text} of {place}: {judged:?}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, ..ProptestConfig::default() })]

    #[test]
    fn what_can_match_is_never_refused(expr in expr()) {
        let filter = Filter::from_expr(expr);
        for (place, ground, passes) in everywhere(&filter) {
            prop_assert!(!passes || filter.judge(&ground).is_ok(), "{} of {}", filter, place);
        }
        for animal in fixtures() {
            let sort = Sort::of(animal.socket.proto, animal.socket.family).unwrap();
            let ground = Ground::listing(Sorts::of(&[sort]), EVERY);
            let passes = filter.matches(&animal.facts());
            prop_assert!(!passes || filter.judge(&ground).is_ok(), "{} of {}", filter, animal.name);
        }
    }
}

/// `listing`, `agent`, `events` or `history`, of these sockets; with its words and carets, or the warnings.
#[track_caller]
fn check(place: &str, sorts: Sorts, text: &str, expected: &str) {
    let ground = match place {
        "listing" => Ground::listing(sorts, Listing { openers: false, netns: Some(7), ..EVERY }),
        "agent" => Ground::listing(sorts, EVERY),
        "user" => Ground::listing(sorts, Listing { marks: false, ..EVERY }),
        "destroyed" => Ground::listing(sorts, Listing { holders: false, ..EVERY }),
        "listening" => Ground::listing(sorts, Listing { states: StateSet::of(State::Listen), ..EVERY }),
        "history" => Ground::history(KindSet::CLOSE.union(KindSet::CONNECT_FAILED), sorts),
        "events" => Ground::events(KindSet::USUAL, sorts),
        kind => Ground::events(KindSet::from_name(kind).unwrap(), sorts),
    };
    let filter = read(text).unwrap_or_else(|error| panic!("{text}: {error}"));
    let words = [text.to_owned()];
    let said = match filter.judge(&ground) {
        Ok(idle) => idle.iter().map(|idle| format!("in part: {idle}")).collect::<Vec<_>>().join("; "),
        Err(error) => format!("{error}\n{}", error.render(&words)),
    };
    assert_eq!(said, expected, "{place}: {text}");
}

#[test]
fn what_can_never_match_is_pointed_at_and_says_where_it_is_known() {
    let all = Sorts::ALL;
    let agent = "\"age\" is known to an agent only: start one (sudo socktrace agent), or leave it out";
    check("agent", all, "age > 1s", "");
    check("listing", all, "age > 1s", &format!("{agent}\nage > 1s\n^^^"));
    check("listing", all, "not age > 1s", &format!("{agent}\nnot age > 1s\n    ^^^"));
    check(
        "listing",
        all,
        "sport = 22 and age > 1s",
        &format!("{agent}\nsport = 22 and age > 1s\n               ^^^"),
    );
    check("listing", all, "age > 1s or sport = 22", &format!("in part: {agent}"));
    check("listing", all, "not ( age > 1s and sport = 22 )", &format!("in part: {agent}"));
    check(
        "listing",
        all,
        "closed_first peer",
        "\"closed_first\" is known of what has ended: use socktrace history, or socktrace events --kinds close\n\
         closed_first peer\n^^^^^^^^^^^^",
    );
    for place in ["events", "history"] {
        check(
            place,
            all,
            "recvq > 0",
            "\"recvq\" is known in listings only (socktrace ss)\nrecvq > 0\n^^^^^",
        );
    }
    check(
        "connect",
        all,
        "rtt > 1ms",
        "\"rtt\" is known when a TCP connection closes: --kinds close\nrtt > 1ms\n^^^",
    );
    check("events", Sorts::DATAGRAM, "rtt > 1ms", "\"rtt\" is known of TCP sockets only\nrtt > 1ms\n^^^");
    check(
        "events",
        all,
        "rtt > 1ms and failed_by peer",
        "nothing has this and the rest of the filter together\nrtt > 1ms and failed_by peer\n              ^^^^^^^^^",
    );
    check(
        "events",
        all,
        "comm = systemd-resolved",
        "the kernel keeps 15 bytes of a process's name; did you mean \"systemd-resolve\"?\n\
         comm = systemd-resolved\n       ^^^^^^^^^^^^^^^^",
    );
    check("events", all, "comm = systemd-resolv*", "");
    check(
        "destroyed",
        all,
        "pid 1",
        "\"pid\" is not known of sockets that are being destroyed: use socktrace events\npid 1\n^^^",
    );
    check(
        "listing",
        all,
        "container web",
        "\"web\" is not the id of a container: 64 hexadecimal digits, the first 12 or more of them, or a pattern like 4f2a*\n\
         container web\n          ^^^",
    );
    check("listing", all, "container docker://4f2a8e5b0d1c", "");
    check("listing", all, "unit nginx", "");
    check(
        "listing",
        all,
        "unit backup.timer",
        "\"backup.timer\": such a unit has no processes; those that have are .service, .scope, .slice, .socket, .mount, \
         .swap\nunit backup.timer\n     ^^^^^^^^^^^^",
    );
    check("events", Sorts::of(&[Sort::Unix]), "unit nginx", "");
    check(
        "listing",
        Sorts::of(&[Sort::Unix]),
        "unit nginx",
        "the kernel lists no cgroup of UNIX sockets, so \"unit\" is not known (events and history know it)\n\
         unit nginx\n^^^^",
    );
    check(
        "user",
        Sorts::IP,
        "fwmark 5",
        "the kernel reports \"fwmark\" to those with CAP_NET_ADMIN only (try: sudo)\nfwmark 5\n^^^^^^",
    );
    check(
        "listing",
        all,
        "netns blue",
        "another network namespace is not listed: use -N NAME, or --all-netns\nnetns blue\n      ^^^^",
    );
    check("listing", all, "netns 7", "");
    check(
        "listening",
        all,
        "state established",
        "no socket in that state is asked for\nstate established\n^^^^^",
    );
    check(
        "history",
        all,
        "state established",
        "what has closed is in the state `closed`\nstate established\n^^^^^",
    );
    check(
        "events",
        all,
        "src netlink:genl",
        "netlink sockets have no events: they are known in listings only (socktrace ss)\n\
         src netlink:genl\n    ^^^^^^^^^^^^",
    );
    check(
        "listing",
        Sorts::TCP,
        "sport = 22 or src unix:@x",
        "in part: no UNIX sockets are asked for, but TCP",
    );
    check(
        "listing",
        Sorts::of(&[Sort::Tcp4]),
        "dst [::1]",
        "no IPv6 sockets are asked for, but TCP\ndst [::1]\n    ^^^^^",
    );
    check("listing", Sorts::of(&[Sort::Tcp4]), "dst multi.test", "");
    check("events", Sorts::of(&[Sort::Unix]), "sport = 22", "UNIX sockets have no ports\nsport = 22\n^^^^^");
    check(
        "listing",
        Sorts::TCP,
        "sport = 70000",
        "a port is a number from 0 to 65535\nsport = 70000\n        ^^^^^",
    );
}

/// What the document's table says of a predicate in one place: of which sockets, or of which events, it is known.
fn known(text: &str, place: &str) -> String {
    let filter = read(text).unwrap();
    let knows = |ground: Ground| !ground.is_empty() && filter.judge(&ground).is_ok();
    let sorts = |ground: &dyn Fn(Sorts) -> Ground| {
        let of = |sorts: &[Sort]| sorts.iter().filter(|sort| knows(ground(Sorts::of(&[**sort])))).count();
        let (ip, others) = Sort::ALL.split_at(8);
        match (of(ip), of(others)) {
            (0, 0) => "-".to_owned(),
            (8, 6) => "yes".to_owned(),
            (8, 0) => "IP".to_owned(),
            (2, 0) => "TCP".to_owned(),
            other => panic!("{text} in {place}: {other:?} have no name"),
        }
    };
    let openers = place == "through an agent";
    if place == "listing" || openers {
        return sorts(&|sorts| Ground::listing(sorts, Listing { openers, ..EVERY }));
    }
    let ground = |kind| match place {
        "events" => Ground::events(kind, Sorts::ALL),
        "history" => Ground::history(kind, Sorts::ALL),
        other => panic!("no place is called {other}"),
    };
    let all = KindSet::names().iter().filter(|name| !ground(KindSet::from_name(name).unwrap()).is_empty());
    let (yes, no): (Vec<&str>, Vec<&str>) =
        all.partition(|name| knows(ground(KindSet::from_name(name).unwrap())));
    match (yes.as_slice(), no.as_slice()) {
        ([], _) => "-".to_owned(),
        (_, []) => "yes".to_owned(),
        (yes, _) => format!("`{}`", yes.join("`, `")),
    }
}

#[test]
fn the_document_says_what_is_known_where() {
    const DOC: &str = include_str!("../../../../docs/filter.md");
    let rows: Vec<Vec<&str>> = DOC
        .lines()
        .skip_while(|line| !line.starts_with("| predicate | listing |"))
        .take_while(|line| line.starts_with('|'))
        .map(|line| line.trim_matches('|').split('|').map(str::trim).collect())
        .collect();
    let (head, rows) = (&rows[0], &rows[2..]);
    let mut told = Vec::new();
    for row in rows {
        for word in row[0].split(", ").filter_map(|word| word.strip_prefix('`')?.strip_suffix('`')) {
            told.push(word);
            let of_word = |text: &&&str| text.split(' ').next() == Some(word);
            let text = if word == "reset" { &"reset *" } else { PASSED.iter().find(of_word).unwrap() };
            for (place, cell) in head.iter().zip(row).skip(1) {
                assert_eq!(*cell, known(text, place), "{word} in {place}");
            }
        }
    }
    // Of the others all is known everywhere, as far as there is such a socket.
    for text in PASSED {
        let word = text.split(' ').next().unwrap();
        if !told.contains(&word) && !text.contains(':') && !text.starts_with("not ") {
            for place in ["events", "history"] {
                assert_eq!(known(text, place), "yes", "{word} in {place}");
            }
        }
    }
}

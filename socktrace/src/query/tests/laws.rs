//! Laws that hold for every filter.

use proptest::prelude::*;

use super::super::{Answers, CgroupPart, Compare, Ending, Expr, Field, Filter, Op, Side, Test};
use super::fixtures::fixtures;
use super::{TableNames, read};
use crate::query::tree::Address;
use crate::query::value::place_pattern;
use crate::query::{Context, Dialect, Glob, parse};
use crate::socket::{Family, StateSet};

fn op() -> impl Strategy<Value = Op> {
    prop::sample::select(vec![Op::Eq, Op::Ne, Op::Lt, Op::Le, Op::Gt, Op::Ge])
}

/// Small numbers meet each other and the fixtures more often.
fn number(max: i64) -> impl Strategy<Value = i64> {
    prop_oneof![4 => prop::sample::select(vec![0, 1, 2, 22, 33, 77, 443, 1024, 5000]), 1 => 0..=max]
}

fn compare(max: i64, ordered: bool) -> impl Strategy<Value = Compare> {
    let range = (number(max), number(max)).prop_map(|(a, b)| (a.min(b), a.max(b)));
    let item = prop_oneof![3 => number(max).prop_map(|n| (n, n)), 1 => range, 1 => Just(Compare::EVERY)];
    let list = prop::collection::vec(item, 1..4);
    (op(), number(max), list).prop_map(move |(op, one, ranges)| match op {
        Op::Lt | Op::Le | Op::Gt | Op::Ge if ordered => Compare::one(op, one),
        Op::Ne => Compare { op, ranges },
        _ => Compare { op: Op::Eq, ranges },
    })
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        r"[a-zA-Z0-9/*?@.:é \\\[\]!-]{1,12}".prop_map(|text| text),
        prop::sample::select(vec!["or", "and", "not", "(", "=", "sport", "port", "sshd", "s*", "\t"])
            .prop_map(str::to_owned),
    ]
}

fn family() -> impl Strategy<Value = Option<Family>> {
    prop::sample::select(vec![None, Some(Family::Inet), Some(Family::Inet6)])
}

fn side() -> impl Strategy<Value = Side> {
    prop::sample::select(vec![Side::Local, Side::Peer, Side::Either])
}

fn address() -> impl Strategy<Value = (Option<Family>, Address)> {
    let of = |family| Just(Some(family));
    prop_oneof![
        (family(), Just(Address::Any)),
        (any::<[u8; 4]>(), 0..=32u8)
            .prop_map(|(addr, length)| (None, Address::Prefix { addr: addr.into(), length })),
        (any::<[u8; 16]>(), 0..=128u8)
            .prop_map(|(addr, length)| (Some(Family::Inet6), Address::Prefix { addr: addr.into(), length })),
        (of(Family::Unix), text().prop_map(|text| Address::Unix(Glob::ignoring_case(&text)))),
        (of(Family::Packet), any::<u16>().prop_map(Address::Ethertype)),
        (of(Family::Netlink), any::<u32>().prop_map(Address::NetlinkProtocol)),
        (of(Family::Vsock), any::<u32>().prop_map(Address::Cid)),
    ]
}

fn test() -> impl Strategy<Value = Test> {
    let fields = vec![
        (Field::Uid, u32::MAX.into(), true),
        (Field::Dev, u32::MAX.into(), false),
        (Field::Netns, u32::MAX.into(), false),
        (Field::Inode, u32::MAX.into(), true),
        (Field::Pid, u32::MAX.into(), true),
        (Field::RecvQ, i64::MAX, true),
        (Field::SendQ, i64::MAX, true),
        (Field::Retrans, i64::MAX, true),
        (Field::Rtt, i64::MAX, true),
        (Field::Age, i64::MAX, true),
    ];
    let numbers = prop::sample::select(fields).prop_flat_map(|(field, max, ordered)| {
        compare(max, ordered).prop_map(move |compare| Test::Number { field, compare })
    });
    let cookie = any::<u64>().prop_map(|cookie| Test::Number {
        field: Field::Cookie,
        compare: Compare::one(Op::Eq, cookie.cast_signed()),
    });
    prop_oneof![
        4 => (side(), address(), prop::option::of(number(65535))).prop_map(|(side, (family, address), port)| {
            // A pattern for a name has no port beside it.
            let port = port.filter(|_| !matches!(address, Address::Unix(_)));
            Test::Host { side, family, address, port }
        }),
        4 => (side(), family(), compare(65535, true))
            .prop_map(|(side, family, compare)| Test::Port { side, family, compare }),
        4 => numbers,
        1 => cookie,
        1 => any::<(u32, u32)>().prop_map(|(value, mask)| Test::Mark { value, mask }),
        1 => Just(Test::Cgroup { path: "/a b".into(), id: 78 }),
        1 => text().prop_map(|text| Test::Comm(Glob::new(&text))),
        1 => (place(), text()).prop_map(|(place, text)| Test::CgroupPart(place, place_pattern(place, &text))),
        1 => (1u32..1 << 14).prop_map(|bits| Test::State(StateSet::from_bits(bits & !(1 << 12) | 2))),
        1 => ending().prop_map(|(ending, answers)| Test::Ending(ending, answers)),
        1 => Just(Test::Autobound),
    ]
}

fn ending() -> impl Strategy<Value = (Ending, Answers)> {
    let endings = vec![Ending::ClosedFirst, Ending::Reset, Ending::FailedBy];
    prop::sample::select(endings).prop_flat_map(|ending| {
        let some = prop::sample::subsequence(ending.answers().to_vec(), 1..=3);
        some.prop_map(move |names| {
            let each = names.iter().map(|name| Answers::one(ending, name).unwrap());
            (ending, each.fold(Answers::default(), Answers::union))
        })
    })
}

fn place() -> impl Strategy<Value = CgroupPart> {
    prop_oneof![Just(CgroupPart::Unit), Just(CgroupPart::Container), Just(CgroupPart::Pod)]
}

/// Any tree that the parser can make.
pub(super) fn expr() -> impl Strategy<Value = Expr> {
    let leaf = test().prop_map(Expr::Test);
    let tree = leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            (inner.clone(), inner.clone()).prop_map(|(a, b)| a.and(b)),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| a.or(b)),
            inner.prop_map(Expr::negate),
        ]
    });
    tree.prop_map(one_family)
}

/// A family prefix also holds for what follows by `and`, so what follows must agree with it; here the first one wins.
fn one_family(mut expr: Expr) -> Expr {
    fn settle(expr: &mut Expr, outer: Option<Family>) -> Option<Family> {
        match expr {
            Expr::And(parts) => parts.iter_mut().fold(None, |now, part| settle(part, now.or(outer)).or(now)),
            Expr::Or(parts) => {
                for part in parts {
                    settle(part, outer);
                }
                expr.narrows_to()
            }
            Expr::Not(inner) => settle(inner, outer),
            Expr::Test(test) => {
                if let Test::Host { family, .. } | Test::Port { family, .. } = test
                    && family.is_none()
                    && outer.is_some()
                {
                    *test = Test::Autobound;
                }
                expr.narrows_to()
            }
        }
    }
    settle(&mut expr, None);
    expr
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]

    #[test]
    fn what_is_printed_is_read_back(expr in expr()) {
        let printed = expr.to_string();
        let read = read(&printed).map_err(|e| TestCaseError::fail(e.render(std::slice::from_ref(&printed))))?;
        prop_assert_eq!(read.expr(), Some(&expr), "{}", printed);
        prop_assert!(!read.mixes_and_or(), "{}", printed);
    }

    #[test]
    fn printed_filters_mean_the_same_in_both_dialects(expr in expr()) {
        let words = [expr.to_string()];
        let strict = parse(&words, &Context::new(Dialect::Strict), &TableNames);
        let ss = parse(&words, &Context::new(Dialect::Ss), &TableNames);
        prop_assert_eq!(strict, ss);
    }

    #[test]
    fn nothing_passes_a_filter_and_its_opposite(expr in expr()) {
        let (filter, opposite) = (Filter::from_expr(expr.clone()), Filter::from_expr(expr.negate()));
        for animal in fixtures() {
            let facts = animal.facts();
            prop_assert!(!(filter.matches(&facts) && opposite.matches(&facts)), "{}", animal.name);
        }
    }

    #[test]
    fn hints_and_states_hold_for_every_match(expr in expr()) {
        let filter = Filter::from_expr(expr);
        let (keys, states) = (filter.keys(), filter.states());
        for animal in fixtures() {
            let facts = animal.facts();
            if !filter.matches(&facts) {
                continue;
            }
            let (local, peer) = (facts.local_port.unwrap(), facts.peer_port.unwrap());
            prop_assert!(states.contains(facts.state));
            prop_assert!(keys.local_port.is_none_or(|port| i64::from(port) == local));
            prop_assert!(keys.peer_port.is_none_or(|port| i64::from(port) == peer));
            prop_assert!(keys.either_port.is_none_or(|port| [local, peer].contains(&port.into())));
            prop_assert!(keys.cookie.is_none_or(|cookie| cookie == facts.cookie));
            prop_assert!(keys.inode.is_none_or(|inode| Some(inode) == facts.inode));
        }
    }

    #[test]
    fn no_words_make_it_panic(words in prop::collection::vec(word(), 0..12), strict: bool, family in family()) {
        let dialect = if strict { Dialect::Strict } else { Dialect::Ss };
        let context = Context { family, ..Context::new(dialect) };
        match parse(&words, &context, &TableNames) {
            Ok(filter) => {
                for animal in fixtures() {
                    std::hint::black_box(filter.matches(&animal.facts()));
                }
                let again = parse(&[filter.to_string()], &context, &TableNames);
                prop_assert_eq!(again.as_ref().map(Filter::expr), Ok(filter.expr()), "{}", filter);
            }
            Err(error) => {
                prop_assert!(error.render(&words).lines().count() >= 2);
                let word = words.get(error.word).map_or("", String::as_str);
                prop_assert!(word.get(error.span.clone()).is_some(), "{:?} of {:?}", error, word);
            }
        }
    }
}

/// Words that are near to real ones.
fn word() -> impl Strategy<Value = String> {
    let known = vec![
        "sport",
        "dport",
        "port",
        "src",
        "dst",
        "host",
        "dev",
        "fwmark",
        "cgroup",
        "autobound",
        "state",
        "pid",
        "comm",
        "unit",
        "container",
        "pod",
        "user",
        "netns",
        "inode",
        "cookie",
        "recvq",
        "rtt",
        "retrans",
        "age",
        "closed_first",
        "reset",
        "failed_by",
        "peer",
        "=",
        "!=",
        ">",
        "<=",
        "(",
        ")",
        "and",
        "or",
        "not",
        "22",
        ":22",
        "{22,80}",
        "22-80",
        "10.0.0.1",
        "10/8:22",
        "[::1]:443",
        "unix:/run/*",
        "inet:",
        "inet6:*",
        "link:arp:eth0",
        "netlink:genl",
        "vsock:3:4",
        "multi.test",
        "http",
        "*",
        "established",
        "5ms",
        "64Ki",
        "1/2",
        "/user.slice",
        "lo",
        "{",
        "}",
        "{a",
        "inet:{22,",
        "{x,{y}",
        "b}",
        "\\",
        "",
        ",",
        "x,y",
    ];
    prop_oneof![6 => prop::sample::select(known).prop_map(str::to_owned), 1 => text(), 1 => any::<String>()]
}

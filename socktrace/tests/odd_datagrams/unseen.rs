//! Calls that the tracepoints of system calls do not show: io_uring, and 32-bit calls from a 64-bit process.

use super::Scene;
use crate::agent::{AGENTS, Agent};
use crate::kernels::version;
use crate::support::actor::Actor;
use crate::support::{cannot_run, may_trace, say};

/// What an actor is asked to do, and what is reported of it.
type Acts<'a> = &'a [(&'a str, &'a str, &'a [&'a str])];

fn check(scene: &mut Scene, acts: Acts<'_>) {
    for &(act, error, reported) in acts {
        assert_eq!(scene.asks(&format!("result({act})")), error, "{act}");
        let mut events = scene.events_until_now();
        // Ports that the kernel chooses.
        let port = scene.asks("S[-1].getsockname()[1] if S[-1].family != AF_UNIX else 0");
        for event in events.iter_mut().filter(|_| port != "0") {
            *event = event.replace(&format!(" {port}"), " PORT");
        }
        assert_eq!(events, reported, "{act}");
        scene.is_right();
    }
}

#[test]
fn calls_through_io_uring_are_reported_with_what_came_of_them() {
    const TEST: &str = "calls_through_io_uring_are_reported_with_what_came_of_them";
    if !may_trace(TEST) {
        return;
    }
    if version() < (6, 11) {
        return cannot_run(TEST, "this kernel has no bind and listen in io_uring");
    }
    for options in AGENTS {
        ringing(options);
    }
}

fn ringing(options: &[&str]) {
    const TEST: &str = "calls_through_io_uring_are_reported_with_what_came_of_them";
    let mut scene = Scene::with(Agent::start(options), Actor::python("ringing"));
    if scene.actor.runs("R = Uring()") != "done" {
        return cannot_run(TEST, "io_uring may not be used");
    }
    scene.does("U = ('127.0.0.1', 9)");
    check(
        &mut scene,
        &[
            ("R.connect(make(), address_of(*U))", "", &["connect udp 127.0.0.1 PORT"]),
            ("R.connect(make(AF_INET6), address_of('::1', 9))", "", &["connect udp ::1 PORT"]),
            (
                "R.connect(make(), address_of('192.0.2.1', 9))",
                "ENETUNREACH",
                &["open udp 0.0.0.0 PORT", "connect_failed udp 0.0.0.0 PORT ENETUNREACH"],
            ),
            ("R.bind(make(), address_of('127.0.0.1', 0))", "", &["bind udp 127.0.0.1 PORT"]),
            (
                "R.bind(make(), address_of('192.0.2.1', 7))",
                "EADDRNOTAVAIL",
                &["bind udp 0.0.0.0 0 EADDRNOTAVAIL"],
            ),
            ("R.bind(make(AF_UNIX, SOCK_STREAM), name_of('\\0ringing'))", "", &["bind unix @ringing null"]),
            ("R.listen(S[-1], 8)", "", &["listen unix @ringing null"]),
            ("R.connect(make(AF_UNIX, SOCK_STREAM), name_of('\\0ringing'))", "", &["connect unix  null"]),
            ("R.accept(S[-2])", "", &["accept unix @ringing null"]),
            (
                "R.connect(make(AF_UNIX, SOCK_STREAM), name_of('\\0nobody'))",
                "ECONNREFUSED",
                &["connect_failed unix  null ECONNREFUSED"],
            ),
            (
                "R.bind(make(AF_UNIX, SOCK_STREAM), name_of('\\0ringing'))",
                "EADDRINUSE",
                &["bind unix  null EADDRINUSE"],
            ),
            ("R.listen(make(), 8)", "ENOTSUP", &["listen udp 0.0.0.0 0 EOPNOTSUPP"]),
        ],
    );
    let status = scene.agent.status();
    assert_eq!(status["drift"], 0, "{status}");
}

#[test]
fn what_32_bit_calls_did_is_in_the_table() {
    const TEST: &str = "what_32_bit_calls_did_is_in_the_table";
    if !may_trace(TEST) {
        return;
    }
    for options in AGENTS {
        narrow(options);
    }
}

fn narrow(options: &[&str]) {
    const TEST: &str = "what_32_bit_calls_did_is_in_the_table";
    let mut scene = Scene::with(Agent::start(options), Actor::python("narrow"));
    if cfg!(not(target_arch = "x86_64"))
        || scene.actor.runs("I = Int80()\nassert I.call(20, 0, 0, 0, 0) == os.getpid()") != "done"
    {
        return say(&format!("{TEST}: not run: this kernel has no 32-bit calls"));
    }
    check(
        &mut scene,
        &[
            ("I.bind(make(), address_of('127.0.0.1', 0))", "", &["bind udp 127.0.0.1 PORT"]),
            ("make().sendto(b'x', ('127.0.0.1', 9)) and 0", "", &["open udp 0.0.0.0 PORT"]),
        ],
    );
    // Nothing reports what came of these: the table learns it soon.
    for act in [
        "I.connect(make(), address_of('127.0.0.1', 9))",
        "I.connect(make(AF_INET6), address_of('::1', 9))",
        "I.connect(S[0], address_of('127.0.0.1', 9))",
    ] {
        assert_eq!(scene.asks(act), "0");
        scene.is_right();
        let event = scene.next();
        assert_eq!((&event["event"], &event["peer_port"]), (&"connect".into(), &9.into()), "{event}");
        assert_eq!(
            (&event["pid"], &event["attribution"]),
            (&scene.actor.pid().into(), &"exact".into()),
            "{event}"
        );
    }
    // It is gone before the table is looked at.
    assert_eq!(scene.asks("I.connect(make(), address_of('127.0.0.1', 9)) or S.pop().close()"), "None");
    for expected in ["connect", "close"] {
        let event = scene.next();
        assert_eq!((&event["event"], &event["peer_port"]), (&expected.into(), &9.into()), "{event}");
        assert_eq!(event["pid"], scene.actor.pid(), "{event}");
    }
    scene.is_right();
    for act in [
        "I.bind(make(AF_UNIX, SOCK_STREAM), name_of('\\0narrow'))",
        "I.listen(S[-1], 8)",
        "I.connect(make(AF_UNIX, SOCK_STREAM), name_of('\\0narrow'))",
        "0 if I.accept(S[-2]) > 0 else -1",
        "I.bind(make(AF_UNIX), name_of('\\0datagrams'))",
    ] {
        assert_eq!(scene.asks(act), "0", "{act}");
        scene.is_right();
    }
}

/// Kind, protocol and error of the next event.
fn next_in_short(scene: &Scene) -> String {
    let event = scene.next();
    let word = |field: &str| event[field].as_str().unwrap_or_default().to_owned();
    format!("{} {} {}", word("event"), word("proto"), word("error")).trim_end().to_owned()
}

#[test]
fn tcp_calls_through_io_uring_and_32_bit_ones_are_reported() {
    const TEST: &str = "tcp_calls_through_io_uring_and_32_bit_ones_are_reported";
    if !may_trace(TEST) {
        return;
    }
    for options in AGENTS {
        otherwise(options);
    }
}

fn otherwise(options: &[&str]) {
    const TEST: &str = "tcp_calls_through_io_uring_and_32_bit_ones_are_reported";
    let mut scene = Scene::with(Agent::start(options), Actor::python("otherwise"));
    let ways = [
        ("R", "Uring()", version() >= (6, 11)),
        ("I", "Int80()\nassert I.call(20, 0, 0, 0, 0) == os.getpid()", cfg!(target_arch = "x86_64")),
    ];
    for (way, made, is_there) in ways {
        if !is_there || scene.actor.runs(&format!("{way} = {made}")) != "done" {
            say(&format!("{TEST}: not run as {way}: this kernel has no such calls"));
            continue;
        }
        let acts: &[(&str, &str, &[&str])] = &[
            (
                "W.bind(make(AF_INET, SOCK_STREAM), address_of('127.0.0.1', 0)) or W.listen(S[-1], 8)",
                "",
                &["bind tcp", "listen tcp"],
            ),
            (
                "W.connect(make(AF_INET, SOCK_STREAM), address_of(*S[-2].getsockname())) or min(0, W.accept(S[-2]))",
                "",
                &["connect tcp", "accept tcp"],
            ),
            (
                "W.connect(make(AF_INET, SOCK_STREAM), address_of('127.0.0.1', 1))",
                "ECONNREFUSED",
                &["connect_failed tcp ECONNREFUSED"],
            ),
            (
                "W.connect(make(AF_INET, SOCK_STREAM), address_of('192.0.2.1', 1))",
                "ENETUNREACH",
                // Of a 32-bit call that fails before the state changes nothing is reported.
                if way == "R" { &["connect_failed tcp ENETUNREACH"] } else { &[] },
            ),
        ];
        for (act, error, reported) in acts {
            assert_eq!(scene.asks(&format!("result({})", act.replace('W', way))), *error, "{act}");
            for expected in *reported {
                assert_eq!(next_in_short(&scene), *expected, "{way}: {act}");
            }
            scene.is_right();
        }
        // Nothing twice: what comes next is this.
        scene.does("make().bind(('127.0.0.1', 0))");
        assert_eq!(next_in_short(&scene), "bind udp", "{way}");
    }
}

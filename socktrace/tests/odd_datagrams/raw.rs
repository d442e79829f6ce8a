//! RAW sockets, whatever protocol they are of, ping sockets, and those that the kernel makes for itself.

use super::{Scene, in_short};
use crate::agent::{AGENTS, Agent};
use crate::kernels::version;
use crate::support::actor::Actor;
use crate::support::{may_trace, patience, say};
use serde_json::Value;
use std::time::{Duration, Instant};

/// As the engine has it.
const AUDIT_EVERY: Duration = Duration::from_secs(60);

#[test]
fn a_raw_socket_of_another_protocol_is_not_taken_for_it() {
    const TEST: &str = "a_raw_socket_of_another_protocol_is_not_taken_for_it";
    if !may_trace(TEST) {
        return;
    }
    let mut scene = Scene::begin("raw");
    // TCP, UDP, ICMP, ICMPv6, UDP-Lite, SCTP, DCCP, MPTCP.
    for protocol in [6, 17, 1, 58, 136, 132, 33, 262] {
        for (family, here, any) in [("AF_INET", "127.0.0.1", "0.0.0.0"), ("AF_INET6", "::1", "::")] {
            if protocol == 262 && family == "AF_INET6" {
                continue;
            }
            scene.does(&format!("make({family}, SOCK_RAW, {protocol})"));
            scene.is_right();
            scene.does(&format!("S[-1].connect(({here:?}, 0))"));
            scene.is_right();
            scene.does("S.pop().close()");
            let connect = format!("connect raw {here} {protocol}");
            assert_eq!(scene.events_until_now(), [connect, format!("close raw {here} {protocol}")]);
            scene.does(&format!("make({family}, SOCK_RAW, {protocol}).close()\nS.clear()"));
            assert_eq!(scene.events_until_now(), [format!("close raw {any} {protocol}")]);
            scene.is_right();
        }
    }
}

#[test]
fn a_socket_of_the_kernels_own_has_no_owner_and_its_end_is_reported() {
    const TEST: &str = "a_socket_of_the_kernels_own_has_no_owner_and_its_end_is_reported";
    if !may_trace(TEST) {
        return;
    }
    let mut scene = Scene::begin("tunnel");
    let made = "ip link add vx0 type vxlan id 5 dstport 4789 local 127.0.0.1 dev lo";
    if scene.asks(&format!("os.system({made:?})")) != "0" {
        say(&format!("{TEST}: this kernel has no VXLAN"));
        return;
    }
    assert_eq!(scene.asks("os.system('ip link set vx0 up')"), "0");
    let bound = scene.next();
    assert_eq!(in_short(&bound), "bind udp 0.0.0.0 4789");
    // Not `ip`, which did not open it.
    for field in ["pid", "comm", "unit", "cgroup_path"] {
        assert_eq!(bound[field], Value::Null, "{bound}");
    }
    scene.is_right();
    let row = scene.agent.rows().find(|row| row["cookie"] == bound["cookie"]).unwrap();
    assert_eq!((&row["pid"], &row["local_port"]), (&Value::Null, &Value::from(4789)));
    assert_eq!(scene.asks("os.system('ip link set vx0 down')"), "0");
    // No hook tells: the next audit finds it.
    let closed = scene.events.line_within(AUDIT_EVERY + patience()).unwrap();
    let closed: Value = serde_json::from_str(&closed).unwrap();
    assert_eq!((in_short(&closed).as_str(), &closed["cookie"]), ("close udp 0.0.0.0 4789", &bound["cookie"]));
    scene.is_right();
    assert_eq!(scene.agent.status()["drift"], 0);
}

/// Also where the kernel has no sock_diag of RAW sockets, as many have not.
#[test]
fn a_raw_socket_that_was_there_before_tracing_is_in_the_table_and_its_end_is_reported() {
    const TEST: &str = "a_raw_socket_that_was_there_before_tracing_is_in_the_table_and_its_end_is_reported";
    if !may_trace(TEST) {
        return;
    }
    let mut actor = Actor::python("earlier");
    for make in ["make(AF_INET, SOCK_RAW, 47)", "make(AF_INET6, SOCK_RAW, 47)", "make(AF_INET, SOCK_RAW, 6)"]
    {
        assert_eq!(actor.runs(make), "done");
    }
    assert_eq!(actor.runs("S[2].connect(('127.0.0.1', 0))"), "done");
    for options in AGENTS {
        let agent = Agent::start(options);
        let netns = actor.netns();
        let raw = agent.rows().filter(|row| row["netns"] == netns && row["proto"] == "raw");
        let holders: Vec<_> = raw.map(|row| (row["pid"].clone(), row["attribution"].clone())).collect();
        assert_eq!(holders, vec![(Value::from(actor.pid()), Value::from("holder")); 3], "{options:?}");
    }
    let mut scene = Scene::with(Agent::start(&[]), actor);
    scene.is_right();
    for end in ["close raw 127.0.0.1 6", "close raw :: 47", "close raw 0.0.0.0 47"] {
        scene.does("S.pop().close()");
        assert_eq!(scene.events_until_now(), [end]);
        scene.is_right();
    }
    assert_eq!(scene.agent.status()["drift"], 0);
}

/// No kernel has sock_diag of them.
#[test]
fn a_ping_socket_that_was_there_before_tracing_is_in_the_table_and_its_end_is_reported() {
    const TEST: &str = "a_ping_socket_that_was_there_before_tracing_is_in_the_table_and_its_end_is_reported";
    if !may_trace(TEST) {
        return;
    }
    if version() < (5, 11) {
        return say(&format!("{TEST}: this kernel has no iterator over descriptors, which tells cookies"));
    }
    let mut actor = Actor::python("pinged");
    let lines = [
        "open('/proc/sys/net/ipv4/ping_group_range', 'w').write('0 0')",
        "make(AF_INET, SOCK_DGRAM, 1).bind(('127.0.0.1', 7))",
        "make(AF_INET6, SOCK_DGRAM, 58).bind(('::1', 8))",
        "make(AF_INET, SOCK_DGRAM, 1).connect(('127.0.0.1', 0))",
    ];
    for line in lines {
        assert_eq!(actor.runs(line), "done", "{line}");
    }
    let connected = actor.runs("answer = S[2].getsockname()[1]");
    for options in AGENTS {
        let agent = Agent::start(options);
        let netns = actor.netns();
        let ping = agent.rows().filter(|row| row["netns"] == netns && row["proto"] == "icmp");
        let holders: Vec<_> = ping.map(|row| (row["pid"].clone(), row["attribution"].clone())).collect();
        assert_eq!(holders, vec![(Value::from(actor.pid()), Value::from("holder")); 3], "{options:?}");
    }
    let mut scene = Scene::with(Agent::start(&[]), actor);
    scene.is_right();
    // Younger ones, which the next audit sees, too.
    scene.does("make(AF_INET, SOCK_DGRAM, 1).bind(('127.0.0.1', 9))");
    assert_eq!(in_short(&scene.next()), "bind icmp 127.0.0.1 9");
    scene.does("make(AF_INET6, SOCK_DGRAM, 58).connect(('::1', 5))");
    let opened = scene.next();
    assert_eq!((&opened["event"], &opened["proto"]), (&Value::from("connect"), &Value::from("icmp")));
    wait_for_an_audit(&scene.agent);
    scene.is_right();
    assert_eq!(scene.agent.status()["drift"], 0);
    let ends = [
        format!("close icmp ::1 {}", opened["local_port"]),
        "close icmp 127.0.0.1 9".to_owned(),
        format!("close icmp 127.0.0.1 {connected}"),
        "close icmp ::1 8".to_owned(),
        "close icmp 127.0.0.1 7".to_owned(),
    ];
    for end in ends {
        scene.does("S.pop().close()");
        assert_eq!(scene.events_until_now(), [end]);
        scene.is_right();
    }
}

#[test]
fn a_socket_of_the_kernels_own_that_was_there_before_tracing_ends_without_drift() {
    const TEST: &str = "a_socket_of_the_kernels_own_that_was_there_before_tracing_ends_without_drift";
    if !may_trace(TEST) {
        return;
    }
    let mut actor = Actor::python("tunnelled");
    let made = "ip link add vx0 type vxlan id 5 dstport 4789 local 127.0.0.1 dev lo && ip link set vx0 up";
    if actor.runs(&format!("answer = os.system({made:?})")) != "0" {
        say(&format!("{TEST}: this kernel has no VXLAN"));
        return;
    }
    let mut scene = Scene::with(Agent::start(&[]), actor);
    scene.is_right();
    assert_eq!(scene.asks("os.system('ip link set vx0 down')"), "0");
    let closed = scene.events.line_within(AUDIT_EVERY + patience()).unwrap();
    let closed: Value = serde_json::from_str(&closed).unwrap();
    assert_eq!((in_short(&closed).as_str(), &closed["pid"]), ("close udp 0.0.0.0 4789", &Value::Null));
    scene.is_right();
    assert_eq!(scene.agent.status()["drift"], 0);
}

/// Until the sockets of all namespaces have been looked through once more.
fn wait_for_an_audit(agent: &Agent) {
    let audits = || agent.status()["audits"].as_u64();
    let (before, since) = (audits(), Instant::now());
    while audits() == before {
        assert!(since.elapsed() < AUDIT_EVERY + patience(), "no audit");
        std::thread::sleep(Duration::from_millis(200));
    }
}

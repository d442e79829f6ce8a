//! `open` is reported once, for what got its port just now.

use super::Scene;
use crate::agent::Agent;
use crate::support::actor::Actor;
use crate::support::may_trace;

#[test]
fn a_port_that_was_there_before_tracing_is_not_opened_by_a_worker_that_sends() {
    const TEST: &str = "a_port_that_was_there_before_tracing_is_not_opened_by_a_worker_that_sends";
    if !may_trace(TEST) {
        return;
    }
    let mut actor = Actor::python("older");
    // Two that have a port, and one that has none yet; a worker that sends through each as fast as it can.
    let begins = "
A, B, C = make(), make(), make()
A.bind(('127.0.0.1', 0))
B.sendto(b'x', ('127.0.0.1', 9))
WORKER = os.fork()
if WORKER == 0:
    while True:
        A.sendto(b'x', ('127.0.0.1', 9))
        B.sendto(b'x', ('127.0.0.1', 9))
answer = f'{cookie(A)} {cookie(B)} {cookie(C)}'
";
    let cookies: Vec<u64> = actor.runs(begins).split(' ').map(|cookie| cookie.parse().unwrap()).collect();
    let mut scene = Scene::with(Agent::start(&[]), actor);
    assert_eq!(scene.events_until_now(), [""; 0]);
    scene.is_right();
    for &cookie in &cookies[..2] {
        let row = scene.agent.rows().find(|row| row["cookie"] == cookie).unwrap();
        assert_eq!(
            (&row["pid"], &row["attribution"]),
            (&scene.actor.pid().into(), &"holder".into()),
            "{row}"
        );
    }
    scene.does("os.kill(WORKER, signal.SIGKILL)\nos.wait()");
    // What had no port is opened now.
    scene.does("C.sendto(b'x', ('127.0.0.1', 9))");
    let open = scene.next();
    assert_eq!((&open["event"], &open["cookie"]), (&"open".into(), &cookies[2].into()), "{open}");
    assert_eq!((&open["pid"], &open["attribution"]), (&scene.actor.pid().into(), &"exact".into()), "{open}");
}

#[test]
fn what_sends_for_the_first_time_while_tracing_begins_is_opened_once() {
    const TEST: &str = "what_sends_for_the_first_time_while_tracing_begins_is_opened_once";
    if !may_trace(TEST) {
        return;
    }
    let mut actor = Actor::python("beginner");
    // It makes a socket, sends twice, and goes on, while an agent begins.
    actor.begins(
        "while len(S) < 2000: make().sendto(b'x', ('127.0.0.1', 9)); S[-1].sendto(b'x', ('127.0.0.1', 9)); time.sleep(0.001)",
    );
    let mut scene = Scene::with(Agent::start(&[]), actor);
    assert_eq!(scene.actor.answer(), "done");
    scene.is_right();
    let last = scene.asks("cookie(S[-1])");
    let mut opened = std::collections::BTreeSet::new();
    for event in scene.events_to(last.parse().unwrap()) {
        assert_eq!(event["event"], "open", "{event}");
        assert!(opened.insert(event["cookie"].as_u64()), "{event}");
        assert_eq!(event["pid"], scene.actor.pid(), "{event}");
    }
    assert!(!opened.is_empty());
}

#[test]
fn a_bound_socket_is_not_opened_after_many_others() {
    const TEST: &str = "a_bound_socket_is_not_opened_after_many_others";
    if !may_trace(TEST) {
        return;
    }
    let mut actor = Actor::python("crowded");
    let ring = u32::to_string(&(1 << 27));
    let agent = Agent::start(&["--ring-size", &ring]);
    actor.runs("A = make()\nA.bind(('127.0.0.1', 0))");
    // More than the kernel programs can remember.
    let others = "
for _ in range(40000):
    with socket.socket(AF_INET, SOCK_DGRAM) as other: other.sendto(b'x', ('127.0.0.1', 9))
";
    assert_eq!(actor.runs(others), "done");
    let mut scene = Scene::with(agent, actor);
    for _ in 0..2 {
        scene.does("A.sendto(b'x', ('127.0.0.1', 9))");
    }
    let cookie: u64 = scene.asks("cookie(A)").parse().unwrap();
    assert_eq!(scene.events_until_now(), [""; 0]);
    let row = scene.agent.rows().find(|row| row["cookie"] == cookie).unwrap();
    assert_eq!((&row["pid"], &row["attribution"]), (&scene.actor.pid().into(), &"exact".into()), "{row}");
}

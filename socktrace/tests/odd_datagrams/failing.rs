//! Calls that fail: what they leave behind, and how they are reported.

use super::Scene;
use crate::kernels::version;
use crate::support::{may_trace, say};

#[test]
fn a_send_or_a_connect_that_fails_opens_a_udp_socket_all_the_same() {
    const TEST: &str = "a_send_or_a_connect_that_fails_opens_a_udp_socket_all_the_same";
    if !may_trace(TEST) {
        return;
    }
    let mut scene = Scene::begin("in-vain");
    let sends = [
        ("S[-1].send(b'x')", "EDESTADDRREQ"),
        ("S[-1].sendto(b'x', (HERE, 0))", "EINVAL"),
        ("S[-1].sendto(bytes(70000), (HERE, 9))", "EMSGSIZE"),
    ];
    let connects =
        [("S[-1].sendto(b'x', (AWAY, 9))", "ENETUNREACH"), ("S[-1].connect((AWAY, 9))", "ENETUNREACH")];
    for (family, here, away, any) in
        [("AF_INET", "127.0.0.1", "192.0.2.1", "0.0.0.0"), ("AF_INET6", "::1", "2001:db8::1", "::")]
    {
        scene.does(&format!("HERE, AWAY = {here:?}, {away:?}"));
        // Linux 6.3 reports what was sent, and what was not.
        let sends = if version() >= (6, 3) { &sends[..] } else { &[] };
        if sends.is_empty() {
            say(&format!("{TEST}: without sends that fail early: this kernel does not report them"));
        }
        for &(act, error) in sends.iter().chain(&connects) {
            scene.does(&format!("make({family})"));
            let failed = scene.asks(&format!("error_of(lambda: {act})"));
            // udpv6_sendmsg takes port 0, and the lower layers send it.
            assert!(failed == error || (failed.is_empty() && family == "AF_INET6"), "{act}: {failed}");
            scene.is_right();
            let port = scene.asks("S[-1].getsockname()[1]");
            let mut expected = vec![format!("open udp {any} {port}")];
            if act.contains("connect") {
                expected.push(format!("connect_failed udp {any} {port} {error}"));
            }
            assert_eq!(scene.events_until_now(), expected, "{act}");
            // Once open, it is not opened again.
            scene.does("error_of(S[-1].sendto, b'x', (HERE, 9))");
            scene.does("S.pop().close()");
            assert_eq!(scene.events_until_now(), [format!("close udp {any} {port}")], "{act}");
            scene.is_right();
        }
    }
    assert_eq!(scene.agent.status()["drift"], 0);
}

#[test]
fn a_unix_connect_that_a_signal_interrupts_is_one_connect() {
    const TEST: &str = "a_unix_connect_that_a_signal_interrupts_is_one_connect";
    if !may_trace(TEST) {
        return;
    }
    let mut scene = Scene::begin("interrupted");
    // One waits in the queue, which has no place for another.
    scene.does(
        "
L, A, B, C = (make(AF_UNIX, SOCK_STREAM) for _ in range(4))
L.bind('\\0interrupted')
L.listen(0)
A.connect('\\0interrupted')
signal.signal(signal.SIGUSR1, lambda *_: None)
def interrupt():
    if os.fork() == 0:
        while 'S' not in open(f'/proc/{os.getppid()}/stat').read().rsplit(') ', 1)[1][:1]: time.sleep(0.01)
        time.sleep(0.1)
        os.kill(os.getppid(), signal.SIGUSR1)
        time.sleep(0.3)
        if RESTART:
            L.accept()
        os._exit(0)
",
    );
    for (restart, socket, error, reported) in
        [("False", "B", "EINTR", "connect_failed unix  null EINTR"), ("True", "C", "", "connect unix  null")]
    {
        scene.events_until_now();
        scene.does(&format!(
            "RESTART = {restart}\nsignal.siginterrupt(signal.SIGUSR1, not RESTART)\ninterrupt()"
        ));
        let failed = scene.asks(&format!("result(call(libc.connect, {socket}, name_of('\\0interrupted')))"));
        scene.does("os.wait()");
        assert_eq!(failed, error);
        let mut events = scene.events_until_now();
        events.retain(|event| event.starts_with("connect"));
        assert_eq!(events, [reported]);
        scene.is_right();
    }
}

#[test]
fn a_second_connect_of_a_unix_socket_loses_nothing() {
    const TEST: &str = "a_second_connect_of_a_unix_socket_loses_nothing";
    if !may_trace(TEST) {
        return;
    }
    // One that was connected before anybody looked, too.
    let mut actor = crate::support::actor::Actor::python("twice");
    let listens = "
L, A, B = (make(AF_UNIX, SOCK_STREAM) for _ in range(3))
L.bind('\\0twice')
L.listen(8)
A.connect('\\0twice')
";
    assert_eq!(actor.runs(listens), "done");
    let mut scene = Scene::with(crate::agent::Agent::start(&[]), actor);
    scene.does("B.connect('\\0twice')");
    assert_eq!(scene.events_until_now(), ["connect unix  null"]);
    for socket in ["A", "B"] {
        for (name, error) in [("\\0twice", "EISCONN"), ("\\0nobody", "ECONNREFUSED")] {
            assert_eq!(scene.asks(&format!("error_of({socket}.connect, '{name}')")), error);
            let event = scene.next();
            let it = (event["event"].as_str(), event["error"].as_str(), event["state"].as_str());
            assert_eq!(it, (Some("connect_failed"), Some(error), Some("ESTAB")), "{event}");
            scene.is_right();
        }
    }
}

//! Addresses, names, interfaces and namespaces are the socket's own.

use super::Scene;
use crate::support::{may_trace, wait_for};

#[test]
fn a_send_to_a_mapped_address_says_where_it_went() {
    const TEST: &str = "a_send_to_a_mapped_address_says_where_it_went";
    if !may_trace(TEST) {
        return;
    }
    let mut scene = Scene::begin("mapped");
    for (act, event, local) in [
        ("S[-1].sendto(b'x', (M, 9))", "open", "::"),
        ("S[-1].connect((M, 9))", "connect", "::ffff:127.0.0.1"),
    ] {
        scene.does("M = '::ffff:127.0.0.1'\nmake(AF_INET6)");
        scene.does(act);
        let port: u16 = scene.asks("S[-1].getsockname()[1]").parse().unwrap();
        let it = scene.next();
        assert_eq!(
            (&it["event"], &it["local_addr"], &it["local_port"]),
            (&event.into(), &local.into(), &port.into()),
            "{it}"
        );
        assert_eq!((&it["peer_addr"], &it["peer_port"]), (&"::ffff:127.0.0.1".into(), &9.into()), "{it}");
        scene.is_right();
    }
    scene.does("make(AF_INET6).bind((M, 0))\nS[-1].sendto(b'x', (M, 9))");
    let port = scene.asks("S[-1].getsockname()[1]");
    assert_eq!(scene.events_until_now(), [format!("bind udp ::ffff:127.0.0.1 {port}")]);
    scene.is_right();
}

#[test]
fn names_of_unix_sockets_of_every_length() {
    const TEST: &str = "names_of_unix_sockets_of_every_length";
    if !may_trace(TEST) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let mut scene = Scene::begin("named");
    scene.does(&format!("os.chdir({:?})", folder.path().display().to_string()));
    for length in [1, 2, 3, 14, 50, 106, 107, 108] {
        for (first, rest) in [("p", "p"), ("\\0", "a")] {
            // An abstract name of nothing is none.
            if length == 1 && first != "p" {
                continue;
            }
            scene.does(&format!("N = name_of('{first}' + {} * '{rest}')", length - 1));
            scene.does("assert call(libc.bind, make(AF_UNIX), N) == 0");
            let name = format!("{}{}", first.replace("\\0", "@"), rest.repeat(length - 1));
            let bind = scene.next();
            assert_eq!(
                (&bind["event"], &bind["local_addr"]),
                (&"bind".into(), &name.as_str().into()),
                "{bind}"
            );
            // With a NUL behind a path, if there is a place for it.
            let connects = if first == "p" && length < 108 {
                &["N", "N + bytes(1)", "N + bytes(110 - len(N))"][..]
            } else {
                &["N"]
            };
            for address in connects {
                scene.does(&format!("assert call(libc.connect, make(AF_UNIX), {address}) == 0"));
                let it = scene.next();
                assert_eq!(
                    (&it["event"], &it["peer_addr"]),
                    (&"connect".into(), &name.as_str().into()),
                    "{it}"
                );
            }
            scene.is_right();
        }
    }
    // A name that the kernel chooses, and one with NULs inside and at its end.
    scene.does("make(AF_UNIX).bind('')");
    let chosen = scene.asks("S[-1].getsockname()[1:].decode()");
    assert_eq!(scene.next()["local_addr"], format!("@{chosen}"));
    scene.does("make(AF_UNIX).bind('\\0x\\0y\\0\\0')");
    assert_eq!(scene.next()["local_addr"], "@x@y@@");
    scene.is_right();
}

#[test]
fn a_datagram_or_unix_socket_that_is_dissolved_has_no_peer() {
    const TEST: &str = "a_datagram_or_unix_socket_that_is_dissolved_has_no_peer";
    if !may_trace(TEST) {
        return;
    }
    let mut scene = Scene::begin("dissolved");
    scene.does("make(AF_UNIX).bind('\\0dissolved')");
    scene.next();
    // Bound, and not bound; dissolved again when it has no peer.
    for bind in ["pass", "D.bind('\\0dissolving')"] {
        scene.does(&format!("D = make(AF_UNIX)\n{bind}\nD.connect('\\0dissolved')"));
        scene.is_right();
        scene.events_until_now();
        for _ in 0..2 {
            scene.does("assert dissolve(D) == 0");
            scene.is_right();
        }
        assert_eq!(scene.events_until_now(), [""; 0]);
    }
    // A stream says no.
    assert_eq!(scene.asks("result(dissolve(make(AF_UNIX, SOCK_STREAM)))"), "EINVAL");
    let failed = scene.next();
    assert_eq!(
        (&failed["event"], &failed["error"]),
        (&"connect_failed".into(), &"EINVAL".into()),
        "{failed}"
    );
    assert_eq!(failed.get("peer_addr"), None, "{failed}");
    scene.is_right();
}

#[test]
fn the_interface_of_a_datagram_socket_is_in_its_event_and_leaves_with_its_peer() {
    const TEST: &str = "the_interface_of_a_datagram_socket_is_in_its_event_and_leaves_with_its_peer";
    if !may_trace(TEST) {
        return;
    }
    let mut scene = Scene::begin("on-lo");
    for act in ["bind(('127.0.0.1', 4321))", "sendto(b'x', ('127.0.0.1', 9))", "connect(('127.0.0.1', 9))"] {
        scene.does("make().setsockopt(SOL_SOCKET, SO_BINDTODEVICE, b'lo')");
        scene.does(&format!("S[-1].{act}"));
        let event = scene.next();
        assert_eq!(event["ifindex"], 1, "{event}");
        let of_table = |scene: &Scene| {
            let row = scene.agent.rows().find(|row| row["cookie"] == event["cookie"]);
            row.map(|row| row["ifindex"].clone())
        };
        assert_eq!(of_table(&scene), Some(1.into()));
        // net/ipv4/udp.c, `__udp_disconnect`.
        if act.starts_with("bind") {
            scene.does("S[-1].connect(('127.0.0.1', 9))\nassert dissolve(S[-1]) == 0");
            scene.is_right();
            assert_eq!(of_table(&scene), Some(serde_json::Value::Null));
            scene.events_until_now();
        }
    }
}

#[test]
fn a_socket_of_another_namespace_than_its_users_is_in_its_own() {
    const TEST: &str = "a_socket_of_another_namespace_than_its_users_is_in_its_own";
    if !may_trace(TEST) {
        return;
    }
    let mut scene = Scene::begin("abroad");
    // Its sockets are made there, and used from here.
    scene.does(
        "
HERE = os.open(f'/proc/{os.getppid()}/ns/net', os.O_RDONLY)
A, B, C, D = make(), make(AF_INET6), make(), make(AF_UNIX)
libc.setns(HERE, 0)
A.bind(('127.0.0.1', 0))
B.sendto(b'x', ('::1', 9))
C.connect(('127.0.0.1', 9))
D.bind('\\0abroad')
libc.setns(NETNS, 0)
",
    );
    let mut kinds: Vec<String> = (0..4).map(|_| scene.next()["event"].as_str().unwrap().to_owned()).collect();
    kinds.sort();
    assert_eq!(kinds, ["bind", "bind", "connect", "open"]);
    scene.is_right();
}

#[test]
fn a_unix_socket_of_a_namespace_that_a_descriptor_keeps_has_its_binder() {
    const TEST: &str = "a_unix_socket_of_a_namespace_that_a_descriptor_keeps_has_its_binder";
    if !may_trace(TEST) {
        return;
    }
    let mut scene = Scene::begin("kept");
    scene.does(
        "
libc.unshare(0x40000000)
THERE = os.open('/proc/thread-self/ns/net', os.O_RDONLY)
make(AF_UNIX).bind('\\0kept')
libc.setns(NETNS, 0)
",
    );
    let netns: u64 = scene.asks("os.fstat(THERE).st_ino").parse().unwrap();
    let events = scene.agent.events(&["-x", "--kinds", "close"]);
    let row = || scene.agent.rows().find(|row| row["local_addr"] == "@kept" && row["netns"] == netns);
    let kept = wait_for("its row", row);
    assert_eq!((&kept["pid"], &kept["attribution"]), (&scene.actor.pid().into(), &"exact".into()), "{kept}");
    scene.does("S[-1].close()");
    let close = events.event(|event| event["local_addr"] == "@kept" && event["netns"] == netns);
    assert_eq!((&close["attribution"], &close["cookie"]), (&"exact".into(), &kept["cookie"]), "{close}");
}

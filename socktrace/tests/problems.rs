//! What is wrong with sockets, staged in a namespace of its own for each kind, and found with its process and nothing else.

use crate::agent::Agent;
use crate::agent::rights::{USER, run as as_user};
use crate::support::run::{Running, Said, run};
use crate::support::{deafen, in_own_netns, ip, may_trace, wait_for};
use nix::sys::socket::{
    AddressFamily, Backlog, SockFlag, SockType, SockaddrStorage, bind, connect, getsockname, listen, socket,
};
use serde_json::Value;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::{AsRawFd as _, OwnedFd};

const DOC: &str = include_str!("../../docs/problems.md");

/// What is found, by these words; with its exit status.
fn find(words: &[&str]) -> (Vec<Value>, Option<i32>) {
    let interval: &[&str] = if words.contains(&"--interval") { &[] } else { &["--interval", "0.3"] };
    let said = run(&[&["problems", "--json"], interval, words].concat());
    assert!(matches!(said.code, Some(0 | 3 | 4)), "{words:?}: {}", said.stderr);
    (objects(&said), said.code)
}

fn objects(said: &Said) -> Vec<Value> {
    let objects: Vec<Value> = said.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    for object in &objects {
        let fields = object.as_object().unwrap().keys();
        for field in fields.chain(object["evidence"].as_object().unwrap().keys()) {
            assert!(DOC.contains(&format!("`{field}`")), "{field} is not described");
        }
    }
    objects
}

/// The one problem there is, found without an agent; of this process.
#[track_caller]
fn the_one(words: &[&str], kind: &str) -> Value {
    let mut last = Vec::new();
    let found = wait_for(kind, || {
        last = find(&[&["--direct"], words].concat()).0;
        (!last.is_empty()).then(|| last.clone())
    });
    let kinds: Vec<_> = found.iter().map(|it| it["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, [kind], "{found:?}");
    assert_eq!(found[0]["pid"], std::process::id(), "{found:?}");
    check_show(&found[0]);
    found.into_iter().next().unwrap()
}

/// The command that shows the sockets shows some.
fn check_show(finding: &Value) {
    let show = finding["show"].as_str().unwrap();
    let (_, words) = show.split_once("socktrace ss ").unwrap_or_else(|| panic!("{show}"));
    let (options, filter) = words.split_once(" '").unwrap_or((words, "'"));
    let filter = filter.trim_end_matches('\'');
    let mut args: Vec<&str> = ["ss", "--direct", "-H"].into_iter().chain(options.split(' ')).collect();
    args.extend((!filter.is_empty()).then_some(filter));
    let said = run(&args);
    assert!(said.code == Some(0) && !said.stdout.is_empty(), "{show}: {}", said.stderr);
}

fn tcp() -> OwnedFd {
    socket(AddressFamily::Inet, SockType::Stream, SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK, None)
        .unwrap()
}

/// Begins to connect, and does not wait.
fn begin(to: SocketAddr) -> OwnedFd {
    let ours = tcp();
    let _ = connect(ours.as_raw_fd(), &SockaddrStorage::from(to));
    ours
}

/// A listener with that backlog.
fn listener(backlog: i32) -> (OwnedFd, SocketAddr) {
    let ours = tcp();
    bind(ours.as_raw_fd(), &SockaddrStorage::from("127.0.0.1:0".parse::<SocketAddr>().unwrap())).unwrap();
    listen(&ours, Backlog::new(backlog).unwrap()).unwrap();
    let port = getsockname::<SockaddrStorage>(ours.as_raw_fd()).unwrap().as_sockaddr_in().unwrap().port();
    (ours, ([127, 0, 0, 1], port).into())
}

/// Connections, both ends.
fn pairs(count: usize) -> (TcpListener, Vec<(TcpStream, TcpStream)>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let to = listener.local_addr().unwrap();
    let pair = |_| (TcpStream::connect(to).unwrap(), listener.accept().unwrap().0);
    let pairs = (0..count).map(pair).collect();
    (listener, pairs)
}

fn sysctl(name: &str, value: &str) {
    std::fs::write(format!("/proc/sys/net/ipv4/{name}"), value).unwrap();
}

#[test]
fn ephemeral_ports_that_are_nearly_used_up() {
    in_own_netns(|| {
        let server = TcpListener::bind("127.0.0.1:8080").unwrap();
        sysctl("ip_local_port_range", "40000 40009");
        let connect = |_| TcpStream::connect(server.local_addr().unwrap());
        let mut clients: Vec<_> = (0..7).map(connect).map(Result::unwrap).collect();
        assert_eq!(find(&["--direct", "ports"]).0, [Value::Null; 0], "70 % are not nearly all");
        clients.push(connect(8).unwrap());
        let found = the_one(&["ports"], "ports");
        assert_eq!((&found["severity"], &found["evidence"]["used"]), (&"warning".into(), &8.into()));
        assert_eq!(found["id"], "ports:127.0.0.1 to 127.0.0.1:8080");
        clients.extend((0..2).map(connect).map(Result::unwrap));
        let found = the_one(&["ports"], "ports");
        assert_eq!((&found["severity"], &found["evidence"]["percent"]), (&"critical".into(), &100.into()));
        assert!(connect(0).is_err(), "there is no port left");
        sysctl("ip_local_reserved_ports", "");
    });
}

#[test]
fn many_in_time_wait() {
    in_own_netns(|| {
        let (_listener, pairs) = pairs(6);
        for (client, server) in pairs {
            drop(client);
            drop(server);
        }
        let found = wait_for("six in TIME-WAIT", || {
            let (found, code) = find(&["--direct", "--threshold", "time-wait=6"]);
            (code == Some(3)).then_some(found)
        });
        assert_eq!((found.len(), &found[0]["evidence"]["count"]), (1, &6.into()), "{found:?}");
        assert!(found[0]["id"].as_str().unwrap().starts_with("time-wait:to 127.0.0.1:"), "{found:?}");
        check_show(&found[0]);
        assert_eq!(find(&["--direct"]), (Vec::new(), Some(0)), "harmless");
    });
}

#[test]
fn a_process_that_does_not_close_what_its_peers_have_closed() {
    in_own_netns(|| {
        let (_listener, pairs) = pairs(4);
        let held: Vec<_> = pairs
            .into_iter()
            .map(|(mut client, server)| {
                client.write_all(b"unread").unwrap();
                server
            })
            .collect();
        let words = ["--threshold", "close-wait=4", "--threshold", "close-wait-age=0"];
        let found = the_one(&words, "close-wait");
        assert_eq!(
            (&found["evidence"]["count"], &found["evidence"]["unread_bytes"]),
            (&4.into(), &24.into())
        );
        assert_eq!(
            find(&["--direct", "--threshold", "close-wait=4"]).0,
            [Value::Null; 0],
            "they may be closed yet"
        );
        drop(held);
    });
}

#[test]
fn a_listener_whose_queue_is_full_and_one_that_nobody_accepts_from() {
    in_own_netns(|| {
        let (full, to) = listener(1);
        let mut clients: Vec<_> = (0..2).map(|_| begin(to)).collect();
        let found = the_one(&[], "listen-queue");
        assert_eq!((&found["evidence"]["queue"], &found["evidence"]["backlog"]), (&2.into(), &1.into()));
        // One that it drops.
        clients.push(begin(to));
        let found = wait_for("the drops", || {
            let (found, _) = find(&["--direct", "--interval", "2"]);
            found.into_iter().find(|it| it["evidence"]["dropped"].as_u64() > Some(0))
        });
        assert_eq!((&found["severity"], &found["kind"]), (&"critical".into(), &"listen-queue".into()));
        drop((full, clients));

        let (_listener, to) = listener(100);
        let _client = begin(to);
        assert_eq!(find(&["--direct"]).0, [Value::Null; 0], "it may be accepted yet");
        let found = the_one(&["--threshold", "not-accepted-age=1"], "not-accepted");
        assert_eq!(found["evidence"]["queue"], 1);
    });
}

#[test]
fn connects_that_are_refused_and_those_that_nobody_answers() {
    if !may_trace("connects_that_are_refused_and_those_that_nobody_answers") {
        return;
    }
    in_own_netns(|| {
        let agent = Agent::start(&[]);
        for _ in 0..5 {
            assert!(TcpStream::connect("127.0.0.1:1").is_err());
        }
        let ask = || find(&["--agent", agent.path()]);
        let found = wait_for("the refused", || Some(ask().0).filter(|found| !found.is_empty()));
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!((&found[0]["kind"], &found[0]["evidence"]["failed"]), (&"connects".into(), &5.into()));
        assert_eq!(
            (&found[0]["evidence"]["reason"], &found[0]["evidence"]["failed_by"], &found[0]["pid"]),
            (&"ECONNREFUSED".into(), &"peer".into(), &std::process::id().into())
        );
        // An ordinary user is shown it without its process, as history shows it.
        let words = ["problems", "--json", "--interval", "0.1", "--agent", agent.path()];
        let theirs = objects(&as_user(&words, USER, USER));
        assert_eq!((theirs.len(), &theirs[0]["pid"]), (1, &Value::Null), "{theirs:?}");
        drop(agent);

        // Somebody takes what is sent, and answers nothing.
        ip("link add v0 type veth peer name v1");
        ip("addr add 192.0.2.1/24 dev v0");
        ip("link set v0 up");
        ip("link set v1 up");
        ip("neigh add 192.0.2.9 lladdr 02:00:00:00:00:09 dev v0");
        let _waiting: Vec<_> = (0..5).map(|_| begin(([192, 0, 2, 9], 80).into())).collect();
        let found = the_one(&[], "connects");
        assert_eq!(found["evidence"]["waiting"], 5);
    });
}

#[test]
fn a_lossy_peer() {
    in_own_netns(|| {
        let (_listener, mut pairs) = pairs(1);
        let (mut client, mut server) = pairs.pop().unwrap();
        deafen(&server, 1);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let mut all = vec![0; 3_000_000];
                server.read_exact(&mut all).unwrap();
            });
            client.write_all(&vec![b'x'; 3_000_000]).unwrap();
        });
        let found = the_one(&["peers", "--threshold", "retrans-segments=20"], "peers");
        assert_eq!(found["id"], "peers:127.0.0.1");
        assert!(found["evidence"]["percent"].as_f64().unwrap() >= 3.0, "{found}");
    });
}

#[test]
fn what_was_sent_is_not_acknowledged() {
    in_own_netns(|| {
        let (_listener, mut both) = pairs(2);
        let (mut silent, deaf) = both.pop().unwrap();
        let (mut full, _unread) = both.pop().unwrap();
        deafen(&deaf, 4);
        silent.write_all(&[b'x'; 500]).unwrap();
        full.set_nonblocking(true).unwrap();
        while full.write(&[b'x'; 65536]).is_ok() {}
        let found = wait_for("both", || {
            let (found, _) = find(&["--direct", "send-queue", "--threshold", "send-queue-age=2"]);
            (found.len() == 2).then_some(found)
        });
        let windows: Vec<_> =
            found.iter().map(|it| it["evidence"]["zero_window"].as_bool().unwrap()).collect();
        assert!(windows.contains(&true) && windows.contains(&false), "{found:?}");
        assert!(found.iter().all(|it| it["pid"] == std::process::id()), "{found:?}");
        found.iter().for_each(check_show);
    });
}

#[test]
fn nothing_is_wrong_with_a_server_and_its_clients() {
    in_own_netns(|| {
        let (listener, mut all) = pairs(50);
        for (client, server) in &mut all {
            client.write_all(b"ask").unwrap();
            server.read_exact(&mut [0; 3]).unwrap();
            server.write_all(&[b'x'; 20_000]).unwrap();
            client.read_exact(&mut [0; 20_000]).unwrap();
        }
        all.truncate(20);
        let said = run(&["problems", "--direct", "--interval", "0.3"]);
        assert_eq!((said.code, said.stdout.as_str()), (Some(0), ""), "{}", said.stderr);
        assert!(said.stderr.contains("no agent answers, so connects that have failed are not known"));
        let said = run(&["problems", "--direct", "--interval", "0.1", "close-wait", "--json=array"]);
        assert_eq!((said.code, said.stdout.as_str(), said.stderr.as_str()), (Some(0), "[]\n", ""));
        drop(listener);
    });
}

#[test]
fn watching_says_what_has_come_and_what_has_gone() {
    in_own_netns(|| {
        let watch = Running::start(&["problems", "--direct", "--json", "--watch=0.2", "listen-queue"]);
        let (full, to) = listener(1);
        let clients: Vec<_> = (0..2).map(|_| begin(to)).collect();
        let line = || serde_json::from_str::<Value>(&watch.line().unwrap()).unwrap();
        let came = line();
        assert_eq!((&came["change"], &came["kind"]), (&"new".into(), &"listen-queue".into()), "{came}");
        drop((full, clients));
        let left = line();
        assert_eq!((&left["change"], &left["id"]), (&"gone".into(), &came["id"]), "{left}");
    });
}

#[test]
fn what_cannot_be_asked_for_is_said() {
    for (words, expected) in [
        (&["problem"][..], "possible values"),
        (&["--threshold", "ports"], "expected NAME=NUMBER, such as close-wait=50"),
        (&["--threshold", "port=1"], "unknown threshold \"port\"; choose from ports, "),
        (&["--watch", "--json=array"], "an array is for a list that ends, and --watch does not"),
        (&["--interval", "0"], "expected a positive number of seconds"),
    ] {
        let said = run(&[&["problems", "--direct"], words].concat());
        assert!(said.code == Some(2) && said.stderr.contains(expected), "{words:?}: {}", said.stderr);
    }
}

//! Limits that are met over HTTP: whoever meets one is told why, with 400, 429 or 503 (docs/agent.md, "Limits").

use super::*;
use nix::sys::socket::{getsockopt, sockopt};
use std::time::Duration;

/// A server to whom everybody is an ordinary user, with limits that are changed.
fn start_limited(change: impl FnOnce(&mut Limits)) -> Running {
    let mut limits = Limits::for_descriptors(1 << 20);
    change(&mut limits);
    start_as(Rights { uid: u32::MAX, group: None, capabilities: u64::MAX }, limits)
}

#[tokio::test]
async fn an_answer_to_an_ordinary_user_that_takes_too_long_is_refused_or_broken_off() {
    let server = start_limited(|limits| limits.user.answer = Some(Duration::ZERO));
    for path in ["history", "sockets?states=all"] {
        let answer = server.raw(format!("GET /v1/{path} HTTP/1.0\r\n\r\n").as_bytes()).await;
        assert!(
            answer.starts_with("HTTP/1.0 503 ") && answer.contains("takes longer than"),
            "{path}: {answer}"
        );
    }
    // Its head may be sent before; then it has no end.
    let answer = server.raw(b"GET /v1/table HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await;
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 200 "), "{answer}");
    assert!(!answer.ends_with("\r\n0\r\n\r\n"), "{answer}");
    server.end().await;
}

#[tokio::test]
async fn who_waits_too_long_for_the_work_on_an_answer_is_told_so() {
    let server = start_limited(|limits| {
        (limits.user.work, limits.user.wait) = (0, Duration::from_millis(1));
    });
    for path in ["events", "history", "sockets?states=all", "table"] {
        let answer = server.raw(format!("GET /v1/{path} HTTP/1.0\r\n\r\n").as_bytes()).await;
        assert!(answer.starts_with("HTTP/1.0 503 "), "{path}: {answer}");
        assert!(answer.contains("the agent is busy with the questions of your user"), "{path}: {answer}");
    }
    // What takes no work is answered.
    client::status(&server.path).await.unwrap();
    server.end().await;
}

#[tokio::test]
async fn an_answer_that_must_be_kept_has_limited_room() {
    let server = start_limited(|limits| limits.user.bytes = 1);
    // 64 KiB are always granted.
    let _many: Vec<_> = (0..300).map(|_| std::net::UdpSocket::bind("127.0.0.1:0").unwrap()).collect();
    let answer =
        server.raw(b"GET /v1/sockets?tables=udp&states=all&show=memory&sort=local HTTP/1.0\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.0 503 "), "{answer}");
    // One that is written as it is made needs none.
    let answer = server.raw(b"GET /v1/sockets?tables=udp&states=all&show=no_header HTTP/1.0\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.0 200 "), "{answer}");
    server.end().await;
}

#[tokio::test]
async fn the_kernel_keeps_little_for_an_ordinary_user() {
    let limits = Limits::for_descriptors(1 << 20);
    let (asker, _requests) = request::channel();
    let server = Server { asker, rights: Rights::of_this_process(0), budget: Budget::new(limits) };
    let (ours, _client) = UnixStream::pair().unwrap();
    let _guest = server.admit(&ours, Viewer::user(1000, 1));
    // The kernel doubles it (net/core/sock.c, `__sock_set_sndbuf`).
    assert_eq!(getsockopt(&ours, sockopt::SndBuf).unwrap(), 128 << 10);
}

#[tokio::test]
async fn an_ordinary_user_has_filters_of_limited_cost() {
    let server = start_among_strangers();
    let globs = |count: usize| vec!["comm+%3D+*a*b*c*d*"; count].join("+or+");
    let events = |filter: String| format!("GET /v1/events?filter={filter} HTTP/1.0\r\n\r\n");
    let answer = server.raw(events(globs(500)).as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.0 400 ") && answer.contains("may have 512 predicates"), "{answer}");
    // Several at once are too much, one after the other is not.
    let subscribe = async || {
        let mut stream = UnixStream::connect(&server.path).await.unwrap();
        stream.write_all(events(globs(150)).as_bytes()).await.unwrap();
        let mut head = [0; 12];
        stream.read_exact(&mut head).await.unwrap();
        (stream, String::from_utf8_lossy(&head).into_owned())
    };
    let mut held = [subscribe().await, subscribe().await, subscribe().await];
    assert_eq!(held.each_ref().map(|(_, head)| &head[9..]), ["200", "200", "429"]);
    held[0].0.shutdown().await.unwrap();
    while subscribe().await.1 != "HTTP/1.0 200" {}
    drop(held);
    server.end().await;
}

#[tokio::test]
async fn who_is_one_too_many_is_told_so_and_is_served_when_others_have_gone() {
    let server = start_with(Limits::for_descriptors(16));
    let held: Vec<_> =
        (0..8).map(|_| std::os::unix::net::UnixStream::connect(&server.path).unwrap()).collect();
    for _ in 0..3 {
        let refused = client::status(&server.path).await.unwrap_err();
        let said = "root and the agent's group have as many connections to the agent as there can be (8): close some";
        assert!(matches!(refused, ClientError::Refused { status: 503, .. }), "{refused:?}");
        assert_eq!(refused.to_string(), said);
        // The client of ss is another one.
        let netns = crate::kernel::netns::current().unwrap();
        let refused = ask(&server.path, "tables=tcp", netns).await.unwrap_err();
        assert_eq!(refused.to_string(), said);
    }
    drop(held);
    while client::status(&server.path).await.is_err() {}
    server.end().await;
}

#[tokio::test]
async fn refusals_beyond_those_that_are_waited_for_are_no_connection_resets() {
    let limits = Limits::for_descriptors(16);
    let server = start_with(limits);
    let mut held = Vec::new();
    for _ in 0..limits.own.connections + limits.refused {
        held.push(UnixStream::connect(&server.path).await.unwrap());
    }
    // Whether they have asked, or ask at all.
    for asks in [false, true, false, true] {
        let mut stream = UnixStream::connect(&server.path).await.unwrap();
        if asks {
            // It may be refused, and closed, before.
            let _ = stream.write_all(&long_request()).await;
        }
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.expect("an answer, and its end");
        assert!(answer.starts_with("HTTP/1.1 503 Service Unavailable\r\n"), "{answer}");
        assert!(answer.ends_with("as there can be (8): close some\n"), "{answer}");
    }
    drop(held);
    server.end().await;
}

/// 60 KB, most of them after the head.
fn long_request() -> Vec<u8> {
    let mut request = b"POST /v1/status HTTP/1.1\r\nHost: x\r\nContent-Length: 60000\r\n\r\n".to_vec();
    request.resize(request.len() + 60_000, b'x');
    request
}

/// What each of so many clients came to, who ask at once, in pieces, on a thread of their own; and what went wrong.
fn crowd(path: PathBuf, count: usize, request: Vec<u8>) -> Vec<(String, Option<std::io::ErrorKind>)> {
    let one = async |path: PathBuf, request: Vec<u8>| {
        let mut stream = UnixStream::connect(&path).await.unwrap();
        let mut wrong = None;
        for piece in request.chunks(20_000) {
            wrong = wrong.or(stream.write_all(piece).await.err());
            tokio::task::yield_now().await;
        }
        let mut answer = String::new();
        wrong = wrong.or(stream.read_to_string(&mut answer).await.err());
        (answer, wrong.map(|error| error.kind()))
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(futures_util::future::join_all((0..count).map(|_| one(path.clone(), request.clone()))))
}

#[tokio::test]
async fn everybody_in_a_crowd_that_is_refused_is_told_why_whatever_they_send() {
    use nix::sys::resource::{Resource, getrlimit, setrlimit};
    let (_, most) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    setrlimit(Resource::RLIMIT_NOFILE, most, most).unwrap();
    let mut limits = Limits::for_descriptors(1 << 20);
    (limits.own.connections, limits.users.connections) = (0, 0);
    let mut long_head = b"GET /v1/status?".to_vec();
    long_head.resize(60_000, b'x');
    long_head.extend_from_slice(b" HTTP/1.1\r\nHost: x\r\n\r\n");
    for rights in [Rights::of_this_process(0), Rights { uid: u32::MAX, group: None, capabilities: u64::MAX }]
    {
        for request in [long_request(), long_head.clone()] {
            let server = start_as(rights, limits);
            let path = server.path.clone();
            let told = tokio::task::spawn_blocking(move || crowd(path, 500, request)).await.unwrap();
            for (answer, wrong) in &told {
                assert!(
                    answer.starts_with("HTTP/1.1 503 ") && answer.contains("as many connections"),
                    "{answer}"
                );
                assert_eq!(*wrong, None);
            }
            assert_eq!(told.len(), 500);
            server.end().await;
        }
    }
}

#[tokio::test]
async fn a_request_that_is_too_long_is_told_so_and_is_no_connection_reset() {
    let server = start();
    let mut request = b"GET /v1/status?".to_vec();
    request.resize(60_000, b'x');
    let path = server.path.clone();
    for (answer, wrong) in tokio::task::spawn_blocking(move || crowd(path, 20, request)).await.unwrap() {
        assert!(answer.starts_with("HTTP/1.1 4"), "{answer}");
        assert_eq!(wrong, None);
    }
    server.end().await;
}

//! The server over a real Unix socket, with a task behind it that answers what a test gives it.

mod limits;

use super::trial::{a_status, subject};
use super::*;
use crate::api::report::Report;
use crate::api::selection::{Format, Selection, TEXT};
use crate::api::sockets;
use crate::client::sockets::Connection;
use crate::client::{self, ClientError};
use crate::listing::Named;
use crate::runtime::budget::Limits;
use crate::runtime::request::{self, Request};
use crate::runtime::sink::Way;
use crate::runtime::stream::{BACKLOG, Feed};
use bytes::Bytes;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::mpsc;

struct Running {
    path: PathBuf,
    ending: watch::Sender<bool>,
    served: tokio::task::JoinHandle<()>,
    /// The feed of every stream that was asked for.
    feeds: mpsc::UnboundedReceiver<Feed>,
    _directory: tempfile::TempDir,
}

fn cookie(line: &str) -> u64 {
    let socket: serde_json::Value = serde_json::from_str(line).unwrap();
    socket["cookie"].as_u64().unwrap()
}

fn start() -> Running {
    start_with(Limits::for_descriptors(1 << 20))
}

fn start_with(limits: Limits) -> Running {
    start_as(Rights::of_this_process(0), limits)
}

fn start_as(rights: Rights, limits: Limits) -> Running {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("agent.sock");
    let listener = UnixListener::bind(&path).unwrap();
    let (asker, mut requests) = request::channel();
    let (feed_sender, feeds) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Some(request) = requests.next().await {
            match request {
                Request::Events { subscription, reply } => {
                    if let Way::Lines(_, feed) = subscription.way {
                        let _ = feed_sender.send(feed);
                    }
                    let _ = reply.send(Ok(()));
                }
                Request::History { reply } => _ = reply.send(None),
                Request::Keep { reply, .. } => _ = reply.send(()),
                Request::Candidates { reply, .. } => _ = reply.send(Named::No),
                Request::Opener { reply, .. } => _ = reply.send(None),
                Request::Openers { reply } => _ = reply.send([].into_iter().collect()),
                Request::Namespaces { reply } => _ = reply.send(Vec::new()),
                Request::Ready { reply } => _ = reply.send(7),
                Request::Cookies { reply, .. } => _ = reply.send((1..=1000).collect()),
                Request::Subjects { cookies, reply } => {
                    assert!(cookies.len() <= 512, "no long turn");
                    _ = reply
                        .send(cookies.into_iter().filter(|cookie| cookie % 2 == 0).map(subject).collect());
                }
                Request::Status { reply } => _ = reply.send(a_status()),
            }
        }
    });
    let (ending, ended) = watch::channel(false);
    let budget = Budget::new(limits);
    let server = Server { asker, rights, budget };
    let served = tokio::spawn(server.serve(listener, ended));
    Running { path, ending, served, feeds, _directory: directory }
}

impl Running {
    /// What the server answers to these very bytes, until it closes the connection.
    async fn raw(&self, request: &[u8]) -> String {
        let mut stream = UnixStream::connect(&self.path).await.unwrap();
        // The server may close before it has read everything.
        let _ = stream.write_all(request).await;
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer).await;
        String::from_utf8_lossy(&answer).into_owned()
    }

    async fn end(self) {
        self.ending.send(true).unwrap();
        self.served.await.unwrap();
    }
}

fn no_gap(_: u64) -> Bytes {
    panic!("nothing was lost");
}

#[tokio::test]
async fn status_is_answered() {
    let server = start();
    assert_eq!(client::status(&server.path).await.unwrap(), a_status());
    let answer = server.raw(b"GET /v1/status HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"), "{answer}");
    server.end().await;
}

#[tokio::test]
async fn the_table_is_answered_in_pieces() {
    let server = start();
    let answer = server.raw(b"GET /v1/table HTTP/1.0\r\n\r\n").await;
    let (_, body) = answer.split_once("\r\n\r\n").unwrap();
    let cookies: Vec<u64> = body.lines().map(cookie).collect();
    // Those that have gone meanwhile are not in it.
    assert_eq!(cookies, (1..=500).map(|n| 2 * n).collect::<Vec<_>>());
    server.end().await;
}

/// A question as a command asks it.
async fn ask(path: &Path, query: &str, netns: u32) -> Result<(String, Option<Report>), ClientError> {
    let (path, query) = (path.to_owned(), format!("{query}&asked_from={netns}"));
    let ask = move || {
        let request = sockets::Request::from_request(TEXT, &query).unwrap();
        let mut reply = Connection::open(&path)?.ask(&request)?;
        let mut text = Vec::new();
        while reply.next(|bytes| {
            text.extend_from_slice(bytes);
            Ok::<_, ClientError>(())
        })? {}
        Ok((String::from_utf8(text).unwrap(), reply.into_report()))
    };
    tokio::task::spawn_blocking(ask).await.unwrap()
}

#[tokio::test]
async fn sockets_are_listed_and_what_is_wrong_is_said() {
    let server = start();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let netns = crate::kernel::netns::current().unwrap();
    let query = format!("tables=tcp&states=listening&show=numeric,no_header&filter=sport+=+:{port}");
    let (text, report) = ask(&server.path, &query, netns).await.unwrap();
    assert_eq!(report.map(|report| report.rows), Some(1));
    assert!(text.contains(&format!("127.0.0.1:{port}")) && text.lines().count() == 1, "{text}");
    let refused = ask(&server.path, "tables=tcp&filter=sprot+=+:1", netns).await.unwrap_err();
    assert!(refused.is_usage() && refused.to_string().contains("did you mean `sport`"), "{refused}");
    let refused = ask(&server.path, "tables=tcp", 1).await.unwrap_err();
    assert_eq!(refused.to_string(), "there is no network namespace 1 any more");
    server.end().await;
}

#[tokio::test]
async fn events_arrive_while_they_happen() {
    let mut server = start();
    let mut answer = client::events(&server.path, &Selection::default(), Format::Json).await.unwrap();
    let mut feed = server.feeds.recv().await.unwrap();
    for line in ["one\n", "two\n"] {
        feed.send(&line.into(), no_gap);
        assert_eq!(answer.next().await.unwrap().unwrap(), line);
    }
    drop(feed);
    assert_eq!(answer.next().await.unwrap(), None);
    server.end().await;
}

#[tokio::test]
async fn what_is_asked_wrongly_is_refused_in_words() {
    let server = start();
    for (request, status, words) in [
        ("GET /v1/events?kind=bind HTTP/1.1\r\nHost: x", "400 Bad Request", "kind=bind: expected kinds,"),
        ("GET /v1/events?count=0 HTTP/1.1\r\nHost: x", "400 Bad Request", "count=0: expected a positive"),
        (
            "GET /v1/sockets?tables=tcp&width=18446744073709551615 HTTP/1.1\r\nHost: x",
            "400 Bad Request",
            "width=18",
        ),
        ("GET /v1/history?count=1 HTTP/1.1\r\nHost: x", "400 Bad Request", "count=1: expected since, until,"),
        ("GET /v1/history?since=soon HTTP/1.1\r\nHost: x", "400 Bad Request", "since=soon: expected a time"),
        ("GET /v1/history?filter=sprt HTTP/1.1\r\nHost: x", "400 Bad Request", "unknown filter keyword"),
        ("GET /v1/history HTTP/1.1\r\nHost: x", "404 Not Found", "no history is kept here"),
        (
            "GET / HTTP/1.1\r\nHost: x",
            "404 Not Found",
            "there are /v1/events, /v1/history, /v1/openapi.json, /v1/",
        ),
        ("POST /v1/status HTTP/1.1\r\nHost: x", "405 Method Not Allowed", ""),
        ("HELO agent", "400 Bad Request", ""),
    ] {
        let answer = server.raw(format!("{request}\r\nConnection: close\r\n\r\n").as_bytes()).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{request}: {answer}");
        assert!(answer.contains(words), "{request}: {answer}");
    }
    let selection = Selection { pids: Vec::new(), ..Selection::default() };
    client::events(&server.path, &selection, Format::Json).await.unwrap();
    server.end().await;
}

#[tokio::test]
async fn the_openapi_document_has_the_parameters_that_are_taken() {
    let server = start();
    let answer = server.raw(b"GET /v1/openapi.json HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.contains("content-type: application/json"), "{head}");
    let document: serde_json::Value = serde_json::from_str(body).unwrap();
    for (path, has_look) in [("/v1/events", true), ("/v1/history", true), ("/v1/sockets", false)] {
        let parameters = document["paths"][path]["get"]["parameters"].as_array().unwrap();
        let documented: BTreeSet<_> =
            parameters.iter().map(|parameter| parameter["name"].as_str().unwrap().to_owned()).collect();
        let request = format!("GET {path}?none=1 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        let refused = server.raw(request.as_bytes()).await;
        let (_, taken) = refused.split_once("none=1: expected ").unwrap_or_else(|| panic!("{refused}"));
        let look = if has_look { &Format::PARAMETERS[..] } else { &[] };
        let taken: BTreeSet<_> =
            taken.trim().split(", ").chain(look.iter().copied()).map(str::to_owned).collect();
        assert_eq!(documented, taken, "{path}");
    }
    server.end().await;
}

#[tokio::test]
async fn an_oversized_request_is_refused_and_others_are_served() {
    let server = start();
    let mut request = b"GET /v1/status?".to_vec();
    request.resize(256 * 1024, b'x');
    request.extend_from_slice(b" HTTP/1.1\r\nHost: x\r\n\r\n");
    let answer = server.raw(&request).await;
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 4"), "{answer}");
    client::status(&server.path).await.unwrap();
    server.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_half_sent_request_is_given_up_and_others_are_served_meanwhile() {
    let server = start();
    let mut half = UnixStream::connect(&server.path).await.unwrap();
    half.write_all(b"GET /v1/status HT").await.unwrap();
    client::status(&server.path).await.unwrap();
    // The clock is the test's: it jumps to the server's deadline as soon as everybody waits.
    let mut answer = Vec::new();
    half.read_to_end(&mut answer).await.unwrap();
    assert!(answer.is_empty() || answer.starts_with(b"HTTP/1.1 408"), "{answer:?}");
    server.end().await;
}

/// A server to whom everybody is an ordinary user.
fn start_among_strangers() -> Running {
    start_as(Rights { uid: u32::MAX, group: None, capabilities: u64::MAX }, Limits::for_descriptors(1 << 20))
}

#[tokio::test]
async fn no_name_service_is_asked_for_an_ordinary_user() {
    let server = start_among_strangers();
    let advice = "an agent asks no name service for ordinary users";
    for path in
        ["events?filter=dst+localhost", "history?filter=dst+localhost", "sockets?filter=dst+localhost"]
    {
        let request = format!("GET /v1/{path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        let answer = server.raw(request.as_bytes()).await;
        assert!(answer.starts_with("HTTP/1.1 400 ") && answer.contains(advice), "{answer}");
        assert!(answer.contains("\n      ^^^^^^^^^\n"), "the name is pointed at: {answer}");
    }
    let answer = server.raw(b"GET /v1/sockets?tables=tcp&show=resolve HTTP/1.0\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.0 403 ") && answer.contains(advice), "{answer}");
    server.end().await;
}

#[tokio::test]
async fn fifty_readers_get_the_same() {
    let mut server = start();
    let mut answers = Vec::new();
    let mut feeds = Vec::new();
    for _ in 0..50 {
        answers.push(client::events(&server.path, &Selection::default(), Format::Json).await.unwrap());
        feeds.push(server.feeds.recv().await.unwrap());
    }
    let lines: Vec<Bytes> = (0..1000).map(|n| format!("line {n}\n").into()).collect();
    for line in &lines {
        for feed in &mut feeds {
            feed.send(line, no_gap);
        }
    }
    drop(feeds);
    let expected = lines.concat();
    for answer in answers {
        assert_eq!(answer.all().await.unwrap(), expected);
    }
    server.end().await;
}

#[tokio::test]
async fn a_reader_that_never_reads_is_told_what_it_missed_and_slows_nobody() {
    let mut server = start();
    let mut slow = client::events(&server.path, &Selection::default(), Format::Json).await.unwrap();
    let mut slow_feed = server.feeds.recv().await.unwrap();
    let mut quick = client::events(&server.path, &Selection::default(), Format::Json).await.unwrap();
    let mut quick_feed = server.feeds.recv().await.unwrap();
    let line = Bytes::from(format!("{}\n", "x".repeat(255)));
    let gap = |lost: u64| Bytes::from(format!("lost {lost}\n"));
    let (sent, mut received, mut lost) = (4 * BACKLOG, 0, 0u64);
    for n in 0..sent {
        lost += u64::from(slow_feed.send(&line, gap) == crate::runtime::stream::Fed::Lost);
        quick_feed.send(&line, no_gap);
        if n % 1024 == 1023 {
            while received < (n + 1) * line.len() {
                received += quick.next().await.unwrap().unwrap().len();
            }
        }
    }
    assert_eq!(received, sent * line.len());
    assert!(lost > 0);
    // Once it reads, there is room to tell it.
    let mut text = Vec::new();
    let mut told = false;
    while !told {
        text.extend_from_slice(&slow.next().await.unwrap().unwrap());
        told = slow_feed.tell_gap(gap) == crate::runtime::stream::Fed::Sent;
        slow_feed.flush(&Bytes::new());
    }
    drop(slow_feed);
    text.extend_from_slice(&slow.all().await.unwrap());
    let text = String::from_utf8(text).unwrap();
    let (gaps, lines): (Vec<_>, Vec<_>) = text.lines().partition(|line| line.starts_with("lost "));
    let told: u64 = gaps.iter().map(|gap| gap["lost ".len()..].parse::<u64>().unwrap()).sum();
    assert_eq!((told, lines.len() as u64 + lost), (lost, sent as u64));
    server.end().await;
}

#[tokio::test(start_paused = true)]
async fn the_end_waits_for_nobody_who_does_not_read() {
    let mut server = start();
    let answer = client::events(&server.path, &Selection::default(), Format::Json).await.unwrap();
    let feed = server.feeds.recv().await.unwrap();
    let path = server.path.clone();
    server.end().await;
    assert!(matches!(client::status(&path).await, Err(ClientError::Absent { .. })));
    drop((answer, feed));
}

#[tokio::test]
async fn nobody_there_is_told_from_a_refusal() {
    let error = client::status(Path::new("/nonexistent/agent.sock")).await.unwrap_err();
    assert!(matches!(error, ClientError::Absent { .. }));
    assert_eq!(error.to_string(), "no agent answers on /nonexistent/agent.sock: no such file or directory");
}

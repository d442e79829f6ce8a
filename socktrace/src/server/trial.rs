//! The server with a small table behind it, fed with raw bytes: by the fuzz target `http`, and by tests.
//!
//! Everything from the bytes of a request to those of its answer is what an agent does; only the one task behind it is
//! replaced. I/O: sockets of its own, and the kernel's, which `/v1/sockets` lists.

use super::lane::{HEADER_TIMEOUT, http};
use super::routes::router;
use super::stall::Connection;
use super::{Client, Server};
use crate::api::status::Status;
use crate::archive::log::Log;
use crate::archive::{Options, Recorder};
use crate::history::Bounds;
use crate::kernel::netns;
use crate::listing::Named;
use crate::render::clock::Clock;
use crate::runtime::budget::{Budget, Limits};
use crate::runtime::request::{self, Inbox, Request};
use crate::runtime::sink::Sinks;
use crate::server::rights::Rights;
use crate::socket::{
    BootNs, Comm, Cookie, Ended, Endpoint, Event, EventKind, Family, NetnsId, Owner, Process, Proto, State,
    Subject, UnixName, Viewer,
};
use axum::{Extension, Router};
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use std::io;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixStream;
use tokio::runtime::Runtime;

/// How long one answer may take; nothing in it waits for anybody.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(60);
/// What is kept of an answer, bytes.
const HEAD: usize = 8192;
/// Sockets of the table.
const COOKIES: std::ops::RangeInclusive<Cookie> = 1..=8;

/// Whose request it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whose {
    /// An ordinary user's, of the namespace in which this runs.
    User,
    /// Root's.
    Root,
}

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// Its beginning.
    pub head: Vec<u8>,
    /// How many bytes it has.
    pub length: usize,
}

/// A server for requests in bytes.
#[derive(Debug)]
pub struct Trial {
    runtime: Runtime,
    server: Server,
    netns: NetnsId,
}

impl Trial {
    /// A server of its own. Not within a tokio runtime.
    ///
    /// # Errors
    /// There is no event loop, or no network namespace to be seen.
    pub fn new() -> io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let netns = netns::current().map_err(io::Error::other)?;
        let (asker, requests) = request::channel();
        runtime.spawn(answer(requests, netns));
        let rights = Rights { uid: u32::MAX, group: None, capabilities: u64::MAX };
        let budget = Budget::new(Limits::for_descriptors(1 << 20));
        Ok(Self { runtime, server: Server { asker, rights, budget }, netns })
    }

    /// What is answered to these bytes by the end of the connection, after which nothing more comes from the client.
    ///
    /// # Errors
    /// The answer has no end.
    pub fn answer(&self, whose: Whose, bytes: &[u8]) -> io::Result<Answer> {
        let viewer = match whose {
            Whose::User => Viewer::user(1000, self.netns),
            Whose::Root => Viewer::Own,
        };
        let asker =
            if viewer.is_limited() { self.server.asker.for_users() } else { self.server.asker.clone() };
        let client = Client { viewer, account: self.server.budget.account(viewer) };
        let answer = exchange(router(asker).layer(Extension(client)), bytes);
        self.runtime.block_on(async { tokio::time::timeout(ANSWER_TIMEOUT, answer).await })?
    }
}

impl Answer {
    /// Its status; none if the connection was closed without an answer.
    #[must_use]
    pub fn status(&self) -> Option<u16> {
        let head = std::str::from_utf8(self.head.get(..12)?).ok()?;
        head.strip_prefix("HTTP/1.").and_then(|rest| rest.get(2..)?.parse().ok())
    }
}

async fn exchange(router: Router, bytes: &[u8]) -> io::Result<Answer> {
    let (ours, client) = UnixStream::pair()?;
    // The client says that nothing more comes, which is the end of requests and not of their answers.
    let served = http(HEADER_TIMEOUT)
        .half_close(true)
        .serve_connection(TokioIo::new(Connection::new(ours)), TowerToHyperService::new(router));
    let (mut reads, mut writes) = client.into_split();
    let ask = async {
        // The server may close before it has read everything.
        let _ = writes.write_all(bytes).await;
        let _ = writes.shutdown().await;
    };
    let take = async {
        let mut answer = Answer { head: Vec::new(), length: 0 };
        let mut piece = [0; HEAD];
        while let Ok(length @ 1..) = reads.read(&mut piece).await {
            let room = HEAD.saturating_sub(answer.head.len());
            answer.head.extend_from_slice(&piece[..length.min(room)]);
            answer.length += length;
        }
        answer
    };
    // An error of the connection is the client's.
    let (_, (), answer) = tokio::join!(served, ask, take);
    Ok(answer)
}

/// Answers what the task that owns the table is asked.
async fn answer(mut requests: Inbox, netns: NetnsId) {
    let log = log(netns);
    while let Some(request) = requests.next().await {
        // Errors mean that whoever asked has gone.
        match request {
            Request::Events { subscription, reply } => {
                let mut sinks = Sinks::new();
                let id = sinks.number();
                sinks.subscribe(id, *subscription, reply);
                events(netns).into_iter().for_each(|event| sinks.push(event));
                sinks.flush(0, &Clock::default());
            }
            Request::History { reply } => _ = reply.send(Some(log.clone())),
            Request::Keep { reply, .. } => _ = reply.send(()),
            Request::Candidates { reply, .. } => _ = reply.send(Named::No),
            Request::Opener { reply, .. } => _ = reply.send(None),
            Request::Openers { reply } => _ = reply.send([].into_iter().collect()),
            Request::Namespaces { reply } => _ = reply.send(Vec::new()),
            Request::Ready { reply } => _ = reply.send(1),
            Request::Cookies { reply, .. } => _ = reply.send(COOKIES.collect()),
            Request::Subjects { cookies, reply } => {
                _ = reply.send(cookies.into_iter().map(|cookie| socket(cookie, netns)).collect());
            }
            Request::Status { reply } => _ = reply.send(a_status()),
        }
    }
}

/// What has ended.
fn log(netns: NetnsId) -> Log {
    let options = Options { bounds: Bounds { records: 64, bytes: 1 << 16 }, files: None };
    let clock = Clock::default();
    let mut recorder = Recorder::start(&options, 0, &clock);
    for cookie in COOKIES {
        let kind = EventKind::Close { duration_us: Some(5), closing: None, found: false };
        recorder.push(&Ended { at: cookie, kind, subject: socket(cookie, netns), missed: false }, &clock);
    }
    recorder.log()
}

/// What happens while somebody subscribes.
fn events(netns: NetnsId) -> Vec<Event> {
    let kind = |cookie| match cookie % 4 {
        0 => EventKind::Bind { errno: 0 },
        1 => EventKind::Connect { latency_us: Some(7) },
        2 => EventKind::ConnectFailed { errno: 111, latency_us: None, failed_by: None },
        _ => EventKind::Close { duration_us: None, closing: None, found: true },
    };
    let event = |cookie: Cookie| {
        let at: BootNs = cookie;
        Event { at, kind: kind(cookie), subject: Some(Box::new(socket(cookie, netns))) }
    };
    let lost = Event { at: 100, kind: EventKind::Lost { records: 3 }, subject: None };
    COOKIES.map(event).chain([lost]).collect()
}

/// A socket of the table: TCP, UDP and UNIX, of root and of an ordinary user.
fn socket(cookie: Cookie, netns: NetnsId) -> Subject {
    let inet = |addr: &str, port| Endpoint::Inet { addr: addr.parse().expect("an address"), port };
    let (proto, family, local, peer) = match cookie % 3 {
        0 => (Proto::Tcp, Family::Inet, inet("192.0.2.1", 80), inet("192.0.2.2", 40_000)),
        1 => (Proto::Udp, Family::Inet6, inet("2001:db8::1", 53), inet("::", 0)),
        _ => {
            let name = UnixName::from_bytes(b"/run/a b\"\x1b[31m");
            (Proto::UnixStream, Family::Unix, Endpoint::Unix { name, inode: 9 }, Endpoint::None)
        }
    };
    let process = Process { pid: 5, comm: Comm::from_bytes(b"some\x07name") };
    Subject {
        netns,
        proto,
        family,
        local,
        peer,
        uid: Some(if cookie.is_multiple_of(2) { 0 } else { 1000 }),
        cgroup: 77,
        owner: Owner::Exact(process),
        opened: Some(cookie),
        ..subject(cookie)
    }
}

/// A socket.
pub(super) fn subject(cookie: Cookie) -> Subject {
    let end = Endpoint::Inet { addr: [192, 0, 2, 1].into(), port: 80 };
    Subject {
        cookie,
        netns: 7,
        proto: Proto::Tcp,
        family: Family::Inet,
        local: end.clone(),
        peer: end,
        state: State::Established,
        ifindex: 0,
        uid: None,
        mark: 0,
        inode: 0,
        cgroup: 0,
        place: None,
        owner: Owner::Unknown,
        opened: None,
    }
}

/// A status.
pub(super) fn a_status() -> Status {
    Status {
        sockets: Some(7),
        events_seen: Some(0),
        events_lost: 0,
        skipped: 0,
        families: std::collections::BTreeMap::new(),
        resyncs: 0,
        audits: 0,
        drift: 0,
        history_records: Some(0),
        history_bytes: Some(0),
        hooks: Vec::new(),
        seccomp: true,
        uptime_s: 0,
        rss_bytes: 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Statuses that a request can get from a server that has nothing else to do.
    const STATUSES: [u16; 8] = [200, 400, 403, 404, 405, 414, 429, 431];

    /// Pieces of requests.
    fn piece() -> impl Strategy<Value = String> {
        let known = vec![
            "GET ",
            "POST ",
            "HEAD ",
            "/v1/events",
            "/v1/history",
            "/v1/sockets",
            "/v1/status",
            "/v1/table",
            "?",
            "&",
            "tables=tcp,unix",
            "families=inet6",
            "states=all",
            "states=",
            "show=numeric,processes,info",
            "columns=local,process",
            "sort=-recvq,peer",
            "top=3",
            "count_by=state",
            "bpf_maps=all",
            "all_netns=1",
            "netns=1",
            "asked_from=1",
            "width=80",
            "width=99999999999999999999",
            "filter=",
            "sport+%3D+:80",
            "state+listening",
            "dst+10/8",
            "comm=a*",
            "not+",
            "(+",
            "+or+",
            "kinds=bind,close",
            "states=1",
            "proto=tcp",
            "family=inet6",
            "pid=1",
            "count=2",
            "columns=time,local",
            "since=1h",
            "until=-5",
            "numeric=1",
            "utc_offset=3600",
            "%00",
            "%ff",
            "\u{7f}",
            " HTTP/1.1\r\n",
            " HTTP/1.0\r\n",
            "Host: x\r\n",
            "Accept: text/plain\r\n",
            "TE: trailers\r\n",
            "Content-Length: 5\r\n",
            "Transfer-Encoding: chunked\r\n",
            "Connection: close\r\n",
            "Expect: 100-continue\r\n",
            "\r\n",
            "\r\n\r\n",
        ];
        prop_oneof![12 => prop::sample::select(known).prop_map(str::to_owned), 1 => any::<String>()]
    }

    /// Requests that are nearly right, and others.
    fn request() -> impl Strategy<Value = Vec<u8>> {
        let pieces = || prop::collection::vec(piece(), 0..24).prop_map(|pieces| pieces.concat());
        let path = prop::sample::select(vec!["events", "history", "sockets", "status", "table"]);
        let right = (path, pieces()).prop_map(|(path, pieces)| {
            let query: String = pieces.chars().filter(|c| !c.is_whitespace() && !c.is_control()).collect();
            format!("GET /v1/{path}?{query} HTTP/1.1\r\nHost: x\r\n\r\n")
        });
        prop_oneof![3 => right, 1 => pieces()].prop_map(String::into_bytes)
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn every_request_is_answered_or_refused(request in request()) {
            thread_local!(static TRIAL: Trial = Trial::new().unwrap());
            // For an ordinary user no name service is asked.
            let answer = TRIAL.with(|trial| trial.answer(Whose::User, &request)).expect("an end");
            prop_assert!(answer.length < 1 << 20, "{} bytes", answer.length);
            match answer.status() {
                Some(status) => prop_assert!(STATUSES.contains(&status), "{status}"),
                // It ended before its head did.
                None => prop_assert_eq!(answer.length, 0),
            }
        }
    }

    /// What the fuzz target begins with: every one of them is a request of its own kind.
    #[test]
    fn every_seed_is_answered_or_refused() {
        let trial = Trial::new().unwrap();
        let seeds = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/seeds/http");
        let mut statuses = std::collections::BTreeMap::new();
        for seed in std::fs::read_dir(seeds).unwrap() {
            let seed = std::fs::read(seed.unwrap().path()).unwrap();
            // What root asks for may need rights.
            let request = seed.strip_prefix(b"!").unwrap_or(&seed);
            let answer = trial.answer(Whose::User, request).expect("an end");
            assert!(answer.length < 1 << 20, "{} bytes", answer.length);
            *statuses.entry(answer.status().expect("an answer")).or_insert(0) += 1;
        }
        assert!(statuses.keys().all(|status| STATUSES.contains(status)), "{statuses:?}");
        assert!(statuses[&200] >= 8, "most are good ones: {statuses:?}");
    }

    #[test]
    fn what_is_asked_rightly_is_answered() {
        let trial = Trial::new().unwrap();
        for (target, least) in [
            ("/v1/events", 9),
            ("/v1/events?kinds=close", 3),
            ("/v1/history?filter=sport+%3D+:80", 2),
            ("/v1/history", 8),
            ("/v1/sockets?states=all", 1),
            ("/v1/status", 1),
            ("/v1/table", 8),
        ] {
            let request = format!("GET {target} HTTP/1.0\r\n\r\n");
            let answer = trial.answer(Whose::Root, request.as_bytes()).unwrap();
            assert_eq!(answer.status(), Some(200), "{target}");
            let text = String::from_utf8(answer.head).unwrap();
            let (_, body) = text.split_once("\r\n\r\n").unwrap();
            assert!(body.lines().count() >= least || answer.length > HEAD, "{target}: {text}");
        }
    }
}

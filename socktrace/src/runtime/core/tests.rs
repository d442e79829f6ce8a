//! The task against changes that are given, and dumps of this machine.

use super::*;
use crate::api::selection::{Format, Selection};
use crate::runtime::budget::{Budget, Limits};
use crate::runtime::interest::{interest, names};
use crate::runtime::request::{self, Asker};
use crate::runtime::source::given::Given;
use crate::runtime::stop::Stop;
use crate::socket::{
    Change, ChangeKind, Comm, Endpoint, Family, KindSet, Owner, Process, Proto, State, Subject, Viewer,
};
use serde_json::Value;
use tokio::task::JoinHandle;

struct Running {
    given: Given,
    asker: Asker,
    ending: watch::Sender<bool>,
    task: JoinHandle<()>,
}

async fn start() -> Running {
    let given = Given::default();
    let (asker, requests) = request::channel();
    let (ending, ended) = watch::channel(false);
    let task = tokio::spawn(Core::new(Source::Given(given.clone())).run(requests, ended));
    Running { given, asker, ending, task }
}

impl Running {
    async fn subscribe(&self, selection: Selection) -> crate::runtime::stream::EventStream {
        let interest = interest(&selection, Viewer::Own, &names(Viewer::Own, &Stop::default())).unwrap();
        let room = Budget::new(Limits::for_descriptors(64)).account(Viewer::Own).room();
        self.asker.lines(interest, Format::Json, selection.count, room).await.unwrap()
    }

    async fn end(self) {
        self.ending.send(true).unwrap();
        self.task.await.unwrap();
    }
}

fn endpoint(port: u16) -> Endpoint {
    Endpoint::Inet { addr: [192, 0, 2, 1].into(), port }
}

/// A connect of this process's, that failed.
fn refused(cookie: u64) -> [Change; 2] {
    let change = |old, new, process| Change {
        at: time::boot_now(),
        cookie,
        netns: 1,
        proto: Proto::Tcp,
        family: Family::Inet,
        local: endpoint(1000),
        peer: endpoint(80),
        state: None,
        ifindex: 0,
        uid: None,
        mark: 0,
        cgroup: 0,
        process,
        inode: 0,
        msk: 0,
        kind: ChangeKind::State { old, new, orphan: false, closing: None },
    };
    let process = Process { pid: 4_000_000, comm: Comm::from_bytes(b"tester") };
    [change(State::Close, State::SynSent, Some(process)), change(State::SynSent, State::Close, None)]
}

fn events(text: &[u8]) -> Vec<Value> {
    let lines = std::str::from_utf8(text).unwrap().lines();
    lines.map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[tokio::test]
async fn changes_go_in_and_events_come_out() {
    let running = start().await;
    let mut stream = running.subscribe(Selection::default()).await;
    refused(u64::MAX - 1).into_iter().for_each(|change| running.given.push(change));
    let told = events(&stream.next().await.unwrap());
    assert_eq!(told[0]["event"], "connect_failed", "{told:?}");
    assert_eq!((&told[0]["comm"], &told[0]["peer_port"]), (&"tester".into(), &80.into()));
    running.end().await;
}

#[tokio::test]
async fn the_source_knows_what_is_wanted_before_a_stream_begins() {
    let running = start().await;
    running.asker.ready().await.unwrap();
    assert_eq!(running.given.wanted(), KindSet::EMPTY);
    let all = running.subscribe(Selection { states: true, ..Selection::default() }).await;
    assert_eq!(running.given.wanted(), KindSet::ALL);
    let mut usual = running.subscribe(Selection::default()).await;
    drop(all);
    // The next event shows that nobody reads it.
    refused(u64::MAX - 1).into_iter().for_each(|change| running.given.push(change));
    usual.next().await.unwrap();
    while running.given.wanted() != KindSet::USUAL {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    // And so does time, where there is none.
    drop(usual);
    while running.given.wanted() != KindSet::EMPTY {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    running.end().await;
}

#[tokio::test]
async fn a_stream_with_a_count_ends_by_itself() {
    let running = start().await;
    let count = std::num::NonZeroU64::new(3);
    let mut stream = running.subscribe(Selection { count, ..Selection::default() }).await;
    for cookie in 1..=10 {
        refused(u64::MAX - cookie).into_iter().for_each(|change| running.given.push(change));
    }
    let mut told = Vec::new();
    while let Some(piece) = stream.next().await {
        told.extend(events(&piece));
    }
    assert_eq!(told.len(), 3, "{told:?}");
    running.end().await;
}

#[tokio::test]
async fn what_happened_before_the_end_is_told() {
    let running = start().await;
    let mut stream = running.subscribe(Selection::default()).await;
    refused(u64::MAX - 1).into_iter().for_each(|change| running.given.push(change));
    running.end().await;
    let mut told = Vec::new();
    while let Some(piece) = stream.next().await {
        told.extend(events(&piece));
    }
    assert!(!told.is_empty());
}

#[tokio::test]
async fn a_loss_is_told_then_repaired_and_counted() {
    let running = start().await;
    running.asker.ready().await.unwrap();
    let kinds = vec!["resync".to_owned()];
    let mut stream = running.subscribe(Selection { kinds, ..Selection::default() }).await;
    running.given.lose(5);
    let mut told = Vec::new();
    while told.len() < 2 {
        told.extend(events(&stream.next().await.unwrap()));
    }
    assert_eq!((&told[0]["event"], &told[0]["lost"]), (&"lost".into(), &5.into()));
    assert_eq!(told[1]["event"], "resync");
    let status = running.asker.status().await.unwrap();
    assert_eq!((status.events_seen, status.events_lost, status.resyncs), (Some(5), 5, 1));
    running.end().await;
}

#[tokio::test]
async fn the_table_has_what_the_kernel_has() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let running = start().await;
    assert!(running.asker.ready().await.unwrap() > 0);
    let asker = running.asker.clone();
    let table = move || asker.subjects(asker.cookies(Viewer::Own).unwrap()).unwrap();
    let rows = tokio::task::spawn_blocking(table).await.unwrap();
    let is_ours =
        |row: &&Subject| row.local.inet().is_some_and(|(_, of)| of == port) && row.state == State::Listen;
    let ours = rows.iter().find(is_ours).unwrap();
    assert!(matches!(ours.owner, Owner::Holder(process) if process.pid == std::process::id()), "{ours:?}");
    running.end().await;
}

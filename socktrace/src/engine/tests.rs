//! What the engine does with each input.

mod loss;
mod unix;

use super::*;
use crate::query::{Context, Dialect, Filter, NoNames, parse};
use crate::socket::{
    Change, ChangeKind, Comm, Endpoint, Family, FamilyCount, Opener, Owner, Process, Proto, Socket, State,
    Subject,
};
use crate::table::Scope;

pub(super) fn filter(words: &str) -> Filter {
    let words: Vec<String> = words.split_whitespace().map(str::to_owned).collect();
    parse(&words, &Context::new(Dialect::Ss), &NoNames).unwrap()
}

pub(super) fn event(kind: EventKind, cookie: Cookie, local: Endpoint, peer: Endpoint, pid: u32) -> Event {
    let owner = match pid {
        0 => Owner::Unknown,
        pid => Owner::Exact(process(pid)),
    };
    let subject = Subject {
        cookie,
        netns: 1,
        proto: Proto::Tcp,
        family: Family::Inet,
        local,
        peer,
        state: State::Established,
        ifindex: 0,
        uid: None,
        mark: 0,
        inode: 0,
        cgroup: 0,
        place: None,
        owner,
        opened: None,
    };
    let subject = (!matches!(kind, EventKind::Lost { .. })).then(|| Box::new(subject));
    Event { at: 0, kind, subject }
}

fn process(pid: u32) -> Process {
    Process { pid, comm: Comm::from_bytes(format!("p{pid}").as_bytes()) }
}

fn end(port: u16) -> Endpoint {
    Endpoint::Inet { addr: [127, 0, 0, 1].into(), port }
}

fn change(at: BootNs, cookie: Cookie, old: State, new: State, local: u16, peer: u16) -> Change {
    Change {
        at,
        cookie,
        netns: 1,
        proto: Proto::Tcp,
        family: Family::Inet,
        local: end(local),
        peer: end(peer),
        state: None,
        ifindex: 0,
        uid: None,
        mark: 0,
        cgroup: 0,
        process: None,
        inode: 0,
        msk: 0,
        kind: ChangeKind::State { old, new, orphan: false, closing: None },
    }
}

fn row(cookie: Cookie, local: u16, peer: u16) -> Socket {
    Socket {
        proto: Proto::Tcp,
        family: Family::Inet,
        state: State::Established,
        recv_q: 0,
        send_q: 0,
        local: end(local),
        peer: end(peer),
        ifindex: 0,
        inode: 500 + cookie as u32,
        cookie,
        netns: 1,
        uid: None,
        v6only: None,
        detail: None,
    }
}

const MS: BootNs = 1_000_000;

/// An engine, what it has said, and how to say things to it.
struct Bench {
    engine: Engine,
    subscribers: Subscribers,
    now: BootNs,
    /// Records that were lost up to now.
    lost: u64,
}

impl Bench {
    fn new() -> Self {
        Self::with(Config { unix_every: 0, ..Config::default() })
    }

    fn with(config: Config) -> Self {
        Self { engine: Engine::new(config), subscribers: Subscribers::default(), now: 1000 * MS, lost: 0 }
    }

    fn begin(&mut self) -> Vec<String> {
        let mut out = Vec::new();
        self.engine.begin(self.now, &mut out);
        self.show(&out)
    }

    fn input(&mut self, input: Input) -> Vec<String> {
        let mut out = Vec::new();
        self.engine.input(self.now, input, &mut out);
        self.show(&out)
    }

    /// So many records were lost up to now, which is known now.
    fn lost(&mut self, records: u64) -> Vec<String> {
        self.lost = records;
        let state = FamilyCount { ring_full: records, ..FamilyCount::default() };
        self.input(Input::Counters(Counters { state, ..Counters::default() }))
    }

    /// A dump of these rows, complete or not, as far as it is merged.
    fn dump(&mut self, rows: &[Socket], outcome: Outcome) -> Vec<String> {
        self.now += SETTLE;
        for row in rows {
            assert!(self.input(Input::Row(row.clone())).is_empty());
        }
        for (family, proto) in [(Family::Inet, Proto::Tcp), (Family::Unix, Proto::UnixStream)] {
            self.input(Input::Scope(Scope { netns: 1, family, proto }, outcome));
        }
        self.input(Input::DumpRead);
        self.now += SETTLE;
        self.drained()
    }

    /// The ring has been looked at, and the counters before it, if they are asked for.
    fn drained(&mut self) -> Vec<String> {
        let mut said = Vec::new();
        if self.engine.lacks_counters(self.now) {
            said = self.lost(self.lost);
        }
        said.extend(self.input(Input::Drained));
        said
    }

    fn seeded(rows: &[Socket]) -> Self {
        let mut bench = Self::new();
        bench.begin();
        bench.dump(rows, Outcome::Complete);
        bench.now += 1000 * MS;
        bench
    }

    fn subscribe(&mut self, id: SubscriberId, kinds: KindSet, words: &str) {
        self.subscribe_to(id, Interest { kinds, filter: filter(words), ..Interest::default() });
    }

    fn subscribe_to(&mut self, id: SubscriberId, interest: Interest) {
        assert!(self.input(Input::Subscribe(id, interest.demand())).is_empty());
        self.subscribers.add(id, interest);
    }

    fn unsubscribe(&mut self, id: SubscriberId) {
        assert!(self.input(Input::Unsubscribe(id)).is_empty());
        self.subscribers.remove(id);
    }

    fn show(&self, outputs: &[Output]) -> Vec<String> {
        outputs.iter().filter_map(|output| show(output, &self.subscribers)).collect()
    }
}

/// An output; none for an event that nobody wants after all.
fn show(output: &Output, subscribers: &Subscribers) -> Option<String> {
    Some(match output {
        Output::Dump(Reach::All) => "dump".into(),
        Output::Dump(Reach::Unix) => "dump unix".into(),
        Output::Seek(inodes) => {
            format!("seek {:?}", inodes.iter().collect::<std::collections::BTreeSet<_>>())
        }
        Output::Ready(sockets) => format!("ready {sockets}"),
        Output::Event(event) => {
            let wanted_by = subscribers.of(event);
            if wanted_by.is_empty() {
                return None;
            }
            let more = match event.kind {
                EventKind::Lost { records } => format!(" {records}"),
                EventKind::Resync { added, removed, changed } => format!(" +{added} -{removed} ~{changed}"),
                _ => String::new(),
            };
            format!("{}{more} to {wanted_by:?}", event.kind.name())
        }
    })
}

#[test]
fn the_first_dump_makes_it_ready() {
    let mut bench = Bench::new();
    bench.subscribe(1, KindSet::ALL, "");
    assert_eq!(bench.begin(), ["dump"]);
    assert_eq!(bench.dump(&[row(1, 10, 20), row(2, 11, 20)], Outcome::Complete), ["ready 2"]);
    assert_eq!(bench.engine.stats().sockets, 2);
}

#[test]
fn a_dump_waits_for_the_changes_that_came_before_its_end() {
    let mut bench = Bench::new();
    bench.begin();
    bench.now += SETTLE;
    bench.input(Input::Row(row(1, 10, 20)));
    bench.input(Input::DumpRead);
    bench.lost(0);
    let read = bench.now;
    bench.now = read - 1;
    assert!(bench.input(Input::Drained).is_empty(), "drained before the end");
    let late = change(read + SETTLE, 7, State::Established, State::CloseWait, 1, 2);
    assert_eq!(bench.input(Input::Change(late)), ["ready 2"]);
}

#[test]
fn looking_for_unix_sockets_does_not_put_off_a_repair() {
    let mut bench = Bench::with(Config::default());
    bench.subscribe(1, KindSet::CLOSE, "");
    bench.begin();
    assert_eq!(bench.dump(&[], Outcome::Partial), ["ready 0"]);
    let mut dumps = Vec::new();
    for _ in 0..20 {
        bench.now += 100 * MS;
        let said = bench.lost(0);
        if !said.is_empty() {
            bench.dump(&[], Outcome::Complete);
        }
        dumps.extend(said);
    }
    assert!(dumps.contains(&"dump".to_owned()) && dumps.contains(&"dump unix".to_owned()), "{dumps:?}");
}

#[test]
fn an_audit_counts_what_has_drifted_and_reports_no_loss() {
    let mut bench = Bench::seeded(&[row(1, 10, 20)]);
    bench.subscribe(1, KindSet::ALL, "");
    bench.now += Config::default().audit_every;
    assert_eq!(bench.lost(0), ["dump"]);
    assert_eq!(bench.dump(&[row(1, 10, 20)], Outcome::Complete), [""; 0]);
    bench.now += Config::default().audit_every;
    assert_eq!(bench.lost(0), ["dump"]);
    assert_eq!(bench.dump(&[row(2, 10, 20)], Outcome::Complete), [""; 0]);
    let stats = bench.engine.stats();
    assert_eq!((stats.audits, stats.drift, stats.resyncs), (2, 2, 0));
}

#[test]
fn holders_wait_for_the_rows_they_belong_to() {
    let mut bench = Bench::new();
    bench.begin();
    bench.input(Input::Holders([(501, process(7).into()), (502, process(8).into())].into_iter().collect()));
    bench.dump(&[row(1, 10, 20)], Outcome::Complete);
    let openers = |bench: &Bench| bench.engine.openers().collect::<Vec<_>>();
    let held = |pid| (1, Opener { owner: Owner::Holder(process(pid)), opened: None });
    assert_eq!(openers(&bench), [held(7)]);
    bench.input(Input::Holders([(501, process(9).into())].into_iter().collect()));
    assert_eq!(openers(&bench), [held(9)]);
}

#[test]
fn owners_are_looked_for_soon_and_ever_more_seldom_while_none_is_found() {
    let config = Config { audit_every: 0, unix_every: 0, ..Config::default() };
    let mut bench = Bench::with(config);
    bench.subscribe(1, KindSet::USUAL, "");
    bench.begin();
    bench.dump(&[], Outcome::Complete);
    let began = bench.now;
    bench.input(Input::Change(change(bench.now, 7, State::SynRecv, State::Established, 1, 2)));
    let mut looks = Vec::new();
    while looks.len() < 4 {
        bench.now += 100 * MS;
        if bench.lost(0) == ["dump"] {
            looks.push((bench.now - began) / MS);
            let holders = if looks.len() == 4 { vec![(501, process(9).into())] } else { Vec::new() };
            bench.input(Input::Holders(holders.into_iter().collect()));
            let inode = if looks.len() == 4 { 501 } else { 0 };
            let told = bench.dump(&[Socket { inode, ..row(7, 1, 2) }], Outcome::Complete);
            assert_eq!(told, if looks.len() == 4 { &["accept to [1]"][..] } else { &[] });
        }
    }
    assert_eq!(looks, [500, 1540, 3580, 7620]);
    // Everybody has an owner.
    assert!((0..100).all(|_| {
        bench.now += 1000 * MS;
        bench.lost(0).is_empty()
    }));
}

#[test]
fn events_go_to_those_who_want_them() {
    let mut bench = Bench::seeded(&[]);
    bench.subscribe(1, KindSet::USUAL, "");
    bench.subscribe(2, KindSet::USUAL, "dport = :443");
    bench.subscribe(3, KindSet::USUAL, "dport = :80");
    bench.subscribe(4, KindSet::STATE, "sport = :4000");
    let connects = |at, peer| Input::Change(change(at, 7, State::SynSent, State::Established, 4000, peer));
    assert_eq!(bench.input(connects(1, 443)), ["state to [4]", "connect to [1, 2]"]);
    assert_eq!(bench.input(connects(2, 80)), ["state to [4]", "connect to [1, 3]"]);
    bench.unsubscribe(1);
    bench.unsubscribe(4);
    assert_eq!(bench.input(connects(3, 22)), [""; 0]);
    // One that comes again under its number wants only what it wants now.
    bench.subscribe(2, KindSet::CLOSE, "");
    assert_eq!(bench.input(connects(4, 443)), [""; 0]);
}

#[test]
fn candidates_are_found_by_key() {
    let bench = Bench::seeded(&[row(1, 10, 20), row(2, 20, 30), row(3, 20, 20), row(4, 11, 21)]);
    let find = |words: &str| {
        let mut found: Vec<_> =
            bench.engine.candidates(&filter(words).keys()).iter().map(View::cookie).collect();
        found.sort_unstable();
        found
    };
    assert_eq!(find("sport = :20"), [2, 3]);
    assert_eq!(find("dport = :20"), [1, 3]);
    assert_eq!(find("port = :20"), [1, 2, 3]);
    assert_eq!(find("sport = :20 and dport = :30"), [2]);
    assert_eq!(find("cookie = 4"), [4]);
    assert_eq!(find("cookie = 9"), [0; 0]);
    assert_eq!(find("sport != :20"), [1, 2, 3, 4]);
    assert_eq!(find(""), [1, 2, 3, 4]);
}

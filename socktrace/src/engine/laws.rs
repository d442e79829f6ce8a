//! The laws of the engine, over arbitrary histories of a small kernel, with whoever attaches and dumps played by the
//! test: what is lost is told to the last record, events come in the order of their times, and at rest the table is what
//! the kernel's is.

use proptest::prelude::*;

use super::*;
use crate::socket::{Endpoint, FamilyCount};
use crate::table::world::{ACTS, Act, Reading, World};

#[derive(Debug, Clone)]
enum Step {
    Act(Act, u16),
    /// In thousandths of the settling time.
    Pass(u16),
    Consume(u8),
    Full(bool),
    Tick,
    Read(u8),
    Feed(u8),
    /// One of the namespaces cannot be found any more.
    Hide,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        12 => (0..ACTS.len(), any::<u16>()).prop_map(|(act, pick)| Step::Act(ACTS[act], pick)),
        3 => (0..5000u16).prop_map(Step::Pass),
        4 => (0..6u8).prop_map(Step::Consume),
        1 => any::<bool>().prop_map(Step::Full),
        2 => Just(Step::Tick),
        3 => any::<u8>().prop_map(Step::Read),
        3 => (0..6u8).prop_map(Step::Feed),
    ]
}

/// The engine, and everything around it.
struct Run {
    world: World,
    engine: Engine,
    reading: Option<Reading>,
    partial: Vec<usize>,
    told: Vec<Event>,
    ready: usize,
    sought: Option<FxHashSet<u32>>,
}

impl Run {
    fn new(partial: Vec<usize>) -> Self {
        let config = Config { audit_every: 2_000_000_000, ..Config::default() };
        let mut run = Self {
            world: World::new(),
            engine: Engine::new(config),
            reading: None,
            partial,
            told: Vec::new(),
            ready: 0,
            sought: None,
        };
        run.input(Input::Subscribe(1, Demand { kinds: KindSet::USUAL, unix_closes: true }));
        let mut out = Vec::new();
        run.engine.begin(run.world.now, &mut out);
        run.obey(out);
        run
    }

    fn input(&mut self, input: Input) {
        let mut out = Vec::new();
        self.engine.input(self.world.now, input, &mut out);
        self.obey(out);
    }

    fn obey(&mut self, out: Vec<Output>) {
        for output in out {
            match output {
                Output::Dump(reach) => {
                    assert!(self.reading.is_none(), "two dumps at once");
                    let only_unix = reach == Reach::Unix;
                    self.reading = Some(Reading::begin(&mut self.world, self.partial.clone(), only_unix));
                }
                Output::Event(event) => {
                    assert!(KindSet::USUAL.contains(&event.kind), "{event:?}");
                    let before = self.told.last().map_or(0, |before| before.at);
                    assert!(before <= event.at, "{before}, then {event:?}");
                    self.told.push(event);
                }
                Output::Ready(_) => self.ready += 1,
                Output::Seek(inodes) => {
                    assert!(self.reading.is_none() && self.sought.is_none(), "two things at once");
                    self.sought = Some(inodes);
                }
            }
        }
    }

    fn step(&mut self, step: &Step) {
        match *step {
            Step::Act(act, pick) => self.world.act(act, pick),
            Step::Pass(thousandths) => self.world.pass(SETTLE / 1000 * BootNs::from(thousandths)),
            Step::Consume(n) => self.consume(n.into()),
            Step::Full(full) => self.world.full = full,
            Step::Tick => self.tick(),
            Step::Read(which) => {
                if let Some(reading) = &mut self.reading {
                    reading.read(&mut self.world, which.into());
                }
            }
            Step::Feed(n) => {
                self.feed(n.into());
                self.seek();
            }
            Step::Hide => self.world.hidden = true,
        }
    }

    fn consume(&mut self, n: usize) {
        if self.engine.lacks_counters(self.world.now) {
            self.tick();
        }
        for _ in 0..n {
            match self.world.ring.pop_front() {
                Some(change) => self.input(Input::Change(change)),
                None => return self.input(Input::Drained),
            }
        }
    }

    fn tick(&mut self) {
        let state = FamilyCount { ring_full: self.world.ring_full, ..FamilyCount::default() };
        self.input(Input::Counters(Counters { state, ..Counters::default() }));
    }

    fn feed(&mut self, n: usize) {
        let Some(reading) = &mut self.reading else { return };
        let (rows, outcomes) = (reading.take(n), reading.outcomes());
        for row in rows {
            self.input(Input::Row(row));
        }
        if let Some(outcomes) = outcomes {
            for (scope, outcome) in outcomes {
                self.input(Input::Scope(scope, outcome));
            }
            self.reading = None;
            self.input(Input::DumpRead);
        }
    }

    fn seek(&mut self) {
        let Some(inodes) = self.sought.take() else { return };
        let held = self.world.held().filter(|inode| inodes.contains(inode)).collect();
        self.consume(usize::MAX);
        self.input(Input::Sought(Sought::Open(held)));
        self.input(Input::DumpRead);
    }

    /// Nothing happens any more, and everybody does their work.
    fn rest(&mut self) {
        (self.world.full, self.partial) = (false, Vec::new());
        for _ in 0..60 {
            for bucket in 0..8 {
                if let Some(reading) = &mut self.reading {
                    reading.read(&mut self.world, bucket);
                }
            }
            self.feed(usize::MAX);
            self.seek();
            self.world.pass(100_000_000);
            self.consume(usize::MAX);
            self.tick();
        }
    }
}

proptest! {
    /// Whatever happens, is lost and is missing from dumps: at rest the table is the kernel's, every lost record was
    /// told of, and the last loss was followed by a repair.
    #[test]
    fn at_rest_the_table_is_the_kernels(
        steps in prop::collection::vec(step(), 0..300),
        partial in prop::collection::vec(0..14usize, 0..3),
    ) {
        let mut run = Run::new(partial);
        for it in &steps {
            run.step(it);
        }
        run.rest();
        let truth = run.world.truth();
        run.consume(usize::MAX);
        run.world.compare(run.engine.table(), truth, true);
        prop_assert_eq!(run.ready, 1);
        let lost = |event: &Event| match event.kind {
            EventKind::Lost { records } => records,
            _ => 0,
        };
        prop_assert_eq!(run.told.iter().map(lost).sum::<u64>(), run.world.ring_full);
        let stats = run.engine.stats();
        prop_assert_eq!(stats.lost, run.world.ring_full);
        let last = |name: &str| run.told.iter().rposition(|event| event.kind.name() == name);
        prop_assert!(last("resync") >= last("lost"));
        prop_assert!(stats.audits > 0);
        if run.world.ring_full == 0 {
            prop_assert_eq!((stats.drift, stats.resyncs), (0, 0));
            prop_assert_eq!(last("resync"), None);
        }
        // And stays so: another audit finds nothing.
        run.rest();
        prop_assert_eq!(run.engine.stats().drift, stats.drift);
        prop_assert!(run.engine.stats().audits > stats.audits);
    }

    /// A namespace that cannot be found any more: of its UNIX sockets those that are gone leave the table. And whatever was
    /// lost, the end of no UNIX socket is told, here or there, that is still open.
    #[test]
    fn a_hidden_socket_ends_when_nobody_holds_it(
        before in prop::collection::vec(step(), 0..200),
        after in prop::collection::vec(step(), 0..200),
    ) {
        let mut run = Run::new(Vec::new());
        for it in before.iter().chain([&Step::Hide]).chain(&after) {
            run.step(it);
        }
        run.rest();
        let told = |kind: &EventKind| matches!(kind, EventKind::Close { found: true, .. });
        for event in run.told.iter().filter(|event| told(&event.kind)) {
            let subject = event.subject.as_ref().unwrap();
            prop_assert!(run.world.socks[&subject.cookie].is_gone(), "{:?}", event);
        }
        for view in run.engine.table().iter().filter(|view| view.proto().is_unix()) {
            prop_assert!(!run.world.socks[&view.cookie()].is_gone(), "{:?}", view.subject());
        }
    }

    /// The index finds exactly those that asking everybody finds.
    #[test]
    fn subscribers_are_found(
        subscribers in prop::collection::vec(interest(), 0..12),
        gone in prop::collection::vec(0..12u64, 0..4),
        events in prop::collection::vec(event(), 1..30),
    ) {
        let mut index = Subscribers::default();
        let mut all: Vec<(u64, Interest)> = (0..).zip(subscribers).collect();
        for (id, interest) in &all {
            index.add(*id, interest.clone());
        }
        for id in gone {
            index.remove(id);
            all.retain(|(other, _)| *other != id);
        }
        for event in &events {
            let mut found = index.of(event);
            found.sort_unstable();
            let asked: Vec<u64> =
                all.iter().filter(|(_, interest)| interest.wants(event)).map(|&(id, _)| id).collect();
            prop_assert_eq!(found.into_vec(), asked, "{:?}", event);
        }
        for (_, interest) in &all {
            prop_assert!(interest.kinds.indexes().all(|kind| index.wanted().has(kind)));
        }
        prop_assert_eq!(index.len(), all.len());
    }
}

fn interest() -> impl Strategy<Value = Interest> {
    let filters = [
        "",
        "sport = :1",
        "dport = :2",
        "port = :1",
        "sport = :1 and dport = :2",
        "sport = :1 or dport = :2",
        "pid = 1",
        "comm = p2",
        "not sport = :1",
        "cookie = 3",
        "dport = :2 and pid = 2",
        "sport = {:1,:2}",
        "port = 1-2",
        "sport = 1-60000",
        "( sport = :1 and dport = :2 ) or cookie = 2",
        "not ( sport != :1 or dport != :2 )",
        "not ( sport = :1 and dport = :2 )",
        "dst 127.0.0.1",
        "dst 127.0.0.2:2",
        "src 127.0.0.0/8 and dport = :1",
        "dst 127.0.0.2 or src 127.0.0.2",
        "host [::ffff:127.0.0.2]",
        "host 127.0.0.2",
        "comm = {p1,p2}",
        "comm = p*",
        "not comm = p1",
        "pid != 1",
        "pid = {1,2}",
        "state established",
    ];
    let kinds = prop::collection::vec(0..KindSet::KINDS, 0..5);
    let pids = prop::collection::vec(1..4u32, 0..3);
    (kinds, 0..filters.len(), pids, 0..3usize).prop_map(move |(kinds, filter, pids, proto)| {
        let named = |kinds: KindSet, index: usize| {
            kinds.union(KindSet::from_name(KindSet::names()[index]).unwrap_or_default())
        };
        Interest {
            kinds: kinds.into_iter().fold(KindSet::EMPTY, named),
            protos: if proto == 0 { vec!["udp".into()] } else { Vec::new() },
            pids,
            filter: tests::filter(filters[filter]),
            ..Interest::default()
        }
    })
}

fn event() -> impl Strategy<Value = Event> {
    (0..4u64, 0..3u16, 0..3u16, 0..4u32, any::<[bool; 2]>(), 0..4u8).prop_map(
        |(cookie, local, peer, pid, [udp, mapped], kind)| {
            let v4 = |port: u16| std::net::Ipv4Addr::new(127, 0, 0, 1 + (port / 2) as u8);
            let end = |port: u16| match mapped {
                false => Endpoint::Inet { addr: v4(port).into(), port },
                true => Endpoint::Inet { addr: v4(port).to_ipv6_mapped().into(), port },
            };
            let kind = match kind {
                0 => EventKind::Accept,
                1 => EventKind::Close { found: false, duration_us: None, closing: None },
                2 => EventKind::Bind { errno: 0 },
                _ => EventKind::Lost { records: 1 },
            };
            let mut event = tests::event(kind, cookie, end(local), end(peer), pid);
            if let (Some(subject), true) = (&mut event.subject, udp) {
                subject.proto = crate::socket::Proto::Udp;
            }
            event
        },
    )
}

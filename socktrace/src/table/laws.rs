//! The laws of the table, over arbitrary histories of a small kernel (`world`): whatever happens, in whatever order
//! events and rows come, at rest the table is what the kernel's is.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::world::{ACTS, Act, Expected, Reading, World};
use super::*;
use crate::socket::{Ended, Event, EventKind};

/// One step of a history.
#[derive(Debug, Clone)]
enum Step {
    /// Something happens to a socket.
    Act(Act, u16),
    /// Time passes, in thousandths of the settling time.
    Pass(u16),
    /// The table is given so many events.
    Consume(u8),
    /// The ring is full, or has room again.
    Full(bool),
    /// A dump begins.
    Begin,
    /// The dump reads a bucket.
    Read(u8),
    /// The table is given so many rows.
    Feed(u8),
}

fn step(lossy: bool) -> impl Strategy<Value = Step> {
    prop_oneof![
        12 => (0..ACTS.len(), any::<u16>()).prop_map(|(act, pick)| Step::Act(ACTS[act], pick)),
        3 => (0..2500u16).prop_map(Step::Pass),
        4 => (0..6u8).prop_map(Step::Consume),
        u32::from(lossy) => any::<bool>().prop_map(Step::Full),
        1 => Just(Step::Begin),
        3 => any::<u8>().prop_map(Step::Read),
        3 => (0..6u8).prop_map(Step::Feed),
    ]
}

#[derive(Debug)]
struct Run {
    world: World,
    table: Table,
    told: Vec<Event>,
    ends: Vec<Ended>,
    dump: Option<(Reading, Option<BootNs>)>,
    /// What each finished dump found.
    merged: Vec<Merged>,
    after_loss: bool,
    /// Which scopes the next dump does not complete, by their order.
    partial: Vec<usize>,
}

impl Run {
    fn new(world: World) -> Self {
        let mut table = Table::new(true);
        table.keep_ends();
        Self {
            world,
            table,
            told: Vec::new(),
            ends: Vec::new(),
            dump: None,
            merged: Vec::new(),
            after_loss: false,
            partial: Vec::new(),
        }
    }

    fn step(&mut self, step: &Step) {
        match *step {
            Step::Act(act, pick) => self.world.act(act, pick),
            Step::Pass(thousandths) => self.world.pass(SETTLE / 1000 * BootNs::from(thousandths)),
            Step::Consume(n) => self.consume(n.into()),
            Step::Full(full) => self.world.full = full,
            Step::Begin if self.dump.is_none() => self.begin(),
            Step::Begin => {}
            Step::Read(which) => self.read(which.into()),
            Step::Feed(n) => self.feed(n.into()),
        }
    }

    fn begin(&mut self) {
        self.table.begin(self.world.now, self.after_loss);
        self.dump = Some((Reading::begin(&mut self.world, self.partial.clone(), false), None));
    }

    fn read(&mut self, which: usize) {
        if let Some((reading, _)) = &mut self.dump {
            reading.read(&mut self.world, which);
        }
    }

    fn feed(&mut self, n: usize) {
        let Some((reading, end @ None)) = &mut self.dump else { return };
        for row in reading.take(n) {
            self.table.row(&row);
        }
        if let Some(outcomes) = reading.outcomes() {
            for (scope, outcome) in outcomes {
                self.table.scope(scope, outcome);
            }
            *end = Some(self.world.now);
            self.table.end(self.world.now);
        }
    }

    fn consume(&mut self, n: usize) {
        for change in self.world.ring.drain(..n.min(self.world.ring.len())) {
            self.table.apply(change, KindSet::ALL, &mut self.told);
        }
        // Everything from before the oldest that is left, or from before now.
        self.table.applied(self.world.ring.front().map_or(self.world.now, |change| change.at));
        self.table.report_overdue(KindSet::ALL, &mut self.told);
        let due = self.dump.as_ref().and_then(|&(_, end)| end).map(|end| end + SETTLE);
        if due.is_some_and(|due| {
            self.world.now >= due && self.world.ring.front().is_none_or(|change| change.at >= due)
        }) {
            self.merged.push(self.table.finish(KindSet::ALL, &mut self.told));
            self.dump = None;
        }
        self.ends.extend(self.table.ends());
    }

    /// Lets the running dump come to its end.
    fn finish(&mut self) {
        while self.dump.is_some() {
            self.read(0);
            self.feed(usize::MAX);
            self.world.pass(SETTLE / 3);
            self.consume(usize::MAX);
        }
    }

    /// Compares the table with the kernel at rest; of the UNIX sockets only if they are asked for.
    fn check(&mut self, unix: bool) {
        let truth = self.world.truth();
        self.consume(usize::MAX);
        self.check_ends();
        self.world.compare(&self.table, truth, unix);
        // Nothing that no listing shows is kept for a socket that is gone.
        for entry in self.table.slots.iter().filter(|entry| !entry.is_listed()) {
            assert!(!self.world.socks[&entry.cookie].is_gone(), "{entry:?}");
        }
    }

    /// Every close that was told was kept, once, and besides them those that only a dump knows of.
    fn check_ends(&self) {
        let is_close = |kind: &EventKind| matches!(kind, EventKind::Close { .. });
        let mut kept = self.ends.iter().filter(|end| is_close(&end.kind));
        let mut told = 0;
        for event in self.told.iter().filter(|event| is_close(&event.kind)) {
            told += 1;
            let same = |end: &Ended| {
                (end.at, &end.kind, Some(&end.subject)) == (event.at, &event.kind, event.subject.as_deref())
            };
            assert!(kept.any(same), "{event:?} was not kept, or not in order");
        }
        let missed: u64 = self.merged.iter().map(|merged| merged.removed).sum();
        let kept = self.ends.iter().filter(|end| is_close(&end.kind)).count();
        assert_eq!(kept as u64, told + missed);
    }

    /// In a lossless history that was seen from its beginning the owners are known, and everything was told once.
    fn check_complete(&self) {
        for (cookie, sock) in self.world.socks.iter().filter(|(_, sock)| !sock.proto.is_unix()) {
            if let Some(view) = self.table.get(*cookie) {
                assert_eq!(view.owner().process().copied(), sock.owner, "owner of {cookie}");
                assert_eq!(view.owner().process().is_some(), matches!(view.owner(), Owner::Exact(_)));
            }
        }
        let mut told: BTreeMap<Cookie, Vec<Expected>> = BTreeMap::new();
        for event in
            self.told.iter().filter(|event| !matches!(event.kind, crate::socket::EventKind::State { .. }))
        {
            let subject = event.subject.as_ref().unwrap();
            if event.kind.name() == "accept" {
                assert_ne!(subject.peer.port(), 0, "{subject:?}");
            }
            let gone_unix = subject.proto.is_unix() && event.kind.name() == "close";
            if !gone_unix {
                let pid = subject.owner.process().map(|process| process.pid);
                let it = Expected { kind: event.kind.name(), cookie: subject.cookie, pid };
                told.entry(it.cookie).or_default().push(it);
            }
        }
        let mut expected: BTreeMap<Cookie, Vec<Expected>> = BTreeMap::new();
        for it in &self.world.expected {
            expected.entry(it.cookie).or_default().push(it.clone());
        }
        assert_eq!(told, expected);
    }
}

fn world(old_kernel: bool, binds: u8) -> World {
    let mut world = World::new();
    (world.old_kernel, world.post_bind, world.bind_exit) = (old_kernel, binds != 1, binds != 2);
    world
}

fn cases() -> ProptestConfig {
    // PROPTEST_CASES asks for more.
    ProptestConfig { max_shrink_iters: 20_000, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(cases())]

    /// Nothing lost: the table is right without any dump, no dump finds anything to repair, everything is told
    /// once, and every owner is known.
    #[test]
    fn without_loss_events_alone_are_right(
        steps in prop::collection::vec(step(false), 0..400),
        (old_kernel, binds) in (any::<bool>(), 0..3u8),
    ) {
        let mut run = Run::new(world(old_kernel, binds));
        for it in &steps {
            run.step(it);
        }
        run.finish();
        run.check(false);
        run.check_complete();
        for merged in &run.merged {
            prop_assert_eq!(Merged { unix: 0, ..*merged }, Merged::default());
        }
    }

    /// Much lost, or not seen because the programs were not attached yet; then one dump that races further events:
    /// the table is right, and a second dump finds nothing.
    #[test]
    fn one_dump_repairs_everything(
        before in prop::collection::vec(step(false), 0..60),
        lossy in prop::collection::vec(step(true), 0..200),
        racing in prop::collection::vec(step(false), 0..200),
        partial in prop::collection::vec(0..14usize, 0..3),
        (old_kernel, binds) in (any::<bool>(), 0..3u8),
    ) {
        let mut run = Run::new(world(old_kernel, binds));
        run.world.attached = false;
        for it in &before {
            run.step(it);
        }
        run.world.attached = true;
        run.after_loss = true;
        run.partial.clone_from(&partial);
        for it in &lossy {
            run.step(it);
        }
        // What is still in the ring comes late: after the dump has begun.
        run.world.full = false;
        run.partial.clear();
        run.begin();
        for it in &racing {
            run.step(it);
        }
        run.finish();
        run.check(false);
        run.after_loss = false;
        run.begin();
        run.finish();
        run.check(true);
        prop_assert_eq!(run.merged.last().map(Merged::drift), Some(0));
        run.begin();
        run.finish();
        prop_assert_eq!(run.merged.last().copied(), Some(Merged::default()));
    }

    /// A dump that is not complete repairs what it shows and takes nothing away that it did not cover.
    #[test]
    fn a_partial_dump_does_no_harm(
        steps in prop::collection::vec(step(false), 0..200),
        partial in prop::collection::vec(0..14usize, 1..5),
        binds in 0..3u8,
    ) {
        let mut run = Run::new(world(false, binds));
        run.partial = partial;
        for it in &steps {
            run.step(it);
        }
        run.after_loss = true;
        run.begin();
        run.finish();
        run.check(false);
    }
}

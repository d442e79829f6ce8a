//! What the programs do, with files in the place of the maps.

use std::fs::File;
use std::os::fd::AsFd;
use std::os::unix::fs::FileExt;

use proptest::prelude::*;

use super::*;

/// Places of each lane.
const EACH: usize = 8;

struct World {
    slots: File,
    cpus: File,
    read: File,
    heads: Vec<u64>,
    lanes: Lanes,
}

fn file(bytes: usize) -> File {
    let file = tempfile::tempfile().expect("a file");
    file.set_len(bytes.next_multiple_of(4096) as u64).expect("room");
    file
}

impl World {
    fn new(cpus: usize) -> Self {
        let slots = file(cpus * EACH * size_of::<Slot>());
        let read = file(cpus * size_of::<Read>());
        let counters = file(cpus * size_of::<CpuCounters>());
        let lanes = Lanes::new(
            Mapped::map(slots.as_fd(), cpus * EACH).expect("a mapping"),
            Mapped::map(counters.as_fd(), cpus).expect("a mapping"),
            Mapped::map(read.as_fd(), cpus).expect("a mapping"),
            EACH as u32,
        );
        Self { slots, cpus: counters, read, heads: vec![0; cpus], lanes }
    }

    /// Take places; the position of the first, if they are free.
    fn take(&mut self, cpu: usize, count: u64) -> Option<u64> {
        let position = self.heads[cpu];
        if position + count > self.given_back(cpu) + EACH as u64 {
            return None;
        }
        self.heads[cpu] += count;
        let at = cpu * size_of::<CpuCounters>() + offset_of!(CpuCounters, head);
        self.cpus.write_all_at(&self.heads[cpu].to_ne_bytes(), at as u64).expect("written");
        Some(position)
    }

    fn put(&self, cpu: usize, position: u64, turn: u64, time: RecordNs, byte: u8) {
        let at = (cpu * EACH + position as usize % EACH) * size_of::<Slot>();
        let mut part = [byte; PART];
        part[..8].copy_from_slice(&time.to_ne_bytes());
        self.slots.write_all_at(&part, (at + offset_of!(Slot, part)) as u64).expect("written");
        self.slots.write_all_at(&turn.to_ne_bytes(), at as u64).expect("written");
    }

    /// Complete a record, each of whose bytes behind its time is `byte`.
    fn complete(&self, cpu: usize, position: u64, time: RecordNs, byte: u8) {
        self.put(cpu, position, position + 1, time, byte);
    }

    fn write(&mut self, cpu: usize, time: RecordNs, byte: u8) {
        let position = self.take(cpu, 1).expect("a free place");
        self.complete(cpu, position, time, byte);
    }

    fn write_pair(&mut self, cpu: usize, time: RecordNs, byte: u8) {
        let position = self.take(cpu, 2).expect("free places");
        self.put(cpu, position + 1, position + 2, 0, byte + 1);
        self.put(cpu, position, (position + 1) | CONTINUED, time, byte);
    }

    fn read(&mut self, now: RecordNs, max: usize) -> Vec<u8> {
        let mut all = Vec::new();
        let mut latest = 0;
        let drained = self.lanes.drain(now, max, |at, first, second| {
            assert!(at >= latest, "{at} after {latest}");
            latest = at;
            assert_eq!(first.len(), PART);
            assert!(first[8..].iter().all(|byte| *byte == first[8]), "{first:?}");
            assert!(second.is_empty() || second[8..] == [first[8] + 1; PART - 8], "{second:?}");
            all.push(first[8]);
        });
        assert_eq!(drained, Drained { records: all.len(), all: self.lanes.is_empty() });
        all
    }

    fn given_back(&self, cpu: usize) -> u64 {
        let mut position = [0; 8];
        self.read.read_exact_at(&mut position, (cpu * size_of::<Read>()) as u64).expect("read");
        u64::from_ne_bytes(position)
    }
}

#[test]
fn records_of_all_lanes_come_by_time_and_at_most_as_many_as_asked_for() {
    let mut world = World::new(3);
    assert!(world.lanes.is_empty());
    for (cpu, time) in [(0, 10), (0, 40), (2, 20), (2, 30), (1, 50)] {
        world.write(cpu, time, time as u8);
    }
    assert_eq!(world.read(99, 3), [10, 20, 30]);
    assert_eq!(world.read(99, 3), [40, 50]);
    assert_eq!([0, 1, 2].map(|cpu| world.given_back(cpu)), [2, 1, 2]);
}

#[test]
fn what_is_later_than_the_look_at_the_clock_waits_for_the_next_look() {
    let mut world = World::new(2);
    world.write(0, 10, 1);
    world.write(1, 12, 3);
    assert_eq!(world.read(11, 9), [1]);
    // The first CPU may have written this after we had looked at its lane.
    world.write(0, 11, 2);
    assert_eq!(world.read(20, 9), [2, 3]);
}

#[test]
fn an_incomplete_record_is_waited_for_by_whatever_may_be_later() {
    let mut world = World::new(2);
    world.write(0, 10, 1);
    assert_eq!(world.read(20, 9), [1]);
    let position = world.take(0, 1).expect("a free place");
    world.write(0, 40, 5);
    for time in [15, 25, 50] {
        world.write(1, time, time as u8);
    }
    // It cannot be earlier than 20, when its place was free.
    assert_eq!(world.read(60, 9), [15]);
    assert_eq!(world.read(70, 9), [0; 0]);
    world.complete(0, position, 30, 4);
    assert_eq!(world.read(80, 9), [25, 4, 5, 50]);
}

#[test]
fn one_that_was_interrupted_before_it_read_the_clock_does_not_hold_up_what_came_between() {
    let mut world = World::new(2);
    let position = world.take(0, 1).expect("a free place");
    world.write(0, 20, 2);
    world.complete(0, position, 30, 1);
    world.write(1, 25, 3);
    assert_eq!(world.read(99, 9), [1, 2, 3]);
}

#[test]
fn a_full_lane_goes_round_and_is_given_back_in_parts() {
    let mut world = World::new(1);
    for round in 0..50u64 {
        world.write(0, 4 * round, 1);
        world.write_pair(0, 4 * round + 1, 2);
        world.write(0, 4 * round + 2, 3);
        world.write_pair(0, 4 * round + 3, 4);
        assert_eq!(world.take(0, 3), None);
        assert_eq!(world.read(1000, 2), [1, 2]);
        assert_eq!(world.given_back(0), 6 * round + 3);
        assert_eq!(world.read(1000, 9), [3, 4]);
        assert_eq!(world.given_back(0), 6 * round + 6);
    }
}

/// What a CPU does next.
#[derive(Debug, Clone)]
enum Step {
    Take(usize),
    /// Read the clock and complete the first record that is not complete.
    Complete(usize),
    /// At most so many, and how long ago the clock was looked at.
    Read(usize, u64),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let cpu = 0usize..3;
    let step = prop_oneof![
        cpu.clone().prop_map(Step::Take),
        cpu.prop_map(Step::Complete),
        (1usize..5, 0u64..4).prop_map(|(max, ago)| Step::Read(max, ago)),
    ];
    proptest::collection::vec(step, 0..200)
}

proptest! {
    /// Where no record overtakes another one on its own CPU, all come in the order of the clock, whatever happens
    /// between the taking of their places and their completion, and none is lost.
    #[test]
    fn all_come_in_order(steps in steps()) {
        let mut world = World::new(3);
        let mut clock = 0;
        let mut open: [Vec<u64>; 3] = Default::default();
        let mut made: Vec<RecordNs> = Vec::new();
        let mut got: Vec<RecordNs> = Vec::new();
        let mut drain = |world: &mut World, clock: RecordNs, max| {
            world.lanes.drain(clock, max, |at, first, _| {
                assert_eq!(at, u64::from_ne_bytes(first[..8].try_into().expect("eight bytes")));
                got.push(at);
            })
        };
        for step in steps {
            clock += 1;
            match step {
                Step::Take(cpu) => open[cpu].extend(world.take(cpu, 1)),
                Step::Complete(cpu) => {
                    if !open[cpu].is_empty() {
                        let position = open[cpu].remove(0);
                        world.complete(cpu, position, clock, 0);
                        made.push(clock);
                    }
                }
                Step::Read(max, ago) => {
                    drain(&mut world, clock.saturating_sub(ago), max);
                }
            }
        }
        for (cpu, open) in open.into_iter().enumerate() {
            for position in open {
                clock += 1;
                world.complete(cpu, position, clock, 0);
                made.push(clock);
            }
        }
        let drained = drain(&mut world, clock + 1, usize::MAX);
        prop_assert!(drained.all);
        prop_assert_eq!(got, made);
    }

    /// Whoever interrupts completes first: then times never fall either, and none is lost.
    #[test]
    fn times_never_fall_where_records_overtake_others(steps in steps()) {
        let mut world = World::new(3);
        let mut clock = 0;
        let mut open: [Vec<u64>; 3] = Default::default();
        let (mut made, mut got, mut latest) = (0, 0, 0);
        let mut drain = |world: &mut World, clock: RecordNs, max| {
            world.lanes.drain(clock, max, |at, _, _| {
                assert!(latest <= at, "{latest}, then {at}");
                (latest, got) = (at, got + 1);
            })
        };
        for step in steps {
            clock += 1;
            match step {
                Step::Take(cpu) => open[cpu].extend(world.take(cpu, 1)),
                Step::Complete(cpu) => {
                    if let Some(position) = open[cpu].pop() {
                        world.complete(cpu, position, clock, 0);
                        made += 1;
                    }
                }
                Step::Read(max, ago) => _ = drain(&mut world, clock.saturating_sub(ago), max),
            }
        }
        for (cpu, mut open) in open.into_iter().enumerate() {
            while let Some(position) = open.pop() {
                clock += 1;
                world.complete(cpu, position, clock, 0);
                made += 1;
            }
        }
        drain(&mut world, clock + 1, usize::MAX);
        prop_assert_eq!(got, made);
    }
}

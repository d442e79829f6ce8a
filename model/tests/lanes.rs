//! The lanes (`socktrace-ebpf/src/lanes.rs`, `socktrace/src/kernel/ebpf/lanes.rs`) under every order of memory that the
//! language's model allows, which is weaker than what any processor does: one CPU whose programs come between one another,
//! and the reader. docs/correctness.md has the argument, instruction by instruction, that these are the orders there are.
//!
//! Each order is also weakened, one at a time, and the model must find what goes wrong then.
#![cfg(loom)]

use loom::cell::UnsafeCell;
use loom::sync::Arc;
use loom::sync::atomic::Ordering::{Acquire, Relaxed, Release, SeqCst};
use loom::sync::atomic::{AtomicU64, fence};
use loom::thread;

/// Places of the lane.
const SLOTS: u64 = 2;
const CONTINUED: u64 = 1 << 63;

/// What is ordered by what; each is there in the product.
#[derive(Clone, Copy)]
struct Orders {
    /// A program's exchange of the head orders all before and after it (BPF_CMPXCHG).
    take: bool,
    /// So does that of a place's turn (BPF_XCHG); on x86-64 stores are in order.
    publish: bool,
    /// The reader's load of a turn is an acquire.
    turn: bool,
    /// The reader's store of how far it has read is a release.
    give_back: bool,
}

const PRODUCT: Orders = Orders { take: true, publish: true, turn: true, give_back: true };

#[derive(Default)]
struct Place {
    turn: AtomicU64,
    /// Not atomic: the model fails when it is read while it is written.
    part: UnsafeCell<u64>,
}

#[derive(Default)]
struct Memory {
    head: AtomicU64,
    read: AtomicU64,
    places: [Place; SLOTS as usize],
}

impl Memory {
    fn place(&self, position: u64) -> &Place {
        &self.places[(position % SLOTS) as usize]
    }
}

/// The programs of one CPU.
struct Programs {
    memory: Arc<Memory>,
    orders: Orders,
    /// What this CPU has made of the head, which no other one writes: so a load of it gives this. It is not loaded because
    /// loom remembers one access of each word only, and would not look at what others did before an exchange that comes
    /// after a load.
    head: u64,
    /// A word that no other CPU reads.
    room: u64,
}

impl Programs {
    fn new(memory: Arc<Memory>, orders: Orders) -> Self {
        Self { memory, orders, head: 0, room: SLOTS }
    }
}

impl Programs {
    /// `take`, and `take_slowly` where the lane seemed full.
    fn take(&mut self, count: u64) -> Option<u64> {
        let position = self.head;
        if position + count > self.room {
            self.room = self.memory.read.load(Relaxed) + SLOTS;
            if position + count > self.room {
                return None;
            }
        }
        if self.orders.take {
            fence(SeqCst);
        }
        let moved = self.memory.head.compare_exchange(position, position + count, Relaxed, Relaxed);
        if self.orders.take {
            fence(SeqCst);
        }
        assert_eq!(moved, Ok(position), "no other CPU moves it");
        self.head = position + count;
        Some(position)
    }

    fn fill(&self, position: u64, content: u64) {
        // SAFETY: the model fails if somebody else looks at it.
        self.memory.place(position).part.with_mut(|part| unsafe { *part = content });
    }

    fn publish(&self, position: u64, turn: u64) {
        if self.orders.publish {
            fence(SeqCst);
        }
        self.memory.place(position).turn.swap(turn, Relaxed);
    }

    fn write(&mut self, content: u64) -> bool {
        let Some(position) = self.take(1) else { return false };
        self.fill(position, content);
        self.publish(position, position + 1);
        true
    }

    /// A record of two parts.
    fn write_pair(&mut self, content: u64) -> bool {
        let Some(position) = self.take(2) else { return false };
        self.fill(position, content);
        self.fill(position + 1, content + 1);
        self.publish(position + 1, position + 2);
        self.publish(position, (position + 1) | CONTINUED);
        true
    }

    /// One that is interrupted by another between taking its place and filling it.
    fn write_interrupted(&mut self, content: u64, by: u64) -> (bool, bool) {
        let position = self.take(1);
        let inner = self.write(by);
        if let Some(position) = position {
            self.fill(position, content);
            self.publish(position, position + 1);
        }
        (position.is_some(), inner)
    }
}

/// The one reader.
struct Reader {
    memory: Arc<Memory>,
    orders: Orders,
    next: u64,
    got: Vec<u64>,
}

impl Reader {
    /// Everything that is complete, up to the first that is not.
    fn drain(&mut self) {
        let head = self.memory.head.load(Acquire);
        let begun = self.next;
        while self.next != head {
            let order = if self.orders.turn { Acquire } else { Relaxed };
            let turn = self.memory.place(self.next).turn.load(order);
            if turn & !CONTINUED != self.next + 1 {
                break;
            }
            let width = if turn & CONTINUED == 0 { 1 } else { 2 };
            for position in self.next..self.next + width {
                // SAFETY: the model fails if it is written meanwhile.
                self.got.push(self.memory.place(position).part.with(|part| unsafe { *part }));
            }
            self.next += width;
        }
        if self.next != begun {
            let order = if self.orders.give_back { Release } else { Relaxed };
            self.memory.read.store(self.next, order);
        }
    }
}

/// Programs on one thread, a reader that drains twice beside them and once at the end. What was taken must be what was got.
fn run(orders: Orders, programs: impl Fn(&mut Programs) -> Vec<u64> + Send + Sync + 'static) {
    let programs = std::sync::Arc::new(programs);
    loom::model(move || {
        let memory = Arc::new(Memory::default());
        let mut cpu = Programs::new(memory.clone(), orders);
        let programs = programs.clone();
        let written = thread::spawn(move || programs(&mut cpu));
        let mut reader = Reader { memory, orders, next: 0, got: Vec::new() };
        reader.drain();
        reader.drain();
        let written = written.join().expect("the programs end");
        reader.drain();
        assert_eq!(reader.got, written);
    });
}

/// Three records for two places: the third finds the lane full, or writes where the first was.
fn three(cpu: &mut Programs) -> Vec<u64> {
    [10, 20, 30].into_iter().filter(|&content| cpu.write(content)).collect()
}

#[test]
fn what_is_read_is_what_was_written() {
    run(PRODUCT, three);
}

#[test]
fn whoever_sees_the_first_part_sees_both() {
    run(PRODUCT, |cpu| {
        let pair = cpu.write_pair(10);
        let then = cpu.write(30);
        [(pair, 10), (pair, 11), (then, 30)].iter().filter(|(is, _)| *is).map(|(_, it)| *it).collect()
    });
}

#[test]
fn a_program_that_comes_between_takes_the_next_place() {
    run(PRODUCT, |cpu| {
        let (outer, inner) = cpu.write_interrupted(10, 20);
        let then = cpu.write(30);
        [(outer, 10), (inner, 20), (then, 30)].iter().filter(|(is, _)| *is).map(|(_, it)| *it).collect()
    });
}

#[test]
#[should_panic(expected = "Causality violation")]
fn without_order_at_publishing_the_reader_sees_what_is_not_written_yet() {
    run(Orders { publish: false, ..PRODUCT }, three);
}

#[test]
#[should_panic(expected = "Causality violation")]
fn without_an_acquire_of_the_turn_it_does_so_too() {
    run(Orders { turn: false, ..PRODUCT }, three);
}

#[test]
#[should_panic(expected = "Causality violation")]
fn without_a_release_at_giving_back_programs_write_where_is_still_read() {
    run(Orders { give_back: false, ..PRODUCT }, three);
}

#[test]
#[should_panic(expected = "Causality violation")]
fn without_order_at_taking_they_do_so_too() {
    run(Orders { take: false, ..PRODUCT }, three);
}

/// The clock is one for all, and reading it is ordered: on arm64 by an instruction barrier before it and what depends on it
/// behind it. So whoever has read the clock and then finds a place not taken knows that what will stand there is later.
fn clock(is_ordered: bool) {
    loom::model(move || {
        let memory = Arc::new(Memory::default());
        let time = Arc::new(AtomicU64::new(1));
        let (lane, ticking) = (memory.clone(), time.clone());
        let stamp = thread::spawn(move || {
            let mut cpu = Programs::new(lane, PRODUCT);
            let position = cpu.take(1).expect("the lane is empty");
            let stamp = ticking.fetch_add(1, Relaxed);
            cpu.fill(position, stamp);
            cpu.publish(position, position + 1);
            stamp
        });
        let now = time.fetch_add(1, Relaxed);
        if is_ordered {
            fence(SeqCst);
        }
        let is_taken = memory.head.load(Acquire) != 0;
        let stamp = stamp.join().expect("the program ends");
        assert!(is_taken || stamp > now, "a record of {stamp} after nothing was seen at {now}");
    });
}

#[test]
fn a_place_that_is_not_taken_after_the_clock_was_read_will_hold_something_later() {
    clock(true);
}

#[test]
#[should_panic(expected = "after nothing was seen")]
fn without_order_behind_the_clock_it_may_be_earlier() {
    clock(false);
}

/// The stores of x86-64: no barrier, each a release by the processor's own order.
#[test]
fn plain_stores_in_order_do_for_publishing() {
    loom::model(|| {
        let memory = Arc::new(Memory::default());
        let lane = memory.clone();
        let cpu = thread::spawn(move || {
            let mut cpu = Programs::new(lane, PRODUCT);
            let position = cpu.take(1).expect("the lane is empty");
            cpu.fill(position, 10);
            cpu.memory.place(position).turn.store(position + 1, Release);
        });
        let mut reader = Reader { memory, orders: PRODUCT, next: 0, got: Vec::new() };
        reader.drain();
        cpu.join().expect("the program ends");
        reader.drain();
        assert_eq!(reader.got, [10]);
    });
}

//! `cargo xtask siege`: ordinary users attack an agent of root, while root asks for its status and connections come and go.
//!
//! Each attack has an agent of its own with its default mode, and goes on for a while. What others notice of it is
//! measured: how long root waits, which records are lost, what the agent's memory grows by. The first row is none: as many
//! processes that only compute, so that what an attack costs can be told apart from what any busy user costs.

mod attacks;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
pub(crate) use attacks::Assail;
use attacks::{Attack, Tally};
use serde_json::Value;

use super::agent::Agent;
use super::load::{self, Background, note};
use super::measure::{median, quantile};
use super::{Bench, machine};
use crate::{setup, sh};

/// Nobody whom a machine knows.
const FIRST_USER: u32 = 80_001;
/// Another one.
const BYSTANDER: u32 = 79_999;
/// How long root may wait, milliseconds, 99 times of 100.
const WAIT_MS: f64 = 50.0;
/// What the agent's memory may grow by besides its history, MiB: 64 that wait for ordinary users, 30 of events that wait for
/// their filters, what works for them, and what the allocator keeps of all that.
const GROWTH_MIB: f64 = 160.0;
/// Between two questions of root.
const PAUSE: Duration = Duration::from_millis(5);
/// Before and after the attack.
const CALM: Duration = Duration::from_secs(1);

/// How long, and against whom.
#[derive(Debug, clap::Args)]
pub(crate) struct Siege {
    /// Only these attacks [default: all]
    attacks: Vec<Attack>,
    /// How long each goes on, seconds
    #[arg(long, value_name = "N", default_value_t = 60)]
    seconds: u64,
    /// Connections that come and go each second
    #[arg(long, value_name = "N", default_value_t = 3000)]
    rate: u32,
    /// Against an agent that becomes this user
    #[arg(long, value_name = "NAME")]
    user: Option<String>,
    /// How long root waits is printed, and no goal
    #[arg(long)]
    untimed: bool,
}

impl Siege {
    /// What CI runs: short, and nothing that depends on how quick the machine is.
    pub(crate) fn of_ci() -> Siege {
        Siege { attacks: Vec::new(), seconds: 5, rate: 500, user: None, untimed: true }
    }

    /// Run each attack, print a table, and fail if somebody else noticed.
    pub(crate) fn run(&self) -> Result<()> {
        setup::tests()?;
        let bench = Bench::built(1, 1)?;
        sh::many_files();
        let _ahead = Ahead::go();
        // On a thread of its own: whatever comes after a siege is to have the machine's network.
        let siege = || {
            load::own_namespace()?;
            println!("{}", machine()?);
            let all = Attack::ALL;
            let attacks = if self.attacks.is_empty() { &all[..] } else { &self.attacks };
            attacks.iter().map(|&attack| self.withstand(&bench, attack)).collect::<Result<Vec<_>>>()
        };
        let outcomes = std::thread::scope(|scope| scope.spawn(siege).join());
        let outcomes = outcomes.map_err(|_| anyhow::anyhow!("the siege died"))??;
        print!("{}", table(&outcomes));
        let noticed: Vec<_> = outcomes.iter().flat_map(|outcome| outcome.noticed(self.untimed)).collect();
        if !noticed.is_empty() {
            bail!("{}", noticed.join("; "));
        }
        Ok(())
    }

    fn withstand(&self, bench: &Bench, attack: Attack) -> Result<Outcome> {
        note(&format!("{}: {} users, {} s", attack.name(), attack.users(), self.seconds));
        let options: Vec<&str> = self.user.iter().flat_map(|user| ["--user", user]).collect();
        let agent = Agent::serve(bench, &options)?;
        agent.settled()?;
        let netns = std::fs::metadata("/proc/thread-self/ns/net")?.ino();
        let query = format!("proto=tcp&kinds=connect,accept,close&filter=netns+%3D+{netns}");
        let subscriber = agent.subscribe(&query, None)?;
        let before = Memory::of(&agent)?;
        let load = Background::paced(self.rate);
        std::thread::sleep(CALM);
        let root = Root::begins(&agent);
        let bystander = Bystander::begins(bench, &agent);
        let assailants = Assailants::start(attack, &agent, self.seconds)?;
        let tally = assailants.end()?;
        let (root, bystander) = (root.ends()?, bystander.ends()?);
        std::thread::sleep(CALM);
        let connections = load.stop()?;
        agent.settled()?;
        let lost = agent.status("events_lost")?;
        let told = subscriber.stop()?;
        // connect, accept, and a close on each side.
        let missing = (4 * connections).saturating_sub(told.lines);
        Ok(Outcome {
            attack,
            tally,
            connections,
            p50: median(root.waits.clone()),
            p99: quantile(root.waits, 0.99),
            p99_of_all: quantile(root.all, 0.99),
            unserved: root.unserved,
            bystander,
            lost: lost.max(told.lost as f64).max(missing as f64),
            growth: (root.most - before.0).max(0.0),
        })
    }
}

/// Where the kernel shares out processors among sessions, ours goes before those of the attackers: otherwise there would be
/// fewer connections than are asked for.
struct Ahead(Option<String>);

impl Ahead {
    const PLACE: &str = "/proc/self/autogroup";

    fn go() -> Ahead {
        // "/autogroup-8 nice 0"
        let before = std::fs::read_to_string(Ahead::PLACE).ok();
        let before = before.and_then(|text| Some(text.rsplit_once("nice ")?.1.trim().to_owned()));
        Ahead(before.filter(|_| std::fs::write(Ahead::PLACE, "-10").is_ok()))
    }
}

impl Drop for Ahead {
    fn drop(&mut self) {
        if let Some(before) = &self.0 {
            let _ = std::fs::write(Ahead::PLACE, before);
        }
    }
}

/// The processes of the attackers.
struct Assailants(Vec<Child>);

impl Assailants {
    fn start(attack: Attack, agent: &Agent, seconds: u64) -> Result<Assailants> {
        let program = std::env::current_exe()?;
        let mut children = Assailants(Vec::new());
        for uid in FIRST_USER..FIRST_USER + attack.users() {
            let mut command = Command::new(&program);
            command.args(["assail", attack.name(), "--seconds", &seconds.to_string(), "--socket"]);
            command.arg(&agent.socket).uid(uid).gid(uid).current_dir("/");
            command.stdin(Stdio::null()).stdout(Stdio::piped());
            children.0.push(command.spawn().context("cannot start an attacker")?);
        }
        Ok(children)
    }

    /// Waits for their end; what they met.
    fn end(mut self) -> Result<Tally> {
        let mut all = Tally::default();
        for mut child in self.0.drain(..) {
            let output = std::io::read_to_string(child.stdout.take().context("no stdout")?)?;
            if !child.wait()?.success() {
                bail!("an attacker failed");
            }
            all.add(&serde_json::from_str(&output)?)?;
        }
        Ok(all)
    }
}

impl Drop for Assailants {
    fn drop(&mut self) {
        for child in &mut self.0 {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// What the agent occupies besides its history, MiB.
#[derive(Debug, Clone, Copy)]
struct Memory(f64);

impl Memory {
    fn of(agent: &Agent) -> Result<Memory> {
        Memory::read(&serde_json::from_slice(&agent.get("/v1/status")?)?)
    }

    fn read(status: &Value) -> Result<Memory> {
        let number = |field| status.get(field).and_then(Value::as_f64).context("no such number");
        Ok(Memory((number("rss_bytes")? - number("history_bytes")?) / f64::from(1 << 20)))
    }
}

/// Root, who asks for the status again and again.
struct Root {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Waited>,
}

/// How root was served.
#[derive(Debug, Default)]
struct Waited {
    /// Milliseconds that each question took.
    all: Vec<f64>,
    /// The same without those that it was ready to run, and had no processor.
    waits: Vec<f64>,
    /// Questions without an answer, and why the last one had none.
    unserved: Option<(u64, String)>,
    /// The most memory besides history, MiB.
    most: f64,
}

impl Root {
    fn begins(agent: &Agent) -> Root {
        let (stop, socket) = (Arc::new(AtomicBool::new(false)), agent.socket.clone());
        let stopped = stop.clone();
        let thread = std::thread::spawn(move || {
            let mut waited = Waited::default();
            while !stopped.load(Ordering::Relaxed) {
                let (begun, queued) = (Instant::now(), queued_ns());
                let status = super::agent::get(&socket, "/v1/status")
                    .and_then(|text| Memory::read(&serde_json::from_slice(&text)?));
                // Not what it waited for a processor of its own: the machine is busy, and it goes before nobody.
                let own = Duration::from_nanos(queued_ns().saturating_sub(queued));
                waited.all.push(begun.elapsed().as_secs_f64() * 1e3);
                waited.waits.push(begun.elapsed().saturating_sub(own).as_secs_f64() * 1e3);
                match status {
                    Ok(Memory(memory)) => waited.most = waited.most.max(memory),
                    Err(error) => {
                        let (count, last) = waited.unserved.get_or_insert_default();
                        (*count, *last) = (*count + 1, format!("{error:#}"));
                    }
                }
                std::thread::sleep(PAUSE);
            }
            waited
        });
        Root { stop, thread }
    }

    fn ends(self) -> Result<Waited> {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().map_err(|_| anyhow::anyhow!("root died"))
    }
}

/// A user who has nothing to do with it, and whose command asks the agent, or the kernel itself if it is refused.
struct Bystander {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Result<Vec<f64>>>,
}

impl Bystander {
    fn begins(bench: &Bench, agent: &Agent) -> Bystander {
        let (stop, socket, program) =
            (Arc::new(AtomicBool::new(false)), agent.socket.clone(), bench.socktrace.clone());
        let stopped = stop.clone();
        let thread = std::thread::spawn(move || {
            let mut waits = Vec::new();
            while !stopped.load(Ordering::Relaxed) || waits.is_empty() {
                let begun = Instant::now();
                let mut command = Command::new(&program);
                command.args(["ss", "-Htln"]).env("SOCKTRACE_SOCKET", &socket).current_dir("/");
                command.uid(BYSTANDER).gid(BYSTANDER).stdin(Stdio::null()).stderr(Stdio::null());
                let listed = command.output().context("cannot start a bystander")?;
                waits.push(begun.elapsed().as_secs_f64() * 1e3);
                if !listed.status.success() {
                    bail!("a bystander's listing: {}", listed.status);
                }
                std::thread::sleep(20 * PAUSE);
            }
            Ok(waits)
        });
        Bystander { stop, thread }
    }

    /// How long it waited for each listing, milliseconds.
    fn ends(self) -> Result<Vec<f64>> {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().map_err(|_| anyhow::anyhow!("the bystander died"))?
    }
}

/// Nanoseconds that the calling thread was ready to run without running (`/proc/TID/schedstat`); 0 where the kernel does
/// not count.
fn queued_ns() -> u64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    text.split_whitespace().nth(1).and_then(|queued| queued.parse().ok()).unwrap_or(0)
}

/// What came of an attack.
#[derive(Debug)]
struct Outcome {
    attack: Attack,
    tally: Tally,
    connections: u64,
    /// Of root's waiting, milliseconds.
    p50: f64,
    p99: f64,
    p99_of_all: f64,
    unserved: Option<(u64, String)>,
    /// How long somebody else's listings took, milliseconds.
    bystander: Vec<f64>,
    lost: f64,
    /// MiB.
    growth: f64,
}

impl Outcome {
    /// What others noticed of it.
    fn noticed(&self, untimed: bool) -> Vec<String> {
        let name = self.attack.name();
        let mut noticed = Vec::new();
        if let Some((count, why)) = &self.unserved {
            noticed.push(format!("{name}: root had no answer {count} times: {why}"));
        }
        if self.lost > 0.0 {
            noticed.push(format!("{name}: {} records or lines lost", self.lost));
        }
        if self.growth > GROWTH_MIB {
            noticed.push(format!("{name}: the agent grew by {:.0} MiB", self.growth));
        }
        if self.tally.silent > 0 {
            noticed.push(format!("{name}: {} requests without an answer", self.tally.silent));
        }
        if !untimed && self.p99 > WAIT_MS {
            noticed.push(format!("{name}: root waited {:.1} ms", self.p99));
        }
        noticed
    }
}

/// As Markdown.
fn table(outcomes: &[Outcome]) -> String {
    let mut text = String::from(
        "| attack | users | requests | answers | abandoned | without an answer | root waits p50, ms | p99, ms | with its own wait for a processor, p99, ms | another user's `ss`, p50, ms | p99, ms | connections | lost | agent grows, MiB |\n\
         | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |\n",
    );
    for outcome in outcomes {
        let Outcome {
            attack,
            tally,
            connections,
            p50,
            p99,
            p99_of_all,
            lost,
            growth,
            bystander,
            unserved: _,
        } = outcome;
        let [ss50, ss99] = [0.5, 0.99].map(|part| quantile(bystander.clone(), part));
        let answers: Vec<String> =
            tally.statuses.iter().map(|(status, count)| format!("{count} × {status}")).collect();
        let _ = writeln!(
            text,
            "| {} | {} | {} | {} | {} | {} | {p50:.2} | {p99:.2} | {p99_of_all:.2} | {ss50:.0} | {ss99:.0} | {connections} | {lost} | {growth:.0} |",
            attack.name(),
            attack.users(),
            tally.requests,
            answers.join(", "),
            tally.abandoned,
            tally.silent,
        );
    }
    text
}

/// Numbers by status.
type Statuses = BTreeMap<u16, u64>;

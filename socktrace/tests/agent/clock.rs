//! Clocks: the wall clock is set while the agent runs, or the agent's own clocks are not those of the machine.

use super::{Agent, folder};
use crate::support::actor::Actor;
use crate::support::run::{Running, run};
use crate::support::{is_guest, may_trace};
use nix::sys::time::TimeSpec;
use nix::time::{ClockId, clock_gettime, clock_settime};
use serde_json::Value;
use std::process::{Command, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

/// Whoever sets the clock, or looks at it, does so alone.
static CLOCK: Mutex<()> = Mutex::new(());

/// Seconds between that time and now, by the wall clock.
fn from_now(time: &Value) -> f64 {
    let text = time.as_str().unwrap_or_else(|| panic!("no time: {time}"));
    let at = text.parse::<jiff::Timestamp>().unwrap();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    at.as_duration().as_secs_f64() - now.as_secs_f64()
}

/// Now, or a moment ago.
#[track_caller]
fn is_now(time: &Value) {
    let distance = from_now(time);
    assert!((-600.0..1.0).contains(&distance), "{time} is {distance} s from now");
}

fn history(agent: &Agent, words: &[&str]) -> Vec<Value> {
    let said = run(&[&["history", "--agent", agent.path(), "--json"], words].concat());
    assert_eq!(said.code, Some(0), "{}", said.stderr);
    said.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// How many listeners on that port pass that test of their age, in the network namespace of the actor.
fn aged(agent: &Agent, actor: &Actor, port: &str, age: &str) -> usize {
    let (netns, filter) = (actor.pid().to_string(), format!("sport = :{port} and {age}"));
    let said = run(&["ss", "--agent", agent.path(), "-Htln", "-N", &netns, &filter]);
    assert_eq!((said.code, said.stderr.as_str()), (Some(0), ""));
    said.stdout.lines().count()
}

#[test]
fn in_a_time_namespace_ages_and_dates_are_those_of_the_machine() {
    if !may_trace("in_a_time_namespace_ages_and_dates_are_those_of_the_machine") {
        return;
    }
    let _alone = CLOCK.lock().unwrap_or_else(PoisonError::into_inner);
    let directory = folder();
    let path = directory.path().join("agent.sock");
    // Its own clocks say that it has been up for years.
    let mut command = Command::new("unshare");
    command.args(["--time", "--boottime", "100000000", "--monotonic", "50000000", "--fork", "--kill-child"]);
    command.args([env!("CARGO_BIN_EXE_socktrace"), "agent", "--socket", path.to_str().unwrap()]);
    let process = Running::spawn(command.stdin(Stdio::null()));
    process.says("socktrace: agent ready on ");
    let agent = Agent { process, path, _directory: directory };

    let mut actor = Actor::here_as("namespaced", 0);
    let events = agent.events(&["--comm", "namespaced", "-t"]);
    let port = actor.does("listen 127.0.0.1");
    is_now(&events.event(|event| event["event"] == "listen")["ts"]);
    let ages = ["age < 10m", "age > 10m"].map(|age| aged(&agent, &actor, &port, age));
    assert_eq!(ages, [1, 0]);
    let said = run(&["ss", "--agent", agent.path(), "-Htln", "--json", &format!("sport = :{port}")]);
    is_now(&serde_json::from_str::<Value>(&said.stdout).unwrap()["opened"]);
    actor.does("close-listener");
    let close = events.event(|event| event["event"] == "close");
    assert!(close["duration_us"].as_u64().unwrap() < 600_000_000, "{close}");
    let ends = history(&agent, &["--since", "10m", "--comm", "namespaced"]);
    is_now(&ends[0]["ts"]);
    is_now(&ends[0]["opened"]);
    assert!(agent.status()["uptime_s"].as_u64().unwrap() < 600);
}

/// Sets the wall clock that much ahead, or back.
fn set(ahead_s: i64) {
    let now = clock_gettime(ClockId::CLOCK_REALTIME).unwrap();
    let then = TimeSpec::new(now.tv_sec() + ahead_s, now.tv_nsec());
    clock_settime(ClockId::CLOCK_REALTIME, then).unwrap();
}

#[test]
fn the_wall_clock_is_set_and_dates_follow_it_and_durations_do_not() {
    // Nobody's clock is set by a test but that of a guest (`cargo xtask vm`).
    if !is_guest() {
        eprintln!("the_wall_clock_is_set…: not run, it sets the clock; `cargo xtask vm` runs it");
        return;
    }
    let _alone = CLOCK.lock().unwrap_or_else(PoisonError::into_inner);
    let directory = folder();
    let dir = directory.path().join("history");
    let agent = Agent::start(&["--history-dir", dir.to_str().unwrap()]);
    let events = agent.events(&["--comm", "clocked", "-t"]);
    let mut actor = Actor::alone("clocked");
    // One that lives through all of it, and one for each time.
    let mut steady = actor.beside("steady");
    let old = steady.does("listen 127.0.0.1");
    let mut live = |jump_s: i64| {
        let port = actor.does("listen 127.0.0.1");
        is_now(&events.event(|event| event["event"] == "listen")["ts"]);
        set(jump_s);
        actor.does("close-listener");
        let close = events.event(|event| event["event"] == "close");
        is_now(&close["ts"]);
        assert!(close["duration_us"].as_u64().unwrap() < 600_000_000, "{close}");
        port
    };
    const HOUR: i64 = 3600;
    let ports: Vec<String> = [0, 2 * HOUR, -3 * HOUR, HOUR].into_iter().map(&mut live).collect();
    // By the clock of now, they ended so many hours ago: at the true time, two hours ahead, one ago, and now.
    let of = |source: &[&str], since: i64, until: i64| {
        let time = |s: i64| {
            let at = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
            let at = at.as_secs().checked_add_signed(s).unwrap();
            jiff::Timestamp::from_second(at.cast_signed()).unwrap().to_string()
        };
        let (since, until) = (time(since), time(until));
        let words =
            [&["history"], source, &["--json", "--comm", "clocked", "--since", &since, "--until", &until]];
        let said = run(&words.concat());
        assert_eq!(said.code, Some(0), "{}", said.stderr);
        let ends = said.stdout.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        ends.map(|end| end["local_port"].to_string()).collect::<Vec<_>>()
    };
    crate::support::wait_for("the files", || {
        (of(&["--dir", dir.to_str().unwrap()], -9 * HOUR, 9 * HOUR).len() == 4).then_some(())
    });
    let moment = 600;
    for source in [["--agent", agent.path()], ["--dir", dir.to_str().unwrap()]] {
        assert_eq!(of(&source, -HOUR - moment, -HOUR + moment), ports[2..3], "{source:?}");
        assert_eq!(of(&source, -moment, moment), [&*ports[0], &*ports[3]], "{source:?}");
        // `--since` may not be ahead of now.
        let until_then = of(&source, -moment, 2 * HOUR + moment);
        assert_eq!(until_then.len(), 3, "{source:?}: {until_then:?}");
        assert!(until_then.contains(&ports[1]), "{source:?}: {until_then:?}");
    }
    assert_eq!(["age < 20m", "age > 20m"].map(|age| aged(&agent, &steady, &old, age)), [1, 0]);
    steady.does("close-listener");
    let ends = history(&agent, &["--comm", "steady"]);
    is_now(&ends[0]["ts"]);
    is_now(&ends[0]["opened"]);
    assert!(ends[0]["duration_us"].as_u64().unwrap() < 1_200_000_000, "{ends:?}");
    assert!(agent.status()["uptime_s"].as_u64().unwrap() < 600);
}

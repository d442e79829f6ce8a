//! UDP, RAW, ping and UNIX sockets on their less travelled ways: what the table shows is what `/proc/net` shows, and every
//! event is reported once.

mod failing;
mod named;
mod opened;
mod raw;
mod unseen;

use crate::agent::Agent;
use crate::support::actor::Actor;
use crate::support::run::Running;
use crate::support::wait_for;
use serde_json::Value;
use std::cell::RefCell;
use std::collections::BTreeMap;

/// An agent, an actor that runs Python, and the events of the actor's namespace.
struct Scene {
    agent: Agent,
    actor: Actor,
    events: Running,
    netns: u64,
}

impl Scene {
    fn begin(name: &str) -> Self {
        let agent = Agent::start(&[]);
        Self::with(agent, Actor::python(name))
    }

    fn with(agent: Agent, actor: Actor) -> Self {
        let netns = actor.netns();
        let events = agent.events(&[&format!("netns {netns}")]);
        Self { agent, actor, events, netns }
    }

    /// Runs lines of Python that answer with nothing.
    #[track_caller]
    fn does(&mut self, lines: &str) {
        assert_eq!(self.actor.runs(lines), "done", "{lines}");
    }

    /// The value of a Python expression.
    fn asks(&mut self, expression: &str) -> String {
        self.actor.runs(&format!("answer = {expression}"))
    }

    /// The next event of the namespace.
    fn next(&self) -> Value {
        self.events.event(|event| event["netns"] == self.netns)
    }

    /// The next events in short, until a marker that is made now comes: `kind proto local port error`.
    fn events_until_now(&mut self) -> Vec<String> {
        let marker: u64 =
            self.actor.runs("M = make()\nM.bind((\"127.0.0.1\", 0))\nanswer = cookie(M)").parse().unwrap();
        let mut before = Vec::new();
        loop {
            let event = self.next();
            if event["cookie"] == marker {
                self.does("S.remove(M)\nM.close()");
                assert_eq!(self.next()["cookie"], marker);
                return before;
            }
            before.push(in_short(&event));
        }
    }

    /// The next events up to the one of that socket.
    fn events_to(&self, cookie: u64) -> Vec<Value> {
        let mut events = vec![self.next()];
        while events.last().is_none_or(|event| event["cookie"] != cookie) {
            events.push(self.next());
        }
        events
    }

    /// Waits until the table has what `/proc/net` has.
    #[track_caller]
    fn is_right(&mut self) {
        let differences = RefCell::new(Vec::new());
        let (agent, netns, actor) = (&self.agent, self.netns, RefCell::new(&mut self.actor));
        let right = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            wait_for("the table is right", || {
                let kernels: BTreeMap<u64, String> =
                    serde_json::from_str(&actor.borrow_mut().runs("answer = truth()")).unwrap();
                let ours = table(agent, netns);
                let all = ours.keys().chain(kernels.keys());
                let differ = all.filter(|inode| ours.get(inode) != kernels.get(inode));
                let found: Vec<_> = differ
                    .map(|inode| {
                        format!("{inode}: ours {:?}, the kernel's {:?}", ours.get(inode), kernels.get(inode))
                    })
                    .collect();
                let is_right = found.is_empty();
                *differences.borrow_mut() = found;
                is_right.then_some(())
            });
        }));
        assert!(right.is_ok(), "{:#?}", differences.borrow());
    }
}

/// The sockets of a namespace by inode, as the agent knows them, in the words of `truth` in `actor.py`.
fn table(agent: &Agent, netns: u64) -> BTreeMap<u64, String> {
    let ours = agent.rows().filter(|row| row["netns"] == netns);
    ours.map(|row| (row["inode"].as_u64().unwrap_or(0), described(&row))).collect()
}

fn described(row: &Value) -> String {
    let word = |field: &str| row[field].as_str().unwrap_or("none").to_owned();
    let end = |addr: &str, port: &str| match row[addr].as_str() {
        Some(addr) => format!("{addr} {}", row[port]),
        None => "none".to_owned(),
    };
    if row["family"] == "unix" {
        return format!("unix {} {}", word("state"), word("local_addr"));
    }
    let (local, peer) = (end("local_addr", "local_port"), end("peer_addr", "peer_port"));
    format!("{} {} {local} {peer} uid {}", word("proto"), word("state"), row["uid"])
}

fn in_short(event: &Value) -> String {
    let word = |field: &str| event[field].as_str().unwrap_or_default().to_owned();
    let mut words = vec![word("event"), word("proto"), word("local_addr"), event["local_port"].to_string()];
    words.extend(event["error"].as_str().map(str::to_owned));
    words.join(" ")
}

//! TCP sockets on their less travelled ways: what the table shows is what sock_diag shows, and every event is reported once.

mod dialled;
mod early;
mod failing;
mod listening;
mod stays;
mod whose;

use crate::agent::Agent;
use crate::support::actor::Actor;
use crate::support::run::Running;
use serde_json::Value;

/// An agent, an actor in a namespace of its own, and the events of that namespace.
struct Scene {
    agent: Agent,
    actor: Actor,
    events: Running,
    netns: u64,
}

impl Scene {
    fn begin(name: &str) -> Self {
        let agent = Agent::start(&[]);
        let actor = Actor::alone(name);
        let netns = actor.netns();
        let events = agent.events(&[&format!("netns {netns}")]);
        Self { agent, actor, events, netns }
    }

    /// Does it all, with the table right after each step.
    #[track_caller]
    fn does(&mut self, acts: &[&str]) {
        for act in acts {
            assert_eq!(self.actor.does(act), "done", "{act}");
            self.agent.is_right(&self.actor);
        }
    }

    /// A connect that fails, with the table right after it.
    #[track_caller]
    fn fails(&mut self, act: &str, errno: i32) {
        assert_eq!(self.actor.does(act), format!("error {errno}"), "{act}");
        self.agent.is_right(&self.actor);
    }

    /// The events until now: `kind local port error`.
    fn reported(&mut self) -> Vec<String> {
        self.events_until_now().iter().map(in_short).collect()
    }

    fn events_until_now(&mut self) -> Vec<Value> {
        let mut marker = self.actor.beside("marker");
        marker.does("make tcp");
        let cookie: u64 = marker.does("cookie").parse().unwrap();
        marker.does("bind 127.0.0.99 0");
        marker.does("drop-made");
        let mut events = Vec::new();
        let mut ours = Vec::new();
        // Its bind, and its close: nothing may come between, but of those who wait.
        while ours.len() < 2 {
            let event = self.events.event(|event| event["netns"] == self.netns);
            if event["cookie"] == cookie { ours.push(event) } else { events.push(event) }
        }
        events
    }
}

fn in_short(event: &Value) -> String {
    let word = |field: &str| event[field].as_str().unwrap_or_default().to_owned();
    let mut words = vec![word("event"), word("local_addr"), event["local_port"].to_string()];
    words.extend(event["error"].as_str().map(str::to_owned));
    words.join(" ")
}

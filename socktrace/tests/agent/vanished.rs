//! Network namespaces that nobody can find any more: they have gone with their last process, or live on where only a
//! socket keeps them.

use super::Agent;
use crate::support::actor::Actor;
use crate::support::{may_trace, patience, wait_for};
use serde_json::Value;
use std::fs;
use std::time::Instant;

impl Agent {
    /// The UNIX socket with that inode number, as the table has it.
    fn unix_socket(&self, inode: u32) -> Option<Value> {
        self.unix(|row| row["inode"] == inode)
    }

    fn unix(&self, is_it: impl Fn(&Value) -> bool) -> Option<Value> {
        let mut rows = self.rows();
        rows.find(|row| row["family"] == "unix" && is_it(row))
    }
}

/// In the first one's namespace a listener and a connection to it, of which the end that connected has been sent to the
/// second one's inbox. The inode numbers of the listener's end and of the one that was sent.
fn sends_one_end(giver: &mut Actor, taker: &mut Actor, path: impl Fn(&str) -> String) -> [u32; 2] {
    for command in ["unix-listen", "unix-connect"] {
        giver.does(&format!("{command} {}", path("here")));
    }
    giver.does("unix-accept");
    taker.does(&format!("inbox {}", path("inbox")));
    giver.does(&format!("send-fd 1 {}", path("inbox")));
    ["fd 0", "fd 1"].map(|command| {
        let fd = giver.does(command);
        inode(giver, &fd)
    })
}

/// The inode number of an actor's socket.
fn inode(actor: &Actor, fd: &str) -> u32 {
    let link = fs::read_link(format!("/proc/{}/fd/{fd}", actor.pid())).unwrap();
    let number = link.to_str().unwrap().strip_prefix("socket:[").unwrap().strip_suffix(']').unwrap();
    number.parse().unwrap()
}

#[test]
fn unix_sockets_of_a_namespace_end_with_its_last_process_and_not_at_the_next_audit() {
    if !may_trace("unix_sockets_of_a_namespace_end_with_its_last_process_and_not_at_the_next_audit") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("alone").display().to_string();
    let agent = Agent::start(&[]);
    let events = agent.events(&["-x", "--kinds", "listen,close"]);
    let mut alone = Actor::alone("last-one");
    let netns = alone.netns();
    alone.does(&format!("unix-listen {path}"));
    events.event(|event| event["netns"] == netns && event["event"] == "listen");
    let since = Instant::now();
    drop(alone);
    // The number of the namespace may have been another one's before.
    let close = events.event(|event| event["local_addr"] == path && event["event"] == "close");
    assert_eq!(close["netns"], netns, "{close}");
    // Audits come once a minute.
    assert!(since.elapsed() < patience() / 2, "an audit may have found it: {:?}", since.elapsed());
}

#[test]
fn a_unix_socket_that_was_handed_elsewhere_outlives_every_process_of_its_namespace() {
    if !may_trace("a_unix_socket_that_was_handed_elsewhere_outlives_every_process_of_its_namespace") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    let agent = Agent::start(&[]);
    let events = agent.events(&["-x", "--kinds", "close"]);
    let (mut giver, mut taker) = (Actor::alone("giver"), Actor::alone("taker"));
    let netns = giver.netns();
    let [kept, handed] = sends_one_end(&mut giver, &mut taker, path);
    taker.does("receive-fd");
    let [kept, _] = [kept, handed]
        .map(|inode| wait_for("the socket in the table", || agent.unix_socket(inode))["cookie"].clone());
    drop(giver);
    // All of them are looked at together: when the end of one is told, the others have been looked at.
    events.event(|event| event["netns"] == netns && event["cookie"] == kept);
    let row = agent.unix_socket(handed).expect("it is there");
    assert_eq!((&row["netns"], row["local_addr"].as_str()), (&netns.into(), Some(&*path("here"))), "{row}");
}

#[test]
fn a_unix_socket_that_is_under_way_to_a_process_is_not_told_as_closed() {
    if !may_trace("a_unix_socket_that_is_under_way_to_a_process_is_not_told_as_closed") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    let agent = Agent::start(&[]);
    let events = agent.events(&["-x", "--kinds", "close"]);
    let (mut giver, mut taker) = (Actor::alone("giver"), Actor::alone("taker"));
    let [kept, sent] = sends_one_end(&mut giver, &mut taker, path);
    for inode in [kept, sent] {
        wait_for("the socket in the table", || agent.unix_socket(inode));
    }
    drop(giver);
    // Audits look, too: the first one comes two seconds after the agent has begun.
    let audits = agent.status()["audits"].as_u64().unwrap();
    wait_for("an audit", || (agent.status()["audits"].as_u64() > Some(audits)).then_some(()));
    // One look has begun since then when the first of these is told, and what followed it is over with the second.
    for name in ["first", "second"] {
        let mut passer_by = taker.beside("passer-by");
        passer_by.does(&format!("unix-listen {}", path(name)));
        wait_for("it in the table", || agent.unix(|row| row["local_addr"] == path(name)));
        drop(passer_by);
        events.event(|event| event["local_addr"] == path(name));
    }
    agent.unix_socket(sent).expect("nobody has it, but it lies in the inbox");
    taker.does("receive-fd");
    wait_for("the end of the others", || agent.unix_socket(kept).is_none().then_some(()));
    agent.unix_socket(sent).expect("the taker has it");
}

//! Units, containers and pods, from the cgroups of real processes.

use crate::agent::Agent;
use crate::support::actor::Actor;
use crate::support::run::{Running, run};
use crate::support::{cannot_run, may_trace, wait_for};
use serde_json::{Value, json};
use std::fs;
use std::path::PathBuf;

const ID: &str = "4f2a8e5b0d1c9a7e6f3b2c1d0e9f8a7b6c5d4e3f2a1b0c9d8e7f6a5b4c3d2e1f";

/// A cgroup of our own, two levels deep. Dropping it sends whoever is in it back to the root, and removes it.
struct Group {
    mount: PathBuf,
    slice: String,
    leaf: String,
}

impl Group {
    /// None where this machine has no cgroup2, or none that may be altered.
    fn new(test: &str, leaf: &str) -> Option<Self> {
        let mounts = fs::read_to_string("/proc/self/mounts").unwrap();
        let mount = mounts.lines().find_map(|line| {
            let mut words = line.split(' ').skip(1);
            let (path, kind) = (words.next()?, words.next()?);
            (kind == "cgroup2").then(|| PathBuf::from(path))
        });
        let slice = format!("socktrace-{test}-{}.slice", std::process::id());
        let group = mount.map(|mount| Self { mount, slice, leaf: leaf.to_owned() });
        let made = group.filter(|group| fs::create_dir_all(group.path()).is_ok());
        if made.is_none() {
            cannot_run(test, "there is no cgroup2 that may be altered");
        }
        made
    }

    fn path(&self) -> PathBuf {
        self.mount.join(&self.slice).join(&self.leaf)
    }

    fn shown(&self) -> String {
        format!("/{}/{}", self.slice, self.leaf)
    }

    fn take(&self, actor: &Actor) {
        fs::write(self.path().join("cgroup.procs"), actor.pid().to_string()).unwrap();
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        let inside = fs::read_to_string(self.path().join("cgroup.procs")).unwrap_or_default();
        for pid in inside.lines() {
            let _ = fs::write(self.mount.join("cgroup.procs"), pid);
        }
        let _ = fs::remove_dir(self.path());
        let _ = fs::remove_dir(self.mount.join(&self.slice));
    }
}

#[track_caller]
fn check(object: &Value, expected: &Value) {
    for (field, value) in expected.as_object().unwrap() {
        assert_eq!(&object[field], value, "{field} of {object}");
    }
}

#[test]
fn events_tell_the_unit_also_after_its_end_and_filters_ask_for_it() {
    const TEST: &str = "events_tell_the_unit_also_after_its_end_and_filters_ask_for_it";
    if !may_trace(TEST) {
        return;
    }
    let Some(group) = Group::new("unit", "web.service") else { return };
    let mut actor = Actor::alone("in-a-unit");
    let mut other = actor.beside("in-no-unit");
    group.take(&actor);
    let events = Running::events(&["--direct", "--json", "-tu", "unit = web.service and not container *"]);
    other.does("listen 127.0.0.1");
    let port = actor.does("listen 127.0.0.1");
    actor.does("udp-bind 127.0.0.1");
    let netns = actor.netns();
    let expected = json!({
        "pid": actor.pid(), "cgroup_path": group.shown(), "unit": "web.service", "container": null, "pod": null,
    });
    for (kind, proto) in [("bind", "tcp"), ("listen", "tcp"), ("bind", "udp")] {
        let event = events.event(|event| event["netns"] == netns);
        assert_eq!((&event["event"], &event["proto"]), (&json!(kind), &json!(proto)), "{event}");
        check(&event, &expected);
    }
    // Its sockets outlive the cgroup.
    drop(group);
    actor.does("close-listener");
    let event = events.event(|event| event["netns"] == netns && event["event"] == "close");
    assert_eq!(event["local_port"].to_string(), port);
    check(&event, &expected);
}

#[test]
fn an_agent_and_ss_tell_the_container_and_filters_ask_for_it() {
    const TEST: &str = "an_agent_and_ss_tell_the_container_and_filters_ask_for_it";
    if !may_trace(TEST) {
        return;
    }
    let leaf = format!("kubepods-pod3c1b9a7e_5d42_4f6a_9e0b_1a2b3c4d5e6f.slice:cri-containerd:{ID}");
    let Some(group) = Group::new("container", &leaf) else { return };
    let mut actor = Actor::alone("in-a-container");
    group.take(&actor);
    let early = Agent::start(&[]);
    actor.does("listen 127.0.0.1");
    // It finds the socket in a dump.
    let late = Agent::start(&[]);
    let unit = format!("socktrace-container-{}.slice", std::process::id());
    let expected = json!({
        "cgroup_path": group.shown(), "unit": unit, "container": ID, "container_runtime": "containerd",
        "pod": "3c1b9a7e-5d42-4f6a-9e0b-1a2b3c4d5e6f",
    });
    let netns = actor.netns();
    for (agent, attribution) in [(&early, "exact"), (&late, "holder")] {
        let row = wait_for("the listener in the table", || {
            let mut rows = agent.rows();
            rows.find(|row| row["netns"] == netns && row["state"] == "LISTEN")
        });
        check(&row, &expected);
        check(&row, &json!({"pid": actor.pid(), "attribution": attribution}));
    }
    let pid = actor.pid().to_string();
    let rows = |source: &[&str], filter: &str| {
        let args = [&["ss"], source, &["-N", &pid, "-tlne", "--json", filter]].concat();
        let said = run(&args);
        assert_eq!((said.code, said.stderr.as_str()), (Some(0), ""), "{args:?}");
        said.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect::<Vec<Value>>()
    };
    for source in [&["--direct"][..], &["--agent", early.path()]] {
        for filter in
            ["container 4f2a8e5b0d1c", "pod = 3c1b9a7e*", "unit = socktrace-container*", "not container x"]
        {
            let found = rows(source, filter);
            assert_eq!(found.len(), 1, "{filter}: {found:#?}");
            check(&found[0], &expected);
        }
        for filter in ["container 4f2a8e5b0d1d", "not container *", "unit nginx.service"] {
            assert_eq!(rows(source, filter), [Value::Null; 0], "{filter}");
        }
    }
}

#[test]
fn a_unix_socket_that_was_there_before_is_in_the_cgroup_of_its_holder() {
    const TEST: &str = "a_unix_socket_that_was_there_before_is_in_the_cgroup_of_its_holder";
    if !may_trace(TEST) {
        return;
    }
    let Some(group) = Group::new("unix", "db.service") else { return };
    let folder = tempfile::tempdir().unwrap();
    let mut actor = Actor::alone("in-a-unit");
    group.take(&actor);
    let path = folder.path().join("db");
    actor.does(&format!("unix-listen {}", path.display()));
    let agent = Agent::start(&[]);
    let netns = actor.netns();
    let expected = json!({
        "pid": actor.pid(), "attribution": "holder", "cgroup_path": group.shown(), "unit": "db.service",
    });
    let mut rows = agent.rows();
    let row = rows.find(|row| row["netns"] == netns && row["family"] == "unix").expect("the listener");
    check(&row, &expected);
    // Its end, which filters find by that. Somebody wants to know, so that it is looked for every second.
    let _reader = agent.events(&["-x", "--kinds", "close"]);
    drop(actor);
    let end = wait_for("its end", || {
        let said = run(&["history", "--agent", agent.path(), "--json", "unit = db.service"]);
        said.stdout.lines().next().map(|line| serde_json::from_str::<Value>(line).unwrap())
    });
    check(&end, &expected);
    check(&end, &json!({"local_addr": path.to_str().unwrap()}));
}

#[test]
fn columns_are_those_that_were_asked_for() {
    const TEST: &str = "columns_are_those_that_were_asked_for";
    if !may_trace(TEST) {
        return;
    }
    let leaf = format!("docker-{ID}.scope");
    let Some(group) = Group::new("columns", &leaf) else { return };
    let mut actor = Actor::alone("columns");
    group.take(&actor);
    let agent = Agent::start(&[]);
    let events = ["--direct", "--agent"].map(|source| {
        let mut args = vec![source];
        args.extend(Some(agent.path()).filter(|_| source == "--agent"));
        args.extend([
            "-n",
            "--columns",
            "event,container,pid,unit,local",
            "--count",
            "1",
            "--comm",
            "columns",
        ]);
        Running::events(&args)
    });
    let port = actor.does("listen 127.0.0.1");
    let pid = actor.pid().to_string();
    let (id, end) = (&ID[..12], format!("127.0.0.1:{port}"));
    for events in events {
        let lines: Vec<_> = std::iter::from_fn(|| events.line()).collect();
        let words = lines.iter().map(|line| line.split_whitespace().collect::<Vec<_>>()).collect::<Vec<_>>();
        let unit = format!("docker-{id}*.scope");
        let expected =
            [vec!["Event", "Container", "PID", "Unit", "Local"], vec!["bind", id, &pid, &unit, &end]];
        assert_eq!(words, expected);
    }
    for source in [&["--direct"][..], &["--agent", agent.path()]] {
        let columns = ["-N", &pid, "-tlnH", "--columns", "container,local,state,pod,process,uid"];
        let said = run(&[&["ss"], source, &columns].concat());
        let words: Vec<_> = said.stdout.split_whitespace().collect();
        let [container, local, state, pod, process, uid] = words[..] else { panic!("{}", said.stdout) };
        assert_eq!((container, local), (id, &*end));
        assert_eq!((state, pod, uid), ("LISTEN", "-", "0"));
        assert!(process.starts_with(&format!("users:((\"columns\",pid={pid},")), "{process}");
    }
    for (command, expected) in [
        (
            &["events", "--columns", "time,lcal"][..],
            "socktrace: unknown column \"lcal\"; did you mean `local`?",
        ),
        (
            &["ss", "--columns", "state,lcal"],
            "socktrace: --columns: unknown column \"lcal\"; did you mean `local`?",
        ),
        (&["ss", "--columns", "state", "--json"], "socktrace: --json and --columns do not go together"),
    ] {
        let said = run(command);
        assert_eq!(said.code, Some(2), "{command:?}");
        assert!(said.stderr.starts_with(expected), "{}", said.stderr);
    }
}

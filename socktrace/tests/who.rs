//! Who holds a port, asked of real sockets, with an agent and without.

use crate::agent::Agent;
use crate::agent::rights::{USER, run as as_user};
use crate::support::actor::Actor;
use crate::support::run::{Said, run};
use crate::support::{in_own_netns, may_trace, wait_for};
use serde_json::Value;

const DOC: &str = include_str!("../../docs/who.md");

fn objects(said: &Said) -> Vec<Value> {
    assert_eq!(said.code, Some(0), "{}", said.stderr);
    said.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Every field is in the document.
fn check_fields(objects: &[Value]) {
    for field in objects.iter().flat_map(|object| object.as_object().unwrap().keys()) {
        assert!(DOC.contains(&format!("`{field}`")), "{field} is not described");
    }
}

#[test]
fn who_holds_a_port_who_held_it_and_who_could_not_have_it() {
    if !may_trace("who_holds_a_port_who_held_it_and_who_could_not_have_it") {
        return;
    }
    in_own_netns(|| {
        let agent = Agent::start(&[]);
        let who = |words: &[&str]| run(&[&["who", "--agent", agent.path()], words].concat());
        let mut holder = Actor::here_as("holder", 0);
        holder.does("listen 127.0.0.1 8080");
        let mut client = Actor::here_as("client", 0);
        for id in [0, 1] {
            client.does("connect 127.0.0.1 8080");
            holder.does("accept");
            if id == 0 {
                // Whoever closes first has the TIME-WAIT.
                holder.does("close 0");
                client.does("read 0 0");
                client.does("close 0");
            }
        }
        let mut late = Actor::here_as("late", 0);
        assert_eq!(late.does("listen 127.0.0.1 8080"), "error 98");
        let all = wait_for("the bind that failed, and the TIME-WAIT", || {
            let all = objects(&who(&["8080", "--json"]));
            let has = |key: &str, value: &str| all.iter().any(|it| it[key] == value);
            (has("when", "failed") && has("state", "TIME-WAIT")).then_some(all)
        });
        check_fields(&all);
        let one = |key: &str, value: &str| all.iter().find(|it| it[key] == value).unwrap();
        let listener = one("state", "LISTEN");
        assert_eq!((&listener["pid"], &listener["comm"]), (&holder.pid().into(), &"holder".into()));
        assert_eq!((&listener["queue"], &listener["local_port"]), (&0.into(), &8080.into()));
        assert!(listener["backlog"].as_u64().unwrap() > 0 && listener["opened"].is_string(), "{listener}");
        let open = one("state", "ESTAB");
        assert_eq!((&open["pid"], &open["sockets"]), (&holder.pid().into(), &1.into()));
        let waits = one("state", "TIME-WAIT");
        assert!((1..=60_000).contains(&waits["free_in_ms"].as_u64().unwrap()), "{waits}");
        let failed = one("when", "failed");
        assert_eq!((&failed["pid"], &failed["error"]), (&late.pid().into(), &"EADDRINUSE".into()));
        assert_eq!(
            (&failed["met"]["pid"], &failed["met"]["state"]),
            (&holder.pid().into(), &"LISTEN".into())
        );
        let before = one("when", "before");
        assert_eq!((&before["pid"], &before["sockets"]), (&holder.pid().into(), &1.into()));

        holder.does("close 0");
        holder.does("close-listener");
        let text = wait_for("the end of the listener", || {
            let text = who(&["127.0.0.1:8080"]).stdout;
            text.contains("listened on 127.0.0.1:8080").then_some(text)
        });
        let (holder, late) = (holder.pid(), late.pid());
        assert!(text.contains(&format!("held by holder[{holder}]")), "{text}");
        assert!(text.contains(&format!("late[{late}]")) && text.contains("TIME-WAIT"), "{text}");
        let nobody = who(&["8081"]);
        let said = "now     nobody holds port 8081 here; connections to that port: socktrace ss -tun 'dport = :8081'\n\
                    before  nothing is known\n";
        assert_eq!((nobody.code, nobody.stdout.as_str()), (Some(0), said));
    });
}

#[test]
fn an_ordinary_user_learns_of_a_port_what_ss_and_history_would_show_them() {
    if !may_trace("an_ordinary_user_learns_of_a_port_what_ss_and_history_would_show_them") {
        return;
    }
    in_own_netns(|| {
        let agent = Agent::start(&[]);
        let mut roots = Actor::here_as("roots", 0);
        roots.does("listen 127.0.0.1 8080");
        for uid in [0, USER] {
            assert_eq!(Actor::here_as("late", uid).does("listen 127.0.0.1 8080"), "error 98");
        }
        let ask = |uid| objects(&as_user(&["who", "--agent", agent.path(), "8080", "--json"], uid, uid));
        let failed = |all: &[Value]| all.iter().filter(|it| it["when"] == "failed").count();
        let all = wait_for("both binds that failed", || Some(ask(0)).filter(|all| failed(all) == 2));
        assert_eq!(all[0]["comm"], "roots");
        let theirs = ask(USER);
        assert_eq!((&theirs[0]["comm"], failed(&theirs)), (&Value::Null, 1), "{theirs:?}");
        let met = &theirs.iter().find(|it| it["when"] == "failed").unwrap()["met"];
        assert_eq!((&met["state"], &met["comm"]), (&"LISTEN".into(), &Value::Null));
    });
}

#[test]
fn without_an_agent_it_says_who_holds_it_now() {
    in_own_netns(|| {
        let mut holder = Actor::here_as("holder", 0);
        holder.does("listen 127.0.0.1 8080");
        let said = run(&["who", "--direct", "8080"]);
        let pid = holder.pid();
        let start = format!("now     tcp LISTEN 127.0.0.1:8080  holder[{pid}]");
        assert!(said.code == Some(0) && said.stdout.starts_with(&start), "{}{}", said.stdout, said.stderr);
        assert!(
            said.stderr.contains("no agent answers, so only who holds it now can be said"),
            "{}",
            said.stderr
        );
        let array: Vec<Value> =
            serde_json::from_str(&run(&["who", "--direct", "8080", "--json=array"]).stdout).unwrap();
        assert_eq!(array[0]["comm"], "holder");
    });
    for (words, expected) in [
        (&["who", "--direct", "80800"][..], "\"80800\" is neither a port nor an address"),
        (&["who", "--direct", "80", "--since", "soon"], "a time is 90s, 10m"),
    ] {
        let said = run(words);
        assert!(said.code == Some(2) && said.stderr.contains(expected), "{words:?}: {}", said.stderr);
    }
}

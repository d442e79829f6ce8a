//! Names of processes between quotes: whatever a process is called, it can be read back.

use crate::agent::Agent;
use crate::support::actor::Actor;
use crate::support::run::run;
use crate::support::{in_own_netns, may_trace};

/// The name and the rest of what follows `users:((`, as docs/ss-compat.md says.
fn read_back(text: &str) -> (String, &str) {
    let mut name = String::new();
    let mut rest = text.split_once("users:((\"").unwrap_or_else(|| panic!("no name in {text:?}")).1;
    loop {
        let (part, after) = rest.split_at(rest.find(['"', '\\']).unwrap());
        name.push_str(part);
        rest = match after.as_bytes() {
            [b'"', ..] => return (name, &after[1..]),
            [b'\\', byte @ (b'"' | b'\\'), ..] => {
                name.push(char::from(*byte));
                &after[2..]
            }
            _ => {
                name.push(char::from(u8::from_str_radix(&after[1..4], 8).unwrap()));
                &after[4..]
            }
        };
    }
}

#[test]
fn a_name_with_quotes_and_backslashes_reads_back_as_it_is() {
    if !may_trace("a_name_with_quotes_and_backslashes_reads_back_as_it_is") {
        return;
    }
    in_own_netns(|| {
        let agent = Agent::start(&["--history-entries", "100"]);
        for name in ["x\",pid=1,fd=9)", "a\\012b", "tab\tname", "back\\", "\\\"\\\""] {
            let mut actor = Actor::here_as(name, 0);
            let port = actor.does("listen 127.0.0.1");
            let pid = format!(",pid={},fd=", actor.pid());
            let filter = format!("sport = :{port}");
            for source in [&["--direct"][..], &["--agent", agent.path()]] {
                let said = run(&[&["ss", "-Htlnp"], source, &[&filter]].concat()).stdout;
                let (read, rest) = read_back(&said);
                assert_eq!((read.as_str(), rest.starts_with(&pid)), (name, true), "{said}");
            }
            actor.does("close-listener");
            let said = run(&["history", "--agent", agent.path(), &filter]).stdout;
            let line = said.lines().find(|line| line.contains(&port)).unwrap_or_else(|| panic!("{said}"));
            let (read, rest) = read_back(line);
            assert_eq!((read.as_str(), rest.starts_with(&pid[..pid.len() - 4])), (name, true), "{line}");
        }
    });
}

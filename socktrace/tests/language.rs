//! The filter language over real sockets, the same in `ss`, `events` and `history`, with and without an agent.

use crate::agent::Agent;
use crate::support::run::{Running, run};
use crate::support::{in_own_netns, may_trace};
use serde_json::Value;
use std::collections::BTreeSet;
use std::net::TcpListener;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr as UnixAddr, UnixListener};

/// Which of the two sockets these lines of JSON are about: those of that port, or of that name.
fn families(lines: impl Iterator<Item = String>, port: u16, name: &str) -> BTreeSet<&'static str> {
    let mut seen = BTreeSet::new();
    for line in lines {
        let row: Value = serde_json::from_str(&line).unwrap();
        match row["family"].as_str() {
            Some("unix") if row["local_addr"] == name => seen.insert("unix"),
            Some("inet") if row["local_port"] == port => seen.insert("inet"),
            Some(_) => panic!("neither of both: {row}"),
            None => false,
        };
    }
    seen
}

#[test]
fn a_family_prefix_in_one_branch_of_an_or_leaves_the_others_alone() {
    if !may_trace("a_family_prefix_in_one_branch_of_an_or_leaves_the_others_alone") {
        return;
    }
    in_own_netns(|| {
        let agent = Agent::start(&[]);
        let name = format!("@language-{}", std::process::id());
        let both = BTreeSet::from(["inet", "unix"]);
        for (port, unix_first) in [(19300, false), (19301, true)] {
            let (one, two) = (format!("port = {port}"), format!("src unix:{name}*"));
            let filter = if unix_first { format!("{two} or {one}") } else { format!("{one} or {two}") };
            let direct = Running::events(&["--direct", "--json", &filter]);
            let asked = agent.events(&[&filter]);
            let tcp = TcpListener::bind(("127.0.0.1", port)).unwrap();
            let unix = UnixAddr::from_abstract_name(&name[1..]).unwrap();
            let unix = UnixListener::bind_addr(&unix).unwrap();
            for source in [["--agent", agent.path()].as_slice(), &["--direct"]] {
                let said = run(&[&["ss", "-a", "--json"], source, &[&filter]].concat());
                let rows = said.stdout.lines().map(str::to_owned);
                assert_eq!(families(rows, port, &name), both, "{filter}: {}", said.stderr);
            }
            drop((tcp, unix));
            for events in [direct, asked] {
                let mut seen = BTreeSet::new();
                while seen != both {
                    let event = events.event(|event| event["event"] == "close");
                    seen.extend(families([event.to_string()].into_iter(), port, &name));
                }
            }
            let said = run(&["history", "--json", "--agent", agent.path(), &filter]);
            let rows = said.stdout.lines().map(str::to_owned);
            assert_eq!(families(rows, port, &name), both, "{filter}: {}", said.stderr);
        }
    });
}

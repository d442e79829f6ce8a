//! Names of network devices in the filters of events and history: each socket's is that of its own namespace.

use super::Agent;
use crate::support::actor::Actor;
use crate::support::may_trace;
use crate::support::run::{run, socktrace};
use serde_json::Value;
use std::os::unix::process::CommandExt as _;

/// In a namespace of its own, with a device of the index 55.
fn with_device(name: &str) -> Actor {
    let mut actor = Actor::python(name);
    let made = format!("answer = os.system('ip link add {name} index 55 type veth peer name {name}-peer')");
    assert_eq!(actor.runs(&made), "0");
    actor
}

/// Binds a socket to the device, and to a port, and closes it; its cookie.
fn uses_device(actor: &mut Actor, name: &str) -> u64 {
    let lines = format!(
        "s = make()\ns.setsockopt(SOL_SOCKET, SO_BINDTODEVICE, b'{name}')\ns.bind(('0.0.0.0', 7401))
answer = cookie(s)\nS.remove(s)\ns.close()"
    );
    actor.runs(&lines).parse().unwrap()
}

#[test]
fn a_device_of_an_event_is_that_of_the_sockets_own_namespace() {
    const TEST: &str = "a_device_of_an_event_is_that_of_the_sockets_own_namespace";
    if !may_trace(TEST) {
        return;
    }
    let agent = Agent::start(&[]);
    let (mut near, mut far) = (with_device("near0"), with_device("far0"));
    let of_both = format!("netns = {{{},{}}}", near.netns(), far.netns());
    let is_far = agent.events(&["--kinds", "bind", "dev far0"]);
    let is_not_far = agent.events(&["--kinds", "bind", &format!("dev != far0 and {of_both}")]);
    let by_number = agent.events(&["--kinds", "bind", &format!("dev 55 and {of_both}")]);
    let cookies =
        [uses_device(&mut near, "near0"), uses_device(&mut far, "far0"), uses_device(&mut near, "near0")];
    let next = |events: &crate::support::run::Running| events.event(|_| true)["cookie"].as_u64().unwrap();
    assert_eq!(next(&is_far), cookies[1]);
    assert_eq!([next(&is_not_far), next(&is_not_far)], [cookies[0], cookies[2]]);
    assert_eq!([next(&by_number), next(&by_number), next(&by_number)], cookies);
    let ended = |filter: &str| {
        let said = run(&["history", "--agent", agent.path(), "--json", filter, "and", "sport = :7401"]);
        assert_eq!(said.code, Some(0), "{filter}: {}", said.stderr);
        let cookie = |line: &str| serde_json::from_str::<Value>(line).unwrap()["cookie"].as_u64().unwrap();
        said.stdout.lines().map(cookie).collect::<Vec<_>>()
    };
    assert_eq!(ended("dev far0"), [cookies[1]]);
    assert_eq!(ended(&format!("dev near0 and {of_both}")), [cookies[0], cookies[2]]);
    for command in ["events", "history"] {
        let said = run(&[command, "--agent", agent.path(), "dev nowhere0"]);
        assert_eq!(said.code, Some(2), "{command}: {}", said.stderr);
        assert!(
            said.stderr.contains("no network device is called \"nowhere0\""),
            "{command}: {}",
            said.stderr
        );
        // Who sees one namespace is told nothing of the devices of others.
        let mut user = socktrace(&[command, "--agent", agent.path(), "dev far0"]);
        let said = user.uid(65534).gid(65534).output().unwrap();
        let stderr = String::from_utf8(said.stderr).unwrap();
        assert_eq!(said.status.code(), Some(2), "{command}: {stderr}");
        assert!(stderr.contains("no network device is called \"far0\""), "{command}: {stderr}");
    }
}

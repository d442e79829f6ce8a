//! What capabilities are for: user id 0 without them is shown no more than the kernel would show, by an agent of root and by
//! one that has become another user.

use super::{said_as, ss_as};
use crate::agent::{AGENTS, Agent};
use crate::ss_fixtures::Fixtures;
use crate::ss_parity::{difference, steady};
use crate::support::actor::Actor;
use crate::support::run::{Said, socktrace};
use crate::support::{in_own_netns, may_trace};
use caps::{CapSet, Capability};
use nix::sched::{CloneFlags, unshare};
use serde_json::Value;
use std::os::unix::process::CommandExt as _;
use std::process::Command;

/// Our binary, as user 0 with no capability but these.
fn with_only(capabilities: &'static [Capability], args: &[&str]) -> Command {
    let mut command = socktrace(args);
    let drop = move || {
        // What is not in the bounding set is not gained by exec.
        for capability in caps::runtime::thread_all_supported() {
            if !capabilities.contains(&capability) {
                caps::drop(None, CapSet::Bounding, capability).map_err(std::io::Error::other)?;
            }
        }
        Ok(())
    };
    // SAFETY: between fork and exec only system calls are made, and memory is taken, by one thread.
    unsafe { command.pre_exec(drop) };
    command
}

/// Our binary, as root of a user namespace of its own.
fn in_own_users(args: &[&str]) -> Command {
    let mut command = socktrace(args);
    let enter = || {
        unshare(CloneFlags::CLONE_NEWUSER)?;
        std::fs::write("/proc/self/uid_map", "0 0 1\n")?;
        std::fs::write("/proc/self/setgroups", "deny")?;
        std::fs::write("/proc/self/gid_map", "0 0 1\n")?;
        Ok(())
    };
    // SAFETY: as above.
    unsafe { command.pre_exec(enter) };
    command
}

fn words<'a>(source: &[&'a str], words: &'a str) -> Vec<&'a str> {
    ["ss"].iter().chain(source).copied().chain(words.split(' ')).collect()
}

#[test]
fn user_0_without_capabilities_is_shown_what_the_kernel_would_show() {
    if !may_trace("user_0_without_capabilities_is_shown_what_the_kernel_would_show") {
        return;
    }
    for options in AGENTS {
        in_own_netns(|| shows_what_the_kernel_would_show(options));
    }
}

fn shows_what_the_kernel_would_show(options: &[&str]) {
    let _fixtures = Fixtures::open();
    let agent = Agent::start(options);
    let mut theirs = Actor::here_as("of-nobody", 65534);
    theirs.does("listen 127.0.0.1");
    for capabilities in [
        &[][..],
        &[Capability::CAP_NET_ADMIN],
        &[Capability::CAP_SYS_PTRACE],
        &[Capability::CAP_DAC_READ_SEARCH],
        &[Capability::CAP_SYS_PTRACE, Capability::CAP_DAC_READ_SEARCH],
    ] {
        for question in
            ["-Htlnp", "-Htanpem", "-Huanpe", "-H0anpeb", "-Htan fwmark 0x2a", "-Htlnp not comm x"]
        {
            let said = |source: &[&str]| {
                let said = said_as(&mut with_only(capabilities, &words(source, question)));
                assert_eq!(said.code, Some(0), "{said:?}");
                said.stdout.lines().map(steady).collect::<Vec<_>>().join("\n")
            };
            let both = || (said(&["--agent", agent.path()]), said(&["--direct"]));
            if !(0..5).any(|_| both().0 == both().1) {
                let (through, direct) = both();
                panic!("{options:?} {capabilities:?} {question}\n{}", difference(&direct, &through));
            }
        }
    }
}

#[test]
fn user_0_without_capabilities_sees_no_other_namespace() {
    if !may_trace("user_0_without_capabilities_sees_no_other_namespace") {
        return;
    }
    for options in AGENTS {
        shows_no_other_namespace(&Agent::start(options));
    }
}

fn shows_no_other_namespace(agent: &Agent) {
    let mut elsewhere = Actor::alone("elsewhere");
    elsewhere.does("listen 127.0.0.1");
    let refused = |said: Said, expected: &str| {
        assert_eq!((said.code, said.stdout.as_str()), (Some(1), ""), "{said:?}");
        assert!(said.stderr.contains(expected), "{said:?}");
    };
    let all = ["ss", "--agent", agent.path(), "-tln", "--all-netns"];
    refused(said_as(&mut with_only(&[], &all)), "only root and the agent's group may look into other");
    // Root of a user namespace has every capability, over nothing that we see.
    let own = ["ss", "--agent", agent.path(), "-tln"];
    refused(said_as(&mut in_own_users(&own)), "does not know the user ids of your user namespace");
    // Who did not insist on the agent is answered by the kernel.
    let direct = said_as(in_own_users(&["ss", "-tln"]).env("SOCKTRACE_SOCKET", agent.path()));
    assert_eq!((direct.code, direct.stderr.as_str()), (Some(0), ""), "{direct:?}");
    for mut command in [with_only(&[], &["status", "--json"]), in_own_users(&["status", "--json"])] {
        let said = said_as(command.args(["--agent", agent.path()]));
        let status: Value = serde_json::from_str(&said.stdout).unwrap();
        assert_eq!((&status["sockets"], &status["seccomp"]), (&Value::Null, &true.into()), "{status}");
    }
    let all = ss_as(0, &format!("--agent {} -Htln --all-netns", agent.path()));
    assert!(all.code == Some(0) && all.stdout.lines().count() > 0, "{all:?}");
}

//! Processes that cannot be seen: a filter for processes decides nothing about what they hold.

use super::{said_as, ss_as};
use crate::agent::Agent;
use crate::support::actor::Actor;
use crate::support::run::{Said, socktrace};
use crate::support::{in_own_netns, may_trace};
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use nix::unistd::{Gid, Uid, setgroups, setresgid, setresuid};
use std::net::{TcpListener, TcpStream};
use std::os::unix::process::CommandExt as _;

const USER: u32 = 65534;

/// A way to ask, and why it does not show every process.
type Way<'a> = (&'a dyn Fn(&str) -> Said, &'a str);

/// As `ss_as` an ordinary user, where /proc is mounted with `hidepid=2`.
fn ss_with_hidepid(words: &str) -> Said {
    let mut command = socktrace(&["ss", "--direct"]);
    command.args(words.split(' '));
    let none = None::<&str>;
    let enter = move || {
        unshare(CloneFlags::CLONE_NEWNS)?;
        mount(none, "/", none, MsFlags::MS_REC | MsFlags::MS_PRIVATE, none)?;
        mount(Some("proc"), "/proc", Some("proc"), MsFlags::empty(), Some("hidepid=2"))?;
        let (user, group) = (Uid::from_raw(USER), Gid::from_raw(USER));
        setgroups(&[])?;
        setresgid(group, group, group)?;
        setresuid(user, user, user)?;
        Ok(())
    };
    // SAFETY: between fork and exec only system calls are made.
    unsafe { command.pre_exec(enter) };
    said_as(&mut command)
}

#[test]
fn an_owner_who_is_hidden_passes_neither_a_predicate_nor_its_negation() {
    if !may_trace("an_owner_who_is_hidden_passes_neither_a_predicate_nor_its_negation") {
        return;
    }
    in_own_netns(|| {
        let agent = Agent::start(&[]);
        let (mut roots, mut mine) = (Actor::here_as("roots", 0), Actor::here_as("mine", USER));
        let (roots_port, my_port) = (roots.does("listen 127.0.0.1"), mine.does("listen 127.0.0.1"));
        let hidepid = "/proc is mounted with hidepid, which hides other users' processes (try: sudo)";
        let ways: [Way<'_>; 3] = [
            (&ss_with_hidepid, hidepid),
            (&|words| ss_as(USER, &format!("--direct {words}")), "no permission to inspect "),
            (&|words| ss_as(USER, &format!("--agent {} {words}", agent.path())), "no permission to inspect "),
        ];
        for (way, why) in ways {
            for filter in
                ["not pid 1", "pid 1", "pid != 1", "not comm x", "comm roots", "not ( pid 1 or comm x )"]
            {
                let said = way(&format!("-Htln sport = :{roots_port} and ( {filter} )"));
                let expected = "socktrace: 1 sockets not shown, as the filter asks for their process, which is unknown: ";
                assert_eq!(said.stdout, "", "{filter}: {said:?}");
                assert!(said.stderr.starts_with(&format!("{expected}{why}")), "{filter}: {said:?}");
                // Of one's own everything is known.
                let said = way(&format!("-Htln sport = :{my_port} and ( {filter} )"));
                let shown = filter.contains("not") || filter.contains('!');
                assert_eq!(
                    (said.stdout.lines().count(), said.stderr.as_str()),
                    (usize::from(shown), ""),
                    "{filter}"
                );
            }
            // What does not turn on the process is decided.
            let either = way(&format!("-Htln sport = :{roots_port} or pid 1"));
            assert_eq!(
                (either.stdout.lines().count(), either.stderr.contains("1 sockets")),
                (1, false),
                "{either:?}"
            );
            let neither = way("-Htln sport = :1 and not pid 1");
            assert_eq!((neither.stdout.as_str(), neither.stderr.as_str()), ("", ""));
            let listed = way("-Htlnp");
            let expected = format!("socktrace: process unknown for 1 of 2 sockets: {why}");
            assert!(listed.stderr.starts_with(&expected), "{listed:?}");
        }
    });
}

#[test]
fn nobody_can_hold_what_has_no_file() {
    in_own_netns(|| {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let port = client.local_addr().unwrap().port();
        let (accepted, _) = listener.accept().unwrap();
        drop(client);
        drop(accepted);
        for uid in [0, USER] {
            let said = ss_as(uid, &format!("--direct -Htnp state time-wait sport = :{port} and not comm x"));
            assert_eq!((said.stdout.lines().count(), said.stderr.as_str()), (1, ""), "{said:?}");
        }
    });
}

#[test]
fn descriptors_that_may_be_listed_but_not_looked_behind_are_unknown() {
    in_own_netns(|| {
        let mut holder = Actor::here_as("holder", USER);
        let port = holder.does("listen 127.0.0.1");
        // The same user in another group.
        let mut command = socktrace(&["ss", "--direct", "-Htlnp"]);
        command.args(["sport", "=", &format!(":{port}"), "and", "not", "pid", "1"]).uid(USER).gid(1);
        let said = said_as(&mut command);
        assert_eq!(said.stdout, "", "{said:?}");
        assert!(said.stderr.starts_with("socktrace: 1 sockets not shown, "), "{said:?}");
    });
}

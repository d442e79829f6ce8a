//! Where the kernel, procfs or a sandbox shows less: what can be known is listed, and what cannot is said, by an agent of root
//! and by one that has become another user.

use super::{AGENTS, Agent, folder};
use crate::support::run::{Running, Said, run, socktrace};
use crate::support::{in_own_netns, may_trace};
use caps::{CapSet, Capability};
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule,
};
use socktrace::kernel::netns;
use std::os::unix::process::CommandExt as _;

#[test]
fn without_sys_admin_it_knows_its_own_namespace() {
    if !may_trace("without_sys_admin_it_knows_its_own_namespace") {
        return;
    }
    for options in AGENTS {
        knows_its_own_namespace(options);
    }
}

fn knows_its_own_namespace(options: &[&str]) {
    let directory = folder();
    let path = directory.path().join("agent.sock");
    let mut command = socktrace(&[&["agent", "--socket", path.to_str().unwrap()], options].concat());
    let mut keep = vec![Capability::CAP_BPF, Capability::CAP_PERFMON, Capability::CAP_NET_ADMIN];
    if !options.is_empty() {
        // What becoming another user takes.
        keep.extend([Capability::CAP_SETUID, Capability::CAP_SETGID, Capability::CAP_CHOWN]);
    }
    let less = move || {
        for capability in caps::all().into_iter().filter(|capability| !keep.contains(capability)) {
            // One that is not ours to drop we do not have.
            let _ = caps::drop(None, CapSet::Bounding, capability);
        }
        Ok(())
    };
    // SAFETY: between fork and exec only system calls are made.
    unsafe { command.pre_exec(less) };
    let agent = Running::spawn(&mut command);
    let ready = agent.says("socktrace: agent ready on ");
    assert!(ready.ends_with(" sockets)") && !ready.contains("(0 sockets)"), "{ready}");
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let filter = format!("sport = :{}", listener.local_addr().unwrap().port());
    let said = run(&["ss", "--agent", path.to_str().unwrap(), "-Htln", &filter]);
    assert!(said.stdout.contains("127.0.0.1:"), "{}{}", said.stdout, said.stderr);
}

#[test]
fn a_first_listing_that_fails_is_said() {
    if !may_trace("a_first_listing_that_fails_is_said") {
        return;
    }
    for options in AGENTS {
        says_that_nothing_is_listed(options);
    }
}

fn says_that_nothing_is_listed(options: &[&str]) {
    let directory = folder();
    let path = directory.path().join("agent.sock");
    let mut command = socktrace(&[&["agent", "--socket", path.to_str().unwrap()], options].concat());
    // No netlink sockets, as some sandboxes have it.
    let netlink =
        SeccompCondition::new(0, SeccompCmpArgLen::Dword, SeccompCmpOp::Eq, libc::AF_NETLINK as u64);
    let rule = SeccompRule::new(vec![netlink.unwrap()]).unwrap();
    let filter = SeccompFilter::new(
        [(libc::SYS_socket, vec![rule])].into(),
        SeccompAction::Allow,
        SeccompAction::Errno(libc::EPERM as u32),
        std::env::consts::ARCH.try_into().unwrap(),
    );
    let program: BpfProgram = filter.unwrap().try_into().unwrap();
    let sandbox = move || seccompiler::apply_filter(&program).map_err(std::io::Error::other);
    // SAFETY: between fork and exec only system calls are made.
    unsafe { command.pre_exec(sandbox) };
    let agent = Running::spawn(&mut command);
    let ready = agent.says("socktrace: agent ready on ");
    assert!(ready.contains("; no sockets could be listed: "), "{ready}");
}

#[test]
fn without_procfs_sockets_are_listed() {
    if !may_trace("without_procfs_sockets_are_listed") {
        return;
    }
    for options in AGENTS {
        lists_without_procfs(&Agent::start(options));
    }
}

fn lists_without_procfs(agent: &Agent) {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let filter = format!("sport = :{}", listener.local_addr().unwrap().port());
    for source in [&["--direct"][..], &["--agent", agent.path()]] {
        for (options, expected) in [
            (&["-Htln"][..], "127.0.0.1:"),
            (&["-tln", "--json"], "\"local_addr\":\"127.0.0.1\""),
            (&["-Htln", "--columns", "netns,local"], "127.0.0.1:"),
        ] {
            let mut command = socktrace(&[&["ss"], source, options, &[&filter]].concat());
            let hide = || -> nix::Result<()> {
                let none = None::<&str>;
                unshare(CloneFlags::CLONE_NEWNS)?;
                mount(none, "/", none, MsFlags::MS_REC | MsFlags::MS_PRIVATE, none)?;
                mount(Some("tmpfs"), "/proc", Some("tmpfs"), MsFlags::empty(), none)
            };
            // SAFETY: between fork and exec only system calls are made.
            unsafe { command.pre_exec(move || hide().map_err(std::io::Error::from)) };
            let output = command.output().unwrap();
            let text = |bytes| String::from_utf8(bytes).unwrap();
            let (stdout, stderr) = (text(output.stdout), text(output.stderr));
            assert!(
                output.status.success() && stdout.contains(expected),
                "{source:?} {options:?}: {stdout}{stderr}"
            );
            // It is not known directly; an agent has procfs.
            let unknown = source == ["--direct"];
            match options.last() {
                Some(&"--json") => assert_eq!(stdout.contains("\"netns\":"), !unknown, "{stdout}"),
                Some(&"netns,local") => assert_eq!(stdout.starts_with("- "), unknown, "{stdout}"),
                _ => {}
            }
        }
    }
}

#[test]
fn namespaces_of_threads_and_of_descriptors_are_listed() {
    if !may_trace("namespaces_of_threads_and_of_descriptors_are_listed") {
        return;
    }
    let port = |listener: &std::net::TcpListener| listener.local_addr().unwrap().port();
    let (_open, of_descriptor) = in_own_netns(|| {
        let open = std::fs::File::open("/proc/thread-self/ns/net").unwrap();
        (open, std::net::TcpListener::bind("127.0.0.1:0").unwrap())
    });
    let (begun, is_there) = std::sync::mpsc::channel();
    let (finish, ended) = std::sync::mpsc::channel::<()>();
    let thread = std::thread::spawn(move || {
        in_own_netns(move || {
            let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
            begun.send(port(&listener)).unwrap();
            let _ = ended.recv();
        });
    });
    let ports = [port(&of_descriptor), is_there.recv().unwrap()];
    for options in AGENTS {
        let agent = Agent::start(options);
        for source in [&["--direct"][..], &["--agent", agent.path()]] {
            for port in ports {
                let filter = format!("sport = :{port}");
                let said = run(&[&["ss", "-Htln", "--all-netns"], source, &[&filter]].concat());
                assert!(
                    said.stdout.contains(&format!("127.0.0.1:{port} ")),
                    "{options:?} {source:?} {}{}",
                    said.stdout,
                    said.stderr
                );
            }
        }
        for port in ports {
            assert!(agent.rows().any(|row| row["local_port"] == port), "the table has {port}");
        }
    }
    drop(finish);
    thread.join().unwrap();
}

/// Nothing leads there: no process, no thread, no descriptor of the namespace. Only the agent knows.
#[test]
fn a_namespace_that_only_a_socket_keeps_is_said_to_be_missing() {
    if !may_trace("a_namespace_that_only_a_socket_keeps_is_said_to_be_missing") {
        return;
    }
    for options in AGENTS {
        let agent = Agent::start(options);
        let (listener, netns) = in_own_netns(|| {
            let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
            (listener, netns::current().unwrap())
        });
        let id = netns.to_string();
        let is_missing = |said: &Said| {
            let mut lines = said.stderr.lines();
            lines.any(|line| {
                line.contains("sockets that are not listed, since no process") && line.contains(&id)
            })
        };
        let asks = |words: &[&str]| run(&[&["ss", "--agent", agent.path(), "--all-netns"], words].concat());
        for words in [&["-Htln"][..], &["-tln", "--json"]] {
            let said = asks(words);
            assert!(is_missing(&said), "{options:?} {words:?}: {}{}", said.stdout, said.stderr);
        }
        // With something else that leads there, or nothing to list, nothing is missing.
        let open = netns::Netns::of_socket(&listener).unwrap();
        let said = asks(&["-Htln"]);
        assert!(!is_missing(&said), "{options:?}: {}", said.stderr);
        drop(listener);
        drop(open);
        let said = asks(&["-Htln"]);
        assert!(!is_missing(&said), "{options:?}: {}", said.stderr);
    }
}

//! Answers that are being made for ordinary users: that work ends when its client goes, and where there is no thread for it
//! it is refused.

use super::{Agent, DAEMON, FIRST, as_user, ask, get, status};
use crate::agent::AGENTS;
use crate::agent::folder;
use crate::support::run::{Running, socktrace};
use crate::support::{may_trace, wait_for};
use caps::{CapSet, Capability};
use std::io::{self, Write as _};
use std::net::Shutdown;
use std::os::unix::process::CommandExt as _;

#[test]
fn abandoned_questions_end_and_hold_up_nobody() {
    if !may_trace("abandoned_questions_end_and_hold_up_nobody") {
        return;
    }
    for options in AGENTS {
        let agent = Agent::start(options);
        let before = agent.threads();
        for uid in FIRST..FIRST + 4 {
            as_user(uid, || {
                for target in [
                    "/v1/history?filter=dst+a.name.that.nobody.knows",
                    "/v1/sockets?tables=tcp&states=all&show=processes",
                    "/v1/table",
                    "/v1/events?filter=dst+another.name",
                    "/v1/history",
                ] {
                    for _ in 0..40 {
                        let mut stream = ask(&agent.path, target);
                        // More than a request: so the agent does not see it leave.
                        let _ = stream.write_all(b"GET");
                        let _ = stream.shutdown(Shutdown::Write);
                    }
                }
            });
        }
        agent.serves_root();
        let (head, _) = get(&agent.path, "/v1/history?since=1s");
        assert!(head.starts_with("HTTP/1.0 200"), "{head}");
        // The thread of ordinary users' connections stays.
        wait_for("the end of the work", || (agent.threads() <= before + 2).then_some(()));
        wait_for("the end of their connections", || {
            (as_user(FIRST, || status(&mut ask(&agent.path, "/v1/history?since=1s"))).0 == 200).then_some(())
        });
    }
}

#[test]
fn without_threads_a_request_is_refused_and_the_agent_lives() {
    if !may_trace("without_threads_a_request_is_refused_and_the_agent_lives") {
        return;
    }
    let directory = folder();
    let path = directory.path().join("agent.sock");
    let mut command = socktrace(&["agent", "--socket", path.to_str().unwrap(), "--user", "daemon"]);
    // With these, and as user 0, the kernel does not count threads.
    let less = || {
        for capability in [Capability::CAP_SYS_ADMIN, Capability::CAP_SYS_RESOURCE] {
            caps::drop(None, CapSet::Bounding, capability).map_err(io::Error::other)?;
        }
        Ok(())
    };
    // SAFETY: between fork and exec only system calls are made.
    unsafe { command.pre_exec(less) };
    let process = Running::spawn(&mut command);
    process.says("socktrace: agent ready on ");
    let agent = Agent { process, path, _directory: directory };
    let pid = agent.pid() as i32;
    // The user itself may: everybody else needs a right that containers lack.
    let limit_threads = |most: Option<u64>| {
        as_user(DAEMON, || {
            let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
            // SAFETY: the limit lives during the call, and none is set.
            let read = unsafe { libc::prlimit(pid, libc::RLIMIT_NPROC, std::ptr::null(), &raw mut limit) };
            limit.rlim_cur = most.unwrap_or(limit.rlim_max);
            // SAFETY: the limit lives during the call, and no old one is wanted.
            let set =
                unsafe { libc::prlimit(pid, libc::RLIMIT_NPROC, &raw const limit, std::ptr::null_mut()) };
            assert_eq!((read, set), (0, 0), "{}", io::Error::last_os_error());
        });
    };
    const TARGETS: [&str; 4] = ["/v1/sockets?tables=tcp", "/v1/history", "/v1/table", "/v1/events"];
    limit_threads(Some(0));
    for target in TARGETS {
        for answer in [
            status(&mut ask(&agent.path, target)),
            // Their connections are served by a thread that has not been started yet.
            as_user(FIRST, || status(&mut ask(&agent.path, target))),
        ] {
            let (status, rest) = answer;
            let said = "the agent cannot have one more thread: resource temporarily unavailable";
            assert!(status == 503 && rest.contains(said), "{target}: {status} {rest}");
        }
    }
    agent.serves_root();
    limit_threads(None);
    for target in TARGETS {
        assert_eq!(status(&mut ask(&agent.path, target)).0, 200, "{target}");
        assert_eq!(as_user(FIRST, || status(&mut ask(&agent.path, target))).0, 200, "{target}");
    }
    // Once that thread is there, an answer's is missing.
    limit_threads(Some(0));
    for target in TARGETS {
        let (status, rest) = as_user(FIRST, || status(&mut ask(&agent.path, target)));
        assert!(status == 503 && rest.contains("cannot have one more thread"), "{target}: {status} {rest}");
    }
    agent.serves_root();
}

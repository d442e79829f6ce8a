//! What the facts mean: findings with stable ids and remedies. Nothing is read here.

use super::facts::{Agent, Facts, Forbidding};
use super::finding::Finding;
use super::forbidden;
use super::hooks;
use super::namespaces;
use super::trial::{Seen, Trial};
use crate::api::status::{HookState, Status};
use crate::client::ClientError;
use crate::kernel::capabilities::NEEDED;
use crate::kernel::release;
use caps::Capability;
use std::io::ErrorKind;

/// The oldest kernel that can be traced: cookies in typed tracepoints.
const OLDEST: (u32, u32) = (5, 12);

/// Everything that there is to say.
pub(super) fn findings(facts: &Facts) -> Vec<Finding> {
    let mut all = vec![kernel(facts), btf(facts)];
    all.extend(rights(facts));
    all.extend(surroundings(facts));
    all.extend(forbidden::finding(facts));
    all.extend(namespaces::findings(facts));
    all.extend(trial(facts));
    all.extend(agent(&facts.agent));
    all
}

fn kernel(facts: &Facts) -> Finding {
    let id = "kernel.release";
    match facts.release.as_str() {
        "" => Finding::unknown(id, "uname says nothing"),
        release if release::is_from(release, OLDEST) => Finding::ok(id, release),
        release => Finding::failed(id, format!("{release} is older than 5.12"))
            .remedy("a kernel of 5.12 or later; until then `socktrace ss` works, and nothing else"),
    }
}

fn btf(facts: &Facts) -> Finding {
    let id = "kernel.btf";
    match &facts.btf {
        Ok(()) => Finding::ok(id, "/sys/kernel/btf/vmlinux can be read"),
        Err(why) => Finding::failed(id, format!("cannot read /sys/kernel/btf/vmlinux: {why}"))
            .remedy("a kernel with CONFIG_DEBUG_INFO_BTF=y, and /sys mounted"),
    }
}

/// What can be done without the agent, and what an agent started here could do. Where one runs and answers, nobody needs
/// rights to ask it.
fn rights(facts: &Facts) -> Vec<Finding> {
    let Some(has) = &facts.capabilities else {
        return vec![Finding::unknown("rights", "the kernel does not say which capabilities we have")];
    };
    let missing = facts.missing_to_attach();
    if !missing.is_empty() && facts.agent.status.is_ok() {
        return vec![Finding::ok(
            "rights",
            "none to trace by oneself, and none are needed: the agent traces",
        )];
    }
    let mut all = Vec::new();
    for name in &missing {
        let id = format!("rights.{}", name.trim_start_matches("CAP_").to_lowercase());
        let finding = Finding::failed(id, format!("{name} is missing")).lost("tracing");
        all.push(finding.remedy(facts.start.grant(&missing)));
    }
    let ahead = (
        Capability::CAP_SYS_NICE,
        "going before programs that keep all processors busy, which may cost events",
    );
    for (capability, lost) in NEEDED.into_iter().chain([ahead]) {
        let name = capability.to_string();
        if !has.contains(&capability) && !missing.contains(&&*name) {
            let id = format!("rights.{}", name.trim_start_matches("CAP_").to_lowercase());
            let finding = Finding::degraded(id, format!("{name} is missing")).lost(lost);
            all.push(finding.remedy(facts.start.grant(&[&name])));
        }
    }
    if all.is_empty() {
        all.push(Finding::ok("rights", "every capability that is needed"));
    }
    all
}

fn surroundings(facts: &Facts) -> Vec<Finding> {
    let mut all = Vec::new();
    let proc = match facts.proc {
        proc if !proc.mounted => Finding::degraded("proc", "/proc is not mounted")
            .lost("processes and namespaces of sockets that were open before")
            .remedy("mount -t proc proc /proc"),
        proc if proc.hides && facts.lacks(Capability::CAP_SYS_PTRACE) => {
            Finding::degraded("proc", "/proc hides other users' processes (hidepid)")
                .lost("processes of other users")
                .remedy("CAP_SYS_PTRACE, or mount -o remount,hidepid=off /proc")
        }
        _ => Finding::ok("proc", "mounted"),
    };
    all.push(proc);
    all.push(match &facts.sock_diag {
        Ok(()) => Finding::ok("sock_diag", "sockets can be listed by netlink"),
        Err(why) => Finding::degraded("sock_diag", why.clone())
            .lost("cookies and details of sockets: they are read from /proc/net")
            .remedy("modprobe -a tcp_diag udp_diag unix_diag, or a kernel with CONFIG_INET_DIAG; in a sandbox, AF_NETLINK"),
    });
    all
}

fn trial(facts: &Facts) -> Vec<Finding> {
    match &facts.trial {
        Trial::NotTried if facts.agent.status.is_ok() => Vec::new(),
        Trial::NotTried => {
            vec![Finding::unknown("trace", "not tried, because of what is missing")]
        }
        Trial::Refused(error) => {
            let finding = Finding::failed("trace.load", error.to_string());
            let remedy = match (error.is_denied(), facts.forbidding()) {
                (_, Some(Forbidding::Lockdown)) => forbidden::UNLOCK.to_owned(),
                (true, Some(Forbidding::Filter)) => facts.start.unfilter(),
                (true, Some(Forbidding::Paranoia) | None) => {
                    "what else may forbid it: a security module, or kernel.unprivileged_bpf_disabled with \
                         a user namespace in between"
                        .to_owned()
                }
                (false, Some(Forbidding::Filter | Forbidding::Paranoia) | None) => error.remedy().to_owned(),
            };
            vec![finding.remedy(remedy)]
        }
        Trial::Attached { missing, connection } => {
            let mut all = hooks::findings(missing, facts.forbidding());
            all.push(seen(connection));
            all
        }
    }
}

fn seen(connection: &Result<Seen, String>) -> Finding {
    let id = "trace.connection";
    match connection {
        Err(why) => {
            Finding::unknown(id, format!("no connection over loopback: {why}")).remedy("ip link set lo up")
        }
        Ok(Seen { connected: Some(after), owned: true, closed: true }) => Finding::ok(
            id,
            format!("seen after {} us, from its beginning to its end, with its process", after.as_micros()),
        ),
        Ok(seen) => {
            let parts =
                [(seen.connected.is_some(), "connect"), (seen.owned, "process"), (seen.closed, "close")];
            let not: Vec<&str> = parts.iter().filter(|(is, _)| !is).map(|(_, what)| *what).collect();
            Finding::failed(id, format!("a connection of our own was not seen: {}", not.join(", ")))
                .remedy("report it, with what socktrace doctor --json says")
        }
    }
}

fn agent(agent: &Agent) -> Vec<Finding> {
    let path = agent.path.display();
    let id = "agent";
    let status = match &agent.status {
        Ok(status) => status,
        Err(ClientError::Absent { error, .. }) if error.kind() == ErrorKind::PermissionDenied => {
            return vec![
                Finding::degraded(id, format!("{path} is not for us"))
                    .lost("answers at once, and the history")
                    .remedy("membership in the group of the agent's socket, or sudo"),
            ];
        }
        Err(ClientError::Absent { .. }) => {
            return vec![Finding::ok(id, "none runs: commands look for themselves, and there is no history")];
        }
        Err(error @ ClientError::Stranger { uid, .. }) => {
            return vec![
                Finding::degraded(id, error.to_string())
                    .remedy(format!("SOCKTRACE_AGENT_USER={uid} if that user is to be believed")),
            ];
        }
        Err(error @ (ClientError::Refused { .. } | ClientError::Broken { .. })) => {
            return vec![Finding::degraded(id, error.to_string()).remedy("journalctl -u socktrace")];
        }
    };
    let mut all = vec![Finding::ok(id, format!("answers, up for {} s", status.uptime_s))];
    all.extend(health(status));
    all
}

/// What a running agent says of itself.
fn health(status: &Status) -> Vec<Finding> {
    let mut all = Vec::new();
    for hook in status.hooks.iter().filter(|hook| hook.state == HookState::Missing) {
        let why = hook.reason.as_deref().unwrap_or("not known");
        let finding = Finding::degraded(format!("agent.hooks.{}", hook.name), why);
        all.push(finding.lost(hook.lost_without.as_deref().unwrap_or("not known")));
    }
    if status.events_lost > 0 {
        let what = format!("{} events lost since it started", status.events_lost);
        all.push(Finding::degraded("agent.lost", what).remedy("a larger --ring-size"));
    }
    if status.drift > 0 {
        let what =
            format!("{} differences between its table and the kernel's were found and mended", status.drift);
        all.push(
            Finding::degraded("agent.drift", what)
                .remedy("report it, with what socktrace status --json says"),
        );
    }
    if !status.seccomp {
        all.push(Finding::degraded("agent.seccomp", "its filter of system calls is not in place"));
    }
    all
}

#[cfg(test)]
mod tests {
    use super::super::finding::Answer;
    use super::*;
    use std::collections::BTreeMap;
    use std::time::Duration;

    #[test]
    fn a_connection_is_seen_from_end_to_end_or_it_is_a_failure() {
        let whole = Seen { connected: Some(Duration::from_micros(5)), owned: true, closed: true };
        assert_eq!(seen(&Ok(whole)).answer, Answer::Ok);
        for (part, said) in [
            (Seen { owned: false, ..whole }, "a connection of our own was not seen: process"),
            (Seen { closed: false, ..whole }, "a connection of our own was not seen: close"),
            (Seen::default(), "a connection of our own was not seen: connect, process, close"),
        ] {
            let finding = seen(&Ok(part));
            assert_eq!((finding.answer, &*finding.what), (Answer::Failed, said));
        }
        assert_eq!(seen(&Err("no network".to_owned())).answer, Answer::Unknown);
    }

    #[test]
    fn an_agent_that_is_not_well_is_named() {
        let well = Status {
            sockets: None,
            events_seen: None,
            events_lost: 0,
            skipped: 0,
            families: BTreeMap::new(),
            resyncs: 0,
            audits: 0,
            drift: 0,
            history_records: None,
            history_bytes: None,
            hooks: Vec::new(),
            seccomp: true,
            uptime_s: 1,
            rss_bytes: 1,
        };
        assert_eq!(health(&well), []);
        let ill = Status { events_lost: 1, drift: 2, seccomp: false, ..well };
        let ids: Vec<String> = health(&ill).into_iter().map(|finding| finding.id).collect();
        assert_eq!(ids, ["agent.lost", "agent.drift", "agent.seccomp"]);
    }
}

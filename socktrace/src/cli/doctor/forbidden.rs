//! What forbids things although every right is there: one finding, whatever it keeps from us. Nothing is read here.

use super::facts::{Facts, Forbidding};
use super::finding::Finding;
use super::hooks;
use super::trial::{Missing, Trial};
use caps::Capability;

/// What is lost where network namespaces cannot be entered.
pub(super) const OTHER_NAMESPACES: &str = "sockets of other network namespaces";

/// What helps against a kernel that is locked down.
pub(super) const UNLOCK: &str = "lockdown=integrity on the kernel's command line";

/// What it forbids; none if it forbids nothing of what was tried.
pub(super) fn finding(facts: &Facts) -> Option<Finding> {
    let forbidding = facts.forbidding()?;
    let mut hooks: Vec<&Missing> = Vec::new();
    let mut refused = false;
    match &facts.trial {
        Trial::NotTried => {}
        Trial::Refused(error) => refused = error.is_denied() || forbidding == Forbidding::Lockdown,
        Trial::Attached { missing, .. } => {
            hooks.extend(missing.iter().filter(|hook| hooks::is_forbidden(hook, Some(forbidding))));
        }
    }
    let lost_hooks = hooks::lost_without(hooks.iter().copied());
    match forbidding {
        Forbidding::Lockdown if refused || !hooks.is_empty() => {
            let (id, what) = ("kernel.lockdown", "the kernel is locked down (confidentiality)");
            let finding = match refused {
                true => Finding::failed(id, what).lost("tracing"),
                false => Finding::degraded(id, what).lost(lost_hooks),
            };
            Some(finding.remedy(UNLOCK))
        }
        Forbidding::Paranoia if !hooks.is_empty() => {
            let (id, what) =
                ("kernel.perf_event_paranoid", "only CAP_SYS_ADMIN may call perf_event_open here");
            let remedy = "sysctl kernel.perf_event_paranoid=2, or CAP_SYS_ADMIN";
            Some(Finding::degraded(id, what).lost(lost_hooks).remedy(remedy))
        }
        Forbidding::Lockdown | Forbidding::Paranoia => None,
        Forbidding::Filter => {
            let no_namespaces = facts.netns.is_err() && !facts.lacks(Capability::CAP_SYS_ADMIN);
            let calls = [
                (refused, "bpf", "tracing"),
                (!hooks.is_empty(), "perf_event_open", &*lost_hooks),
                (no_namespaces, "setns", OTHER_NAMESPACES),
            ];
            filtered(&calls, facts)
        }
    }
}

/// Which calls are refused, and what each is for.
fn filtered(calls: &[(bool, &str, &str)], facts: &Facts) -> Option<Finding> {
    let refused: Vec<_> = calls.iter().filter(|(is, ..)| *is).collect();
    let names: Vec<&str> = refused.iter().map(|(_, call, _)| *call).collect();
    let lost: Vec<&str> = refused.iter().map(|(.., lost)| *lost).collect();
    let what = format!(
        "a filter of system calls (seccomp) is on this process, and it may not call {}",
        names.join(", ")
    );
    let finding = match names.first()? {
        &"bpf" => Finding::failed("seccomp", what),
        _ => Finding::degraded("seccomp", what),
    };
    Some(finding.lost(lost.join("; ")).remedy(facts.start.unfilter()))
}

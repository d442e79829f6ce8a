//! What the hooks mean that could not be attached: one finding for each cause. Nothing is read here.

use super::facts::Forbidding;
use super::finding::Finding;
use super::trial::{Missing, Refused};
use std::collections::BTreeMap;

/// What hooks on kernel functions have in common.
const FUNCTIONS: &str = "hooks.functions";
const TRACEFS: &str = "mounts.tracefs";
const CGROUP2: &str = "mounts.cgroup2";

/// One finding for each cause, or one for all being well. What `forbidden` speaks of is not among them.
pub(super) fn findings(missing: &[Missing], forbidding: Option<Forbidding>) -> Vec<Finding> {
    if missing.is_empty() {
        return vec![Finding::ok("hooks", "all are attached")];
    }
    let mut causes: BTreeMap<String, Vec<&Missing>> = BTreeMap::new();
    for hook in missing.iter().filter(|hook| !is_forbidden(hook, forbidding)) {
        causes.entry(cause(hook)).or_default().push(hook);
    }
    let of_cause = |(id, hooks): (String, Vec<&Missing>)| {
        let remedy = match id.as_str() {
            TRACEFS => "mount -t tracefs tracefs /sys/kernel/tracing",
            CGROUP2 => "mount -t cgroup2 cgroup2 /sys/fs/cgroup",
            FUNCTIONS => {
                "a kernel of 5.15 or later with CONFIG_FUNCTION_TRACER whose host does not forbid it"
            }
            _ => "see docs/kernels.md for what this hook needs",
        };
        let why = hooks.first().map(|hook| hook.why.clone()).unwrap_or_default();
        Finding::degraded(id, why).lost(lost_without(hooks)).remedy(remedy)
    };
    causes.into_iter().map(of_cause).collect()
}

/// The id of why a hook is missing.
fn cause(hook: &Missing) -> String {
    match hook.lacks {
        Some("tracefs") => TRACEFS.to_owned(),
        Some("cgroup2") => CGROUP2.to_owned(),
        Some(_) | None if hook.on_function => FUNCTIONS.to_owned(),
        Some(_) | None => format!("hooks.{}", hook.hook),
    }
}

/// Whether a hook is missing because of what forbids things although every right is there.
pub(super) fn is_forbidden(hook: &Missing, forbidding: Option<Forbidding>) -> bool {
    match (hook.refused, forbidding) {
        // Such a kernel hides tracefs, and has the verifier refuse what reads its memory
        // (include/linux/security.h, LOCKDOWN_TRACEFS, LOCKDOWN_BPF_READ_KERNEL).
        (Refused::Denied | Refused::ByVerifier, Some(Forbidding::Lockdown)) => true,
        // Of all that attaches, only hooks on system calls take another call than bpf(2), which works.
        (Refused::Denied, Some(Forbidding::Filter | Forbidding::Paranoia)) => {
            hook.lacks.is_none() && !hook.on_function
        }
        (Refused::Denied | Refused::ByVerifier | Refused::Otherwise, _) => false,
    }
}

/// What is lost without all of these.
pub(super) fn lost_without<'a>(hooks: impl IntoIterator<Item = &'a Missing>) -> String {
    let mut lost: Vec<&str> = hooks.into_iter().map(|hook| hook.lost_without).collect();
    lost.dedup();
    lost.join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn missing(hook: &'static str, on_function: bool, lacks: Option<&'static str>) -> Missing {
        let refused = Refused::Otherwise;
        Missing { hook, on_function, lacks, refused, why: "why".to_owned(), lost_without: hook }
    }

    #[test]
    fn hooks_that_lack_the_same_are_one_finding() {
        let check = |hooks: &[Missing], expected: &[&str]| {
            let ids = findings(hooks, None).into_iter().map(|finding| finding.id);
            assert_eq!(ids.collect::<Vec<_>>(), expected);
        };
        check(&[], &["hooks"]);
        check(&[missing("a", true, None), missing("b", true, None)], &["hooks.functions"]);
        let of_tracefs = ["a", "b"].map(|name| missing(name, false, Some("tracefs")));
        check(&of_tracefs, &["mounts.tracefs"]);
        let lost = findings(&of_tracefs, None).remove(0).lost_without;
        assert_eq!(lost.as_deref(), Some("a; b"));
        check(
            &[missing("a", false, None), missing("b", false, Some("cgroup2"))],
            &["hooks.a", "mounts.cgroup2"],
        );
    }

    #[test]
    fn what_forbids_them_explains_some_hooks_and_not_others() {
        let check = |lacks, refused, on_function, forbidding, expected: bool| {
            let hook = Missing { refused, ..missing("a", on_function, lacks) };
            assert_eq!(is_forbidden(&hook, forbidding), expected, "{hook:?} {forbidding:?}");
            assert_eq!(findings(&[hook], forbidding).len(), usize::from(!expected));
        };
        let (lockdown, filter) = (Some(Forbidding::Lockdown), Some(Forbidding::Filter));
        check(None, Refused::Denied, false, filter, true);
        check(None, Refused::Denied, false, Some(Forbidding::Paranoia), true);
        check(None, Refused::Denied, false, None, false);
        check(None, Refused::Denied, true, filter, false);
        check(None, Refused::ByVerifier, false, filter, false);
        check(Some("tracefs"), Refused::Denied, false, filter, false);
        check(Some("tracefs"), Refused::Denied, false, lockdown, true);
        check(None, Refused::ByVerifier, true, lockdown, true);
        check(None, Refused::Otherwise, false, lockdown, false);
    }
}

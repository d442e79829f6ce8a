//! What is not seen from inside namespaces, as those of a container. Nothing is read here.

use super::facts::{Facts, Forbidding};
use super::finding::Finding;
use super::forbidden::OTHER_NAMESPACES;
use caps::Capability;

/// One for each kind of namespace that hides something.
pub(super) fn findings(facts: &Facts) -> Vec<Finding> {
    [network(facts), pid(facts), cgroup(facts)].into_iter().flatten().collect()
}

/// Sockets of other network namespaces are asked for from inside them; who lacks the right has been told so, and whoever is
/// filtered, too.
fn network(facts: &Facts) -> Option<Finding> {
    let Err(why) = &facts.netns else { return None };
    if facts.lacks(Capability::CAP_SYS_ADMIN) || facts.forbidding() == Some(Forbidding::Filter) {
        return None;
    }
    let finding = Finding::degraded("netns", format!("setns: {why}")).lost(OTHER_NAMESPACES);
    Some(
        finding
            .remedy("a security module forbids it: its log says which rule (journalctl -k, ausearch -m avc)"),
    )
}

fn pid(facts: &Facts) -> Option<Finding> {
    let what = "processes outside of this pid namespace cannot be seen from here";
    (!facts.all_pids).then(|| {
        Finding::degraded("pid_namespace", what)
            .lost("who holds sockets that were open before; in events processes have the host's numbers")
            .remedy(facts.start.share("--pid=host", "hostPID: true", "PrivatePIDs=no"))
    })
}

fn cgroup(facts: &Facts) -> Option<Finding> {
    (!facts.all_cgroups).then(|| {
        Finding::degraded("cgroup_namespace", "the cgroups that are mounted here are a part of the host's")
            .lost("UDP and RAW sockets of all others as they are opened; the containers of sockets")
            .remedy(facts.start.share(
                "--cgroupns=host -v /sys/fs/cgroup:/sys/fs/cgroup:ro",
                "a hostPath volume of /sys/fs/cgroup",
                "ProtectControlGroups=yes instead of private or strict",
            ))
    })
}

//! Every network namespace, and what to call each.
//!
//! I/O: through `kernel::netns`; procfs.

use std::fs;
use std::path::Path;

use crate::kernel::netns::{self, Netns};
use crate::render::ss::NetnsLabel;
use crate::socket::{Cgroup, Container, NetnsId, Runtime};

use super::context::AnswerContext;
use crate::api::report::Report;

/// What a namespace is called.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Label {
    /// Its name, its container, or a process in it.
    pub(super) text: String,
    /// Its own name, if somebody gave it one; else its container.
    pub(super) name: Option<String>,
    /// A process in it.
    pub(super) pid: Option<u32>,
}

impl Label {
    /// As a row has it.
    pub(super) fn of_row(&self) -> NetnsLabel<'_> {
        NetnsLabel { text: &self.text, name: self.name.as_deref(), pid: self.pid }
    }
}

impl From<NetnsLabel<'_>> for Label {
    fn from(label: NetnsLabel<'_>) -> Self {
        Self { text: label.text.to_owned(), name: label.name.map(str::to_owned), pid: label.pid }
    }
}

/// What is said of namespaces that have sockets and to which nothing leads: one line, however many they are.
fn unreachable(missing: &[NetnsId]) -> Option<String> {
    const NAMED: usize = 8;
    let (have, more) = match missing.len() {
        0 => return None,
        1 => ("namespace has", ""),
        2..=NAMED => ("namespaces have", ""),
        _ => ("namespaces have", " …"),
    };
    let ids: Vec<_> = missing.iter().take(NAMED).map(NetnsId::to_string).collect();
    let (count, ids) = (missing.len(), ids.join(", "));
    Some(format!(
        "{count} network {have} sockets that are not listed, since no process that can be seen leads there: {ids}{more}"
    ))
}

/// All that can be found. Processes whose namespace we may not see are counted; namespaces that are known to have sockets
/// and cannot be found are named, since nobody else would miss them.
pub(super) fn all(context: &AnswerContext<'_>, report: &mut Report) -> Vec<Netns> {
    let known = || context.namespaces.map(|namespaces| namespaces()).unwrap_or_default();
    // Before, so that one that comes meanwhile is not missed.
    let mut missing = known();
    let listed = netns::list_open(Path::new("/proc"));
    missing.retain(|id| listed.namespaces.iter().all(|netns| netns.id != *id));
    if !missing.is_empty() {
        // Nor is one that has gone meanwhile.
        let still = known();
        missing.retain(|id| still.contains(id));
    }
    missing.sort_unstable();
    report.warnings.extend(unreachable(&missing));
    report.denied += listed.denied;
    listed.namespaces
}

/// What to call it: by its name, by the container of its first process, `own` if it is ours, or by that process.
pub(super) fn label(netns: &Netns, own: NetnsId, proc: &Path) -> Label {
    let folder = netns.pid.map(|pid| proc.join(pid.to_string()));
    let read = |name: &str| folder.as_ref().and_then(|folder| fs::read_to_string(folder.join(name)).ok());
    let name = netns.name.clone().or_else(|| container(&read("cgroup")?));
    let text = match (&name, netns.pid) {
        (Some(name), _) => name.clone(),
        (None, _) if netns.id == own => "own".to_owned(),
        (None, Some(pid)) => format!("{}/{pid}", read("comm").unwrap_or_default().trim_end()),
        (None, None) => netns.id.to_string(),
    };
    Label { text, name, pid: netns.pid }
}

/// The container that a process is in, from the text of `/proc/PID/cgroup`: the engine's name and the beginning of the
/// id, as the engines themselves shorten it.
fn container(cgroups: &str) -> Option<String> {
    cgroups.lines().filter_map(|line| line.splitn(3, ':').nth(2)).find_map(|path| {
        if let Some(Container { id, runtime }) = Cgroup::new(path.as_bytes()).container {
            let runtime = runtime.map_or("container", Runtime::name);
            return Some(format!("{runtime}:{}", id.get(..12).unwrap_or(&id)));
        }
        let name = path.strip_prefix("/lxc/").or_else(|| path.strip_prefix("/lxc.payload."))?;
        name.split('/').next().filter(|name| !name.is_empty()).map(|name| format!("lxc:{name}"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn containers_by_their_cgroup() {
        fn check(cgroups: &str, expected: Option<&str>) {
            assert_eq!(container(cgroups).as_deref(), expected, "{cgroups}");
        }
        let id = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
        check(&format!("0::/system.slice/docker-{id}.scope"), Some("docker:0123456789ab"));
        check(&format!("12:cpu:/docker/{id}\n0::/"), Some("docker:0123456789ab"));
        check(&format!("0::/machine.slice/libpod-{id}.scope/container"), Some("podman:0123456789ab"));
        check(
            &format!("0::/kubepods.slice/kubepods-pod1.slice/cri-containerd-{id}.scope"),
            Some("containerd:0123456789ab"),
        );
        check(&format!("0::/kubepods/burstable/pod1/crio-{id}"), Some("cri-o:0123456789ab"));
        check(&format!("0::/kubepods/burstable/pod1/{id}"), Some("container:0123456789ab"));
        check("0::/lxc/web", Some("lxc:web"));
        check("0::/lxc.payload.web/system.slice", Some("lxc:web"));
        check("0::/system.slice/docker-proxy.service", None);
        check("0::/user.slice", None);
        check("garbage", None);
        check("", None);
    }
}

//! What a cgroup is, as fields: one list for every JSON object that has them.

use crate::socket::Cgroup;

/// The fields of a cgroup that are known, with their names.
pub(super) fn fields(cgroup: &Cgroup) -> impl Iterator<Item = (&'static str, &[u8])> {
    let container = cgroup.container.as_ref();
    [
        ("cgroup_path", Some(&*cgroup.path)),
        ("unit", cgroup.unit.as_deref()),
        ("container", container.map(|it| it.id.as_bytes())),
        ("container_runtime", container.and_then(|it| it.runtime).map(|runtime| runtime.name().as_bytes())),
        ("pod", cgroup.pod.as_ref().map(|uid| uid.as_bytes())),
    ]
    .into_iter()
    .filter_map(|(name, value)| Some((name, value?)))
}

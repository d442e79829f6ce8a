//! What a cgroup is, as fields: one list for every JSON object that has them.

use std::borrow::Cow;

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

/// Digits of a container's id that are shown, as the engines shorten it.
const ID: usize = 12;

/// The name of a unit for a column: of a container's id in it the first digits, and `*`, as a filter takes it.
pub(super) fn short_unit(unit: &[u8]) -> Cow<'_, [u8]> {
    let is_id = |part: &[u8]| part.len() == 64 && part.iter().all(u8::is_ascii_hexdigit);
    let mut start = 0;
    for part in unit.split(|byte| !byte.is_ascii_alphanumeric()) {
        let end = start + part.len();
        if is_id(part) {
            let (before, after) = (unit.get(..start + ID), unit.get(end..));
            return [before.unwrap_or_default(), b"*", after.unwrap_or_default()].concat().into();
        }
        start = end + 1;
    }
    unit.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_id_of_a_container_is_shortened_in_the_name_of_its_unit() {
        let id = "4f2a8e5b0d1c9a7e6f3b2c1d0e9f8a7b6c5d4e3f2a1b0c9d8e7f6a5b4c3d2e1f";
        for (unit, expected) in [
            (format!("docker-{id}.scope"), "docker-4f2a8e5b0d1c*.scope"),
            (format!("{id}.service"), "4f2a8e5b0d1c*.service"),
            ("nginx.service".to_owned(), "nginx.service"),
            (format!("x{id}.scope"), &*format!("x{id}.scope")),
            (String::new(), ""),
        ] {
            assert_eq!(short_unit(unit.as_bytes()), expected.as_bytes());
        }
    }
}

//! What the path of a cgroup says: which systemd unit, container and pod. Pure: a path in, names out.
//!
//! The rules of units are systemd's (src/basic/cgroup-util.c, `cg_path_get_unit`, `cg_path_get_user_unit`), the shapes
//! of containers those of the engines, with their `cgroupfs` and `systemd` drivers, on cgroup v1 and v2.

/// A cgroup, by its path beneath the mount, and what the path says.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Cgroup {
    /// `/` for the root, `/system.slice/nginx.service`; a name in it may have any byte but `/`, NUL and newline.
    pub path: Box<[u8]>,
    /// The systemd unit, as `systemctl` writes it: of a user's own manager if there is one, else of the system's; the
    /// innermost slice where there is no other unit.
    pub unit: Option<Box<[u8]>>,
    /// The innermost container.
    pub container: Option<Container>,
    /// The uid of the innermost Kubernetes pod, as Kubernetes writes it.
    pub pod: Option<Box<str>>,
}

/// A container.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Container {
    /// Its id, 64 hexadecimal digits.
    pub id: Box<str>,
    /// Who runs it, where the path says so: the `cgroupfs` driver of Kubernetes does not.
    pub runtime: Option<Runtime>,
}

/// Who runs a container.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Runtime {
    Docker,
    Containerd,
    CriO,
    Podman,
}

impl Runtime {
    /// The word of the JSON schema: `docker`, `containerd`, `cri-o`, `podman`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Docker => "docker",
            Self::Containerd => "containerd",
            Self::CriO => "cri-o",
            Self::Podman => "podman",
        }
    }
}

impl Cgroup {
    /// From its path beneath the mount.
    #[must_use]
    pub fn new(path: &[u8]) -> Self {
        let parts: Vec<&[u8]> = path.split(|&byte| byte == b'/').filter(|part| !part.is_empty()).collect();
        let above = std::iter::once(&[][..]).chain(parts.iter().copied());
        Self {
            path: path.into(),
            unit: unit(&parts).map(Into::into),
            container: above.zip(&parts).filter_map(|(above, part)| container(above, part)).last(),
            pod: parts.iter().rev().find_map(|part| pod(part)),
        }
    }
}

/// The unit that systemd would name.
fn unit<'a>(parts: &[&'a [u8]]) -> Option<&'a [u8]> {
    let (slice, rest) = skip_slices(parts);
    let Some((of_system, rest)) = rest.split_first().and_then(|(part, rest)| Some((unit_name(part)?, rest)))
    else {
        return slice;
    };
    let is_manager = [&b"user@"[..], b"capsule@"].iter().any(|name| of_system.starts_with(name));
    let of_user = skip_slices(rest).1.first().and_then(|part| unit_name(part));
    // A manager's own processes are in an init.scope, which names nothing.
    Some(of_user.filter(|unit| is_manager && *unit != b"init.scope").unwrap_or(of_system))
}

/// What follows the slices at the beginning, and the last of them.
fn skip_slices<'a, 'p>(parts: &'p [&'a [u8]]) -> (Option<&'a [u8]>, &'p [&'a [u8]]) {
    let is_slice = |part: &&&[u8]| unit_name(part).is_some_and(|name| name.ends_with(b".slice"));
    let count = parts.iter().take_while(is_slice).count();
    let (slices, rest) = parts.split_at_checked(count).unwrap_or((&[], parts));
    (slices.last().and_then(|slice| unit_name(slice)), rest)
}

/// The unit whose directory that is, if it is one's. A name that would clash with a file of the kernel's is written
/// with `_` before it (`cg_escape`); other escapes, `\x2d`, belong to the name.
fn unit_name(part: &[u8]) -> Option<&[u8]> {
    const KINDS: [&[u8]; 6] = [b"service", b"scope", b"slice", b"socket", b"mount", b"swap"];
    let name = part.strip_prefix(b"_").unwrap_or(part);
    let dot = name.iter().rposition(|&byte| byte == b'.')?;
    let (stem, kind) = name.split_at_checked(dot)?;
    let legal = |byte: &u8| byte.is_ascii_alphanumeric() || b":-_.\\@".contains(byte);
    let is_unit = !stem.is_empty() && stem.iter().all(legal) && KINDS.contains(&kind.get(1..)?);
    is_unit.then_some(name)
}

/// The container whose directory that is; `above` is the name of the directory above.
fn container(above: &[u8], part: &[u8]) -> Option<Container> {
    const MARKS: [(&[u8], Runtime); 10] = [
        (b"docker-", Runtime::Docker),
        (b"cri-containerd-", Runtime::Containerd),
        (b"nerdctl-", Runtime::Containerd),
        (b"crio-", Runtime::CriO),
        (b"libpod-payload-", Runtime::Podman),
        (b"libpod-", Runtime::Podman),
        // A name for the systemd driver where containerd was not told to use it.
        (b"cri-containerd:", Runtime::Containerd),
        (b"containerd:", Runtime::Containerd),
        (b"docker:", Runtime::Docker),
        (b"crio:", Runtime::CriO),
    ];
    let name = part.strip_suffix(b".scope").unwrap_or(part);
    let (before, id) = name.split_at_checked(name.len().checked_sub(64)?)?;
    if !id.iter().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')) {
        return None;
    }
    let runtime = match before {
        // The directory of docker's cgroupfs driver, and those of containerd's namespaces.
        [] => match above {
            b"docker" => Some(Runtime::Docker),
            b"default" | b"moby" | b"k8s.io" => Some(Runtime::Containerd),
            b"libpod_parent" => Some(Runtime::Podman),
            _ => None,
        },
        // `libpod-conmon-` and `crio-conmon-` are those who watch a container from outside.
        _ => {
            let of_part = |(mark, _): &&(&[u8], Runtime)| match mark.ends_with(b":") {
                true => before.strip_suffix(*mark).is_some_and(|slice| slice.ends_with(b":")),
                false => before == *mark,
            };
            Some(MARKS.iter().find(of_part)?.1)
        }
    };
    Some(Container { id: String::from_utf8_lossy(id).into(), runtime })
}

/// The pod whose directory that is: `pod<uid>`, or with the systemd driver `kubepods-burstable-pod<uid>.slice`, where
/// the dashes of the uid are `_`.
fn pod(part: &[u8]) -> Option<Box<str>> {
    let text = std::str::from_utf8(part).ok()?;
    let uid = match text.split_once(".slice") {
        Some((slice, _)) if slice.contains("kubepods") => slice.rsplit_once("-pod")?.1,
        Some(_) => return None,
        None => text.strip_prefix("pod")?,
    };
    let uid = uid.replace('_', "-");
    // A pod of a file has the hash of the file in place of a uid.
    let is_hex =
        |text: &str, length| text.len() == length && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    let is_uid = uid.split('-').count() == 5
        && uid.split('-').zip([8, 4, 4, 4, 12]).all(|(part, length)| is_hex(part, length));
    (is_uid || is_hex(&uid, 32)).then(|| uid.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "4f2a8e5b0d1c9a7e6f3b2c1d0e9f8a7b6c5d4e3f2a1b0c9d8e7f6a5b4c3d2e1f";
    const UID: &str = "3c1b9a7e-5d42-4f6a-9e0b-1a2b3c4d5e6f";

    /// `ID`, `UID` and `U_ID` stand for an id, a uid, and a uid with `_`.
    fn check(path: &str, unit: Option<&str>, container: Option<Option<Runtime>>, has_pod: bool) {
        let fill =
            |text: &str| text.replace("U_ID", &UID.replace('-', "_")).replace("UID", UID).replace("ID", ID);
        // A uid that is written out is not to be replaced again.
        let path = fill(path);
        let cgroup = Cgroup::new(path.as_bytes());
        assert_eq!(&*cgroup.path, path.as_bytes());
        let named = cgroup.unit.map(|unit| String::from_utf8(unit.into_vec()).unwrap());
        assert_eq!(named, unit.map(fill), "unit of {path}");
        let expected = container.map(|runtime| Container { id: ID.into(), runtime });
        assert_eq!(cgroup.container, expected, "container of {path}");
        assert_eq!(cgroup.pod.as_deref(), has_pod.then_some(UID), "pod of {path}");
    }

    #[test]
    fn units() {
        for (path, unit) in [
            ("/", None),
            ("", None),
            ("/init.scope", Some("init.scope")),
            ("/system.slice/nginx.service", Some("nginx.service")),
            ("/system.slice/nginx.service/worker", Some("nginx.service")),
            ("/system.slice/ssh.socket", Some("ssh.socket")),
            ("/system.slice/system-getty.slice/getty@tty1.service", Some("getty@tty1.service")),
            (
                r"/system.slice/system-systemd\x2dcryptsetup.slice/systemd-cryptsetup@luks\x2d1.service",
                Some(r"systemd-cryptsetup@luks\x2d1.service"),
            ),
            ("/system.slice/_cpu.weight.service", Some("cpu.weight.service")),
            ("/system.slice", Some("system.slice")),
            ("/system.slice/system-getty.slice", Some("system-getty.slice")),
            ("/user.slice/user-1000.slice/session-2.scope", Some("session-2.scope")),
            ("/user.slice/user-1000.slice/user@1000.service", Some("user@1000.service")),
            ("/user.slice/user-1000.slice/user@1000.service/init.scope", Some("user@1000.service")),
            (
                "/user.slice/user-1000.slice/user@1000.service/app.slice/syncthing.service",
                Some("syncthing.service"),
            ),
            (
                r"/user.slice/user-1000.slice/user@1000.service/app.slice/app-org.gnome.Terminal.slice/vte-spawn-1.scope",
                Some("vte-spawn-1.scope"),
            ),
            (
                r"/user.slice/user-1000.slice/user@1000.service/app.slice/app-gnome-firefox\x2desr-9.scope",
                Some(r"app-gnome-firefox\x2desr-9.scope"),
            ),
            ("/user.slice/user-1000.slice/user@1000.service/session.slice", Some("user@1000.service")),
            ("/capsule.slice/capsule@web.service/app.slice/web.service", Some("web.service")),
            // A service that makes cgroups of its own is no manager.
            ("/system.slice/containers.service/app.slice/inner.service", Some("containers.service")),
            ("/no unit.service", None),
            ("/.service", None),
            ("/lxc.payload.web/system.slice/nginx.service", None),
            (
                "/machine.slice/machine-web.scope/payload/system.slice/nginx.service",
                Some("machine-web.scope"),
            ),
        ] {
            check(path, unit, None, false);
        }
    }

    #[test]
    fn containers_and_pods() {
        use Runtime::{Containerd, CriO, Docker, Podman};
        for (path, unit, runtime, pod) in [
            // Docker: systemd and cgroupfs driver, rootless, systemd inside.
            ("/system.slice/docker-ID.scope", Some("docker-ID.scope"), Some(Docker), false),
            ("/docker/ID", None, Some(Docker), false),
            ("/system.slice/docker-ID.scope/init.scope", Some("docker-ID.scope"), Some(Docker), false),
            (
                "/user.slice/user-1000.slice/user@1000.service/user.slice/docker-ID.scope",
                Some("docker-ID.scope"),
                Some(Docker),
                false,
            ),
            ("/docker/ID/system.slice/nginx.service", None, Some(Docker), false),
            // containerd: nerdctl with both drivers.
            ("/system.slice/nerdctl-ID.scope", Some("nerdctl-ID.scope"), Some(Containerd), false),
            ("/default/ID", None, Some(Containerd), false),
            // Podman: both drivers, rootless, split from a service.
            ("/machine.slice/libpod-ID.scope/container", Some("libpod-ID.scope"), Some(Podman), false),
            ("/libpod_parent/libpod-ID", None, Some(Podman), false),
            (
                "/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-ID.scope/container",
                Some("libpod-ID.scope"),
                Some(Podman),
                false,
            ),
            ("/system.slice/web.service/libpod-payload-ID", Some("web.service"), Some(Podman), false),
            // Kubernetes with the systemd driver.
            (
                "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-podU_ID.slice/cri-containerd-ID.scope",
                Some("cri-containerd-ID.scope"),
                Some(Containerd),
                true,
            ),
            (
                "/kubepods.slice/kubepods-podU_ID.slice/crio-ID.scope/container",
                Some("crio-ID.scope"),
                Some(CriO),
                true,
            ),
            (
                "/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-besteffort.slice/kubelet-kubepods-besteffort-podU_ID.slice/cri-containerd-ID.scope",
                Some("cri-containerd-ID.scope"),
                Some(Containerd),
                true,
            ),
            (
                "/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-podU_ID.slice/docker-ID.scope",
                Some("docker-ID.scope"),
                Some(Docker),
                true,
            ),
            (
                "/system.slice/containerd.service/kubepods-burstable-podU_ID.slice:cri-containerd:ID",
                Some("containerd.service"),
                Some(Containerd),
                true,
            ),
            // And with cgroupfs; kind runs it within docker.
            ("/kubepods/burstable/podUID/crio-ID", None, Some(CriO), true),
            (
                "/docker/0000000000000000000000000000000000000000000000000000000000000000/kubepods/podUID/crio-ID",
                None,
                Some(CriO),
                true,
            ),
        ] {
            check(path, unit, Some(runtime), pod);
        }
        // The path does not say who runs it.
        check("/kubepods/besteffort/podUID/ID", None, Some(None), true);
        check("/ecs/5f3c/ID", None, Some(None), false);
        // Of a pod, but of none of its containers.
        check("/kubepods.slice/kubepods-podU_ID.slice", Some("kubepods-podU_ID.slice"), None, true);
        // Those who watch a container are not in it.
        check("/machine.slice/libpod-conmon-ID.scope", Some("libpod-conmon-ID.scope"), None, false);
        check(
            "/kubepods.slice/kubepods-podU_ID.slice/crio-conmon-ID.scope",
            Some("crio-conmon-ID.scope"),
            None,
            true,
        );
        check("/system.slice/docker.service", Some("docker.service"), None, false);
        check("/docker/buildx", None, None, false);
        check("/pods/podium", None, None, false);
        check("/kubepods.slice/kubepods-podium.slice", Some("kubepods-podium.slice"), None, false);
    }

    #[test]
    fn a_pod_of_a_file_has_a_hash_for_its_uid() {
        let path = b"/kubepods/burstable/pod0123456789abcdef0123456789abcdef/x";
        assert_eq!(Cgroup::new(path).pod.as_deref(), Some("0123456789abcdef0123456789abcdef"));
    }

    #[test]
    fn any_bytes_are_a_path() {
        for path in [&b"/\xff\xfe.service"[..], b"//", b"/system.slice/\xff", b"/.slice:a:", b"/_"] {
            assert_eq!(Cgroup::new(path).container, None);
        }
        // A name that is no text is no unit either.
        assert_eq!(Cgroup::new(b"/\xff.service").unit, None);
    }
}

//! How this program was started, on which it depends what a person can do about a missing right.
//!
//! I/O: `Start::here` alone: the environment, marks that container engines leave, our user.

use std::env;
use std::path::Path;

/// How it was started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Start {
    /// By an ordinary user.
    User,
    /// By root in a shell.
    Root,
    /// By systemd, as this unit.
    Unit(String),
    /// In a container.
    Container,
    /// In a container of Kubernetes.
    Pod,
}

impl Start {
    pub(super) fn here(unit: Option<String>) -> Self {
        if env::var_os("KUBERNETES_SERVICE_HOST").is_some() {
            return Self::Pod;
        }
        let marked = ["/run/.containerenv", "/.dockerenv"].iter().any(|mark| Path::new(mark).exists());
        if marked || env::var_os("container").is_some_and(|engine| engine != "systemd-nspawn") {
            return Self::Container;
        }
        match unit {
            // systemd says so to what it starts, and to nothing that a shell starts.
            Some(unit) if env::var_os("INVOCATION_ID").is_some() && unit.ends_with(".service") => {
                Self::Unit(unit)
            }
            Some(_) | None if nix::unistd::geteuid().is_root() => Self::Root,
            Some(_) | None => Self::User,
        }
    }

    pub(super) const fn word(&self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Root => "root",
            Self::Unit(_) => "systemd",
            Self::Container => "container",
            Self::Pod => "kubernetes",
        }
    }

    /// How to give it these capabilities: `CAP_BPF`, `CAP_PERFMON` …
    pub(super) fn grant(&self, capabilities: &[&str]) -> String {
        let short = |capability: &&str| capability.trim_start_matches("CAP_").to_owned();
        let short: Vec<String> = capabilities.iter().map(short).collect();
        match self {
            Self::User => "sudo socktrace doctor".to_owned(),
            Self::Root => format!(
                "setpriv --bounding-set +all: this shell was started without {}, and nothing in it can get them back",
                capabilities.join(", ")
            ),
            Self::Unit(unit) => format!(
                "systemctl edit {unit}, and there CapabilityBoundingSet={} below [Service]",
                capabilities.join(" ")
            ),
            Self::Container => {
                let options: Vec<String> = short.iter().map(|name| format!("--cap-add={name}")).collect();
                options.join(" ")
            }
            Self::Pod => format!("securityContext.capabilities.add: [{}] of the container", short.join(", ")),
        }
    }

    /// How to let it share with the host what is its own: options of a container, of a pod, of a unit.
    pub(super) fn share(&self, container: &str, pod: &str, unit: &str) -> String {
        match self {
            Self::User | Self::Root => "a shell of the host, outside of all namespaces".to_owned(),
            Self::Unit(name) => format!("systemctl edit {name}, and there {unit} below [Service]"),
            Self::Container => container.to_owned(),
            Self::Pod => format!("{pod} in the pod's spec"),
        }
    }

    /// How to let it make system calls that a filter refuses.
    pub(super) fn unfilter(&self) -> String {
        match self {
            Self::User | Self::Root => "a shell without a seccomp filter".to_owned(),
            Self::Unit(unit) => {
                format!(
                    "systemctl edit {unit}, and there SystemCallFilter=bpf perf_event_open setns below [Service]"
                )
            }
            Self::Container => {
                "--security-opt seccomp=unconfined, or a profile with bpf and perf_event_open".to_owned()
            }
            Self::Pod => {
                "securityContext.seccompProfile.type: Unconfined, or a profile with bpf and perf_event_open"
                    .to_owned()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_remedy_is_for_this_start() {
        let of = |start: Start| start.grant(&["CAP_BPF", "CAP_PERFMON"]);
        assert_eq!(of(Start::User), "sudo socktrace doctor");
        assert_eq!(of(Start::Container), "--cap-add=BPF --cap-add=PERFMON");
        assert_eq!(of(Start::Pod), "securityContext.capabilities.add: [BPF, PERFMON] of the container");
        assert!(of(Start::Unit("a.service".into())).contains("CapabilityBoundingSet=CAP_BPF CAP_PERFMON"));
        assert!(of(Start::Root).contains("without CAP_BPF, CAP_PERFMON"));
    }
}

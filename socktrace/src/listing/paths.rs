//! Where things are that are usually elsewhere: ss's environment variables, as meaning.

use std::path::PathBuf;

/// Where to look instead of asking the kernel. [`Paths::default`] is an ordinary machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Paths {
    /// Where procfs is (`PROC_ROOT`).
    pub proc: PathBuf,
    /// Whether procfs was put elsewhere: then the kernel is not asked for sockets at all.
    pub recorded: bool,
    /// Single files put elsewhere: what follows `PROC_` in the variable's name (`NET_TCP`), and the file. A table of
    /// sockets that has one is read from it.
    pub files: Vec<(String, PathBuf)>,
    /// TCP sockets are read from this file of recorded answers (`TCPDIAG_FILE`).
    pub tcpdiag: Option<PathBuf>,
}

impl Default for Paths {
    fn default() -> Self {
        Self { proc: "/proc".into(), recorded: false, files: Vec::new(), tcpdiag: None }
    }
}

impl Paths {
    /// From variables of the environment.
    #[must_use]
    pub fn from_variables(variables: impl IntoIterator<Item = (String, String)>) -> Self {
        let mut paths = Self::default();
        for (name, value) in variables {
            match name.as_str() {
                "PROC_ROOT" => {
                    paths.proc = value.into();
                    paths.recorded = true;
                }
                "TCPDIAG_FILE" => paths.tcpdiag = Some(value.into()),
                "PROC_IP_LOCAL_PORT_RANGE" => {
                    paths.files.push(("IP_LOCAL_PORT_RANGE".to_owned(), value.into()))
                }
                other => {
                    if let Some(file) = other.strip_prefix("PROC_NET_") {
                        paths.files.push((format!("NET_{file}"), value.into()));
                    }
                }
            }
        }
        paths
    }

    /// Whether nothing is elsewhere.
    #[must_use]
    pub fn are_usual(&self) -> bool {
        *self == Self::default()
    }

    /// A file of `net/`, of the calling thread's namespace. `variable` is what follows `PROC_NET_`.
    #[must_use]
    pub fn proc_net(&self, variable: &str, name: &str) -> PathBuf {
        // `/proc/net` is the namespace of the process, not of this thread.
        let net = if self.recorded { "net" } else { "thread-self/net" };
        self.elsewhere(&format!("NET_{variable}")).unwrap_or_else(|| self.proc.join(net).join(name))
    }

    /// The range of local ports.
    #[must_use]
    pub fn port_range(&self) -> PathBuf {
        self.elsewhere("IP_LOCAL_PORT_RANGE")
            .unwrap_or_else(|| self.proc.join("sys/net/ipv4/ip_local_port_range"))
    }

    /// The file that a variable names.
    #[must_use]
    pub fn elsewhere(&self, variable: &str) -> Option<PathBuf> {
        self.files.iter().find(|(name, _)| name == variable).map(|(_, path)| path.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_move_files() {
        let variables = [
            ("PROC_NET_SNMP", "/tmp/snmp"),
            ("HOME", "/root"),
            ("PROC_ROOT", "/tmp/proc"),
            ("TCPDIAG_FILE", "/tmp/dump"),
            ("PROC_IP_LOCAL_PORT_RANGE", "/tmp/range"),
        ];
        let paths = Paths::from_variables(variables.map(|(name, value)| (name.to_owned(), value.to_owned())));
        assert!(paths.recorded && !paths.are_usual());
        assert_eq!(paths.proc_net("SNMP", "snmp"), PathBuf::from("/tmp/snmp"));
        assert_eq!(paths.proc_net("TCP6", "tcp6"), PathBuf::from("/tmp/proc/net/tcp6"));
        assert_eq!(paths.port_range(), PathBuf::from("/tmp/range"));
        assert_eq!(paths.tcpdiag, Some(PathBuf::from("/tmp/dump")));
        assert!(Paths::from_variables([]).are_usual());
        assert_eq!(
            Paths::default().proc_net("SNMP", "snmp"),
            PathBuf::from("/proc/thread-self/net/snmp"),
            "the namespace is the thread's"
        );
    }
}

//! Whose a socket is: who opened it, and who holds it now.

use std::fmt;

use super::BootNs;

/// A process name as the kernel keeps it: at most 15 bytes, any byte but NUL.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Comm([u8; 16]);

impl Comm {
    /// From `task_struct.comm` or the text of `/proc/PID/comm`: up to the first NUL, at most 15 bytes.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Self {
        let mut comm = [0; 16];
        for (to, from) in comm.iter_mut().take(15).zip(bytes.iter().take_while(|&&b| b != 0)) {
            *to = *from;
        }
        Self(comm)
    }

    /// The bytes of the name, without the NUL.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        let end = self.0.iter().position(|&b| b == 0).unwrap_or(self.0.len());
        self.0.get(..end).unwrap_or_default()
    }

    /// As text, bytes that are no UTF-8 replaced. Not yet safe for a terminal: `render` escapes it.
    #[must_use]
    pub fn to_text(&self) -> std::borrow::Cow<'_, str> {
        String::from_utf8_lossy(self.as_bytes())
    }
}

impl fmt::Debug for Comm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.to_text())
    }
}

/// A process: its id in the initial pid namespace, and its name (the group leader's).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Process {
    /// Thread-group id.
    pub pid: u32,
    /// The group leader's name.
    pub comm: Comm,
}

/// Who was found to hold a socket that no call reported.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Held {
    /// Who.
    pub process: Process,
    /// Id of the process's cgroup (v2); 0 where nobody looked: the kernel reports that of every socket but those of UNIX.
    pub cgroup: u64,
}

impl From<Process> for Held {
    fn from(process: Process) -> Self {
        Self { process, cgroup: 0 }
    }
}

/// A process that has a file descriptor on a socket now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Holder {
    /// Who.
    pub process: Process,
    /// The thread, where threads were asked for.
    pub tid: Option<u32>,
    /// Through which descriptor.
    pub fd: u32,
}

/// How the owner of a socket is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Attribution {
    /// Seen in the process's own context: it made the call.
    Exact,
    /// It held the socket when we looked.
    Holder,
    /// Not known.
    #[default]
    Unknown,
}

impl Attribution {
    /// The word of the JSON schema: `exact`, `holder`, `unknown`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Exact => "exact",
            Self::Holder => "holder",
            Self::Unknown => "unknown",
        }
    }
}

/// The owner of a socket, and how it is known; never a guess.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Owner {
    /// It made the call.
    Exact(Process),
    /// It held the socket when we looked.
    Holder(Process),
    /// Not known.
    #[default]
    Unknown,
}

impl Owner {
    /// The process, if it is known.
    #[must_use]
    pub const fn process(&self) -> Option<&Process> {
        match self {
            Self::Exact(process) | Self::Holder(process) => Some(process),
            Self::Unknown => None,
        }
    }

    /// How it is known.
    #[must_use]
    pub const fn attribution(&self) -> Attribution {
        match self {
            Self::Exact(_) => Attribution::Exact,
            Self::Holder(_) => Attribution::Holder,
            Self::Unknown => Attribution::Unknown,
        }
    }
}

/// Who opened a socket, and when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Opener {
    /// Who.
    pub owner: Owner,
    /// When, if that was seen.
    pub opened: Option<BootNs>,
}

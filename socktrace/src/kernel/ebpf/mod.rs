//! The kernel half, from this side: load it, attach it, read its records.
//! I/O: bpf(2), mmap(2), /sys/kernel/btf, tracefs.

mod attach;
mod btf;
mod counters;
mod decode;
mod failure;
mod holders;
mod hooks;
mod lanes;
mod mapped;
mod marks;
mod object;
mod offsets;
mod reader;
mod syscalls;
mod tracer;

use std::io;
use std::path::PathBuf;

pub use btf::BtfError;
pub use decode::{DecodeError, decode};
pub use failure::AttachError;
pub use holders::HolderIter;
pub use hooks::{Hook, HookStatus, UNIX_END};
pub use lanes::Drained;
pub use tracer::{Config, Tracer};

/// Why tracing cannot begin.
#[derive(Debug, thiserror::Error)]
pub enum EbpfError {
    /// The kernel tells nothing of its types.
    #[error("cannot read {}: {source}", path.display())]
    NoBtf {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// What the kernel tells of its types cannot be read.
    #[error("cannot understand the kernel's BTF: {0}")]
    Btf(#[from] BtfError),
    /// A field that the programs cannot do without.
    #[error("this kernel has no {strukt}.{path}")]
    NoField {
        /// The struct.
        strukt: &'static str,
        /// The path of members.
        path: &'static str,
    },
    /// The kernel object could not be loaded as a whole.
    #[error("cannot load the kernel programs: {0}")]
    Load(AttachError),
    /// A required hook was refused.
    #[error("cannot attach {hook}: {why}")]
    Attach {
        /// The hook.
        hook: &'static str,
        /// Why.
        why: AttachError,
    },
    /// A map of the object could not be used.
    #[error("cannot use the map {map}: {reason}")]
    Map {
        /// Its name.
        map: &'static str,
        /// Why.
        reason: String,
    },
}

impl EbpfError {
    /// Whether more rights would help.
    #[must_use]
    pub const fn is_denied(&self) -> bool {
        match self {
            Self::Load(why) | Self::Attach { why, .. } => why.is_denied(),
            Self::NoBtf { .. } | Self::Btf(_) | Self::NoField { .. } | Self::Map { .. } => false,
        }
    }

    /// What to try, in one line.
    #[must_use]
    pub fn remedy(&self) -> &'static str {
        match self {
            Self::Load(_) | Self::Attach { .. } if self.is_denied() => {
                "sudo socktrace …, or grant CAP_BPF, CAP_PERFMON and CAP_NET_ADMIN"
            }
            Self::Load(AttachError::NoDescriptors(_))
            | Self::Attach { why: AttachError::NoDescriptors(_), .. } => {
                "a higher limit of open files: ulimit -n, or LimitNOFILE= of the service"
            }
            // Such a kernel lets no program have the functions that read its memory (LOCKDOWN_BPF_READ_KERNEL).
            Self::Attach { why: AttachError::Verifier(said), .. }
                if said.contains("unknown func bpf_probe_read") =>
            {
                "a kernel that is not locked down: lockdown=integrity on its command line, not confidentiality"
            }
            Self::NoBtf { .. } => "a kernel with CONFIG_DEBUG_INFO_BTF=y",
            Self::Btf(_) | Self::NoField { .. } | Self::Load(_) | Self::Attach { .. } | Self::Map { .. } => {
                "a kernel of 5.12 or later; RUST_LOG=debug shows what the verifier said"
            }
        }
    }
}

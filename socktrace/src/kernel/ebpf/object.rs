//! The compiled kernel object, embedded at build time.
//! I/O: in debug builds, a file named by `SOCKTRACE_BPF_OBJECT` stands in for it.

use std::borrow::Cow;

use aya::VerifierLogLevel;

use super::failure::AttachError;
use super::offsets::Offsets;
use super::{EbpfError, marks};

/// The object that `cargo xtask build-ebpf` compiled and that is committed beside the sources.
static EMBEDDED: &[u8] = aya::include_bytes_aligned!("../../../bpf/socktrace.bpf.o");

/// What the loader is asked to write down of the verifier's words where it refuses a program. All its steps are costly: only
/// for those who debug. Why it refused comes with any level (kernel/bpf/verifier.c, `verbose`); with none, the kernel takes a
/// buffer for a mistake and says EINVAL instead (kernel/bpf/log.c, `bpf_verifier_log_attr_valid`).
pub(super) fn verifier_log() -> VerifierLogLevel {
    if log::log_enabled!(log::Level::Debug) { VerifierLogLevel::default() } else { VerifierLogLevel::STATS }
}

/// The object to load, with these offsets in its instructions.
///
/// # Errors
/// If they do not fit there.
pub(super) fn with(offsets: &Offsets) -> Result<Vec<u8>, EbpfError> {
    marks::fill(&object(), &offsets.table).map_err(|why| EbpfError::Load(AttachError::Object(why)))
}

/// The object as it was compiled. A debug build takes the file that `SOCKTRACE_BPF_OBJECT` names, so that the tests can be run
/// against a freshly compiled object.
pub(super) fn object() -> Cow<'static, [u8]> {
    if cfg!(debug_assertions)
        && let Some(path) = std::env::var_os("SOCKTRACE_BPF_OBJECT")
    {
        match std::fs::read(&path) {
            Ok(bytes) => return Cow::Owned(bytes),
            Err(error) => log::warn!("cannot read {}: {error}", path.display()),
        }
    }
    Cow::Borrowed(EMBEDDED)
}

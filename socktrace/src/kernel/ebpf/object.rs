//! The compiled kernel object, embedded at build time.
//! I/O: in debug builds, a file named by `SOCKTRACE_BPF_OBJECT` stands in for it.

use std::borrow::Cow;

use super::offsets::Offsets;
use super::{EbpfError, marks};

/// The object that `cargo xtask build-ebpf` compiled and that is committed beside the sources.
static EMBEDDED: &[u8] = aya::include_bytes_aligned!("../../../bpf/socktrace.bpf.o");

/// The object to load, with these offsets in its instructions.
///
/// # Errors
/// If they do not fit there.
pub(super) fn with(offsets: &Offsets) -> Result<Vec<u8>, EbpfError> {
    marks::fill(&object(), &offsets.table).map_err(|reason| EbpfError::Load { reason, denied: false })
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

//! A cgroup that the verifier knows.

use socktrace_common::Field;

use crate::fields::{load, load_ptr};

/// Its id; 0 of none.
///
/// # Safety
/// `cgroup` is a BTF-typed `struct cgroup`, or null.
#[inline(always)]
pub(crate) unsafe fn id(cgroup: *const u8) -> u64 {
    // SAFETY: by the caller's word.
    unsafe {
        if cgroup.is_null() {
            return 0;
        }
        let kn = load_ptr(cgroup, Field::CgroupKn);
        if kn.is_null() { 0 } else { load(kn, Field::KnId) }
    }
}

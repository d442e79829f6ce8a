//! Fields of kernel structs at offsets that are known only at load.

use aya_ebpf::Global;
use aya_ebpf::helpers::bpf_probe_read_kernel;
use socktrace_common::{ABSENT, FIELDS, Field};

/// Where each [`Field`] lies; written by the user half before load, read-only afterwards, so that the verifier
/// knows each offset as a constant.
#[unsafe(no_mangle)]
static OFFSETS: Global<[u32; FIELDS]> = Global::new([ABSENT; FIELDS]);

/// Offset of the first argument in a `sys_enter_*` record, as the `format` files of tracefs tell.
#[unsafe(no_mangle)]
static SYS_ENTER_ARGS: Global<u32> = Global::new(16);

/// Offset of the result in a `sys_exit_*` record, likewise.
#[unsafe(no_mangle)]
static SYS_EXIT_RET: Global<u32> = Global::new(16);

#[inline(always)]
fn offset(field: Field) -> u32 {
    let base = (&raw const OFFSETS).cast::<u32>();
    // SAFETY: the index is a constant below FIELDS.
    unsafe { base.add(field as usize).read_volatile() }
}

/// Offset of system call argument `n` in the record of a `sys_enter_*` tracepoint.
#[inline(always)]
pub(crate) fn sys_enter_arg(n: usize) -> usize {
    SYS_ENTER_ARGS.load() as usize + n * 8
}

/// Offset of the result in the record of a `sys_exit_*` tracepoint.
#[inline(always)]
pub(crate) fn sys_exit_ret() -> usize {
    SYS_EXIT_RET.load() as usize
}

/// Load a field through a pointer whose type the verifier knows. 0 where the kernel lacks the field.
///
/// # Safety
/// `base` is a BTF-typed pointer to the struct of `field`, and `T` is a plain type no larger than the field.
#[inline(always)]
pub(crate) unsafe fn load<T: Copy + Default>(base: *const u8, field: Field) -> T {
    let offset = offset(field);
    if offset == ABSENT {
        return T::default();
    }
    // SAFETY: the verifier checks the access against the struct's BTF; a fault reads zero.
    unsafe { base.add(offset as usize).cast::<T>().read_volatile() }
}

/// Load a pointer member; null where the kernel lacks the field.
///
/// # Safety
/// As for [`load`].
#[inline(always)]
pub(crate) unsafe fn load_ptr(base: *const u8, field: Field) -> *const u8 {
    let offset = offset(field);
    if offset == ABSENT {
        return core::ptr::null();
    }
    // SAFETY: as in `load`; the verifier gives the result the type of the member.
    unsafe { base.add(offset as usize).cast::<*const u8>().read_volatile() }
}

/// Load sixteen bytes, zeroes where the kernel lacks the field.
///
/// # Safety
/// As for [`load`].
#[inline(always)]
pub(crate) unsafe fn load_16(base: *const u8, field: Field, into: &mut [u8; 16]) {
    let offset = offset(field);
    let into = into.as_mut_ptr().cast::<u64>();
    // SAFETY: two words are sixteen bytes; the loads are as in `load`.
    unsafe {
        if offset == ABSENT {
            into.write_unaligned(0);
            into.add(1).write_unaligned(0);
            return;
        }
        let from = base.add(offset as usize).cast::<u64>();
        into.write_unaligned(from.read_volatile());
        into.add(1).write_unaligned(from.add(1).read_volatile());
    }
}

/// Address of a field behind a pointer that the verifier does not know.
#[inline(always)]
pub(crate) fn address(base: u64, field: Field) -> Option<*const u8> {
    let offset = offset(field);
    if offset == ABSENT || base == 0 {
        return None;
    }
    Some((base + u64::from(offset)) as *const u8)
}

/// Read a field through a pointer that the verifier does not know; 0 where it cannot be read.
#[inline(always)]
pub(crate) fn probe<T: Copy + Default>(base: u64, field: Field) -> T {
    match address(base, field) {
        // SAFETY: bpf_probe_read_kernel takes any address and fails on a bad one.
        Some(at) => unsafe { bpf_probe_read_kernel(at.cast::<T>()) }.unwrap_or_default(),
        None => T::default(),
    }
}

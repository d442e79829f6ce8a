//! Fields of kernel structs at offsets that are known only at load.

use core::mem::MaybeUninit;

use aya_ebpf::helpers::{bpf_probe_read_kernel, generated};
use aya_ebpf::programs::TracePointContext;
use aya_ebpf::{EbpfContext, Global};
use socktrace_common::{ABSENT, Field};

use crate::{marks, words};

/// Offset of the first argument in a `sys_enter_*` record, as the `format` files of tracefs tell.
#[unsafe(no_mangle)]
static SYS_ENTER_ARGS: Global<u32> = Global::new(16);

/// Offset of the result in a `sys_exit_*` record, likewise.
#[unsafe(no_mangle)]
static SYS_EXIT_RET: Global<u32> = Global::new(16);

/// Where the field lies; [`ABSENT`] where the kernel lacks it.
#[inline(always)]
fn offset(field: Field) -> u32 {
    marks::offset(field)
}

/// Whether this kernel has the field.
#[inline(always)]
pub(crate) fn is_present(field: Field) -> bool {
    offset(field) != ABSENT
}

/// The usual offset of both. A load at a constant offset of the context is allowed to the program; at any other
/// it takes a helper.
const USUAL: u32 = 16;

/// Argument `n` of the system call of a `sys_enter_*` tracepoint.
#[inline(always)]
pub(crate) fn sys_enter_arg(ctx: &TracePointContext, n: usize) -> u64 {
    // SAFETY: reads within the tracepoint's record.
    unsafe {
        match SYS_ENTER_ARGS.load() {
            USUAL => ctx.as_ptr().cast::<u64>().add(2 + n).read_volatile(),
            other => ctx.read_at(other as usize + n * 8).unwrap_or_default(),
        }
    }
}

/// Result of the system call of a `sys_exit_*` tracepoint.
#[inline(always)]
pub(crate) fn sys_exit_ret(ctx: &TracePointContext) -> i64 {
    // SAFETY: as above.
    unsafe {
        match SYS_EXIT_RET.load() {
            USUAL => ctx.as_ptr().cast::<i64>().add(2).read_volatile(),
            other => ctx.read_at(other as usize).unwrap_or(-1),
        }
    }
}

/// Load a field through a pointer whose type the verifier knows. 0 where the kernel lacks the field.
///
/// # Safety
/// `base` is a BTF-typed pointer to the struct of `field`, and `T` is a plain type no larger than the field.
#[inline(always)]
pub(crate) unsafe fn load<T: Copy>(base: *const u8, field: Field) -> T {
    // SAFETY: the verifier checks the access against the struct's BTF; a fault reads zero.
    unsafe { marks::load(base, field) }
}

/// Load a pointer member; null where the kernel lacks the field. The verifier gives it the type of the member.
///
/// # Safety
/// As for [`load`].
#[inline(always)]
pub(crate) unsafe fn load_ptr(base: *const u8, field: Field) -> *const u8 {
    // SAFETY: as in `load`.
    unsafe { marks::load_ptr(base, field) }
}

/// Load sixteen bytes, zeroes where the kernel lacks the field.
///
/// # Safety
/// As for [`load`]; `into` is a field of a record.
#[inline(always)]
pub(crate) unsafe fn load_16(base: *const u8, field: Field, into: &mut [u8; 16]) {
    // SAFETY: the loads are as in `load`; by the caller's word.
    unsafe { words::put(into, [marks::load(base, field), marks::load_next(base, field)]) };
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

/// The beginning of a kernel struct, copied in one go: a probe read costs more than a hundred bytes do.
///
/// It is filled where it stands. Moving it would take its size twice on a stack of 512 bytes, of which kernels before
/// 6.13 count every program and function on the way (kernel/bpf/verifier.c, `check_max_stack_depth`).
#[repr(C, align(8))]
pub(crate) struct Copied<const N: usize>(MaybeUninit<[u8; N]>);

impl<const N: usize> Copied<N> {
    /// Nothing yet.
    #[inline(always)]
    pub(crate) const fn nothing() -> Self {
        Self(MaybeUninit::uninit())
    }

    /// Copy the first `N` bytes behind a pointer that the verifier does not know; whether they could be read.
    #[inline(always)]
    pub(crate) fn fill(&mut self, base: u64) -> bool {
        // SAFETY: the helper takes any address, and fills or clears all of the buffer.
        unsafe {
            generated::bpf_probe_read_kernel(self.0.as_mut_ptr().cast(), N as u32, base as *const _) == 0
        }
    }

    /// Copy `N` bytes from the word on in which the first of two fields lies; the offset of that word. Where they cannot be read they are zeroes.
    ///
    /// Two parameters, not an array: over an array the compiler makes a loop, in which no offset is a constant.
    #[inline(always)]
    pub(crate) fn fill_around(&mut self, base: u64, one: Field, other: Field) -> u32 {
        let (one, other) = (offset(one), offset(other));
        // At a word, so that what is aligned in the struct is in the copy.
        let first = (if one < other { one } else { other }) & !7;
        self.fill(base + u64::from(first));
        first
    }

    /// A field of a copy that begins at the offset `first`; one that lies elsewhere is read on its own.
    ///
    /// # Safety
    /// It has been filled.
    #[inline(always)]
    pub(crate) unsafe fn get_from<T: Copy + Default>(&self, base: u64, first: u32, field: Field) -> T {
        let offset = offset(field);
        if offset < first || (offset - first) as usize > N - size_of::<T>() {
            return probe(base, field);
        }
        // SAFETY: as in `get`.
        unsafe { self.0.as_ptr().cast::<u8>().add((offset - first) as usize).cast::<T>().read_volatile() }
    }

    /// A field that lies wholly within the copy. `base` is where the pointer was: a field further on is read on its
    /// own.
    ///
    /// # Safety
    /// It has been filled.
    #[inline(always)]
    pub(crate) unsafe fn get<T: Copy + Default>(&self, base: u64, field: Field) -> T {
        let offset = offset(field);
        if offset as usize > N - size_of::<T>() {
            return probe(base, field);
        }
        // SAFETY: within the copy, which is filled and begins at a word, as the struct does, so that what is aligned in one
        // is in the other; the verifier knows the offset as a constant.
        unsafe { self.0.as_ptr().cast::<u8>().add(offset as usize).cast::<T>().read_volatile() }
    }
}

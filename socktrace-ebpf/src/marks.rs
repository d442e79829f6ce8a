//! Instructions whose offsets user space fills in before load (see `socktrace_common::LOAD_MARK`).
//!
//! A mark has to be a constant of the instruction, and so of the type system, while a field is a value that the compiler
//! knows only after inlining: so each of them has its arm, of which one is left.

use core::arch::asm;

use socktrace_common::{CONSTANT_MARK, FIELDS, Field, LOAD_MARK, LOAD_NEXT_MARK};

/// `$do::<N, …>($args)` for the `N` of a field.
macro_rules! of_field {
    ($field:expr, $do:ident $(<$type:ident>)? ($($arg:expr),*)) => {
        of_field!(@arms $field, $do, ($($type)?), ($($arg),*),
            0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30 31 32 33 34 35 36 37
            38 39 40 41 42 43 44 45 46 47 48 49 50 51 52 53 54 55 56 57 58 59 60 61 62 63 64 65 66 67 68 69 70 71 72 73
            74 75 76 77 78 79 80 81 82 83 84 85 86 87 88 89 90 91 92 93 94 95 96 97 98 99 100 101 102 103 104 105 106 107
            108 109 110 111)
    };
    (@arms $field:expr, $do:ident, $types:tt, $args:tt, $($n:literal)*) => {
        match $field as u32 {
            $($n => of_field!(@call $do, $n, $types, $args),)*
            _ => of_field!(@call $do, 0, $types, $args),
        }
    };
    (@call $do:ident, $n:literal, (), $args:tt) => { $do::<$n> $args };
    (@call $do:ident, $n:literal, ($type:ident), $args:tt) => { $do::<$n, $type> $args };
}

const _: () = assert!(FIELDS <= 112, "`of_field` has too few arms");

/// The field's offset, `ABSENT` where there is none.
#[inline(always)]
pub(crate) fn offset(field: Field) -> u32 {
    of_field!(field, constant())
}

/// What lies at the field's offset, 0 where there is none.
///
/// # Safety
/// The verifier lets `base` be read there.
#[inline(always)]
pub(crate) unsafe fn load<T: Copy>(base: *const u8, field: Field) -> T {
    // SAFETY: by the caller's word.
    unsafe { of_field!(field, here<T>(base)) }
}

/// The same of a pointer. The compiler leaves such a load where it is, and alone: each one on each way to the end takes the
/// verifier a search of all of the kernel's types by name (kernel/bpf/verifier.c, `btf_nested_type_is_trusted`).
///
/// # Safety
/// As for [`load`].
#[inline(always)]
pub(crate) unsafe fn load_ptr(base: *const u8, field: Field) -> *const u8 {
    // SAFETY: by the caller's word.
    unsafe { of_field!(field, pointer(base)) }
}

/// What lies eight bytes behind the field's offset, likewise.
///
/// # Safety
/// As for [`load`].
#[inline(always)]
pub(crate) unsafe fn load_next(base: *const u8, field: Field) -> u64 {
    // SAFETY: by the caller's word.
    unsafe { of_field!(field, next(base)) }
}

/// The same value, of which the compiler does not know that it is: whatever equals it is not taken for the pointer that it
/// was made of, whose type the verifier knows.
#[inline(always)]
pub(crate) fn opaque(value: u64) -> u64 {
    let same: u64;
    // SAFETY: copies a register.
    unsafe {
        asm!("{same} = {value}", same = lateout(reg) same, value = in(reg) value,
            options(pure, nomem, nostack, preserves_flags));
    }
    same
}

#[inline(always)]
fn constant<const N: u32>() -> u32 {
    let value: u64;
    // SAFETY: sets a register.
    unsafe {
        asm!("{value} = {mark}", value = lateout(reg) value, mark = const CONSTANT_MARK + N as i32,
            options(pure, nomem, nostack, preserves_flags));
    }
    value as u32
}

#[inline(always)]
unsafe fn here<const N: u32, T: Copy>(base: *const u8) -> T {
    let value: u64;
    // SAFETY: by the caller's word.
    unsafe {
        match size_of::<T>() {
            1 => asm!("{value} = *(u8 *)({base} + {mark})", value = lateout(reg) value, base = in(reg) base,
                mark = const LOAD_MARK + N as i16, options(pure, readonly, nostack, preserves_flags)),
            2 => asm!("{value} = *(u16 *)({base} + {mark})", value = lateout(reg) value, base = in(reg) base,
                mark = const LOAD_MARK + N as i16, options(pure, readonly, nostack, preserves_flags)),
            4 => asm!("{value} = *(u32 *)({base} + {mark})", value = lateout(reg) value, base = in(reg) base,
                mark = const LOAD_MARK + N as i16, options(pure, readonly, nostack, preserves_flags)),
            _ => asm!("{value} = *(u64 *)({base} + {mark})", value = lateout(reg) value, base = in(reg) base,
                mark = const LOAD_MARK + N as i16, options(pure, readonly, nostack, preserves_flags)),
        }
        // The first bytes of a little-endian register.
        (&raw const value).cast::<T>().read()
    }
}

#[inline(always)]
unsafe fn pointer<const N: u32>(base: *const u8) -> *const u8 {
    let value: *const u8;
    // SAFETY: by the caller's word.
    unsafe {
        asm!("{value} = *(u64 *)({base} + {mark})", value = lateout(reg) value, base = in(reg) base,
            mark = const LOAD_MARK + N as i16, options(readonly, nostack, preserves_flags));
    }
    value
}

#[inline(always)]
unsafe fn next<const N: u32>(base: *const u8) -> u64 {
    let value: u64;
    // SAFETY: by the caller's word.
    unsafe {
        asm!("{value} = *(u64 *)({base} + {mark})", value = lateout(reg) value, base = in(reg) base,
            mark = const LOAD_NEXT_MARK + N as i16, options(pure, readonly, nostack, preserves_flags));
    }
    value
}

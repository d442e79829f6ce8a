//! Fields of records, written word by word: of bytes, of which it knows no alignment, the compiler makes
//! eight stores for each word, and of several zeroes a call that goes byte by byte.

use core::mem::offset_of;

use socktrace_common::CallRecord;

/// Zeroes.
///
/// # Safety
/// `into` is at a multiple of eight, as all such fields of records are.
#[inline(always)]
pub(crate) unsafe fn clear<const N: usize>(into: &mut [u8; N]) {
    const { assert!(N.is_multiple_of(8)) };
    let words = into.as_mut_ptr().cast::<u64>();
    for n in 0..N / 8 {
        // SAFETY: within the field, and aligned. Volatile, so that the stores stay what they are.
        unsafe { words.add(n).write_volatile(0) };
    }
}

/// Two words.
///
/// # Safety
/// As for [`clear`].
#[inline(always)]
pub(crate) unsafe fn put(into: &mut [u8; 16], words: [u64; 2]) {
    let place = into.as_mut_ptr().cast::<u64>();
    // SAFETY: as above.
    unsafe {
        place.write_volatile(words[0]);
        place.add(1).write_volatile(words[1]);
    }
}

/// An IPv4 address (network order) into the first four bytes, zeroes behind it.
///
/// # Safety
/// As for [`clear`].
#[inline(always)]
pub(crate) unsafe fn put_v4(into: &mut [u8; 16], be: u32) {
    // SAFETY: by the caller's word.
    unsafe { put(into, [be.into(), 0]) };
}

/// An IPv4 address (network order) as the IPv6 address `::ffff:a.b.c.d`.
///
/// # Safety
/// As for [`clear`].
#[inline(always)]
pub(crate) unsafe fn put_mapped(into: &mut [u8; 16], be: u32) {
    // SAFETY: by the caller's word.
    unsafe { put(into, [0, u64::from(be) << 32 | 0xffff_0000]) };
}

/// Nothing where only system calls say something.
#[inline(always)]
pub(crate) fn clear_call(record: &mut CallRecord) {
    const { assert!(offset_of!(CallRecord, inode) + 16 == size_of::<CallRecord>()) };
    let words = (&raw mut record.inode).cast::<u64>();
    // SAFETY: the last two words of the record, which is aligned to words.
    unsafe {
        words.write_volatile(0);
        words.add(1).write_volatile(0);
    }
}

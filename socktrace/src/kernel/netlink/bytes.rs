//! Numbers out of fixed-size headers. The offsets are constants, so whether they lie inside is decided when
//! the program is compiled, and reading cannot fail.

/// The `M` bytes from `AT` on.
pub(crate) fn part<const AT: usize, const M: usize, const N: usize>(head: &[u8; N]) -> [u8; M] {
    const { assert!(AT + M <= N, "the field lies outside of the header") };
    let mut out = [0; M];
    out.copy_from_slice(&head[AT..AT + M]);
    out
}

/// A byte.
pub(crate) fn byte<const AT: usize, const N: usize>(head: &[u8; N]) -> u8 {
    let [value] = part::<AT, 1, N>(head);
    value
}

/// A `u16` in host byte order.
pub(crate) fn half<const AT: usize, const N: usize>(head: &[u8; N]) -> u16 {
    u16::from_ne_bytes(part::<AT, 2, N>(head))
}

/// A `u16` in network byte order.
pub(crate) fn half_be<const AT: usize, const N: usize>(head: &[u8; N]) -> u16 {
    u16::from_be_bytes(part::<AT, 2, N>(head))
}

/// A `u32` in host byte order.
pub(crate) fn word<const AT: usize, const N: usize>(head: &[u8; N]) -> u32 {
    u32::from_ne_bytes(part::<AT, 4, N>(head))
}

/// A cookie: two words in host byte order, the low one first (net/core/sock_diag.c, `sock_diag_save_cookie`).
pub(crate) fn cookie<const AT: usize, const N: usize>(head: &[u8; N]) -> u64 {
    let halves = part::<AT, 8, N>(head);
    let [a, b, c, d, e, f, g, h] = halves;
    u64::from(u32::from_ne_bytes([a, b, c, d])) | u64::from(u32::from_ne_bytes([e, f, g, h])) << 32
}

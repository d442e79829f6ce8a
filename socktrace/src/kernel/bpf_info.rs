//! What the kernel says of its own BPF objects, beyond what aya asks for.
//!
//! I/O: bpf(2).

use std::os::fd::{AsFd as _, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

use nix::errno::Errno;

/// `BPF_OBJ_GET_INFO_BY_FD` (include/uapi/linux/bpf.h).
const OBJ_GET_INFO_BY_FD: libc::c_int = 15;
/// `BPF_BTF_GET_FD_BY_ID`.
const BTF_GET_FD_BY_ID: libc::c_int = 19;

/// Asks for the info of an object, as much of it as there is room for in `info`, which may say beforehand where more is
/// to be put.
///
/// # Safety
///
/// Where the kind of info holds addresses of further room, that room is as large as the info says.
pub(super) unsafe fn read(object: BorrowedFd<'_>, info: &mut [u64]) -> nix::Result<()> {
    #[repr(C)]
    struct Attr {
        fd: u32,
        len: u32,
        info: u64,
    }
    let attr = Attr {
        fd: object.as_raw_fd().cast_unsigned(),
        len: size_of_val(info) as u32,
        info: info.as_mut_ptr() as u64,
    };
    // SAFETY: the kernel reads `attr` and writes at most `len` bytes to `info`, which is that long, and to what `info`
    // names, by the caller's word.
    let done =
        unsafe { libc::syscall(libc::SYS_bpf, OBJ_GET_INFO_BY_FD, &raw const attr, size_of::<Attr>()) };
    Errno::result(done).map(drop)
}

/// The types of that id, as a BTF blob.
pub(super) fn btf(id: u32) -> nix::Result<Vec<u8>> {
    // SAFETY: the kernel reads the four bytes of the id.
    let fd = unsafe { libc::syscall(libc::SYS_bpf, BTF_GET_FD_BY_ID, &raw const id, size_of::<u32>()) };
    let fd = Errno::result(fd)?;
    // SAFETY: the kernel just gave us this descriptor and nobody else has it.
    let fd = unsafe { OwnedFd::from_raw_fd(fd as libc::c_int) };
    // `struct bpf_btf_info`: address of the blob, and its size in the low half of the next word.
    let mut info = [0u64; 2];
    // SAFETY: there is no further room, and its size is 0.
    unsafe { read(fd.as_fd(), &mut info)? };
    let mut blob = vec![0u8; info[1] as u32 as usize];
    let mut info = [blob.as_mut_ptr() as u64, blob.len() as u64];
    // SAFETY: the further room is the blob's, of the size that is told.
    unsafe { read(fd.as_fd(), &mut info)? };
    Ok(blob)
}

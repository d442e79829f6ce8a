//! An array map of the kernel half, mapped into this process (`BPF_F_MMAPABLE`): read and written without a
//! system call. I/O: mmap(2).

use std::num::NonZeroUsize;
use std::os::fd::AsFd;
use std::ptr::NonNull;

use aya::Ebpf;
use aya::maps::{Map, MapData};
use nix::sys::mman::{MapFlags, ProtFlags, mmap, munmap};

use super::EbpfError;

/// The elements of an array map.
pub(super) struct Mapped<T> {
    start: NonNull<T>,
    elements: usize,
    bytes: usize,
}

// SAFETY: the mapping belongs to this value alone and is accessed by volatile reads and writes only.
unsafe impl<T: Send> Send for Mapped<T> {}

impl<T: Copy> Mapped<T> {
    /// Map the array called `name`, which has `elements` elements of `T`, a type whose size is a multiple of eight
    /// or that is alone in its array.
    pub(super) fn new(ebpf: &Ebpf, name: &'static str, elements: usize) -> Result<Self, EbpfError> {
        let error = |reason: String| EbpfError::Map { map: name, reason };
        let map: &MapData = match ebpf.map(name) {
            Some(Map::Array(data)) => data,
            _ => return Err(error("the kernel object has no such array".into())),
        };
        let bytes = (elements * size_of::<T>()).next_multiple_of(page_size());
        let length = NonZeroUsize::new(bytes).ok_or_else(|| error("no elements".into()))?;
        // SAFETY: a new shared mapping of a map's memory, at an address of the kernel's choice.
        let start = unsafe {
            mmap(
                None,
                length,
                ProtFlags::PROT_READ | ProtFlags::PROT_WRITE,
                MapFlags::MAP_SHARED,
                map.fd().as_fd(),
                0,
            )
        }
        .map_err(|errno| error(format!("mmap: {errno}")))?;
        Ok(Self { start: start.cast(), elements, bytes })
    }

    /// Read one element.
    pub(super) fn get(&self, index: usize) -> Option<T> {
        // SAFETY: within the mapping, aligned; the kernel half writes it, so the read is volatile.
        (index < self.elements).then(|| unsafe { self.start.add(index).read_volatile() })
    }

    /// Write one element.
    pub(super) fn set(&self, index: usize, value: T) {
        if index < self.elements {
            // SAFETY: as in `get`.
            unsafe { self.start.add(index).write_volatile(value) };
        }
    }
}

impl<T> Drop for Mapped<T> {
    fn drop(&mut self) {
        // SAFETY: the mapping that `new` made, of that length.
        let _ = unsafe { munmap(self.start.cast(), self.bytes) };
    }
}

/// Bytes of a page of memory.
pub(super) fn page_size() -> usize {
    nix::unistd::sysconf(nix::unistd::SysconfVar::PAGE_SIZE).ok().flatten().map_or(4096, |size| size as usize)
}

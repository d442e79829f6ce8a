//! An array map of the kernel half, mapped into this process (`BPF_F_MMAPABLE`): read and written without a
//! system call. I/O: mmap(2).

use std::num::NonZeroUsize;
use std::os::fd::{AsFd, BorrowedFd};
use std::ptr::NonNull;
use std::sync::atomic::AtomicU64;

use aya::Ebpf;
use aya::maps::{Map, MapData};
use nix::errno::Errno;
use nix::sys::mman::{MapFlags, ProtFlags, mmap, munmap};

use super::EbpfError;

/// The elements of an array map.
pub(super) struct Mapped<T> {
    start: NonNull<T>,
    elements: usize,
    bytes: usize,
    /// For whoever asks for an element that there is not.
    nowhere: AtomicU64,
}

// SAFETY: the mapping belongs to this value alone and is accessed by volatile and atomic reads and writes only, or where
// nobody writes.
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
        Self::map(map.fd().as_fd(), elements).map_err(|errno| error(format!("mmap: {errno}")))
    }

    /// The same of the map with that descriptor.
    pub(super) fn map(fd: BorrowedFd<'_>, elements: usize) -> Result<Self, Errno> {
        let bytes = (elements * size_of::<T>()).next_multiple_of(page_size());
        let length = NonZeroUsize::new(bytes).ok_or(Errno::EINVAL)?;
        // SAFETY: a new shared mapping of a map's memory, at an address of the kernel's choice.
        let start = unsafe {
            let access = ProtFlags::PROT_READ | ProtFlags::PROT_WRITE;
            mmap(None, length, access, MapFlags::MAP_SHARED, fd, 0)
        }?;
        Ok(Self { start: start.cast(), elements, bytes, nowhere: AtomicU64::new(0) })
    }

    /// How many elements there are.
    pub(super) const fn len(&self) -> usize {
        self.elements
    }

    /// Where an element lies.
    pub(super) fn at(&self, index: usize) -> Option<NonNull<T>> {
        // SAFETY: within the mapping.
        (index < self.elements).then(|| unsafe { self.start.add(index) })
    }

    /// A word of an element, at that offset.
    pub(super) fn word(&self, index: usize, offset: usize) -> &AtomicU64 {
        let fits = offset.is_multiple_of(align_of::<u64>()) && offset + size_of::<u64>() <= size_of::<T>();
        match self.at(index).filter(|_| fits) {
            // SAFETY: within the element, aligned; the other side uses single instructions too.
            Some(element) => unsafe { element.cast::<u8>().add(offset).cast::<AtomicU64>().as_ref() },
            None => &self.nowhere,
        }
    }

    /// Read one element.
    pub(super) fn get(&self, index: usize) -> Option<T> {
        // SAFETY: an element; the kernel half writes it, so the read is volatile.
        self.at(index).map(|element| unsafe { element.read_volatile() })
    }

    /// Write one element.
    pub(super) fn set(&self, index: usize, value: T) {
        if let Some(element) = self.at(index) {
            // SAFETY: as in `get`.
            unsafe { element.write_volatile(value) };
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

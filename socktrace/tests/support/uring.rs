//! io_uring by its system calls (include/uapi/linux/io_uring.h): one operation at a time.

use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd, RawFd};
use std::ptr;
use std::sync::atomic::{AtomicU32, Ordering};

use nix::errno::Errno;
use nix::sys::socket::{SockaddrLike as _, SockaddrStorage};

const ENTRIES: u32 = 1;
const OFF_SQES: libc::off_t = 0x1000_0000;
const GETEVENTS: libc::c_uint = 1;
const OP_ACCEPT: u8 = 13;
const OP_CONNECT: u8 = 16;

/// `struct io_sqring_offsets` and `struct io_cqring_offsets`, in words.
type Offsets = [u32; 10];

#[repr(C)]
#[derive(Default)]
struct Params {
    entries: [u32; 2],
    flags: [u32; 8],
    /// head, tail, ring_mask, ring_entries, flags, dropped, array …
    sq: Offsets,
    /// head, tail, ring_mask, ring_entries, overflow, cqes …
    cq: Offsets,
}

const _: () = assert!(size_of::<Params>() == 120);

/// `struct io_uring_sqe`.
#[repr(C)]
#[derive(Default)]
struct Entry {
    opcode: u8,
    flags: u8,
    ioprio: u16,
    fd: i32,
    offset: u64,
    addr: u64,
    length: u32,
    op_flags: u32,
    user_data: u64,
    rest: [u64; 3],
}

const _: () = assert!(size_of::<Entry>() == 64);

/// A ring of one entry. Its memory is given back when the process ends.
pub(super) struct Ring {
    fd: OwnedFd,
    params: Params,
    rings: *mut u8,
    entries: *mut Entry,
}

impl Ring {
    pub(super) fn new() -> io::Result<Self> {
        let mut params = Params::default();
        // SAFETY: the kernel fills `params`; the mappings are of the sizes that it says.
        unsafe {
            let fd = libc::syscall(libc::SYS_io_uring_setup, ENTRIES, &raw mut params) as RawFd;
            let fd = OwnedFd::from_raw_fd(Errno::result(fd)?);
            let submissions = params.sq[6] + params.entries[0] * 4;
            let completions = params.cq[5] + params.entries[1] * 16;
            let map = |length: usize, offset| {
                let access = libc::PROT_READ | libc::PROT_WRITE;
                let memory =
                    libc::mmap(ptr::null_mut(), length, access, libc::MAP_SHARED, fd.as_raw_fd(), offset);
                if memory == libc::MAP_FAILED {
                    Err(io::Error::last_os_error())
                } else {
                    Ok(memory.cast::<u8>())
                }
            };
            // Both rings are one mapping (IORING_FEAT_SINGLE_MMAP, Linux 5.4).
            let rings = map(submissions.max(completions) as usize, 0)?;
            let entries = map(params.entries[0] as usize * size_of::<Entry>(), OFF_SQES)?.cast();
            Ok(Self { fd, params, rings, entries })
        }
    }

    /// The new descriptor.
    pub(super) fn accept(&self, listener: RawFd) -> io::Result<RawFd> {
        self.run(Entry { opcode: OP_ACCEPT, fd: listener, ..Entry::default() })
    }

    pub(super) fn connect(&self, socket: RawFd, to: SocketAddr) -> io::Result<()> {
        let to = SockaddrStorage::from(to);
        let (addr, offset) = (to.as_ptr() as u64, to.len().into());
        self.run(Entry { opcode: OP_CONNECT, fd: socket, addr, offset, ..Entry::default() }).map(drop)
    }

    /// Does one thing and waits for its end.
    fn run(&self, entry: Entry) -> io::Result<i32> {
        let word = |offset: u32| {
            // SAFETY: the kernel put an aligned word of the mapping there.
            unsafe { &*self.rings.add(offset as usize).cast::<AtomicU32>() }
        };
        let tail = word(self.params.sq[1]);
        let index = tail.load(Ordering::Relaxed) & word(self.params.sq[2]).load(Ordering::Relaxed);
        // SAFETY: there is one entry, and no operation is under way.
        unsafe { self.entries.add(index as usize).write(entry) };
        word(self.params.sq[6] + index * 4).store(index, Ordering::Relaxed);
        tail.fetch_add(1, Ordering::Release);
        // SAFETY: numbers in, a count out.
        let entered = unsafe {
            libc::syscall(
                libc::SYS_io_uring_enter,
                self.fd.as_raw_fd(),
                1,
                1,
                GETEVENTS,
                ptr::null::<u8>(),
                0,
            )
        };
        Errno::result(entered)?;
        let head = word(self.params.cq[0]);
        let at = head.load(Ordering::Acquire) & word(self.params.cq[2]).load(Ordering::Relaxed);
        // `struct io_uring_cqe`: user_data, then the result.
        let result = word(self.params.cq[5] + at * 16 + 8).load(Ordering::Acquire).cast_signed();
        head.fetch_add(1, Ordering::Release);
        if result < 0 { Err(io::Error::from_raw_os_error(-result)) } else { Ok(result) }
    }
}

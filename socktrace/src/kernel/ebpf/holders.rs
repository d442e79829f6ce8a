//! Who holds which socket, by the task_file iterator: one pass over every descriptor in the kernel.
//! I/O: bpf(2), read(2) of the iterator.

use std::fs::File;
use std::io::Read;
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};
use std::sync::{Arc, Mutex, PoisonError};

use aya::programs::{Iter, ProgramError};
use aya::{Btf, Ebpf, EbpfLoader};
use nix::errno::Errno;
use socktrace_common::HolderRecord;

use super::EbpfError;
use super::failure::AttachError;
use super::object;
use super::offsets::Offsets;
use crate::kernel::memory;
use crate::socket::{Comm, Cookie, Holder, Process};

const PROGRAM: &str = "socket_holders";
/// Bytes asked of the iterator at once; it fills a multiple of whole records.
const CHUNK: usize = 256 << 10;

/// The loaded iterator: each pass is a fresh look.
#[derive(Debug)]
pub struct HolderIter {
    program: OwnedFd,
}

/// The one that this process has loaded.
static LOADED: Mutex<Option<Arc<HolderIter>>> = Mutex::new(None);

impl HolderIter {
    /// Load the iterator alone, none of the tracing programs.
    ///
    /// # Errors
    /// If the kernel has no such iterator (before 5.11), or this process not the rights.
    pub fn load() -> Result<Self, EbpfError> {
        let offsets = Offsets::of_running_kernel()?;
        let btf = Btf::from_sys_fs().map_err(|error| EbpfError::Load(AttachError::of(&error)))?;
        let mut ebpf = EbpfLoader::new()
            .btf(Some(&btf))
            .verifier_log_level(object::verifier_log())
            .map_max_entries("LANES", 1)
            .map_max_entries("READ", 1)
            .map_max_entries("COUNTERS", 1)
            .load(&object::with(&offsets)?)
            .map_err(|error| EbpfError::Load(AttachError::of(&error)))?;
        Self::of(&mut ebpf, &btf)
    }

    /// The one of this process, loaded if it is not yet: an agent can load nothing once it runs.
    ///
    /// # Errors
    /// As [`load`](Self::load).
    pub fn of_this_process() -> Result<Arc<Self>, EbpfError> {
        let mut loaded = LOADED.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(loaded) = &*loaded {
            return Ok(loaded.clone());
        }
        let iter = Arc::new(Self::load()?);
        // Loading it took the kernel's types, which are many.
        memory::give_back();
        *loaded = Some(iter.clone());
        Ok(iter)
    }

    /// Loads it from an object whose other programs are loaded too, for this process; one that is loaded already stays.
    pub(super) fn keep_from(ebpf: &mut Ebpf, btf: &Btf) {
        let mut loaded = LOADED.lock().unwrap_or_else(PoisonError::into_inner);
        if loaded.is_none() {
            match Self::of(ebpf, btf) {
                Ok(iter) => *loaded = Some(Arc::new(iter)),
                Err(error) => log::debug!("no task_file iterator, so by /proc: {error}"),
            }
        }
    }

    fn of(ebpf: &mut Ebpf, btf: &Btf) -> Result<Self, EbpfError> {
        let program = ebpf
            .program_mut(PROGRAM)
            .ok_or_else(|| refused(AttachError::Object("no such program".into())))?;
        let program: &mut Iter = program.try_into().map_err(|error: ProgramError| refused(error.into()))?;
        program.load("task_file", btf).map_err(|error| refused(error.into()))?;
        let fd = program.fd().map_err(|error| refused(error.into()))?.as_fd().try_clone_to_owned();
        Ok(Self { program: fd.map_err(|error| refused(AttachError::of(&error)))? })
    }

    /// Hand over every (socket inode and cookie, holder), process by process, in ascending order of descriptors.
    ///
    /// # Errors
    /// If the iterator cannot be started or breaks off.
    pub fn each(&self, mut each: impl FnMut((u32, Cookie), Holder)) -> Result<(), EbpfError> {
        let mut file = self.start().map_err(|errno| refused(errno.into()))?;
        let mut buffer = vec![0; CHUNK];
        let mut filled = 0;
        loop {
            let room = buffer.get_mut(filled..).unwrap_or_default();
            let read = file.read(room).map_err(|error| refused(AttachError::of(&error)))?;
            if read == 0 {
                return Ok(());
            }
            filled += read;
            let whole = filled - filled % size_of::<HolderRecord>();
            for record in buffer.get(..whole).unwrap_or_default().chunks_exact(size_of::<HolderRecord>()) {
                let (socket, holder) = decode(record);
                each(socket, holder);
            }
            buffer.copy_within(whole..filled, 0);
            filled -= whole;
        }
    }

    /// A pass that is to be read.
    fn start(&self) -> nix::Result<File> {
        /// Commands of bpf(2), and the kind of attachment (include/uapi/linux/bpf.h).
        const LINK_CREATE: libc::c_int = 28;
        const ITER_CREATE: libc::c_int = 33;
        const TRACE_ITER: libc::c_int = 28;
        let link = descriptor(LINK_CREATE, &[self.program.as_raw_fd(), 0, TRACE_ITER, 0])?;
        Ok(descriptor(ITER_CREATE, &[link.as_raw_fd(), 0])?.into())
    }
}

/// bpf(2) of a command that is told numbers and gives a descriptor.
fn descriptor(command: libc::c_int, told: &[libc::c_int]) -> nix::Result<OwnedFd> {
    // SAFETY: the kernel reads as many bytes of `told` as are said; they hold no addresses.
    let fd = unsafe { libc::syscall(libc::SYS_bpf, command, told.as_ptr(), size_of_val(told)) };
    let fd = Errno::result(fd)?;
    // SAFETY: the kernel has just given it to us.
    Ok(unsafe { OwnedFd::from_raw_fd(fd as libc::c_int) })
}

fn refused(why: AttachError) -> EbpfError {
    EbpfError::Attach { hook: "iter/task_file", why }
}

/// One record of `chunks_exact`.
fn decode(record: &[u8]) -> ((u32, Cookie), Holder) {
    // SAFETY: `record` is as long as a `HolderRecord`, which is plain data; read unaligned.
    let record: HolderRecord = unsafe { record.as_ptr().cast::<HolderRecord>().read_unaligned() };
    let process = Process { pid: record.pid, comm: Comm::from_bytes(&record.comm) };
    ((record.inode, record.cookie), Holder { process, tid: None, fd: record.fd })
}

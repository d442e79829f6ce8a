//! Who holds which socket, by the task_file iterator: one pass over every descriptor in the kernel.
//! I/O: bpf(2), read(2) of the iterator.

use std::io::Read;

use aya::programs::Iter;
use aya::{Btf, EbpfLoader};
use socktrace_common::HolderRecord;

use super::EbpfError;
use super::attach::reason;
use super::object;
use super::offsets::Offsets;
use super::tracer::{load_error, verifier_log};
use crate::socket::{Comm, Holder, Process};

const PROGRAM: &str = "socket_holders";
/// Bytes asked of the iterator at once; it fills a multiple of whole records.
const CHUNK: usize = 256 << 10;

/// The loaded iterator: each pass is a fresh look.
pub struct HolderIter {
    ebpf: aya::Ebpf,
}

impl HolderIter {
    /// Load the iterator alone, none of the tracing programs.
    ///
    /// # Errors
    /// If the kernel has no such iterator (before 5.11), or this process not the rights.
    pub fn load() -> Result<Self, EbpfError> {
        let offsets = Offsets::of_running_kernel()?;
        let btf = Btf::from_sys_fs()
            .map_err(|error| EbpfError::Load { reason: error.to_string(), denied: false })?;
        let mut ebpf = EbpfLoader::new()
            .btf(Some(&btf))
            .verifier_log_level(verifier_log())
            .map_max_entries("LANES", 1)
            .map_max_entries("READ", 1)
            .map_max_entries("COUNTERS", 1)
            .load(&object::with(&offsets)?)
            .map_err(load_error)?;
        let program = program(&mut ebpf)?;
        program.load("task_file", &btf).map_err(|error| attach_error(reason(error)))?;
        Ok(Self { ebpf })
    }

    /// Hand over every (socket inode, holder), process by process, in ascending order of descriptors.
    ///
    /// # Errors
    /// If the iterator cannot be started or breaks off.
    pub fn each(&mut self, mut each: impl FnMut(u32, Holder)) -> Result<(), EbpfError> {
        let program = program(&mut self.ebpf)?;
        let link = program.attach().and_then(|id| program.take_link(id)).map_err(attach_error)?;
        let mut file = link.into_file().map_err(attach_error)?;
        let mut buffer = vec![0; CHUNK];
        let mut filled = 0;
        loop {
            let room = buffer.get_mut(filled..).unwrap_or_default();
            let read = file.read(room).map_err(attach_error)?;
            if read == 0 {
                return Ok(());
            }
            filled += read;
            let whole = filled - filled % size_of::<HolderRecord>();
            for record in buffer.get(..whole).unwrap_or_default().chunks_exact(size_of::<HolderRecord>()) {
                let (inode, holder) = decode(record);
                each(inode, holder);
            }
            buffer.copy_within(whole..filled, 0);
            filled -= whole;
        }
    }
}

fn program(ebpf: &mut aya::Ebpf) -> Result<&mut Iter, EbpfError> {
    let program =
        ebpf.program_mut(PROGRAM).ok_or_else(|| attach_error("the kernel object has no such program"))?;
    program.try_into().map_err(attach_error)
}

fn attach_error(error: impl ToString) -> EbpfError {
    let reason = error.to_string();
    let denied = reason.contains("permitted") || reason.contains("denied");
    EbpfError::Attach { hook: "iter/task_file", reason, denied }
}

/// One record of `chunks_exact`.
fn decode(record: &[u8]) -> (u32, Holder) {
    // SAFETY: `record` is as long as a `HolderRecord`, which is plain data; read unaligned.
    let record: HolderRecord = unsafe { record.as_ptr().cast::<HolderRecord>().read_unaligned() };
    let process = Process { pid: record.pid, comm: Comm::from_bytes(&record.comm) };
    (record.inode, Holder { process, tid: None, fd: record.fd })
}

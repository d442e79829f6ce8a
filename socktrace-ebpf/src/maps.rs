//! The maps, all of them.

use aya_ebpf::btf_maps::{Array, LruHashMap, RingBuf};
use aya_ebpf::macros::btf_map;
use socktrace_common::{CpuCounters, Read, Slot};

use crate::asked::Asked;

/// `BPF_F_MMAPABLE` (include/uapi/linux/bpf.h): user space reads and writes the array without a system call.
const MMAPABLE: usize = 1 << 10;

/// The records on their way to user space: a lane for each CPU. Their number is set at load.
#[btf_map]
pub(crate) static LANES: Array<Slot, 1024, MMAPABLE> = Array::new();

/// How far user space has read each lane; their number is set at load.
#[btf_map]
pub(crate) static READ: Array<Read, 1024, MMAPABLE> = Array::new();

/// Wakes the reader: of all maps only a ring buffer can. What it holds says nothing.
#[btf_map]
pub(crate) static BELL: RingBuf<u8, 4096> = RingBuf::new();

/// What was seen and lost: one element for each CPU; their number is set at load.
#[btf_map]
pub(crate) static COUNTERS: Array<CpuCounters, 1024, MMAPABLE> = Array::new();

/// One element: whether the reader sleeps and wants to be woken.
#[btf_map]
pub(crate) static WAKE: Array<u32, 1, MMAPABLE> = Array::new();

/// One element: which records nobody wants now, as bits. At load nothing is unwanted.
#[btf_map]
pub(crate) static UNWANTED: Array<u32, 1, MMAPABLE> = Array::new();

/// What a system call was asked, from its enter to its exit, where it has to be remembered; key: thread (`pid_tgid`).
#[btf_map]
pub(crate) static PENDING: LruHashMap<u64, Asked, 16384> = LruHashMap::new();

/// Datagram sockets that are bound or have sent, by their cookies (`known::tag`): so that only the send by which the kernel
/// chose the port makes a record. A socket that others have pushed out makes another one, which tells nothing new. (A storage at
/// the socket itself takes an allocation and three times as long.)
#[btf_map]
pub(crate) static KNOWN: Array<[u32; WAYS], { SETS as usize }> = Array::new();

/// Sets of [`KNOWN`], a power of two; all of it stays in the processor's cache.
pub(crate) const SETS: u32 = 1 << 13;
/// Places in each set.
pub(crate) const WAYS: usize = 4;

//! What the task_file iterator writes for each descriptor that is a socket.

use crate::COMM_LEN;

/// One descriptor of one process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(C)]
pub struct HolderRecord {
    /// Cookie of the socket.
    pub cookie: u64,
    /// Inode number of the socket.
    pub inode: u32,
    /// Thread-group id, initial pid namespace.
    pub pid: u32,
    /// Id of the thread whose descriptor table it is; equals `pid` unless a thread unshared its files.
    pub tid: u32,
    /// The descriptor.
    pub fd: u32,
    /// Name of the group leader.
    pub comm: [u8; COMM_LEN],
}

const _: () = assert!(size_of::<HolderRecord>() == 40);

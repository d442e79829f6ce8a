//! Who holds which socket: `iter/task_file`, one record for each descriptor that is a socket.

use aya_ebpf::helpers::generated::{bpf_get_socket_cookie, bpf_seq_write, bpf_sock_from_file};
use socktrace_common::{Field, HolderRecord};

use crate::fields::{load, load_ptr};
use crate::task;

/// `struct bpf_iter__task_file` (kernel/bpf/task_iter.c).
#[repr(C)]
pub(crate) struct TaskFile {
    meta: *const Meta,
    task: *const u8,
    fd: u32,
    file: *const u8,
}

/// `struct bpf_iter_meta` (include/linux/bpf.h).
#[repr(C)]
pub(crate) struct Meta {
    seq: *mut u8,
}

/// Attached as `iter/task_file`.
#[unsafe(no_mangle)]
#[unsafe(link_section = "iter/task_file")]
pub(crate) fn socket_holders(ctx: *const TaskFile) -> i32 {
    // SAFETY: the kernel passes its own `struct bpf_iter__task_file`.
    unsafe { holder(&*ctx) };
    0
}

/// # Safety
/// `ctx` is the kernel's.
#[inline(always)]
unsafe fn holder(ctx: &TaskFile) {
    let (task, file) = (ctx.task, ctx.file);
    if task.is_null() || file.is_null() {
        return;
    }
    // SAFETY: all pointers come typed from the context.
    unsafe {
        let socket = bpf_sock_from_file(file.cast_mut().cast()) as *const u8;
        if socket.is_null() {
            return;
        }
        // Who asks for the cookie makes it: sockets that are older than our hooks get theirs so.
        let sk = load_ptr(socket, Field::SocketSk);
        let cookie = match sk.is_null() {
            true => 0,
            false => bpf_get_socket_cookie(sk.cast_mut().cast()),
        };
        let inode = load_ptr(file, Field::FileInode);
        let mut record = HolderRecord {
            cookie,
            inode: load::<u64>(inode, Field::InodeIno) as u32,
            pid: load(task, Field::TaskTgid),
            tid: load(task, Field::TaskPid),
            fd: ctx.fd,
            comm: [0; 16],
        };
        task::leader_comm(task, &mut record.comm);
        let meta = &*ctx.meta;
        bpf_seq_write(meta.seq.cast(), (&raw const record).cast(), size_of::<HolderRecord>() as u32);
    }
}

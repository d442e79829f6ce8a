//! Reading a `struct sock`: by typed loads where the hook passes one, by probe reads where we found it ourselves.

use aya_ebpf::helpers::{bpf_probe_read_kernel, generated};
use socktrace_common::{Field, RecordHead, UNIX_NAME_LEN};

use crate::fields::{Copied, address, is_present, load, load_16, load_ptr, probe};
use crate::words::{self, put_v4};
use crate::{cgroup, emit, marks, task};

/// AF_UNIX
pub(crate) const AF_UNIX: u8 = 1;
/// AF_INET
pub(crate) const AF_INET: u8 = 2;
/// AF_INET6
pub(crate) const AF_INET6: u8 = 10;
/// IPPROTO_TCP
pub(crate) const TCP: u16 = 6;
/// IPPROTO_MPTCP: its subflows are TCP sockets of their own.
pub(crate) const MPTCP: u16 = 262;
/// `SOCK_STREAM` (include/linux/net.h).
const SOCK_STREAM: u16 = 1;
/// `SOCK_DGRAM`.
pub(crate) const SOCK_DGRAM: u16 = 2;
/// `SOCK_RAW`.
pub(crate) const SOCK_RAW: u16 = 3;

/// Fill what a typed `struct sock` tells: endpoints, namespace, interface, uid, mark, cgroup.
///
/// # Safety
/// `sk` is a BTF-typed `struct sock`.
#[inline(always)]
pub(crate) unsafe fn read_typed(sk: *const u8, head: &mut RecordHead) {
    // SAFETY: every pointer is typed by the one before; faults read zero.
    unsafe {
        let family = load::<u16>(sk, Field::SkFamily) as u8;
        head.family = family;
        head.local_port = load(sk, Field::SkNum);
        head.peer_port = u16::from_be(load(sk, Field::SkDport));
        if family == AF_INET6 {
            load_16(sk, Field::SkV6RcvSaddr, &mut head.local);
            load_16(sk, Field::SkV6Daddr, &mut head.peer);
        } else {
            put_v4(&mut head.local, load(sk, Field::SkRcvSaddr));
            put_v4(&mut head.peer, load(sk, Field::SkDaddr));
        }
        head.ifindex = load(sk, Field::SkBoundDevIf);
        head.uid = load(sk, Field::SkUid);
        head.mark = load(sk, Field::SkMark);
        head.netns = load(load_ptr(sk, Field::SkNet), Field::NetInum);
        head.cgroup = cgroup::id(load_ptr(sk, Field::SkCgroup));
    }
}

/// Whether the kernel made a socket for itself, by the byte that has the bit.
#[inline(always)]
pub(crate) fn is_kernel_bit(byte: u8) -> bool {
    u32::from(byte) >> (marks::offset(Field::SkKernBit) & 7) & 1 != 0
}

/// What is the socket's own, and may differ from what the current task's is, of a `struct sock` whose pointer the verifier
/// does not know.
pub(crate) struct Own {
    sk: u64,
    /// The part of the `struct sock` from its mark or its user on, in which the rest lies too on the kernels of today.
    near: Copied<OWN>,
    /// Where that begins.
    base: u32,
}

/// From the mark to the cgroup, bytes, with some to spare.
const OWN: usize = 176;

impl Own {
    /// Nothing yet; [`fill`](Self::fill) reads it.
    #[inline(always)]
    pub(crate) const fn nothing() -> Self {
        Self { sk: 0, near: Copied::nothing(), base: 0 }
    }

    #[inline(always)]
    pub(crate) fn fill(&mut self, sk: u64) {
        self.sk = sk;
        self.base = self.near.fill_around(sk, Field::SkMark, Field::SkUid);
    }

    #[inline(always)]
    fn get<T: Copy + Default>(&self, field: Field) -> T {
        // SAFETY: filled, from `base` on.
        unsafe { self.near.get_from(self.sk, self.base, field) }
    }

    /// Fill what [`read_typed`] does, without the endpoints and the interface, of a socket in the network namespace with that
    /// cookie.
    #[inline(always)]
    pub(crate) fn read(&self, task: *const u8, netns_cookie: u64, head: &mut RecordHead) {
        head.mark = self.get(Field::SkMark);
        head.uid = self.get(Field::SkUid);
        head.netns = task::netns_inode(task, netns_cookie, self.sk);
        head.cgroup = task::cgroup_id_of(task, self.get(Field::SkCgroup));
    }

    /// Number of the inode of its socket.
    #[inline(always)]
    pub(crate) fn inode(&self) -> u32 {
        let number: u64 = if is_present(Field::SkIno) {
            self.get(Field::SkIno)
        } else {
            probe(probe(self.sk, Field::SkSocket), Field::SocketIno)
        };
        number as u32
    }

    /// Whether the kernel made the socket for itself (`sk_kern_sock`): it is of no process, and no hook reports its end
    /// (net/ipv4/af_inet.c, `inet_release`).
    #[inline(always)]
    pub(crate) fn is_kernels(&self) -> bool {
        is_kernel_bit(self.get(Field::SkKernSock))
    }
}

/// The pointer as a number: the verifier allows no arithmetic on a pointer to a socket, but what is read from a map is a
/// number to it. The record's field of the cookie holds it meanwhile.
#[inline(always)]
pub(crate) fn untyped(head: &mut RecordHead, pointer: u64) -> u64 {
    let place = &raw mut head.cookie;
    // SAFETY: a field of the record.
    unsafe {
        place.write_volatile(pointer);
        place.read_volatile()
    }
}

/// A socket that we found ourselves: the verifier knows none of its pointers.
pub(crate) struct Found {
    /// The current task, whose call it is.
    pub(crate) task: *const u8,
    /// Its group leader, and its network namespace: loaded before the ways part.
    pub(crate) leader: *const u8,
    own_net: *const u8,
    /// The `struct sock`.
    pub(crate) sk: u64,
    /// Inode number of the socket.
    pub(crate) inode: u32,
    /// User of the inode, which is the socket's (net/core/sock.c, `sock_graft`).
    uid: u32,
    /// The beginning of the `struct sock`: all of `struct sock_common` that we read. On the way there, that of the
    /// `struct socket_alloc`: there is no stack for both.
    copied: Copied<COPIED>,
}

/// Bytes of `struct socket_alloc` up to and with the inode's number, and more than `struct sock_common` has: a probe read
/// takes three times as long as copying what lies between.
const COPIED: usize = 200;
/// Bytes within which type and protocol lie, and mark and user.
const NEAR: usize = 16;

impl Found {
    /// No socket yet; [`Found::by_fd`] or [`Found::by_sock`] finds one.
    #[inline(always)]
    pub(crate) fn nothing() -> Self {
        let task = task::current();
        // SAFETY: `current` is typed.
        let (leader, own_net) = unsafe { (load_ptr(task, Field::TaskGroupLeader), task::net(task)) };
        Self { task, leader, own_net, sk: 0, inode: 0, uid: u32::MAX, copied: Copied::nothing() }
    }

    /// Find the socket behind a descriptor of the current task; whether there is one.
    #[inline(always)]
    pub(crate) fn by_fd(&mut self, fd: u32) -> bool {
        // SAFETY: typed by `current` and the members on the way.
        let (max, table) = unsafe {
            let files = load_ptr(self.task, Field::TaskFiles);
            if files.is_null() {
                return false;
            }
            let fdt = load_ptr(files, Field::FilesFdt);
            if fdt.is_null() {
                return false;
            }
            (load::<u32>(fdt, Field::FdtMaxFds), load_ptr(fdt, Field::FdtFd) as u64)
        };
        if fd >= max || table == 0 {
            return false;
        }
        // SAFETY: bpf_probe_read_kernel takes any address and fails on a bad one.
        let file = unsafe { bpf_probe_read_kernel((table + u64::from(fd) * 8) as *const u64) };
        let Ok(file) = file else { return false };
        self.by_file(file)
    }

    /// Find the socket of a `struct file`; whether it is one.
    ///
    /// A file is only believed to be a socket if the socket says the same of the file (`socket.file == file`).
    #[inline(always)]
    pub(crate) fn by_file(&mut self, file: u64) -> bool {
        let socket: u64 = probe(file, Field::FilePrivate);
        let copied = &mut self.copied;
        if !copied.fill(socket) {
            return false;
        }
        // SAFETY: filled.
        let back: u64 = unsafe { copied.get(socket, Field::SocketFile) };
        if back != file {
            return false;
        }
        // SAFETY: as above.
        unsafe {
            self.sk = copied.get(socket, Field::SocketSk);
            self.inode = copied.get::<u64>(socket, Field::SocketIno) as u32;
            self.uid = copied.get(socket, Field::SocketUid);
        }
        self.copied.fill(self.sk)
    }

    /// Find the socket of a `struct sock` that a hook of the same call was passed; whether it can be read.
    #[inline(always)]
    pub(crate) fn by_sock(&mut self, sk: u64) -> bool {
        self.sk = sk;
        let socket = probe(sk, Field::SkSocket);
        self.inode = probe::<u64>(socket, Field::SocketIno) as u32;
        self.uid = probe(socket, Field::SocketUid);
        self.copied.fill(sk)
    }

    #[inline(always)]
    fn get<T: Copy + Default>(&self, field: Field) -> T {
        // SAFETY: whoever asks has found the socket.
        unsafe { self.copied.get(self.sk, field) }
    }

    /// Address family.
    #[inline(always)]
    pub(crate) fn family(&self) -> u8 {
        self.get::<u16>(Field::SkFamily) as u8
    }

    /// Cookie, 0 where nobody has asked for one yet.
    #[inline(always)]
    pub(crate) fn cookie(&self) -> u64 {
        self.get(Field::SkCookie)
    }

    /// State, TCP_*.
    #[inline(always)]
    pub(crate) fn state(&self) -> u8 {
        self.get(Field::SkState)
    }

    /// Local port, of IP sockets.
    #[inline(always)]
    pub(crate) fn local_port(&self) -> u16 {
        self.get(Field::SkNum)
    }

    /// Type and protocol: of TCP without another read, otherwise in one where they lie side by side, as on all kernels
    /// that we know.
    #[inline(always)]
    pub(crate) fn kind(&self) -> (u16, u16) {
        if self.is_born_here() {
            return (SOCK_STREAM, TCP);
        }
        let mut near = Copied::<NEAR>::nothing();
        let base = near.fill_around(self.sk, Field::SkProtocol, Field::SkType);
        // SAFETY: filled, from `base` on.
        unsafe {
            (near.get_from(self.sk, base, Field::SkType), near.get_from(self.sk, base, Field::SkProtocol))
        }
    }

    /// Whether it has the protocol's functions of a TCP connection that was born on this CPU: then it is TCP. Where they
    /// have been exchanged (a ULP such as TLS has its own), nothing is known.
    #[inline(always)]
    fn is_born_here(&self) -> bool {
        let prot: u64 = self.get(Field::SkProt);
        match emit::cpu() {
            // SAFETY: an element of the array, which lives as long as the program.
            Some(cpu) => unsafe {
                let prots = (&raw const (*cpu).prot).cast::<u64>();
                prots.read_volatile() == prot || prots.add(1).read_volatile() == prot
            },
            None => false,
        }
    }

    /// Fill all of `head` but time, kind, cgroup, mark, name and process.
    #[inline(always)]
    pub(crate) fn read(&self, head: &mut RecordHead) {
        let family = self.family();
        head.family = family;
        head.old = self.get(Field::SkState);
        let (kind, protocol) = self.kind();
        head.new = kind as u8;
        head.protocol = protocol;
        head.uid = self.uid;
        head.cookie = self.get(Field::SkCookie);
        head.netns = task::netns_inode_of(self.own_net, self.get(Field::SkNet));
        head.local_port = 0;
        head.peer_port = 0;
        head.ifindex = 0;
        if family == AF_INET || family == AF_INET6 {
            head.local_port = self.get(Field::SkNum);
            head.peer_port = u16::from_be(self.get(Field::SkDport));
            head.ifindex = self.get(Field::SkBoundDevIf);
        }
        // SAFETY: fields of the record.
        unsafe {
            if family == AF_INET6 {
                words::put(&mut head.local, self.get(Field::SkV6RcvSaddr));
                words::put(&mut head.peer, self.get(Field::SkV6Daddr));
            } else if family == AF_INET {
                put_v4(&mut head.local, self.get(Field::SkRcvSaddr));
                put_v4(&mut head.peer, self.get(Field::SkDaddr));
            } else {
                words::clear(&mut head.local);
                words::clear(&mut head.peer);
            }
        }
    }
}

/// Copy the name that a UNIX socket is bound to (`unix_sock.addr->name->sun_path`); its length, 0 for none.
#[inline(always)]
pub(crate) fn unix_name(sk: u64, into: &mut [u8; UNIX_NAME_LEN + 4]) -> u8 {
    let bound: u64 = probe(sk, Field::UnixAddr);
    // `len` counts the two bytes of sun_family (net/unix/af_unix.c, unix_create_addr).
    let len = probe::<u32>(bound, Field::UnixAddressLen).saturating_sub(2);
    let Some(name) = address(bound, Field::UnixAddressName) else { return 0 };
    copy_name(into, name as u64 + 2, len)
}

/// Copy a name of the kernel's; its length, 0 where it is overlong or cannot be read.
///
/// Apart: among much else the compiler puts the length onto the stack before it compares it, and of what comes back from
/// there the verifier of Linux 6.1 knows no bound.
#[inline(never)]
fn copy_name(into: &mut [u8; UNIX_NAME_LEN + 4], from: u64, len: u32) -> u8 {
    let Some(len) = name_len(len) else { return 0 };
    // SAFETY: any address may be asked; the length is within the buffer.
    match unsafe { generated::bpf_probe_read_kernel(into.as_mut_ptr().cast(), len, from as *const _) } {
        0 => len as u8,
        _ => 0,
    }
}

/// The same of a name of the user's.
#[inline(never)]
pub(crate) fn copy_user_name(into: &mut [u8; UNIX_NAME_LEN + 4], from: u64, len: u32) -> u8 {
    let Some(len) = name_len(len) else { return 0 };
    // SAFETY: likewise.
    match unsafe { generated::bpf_probe_read_user(into.as_mut_ptr().cast(), len, from as *const _) } {
        0 => len as u8,
        _ => 0,
    }
}

/// The kernel puts a NUL behind a path, also behind one that fills `sun_path` (net/unix/af_unix.c, `unix_mkname_bsd`).
const MAX_NAME: usize = UNIX_NAME_LEN + 1;

/// A length that the verifier can see to be within a name's buffer; `None` for an overlong one.
#[inline(always)]
fn name_len(len: u32) -> Option<u32> {
    let len = u64::from(len);
    // Read back through memory: otherwise the compiler proves the bound on another register than the one that it
    // passes, where the verifier does not see it. For the same reason there is one comparison, not two.
    // SAFETY: a local.
    let len = unsafe { (&raw const len).read_volatile() };
    if len > MAX_NAME as u64 { None } else { Some(len as u32) }
}

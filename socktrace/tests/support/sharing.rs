//! What an actor does so that its sockets have more than one holder, or another opener than one would think.

use super::actor::{Stage, Stream, address, number};
use super::uring::Ring;
use nix::cmsg_space;
use nix::errno::Errno;
use nix::sys::socket::{
    AddressFamily, Backlog, ControlMessage, ControlMessageOwned, MsgFlags, SockFlag, SockType,
    SockaddrStorage, UnixAddr, bind, listen, recvmsg, sendmsg, setsockopt, socket, sockopt,
};
use std::fs;
use std::io::{self, IoSlice, IoSliceMut};
use std::net::{TcpListener, TcpStream};
use std::os::fd::{AsRawFd, FromRawFd as _, OwnedFd, RawFd};
use std::os::unix::net::UnixDatagram;
use std::path::Path;

pub(super) fn act(stage: &mut Stage, words: &[&str]) -> io::Result<String> {
    match *words {
        // Without flags: accept(2), where the standard library calls accept4(2) with SOCK_CLOEXEC.
        ["accept-plain"] => {
            // SAFETY: no address is asked for.
            let fd = unsafe { libc::accept(listener(stage), std::ptr::null_mut(), std::ptr::null_mut()) };
            keep(stage, owned(fd)?);
        }
        ["thread-accept", name] => {
            let name = name.to_owned();
            let listener = stage.listener.as_ref().unwrap().try_clone()?;
            let stream = std::thread::spawn(move || named(&name).and_then(|()| listener.accept()));
            stage.keep(Stream::Tcp(stream.join().unwrap()?.0));
        }
        ["thread-connect", name, addr, port] => {
            let (name, to) = (name.to_owned(), address(addr, port));
            let stream = std::thread::spawn(move || named(&name).and_then(|()| TcpStream::connect(to)));
            stage.keep(Stream::Tcp(stream.join().unwrap()?));
        }
        ["uring-accept"] => {
            let fd = Ring::new()?.accept(listener(stage))?;
            keep(stage, owned(fd)?);
        }
        ["uring-connect", addr, port] => {
            let ours = socket(AddressFamily::Inet, SockType::Stream, SockFlag::SOCK_CLOEXEC, None)?;
            Ring::new()?.connect(ours.as_raw_fd(), address(addr, port))?;
            keep(stage, ours);
        }
        // A child that accepts one connection and keeps it.
        ["fork-worker"] => return Ok(worker(listener(stage))?.to_string()),
        // It lives on when we end.
        ["fork-survivor"] => {
            return Ok(child(|| {
                // SAFETY: a number in.
                unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, 0) };
            })?
            .to_string());
        }
        ["fork-holder"] => return Ok(child(|| {})?.to_string()),
        ["fd", id] => return Ok(descriptor(stage, id).to_string()),
        ["fd-of-listener"] => return Ok(listener(stage).to_string()),
        ["dup", id] => {
            // SAFETY: plain dup(2).
            let fd = owned(unsafe { libc::dup(descriptor(stage, id)) })?;
            let number = fd.as_raw_fd().to_string();
            keep(stage, fd);
            return Ok(number);
        }
        ["inbox", path] => stage.inbox = Some(UnixDatagram::bind(path)?),
        ["send-fd", id, path] => {
            let fds = [descriptor(stage, id)];
            let to = UnixAddr::new(Path::new(path))?;
            let rights = [ControlMessage::ScmRights(&fds)];
            let ours = UnixDatagram::unbound()?;
            sendmsg(ours.as_raw_fd(), &[IoSlice::new(b"x")], &rights, MsgFlags::empty(), Some(&to))?;
        }
        ["receive-fd"] => {
            let mut byte = [0];
            let mut parts = [IoSliceMut::new(&mut byte)];
            let mut room = cmsg_space!(RawFd);
            let inbox = stage.inbox.as_ref().unwrap().as_raw_fd();
            let message =
                recvmsg::<UnixAddr>(inbox, &mut parts, Some(&mut room), MsgFlags::MSG_CMSG_CLOEXEC)?;
            let fd = message.cmsgs()?.find_map(|it| match it {
                ControlMessageOwned::ScmRights(fds) => fds.first().copied(),
                _ => None,
            });
            keep(stage, owned(fd.unwrap())?);
        }
        ["steal-fd", pid, fd] => {
            // SAFETY: numbers in, a descriptor out.
            let stolen = unsafe {
                let process = owned(libc::syscall(libc::SYS_pidfd_open, number(pid), 0) as RawFd)?;
                libc::syscall(libc::SYS_pidfd_getfd, process.as_raw_fd(), number(fd), 0)
            };
            keep(stage, owned(stolen as RawFd)?);
        }
        ["listen-shared-port", addr, port] => {
            let ours = socket(AddressFamily::Inet, SockType::Stream, SockFlag::SOCK_CLOEXEC, None)?;
            setsockopt(&ours, sockopt::ReusePort, &true)?;
            bind(ours.as_raw_fd(), &SockaddrStorage::from(address(addr, port)))?;
            listen(&ours, Backlog::new(64)?)?;
            let listener = TcpListener::from(ours);
            let port = listener.local_addr()?.port();
            stage.listener = Some(listener);
            return Ok(port.to_string());
        }
        _ => panic!("no such command: {words:?}"),
    }
    Ok("done".to_owned())
}

fn listener(stage: &Stage) -> RawFd {
    stage.listener.as_ref().unwrap().as_raw_fd()
}

fn descriptor(stage: &Stage, id: &str) -> RawFd {
    match &stage.streams[&number(id)] {
        Stream::Tcp(stream) => stream.as_raw_fd(),
        Stream::Unix(stream) => stream.as_raw_fd(),
    }
}

fn keep(stage: &mut Stage, fd: OwnedFd) {
    stage.keep(Stream::Tcp(fd.into()));
}

/// What a system call returned.
fn owned(fd: RawFd) -> io::Result<OwnedFd> {
    let fd = Errno::result(fd)?;
    // SAFETY: the caller has just been given it by the kernel.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Names the calling thread.
fn named(name: &str) -> io::Result<()> {
    fs::write("/proc/thread-self/comm", name)
}

/// A child that accepts one connection and keeps it until we end.
fn worker(listener: RawFd) -> io::Result<libc::pid_t> {
    child(|| {
        // SAFETY: no address is asked for.
        unsafe { libc::accept4(listener, std::ptr::null_mut(), std::ptr::null_mut(), libc::SOCK_CLOEXEC) };
    })
}

/// A child that does this, by system calls alone, and then nothing until we end.
fn child(act: impl Fn()) -> io::Result<libc::pid_t> {
    // SAFETY: the child makes system calls and nothing else: it has only one thread of a process of several.
    unsafe {
        match Errno::result(libc::fork())? {
            0 => {
                libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
                libc::prctl(libc::PR_SET_NAME, c"a-child".as_ptr());
                act();
                loop {
                    libc::pause();
                }
            }
            pid => Ok(pid),
        }
    }
}

//! What an actor does to sockets of every kind, and to the ends of connections.

use super::actor::{Stage, Stream, address, number};
use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction};
use nix::sys::socket::{
    AddressFamily, Backlog, SockFlag, SockType, SockaddrLike, SockaddrStorage, UnixAddr, accept4, bind,
    connect, listen, sendto, setsockopt, shutdown, socket, socketpair, sockopt,
};
use nix::unistd::{Uid, setresuid};
use std::io::{self, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::fd::{AsRawFd, FromRawFd as _, OwnedFd, RawFd};
use std::path::Path;

pub(super) fn act(stage: &mut Stage, words: &[&str]) -> io::Result<Option<String>> {
    match *words {
        ["shutdown", id] => tcp(stage, id).shutdown(Shutdown::Write)?,
        ["shutdown-both", id] => tcp(stage, id).shutdown(Shutdown::Both)?,
        ["shutdown-made"] => shutdown(last(stage), nix::sys::socket::Shutdown::Write)?,
        ["no-linger", id] => {
            let off = libc::linger { l_onoff: 1, l_linger: 0 };
            setsockopt(tcp(stage, id), sockopt::Linger, &off)?;
        }
        ["deafen", id, of_four] => super::deafen(tcp(stage, id), number(of_four)),
        // Until the kernel takes no more.
        ["fill", id] => {
            let mut stream = tcp(stage, id);
            stream.set_nonblocking(true)?;
            while stream.write(&[b'x'; 65536]).is_ok() {}
        }
        ["listen", addr, port] => stage.listener = Some(std::net::TcpListener::bind(address(addr, port))?),
        ["last-stream"] => return Ok(Some(stage.streams.keys().max().unwrap().to_string())),
        ["listen-backlog", addr, backlog] => {
            let ours = socket(AddressFamily::Inet, SockType::Stream, SockFlag::SOCK_CLOEXEC, None)?;
            bind(ours.as_raw_fd(), &SockaddrStorage::from(address(addr, "0")))?;
            listen(&ours, Backlog::new(number(backlog) as i32)?)?;
            let listener = TcpListener::from(ours);
            let port = listener.local_addr()?.port();
            stage.listener = Some(listener);
            return Ok(Some(port.to_string()));
        }
        // To its own port: both ends open, and later close, at the same time.
        ["connect-to-itself", addr] => {
            let ours = socket(AddressFamily::Inet, SockType::Stream, SockFlag::SOCK_CLOEXEC, None)?;
            bind(ours.as_raw_fd(), &SockaddrStorage::from(address(addr, "0")))?;
            let stream = TcpStream::from(ours);
            let to: SocketAddr = stream.local_addr()?;
            connect(stream.as_raw_fd(), &SockaddrStorage::from(to))?;
            stage.keep(Stream::Tcp(stream));
            return Ok(Some(to.port().to_string()));
        }
        // Gives up after the first SYN that is not answered.
        ["connect-impatiently", addr, port] => {
            let ours = socket(AddressFamily::Inet, SockType::Stream, SockFlag::SOCK_CLOEXEC, None)?;
            setsockopt(&ours, sockopt::TcpUserTimeout, &10)?;
            connect(ours.as_raw_fd(), &SockaddrStorage::from(address(addr, port)))?;
        }
        ["make", kind] => {
            let made = make(kind)?;
            stage.made.push(made);
        }
        // As fast as it goes, by names that begin so.
        ["make-many", kind, name, count] => {
            let (_, most) = getrlimit(Resource::RLIMIT_NOFILE)?;
            setrlimit(Resource::RLIMIT_NOFILE, most, most)?;
            for n in 0..number(count) {
                let made = make(kind)?;
                bind(made.as_raw_fd(), &unix(&format!("{name}{n}"))?)?;
                stage.made.push(made);
            }
        }
        ["pair", kind] => {
            let (one, other) =
                socketpair(AddressFamily::Unix, unix_type(kind), None, SockFlag::SOCK_CLOEXEC)?;
            stage.made.extend([one, other]);
        }
        ["bind", addr, port] => bind(last(stage), &SockaddrStorage::from(address(addr, port)))?,
        ["connect-to", addr, port] => connect(last(stage), &SockaddrStorage::from(address(addr, port)))?,
        // connect(2) to AF_UNSPEC.
        ["disconnect"] => {
            let nobody = [0u16; 8];
            // SAFETY: a `struct sockaddr` of that length, in which a family of 0 is AF_UNSPEC.
            let done = unsafe { libc::connect(last(stage), nobody.as_ptr().cast(), 16) };
            Errno::result(done)?;
        }
        // With the SYN (TCP Fast Open).
        ["send-fast", addr, port] => {
            let to = SockaddrStorage::from(address(addr, port));
            sendto(last(stage), b"x", &to, nix::sys::socket::MsgFlags::from_bits_retain(libc::MSG_FASTOPEN))?;
        }
        ["send", addr, port] => send(last(stage), &SockaddrStorage::from(address(addr, port)))?,
        ["send-echo", addr] => {
            // ICMP_ECHO, ICMPV6_ECHO_REQUEST.
            let echo = [if addr.contains(':') { 128 } else { 8 }, 0, 0, 0, 0, 0, 0, 0];
            let to = SockaddrStorage::from(address(addr, "0"));
            sendto(last(stage), &echo, &to, nix::sys::socket::MsgFlags::empty())?;
        }
        ["bind-name", name] => bind(last(stage), &unix(name)?)?,
        ["connect-name", name] => connect(last(stage), &unix(name)?)?,
        ["send-name", name] => send(last(stage), &unix(name)?)?,
        ["does-not-wait"] => {
            fcntl(stage.made.last().unwrap(), FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
        }
        ["set", level, name, value] => {
            let value = number(value);
            let (level, name) = (number(level) as i32, number(name) as i32);
            // SAFETY: the pointer is to a number of that size, live during the call.
            let done = unsafe { libc::setsockopt(last(stage), level, name, (&raw const value).cast(), 4) };
            Errno::result(done)?;
        }
        ["write-made"] => drop(nix::unistd::write(stage.made.last().unwrap(), b"x")?),
        // A signal comes every few milliseconds, by which the call begins again.
        ["interrupted-connect-to", addr, port] => {
            alarms(true)?;
            let connected = connect(last(stage), &SockaddrStorage::from(address(addr, port)));
            alarms(false)?;
            connected?;
        }
        ["shutdown-made-both"] => shutdown(last(stage), nix::sys::socket::Shutdown::Both)?,
        ["start-listening"] => listen(stage.made.last().unwrap(), Backlog::new(8)?)?,
        ["accept-made"] => {
            let fd = accept4(last(stage), SockFlag::SOCK_CLOEXEC)?;
            // SAFETY: the kernel has just given it to us.
            stage.made.push(unsafe { OwnedFd::from_raw_fd(fd) });
        }
        ["accept-tcp"] => {
            let fd = accept4(last(stage), SockFlag::SOCK_CLOEXEC)?;
            // SAFETY: the kernel has just given it to us.
            stage.keep(Stream::Tcp(unsafe { OwnedFd::from_raw_fd(fd) }.into()));
        }
        ["port"] => {
            let bound = nix::sys::socket::getsockname::<SockaddrStorage>(last(stage))?;
            let port =
                bound.as_sockaddr_in().map(|it| it.port()).or(bound.as_sockaddr_in6().map(|it| it.port()));
            return Ok(Some(port.unwrap_or(0).to_string()));
        }
        ["ip", ref words @ ..] => super::ip(&words.join(" ")),
        ["sysctl", name, ref values @ ..] => {
            std::fs::write(format!("/proc/sys/net/{name}"), values.join(" "))?;
        }
        // All of its threads.
        ["become", uid] => {
            let uid = Uid::from_raw(number(uid));
            setresuid(uid, uid, uid)?;
        }
        ["cookie"] => return Ok(Some(super::cookie(stage.made.last().unwrap()).to_string())),
        ["drop-made"] => stage.made.clear(),
        _ => return Ok(None),
    }
    Ok(Some("done".to_owned()))
}

/// SIGALRM every 20 ms, with a handler that does nothing (`SA_RESTART`).
fn alarms(on: bool) -> io::Result<()> {
    extern "C" fn nothing(_: i32) {}
    let action = SigAction::new(SigHandler::Handler(nothing), SaFlags::SA_RESTART, SigSet::empty());
    let each = libc::timeval { tv_sec: 0, tv_usec: if on { 20_000 } else { 0 } };
    let timer = libc::itimerval { it_interval: each, it_value: each };
    // SAFETY: the handler does nothing; the timer is live during the call.
    unsafe {
        sigaction(Signal::SIGALRM, &action)?;
        Errno::result(libc::setitimer(libc::ITIMER_REAL, &raw const timer, std::ptr::null_mut()))?;
    }
    Ok(())
}

fn tcp<'a>(stage: &'a Stage, id: &str) -> &'a TcpStream {
    match &stage.streams[&number(id)] {
        Stream::Tcp(stream) => stream,
        Stream::Unix(_) => panic!("not TCP"),
    }
}

fn last(stage: &Stage) -> RawFd {
    stage.made.last().unwrap().as_raw_fd()
}

fn send(fd: RawFd, to: &dyn SockaddrLike) -> io::Result<()> {
    sendto(fd, b"x", to, nix::sys::socket::MsgFlags::empty()).map(drop).map_err(io::Error::from)
}

/// `@` begins an abstract name.
fn unix(name: &str) -> io::Result<UnixAddr> {
    Ok(match name.strip_prefix('@') {
        Some(name) => UnixAddr::new_abstract(name.as_bytes())?,
        None => UnixAddr::new(Path::new(name))?,
    })
}

fn unix_type(kind: &str) -> SockType {
    match kind {
        "unix-stream" => SockType::Stream,
        "unix-dgram" => SockType::Datagram,
        "unix-seqpacket" => SockType::SeqPacket,
        _ => panic!("no such kind: {kind}"),
    }
}

fn make(kind: &str) -> io::Result<OwnedFd> {
    let (family, kind, protocol) = match kind {
        "tcp" => (libc::AF_INET, libc::SOCK_STREAM, 0),
        "tcp6" => (libc::AF_INET6, libc::SOCK_STREAM, 0),
        "udp" => (libc::AF_INET, libc::SOCK_DGRAM, 0),
        "udp6" => (libc::AF_INET6, libc::SOCK_DGRAM, 0),
        "udplite" => (libc::AF_INET, libc::SOCK_DGRAM, libc::IPPROTO_UDPLITE),
        "udplite6" => (libc::AF_INET6, libc::SOCK_DGRAM, libc::IPPROTO_UDPLITE),
        "icmp" => (libc::AF_INET, libc::SOCK_DGRAM, libc::IPPROTO_ICMP),
        "icmp6" => (libc::AF_INET6, libc::SOCK_DGRAM, libc::IPPROTO_ICMPV6),
        "raw" => (libc::AF_INET, libc::SOCK_RAW, 89),
        "raw6" => (libc::AF_INET6, libc::SOCK_RAW, 89),
        "mptcp" => (libc::AF_INET, libc::SOCK_STREAM, libc::IPPROTO_MPTCP),
        _ => (libc::AF_UNIX, unix_type(kind) as i32, 0),
    };
    // SAFETY: numbers in, a descriptor out.
    let fd = Errno::result(unsafe { libc::socket(family, kind | libc::SOCK_CLOEXEC, protocol) })?;
    // SAFETY: the kernel has just given it to us.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

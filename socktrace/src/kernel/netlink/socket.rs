//! The netlink socket itself: send a request, hand out the messages of its answer.
//!
//! I/O: netlink. It blocks; the kernel answers at once, so there is no timeout.

use std::ops::ControlFlow;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use nix::errno::Errno;
use nix::sys::socket::{
    AddressFamily, MsgFlags, NetlinkAddr, SockFlag, SockProtocol, SockType, bind, send, setsockopt, socket,
    sockopt,
};

use super::ahead::{self, Ahead};
use super::receive::{Answer, Hand, ROOM, read};
use super::{Message, Messages, NetlinkError, Request};

/// After so many reads (of 32 KiB) an answer counts as long, and a second thread reads ahead.
const LONG: u32 = 8;

/// Which part of the kernel a socket speaks to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// `NETLINK_ROUTE`: interfaces, addresses, routes.
    Route,
    /// `NETLINK_SOCK_DIAG`: sockets.
    SockDiag,
}

/// One netlink socket. It stays in the network namespace of the thread that opened it.
#[derive(Debug)]
pub struct Netlink {
    fd: OwnedFd,
    room: Box<[u8]>,
    sequence: u32,
    /// Whether there may be a rest of an answer to read; the kernel starts no other dump before it is.
    unread: bool,
}

impl Netlink {
    /// Opens one.
    pub fn open(protocol: Protocol) -> Result<Self, NetlinkError> {
        Self::open_with_groups(protocol, 0)
    }

    /// Opens one that also listens to multicast groups; bit n stands for group n + 1.
    pub fn open_with_groups(protocol: Protocol, groups: u32) -> Result<Self, NetlinkError> {
        let protocol = match protocol {
            Protocol::Route => SockProtocol::NetlinkRoute,
            Protocol::SockDiag => SockProtocol::NetlinkSockDiag,
        };
        let fd = socket(AddressFamily::Netlink, SockType::Raw, SockFlag::SOCK_CLOEXEC, protocol)
            .map_err(|errno| NetlinkError::Call { call: "open", errno })?;
        bind(fd.as_raw_fd(), &NetlinkAddr::new(0, groups))
            .map_err(|errno| NetlinkError::Call { call: "bind", errno })?;
        Ok(Self { fd, room: vec![0; ROOM].into_boxed_slice(), sequence: 0, unread: false })
    }

    /// Asks the kernel to queue up to this many bytes for us, beyond the system's limit if we may. Best effort:
    /// a refusal only makes an overrun likelier, and overruns are told.
    pub fn grow_queue(&self, bytes: usize) {
        if setsockopt(&self.fd, sockopt::RcvBufForce, &bytes).is_err() {
            let _ = setsockopt(&self.fd, sockopt::RcvBuf, &bytes);
        }
    }

    /// Sends the request and hands each message of the answer to `each`, until the kernel ends the answer.
    ///
    /// When `each` breaks, the rest is left unread until the next request.
    pub fn ask(
        &mut self,
        request: Request,
        mut each: impl FnMut(&Message<'_>) -> ControlFlow<()>,
    ) -> Result<Answer, NetlinkError> {
        self.finish_unread()?;
        self.sequence = self.sequence.wrapping_add(1).max(1);
        self.send(&request.into_bytes(self.sequence))?;
        self.unread = true;
        let mut hand = Hand::new(self.sequence, &mut each);
        let mut reads = 0;
        let ended = loop {
            let bytes = match read(&self.fd, &mut self.room, MsgFlags::empty()) {
                Err(NetlinkError::Call { errno: Errno::EINTR, .. }) => continue,
                bytes => bytes?,
            };
            let ended = hand.out(bytes)?;
            if ended.is_some() || hand.answer.stopped {
                break ended;
            }
            reads += 1;
            if reads == LONG
                && processors() > 1
                && let Ahead::Done(ended) = ahead::read_ahead(&self.fd, &mut hand)?
            {
                break ended;
            }
        };
        self.unread = ended.is_none();
        ended.unwrap_or(Ok(())).map(|()| hand.answer).map_err(NetlinkError::Refused)
    }

    /// Waits for multicast messages and hands those of one read to `each`.
    ///
    /// [`NetlinkError::Overrun`] says that some were lost; the socket goes on. A signal that interrupts the wait
    /// ends it with no message.
    pub fn receive(&mut self, mut each: impl FnMut(&Message<'_>)) -> Result<(), NetlinkError> {
        let Self { fd, room, .. } = self;
        let read = match read(fd, room, MsgFlags::empty()) {
            Err(NetlinkError::Call { errno: Errno::EINTR, .. }) => return Ok(()),
            read => read?,
        };
        for message in Messages::new(read) {
            each(&message?);
        }
        Ok(())
    }

    fn send(&self, bytes: &[u8]) -> Result<(), NetlinkError> {
        loop {
            match send(self.fd.as_raw_fd(), bytes, MsgFlags::empty()) {
                Ok(_) => return Ok(()),
                Err(Errno::EINTR) => {}
                Err(errno) => return Err(NetlinkError::Call { call: "send to", errno }),
            }
        }
    }

    /// Reads what is left of an answer that was not read to its end. The kernel prepares the next part before a read
    /// returns (net/netlink/af_netlink.c, `netlink_recvmsg`): where nothing lies ready, nothing is left.
    fn finish_unread(&mut self) -> Result<(), NetlinkError> {
        while self.unread {
            match read(&self.fd, &mut self.room, MsgFlags::MSG_DONTWAIT) {
                Ok(_) | Err(NetlinkError::TooLong(_) | NetlinkError::Overrun) => {}
                Err(NetlinkError::Call { errno: Errno::EINTR, .. }) => {}
                Err(NetlinkError::Call { errno: Errno::EAGAIN, .. }) => self.unread = false,
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

impl AsFd for Netlink {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

/// How many processors there are for us.
fn processors() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

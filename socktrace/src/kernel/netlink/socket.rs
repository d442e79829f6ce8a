//! The netlink socket itself: send a request, hand out the messages of its answer.
//!
//! I/O: netlink. It blocks; the kernel answers at once, so there is no timeout.

use std::io::IoSliceMut;
use std::ops::ControlFlow;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use nix::errno::Errno;
use nix::sys::socket::{
    AddressFamily, MsgFlags, NetlinkAddr, SockFlag, SockProtocol, SockType, bind, recvmsg, send, setsockopt,
    socket, sockopt,
};

use super::ahead::{self, Ahead};
use super::message::Meaning;
use super::{Message, Messages, NetlinkError, Request};

/// Room for one read. The kernel fills at most 32 KiB at once (net/netlink/af_netlink.c, `netlink_recvmsg`),
/// more makes a dump no faster; a single message may be as long as its longest attribute and some.
pub(super) const ROOM: usize = 128 * 1024;
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

/// How an answer ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[must_use]
pub struct Answer {
    /// The kernel flagged that the dumped things changed meanwhile; rows may be missing or double.
    pub interrupted: bool,
    /// The reader wanted no more.
    pub stopped: bool,
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

/// Hands out the messages of an answer, read by read.
pub(super) struct Hand<'a, F> {
    sequence: u32,
    pub(super) answer: Answer,
    each: &'a mut F,
}

impl<'a, F: FnMut(&Message<'_>) -> ControlFlow<()>> Hand<'a, F> {
    /// Those of the answer to the request of that number.
    pub(super) fn new(sequence: u32, each: &'a mut F) -> Self {
        Self { sequence, answer: Answer::default(), each }
    }

    /// What one read gave. Returns how the answer ended, if it did in there.
    pub(super) fn out(&mut self, bytes: &[u8]) -> Result<Option<Result<(), Errno>>, NetlinkError> {
        for message in Messages::new(bytes) {
            let message = message?;
            if message.sequence != self.sequence {
                continue;
            }
            self.answer.interrupted |= message.interrupted();
            match message.meaning()? {
                Meaning::Noop => {}
                Meaning::Data => {
                    if !self.answer.stopped {
                        self.answer.stopped = (self.each)(&message).is_break();
                    }
                }
                Meaning::End(end) => return Ok(Some(end)),
            }
        }
        Ok(None)
    }

    /// The number of the request that is answered.
    pub(super) const fn sequence(&self) -> u32 {
        self.sequence
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

/// What the kernel sent next. Anybody may send to a netlink socket: what is not from the kernel is as if it
/// had not come.
pub(super) fn read<'a>(fd: &OwnedFd, room: &'a mut [u8], flags: MsgFlags) -> Result<&'a [u8], NetlinkError> {
    let flags = flags | MsgFlags::MSG_TRUNC;
    loop {
        let mut into = [IoSliceMut::new(room)];
        // With MSG_TRUNC the length is that of the message, also where it did not fit.
        let got =
            recvmsg::<NetlinkAddr>(fd.as_raw_fd(), &mut into, None, flags).map_err(|errno| match errno {
                Errno::ENOBUFS => NetlinkError::Overrun,
                errno => NetlinkError::Call { call: "read", errno },
            })?;
        let (length, from) = (got.bytes, got.address);
        if from.is_none_or(|from| from.pid() != 0) {
            continue;
        }
        return room.get(..length).ok_or(NetlinkError::TooLong(length));
    }
}

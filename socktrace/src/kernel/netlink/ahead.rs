//! Reading the rest of a long answer on a second thread, while this one looks at what was read.
//!
//! The kernel makes a dump in the reader's own system calls, so that making it and looking at it take turns on one
//! thread, and overlap on two. I/O: netlink.

use std::ops::ControlFlow;
use std::os::fd::OwnedFd;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::Builder;

use nix::errno::Errno;
use nix::sys::socket::MsgFlags;

use super::message::Meaning;
use super::socket::{Hand, ROOM, read};
use super::{Message, Messages, NetlinkError};

/// How many reads may lie ready.
const DEPTH: usize = 6;

/// One read, and the room it lies in.
struct Filled {
    room: Box<[u8]>,
    length: Result<usize, NetlinkError>,
}

/// What reading ahead came to.
pub(super) enum Ahead {
    /// There is no thread to be had; nothing was read.
    NoThread,
    /// The rest was handed out: how it ended, or nothing where the hand did not want the end.
    Done(Option<Result<(), Errno>>),
}

/// Hands out the rest of an answer.
pub(super) fn read_ahead<F: FnMut(&Message<'_>) -> ControlFlow<()>>(
    fd: &OwnedFd,
    hand: &mut Hand<'_, F>,
) -> Result<Ahead, NetlinkError> {
    let sequence = hand.sequence();
    let (filled, ready) = sync_channel(DEPTH);
    let (empty, rooms) = sync_channel(DEPTH + 2);
    for _ in 0..DEPTH + 2 {
        let _ = empty.send(vec![0; ROOM].into_boxed_slice());
    }
    std::thread::scope(move |scope| {
        let reader = move || fill(fd, sequence, &rooms, &filled);
        if Builder::new().name("netlink".to_owned()).spawn_scoped(scope, reader).is_err() {
            return Ok(Ahead::NoThread);
        }
        // When this returns, `ready` and `empty` are gone, and the thread's next send or receive ends it.
        for Filled { room, length } in ready {
            let bytes = room.get(..length?).unwrap_or_default();
            let ended = hand.out(bytes)?;
            if ended.is_some() || hand.answer.stopped {
                return Ok(Ahead::Done(ended));
            }
            let _ = empty.send(room);
        }
        Ok(Ahead::Done(None))
    })
}

/// Reads into empty rooms until the answer ends, an error, or nobody wants more.
fn fill(fd: &OwnedFd, sequence: u32, rooms: &Receiver<Box<[u8]>>, filled: &SyncSender<Filled>) {
    while let Ok(mut room) = rooms.recv() {
        let (length, last) = loop {
            match read(fd, &mut room, MsgFlags::empty()) {
                Err(NetlinkError::Call { errno: Errno::EINTR, .. }) => {}
                Err(error) => break (Err(error), true),
                Ok(bytes) => break (Ok(bytes.len()), ends(bytes, sequence)),
            }
        };
        if filled.send(Filled { room, length }).is_err() || last {
            return;
        }
    }
}

/// Whether the answer ends in these bytes, well or not.
fn ends(bytes: &[u8], sequence: u32) -> bool {
    Messages::new(bytes).any(|message| match message {
        Ok(message) if message.sequence == sequence => {
            !matches!(message.meaning(), Ok(Meaning::Data | Meaning::Noop))
        }
        Ok(_) => false,
        Err(_) => true,
    })
}

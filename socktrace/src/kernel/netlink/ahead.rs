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

use super::message::{Meaning, align};
use super::receive::{Hand, ROOM, read};
use super::{Message, Messages, NetlinkError};

/// How many rooms may lie ready.
const DEPTH: usize = 3;
/// Room for some reads of 32 KiB, so that the two threads do not wake each other for every one.
const ROOMS: usize = ROOM + 64 * 1024;

/// Some reads, one behind the other, and the room they lie in.
struct Filled {
    room: Box<[u8]>,
    length: usize,
    /// What ended them, if it was no end of the answer.
    error: Option<NetlinkError>,
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
        let _ = empty.send(vec![0; ROOMS].into_boxed_slice());
    }
    std::thread::scope(move |scope| {
        let reader = move || fill(fd, sequence, &rooms, &filled);
        if Builder::new().name("netlink".to_owned()).spawn_scoped(scope, reader).is_err() {
            return Ok(Ahead::NoThread);
        }
        // When this returns, `ready` and `empty` are gone, and the thread's next send or receive ends it.
        for Filled { room, length, error } in ready {
            let ended = hand.out(room.get(..length).unwrap_or_default())?;
            if ended.is_some() || hand.answer.stopped {
                return Ok(Ahead::Done(ended));
            }
            if let Some(error) = error {
                return Err(error);
            }
            let _ = empty.send(room);
        }
        Ok(Ahead::Done(None))
    })
}

/// Reads into empty rooms until the answer ends, an error, or nobody wants more.
fn fill(fd: &OwnedFd, sequence: u32, rooms: &Receiver<Box<[u8]>>, filled: &SyncSender<Filled>) {
    while let Ok(mut room) = rooms.recv() {
        let (mut length, mut error, mut last) = (0, None, false);
        // As long as there is room for whatever may come.
        while room.len() - length >= ROOM && !last {
            let rest = room.get_mut(length..).unwrap_or_default();
            match read(fd, rest, MsgFlags::empty()) {
                Err(NetlinkError::Call { errno: Errno::EINTR, .. }) => {}
                Err(why) => (error, last) = (Some(why), true),
                Ok(bytes) => {
                    last = ends(bytes, sequence);
                    // The first message of the next read lies where one of the same read would.
                    length = align(length + bytes.len());
                }
            }
        }
        if filled.send(Filled { room, length, error }).is_err() || last {
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

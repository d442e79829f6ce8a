//! How the small kernel does it: what a call or a packet changes, and what is told of it.

use super::acts::Act;
use super::{Half, SETTLE, Sock, World, end};
use crate::socket::{ChangeKind, Cookie, Endpoint, Process, Proto, State, UnixName};

impl World {
    pub(super) fn live(&mut self, cookie: Cookie, by: Process) {
        self.settle(cookie);
        self.now += 1;
        let now = self.now;
        if let Some(sock) = self.socks.get_mut(&cookie) {
            (sock.owner, sock.opened, sock.closed, sock.close_told) = (Some(by), now, false, false);
            if sock.is.state == State::Close {
                // What is left of an earlier life.
                let nowhere = end(sock.family, 0, 0);
                (sock.is.local, sock.is.peer) = (nowhere.clone(), nowhere);
            }
        }
    }

    /// Gives it a local port, and a peer, if it has none.
    pub(super) fn place(&mut self, cookie: Cookie, local: bool, peer: bool) {
        let (port, to) = (1024 + self.random() % 60_000, 1 + self.random() % 1000);
        if let Some(sock) = self.socks.get_mut(&cookie) {
            if local && sock.is.local.port() == 0 {
                sock.is.local = end(sock.family, 1, port as u16);
            }
            if peer {
                sock.is.peer = end(sock.family, 2, to as u16);
            }
        }
    }

    pub(super) fn bind(&mut self, cookie: Cookie, state: State) {
        self.settle(cookie);
        self.now += 1;
        self.place(cookie, true, false);
        let by = self.user(cookie);
        if let Some(sock) = self.socks.get_mut(&cookie) {
            (sock.is.state, sock.closed, sock.bound, sock.close_told) = (state, false, true, false);
            sock.is.peer = end(sock.family, 0, 0);
        }
        if self.post_bind {
            self.change(cookie, ChangeKind::PostBind, Some(by), true);
            self.settle(cookie);
            self.now += 1;
        }
        if self.bind_exit {
            self.change(cookie, ChangeKind::Bind { errno: 0 }, Some(by), true);
        }
        self.expect("bind", cookie, Some(by.pid));
    }

    /// A process that uses it; the first is its owner.
    pub(super) fn user(&mut self, cookie: Cookie) -> Process {
        let by = self.process();
        if let Some(sock) = self.socks.get_mut(&cookie) {
            sock.owner.get_or_insert(by);
        }
        by
    }

    pub(super) fn dial(&mut self, cookie: Cookie, by: Process) {
        self.place(cookie, false, true);
        let Some(sock) = self.socks.get_mut(&cookie) else { return };
        // The record knows the address and not yet the port; the dump shows it with its port.
        sock.is.local = match sock.is.local.port() {
            0 => end(sock.family, 1, 0),
            port => end(sock.family, 1, port),
        };
        self.set_state(cookie, State::SynSent, Some(by));
        self.place(cookie, true, false);
        let shown = Some(self.socks[&cookie].is.clone());
        for (_, of, half) in &mut self.halves {
            if let (true, Half::Show(_, to)) = (*of == cookie, half) {
                to.clone_from(&shown);
            }
        }
        if let Some(sock) = self.socks.get_mut(&cookie).filter(|sock| sock.shows.is_some()) {
            sock.shows = shown;
        }
    }

    pub(super) fn withdraw(&mut self, cookie: Cookie, by: Process) {
        self.settle(cookie);
        self.now += 1;
        let Some(sock) = self.socks.get_mut(&cookie) else { return };
        let nowhere = end(sock.family, 0, 0);
        let bound = sock.bound;
        sock.is.state = if bound { State::BoundInactive } else { State::Close };
        self.change(cookie, ChangeKind::TakenBack { bound }, None, bound);
        self.settle(cookie);
        self.now += 1;
        let Some(sock) = self.socks.get_mut(&cookie) else { return };
        sock.is.peer = nowhere.clone();
        if !bound {
            (sock.closed, sock.owner, sock.is.local) = (true, None, nowhere);
        }
        self.change(cookie, ChangeKind::Connect { errno: 99 }, Some(by), bound);
        self.expect("connect_failed", cookie, Some(by.pid));
    }

    pub(super) fn birth(&mut self, pick: u16, survives: bool) {
        let listens = |sock: &Sock| sock.proto == Proto::Tcp && sock.is.state == State::Listen;
        let Some(listener) = self.pick(pick, listens) else { return };
        let child = self.make(Proto::Tcp, false);
        let (family, netns, local) = {
            let sock = &self.socks[&listener];
            (sock.family, sock.netns, sock.is.local.clone())
        };
        let Some(sock) = self.socks.get_mut(&child) else { return };
        (sock.family, sock.netns, sock.is.local, sock.is.state) = (family, netns, local, State::Listen);
        (sock.held, sock.inode) = (false, 0);
        self.place(child, false, true);
        self.set_state(child, State::SynRecv, None);
        self.settle(child);
        if self.old_kernel
            && let Some(change) = self.ring.back_mut().filter(|change| change.cookie == child)
        {
            change.cookie = listener;
        }
        if survives {
            self.set_state(child, State::Established, None);
            let now = self.now;
            if let Some(sock) = self.socks.get_mut(&child) {
                (sock.queued, sock.opened, sock.inode) = (true, now, 10_000 + child as u32);
            }
        } else {
            self.end(child, 104);
            if let Some(sock) = self.socks.get_mut(&child) {
                sock.held = false;
            }
        }
    }

    /// The connection is over: by an error, or because its process closes it at once.
    pub(super) fn over(&mut self, cookie: Cookie, pick: u16) {
        let Some(sock) = self.socks.get_mut(&cookie) else { return };
        let listens = sock.is.state == State::Listen;
        if listens && sock.bound && sock.held {
            // One that is shut down at once looks like one whose listen(2) failed.
            self.pass(2 * SETTLE);
        }
        let Some(sock) = self.socks.get_mut(&cookie) else { return };
        // Without the cgroup hooks nobody would tell when the process lets go of it later.
        if sock.bound && (!self.post_bind || pick & 4 == 0) {
            sock.held = false;
            self.end(cookie, 0);
        } else {
            self.end(cookie, if listens { 0 } else { 104 });
        }
    }

    /// Of RAW sockets a hook tells; others are nobody's business yet.
    pub(super) fn create(&mut self, proto: Proto) {
        let cookie = self.make(proto, false);
        if proto == Proto::Udp {
            return;
        }
        self.now += 1;
        let by = self.user(cookie);
        let now = self.now;
        if let Some(sock) = self.socks.get_mut(&cookie) {
            sock.opened = now;
        }
        self.change(cookie, ChangeKind::Create, Some(by), false);
        self.settle(cookie);
        if let Some(sock) = self.socks.get_mut(&cookie) {
            sock.is.local = end(sock.family, 0, 89);
            sock.shows = Some(sock.is.clone());
        }
    }

    pub(super) fn send(&mut self, cookie: Cookie) {
        self.settle(cookie);
        self.now += 1;
        // Sending opens only what has no port yet.
        let opens = self.socks.get(&cookie).is_some_and(|sock| sock.is.local.port() == 0);
        self.place(cookie, true, false);
        let by = self.user(cookie);
        let Some(sock) = self.socks.get_mut(&cookie) else { return };
        sock.sent = true;
        let keep = sock.is.peer.clone();
        // The record has the peer of the datagram; the socket keeps its own.
        sock.is.peer = end(sock.family, 9, 53);
        self.change(cookie, ChangeKind::FirstSend, Some(by), true);
        self.settle(cookie);
        if let Some(sock) = self.socks.get_mut(&cookie) {
            sock.is.peer = keep;
            sock.shows = Some(sock.is.clone());
        }
        if opens {
            self.expect("open", cookie, Some(by.pid));
        }
    }

    pub(super) fn release(&mut self, pick: u16) {
        let can = |sock: &Sock| match sock.proto {
            Proto::Tcp => sock.held && (sock.closed || sock.is.state == State::BoundInactive),
            Proto::Udp | Proto::Raw(_) => sock.held,
            _ => false,
        };
        let Some(cookie) = self.pick(pick, can) else { return };
        self.settle(cookie);
        self.now += 1;
        let by = self.user(cookie);
        let Some(sock) = self.socks.get_mut(&cookie) else { return };
        let told = match sock.proto {
            Proto::Tcp => !sock.closed && !sock.close_told,
            _ => sock.is.local.port() != 0,
        };
        sock.held = false;
        // Of TCP, the hook tells of sockets that are bound and nothing more.
        let is_silent = sock.proto == Proto::Tcp && sock.closed;
        // It does not say where the socket was.
        let nowhere = end(sock.family, 0, 0);
        (sock.is.local, sock.is.peer, sock.closed) = (nowhere.clone(), nowhere, true);
        sock.is.state = State::Close;
        if !is_silent {
            self.change(cookie, ChangeKind::Release, Some(by), false);
        }
        if told {
            self.expect("close", cookie, self.owner_pid(cookie));
        }
    }

    pub(super) fn unix(&mut self, act: Act, pick: u16) {
        let Some(cookie) =
            self.pick(pick, |sock| sock.proto.is_unix() && !sock.closed && sock.is.state == State::Close)
        else {
            return;
        };
        self.settle(cookie);
        self.now += 1;
        let by = self.process();
        let name = UnixName::from_bytes(format!("/run/{cookie}").as_bytes());
        let Some(sock) = self.socks.get_mut(&cookie) else { return };
        let inode = sock.inode;
        let kind = match act {
            Act::UnixListen => {
                sock.is.state = State::Listen;
                ChangeKind::Listen { errno: 0, backlog: 1 }
            }
            Act::UnixConnect => {
                sock.is.state = State::Established;
                ChangeKind::Connect { errno: 0 }
            }
            _ => {
                sock.is.local = Endpoint::Unix { name, inode };
                ChangeKind::Bind { errno: 0 }
            }
        };
        let word = match &kind {
            ChangeKind::Listen { .. } => "listen",
            ChangeKind::Connect { .. } => "connect",
            _ => "bind",
        };
        self.change(cookie, kind, Some(by), true);
        self.expect(word, cookie, Some(by.pid));
    }
}

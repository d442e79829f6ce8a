//! A small kernel for tests: sockets that live, hooks that tell of it a moment before or after the fact, a ring that
//! may be full, and tables that can be read bucket by bucket while all of that goes on.

use std::collections::{BTreeMap, VecDeque};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::{SETTLE, Scope, Table};

mod reading;
use crate::socket::{
    BootNs, Change, ChangeKind, Closing, Comm, Cookie, Endpoint, Family, NetnsId, Process, Proto, Socket,
    State, UnixName,
};
pub(crate) use reading::Reading;

/// What a dump shows of a socket.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Shown {
    pub(crate) state: State,
    pub(crate) local: Endpoint,
    pub(crate) peer: Endpoint,
}

/// One socket of the kernel.
#[derive(Debug, Clone)]
pub(crate) struct Sock {
    pub(crate) proto: Proto,
    pub(crate) family: Family,
    pub(crate) netns: NetnsId,
    /// What it is.
    pub(crate) is: Shown,
    /// What a dump shows now: a moment behind or ahead of what was told. None: not hashed.
    shows: Option<Shown>,
    pub(crate) opened: BootNs,
    pub(crate) owner: Option<Process>,
    inode: u32,
    /// A descriptor refers to it.
    held: bool,
    /// In an accept queue.
    queued: bool,
    sent: bool,
    /// The kernel's own life is over: not in any table.
    closed: bool,
}

impl Sock {
    /// No descriptor refers to it.
    pub(crate) const fn is_gone(&self) -> bool {
        !self.held && !self.queued
    }
}

/// An event that must be told, in a lossless history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Expected {
    pub(crate) kind: &'static str,
    pub(crate) cookie: Cookie,
    pub(crate) pid: Option<u32>,
}

/// What can happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Act {
    TcpBind,
    TcpListen,
    TcpListenFails,
    TcpDial,
    TcpAnswer,
    TcpRefuse,
    TcpCross,
    TcpBirth,
    TcpStillborn,
    Accept,
    TcpFin,
    TcpReset,
    Release,
    UdpCreate,
    UdpBind,
    UdpConnect,
    UdpDissolve,
    UdpSend,
    RawCreate,
    UnixCreate,
    UnixBind,
    UnixListen,
    UnixConnect,
    UnixVanish,
}

pub(crate) const ACTS: [Act; 24] = [
    Act::TcpBind,
    Act::TcpListen,
    Act::TcpListenFails,
    Act::TcpDial,
    Act::TcpAnswer,
    Act::TcpRefuse,
    Act::TcpCross,
    Act::TcpBirth,
    Act::TcpStillborn,
    Act::Accept,
    Act::TcpFin,
    Act::TcpReset,
    Act::Release,
    Act::UdpCreate,
    Act::UdpBind,
    Act::UdpConnect,
    Act::UdpDissolve,
    Act::UdpSend,
    Act::RawCreate,
    Act::UnixCreate,
    Act::UnixBind,
    Act::UnixListen,
    Act::UnixConnect,
    Act::UnixVanish,
];

/// What comes after the other half of a change.
#[derive(Debug)]
enum Half {
    Show(Cookie, Option<Shown>),
    Tell(Box<Change>),
}

#[derive(Debug)]
pub(crate) struct World {
    pub(crate) now: BootNs,
    pub(crate) socks: BTreeMap<Cookie, Sock>,
    /// The ring.
    pub(crate) ring: VecDeque<Change>,
    /// Records that found it full.
    pub(crate) ring_full: u64,
    /// Whether it is full now.
    pub(crate) full: bool,
    /// Whether hooks are attached: before, nothing is told and nothing counted.
    pub(crate) attached: bool,
    /// The newborn carries its listener's cookie (Linux 6.1).
    pub(crate) old_kernel: bool,
    /// Which of the two hooks tell of a bind.
    pub(crate) post_bind: bool,
    pub(crate) bind_exit: bool,
    pub(crate) expected: Vec<Expected>,
    halves: VecDeque<(BootNs, Cookie, Half)>,
    next: Cookie,
    seed: u32,
}

pub(crate) const NETNS: [NetnsId; 2] = [4_026_531_840, 4_026_532_000];
pub(crate) const BUCKETS: u64 = 6;

impl World {
    pub(crate) fn new() -> Self {
        Self {
            now: 1_000_000_000,
            socks: BTreeMap::new(),
            ring: VecDeque::new(),
            ring_full: 0,
            full: false,
            attached: true,
            old_kernel: false,
            post_bind: true,
            bind_exit: true,
            expected: Vec::new(),
            halves: VecDeque::new(),
            next: 1,
            seed: 0,
        }
    }

    /// Every scope there is.
    pub(crate) fn scopes() -> Vec<Scope> {
        let kinds = [
            (Family::Inet, Proto::Tcp),
            (Family::Inet6, Proto::Tcp),
            (Family::Inet, Proto::Udp),
            (Family::Inet6, Proto::Udp),
            (Family::Inet, Proto::Raw(0)),
            (Family::Inet6, Proto::Raw(0)),
            (Family::Unix, Proto::UnixStream),
        ];
        let of = |netns| kinds.map(|(family, proto)| Scope { netns, family, proto });
        NETNS.into_iter().flat_map(of).collect()
    }

    /// Time passes, and what is due by then happens.
    pub(crate) fn pass(&mut self, ns: BootNs) {
        let until = self.now + ns;
        while let Some(index) = self.halves.iter().position(|(due, ..)| *due <= until) {
            if let Some((due, _, half)) = self.halves.remove(index) {
                self.now = self.now.max(due);
                self.complete(half);
            }
        }
        self.now = until;
    }

    /// Reads one bucket: what it shows at this moment.
    pub(crate) fn read(&self, bucket: u64) -> Vec<Socket> {
        let rows = self.socks.iter().filter_map(|(&cookie, sock)| {
            let shown = sock.shows.as_ref()?;
            // Listeners and bound sockets are listed elsewhere, so a socket moves while a dump runs.
            let away = matches!(shown.state, State::Listen | State::BoundInactive);
            ((cookie + u64::from(away)) % BUCKETS == bucket).then(|| Socket {
                proto: sock.proto,
                family: sock.family,
                state: shown.state,
                recv_q: 0,
                send_q: 0,
                local: shown.local.clone(),
                peer: shown.peer.clone(),
                ifindex: 0,
                inode: sock.inode,
                cookie,
                netns: sock.netns,
                uid: Some(1000),
                ..SOCKET
            })
        });
        rows.collect()
    }

    /// What a dump shows when everything is at rest.
    pub(crate) fn truth(&mut self) -> BTreeMap<Cookie, Shown> {
        self.pass(2 * SETTLE);
        self.socks.iter().filter_map(|(&cookie, sock)| Some((cookie, sock.shows.clone()?))).collect()
    }

    /// Compares the table with the truth; of the UNIX sockets only if they are asked for.
    pub(crate) fn compare(&self, table: &Table, mut truth: BTreeMap<Cookie, Shown>, unix: bool) {
        truth.retain(|cookie, _| unix || !self.socks[cookie].proto.is_unix());
        let have: BTreeMap<Cookie, Shown> = (table.iter())
            .filter(|view| unix || !view.proto().is_unix())
            .map(|view| (view.cookie(), view.subject()))
            .map(|(cookie, it)| (cookie, Shown { state: it.state, local: it.local, peer: it.peer }))
            .collect();
        for (cookie, shown) in &mut truth {
            // The kernel does not tell which port it chose until the connection is made.
            if let (State::SynSent, Some(have)) = (shown.state, have.get(cookie))
                && have.local.port() == 0
            {
                shown.local.clone_from(&have.local);
            }
        }
        assert_eq!(have, truth);
        assert_eq!(table.iter().count(), table.len());
        for view in table.iter() {
            let by_port = table.with_ports(Some(view.local_port()), Some(view.peer_port()));
            assert_eq!(by_port.filter(|it| it.cookie() == view.cookie()).count(), 1, "{:?}", view.subject());
        }
    }

    fn complete(&mut self, half: Half) {
        match half {
            Half::Show(cookie, shown) => {
                if let Some(sock) = self.socks.get_mut(&cookie) {
                    sock.shows = shown;
                }
            }
            Half::Tell(mut change) => {
                change.at = self.now;
                self.submit(*change);
            }
        }
    }

    fn submit(&mut self, change: Change) {
        if !self.attached {
        } else if self.full && self.random().is_multiple_of(2) {
            // A full ring has room now and then.
            self.ring_full += 1;
        } else {
            self.ring.push_back(change);
        }
    }

    /// Completes what is under way for one socket: the kernel's lock orders its changes.
    fn settle(&mut self, cookie: Cookie) {
        while let Some(index) = self.halves.iter().position(|(_, of, _)| *of == cookie) {
            if let Some((_, _, half)) = self.halves.remove(index) {
                self.now += 1;
                self.complete(half);
            }
        }
    }

    fn random(&mut self) -> u32 {
        self.seed = self.seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        self.seed >> 8
    }

    fn pick(&self, pick: u16, fits: impl Fn(&Sock) -> bool) -> Option<Cookie> {
        let fitting: Vec<Cookie> =
            self.socks.iter().filter(|(_, sock)| fits(sock)).map(|(&c, _)| c).collect();
        fitting.get(usize::from(pick) % fitting.len().max(1)).copied()
    }

    fn make(&mut self, proto: Proto, unix: bool) -> Cookie {
        let cookie = self.next;
        self.next += 1;
        let v6 = self.random().is_multiple_of(3);
        let family = if unix { Family::Unix } else { [Family::Inet, Family::Inet6][usize::from(v6)] };
        let netns = NETNS[usize::from(self.random().is_multiple_of(4))];
        let nowhere = if unix { UNNAMED } else { end(family, 0, 0) };
        let sock = Sock {
            proto,
            family,
            netns,
            is: Shown { state: State::Close, local: nowhere.clone(), peer: nowhere },
            shows: None,
            opened: 0,
            owner: None,
            inode: 10_000 + cookie as u32,
            held: true,
            queued: false,
            sent: false,
            closed: false,
        };
        self.socks.insert(cookie, sock);
        cookie
    }

    /// Changes a socket and tells of it: at once, or the one a moment before the other.
    fn change(&mut self, cookie: Cookie, kind: ChangeKind, by: Option<Process>, listed: bool) {
        let sock = &self.socks[&cookie];
        let shown = listed.then(|| sock.is.clone());
        let change = Change {
            at: self.now,
            cookie,
            netns: sock.netns,
            proto: sock.proto,
            family: sock.family,
            local: sock.is.local.clone(),
            peer: sock.is.peer.clone(),
            ifindex: 0,
            uid: None,
            mark: 0,
            cgroup: 0,
            process: by,
            inode: 0,
            kind,
        };
        self.show_and_tell(cookie, shown, change);
    }

    fn show_and_tell(&mut self, cookie: Cookie, shown: Option<Shown>, change: Change) {
        let moment = 1 + BootNs::from(self.random()) % (SETTLE - 1);
        let due = self.now + moment;
        match self.random() % 3 {
            0 => {
                self.complete(Half::Show(cookie, shown));
                self.submit(change);
            }
            1 => {
                self.submit(change);
                self.halves.push_back((due, cookie, Half::Show(cookie, shown)));
            }
            _ => {
                self.complete(Half::Show(cookie, shown));
                self.halves.push_back((due, cookie, Half::Tell(Box::new(change))));
            }
        }
    }

    fn expect(&mut self, kind: &'static str, cookie: Cookie, pid: Option<u32>) {
        self.expected.push(Expected { kind, cookie, pid });
    }

    fn set_state(&mut self, cookie: Cookie, new: State, by: Option<Process>) {
        self.settle(cookie);
        self.now += 1;
        let Some(sock) = self.socks.get_mut(&cookie) else { return };
        let old = match sock.is.state {
            State::BoundInactive => State::Close,
            state => state,
        };
        sock.is.state = new;
        let closing = (new == State::Close).then(|| Box::new(Closing::default()));
        self.change(cookie, ChangeKind::State { old, new, closing }, by, new != State::Close);
    }

    fn process(&mut self) -> Process {
        let pid = 100 + self.random() % 50;
        Process { pid, comm: Comm::from_bytes(format!("p{pid}").as_bytes()) }
    }

    fn owner_pid(&self, cookie: Cookie) -> Option<u32> {
        self.socks[&cookie].owner.map(|process| process.pid)
    }

    /// Lets something happen to some socket. What cannot happen now does not.
    pub(crate) fn act(&mut self, act: Act, pick: u16) {
        self.seed ^= u32::from(pick) << 3;
        let tcp = |sock: &Sock| sock.proto == Proto::Tcp;
        let udp = |sock: &Sock| sock.proto == Proto::Udp && sock.held;
        let dialling = |sock: &Sock| matches!(sock.is.state, State::SynSent | State::SynRecv) && tcp(sock);
        let in_state = move |state: State| move |sock: &Sock| tcp(sock) && sock.is.state == state;
        match act {
            Act::TcpBind => {
                let idle = |sock: &Sock| tcp(sock) && sock.held && sock.closed && sock.is.local.port() == 0;
                let cookie = self.pick(pick, idle).filter(|_| pick & 1 == 0);
                let cookie = cookie.unwrap_or_else(|| self.make(Proto::Tcp, false));
                self.bind(cookie, State::BoundInactive);
            }
            Act::TcpListen => {
                let bound = self.pick(pick, in_state(State::BoundInactive));
                let cookie = bound.unwrap_or_else(|| self.make(Proto::Tcp, false));
                let by = self.process();
                self.live(cookie, by);
                self.place(cookie, true, false);
                self.set_state(cookie, State::Listen, Some(by));
                self.settle(cookie);
                self.now += 1;
                self.change(cookie, ChangeKind::Listen { errno: 0, backlog: 5 }, Some(by), true);
                self.expect("listen", cookie, Some(by.pid));
            }
            Act::TcpListenFails => {
                let cookie = self.make(Proto::Tcp, false);
                let by = self.process();
                self.live(cookie, by);
                self.set_state(cookie, State::Listen, Some(by));
                self.set_state(cookie, State::Close, None);
                self.settle(cookie);
                self.now += 1;
                self.change(cookie, ChangeKind::Listen { errno: 98, backlog: 5 }, Some(by), false);
                self.expect("listen", cookie, Some(by.pid));
                self.die(cookie);
            }
            Act::TcpDial => {
                let can = |sock: &Sock| {
                    tcp(sock) && sock.held && (sock.closed || sock.is.state == State::BoundInactive)
                };
                let again = self.pick(pick, can).filter(|_| pick & 3 != 0);
                let cookie = again.unwrap_or_else(|| self.make(Proto::Tcp, false));
                let by = self.process();
                self.live(cookie, by);
                self.dial(cookie, by);
            }
            Act::TcpAnswer => {
                if let Some(cookie) = self.pick(pick, dialling) {
                    self.set_state(cookie, State::Established, None);
                    self.expect("connect", cookie, self.owner_pid(cookie));
                }
            }
            Act::TcpRefuse => {
                if let Some(cookie) = self.pick(pick, dialling) {
                    self.set_state(cookie, State::Close, None);
                    self.expect("connect_failed", cookie, self.owner_pid(cookie));
                    self.die(cookie);
                }
            }
            Act::TcpCross => {
                if let Some(cookie) = self.pick(pick, in_state(State::SynSent)) {
                    self.set_state(cookie, State::SynRecv, None);
                }
            }
            Act::TcpBirth => self.birth(pick, true),
            Act::TcpStillborn => self.birth(pick, false),
            Act::Accept => {
                let queued = |sock: &Sock| sock.queued && sock.proto == Proto::Tcp;
                if let Some(cookie) = self.pick(pick, queued) {
                    self.settle(cookie);
                    self.now += 1;
                    let by = self.process();
                    let Some(sock) = self.socks.get_mut(&cookie) else { return };
                    (sock.queued, sock.held) = (false, true);
                    // One that is over already begins its next life with another owner.
                    sock.owner = Some(by).filter(|_| !sock.closed);
                    let listed = !sock.closed;
                    self.change(cookie, ChangeKind::Accept { fd: 7 }, Some(by), listed);
                    self.expect("accept", cookie, Some(by.pid));
                }
            }
            Act::TcpFin => {
                let open = |sock: &Sock| tcp(sock) && next_state(sock.is.state, pick).is_some();
                if let Some(cookie) = self.pick(pick / 4, open)
                    && let Some(next) = next_state(self.socks[&cookie].is.state, pick)
                {
                    self.set_state(cookie, next, None);
                    if next == State::Close {
                        self.closed(cookie);
                    }
                }
            }
            Act::TcpReset => {
                let open = |sock: &Sock| {
                    tcp(sock)
                        && !sock.closed
                        && (sock.is.state == State::Listen || next_state(sock.is.state, 0).is_some())
                };
                if let Some(cookie) = self.pick(pick, open) {
                    self.set_state(cookie, State::Close, None);
                    self.closed(cookie);
                }
            }
            Act::Release => self.release(pick),
            Act::UdpCreate => {
                self.create(Proto::Udp);
            }
            Act::RawCreate => {
                self.create(Proto::Raw(89));
            }
            Act::UdpBind => {
                if let Some(cookie) = self.pick(pick, |sock| udp(sock) && sock.is.local.port() == 0) {
                    self.bind(cookie, State::Close);
                }
            }
            Act::UdpConnect => {
                if let Some(cookie) = self.pick(pick, udp) {
                    self.settle(cookie);
                    self.now += 1;
                    self.place(cookie, true, true);
                    let by = self.user(cookie);
                    if let Some(sock) = self.socks.get_mut(&cookie) {
                        sock.is.state = State::Established;
                    }
                    self.change(cookie, ChangeKind::Connect { errno: 0 }, Some(by), true);
                    self.expect("connect", cookie, Some(by.pid));
                }
            }
            Act::UdpDissolve => {
                if let Some(cookie) = self.pick(pick, |sock| udp(sock) && sock.is.state == State::Established)
                {
                    self.settle(cookie);
                    self.now += 1;
                    let by = self.user(cookie);
                    let Some(sock) = self.socks.get_mut(&cookie) else { return };
                    sock.is.state = State::Close;
                    sock.is.peer = end(sock.family, 0, 0);
                    self.change(cookie, ChangeKind::Connect { errno: 0 }, Some(by), true);
                }
            }
            Act::UdpSend => {
                if let Some(cookie) = self.pick(pick, |sock| udp(sock) && !sock.sent) {
                    self.send(cookie);
                }
            }
            Act::UnixCreate => {
                let cookie = self.make(Proto::UnixStream, true);
                if let Some(sock) = self.socks.get_mut(&cookie) {
                    sock.shows = Some(sock.is.clone());
                }
            }
            Act::UnixBind | Act::UnixListen | Act::UnixConnect => self.unix(act, pick),
            Act::UnixVanish => {
                if let Some(cookie) = self.pick(pick, |sock| sock.proto.is_unix() && !sock.closed) {
                    self.settle(cookie);
                    if let Some(sock) = self.socks.get_mut(&cookie) {
                        (sock.shows, sock.closed, sock.held) = (None, true, false);
                    }
                }
            }
        }
    }

    fn live(&mut self, cookie: Cookie, by: Process) {
        self.settle(cookie);
        self.now += 1;
        let now = self.now;
        if let Some(sock) = self.socks.get_mut(&cookie) {
            (sock.owner, sock.opened, sock.closed) = (Some(by), now, false);
            if sock.is.state == State::Close {
                // What is left of an earlier life.
                let nowhere = end(sock.family, 0, 0);
                (sock.is.local, sock.is.peer) = (nowhere.clone(), nowhere);
            }
        }
    }

    /// Gives it a local port, and a peer, if it has none.
    fn place(&mut self, cookie: Cookie, local: bool, peer: bool) {
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

    fn bind(&mut self, cookie: Cookie, state: State) {
        self.settle(cookie);
        self.now += 1;
        self.place(cookie, true, false);
        let by = self.user(cookie);
        if let Some(sock) = self.socks.get_mut(&cookie) {
            (sock.is.state, sock.closed) = (state, false);
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
    fn user(&mut self, cookie: Cookie) -> Process {
        let by = self.process();
        if let Some(sock) = self.socks.get_mut(&cookie) {
            sock.owner.get_or_insert(by);
        }
        by
    }

    fn dial(&mut self, cookie: Cookie, by: Process) {
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

    fn birth(&mut self, pick: u16, survives: bool) {
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
            self.set_state(child, State::Close, None);
            self.die(child);
            if let Some(sock) = self.socks.get_mut(&child) {
                sock.held = false;
            }
        }
    }

    fn closed(&mut self, cookie: Cookie) {
        self.expect("close", cookie, self.owner_pid(cookie));
        self.die(cookie);
    }

    fn die(&mut self, cookie: Cookie) {
        if let Some(sock) = self.socks.get_mut(&cookie) {
            (sock.closed, sock.owner) = (true, None);
            sock.is.state = State::Close;
            let nowhere = end(sock.family, 0, 0);
            (sock.is.local, sock.is.peer) = (nowhere.clone(), nowhere);
        }
    }

    fn create(&mut self, proto: Proto) {
        let cookie = self.make(proto, false);
        self.now += 1;
        let by = self.user(cookie);
        let now = self.now;
        let raw = proto != Proto::Udp;
        if let Some(sock) = self.socks.get_mut(&cookie) {
            sock.opened = now;
        }
        self.change(cookie, ChangeKind::Create, Some(by), false);
        self.settle(cookie);
        if let Some(sock) = self.socks.get_mut(&cookie).filter(|_| raw) {
            sock.is.local = end(sock.family, 0, 89);
            sock.shows = Some(sock.is.clone());
        }
    }

    fn send(&mut self, cookie: Cookie) {
        self.settle(cookie);
        self.now += 1;
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
        self.expect("open", cookie, Some(by.pid));
    }

    fn release(&mut self, pick: u16) {
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
            Proto::Tcp => !sock.closed,
            _ => sock.is.local.port() != 0,
        };
        sock.held = false;
        // The hook does not say where the socket was.
        let nowhere = end(sock.family, 0, 0);
        (sock.is.local, sock.is.peer, sock.closed) = (nowhere.clone(), nowhere, true);
        sock.is.state = State::Close;
        self.change(cookie, ChangeKind::Release, Some(by), false);
        if told {
            self.expect("close", cookie, self.owner_pid(cookie));
        }
    }

    fn unix(&mut self, act: Act, pick: u16) {
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

const UNNAMED: Endpoint = Endpoint::None;

const SOCKET: Socket = Socket {
    proto: Proto::Tcp,
    family: Family::Inet,
    state: State::Close,
    recv_q: 0,
    send_q: 0,
    local: Endpoint::None,
    peer: Endpoint::None,
    ifindex: 0,
    inode: 0,
    cookie: 0,
    netns: 0,
    uid: None,
    v6only: None,
    detail: None,
};

fn end(family: Family, host: u8, port: u16) -> Endpoint {
    let addr = match (family, host) {
        (Family::Inet6, 0) => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
        (Family::Inet6, host) => IpAddr::V6(Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, host.into())),
        (_, 0) => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        (_, host) => IpAddr::V4(Ipv4Addr::new(10, 0, 0, host)),
    };
    Endpoint::Inet { addr, port }
}

const fn next_state(state: State, pick: u16) -> Option<State> {
    match (state, pick % 3) {
        (State::Established, 0) => Some(State::CloseWait),
        (State::Established, _) => Some(State::FinWait1),
        (State::FinWait1, 0) => Some(State::Closing),
        (State::FinWait1, _) => Some(State::FinWait2),
        (State::CloseWait, _) => Some(State::LastAck),
        (State::FinWait2 | State::Closing | State::LastAck, _) => Some(State::Close),
        _ => None,
    }
}

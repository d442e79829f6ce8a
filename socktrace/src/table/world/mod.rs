//! A small kernel for tests: sockets that live, hooks that tell of it before or after the fact, a ring that may be full, and
//! tables that can be read bucket by bucket meanwhile.

use std::collections::{BTreeMap, VecDeque};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

mod acts;
mod calls;
mod reading;
pub(crate) use acts::{ACTS, Act};
pub(crate) use reading::Reading;

use super::{SETTLE, Scope, Table};
use crate::socket::{
    BootNs, Change, ChangeKind, Closing, Comm, Cookie, Endpoint, Family, NetnsId, Process, Proto, Socket,
    State,
};

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
    bound: bool,
    close_told: bool,
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
    /// Dumps do not find the second namespace any more.
    pub(crate) hidden: bool,
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
            hidden: false,
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

    /// Inode numbers of the UNIX sockets that a descriptor refers to.
    pub(crate) fn held(&self) -> impl Iterator<Item = u32> {
        self.socks.values().filter(|sock| sock.proto.is_unix() && sock.held).map(|sock| sock.inode)
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
            bound: false,
            close_told: false,
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
            state: None,
            ifindex: 0,
            uid: None,
            mark: 0,
            cgroup: 0,
            process: by,
            inode: if sock.proto.is_unix() { sock.inode } else { 0 },
            msk: 0,
            kind,
        };
        self.show_and_tell(cookie, shown, change);
    }

    fn show_and_tell(&mut self, cookie: Cookie, shown: Option<Shown>, change: Change) {
        let due = self.now + 1 + BootNs::from(self.random()) % (SETTLE - 1);
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
        if let Some(sock) = self.socks.get_mut(&cookie) {
            sock.close_told |= kind == "close";
        }
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
        self.change(cookie, ChangeKind::State { old, new, orphan: false, closing: None }, by, true);
    }

    /// →CLOSE. A socket that bind(2) gave its port keeps it while a descriptor refers to it.
    fn end(&mut self, cookie: Cookie, errno: u16) {
        self.settle(cookie);
        self.now += 1;
        let Some(sock) = self.socks.get_mut(&cookie) else { return };
        let old = std::mem::replace(&mut sock.is.state, State::Close);
        let keeps = sock.bound && sock.held;
        if keeps {
            sock.is.state = State::BoundInactive;
        }
        let closing = Some(Box::new(Closing { errno, bound: keeps, ..Closing::default() }));
        let orphan = old == State::Listen && errno == 0 && !keeps;
        let kind = ChangeKind::State { old, new: State::Close, orphan, closing };
        self.change(cookie, kind, None, keeps);
        if let Some(sock) = self.socks.get_mut(&cookie).filter(|_| !keeps) {
            (sock.closed, sock.owner, sock.bound) = (true, None, false);
            let nowhere = end(sock.family, 0, 0);
            (sock.is.local, sock.is.peer) = (nowhere.clone(), nowhere);
        }
    }

    fn process(&mut self) -> Process {
        let pid = 100 + self.random() % 50;
        Process { pid, comm: Comm::from_bytes(format!("p{pid}").as_bytes()) }
    }

    fn owner_pid(&self, cookie: Cookie) -> Option<u32> {
        self.socks[&cookie].owner.map(|process| process.pid)
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

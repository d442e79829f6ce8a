//! What can happen in the small kernel: calls, packets, ends. How it does them is in `calls`.

use super::{Sock, World, end};
use crate::socket::{ChangeKind, Proto, State};

/// What can happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Act {
    TcpBind,
    TcpListen,
    TcpListenFails,
    TcpListenUnheard,
    TcpWithdraw,
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

pub(crate) const ACTS: [Act; 26] = [
    Act::TcpBind,
    Act::TcpListen,
    Act::TcpListenFails,
    Act::TcpListenUnheard,
    Act::TcpWithdraw,
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

impl World {
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
            Act::TcpListen | Act::TcpListenUnheard => {
                let bound = self.pick(pick, in_state(State::BoundInactive));
                let cookie = bound.unwrap_or_else(|| self.make(Proto::Tcp, false));
                let by = self.process();
                self.live(cookie, by);
                self.place(cookie, true, false);
                self.set_state(cookie, State::Listen, Some(by));
                if act == Act::TcpListen {
                    self.settle(cookie);
                    self.now += 1;
                    self.change(cookie, ChangeKind::Listen { errno: 0, backlog: 5 }, Some(by), true);
                }
                self.expect("listen", cookie, Some(by.pid));
            }
            Act::TcpListenFails => {
                let cookie = self.make(Proto::Tcp, false);
                let by = self.process();
                self.live(cookie, by);
                self.set_state(cookie, State::Listen, Some(by));
                self.end(cookie, 98);
                self.settle(cookie);
                self.now += 1;
                self.change(cookie, ChangeKind::Listen { errno: 98, backlog: 5 }, Some(by), false);
                self.expect("listen", cookie, Some(by.pid));
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
            // connect(2) finds after the change of state that no port is left.
            Act::TcpWithdraw => {
                let idle = |sock: &Sock| sock.held && (sock.closed || sock.is.state == State::BoundInactive);
                let again = self.pick(pick, |sock| tcp(sock) && idle(sock)).filter(|_| pick & 1 == 0);
                let cookie = again.unwrap_or_else(|| self.make(Proto::Tcp, false));
                let by = self.process();
                self.live(cookie, by);
                self.dial(cookie, by);
                self.withdraw(cookie, by);
            }
            Act::TcpAnswer => {
                if let Some(cookie) = self.pick(pick, dialling) {
                    self.set_state(cookie, State::Established, None);
                    self.expect("connect", cookie, self.owner_pid(cookie));
                }
            }
            Act::TcpRefuse => {
                if let Some(cookie) = self.pick(pick, dialling) {
                    self.expect("connect_failed", cookie, self.owner_pid(cookie));
                    self.over(cookie, pick);
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
                    self.change(cookie, ChangeKind::Accept { fd: 7, early: false }, Some(by), listed);
                    self.expect("accept", cookie, Some(by.pid));
                }
            }
            Act::TcpFin => {
                let open = |sock: &Sock| tcp(sock) && next_state(sock.is.state, pick).is_some();
                if let Some(cookie) = self.pick(pick / 4, open)
                    && let Some(next) = next_state(self.socks[&cookie].is.state, pick)
                {
                    let closes = pick & 8 == 0 || !self.post_bind;
                    if let Some(sock) = self.socks.get_mut(&cookie).filter(|sock| sock.bound && closes) {
                        // An orphan from now on.
                        sock.held = false;
                    }
                    if next == State::Close {
                        self.expect("close", cookie, self.owner_pid(cookie));
                        self.end(cookie, 0);
                    } else {
                        self.set_state(cookie, next, None);
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
                    self.expect("close", cookie, self.owner_pid(cookie));
                    self.over(cookie, pick);
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
                    self.change(cookie, ChangeKind::Disconnect, Some(by), true);
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

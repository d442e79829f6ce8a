//! What the task that owns the engine says to those who ask it.

use super::Core;
use crate::api::status::{Status, families};
use crate::archive::Recorder;
use crate::engine::Input;
use crate::kernel::memory;
use crate::listing::{Named, Wanted};
use crate::runtime::candidates::candidates;
use crate::runtime::request::Request;
use crate::runtime::time;
use crate::socket::{NetnsId, State};
use crate::table::View;

impl Core {
    pub(super) fn answer(&mut self, request: Request) {
        match request {
            Request::Events { subscription, reply } => {
                // What happened before is for those who asked before.
                self.catch_up();
                let (id, demand) = (self.sinks.number(), subscription.interest.demand());
                self.input(time::boot_now(), Input::Subscribe(id, demand));
                // Before the asker hears of its stream: what it does from then on is told.
                self.source.want(self.engine.wanted(), !self.engine.is_seeded());
                if !self.sinks.subscribe(id, *subscription, reply) {
                    self.input(time::boot_now(), Input::Unsubscribe(id));
                }
            }
            Request::Cookies { viewer, reply } => {
                self.catch_up();
                let shown = self.engine.table().iter().filter(|socket| viewer.sees(socket.netns()));
                _ = reply.send(shown.map(|socket| socket.key()).collect());
            }
            Request::Subjects { cookies, reply } => {
                let views = cookies.into_iter().filter_map(|cookie| self.engine.table().get(cookie));
                let shown = views.filter(View::is_listed).map(|socket| self.engine.subject(socket));
                _ = reply.send(shown.collect());
            }
            Request::History { reply } => {
                self.catch_up();
                self.count_lost();
                _ = reply.send(self.history.as_ref().map(Recorder::log));
            }
            Request::Keep { history, reply } => {
                if let Some(recorder) = &mut self.history {
                    recorder.keep(&history);
                }
                _ = reply.send(());
            }
            Request::Candidates { wanted, netns, reply } => _ = reply.send(self.candidates(&wanted, netns)),
            Request::Opener { cookie, reply } => {
                self.catch_up();
                _ = reply.send(self.engine.opener(cookie));
            }
            Request::Openers { reply } => {
                // What a program did before it asked.
                self.catch_up();
                _ = reply.send(self.engine.openers().collect());
            }
            Request::Namespaces { reply } => {
                self.catch_up();
                _ = reply.send(self.engine.table().namespaces().into_iter().collect());
            }
            Request::Ready { reply } => match self.ready {
                Some(sockets) => _ = reply.send(sockets),
                None => self.waiting.push(reply),
            },
            Request::Status { reply } => _ = reply.send(self.status()),
        }
    }

    /// The few sockets that are worth looking up one by one.
    fn candidates(&mut self, wanted: &Wanted, netns: NetnsId) -> Named {
        let keys = &wanted.keys;
        let by_port = keys.local_port.or(keys.peer_port).or(keys.either_port).is_some_and(|port| port != 0);
        if !(by_port || keys.cookie.is_some()) {
            return Named::No;
        }
        // What a program did before it asked is in the ring by now, perhaps not yet in the table; or it is lost.
        self.catch_up();
        let now = time::boot_now();
        let counters = self.source.counters();
        self.input(now, Input::Counters(counters));
        self.obey();
        let views = self.engine.candidates(keys);
        // Whose cookie the table knows is no mini-socket yet.
        let lingering = wanted.states.contains(State::FinWait2)
            && (keys.cookie.is_none() || views.is_empty())
            && self.lingering.may_have(keys, time::boot_now());
        if self.engine.is_behind() || lingering {
            return Named::No;
        }
        candidates(views, netns)
    }

    fn status(&self) -> Status {
        let counters = self.source.counters();
        let stats = self.engine.stats();
        Status {
            sockets: Some(stats.sockets),
            events_seen: Some(counters.seen()),
            events_lost: counters.lost(),
            skipped: counters.missed,
            families: families(&counters),
            resyncs: stats.resyncs,
            audits: stats.audits,
            drift: stats.drift,
            hooks: self.source.hooks(),
            history_records: Some(self.history.as_ref().map_or(0, |history| history.size().0)),
            history_bytes: Some(self.history.as_ref().map_or(0, |history| history.size().1)),
            seccomp: self.confined,
            uptime_s: time::boot_now().saturating_sub(self.started) / 1_000_000_000,
            rss_bytes: memory::resident(),
        }
    }
}

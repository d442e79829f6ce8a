//! Events through both sinks: who gets them, and what is said of those that nobody could look at.

use super::lot::Lot;
use super::*;
use crate::engine::Demand;
use crate::query::{Context, Dialect, NoNames, parse};
use crate::runtime::budget::{Budget, Limits};
use crate::runtime::stream::{BACKLOG, EventStream};
use crate::runtime::values::{self, Item};
use crate::socket::{
    Comm, Endpoint, EventKind, Family, KindSet, Owner, Process, Proto, State, Subject, Viewer,
};
use serde_json::Value;

const USER: Viewer = Viewer::user(1000, 7);

/// A socket of root's and of that namespace is bound.
fn bound(cookie: u64, netns: u32) -> Event {
    let subject = Subject {
        cookie,
        netns,
        proto: Proto::Tcp,
        family: Family::Inet,
        local: Endpoint::Inet { addr: [192, 0, 2, 1].into(), port: 80 },
        peer: Endpoint::None,
        state: State::Close,
        ifindex: 0,
        uid: Some(0),
        mark: 0,
        inode: 0,
        cgroup: 0,
        place: None,
        owner: Owner::Exact(Process { pid: 5, comm: Comm::from_bytes(b"roots") }),
        opened: None,
    };
    Event { at: cookie, kind: EventKind::Bind { errno: 0 }, subject: Some(Box::new(subject)) }
}

fn subscription(viewer: Viewer, words: &str) -> Subscription {
    let words: Vec<String> = words.split(' ').filter(|word| !word.is_empty()).map(str::to_owned).collect();
    let filter = parse(&words, &Context::new(Dialect::Strict), &NoNames).unwrap();
    let interest = Interest { kinds: KindSet::USUAL, filter, viewer, ..Interest::default() };
    let (feed, _) = lines();
    Subscription { interest, count: None, way: Way::Lines(Format::Json, feed) }
}

fn lines() -> (stream::Feed, EventStream) {
    stream::stream(BACKLOG, Budget::new(Limits::for_descriptors(64)).account(Viewer::Own).room())
}

impl Sinks {
    fn stream(&mut self, subscription: Subscription) -> (SubscriberId, EventStream) {
        let (feed, stream) = lines();
        (self.subscriber(Subscription { way: Way::Lines(Format::Json, feed), ..subscription }), stream)
    }

    fn subscriber(&mut self, subscription: Subscription) -> SubscriberId {
        let (reply, begun) = oneshot::channel();
        let id = self.number();
        assert!(self.subscribe(id, subscription, reply));
        begun.blocking_recv().unwrap().unwrap();
        id
    }

    fn hand(&mut self, events: impl IntoIterator<Item = Event>) {
        events.into_iter().for_each(|event| self.push(event));
        self.flush(0, &Clock::default());
    }
}

/// The lines up to the end of the stream.
fn rest(mut stream: EventStream) -> Vec<Value> {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let mut text = Vec::new();
    while let Some(piece) = runtime.block_on(stream.next()) {
        text.extend_from_slice(&piece);
    }
    let lines = std::str::from_utf8(&text).unwrap().lines();
    lines.map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn cookies(lines: &[Value]) -> Vec<u64> {
    lines.iter().map(|line| line["cookie"].as_u64().unwrap()).collect()
}

#[test]
fn everybody_gets_what_comes_after_their_subscription_as_they_may_see_it() {
    let mut sinks = Sinks::new();
    sinks.hand([bound(1, 7)]);
    let (_, own) = sinks.stream(subscription(Viewer::Own, ""));
    sinks.hand([bound(2, 7), bound(3, 8)]);
    let (_, users) = sinks.stream(subscription(USER, ""));
    let (_, of_roots) = sinks.stream(subscription(USER, "comm = roots"));
    let (_, some) = sinks.stream(subscription(Viewer::Own, "cookie = 5 and comm = roots"));
    sinks.hand([bound(4, 7), bound(5, 8), bound(6, 7)]);
    // What has been handed over is told before the end.
    drop(sinks);
    assert_eq!(cookies(&rest(own)), [2, 3, 4, 5, 6]);
    let users = rest(users);
    assert_eq!(cookies(&users), [4, 6]);
    assert!(users.iter().all(|line| line["pid"].is_null()), "{users:?}");
    assert_eq!(cookies(&rest(of_roots)), [0; 0]);
    assert_eq!(cookies(&rest(some)), [5]);
}

#[test]
fn what_a_sink_has_no_room_for_is_counted_and_told_and_losses_are_told_nevertheless() {
    let mut sinks = Sinks::new();
    let (_, stream) = sinks.stream(subscription(Viewer::Own, ""));
    let count = MAX_WAITING as u64 + 1;
    sinks.hand((1..=count).map(|cookie| bound(cookie, 7)));
    let lost = Event { at: count + 1, kind: EventKind::Lost { records: 9 }, subject: None };
    sinks.hand((1..=count).map(|cookie| bound(cookie, 7)).chain([lost]));
    sinks.hand([bound(count + 2, 7)]);
    drop(sinks);
    let lines = rest(stream);
    // The number may be told in parts: as soon as there is room for it.
    let (lost, others): (Vec<_>, Vec<_>) = lines.iter().partition(|line| line["event"] == "lost");
    let of = |by: &str| -> Vec<u64> {
        let lost = lost.iter().filter(|line| line["by"] == by);
        lost.map(|line| line["lost"].as_u64().unwrap()).collect()
    };
    assert_eq!(of("reader").iter().sum::<u64>(), 2 * count, "{lost:?}");
    assert_eq!(of("kernel"), [9]);
    assert_eq!(others.iter().map(|line| line["cookie"].as_u64().unwrap()).collect::<Vec<_>>(), [count + 2]);
}

#[test]
fn what_there_is_no_time_for_is_counted_where_it_is_missing() {
    let mut lot = Lot::new(USER);
    let (feed, stream) = lines();
    lot.add(1, Subscription { way: Way::Lines(Format::Json, feed), ..subscription(USER, "") });
    let events: Vec<Event> = (1..=1000).map(|cookie| bound(cookie, 7)).collect();
    let mut looks = 0;
    lot.take(&events, &Clock::default(), || {
        looks += 1;
        looks < 4
    });
    lot.take(&[bound(2000, 7)], &Clock::default(), || true);
    drop(lot);
    let lines = rest(stream);
    let told = lines.len() - 2;
    assert!(told > 0 && told < 1000, "{told}");
    assert_eq!(cookies(&lines[..told]), (1..=told as u64).collect::<Vec<_>>());
    assert_eq!((&lines[told]["event"], &lines[told]["lost"]), (&"lost".into(), &(1000 - told).into()));
    assert_eq!(lines[told + 1]["cookie"], 2000);
}

#[tokio::test]
async fn who_has_gone_is_noticed_although_nothing_happens() {
    let mut sinks = Sinks::new();
    for viewer in [Viewer::Own, USER] {
        let (reply, begun) = oneshot::channel();
        let id = sinks.number();
        assert!(sinks.subscribe(id, subscription(viewer, ""), reply));
        begun.await.unwrap().unwrap();
        assert_eq!(sinks.left().await, id);
    }
    assert!(sinks.own.subscribers.is_empty() && sinks.users.subscribers.is_empty());
}

#[test]
fn a_sink_without_subscribers_is_handed_nothing() {
    let mut sinks = Sinks::new();
    sinks.hand((0..10).map(|cookie| bound(cookie, 7)));
    assert!(sinks.own.queue.is_none() && sinks.users.queue.is_none());
    let (_, stream) = sinks.stream(subscription(USER, "cookie = 1"));
    sinks.hand([bound(1, 7)]);
    assert!(sinks.own.queue.is_none());
    drop(sinks);
    assert_eq!(cookies(&rest(stream)), [1]);
}

#[test]
fn the_demand_of_a_subscription_is_its_kinds() {
    let Subscription { interest, .. } = subscription(USER, "sport = :1");
    assert_eq!(interest.demand(), Demand { kinds: KindSet::USUAL, unix_closes: true });
    // One for itself, and one for its filter.
    assert_eq!(interest.cost(), 2);
    let globs = vec!["comm = *a*b*c*"; 100].join(" or ");
    assert_eq!(subscription(USER, &globs).interest.cost(), 1 + 100 * 2);
}

#[test]
fn values_are_what_lines_tell() {
    let mut sinks = Sinks::new();
    let (_, stream) = sinks.stream(subscription(Viewer::Own, "sport = :80"));
    let (feed, mut events) = values::channel(10);
    sinks.subscriber(Subscription { way: Way::Values(feed), ..subscription(Viewer::Own, "sport = :80") });
    let (feed, mut none) = values::channel(10);
    sinks.subscriber(Subscription { way: Way::Values(feed), ..subscription(Viewer::Own, "sport = :81") });
    let made = [bound(1, 1), bound(2, 1)];
    sinks.hand(made.clone());
    for event in made {
        assert_eq!(events.next_blocking(), Some(Item::Event(event)));
    }
    drop(sinks);
    assert_eq!((events.next_blocking(), none.next_blocking()), (None, None));
    assert_eq!(rest(stream).len(), 2);
}

//! The answer as JSON: one object per line, the fields of docs/who.md.

use std::net::IpAddr;

use serde::Serialize;

use super::Answer;
use crate::findings::row::{End, Proto};
use crate::findings::said;
use crate::socket::Process;

/// A line of JSON.
#[derive(Serialize)]
struct Object<'a> {
    when: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    ts: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    call: Option<&'static str>,
    proto: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    state: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    local_addr: Option<IpAddr>,
    #[serde(skip_serializing_if = "Option::is_none")]
    local_port: Option<u16>,
    #[serde(skip_serializing_if = "is_zero")]
    netns: u64,
    pid: Option<u32>,
    comm: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    unit: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sockets: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    queue: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    backlog: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    free_in_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    opened: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    peers: Option<Vec<Peer>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    met: Option<Box<Object<'a>>>,
}

#[derive(Serialize)]
struct Peer {
    addr: IpAddr,
    sockets: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes it so")]
const fn is_zero(number: &u64) -> bool {
    *number == 0
}

impl<'a> Object<'a> {
    fn of(when: &'static str, proto: Proto, process: Option<&Process>, unit: Option<&'a str>) -> Self {
        Self {
            when,
            ts: None,
            call: None,
            proto: proto.name(),
            state: None,
            local_addr: None,
            local_port: None,
            netns: 0,
            pid: process.map(|it| it.pid),
            comm: process.map(|it| it.comm.to_text().into_owned()),
            unit,
            sockets: None,
            queue: None,
            backlog: None,
            free_in_ms: None,
            opened: None,
            error: None,
            peers: None,
            met: None,
        }
    }

    fn at(self, local: Option<End>) -> Self {
        Self { local_addr: local.map(|it| it.0), local_port: local.map(|it| it.1), ..self }
    }
}

fn named(peers: &[(IpAddr, u64)]) -> Option<Vec<Peer>> {
    let named = peers.iter().map(|&(addr, sockets)| Peer { addr, sockets });
    (!peers.is_empty()).then(|| named.collect())
}

/// As JSON objects, one per line (docs/who.md).
#[must_use]
pub fn json(answer: &Answer) -> String {
    let now = answer.now.iter().map(|it| Object {
        state: Some(it.state.word()),
        netns: it.netns,
        sockets: Some(it.count),
        queue: it.queue.map(|it| it.0),
        backlog: it.queue.map(|it| it.1),
        free_in_ms: it.free_in_ms,
        opened: it.opened.map(said::rfc3339),
        peers: named(&it.peers),
        ..Object::of("now", it.proto, it.process.as_ref(), it.unit.as_deref()).at(it.local)
    });
    let before = answer.before.iter().map(|it| Object {
        ts: Some(said::rfc3339(it.last)),
        netns: it.netns,
        sockets: Some(it.count),
        opened: Some(said::rfc3339(it.first)),
        peers: named(&it.peers),
        ..Object::of("before", it.proto, it.process.as_ref(), it.unit.as_deref()).at(it.local)
    });
    let failed = answer.failed.iter().map(|it| Object {
        ts: Some(said::rfc3339(it.at)),
        call: Some(it.call),
        netns: it.netns,
        error: it.error.as_deref(),
        met: it.met.as_ref().map(|met| {
            let object = Object::of("then", it.proto, met.process.as_ref(), met.unit.as_deref());
            Box::new(Object { state: Some(met.state.word()), ..object.at(Some(met.local)) })
        }),
        ..Object::of("failed", it.proto, it.process.as_ref(), it.unit.as_deref()).at(it.local)
    });
    // Numbers and strings: nothing that JSON could not hold.
    let line = |object: Object<'_>| serde_json::to_string(&object).unwrap_or_default() + "\n";
    now.chain(before).chain(failed).map(line).collect()
}

//! JSON Schemas of what travels, and the OpenAPI document of the agent's HTTP API. From these the files in `docs/schema` are made.

use crate::{Count, Diagnosis, Event, Socket, Status, Summary};
use schemars::{JsonSchema, Schema, SchemaGenerator, generate::SchemaSettings};
use serde_json::{Map, Value, json};

/// Each kind of object by the name of its file: `socket` in `docs/schema/socket.json`.
#[must_use]
pub fn schemas() -> Vec<(&'static str, Value)> {
    fn of<T: JsonSchema>() -> Value {
        SchemaSettings::draft2020_12().into_generator().into_root_schema_for::<T>().into()
    }
    vec![
        ("count", of::<Count>()),
        ("diagnosis", of::<Diagnosis>()),
        ("event", of::<Event>()),
        ("socket", of::<Socket>()),
        ("status", of::<Status>()),
        ("summary", of::<Summary>()),
    ]
}

/// A parameter of an endpoint.
struct Parameter {
    name: &'static str,
    says: &'static str,
    schema: Value,
}

fn parameter(name: &'static str, says: &'static str, schema: Value) -> Parameter {
    Parameter { name, says, schema }
}

/// A list with commas between its values.
fn list(says: &'static str, name: &'static str, words: &[&str]) -> Parameter {
    let items = if words.is_empty() {
        json!({"type": "string", "minLength": 1})
    } else {
        json!({"type": "string", "enum": words})
    };
    parameter(name, says, json!({"type": "array", "items": items, "minItems": 1, "maxItems": 16}))
}

fn flag(name: &'static str, says: &'static str) -> Parameter {
    parameter(name, says, json!({"type": "string", "enum": ["0", "1"]}))
}

fn text(name: &'static str, says: &'static str) -> Parameter {
    parameter(name, says, json!({"type": "string", "maxLength": 1024}))
}

const FAMILIES: &[&str] = &["inet", "inet6", "unix", "link", "netlink", "vsock", "tipc", "xdp"];
const PROTOS: &[&str] = &["tcp", "udp", "udplite", "raw", "icmp", "unix"];
const KINDS: &[&str] = &["bind", "listen", "connect", "connect_failed", "accept", "open", "close", "state"];

/// Which sockets: of events and of history.
fn which() -> Vec<Parameter> {
    vec![
        list("Only these kinds of events", "kinds", KINDS),
        list("Only sockets of these kinds", "proto", PROTOS),
        list("Only sockets of these families", "family", &["inet", "inet6", "unix"]),
        parameter(
            "pid",
            "Only sockets that these processes opened",
            json!({"type": "array", "items": {"type": "integer", "minimum": 0, "maximum": u32::MAX}, "minItems": 1, "maxItems": 16}),
        ),
        text("comm", "Only sockets that processes of this name opened"),
        text("filter", "A filter expression, as for ss (docs/filter.md)"),
    ]
}

/// How text for people looks.
fn look() -> Vec<Parameter> {
    vec![
        width(),
        flag("colour", "Text only: with colours"),
        flag("numeric", "Text only: numbers of ports instead of the names of services"),
        parameter(
            "utc_offset",
            "Text only: what local time adds to UTC, seconds",
            json!({"type": "integer", "minimum": -93600, "maximum": 93600}),
        ),
        list(
            "Text only: the columns of a line",
            "columns",
            &["time", "event", "proto", "local", "peer", "pid", "command", "details"],
        ),
    ]
}

fn width() -> Parameter {
    parameter(
        "width",
        "Text only: width of the terminal",
        json!({"type": "integer", "minimum": 1, "maximum": 10000}),
    )
}

fn top() -> Parameter {
    parameter("top", "At most so many", json!({"type": "integer", "minimum": 1, "maximum": u32::MAX}))
}

fn of_sockets() -> Vec<Parameter> {
    let states = [
        "established",
        "syn-sent",
        "syn-recv",
        "fin-wait-1",
        "fin-wait-2",
        "time-wait",
        "close-wait",
        "last-ack",
        "listening",
        "closing",
        "closed",
        "connected",
        "all",
    ];
    let show = [
        "numeric",
        "timers",
        "extended",
        "memory",
        "info",
        "tos",
        "cgroup",
        "sockopt",
        "bpf",
        "tipcinfo",
        "processes",
        "threads",
        "resolve",
        "summary",
        "netns",
        "oneline",
        "no_queues",
        "no_header",
        "process_context",
        "socket_context",
    ];
    let keys = ["state", "local", "sport", "peer", "dport", "process", "pid", "user", "netid", "netns"];
    vec![
        list(
            "Kinds of sockets, as for `ss -A`",
            "tables",
            &["tcp", "udp", "raw", "unix", "inet", "packet", "netlink", "all"],
        ),
        list("Families, as for `ss -f`", "families", FAMILIES),
        list("States", "states", &states),
        text("filter", "A filter expression (docs/filter.md)"),
        list("What to show of each", "show", &show),
        list(
            "Text only: columns, as for `ss --columns`",
            "columns",
            &["netid", "state", "recvq", "sendq", "local", "peer"],
        ),
        list("In which order; `-` before a key is the other way round", "sort", &keys),
        top(),
        list("Counted by these keys", "count_by", &keys),
        text("netns", "The name of a network namespace, or a process in it"),
        flag("all_netns", "Those of every network namespace"),
        text("bpf_maps", "`all`, or ids of BPF maps: socket storages to show"),
        width(),
        parameter(
            "filter_family",
            "As of which family addresses in the filter are read",
            json!({"type": "string", "enum": ["any", "inet", "inet6", "unix"]}),
        ),
        list("States as `states`, for which a filter may put others", "default_states", &states),
        parameter(
            "asked_from",
            "Inode of the network namespace that whoever asks is in",
            json!({"type": "integer", "minimum": 0, "maximum": u32::MAX}),
        ),
    ]
}

/// An endpoint, in the manner of OpenAPI. `objects`: what a line of the answer holds.
fn endpoint(summary: &str, parameters: Vec<Parameter>, media: &[(&str, Value)]) -> Value {
    let parameters: Vec<Value> = parameters
        .into_iter()
        .map(|Parameter { name, says, schema }| {
            json!({"name": name, "in": "query", "description": says, "schema": schema, "style": "form", "explode": false})
        })
        .collect();
    let content: Map<String, Value> =
        media.iter().map(|(media, schema)| ((*media).to_owned(), json!({"schema": schema}))).collect();
    let refusal = |why: &str| json!({"description": why, "content": {"text/plain; charset=utf-8": {"schema": {"type": "string"}}}});
    json!({"get": {
        "summary": summary,
        "parameters": parameters,
        "responses": {
            "200": {"description": "The answer", "content": content},
            "400": refusal("The question is wrong: which word, and what was possible"),
            "404": refusal("The agent does not have that"),
            "403": refusal("The agent does not do that for whoever asks"),
            "429": refusal("The user has reached a limit of theirs"),
            "431": refusal("The head of the request is too long"),
            "503": refusal("All users together have reached a limit, or the agent ends"),
        },
    }})
}

/// The OpenAPI 3.1 document of the agent's HTTP API.
#[must_use]
pub fn openapi() -> Value {
    let mut settings = SchemaSettings::draft2020_12();
    settings.definitions_path = "/components/schemas".into();
    settings.meta_schema = None;
    let mut generator: SchemaGenerator = settings.into_generator();
    let line = |schema: Schema| -> Value { schema.into() };
    let event = line(generator.subschema_for::<Event>());
    let socket = line(generator.subschema_for::<Socket>());
    let count = line(generator.subschema_for::<Count>());
    let summary = line(generator.subschema_for::<Summary>());
    let status = line(generator.subschema_for::<Status>());
    let components = generator.take_definitions(true);
    let (ndjson, text, json) = ("application/x-ndjson", "text/plain; charset=utf-8", "application/json");
    let words = || (text, json!({"type": "string"}));
    let mut events = which();
    events.push(flag("states", "Every TCP state change, too"));
    events.push(parameter(
        "count",
        "End after so many events",
        json!({"type": "integer", "minimum": 1, "maximum": u32::MAX}),
    ));
    events.extend(look());
    let mut history = which();
    let columns = ["time", "proto", "local", "peer", "process", "pid"];
    history.extend([
        self::text("since", "Closed at that time or later: `10m`, `14:05`, `2026-11-22T14:05:00Z`"),
        self::text("until", "Closed at that time or earlier"),
        parameter(
            "after",
            "Recorded after the record of that number",
            json!({"type": "integer", "minimum": 0}),
        ),
        list("Ordered by these columns; `-` before one is the other way round", "sort", &columns),
        top(),
        list("Counted by these columns together", "count_by", &["proto", "local", "peer", "process", "pid"]),
    ]);
    history.extend(look());
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "socktrace agent",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "The agent's API, over its Unix socket. Answers of application/x-ndjson are one object per line, of the schema \
                            that is given. Who is shown what, and which limits there are: docs/agent.md.",
            "license": {"name": "MIT OR Apache-2.0", "identifier": "MIT OR Apache-2.0"},
        },
        "paths": {
            "/v1/events": endpoint("What happens from now on, until the client goes away", events, &[(ndjson, event.clone()), words()]),
            "/v1/history": endpoint("Sockets that have closed, oldest first", history, &[(ndjson, json!({"anyOf": [event, count]})), words()]),
            "/v1/openapi.json": endpoint("This document", Vec::new(), &[(json, json!({"type": "object"}))]),
            "/v1/sockets": endpoint(
                "Sockets as ss lists them, asked of the kernel now",
                of_sockets(),
                &[(ndjson, json!({"anyOf": [socket, count, summary]})), words()],
            ),
            "/v1/status": endpoint("How the agent is doing", Vec::new(), &[(json, status)]),
            "/v1/table": endpoint("The agent's table as it is", Vec::new(), &[(ndjson, socket)]),
        },
        "components": {"schemas": components},
    })
}

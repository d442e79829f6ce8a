//! What travels between socktrace's agent and whoever asks it, as values.
//!
//! The agent answers in JSON, one object per line; these types are what the objects hold, and from them the JSON Schemas
//! in `docs/schema` are made (feature `schema`). The words, units and sources of the fields are those of `docs/events.md` and
//! `docs/json-sockets.md`, and they stay: fields may be added, so that readers skip what they do not know.
//!
//! Questions are values, too: [`SocketsQuestion`], [`EventsQuestion`], [`HistoryQuestion`] make the query part of a URL. What
//! can be asked is checked by the agent, which answers a word that it does not know with those that it does.
//!
//! ```
//! use socktrace_api::{Event, Kind};
//!
//! let line = r#"{"ts":"2026-07-28T15:04:05.123456789Z","event":"lost","lost":7,"by":"kernel"}"#;
//! let event: Event = serde_json::from_str(line).unwrap();
//! assert_eq!((event.event, event.lost), (Kind::Lost, Some(7)));
//! ```

#![warn(missing_docs)]

mod counts;
mod doctor;
mod event;
mod parts;
mod question;
#[cfg(feature = "schema")]
pub mod schema;
mod socket;
mod status;

pub use counts::{Count, Pair, Summary, TcpStates};
pub use doctor::{Answer, Diagnosis, Finding};
pub use event::{Attribution, Event, Kind, Side};
pub use parts::{
    Addr, BpfStorage, Change, Dctcp, Delta, FileOfSocket, Holder, Instruction, Md5Key, Members, Shutdown,
    Timer, Ulp,
};
pub use question::{EventsQuestion, HistoryQuestion, SocketsQuestion};
pub use socket::Socket;
pub use status::{FamilyStatus, Hook, HookState, Status};

/// A time: RFC 3339, UTC, to the nanosecond.
pub type Time = String;

//! What travels between an agent and its clients: questions as data, how they are written in a URL, what comes beside
//! answers. Pure.

pub mod arrangement;
pub mod columns;
pub mod history;
pub mod parameters;
pub mod reason;
pub mod report;
pub mod screen;
pub mod selection;
pub mod sockets;
pub mod status;
pub mod suggest;
pub mod when;

/// Where the agent listens unless told otherwise.
pub const DEFAULT_SOCKET: &str = "/run/socktrace/agent.sock";

/// The header that says what an answer does not show to who asked.
pub const LIMITED: &str = "socktrace-limited";

/// The header that says what of a question matches nothing although the rest can.
pub const WARNINGS: &str = "socktrace-warnings";

/// The header that says how far back the history goes, and what is missing in it: [`history::Survey`] as JSON.
pub const SURVEY: &str = "socktrace-history";

/// The trailer that says what is to be said beside a listing: [`report::Report`] as JSON.
pub const REPORT: &str = "socktrace-report";

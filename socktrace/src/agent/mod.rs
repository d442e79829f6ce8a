//! The long-running agent: HTTP/1.1 over a Unix socket, the one task that owns the engine, and the client.
//!
//! I/O: sockets, signals, clocks; the kernel through `kernel`.

pub mod address;
pub mod budget;
mod candidates;
pub mod client;
pub mod core;
mod dump;
mod feeds;
mod folder;
pub mod history;
pub mod interest;
mod lingering;
pub mod local;
mod openers;
pub mod parameters;
pub mod question;
pub mod request;
pub mod rights;
pub mod run;
pub mod selection;
pub mod server;
pub mod shutdown;
pub mod sink;
pub mod socket_file;
mod source;
pub mod status;
pub mod stop;
pub mod stream;
pub mod time;
mod unix;

/// Where the agent listens unless told otherwise.
pub const DEFAULT_SOCKET: &str = "/run/socktrace/agent.sock";

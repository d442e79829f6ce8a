//! The long-running agent: HTTP/1.1 over a Unix socket, the one task that owns the engine, and the client.
//!
//! I/O: sockets, signals, clocks; the kernel through `kernel`.

pub mod client;
pub mod selection;
pub mod socket_file;
pub mod status;
pub mod stream;

/// Where the agent listens unless told otherwise.
pub const DEFAULT_SOCKET: &str = "/run/socktrace/agent.sock";

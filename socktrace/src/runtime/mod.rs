//! The one task that owns the engine: sources in, typed sinks out; with and without a server.
//!
//! I/O: clocks, signals; the kernel through `kernel`.

pub mod budget;
mod candidates;
pub mod closed;
pub mod core;
mod dump;
mod embedded;
mod feeds;
pub mod interest;
mod lingering;
mod openers;
mod procfs;
pub mod request;
pub mod shutdown;
pub mod sink;
mod source;
pub mod stop;
pub mod stream;
pub mod time;
mod unix;
pub mod values;

pub use embedded::{NoEvents, Runtime};

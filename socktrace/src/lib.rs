//! socktrace: a live socket tracer for Linux.
//!
//! Data flows one way: kernel programs → [`kernel`] → [`engine`] (which owns the [`table`]) → [`render`] →
//! a terminal, a file or a client. ARCHITECTURE.md draws the floors; imports only look down.

pub mod socket;

pub mod history;
pub mod kernel;
pub mod query;
pub mod render;
pub mod table;

pub mod api;

pub mod archive;
pub mod engine;
pub mod listing;

pub mod runtime;

pub mod client;
pub mod server;

pub mod cli;

//! socktrace: a live socket tracer for Linux.
//!
//! Data flows one way: kernel programs → [`kernel`] → [`engine`] (which owns the [`table`]) → [`render`] →
//! a terminal, a file or a client. ARCHITECTURE.md draws the floors; imports only look down.

// `expect` fails when nobody needs it any more.
#![warn(clippy::allow_attributes)]
// Every match says what a new variant of an enum means there.
#![cfg_attr(not(test), warn(clippy::wildcard_enum_match_arm))]

pub mod socket;

pub mod history;
pub mod kernel;
pub mod query;
pub mod render;
pub mod table;

pub mod api;

pub mod archive;
pub mod engine;
pub mod findings;
pub mod listing;

pub mod runtime;

pub mod client;
pub mod server;

pub mod cli;

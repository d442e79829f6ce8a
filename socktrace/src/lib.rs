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

pub mod engine;
pub mod listing;

pub mod agent;

pub mod cli;

//! One integration binary.

mod agent;
mod cli;
mod diag;
mod events;
mod filter;
mod support;
mod tracer;

//! One integration binary.

mod diag;
mod filter;
mod support;
mod tracer;

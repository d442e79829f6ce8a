//! One integration binary.

mod diag;
mod support;
mod tracer;

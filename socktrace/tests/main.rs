//! One integration binary.

mod diag;

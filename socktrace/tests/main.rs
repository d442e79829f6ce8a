//! One integration binary.

#![allow(clippy::unwrap_used, reason = "clippy takes only the test functions themselves for tests")]

mod agent;
mod cgroups;
mod cli;
mod closes;
mod diag;
mod doctor;
mod embedded;
mod events;
mod filter;
mod garbage;
mod kernels;
mod kinds;
mod language;
mod mptcp;
mod odd_datagrams;
mod odd_tcp;
mod owners;
mod privileges;
mod refused;
mod shown;
mod ss_cases;
mod ss_ghost;
mod ss_parity;
mod ss_storage;
mod ss_zoo;
mod support;
mod tracer;

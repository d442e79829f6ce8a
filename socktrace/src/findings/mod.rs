//! Answers to questions that people ask about sockets, from what listings and history print: who holds a port, and what is
//! wrong with the sockets of this host.
//!
//! Pure: rows, closed sockets, counters and the time come in, answers go out. It asks nobody and opens nothing, so what it
//! says is made of what its reader could have listed; who reads what is decided where the rows come from.

mod past;
pub mod problems;
mod row;
mod said;
pub mod who;

pub use past::Past;
pub use row::{Row, TcpInfo};

//! One ss-style question: ask the kernel, filter, render. Used by `socktrace ss` and by the agent.

pub mod action;
mod answer;
mod arrange;
mod dump;
mod error;
mod events;
mod held;
mod hints;
mod inet;
mod judge;
mod kill;
mod list;
pub mod names;
mod namespaces;
#[cfg(test)]
mod pasted;
mod places;
mod plan;
mod record;
mod rounds;
mod run;
mod summary;
pub mod words;

pub use error::Error;
pub use hints::{Candidates, Hints, Named, OpenerOf, Wanted};
pub use judge::absent;
pub use places::Places;
pub use plan::resolved;
pub use rounds::Rounds;
pub use run::{run, run_round, run_with};

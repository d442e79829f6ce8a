//! One ss-style question: ask the kernel, filter, render. Used by `socktrace ss` and by the agent.

pub mod action;
mod answer;
mod arrange;
mod context;
mod dump;
mod error;
mod events;
mod inet;
mod judge;
mod kill;
mod list;
pub mod names;
mod namespaces;
#[cfg(test)]
mod pasted;
mod paths;
mod pending;
mod plan;
mod record;
mod rounds;
mod run;
mod summary;
pub mod words;

pub use context::{AnswerContext, Candidates, Named, OpenerOf, Wanted};
pub use error::Error;
pub use judge::absent;
pub use paths::Paths;
pub use plan::resolved;
pub use rounds::Rounds;
pub use run::{run, run_round, run_with};

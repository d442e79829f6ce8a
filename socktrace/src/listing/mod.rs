//! One ss-style question: ask the kernel, filter, render. Used by `socktrace ss` and by the agent.

mod dump;
mod error;
pub mod names;
pub mod options;
mod run;
pub mod selection;
pub mod words;

pub use error::Error;
pub use run::{Places, Report, run};

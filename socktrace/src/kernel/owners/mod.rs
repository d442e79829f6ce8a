//! Who holds a socket now: [`Holders`] is the answer, `procfs` and the task_file iterator are two ways to it.

mod holders;
mod procfs;

pub use holders::{Holders, TaskIndex};
pub use procfs::{OwnersError, Walk, walk};

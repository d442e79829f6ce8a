//! Who holds a socket now: [`Holders`] is the answer, `procfs` and the task_file iterator are two ways to it.

mod find;
mod holders;
mod in_flight;
mod iterator;
mod procfs;
mod sight;
mod unseen;

pub use find::Search;
pub use holders::{Holders, TaskIndex};
pub use in_flight::any_in_flight;
pub use iterator::Pass;
pub use procfs::{OwnersError, Walk, walk};
pub use sight::{Look, Sight};
pub use unseen::{Unseen, in_initial_pid_namespace, unseen};

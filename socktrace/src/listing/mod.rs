//! One ss-style question: ask the kernel, filter, render. Used by `socktrace ss` and by the agent.

pub mod names;
pub mod options;
pub mod selection;
pub mod words;

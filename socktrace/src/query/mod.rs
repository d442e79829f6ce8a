//! The filter language: what the words of a filter mean, and whether a socket passes.
//!
//! [`parse()`] makes a [`Filter`] of words; [`Filter::matches`] asks it about the [`Facts`] of a socket. That one
//! evaluator decides everywhere; what is handed to the kernel may only narrow. The language is described in
//! `docs/filter.md`. Pure: look-ups that need the world go through [`Names`].

mod address;
pub mod bytecode;
mod check;
mod context;
mod device;
mod ending;
mod error;
mod facts;
mod filter;
mod glob;
pub mod knowable;
mod lex;
mod names;
mod number;
mod parse;
mod print;
mod program;
mod protocols;
mod set;
mod states;
#[cfg(test)]
mod tests;
mod tree;
mod value;
mod words;

pub use context::{Context, Dialect};
pub use ending::{Answers, Ending, Ends};
pub use error::{ParseError, Problem};
pub use facts::{Facts, InCgroup, Processes};
pub use filter::{Filter, IndexKeys, Needs};
pub use glob::Glob;
pub use names::{Device, Indexes, Names, NoNames};
pub use number::size;
pub use parse::{file_words, parse};
pub use states::{StateWords, parse_states};
pub use tree::{Address, CgroupPart, Compare, Expr, Field, Op, Side, Test};
pub use words::{is_operator, keywords};

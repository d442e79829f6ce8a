//! The filter language: what the words of a filter mean, and whether a socket passes.
//!
//! [`parse`] makes a [`Filter`] of words; [`Filter::matches`] asks it about the [`Facts`] of a socket. That one
//! evaluator decides everywhere; what is handed to the kernel may only narrow. The language is described in
//! `docs/filter.md`. Pure: look-ups that need the world go through [`Names`].

mod error;
mod facts;
mod filter;
mod names;
mod parse;
mod states;

pub use error::{ParseError, Problem};
pub use facts::{Facts, Processes};
pub use filter::{Filter, Needs};
pub use names::{Names, NoNames};
pub use parse::{Context, Dialect, parse};
pub use states::{StateWords, parse_states};

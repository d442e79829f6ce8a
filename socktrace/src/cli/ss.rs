//! `socktrace ss`: the questions of ss.
//!
//! I/O: arguments, environment, stdout, stderr.

use super::error::Error;
use super::output;
use crate::listing::words::{self, Asked, Question};
use crate::listing::{self, Places};
use std::ffi::OsString;
use std::io;

/// Runs with the words that follow `ss`.
pub(super) fn run(words: Vec<OsString>) -> Result<(), Error> {
    let words: Vec<String> = words.into_iter().map(|word| word.to_string_lossy().into_owned()).collect();
    match words::parse(&words, screen()) {
        Ok(Asked::Help | Asked::Version) => Ok(()),
        Ok(Asked::Question(question)) => answer(&question),
        Err(error) => Err(Error::Usage(format!("ss: {error}"))),
    }
}

fn answer(question: &Question) -> Result<(), Error> {
    let stdout = io::stdout().lock();
    match listing::run(&question.options, &Places::default(), &mut io::BufWriter::new(stdout)) {
        Ok(_report) => Ok(()),
        Err(error) => Err(Error::Listing(error)),
    }
}

/// The width of the terminal, or what `COLUMNS` says it is.
fn screen() -> Option<usize> {
    let said = || std::env::var("COLUMNS").ok()?.parse().ok().filter(|&columns| columns > 0);
    output::columns().map(usize::from).or_else(said)
}

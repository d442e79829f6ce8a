//! `socktrace ss`: (being built)

use super::error::Error;
use std::ffi::OsString;

/// Runs with the words that follow `ss`.
pub(super) fn run(_words: Vec<OsString>) -> Result<(), Error> {
    Err(Error::Usage("ss: being built".into()))
}

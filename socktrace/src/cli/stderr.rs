//! Standard error: what is said beside the data, for people.
//!
//! I/O: stderr.

use crate::client::Answer;
use std::fmt;
use std::io::{self, Write as _};

/// Says a line on standard error. Where nobody can hear it, that is no reason to stop.
pub(super) fn say(line: fmt::Arguments<'_>) {
    let _ = writeln!(io::stderr(), "{line}");
}

/// Says what of a question matches nothing, a line each.
pub(super) fn warn(lines: &[String]) {
    for line in lines {
        say(format_args!("socktrace: {line}"));
    }
}

/// Says what an agent does not show us, if there is something.
pub(super) fn say_limits(answer: &Answer) {
    if let Some(limits) = answer.limits() {
        say(format_args!("socktrace: {limits} (try: sudo, or membership in the agent's group)"));
    }
}

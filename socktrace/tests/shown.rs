//! What is shown of processes, and to whom.

mod capabilities;
mod closing;
mod hidden;
mod matrix;
mod names;
mod pids;

use crate::support::run::{Said, socktrace};
use std::os::unix::process::CommandExt as _;
use std::process::Command;

/// Runs `socktrace ss` with these words, which are separated by blanks, as that user and the group of the same number.
fn ss_as(uid: u32, words: &str) -> Said {
    let mut command = socktrace(&["ss"]);
    said_as(command.args(words.split_whitespace()).uid(uid).gid(uid))
}

fn said_as(command: &mut Command) -> Said {
    let output = command.output().unwrap();
    Said {
        code: output.status.code(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

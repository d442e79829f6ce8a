//! Words in, exit code out: 0 done, 1 failed, 2 bad usage.
//!
//! clap is known to `args` alone. stdout is for data, stderr for people; errors are said here, once.
//!
//! I/O: arguments, environment, stdout, stderr.

mod agent;
mod args;
mod array;
mod complete;
mod config;
mod doctor;
mod error;
mod events;
mod follow;
mod history;
mod output;
mod problems;
mod rows;
mod select;
mod source;
mod ss;
mod status;
mod stderr;
mod values;
mod who;

use crate::kernel::ebpf;
use args::{Args, Command};
use clap::{CommandFactory as _, Parser as _};
use error::Error;
use std::ffi::OsString;
use std::io::Write as _;
use std::num::NonZeroU32;
use std::path::Path;
use std::process::ExitCode;

/// Runs the command line.
#[must_use]
pub fn main() -> ExitCode {
    complete::if_asked();
    log_to_stderr();
    let words: Vec<OsString> = std::env::args_os().collect();
    let result = match ss_words(&words) {
        Some(words) => ss::run(words.to_vec()).map(|()| ExitCode::SUCCESS),
        None => command(Args::parse_from(&words).command),
    };
    match result {
        Ok(code) => code,
        Err(error) => error.report(),
    }
}

/// The command line, from which manuals and completions are made. Of `ss` it knows no options: [`SS_HELP`] lists them.
#[must_use]
pub fn definition() -> clap::Command {
    Args::command()
}

/// What says in the environment that a shell asks what it could offer, and which shell: `bash`, `zsh`, `fish`.
pub use complete::VARIABLE as COMPLETE;

/// What `socktrace ss --help` prints.
pub use ss::HELP as SS_HELP;

/// Our own warnings are for people who run a command; `RUST_LOG=socktrace=debug` says more.
fn log_to_stderr() {
    let filter = env_logger::Env::default().default_filter_or("socktrace=warn");
    env_logger::Builder::from_env(filter)
        .format(|line, record| writeln!(line, "socktrace: {}", record.args()))
        .init();
}

/// The words for `ss`, whose options are not clap's to read: after `socktrace ss`, or all of them if the
/// program is called `ss`.
fn ss_words(words: &[OsString]) -> Option<&[OsString]> {
    let (program, rest) = words.split_first()?;
    if Path::new(program).file_name()? == "ss" {
        return Some(rest);
    }
    rest.split_first().filter(|(command, _)| *command == "ss").map(|(_, rest)| rest)
}

fn command(command: Command) -> Result<ExitCode, Error> {
    match command {
        Command::Doctor(args) => return doctor::run(&args),
        Command::Problems(args) => return problems::run(&args),
        Command::Status(args) => status::run(args),
        Command::Ss { words } => ss::run(words),
        Command::Events(args) => events::run(args),
        Command::History(args) => history::run(&args),
        Command::Who(args) => who::run(&args),
        Command::Agent(args) => agent::run(args),
    }
    .map(|()| ExitCode::SUCCESS)
}

/// One thread is enough for every command: each waits for one thing most of the time.
fn runtime() -> Result<tokio::runtime::Runtime, Error> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Error::Io("start the event loop", error))
}

/// Bytes of the kernel's buffer: what was asked for, or room for a burst of some hundred thousand records.
fn ring_size(asked: Option<NonZeroU32>) -> u32 {
    asked.map_or_else(|| ebpf::Config::default().ring_size, NonZeroU32::get)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_for_ss() {
        fn check(words: &[&str], expected: Option<&[&str]>) {
            let os = |words: &[&str]| words.iter().map(OsString::from).collect::<Vec<_>>();
            assert_eq!(ss_words(&os(words)).map(<[_]>::to_vec), expected.map(os), "{words:?}");
        }
        check(&["socktrace", "ss", "-tln"], Some(&["-tln"]));
        check(&["/usr/bin/socktrace", "ss"], Some(&[]));
        check(&["/usr/local/bin/ss", "-t", "--help"], Some(&["-t", "--help"]));
        check(&["socktrace", "events", "ss"], None);
        check(&["socktrace"], None);
        check(&[], None);
    }
}

//! What commands that answer a question need to know: sockets that are there, from an agent or from the kernel, and those
//! that an agent's history has. Each row as soon as it comes.
//!
//! I/O: an agent, or the kernel through `listing`; stderr.

use super::args::SourceArgs;
use super::error::Error;
use super::source::Source;
use super::{runtime, ss, stderr};
use crate::api::arrangement::Arrangement;
use crate::api::history::{Question, Survey};
use crate::api::selection::{Format, Selection};
use crate::api::sockets::Request;
use crate::client::address::Address;
use crate::client::sockets::Connection;
use crate::client::{self, ClientError};
use crate::findings::{Past, Row};
use crate::kernel::netns;
use crate::listing::action::Action;
use crate::listing::words::{self, Asked};
use crate::listing::{self, AnswerContext, Paths};
use crate::socket::UnixNs;
use std::io::{self, Write};

/// Lists sockets as `socktrace ss` does with these words. Returns the agent that answered, if one did.
pub(super) fn list(
    source: &SourceArgs,
    words: &[&str],
    take: impl FnMut(Row) + Send,
) -> Result<Option<Address>, Error> {
    let words: Vec<String> = words.iter().map(|&word| word.to_owned()).collect();
    let command = match words::parse(&words, None) {
        Ok(Asked::Command(command)) => command,
        Ok(Asked::Help | Asked::Version) => return Ok(None),
        Err(error) => return Err(Error::Usage(error.to_string())),
    };
    let question = command.question;
    let mut take = take;
    let mut out =
        Lines { rest: Vec::new(), take: |line: &[u8]| Row::from_json(line).into_iter().for_each(&mut take) };
    match Source::new(source)? {
        Source::Direct => {}
        Source::Agent(agent) => {
            ask(&agent, &question, &mut out)?;
            return Ok(Some(agent));
        }
        Source::Either(agent) => match ask(&agent, &question, &mut out) {
            Ok(()) => return Ok(Some(agent)),
            Err(Error::Client(ClientError::Refused { status: 403, .. } | ClientError::Absent { .. })) => {}
            Err(Error::Client(ClientError::Refused { status: 429 | 503, message })) => {
                stderr::say(format_args!("socktrace: {message}; the kernel is asked directly"));
            }
            Err(Error::Client(error @ ClientError::Stranger { .. })) => {
                stderr::say(format_args!("socktrace: {error}: not using it"));
            }
            Err(error) => return Err(error),
        },
    }
    let (paths, context) = (Paths::default(), AnswerContext::default());
    let report = listing::run_round(&question, &Action::List, &paths, &context, None, &mut out);
    ss::say(&question, &report.map_err(Error::Listing)?)?;
    Ok(None)
}

fn ask(agent: &Address, question: &crate::api::sockets::Question, out: &mut impl Write) -> Result<(), Error> {
    let asked_from = netns::current().ok().filter(|&inode| inode != 0);
    let mut reply = Connection::open(agent)?.ask(&Request { question: question.clone(), asked_from })?;
    while reply.next(|bytes| out.write_all(bytes).map_err(Error::Output))? {}
    match reply.into_report() {
        Some(report) => ss::say(question, &report),
        None => Ok(()),
    }
}

/// What an agent's history has of these sockets, oldest first. None if it keeps no history.
pub(super) fn past(
    agent: &Address,
    selection: Selection,
    since: Option<UnixNs>,
    mut take: impl FnMut(Past),
) -> Result<Option<Survey>, Error> {
    let (format, arrangement) = (Format::Json, Arrangement::default());
    let question = Question { selection, since, until: None, after: None, format, arrangement };
    let mut out =
        Lines { rest: Vec::new(), take: |line: &[u8]| Past::from_json(line).into_iter().for_each(&mut take) };
    runtime()?.block_on(async {
        let (survey, mut answer) = match client::history(agent, &question).await {
            Err(ClientError::Refused { status: 404, .. }) => return Ok(None),
            answered => answered?,
        };
        stderr::say_limits(&answer);
        while let Some(piece) = answer.next().await? {
            out.write_all(&piece).map_err(Error::Output)?;
        }
        Ok(Some(survey))
    })
}

/// Whole lines, however they come.
struct Lines<F> {
    rest: Vec<u8>,
    take: F,
}

impl<F: FnMut(&[u8])> Write for Lines<F> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        for piece in bytes.split_inclusive(|&byte| byte == b'\n') {
            match (piece.strip_suffix(b"\n"), self.rest.is_empty()) {
                (Some(line), true) => (self.take)(line),
                (Some(end), false) => {
                    self.rest.extend_from_slice(end);
                    (self.take)(&self.rest);
                    self.rest.clear();
                }
                (None, _) => self.rest.extend_from_slice(piece),
            }
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_whole_however_they_come() {
        let mut lines = Vec::new();
        let mut out = Lines { rest: Vec::new(), take: |line: &[u8]| lines.push(line.to_vec()) };
        for piece in ["a", "b\nc\n", "", "d", "\n", "\ne"] {
            out.write_all(piece.as_bytes()).unwrap();
        }
        let expected: [&[u8]; 4] = [b"ab", b"c", b"d", b""];
        assert_eq!(lines, expected);
    }
}

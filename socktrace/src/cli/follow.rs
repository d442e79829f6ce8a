//! `socktrace history --follow`: what closes after the answer, in the order in which the agent records it.
//!
//! The agent numbers its records, so that each question goes on where the answer before it ended: nothing is missed that is
//! recorded late, and nothing comes twice.
//!
//! I/O: stdout, signals, the clock.

use super::error::Error;
use super::{output, stderr};
use crate::api::history::{Question, Survey};
use crate::client::address::Address;
use crate::client::{self, ClientError};
use crate::runtime::shutdown::Shutdown;
use std::io::{self, Write as _};
use std::pin::pin;
use std::time::Duration;

/// How long until the agent is asked again.
const EVERY: Duration = Duration::from_millis(200);

/// Goes on from that record number until interrupted, or until nobody reads.
pub(super) async fn follow(agent: &Address, question: Question, next: u64) -> Result<(), Error> {
    let mut shutdown = Shutdown::listen().map_err(|error| Error::Io("catch signals", error))?;
    let mut reader_gone = pin!(output::reader_gone());
    let mut question = Question { since: None, after: Some(next), ..question };
    loop {
        tokio::select! {
            () = tokio::time::sleep(EVERY) => {}
            () = &mut reader_gone => return Ok(()),
            () = shutdown.asked() => return Ok(()),
        }
        let (survey, mut answer) = match client::history(agent, &question).await {
            Ok(answered) => answered,
            // Others have it do too much.
            Err(ClientError::Refused { status: 429 | 503, .. }) => continue,
            Err(error) => return Err(error.into()),
        };
        say(&survey);
        while let Some(piece) = answer.next().await? {
            let mut out = io::stdout();
            out.write_all(&piece).and_then(|()| out.flush()).map_err(Error::Output)?;
        }
        question.after = Some(survey.next);
    }
}

/// What is missing between this answer and the one before.
fn say(survey: &Survey) {
    let Survey { lost, evicted, .. } = survey;
    if *lost > 0 {
        stderr::say(format_args!(
            "socktrace: records lost in the kernel's buffer: {lost}; closed sockets may be missing"
        ));
    }
    if *evicted > 0 {
        stderr::say(format_args!(
            "socktrace: {evicted} records made room for others before they could be shown"
        ));
    }
}

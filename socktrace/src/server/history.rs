//! `/v1/history`: closed sockets.
//!
//! I/O: the agent's files of them, on a thread of its own. The answer is sent while it is made.

use super::Client;
use super::refusal::Refusal;
use super::reply::{accept, limits, warnings};
use super::work::{Pieces, begin, body, pieces};
use crate::api::SURVEY;
use crate::api::history::{Question, ahead};
use crate::api::selection::{Format, NDJSON, TEXT_ANSWER};
use crate::archive::log::Log;
use crate::runtime::closed::Resolved;
use crate::runtime::closed::answer::{self, Overview};
use crate::runtime::interest::names;
use crate::runtime::request::Asker;
use crate::runtime::stop::Stop;
use crate::runtime::time;
use crate::server::rights;
use crate::socket::Viewer;
use axum::extract::{Extension, RawQuery, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, HeaderName, StatusCode};
use axum::response::{IntoResponse, Response};
use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::sync::oneshot;

pub(super) async fn history(
    State(asker): State<Asker>,
    Extension(client): Extension<Client>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    let asking = Question::from_request(accept(&headers), &query.unwrap_or_default(), time::parse)
        .map_err(Refusal::bad)?;
    if let Some(at) = asking.since.filter(|&at| at > time::now()) {
        return Err(Refusal::bad(ahead(at)));
    }
    let kind = match asking.format {
        Format::Json => NDJSON,
        Format::Lines { .. } => TEXT_ANSWER,
    };
    let viewer = client.viewer;
    let room = client.account.room();
    let (sender, pieces) = pieces();
    let (surveyed, survey) = oneshot::channel();
    // The history is asked for by the work itself: whoever waits for a permit keeps nothing of it meanwhile.
    let work = move |stop: &Stop| {
        let kept = AtomicUsize::new(0);
        let memory = |bytes| match viewer.is_limited() {
            true => room.take(bytes),
            false => kept.fetch_add(bytes, Ordering::Relaxed) + bytes <= MAX_KEPT,
        };
        let asked = ask(&asker, asking, viewer, stop);
        let found = asked.as_ref().map_err(Refusal::clone).and_then(|asked| {
            let found = answer::find(&asked.log, &asked.question, &asked.overview, stop, &memory);
            Ok((asked.head()?, found.map_err(|error| refusal(&error))?, asked))
        });
        let (head, found) = match found {
            Ok((head, found, asked)) => (Ok(head), Some((found, asked))),
            Err(refusal) => (Err(refusal), None),
        };
        match (surveyed.send(head), found) {
            (Ok(()), Some((found, asked))) => found.write(&asked.log, stop, &mut Pieces::new(sender, stop)),
            // The client has gone, or has been told why not.
            (Ok(()) | Err(_), _) => Ok(()),
        }
    };
    let mut job = begin(&client, work).await?;
    let (survey, said) = match survey.await {
        Ok(head) => head?,
        Err(_) => return Err(job.result().await.err().unwrap_or_else(Refusal::too_long)),
    };
    let head = [(CONTENT_TYPE, kind), (HeaderName::from_static(SURVEY), survey.as_str())];
    Ok((limits(viewer), warnings(&said), head, body(pieces, job)).into_response())
}

/// Bytes of lines that are kept for root and the group to be put in order.
const MAX_KEPT: usize = 256 << 20;

fn refusal(error: &io::Error) -> Refusal {
    if error.kind() != io::ErrorKind::OutOfMemory {
        return Refusal::too_long();
    }
    let said = "these are too many to keep for another order: ask for fewer (--since, --top, a filter)";
    Refusal(StatusCode::SERVICE_UNAVAILABLE, said.to_owned())
}

/// What is asked, of what, and what is to be known beside the answer.
struct Asked {
    log: Log,
    question: Resolved,
    overview: Overview,
}

fn ask(asker: &Asker, asking: Question, viewer: Viewer, stop: &Stop) -> Result<Asked, Refusal> {
    // A filter may hold names whose look-up takes time.
    let names = names(viewer, stop);
    let question =
        Resolved::new(asking, viewer, &names).map_err(|error| Refusal::selection(&error, viewer))?;
    if let Some(why) = rights::refused_events(viewer, &question.interest) {
        return Err(Refusal::forbidden(why));
    }
    let none = || Refusal(StatusCode::NOT_FOUND, "no history is kept here".to_owned());
    let log = asker.history()?.ok_or_else(none)?;
    let overview = answer::survey(&log, &question, stop).map_err(|_| Refusal::too_long())?;
    Ok(Asked { log, question, overview })
}

impl Asked {
    /// The survey, and what of the question matches nothing.
    fn head(&self) -> Result<(String, Vec<String>), Refusal> {
        let survey = serde_json::to_string(&self.overview.survey).map(ascii).map_err(Refusal::failed)?;
        Ok((survey, self.question.warnings.clone()))
    }
}

/// A header takes ASCII only: JSON can say everything else in it.
fn ascii(json: String) -> String {
    let mut ascii = String::with_capacity(json.len());
    for char in json.chars() {
        match char {
            ' '..='~' => ascii.push(char),
            _ => {
                let mut units = [0; 2];
                for unit in char.encode_utf16(&mut units) {
                    ascii.push_str(&format!("\\u{unit:04x}"));
                }
            }
        }
    }
    ascii
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_stays_what_it_is_in_ascii() {
        for text in ["plain", "dä/𝄞\n", "\u{7f}\"\\"] {
            let json = serde_json::to_string(text).unwrap();
            let header = ascii(json);
            assert!(header.bytes().all(|byte| (b' '..=b'~').contains(&byte)), "{header}");
            assert_eq!(serde_json::from_str::<String>(&header).unwrap(), text);
        }
    }
}

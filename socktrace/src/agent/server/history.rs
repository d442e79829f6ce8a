//! `/v1/history`: closed sockets.
//!
//! I/O: the agent's files of them, on a thread of its own. The answer is sent while it is made; a reader who does not
//! take it holds up nothing but that thread.

use super::routes::{Refusal, accept, limits};
use super::sockets::{PIECES, Pieces};
use super::turns::Turn;
use crate::agent::client::SURVEY;
use crate::agent::history::answer;
use crate::agent::history::question::Asking;
use crate::agent::request::Asker;
use crate::agent::selection::{Format, NDJSON, TEXT};
use crate::socket::Viewer;
use axum::body::Body;
use axum::extract::{Extension, RawQuery, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, HeaderName, StatusCode};
use axum::response::{IntoResponse, Response};
use std::convert::Infallible;
use tokio::sync::{mpsc, oneshot};

pub(super) async fn history(
    State(asker): State<Asker>,
    Extension(viewer): Extension<Viewer>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    let asking = Asking::from_request(accept(&headers), &query.unwrap_or_default()).map_err(Refusal::bad)?;
    let kind = match asking.format {
        Format::Json => NDJSON,
        Format::Lines { .. } => TEXT,
    };
    // A filter may hold names whose look-up takes time.
    let question = tokio::task::spawn_blocking(move || asking.meaning(viewer))
        .await
        .map_err(Refusal::failed)?
        .map_err(Refusal::bad)?;
    // First the turn: whoever waits for one keeps nothing of the history meanwhile.
    let turn = Turn::of(viewer).await;
    let Some(log) = asker.history().await? else {
        return Err(Refusal(StatusCode::NOT_FOUND, "no history is kept here".to_owned()));
    };
    let (sender, pieces) = mpsc::channel(PIECES);
    let (tell, told) = oneshot::channel();
    tokio::task::spawn_blocking(move || {
        let survey = answer::survey(&log, &question);
        let json = serde_json::to_string(&survey).map(ascii);
        if tell.send(json).is_ok() {
            // An error means that the reader has gone.
            let _ = answer::write(&log, &question, &survey, &mut Pieces::new(sender));
        }
        drop(turn);
    });
    let survey = told.await.map_err(Refusal::failed)?.map_err(Refusal::failed)?;
    let pieces = futures_util::stream::unfold(pieces, |mut pieces| async {
        pieces.recv().await.map(|piece| (Ok::<_, Infallible>(piece), pieces))
    });
    let head = [(CONTENT_TYPE, kind), (HeaderName::from_static(SURVEY), survey.as_str())];
    Ok((limits(viewer), head, Body::from_stream(pieces)).into_response())
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

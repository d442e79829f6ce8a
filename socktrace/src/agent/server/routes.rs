//! What can be asked, and how answers are written.

use super::sockets::sockets;
use crate::agent::request::{Asker, Ending};
use crate::agent::selection::{Format, NDJSON, Selection, TEXT};
use axum::Router;
use axum::body::Body;
use axum::extract::{RawQuery, State};
use axum::http::header::{ACCEPT, CONTENT_TYPE};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use std::convert::Infallible;

const PATHS: &str = "there are /v1/events, /v1/sockets, /v1/status and /v1/table\n";

/// The API, answered by the task at the other end of `asker`.
pub fn router(asker: Asker) -> Router {
    Router::new()
        .route("/v1/events", get(events))
        .route("/v1/sockets", get(sockets))
        .route("/v1/status", get(status))
        .route("/v1/table", get(table))
        .fallback(async || (StatusCode::NOT_FOUND, PATHS))
        .with_state(asker)
}

/// Why a request is refused; answered in one line of text.
#[derive(Debug)]
pub(super) struct Refusal(pub(super) StatusCode, pub(super) String);

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        (self.0, format!("{}\n", self.1)).into_response()
    }
}

impl Refusal {
    /// The request is wrong.
    pub(super) fn bad(error: impl std::fmt::Display) -> Self {
        Self(StatusCode::BAD_REQUEST, error.to_string())
    }

    /// The agent could not do it.
    pub(super) fn failed(error: impl std::fmt::Display) -> Self {
        Self(StatusCode::INTERNAL_SERVER_ERROR, error.to_string())
    }
}

impl From<Ending> for Refusal {
    fn from(ending: Ending) -> Self {
        Self(StatusCode::SERVICE_UNAVAILABLE, ending.to_string())
    }
}

async fn events(
    State(asker): State<Asker>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    let query = query.unwrap_or_default();
    let selection = Selection::from_query(&query).map_err(Refusal::bad)?;
    let format = Format::from_request(accept(&headers), &query).map_err(Refusal::bad)?;
    let count = selection.count;
    // A filter may hold names whose look-up takes time.
    let interest = tokio::task::spawn_blocking(move || crate::agent::interest::interest(&selection))
        .await
        .map_err(Refusal::failed)?
        .map_err(Refusal::bad)?;
    let stream = asker.events(interest, format, count).await?;
    let pieces = futures_util::stream::unfold(stream, |mut stream| async {
        stream.next().await.map(|piece| (Ok::<_, Infallible>(piece), stream))
    });
    let kind = match format {
        Format::Json => NDJSON,
        Format::Lines { .. } => TEXT,
    };
    Ok(([(CONTENT_TYPE, kind)], Body::from_stream(pieces)).into_response())
}

async fn status(State(asker): State<Asker>) -> Result<Response, Refusal> {
    let status = asker.status().await?;
    let mut json = serde_json::to_vec(&status).map_err(Refusal::failed)?;
    json.push(b'\n');
    Ok(([(CONTENT_TYPE, "application/json")], json).into_response())
}

async fn table(State(asker): State<Asker>) -> Result<Response, Refusal> {
    let pieces = futures_util::stream::iter(asker.table().await?.into_iter().map(Ok::<_, Infallible>));
    Ok(([(CONTENT_TYPE, NDJSON)], Body::from_stream(pieces)).into_response())
}

fn accept(headers: &HeaderMap) -> &str {
    headers.get(ACCEPT).and_then(|accept| accept.to_str().ok()).unwrap_or_default()
}

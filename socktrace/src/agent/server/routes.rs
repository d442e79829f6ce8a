//! What can be asked, and how answers are written.

use super::history::history;
use super::refusal::Refusal;
use super::sockets::sockets;
use super::table::table;
use super::{Client, work};
use crate::agent::budget::Resource;
use crate::agent::client;
use crate::agent::interest::{SelectionError, Told, interest, judge, names};
use crate::agent::request::Asker;
use crate::agent::rights;
use crate::agent::selection::{Format, NDJSON, Selection, TEXT};
use crate::agent::sink::Subscription;
use crate::agent::stop::Stop;
use crate::render::event_line::Columns;
use crate::socket::Viewer;
use axum::Router;
use axum::body::Body;
use axum::extract::{Extension, RawQuery, State};
use axum::http::header::{ACCEPT, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use std::convert::Infallible;

const PATHS: &str = "there are /v1/events, /v1/history, /v1/sockets, /v1/status and /v1/table\n";

/// The API, answered by the task at the other end of `asker`. Each request carries the [`Client`] that its answer is
/// made for.
pub(super) fn router(asker: Asker) -> Router {
    Router::new()
        .route("/v1/events", get(events))
        .route("/v1/history", get(history))
        .route("/v1/sockets", get(sockets))
        .route("/v1/status", get(status))
        .route("/v1/table", get(table))
        .fallback(async || (StatusCode::NOT_FOUND, PATHS))
        .with_state(asker)
}

/// Who asks, in the words of a header of the answer, where they see less than others.
pub(super) const LIMITED: HeaderName = HeaderName::from_static(client::LIMITED);

/// The header that says what is not shown to them, if something is.
pub(super) fn limits(viewer: Viewer) -> HeaderMap {
    let said = rights::limits(viewer).map(HeaderValue::from_static);
    said.map(|said| (LIMITED, said)).into_iter().collect()
}

/// The header that says what of a question matches nothing although the rest can, if something does.
pub(super) fn warnings(warnings: &[String]) -> HeaderMap {
    let said = HeaderValue::from_bytes(warnings.join("; ").as_bytes()).ok();
    let header =
        said.filter(|_| !warnings.is_empty()).map(|said| (HeaderName::from_static(client::WARNINGS), said));
    header.into_iter().collect()
}

async fn events(
    State(asker): State<Asker>,
    Extension(client): Extension<Client>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    let viewer = client.viewer;
    let query = query.unwrap_or_default();
    let selection = Selection::from_query(&query).map_err(Refusal::bad)?;
    let format = Format::from_request(accept(&headers), &query, Columns::default()).map_err(Refusal::bad)?;
    let count = selection.count;
    // A filter may hold names whose look-up takes time.
    let meaning = move |stop: &Stop| {
        let interest = interest(&selection, viewer, &names(viewer, stop))?;
        let warnings = judge(&selection, &interest, Told::Live)?;
        Ok::<_, SelectionError>((interest, warnings))
    };
    let meaning = work::begin(&client, meaning).await?.result().await?;
    let (interest, warnings) = meaning.map_err(|error| Refusal::selection(&error, viewer))?;
    if let Some(why) = rights::refused_events(viewer, &interest) {
        return Err(Refusal::forbidden(why));
    }
    let (cost, most) = (interest.cost(), client.account.most().one_filter);
    if cost > most {
        let said =
            format!("this filter is too long: an ordinary user's may have {most} predicates and patterns");
        return Err(Refusal::bad(said));
    }
    let share = client.account.take(Resource::FilterCost, cost)?;
    let room = client.account.room();
    let stream = asker.events(Subscription { interest, format, count, room }).await?;
    let pieces = futures_util::stream::unfold((stream, share), |(mut stream, share)| async {
        stream.next().await.map(|piece| (Ok::<_, Infallible>(piece), (stream, share)))
    });
    let kind = match format {
        Format::Json => NDJSON,
        Format::Lines { .. } => TEXT,
    };
    let head = [(CONTENT_TYPE, kind)];
    Ok((limits(viewer), self::warnings(&warnings), head, Body::from_stream(pieces)).into_response())
}

async fn status(
    State(asker): State<Asker>,
    Extension(client): Extension<Client>,
) -> Result<Response, Refusal> {
    let viewer = client.viewer;
    let status = asker.status().await?.as_seen_by(viewer);
    let mut json = serde_json::to_vec(&status).map_err(Refusal::failed)?;
    json.push(b'\n');
    Ok((limits(viewer), [(CONTENT_TYPE, "application/json")], json).into_response())
}

pub(super) fn accept(headers: &HeaderMap) -> &str {
    headers.get(ACCEPT).and_then(|accept| accept.to_str().ok()).unwrap_or_default()
}

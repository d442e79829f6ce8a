//! What can be asked, and how answers are written.

use super::Client;
use super::events::events;
use super::history::history;
use super::refusal::Refusal;
use super::reply::limits;
use super::sockets::sockets;
use super::table::table;
use crate::api::status::as_seen_by;
use crate::runtime::request::Asker;
use axum::Router;
use axum::extract::{Extension, State};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use axum::routing::get;

const PATHS: &str =
    "there are /v1/events, /v1/history, /v1/openapi.json, /v1/sockets, /v1/status and /v1/table\n";

/// What can be asked and what is answered, for programs: made from the types of socktrace-api.
const OPENAPI: &str = include_str!("../../../docs/schema/openapi.json");

/// The API, answered by the task at the other end of `asker`. Each request carries the [`Client`] that its answer is
/// made for.
pub(super) fn router(asker: Asker) -> Router {
    Router::new()
        .route("/v1/events", get(events))
        .route("/v1/history", get(history))
        .route("/v1/openapi.json", get(async || ([(CONTENT_TYPE, "application/json")], OPENAPI)))
        .route("/v1/sockets", get(sockets))
        .route("/v1/status", get(status))
        .route("/v1/table", get(table))
        .fallback(async || (StatusCode::NOT_FOUND, PATHS))
        .with_state(asker)
}

async fn status(
    State(asker): State<Asker>,
    Extension(client): Extension<Client>,
) -> Result<Response, Refusal> {
    let viewer = client.viewer;
    let status = as_seen_by(asker.status().await?, viewer);
    let mut json = serde_json::to_vec(&status).map_err(Refusal::failed)?;
    json.push(b'\n');
    Ok((limits(viewer), [(CONTENT_TYPE, "application/json")], json).into_response())
}

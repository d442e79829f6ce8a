//! `/v1/events`: the live stream.

use super::refusal::Refusal;
use super::reply::{accept, limits};
use super::{Client, reply, rights, work};
use crate::api::columns::Columns;
use crate::api::selection::{Format, NDJSON, Selection, TEXT_ANSWER};
use crate::runtime::budget::Resource;
use crate::runtime::interest::{SelectionError, Told, interest, judge, names};
use crate::runtime::request::Asker;
use crate::runtime::stop::Stop;
use axum::body::Body;
use axum::extract::{Extension, RawQuery, State};
use axum::http::HeaderMap;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use std::convert::Infallible;

pub(super) async fn events(
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
    let stream = asker.lines(interest, format, count, room).await?;
    let pieces = futures_util::stream::unfold((stream, share), |(mut stream, share)| async {
        stream.next().await.map(|piece| (Ok::<_, Infallible>(piece), (stream, share)))
    });
    let kind = match format {
        Format::Json => NDJSON,
        Format::Lines { .. } => TEXT_ANSWER,
    };
    let head = [(CONTENT_TYPE, kind)];
    Ok((limits(viewer), reply::warnings(&warnings), head, Body::from_stream(pieces)).into_response())
}

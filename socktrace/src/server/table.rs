//! `/v1/table`: the agent's table as it is.
//!
//! The task that owns the table says which sockets there are, and then what is known of some of them at a time; so an
//! answer takes it no long turn, and takes no more memory than a client reads.

use super::Client;
use super::refusal::Refusal;
use super::reply::limits;
use super::work::{Pieces, begin, body, pieces};
use crate::api::selection::NDJSON;
use crate::kernel::owners::Sight;
use crate::listing::Paths;
use crate::render::event_json;
use crate::runtime::request::{Asker, PART};
use crate::runtime::stop::Stop;
use crate::runtime::time;
use crate::socket::Viewer;
use axum::extract::{Extension, State};
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use std::io::{self, Write as _};

pub(super) async fn table(
    State(asker): State<Asker>,
    Extension(client): Extension<Client>,
) -> Result<Response, Refusal> {
    let (sender, pieces) = pieces();
    let viewer = client.viewer;
    let work = move |stop: &Stop| write(&asker, viewer, &mut Pieces::new(sender, stop));
    let job = begin(&client, work).await?;
    Ok((limits(viewer), [(CONTENT_TYPE, NDJSON)], body(pieces, job)).into_response())
}

/// Writes every socket that a listing would show.
fn write(asker: &Asker, viewer: Viewer, out: &mut Pieces) -> io::Result<()> {
    let clock = time::clock(0);
    let sight = Sight::new(viewer, Paths::default().proc);
    let mut lines = Vec::new();
    for part in asker.cookies(viewer).map_err(io::Error::other)?.chunks(PART) {
        for mut subject in asker.subjects(part.to_vec()).map_err(io::Error::other)? {
            let owner = sight.owner(subject.owner, subject.uid);
            viewer.redact(&mut subject);
            subject.owner = owner;
            event_json::encode_socket(&subject, &clock, &mut lines);
        }
        out.write_all(&lines)?;
        lines.clear();
    }
    out.flush()
}

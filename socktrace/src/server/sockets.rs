//! `/v1/sockets`: sockets as ss lists them.
//!
//! I/O: the kernel, through `listing`, on a thread of its own. The answer is sent while it is made; a reader who
//! does not take it holds up nothing but that thread.

use super::Client;
use super::refusal::Refusal;
use super::reply::accept;
use super::work::{Job, Pieces, begin, pieces};
use crate::api::REPORT;
use crate::api::report::Report;
use crate::api::selection::{NDJSON, TEXT_ANSWER};
use crate::api::sockets::{Format, Question, Request};
use crate::kernel::capabilities::{self, CapabilityError};
use crate::kernel::netns::{self, NetnsError};
use crate::kernel::owners::Sight;
use crate::listing::names::Stopped;
use crate::listing::{self, AnswerContext, Paths};
use crate::runtime::request::Asker;
use crate::runtime::stop::Stop;
use crate::runtime::time;
use crate::server::rights;
use crate::socket::{NetnsId, Viewer};
use axum::body::Body;
use axum::extract::{Extension, RawQuery, State};
use axum::http::header::{CONTENT_TYPE, TRAILER};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures_util::{Stream, StreamExt as _};
use http_body_util::StreamBody;
use hyper::body::Frame;
use std::convert::Infallible;
use std::io::{self, Write as _};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, OnceLock};
use tokio::sync::mpsc;

/// So many rows ask one by one who opened them.
const FEW: u32 = 8;

/// Why a listing was not made.
#[derive(Debug, thiserror::Error)]
enum ListingError {
    #[error(transparent)]
    Listing(#[from] listing::Error),
    #[error(transparent)]
    Namespace(#[from] NetnsError),
    #[error(transparent)]
    Capability(#[from] CapabilityError),
    #[error("there is no network namespace {0} any more")]
    NoNamespace(NetnsId),
}

pub(super) async fn sockets(
    State(asker): State<Asker>,
    Extension(client): Extension<Client>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    let request = Request::from_request(accept(&headers), &query.unwrap_or_default());
    let Request { question, asked_from } = request.map_err(Refusal::bad)?;
    let place = rights::place(client.viewer, asked_from, &question.netns).map_err(Refusal::forbidden)?;
    if let Some(why) = rights::refused(client.viewer, &question) {
        return Err(Refusal::forbidden(why));
    }
    let kind = match question.format {
        Format::Text { .. } => TEXT_ANSWER,
        Format::Json => NDJSON,
    };
    let (sender, mut pieces) = pieces();
    let made = Listing { asker, client: client.clone(), place };
    let work = move |stop: &Stop| {
        let mut out = Pieces::new(sender, stop);
        let report = made.list(&question, stop, &mut out)?;
        out.flush().map_err(listing::Error::Output)?;
        Ok(report)
    };
    let mut listing = begin(&client, work).await?;
    // An error that comes before the first piece is an answer; one that comes later breaks the answer off.
    let body = match pieces.recv().await {
        Some(first) => Body::new(StreamBody::new(frames(first, pieces, listing))),
        None => {
            let report = listing.result().await?.map_err(|error| refusal(error, client.viewer))?;
            let last = Ok::<_, Infallible>(trailers(&report));
            Body::new(StreamBody::new(futures_util::stream::iter([last])))
        }
    };
    Ok(([(CONTENT_TYPE, kind), (TRAILER, REPORT)], body).into_response())
}

fn refusal(error: ListingError, viewer: Viewer) -> Refusal {
    match error {
        ListingError::Listing(ref wrong @ listing::Error::Filter { ref error, .. }) => {
            Refusal::filter(wrong, error, viewer)
        }
        ListingError::Listing(error) if error.is_usage() => Refusal::bad(error),
        // The words are right, as they are where the kernel is asked directly.
        ListingError::Listing(error @ listing::Error::Nothing(_)) => Refusal::none(error),
        ListingError::Listing(listing::Error::Stopped) => Refusal::too_long(),
        ListingError::Listing(listing::Error::Output(error)) if error.kind() == io::ErrorKind::TimedOut => {
            Refusal::too_long()
        }
        ListingError::Listing(error @ listing::Error::TooMuch) => {
            Refusal(StatusCode::SERVICE_UNAVAILABLE, error.to_string())
        }
        ListingError::Listing(error) if error.is_about_nothing() => Refusal::none(error),
        ListingError::Namespace(error) if error.is_none() => Refusal::none(error),
        error @ ListingError::NoNamespace(_) => Refusal::none(error),
        error @ (ListingError::Listing(_) | ListingError::Namespace(_) | ListingError::Capability(_)) => {
            Refusal::failed(error)
        }
    }
}

/// The pieces as they come, and what is to be said beside them.
fn frames(
    first: Bytes,
    pieces: mpsc::Receiver<Bytes>,
    listing: Job<Result<Report, ListingError>>,
) -> impl Stream<Item = io::Result<Frame<Bytes>>> {
    let rest = futures_util::stream::unfold((pieces, Some(listing)), |(mut pieces, mut listing)| async {
        if let Some(piece) = pieces.recv().await {
            return Some((Ok(Frame::data(piece)), (pieces, listing)));
        }
        let last = match listing.take()?.result().await {
            Ok(Ok(report)) => Ok(trailers(&report)),
            Ok(Err(error)) => Err(io::Error::other(error.to_string())),
            Err(Refusal(_, said)) => Err(io::Error::other(said)),
        };
        Some((last, (pieces, None)))
    });
    futures_util::stream::once(async { Ok(Frame::data(first)) }).chain(rest)
}

/// What is to be said beside the answer. HTTP sends it only to those who say that they take trailers.
fn trailers(report: &Report) -> Frame<Bytes> {
    let json = serde_json::to_vec(report).ok().and_then(|json| HeaderValue::from_bytes(&json).ok());
    Frame::trailers(json.map(|json| (HeaderName::from_static(REPORT), json)).into_iter().collect())
}

/// A question, and who asks it.
struct Listing {
    asker: Asker,
    client: Client,
    /// In which network namespace, none for the agent's own.
    place: Option<NetnsId>,
}

impl Listing {
    fn list(&self, question: &Question, stop: &Stop, out: &mut Pieces) -> Result<Report, ListingError> {
        let Self { asker, client: Client { viewer, account }, place } = self;
        let own = netns::current()?;
        let netns = place.unwrap_or(own);
        let (room, lacks_room) = (account.room(), Arc::new(AtomicBool::new(false)));
        let memory = |bytes| {
            let granted = !viewer.is_limited() || room.take(bytes);
            lacks_room.fetch_or(!granted, Ordering::Relaxed);
            granted
        };
        // All at once if there are many rows: a question for each would take longer than the listing.
        let (rows, openers) = (AtomicU32::new(0), OnceLock::new());
        let opener = |cookie| {
            if rows.fetch_add(1, Ordering::Relaxed) < FEW {
                return asker.opener(cookie);
            }
            let all = || Some(asker.openers()).filter(|openers| memory(openers.size())).unwrap_or_default();
            openers.get_or_init(all).get(cookie)
        };
        let namespaces = || asker.namespaces();
        let candidates = |wanted| asker.candidates(wanted, netns);
        let (stop, is_full) = (stop.clone(), lacks_room.clone());
        let stopped: Stopped = Arc::new(move || stop.is_asked() || is_full.load(Ordering::Relaxed));
        let clock = time::clock(0);
        let paths = Paths::default();
        let sight = viewer.is_limited().then(|| Sight::new(*viewer, paths.proc.clone()));
        let context = AnswerContext {
            candidates: Some(&candidates),
            opener: Some(&opener),
            namespaces: Some(&namespaces),
            clock: Some(&clock),
            stopped: Some(&stopped),
            memory: Some(&memory),
            sight: sight.as_ref(),
        };
        let mut run = || {
            if netns == own {
                return Ok(listing::run_with(question, &paths, &context, out)?);
            }
            let mut listed = netns::list(Path::new("/proc")).namespaces.into_iter();
            let listed = listed.find(|listed| listed.id == netns).ok_or(ListingError::NoNamespace(netns))?;
            Ok(listed.run(|| listing::run_with(question, &paths, &context, out))??)
        };
        let answered = if viewer.is_net_admin() { run() } else { capabilities::without_net_admin(run)? };
        match answered {
            Err(ListingError::Listing(listing::Error::Stopped)) if lacks_room.load(Ordering::Relaxed) => {
                Err(listing::Error::TooMuch.into())
            }
            answered => answered,
        }
    }
}

//! `/v1/sockets`: the answer to an ss command line.
//!
//! I/O: the kernel, through `listing`, on a thread of its own. The answer is sent while it is made; a reader who
//! does not take it holds up nothing but that thread.

use super::Client;
use super::refusal::Refusal;
use super::reply::accept;
use super::work::{Job, Pieces, begin, pieces};
use crate::api::REPORT;
use crate::api::parameters::{BadParameter, parameters};
use crate::api::report::Report;
use crate::api::selection::{NDJSON, TEXT, prefers_text};
use crate::kernel::capabilities::{self, CapabilityError};
use crate::kernel::netns::{self, NetnsError};
use crate::kernel::owners::Sight;
use crate::listing::names::Stopped;
use crate::listing::options::{Action, Format, NetnsChoice, Options};
use crate::listing::words::{self, Asked, Question};
use crate::listing::{self, Hints, Places};
use crate::render::ss::Screen;
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

/// A request, read.
#[derive(Debug, PartialEq)]
struct Asking {
    words: Vec<String>,
    netns: Option<NetnsId>,
    screen: Option<Screen>,
}

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
    let asking = Asking::from_query(&query.unwrap_or_default()).map_err(Refusal::bad)?;
    let options = asking.options(prefers_text(accept(&headers)))?;
    let place = rights::place(client.viewer, asking.netns, &options.netns).map_err(Refusal::forbidden)?;
    if let Some(why) = rights::refused(client.viewer, &options) {
        return Err(Refusal::forbidden(why));
    }
    let kind = match options.format {
        Format::Text { .. } => TEXT,
        Format::Json => NDJSON,
    };
    let (sender, mut pieces) = pieces();
    let made = Listing { asker, client: client.clone(), place };
    let work = move |stop: &Stop| {
        let mut out = Pieces::new(sender, stop);
        let report = made.list(&options, stop, &mut out)?;
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
        ListingError::Listing(listing::Error::Stopped) => Refusal::too_long(),
        ListingError::Listing(listing::Error::Output(error)) if error.kind() == io::ErrorKind::TimedOut => {
            Refusal::too_long()
        }
        ListingError::Listing(error @ listing::Error::TooMuch) => {
            Refusal(StatusCode::SERVICE_UNAVAILABLE, error.to_string())
        }
        error => Refusal::failed(error),
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

impl Asking {
    fn from_query(query: &str) -> Result<Self, BadParameter> {
        let mut asking = Self { words: Vec::new(), netns: None, screen: None };
        for parameter in parameters(query)? {
            match &*parameter.key {
                "arg" => asking.words.push(parameter.value.into_owned()),
                "netns" => asking.netns = Some(parameter.parse("expected an inode number")?),
                "columns" => asking.screen = Screen::of(parameter.number(1..=Screen::MAX)?),
                _ => return Err(parameter.bad("expected arg, netns, columns")),
            }
        }
        Ok(asking)
    }

    /// What the words mean, as far as an agent may do it for others.
    fn options(&self, text: bool) -> Result<Options, Refusal> {
        let question = match words::parse(&self.words, self.screen).map_err(Refusal::bad)? {
            Asked::Question(question) => *question,
            Asked::Help | Asked::Version => return Err(Refusal::bad("ask ss itself for that")),
        };
        let Question { mut options, filter_file, direct: _, agent: _, every } = question;
        if !text {
            options.format = Format::Json;
        }
        // An agent has rights that who asks may not have: it tells, and it does nothing for anybody.
        let refused = match (&options.action, &filter_file, &options.netns) {
            (Action::Kill { .. }, ..) => "an agent closes no sockets",
            (Action::Dump(_), ..) => "an agent writes no files",
            (Action::Events, ..) => "an agent tells of closed sockets by /v1/events",
            _ if every.is_some() => "an agent answers once: ask again",
            (_, Some(_), _) => "an agent reads no filter files",
            (_, _, NetnsChoice::One(name)) if name.contains('/') => {
                "an agent opens no files: name the namespace"
            }
            (Action::List | Action::Nothing, None, _) => return Ok(options),
        };
        Err(Refusal(StatusCode::FORBIDDEN, refused.to_owned()))
    }
}

/// A question, and who asks it.
struct Listing {
    asker: Asker,
    client: Client,
    /// In which network namespace, none for the agent's own.
    place: Option<NetnsId>,
}

impl Listing {
    fn list(&self, options: &Options, stop: &Stop, out: &mut Pieces) -> Result<Report, ListingError> {
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
        let candidates = |wanted| asker.candidates(wanted, netns);
        let (stop, is_full) = (stop.clone(), lacks_room.clone());
        let stopped: Stopped = Arc::new(move || stop.is_asked() || is_full.load(Ordering::Relaxed));
        let clock = time::clock(0);
        let places = Places::default();
        let sight = viewer.is_limited().then(|| Sight::new(*viewer, places.proc.clone()));
        let hints = Hints {
            candidates: Some(&candidates),
            opener: Some(&opener),
            clock: Some(&clock),
            stopped: Some(&stopped),
            memory: Some(&memory),
            sight: sight.as_ref(),
        };
        let mut run = || {
            if netns == own {
                return Ok(listing::run_with(options, &places, &hints, out)?);
            }
            let mut listed = netns::list(Path::new("/proc")).namespaces.into_iter();
            let listed = listed.find(|listed| listed.id == netns).ok_or(ListingError::NoNamespace(netns))?;
            Ok(listed.run(|| listing::run_with(options, &places, &hints, out))??)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked() {
        let asking = Asking::from_query("arg=-tln&arg=sport+%3D+%3A22&netns=7&columns=80").unwrap();
        let words = ["-tln", "sport = :22"].map(str::to_owned).to_vec();
        assert_eq!(asking, Asking { words, netns: Some(7), screen: Screen::of(80) });
        for (query, expected) in [
            ("netns=here", "netns=here: expected an inode number"),
            ("columns=-1", "columns=-1: expected a number, 1 to 10000"),
            ("columns=18446744073709551615", "columns=18446744073709551615: expected a number, 1 to 10000"),
            ("columns=300000000", "columns=300000000: expected a number, 1 to 10000"),
            ("netns=4294967296", "netns=4294967296: expected an inode number"),
            ("args=-t", "args=-t: expected arg, netns, columns"),
        ] {
            assert_eq!(Asking::from_query(query).unwrap_err().to_string(), expected);
        }
    }

    #[test]
    fn what_an_agent_does_for_nobody() {
        for (query, status) in [
            ("arg=-t&arg=-K", 403),
            ("arg=-E", 403),
            ("arg=-t&arg=-c&arg=1", 403),
            ("arg=-D&arg=/tmp/x", 403),
            ("arg=-F&arg=/etc/shadow", 403),
            ("arg=-N&arg=/proc/1/ns/net", 403),
            ("arg=--no-such-option", 400),
            ("arg=-h", 400),
        ] {
            let refusal = Asking::from_query(query).unwrap().options(true).unwrap_err();
            assert_eq!(refusal.0, status, "{query}: {}", refusal.1);
        }
    }
}

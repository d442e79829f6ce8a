//! Why a request is refused: a status, and a line of text.

use crate::api::reason::reason;
use crate::query::ParseError;
use crate::runtime::budget::Over;
use crate::runtime::interest::{SelectionError, without_names};
use crate::runtime::request::{Ending, NoStream};
use crate::socket::Viewer;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use std::io;

/// Why a request is refused; answered in one line of text.
#[derive(Debug, Clone)]
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

    /// What is asked for is not there.
    pub(super) fn none(error: impl std::fmt::Display) -> Self {
        Self(StatusCode::NOT_FOUND, error.to_string())
    }

    /// Not for them.
    pub(super) fn forbidden(why: &str) -> Self {
        Self(StatusCode::FORBIDDEN, why.to_owned())
    }

    /// There is no thread for it.
    pub(super) fn no_thread(error: &io::Error) -> Self {
        let said = format!("the agent cannot have one more thread: {}", reason(error));
        Self(StatusCode::SERVICE_UNAVAILABLE, said)
    }

    /// Its answer took too long.
    pub(super) fn too_long() -> Self {
        let said =
            "this takes longer than an answer to an ordinary user may take: ask for less, with a filter";
        Self(StatusCode::SERVICE_UNAVAILABLE, said.to_owned())
    }

    /// The choice of sockets or events is wrong, as that viewer may ask.
    pub(super) fn selection(error: &SelectionError, viewer: Viewer) -> Self {
        match error {
            SelectionError::Filter { error: of_filter, .. } => Self::filter(error, of_filter, viewer),
            SelectionError::Word { .. } | SelectionError::Column(_) | SelectionError::Never(_) => {
                Self::bad(error)
            }
        }
    }

    /// A filter is wrong, as that viewer may ask.
    pub(super) fn filter(error: &impl std::fmt::Display, of_filter: &ParseError, viewer: Viewer) -> Self {
        match without_names(of_filter).filter(|_| viewer.is_limited()) {
            Some(advice) => Self::bad(format_args!("{error}\n{advice}")),
            None => Self::bad(error),
        }
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

impl From<NoStream> for Refusal {
    fn from(none: NoStream) -> Self {
        Self(StatusCode::SERVICE_UNAVAILABLE, none.to_string())
    }
}

impl From<Over> for Refusal {
    fn from(over: Over) -> Self {
        let status = match over {
            // Theirs to change.
            Over::User { .. } => StatusCode::TOO_MANY_REQUESTS,
            Over::Users { .. } | Over::Own { .. } | Over::Busy { .. } => StatusCode::SERVICE_UNAVAILABLE,
        };
        Self(status, over.to_string())
    }
}

//! Asking a running agent: HTTP/1.1 over its Unix socket.
//!
//! I/O: one connection for each question. Small on purpose: a query through the agent is a few milliseconds in
//! all, program start included.

pub mod address;
mod error;
pub mod sockets;

pub use error::ClientError;

use crate::api::history::{Question, Survey};
use crate::api::selection::{Format, Selection};
use crate::api::status::Status;
use crate::api::{LIMITED, SURVEY};
use crate::client::address::Address;
use bytes::Bytes;
use http_body_util::{BodyExt as _, Empty};
use hyper::body::Incoming;
use hyper::header::{ACCEPT, HOST};
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use std::path::{Path, PathBuf};
use tokio::net::UnixStream;

/// An answer as it arrives.
#[derive(Debug)]
pub struct Answer {
    body: Incoming,
    /// What came in the head, of an answer about closed sockets.
    survey: Vec<u8>,
    path: PathBuf,
    limits: Option<String>,
}

impl Answer {
    /// What it does not show, because of who asked.
    #[must_use]
    pub fn limits(&self) -> Option<&str> {
        self.limits.as_deref()
    }

    /// The next piece, nothing at the end.
    ///
    /// # Errors
    /// The agent went away in the middle.
    pub async fn next(&mut self) -> Result<Option<Bytes>, ClientError> {
        loop {
            match self.body.frame().await {
                None => return Ok(None),
                Some(Err(error)) => return Err(broken(&self.path, error)),
                Some(Ok(frame)) => {
                    // A frame that is no data is a trailer, which we do not send.
                    if let Ok(data) = frame.into_data() {
                        return Ok(Some(data));
                    }
                }
            }
        }
    }

    /// All of it.
    ///
    /// # Errors
    /// The agent went away in the middle.
    pub async fn all(mut self) -> Result<Vec<u8>, ClientError> {
        let mut all = Vec::new();
        while let Some(piece) = self.next().await? {
            all.extend_from_slice(&piece);
        }
        Ok(all)
    }
}

/// The live stream, in the given format.
///
/// # Errors
/// See [`ClientError`].
pub async fn events(
    agent: impl Into<Address>,
    selection: &Selection,
    format: Format,
) -> Result<Answer, ClientError> {
    let (look, accept) = format.to_query();
    get(&agent.into(), &format!("/v1/events?{}&{look}", selection.to_query()), accept).await
}

/// Closed sockets, and what is to be known beside them.
///
/// # Errors
/// See [`ClientError`].
pub async fn history(
    agent: impl Into<Address>,
    question: &Question,
) -> Result<(Survey, Answer), ClientError> {
    let agent = agent.into();
    let (query, accept) = question.to_query();
    let answer = get(&agent, &format!("/v1/history?{query}"), accept).await?;
    let survey = serde_json::from_slice(&answer.survey).map_err(|error| broken(&agent.path, error))?;
    Ok((survey, answer))
}

/// How the agent is doing.
///
/// # Errors
/// See [`ClientError`].
pub async fn status(agent: impl Into<Address>) -> Result<Status, ClientError> {
    let agent = agent.into();
    let body = get(&agent, "/v1/status", "application/json").await?.all().await?;
    serde_json::from_slice(&body).map_err(|error| broken(&agent.path, error))
}

async fn get(agent: &Address, target: &str, accept: &str) -> Result<Answer, ClientError> {
    let path = &agent.path;
    let absent = |error| ClientError::Absent { path: path.to_owned(), error };
    let stream = UnixStream::connect(path).await.map_err(absent)?;
    agent.check(&stream)?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
        .await
        .map_err(|error| broken(path, error))?;
    // It ends with the answer; what goes wrong in it reaches the answer.
    tokio::spawn(connection);
    let request = Request::get(target)
        .header(HOST, "agent")
        .header(ACCEPT, accept)
        .body(Empty::<Bytes>::new())
        .map_err(|error| broken(path, error))?;
    let response = sender.send_request(request).await.map_err(|error| broken(path, error))?;
    let status = response.status();
    let limits = response.headers().get(LIMITED).and_then(|text| text.to_str().ok()).map(str::to_owned);
    let survey = response.headers().get(SURVEY).map(|value| value.as_bytes().to_vec()).unwrap_or_default();
    let answer = Answer { body: response.into_body(), survey, path: path.clone(), limits };
    if status == StatusCode::OK {
        return Ok(answer);
    }
    let message = String::from_utf8_lossy(&answer.all().await?).trim_end().to_owned();
    Err(ClientError::Refused { status: status.as_u16(), message })
}

fn broken(path: &Path, error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> ClientError {
    ClientError::Broken { path: path.to_owned(), error: error.into() }
}

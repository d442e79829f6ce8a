//! Asking a running agent what ss would be asked, without an event loop: that would cost time, and have sockets of
//! its own that a listing shows.
//!
//! I/O: one connection for each question.

use super::ClientError;
use super::address::Address;
use crate::api::REPORT;
use crate::api::report::Report;
use crate::api::sockets::Request;
use httparse::{EMPTY_HEADER, Header, Response, Status, parse_chunk_size, parse_headers};
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

/// Bytes that are read together.
const PIECE: usize = 64 * 1024;
/// The most that the head of an answer, its trailers or one line of it may have, bytes.
const HEAD: u64 = 64 * 1024;
/// The most headers, or trailers.
const HEADERS: usize = 32;

/// A connection to an agent.
#[derive(Debug)]
pub struct Connection {
    stream: UnixStream,
    path: PathBuf,
}

/// An answer as it arrives.
#[derive(Debug)]
pub struct Reply {
    stream: BufReader<UnixStream>,
    path: PathBuf,
    /// What is left of the piece that is being read, bytes; none at the end.
    left: Option<u64>,
    report: Option<Report>,
}

impl Connection {
    /// Connects.
    ///
    /// # Errors
    /// Nobody listens there, or somebody who is not to be believed.
    pub fn open(agent: impl Into<Address>) -> Result<Self, ClientError> {
        let agent = agent.into();
        let absent = |error| ClientError::Absent { path: agent.path.clone(), error };
        let stream = UnixStream::connect(&agent.path).map_err(absent)?;
        agent.check(&stream)?;
        Ok(Self { stream, path: agent.path })
    }

    /// Asks.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub fn ask(self, request: &Request) -> Result<Reply, ClientError> {
        let Self { stream, path } = self;
        let answered = || -> io::Result<(BufReader<UnixStream>, Head)> {
            // An agent that has no place for us may have said so, and closed, before we ask.
            let asked = (&stream).write_all(head(request).as_bytes());
            let mut stream = BufReader::with_capacity(PIECE, stream.try_clone()?);
            let head = Head::read(&mut stream);
            Ok((stream, head.map_err(|error| asked.err().unwrap_or(error))?))
        };
        let (stream, head) = answered().map_err(|error| broken(&path, error))?;
        let mut reply = Reply { stream, path, left: Some(0), report: None };
        match (head.status, head.length) {
            (200, None) => return Ok(reply),
            // Only what we say ourselves has a known length.
            (200, Some(0)) => reply.left = None,
            (_, Some(length)) => {
                let mut message = String::new();
                let read = reply.stream.by_ref().take(length.min(HEAD)).read_to_string(&mut message);
                read.map_err(|error| broken(&reply.path, error))?;
                let message = message.trim_end().to_owned();
                return Err(ClientError::Refused { status: head.status, message });
            }
            (_, None) => return Err(broken(&reply.path, malformed())),
        }
        Ok(reply)
    }
}

impl Reply {
    /// Hands on the next bytes; false at the end.
    ///
    /// # Errors
    /// The agent went away in the middle, or `take` failed.
    pub fn next<E: From<ClientError>>(
        &mut self,
        take: impl FnOnce(&[u8]) -> Result<(), E>,
    ) -> Result<bool, E> {
        if self.left == Some(0) {
            self.begin_piece().map_err(|error| broken(&self.path, error))?;
        }
        let Some(left) = self.left else { return Ok(false) };
        let bytes = self.stream.fill_buf().map_err(|error| broken(&self.path, error))?;
        let count = bytes.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        if count == 0 {
            return Err(broken(&self.path, io::ErrorKind::UnexpectedEof.into()).into());
        }
        take(bytes.get(..count).unwrap_or_default())?;
        self.stream.consume(count);
        self.left = Some(left - count as u64);
        if left == count as u64 {
            // A piece ends in an empty line.
            line(&mut self.stream).map_err(|error| broken(&self.path, error))?;
        }
        Ok(true)
    }

    /// What is to be said beside the answer; known at its end.
    #[must_use]
    pub fn into_report(self) -> Option<Report> {
        self.report
    }

    /// The length of the next piece; behind the last one come the trailers.
    fn begin_piece(&mut self) -> io::Result<()> {
        let size = line(&mut self.stream)?;
        let length = match parse_chunk_size(&size) {
            Ok(Status::Complete((_, length))) => length,
            Ok(Status::Partial) | Err(_) => return Err(malformed()),
        };
        self.left = Some(length).filter(|&length| length > 0);
        if length == 0 {
            let text = block(&mut self.stream)?;
            let mut headers = [EMPTY_HEADER; HEADERS];
            if let Ok(Status::Complete((_, headers))) = parse_headers(&text, &mut headers) {
                self.report = header(headers, REPORT).and_then(|json| serde_json::from_slice(json).ok());
            }
        }
        Ok(())
    }
}

/// The head of a request, which is all of it.
fn head(request: &Request) -> String {
    let (query, accept) = request.to_query();
    format!(
        "GET /v1/sockets?{query} HTTP/1.1\r\nhost: agent\r\nte: trailers\r\nconnection: close\r\naccept: {accept}\r\n\r\n"
    )
}

/// What the head of an answer says.
struct Head {
    status: u16,
    /// Of the body, bytes; none if it comes in pieces.
    length: Option<u64>,
}

impl Head {
    fn read(stream: &mut BufReader<UnixStream>) -> io::Result<Self> {
        let text = block(stream)?;
        let mut headers = [EMPTY_HEADER; HEADERS];
        let mut response = Response::new(&mut headers);
        match response.parse(&text) {
            Ok(Status::Complete(_)) => {}
            Ok(Status::Partial) | Err(_) => return Err(malformed()),
        }
        let chunked = header(response.headers, "transfer-encoding").is_some_and(|value| value == b"chunked");
        let length = header(response.headers, "content-length");
        let length = length.and_then(|value| std::str::from_utf8(value).ok()?.parse().ok());
        match (response.code, chunked, length) {
            (Some(status), true, None) => Ok(Self { status, length: None }),
            (Some(status), false, Some(length)) => Ok(Self { status, length: Some(length) }),
            (Some(_), true, Some(_)) | (Some(_), false, None) | (None, ..) => Err(malformed()),
        }
    }
}

fn header<'a>(headers: &[Header<'a>], name: &str) -> Option<&'a [u8]> {
    headers.iter().find(|header| header.name.eq_ignore_ascii_case(name)).map(|header| header.value)
}

/// Lines up to an empty one, which is the last.
fn block(stream: &mut BufReader<UnixStream>) -> io::Result<Vec<u8>> {
    let mut block = Vec::new();
    while (block.len() as u64) < HEAD {
        let line = line(stream)?;
        block.extend_from_slice(&line);
        if line == b"\r\n" {
            return Ok(block);
        }
    }
    Err(malformed())
}

fn line(stream: &mut BufReader<UnixStream>) -> io::Result<Vec<u8>> {
    let mut line = Vec::new();
    stream.take(HEAD).read_until(b'\n', &mut line)?;
    if line.ends_with(b"\n") { Ok(line) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
}

fn malformed() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "malformed HTTP response")
}

fn broken(path: &Path, error: io::Error) -> ClientError {
    ClientError::Broken { path: path.to_owned(), error: error.into() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::net::UnixListener;

    /// What becomes of that answer: the body, or why there is none.
    fn reply(answer: &str) -> Result<(String, Option<Report>), String> {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("agent.sock");
        let listener = UnixListener::bind(&path).unwrap();
        let connection = Connection::open(&path).unwrap();
        let (mut agent, _) = listener.accept().unwrap();
        agent.write_all(answer.as_bytes()).unwrap();
        // The request must not meet a closed connection.
        agent.shutdown(std::net::Shutdown::Write).unwrap();
        let asked = "tables=tcp&filter=sport+%3D+%3A1&asked_from=7&width=80";
        let asked = Request::from_request("text/plain", asked).unwrap();
        let read = || -> Result<_, ClientError> {
            let mut reply = connection.ask(&asked)?;
            let mut body = Vec::new();
            while reply.next(|bytes| {
                body.extend_from_slice(bytes);
                Ok::<_, ClientError>(())
            })? {}
            Ok((String::from_utf8(body).unwrap(), reply.into_report()))
        };
        let read = read().map_err(|error| error.to_string().replace(path.to_str().unwrap(), "PATH"));
        let mut request = String::new();
        agent.read_to_string(&mut request).unwrap();
        assert!(request.starts_with("GET /v1/sockets?tables=tcp&"), "{request}");
        read
    }

    #[test]
    fn answers_and_what_is_none() {
        let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
        let eof = "lost the agent on PATH: unexpected end of file";
        let strange = "lost the agent on PATH: malformed HTTP response";
        for (answer, expected) in [
            (format!("{chunked}3\r\none\r\n4\r\n two\r\n0\r\n\r\n"), Ok("one two")),
            (format!("{chunked}0\r\n\r\n"), Ok("")),
            ("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n".into(), Ok("")),
            ("HTTP/1.1 400 Bad Request\r\ncontent-length: 4\r\n\r\nno!\n".into(), Err("no!")),
            (format!("{chunked}3\r\none\r\n"), Err(eof)),
            (format!("{chunked}9\r\none"), Err(eof)),
            (format!("{chunked}x\r\none"), Err(strange)),
            ("HTTP/1.1 200 OK\r\n\r\n".into(), Err(strange)),
            ("220 smtp.example\r\n\r\n".into(), Err(strange)),
            ("HTTP/1.1 200".into(), Err(eof)),
            (format!("HTTP/1.1 200 OK\r\nx: {}", "y".repeat(70_000)), Err(eof)),
            (String::new(), Err(eof)),
        ] {
            let got = reply(&answer);
            let got = got.as_ref().map(|(body, _)| body.as_str()).map_err(String::as_str);
            assert_eq!(got, expected, "{answer:.80}");
        }
    }

    #[test]
    fn what_is_to_be_said_beside_the_answer_comes_behind_it() {
        let report = Report { rows: 3, unowned: 2, missing: vec!["sctp".into()], ..Report::default() };
        let json = serde_json::to_string(&report).unwrap();
        let answer = format!(
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n{REPORT}: {json}\r\n\r\n"
        );
        assert_eq!(reply(&answer), Ok(("ok".into(), Some(report))));
    }
}

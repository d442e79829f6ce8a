//! Somebody who asks an agent by plain HTTP: a process of that user, which is this test binary.

use crate::agent::Agent;
use socktrace::api::sockets::{Format, Request};
use socktrace::listing::action::Action;
use socktrace::listing::words::{self, Asked};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt as _;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

pub(super) const TEXT: &str = "text/plain";
pub(super) const JSON: &str = "application/x-ndjson";

pub(super) struct Asker {
    child: Child,
    questions: ChildStdin,
    answers: BufReader<ChildStdout>,
}

pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) body: String,
}

impl Asker {
    pub(super) fn new(agent: &Agent, uid: u32) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--ignored", "--exact", "shown::matrix::ask::asks", "--nocapture"])
            .env("ASK_PATH", agent.path())
            .uid(uid)
            .gid(uid)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (questions, answers) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        Self { child, questions, answers: BufReader::new(answers) }
    }

    /// Asks `/v1/sockets` with these words, which are separated by blanks.
    pub(super) fn ask(&mut self, kind: &str, words: &str) -> Answer {
        self.get(kind, &target(kind, words).expect(words))
    }

    /// The answer for a target.
    pub(super) fn get(&mut self, kind: &str, target: &str) -> Answer {
        writeln!(self.questions, "{kind} {target}").unwrap();
        let mut line = String::new();
        // The test harness says before what it runs.
        while !line.starts_with("@ ") {
            line.clear();
            assert_ne!(self.answers.read_line(&mut line).unwrap(), 0, "the asker ended");
            if let Some(at) = line.find("@ ") {
                line.drain(..at);
            }
        }
        let mut numbers = line[2..].split_whitespace().map(|word| word.parse::<usize>().unwrap());
        let (status, length) = (numbers.next().unwrap(), numbers.next().unwrap());
        let mut body = vec![0; length];
        self.answers.read_exact(&mut body).unwrap();
        Answer { status: status as u16, body: String::from_utf8(body).unwrap() }
    }
}

impl Drop for Asker {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What an agent is asked for these words of ss; none for what cannot be asked of one.
pub(super) fn target(kind: &str, words: &str) -> Option<String> {
    let words: Vec<String> = words.split_whitespace().map(str::to_owned).collect();
    let Asked::Command(command) = words::parse(&words, None).unwrap() else { return None };
    let words::Command { mut question, action: Action::List, filter_file: None, every: None, .. } = *command
    else {
        return None;
    };
    if kind == JSON {
        question.format = Format::Json;
        question.columns.clear();
    }
    let (query, accept) = Request { question, asked_from: None }.to_query();
    assert_eq!(accept, kind);
    Some(format!("/v1/sockets?{query}"))
}

#[test]
#[ignore = "not a test: who asks as another user"]
fn asks() {
    let Some(path) = std::env::var_os("ASK_PATH") else { return };
    for line in std::io::stdin().lines() {
        let line = line.unwrap();
        let (kind, target) = line.split_once(' ').unwrap();
        let mut stream = UnixStream::connect(&path).unwrap();
        write!(stream, "GET {target} HTTP/1.0\r\nAccept: {kind}\r\n\r\n").unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        let end = answer.windows(4).position(|it| it == b"\r\n\r\n").unwrap();
        let status = std::str::from_utf8(&answer[9..12]).unwrap();
        let body = &answer[end + 4..];
        let mut out = std::io::stdout().lock();
        writeln!(out, "@ {status} {}", body.len()).unwrap();
        out.write_all(body).unwrap();
        out.flush().unwrap();
    }
}

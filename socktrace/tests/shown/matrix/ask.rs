//! Somebody who asks an agent by plain HTTP: a process of that user, which is this test binary.

use crate::agent::Agent;
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
        let words =
            words.split(' ').filter(|word| !word.is_empty()).map(|word| format!("arg={}", encoded(word)));
        self.get(kind, &format!("/v1/sockets?{}", words.collect::<Vec<_>>().join("&")))
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

fn encoded(word: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.*".contains(&byte);
    word.bytes()
        .map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
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

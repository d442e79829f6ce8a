//! A crowd: five hundred clients at the same time, who all get what they asked for.

use super::Agent;
use crate::support::actor::Actor;
use crate::support::{may_trace, wait_for};
use httparse::{Status, parse_chunk_size};
use serde_json::Value;
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::os::unix::net::UnixStream;
use std::path::Path;

/// One of them.
struct Client(UnixStream);

impl Client {
    /// Connects and asks; the answer can wait.
    fn ask(path: &Path, target: &str) -> Self {
        let mut stream = UnixStream::connect(path).unwrap();
        let head = "HTTP/1.1\r\nhost: agent\r\nte: trailers\r\nconnection: close";
        write!(stream, "GET {target} {head}\r\n\r\n").unwrap();
        Self(stream)
    }

    /// The lines of the answer, which must be a good one, and whole.
    fn answer(mut self) -> Vec<Value> {
        let mut answer = String::new();
        self.0.read_to_string(&mut answer).unwrap();
        let (head, rest) = answer.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
        let body = match length {
            Some(length) => rest.get(..length.parse().unwrap()).expect("all that was announced").to_owned(),
            None => joined(rest),
        };
        body.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

/// What comes in pieces; the last one must be there, and the trailers behind it.
fn joined(mut pieces: &str) -> String {
    let mut body = String::new();
    loop {
        let Ok(Status::Complete((start, length))) = parse_chunk_size(pieces.as_bytes()) else {
            panic!("no piece: {pieces:?}");
        };
        if length == 0 {
            assert!(pieces.ends_with("\r\n\r\n"), "{pieces:?}");
            return body;
        }
        let end = start + usize::try_from(length).unwrap();
        body.push_str(&pieces[start..end]);
        pieces = pieces[end..].strip_prefix("\r\n").expect("the end of a piece");
    }
}

/// What is asked, by turns: each kind of question that there is.
struct Questions {
    /// Where we listen, in order.
    ports: Vec<u16>,
}

impl Questions {
    const KINDS: usize = 6;
    /// Which of them waits for something to happen.
    const EVENTS: usize = 4;

    fn target(&self, number: usize) -> String {
        let (first, last) = (self.ports.first().unwrap(), self.ports.last().unwrap());
        match number % Self::KINDS {
            0 => format!("/v1/sockets?tables=tcp&states=listening&filter=sport+%3D+:{}", self.one(number)),
            1 => format!("/v1/sockets?tables=tcp&states=listening&filter=sport+%3D+{first}-{last}"),
            2 => "/v1/status".to_owned(),
            3 => "/v1/table".to_owned(),
            Self::EVENTS => "/v1/events?kinds=listen&count=1&comm=the-crowd".to_owned(),
            5 => "/v1/history?since=1h".to_owned(),
            _ => unreachable!(),
        }
    }

    fn one(&self, number: usize) -> u16 {
        self.ports[number % self.ports.len()]
    }

    /// That the answer is right.
    fn check(&self, number: usize, lines: &[Value]) {
        let ours = || {
            let port = |line: &Value| u16::try_from(line["local_port"].as_u64()?).ok();
            let mut ports: Vec<u16> = lines
                .iter()
                .filter(|line| line["state"] == "LISTEN")
                .filter_map(port)
                .filter(|port| self.ports.contains(port))
                .collect();
            ports.sort_unstable();
            ports
        };
        match number % Self::KINDS {
            0 => assert_eq!((ours(), lines.len()), (vec![self.one(number)], 1)),
            1 | 3 => assert_eq!(ours(), self.ports, "{number}"),
            2 => assert!(lines.len() == 1 && lines[0]["sockets"].as_u64() >= Some(40), "{lines:?}"),
            Self::EVENTS => {
                // On a busy machine records are lost, which is told and is not counted.
                let (event, told) = lines.split_last().expect("an event");
                assert!(event["event"] == "listen" && event["comm"] == "the-crowd", "{lines:?}");
                assert!(told.iter().all(|line| ["lost", "resync"].map(Value::from).contains(&line["event"])));
            }
            5 => assert!(lines.iter().all(|line| line["ts"].is_string())),
            _ => unreachable!(),
        }
    }
}

#[test]
fn five_hundred_clients_at_once_are_answered() {
    if !may_trace("five_hundred_clients_at_once_are_answered") {
        return;
    }
    let agent = Agent::start(&[]);
    let listeners: Vec<_> = (0..40).map(|_| TcpListener::bind("127.0.0.1:0").unwrap()).collect();
    let mut ports: Vec<_> = listeners.iter().map(|listener| listener.local_addr().unwrap().port()).collect();
    ports.sort_unstable();
    let questions = Questions { ports };
    let descriptors = || std::fs::read_dir(format!("/proc/{}/fd", agent.process.pid())).unwrap().count();
    // What the first question of a kind opens for all that follow it.
    for number in (0..Questions::KINDS).filter(|&number| number != Questions::EVENTS) {
        questions.check(number, &Client::ask(&agent.path, &questions.target(number)).answer());
    }
    let before = descriptors();

    let crowd: Vec<_> = (0..500).map(|number| Client::ask(&agent.path, &questions.target(number))).collect();
    // Nobody has read anything yet: the next one need not wait for them.
    questions.check(2, &Client::ask(&agent.path, &questions.target(2)).answer());
    let (waiting, others): (Vec<_>, Vec<_>) =
        crowd.into_iter().enumerate().partition(|(number, _)| number % Questions::KINDS == Questions::EVENTS);
    let mut answered = 0;
    let mut read = |(number, client): (usize, Client)| {
        questions.check(number, &client.answer());
        answered += 1;
    };
    others.into_iter().for_each(&mut read);
    // Those who wait for an event are told one.
    let mut crowd = Actor::alone("the-crowd");
    crowd.does("listen 127.0.0.1");
    waiting.into_iter().for_each(&mut read);
    assert_eq!(answered, 500);
    wait_for("the end of what was opened for them", || (descriptors() <= before).then_some(()));
}

//! Every command of docs/tour.md and docs/questions.md, on a stage with servers and their clients: it prints what the
//! document shows, but for numbers. `SOCKTRACE_BLESS=1` writes what it prints into the document.

mod questions;

use crate::agent::Agent;
use crate::support::actor::Actor;
use crate::support::run::Running;
use crate::support::{in_own_netns, may_trace};
use std::path::Path;
use std::process::{Command, Stdio};

/// Three programs: a server, a client that stays, and a database whose client does not read what it is sent.
struct Stage {
    nginx: Actor,
    curl: Actor,
    postgres: Actor,
}

impl Stage {
    fn set() -> Self {
        let mut stage = Self {
            nginx: Actor::here_as("nginx", 0),
            curl: Actor::here_as("curl", 0),
            postgres: Actor::here_as("postgres", 0),
        };
        stage.nginx.does("listen 127.0.0.1 8080");
        stage.postgres.does("listen 127.0.0.1 5432");
        // One that has ended, and one whose client closed with data unread.
        stage.request();
        stage.nginx.does("connect 127.0.0.1 5432");
        stage.postgres.does("accept");
        stage.postgres.does("write 0 5000");
        stage.curl.does("connect 127.0.0.1 8080");
        stage.nginx.does("accept");
        stage.nginx.does("write 1 100000");
        stage.curl.does("read 0 1");
        stage.curl.does("close 0");
        stage.nginx.does("close 1");
        // Two that stay.
        for id in [1, 2] {
            stage.curl.does("connect 127.0.0.1 8080");
            stage.nginx.does("accept");
            stage.nginx.does(&format!("write {id} {}", 4000 * id));
            stage.curl.does(&format!("read {} {}", id - 1, 4000 * id));
        }
        stage
    }

    /// A whole request of curl's.
    fn request(&mut self) {
        let mut curl = Actor::here_as("curl", 0);
        curl.does("connect 127.0.0.1 8080");
        self.nginx.does("accept");
        let stream = self.nginx.does("last-stream");
        curl.does("write 0 78");
        self.nginx.does(&format!("read {stream} 78"));
        self.nginx.does(&format!("write {stream} 615"));
        curl.does("read 0 615");
        curl.does("close 0");
        self.nginx.does(&format!("close {stream}"));
        // Nobody listens there.
        curl.does("connect 127.0.0.1 1");
    }
}

/// Numbers, with their units, times and addresses, become `#`: what differs from one time to the next.
fn shape(text: &str) -> Vec<String> {
    let line = |line: &str| {
        let mut shape = String::new();
        let mut chars = line.chars().peekable();
        while let Some(c) = chars.next() {
            if !c.is_ascii_digit() {
                shape.push(c);
                continue;
            }
            while chars.next_if(|c| c.is_ascii_digit() || ".:-/".contains(*c)).is_some() {}
            for unit in ["T", "Z", "u", "n", "m", "s", "h", "k", "K", "M", "B"] {
                let _ = chars.next_if(|c| unit.starts_with(*c));
            }
            shape.push('#');
        }
        shape.split_whitespace().map(|word| word.replace("##", "#")).collect::<Vec<_>>().join(" ")
    };
    // ss lists in the order of the kernel's hash.
    let mut lines: Vec<String> = text.lines().map(line).collect();
    lines.sort();
    lines
}

/// The command, about the stage alone: what else happens on the machine is not shown to `ss` in the stage's network
/// namespace, but to `events` and `history`. `sudo` is left out, since tests are root.
fn on_stage(command: &str, netns: u64) -> String {
    let command = command.strip_prefix("sudo ").unwrap_or(command);
    match command.strip_suffix('\'') {
        _ if ["socktrace ss ", "socktrace who ", "socktrace problems "]
            .iter()
            .any(|own| command.starts_with(own)) =>
        {
            command.to_owned()
        }
        Some(filtered) => format!("{filtered} and netns = {netns}'"),
        None => format!("{command} 'netns = {netns}'"),
    }
}

/// What the command prints. `happens` is what events report.
fn prints(command: &str, agent: &Agent, netns: u64, happens: &mut dyn FnMut()) -> String {
    let folder = Path::new(env!("CARGO_BIN_EXE_socktrace")).parent().unwrap();
    let path = format!("{}:{}", folder.display(), std::env::var("PATH").unwrap());
    let mut shell = Command::new("sh");
    shell.args(["-c", &on_stage(command, netns)]).stdin(Stdio::null());
    shell.env("PATH", path).env("SOCKTRACE_SOCKET", &agent.path).env("TZ", "UTC").env_remove("NO_COLOR");
    if command.contains("socktrace events") {
        let events = Running::spawn(&mut shell);
        events.says("socktrace: tracing");
        happens();
        return std::iter::from_fn(|| events.line()).map(|line| line + "\n").collect();
    }
    let output = shell.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    // The agent of the test is young.
    let fine = said.lines().all(|line| line.starts_with("socktrace: history starts at "));
    // Problems have an exit status of their own.
    let done =
        matches!((output.status.code(), command.contains(" problems ")), (Some(0), _) | (Some(3 | 4), true));
    assert!(done && fine, "{command}: {said}");
    String::from_utf8(output.stdout).unwrap()
}

/// Every command of a document prints what it shows; how many they are.
fn check(document: &str, agent: &Agent, netns: u64, happens: &mut dyn FnMut()) -> usize {
    let path = format!("{}/../docs/{document}", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(&path).unwrap();
    let bless = std::env::var_os("SOCKTRACE_BLESS").is_some();
    let mut commands = 0;
    let mut blessed = String::new();
    for (index, block) in text.split("```").enumerate() {
        let Some((command, shown)) = block.strip_prefix("console\n$ ").and_then(|it| it.split_once('\n'))
        else {
            blessed += if index == 0 { "" } else { "```" };
            blessed += block;
            continue;
        };
        commands += 1;
        let printed = prints(command, agent, netns, happens);
        blessed += &format!("```console\n$ {command}\n{printed}");
        if !bless {
            assert_eq!(shape(shown), shape(&printed), "{command}\n{shown}\n{printed}");
        }
    }
    if bless {
        std::fs::write(path, blessed).unwrap();
    }
    commands
}

#[test]
fn every_command_of_the_tour_prints_what_the_document_shows() {
    if !may_trace("every_command_of_the_tour_prints_what_the_document_shows") {
        return;
    }
    in_own_netns(|| {
        let (agent, mut stage) = (Agent::start(&[]), Stage::set());
        let netns = stage.nginx.netns();
        assert_eq!(check("tour.md", &agent, netns, &mut || stage.request()), 10, "ten jobs");
    });
}

#[test]
fn only_numbers_may_differ() {
    for (one, other, same) in [
        ("a 12.3ms b", "a 4us b", true),
        ("rtt 28us min 12us", "rtt 1.2ms min 9us", true),
        ("sent 2.0kB/6", "sent 18B/14", true),
        ("127.0.0.1:8080 x", "127.0.0.1:9 x", true),
        ("local first", "peer first", false),
        ("a\nb 1", "b 2\na", true),
        ("a\nb", "a", false),
    ] {
        assert_eq!(shape(one) == shape(other), same, "{one:?} {other:?}");
    }
}

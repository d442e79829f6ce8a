//! `socktrace agent`, with real sockets.

mod answers;
mod churn;
mod clock;
mod compare;
mod crowd;
mod devices;
mod doors;
mod history;
mod life;
mod narrow;
mod order;
mod privileges;
pub(crate) mod rights;
mod robust;
mod strangers;
mod vanished;
mod wishes;

use crate::support::actor::Actor;
use crate::support::may_be_missing;
use crate::support::run::{Running, run};
use crate::support::schema::Lines;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// How agents are started: the usual one, and one that becomes another user. What strangers can do is tried on both.
pub(crate) const AGENTS: [&[&str]; 2] = [&[], &["--user", "daemon"]];

/// An agent on a socket of its own.
pub(crate) struct Agent {
    process: Running,
    pub(crate) path: PathBuf,
    _directory: tempfile::TempDir,
}

impl Agent {
    pub(crate) fn start(options: &[&str]) -> Self {
        let directory = folder();
        let path = directory.path().join("agent.sock");
        let process = Self::start_on(&path, options);
        Self { process, path, _directory: directory }
    }

    /// Starts that program, which may have any name, as an agent.
    pub(crate) fn called(program: &Path) -> Self {
        use std::os::unix::process::CommandExt as _;
        let directory = folder();
        let path = directory.path().join("agent.sock");
        let mut command = Command::new(program);
        command.arg0("socktrace").args(["agent", "--socket", path.to_str().unwrap()]).stdin(Stdio::null());
        let process = Running::spawn(&mut command);
        process.says("socktrace: agent ready on ");
        Self { process, path, _directory: directory }
    }

    fn start_on(path: &Path, options: &[&str]) -> Running {
        let mut args = vec!["agent", "--socket", path.to_str().unwrap()];
        args.extend_from_slice(options);
        let process = Running::start(&args);
        let ready = process.says("socktrace: agent ready on ");
        assert!(ready.starts_with(&format!("socktrace: agent ready on {} (", path.display())), "{ready}");
        assert!(ready.ends_with(" sockets)"), "{ready}");
        process
    }

    pub(crate) fn pid(&self) -> u32 {
        self.process.pid()
    }

    pub(crate) fn path(&self) -> &str {
        self.path.to_str().unwrap()
    }

    pub(crate) fn events(&self, options: &[&str]) -> Running {
        let mut args = vec!["--agent", self.path(), "--json"];
        args.extend_from_slice(options);
        Running::events(&args)
    }

    /// Whether it has a hook on that kernel function; with [`may_be_missing`] where it has not.
    pub(crate) fn is_attached_to(&self, function: &str) -> bool {
        let status = self.status();
        let hook = status["hooks"].as_array().unwrap().iter().find(|hook| hook["name"] == function);
        let hook = hook.unwrap_or_else(|| panic!("no hook {function} in {status}"));
        let attached = hook["state"] == "attached";
        if !attached {
            assert!(hook["lost_without"].is_string(), "{hook}");
            may_be_missing(function, hook["reason"].as_str().unwrap());
        }
        attached
    }

    pub(crate) fn status(&self) -> Value {
        let said = run(&["status", "--json", "--agent", self.path()]);
        assert_eq!(said.code, Some(0), "{}", said.stderr);
        serde_json::from_str(&said.stdout).unwrap()
    }
}

/// A folder that everybody may look into.
pub(crate) fn folder() -> tempfile::TempDir {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    folder
}

/// An HTTP request over a Unix socket, by hand.
pub(crate) fn get(path: &Path, target: &str) -> (String, String) {
    try_get(path, target).unwrap()
}

fn try_get(path: &Path, target: &str) -> std::io::Result<(String, String)> {
    use std::io::{Read as _, Write as _};
    let mut stream = std::os::unix::net::UnixStream::connect(path)?;
    write!(stream, "GET {target} HTTP/1.0\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let is_json = head.contains("application/json") || head.contains("application/x-ndjson");
    if let Some(lines) = Lines::of_target(target).filter(|_| is_json && !head.contains("chunked")) {
        lines.check_all(body, false);
    }
    Ok((head.to_owned(), body.to_owned()))
}

/// A server that accepts and a client that connects, so many times, at full speed.
struct Churn {
    server: Actor,
    client: Actor,
}

impl Churn {
    fn begin(count: u32) -> Self {
        let mut server = Actor::alone("churn-server");
        let port = server.does("listen 127.0.0.1");
        let mut client = server.beside("churn-client");
        server.begins(&format!("accept-many {count}"));
        client.begins(&format!("connect-many 127.0.0.1 {port} {count}"));
        Self { server, client }
    }

    fn end(&mut self) {
        assert_eq!(self.client.answer(), "done");
        assert_eq!(self.server.answer(), "done");
    }
}

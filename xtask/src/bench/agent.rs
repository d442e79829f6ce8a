//! An agent of the release build, started for a measurement, and questions to it.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

use super::Bench;

/// A running agent; dropped, it ends.
pub(crate) struct Agent {
    child: Child,
    pub(crate) socket: PathBuf,
    /// From exec to the line that says that it is ready.
    pub(super) ready_ms: f64,
}

impl Agent {
    /// Start one, on one processor if given, and wait until it is ready.
    pub(super) fn start(bench: &Bench, core: Option<usize>) -> Result<Agent> {
        let mut command = match core {
            Some(core) => {
                let mut command = Command::new("taskset");
                command.args(["-c", &core.to_string()]).arg(&bench.socktrace);
                command
            }
            None => Command::new(&bench.socktrace),
        };
        Agent::spawn(&mut command, &[])
    }

    /// One of that program.
    pub(crate) fn of(program: &Path) -> Result<Agent> {
        Agent::spawn(&mut Command::new(program), &[])
    }

    /// One with options, in a session of its own, as a service is.
    pub(super) fn serve(bench: &Bench, options: &[&str]) -> Result<Agent> {
        Agent::spawn(Command::new("setsid").arg(&bench.socktrace), options)
    }

    fn spawn(command: &mut Command, options: &[&str]) -> Result<Agent> {
        let socket = std::env::temp_dir().join(format!("socktrace-bench-{}.sock", std::process::id()));
        command
            .arg("agent")
            .args(options)
            .arg("--socket")
            .arg(&socket)
            .stdin(Stdio::null())
            .stderr(Stdio::piped());
        let begun = Instant::now();
        let mut child = command.spawn().context("cannot start the agent")?;
        let mut said = BufReader::new(child.stderr.take().context("no stderr")?);
        let mut agent = Agent { child, socket, ready_ms: f64::NAN };
        let mut line = String::new();
        loop {
            line.clear();
            if said.read_line(&mut line)? == 0 {
                bail!("the agent ended before it was ready");
            }
            if line.contains("agent ready") {
                break;
            }
            super::load::note(line.trim_end());
        }
        agent.ready_ms = begun.elapsed().as_secs_f64() * 1e3;
        // Read on, or the agent would wait for us once the pipe is full.
        std::thread::spawn(move || std::io::copy(&mut said, &mut std::io::stderr()));
        Ok(agent)
    }

    pub(super) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// A body by HTTP/1.0: no chunks, the end is the end.
    pub(super) fn get(&self, path: &str) -> Result<Vec<u8>> {
        get(&self.socket, path)
    }

    /// A number of `/v1/status`.
    pub(super) fn status(&self, field: &str) -> Result<f64> {
        let status: Value = serde_json::from_slice(&self.get("/v1/status")?)?;
        status.get(field).and_then(Value::as_f64).with_context(|| format!("no {field} in {status}"))
    }

    /// Wait until the agent has seen nothing new for a moment; how many records it has seen.
    pub(super) fn settled(&self) -> Result<f64> {
        let mut seen = self.status("events_seen")?;
        for _ in 0..600 {
            std::thread::sleep(Duration::from_millis(100));
            let now = self.status("events_seen")?;
            if now - seen < 50.0 {
                return Ok(now);
            }
            seen = now;
        }
        bail!("the agent still sees events after a minute without load")
    }

    /// Count the lines of `/v1/events?…` in the background.
    pub(super) fn subscribe(&self, query: &str, core: Option<usize>) -> Result<Subscriber> {
        let lines = request(&self.socket, &format!("/v1/events?{query}"))?;
        let stop = lines.get_ref().try_clone()?;
        let thread = std::thread::spawn(move || {
            if let Some(core) = core {
                super::load::pin(core)?;
            }
            count(lines)
        });
        Ok(Subscriber { stop, thread })
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        if let Ok(pid) = i32::try_from(self.child.id()) {
            let _ = kill(Pid::from_raw(pid), Signal::SIGTERM);
        }
        let _ = self.child.wait();
    }
}

/// What a subscriber received.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Told {
    pub(super) lines: u64,
    /// Events that the agent says this subscriber, or everybody, lost.
    pub(super) lost: u64,
}

/// A reader of events.
pub(super) struct Subscriber {
    stop: UnixStream,
    thread: std::thread::JoinHandle<Result<Told>>,
}

impl Subscriber {
    /// Go away; what was received until then.
    pub(super) fn stop(self) -> Result<Told> {
        self.stop.shutdown(std::net::Shutdown::Both)?;
        self.thread.join().map_err(|_| anyhow::anyhow!("a subscriber died"))?
    }
}

fn count(mut lines: BufReader<UnixStream>) -> Result<Told> {
    let (mut told, mut line) = (Told::default(), Vec::new());
    while lines.read_until(b'\n', &mut line)? > 0 {
        told.lines += 1;
        // The name of the event stands at the beginning, behind the time.
        let begin = line.get(..64).unwrap_or(&line);
        if begin.windows(14).any(|part| part == b"\"event\":\"lost\"") {
            let lost: Value = serde_json::from_slice(&line)?;
            told.lost += lost.get("lost").and_then(Value::as_u64).unwrap_or(1);
        }
        line.clear();
    }
    Ok(told)
}

/// A body by HTTP/1.0.
pub(super) fn get(socket: &Path, path: &str) -> Result<Vec<u8>> {
    let mut body = Vec::new();
    request(socket, path)?.read_to_end(&mut body)?;
    Ok(body)
}

/// Ask, and read the head of the answer.
fn request(socket: &Path, path: &str) -> Result<BufReader<UnixStream>> {
    let mut stream =
        UnixStream::connect(socket).with_context(|| format!("no agent on {}", socket.display()))?;
    write!(stream, "GET {path} HTTP/1.0\r\nHost: agent\r\n\r\n")?;
    let mut answer = BufReader::with_capacity(262_144, stream);
    let mut line = String::new();
    answer.read_line(&mut line)?;
    if !line.contains(" 200 ") {
        bail!("{path}: {}", line.trim_end());
    }
    while line != "\r\n" {
        line.clear();
        answer.read_line(&mut line)?;
    }
    Ok(answer)
}

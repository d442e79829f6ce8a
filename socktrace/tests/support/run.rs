//! Our own binary, run by a test.

use super::schema::Lines;
use super::{patience, wait_for};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use std::io::{BufRead as _, BufReader, Read};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

/// The command line of our binary, with an environment that says nothing.
pub(crate) fn socktrace(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_socktrace"));
    command.args(args).env_remove("SOCKTRACE_SOCKET").env_remove("NO_COLOR").stdin(Stdio::null());
    command
}

/// What a command that ends by itself said.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// Runs a command to its end.
pub(crate) fn run(args: &[&str]) -> Said {
    let output = socktrace(args).output().unwrap();
    let stdout = String::from_utf8(output.stdout).unwrap();
    if let Some((lines, is_array)) = Lines::of_command(args.iter().copied()) {
        lines.check_all(&stdout, is_array);
    }
    Said { code: output.status.code(), stdout, stderr: String::from_utf8(output.stderr).unwrap() }
}

/// Our binary, running. Dropping it kills it.
pub(crate) struct Running {
    child: Child,
    /// What its lines hold, if they are JSON.
    lines: Option<Lines>,
    stdout: Receiver<String>,
    stderr: Receiver<String>,
}

impl Running {
    pub(crate) fn start(args: &[&str]) -> Self {
        Self::spawn(&mut socktrace(args))
    }

    pub(crate) fn spawn(command: &mut Command) -> Self {
        let words: Vec<String> = command.get_args().map(|word| word.to_string_lossy().into_owned()).collect();
        let lines_hold = Lines::of_command(words.iter().map(String::as_str));
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let (stdout, stderr) = (lines(child.stdout.take().unwrap()), lines(child.stderr.take().unwrap()));
        let lines = lines_hold.filter(|(_, is_array)| !is_array).map(|(lines, _)| lines);
        Self { child, lines, stdout, stderr }
    }

    /// Starts `events` with these options and waits until it traces.
    pub(crate) fn events(args: &[&str]) -> Self {
        let mut all = vec!["events"];
        all.extend_from_slice(args);
        let running = Self::start(&all);
        running.says("socktrace: tracing");
        running
    }

    /// Waits for a line on stderr that begins so, and returns it.
    pub(crate) fn says(&self, start: &str) -> String {
        let mut said = Vec::new();
        loop {
            match self.stderr.recv_timeout(patience()) {
                Ok(line) if line.starts_with(start) => return line,
                Ok(line) => said.push(line),
                Err(error) => panic!("did not say {start:?} but {said:?}: {error}"),
            }
        }
    }

    /// A line on stderr that begins so, if it has been said by now. What was said before it is forgotten.
    pub(crate) fn try_says(&self, start: &str) -> Option<String> {
        self.stderr.try_iter().find(|line| line.starts_with(start))
    }

    /// The next line of standard output; none at its end.
    pub(crate) fn line(&self) -> Option<String> {
        self.line_within(patience())
    }

    /// Likewise, of something that may take so long.
    pub(crate) fn line_within(&self, time: Duration) -> Option<String> {
        match self.stdout.recv_timeout(time) {
            Ok(line) => {
                if let Some(lines) = self.lines {
                    lines.check_line(&line);
                }
                Some(line)
            }
            Err(RecvTimeoutError::Disconnected) => None,
            Err(RecvTimeoutError::Timeout) => panic!("no line came"),
        }
    }

    /// The next event that the test is about, whatever else happens on the machine meanwhile.
    pub(crate) fn event(&self, wanted: impl Fn(&Value) -> bool) -> Value {
        let deadline = Instant::now() + 2 * patience();
        let (mut others, mut lost) = (0, 0);
        loop {
            // Somebody else may make more events than fit on such a machine; then they are lost, and told as that.
            assert!(Instant::now() < deadline, "{others} others came, but not the one; lost: {lost}");
            let line = self.line().expect("the stream goes on");
            let event: Value = serde_json::from_str(&line).unwrap();
            if wanted(&event) {
                return event;
            }
            others += 1;
            lost += event["lost"].as_u64().unwrap_or(0);
        }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.child.id() as i32), signal).unwrap();
    }

    /// Waits for its end.
    pub(crate) fn ends(&mut self) -> ExitStatus {
        wait_for("the end of socktrace", || self.child.try_wait().unwrap())
    }

    /// Interrupts it; the rest of its output, and how it ended.
    pub(crate) fn finish(mut self) -> (Vec<String>, ExitStatus) {
        self.signal(Signal::SIGINT);
        let rest = std::iter::from_fn(|| self.line()).collect();
        let status = self.ends();
        (rest, status)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The lines of a pipe, read on a thread so that the writer never waits for the test.
fn lines(pipe: impl Read + Send + 'static) -> Receiver<String> {
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        for line in BufReader::new(pipe).lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                break;
            }
        }
    });
    receiver
}

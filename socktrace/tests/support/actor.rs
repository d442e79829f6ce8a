//! A process of its own that does what it is told to sockets, in a network namespace of its own.
//!
//! It is this very test binary, started again: `act` reads commands, one per line, and answers each with a line
//! that begins with `@`.

use super::{plumbing, raise_loopback, sharing, wait_for};
use nix::sched::{CloneFlags, setns, unshare};
use nix::unistd::{Gid, Uid, setgroups, setresgid, setresuid};
use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::{IpAddr, Shutdown, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd};
use std::os::unix::net::{UnixDatagram, UnixListener, UnixStream};
use std::os::unix::process::CommandExt as _;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

/// An actor, from the side of the test. Dropping it ends it.
pub(crate) struct Actor {
    child: Child,
    commands: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Actor {
    /// Starts one whose process is called `name`, in a new network namespace.
    pub(crate) fn alone(name: &str) -> Self {
        Self::start(name, || unshare(CloneFlags::CLONE_NEWNET), &[("ACTOR_LOOPBACK", "up")])
    }

    /// Starts another in the same namespace.
    pub(crate) fn beside(&self, name: &str) -> Self {
        let netns = File::open(format!("/proc/{}/ns/net", self.pid())).unwrap();
        Self::start(name, move || setns(&netns, CloneFlags::CLONE_NEWNET), &[])
    }

    /// Starts another in the same namespace that finds a listener of this one's process at descriptor 3, as systemd
    /// hands it to the services that it starts.
    pub(crate) fn activated(&self, name: &str, listener: OwnedFd) -> Self {
        let netns = File::open(format!("/proc/{}/ns/net", self.pid())).unwrap();
        let enter = move || {
            setns(&netns, CloneFlags::CLONE_NEWNET)?;
            // SAFETY: descriptor 3 is nobody's yet, or will not be used before exec closes it.
            nix::errno::Errno::result(unsafe { libc::dup2(listener.as_raw_fd(), 3) }).map(drop)
        };
        Self::start(name, enter, &[("ACTOR_LISTENER", "3")])
    }

    /// Starts one in the calling thread's namespace, as that user and of the group of the same number.
    pub(crate) fn here_as(name: &str, uid: u32) -> Self {
        let (user, group) = (Uid::from_raw(uid), Gid::from_raw(uid));
        let become_them = move || {
            setgroups(&[])?;
            setresgid(group, group, group)?;
            setresuid(user, user, user)
        };
        Self::start(name, become_them, &[])
    }

    /// Starts one by a command that runs another one in other namespaces, like nsenter(1), from the calling thread's.
    pub(crate) fn by(name: &str, mut command: Command) -> Self {
        command.arg(std::env::current_exe().unwrap());
        Self::spawn(name, command)
    }

    /// Starts one that runs Python (`actor.py`), in a new network namespace, which it makes itself.
    pub(crate) fn python(name: &str) -> Self {
        let mut command = Command::new("python3");
        let program = concat!(include_str!("../../../xtask/oracle/uring.py"), include_str!("actor.py"));
        command.args(["-u", "-c", program]);
        Self::spawn(name, command)
    }

    /// Runs lines of Python, and returns the answer.
    pub(crate) fn runs(&mut self, lines: &str) -> String {
        self.does(&lines.trim_end().replace('\n', "\x1e"))
    }

    fn start(
        name: &str,
        mut enter: impl FnMut() -> nix::Result<()> + Send + Sync + 'static,
        env: &[(&str, &str)],
    ) -> Self {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.envs(env.iter().copied());
        // SAFETY: between fork and exec only system calls are made.
        unsafe { command.pre_exec(move || enter().map_err(io::Error::from)) };
        Self::spawn(name, command)
    }

    fn spawn(name: &str, mut command: Command) -> Self {
        command
            .args(["--ignored", "--exact", "support::actor::act", "--nocapture"])
            .env("ACTOR_NAME", name)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let (commands, answers) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        let mut actor = Self { child, commands, answers: BufReader::new(answers) };
        assert_eq!(actor.answer(), "ready");
        actor
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The inode of its network namespace.
    pub(crate) fn netns(&self) -> u64 {
        use std::os::unix::fs::MetadataExt as _;
        fs::metadata(format!("/proc/{}/ns/net", self.pid())).unwrap().ino()
    }

    /// Does it and returns the answer.
    pub(crate) fn does(&mut self, command: &str) -> String {
        self.begins(command);
        self.answer()
    }

    /// Begins to do what will take time; [`answer`](Self::answer) waits for its end.
    pub(crate) fn begins(&mut self, command: &str) {
        writeln!(self.commands, "{command}").unwrap();
    }

    /// The answer to the oldest command that has none yet.
    pub(crate) fn answer(&mut self) -> String {
        let mut line = String::new();
        loop {
            line.clear();
            assert_ne!(self.answers.read_line(&mut line).unwrap(), 0, "the actor ended");
            // Before the first answer, the test harness says what it runs.
            if let Some((_, answer)) = line.split_once('@') {
                return answer.trim_end().to_owned();
            }
        }
    }

    /// Waits until a thread of it sleeps in accept(2) or accept4(2).
    pub(crate) fn is_blocked_in_accept(&self) {
        let numbers = [libc::SYS_accept.to_string(), libc::SYS_accept4.to_string()];
        wait_for("blocking in accept", || {
            fs::read_dir(format!("/proc/{}/task", self.pid())).ok()?.find_map(|task| {
                let call = fs::read_to_string(task.ok()?.path().join("syscall")).ok()?;
                numbers.iter().any(|n| call.split(' ').next() == Some(n)).then_some(())
            })
        });
    }
}

impl Drop for Actor {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
#[ignore = "a process that other tests start"]
fn act() {
    let Ok(name) = std::env::var("ACTOR_NAME") else { return };
    if std::env::var_os("ACTOR_LOOPBACK").is_some() {
        raise_loopback();
    }
    // The name of a process is that of its first thread.
    fs::write("/proc/self/comm", name).unwrap();
    let mut stage = Stage::default();
    if std::env::var_os("ACTOR_LISTENER").is_some() {
        // SAFETY: whoever started us put a listener there for us.
        stage.listener = Some(unsafe { TcpListener::from_raw_fd(3) });
    }
    println!("@ready");
    for line in io::stdin().lines() {
        let words: Vec<String> = line.unwrap().split(' ').map(str::to_owned).collect();
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        match stage.act(&words) {
            Ok(answer) => println!("@{answer}"),
            Err(error) => println!("@error {}", error.raw_os_error().unwrap_or(0)),
        }
    }
}

#[derive(Default)]
pub(super) struct Stage {
    pub(super) listener: Option<TcpListener>,
    unix_listener: Option<UnixListener>,
    pub(super) streams: HashMap<u32, Stream>,
    udp: Option<UdpSocket>,
    pub(super) inbox: Option<UnixDatagram>,
    /// Sockets of whatever kind; what is done is done to the last one.
    pub(super) made: Vec<OwnedFd>,
}

pub(super) enum Stream {
    Tcp(TcpStream),
    Unix(UnixStream),
}

impl Stage {
    fn act(&mut self, words: &[&str]) -> io::Result<String> {
        match *words {
            ["listen", addr] => {
                let listener = TcpListener::bind((addr.parse::<IpAddr>().unwrap(), 0))?;
                let port = listener.local_addr()?.port();
                self.listener = Some(listener);
                return Ok(port.to_string());
            }
            ["accept"] => {
                let (stream, peer) = self.listener.as_ref().unwrap().accept()?;
                self.keep(Stream::Tcp(stream));
                return Ok(peer.port().to_string());
            }
            ["connect", addr, port] => {
                let stream = TcpStream::connect(address(addr, port))?;
                let port = stream.local_addr()?.port();
                self.keep(Stream::Tcp(stream));
                return Ok(port.to_string());
            }
            ["write", id, count] => self.write(number(id), number(count) as usize)?,
            ["read", id, count] => self.read(number(id), number(count) as usize)?,
            ["close", id] => drop(self.streams.remove(&number(id))),
            ["close-listener"] => self.listener = None,
            ["accept-many", count] => {
                for _ in 0..number(count) {
                    drop(self.listener.as_ref().unwrap().accept()?);
                }
            }
            ["connect-many", addr, port, count] => {
                for _ in 0..number(count) {
                    let mut stream = TcpStream::connect(address(addr, port))?;
                    // The other side closes first, so that both ends go through every state.
                    stream.shutdown(Shutdown::Write)?;
                    stream.read_to_end(&mut Vec::new())?;
                }
            }
            ["udp-bind", addr] => {
                let socket = UdpSocket::bind((addr.parse::<IpAddr>().unwrap(), 0))?;
                let port = socket.local_addr()?.port();
                self.udp = Some(socket);
                return Ok(port.to_string());
            }
            ["udp-send", addr, port] => drop(self.udp.as_ref().unwrap().send_to(b"x", address(addr, port))?),
            ["udp-connect", addr, port] => self.udp.as_ref().unwrap().connect(address(addr, port))?,
            ["udp-close"] => self.udp = None,
            // In its own pid namespace.
            ["pid"] => return Ok(std::process::id().to_string()),
            ["unix-listen", path] => self.unix_listener = Some(UnixListener::bind(path)?),
            ["unix-accept"] => {
                let (stream, _) = self.unix_listener.as_ref().unwrap().accept()?;
                self.keep(Stream::Unix(stream));
            }
            ["unix-connect", path] => {
                let stream = UnixStream::connect(path)?;
                self.keep(Stream::Unix(stream));
            }
            _ => match plumbing::act(self, words)? {
                Some(answer) => return Ok(answer),
                None => return sharing::act(self, words),
            },
        }
        Ok("done".to_owned())
    }

    /// Streams are numbered from 0 in the order in which they come.
    pub(super) fn keep(&mut self, stream: Stream) {
        let id = (0..).find(|id| !self.streams.contains_key(id)).unwrap();
        self.streams.insert(id, stream);
    }

    fn write(&mut self, id: u32, count: usize) -> io::Result<()> {
        let bytes = vec![b'x'; count];
        match self.streams.get_mut(&id).unwrap() {
            Stream::Tcp(stream) => stream.write_all(&bytes),
            Stream::Unix(stream) => stream.write_all(&bytes),
        }
    }

    fn read(&mut self, id: u32, count: usize) -> io::Result<()> {
        let mut bytes = vec![0; count];
        match self.streams.get_mut(&id).unwrap() {
            Stream::Tcp(stream) => stream.read_exact(&mut bytes),
            Stream::Unix(stream) => stream.read_exact(&mut bytes),
        }
    }
}

pub(super) fn number(word: &str) -> u32 {
    word.parse().unwrap()
}

pub(super) fn address(addr: &str, port: &str) -> SocketAddr {
    (addr.parse::<IpAddr>().unwrap(), port.parse().unwrap()).into()
}

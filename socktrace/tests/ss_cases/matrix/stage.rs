//! Sockets in two network namespaces, and an agent: what every pair of options is asked about.

use super::effects::Seen;
use crate::agent::Agent;
use crate::ss_cases::Folder;
use crate::ss_fixtures::socket;
use crate::support::actor::Actor;
use crate::support::run::socktrace;
use crate::support::{on_host, wait_for};
use nix::sched::{CloneFlags, setns};
use nix::sys::socket::{setsockopt, sockopt};
use std::fs::{self, File};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

/// Where everything is.
pub(super) struct Stage {
    folder: Folder,
    agent: String,
    /// Where an agent is looked for when none is named; none is there.
    usual: UnixListener,
    /// A process in the namespace.
    near: u32,
    /// Both namespaces.
    netns: [u64; 2],
    _kept: Vec<OwnedFd>,
}

impl Stage {
    /// Does something in a namespace with sockets of many kinds, of which another has a few as well.
    pub(super) fn with(does: impl FnOnce(&Self) + Send) {
        let agent = Agent::start(&[]);
        let path = agent.path().to_owned();
        let near = Actor::alone("matrix-near");
        let mut far = Actor::alone("matrix-far");
        let port = far.does("listen 127.0.0.1");
        far.does(&format!("connect 127.0.0.1 {port}"));
        let netns = File::open(format!("/proc/{}/ns/net", near.pid())).unwrap();
        let (pid, both) = (near.pid(), [near.netns(), far.netns()]);
        std::thread::scope(|scope| {
            let inside = || {
                setns(&netns, CloneFlags::CLONE_NEWNET).expect("root");
                let folder = Folder::new("matrix");
                folder.file("filter", "sport = :7502\n");
                let kept = sockets(&folder);
                // It is of no namespace that is listed.
                let usual = on_host(|| UnixListener::bind(folder.0.join("usual.sock")).unwrap());
                usual.set_nonblocking(true).unwrap();
                let stage = Self { folder, agent: path, usual, near: pid, netns: both, _kept: kept };
                stage.is_called_without_direct();
                does(&stage);
            };
            let thread = scope.spawn(inside);
            thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        });
    }

    /// Whether a line of `--all-netns` tells of a namespace that is none of these: by its column, `COMM/PID`, or by its
    /// fields.
    pub(super) fn is_elsewhere(&self, line: &str) -> bool {
        if let Ok(object) = serde_json::from_str::<serde_json::Value>(line) {
            return object["netns"].as_u64().is_some_and(|netns| !self.netns.contains(&netns));
        }
        let column = line.split_whitespace().next().and_then(|column| column.rsplit_once('/'));
        column.is_some_and(|(comm, pid)| pid.parse::<u32>().is_ok() && !comm.starts_with("matrix-"))
    }

    /// Runs `ss` with these words, from outside if they name the namespace, as long as it takes to see what it does.
    pub(super) fn ask(&self, words: &[&str]) -> Seen {
        let dump = self.folder.0.join("dump");
        let _ = fs::remove_file(&dump);
        let words: Vec<String> = words
            .iter()
            .map(|word| match *word {
                "FILTER" => self.folder.0.join("filter").display().to_string(),
                "DUMP" => dump.display().to_string(),
                "NETNS" => self.near.to_string(),
                "AGENT" => self.agent.clone(),
                other => other.to_owned(),
            })
            .collect();
        let has = |word: &str| words.iter().any(|it| it == word);
        let mut all = vec!["ss"];
        if !has("--agent") && !has("--direct") {
            all.push("--direct");
        }
        all.extend(words.iter().map(String::as_str));
        let start = || {
            let mut command = self.command(&all);
            command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
        };
        let child = if has("-N") { on_host(start) } else { start() };
        let mut seen = if has("-E") {
            watched(child)
        } else if has("-c") {
            second_round(child, has("--json"))
        } else {
            ended(child)
        };
        if has("-D") && dump.exists() {
            let shown = ["ss", "--direct", "-taemio", "--tos", "--cgroup", "--inet-sockopt"];
            let replayed = self.command(&shown).env("TCPDIAG_FILE", &dump).output().unwrap();
            seen.stdout.push_str(&String::from_utf8(replayed.stdout).unwrap());
        }
        seen.asked_an_agent = self.usual.accept().is_ok();
        seen
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = socktrace(words);
        command.env("SOCKTRACE_SOCKET", self.usual_path());
        command
    }

    fn usual_path(&self) -> PathBuf {
        self.usual.local_addr().unwrap().as_pathname().unwrap().to_owned()
    }

    /// So that nobody who calls means something.
    fn is_called_without_direct(&self) {
        let mut child =
            self.command(&["ss", "-t"]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        wait_for("a call without --direct", || self.usual.accept().ok());
        child.wait().unwrap();
    }
}

/// TCP with a service's port, of both IPs; UDP, raw, UNIX and packet sockets; with marks and timers.
fn sockets(folder: &Folder) -> Vec<OwnedFd> {
    let mut kept: Vec<OwnedFd> = Vec::new();
    for addr in ["127.0.0.1:80", "[::1]:80"] {
        let listener = TcpListener::bind(addr).unwrap();
        let client = TcpStream::connect(addr).unwrap();
        let (accepted, _) = listener.accept().unwrap();
        (&accepted).write_all(b"unread").unwrap();
        setsockopt(&client, sockopt::KeepAlive, &true).unwrap();
        setsockopt(&client, sockopt::Mark, &5).unwrap();
        if addr.starts_with('1') {
            setsockopt(&client, sockopt::Ipv4Tos, &0x10).unwrap();
        }
        kept.extend([OwnedFd::from(listener), client.into(), accepted.into()]);
    }
    let bound = socket(libc::AF_INET, libc::SOCK_STREAM, 0);
    let address = nix::sys::socket::SockaddrIn::new(127, 0, 0, 1, 7504);
    nix::sys::socket::bind(bound.as_raw_fd(), &address).unwrap();
    kept.push(bound);
    kept.push(TcpListener::bind("127.0.0.1:7507").unwrap().into());
    let udp = UdpSocket::bind("127.0.0.1:7502").unwrap();
    udp.connect("127.0.0.1:7503").unwrap();
    kept.push(udp.into());
    let raw = socket(libc::AF_INET, libc::SOCK_RAW, libc::IPPROTO_ICMP);
    let address = nix::sys::socket::SockaddrIn::new(127, 0, 0, 1, 0);
    nix::sys::socket::connect(raw.as_raw_fd(), &address).unwrap();
    kept.push(raw);
    let path = folder.0.join("matrix.sock");
    let listener = UnixListener::bind(&path).unwrap();
    let client = UnixStream::connect(&path).unwrap();
    let (accepted, _) = listener.accept().unwrap();
    kept.extend([OwnedFd::from(listener), client.into(), accepted.into()]);
    let packets = super::super::devices::packets_of("lo");
    // One instruction: take the whole packet.
    let mut code = libc::sock_filter { code: 6, jt: 0, jf: 0, k: u32::MAX };
    let program = libc::sock_fprog { len: 1, filter: &raw mut code };
    // SAFETY: the program and its one instruction live during the call.
    let done = unsafe {
        libc::setsockopt(
            packets.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_ATTACH_FILTER,
            (&raw const program).cast(),
            size_of_val(&program) as u32,
        )
    };
    assert_eq!(done, 0);
    kept.push(packets);
    kept
}

fn ended(child: Child) -> Seen {
    let output = child.wait_with_output().unwrap();
    Seen {
        code: output.status.code(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
        asked_an_agent: false,
    }
}

/// The lines of a pipe.
fn lines(pipe: impl std::io::Read + Send + 'static) -> Receiver<String> {
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        let mut lines = BufReader::new(pipe).lines().map_while(Result::ok);
        lines.all(|line| sender.send(line).is_ok())
    });
    receiver
}

/// Ends it; what it has said.
fn stopped(mut child: Child, stdout: String) -> Seen {
    let _ = child.kill();
    let code = child.wait().unwrap().code();
    let mut stderr = String::new();
    let _ = child.stderr.take().unwrap().read_to_string(&mut stderr);
    Seen { code, stdout, stderr, asked_an_agent: false }
}

/// Reads on until the third round begins; what belongs to the second.
fn second_round(mut child: Child, json: bool) -> Seen {
    let stdout = lines(child.stdout.take().unwrap());
    let (mut round, mut second, mut heading) = (1, String::new(), false);
    let mut all = String::new();
    loop {
        let Ok(line) = stdout.recv_timeout(crate::support::patience()) else {
            // It has ended by itself.
            return stopped(child, all);
        };
        all.push_str(&format!("{line}\n"));
        if json {
            let number =
                line.split_once("\"round\":").and_then(|(_, rest)| rest.split(',').next()?.parse().ok());
            round = number.unwrap_or(round);
        } else if line.starts_with("Round ") {
            (round, heading) = (line.split(' ').nth(1).unwrap().parse().unwrap(), true);
        } else if line.is_empty() && !heading {
            round += 1;
        }
        match round {
            2 => second.push_str(&format!("{line}\n")),
            3.. => break,
            _ => {}
        }
    }
    stopped(child, second)
}

/// Destroys sockets again and again until one is printed, or it has ended.
fn watched(mut child: Child) -> Seen {
    let stdout = lines(child.stdout.take().unwrap());
    let deadline = Instant::now() + crate::support::patience();
    let mut printed = String::new();
    // What is printed of each time comes at once, and the first time may be too early.
    let mut rest = 3;
    while rest > 0 && Instant::now() < deadline {
        if child.try_wait().unwrap().is_some() {
            break;
        }
        let udp = crate::support::wait_for("the port", || UdpSocket::bind("127.0.0.2:7502").ok());
        udp.connect("127.0.0.1:7503").unwrap();
        drop(udp);
        for addr in ["127.0.0.2:80", "[::1]:0"] {
            // A process that another test has just forked may still hold the last one.
            let listener = crate::support::wait_for("the port", || TcpListener::bind(addr).ok());
            let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
            let (accepted, _) = listener.accept().unwrap();
            // No TIME-WAIT, so that the port is free the next time.
            setsockopt(&client, sockopt::Linger, &libc::linger { l_onoff: 1, l_linger: 0 }).unwrap();
            drop(client);
            drop(accepted);
        }
        std::thread::sleep(Duration::from_millis(10));
        let before = printed.len();
        printed.extend(stdout.try_iter().map(|line| line + "\n"));
        if printed.len() > before && printed.contains('\n') {
            rest -= 1;
        }
    }
    while let Ok(line) = stdout.recv_timeout(Duration::from_millis(20)) {
        printed.push_str(&format!("{line}\n"));
    }
    stopped(child, printed)
}

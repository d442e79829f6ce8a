//! What one attacker does: an ordinary user, with connections to the agent's socket and nothing else.

use std::collections::VecDeque;
use std::io::{self, Read as _, Write as _};
use std::net::Shutdown;
use std::os::unix::net::{UnixDatagram, UnixStream};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use serde_json::{Value, json};

use super::Statuses;

/// An attack that was tried once, with more force.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Attack {
    /// None: processes that only compute.
    None,
    /// Numbers beyond every bound, and the widest answers within them.
    Numbers,
    /// Paths in filters that root would open, FIFOs among them; most are abandoned.
    Paths,
    /// Filters of as many patterns as possible, and sockets whose names make each of them look long.
    Filters,
    /// Connections that never read.
    Unread,
    /// As many connections as many user ids can have, and more.
    Connections,
    /// Questions with names, and other long ones, by clients that leave.
    Abandoned,
}

/// How long an answer may be waited for.
const ATTACK_TIMEOUT: Duration = Duration::from_secs(60);
/// Refusals after which an attacker waits: it is not to compete with the agent for processors only.
const BREATH: Duration = Duration::from_millis(20);

impl Attack {
    /// All of them.
    pub(super) const ALL: [Attack; 7] = [
        Attack::None,
        Attack::Numbers,
        Attack::Paths,
        Attack::Filters,
        Attack::Unread,
        Attack::Connections,
        Attack::Abandoned,
    ];

    pub(super) fn name(self) -> &'static str {
        match self {
            Attack::None => "none",
            Attack::Numbers => "numbers",
            Attack::Paths => "paths",
            Attack::Filters => "filters",
            Attack::Unread => "unread",
            Attack::Connections => "connections",
            Attack::Abandoned => "abandoned",
        }
    }

    /// How many user ids it takes, each with a process of its own.
    pub(super) fn users(self) -> u32 {
        match self {
            Attack::None
            | Attack::Numbers
            | Attack::Paths
            | Attack::Filters
            | Attack::Unread
            | Attack::Abandoned => 10,
            Attack::Connections => 80,
        }
    }
}

/// What attackers met.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub(super) requests: u64,
    pub(super) statuses: Statuses,
    /// Requests whose client left.
    pub(super) abandoned: u64,
    /// Connections that ended without an answer.
    pub(super) silent: u64,
}

impl Tally {
    fn json(&self) -> Value {
        json!({
            "requests": self.requests,
            "statuses": self.statuses.iter().map(|(status, count)| (status.to_string(), json!(count))).collect::<serde_json::Map<_, _>>(),
            "abandoned": self.abandoned,
            "silent": self.silent,
        })
    }

    /// Adds what another one has met.
    pub(super) fn add(&mut self, other: &Value) -> Result<()> {
        let number = |name: &str| other.get(name).and_then(Value::as_u64).context("no number");
        self.requests += number("requests")?;
        self.abandoned += number("abandoned")?;
        self.silent += number("silent")?;
        for (status, count) in other.get("statuses").and_then(Value::as_object).context("no statuses")? {
            *self.statuses.entry(status.parse()?).or_default() += count.as_u64().context("no count")?;
        }
        Ok(())
    }
}

/// The hidden task `assail`: attack as the user that runs it, print what was met.
#[derive(Debug, clap::Args)]
pub(crate) struct Assail {
    /// How
    attack: Attack,
    /// How long, seconds
    #[arg(long)]
    seconds: u64,
    /// Whom
    #[arg(long)]
    socket: PathBuf,
}

impl Assail {
    /// Attack.
    pub(crate) fn run(&self) -> Result<()> {
        // Each user has a session of its own.
        let _ = nix::unistd::setsid();
        let until = Instant::now() + Duration::from_secs(self.seconds);
        let mut attacker =
            Attacker { socket: &self.socket, until, tally: Tally::default(), held: VecDeque::new() };
        match self.attack {
            Attack::None => attacker.computes(),
            Attack::Numbers => attacker.asks_for(&numbers()),
            Attack::Paths => attacker.names_paths()?,
            Attack::Filters => attacker.filters()?,
            Attack::Unread => attacker.reads_nothing()?,
            Attack::Connections => attacker.holds_connections(),
            Attack::Abandoned => attacker.leaves(&LONG),
        }
        println!("{}", attacker.tally.json());
        Ok(())
    }
}

/// Bad numbers, and the widest good ones.
fn numbers() -> Vec<String> {
    let all = ["local", "peer", "state", "recv_q", "send_q", "inode", "uid", "cookie"];
    let mut targets: Vec<String> = [
        "sockets?tables=tcp&states=listening&width=18446744073709551615",
        "sockets?tables=tcp&states=listening&width=300000000",
        "events?width=65536&count=18446744073709551616",
        "history?utc_offset=-2147483648",
        "sockets?tables=tcp&top=18446744073709551616",
        "history?since=999999w",
    ]
    .map(|target| format!("/v1/{target}"))
    .to_vec();
    targets.push(format!("/v1/sockets?states=all&width=10000&columns={}", all.repeat(8).join(",")));
    targets
}

/// Questions whose answers take work.
const LONG: [&str; 6] = [
    "/v1/history?filter=dst+a.name.that.nobody.knows",
    "/v1/events?filter=dst+another.name.that.nobody.knows",
    "/v1/sockets?tables=tcp&states=all&show=processes,resolve&filter=dst+one.more.name",
    "/v1/sockets?states=all&show=numeric,processes",
    "/v1/table",
    "/v1/history",
];

struct Attacker<'a> {
    socket: &'a Path,
    until: Instant,
    tally: Tally,
    /// Connections that stay open.
    held: VecDeque<UnixStream>,
}

impl Attacker<'_> {
    fn goes_on(&self) -> bool {
        Instant::now() < self.until
    }

    /// Uses a processor.
    fn computes(&mut self) {
        while self.goes_on() {
            std::hint::black_box((0..10_000u64).sum::<u64>());
        }
    }

    /// Connects and asks. The agent may refuse, and close, before it has read everything.
    fn ask(&mut self, target: &str) -> io::Result<UnixStream> {
        self.tally.requests += 1;
        let mut stream = UnixStream::connect(self.socket)?;
        stream.set_read_timeout(Some(ATTACK_TIMEOUT))?;
        let _ = write!(stream, "GET {target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        Ok(stream)
    }

    /// The status of the answer; silence is counted.
    fn status(&mut self, stream: &mut UnixStream) -> Option<u16> {
        let mut head = [0; 12];
        let read = stream.read_exact(&mut head);
        let status = std::str::from_utf8(&head[9..]).ok().and_then(|status| status.parse().ok());
        let status = status.filter(|_| read.is_ok());
        match status {
            Some(status) => *self.tally.statuses.entry(status).or_default() += 1,
            None => self.tally.silent += 1,
        }
        status
    }

    /// Asks, and keeps the connection if it is served; else false.
    fn hold(&mut self, target: &str) -> bool {
        let Ok(mut stream) = self.ask(target) else {
            self.tally.silent += 1;
            return false;
        };
        let served = self.status(&mut stream) == Some(200);
        if served {
            self.held.push_back(stream);
        }
        served
    }

    /// Asks and takes the whole answer, again and again.
    fn asks_for(&mut self, targets: &[String]) {
        let mut answer = Vec::new();
        for target in targets.iter().cycle() {
            if !self.goes_on() {
                break;
            }
            match self.ask(target) {
                Ok(mut stream) => {
                    self.status(&mut stream);
                    answer.clear();
                    let _ = stream.read_to_end(&mut answer);
                }
                Err(_) => self.tally.silent += 1,
            }
        }
    }

    /// Asks and leaves, again and again; every sixteenth answer is read.
    fn leaves(&mut self, targets: &[&str]) {
        for (turn, target) in targets.iter().cycle().enumerate() {
            if !self.goes_on() {
                break;
            }
            let Ok(mut stream) = self.ask(target) else {
                self.tally.silent += 1;
                continue;
            };
            if turn % 16 == 0 {
                self.status(&mut stream);
                continue;
            }
            // More than a request: it is not heard that the client leaves.
            let _ = stream.write_all(b"GET");
            let _ = stream.shutdown(Shutdown::Write);
            self.tally.abandoned += 1;
        }
    }

    fn names_paths(&mut self) -> Result<()> {
        let folder = Folder::make()?;
        let fifo = folder.0.join("fifo");
        nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::S_IRWXU)?;
        let fifo = fifo.display().to_string().replace('/', "%2F");
        let targets: Vec<String> = ["events", "history"]
            .into_iter()
            .flat_map(|path| {
                [
                    format!("/v1/{path}?filter=netns+%3D+{fifo}"),
                    format!("/v1/{path}?filter=netns+%3D+%2Froot%2Fx%2Ffile"),
                    format!("/v1/{path}?filter=cgroup+%3D+..%2F..%2F..%2F..%2Froot%2Fdir"),
                ]
            })
            .chain([
                format!("/v1/sockets?tables=tcp&filter=netns+%3D+{fifo}"),
                format!("/v1/sockets?netns={fifo}"),
            ])
            .collect();
        self.leaves(&targets.iter().map(String::as_str).collect::<Vec<_>>());
        Ok(())
    }

    fn filters(&mut self) -> Result<()> {
        let folder = Folder::make()?;
        let glob = |n: usize| format!("src+unix:*{}{n}*a*b*c*d*e*f*g*h*", "a".repeat(20));
        let globs =
            |count| format!("/v1/events?filter={}", (0..count).map(glob).collect::<Vec<_>>().join("+or+"));
        let (beyond, longest) = (globs(1042), globs(40));
        let mut turn = 0;
        while self.goes_on() {
            // The oldest makes room, so that filters are read all the time.
            if turn % 64 == 0 {
                self.held.pop_front();
                self.hold(&beyond);
                while self.hold(&longest) && self.goes_on() {}
            }
            turn += 1;
            folder.bind()?;
        }
        Ok(())
    }

    fn reads_nothing(&mut self) -> Result<()> {
        let folder = Folder::make()?;
        let targets = ["/v1/events?states=1", "/v1/table", "/v1/sockets?states=all", "/v1/history"];
        let mut turn = 0;
        while self.goes_on() {
            for target in targets.iter().cycle().take(64) {
                if let Ok(stream) = self.ask(target) {
                    self.held.push_back(stream);
                    self.tally.abandoned += 1;
                }
                if self.held.len() > 128 {
                    self.held.pop_front();
                }
            }
            // What these subscribers see is made by themselves.
            while self.goes_on() && turn % 1024 != 1023 {
                folder.bind()?;
                turn += 1;
            }
            turn += 1;
        }
        Ok(())
    }

    fn holds_connections(&mut self) {
        while self.goes_on() {
            if !self.hold("/v1/events?kinds=listen&comm=nobody") {
                std::thread::sleep(BREATH);
            }
        }
    }
}

/// A folder of the attacker's, with names as long as they can be.
struct Folder(PathBuf);

impl Folder {
    fn make() -> Result<Folder> {
        let path = std::env::temp_dir().join(format!("socktrace-assail-{}", std::process::id()));
        std::fs::create_dir(&path).context("cannot make a folder")?;
        Ok(Folder(path))
    }

    /// A UNIX socket with a long name comes and goes.
    fn bind(&self) -> Result<()> {
        let length = 100_usize.saturating_sub(self.0.as_os_str().len());
        let path = self.0.join("a".repeat(length));
        drop(UnixDatagram::bind(&path)?);
        std::fs::remove_file(&path).context("cannot remove a socket")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

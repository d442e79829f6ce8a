//! Loads of our own making: connections that come and go, sockets that are held. Bounded, over loopback, in our namespace.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::{AsFd, AsRawFd as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use nix::sched::{CloneFlags, CpuSet, sched_setaffinity, unshare};
use nix::sys::socket::{
    AddressFamily, MsgFlags, SockFlag, SockType, SockaddrStorage, sendto, setsockopt, socket, sockopt,
};
use nix::unistd::Pid;

use crate::sh;

/// Leave the network of the machine for one of our own, with loopback up and many ports; and its mounts, so that those
/// peers find tracefs that do not find it by themselves.
pub(super) fn own_namespace() -> Result<()> {
    let own = CloneFlags::CLONE_NEWNET | CloneFlags::CLONE_NEWNS;
    unshare(own).context("cannot make namespaces: run as root")?;
    sh::run(Command::new("mount").args(["--make-rprivate", "/"]))?;
    if !Path::new("/sys/kernel/tracing/events").exists() {
        sh::run(Command::new("mount").args(["-t", "tracefs", "tracefs", "/sys/kernel/tracing"]))?;
    }
    sh::run(Command::new("ip").args(["link", "set", "lo", "up"]))?;
    std::fs::write("/proc/sys/net/ipv4/ip_local_port_range", "10000 65535")
        .context("cannot set the range of ports")
}

/// Keep the calling thread, and what it starts, on one processor.
pub(super) fn pin(core: usize) -> Result<()> {
    let mut set = CpuSet::new();
    set.set(core)?;
    sched_setaffinity(Pid::from_raw(0), &set).context("cannot choose a processor")
}

/// Sockets that one process holds at most: a limit of 20,000 descriptors is common, and not every root may raise it.
const EACH: u32 = 16_000;

/// Connections to one listener of a load in the background.
const EACH_TURN: u32 = 1000;

/// What comes and goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Traffic {
    /// connect, accept, reset, close.
    Tcp,
    /// socket, sendto, close.
    Udp,
    /// socket, bind, close, of UDP.
    Bind,
}

impl Traffic {
    fn run(self, count: u32) -> Result<()> {
        match self {
            Traffic::Tcp => tcp(count),
            Traffic::Udp => udp(count),
            Traffic::Bind => bind(count),
        }
    }
}

/// How much of it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Churn {
    pub(super) traffic: Traffic,
    /// By each thread.
    pub(super) count: u32,
    pub(super) threads: usize,
    /// The processor of all threads; none to leave it to the kernel.
    pub(super) core: Option<usize>,
}

impl Churn {
    /// Do it as fast as it goes; connections (or sockets) per second over all threads.
    pub(super) fn run(self) -> Result<f64> {
        let begun = Instant::now();
        std::thread::scope(|scope| {
            let work = move || {
                if let Some(core) = self.core {
                    pin(core)?;
                }
                self.traffic.run(self.count)
            };
            let threads: Vec<_> = (0..self.threads).map(|_| scope.spawn(work)).collect();
            threads
                .into_iter()
                .try_for_each(|thread| thread.join().map_err(|_| anyhow::anyhow!("a load thread died"))?)
        })?;
        Ok(f64::from(self.count) * self.threads as f64 / begun.elapsed().as_secs_f64())
    }
}

fn tcp(count: u32) -> Result<()> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let address = listener.local_addr()?;
    for _ in 0..count {
        let client = TcpStream::connect(address)?;
        let (server, _) = listener.accept()?;
        // A reset leaves no TIME-WAIT behind, of which loopback would have no room for so many.
        setsockopt(&client, sockopt::Linger, &nix::libc::linger { l_onoff: 1, l_linger: 0 })?;
        drop(client);
        drop(server);
    }
    Ok(())
}

fn udp(count: u32) -> Result<()> {
    let sink = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
    let address = sink.local_addr()?;
    let to = SockaddrStorage::from(address);
    for _ in 0..count {
        let socket = socket(AddressFamily::Inet, SockType::Datagram, SockFlag::SOCK_CLOEXEC, None)?;
        sendto(socket.as_raw_fd(), b"x", &to, MsgFlags::empty())?;
    }
    Ok(())
}

fn bind(count: u32) -> Result<()> {
    for _ in 0..count {
        UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
    }
    Ok(())
}

/// The hidden task `hold`: open sockets, say so, keep them until stdin ends.
#[derive(Debug, clap::Args)]
pub(crate) struct Hold {
    /// Connections; each is two sockets
    #[arg(long, default_value_t = 0)]
    pairs: u32,
    /// Which server address, 127.0.0.N, and port 7000 + N
    #[arg(long, default_value_t = 11)]
    server: u8,
    /// Processes that inherit every socket
    #[arg(long, default_value_t = 0)]
    heirs: u32,
}

impl Hold {
    /// Open, say `ready`, wait for the end of stdin.
    pub(crate) fn run(&self) -> Result<()> {
        let address =
            SocketAddr::from((Ipv4Addr::new(127, 0, 0, self.server), 7000 + u16::from(self.server)));
        let listener = TcpListener::bind(address)?;
        let mut held = Vec::new();
        for _ in 0..self.pairs {
            held.push(TcpStream::connect(address)?);
            held.push(listener.accept()?.0);
        }
        let mut heirs = Vec::new();
        if self.heirs > 0 {
            for socket in &held {
                fcntl(socket.as_fd(), FcntlArg::F_SETFD(FdFlag::empty()))?;
            }
            for _ in 0..self.heirs {
                heirs.push(Command::new("cat").stdin(Stdio::piped()).stdout(Stdio::null()).spawn()?);
            }
        }
        println!("ready");
        let _ = std::io::stdin().read(&mut [0; 1]);
        for mut heir in heirs {
            drop(heir.stdin.take());
            heir.wait()?;
        }
        Ok(())
    }
}

/// Sockets held by processes of ours, until dropped.
pub(super) struct Held(Vec<Child>);

impl Held {
    /// So many TCP sockets, all established, in four processes, or in as many as their limits ask for.
    pub(super) fn sockets(count: u32) -> Result<Held> {
        let processes = u8::try_from(count.div_ceil(EACH)).context("too many sockets")?.clamp(4, 100);
        let pairs = (count / 2 / u32::from(processes)).max(1).to_string();
        Held::start((11..11 + processes).map(|server: u8| {
            vec!["--pairs".to_owned(), pairs.clone(), "--server".to_owned(), server.to_string()]
        }))
    }

    /// So many descriptors of sockets in 101 processes: a hundred that inherited theirs.
    pub(super) fn descriptors(count: u32) -> Result<Held> {
        let pairs = (count / 202).max(1).to_string();
        let words = ["--pairs", &pairs, "--server", "200", "--heirs", "100"].map(str::to_owned).to_vec();
        Held::start(std::iter::once(words))
    }

    fn start(processes: impl Iterator<Item = Vec<String>>) -> Result<Held> {
        let mut held = Held(Vec::new());
        for words in processes {
            let mut command = Command::new(std::env::current_exe()?);
            command.arg("hold").args(words).stdin(Stdio::piped()).stdout(Stdio::piped());
            held.0.push(command.spawn().context("cannot start a holder")?);
        }
        for child in &mut held.0 {
            let mut line = String::new();
            BufReader::new(child.stdout.take().context("no stdout")?).read_line(&mut line)?;
            if line != "ready\n" {
                bail!("a holder of sockets failed");
            }
        }
        Ok(held)
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        for child in &mut self.0 {
            drop(child.stdin.take());
            let _ = child.wait();
        }
    }
}

/// A load in the background, until dropped or for so long, or so many, at most.
pub(super) struct Background {
    stop: Arc<AtomicBool>,
    done: Arc<AtomicU64>,
    thread: Option<JoinHandle<Result<u64>>>,
}

impl Background {
    /// At full speed.
    pub(super) fn of(traffic: Traffic, most: Duration) -> Background {
        let begun = Instant::now();
        Background::start(traffic, move |_| if begun.elapsed() < most { EACH_TURN } else { 0 })
    }

    /// So many TCP connections at full speed.
    pub(super) fn connections(most: u64) -> Background {
        let next = move |done| u32::try_from(most - done).unwrap_or(EACH_TURN).min(EACH_TURN);
        Background::start(Traffic::Tcp, next)
    }

    /// So many TCP connections each second, until stopped.
    pub(super) fn paced(rate: u32) -> Background {
        let begun = Instant::now();
        Background::start(Traffic::Tcp, move |done| {
            let least = (rate / 100).max(1);
            loop {
                let due = (begun.elapsed().as_secs_f64() * f64::from(rate)) as u64;
                match u32::try_from(due.saturating_sub(done)) {
                    Ok(more) if more < least => std::thread::sleep(Duration::from_millis(2)),
                    Ok(more) => return more.min(EACH_TURN),
                    Err(_) => return EACH_TURN,
                }
            }
        })
    }

    /// As many at a time as `next` says to the number of those before, until it says none.
    fn start(traffic: Traffic, next: impl Fn(u64) -> u32 + Send + 'static) -> Background {
        let (stop, done) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let (stopped, counted) = (Arc::clone(&stop), Arc::clone(&done));
        let thread = std::thread::spawn(move || {
            let mut count = 0;
            while !stopped.load(Ordering::Relaxed) {
                match next(count) {
                    0 => break,
                    more => {
                        traffic.run(more)?;
                        count += u64::from(more);
                        counted.store(count, Ordering::Relaxed);
                    }
                }
            }
            Ok(count)
        });
        Background { stop, done, thread: Some(thread) }
    }

    /// How many there were until now.
    pub(super) fn done(&self) -> u64 {
        self.done.load(Ordering::Relaxed)
    }

    /// Whether it still goes on.
    pub(super) fn runs(&self) -> bool {
        self.thread.as_ref().is_some_and(|thread| !thread.is_finished())
    }

    /// End it; how many there were.
    pub(super) fn stop(mut self) -> Result<u64> {
        self.end().context("the load was stopped twice")?
    }

    fn end(&mut self) -> Option<Result<u64>> {
        self.stop.store(true, Ordering::Relaxed);
        let joined = self.thread.take()?.join();
        Some(joined.unwrap_or_else(|_| Err(anyhow::anyhow!("the load died"))))
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        self.end();
    }
}

/// Write a line to stderr while something takes its time.
pub(super) fn note(text: &str) {
    let _ = writeln!(std::io::stderr(), "    {text}");
}

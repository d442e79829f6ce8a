//! Trying the real programs: loaded, attached, one connection seen from end to end, detached.
//!
//! I/O: bpf(2) through the tracer; one TCP connection to ourselves over loopback.

use crate::kernel::ebpf::{AttachError, Config, EbpfError, Tracer};
use crate::socket::{Change, ChangeKind, Endpoint, State};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::{Duration, Instant};

/// A connection that is not seen in that time is not seen.
const TRIAL_TIMEOUT: Duration = Duration::from_secs(1);
/// Enough for one connection, whatever else this machine does meanwhile.
const BUFFER: u32 = 4 << 20;

/// What came of it.
#[derive(Debug)]
pub(super) enum Trial {
    /// What is missing makes it pointless.
    NotTried,
    /// They cannot be loaded.
    Refused(EbpfError),
    /// They were attached.
    Attached {
        /// Those that were not.
        missing: Vec<Missing>,
        /// The connection, or why it was not made.
        connection: Result<Seen, String>,
    },
}

/// A hook that could not be attached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Missing {
    pub(super) hook: &'static str,
    pub(super) on_function: bool,
    /// What is not there, where the kernel or the mount namespace lacks something.
    pub(super) lacks: Option<&'static str>,
    pub(super) refused: Refused,
    pub(super) why: String,
    pub(super) lost_without: &'static str,
}

/// In which way the kernel refused it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refused {
    /// As it refuses what one has no right to.
    Denied,
    /// The verifier, which a kernel that is locked down lets know fewer functions.
    ByVerifier,
    /// In any other way.
    Otherwise,
}

impl Refused {
    fn of(why: &AttachError) -> Self {
        if matches!(why, AttachError::Verifier(_)) {
            Self::ByVerifier
        } else if why.is_denied() {
            Self::Denied
        } else {
            Self::Otherwise
        }
    }
}

/// What was seen of our own connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Seen {
    /// From connect(2) to the record being read.
    pub(super) connected: Option<Duration>,
    /// Whether the connect was reported as ours.
    pub(super) owned: bool,
    /// Whether its end was seen.
    pub(super) closed: bool,
}

/// Tries it. `all_pids`: whether our number is the one that the kernel knows us by.
pub(super) fn run(all_pids: bool) -> std::io::Result<Trial> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    Ok(runtime.block_on(attached(all_pids.then(std::process::id))))
}

async fn attached(pid: Option<u32>) -> Trial {
    let config = Config { ring_size: BUFFER, ..Config::default() };
    let mut tracer = match Tracer::load(&config) {
        Ok(tracer) => tracer,
        Err(error) => return Trial::Refused(error),
    };
    let missing = tracer.hooks().iter().filter_map(|status| {
        let why = status.missing.as_ref()?;
        Some(Missing {
            hook: status.hook.name,
            on_function: status.hook.is_on_function(),
            lacks: why.lacks(),
            refused: Refused::of(why),
            why: why.to_string(),
            lost_without: status.hook.lost_without,
        })
    });
    let missing = missing.collect();
    let connection = connection(&mut tracer, pid).await.map_err(|error| error.to_string());
    Trial::Attached { missing, connection }
}

/// Connects to ourselves and closes, and reads what was recorded of it.
async fn connection(tracer: &mut Tracer, pid: Option<u32>) -> std::io::Result<Seen> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let begun = Instant::now();
    let client = TcpStream::connect(listener.local_addr()?)?;
    let local = client.local_addr()?;
    drop(listener.accept()?);
    drop(client);
    let mut changes = Vec::new();
    let mut seen = Seen::default();
    while !(seen.connected.is_some() && seen.closed) && begun.elapsed() < TRIAL_TIMEOUT {
        let left = TRIAL_TIMEOUT.saturating_sub(begun.elapsed());
        if tokio::time::timeout(left, tracer.readable()).await.is_err() {
            break;
        }
        tracer.drain(usize::MAX, |change| changes.push(change));
        let connected = seen.connected.or_else(|| Some(begun.elapsed()));
        seen = Seen::of(&changes, local, pid);
        seen.connected = seen.connected.and(connected);
    }
    Ok(seen)
}

impl Seen {
    /// What these records say of the connection from that address by that process, or by any if its number is not known.
    /// When it was seen is for the caller to say.
    fn of(changes: &[Change], local: SocketAddr, pid: Option<u32>) -> Self {
        let state = |change: &Change| {
            if let ChangeKind::State { new, .. } = change.kind { Some(new) } else { None }
        };
        // It has no port yet when it begins to connect; from then on it is known by its cookie.
        let is_it =
            |change: &&Change| is_at(&change.local, local) && state(change) == Some(State::Established);
        let Some(cookie) = changes.iter().find(is_it).map(|change| change.cookie) else {
            return Self::default();
        };
        let mut seen = Self { connected: Some(Duration::ZERO), ..Self::default() };
        for change in changes.iter().filter(|change| change.cookie == cookie) {
            let ours =
                change.process.as_ref().is_some_and(|process| pid.is_none_or(|pid| process.pid == pid));
            seen.owned |= state(change) == Some(State::SynSent) && ours;
            seen.closed |= matches!(state(change), Some(State::Close | State::TimeWait));
        }
        seen
    }
}

fn is_at(endpoint: &Endpoint, address: SocketAddr) -> bool {
    let Endpoint::Inet { addr, port } = endpoint else { return false };
    *addr == address.ip() && *port == address.port()
}

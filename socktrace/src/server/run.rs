//! The agent from start to end.
//!
//! I/O: the socket file, signals, systemd's notification socket, stderr.

use super::Server;
use super::options::{Options, Reload};
use super::reload;
use super::rights::Rights;
use super::socket_file::{Access, Claim, SocketError};
use super::systemd::notify;
use crate::kernel::capabilities::{self, CapabilityError, OtherUser};
use crate::kernel::{memory, priority, seccomp};
use crate::runtime::budget::{Budget, Limits};
use crate::runtime::core::{Core, StartError};
use crate::runtime::request::{self, Asker};
use crate::runtime::shutdown::Shutdown;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use sd_notify::NotifyState;
use std::io::{self, Write as _};
use tokio::net::UnixListener;
use tokio::sync::watch;

/// Why the agent did not come up.
#[derive(Debug, thiserror::Error)]
pub enum AgentError {
    /// It cannot listen.
    #[error(transparent)]
    Socket(#[from] SocketError),
    /// It cannot trace.
    #[error(transparent)]
    Start(#[from] StartError),
    /// It cannot lay its privileges down, or there is no user to become.
    #[error(transparent)]
    Privileges(#[from] CapabilityError),
    /// It came up, and then the task that reads the kernel's records ended.
    #[error("cannot read the kernel's records any more")]
    Stopped,
}

/// Runs until a signal ends it. Must be called within a current-thread tokio runtime: one task owns the engine,
/// the others only ask it.
/// With `reload`, SIGHUP is no end: the options are read again.
///
/// # Errors
/// If it cannot come up; nothing of ours is left in the kernel or the file system then.
pub async fn run(options: &Options, reload: Option<Reload>) -> Result<(), AgentError> {
    memory::keep_large_blocks_apart();
    let budget = Budget::new(Limits::for_descriptors(raise_descriptors()));
    let user = options.user.as_deref().map(OtherUser::called).transpose()?;
    let mut shutdown = Shutdown::listen().map_err(StartError::System)?;
    let reload = reload.and_then(|read| Some((read, shutdown.take_hangup()?)));
    // Taken first: a second agent is to say so before it attaches anything. Who asks early waits in the queue.
    let (claim, listener) = Claim::take(
        &options.socket,
        Access { user: user.as_ref(), group: options.group.as_deref(), mode: options.mode },
    )?;
    listener.set_nonblocking(true).map_err(StartError::System)?;
    let listener = UnixListener::from_std(listener).map_err(StartError::System)?;
    let core = Core::load(options.ring_size)?;
    // Whoever makes many records also takes processors: the records are to be read all the same. Takes a capability that
    // is laid down next.
    priority::go_ahead();
    // There is one thread until here.
    capabilities::lay_down(user.as_ref())?;
    let confined =
        seccomp::confine().inspect_err(|error| log::warn!("{error}; the agent goes on without it"));
    let core = core.with_history(&options.history).confined(confined.is_ok());

    let (asker, requests) = request::channel();
    let (ending, ended) = watch::channel(false);
    let mut engine = tokio::spawn(core.run(requests, ended.clone()));
    let rights = Rights::of_this_process(claim.gid());
    let server = Server { asker: asker.clone(), rights, budget };
    let server = tokio::spawn(server.serve(listener, ended));
    let until_asked = async {
        if let Ok(sockets) = asker.ready().await {
            let path = claim.path().display();
            // Our own is among them, if any could be listed.
            let known = match sockets {
                0 => "; no sockets could be listed: those that were open before are missing until an audit finds them"
                    .to_owned(),
                sockets => format!(" ({sockets} sockets)"),
            };
            // Where nobody can hear it, that is no reason to stop.
            let _ = writeln!(io::stderr(), "socktrace: agent ready on {path}{known}");
            notify(&[NotifyState::Ready]);
            tokio::join!(show_life(&asker), reload::whenever_asked(reload, options, &asker));
        }
        std::future::pending::<()>().await;
    };
    let stopped = tokio::select! {
        () = until_asked => false,
        () = shutdown.asked() => false,
        _ = &mut engine => true,
    };
    notify(&[NotifyState::Stopping]);
    drop(claim);
    let _ = ending.send(true);
    // A task that panicked has said so.
    if !stopped {
        let _ = engine.await;
    }
    let _ = server.await;
    if stopped { Err(AgentError::Stopped) } else { Ok(()) }
}

/// Every client takes a descriptor: asks for as many as there can be, and says how many there are.
fn raise_descriptors() -> u64 {
    let Ok((now, most)) = getrlimit(Resource::RLIMIT_NOFILE) else { return 1024 };
    if setrlimit(Resource::RLIMIT_NOFILE, most, most).is_ok() { most } else { now }
}

/// As often as systemd's watchdog wants to hear it, says that the engine still answers. It starts us anew when that ends.
async fn show_life(asker: &Asker) {
    let Some(limit) = sd_notify::watchdog_enabled() else { return };
    let mut tick = tokio::time::interval(limit / 3);
    loop {
        tick.tick().await;
        if asker.ready().await.is_err() {
            return;
        }
        notify(&[NotifyState::Watchdog]);
    }
}

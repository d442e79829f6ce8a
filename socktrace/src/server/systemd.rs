//! What systemd is told, if it started us.
//!
//! I/O: its notification socket.

use sd_notify::NotifyState;

/// Tells it. Where it cannot be told, that is no reason to stop.
pub(super) fn notify(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        log::warn!("cannot notify systemd: {error}");
    }
}

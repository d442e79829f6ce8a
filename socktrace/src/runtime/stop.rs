//! Work that may be stopped: because nobody wants its result any more, or because it takes too long.
//!
//! I/O: the clock.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Says whether some work is to stop. Whoever works looks at it between one step and the next.
#[derive(Debug, Clone, Default)]
pub struct Stop {
    asked: Arc<AtomicBool>,
    deadline: Option<Instant>,
}

impl Stop {
    /// After so long at the latest, if that is limited.
    #[must_use]
    pub fn after(time: Option<Duration>) -> Self {
        Self { asked: Arc::default(), deadline: time.map(|time| Instant::now() + time) }
    }

    /// Stops it.
    pub fn ask(&self) {
        self.asked.store(true, Ordering::Relaxed);
    }

    /// Goes on, unless it is to stop.
    ///
    /// # Errors
    /// It is.
    pub fn check(&self) -> io::Result<()> {
        if self.is_asked() { Err(io::ErrorKind::TimedOut.into()) } else { Ok(()) }
    }

    /// Whether it is to stop.
    #[must_use]
    pub fn is_asked(&self) -> bool {
        self.asked.load(Ordering::Relaxed) || self.deadline.is_some_and(|deadline| Instant::now() >= deadline)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn asked_or_late() {
        let stop = Stop::after(None);
        assert!(!stop.is_asked());
        stop.clone().ask();
        assert!(stop.is_asked());
        assert!(Stop::after(Some(Duration::ZERO)).is_asked());
        assert!(!Stop::after(Some(Duration::from_secs(600))).is_asked());
    }
}

//! When the kernel's tables are dumped, and why: one dump at a time.

use super::Config;
use super::messages::Reach;
use crate::socket::BootNs;
use crate::table::SETTLE;

/// Between the end of a dump and the next one after a loss, nanoseconds: while records keep being lost, dumps must
/// not take all the time there is.
const PAUSE: BootNs = 200_000_000;
/// How often a dump that was not complete is repeated, and after which time. Some parts never are: a namespace that
/// we may not enter.
const RETRIES: u32 = 3;
const RETRY_AFTER: BootNs = 1_000_000_000;

/// The first audit comes so soon after the first dump: what came and went while the hooks were attached one by one is
/// looked at twice.
const FIRST_AUDIT: BootNs = 2_000_000_000;

/// While nothing is heard of UNIX sockets, they are looked through ever more seldom: up to so many times.
const UNIX_SLOWEST: u32 = 16;
/// Looking through them may take one part in so many of the time; but where it took long once (we were stopped),
/// the next one must not be put off for ever: so many times `unix_every` is the most.
const UNIX_SHARE: BootNs = 20;
const UNIX_LONGEST: BootNs = 8;

/// Dumps for the sake of owners may take one part in so many of the time, but one that took long puts off the next by so
/// many times `owners_every` at most; and they are made ever more seldom while they find none, up to so many times.
const OWNERS_SHARE: BootNs = 20;
const OWNERS_LONGEST: BootNs = 16;
const OWNERS_SLOWEST: u32 = 16;

/// Why a dump is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Cause {
    /// To find the UNIX sockets that are gone.
    Unix,
    /// To find what no call reported: who holds sockets, and where bound ones stand.
    Owners,
    /// To compare, although nothing was lost.
    Audit,
    /// A part of the last one was missing.
    Retry,
    /// Records were lost.
    Loss,
    /// The table is empty.
    Seed,
}

impl Cause {
    pub(super) const fn is_after_loss(self) -> bool {
        match self {
            Self::Seed | Self::Loss | Self::Retry => true,
            Self::Audit | Self::Owners | Self::Unix => false,
        }
    }

    pub(super) const fn reach(self) -> Reach {
        match self {
            Self::Unix => Reach::Unix,
            Self::Seed | Self::Loss | Self::Retry | Self::Audit | Self::Owners => Reach::All,
        }
    }
}

/// Where the running dump is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// There is none.
    Idle,
    /// Rows come.
    Rows(Cause),
    /// It has been read, at this time; the changes from before are waited for.
    Read(Cause, BootNs),
    /// It is merged, and who holds sockets that it could not show is looked for, since this time.
    Seek(Cause, BootNs),
}

/// What is running, and what is to run next.
#[derive(Debug)]
pub(super) struct Dumps {
    config: Config,
    phase: Phase,
    /// What must follow: records were lost since the running dump began, or a part of the last one was missing.
    again: Option<Cause>,
    /// Every loss from before this time is known.
    counted: BootNs,
    retries: u32,
    /// Whether a part of the running dump was not complete.
    partial: bool,
    began: BootNs,
    last: BootNs,
    last_all: BootNs,
    /// Whether the last full dump was the first one.
    young: bool,
    /// How long the last look through the UNIX sockets took.
    unix_took: BootNs,
    /// How many times `unix_every` the next one waits.
    unix_pace: u32,
    /// How long the last full dump took.
    all_took: BootNs,
    /// How many times `owners_every` the next dump for owners waits.
    owners_pace: u32,
}

/// What is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Waits {
    /// Somebody waits for the ends of UNIX sockets.
    pub(super) unix_close: bool,
    /// There are sockets without an owner, or of which it is not known where they stand.
    pub(super) owners: bool,
}

impl Dumps {
    pub(super) const fn new(config: Config) -> Self {
        Self {
            config,
            phase: Phase::Idle,
            again: None,
            counted: 0,
            retries: RETRIES,
            partial: false,
            began: 0,
            last: 0,
            last_all: 0,
            young: false,
            unix_took: 0,
            unix_pace: 1,
            all_took: 0,
            owners_pace: 1,
        }
    }

    /// Records were lost.
    pub(super) const fn lost(&mut self) {
        self.again = Some(Cause::Loss);
        self.retries = RETRIES;
    }

    /// It is known what was lost before `at`.
    pub(super) const fn counted(&mut self, at: BootNs) {
        self.counted = at;
    }

    /// Whether the dump that has been read waits to know what was lost while it was read.
    pub(super) fn lacks_count(&self, now: BootNs) -> bool {
        match self.phase {
            Phase::Read(cause, at) => {
                let due = settled(cause, at);
                self.counted < due && due <= now
            }
            Phase::Idle | Phase::Rows(_) | Phase::Seek(..) => false,
        }
    }

    /// Whether something is missing that a dump has not made good yet.
    pub(super) const fn is_behind(&self) -> bool {
        match self.phase {
            Phase::Rows(cause) | Phase::Read(cause, _) => self.again.is_some() || cause.is_after_loss(),
            Phase::Idle | Phase::Seek(..) => self.again.is_some(),
        }
    }

    /// UNIX sockets have come or gone: more may.
    pub(super) const fn unix_seen(&mut self) {
        self.unix_pace = 1;
    }

    /// So many sockets got an owner by a dump that was made for that, or for something else.
    pub(super) fn owners_found(&mut self, cause: Cause, named: usize) {
        self.owners_pace = match (named, cause) {
            (0, Cause::Owners) => (self.owners_pace * 2).min(OWNERS_SLOWEST),
            (0, _) => self.owners_pace,
            (_, _) => 1,
        };
    }

    /// The dump that is to begin now, if any.
    pub(super) fn due(&self, now: BootNs, waits: Waits) -> Option<Cause> {
        let pace = if waits.unix_close { 1 } else { self.unix_pace };
        let owners_every = match self.config.owners_every {
            0 => 0,
            every => (self.all_took * OWNERS_SHARE)
                .min(every * OWNERS_LONGEST)
                .max(every * BootNs::from(self.owners_pace)),
        };
        let unix_every = match self.config.unix_every {
            0 => 0,
            every => (self.unix_took * UNIX_SHARE).min(every * UNIX_LONGEST).max(every * BootNs::from(pace)),
        };
        let audit_every = match self.config.audit_every {
            every if self.young => every.min(FIRST_AUDIT),
            every => every,
        };
        let is_due = |every: BootNs, last: BootNs| every != 0 && now.saturating_sub(last) >= every;
        match self.phase {
            Phase::Rows(_) | Phase::Read(..) | Phase::Seek(..) => None,
            Phase::Idle if self.again == Some(Cause::Loss) && is_due(PAUSE, self.last_all) => self.again,
            Phase::Idle if self.again.is_some() && is_due(RETRY_AFTER, self.last_all) => self.again,
            Phase::Idle if is_due(audit_every, self.last_all) => Some(Cause::Audit),
            Phase::Idle if waits.owners && is_due(owners_every, self.last_all) => Some(Cause::Owners),
            Phase::Idle if is_due(unix_every, self.last) => Some(Cause::Unix),
            Phase::Idle => None,
        }
    }

    /// Whether none is running.
    pub(super) const fn is_idle(&self) -> bool {
        matches!(self.phase, Phase::Idle)
    }

    pub(super) const fn start(&mut self, cause: Cause, now: BootNs) {
        self.began = now;
        self.phase = Phase::Rows(cause);
        self.partial = false;
        if cause.is_after_loss() {
            self.again = None;
        }
    }

    /// A part of the dump has ended.
    pub(super) const fn scope(&mut self, partial: bool) {
        self.partial |= partial;
    }

    /// The dump has been read, or the search that followed it has ended.
    pub(super) const fn read(&mut self, now: BootNs) {
        match self.phase {
            Phase::Rows(cause) => self.phase = Phase::Read(cause, now),
            Phase::Seek(_, since) => {
                self.phase = Phase::Idle;
                self.unix_took += now.saturating_sub(since);
            }
            Phase::Idle | Phase::Read(..) => {}
        }
    }

    /// Who holds sockets that the merged dump could not show is looked for.
    pub(super) const fn seek(&mut self, cause: Cause, now: BootNs) {
        self.phase = Phase::Seek(cause, now);
    }

    /// Why the dump was made whose sockets are looked for.
    pub(super) const fn sought(&self) -> Option<Cause> {
        match self.phase {
            Phase::Seek(cause, _) => Some(cause),
            Phase::Idle | Phase::Rows(_) | Phase::Read(..) => None,
        }
    }

    /// Every change from before `applied` is in the table: whether the dump is to be merged now. That takes knowing
    /// whether anything was lost while it was read.
    pub(super) fn finish(&mut self, applied: BootNs, now: BootNs) -> Option<Cause> {
        let Phase::Read(cause, at) = self.phase else { return None };
        let due = settled(cause, at);
        if applied < due || self.counted < due {
            return None;
        }
        self.phase = Phase::Idle;
        self.last = now;
        match cause.reach() {
            Reach::All => {
                self.last_all = now;
                self.young = cause == Cause::Seed;
                self.all_took = at.saturating_sub(self.began + SETTLE);
            }
            Reach::Unix => {
                self.unix_took = at.saturating_sub(self.began + SETTLE);
                self.unix_pace = (self.unix_pace * 2).min(UNIX_SLOWEST);
            }
        }
        if cause.is_after_loss() && self.partial && self.retries > 0 {
            self.retries -= 1;
            self.again = self.again.or(Some(Cause::Retry));
        }
        Some(cause)
    }
}

/// From when on nothing more is reported of what a dump has shown that was read until `at`.
fn settled(cause: Cause, at: BootNs) -> BootNs {
    match cause {
        // The last moment matters to what is found gone or changed: next to nothing at first, and somebody waits.
        Cause::Seed => at,
        Cause::Loss | Cause::Retry | Cause::Audit | Cause::Owners | Cause::Unix => at + SETTLE,
    }
}

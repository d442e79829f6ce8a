//! From when on something is a problem: names, defaults and what they mean.

/// A number that can be set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Threshold {
    /// What it is called.
    pub name: &'static str,
    /// Unless it is set.
    pub default: u64,
    /// What it means, and its unit.
    pub meaning: &'static str,
}

macro_rules! thresholds {
    ($($constant:ident $name:literal $default:literal $meaning:literal;)*) => {
        /// Which one.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(super) enum Name { $($constant),* }

        const ALL: &[Threshold] =
            &[$(Threshold { name: $name, default: $default, meaning: $meaning }),*];
    };
}

thresholds! {
    Ports "ports" 80 "percent of the ephemeral ports to one destination";
    PortsCritical "ports-critical" 95 "likewise, for critical";
    TimeWait "time-wait" 10_000 "connections in TIME-WAIT at one end or to one destination";
    TimeWaitCritical "time-wait-critical" 90 "percent of net.ipv4.tcp_max_tw_buckets, for critical";
    CloseWait "close-wait" 10 "connections of one process in CLOSE-WAIT";
    CloseWaitCritical "close-wait-critical" 200 "likewise, for critical";
    CloseWaitAge "close-wait-age" 30 "seconds that one must have been in CLOSE-WAIT to count";
    ListenDrops "listen-drops" 1 "connections that a listener drops from one sample to the next";
    NotAcceptedAge "not-accepted-age" 10 "seconds that a connection waits to be accepted";
    Connects "connects" 5 "connects to one destination that failed for one reason, within --since";
    ConnectsCritical "connects-critical" 100 "likewise, for critical";
    Retrans "retrans" 3 "percent of the segments to one peer that were sent again";
    RetransCritical "retrans-critical" 15 "likewise, for critical";
    RetransSegments "retrans-segments" 200 "segments that must have been sent to a peer to judge it";
    Rtt "rtt" 1000 "milliseconds of round-trip time, the median of the connections with a peer";
    SendQueueAge "send-queue-age" 10 "seconds that what was sent is not acknowledged";
}

/// What they are set to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Thresholds(Vec<u64>);

/// No threshold is called that, or it is no number.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoThreshold {
    /// Without `=` or without a number behind it.
    #[error("{0:?}: expected NAME=NUMBER, such as close-wait=50")]
    Form(String),
    /// No such name.
    #[error("unknown threshold {word:?}; choose from {}", names().join(", "))]
    Unknown {
        /// What was given.
        word: String,
    },
}

fn names() -> Vec<&'static str> {
    ALL.iter().map(|threshold| threshold.name).collect()
}

impl Default for Thresholds {
    fn default() -> Self {
        Self(ALL.iter().map(|threshold| threshold.default).collect())
    }
}

impl Thresholds {
    /// All of them.
    #[must_use]
    pub const fn all() -> &'static [Threshold] {
        ALL
    }

    /// Sets one: `NAME=NUMBER`.
    ///
    /// # Errors
    /// See [`NoThreshold`].
    pub fn set(&mut self, word: &str) -> Result<(), NoThreshold> {
        let (name, number) = word.split_once('=').ok_or_else(|| NoThreshold::Form(word.to_owned()))?;
        let number = number.parse().map_err(|_| NoThreshold::Form(word.to_owned()))?;
        let place = ALL.iter().position(|threshold| threshold.name == name);
        match place.and_then(|place| self.0.get_mut(place)) {
            Some(value) => *value = number,
            None => return Err(NoThreshold::Unknown { word: name.to_owned() }),
        }
        Ok(())
    }

    pub(super) fn get(&self, name: Name) -> u64 {
        self.0.get(name as usize).copied().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_is_set_by_its_name() {
        let mut thresholds = Thresholds::default();
        assert_eq!(thresholds.get(Name::CloseWait), 10);
        thresholds.set("close-wait=50").unwrap();
        assert_eq!((thresholds.get(Name::CloseWait), thresholds.get(Name::Ports)), (50, 80));
        assert_eq!(thresholds.set("close-wait"), Err(NoThreshold::Form("close-wait".to_owned())));
        assert_eq!(thresholds.set("close-wait=many"), Err(NoThreshold::Form("close-wait=many".to_owned())));
        assert!(
            thresholds
                .set("x=1")
                .unwrap_err()
                .to_string()
                .starts_with("unknown threshold \"x\"; choose from ports,")
        );
    }

    #[test]
    fn each_is_in_the_document() {
        let document = include_str!("../../../../docs/problems.md");
        for Threshold { name, default, .. } in ALL {
            assert!(document.contains(&format!("| `{name}` | {default} |")), "{name} {default}");
        }
    }
}

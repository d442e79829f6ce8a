//! What `socktrace doctor --json` finds.

use serde::{Deserialize, Serialize};

/// What there is to say of one thing, and of all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Answer {
    /// It is as it should be.
    Ok,
    /// Something is lost, the rest works.
    Degraded,
    /// Tracing does not work.
    Failed,
    /// It could not be found out, which is not to be taken for good.
    Unknown,
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Finding {
    /// Stays the same from version to version.
    pub id: String,
    /// How it is.
    pub answer: Answer,
    /// For people.
    pub what: String,
    /// What is not seen without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lost_without: Option<String>,
    /// What to do, for the way in which the program was started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remedy: Option<String>,
}

/// All that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Diagnosis {
    /// The worst answer.
    pub verdict: Answer,
    /// Of the program.
    pub version: String,
    /// Release of the kernel.
    pub kernel: String,
    /// The processor: `x86_64`, `aarch64`.
    pub machine: String,
    /// How the program was started: `shell`, `sudo`, `systemd`, `container`, `kubernetes`.
    pub started_by: String,
    /// Each thing.
    pub findings: Vec<Finding>,
}

//! One thing that was looked at, and what came of all of them. Nothing is read here.

use serde::Serialize;
use std::process::ExitCode;

/// What there is to say of one thing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Answer {
    /// It is as it should be.
    Ok,
    /// Something is lost, the rest works.
    Degraded,
    /// Tracing does not work.
    Failed,
    /// It could not be found out, which is not to be taken for good.
    Unknown,
}

impl Answer {
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Degraded => "degraded",
            Self::Failed => "failed",
            Self::Unknown => "unknown",
        }
    }

    pub(super) fn exit_code(self) -> ExitCode {
        match self {
            Self::Ok | Self::Degraded => ExitCode::SUCCESS,
            Self::Failed => ExitCode::FAILURE,
            Self::Unknown => ExitCode::from(3),
        }
    }
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Finding {
    /// Stays the same from version to version.
    pub(super) id: String,
    pub(super) answer: Answer,
    /// For people.
    pub(super) what: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) lost_without: Option<String>,
    /// What to do, for the way in which this program was started.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) remedy: Option<String>,
}

impl Finding {
    fn new(answer: Answer, id: impl Into<String>, what: impl Into<String>) -> Self {
        Self { id: id.into(), answer, what: what.into(), lost_without: None, remedy: None }
    }

    pub(super) fn ok(id: impl Into<String>, what: impl Into<String>) -> Self {
        Self::new(Answer::Ok, id, what)
    }

    pub(super) fn degraded(id: impl Into<String>, what: impl Into<String>) -> Self {
        Self::new(Answer::Degraded, id, what)
    }

    pub(super) fn failed(id: impl Into<String>, what: impl Into<String>) -> Self {
        Self::new(Answer::Failed, id, what)
    }

    pub(super) fn unknown(id: impl Into<String>, what: impl Into<String>) -> Self {
        Self::new(Answer::Unknown, id, what)
    }

    pub(super) fn lost(self, lost: impl Into<String>) -> Self {
        Self { lost_without: Some(lost.into()), ..self }
    }

    pub(super) fn remedy(self, remedy: impl Into<String>) -> Self {
        Self { remedy: Some(remedy.into()), ..self }
    }
}

/// The worst of all: a failure, else what could not be found out, else what is lost.
pub(super) fn verdict(findings: &[Finding]) -> Answer {
    let any = |answer| findings.iter().any(|finding| finding.answer == answer);
    [Answer::Failed, Answer::Unknown, Answer::Degraded]
        .into_iter()
        .find(|&bad| any(bad))
        .unwrap_or(Answer::Ok)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_decides() {
        let (ok, degraded) = (Finding::ok("a", ""), Finding::degraded("b", ""));
        let (failed, unknown) = (Finding::failed("c", ""), Finding::unknown("d", ""));
        assert_eq!(verdict(&[]), Answer::Ok);
        assert_eq!(verdict(&[ok.clone(), degraded.clone()]), Answer::Degraded);
        assert_eq!(verdict(&[degraded, unknown.clone(), ok]), Answer::Unknown);
        assert_eq!(verdict(&[unknown, failed]), Answer::Failed);
    }
}

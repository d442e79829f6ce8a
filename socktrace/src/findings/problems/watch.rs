//! What has changed of the findings from one time to the next.

use std::collections::BTreeMap;

use super::{Finding, Severity};

/// What has become of a finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// It was not there before.
    New,
    /// It is worse or better than before.
    Changed,
    /// It is not there any more.
    Gone,
}

impl Change {
    /// Its word.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Changed => "changed",
            Self::Gone => "gone",
        }
    }
}

/// The findings of the time before, by what they are called.
#[derive(Debug, Default)]
pub struct Watch(BTreeMap<String, Finding>);

impl Watch {
    /// What has changed since the time before.
    pub fn next(&mut self, found: &[Finding]) -> Vec<(Change, Finding)> {
        let mut changes = Vec::new();
        let mut before = std::mem::take(&mut self.0);
        for finding in found {
            let was: Option<Severity> = before.remove(&finding.id()).map(|it| it.severity);
            match was {
                None => changes.push((Change::New, finding.clone())),
                Some(severity) if severity != finding.severity => {
                    changes.push((Change::Changed, finding.clone()));
                }
                Some(_) => {}
            }
            self.0.insert(finding.id(), finding.clone());
        }
        changes.extend(before.into_values().map(|finding| (Change::Gone, finding)));
        changes
    }
}

//! What docs/ss-compat.md says of pairs of options.

use super::Fate;
use socktrace::listing::words::Name;
use std::collections::BTreeSet;

/// Pairs of long names.
pub(super) struct Document {
    refused: BTreeSet<[String; 2]>,
    same: BTreeSet<[String; 2]>,
}

impl Document {
    /// From the tables beneath the two headings: in each row the options of the first cell with those of the second.
    pub(super) fn read(text: &str, options: &[Name]) -> Self {
        let table = |heading: &str| {
            let (_, rest) = text.split_once(heading).expect("a heading");
            let mut pairs = BTreeSet::new();
            for line in
                rest.lines().take_while(|line| !line.starts_with('#')).filter(|line| line.starts_with("| `"))
            {
                let cells: Vec<&str> = line.split(" | ").collect();
                for one in names(cells[0], options) {
                    for other in names(cells[1], options) {
                        pairs.insert(sorted(&one, &other));
                    }
                }
            }
            assert!(!pairs.is_empty(), "{heading}");
            pairs
        };
        Self { refused: table("### Refused together"), same: table("### Nothing to change") }
    }

    pub(super) fn fate(&self, one: &str, other: &str) -> Fate {
        let pair = sorted(one, other);
        match (self.refused.contains(&pair), self.same.contains(&pair)) {
            (true, _) => Fate::Refused,
            (false, true) => Fate::Same,
            (false, false) => Fate::Works,
        }
    }
}

fn sorted(one: &str, other: &str) -> [String; 2] {
    let mut pair = [one.to_owned(), other.to_owned()];
    pair.sort();
    pair
}

/// The long names of the options between backticks.
fn names(cell: &str, options: &[Name]) -> Vec<String> {
    let words = cell.split('`').skip(1).step_by(2);
    words
        .map(|word| {
            let is = |option: &&Name| match word.strip_prefix("--") {
                Some(long) => option.long == long,
                None => word
                    .strip_prefix('-')
                    .is_some_and(|letter| !letter.is_empty() && option.short.contains(letter)),
            };
            options.iter().find(is).unwrap_or_else(|| panic!("{word} is no option")).long.to_owned()
        })
        .collect()
}

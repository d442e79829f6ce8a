//! Every option of `ss` beside each of those that change what the others mean: the pair works, which is seen in what it
//! prints, or it is refused with both names. docs/ss-compat.md lists what is refused, and what has nothing to change.
//!
//! The options come from the table that reads the command line: a new one that is not described here fails.

mod beside;
mod document;
mod effects;
mod stage;

use crate::support::{may_trace, say};
use beside::Beside;
use document::Document;
use effects::{EFFECTS, Effect};
use socktrace::listing::words::{self, Name};
use stage::Stage;
use std::collections::BTreeMap;

/// What became of a pair.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Works,
    Refused,
    /// The option changes nothing there.
    Same,
}

#[test]
fn no_option_is_dropped_beside_another() {
    if !may_trace("no_option_is_dropped_beside_another") {
        return;
    }
    let begun = std::time::Instant::now();
    let effects: BTreeMap<&str, &Effect> = EFFECTS.iter().map(|effect| (effect.option, effect)).collect();
    let options: Vec<Name> = words::names().collect();
    for option in &options {
        assert!(effects.contains_key(option.long), "--{} is not described in the matrix", option.long);
    }
    assert_eq!(options.len(), EFFECTS.len(), "the matrix describes an option that is not there");
    let document = Document::read(include_str!("../../../docs/ss-compat.md"), &options);

    Stage::with(|stage| {
        let (mut wrong, mut asked) = (Vec::new(), 0);
        for beside in Beside::ALL {
            for effect in EFFECTS.iter().filter(|effect| effect.option != beside.option()) {
                asked += 1;
                let expected = document.fate(beside.option(), effect.option);
                if let Err(problem) = pair(stage, beside, effect, expected) {
                    wrong.push(format!("--{} --{}: {problem}", beside.option(), effect.option));
                }
            }
        }
        say(&format!("{asked} pairs of options in {:.1} s", begun.elapsed().as_secs_f64()));
        assert!(wrong.is_empty(), "{} of {asked}:\n{}", wrong.len(), wrong.join("\n"));
    });
}

/// Asks for both at once; what is wrong with what came of it.
fn pair(stage: &Stage, beside: Beside, effect: &Effect, expected: Fate) -> Result<(), String> {
    let seen = beside.ask(stage, effect);
    let named = |option: &str| seen.stderr.contains(&format!("--{option}"));
    if seen.code == Some(2) {
        return match expected {
            // Two that say what is done to the sockets belong to a third.
            _ if matches!(effect.option, "dry-run" | "force") && named("kill") && named(effect.option) => {
                Ok(())
            }
            Fate::Refused if named(beside.option()) && named(effect.option) => Ok(()),
            Fate::Refused => Err(format!("both names are missing in {:?}", seen.stderr)),
            Fate::Works | Fate::Same => Err(format!("is refused: {}", seen.stderr)),
        };
    }
    match expected {
        Fate::Refused => Err("is not refused, as docs/ss-compat.md says".to_owned()),
        Fate::Works | Fate::Same => {
            beside.has_effect(stage, effect, &seen)?;
            match (expected, beside.shows(effect, &seen)) {
                (Fate::Works, true) => Ok(()),
                (Fate::Works, false) => Err(format!("nothing is seen of it: {seen:?}")),
                (Fate::Same | Fate::Refused, _) => Ok(()),
            }
        }
    }
}

//! The same bytes as the real ss, on the same sockets, for many combinations of options and filters.

mod listing;
mod questions;

use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use listing::Listing;
pub(crate) use listing::{difference, steady};
use questions::{ON_A_SCREEN, QUESTIONS};

use crate::agent::Agent;
use crate::ss_fixtures::Fixtures;
use crate::support::{in_own_netns, may_trace};

#[path = "../../xtask/src/fetch/mod.rs"]
mod fetch;

#[test]
fn the_same_bytes_as_ss() {
    let theirs = oracle();
    let ours = called_ss("direct");
    in_own_netns(|| {
        let fixtures = Fixtures::open();
        let theirs = Listing { program: &theirs, agent: None };
        all_the_same(&fixtures, &theirs, &mut Listing { program: &ours, agent: None });
    });
}

#[test]
fn the_same_bytes_as_ss_through_an_agent() {
    if !may_trace("the_same_bytes_as_ss_through_an_agent") {
        return;
    }
    let theirs = oracle();
    let ours = called_ss("agent");
    in_own_netns(|| {
        let fixtures = Fixtures::open();
        let agent = Agent::called(&ours);
        let theirs = Listing { program: &theirs, agent: None };
        all_the_same(&fixtures, &theirs, &mut Listing { program: &ours, agent: Some(agent) });
    });
}

/// Asks both everything.
fn all_the_same(fixtures: &Fixtures, theirs: &Listing<'_>, ours: &mut Listing<'_>) {
    let mut different = Vec::new();
    let plain = QUESTIONS.iter().map(|question| (None, *question));
    let on_a_screen = ON_A_SCREEN.iter().map(|(width, question)| (Some(*width), *question));
    for (screen, question) in plain.chain(on_a_screen) {
        let words: Vec<String> = question
            .split(' ')
            .filter(|word| !word.is_empty())
            .map(|word| word.replace("ZOO", &fixtures.folder().display().to_string()))
            .collect();
        let both = |ours: &Listing<'_>| (theirs.of(&words, screen), ours.of(&words, screen));
        // A socket may change its state, or a timer its unit, between one and the other.
        let are_same = |ours: &Listing<'_>| {
            (0..5).any(|_| {
                let (theirs, ours) = both(ours);
                theirs == ours
            })
        };
        if !(are_same(ours) || ours.renews_agent() && are_same(ours)) {
            let (theirs, ours) = both(ours);
            different.push(format!("== ss {question} ({screen:?})\n{}", difference(&theirs, &ours)));
        }
    }
    assert!(
        different.is_empty(),
        "{} of {} differ\n{}",
        different.len(),
        QUESTIONS.len(),
        different.join("\n")
    );
}

/// The real ss. Several tests want it at once, and only one fetches it.
pub(crate) fn oracle() -> PathBuf {
    static ORACLE: LazyLock<PathBuf> = LazyLock::new(|| {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("a workspace");
        fetch::ss::fetch(root).expect("the real ss of iproute2 6.15")
    });
    ORACLE.clone()
}

/// Our program under the name `ss`, in a folder of that name, so that its own sockets have an owner of the same name.
fn called_ss(folder: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(folder);
    std::fs::create_dir_all(&folder).expect("a folder");
    let link = folder.join("ss");
    let _ = std::fs::remove_file(&link);
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_socktrace"), &link).expect("a link");
    link
}

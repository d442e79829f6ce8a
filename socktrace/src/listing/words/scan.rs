//! getopt_long's way through the words: options are applied as they come, the other words are returned.

use crate::api::suggest::nearest;

use super::flags::{FLAGS, Flag, Take};
use super::{Draft, UsageError};

/// Applies the options to the draft. `--` ends them. Where the other words stand.
pub(super) fn scan(words: &[String], draft: &mut Draft) -> Result<Vec<usize>, UsageError> {
    let mut rest = Vec::new();
    let mut words = words.iter().enumerate();
    while let Some((place, word)) = words.next() {
        if draft.instead.is_some() {
            break;
        }
        if word == "--" {
            rest.extend(words.map(|(place, _)| place));
            break;
        }
        let mut next = || words.next().map(|(_, word)| word.clone());
        match (word.strip_prefix("--"), word.strip_prefix('-')) {
            (Some(long), _) => self::long(long, &mut next, draft)?,
            (None, Some(cluster)) if !cluster.is_empty() => self::cluster(cluster, &mut next, draft)?,
            _ => rest.push(place),
        }
    }
    Ok(rest)
}

fn long(word: &str, next: &mut dyn FnMut() -> Option<String>, draft: &mut Draft) -> Result<(), UsageError> {
    let (name, value) = match word.split_once('=') {
        Some((name, value)) => (name, Some(value.to_owned())),
        None => (word, None),
    };
    let flag = find_long(name)?;
    match (flag.take, value) {
        (Take::Nothing(_), Some(_)) => Err(UsageError::NeedlessValue(format!("--{}", flag.long))),
        (Take::Nothing(apply), None) => {
            draft.given.push(flag.long);
            apply(draft);
            Ok(())
        }
        (Take::Perhaps(apply), value) => {
            draft.given.push(flag.long);
            apply(draft, value.as_deref())
        }
        (Take::Value(apply), value) => {
            draft.given.push(flag.long);
            let value = value.or_else(next).ok_or_else(|| UsageError::NoValue(format!("--{}", flag.long)))?;
            apply(draft, &value)
        }
    }
}

/// The option with that name, or the only one that begins with it: among those of ss first, so that ours never make
/// an abbreviation ambiguous that works with ss.
fn find_long(name: &str) -> Result<&'static Flag, UsageError> {
    if let Some(flag) = FLAGS.iter().find(|flag| flag.long == name) {
        return Ok(flag);
    }
    let beginning = |of_ss: bool| {
        FLAGS
            .iter()
            .filter(move |flag| flag.long.starts_with(name) && (!of_ss || flag.of_ss))
            .collect::<Vec<_>>()
    };
    for of_ss in [true, false] {
        match beginning(of_ss).as_slice() {
            [] => {}
            [flag] => return Ok(flag),
            candidates => {
                let candidates: Vec<_> = candidates.iter().map(|flag| format!("--{}", flag.long)).collect();
                return Err(UsageError::Ambiguous {
                    word: format!("--{name}"),
                    candidates: candidates.join(", "),
                });
            }
        }
    }
    let meant = nearest(name, FLAGS.iter().map(|flag| flag.long));
    let meant = meant.map(|meant| format!("; did you mean `--{meant}`?")).unwrap_or_default();
    Err(UsageError::Unknown(format!("--{name}{meant}")))
}

fn cluster(
    word: &str,
    next: &mut dyn FnMut() -> Option<String>,
    draft: &mut Draft,
) -> Result<(), UsageError> {
    let mut letters = word.chars();
    while let Some(letter) = letters.next() {
        let flag = FLAGS
            .iter()
            .find(|flag| flag.short.contains(letter))
            .ok_or_else(|| UsageError::Unknown(format!("-{letter}")))?;
        draft.given.push(flag.long);
        match flag.take {
            Take::Nothing(apply) => apply(draft),
            Take::Perhaps(apply) => apply(draft, None)?,
            Take::Value(apply) => {
                let attached = letters.as_str();
                let value = if attached.is_empty() { next() } else { Some(attached.to_owned()) };
                return apply(draft, &value.ok_or_else(|| UsageError::NoValue(format!("-{letter}")))?);
            }
        }
        if draft.instead.is_some() {
            return Ok(());
        }
    }
    Ok(())
}

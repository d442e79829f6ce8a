//! "Did you mean": what is said about a word that is none of those that are possible. One mechanism for filter keywords,
//! states, options, columns, keys, kinds of events, tables and families. Pure.

/// What follows `unknown column "staet"`: the word that was probably meant, or else all that are possible.
#[must_use]
pub fn suggestion<'a>(word: &str, possible: impl IntoIterator<Item = &'a str> + Clone) -> String {
    match nearest(word, possible.clone()) {
        Some(meant) => format!("; did you mean `{meant}`?"),
        None => format!("; choose from {}", possible.into_iter().collect::<Vec<_>>().join(", ")),
    }
}

/// The possible word that is nearest: one insertion, deletion, replacement or swap away for every three characters, at
/// least one. Case does not count.
#[must_use]
pub fn nearest<'a>(word: &str, possible: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let lower = word.to_ascii_lowercase();
    // Nobody's typing error is longer than this, and comparing takes time.
    if lower.len() > 64 {
        return None;
    }
    let away = |possible: &'a str| (strsim::osa_distance(&lower, possible), possible);
    let (distance, nearest) = possible.into_iter().map(away).min_by_key(|(distance, _)| *distance)?;
    (distance <= (lower.len() / 3).max(1)).then_some(nearest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_near_is_offered_and_nothing_else() {
        let columns = ["state", "sport", "dport", "rtt", "container"];
        for (word, expected) in [
            ("staet", "; did you mean `state`?"),
            ("STATE", "; did you mean `state`?"),
            ("dprt", "; did you mean `dport`?"),
            ("contaner", "; did you mean `container`?"),
            ("kontainr", "; did you mean `container`?"),
            ("rt", "; did you mean `rtt`?"),
            ("zzz", "; choose from state, sport, dport, rtt, container"),
            ("", "; choose from state, sport, dport, rtt, container"),
        ] {
            assert_eq!(suggestion(word, columns), expected, "{word}");
        }
        assert_eq!(nearest(&"x".repeat(100_000), columns), None);
        assert_eq!(nearest("x", [] as [&str; 0]), None);
    }
}

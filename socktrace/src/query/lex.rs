//! Words → tokens: blanks and tabs separate, between words and inside them; a backslash quotes, and so do quotes.

use std::ops::Range;

use super::{ParseError, Problem};

/// One piece of a filter, and where it stood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Token {
    /// Its text, without the quoting backslashes.
    pub(super) text: String,
    /// Index of the word it stood in.
    pub(super) word: usize,
    /// Its bytes within that word.
    pub(super) span: Range<usize>,
    /// Whether anything in it was quoted; then it is a value even where it reads like a keyword.
    pub(super) quoted: bool,
}

impl Token {
    /// Where a part of the text stands in the word; the whole token if quoting shifted it.
    pub(super) fn part(&self, part: Range<usize>) -> Range<usize> {
        if self.quoted {
            return self.span.clone();
        }
        self.span.start + part.start..self.span.start + part.end
    }
}

/// Splits words into tokens as ss does (misc/ssfilter.y, `get_token_from_line`): the backslash quotes any next
/// character, also a blank, and is dropped where nothing follows.
///
/// Unlike in ss, `"` and `'` delimit a value, or a part of one that begins behind `{`, `,` or `:`; elsewhere they are
/// ordinary.
pub(super) fn lex(words: &[String]) -> Result<Vec<Token>, ParseError> {
    let mut tokens = Vec::new();
    for (word, text) in words.iter().enumerate() {
        let mut open: Option<Token> = None;
        let mut quote = false;
        let mut delimiter: Option<(char, usize)> = None;
        for (at, c) in text.char_indices() {
            if !quote && delimiter.is_none() && (c == ' ' || c == '\t') {
                tokens.extend(open.take());
                continue;
            }
            let token =
                open.get_or_insert_with(|| Token { text: String::new(), word, span: at..at, quoted: false });
            let begins = token.span.is_empty() || token.text.ends_with(['{', ',', ':']);
            token.span.end = at + c.len_utf8();
            match (c, delimiter) {
                _ if quote => {
                    token.text.push(c);
                    quote = false;
                }
                ('\\', _) => {
                    quote = true;
                    token.quoted = true;
                }
                ('"' | '\'', None) if begins => {
                    delimiter = Some((c, at));
                    token.quoted = true;
                }
                (_, Some((end, _))) if end == c => delimiter = None,
                _ => token.text.push(c),
            }
        }
        if let Some((_, at)) = delimiter {
            return Err(ParseError { word, span: at..at + 1, problem: Problem::UnclosedQuote });
        }
        tokens.extend(open.filter(|token| !token.text.is_empty()));
    }
    Ok(tokens)
}

/// Quotes a value so that it is read back as one token.
pub(super) fn quote(text: &str, reserved: bool) -> String {
    let mut quoted = String::with_capacity(text.len() + 1);
    if reserved {
        quoted.push('\\');
    }
    for c in text.chars() {
        if matches!(c, ' ' | '\t' | '\\' | '"' | '\'') {
            quoted.push('\\');
        }
        quoted.push(c);
    }
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(words: &[&str], expected: &[(&str, usize, Range<usize>)]) {
        let words: Vec<String> = words.iter().map(|&word| word.to_owned()).collect();
        let tokens = lex(&words).unwrap();
        let seen: Vec<_> = tokens.iter().map(|t| (t.text.as_str(), t.word, t.span.clone())).collect();
        assert_eq!(seen, expected, "{words:?}");
    }

    #[test]
    fn blanks_separate_between_and_inside_words() {
        check(
            &["( dport = :22 )", "or", ""],
            &[
                ("(", 0, 0..1),
                ("dport", 0, 2..7),
                ("=", 0, 8..9),
                (":22", 0, 10..13),
                (")", 0, 14..15),
                ("or", 1, 0..2),
            ],
        );
        check(&[" \t a\t"], &[("a", 0, 3..4)]);
    }

    #[test]
    fn a_backslash_quotes() {
        check(&[r"a\ b\\c"], &[(r"a b\c", 0, 0..7)]);
        check(&[r"sp\ort", r"x\"], &[("sport", 0, 0..6), ("x", 1, 0..2)]);
        check(&[r"\"], &[]);
    }

    #[test]
    fn quotes_delimit() {
        check(&[r#"comm = "nginx""#], &[("comm", 0, 0..4), ("=", 0, 5..6), ("nginx", 0, 7..14)]);
        check(&["\"a b\"", "'c \"d'"], &[("a b", 0, 0..5), ("c \"d", 1, 0..6)]);
        check(&[r#"{"a b",'c'}"#], &[("{a b,c}", 0, 0..11)]);
        check(&[r#"unix:"/a b""#], &[("unix:/a b", 0, 0..11)]);
        check(&[r#""a\"b""#], &[("a\"b", 0, 0..6)]);
        // Elsewhere they are ordinary.
        check(&["it's", r#"5"""#], &[("it's", 0, 0..4), ("5\"\"", 1, 0..3)]);
        let error = lex(&["comm".to_owned(), "= \"x".to_owned()]).unwrap_err();
        assert_eq!((error.word, error.span, error.problem), (1, 2..3, Problem::UnclosedQuote));
    }

    #[test]
    fn quoting_is_undone_by_lexing() {
        for (text, reserved) in
            [("a b", false), ("or", true), (r"\", false), ("\t", false), ("é \\", true), ("'\"", false)]
        {
            let tokens = lex(&[quote(text, reserved)]).unwrap();
            assert_eq!(tokens.iter().map(|t| t.text.as_str()).collect::<Vec<_>>(), [text]);
        }
    }
}

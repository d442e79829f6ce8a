//! Words → tokens: blanks and tabs separate, between words and inside them; a backslash quotes.

use std::ops::Range;

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
pub(super) fn lex(words: &[String]) -> Vec<Token> {
    let mut tokens = Vec::new();
    for (word, text) in words.iter().enumerate() {
        let mut open: Option<Token> = None;
        let mut quote = false;
        for (at, c) in text.char_indices() {
            if !quote && (c == ' ' || c == '\t') {
                tokens.extend(open.take());
                continue;
            }
            let token =
                open.get_or_insert_with(|| Token { text: String::new(), word, span: at..at, quoted: false });
            token.span.end = at + c.len_utf8();
            if !quote && c == '\\' {
                quote = true;
                token.quoted = true;
            } else {
                token.text.push(c);
                quote = false;
            }
        }
        tokens.extend(open.filter(|token| !token.text.is_empty()));
    }
    tokens
}

/// Quotes a value so that it is read back as one token.
pub(super) fn quote(text: &str, reserved: bool) -> String {
    let mut quoted = String::with_capacity(text.len() + 1);
    if reserved {
        quoted.push('\\');
    }
    for c in text.chars() {
        if matches!(c, ' ' | '\t' | '\\') {
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
        let tokens = lex(&words);
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
    fn quoting_is_undone_by_lexing() {
        for (text, reserved) in [("a b", false), ("or", true), (r"\", false), ("\t", false), ("é \\", true)]
        {
            let tokens = lex(&[quote(text, reserved)]);
            assert_eq!(tokens.iter().map(|t| t.text.as_str()).collect::<Vec<_>>(), [text]);
        }
    }
}

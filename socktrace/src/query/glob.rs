//! Shell patterns over bytes, as fnmatch(3) without flags: `*`, `?`, `[a-z]`, `[!x]`, `\` quotes.

/// A pattern. `/` and a leading dot are ordinary characters.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Glob {
    pattern: Box<str>,
    ignore_case: bool,
}

/// A piece of a pattern.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Item {
    /// Any bytes.
    Star,
    /// One byte, any or of a set.
    Any,
    /// This byte.
    Byte(u8),
}

impl Glob {
    /// A pattern for the names of processes: letters count as written.
    #[must_use]
    pub fn new(pattern: &str) -> Self {
        Self { pattern: pattern.into(), ignore_case: false }
    }

    /// A pattern for the names of UNIX sockets: the case of ASCII letters does not count, as in ss.
    #[must_use]
    pub fn ignoring_case(pattern: &str) -> Self {
        Self { pattern: pattern.into(), ignore_case: true }
    }

    /// The pattern as written.
    #[must_use]
    pub fn pattern(&self) -> &str {
        &self.pattern
    }

    /// Whether the whole text fits. Takes at most pattern × text steps, and allocates nothing.
    #[must_use]
    pub fn matches(&self, text: &[u8]) -> bool {
        self.matches_with(text.len(), |at| text.get(at).copied())
    }

    /// Whether it stands for itself alone.
    pub(super) fn is_literal(&self) -> bool {
        !self.pattern.contains(['*', '?', '[', '\\'])
    }

    /// How many bytes a text must have at least to fit.
    pub(super) fn least(&self) -> usize {
        self.items().filter(|item| *item != Item::Star).count()
    }

    /// Whether a text of such bytes and of such a length can fit. That it can is also said of sets that hold none of them.
    pub(super) fn fits(
        &self,
        alphabet: impl Fn(u8) -> bool,
        lengths: std::ops::RangeInclusive<usize>,
    ) -> bool {
        let least = self.least();
        let length = match self.items().any(|item| item == Item::Star) {
            true => least <= *lengths.end(),
            false => lengths.contains(&least),
        };
        length && self.items().all(|item| !matches!(item, Item::Byte(byte) if !alphabet(byte)))
    }

    /// Its items, from left to right.
    fn items(&self) -> impl Iterator<Item = Item> {
        let pattern = self.pattern.as_bytes();
        let mut p = 0;
        std::iter::from_fn(move || {
            let byte = *pattern.get(p)?;
            let set = if byte == b'[' { self.set(pattern, p + 1, 0) } else { None };
            let (item, next) = match (byte, set) {
                (b'*', _) => (Item::Star, p + 1),
                (b'?', _) => (Item::Any, p + 1),
                (b'\\', _) => (pattern.get(p + 1).map_or(Item::Any, |&byte| Item::Byte(byte)), p + 2),
                (_, Some((_, next))) => (Item::Any, next),
                (byte, None) => (Item::Byte(byte), p + 1),
            };
            p = next;
            Some(item)
        })
    }

    /// As [`Self::matches`], over bytes that are made on the way.
    pub(super) fn matches_with(&self, length: usize, byte: impl Fn(usize) -> Option<u8>) -> bool {
        let pattern = self.pattern.as_bytes();
        let (mut p, mut t) = (0, 0);
        // Where to go on if the rest does not fit: after the last star, one byte further.
        let mut retry: Option<(usize, usize)> = None;
        loop {
            if pattern.get(p) == Some(&b'*') {
                retry = Some((p + 1, t));
                p += 1;
                continue;
            }
            match (t < length).then(|| byte(t)).flatten() {
                None if p == pattern.len() => return true,
                None => return false,
                Some(byte) => {
                    if let Some(next) = self.one(pattern, p, byte) {
                        p = next;
                        t += 1;
                        continue;
                    }
                }
            }
            let Some((after_star, from)) = retry else { return false };
            retry = Some((after_star, from + 1));
            p = after_star;
            t = from + 1;
        }
    }

    /// Whether the item of the pattern at `p` fits the byte; where the next item begins.
    fn one(&self, pattern: &[u8], p: usize, byte: u8) -> Option<usize> {
        match *pattern.get(p)? {
            b'?' => Some(p + 1),
            b'[' => match self.set(pattern, p + 1, byte) {
                Some((true, next)) => Some(next),
                Some((false, _)) => None,
                // Never closed: an ordinary bracket.
                None => (byte == b'[').then_some(p + 1),
            },
            // A backslash at the end never fits, as in fnmatch.
            b'\\' => pattern.get(p + 1).filter(|&&c| self.same(c, byte)).map(|_| p + 2),
            c => self.same(c, byte).then_some(p + 1),
        }
    }

    /// A set that begins after its `[`: whether it has the byte, and where the next item begins.
    fn set(&self, pattern: &[u8], start: usize, byte: u8) -> Option<(bool, usize)> {
        let mut p = start;
        let negated = matches!(pattern.get(p)?, b'!' | b'^');
        if negated {
            p += 1;
        }
        let first = p;
        let mut found = false;
        loop {
            let mut low = *pattern.get(p)?;
            if low == b']' && p > first {
                return Some((found != negated, p + 1));
            }
            if let Some((class, next)) = named_class(pattern, p) {
                found |= class(&byte);
                p = next;
                continue;
            }
            if low == b'\\' {
                p += 1;
                low = *pattern.get(p)?;
            }
            p += 1;
            let mut high = low;
            if pattern.get(p) == Some(&b'-') && pattern.get(p + 1).is_some_and(|&c| c != b']') {
                p += 1;
                if pattern.get(p) == Some(&b'\\') {
                    p += 1;
                }
                high = *pattern.get(p)?;
                p += 1;
            }
            let fits = |byte: u8| (low..=high).contains(&byte);
            found |= fits(byte);
            if self.ignore_case {
                found |= fits(byte.to_ascii_lowercase()) || fits(byte.to_ascii_uppercase());
            }
        }
    }

    fn same(&self, a: u8, b: u8) -> bool {
        a == b || self.ignore_case && a.eq_ignore_ascii_case(&b)
    }
}

/// Whether a byte is of a class.
type Class = fn(&u8) -> bool;

/// `[:digit:]` and its like at `p`: the class, and what follows.
fn named_class(pattern: &[u8], p: usize) -> Option<(Class, usize)> {
    let inside = pattern.get(p..)?.strip_prefix(b"[:")?;
    let length = inside.iter().position(|&c| c == b':').filter(|&at| inside.get(at + 1) == Some(&b']'))?;
    let class: Class = match inside.get(..length)? {
        b"alnum" => u8::is_ascii_alphanumeric,
        b"alpha" => u8::is_ascii_alphabetic,
        b"blank" => |&c| c == b' ' || c == b'\t',
        b"cntrl" => u8::is_ascii_control,
        b"digit" => u8::is_ascii_digit,
        b"graph" => u8::is_ascii_graphic,
        b"lower" => u8::is_ascii_lowercase,
        b"print" => |&c| c == b' ' || c.is_ascii_graphic(),
        b"punct" => u8::is_ascii_punctuation,
        b"space" => |&c| c == 11 || c.is_ascii_whitespace(),
        b"upper" => u8::is_ascii_uppercase,
        b"xdigit" => u8::is_ascii_hexdigit,
        _ => return None,
    };
    Some((class, p + length + 4))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_fit_whole_texts() {
        for (pattern, text, expected) in [
            ("", "", true),
            ("", "a", false),
            ("*", "", true),
            ("*", "/run/x", true),
            ("/tmp/*", "/tmp/.X11-unix/X0", true),
            ("*x*", "axb", true),
            ("a?c", "abc", true),
            ("a?c", "ac", false),
            ("[a-c]z", "bz", true),
            ("[!a-c]z", "bz", false),
            ("[]]", "]", true),
            ("[a", "[a", true),
            (r"\*", "*", true),
            (r"\*", "x", false),
            ("[[:digit:]]*", "7th", true),
            ("a*b*c", "aXbYbZc", true),
            ("ABC", "abc", false),
        ] {
            assert_eq!(Glob::new(pattern).matches(text.as_bytes()), expected, "{pattern:?} {text:?}");
        }
        assert!(Glob::ignoring_case("/TMP/[X-Z]*").matches(b"/tmp/x"));
    }

    #[test]
    fn what_can_fit_at_all() {
        for (pattern, least, literal, fits) in [
            ("abc", 3, true, true),
            ("ab", 2, true, false),
            ("ab*", 2, false, true),
            ("*a*b*c*d", 4, false, false),
            ("[xyz]b?", 3, false, true),
            ("[!]]*", 1, false, true),
            ("[ab", 3, false, false),
            (r"\*bc", 3, false, false),
            ("xyz", 3, true, false),
            ("x*", 1, false, false),
        ] {
            let glob = Glob::new(pattern);
            let fit = glob.fits(|byte| (b'a'..=b'd').contains(&byte), 3..=3);
            assert_eq!((glob.least(), glob.is_literal(), fit), (least, literal, fits), "{pattern}");
        }
    }

    #[test]
    fn a_hard_pattern_takes_no_exponential_time() {
        let pattern = "*a".repeat(60) + "b";
        assert!(!Glob::new(&pattern).matches("a".repeat(5000).as_bytes()));
    }
}

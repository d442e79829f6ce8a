//! How many columns of a terminal text takes.

use unicode_width::UnicodeWidthStr as _;

/// Columns: two for each wide character, none for a combining one; one for what stands for bytes that are no UTF-8.
#[must_use]
pub fn width(text: &[u8]) -> usize {
    if text.is_ascii() {
        return text.len();
    }
    text.utf8_chunks().map(|chunk| chunk.valid().width() + usize::from(!chunk.invalid().is_empty())).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_and_not_bytes_or_characters() {
        for (text, expected) in [("", 0), ("abc", 3), ("größe", 5), ("日本", 4), ("e\u{301}", 1), ("≤1s", 3)]
        {
            assert_eq!(width(text.as_bytes()), expected, "{text}");
        }
        assert_eq!(width(b"a\xffb"), 3);
    }
}

//! Text from other processes, made safe: for a terminal, and for JSON.
//!
//! A command name or the path of a UNIX socket may hold any byte; printed raw it can move the cursor, recolour or
//! retitle a terminal, or break a line in two. Nothing of that kind leaves `render` except through this file.

/// Appends text for people: printable ASCII and printable UTF-8 as they are, every other byte as `\ooo`.
///
/// Escaped are control characters (C0, DEL, C1), line and paragraph separators, the marks that reverse or hide text
/// (bidirectional controls, zero-width and tag characters), and bytes that are no UTF-8. A backslash stays as it is,
/// so that ordinary names come out unchanged.
pub fn push_text(out: &mut Vec<u8>, text: &[u8]) {
    if text.iter().all(|&b| (b' '..=b'~').contains(&b)) {
        out.extend_from_slice(text);
        return;
    }
    for chunk in text.utf8_chunks() {
        let mut buffer = [0; 4];
        for c in chunk.valid().chars() {
            let bytes = c.encode_utf8(&mut buffer).as_bytes();
            if is_hostile(c) { push_octal(out, bytes) } else { out.extend_from_slice(bytes) }
        }
        push_octal(out, chunk.invalid());
    }
}

/// Appends text that stands between double quotes, so that it can be read back byte for byte: as [`push_text`], with
/// `\"` for a quote and `\\` for a backslash.
pub fn push_quoted(out: &mut Vec<u8>, text: &[u8]) {
    // Cutting at an ASCII byte never cuts a character of UTF-8.
    for part in text.split_inclusive(|byte| matches!(byte, b'"' | b'\\')) {
        match part.split_last() {
            Some((last @ (b'"' | b'\\'), before)) => {
                push_text(out, before);
                out.extend_from_slice(&[b'\\', *last]);
            }
            Some(_) | None => push_text(out, part),
        }
    }
}

/// As [`push_text`], into a new string.
#[must_use]
pub fn text(bytes: &[u8]) -> String {
    let mut out = Vec::with_capacity(bytes.len());
    push_text(&mut out, bytes);
    String::from_utf8_lossy(&out).into_owned()
}

/// Appends a JSON string with its quotes (RFC 8259). Bytes that are no UTF-8 become U+FFFD, as JSON has no bytes. What
/// [`push_text`] would not print is written as `\uXXXX`, which reads back as the same text: NDJSON is looked at on terminals.
pub fn push_json(out: &mut Vec<u8>, text: &[u8]) {
    out.push(b'"');
    if text.iter().all(|&byte| matches!(byte, b' '..=b'~') && !matches!(byte, b'"' | b'\\')) {
        out.extend_from_slice(text);
        out.push(b'"');
        return;
    }
    for chunk in text.utf8_chunks() {
        for c in chunk.valid().chars() {
            match u8::try_from(c) {
                Ok(byte @ ..=0x7f) => push_json_byte(out, byte),
                _ if is_hostile(c) => push_units(out, c),
                Ok(_) | Err(_) => out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
            }
        }
        if !chunk.invalid().is_empty() {
            out.extend_from_slice("\u{fffd}".as_bytes());
        }
    }
    out.push(b'"');
}

fn push_json_byte(out: &mut Vec<u8>, byte: u8) {
    match byte {
        b'"' => out.extend_from_slice(b"\\\""),
        b'\\' => out.extend_from_slice(b"\\\\"),
        b'\n' => out.extend_from_slice(b"\\n"),
        b'\r' => out.extend_from_slice(b"\\r"),
        b'\t' => out.extend_from_slice(b"\\t"),
        0..=0x1f | 0x7f.. => push_unit(out, byte.into()),
        _ => out.push(byte),
    }
}

/// The character in UTF-16, as JSON escapes it.
fn push_units(out: &mut Vec<u8>, c: char) {
    for unit in c.encode_utf16(&mut [0; 2]) {
        push_unit(out, *unit);
    }
}

fn push_unit(out: &mut Vec<u8>, unit: u16) {
    out.extend_from_slice(b"\\u");
    for byte in unit.to_be_bytes() {
        out.push(hex_digit(byte >> 4));
        out.push(hex_digit(byte & 15));
    }
}

/// Characters that a terminal obeys instead of showing, or that make text look like other text.
const fn is_hostile(c: char) -> bool {
    matches!(c,
        '\0'..='\x1f' | '\x7f'..='\u{9f}' | '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}'
        | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}'
        | '\u{e0000}'..='\u{e007f}')
}

fn push_octal(out: &mut Vec<u8>, bytes: &[u8]) {
    for &byte in bytes {
        out.extend_from_slice(&[b'\\', b'0' + (byte >> 6), b'0' + ((byte >> 3) & 7), b'0' + (byte & 7)]);
    }
}

pub(super) const fn hex_digit(nibble: u8) -> u8 {
    if nibble < 10 { b'0' + nibble } else { b'a' + nibble - 10 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_for_people() {
        fn check(input: &[u8], expected: &str) {
            assert_eq!(text(input), expected, "{input:?}");
        }
        check(b"nginx: worker", "nginx: worker");
        check(b"a\\b", "a\\b");
        check("/tmp/Grüße-日本".as_bytes(), "/tmp/Grüße-日本");
        check(b"\x1b]0;owned\x07", "\\033]0;owned\\007");
        check(b"a\nb\tc\x7f", "a\\012b\\011c\\177");
        check(b"bad\xff\xc3(", "bad\\377\\303(");
        check("c1\u{9b}31m".as_bytes(), "c1\\302\\23331m");
        check("rtl\u{202e}txt".as_bytes(), "rtl\\342\\200\\256txt");
        check(b"", "");
    }

    /// The text up to the closing quote, and what follows it: what docs/ss-compat.md says that readers do.
    fn unquoted(mut text: &[u8]) -> (Vec<u8>, &[u8]) {
        let mut out = Vec::new();
        loop {
            match *text {
                [b'"', ref rest @ ..] => return (out, rest),
                [b'\\', byte @ (b'"' | b'\\'), ref rest @ ..] => {
                    out.push(byte);
                    text = rest;
                }
                [b'\\', a, b, c, ref rest @ ..] => {
                    out.push(((a - b'0') << 6) + ((b - b'0') << 3) + (c - b'0'));
                    text = rest;
                }
                [byte, ref rest @ ..] => {
                    out.push(byte);
                    text = rest;
                }
                [] => panic!("no closing quote"),
            }
        }
    }

    #[test]
    fn a_name_cannot_end_its_quotes() {
        let quoted = |text: &[u8]| {
            let mut out = Vec::new();
            push_quoted(&mut out, text);
            String::from_utf8(out).unwrap()
        };
        assert_eq!(quoted(b"x\",pid=1,fd=9)"), "x\\\",pid=1,fd=9)");
        assert_eq!(quoted(b"a\\b"), "a\\\\b");
        assert_eq!(quoted(b"a\\012"), "a\\\\012");
        assert_eq!(quoted(b"a\n"), "a\\012");
        assert_eq!(quoted("Grüße \"".as_bytes()), "Grüße \\\"");
    }

    #[test]
    fn strings_of_json() {
        fn check(input: &[u8], expected: &str) {
            let mut out = Vec::new();
            push_json(&mut out, input);
            assert_eq!(String::from_utf8(out).unwrap(), expected, "{input:?}");
        }
        check(b"sshd", r#""sshd""#);
        check(b"a\"b\\c", r#""a\"b\\c""#);
        check(b"\0abs\x1b\n", r#""\u0000abs\u001b\n""#);
        check(b"\xff", "\"\u{fffd}\"");
        check("\u{9b}31m \u{a0} ü €".as_bytes(), "\"\\u009b31m \u{a0} ü €\"");
        // What turns text around, hides in it, or is not there to be seen.
        check("a\u{202e}b\u{2066}c\u{200b}d\u{feff}".as_bytes(), r#""a\u202eb\u2066c\u200bd\ufeff""#);
        check("tag\u{e0041}".as_bytes(), r#""tag\udb40\udc41""#);
    }

    proptest::proptest! {
        #[test]
        fn nothing_hostile_passes(bytes: Vec<u8>) {
            assert!(!text(&bytes).chars().any(is_hostile));
        }

        #[test]
        fn what_stands_between_quotes_reads_back(bytes: Vec<u8>, name in "[\"\\\\,=()a0-7\u{1}]{0,15}") {
            for text in [&bytes[..], name.as_bytes()] {
                let mut out = Vec::new();
                push_quoted(&mut out, text);
                assert!(!String::from_utf8(out.clone()).unwrap().chars().any(is_hostile));
                out.push(b'"');
                assert_eq!(unquoted(&out), (text.to_vec(), &b""[..]));
            }
        }

        #[test]
        fn json_reads_back(text: String) {
            let mut out = Vec::new();
            push_json(&mut out, text.as_bytes());
            let back: String = serde_json::from_slice(&out).unwrap();
            assert_eq!(back, text);
            let written = String::from_utf8(out).unwrap();
            assert!(!written.chars().any(is_hostile), "{written:?}");
        }

        #[test]
        fn json_of_what_is_hostile_reads_back(
            chars in proptest::collection::vec(
                proptest::sample::select(vec!['\u{ad}', '\u{61c}', '\u{200f}', '\u{202a}', '\u{2069}', '\u{fffb}', '\u{e007f}', 'a']),
                0..8,
            ),
        ) {
            let text: String = chars.into_iter().collect();
            let mut out = Vec::new();
            push_json(&mut out, text.as_bytes());
            assert!(out.is_ascii());
            assert_eq!(serde_json::from_slice::<String>(&out).unwrap(), text);
        }
    }
}

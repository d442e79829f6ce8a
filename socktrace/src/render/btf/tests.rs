//! Types and values as ss has them; and whatever bytes: no panic.

use super::value::Style;
use super::*;
use proptest::prelude::*;

/// A blob of these types, of names that lie in the strings.
fn blob(types: &[&[u32]], strings: &[u8]) -> Vec<u8> {
    let types: Vec<u8> = types.concat().iter().flat_map(|word| word.to_ne_bytes()).collect();
    let (types_len, strings_len) = (types.len() as u32, strings.len() as u32);
    let head = [0x0001_eb9f, 24, 0, types_len, types_len, strings_len];
    [head.iter().flat_map(|word| word.to_ne_bytes()).collect(), types, strings.to_vec()].concat()
}

const STRINGS: &[u8] = b"\0int\0char\0u64\0stats\0a\0text\0big\0flag\0mode\0IDLE\0BUSY\0inner\0list\0call";

/// Where that name is.
fn name(wanted: &str) -> u32 {
    let wanted = [b"\0", wanted.as_bytes()].concat();
    let found = STRINGS.windows(wanted.len()).position(|it| it == wanted);
    found.unwrap() as u32 + 1
}

fn info(kind: u32, count: u32, flag: bool) -> u32 {
    kind << 24 | count | u32::from(flag) << 31
}

fn layout() -> Layout {
    let [int, char, u64_, stats, mode, inner] = ["int", "char", "u64", "stats", "mode", "inner"].map(name);
    let bits = |bit: u32, bits: u32| bits << 24 | bit;
    let types: &[&[u32]] = &[
        &[int, info(1, 0, false), 4, 0x0100_0020],
        &[char, info(1, 0, false), 1, 8],
        &[0, info(3, 0, false), 0, 2, 1, 8],
        &[u64_, info(1, 0, false), 8, 64],
        &[mode, info(6, 2, false), 4, name("IDLE"), 0, name("BUSY"), 3],
        &[inner, info(4, 1, false), 4, name("a"), 1, 0],
        &[0, info(3, 0, false), 0, 1, 1, 2],
        &[0, info(2, 0, false), 9],
        &[0, info(13, 1, false), 1, 0, 10],
        &[0, info(2, 0, false), 0],
        &[
            stats,
            info(4, 7, true),
            56,
            name("a"),
            1,
            0,
            name("text"),
            3,
            bits(32, 0),
            name("big"),
            4,
            bits(96, 0),
            name("flag"),
            1,
            bits(160, 3),
            name("mode"),
            5,
            bits(192, 0),
            name("list"),
            7,
            bits(224, 0),
            name("call"),
            8,
            bits(320, 0),
        ],
        &[0, info(10, 0, false), 11],
    ];
    Layout::parse(&blob(types, STRINGS), 12).unwrap()
}

fn value() -> Vec<u8> {
    let mut bytes = vec![0; 56];
    let parts: [(usize, &[u8]); 7] = [
        (0, &(-5i32).to_le_bytes()),
        (4, b"ab\x01\0zz"),
        (12, &u64::MAX.to_le_bytes()),
        (20, &[0b1110_1101]),
        (24, &3u32.to_le_bytes()),
        (28, &[1, 0, 0, 0, 255, 255, 255, 255]),
        (40, &0xabcd_u64.to_le_bytes()),
    ];
    for (at, part) in parts {
        bytes[at..at + part.len()].copy_from_slice(part);
    }
    bytes
}

fn shown(style: Style, bytes: &[u8]) -> String {
    let mut out = Vec::new();
    layout().push_value(&mut out, bytes, style);
    String::from_utf8(out).unwrap()
}

#[test]
fn a_value_has_its_names() {
    let expected = "(struct stats){.a = (int)-5,.text = (char[8])['a','b',1,'\\0',],.big = (u64)18446744073709551615,\
                    .flag = (int)0x5,.mode = (enum mode)BUSY,.list = (int[2])[1,-1,],.call = (int (*)(void *))0xabcd,}";
    assert_eq!(shown(Style::Compact, &value()), expected);
    let lines = shown(Style::Lines { indent: 2 }, &value());
    let start = "\t\t(struct stats){\n\t\t\t.a = (int)-5,\n\t\t\t.text = (char[8])[\n\t\t\t\t'a',\n";
    assert!(lines.starts_with(start), "{lines}");
    assert!(lines.ends_with("\n\t\t\t.call = (int (*)(void *))0xabcd,\n\t\t}"), "{lines}");
}

#[test]
fn a_value_that_ends_early_is_shown_as_far_as_it_goes() {
    assert_eq!(shown(Style::Compact, &value()[..2]), "(struct stats){");
    assert_eq!(
        shown(Style::Compact, &value()[..6]),
        "(struct stats){.a = (int)-5,.text = (char[8])['a','b',],"
    );
}

#[test]
fn types_that_are_a_circle_end() {
    let circle: &[&[u32]] = &[&[0, info(10, 0, false), 2], &[0, info(8, 0, false), 1]];
    let list: &[&[u32]] = &[&[0, info(3, 0, false), 0, 1, 1, u32::MAX]];
    let itself: &[&[u32]] = &[&[0, info(4, 1, false), 4, 0, 1, 0]];
    let pointer: &[&[u32]] = &[&[0, info(2, 0, false), 1]];
    for types in [circle, list, itself, pointer] {
        let layout = Layout::parse(&blob(types, b"\0"), 1).unwrap();
        layout.push_value(&mut Vec::new(), &[0; 64], Style::Compact);
    }
}

proptest! {
    #[test]
    fn whatever_the_bytes_are_they_are_read_or_refused(
        cut in 0usize..400, at in 0usize..400, with: u8, bytes in prop::collection::vec(any::<u8>(), 0..64), id in 0u32..20,
    ) {
        let types: &[&[u32]] = &[
            &[1, info(1, 0, false), 4, 32], &[0, info(3, 0, false), 0, 1, 1, 3], &[0, info(2, 0, false), 5],
            &[1, info(4, 2, true), 16, 1, 1, 0, 1, 2, 32], &[0, info(13, 2, false), 1, 1, 3, 1, 0],
            &[1, info(19, 1, true), 8, 1, 5, 5], &[1, info(8, 0, false), 4], &[1, info(16, 0, false), 8],
        ];
        let mut blob = blob(types, b"\0x\0");
        if let Some(byte) = blob.get_mut(at) {
            *byte = with;
        }
        blob.truncate(blob.len().saturating_sub(cut.saturating_sub(200)));
        if let Some(layout) = Layout::parse(&blob, id) {
            for style in [Style::Compact, Style::Lines { indent: 1 }] {
                layout.push_value(&mut Vec::new(), &bytes, style);
            }
        }
    }
}

//! Types as C writes them: `struct stats`, `char *[4]`, `int (*)(void)`.

use super::{DEEP, Kind, Layout};
use crate::render::escape::push_text;
use crate::render::units::push_u32;

/// Functions that take functions are followed so far.
const NESTED: usize = 4;

impl Layout {
    /// Appends the type, without const and its like, as the declaration of something of that name, which may be empty.
    pub(super) fn push_declaration(&self, out: &mut Vec<u8>, id: u32, name: &[u8]) {
        self.push_nested(out, id, name, NESTED);
    }

    fn push_nested(&self, out: &mut Vec<u8>, mut id: u32, name: &[u8], nested: usize) {
        // From what is declared to what it is made of.
        let mut chain = Vec::new();
        for _ in 0..DEEP {
            let kind = &self.of(id).kind;
            id = match kind {
                Kind::Modifier { of } => {
                    id = *of;
                    continue;
                }
                Kind::Pointer { to: next }
                | Kind::Array { element: next, .. }
                | Kind::Function { gives: next, .. } => *next,
                Kind::Void
                | Kind::Int { .. }
                | Kind::Float { .. }
                | Kind::Aggregate { .. }
                | Kind::Enum { .. }
                | Kind::Forward { .. }
                | Kind::Typedef { .. }
                | Kind::Other => break,
            };
            chain.push(kind);
        }
        self.push_base(out, id);
        self.push_chain(out, &chain, Last::Word, name, nested);
    }

    fn push_base(&self, out: &mut Vec<u8>, id: u32) {
        let base = self.of(id);
        let keyword: &[u8] = match &base.kind {
            Kind::Void => b"void",
            Kind::Aggregate { keyword, .. } | Kind::Forward { keyword } => keyword.as_bytes(),
            Kind::Enum { .. } => b"enum ",
            Kind::Int { .. }
            | Kind::Float { .. }
            | Kind::Typedef { .. }
            | Kind::Pointer { .. }
            | Kind::Array { .. }
            | Kind::Modifier { .. }
            | Kind::Function { .. }
            | Kind::Other => b"",
        };
        out.extend_from_slice(keyword);
        let name = self.name(base.name);
        if keyword.last().is_some_and(|last| *last != b' ') && !name.is_empty() {
            out.push(b' ');
        }
        push_text(out, name);
    }

    /// What stands around the name, from the base outwards.
    fn push_chain(&self, out: &mut Vec<u8>, chain: &[&Kind], last: Last, name: &[u8], nested: usize) {
        let blank = |out: &mut Vec<u8>| {
            if last == Last::Word && !name.is_empty() {
                out.push(b' ');
            }
        };
        let Some((kind, rest)) = chain.split_last() else {
            blank(out);
            return push_text(out, name);
        };
        match kind {
            Kind::Pointer { .. } => {
                out.extend_from_slice(if last == Last::Star { b"*" } else { b" *" });
                self.push_chain(out, rest, Last::Star, name, nested);
            }
            Kind::Array { count, .. } => {
                let Some(next) = rest.last() else {
                    self.push_chain(out, rest, last, name, nested);
                    return push_count(out, *count);
                };
                blank(out);
                let pointer = !matches!(next, Kind::Array { .. });
                out.extend_from_slice(if pointer { b"(" } else { b"" });
                self.push_chain(out, rest, Last::Star, name, nested);
                out.extend_from_slice(if pointer { b")" } else { b"" });
                push_count(out, *count);
            }
            Kind::Function { takes, .. } => {
                if rest.is_empty() {
                    self.push_chain(out, rest, last, name, nested);
                } else {
                    out.extend_from_slice(b" (");
                    self.push_chain(out, rest, Last::Star, name, nested);
                    out.push(b')');
                }
                self.push_parameters(out, takes, nested);
            }
            // None of these stands around a name.
            Kind::Void
            | Kind::Int { .. }
            | Kind::Float { .. }
            | Kind::Aggregate { .. }
            | Kind::Enum { .. }
            | Kind::Forward { .. }
            | Kind::Typedef { .. }
            | Kind::Modifier { .. }
            | Kind::Other => {}
        }
    }

    fn push_parameters(&self, out: &mut Vec<u8>, takes: &[(u32, u32)], nested: usize) {
        out.push(b'(');
        match takes {
            [] | [(_, 0)] => out.extend_from_slice(b"void"),
            takes => {
                for (index, (name, id)) in takes.iter().enumerate() {
                    out.extend_from_slice(if index > 0 { b", " } else { b"" });
                    let is_last = index + 1 == takes.len();
                    match nested.checked_sub(1) {
                        Some(nested) if *id != 0 || !is_last => {
                            self.push_nested(out, *id, self.name(*name), nested);
                        }
                        _ => out.extend_from_slice(b"..."),
                    }
                }
            }
        }
        out.push(b')');
    }
}

/// What was written last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Last {
    /// A name follows it with a blank.
    Word,
    /// A name, or another star, follows it at once; so it is after a parenthesis.
    Star,
}

fn push_count(out: &mut Vec<u8>, count: u32) {
    out.push(b'[');
    push_u32(out, count);
    out.push(b']');
}

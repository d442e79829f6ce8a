//! Where a field lies in a kernel struct: a walker over raw BTF (Documentation/bpf/btf.rst). Pure.

use rustc_hash::{FxHashMap, FxHashSet};

/// Why an offset could not be had from a BTF blob as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BtfError {
    /// The header is not that of BTF.
    #[error("not BTF of this byte order")]
    Magic,
    /// A part lies outside the blob.
    #[error("truncated BTF")]
    Truncated,
    /// A kind of type that this build does not know how long it is.
    #[error("unknown BTF kind {0}")]
    Kind(u32),
}

const MAGIC: u16 = 0xeb9f;
const ARRAY: u32 = 3;
const STRUCT: u32 = 4;
const UNION: u32 = 5;
/// Typedef, volatile, const, restrict, type tag: they only point on.
const TRANSPARENT: [u32; 5] = [8, 9, 10, 11, 18];

/// An index over a BTF blob.
pub(super) struct Walker<'a> {
    types: &'a [u8],
    strings: &'a [u8],
    /// Byte offset of each type in `types`; type 0 is void.
    starts: Vec<u32>,
    /// Type ids of the structs that were asked for.
    structs: FxHashMap<&'a [u8], u32>,
}

#[derive(Clone, Copy)]
struct Type {
    kind: u32,
    members: u32,
    /// Whether member offsets carry a bit-field size in their upper byte.
    kind_flag: bool,
    target: u32,
    body: usize,
}

impl<'a> Walker<'a> {
    /// Index a blob such as `/sys/kernel/btf/vmlinux`, for the structs of these names.
    ///
    /// # Errors
    /// If it is not BTF of this machine's byte order, truncated, or of a kind that is not known.
    pub(super) fn new(blob: &'a [u8], names: &[&str]) -> Result<Self, BtfError> {
        if blob.get(..2).ok_or(BtfError::Truncated)? != MAGIC.to_ne_bytes() {
            return Err(BtfError::Magic);
        }
        let header = word(blob, 4)? as usize;
        let part = |offset: u32, len: u32| {
            let start = header.checked_add(offset as usize).ok_or(BtfError::Truncated)?;
            let end = start.checked_add(len as usize).ok_or(BtfError::Truncated)?;
            blob.get(start..end).ok_or(BtfError::Truncated)
        };
        let types = part(word(blob, 8)?, word(blob, 12)?)?;
        let strings = part(word(blob, 16)?, word(blob, 20)?)?;
        let names: FxHashSet<&[u8]> = names.iter().map(|name| name.as_bytes()).collect();
        let mut walker = Self { types, strings, starts: vec![0], structs: FxHashMap::default() };
        let mut at = 0;
        while at < types.len() {
            let id = u32::try_from(walker.starts.len()).map_err(|_| BtfError::Truncated)?;
            walker.starts.push(u32::try_from(at).map_err(|_| BtfError::Truncated)?);
            let info = word(types, at + 4)?;
            let (kind, members) = ((info >> 24) & 0x1f, (info & 0xffff) as usize);
            if kind == STRUCT && members > 0 {
                let name = string(strings, word(types, at)?);
                if names.contains(name) {
                    walker.structs.entry(name).or_insert(id);
                }
            }
            at += 12 + body_len(kind, members)?;
        }
        Ok(walker)
    }

    /// Offset in bits of the member that `path` (dotted) leads to in `struct name`; `None` if there is no such member.
    ///
    /// Anonymous structs and unions are looked through; an array stands for its first element.
    #[must_use]
    pub(super) fn bits(&self, name: &str, path: &str) -> Option<u32> {
        let mut id = *self.structs.get(name.as_bytes())?;
        let mut bits = 0;
        for step in path.split('.') {
            let (offset, next) = self.member(self.strip(id)?, step)?;
            bits += offset;
            id = next;
        }
        Some(bits)
    }

    /// Bit offset and type of a member, looked for through anonymous members too.
    fn member(&self, ty: Type, name: &str) -> Option<(u32, u32)> {
        if ty.kind != STRUCT && ty.kind != UNION {
            return None;
        }
        for n in 0..ty.members as usize {
            let at = ty.body + n * 12;
            let (member_name, target, offset) =
                (word(self.types, at).ok()?, word(self.types, at + 4).ok()?, word(self.types, at + 8).ok()?);
            let offset = if ty.kind_flag { offset & 0x00ff_ffff } else { offset };
            if string(self.strings, member_name) == name.as_bytes() {
                return Some((offset, target));
            }
            if member_name == 0
                && let Some((inner, found)) = self.strip(target).and_then(|inner| self.member(inner, name))
            {
                return Some((offset + inner, found));
            }
        }
        None
    }

    /// The type behind typedefs, qualifiers and arrays.
    fn strip(&self, mut id: u32) -> Option<Type> {
        for _ in 0..32 {
            let ty = self.get(id)?;
            id = match ty.kind {
                ARRAY => word(self.types, ty.body).ok()?,
                kind if TRANSPARENT.contains(&kind) => ty.target,
                _ => return Some(ty),
            };
        }
        None
    }

    fn get(&self, id: u32) -> Option<Type> {
        let at = *self.starts.get(id as usize).filter(|_| id != 0)? as usize;
        let info = word(self.types, at + 4).ok()?;
        Some(Type {
            kind: (info >> 24) & 0x1f,
            members: info & 0xffff,
            kind_flag: info >> 31 == 1,
            target: word(self.types, at + 8).ok()?,
            body: at + 12,
        })
    }
}

/// The string at an offset, up to its NUL; empty where there is none.
fn string(strings: &[u8], offset: u32) -> &[u8] {
    let rest = strings.get(offset as usize..).unwrap_or_default();
    rest.split(|&b| b == 0).next().unwrap_or_default()
}

/// Bytes that follow a type's three words.
fn body_len(kind: u32, members: usize) -> Result<usize, BtfError> {
    Ok(match kind {
        // int, var, decl tag
        1 | 14 | 17 => 4,
        // pointer, forward, typedef, volatile, const, restrict, func, float, type tag
        2 | 7..=12 | 16 | 18 => 0,
        ARRAY => 12,
        // struct, union, datasec, enum64
        STRUCT | UNION | 15 | 19 => members * 12,
        // enum, func proto
        6 | 13 => members * 8,
        other => return Err(BtfError::Kind(other)),
    })
}

fn word(bytes: &[u8], at: usize) -> Result<u32, BtfError> {
    let bytes = at.checked_add(4).and_then(|end| bytes.get(at..end)).ok_or(BtfError::Truncated)?;
    Ok(u32::from_ne_bytes(bytes.try_into().map_err(|_| BtfError::Truncated)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `struct outer { int a; union { struct { int b; volatile int c[2]; }; long d; }; }` by hand.
    fn blob() -> Vec<u8> {
        let strings = b"\0int\0outer\0a\0b\0c\0d\0";
        let name = |s: &[u8]| {
            strings
                .windows(s.len() + 2)
                .position(|w| w[0] == 0 && &w[1..=s.len()] == s && w[s.len() + 1] == 0)
                .unwrap() as u32
                + 1
        };
        let ty = |kind: u32, members: u32| (kind << 24) | members;
        let words = [
            vec![name(b"int"), ty(1, 0), 4, 32],                             // 1: int
            vec![0, ty(9, 0), 1],                                            // 2: volatile int
            vec![0, ty(ARRAY, 0), 0, 2, 1, 2],                               // 3: volatile int[2]
            vec![0, ty(STRUCT, 2), 12, name(b"b"), 1, 0, name(b"c"), 3, 32], // 4: anonymous
            vec![0, ty(UNION, 2), 16, 0, 4, 0, name(b"d"), 1, 0],            // 5: anonymous
            vec![name(b"outer"), ty(STRUCT, 2), 24, name(b"a"), 1, 0, 0, 5, 64], // 6: outer
        ]
        .concat();
        let types: Vec<u8> = words.iter().flat_map(|w| w.to_ne_bytes()).collect();
        let mut blob = MAGIC.to_ne_bytes().to_vec();
        blob.extend([1, 0]);
        for word in [24, 0, types.len() as u32, types.len() as u32, strings.len() as u32] {
            blob.extend(word.to_ne_bytes());
        }
        blob.extend(types);
        blob.extend(strings);
        blob
    }

    #[test]
    fn members_are_found_through_anonymous_ones() {
        let blob = blob();
        let walker = Walker::new(&blob, &["outer"]).unwrap();
        for (path, expected) in [
            ("a", Some(0)),
            ("b", Some(8)),
            ("c", Some(12)),
            ("d", Some(8)),
            ("e", None::<u32>),
            ("a.b", None),
        ] {
            assert_eq!(walker.bits("outer", path), expected.map(|bytes| bytes * 8), "{path}");
        }
        assert_eq!(walker.bits("inner", "a"), None);
    }

    #[test]
    fn no_truncation_panics() {
        let blob = blob();
        for len in 0..blob.len() {
            if let Ok(walker) = Walker::new(&blob[..len], &["outer"]) {
                let _ = walker.bits("outer", "c");
            }
        }
    }
}

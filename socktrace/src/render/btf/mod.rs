//! BPF Type Format (include/uapi/linux/btf.h): what the bytes of a map's value are. Any bytes are read as far as they make
//! sense.

mod declaration;
mod value;

pub use value::Style;

/// The type of the values of a BPF map.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    types: Vec<Type>,
    strings: Box<[u8]>,
    value: u32,
}

/// A type. Numbers are places in the list of types, in which 0 is `void`.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Type {
    /// Offset of its name, 0 for none.
    name: u32,
    kind: Kind,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Kind {
    Void,
    Int {
        size: u32,
        signed: bool,
    },
    Float {
        size: u32,
    },
    Pointer {
        to: u32,
    },
    Array {
        element: u32,
        count: u32,
    },
    Aggregate {
        keyword: &'static str,
        size: u32,
        members: Vec<Member>,
    },
    Enum {
        size: u32,
        signed: bool,
        values: Vec<(u32, u64)>,
    },
    Forward {
        keyword: &'static str,
    },
    Typedef {
        of: u32,
    },
    /// const, volatile, restrict, and tags.
    Modifier {
        of: u32,
    },
    Function {
        gives: u32,
        takes: Vec<(u32, u32)>,
    },
    /// What no value is made of: functions, variables, sections, tags of declarations.
    Other,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Member {
    name: u32,
    of: u32,
    /// From the start of the aggregate.
    bit: u32,
    /// Bits of a bit field, 0 for any other.
    bits: u8,
}

/// Whoever follows types from one to the next gives up after so many: a list may be a circle.
const DEEP: usize = 32;

impl Layout {
    /// From a BTF blob, and the number of the values' type in it. None if it is not one.
    #[must_use]
    pub fn parse(blob: &[u8], value: u32) -> Option<Self> {
        const MAGIC: u16 = 0xeb9f;
        if u16::from_ne_bytes(*blob.first_chunk()?) != MAGIC {
            return None;
        }
        let word = |index: usize| Some(word_at(blob, index * 4)? as usize);
        let (head, type_at, type_len, strings_at, strings_len) =
            (word(1)?, word(2)?, word(3)?, word(4)?, word(5)?);
        let body = blob.get(head..)?;
        let mut types = vec![Type { name: 0, kind: Kind::Void }];
        let mut rest = body.get(type_at..)?.get(..type_len)?;
        while !rest.is_empty() {
            let (one, after) = Type::take(rest)?;
            types.push(one);
            rest = after;
        }
        let strings = body.get(strings_at..)?.get(..strings_len)?.into();
        Some(Self { types, strings, value })
    }

    fn of(&self, id: u32) -> &Type {
        const NOTHING: &Type = &Type { name: 0, kind: Kind::Other };
        self.types.get(id as usize).unwrap_or(NOTHING)
    }

    fn name(&self, offset: u32) -> &[u8] {
        let from = self.strings.get(offset as usize..).unwrap_or_default();
        from.split(|byte| *byte == 0).next().unwrap_or_default()
    }

    /// What a typedef or a modifier stands for.
    fn plain(&self, mut id: u32) -> &Type {
        for _ in 0..DEEP {
            let (Kind::Typedef { of } | Kind::Modifier { of }) = &self.of(id).kind else { break };
            id = *of;
        }
        self.of(id)
    }

    /// Bytes that a value of the type takes.
    fn size(&self, id: u32) -> Option<usize> {
        let (mut id, mut times) = (id, 1usize);
        for _ in 0..DEEP {
            let size = match &self.of(id).kind {
                Kind::Int { size, .. }
                | Kind::Float { size }
                | Kind::Aggregate { size, .. }
                | Kind::Enum { size, .. } => *size as usize,
                Kind::Pointer { .. } => 8,
                Kind::Array { element, count } => {
                    times = times.checked_mul(*count as usize)?;
                    id = *element;
                    continue;
                }
                Kind::Typedef { of } | Kind::Modifier { of } => {
                    id = *of;
                    continue;
                }
                Kind::Void | Kind::Forward { .. } | Kind::Function { .. } | Kind::Other => return None,
            };
            return times.checked_mul(size);
        }
        None
    }
}

impl Type {
    /// The first type, and what follows it.
    fn take(bytes: &[u8]) -> Option<(Self, &[u8])> {
        let [name, info, size] = [word_at(bytes, 0)?, word_at(bytes, 4)?, word_at(bytes, 8)?];
        let (count, flag) = ((info & 0xffff) as usize, info >> 31 != 0);
        let rest = bytes.get(12..)?;
        let entry = |index: usize, words: usize, word: usize| word_at(rest, (index * words + word) * 4);
        let pairs = |words: usize| (0..count).map(move |i| Some((entry(i, words, 0)?, entry(i, words, 1)?)));
        let aggregate = |keyword| {
            let members = (0..count).map(|i| {
                let place = entry(i, 3, 2)?;
                let (bit, bits) = if flag { (place & 0x00ff_ffff, (place >> 24) as u8) } else { (place, 0) };
                Some(Member { name: entry(i, 3, 0)?, of: entry(i, 3, 1)?, bit, bits })
            });
            Some(Kind::Aggregate { keyword, size, members: members.collect::<Option<_>>()? })
        };
        let (kind, words) = match (info >> 24) & 0x1f {
            1 => (Kind::Int { size, signed: entry(0, 1, 0)? >> 24 & 1 != 0 }, 1),
            2 => (Kind::Pointer { to: size }, 0),
            3 => (Kind::Array { element: entry(0, 3, 0)?, count: entry(0, 3, 2)? }, 3),
            4 => (aggregate("struct")?, 3 * count),
            5 => (aggregate("union")?, 3 * count),
            6 => {
                let wide = |value: u32| if flag { value.cast_signed() as u64 } else { value.into() };
                let values = pairs(2).map(|pair| pair.map(|(name, value)| (name, wide(value))));
                (Kind::Enum { size, signed: flag, values: values.collect::<Option<_>>()? }, 2 * count)
            }
            7 => (Kind::Forward { keyword: if flag { "union" } else { "struct" } }, 0),
            8 => (Kind::Typedef { of: size }, 0),
            9..=11 | 18 => (Kind::Modifier { of: size }, 0),
            12 => (Kind::Other, 0),
            13 => (Kind::Function { gives: size, takes: pairs(2).collect::<Option<_>>()? }, 2 * count),
            14 | 17 => (Kind::Other, 1),
            15 => (Kind::Other, 3 * count),
            16 => (Kind::Float { size }, 0),
            19 => {
                let values = (0..count).map(|i| {
                    let value = u64::from(entry(i, 3, 2)?) << 32 | u64::from(entry(i, 3, 1)?);
                    Some((entry(i, 3, 0)?, value))
                });
                (Kind::Enum { size, signed: flag, values: values.collect::<Option<_>>()? }, 3 * count)
            }
            _ => return None,
        };
        Some((Self { name, kind }, rest.get(words * 4..)?))
    }
}

fn word_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_ne_bytes(*bytes.get(at..)?.first_chunk()?))
}

#[cfg(test)]
mod tests;

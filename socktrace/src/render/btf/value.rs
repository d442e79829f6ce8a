//! Values by their types, as libbpf writes them (`btf_dump__dump_type_data`), which ss uses.

use super::{DEEP, Kind, Layout, Member};
use crate::render::escape::push_text;
use crate::render::units::{push_i64, push_u64};

/// How a value is laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// On one line.
    Compact,
    /// A member on each line, that many tabs deep.
    Lines {
        /// Tabs before the outermost line.
        indent: usize,
    },
}

impl Layout {
    /// Appends the value; nothing from where its bytes end.
    pub fn push_value(&self, out: &mut Vec<u8>, bytes: &[u8], style: Style) {
        let mut writer = Writer { layout: self, out, bytes, style, depth: 0 };
        let _ = writer.value(Place { id: self.value, at: 0, bit: 0, bits: 0 }, &[], Among::Members);
    }
}

/// Where a value is, and its type.
#[derive(Clone, Copy)]
struct Place {
    id: u32,
    /// In bytes.
    at: usize,
    /// First bit of a bit field, from there.
    bit: u32,
    /// Bits of a bit field, 0 for any other value.
    bits: u8,
}

/// What the value is a part of.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Among {
    /// A structure, or nothing: its type is told.
    Members,
    /// An array, or a structure in one.
    Elements,
    /// An array of bytes, which may be text.
    Bytes,
}

/// Its bytes have ended, or its type makes no sense.
struct Stop;

struct Writer<'a> {
    layout: &'a Layout,
    out: &'a mut Vec<u8>,
    bytes: &'a [u8],
    style: Style,
    depth: usize,
}

impl Writer<'_> {
    fn value(&mut self, place: Place, name: &[u8], among: Among) -> Result<(), Stop> {
        if self.depth > DEEP {
            return Err(Stop);
        }
        let layout = self.layout;
        let kind = &layout.plain(place.id).kind;
        // Before anything is written of it.
        let number = match kind {
            Kind::Int { size, .. } | Kind::Enum { size, .. } | Kind::Float { size } => {
                self.number(place, *size)?
            }
            Kind::Pointer { .. } => self.number(place, 8)?,
            Kind::Void
            | Kind::Array { .. }
            | Kind::Aggregate { .. }
            | Kind::Forward { .. }
            | Kind::Typedef { .. }
            | Kind::Modifier { .. }
            | Kind::Function { .. }
            | Kind::Other => 0,
        };
        self.indent();
        if !name.is_empty() {
            self.out.push(b'.');
            push_text(self.out, name);
            self.out.extend_from_slice(b" = ");
        }
        if among == Among::Members {
            self.out.push(b'(');
            layout.push_declaration(self.out, place.id, b"");
            self.out.push(b')');
        }
        match kind {
            Kind::Int { size: 16, .. } | Kind::Pointer { .. } => push_hex_number(self.out, number),
            Kind::Int { .. } if place.bits > 0 => push_hex_number(self.out, number),
            Kind::Int { size: 1, .. } if among == Among::Bytes && is_text(number) => {
                self.out.extend_from_slice(&[b'\'', number as u8, b'\'']);
            }
            Kind::Int { .. } if among == Among::Bytes && number == 0 => self.out.extend_from_slice(b"'\\0'"),
            Kind::Int { size, signed: true } => push_i64(self.out, signed(number, *size)),
            Kind::Int { .. } => push_u64(self.out, number as u64),
            Kind::Float { size: 4 } => push_float(self.out, f32::from_bits(number as u32).into()),
            Kind::Float { .. } => push_float(self.out, f64::from_bits(number as u64)),
            Kind::Enum { size, signed, values } => self.push_enum(number, *size, *signed, values),
            Kind::Array { element, count } => return self.array(*element, *count, place.at),
            Kind::Aggregate { members, .. } => return self.aggregate(members, place.at, among),
            Kind::Void
            | Kind::Forward { .. }
            | Kind::Typedef { .. }
            | Kind::Modifier { .. }
            | Kind::Function { .. }
            | Kind::Other => return Err(Stop),
        }
        self.end();
        Ok(())
    }

    fn aggregate(&mut self, members: &[Member], at: usize, among: Among) -> Result<(), Stop> {
        self.open(b'{');
        for member in members {
            let place = Place {
                id: member.of,
                at: at.checked_add(member.bit as usize / 8).ok_or(Stop)?,
                bit: member.bit % 8,
                bits: member.bits,
            };
            self.value(place, self.layout.name(member.name), among)?;
        }
        self.close(b'}');
        Ok(())
    }

    /// Bytes end with the first that is 0, which is written.
    fn array(&mut self, element: u32, count: u32, at: usize) -> Result<(), Stop> {
        let size = self.layout.size(element).filter(|size| *size > 0).ok_or(Stop)?;
        let is_byte = size == 1 && matches!(self.layout.plain(element).kind, Kind::Int { .. });
        let among = if is_byte { Among::Bytes } else { Among::Elements };
        self.open(b'[');
        for index in 0..count as usize {
            let at = index.checked_mul(size).and_then(|offset| at.checked_add(offset)).ok_or(Stop)?;
            if at >= self.bytes.len() {
                break;
            }
            // libbpf goes on after an element that it cannot show.
            let depth = self.depth;
            let _ = self.value(Place { id: element, at, bit: 0, bits: 0 }, &[], among);
            self.depth = depth;
            if is_byte && self.bytes.get(at) == Some(&0) {
                break;
            }
        }
        self.close(b']');
        Ok(())
    }

    fn push_enum(&mut self, number: u128, size: u32, is_signed: bool, values: &[(u32, u64)]) {
        let number = if is_signed { signed(number, size).cast_unsigned() } else { number as u64 };
        if let Some((name, _)) = values.iter().find(|(_, value)| *value == number) {
            return push_text(self.out, self.layout.name(*name));
        }
        if is_signed {
            push_i64(self.out, number.cast_signed());
        } else {
            push_u64(self.out, number);
        }
        if size == 8 {
            self.out.extend_from_slice(if is_signed { b"LL" } else { b"ULL" });
        }
    }

    /// A number of at most 16 bytes, or what a bit field has of it. Bits are counted as little-endian machines do.
    fn number(&self, place: Place, size: u32) -> Result<u128, Stop> {
        let whole = self.bytes.get(place.at..).ok_or(Stop)?;
        let width = if place.bits > 0 {
            (place.bit as usize + usize::from(place.bits)).div_ceil(8)
        } else {
            size as usize
        };
        let bytes = whole.get(..width).ok_or(Stop)?;
        if width == 0 || width > 16 {
            return Err(Stop);
        }
        let mut word = [0; 16];
        for (to, from) in word.iter_mut().zip(bytes) {
            *to = *from;
        }
        let number = u128::from_le_bytes(word) >> place.bit;
        let mask =
            1u128.checked_shl(place.bits.into()).filter(|_| place.bits > 0).map_or(u128::MAX, |it| it - 1);
        Ok(number & mask)
    }

    fn indent(&mut self) {
        if let Style::Lines { indent } = self.style {
            self.out.resize(self.out.len() + indent + self.depth, b'\t');
        }
    }

    fn newline(&mut self) {
        if self.depth > 0 && self.style != Style::Compact {
            self.out.push(b'\n');
        }
    }

    fn open(&mut self, bracket: u8) {
        self.depth += 1;
        self.out.push(bracket);
        self.newline();
    }

    fn close(&mut self, bracket: u8) {
        self.depth -= 1;
        self.indent();
        self.out.push(bracket);
        self.end();
    }

    fn end(&mut self) {
        if self.depth > 0 {
            self.out.push(b',');
        }
        self.newline();
    }
}

/// Whether the byte is a printable character of ASCII.
fn is_text(number: u128) -> bool {
    (0x20..0x7f).contains(&number)
}

/// A number of so many bytes that has a sign.
fn signed(number: u128, size: u32) -> i64 {
    let unused = 64u32.saturating_sub(size * 8);
    ((number as u64) << unused).cast_signed() >> unused
}

fn push_hex_number(out: &mut Vec<u8>, number: u128) {
    out.extend_from_slice(format!("{number:#x}").as_bytes());
}

/// As printf has it.
fn push_float(out: &mut Vec<u8>, number: f64) {
    out.extend_from_slice(format!("{number:.6}").to_lowercase().as_bytes());
}

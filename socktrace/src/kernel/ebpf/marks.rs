//! Writing the offsets of fields into the instructions of the kernel object (`socktrace_common::LOAD_MARK`). Pure.

use object::{Object as _, ObjectSection as _, SectionKind};
use socktrace_common::{ABSENT, CONSTANT_MARK, FIELDS, LOAD_MARK, LOAD_NEXT_MARK, MARKS};

/// Bytes of an instruction (Documentation/bpf/standardization/instruction-set.rst): opcode, registers, offset, immediate.
const INSTRUCTION: usize = 8;
/// `BPF_LD | BPF_DW | BPF_IMM`, which takes the place of two.
const LOAD_WIDE: u8 = 0x18;
/// `BPF_ALU64 | BPF_MOV | BPF_K`.
const SET: u8 = 0xb7;
/// The classes and modes of an opcode, without the size: `BPF_LDX | BPF_MEM`.
const LOAD_MASK: u8 = 0xe7;
const LOAD: u8 = 0x61;

/// The kernel object with an offset in the place of each mark.
///
/// # Errors
/// If it is no kernel object, or an offset does not fit.
pub(super) fn fill(object: &[u8], offsets: &[u32; FIELDS]) -> Result<Vec<u8>, String> {
    let file = object::File::parse(object).map_err(|error| error.to_string())?;
    let code = file.sections().filter(|section| section.kind() == SectionKind::Text);
    let ranges: Vec<_> = code.filter_map(|section| section.file_range()).collect();
    let mut filled = object.to_vec();
    for (start, length) in ranges {
        let end = start.saturating_add(length) as usize;
        let code = filled.get_mut(start as usize..end).ok_or("a section is not within the file")?;
        let mut instructions = code.chunks_exact_mut(INSTRUCTION);
        while let Some(instruction) = instructions.next() {
            if instruction[0] == LOAD_WIDE {
                instructions.next();
            } else {
                fill_one(instruction, offsets)?;
            }
        }
    }
    Ok(filled)
}

fn fill_one(instruction: &mut [u8], offsets: &[u32; FIELDS]) -> Result<(), String> {
    let &mut [opcode, ref mut registers, ref mut low, ref mut high, ref mut imm @ ..] = instruction else {
        return Ok(());
    };
    if opcode & LOAD_MASK == LOAD {
        let mark = i16::from_le_bytes([*low, *high]);
        let (field, beyond) = match (number(mark, LOAD_MARK), number(mark, LOAD_NEXT_MARK)) {
            (Some(field), _) => (field, 0),
            (None, Some(field)) => (field, 8),
            (None, None) => return Ok(()),
        };
        match offsets.get(field) {
            Some(&ABSENT) => {
                // The register of the result, set to 0.
                *registers &= 0x0f;
                (*low, *high) = (0, 0);
                imm.fill(0);
                instruction[0] = SET;
            }
            Some(&offset) => {
                let offset =
                    i16::try_from(offset + beyond).map_err(|_| format!("offset {offset} is too far"))?;
                [*low, *high] = offset.to_le_bytes();
            }
            None => return Err(format!("no field has the number {field}")),
        }
    } else if opcode == SET
        && let Ok(imm) = <&mut [u8; 4]>::try_from(imm)
        && let Some(field) = number(i32::from_le_bytes(*imm), CONSTANT_MARK)
    {
        let offset = offsets.get(field).ok_or_else(|| format!("no field has the number {field}"))?;
        *imm = offset.to_le_bytes();
    }
    Ok(())
}

/// Which field a mark names, if it is one of that kind.
fn number<T: Copy + Into<i64>>(mark: T, kind: T) -> Option<usize> {
    usize::try_from(mark.into() - kind.into()).ok().filter(|&field| field < MARKS)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::ebpf::object::object;

    const FIELD: usize = 3;

    fn offsets(offset: u32) -> [u32; FIELDS] {
        let mut all = [0; FIELDS];
        all[FIELD] = offset;
        all
    }

    fn instruction(opcode: u8, registers: u8, offset: i16, imm: i32) -> [u8; 8] {
        let ([low, high], [a, b, c, d]) = (offset.to_le_bytes(), imm.to_le_bytes());
        [opcode, registers, low, high, a, b, c, d]
    }

    #[test]
    fn a_mark_becomes_the_offset_of_its_field() {
        let (field, byte, word) = (FIELD as i16, 0x71, 0x79);
        for (before, offset, after) in [
            (instruction(byte, 0x21, LOAD_MARK + field, 0), 40, instruction(byte, 0x21, 40, 0)),
            (instruction(word, 0x21, LOAD_NEXT_MARK + field, 0), 40, instruction(word, 0x21, 48, 0)),
            (instruction(word, 0x21, LOAD_MARK + field, 0), ABSENT, instruction(SET, 1, 0, 0)),
            (instruction(SET, 5, 0, CONSTANT_MARK + 3), 40, instruction(SET, 5, 0, 40)),
            (instruction(SET, 5, 0, CONSTANT_MARK + 3), ABSENT, instruction(SET, 5, 0, -1)),
            // What looks like none stays.
            (instruction(word, 0x21, 40, 0), 8, instruction(word, 0x21, 40, 0)),
            (instruction(SET, 5, 0, 40), 8, instruction(SET, 5, 0, 40)),
            (instruction(0x7b, 0x21, LOAD_MARK, 0), 8, instruction(0x7b, 0x21, LOAD_MARK, 0)),
        ] {
            let mut filled = before;
            assert_eq!(fill_one(&mut filled, &offsets(offset)), Ok(()));
            assert_eq!(filled, after, "{before:?} {offset}");
        }
        let mut load = instruction(word, 0x21, LOAD_MARK + field, 0);
        assert!(fill_one(&mut load, &offsets(1 << 15)).is_err());
        let mut load = instruction(word, 0x21, LOAD_MARK + FIELDS as i16, 0);
        assert!(fill_one(&mut load, &offsets(0)).is_err());
    }

    #[test]
    fn the_object_has_marks_and_they_are_filled_in() {
        let object = object();
        let (low, high) = (fill(&object, &[8; FIELDS]).unwrap(), fill(&object, &[16; FIELDS]).unwrap());
        let differing = low.iter().zip(&high).filter(|(low, high)| low != high).count();
        assert!(differing > 100, "{differing}");
        assert_eq!(low.len(), object.len());
    }

    #[test]
    fn what_is_no_object_is_refused() {
        assert!(fill(b"\x7fELF", &[0; FIELDS]).is_err());
        let object = object();
        for length in (0..object.len()).step_by(997) {
            let _ = fill(&object[..length], &[0; FIELDS]);
        }
    }
}

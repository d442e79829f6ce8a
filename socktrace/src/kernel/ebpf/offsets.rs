//! Where the fields that the programs read lie on this kernel. I/O: reads /sys/kernel/btf/vmlinux, uname(2).

use std::fs;
use std::path::Path;

use socktrace_common::{ABSENT, FIELDS, Field};

use super::EbpfError;
use super::btf::Walker;
use crate::kernel::release;

/// Offset of each [`Field`] in bytes, [`ABSENT`] where the kernel lacks it.
#[derive(Debug, Clone)]
pub(super) struct Offsets {
    pub(super) table: [u32; FIELDS],
}

impl Offsets {
    /// Look up every field in the running kernel's BTF.
    ///
    /// # Errors
    /// If there is no BTF, or a field without which nothing works is missing.
    pub(super) fn of_running_kernel() -> Result<Self, EbpfError> {
        let path = Path::new("/sys/kernel/btf/vmlinux");
        let blob = fs::read(path).map_err(|source| EbpfError::NoBtf { path: path.into(), source })?;
        let structs: Vec<_> = Field::ALL.iter().map(|field| field.strukt()).collect();
        let walker = Walker::new(&blob, &structs)?;
        let mut table = [ABSENT; FIELDS];
        for (slot, field) in table.iter_mut().zip(Field::ALL) {
            match (walker.bits(field.strukt(), field.path()), field) {
                (Some(bits), Field::SkKernBit) => *slot = bits % 8,
                (Some(bits), _) => *slot = bits / 8,
                (None, field) if field.required() => {
                    return Err(EbpfError::NoField { strukt: field.strukt(), path: field.path() });
                }
                (None, _) => {}
            }
        }
        let offsets = Self { table };
        // `bpf_task_pt_regs` (kernel/bpf/task_iter.c).
        Ok(if release::is_at_least((5, 15)) { offsets } else { offsets.without_registers() })
    }

    /// Whether this kernel has the field.
    pub(super) fn has(&self, field: Field) -> bool {
        self.table.get(field as usize).is_some_and(|&offset| offset != ABSENT)
    }

    /// Whether the programs can read what a system call was asked from the registers that its thread saved.
    pub(super) fn knows_registers(&self) -> bool {
        self.has(Field::RegsNumber)
    }

    /// Have the programs do without: what a call was asked is remembered from its beginning.
    pub(super) fn without_registers(mut self) -> Self {
        for field in [Field::RegsFirst, Field::RegsSecond, Field::RegsThird, Field::RegsNumber] {
            if let Some(offset) = self.table.get_mut(field as usize) {
                *offset = ABSENT;
            }
        }
        self
    }

    /// The optional fields that this kernel lacks, as `struct.path`.
    pub(super) fn absent(&self) -> Vec<String> {
        let absent = self.table.iter().zip(Field::ALL).filter(|(offset, _)| **offset == ABSENT);
        absent.map(|(_, field)| format!("{}.{}", field.strukt(), field.path())).collect()
    }
}

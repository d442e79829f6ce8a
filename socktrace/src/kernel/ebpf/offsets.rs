//! Where the fields that the programs read lie on this kernel, and the layout of its system call tracepoints.
//! I/O: reads /sys/kernel/btf/vmlinux and tracefs.

use std::fs;
use std::path::Path;

use socktrace_common::{ABSENT, FIELDS, Field};

use super::EbpfError;
use super::btf::Walker;

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
            match walker.offset(field.strukt(), field.path()) {
                Some(offset) => *slot = offset,
                None if field.required() => {
                    return Err(EbpfError::NoField { strukt: field.strukt(), path: field.path() });
                }
                None => {}
            }
        }
        Ok(Self { table })
    }

    /// Whether this kernel lacks the field.
    pub(super) fn is_absent(&self, field: Field) -> bool {
        self.table.get(field as usize).is_none_or(|&offset| offset == ABSENT)
    }

    /// The optional fields that this kernel lacks, as `struct.path`.
    pub(super) fn absent(&self) -> Vec<String> {
        let absent = self.table.iter().zip(Field::ALL).filter(|(offset, _)| **offset == ABSENT);
        absent.map(|(_, field)| format!("{}.{}", field.strukt(), field.path())).collect()
    }
}

/// Offsets in the records of the system call tracepoints.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct SyscallLayout {
    /// First argument of `sys_enter_*`.
    pub(super) args: u32,
    /// Result of `sys_exit_*`.
    pub(super) ret: u32,
}

impl SyscallLayout {
    /// As the `format` files tell; the usual layout where tracefs cannot be read.
    pub(super) fn of_running_kernel() -> Self {
        let read = |name: &str| {
            ["/sys/kernel/tracing", "/sys/kernel/debug/tracing"]
                .iter()
                .find_map(|dir| fs::read_to_string(format!("{dir}/events/syscalls/{name}/format")).ok())
        };
        Self {
            args: read("sys_enter_bind").and_then(|text| field_offset(&text, "fd")).unwrap_or(16),
            ret: read("sys_exit_bind").and_then(|text| field_offset(&text, "ret")).unwrap_or(16),
        }
    }
}

/// The `offset:` of a field in a tracefs `format` file.
fn field_offset(format: &str, name: &str) -> Option<u32> {
    let line = format.lines().find(|line| {
        let declaration = line.trim_start().strip_prefix("field:").and_then(|rest| rest.split(';').next());
        declaration.is_some_and(|d| d.rsplit(' ').next() == Some(name))
    })?;
    line.split(';').find_map(|part| part.trim().strip_prefix("offset:"))?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_is_found_in_a_format_file() {
        let format = "name: sys_exit_bind\nformat:\n\tfield:int common_pid;\toffset:4;\tsize:4;\tsigned:1;\n\n\
                      \tfield:int __syscall_nr;\toffset:8;\tsize:4;\tsigned:1;\n\tfield:long ret;\toffset:24;\tsize:8;\tsigned:1;\n";
        assert_eq!(field_offset(format, "ret"), Some(24));
        assert_eq!(field_offset(format, "__syscall_nr"), Some(8));
        assert_eq!(field_offset(format, "nr"), None);
    }
}

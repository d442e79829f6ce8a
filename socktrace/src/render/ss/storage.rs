//! BPF socket storages (linux/sock_diag.h, `SK_DIAG_BPF_STORAGE_*`).

use crate::render::btf::Style;
use crate::render::names::Names;
use crate::render::nested::{attribute, attributes, u32_at};
use crate::render::units::{push_hex_padded, push_u32};

use super::{Show, push, push_line};

/// For each map `map_id:N` and the value by its types, or as hexadecimal bytes where it has none.
pub(super) fn storages(out: &mut Vec<u8>, show: &Show, names: &mut dyn Names, block: &[u8]) {
    for (id, value) in entries(block) {
        push_line(out, show);
        push(out, "map_id:");
        push_u32(out, id);
        match names.layout(id) {
            Some(layout) if show.oneline => layout.push_value(out, value, Style::Compact),
            Some(layout) => {
                push(out, " [\n");
                layout.push_value(out, value, Style::Lines { indent: 2 });
                push(out, "\n\t]");
            }
            None => {
                push(out, " [");
                for byte in value {
                    push(out, " ");
                    push_hex_padded(out, (*byte).into(), 2);
                }
                push(out, " ]");
            }
        }
    }
}

/// The ids of the maps, and what each has stored.
pub(in crate::render) fn entries(block: &[u8]) -> impl Iterator<Item = (u32, &[u8])> {
    const STORAGE: u16 = 1;
    const MAP_ID: u16 = 2;
    const MAP_VALUE: u16 = 3;
    attributes(block).filter(|(kind, _)| *kind == STORAGE).map(|(_, entry)| {
        let id = u32_at(attribute(entry, MAP_ID).unwrap_or_default(), 0);
        (id, attribute(entry, MAP_VALUE).unwrap_or_default())
    })
}

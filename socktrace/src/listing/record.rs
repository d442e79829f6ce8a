//! `-D`: the kernel's answer for TCP, as it came, into a file.
//!
//! I/O: sock_diag, one file.

use std::fs;
use std::io::Write;
use std::path::Path;

use crate::kernel::sock_diag::{InetQuery, InetTable, IpVersion, SockDiag};

use super::dump::Request;
use super::error::Error;
use crate::api::sockets::table::Table;

/// Writes the dumps of the selected families, each with its end, to the file, or to `out` for `-`.
///
/// As in ss, options count and the filter expression does not.
pub(super) fn record(request: &Request<'_>, path: &Path, out: &mut impl Write) -> Result<(), Error> {
    if !request.selection.tables.contains(Table::Tcp) {
        return Err(Error::Nothing("only TCP sockets can be recorded, and these options leave them out"));
    }
    let mut diag = SockDiag::open()?;
    let mut bytes = Vec::new();
    for ip in IpVersion::BOTH {
        if request.selection.covers(Table::Tcp, ip.family()) {
            let query = InetQuery::new(InetTable::Tcp, ip, request.selection.states);
            let query = InetQuery { want: request.want, bpf_storages: request.bpf_maps, ..query };
            diag.record(&query, &mut bytes)?;
        }
    }
    if path == Path::new("-") {
        return out.write_all(&bytes).and_then(|()| out.flush()).map_err(Error::Output);
    }
    fs::write(path, &bytes).map_err(|source| Error::File { action: "write", path: path.to_owned(), source })
}

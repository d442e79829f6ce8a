//! BPF maps by their ids, for those who want to see what is stored beside sockets.
//!
//! I/O: bpf(2), through aya.

use std::os::fd::{AsFd, OwnedFd};

use aya::maps::MapInfo;

/// A map cannot be opened.
#[derive(Debug, thiserror::Error)]
#[error("cannot open BPF map {id}: {reason}")]
pub struct MapError {
    /// Its id.
    pub id: u32,
    /// Why.
    pub reason: String,
}

/// Opens a map. It needs CAP_BPF, or what older kernels have for it.
pub fn open(id: u32) -> Result<OwnedFd, MapError> {
    let failed = |reason: String| MapError { id, reason };
    let map = MapInfo::from_id(id).and_then(|info| info.fd()).map_err(|error| failed(error.to_string()))?;
    map.as_fd().try_clone_to_owned().map_err(|error| failed(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_map_that_is_not_there_is_named() {
        assert!(open(u32::MAX).unwrap_err().to_string().starts_with("cannot open BPF map 4294967295: "));
    }
}

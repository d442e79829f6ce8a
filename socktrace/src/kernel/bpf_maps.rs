//! BPF maps by their ids, for those who want to see what is stored beside sockets.
//!
//! I/O: bpf(2), through aya.

use std::os::fd::{AsFd, OwnedFd};

use aya::maps::MapInfo;

use super::bpf_info;
use super::reason::reason;

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

/// What the values of a map are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Values {
    /// The map's types, a BTF blob.
    pub btf: Vec<u8>,
    /// Which of them is the values'.
    pub kind: u32,
}

/// What the values of a map are. It needs CAP_BPF and CAP_SYS_ADMIN; a map may have no types.
pub fn values(id: u32) -> Result<Values, MapError> {
    // `struct bpf_map_info` (include/uapi/linux/bpf.h), 80 bytes.
    let mut info = [0u64; 10];
    let map = open(id)?;
    let failed = |errno| MapError { id, reason: reason(errno) };
    // SAFETY: this info holds no addresses.
    unsafe { bpf_info::read(map.as_fd(), &mut info) }.map_err(failed)?;
    let [.., btf, kind] = info;
    let btf = bpf_info::btf(btf as u32).map_err(failed)?;
    Ok(Values { btf, kind: kind as u32 })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_map_that_is_not_there_is_named() {
        assert!(open(u32::MAX).unwrap_err().to_string().starts_with("cannot open BPF map 4294967295: "));
    }
}

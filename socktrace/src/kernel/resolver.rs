//! The system's resolver, for what the standard library does not ask it: names of addresses.
//!
//! I/O: getnameinfo(3), which may read files and ask name servers. It blocks.

use std::ffi::CStr;
use std::net::{IpAddr, Ipv4Addr};

use super::parallel::on_threads;

/// So many names are asked for at once. A name server answers them all in the time of one; with none that answers, each
/// takes seconds.
const AT_ONCE: usize = 32;

/// The names of hosts, in their order, as [`name_of`] gives them; none for those that `stopped` comes before.
#[must_use]
pub fn names_of(addrs: Vec<IpAddr>, stopped: impl Fn() -> bool + Sync) -> Vec<Option<String>> {
    on_threads(AT_ONCE, addrs, |addr| if stopped() { None } else { name_of(addr) })
}

/// The name of a host, if it has one. A v4-mapped address is looked up as IPv4.
#[must_use]
pub fn name_of(addr: IpAddr) -> Option<String> {
    let addr = match addr {
        IpAddr::V6(v6) => v6.to_ipv4_mapped().map_or(addr, IpAddr::V4),
        IpAddr::V4(Ipv4Addr { .. }) => addr,
    };
    let mut name = [0u8; libc::NI_MAXHOST as usize];
    let (storage, length) = sockaddr(addr);
    // SAFETY: `storage` holds a socket address of `length` bytes, `name` has the room that is told, the service is
    // not asked for; all of them live during the call.
    let status = unsafe {
        libc::getnameinfo(
            (&raw const storage).cast(),
            length,
            name.as_mut_ptr().cast(),
            libc::NI_MAXHOST,
            std::ptr::null_mut(),
            0,
            libc::NI_NAMEREQD,
        )
    };
    if status != 0 {
        return None;
    }
    CStr::from_bytes_until_nul(&name).ok()?.to_str().ok().map(str::to_owned)
}

fn sockaddr(addr: IpAddr) -> (libc::sockaddr_in6, libc::socklen_t) {
    // SAFETY: all bytes zero is a valid value of this plain C struct.
    let mut storage: libc::sockaddr_in6 = unsafe { std::mem::zeroed() };
    match addr {
        IpAddr::V6(addr) => {
            storage.sin6_family = libc::AF_INET6 as libc::sa_family_t;
            storage.sin6_addr.s6_addr = addr.octets();
            (storage, size_of::<libc::sockaddr_in6>() as libc::socklen_t)
        }
        IpAddr::V4(addr) => {
            // `sin_addr` lies where `sin6_flowinfo` does, and a `sockaddr_in` is the shorter one.
            storage.sin6_family = libc::AF_INET as libc::sa_family_t;
            storage.sin6_flowinfo = u32::from_ne_bytes(addr.octets());
            (storage, size_of::<libc::sockaddr_in>() as libc::socklen_t)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_host_has_the_name_that_its_file_of_hosts_says() {
        let hosts = std::fs::read_to_string("/etc/hosts").unwrap_or_default();
        let in_file = hosts.lines().any(|line| line.split_whitespace().next() == Some("127.0.0.1"));
        let name = name_of(Ipv4Addr::LOCALHOST.into());
        assert!(!in_file || name.is_some_and(|name| hosts.contains(&name)));
        let mapped = Ipv4Addr::LOCALHOST.to_ipv6_mapped();
        let both = names_of(vec![mapped.into(), Ipv4Addr::LOCALHOST.into()], || false);
        assert_eq!(both, [name_of(Ipv4Addr::LOCALHOST.into()), name_of(Ipv4Addr::LOCALHOST.into())]);
    }
}

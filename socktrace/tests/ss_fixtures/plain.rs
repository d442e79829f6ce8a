//! Sockets by plain system calls: what the standard library does not make.

use std::net::{Ipv4Addr, SocketAddr};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

pub(crate) fn socket(family: i32, kind: i32, protocol: i32) -> OwnedFd {
    // SAFETY: a plain call; the descriptor is new and ours.
    unsafe {
        let fd = libc::socket(family, kind | libc::SOCK_CLOEXEC, protocol);
        assert!(fd >= 0, "socket({family}, {kind}, {protocol}): {}", std::io::Error::last_os_error());
        OwnedFd::from_raw_fd(fd)
    }
}

pub(super) fn socket_pair(kind: i32) -> [OwnedFd; 2] {
    let mut fds = [0; 2];
    // SAFETY: room for two descriptors, which are new and ours.
    unsafe {
        assert_eq!(libc::socketpair(libc::AF_UNIX, kind | libc::SOCK_CLOEXEC, 0, fds.as_mut_ptr()), 0);
        fds.map(|fd| OwnedFd::from_raw_fd(fd))
    }
}

pub(super) fn set_int(socket: &OwnedFd, level: i32, name: i32, value: i32) {
    set(socket, level, name, &value.to_ne_bytes());
}

pub(super) fn set(socket: &OwnedFd, level: i32, name: i32, value: &[u8]) {
    // SAFETY: the value has the length that is told and lives during the call.
    let status = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            level,
            name,
            value.as_ptr().cast(),
            value.len() as libc::socklen_t,
        )
    };
    assert_eq!(status, 0, "option {level}/{name}: {}", std::io::Error::last_os_error());
}

/// `struct tcp_md5sig`: address (128 bytes), flags, prefix length, key length, ifindex, key (80 bytes).
pub(super) fn md5_key(addr: Ipv4Addr, key: &[u8]) -> Vec<u8> {
    let mut value = vec![0; 216];
    value[..2].copy_from_slice(&(libc::AF_INET as u16).to_ne_bytes());
    value[4..8].copy_from_slice(&addr.octets());
    value[130..132].copy_from_slice(&(key.len() as u16).to_ne_bytes());
    value[136..136 + key.len()].copy_from_slice(key);
    value
}

type AddressCall = unsafe extern "C" fn(i32, *const libc::sockaddr, libc::socklen_t) -> i32;

pub(super) fn call(function: AddressCall, socket: &OwnedFd, address: &[u8]) {
    // SAFETY: the address has the length that is told and lives during the call.
    let status =
        unsafe { function(socket.as_raw_fd(), address.as_ptr().cast(), address.len() as libc::socklen_t) };
    let error = std::io::Error::last_os_error();
    assert!(status == 0 || error.raw_os_error() == Some(libc::EINPROGRESS), "{address:?}: {error}");
}

pub(super) fn bind(socket: &OwnedFd, address: &str) {
    call(libc::bind, socket, &sockaddr(address));
}

pub(super) fn connect(socket: &OwnedFd, address: &str) {
    call(libc::connect, socket, &sockaddr(address));
}

pub(super) fn listen(socket: &OwnedFd) {
    // SAFETY: a plain call.
    assert_eq!(unsafe { libc::listen(socket.as_raw_fd(), 5) }, 0);
}

fn sockaddr(address: &str) -> Vec<u8> {
    match address.parse().expect("an address") {
        SocketAddr::V4(v4) => {
            let mut bytes = (libc::AF_INET as u16).to_ne_bytes().to_vec();
            bytes.extend(v4.port().to_be_bytes());
            bytes.extend(v4.ip().octets());
            bytes.resize(16, 0);
            bytes
        }
        SocketAddr::V6(v6) => {
            let mut bytes = (libc::AF_INET6 as u16).to_ne_bytes().to_vec();
            bytes.extend(v6.port().to_be_bytes());
            bytes.extend([0; 4]);
            bytes.extend(v6.ip().octets());
            bytes.extend([0; 4]);
            bytes
        }
    }
}

/// `struct sockaddr_ll` with a protocol and an interface.
pub(super) fn bind_packet(socket: &OwnedFd, protocol: u16, ifindex: i32) {
    let mut address = (libc::AF_PACKET as u16).to_ne_bytes().to_vec();
    address.extend(protocol.to_be_bytes());
    address.extend(ifindex.to_ne_bytes());
    address.resize(20, 0);
    call(libc::bind, socket, &address);
}

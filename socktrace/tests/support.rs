//! What several kernel tests need.

use std::os::fd::AsRawFd;

use socktrace::socket::Cookie;

/// `SO_COOKIE`.
pub(crate) fn cookie(socket: &impl AsRawFd) -> Cookie {
    let mut cookie = 0u64;
    let mut length = 8;
    // SAFETY: the pointers are to a u64 and to its length, both live during the call.
    let done = unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_COOKIE,
            (&raw mut cookie).cast(),
            &raw mut length,
        )
    };
    assert_eq!(done, 0, "SO_COOKIE");
    cookie
}

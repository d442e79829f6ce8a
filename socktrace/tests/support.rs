//! What tests against the kernel share: a network namespace of one's own, and the kernel's names of sockets.

pub(crate) mod actor;
mod plumbing;
pub(crate) mod run;
pub(crate) mod schema;
mod sharing;
mod uring;

use std::fs::File;
use std::io::Write;
use std::ops::ControlFlow;
use std::os::fd::AsRawFd;
use std::process::Command;
use std::time::{Duration, Instant};

use nix::sched::{CloneFlags, setns, unshare};
use socktrace::kernel::netlink::{Netlink, Protocol, Request};
use socktrace::socket::Cookie;

/// Runs a test on a thread that is in a new network namespace with loopback up. Needs root.
pub(crate) fn in_own_netns<T: Send>(test: impl FnOnce() -> T + Send) -> T {
    std::thread::scope(|scope| {
        let thread = scope.spawn(|| {
            unshare(CloneFlags::CLONE_NEWNET).expect("a network namespace: these tests run as root");
            raise_loopback();
            test()
        });
        thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

/// Does something on a thread that is in the namespace of the test's process.
pub(crate) fn on_host<T: Send>(does: impl FnOnce() -> T + Send) -> T {
    let host = File::open(format!("/proc/{}/ns/net", std::process::id())).expect("our own");
    std::thread::scope(|scope| {
        let thread = scope.spawn(|| {
            setns(&host, CloneFlags::CLONE_NEWNET).expect("root");
            does()
        });
        thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

/// `ip` of iproute2, in the calling thread's namespace.
pub(crate) fn ip(words: &str) {
    let output = Command::new("ip").args(words.split(' ')).output().expect("ip of iproute2");
    assert!(output.status.success(), "ip {words}: {}", String::from_utf8_lossy(&output.stderr));
}

/// `ip link set lo up`.
fn raise_loopback() {
    // RTM_NEWLINK with a struct ifinfomsg: interface 1, flags and change mask IFF_UP.
    let words = [0u32, 1, 1, 1].map(u32::to_ne_bytes);
    let mut netlink = Netlink::open(Protocol::Route).expect("rtnetlink");
    let _ = netlink
        .ask(Request::single(16, words.as_flattened()), |_| ControlFlow::Continue(()))
        .expect("loopback goes up");
}

/// `SO_COOKIE`.
pub(crate) fn cookie(socket: &impl AsRawFd) -> Cookie {
    option(socket, libc::SO_COOKIE)
}

/// `SO_NETNS_COOKIE`.
pub(crate) fn netns_cookie(socket: &impl AsRawFd) -> u64 {
    option(socket, libc::SO_NETNS_COOKIE)
}

fn option(socket: &impl AsRawFd, name: libc::c_int) -> u64 {
    let mut value = 0u64;
    let mut length = 8;
    // SAFETY: the pointers are to a u64 and to its length, both live during the call.
    let done = unsafe {
        libc::getsockopt(socket.as_raw_fd(), libc::SOL_SOCKET, name, (&raw mut value).cast(), &raw mut length)
    };
    assert_eq!(done, 0, "socket option {name}: {}", std::io::Error::last_os_error());
    value
}

/// From now on the socket hears of so many of 4 segments nothing.
pub(crate) fn deafen(socket: &impl AsRawFd, of_four: u32) {
    const RANDOM: u32 = (libc::SKF_AD_OFF + libc::SKF_AD_RANDOM) as u32;
    let step = |code: u32, jt, jf, k| libc::sock_filter { code: code as u16, jt, jf, k };
    let mut program = [
        step(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0, 0, RANDOM),
        step(libc::BPF_ALU | libc::BPF_AND | libc::BPF_K, 0, 0, 3),
        step(libc::BPF_JMP | libc::BPF_JGE | libc::BPF_K, 0, 1, of_four),
        step(libc::BPF_RET | libc::BPF_K, 0, 0, u32::MAX),
        step(libc::BPF_RET | libc::BPF_K, 0, 0, 0),
    ];
    let whole = libc::sock_fprog { len: program.len() as u16, filter: program.as_mut_ptr() };
    let length = size_of::<libc::sock_fprog>() as u32;
    // SAFETY: the pointers are to a program and its head, both live during the call.
    let done = unsafe {
        let whole = (&raw const whole).cast();
        libc::setsockopt(socket.as_raw_fd(), libc::SOL_SOCKET, libc::SO_ATTACH_FILTER, whole, length)
    };
    assert_eq!(done, 0, "{}", std::io::Error::last_os_error());
}

/// Long enough for a busy machine, short enough to fail in.
pub(crate) fn patience() -> Duration {
    Duration::from_secs(if is_guest() { 180 } else { 30 })
}

/// Whether this machine is emulated and ours alone (`cargo xtask vm`): all takes several times as long, and a test may
/// set its clock.
pub(crate) fn is_guest() -> bool {
    std::env::var_os("SOCKTRACE_GUEST").is_some()
}

/// Looks again and again until there is something; panics with `what` when that takes too long.
pub(crate) fn wait_for<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + patience();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < deadline, "{what} did not happen");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// Whether kernel programs may be loaded here.
pub(crate) fn may_trace(test: &str) -> bool {
    let root = nix::unistd::Uid::effective().is_root();
    if !root {
        cannot_run(test, "it needs root");
    }
    root
}

/// A hook on what this kernel is too old for is missing. Hooks on kernel functions are attached where the kernel lets us;
/// where it should, as in the guests of `cargo xtask vm`, this one must be.
pub(crate) fn may_be_missing(hook: &str, reason: &str) {
    let since = [("sock_send_length", (6, 3)), ("io_uring_complete", (5, 19))];
    if let Some((_, since)) = since.iter().find(|(newer, _)| *newer == hook) {
        assert!(crate::kernels::version() < *since, "{hook} is not attached: {reason}");
        return;
    }
    assert!(std::env::var_os("SOCKTRACE_FUNCTION_HOOKS").is_none(), "{hook} is not attached: {reason}");
    assert!(reason.contains("permitted"), "{hook} is not attached: {reason}");
}

/// A test that cannot run here says so by name; where the kernel tests are required, as in CI, it fails.
pub(crate) fn cannot_run(test: &str, why: &str) {
    let required = ["SOCKTRACE_KERNEL_TESTS", "CI"].iter().any(|name| std::env::var_os(name).is_some());
    assert!(!required, "{test} cannot run: {why}");
    say(&format!("{test}: not run: {why}"));
}

/// A line that is seen although the test passes: what `eprintln` writes is kept back then.
pub(crate) fn say(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}

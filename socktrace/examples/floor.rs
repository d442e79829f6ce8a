//! What the bare kernel takes, asked as ss asks: `floor dump` asks the kernel for all TCP sockets and only counts the answers, `floor holders`
//! runs the kernel's iterator over all descriptors and only counts. `cargo xtask bench ss` compares with both.

use std::os::fd::AsRawFd;

use nix::sys::socket::{
    AddressFamily, MsgFlags, NetlinkAddr, SockFlag, SockProtocol, SockType, recv, sendto, socket,
};
use socktrace::kernel::ebpf::HolderIter;

/// `SOCK_DIAG_BY_FAMILY` (include/uapi/linux/sock_diag.h).
const BY_FAMILY: u16 = 20;
/// `NLM_F_REQUEST | NLM_F_DUMP`.
const DUMP: u16 = 0x301;
const DONE: u16 = 3;
const IPPROTO_TCP: u8 = 6;

fn main() -> anyhow::Result<()> {
    match std::env::args().nth(1).as_deref() {
        Some("dump") => println!("{}", dump(2)? + dump(10)?),
        Some("holders") => {
            let mut count = 0;
            HolderIter::load()?.each(|_, _| count += 1)?;
            println!("{count}");
        }
        _ => anyhow::bail!("expected `dump` or `holders`"),
    }
    Ok(())
}

/// How many TCP sockets of this family there are, in any state.
fn dump(family: u8) -> anyhow::Result<usize> {
    let netlink =
        socket(AddressFamily::Netlink, SockType::Raw, SockFlag::SOCK_CLOEXEC, SockProtocol::NetlinkSockDiag)?;
    // struct nlmsghdr, then struct inet_diag_req_v2: family, protocol, ext, pad, states, id.
    let mut request = Vec::with_capacity(72);
    request.extend(72u32.to_ne_bytes());
    request.extend(BY_FAMILY.to_ne_bytes());
    request.extend(DUMP.to_ne_bytes());
    request.extend([0; 8]);
    request.extend([family, IPPROTO_TCP, 0, 0]);
    request.extend(u32::MAX.to_ne_bytes());
    request.extend([0; 48]);
    sendto(netlink.as_raw_fd(), &request, &NetlinkAddr::new(0, 0), MsgFlags::empty())?;

    let (mut count, mut buffer) = (0, vec![0; 262_144]);
    loop {
        let read = recv(netlink.as_raw_fd(), &mut buffer, MsgFlags::empty())?;
        let mut rest = buffer.get(..read).unwrap_or_default();
        while let (Some(length), Some(kind)) = (rest.first_chunk::<4>(), rest.get(4..6)) {
            if kind == DONE.to_ne_bytes() {
                return Ok(count);
            }
            count += 1;
            let length = u32::from_ne_bytes(*length).next_multiple_of(4).max(16) as usize;
            rest = rest.get(length..).unwrap_or_default();
        }
    }
}

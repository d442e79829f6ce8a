//! The decoders of sock_diag: any bytes are decoded or refused; never a panic, never a read beyond the end.
#![no_main]

use std::ops::ControlFlow;

use libfuzzer_sys::fuzz_target;
use socktrace::kernel::sock_diag::{InetTable, Want, decode, replay};
use socktrace::query::{Context, Dialect, Facts, NoNames, parse};
use socktrace::socket::Family;

fuzz_target!(|input: (u8, &[u8])| {
    let (kind, payload) = input;
    let families = [
        Family::Inet,
        Family::Inet6,
        Family::Unix,
        Family::Packet,
        Family::Netlink,
        Family::Vsock,
        Family::Tipc,
        Family::Xdp,
    ];
    let want = if kind & 128 == 0 { Want::ALL } else { Want::NONE };
    let table = InetTable::ALL[usize::from(kind >> 4 & 7) % InetTable::ALL.len()];
    if kind & 15 == 15 {
        // A file of whole messages.
        let _ = replay(payload, 1, |row| {
            let _ = row.to_socket(want);
            ControlFlow::Continue(())
        });
        return;
    }
    let family = families[usize::from(kind & 7)];
    if let Ok(Some(socket)) = decode(family, table, payload, want, 1) {
        let words = ["rtt > 1ms or retrans > 0 or autobound or state all or sport > 1".to_owned()];
        if let Ok(filter) = parse(&words, &Context::new(Dialect::Ss), &NoNames) {
            let _ = filter.matches(&Facts::of_socket(&socket));
        }
        // Deterministic: the same bytes are the same socket.
        assert_eq!(decode(family, table, payload, want, 1).ok().flatten(), Some(socket));
    }
});

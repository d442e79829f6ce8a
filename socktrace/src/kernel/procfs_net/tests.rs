//! Lines as the kernel writes them.

use proptest::prelude::*;

use super::*;
use crate::socket::{Endpoint, Proto, State, TimerKind, UnixName};

const TABLES: [ProcTable; 7] = [
    ProcTable::Inet(InetTable::Tcp, IpVersion::V4),
    ProcTable::Inet(InetTable::Raw, IpVersion::V6),
    ProcTable::Ping(IpVersion::V4),
    ProcTable::Ping(IpVersion::V6),
    ProcTable::Unix,
    ProcTable::Packet,
    ProcTable::Netlink,
];

const LINES: [&str; 7] = [
    "   0: 0100007F:1F90 0200007F:C350 01 00000005:00000006 02:000A8D39 00000003  1000        4 12345 2 0 20 4 30 10 -1",
    "  17: 00000000000000000000000001000000:003A 00000000000000000000000000000000:0000 07 00000000:00000007 \
     00:00000000 00000000     0        0 1827148 2 000000000191b1c2 0",
    "    7: 00000000:004D 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 77 2 0 0",
    "    7: 00000000000000000000000000000000:004D 00000000000000000000000000000000:0000 07 00000000:00000000 \
     00:00000000 00000000     0        0 78 2 0 0",
    "00000000bd23f9c8: 00000002 00000000 00010000 0001 01 1606 /run/with a blank",
    "00000000f7bf2e49 3      3    0806   2     1 96     1000   1827149",
    "0000000029ba5612 4   4242       00000001 4352     17       0     2        0        1518    ",
];

fn inet(socket: &Socket) -> (String, String) {
    let text = |end: &Endpoint| end.inet().map(|(addr, port)| format!("{addr} {port}")).unwrap_or_default();
    (text(&socket.local), text(&socket.peer))
}

#[test]
fn each_table_has_its_line() {
    let rows: Vec<_> = TABLES.iter().zip(LINES).map(|(t, line)| t.decode(line.as_bytes(), 7)).collect();
    let [tcp, raw6, ping4, ping6, unix, packet, netlink]: [Socket; 7] =
        rows.into_iter().collect::<Option<Vec<_>>>().expect("well-formed").try_into().expect("seven");

    assert_eq!(inet(&tcp), ("127.0.0.1 8080".to_owned(), "127.0.0.2 50000".to_owned()));
    assert_eq!((tcp.proto, tcp.state, tcp.recv_q, tcp.send_q), (Proto::Tcp, State::Established, 6, 5));
    assert_eq!((tcp.uid, tcp.inode, tcp.cookie, tcp.netns), (Some(1000), 12345, 0, 7));
    let timer = tcp.detail.and_then(|detail| detail.timer).expect("a timer runs");
    assert_eq!((timer.kind, timer.expires_ms, timer.retrans), (TimerKind::Keepalive, 6_915_130, 4));

    assert_eq!(inet(&raw6), ("::1 58".to_owned(), ":: 0".to_owned()));
    assert_eq!((raw6.proto, raw6.state, raw6.recv_q, raw6.detail), (Proto::Raw(58), State::Close, 7, None));
    assert_eq!((ping4.proto, ping6.proto), (Proto::Ping(1), Proto::Ping(58)));

    assert_eq!((unix.proto, unix.state, unix.inode), (Proto::UnixStream, State::Listen, 1606));
    let name = UnixName::from_bytes(b"/run/with a blank");
    assert_eq!(unix.local, Endpoint::Unix { name, inode: 1606 });

    assert_eq!(packet.local, Endpoint::Packet { protocol: 0x0806, ifindex: 2 });
    assert_eq!((packet.proto, packet.recv_q, packet.uid), (Proto::PacketRaw, 96, Some(1000)));
    assert_eq!(packet.inode, 1_827_149);

    assert_eq!(netlink.local, Endpoint::Netlink { protocol: 4, portid: 4242 });
    assert_eq!((netlink.recv_q, netlink.send_q, netlink.inode), (4352, 17, 1518));
}

#[test]
fn unix_names_are_kept_as_they_are() {
    let name = |rest: &str| {
        let line = format!("00000000bd23f9c8: 00000003 00000000 00000000 0002 01  16{rest}");
        let row = ProcTable::Unix.decode(line.as_bytes(), 0).expect("well-formed");
        assert_eq!((row.proto, row.state), (Proto::UnixDgram, State::Close));
        let Endpoint::Unix { name, .. } = row.local else { panic!("a UNIX socket") };
        name.as_bytes().to_vec()
    };
    for (rest, expected) in [("", &b""[..]), (" @a@b", b"\0a@b"), ("  /x", b" /x"), (" /a\tb ", b"/a\tb ")] {
        assert_eq!(name(rest), expected, "{rest:?}");
    }
}

#[test]
fn a_line_that_ends_too_early_is_no_row() {
    for (table, line) in TABLES.iter().zip(LINES) {
        for length in 0..line.len() {
            // Where a whole word is cut off the end, a row may be left; it must only not be a panic.
            let _ = table.decode(&line.as_bytes()[..length], 0);
        }
        assert_eq!(table.decode(b"", 0), None);
        assert_eq!(table.decode(&line.as_bytes()[..20], 0), None, "{line}");
    }
}

#[test]
fn files_are_read_to_the_end_and_errors_name_the_line() {
    let path = std::env::temp_dir().join(format!("socktrace-procfs-net-{}", std::process::id()));
    std::fs::write(&path, format!("sl heading\n{}\n\n{}\n", LINES[0], LINES[0])).expect("a file");
    let mut rows = 0;
    list(TABLES[0], &path, 1, |_| {
        rows += 1;
        ControlFlow::Continue(())
    })
    .expect("well-formed");
    std::fs::write(&path, format!("sl heading\n{}\ngarbage\n", LINES[0])).expect("a file");
    let error = list(TABLES[0], &path, 1, |_| ControlFlow::Continue(())).expect_err("garbage");
    std::fs::remove_file(&path).expect("our own file");
    assert_eq!(rows, 2);
    assert!(matches!(error, ProcNetError::Line { line: 3, .. }), "{error}");
    assert!(list(TABLES[0], &path, 1, |_| ControlFlow::Continue(())).is_err(), "a file that is not there");
}

proptest! {
    #[test]
    fn any_line_is_a_row_or_none(line in "[ 0-9A-F:@/a-z\\x00-\\x7f]{0,120}") {
        for table in TABLES {
            let _ = table.decode(line.as_bytes(), 0);
        }
    }
}

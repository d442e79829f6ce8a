//! Records as the programs write them, and what comes of them.

use super::*;
use proptest::prelude::*;

fn bytes<T: Record>(record: &T) -> Vec<u8> {
    // SAFETY: plain data of that size.
    unsafe { std::slice::from_raw_parts(std::ptr::from_ref(record).cast::<u8>(), size_of::<T>()) }.to_vec()
}

fn head(kind: Kind) -> RecordHead {
    // SAFETY: all zeroes are a valid value of plain data.
    let mut head: RecordHead = unsafe { std::mem::zeroed() };
    head.kind = kind as u8;
    head.time_ns = 7;
    head.cookie = 42;
    head
}

fn end() -> (RecordHead, Totals) {
    let mut head = head(Kind::State);
    (head.family, head.old, head.new) = (2, 4, 7);
    head.local = [127, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    head.local_port = 8080;
    head.flags = FIN_RECEIVED;
    // SAFETY: as above.
    let mut sums: Totals = unsafe { std::mem::zeroed() };
    (sums.bytes_sent, sums.bytes_retrans, sums.bytes_received) = (110, 10, 51);
    (sums.srtt_us, sums.rtt_min) = (800, u32::MAX);
    (head, sums)
}

fn call(kind: Kind, family: u8) -> CallRecord {
    // SAFETY: as above.
    let mut record: CallRecord = unsafe { std::mem::zeroed() };
    record.head = head(kind);
    record.head.family = family;
    record
}

fn name(bytes: &[u8]) -> NameRecord {
    let mut name = NameRecord { bytes: [0; _] };
    name.bytes[..bytes.len()].copy_from_slice(bytes);
    name
}

#[test]
fn a_close_carries_application_bytes() {
    let (head, sums) = end();
    let change = decode(&bytes(&StateRecord { head, msk: 0 }), &bytes(&sums)).unwrap();
    assert_eq!(change.local, Endpoint::Inet { addr: IpAddr::V4(Ipv4Addr::LOCALHOST), port: 8080 });
    let ChangeKind::State { old: State::FinWait1, new: State::Close, orphan: false, closing: Some(closing) } =
        change.kind
    else {
        panic!("{:?}", change.kind)
    };
    assert_eq!(
        (closing.bytes_sent, closing.bytes_received, closing.rtt_us, closing.min_rtt_us),
        (100, 50, 100, 0)
    );
}

#[test]
fn a_change_to_another_state_is_a_bare_head() {
    let (mut head, _) = end();
    (head.old, head.new) = (1, 4);
    for (flags, orphan) in [(0, false), (ORPHAN, true)] {
        head.flags = flags;
        let kind = ChangeKind::State { old: State::Established, new: State::FinWait1, orphan, closing: None };
        assert_eq!(decode(&bytes(&StateRecord { head, msk: 0 }), &[]).map(|change| change.kind), Ok(kind));
    }
}

#[test]
fn a_unix_name_is_local_but_for_connect() {
    for (kind, local) in
        [(Kind::Bind, true), (Kind::Listen, true), (Kind::Accept, true), (Kind::Connect, false)]
    {
        let mut record = call(kind, 1);
        (record.head.new, record.head.name_len) = (5, 3);
        let change = decode(&bytes(&record), &bytes(&name(b"\0abX"))).unwrap();
        assert_eq!(change.proto, Proto::UnixSeqpacket);
        let named = if local { change.local } else { change.peer };
        assert!(matches!(named, Endpoint::Unix { name, .. } if name.as_bytes() == b"\0ab"), "{kind:?}");
    }
}

#[test]
fn the_state_after_connect_says_whether_there_is_a_peer() {
    const CLOSE: u8 = 7;
    const ENETUNREACH: u32 = 101;
    for (family, state, error, expected) in [
        (2, 1, 0, ChangeKind::Connect { errno: 0 }),
        (10, CLOSE, 0, ChangeKind::Disconnect),
        (2, CLOSE, ENETUNREACH, ChangeKind::Connect { errno: 101 }),
        (1, CLOSE, 0, ChangeKind::Disconnect),
        (1, 1, 0, ChangeKind::Connect { errno: 0 }),
        (1, CLOSE, 512, ChangeKind::Connect { errno: 4 }),
    ] {
        let mut record = call(Kind::Connect, family);
        (record.head.old, record.error) = (state, error);
        let kind = decode(&bytes(&record), &bytes(&name(b""))).map(|change| change.kind);
        assert_eq!(kind, Ok(expected));
    }
}

#[test]
fn only_an_exact_record_has_a_process() {
    let (mut head, sums) = end();
    head.pid = 5;
    let process = |head: &RecordHead| {
        decode(&bytes(&StateRecord { head: *head, msk: 0 }), &bytes(&sums)).unwrap().process
    };
    assert_eq!(process(&head), None);
    head.flags = EXACT;
    assert_eq!(process(&head).map(|p| p.pid), Some(5));
}

#[test]
fn no_truncation_panics() {
    let (head, sums) = end();
    let (first, second) = (bytes(&StateRecord { head, msk: 0 }), bytes(&sums));
    for len in 0..first.len() {
        assert_eq!(decode(&first[..len], &second), Err(DecodeError::Short(len)));
    }
    for len in 0..second.len() {
        assert_eq!(decode(&first, &second[..len]), Err(DecodeError::Short(len)));
    }
}

proptest! {
    #[test]
    fn no_bytes_panic(
        first in proptest::collection::vec(any::<u8>(), 0..130),
        second in proptest::collection::vec(any::<u8>(), 0..130),
    ) {
        let _ = decode(&first, &second);
    }
}

//! Messages and attributes out of bytes; nothing here opens a socket.

use proptest::prelude::*;

use std::ops::ControlFlow;

use super::message::Meaning;
use super::receive::Hand;
use super::*;

/// One message as the kernel would send it, padded.
fn message(kind: u16, flags: u16, sequence: u32, payload: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    bytes.extend_from_slice(&(16 + payload.len() as u32).to_ne_bytes());
    bytes.extend_from_slice(&kind.to_ne_bytes());
    bytes.extend_from_slice(&flags.to_ne_bytes());
    bytes.extend_from_slice(&sequence.to_ne_bytes());
    bytes.extend_from_slice(&0u32.to_ne_bytes());
    bytes.extend_from_slice(payload);
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    bytes
}

fn meaning(kind: u16, payload: &[u8]) -> Result<Meaning, Malformed> {
    let bytes = message(kind, 0, 1, payload);
    Messages::new(&bytes).next().expect("one message").and_then(|message| message.meaning())
}

#[test]
fn several_messages_share_a_buffer() {
    let mut bytes = message(20, 2, 7, b"first");
    bytes.extend(message(20, 0x12, 7, b"second!!"));
    let all: Vec<_> = Messages::new(&bytes).collect::<Result<_, _>>().expect("well-formed");
    let seen: Vec<_> = all.iter().map(|m| (m.payload, m.interrupted(), m.sequence)).collect();
    assert_eq!(seen, [(&b"first"[..], false, 7), (b"second!!", true, 7)]);
    assert_eq!(all.iter().map(|m| m.bytes.len()).collect::<Vec<_>>(), [21, 24]);
}

#[test]
fn an_answer_ends_well_or_with_an_error() {
    let refused = |errno| Ok(Meaning::End(Err(errno)));
    let short = |have| Err(Malformed { what: "error code", length: 4, have });
    for (kind, payload, expected) in [
        (20, &b""[..], Ok(Meaning::Data)),
        (1, b"", Ok(Meaning::Noop)),
        (3, b"", Ok(Meaning::End(Ok(())))),
        (3, &0i32.to_ne_bytes(), Ok(Meaning::End(Ok(())))),
        (3, &(-2i32).to_ne_bytes(), refused(Errno::ENOENT)),
        (3, &[1, 2], short(2)),
        (2, &0i32.to_ne_bytes(), Ok(Meaning::End(Ok(())))),
        (2, &(-1i32).to_ne_bytes(), refused(Errno::EPERM)),
        (2, &i32::MIN.to_ne_bytes(), refused(Errno::UnknownErrno)),
        (2, b"", short(0)),
    ] {
        assert_eq!(meaning(kind, payload), expected, "type {kind}, payload {payload:?}");
    }
}

#[test]
fn a_dump_that_the_kernel_interrupts_or_breaks_off_says_so() {
    const INTERRUPTED: u16 = 0x12;
    let row = |flags, sequence| message(20, flags, sequence, b"row!");
    let done = |flags, errno: i32| message(3, flags, 7, &errno.to_ne_bytes());
    let ended = |interrupted| Answer { interrupted, stopped: false };
    for (name, reads, rows, answer, end) in [
        ("whole", vec![row(2, 7), row(2, 7), done(2, 0)], 2, ended(false), Some(Ok(()))),
        (
            "interrupted in a row",
            vec![row(2, 7), row(INTERRUPTED, 7), done(2, 0)],
            2,
            ended(true),
            Some(Ok(())),
        ),
        ("interrupted at the end", vec![row(2, 7), done(INTERRUPTED, 0)], 1, ended(true), Some(Ok(()))),
        ("an error in the end", vec![row(2, 7), done(2, -12)], 1, ended(false), Some(Err(Errno::ENOMEM))),
        ("the end is still to come", vec![row(2, 7)], 1, ended(false), None),
        (
            "rows of another answer",
            vec![row(INTERRUPTED, 6), row(2, 7), done(2, 0)],
            1,
            ended(false),
            Some(Ok(())),
        ),
    ] {
        let mut count = 0;
        let mut each = |_: &Message<'_>| {
            count += 1;
            ControlFlow::Continue(())
        };
        let mut hand = Hand::new(7, &mut each);
        // Each message in a read of its own, and all of them in one.
        let mut last = None;
        for read in &reads {
            last = hand.out(read).unwrap();
        }
        assert_eq!((last, hand.answer), (end, answer), "{name}");
        assert_eq!(count, rows, "{name}");
        let mut nothing = |_: &Message<'_>| ControlFlow::Continue(());
        let mut hand = Hand::new(7, &mut nothing);
        assert_eq!((hand.out(&reads.concat()).unwrap(), hand.answer), (end, answer), "{name}, at once");
    }
}

#[test]
fn a_message_that_does_not_fit_is_an_error_and_the_last() {
    let bytes = message(20, 0, 1, b"12345678");
    for length in [0u32, 1, 15, 25, u32::MAX] {
        let mut bytes = bytes.clone();
        bytes.splice(..4, length.to_ne_bytes());
        let all: Vec<_> = Messages::new(&bytes).collect();
        assert_eq!(all.len(), 1);
        assert!(all[0].is_err(), "length {length}");
    }
}

#[test]
fn attributes_nest_and_lose_their_flag_bits() {
    let request = Request::single(1, &[])
        .attribute(0x8000 | 5, &[8, 0, 1, 0, 9, 9, 9, 9])
        .and_then(|request| request.attribute(0x4000 | 6, &[7]))
        .expect("short payloads");
    let bytes = request.into_bytes(3);
    let attributes: Vec<_> = Attributes::new(&bytes[16..]).collect::<Result<_, _>>().expect("well-formed");
    assert_eq!(attributes.iter().map(|a| a.kind).collect::<Vec<_>>(), [5, 6]);
    let inner: Vec<_> = attributes[0].nested().collect::<Result<_, _>>().expect("well-formed");
    assert_eq!(inner, [Attribute { kind: 1, payload: &[9; 4] }]);
    assert_eq!((attributes[1].u8(), attributes[1].u32()), (Some(7), None));
}

#[test]
fn a_request_tells_its_own_length_and_number() {
    let bytes = Request::dump(20, &[1, 2, 3]).attribute(1, &[4]).expect("short").into_bytes(0x0102_0304);
    let sent = Messages::new(&bytes).next().expect("one message").expect("well-formed");
    assert_eq!((sent.kind, sent.flags, sent.sequence, sent.bytes.len()), (20, 0x301, 0x0102_0304, 25));
    assert_eq!(sent.payload, [1, 2, 3, 0, 5, 0, 1, 0, 4]);
    assert!(Request::dump(20, &[]).attribute(1, &vec![0; 65_532]).is_err());
}

proptest! {
    #[test]
    fn any_bytes_decode_without_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let messages: usize = Messages::new(&bytes).filter_map(Result::ok).map(|m| m.bytes.len()).sum();
        let attributes: usize = Attributes::new(&bytes).filter_map(Result::ok).map(|a| a.payload.len()).sum();
        prop_assert!(messages <= bytes.len() && attributes <= bytes.len());
    }

    #[test]
    fn whatever_is_packed_is_unpacked(
        parts in proptest::collection::vec((0u16..0x4000, proptest::collection::vec(any::<u8>(), 0..40)), 0..8)
    ) {
        let mut request = Request::single(20, &[]);
        for (kind, payload) in &parts {
            request = request.attribute(*kind, payload).expect("short");
        }
        let bytes = request.into_bytes(1);
        let found: Vec<_> = Attributes::new(&bytes[16..])
            .map(|a| a.map(|a| (a.kind, a.payload.to_vec())).expect("well-formed"))
            .collect();
        prop_assert_eq!(found, parts);
    }
}

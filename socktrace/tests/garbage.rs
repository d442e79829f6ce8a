//! Garbage in, good order out: what the fuzz targets do, in small, in CI.

use std::ops::ControlFlow;

use proptest::prelude::*;
use socktrace::api::screen::Screen;
use socktrace::kernel::sock_diag::{InetTable, Want, decode, replay};
use socktrace::listing::words;
use socktrace::query::Facts;
use socktrace::socket::Family;

const FAMILIES: [Family; 9] = [
    Family::Inet,
    Family::Inet6,
    Family::Unix,
    Family::Packet,
    Family::Netlink,
    Family::Vsock,
    Family::Tipc,
    Family::Xdp,
    Family::Other(99),
];

/// A row as the kernel could send it in a bad dream: a head, and attributes whose lengths are right, for the most part.
fn row() -> impl Strategy<Value = Vec<u8>> {
    let heads = prop::sample::select(vec![0, 4, 16, 20, 28, 44, 72]);
    let attribute =
        (0u16..32, prop::collection::vec(any::<u8>(), 0..120), prop::option::weighted(0.05, any::<u16>()));
    (heads, any::<[u8; 72]>(), prop::collection::vec(attribute, 0..8), any::<bool>()).prop_map(
        |(head, bytes, attributes, cut)| {
            let mut row = bytes[..head].to_vec();
            for (kind, payload, length) in attributes {
                let length = length.unwrap_or(4 + u16::try_from(payload.len()).expect("short"));
                row.extend(length.to_ne_bytes());
                row.extend(kind.to_ne_bytes());
                row.extend(&payload);
                row.resize(row.len().next_multiple_of(4), 0);
            }
            if cut {
                row.truncate(row.len() / 2);
            }
            row
        },
    )
}

/// Words that are near to those of `socktrace ss`.
fn word() -> impl Strategy<Value = String> {
    let known = vec![
        "-t",
        "-tulpn",
        "-A",
        "-f",
        "-F",
        "-D",
        "-N",
        "-K",
        "-E",
        "-s",
        "-o",
        "-e",
        "-m",
        "-O",
        "-x",
        "-0",
        "-c",
        "--json",
        "--family",
        "--family=inet6",
        "--query=all",
        "--net=",
        "--sort",
        "--top",
        "--top=3",
        "--count-by=state",
        "--tos",
        "--cgr",
        "--n",
        "--bpf-map-id=1",
        "--",
        "-",
        "tcp,udp",
        "!tcp",
        "inet",
        "unix",
        "state",
        "exclude",
        "established",
        "bucket",
        "sport",
        "=",
        "22",
        "(",
        ")",
        "or",
        "dst",
        "10/8",
        "help",
    ];
    prop_oneof![8 => prop::sample::select(known).prop_map(str::to_owned), 1 => any::<String>(), 1 => "-{0,2}[a-zA-Z0-9=,]{0,6}"]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn rows_are_decoded_or_refused(row in row(), all: bool, table in prop::sample::select(InetTable::ALL.to_vec())) {
        let want = if all { Want::ALL } else { Want::NONE };
        for family in FAMILIES {
            if let Ok(Some(socket)) = decode(family, table, &row, want, 1) {
                let facts = Facts::of_socket(&socket);
                prop_assert_eq!(facts.netns, 1);
                prop_assert_eq!(want.is_none(), socket.detail.is_none());
            }
        }
    }

    #[test]
    fn files_of_messages_are_read_to_the_first_that_is_broken(
        messages in prop::collection::vec((row(), prop::sample::select(vec![2u16, 3, 20])), 0..6),
        cut: Option<u8>,
    ) {
        let mut file = Vec::new();
        let (mut rows, mut broken) = (0, false);
        for (row, kind) in messages {
            // A message of the dump that is shorter than its head ends the reading.
            let is_row = kind == 20;
            broken |= is_row && row.len() < 72;
            rows += usize::from(is_row && !broken);
            file.extend((16 + u32::try_from(row.len()).expect("short")).to_ne_bytes());
            file.extend(kind.to_ne_bytes());
            file.extend([0; 10]);
            file.extend(row);
            file.resize(file.len().next_multiple_of(4), 0);
        }
        let whole = file.len();
        if let Some(cut) = cut {
            file.truncate(whole.saturating_sub(usize::from(cut)));
        }
        let mut seen = 0;
        let read = replay(&file, 1, |_| {
            seen += 1;
            ControlFlow::Continue(())
        });
        if file.len() == whole {
            prop_assert_eq!((seen, read.is_err()), (rows, broken));
        } else {
            prop_assert!(seen <= rows);
        }
    }

    #[test]
    fn words_of_ss_are_read_or_refused_with_a_reason(words in prop::collection::vec(word(), 0..8), screen: Option<u16>) {
        if let Err(error) = words::parse(&words, screen.and_then(Screen::of)) {
            prop_assert!(!error.to_string().is_empty());
        }
    }
}

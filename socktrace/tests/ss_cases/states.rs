//! State words: one meaning for one spelling.

use super::*;
use crate::agent::Agent;
use crate::ss_parity::oracle;
use crate::support::may_trace;
use crate::support::run::run;
use nix::sys::socket::{AddressFamily, SockFlag, SockType};
use std::net::{Shutdown, SocketAddr, UdpSocket};
use std::os::fd::{AsRawFd as _, OwnedFd};

const WORDS: [&str; 19] = [
    "established",
    "syn-sent",
    "syn-recv",
    "fin-wait-1",
    "fin-wait-2",
    "time-wait",
    "closed",
    "close-wait",
    "last-ack",
    "listening",
    "closing",
    "bound-inactive",
    "all",
    "connected",
    "synchronized",
    "bucket",
    "big",
    "unconnected",
    "ESTAB",
];

/// Sockets in many states; they live as long as what is returned.
fn sockets() -> Vec<OwnedFd> {
    let mut all: Vec<OwnedFd> = Vec::new();
    let listener = TcpListener::bind("127.0.0.1:8080").unwrap();
    let pair = || {
        let client = TcpStream::connect("127.0.0.1:8080").unwrap();
        (client, listener.accept().unwrap().0)
    };
    let (client, accepted) = pair();
    all.extend([client, accepted].map(OwnedFd::from));
    // FIN-WAIT-2 and CLOSE-WAIT, then TIME-WAIT.
    let (client, accepted) = pair();
    client.shutdown(Shutdown::Write).unwrap();
    all.extend([client, accepted].map(OwnedFd::from));
    let (client, mut accepted) = pair();
    drop(client);
    assert_eq!(accepted.read(&mut [0]).unwrap(), 0);
    drop(accepted);
    // Bound and nothing more.
    let bound = nix::sys::socket::socket(AddressFamily::Inet, SockType::Stream, SockFlag::SOCK_CLOEXEC, None)
        .unwrap();
    let address = nix::sys::socket::SockaddrStorage::from("127.0.0.1:8099".parse::<SocketAddr>().unwrap());
    nix::sys::socket::bind(bound.as_raw_fd(), &address).unwrap();
    all.push(bound);
    let udp = UdpSocket::bind("127.0.0.1:5353").unwrap();
    let connected = UdpSocket::bind("127.0.0.1:5354").unwrap();
    connected.connect("127.0.0.1:5353").unwrap();
    all.extend([udp, connected].map(OwnedFd::from));
    all.push(listener.into());
    all
}

/// The rows, sorted: the blanks between their columns depend on what else is shown.
fn rows(text: &str) -> Vec<Vec<String>> {
    let mut rows: Vec<Vec<String>> =
        text.lines().map(|line| line.split_whitespace().map(str::to_owned).collect()).collect();
    rows.sort();
    rows
}

/// Rows that say their state although one was asked for.
const COLUMNS: [&str; 4] = ["-Htun", "--columns", "netid,state,local,peer", "--direct"];

#[test]
fn a_state_means_the_same_as_leading_words_and_as_a_predicate() {
    let theirs = oracle();
    in_own_netns(|| {
        let _sockets = sockets();
        let ask = |source: &[&str], options: &[&str], words: &[&str]| {
            let said = run(&[&["ss"], source, &COLUMNS[..3], options, words].concat());
            assert_eq!((said.code, said.stderr.as_str()), (Some(0), ""), "{options:?} {words:?}");
            rows(&said.stdout)
        };
        let direct = ["--direct"];
        for word in WORDS {
            let quoted = format!("state {word}");
            let joined = format!("state {word} and src any");
            let behind = format!("src any and state {word}");
            let mut different = Vec::new();
            for options in [&[][..], &["-a"], &["-l"], &["-B"], &["-al"]] {
                let leading = ask(&direct, options, &["state", word]);
                let predicate = ask(&direct, options, &[&quoted]);
                assert_eq!(predicate, leading, "{options:?} {quoted}");
                assert_eq!(ask(&direct, options, &[&joined]), leading, "{options:?} {joined}");
                assert_eq!(
                    ask(&direct, options, &["state", word, "src", "any"]),
                    leading,
                    "{options:?} {word}"
                );
                different.push(leading);
            }
            assert!(different.windows(2).all(|pair| pair[0] == pair[1]), "options count for {word}");
            for options in [&[][..], &["-a"]] {
                assert_eq!(ask(&direct, options, &[&behind]), different[0], "{options:?} {behind}");
            }
            let output = Command::new(&theirs).args(["-Htuna", "state", word]).output().unwrap();
            let rows_of_ss = String::from_utf8(output.stdout).unwrap().lines().count();
            // A word of ss's own output, which it does not read.
            if word != "ESTAB" {
                assert_eq!(rows_of_ss, different[0].len(), "{word}");
            }
        }
        let of = |word: &str| {
            let rows = ask(&direct, &["-a"], &[&format!("state {word}")]);
            rows.into_iter().map(|row| row.join(" ")).collect::<Vec<_>>()
        };
        assert_eq!(of("bound-inactive"), ["tcp UNCONN 127.0.0.1:8099 0.0.0.0:*"]);
        assert_eq!(of("closed"), ["udp UNCONN 127.0.0.1:5353 0.0.0.0:*"]);
        assert_eq!(of("time-wait").len(), 1);
    });
}

#[test]
fn a_state_means_the_same_through_an_agent() {
    if !may_trace("a_state_means_the_same_through_an_agent") {
        return;
    }
    let agent = Agent::start(&[]);
    let path = agent.path();
    in_own_netns(|| {
        let _sockets = sockets();
        for word in WORDS {
            let quoted = format!("state {word}");
            for options in ["-Htun", "-Htuna", "-HtunB"] {
                for words in [&["state", word][..], &[&quoted]] {
                    let through = run(&[&["ss", "--agent", path, options], words].concat());
                    let direct = run(&[&["ss", "--direct", options], words].concat());
                    assert_eq!(
                        (through.stdout, through.code),
                        (direct.stdout, direct.code),
                        "{options} {words:?}"
                    );
                }
            }
        }
    });
}

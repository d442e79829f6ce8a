//! The kernel's own reading of a compiled filter (net/ipv4/inet_diag.c), over the same sockets as the evaluator.

use std::net::IpAddr;

use proptest::prelude::*;

use super::super::bytecode::{Able, Target};
use super::super::{Facts, Filter};
use super::fixtures::{Animal, fixtures, inet};
use super::laws::expr;
use super::read;
use crate::socket::{Cookie, Detail, Family, Proto, Socket, State};

/// What the kernel would be asked about (`struct inet_diag_entry`).
struct Entry {
    family: u16,
    local: (IpAddr, u16),
    peer: (IpAddr, u16),
    ifindex: u32,
    mark: u32,
    cgroup: u64,
}

impl Entry {
    /// None if it is no IP socket.
    fn of(facts: &Facts<'_>) -> Option<Self> {
        Some(Self {
            family: facts.family.number(),
            local: facts.local.inet()?,
            peer: facts.peer.inet()?,
            ifindex: facts.ifindex,
            mark: facts.mark.unwrap_or(0),
            cgroup: facts.cgroup_id.unwrap_or(0),
        })
    }
}

fn u16_at(bytes: &[u8], at: usize) -> usize {
    usize::from(u16::from_ne_bytes([bytes[at], bytes[at + 1]]))
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_ne_bytes(bytes[at..at + 4].try_into().unwrap())
}

/// `inet_diag_bc_run`: whether the socket passes.
fn run(program: &[u8], entry: &Entry) -> bool {
    let mut at = 0;
    while at < program.len() {
        let op = &program[at..];
        let (code, yes, no) = (op[0], usize::from(op[1]), u16_at(op, 2));
        let end = if matches!(code, 2 | 3 | 7 | 11) { entry.local } else { entry.peer };
        let port = usize::from(end.1);
        let holds = match code {
            1 => false,
            2 | 4 => port >= u16_at(op, 6),
            3 | 5 => port <= u16_at(op, 6),
            11 | 12 => port == u16_at(op, 6),
            7 | 8 => host(op, entry.family, end),
            9 => u32_at(op, 4) == entry.ifindex,
            10 => entry.mark & u32_at(op, 8) == u32_at(op, 4),
            13 => u64::from_ne_bytes(op[4..12].try_into().unwrap()) == entry.cgroup,
            other => panic!("no instruction {other}"),
        };
        at += if holds { yes } else { no };
    }
    at == program.len()
}

fn host(op: &[u8], family: u16, (addr, port): (IpAddr, u16)) -> bool {
    let wanted = u32_at(op, 8).cast_signed();
    if wanted != -1 && wanted != i32::from(port) {
        return false;
    }
    let (of, length) = (u16::from(op[4]), usize::from(op[5]));
    let bits = |bytes: &[u8], wanted: &[u8]| {
        (0..length).all(|bit| (bytes[bit / 8] ^ wanted[bit / 8]) & (0x80 >> (bit % 8)) == 0)
    };
    match addr {
        _ if of == 0 => true,
        IpAddr::V4(addr) => of == family && bits(&addr.octets(), &op[12..]),
        IpAddr::V6(addr) if of == family => bits(&addr.octets(), &op[12..]),
        IpAddr::V6(addr) => addr.to_ipv4_mapped().is_some_and(|addr| bits(&addr.octets(), &op[12..])),
    }
}

/// `inet_diag_bc_audit`: whether the kernel takes the program.
fn audit(program: &[u8]) -> Result<(), String> {
    // `valid_cc`: a place that some instruction begins at.
    let mut starts = Vec::new();
    let mut at = 0;
    while at < program.len() {
        starts.push(at);
        at += usize::from(program[at + 1]).max(4);
    }
    let total = program.len();
    let mut at = 0;
    while at < total {
        let op = &program[at..];
        let (code, yes, no, left) = (op[0], usize::from(op[1]), u16_at(op, 2), total - at);
        let least = match code {
            1 => 4,
            2..=5 | 9 | 11 | 12 => 8,
            7 | 8 => {
                let bytes = match op[4] {
                    0 => 0,
                    2 => 4,
                    10 => 16,
                    other => return Err(format!("family {other}")),
                };
                if usize::from(op[5]) > 8 * bytes {
                    return Err(format!("length {} of {bytes} bytes", op[5]));
                }
                12 + bytes
            }
            10 | 13 => 12,
            other => return Err(format!("code {other}")),
        };
        if left < least || no < least || no > left + 4 || no % 4 != 0 {
            return Err(format!("no {no} with {left} left at {at}"));
        }
        if no < left && !starts.contains(&(at + no)) {
            return Err(format!("no leads into the middle at {at}"));
        }
        if yes < least || yes > left + 4 || yes % 4 != 0 {
            return Err(format!("yes {yes} with {left} left at {at}"));
        }
        at += yes;
    }
    if at == total && total >= 4 { Ok(()) } else { Err(format!("ends at {at} of {total}")) }
}

const RANGE: (u16, u16) = (32768, 60999);

fn compile(filter: &Filter, able: Able) -> Option<Vec<u8>> {
    filter.bytecode(&Target { able, port_range: RANGE })
}

fn passing(program: &[u8]) -> String {
    let fixtures = fixtures();
    let passes = |animal: &&Animal| Entry::of(&animal.facts()).is_some_and(|entry| run(program, &entry));
    fixtures.iter().filter(passes).map(|animal| animal.name).collect::<Vec<_>>().join(" ")
}

#[test]
fn what_the_kernel_can_decide_it_decides() {
    for (text, expected) in [
        ("sport = 22", "sshd waiting"),
        ("sport != 22", "web client mapped linklocal"),
        ("not ( sport = 22 or dport = 443 )", "web mapped linklocal"),
        ("sport = {22,500-600} dport < 60000", "sshd waiting linklocal"),
        ("sport > 65535", ""),
        ("sport = 70000", ""),
        ("src 10/8", "client mapped"),
        ("not src 10/8", "sshd web waiting linklocal"),
        ("src [::ffff:10.0.0.1]", "mapped"),
        ("src 0.0.0.0/0", "sshd client mapped waiting"),
        ("src [fe80::/10]:546", "linklocal"),
        ("host 127.0.0.5", "waiting"),
        ("dst multi.test", "waiting"),
        ("dev eth0", "web"),
        ("dev != {eth0,lo} sport 443", "mapped"),
        ("fwmark 0x5/0xf", "client"),
        ("cgroup /user.slice", "client"),
        ("autobound", "client"),
        // A constant part leaves no dead instructions to begin with.
        ("sport = {*,0} and autobound", "client"),
        ("not autobound and sport != 22", "web mapped linklocal"),
    ] {
        let filter = read(text).unwrap();
        let program = compile(&filter, Able::ALL).expect(text);
        assert_eq!(audit(&program), Ok(()), "{text}");
        assert_eq!(passing(&program), expected, "{text}");
    }
}

#[test]
fn what_it_cannot_decide_passes_also_under_a_negation() {
    for (text, expected) in [
        ("sport = 22 and comm sshd", Some("sshd waiting")),
        ("not ( sport = 22 or comm sshd )", Some("web client mapped linklocal")),
        ("not ( sport = 22 and comm sshd )", None),
        ("sport = 22 or comm sshd", None),
        ("not comm sshd", None),
        ("uid 0", None),
        ("state established", None),
        ("sport *", None),
        ("", None),
        ("src unix:*", Some("")),
        ("dev 1-5", None),
    ] {
        let program = compile(&read(text).unwrap(), Able::ALL);
        assert_eq!(program.map(|program| passing(&program)).as_deref(), expected, "{text}");
    }
}

#[test]
fn an_older_kernel_is_asked_for_less() {
    for (text, expected) in [
        ("sport = 22", Some("sshd waiting")),
        ("dev eth0", None),
        ("fwmark 5", None),
        ("not cgroup /user.slice", None),
        ("sport = 443 dev eth0", Some("web mapped")),
    ] {
        let program = compile(&read(text).unwrap(), Able::LEAST);
        if let Some(program) = &program {
            assert_eq!(audit(program), Ok(()), "{text}");
        }
        assert_eq!(program.map(|program| passing(&program)).as_deref(), expected, "{text}");
    }
}

#[test]
fn a_program_that_would_be_too_long_is_none() {
    let long = "src 10.0.0.1 or ".repeat(5000) + "src 10.0.0.2";
    assert_eq!(compile(&read(&long).unwrap(), Able::ALL), None);
    let fits = "src 10.0.0.1 or ".repeat(3000) + "src 10.0.0.2";
    let program = compile(&read(&fits).unwrap(), Able::ALL).unwrap();
    assert_eq!((audit(&program), passing(&program).as_str()), (Ok(()), "client mapped"));
}

fn socket() -> impl Strategy<Value = Socket> {
    let addr = prop::sample::select(vec!["10.0.0.1", "0.0.0.0", "127.0.0.5", "203.0.113.7"]);
    let addr6 = prop::sample::select(vec!["::", "::1", "fe80::1", "::ffff:10.0.0.1", "::ffff:0.0.0.0"]);
    let port = || prop::sample::select(vec![0, 1, 2, 22, 33, 77, 443, 1024, 5000, 40000, 65535]);
    let details = (prop::option::of(0u32..40), prop::option::of(76u64..80), 0u32..8);
    (any::<bool>(), addr.clone(), addr, addr6.clone(), addr6, (port(), port()), details).prop_map(
        |(six, a, b, a6, b6, (sport, dport), (mark, cgroup_id, ifindex))| {
            let (family, a, b) = if six { (Family::Inet6, a6, b6) } else { (Family::Inet, a, b) };
            Socket {
                proto: Proto::Tcp,
                family,
                state: State::Established,
                recv_q: 0,
                send_q: 0,
                local: inet(a, sport),
                peer: inet(b, dport),
                ifindex,
                inode: 0,
                cookie: Cookie::default(),
                netns: 0,
                uid: Some(1),
                v6only: None,
                detail: Some(Box::new(Detail { mark, cgroup_id, ..Detail::default() })),
            }
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3000, ..ProptestConfig::default() })]

    #[test]
    fn no_match_is_lost(expr in expr(), sockets in prop::collection::vec(socket(), 8), newer: bool, rest: bool) {
        let filter = Filter::from_expr(expr);
        let able = Able { newer, mark: rest, cgroup: rest };
        let Some(program) = compile(&filter, able) else { return Ok(()) };
        prop_assert_eq!(audit(&program), Ok(()));
        let fixtures = fixtures();
        for facts in sockets.iter().map(Facts::of_socket).chain(fixtures.iter().map(Animal::facts)) {
            let Some(entry) = Entry::of(&facts) else { continue };
            prop_assert!(run(&program, &entry) || !filter.matches(&facts), "{} {:?}", filter, facts);
        }
    }
}

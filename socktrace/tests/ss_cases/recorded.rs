//! Answers of the kernel in files, and a procfs that is somewhere else.

use super::*;

/// A netlink message as a file of `-D` holds it.
fn message(kind: u16, payload: &[u8]) -> Vec<u8> {
    let mut bytes = (16 + payload.len() as u32).to_ne_bytes().to_vec();
    bytes.extend(kind.to_ne_bytes());
    bytes.extend(2u16.to_ne_bytes());
    bytes.extend(123_456u32.to_ne_bytes());
    bytes.extend([0; 4]);
    bytes.extend(payload);
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    bytes
}

/// A `struct inet_diag_msg` of a TCP socket with no attribute but SHUTDOWN.
struct Recorded {
    family: u8,
    state: u8,
    timer: (u8, u32),
    local: (&'static str, u16),
    peer: (&'static str, u16),
    send_q: u32,
    uid: u32,
    inode: u32,
    cookie: u32,
}

impl Recorded {
    fn bytes(&self) -> Vec<u8> {
        let address = |text: &str| match text.parse().unwrap() {
            std::net::IpAddr::V4(v4) => [v4.octets().to_vec(), vec![0; 12]].concat(),
            std::net::IpAddr::V6(v6) => v6.octets().to_vec(),
        };
        let mut bytes = vec![self.family, self.state, self.timer.0, 0];
        bytes.extend(self.local.1.to_be_bytes());
        bytes.extend(self.peer.1.to_be_bytes());
        bytes.extend(address(self.local.0));
        bytes.extend(address(self.peer.0));
        for word in [0, self.cookie, 0, self.timer.1, 0, self.send_q, self.uid, self.inode] {
            bytes.extend(word.to_ne_bytes());
        }
        // The attribute SHUTDOWN, 0.
        bytes.extend([5, 0, 8, 0, 0, 0, 0, 0]);
        message(20, &bytes)
    }
}

/// Two hosts with ssh between them, IPv4 and IPv6, each family with its end.
fn recorded() -> Vec<u8> {
    let of = |family, state, local, peer, inode, cookie| Recorded {
        family,
        state,
        timer: if state == 1 { (2, 7_180_950) } else { (0, 0) },
        local,
        peer,
        send_q: if state == 10 { 128 } else { 0 },
        uid: if inode == 15057 { 1000 } else { 0 },
        inode,
        cookie,
    };
    let four = [
        of(2, 10, ("0.0.0.0", 22), ("0.0.0.0", 0), 411, 3),
        of(2, 1, ("10.0.0.1", 22), ("10.0.0.1", 36266), 15840, 6),
        of(2, 1, ("10.0.0.1", 36266), ("10.0.0.1", 22), 15057, 7),
        of(2, 1, ("10.0.0.1", 22), ("10.0.0.2", 50312), 15834, 5),
    ];
    let six = [
        of(10, 10, ("::", 22), ("::", 0), 413, 4),
        of(10, 1, ("fec0:42::24", 40520), ("fec0:42::24", 22), 1647, 1),
    ];
    let end = message(3, &[0; 4]);
    let mut file: Vec<u8> = four.iter().flat_map(Recorded::bytes).collect();
    file.extend(&end);
    file.extend(six.iter().flat_map(Recorded::bytes));
    file.extend(&end);
    file
}

#[test]
fn filters_over_a_recorded_file() {
    let folder = Folder::new("recorded");
    let file = folder.file("dump", recorded());
    let client = "ESTAB 0      0      10.0.0.1:36266 10.0.0.1:22\n";
    let listener = "LISTEN 0      128    0.0.0.0:22 0.0.0.0:*\n";
    let server = "ESTAB 0      0      10.0.0.1:22 10.0.0.2:50312\n";
    // The twelve checks of iproute2's own tests for ss, in ss's own words.
    for (filter, expected) in [
        ("dport = 22", client),
        ("dport 22", client),
        ("( dport = 22 )", client),
        ("src = 0.0.0.0", listener),
        ("src 0.0.0.0", listener),
        ("src 0.0.0.0 sport = 22", listener),
        ("src 0.0.0.0 and sport = 22", listener),
        ("src 10.0.0.1 and sport = 22 and dport = 50312", server),
        ("src 10.0.0.1 and sport = 22 and ( dport = 50312 )", server),
        ("src 10.0.0.1 and ( sport = 22 and dport = 50312 )", server),
        ("( src 10.0.0.1 and sport = 22 ) and dport = 50312", server),
        ("( src 0.0.0.0 or src 10.0.0.1 ) and dst 10.0.0.2", server),
    ] {
        let said = ss_with(&format!("-Htna {filter}"), &[("TCPDIAG_FILE", &file)]);
        // The rows of the IPv6 dump follow, in columns of their own width.
        let four: String = said.stdout.split_inclusive('\n').filter(|line| !line.contains('[')).collect();
        assert_eq!((four.as_str(), said.stderr.as_str(), said.code), (expected, "", Some(0)), "{filter}");
    }
    let all = ss_with("-Htna", &[("TCPDIAG_FILE", &file)]).stdout;
    assert_eq!(all.lines().count(), 6, "both families are read: {all}");
    let extended = ss_with("-Htnae sport = 36266", &[("TCPDIAG_FILE", &file)]).stdout;
    assert_eq!(
        extended,
        "ESTAB 0      0      10.0.0.1:36266 10.0.0.1:22 timer:(keepalive,119min,0) uid:1000 ino:15057 sk:7 <->\n"
    );
}

#[test]
fn a_damaged_or_missing_file_is_an_error() {
    let folder = Folder::new("damaged");
    let whole = recorded();
    for end in [1, 15, 17, 80] {
        let file = folder.file("dump", &whole[..end]);
        let said = ss_with("-ta", &[("TCPDIAG_FILE", &file)]);
        assert_eq!((said.code, said.stdout.as_str()), (Some(1), ""), "{end} bytes");
        assert!(said.stderr.starts_with(&format!("socktrace: {file} is not a dump")), "{}", said.stderr);
    }
    let said = ss_with("-ta", &[("TCPDIAG_FILE", "/nonexistent/dump")]);
    assert_eq!(said.code, Some(1));
    assert!(said.stderr.starts_with("socktrace: cannot read /nonexistent/dump: "), "{}", said.stderr);
}

#[test]
fn the_whole_rows_of_a_truncated_file_are_shown_before_the_complaint() {
    let folder = Folder::new("truncated");
    let whole = recorded();
    let row = whole.len() / 6;
    for (end, rows) in [(row + 10, 1), (3 * row, 3), (whole.len() - 1, 6)] {
        let file = folder.file("dump", &whole[..end]);
        // As they come, held until owners are known, as JSON, and counted.
        for words in ["-Htan", "-Htanp", "-Htan --sort sport", "-tan --json"] {
            let said = ss_with(words, &[("TCPDIAG_FILE", &file)]);
            assert_eq!((said.code, said.stdout.lines().count()), (Some(1), rows), "{words}: {}", said.stdout);
            assert!(said.stderr.starts_with(&format!("socktrace: {file} is not a dump")), "{}", said.stderr);
        }
        let counts = ss_with("-Htan --count-by netid", &[("TCPDIAG_FILE", &file)]);
        assert_eq!((counts.code, counts.stdout), (Some(1), format!("{rows:>7} tcp\n")), "{}", counts.stderr);
    }
    let table = "  sl  local_address rem_address   st\n   0: 0100007F:0016 00000000:0000 0A 00000000:00000000 \
                 00:00000000 00000000     0        0 7 1 0 100 0 0 10 0\n   1: 0100007F:00";
    let file = folder.file("tcp", table);
    let said = ss_with("-Htan4", &[("PROC_NET_TCP", &file)]);
    assert_eq!(said.stdout, "LISTEN 0      0      127.0.0.1:22 0.0.0.0:*\n");
    assert_eq!(said.code, Some(1));
    assert!(said.stderr.contains("line 3 of"), "{}", said.stderr);
}

#[test]
fn another_procfs_is_all_there_is() {
    let folder = Folder::new("proc");
    let proc = folder.0.to_str().unwrap().to_owned();
    folder.file(
        "net/sockstat",
        "sockets: used 9\nTCP: inuse 1 orphan 0 tw 2 alloc 3 mem 0\nUDP: inuse 4 mem 0\nRAW: inuse 0\n\
         FRAG: inuse 0 memory 0\n",
    );
    folder.file("net/snmp", "Tcp: CurrEstab\nTcp: 1\n");
    folder.file("sys/net/ipv4/ip_local_port_range", "22 22\n");
    folder.file("1234/stat", "1234 (my sshd) S 1 1");
    folder.file("77/stat", "77 (init) S 0 0");
    for (path, target) in
        [("1234/fd/3", "socket:[15057]"), ("77/fd/10", "socket:[15057]"), ("77/fd/1", "/dev/null")]
    {
        let path = folder.0.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        symlink(target, path).unwrap();
    }
    let file = folder.file("dump", recorded());
    let places = [("PROC_ROOT", proc.as_str()), ("TCPDIAG_FILE", file.as_str())];
    assert_eq!(
        ss_with("-tap4 src 10.0.0.1:36266", &places).stdout,
        "State Recv-Q Send-Q Local Address:Port  Peer Address:PortProcess\n\
         ESTAB 0      0           10.0.0.1:36266     10.0.0.1:22   users:((\"my sshd\",pid=1234,fd=3),\
         (\"init\",pid=77,fd=10))\n"
    );
    assert!(
        ss_with("-s", &places)
            .stdout
            .starts_with("Total: 9\nTCP:   5 (estab 1, closed 4, orphaned 0, timewait 2)")
    );
    // There are no UNIX sockets in that tree, whatever the kernel has.
    assert_eq!(ss_with("-Hxa", &places).stdout, "");
}

#[test]
fn a_recorded_dump_is_what_was_there() {
    in_own_netns(|| {
        let _fixtures = Fixtures::open();
        let folder = Folder::new("record");
        let file = folder.0.join("dump");
        let live = ss("-Htan");
        let recorded = ss(&format!("-tanD {}", file.display()));
        assert_eq!((recorded.stdout.as_str(), recorded.code), ("", Some(0)), "{}", recorded.stderr);
        let again = ss_with("-Htan", &[("TCPDIAG_FILE", file.to_str().unwrap())]);
        let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(words(&again.stdout), words(&live.stdout));
        let refused = ss("-uD -");
        assert_eq!(refused.code, Some(2));
    });
}

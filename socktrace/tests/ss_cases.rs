//! What `socktrace ss` does beyond printing ss's bytes: recorded files, closing, watching, errors, JSON.

use std::collections::BTreeSet;
use std::fs;
use std::io::Read;
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::symlink;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::ss_zoo::Zoo;
use crate::support::in_own_netns;
use crate::support::run::{Running, Said, socktrace};

/// Runs `socktrace ss --direct` with these words, which are separated by blanks, and these variables.
fn ss_with(words: &str, variables: &[(&str, &str)]) -> Said {
    let mut command = socktrace(&["ss", "--direct"]);
    command.args(words.split(' ').filter(|word| !word.is_empty())).envs(variables.iter().copied());
    said(&mut command)
}

fn ss(words: &str) -> Said {
    ss_with(words, &[])
}

fn said(command: &mut Command) -> Said {
    let output = command.output().unwrap();
    Said {
        code: output.status.code(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

/// A folder of our own that goes away.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("socktrace-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).unwrap();
        Self(folder)
    }

    fn file(&self, name: &str, bytes: impl AsRef<[u8]>) -> String {
        let path = self.0.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, bytes).unwrap();
        path.to_str().unwrap().to_owned()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

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
    for end in [1, 15, 17, 100, whole.len() - 1] {
        let file = folder.file("dump", &whole[..end]);
        let said = ss_with("-ta", &[("TCPDIAG_FILE", &file)]);
        assert_eq!(said.code, Some(1), "{end} bytes: {}", said.stdout);
        assert!(said.stderr.starts_with(&format!("socktrace: {file} is no dump")), "{}", said.stderr);
    }
    let said = ss_with("-ta", &[("TCPDIAG_FILE", "/nonexistent/dump")]);
    assert_eq!(said.code, Some(1));
    assert!(said.stderr.starts_with("socktrace: cannot read /nonexistent/dump: "), "{}", said.stderr);
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
        let _zoo = Zoo::open();
        let folder = Folder::new("record");
        let file = folder.0.join("dump");
        let live = ss("-Htan");
        let recorded = ss(&format!("-tanD {}", file.display()));
        assert_eq!((recorded.stdout.as_str(), recorded.code), ("", Some(0)), "{}", recorded.stderr);
        let again = ss_with("-Htan", &[("TCPDIAG_FILE", file.to_str().unwrap())]);
        let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(words(&again.stdout), words(&live.stdout));
        let refused = ss("-uD -");
        assert_eq!(refused.code, Some(1));
    });
}

#[test]
fn closing_is_told_honestly() {
    in_own_netns(|| {
        let listener = TcpListener::bind("127.0.0.1:8080").unwrap();
        let client = TcpStream::connect("127.0.0.1:8080").unwrap();
        let (mut accepted, _) = listener.accept().unwrap();
        let mine = format!("sport = :{}", client.local_addr().unwrap().port());

        let spared = ss(&format!("-tK {mine}"));
        assert_eq!(spared.stdout.lines().count(), 1, "our parent holds it: {}", spared.stdout);
        assert!(spared.stderr.contains("1 carry this session"), "{}", spared.stderr);

        let dry = ss(&format!("-tK --dry-run --force {mine}"));
        assert_eq!((dry.code, dry.stderr.as_str()), (Some(0), "socktrace: would close 1\n"));
        assert_eq!(dry.stdout.lines().count(), 2);

        let refused = said(
            socktrace(&["ss", "--direct", "-tK", "--force"]).args(mine.split(' ')).uid(65534).gid(65534),
        );
        assert_eq!(refused.code, Some(1));
        assert!(
            refused.stderr.contains("1 could not be closed: closing sockets needs CAP_NET_ADMIN"),
            "{}",
            refused.stderr
        );
        assert_eq!(refused.stdout.lines().count(), 1, "what was not closed is not listed");

        let closed = ss(&format!("-HtnK --force {mine}"));
        assert_eq!(closed.code, Some(0), "{}", closed.stderr);
        assert!(closed.stdout.contains("127.0.0.1:8080"), "{}", closed.stdout);
        let error = accepted.read(&mut [0; 1]).unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);

        let unix = ss("-xaK");
        assert_eq!(unix.stdout.lines().count(), 1, "{}", unix.stdout);
    });
}

#[test]
fn destroyed_sockets_are_told_at_once() {
    in_own_netns(|| {
        let listener = TcpListener::bind("127.0.0.1:8080").unwrap();
        let running = Running::start(&["ss", "--direct", "-EtanH", "dport", "=", ":8080"]);
        // It listens as soon as its netlink socket is there.
        crate::support::wait_for("the watch", || {
            let sockets = ss("-Hf netlink -ap src netlink:tcpdiag").stdout;
            sockets.contains(&format!("socktrace/{}", running.pid())).then_some(())
        });
        let client = TcpStream::connect("127.0.0.1:8080").unwrap();
        let port = client.local_addr().unwrap().port();
        let (accepted, _) = listener.accept().unwrap();
        drop(client);
        drop(accepted);
        let line = running.line().expect("an event");
        // Its Recv-Q may count the peer's FIN.
        assert!(line.starts_with("UNCONN "), "{line}");
        assert!(line.ends_with(&format!("      0      127.0.0.1:{port} 127.0.0.1:8080")), "{line}");
    });
}

#[test]
fn who_may_little_may_list() {
    in_own_netns(|| {
        let _listener = TcpListener::bind("127.0.0.1:8080").unwrap();
        let said = said(socktrace(&["ss", "-Htlnp"]).uid(65534).gid(65534));
        assert_eq!(said.stdout, "LISTEN 0      128    127.0.0.1:8080 0.0.0.0:*\n");
        assert!(
            said.stderr.starts_with("socktrace: 1 of 1 sockets have no shown process: "),
            "{}",
            said.stderr
        );
        assert_eq!(said.code, Some(0));
    });
}

#[test]
fn what_is_wrong_is_pointed_at() {
    for (words, code, expected) in [
        ("-y", 2, "socktrace: unknown option -y\n"),
        ("-f ipx", 2, "socktrace: --family: \"ipx\" is not inet, inet6,"),
        ("-ta sport = nonsense", 2, "socktrace: bad filter: "),
        ("-ta state nonsense", 2, "socktrace: bad filter: "),
        ("-ta ( sport = 1", 2, "socktrace: bad filter: "),
        ("-A !tcp -A !udp", 1, "socktrace: no socket tables to show"),
        ("-N nonexistent", 1, "socktrace: cannot open network namespace "),
        ("-F /nonexistent", 1, "socktrace: cannot read the filter file: "),
        ("-taZ", 1, "socktrace: SELinux is not enabled here"),
        ("-E -x", 1, "socktrace: only TCP and UDP sockets can be watched"),
        ("--direct --agent /x -t", 2, "socktrace: --direct and --agent exclude each other"),
    ] {
        let said = ss(words);
        assert_eq!(said.code, Some(code), "{words}: {}", said.stderr);
        assert!(said.stderr.starts_with(expected), "{words}: {}", said.stderr);
        assert_eq!(said.stdout, "", "{words}");
    }
    let said = ss("-ta sport = :22 and sprot = :1");
    let lines: Vec<&str> = said.stderr.lines().collect();
    assert_eq!(lines[1].find("sprot"), lines[2].find('^'), "{}", said.stderr);
}

#[test]
fn a_reader_who_has_seen_enough_is_no_error() {
    let mut child = socktrace(&["ss", "--direct", "-a", "--json"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), output.stderr.as_slice()), (Some(0), &b""[..]));
}

#[test]
fn a_filter_file_adds_to_the_words() {
    in_own_netns(|| {
        let _listeners =
            [TcpListener::bind("127.0.0.1:8080").unwrap(), TcpListener::bind("127.0.0.1:8081").unwrap()];
        let folder = Folder::new("filter");
        let file = folder.file("filter", "# which\nor\nsport = :8081\n");
        let said = ss(&format!("-Htln -F {file} sport = :8080"));
        assert_eq!(said.stdout.lines().count(), 2, "{}{}", said.stdout, said.stderr);
    });
}

#[test]
fn json_tells_what_the_table_tells() {
    in_own_netns(|| {
        let _zoo = Zoo::open();
        let document = include_str!("../../docs/json-sockets.md");
        let text = ss("-Han").stdout;
        let said = ss("-aempinob --tos --cgroup --inet-sockopt --json");
        assert_eq!((said.code, said.stderr.as_str()), (Some(0), ""));
        let objects: Vec<Value> =
            said.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(objects.len(), text.lines().count());
        let mut keys = BTreeSet::new();
        for (object, row) in objects.iter().zip(text.lines()) {
            collect_keys(object, &mut keys);
            let mut words = row.split_whitespace();
            assert_eq!(object["netid"], *words.next().unwrap(), "{row}");
            assert_eq!(object["state"], *words.next().unwrap(), "{row}");
            if object["family"] == "inet" {
                let (addr, port) = (object["local_addr"].as_str().unwrap(), &object["local_port"]);
                assert!(row.contains(addr) && row.contains(&format!(":{port}")), "{row}");
            }
        }
        let undocumented: Vec<_> =
            keys.iter().filter(|key| !document.contains(&format!("`{key}`"))).collect();
        assert!(undocumented.is_empty(), "{undocumented:?}");
        let connected = objects.iter().find(|object| {
            object["netid"] == "u_str"
                && object["peer_addr"].as_str().is_some_and(|name| name.ends_with("/stream"))
        });
        let peer = &connected.expect("a UNIX socket with a named peer")["peer_processes"];
        // A process that is just being started by another test may hold it too.
        let ours = |holder: &Value| holder["pid"] == std::process::id();
        assert!(peer.as_array().unwrap().iter().any(ours), "{peer}");
    });
}

fn collect_keys(value: &Value, keys: &mut BTreeSet<String>) {
    match value {
        Value::Object(members) => {
            for (key, value) in members {
                keys.insert(key.clone());
                collect_keys(value, keys);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| collect_keys(item, keys)),
        _ => {}
    }
}

/// The words of each row.
fn rows(text: &str) -> Vec<Vec<&str>> {
    text.lines().map(|line| line.split_whitespace().collect()).collect()
}

#[test]
fn rows_in_another_order_and_counted() {
    in_own_netns(|| {
        let listener = TcpListener::bind("127.0.0.1:8080").unwrap();
        let clients: Vec<TcpStream> = (1..=3)
            .map(|bytes| {
                let client = TcpStream::connect("127.0.0.1:8080").unwrap();
                std::io::Write::write_all(&mut &client, &vec![0; bytes]).unwrap();
                client
            })
            .collect();
        let accepted: Vec<_> = clients.iter().map(|_| listener.accept().unwrap().0).collect();
        let _other = TcpListener::bind("127.0.0.2:80").unwrap();

        let queues =
            |words: &str| rows(&ss(words).stdout).iter().map(|row| row[1].to_owned()).collect::<Vec<_>>();
        assert_eq!(queues("-Htan --sort recvq"), ["3", "2", "1", "0", "0", "0", "0", "0"]);
        assert_eq!(queues("-Htan --sort recvq --top 2"), ["3", "2"]);
        let sorted = ss("-Htan --sort sport").stdout;
        let ports: Vec<u32> =
            rows(&sorted).iter().map(|row| row[3].rsplit(':').next().unwrap().parse().unwrap()).collect();
        assert!(ports.is_sorted() && ports.len() == 8, "{ports:?}");

        assert_eq!(ss("-tan --count-by state").stdout, "  Count state\n      6 ESTAB\n      2 LISTEN\n");
        assert_eq!(
            ss("-Htan --count-by local").stdout.lines().next(),
            Some("      4 127.0.0.1:8080"),
            "the listener and what it accepted"
        );
        assert_eq!(
            ss("-tan --count-by peer --json").stdout.lines().next(),
            Some(r#"{"count":6,"key":"127.0.0.1"}"#)
        );
        assert_eq!(ss("-Htan --count-by user").stdout, "      8 root\n");
        let by_process = ss("-Htan --count-by process --top 1").stdout;
        assert!(by_process.starts_with("      8 it-"), "{by_process}");
        assert_eq!(ss("-ta --count-by recvq").code, Some(2));
        assert_eq!(ss("-ta --sort size").code, Some(2));
        drop(accepted);
    });
}

#[test]
fn every_namespace_and_what_it_is_called() {
    let _here = TcpListener::bind("127.0.0.1:0").unwrap();
    in_own_netns(|| {
        let _there = TcpListener::bind("127.0.0.1:8080").unwrap();
        let said = ss("-Htln --all-netns sport = :8080");
        assert_eq!(said.code, Some(0), "{}", said.stderr);
        let text = said.stdout;
        // Other tests have namespaces too.
        assert!(
            rows(&text).iter().any(|row| row[..2] == ["own", "LISTEN"] && row[4] == "127.0.0.1:8080"),
            "{text}"
        );
        let everywhere = ss("-tan --all-netns --json").stdout;
        let own = socktrace::kernel::netns::current().unwrap();
        let objects: Vec<Value> =
            everywhere.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let namespaces: BTreeSet<u64> =
            objects.iter().map(|object| object["netns"].as_u64().unwrap()).collect();
        assert!(namespaces.len() >= 2 && namespaces.contains(&own.into()), "{namespaces:?}");
        // By a process that is in it.
        let by_pid = ss(&format!("-Htln -N {}", std::process::id()));
        assert_eq!(by_pid.code, Some(0), "{}", by_pid.stderr);
        assert!(!by_pid.stdout.contains(":8080"), "its first thread is in another: {}", by_pid.stdout);
    });
}

#[test]
fn what_has_changed_since_the_round_before() {
    in_own_netns(|| {
        let listener = TcpListener::bind("127.0.0.1:8080").unwrap();
        let running = Running::start(&["ss", "--direct", "-HOtani", "-c", "0.05"]);
        let next = |wanted: &str| {
            loop {
                let line = running.line().expect("it goes on");
                if line.contains(wanted) {
                    return line;
                }
            }
        };
        assert!(!next("127.0.0.1:8080").contains("delta"));
        let mut client = TcpStream::connect("127.0.0.1:8080").unwrap();
        let (accepted, _) = listener.accept().unwrap();
        let port = client.local_addr().unwrap().port();
        assert!(next("delta:(new)").contains(&format!(":{port}")));
        std::io::Write::write_all(&mut client, b"hello").unwrap();
        assert!(next("delta:(recv_q:+5,received:+5)").contains("127.0.0.1:8080"));
        drop(accepted);
        drop(client);
        assert!(next("delta:(gone)").contains(&format!(":{port}")));
    });
}

//! What `socktrace ss` does beyond printing ss's bytes: recorded files, closing, watching, errors, JSON.

mod arranged;
mod devices;
mod early;
mod elsewhere;
mod matrix;
mod recorded;
mod states;

use std::collections::BTreeSet;
use std::fs;
use std::io::Read;
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::symlink;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::ss_fixtures::Fixtures;
use crate::support::run::{Running, Said, socktrace};
use crate::support::{in_own_netns, wait_for};

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
pub(crate) struct Folder(pub(crate) PathBuf);

impl Folder {
    pub(crate) fn new(name: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("socktrace-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).unwrap();
        Self(folder)
    }

    pub(crate) fn file(&self, name: &str, bytes: impl AsRef<[u8]>) -> String {
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
        assert_eq!((unix.code, unix.stdout.as_str()), (Some(2), ""));
        assert!(unix.stderr.contains("only IP sockets can be closed"), "{}", unix.stderr);
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
fn a_queue_of_minus_one_is_no_number_of_bytes() {
    in_own_netns(|| {
        let running = Running::start(&["ss", "--direct", "-EuaneH", "--json", "sport", "=", ":8080"]);
        crate::support::wait_for("the watch", || {
            let sockets = ss("-Hf netlink -ap src netlink:tcpdiag").stdout;
            sockets.contains(&format!("socktrace/{}", running.pid())).then_some(())
        });
        drop(std::net::UdpSocket::bind("127.0.0.1:8080").unwrap());
        let line = running.line().expect("an event");
        let event: Value = serde_json::from_str(&line).unwrap();
        assert_eq!(event["netid"], "udp", "{line}");
        for queue in ["recv_q", "send_q"] {
            let bytes = event.get(queue).and_then(Value::as_u64);
            assert!(bytes.is_none_or(|bytes| bytes < 1 << 31), "{line}");
        }
        assert!(event.get("send_q").is_none(), "as ss shows it: -1: {line}");
    });
}

#[test]
fn who_may_little_may_list() {
    in_own_netns(|| {
        let _listener = TcpListener::bind("127.0.0.1:8080").unwrap();
        let said = said(socktrace(&["ss", "-Htlnp"]).uid(65534).gid(65534));
        assert_eq!(said.stdout, "LISTEN 0      128    127.0.0.1:8080 0.0.0.0:*\n");
        assert!(
            said.stderr.starts_with("socktrace: process unknown for 1 of 1 sockets: "),
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
        ("-f ipx", 2, "socktrace: --family: unknown family \"ipx\"; choose from inet, inet6,"),
        ("-ta sport = nonsense", 2, "socktrace: bad filter: "),
        ("-ta state nonsense", 2, "socktrace: bad filter: "),
        ("-ta ( sport = 1", 2, "socktrace: bad filter: "),
        ("-A !tcp -A !udp", 1, "socktrace: no socket tables to show"),
        ("-N nonexistent", 1, "socktrace: cannot open network namespace "),
        ("-F /nonexistent", 1, "socktrace: cannot read the filter file: "),
        ("-taZ", 1, "socktrace: SELinux is not enabled here"),
        (
            "-E -x",
            2,
            "socktrace: --events and --unix do not go together: only TCP and UDP sockets can be watched",
        ),
        ("--direct --agent /x -t", 2, "socktrace: --direct and --agent do not go together"),
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
        let _fixtures = Fixtures::open();
        let document = include_str!("../../docs/json-sockets.md");
        // One may end between two listings.
        let (text, said) = wait_for("two listings of the same sockets", || {
            let text = ss("-Han").stdout;
            let said = ss("-aempinob --tos --cgroup --inet-sockopt --json");
            assert_eq!((said.code, said.stderr.as_str()), (Some(0), ""));
            (said.stdout.lines().count() == text.lines().count()).then_some((text, said))
        });
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

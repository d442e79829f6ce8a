//! Devices by name, by index, and when they have gone.

use super::*;
use crate::ss_fixtures::socket;
use crate::ss_parity::oracle;
use crate::support::ip;
use nix::sys::socket::{setsockopt, sockopt};
use std::os::fd::{AsRawFd as _, OwnedFd};

/// A TCP listener that is bound to a device.
pub(super) fn bound_to(device: &str, port: u16) -> TcpListener {
    let listener = TcpListener::bind(("0.0.0.0", port)).unwrap();
    setsockopt(&listener, sockopt::BindToDevice, &device.into()).unwrap();
    listener
}

/// A packet socket of all ethertypes on a device.
pub(super) fn packets_of(device: &str) -> OwnedFd {
    const ALL: u16 = 3u16.to_be();
    let ours = socket(libc::AF_PACKET, libc::SOCK_RAW, ALL.into());
    let index = nix::net::if_::if_nametoindex(device).unwrap() as i32;
    // SAFETY: all bytes zero is a valid value of this plain C struct.
    let mut address: libc::sockaddr_ll = unsafe { std::mem::zeroed() };
    address.sll_family = libc::AF_PACKET as u16;
    address.sll_protocol = ALL;
    address.sll_ifindex = index;
    let length = size_of_val(&address) as u32;
    // SAFETY: the address is of that length and lives during the call.
    let done = unsafe { libc::bind(ours.as_raw_fd(), (&raw const address).cast(), length) };
    assert_eq!(done, 0, "{}", std::io::Error::last_os_error());
    ours
}

#[test]
fn a_device_that_has_gone_is_shown_by_its_index_and_not_as_an_empty_name() {
    let theirs = oracle();
    in_own_netns(|| {
        ip("link add gone0 type veth peer name gone1");
        let index = nix::net::if_::if_nametoindex("gone0").unwrap();
        let _listener = bound_to("gone0", 7102);
        let _packets = packets_of("gone0");
        let bytes_of_ss = |words: &str| {
            let output = Command::new(&theirs).args(words.split(' ')).output().unwrap();
            let text = String::from_utf8(output.stdout).unwrap();
            text.lines().map(|line| format!("{}\n", line.trim_end())).collect::<String>()
        };
        let before = ss("-Htln --json").stdout;
        assert!(before.contains(r#""interface":"gone0""#), "{before}");
        ip("link del gone0");
        for words in ["-tuln", "-Htln", "-H0an", "-an0"] {
            assert_eq!(ss(words).stdout, bytes_of_ss(words), "{words}");
        }
        assert_eq!(
            ss("-Htln --columns local,interface").stdout,
            format!("0.0.0.0%if{index}:7102 if{index}\n")
        );
        let said = ss("-tln0a --json").stdout;
        let rows: Vec<Value> = said.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(rows.len(), 2, "{said}");
        assert!(rows.iter().all(|row| row.get("interface").is_none()), "{said}");
        // The kernel gives a packet socket the index -1 then, which is none.
        let indexes: Vec<_> = rows.iter().map(|row| row.get("ifindex").and_then(Value::as_u64)).collect();
        assert_eq!(indexes, [None, Some(index.into())], "{said}");
    });
}

#[test]
fn what_is_printed_of_a_device_is_accepted_as_a_filter() {
    in_own_netns(|| {
        ip("link add here0 index 77 type veth peer name here1");
        ip("link set here0 up");
        ip("link set here1 up");
        ip("address add fe80::77/64 dev here0 nodad");
        let _four = bound_to("here0", 7401);
        let _six =
            TcpListener::bind(std::net::SocketAddrV6::new("fe80::77".parse().unwrap(), 7402, 0, 77)).unwrap();
        let _packets = packets_of("here0");
        let shown = |words: &str| {
            let text = ss(words).stdout;
            text.split_whitespace().next().expect("a row").to_owned()
        };
        let all = |filter: &str| {
            let said = ss(&format!("-Htan {filter}"));
            assert_eq!((said.code, said.stderr.as_str()), (Some(0), ""), "{filter}");
            said.stdout.lines().count()
        };
        for _ in 0..2 {
            let (four, six) =
                (shown("-Htan --columns local sport = :7401"), shown("-Htan --columns local sport = :7402"));
            assert_eq!((all(&format!("src {four}")), all(&format!("src {six}"))), (1, 1), "{four} {six}");
            let device = shown("-Htan --columns interface sport = :7401");
            assert_eq!(all(&format!("dev == {device}")), 2, "{device}");
            assert_eq!(all(&format!("src [fe80::77%{device}]:7402")), 1, "{device}");
            assert_eq!(all(&format!("src {}", six.replace(&device, "77"))), 1, "{six}");
            assert_eq!(all("src [fe80::77]%lo"), 0);
            let packet = shown("-H0an --columns local");
            let said = ss(&format!("-H0an src link:{packet}"));
            assert_eq!((said.stdout.lines().count(), said.code), (1, Some(0)), "{packet}: {}", said.stderr);
            // The second time without a name.
            let _ = Command::new("ip").args(["link", "del", "here0"]).status();
        }
    });
}

#[test]
fn names_of_protocols_and_paths_are_accepted_as_they_are_printed() {
    in_own_netns(|| {
        let _raw = [
            socket(libc::AF_INET, libc::SOCK_RAW, libc::IPPROTO_ICMP),
            socket(libc::AF_INET, libc::SOCK_RAW, 200),
        ];
        let rows = ss("-Hwa --columns local").stdout;
        assert_eq!(rows.lines().count(), 2, "{rows}");
        for row in rows.lines().map(str::trim) {
            assert_eq!(ss(&format!("-Hwa src {row}")).stdout.lines().count(), 1, "{row}");
        }
        let folder = Folder::new("printed");
        let path = folder.0.join("x.sock");
        let _listener = std::os::unix::net::UnixListener::bind(&path).unwrap();
        for words in ["-Hxl", "-Hl"] {
            let said = ss(&format!("{words} src {}", path.display()));
            assert_eq!(said.stdout.lines().count(), 1, "{words}: {}", said.stderr);
        }
        // All of netlink's, as they are printed.
        let rows = ss("-Haf netlink --columns local").stdout;
        for row in rows.lines().map(str::trim).filter(|row| !row.contains("tcpdiag") && !row.contains(' ')) {
            let said = ss(&format!("-Ha src netlink:{row}"));
            assert!(said.stdout.lines().count() >= 1 && said.code == Some(0), "{row}: {}", said.stderr);
        }
    });
}

//! `--bpf-maps`: what is stored beside sockets in BPF maps, as the real ss shows it.

use std::net::{TcpListener, TcpStream};
use std::os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd};
use std::process::Command;

use nix::errno::Errno;
use serde_json::Value;

use crate::ss_parity::{difference, oracle, steady};
use crate::support::run::run;
use crate::support::{in_own_netns, may_trace};

/// bpf(2) with these attributes, which hold no addresses but of what lives during the call.
fn bpf(command: libc::c_int, words: &[u32]) -> libc::c_long {
    // SAFETY: the kernel reads the words, and what they point at, which the callers keep alive.
    let done = unsafe { libc::syscall(libc::SYS_bpf, command, words.as_ptr(), size_of_val(words)) };
    Errno::result(done).expect("the right to use bpf(2)")
}

fn descriptor(fd: libc::c_long) -> OwnedFd {
    // SAFETY: the kernel just gave us this descriptor and nobody else has it.
    unsafe { OwnedFd::from_raw_fd(fd as libc::c_int) }
}

fn address(of: *const u8) -> [u32; 2] {
    [of as u64 as u32, (of as u64 >> 32) as u32]
}

const STRINGS: &[u8] = b"\0int\0char\0u64\0stats\0age\0text\0big\0flag\0mode\0IDLE\0BUSY\0inner\0list\0low\0";

/// A structure with everything that values are made of, and one in it: `BTF_KIND_*` of include/uapi/linux/btf.h.
fn types() -> Vec<u32> {
    let name = |wanted: &str| {
        let wanted = [b"\0", wanted.as_bytes(), b"\0"].concat();
        STRINGS.windows(wanted.len()).position(|it| it == wanted).expect("a name") as u32 + 1
    };
    let info = |kind: u32, count: u32| kind << 24 | count;
    let (with_bits, signed) = (1 << 31, 0x0100_0000);
    let types: [&[u32]; 8] = [
        &[name("int"), info(1, 0), 4, signed | 32],
        &[name("char"), info(1, 0), 1, signed | 8],
        &[0, info(3, 0), 0, 2, 1, 8],
        &[name("u64"), info(1, 0), 8, 64],
        &[name("mode"), info(6, 2), 4, name("IDLE"), 0, name("BUSY"), 3],
        &[name("inner"), info(4, 1), 4, name("low"), 1, 0],
        &[0, info(3, 0), 0, 6, 1, 2],
        &[
            name("stats"),
            with_bits | info(4, 7),
            40,
            name("age"),
            1,
            0,
            name("text"),
            3,
            32,
            name("flag"),
            1,
            3 << 24 | 96,
            name("mode"),
            5,
            128,
            // Nameless, in the same place.
            0,
            6,
            128,
            name("big"),
            4,
            192,
            name("list"),
            7,
            256,
        ],
    ];
    types.concat()
}

/// A map of socket storages whose values are of those types.
pub(crate) fn map() -> (OwnedFd, u32) {
    let types: Vec<u8> = types().iter().flat_map(|word| word.to_ne_bytes()).collect();
    let (types_len, strings_len) = (types.len() as u32, STRINGS.len() as u32);
    let head: Vec<u8> =
        [0x0001_eb9f, 24, 0, types_len, types_len, strings_len].map(u32::to_ne_bytes).concat();
    let blob = [&head[..], &types, STRINGS].concat();
    let [low, high] = address(blob.as_ptr());
    // BPF_BTF_LOAD
    let btf = descriptor(bpf(18, &[low, high, 0, 0, blob.len() as u32, 0, 0]));
    let mut words = [0; 15];
    // BPF_MAP_CREATE of BPF_MAP_TYPE_SK_STORAGE: key and value size, BPF_F_NO_PREALLOC, the types of key and value.
    (words[0], words[1], words[2], words[4]) = (24, 4, 40, 1);
    (words[12], words[13], words[14]) = (btf.as_raw_fd() as u32, 1, 8);
    let map = descriptor(bpf(0, &words));
    let info = [0u32; 2];
    let [low, high] = address(info.as_ptr().cast());
    // BPF_OBJ_GET_INFO_BY_FD: kind and id.
    bpf(15, &[map.as_raw_fd() as u32, 8, low, high]);
    // SAFETY: it is read where the kernel has written it.
    let id = unsafe { std::ptr::read_volatile(&raw const info[1]) };
    (map, id)
}

pub(crate) fn store(map: &OwnedFd, socket: i32, value: &[u8; 40]) {
    let [key_low, key_high] = address((&raw const socket).cast());
    let [low, high] = address(value.as_ptr());
    // BPF_MAP_UPDATE_ELEM
    bpf(2, &[map.as_raw_fd() as u32, 0, key_low, key_high, low, high, 0, 0]);
}

/// Text without an end: with one, older versions of libbpf, which ss uses, show nothing of later arrays.
pub(crate) fn value() -> [u8; 40] {
    let mut value = [0; 40];
    let parts: [(usize, &[u8]); 6] = [
        (0, &(-5i32).to_ne_bytes()),
        (4, b"ab\x01 'z\\\xff"),
        (12, &0b1110_1101u32.to_ne_bytes()),
        (16, &3u32.to_ne_bytes()),
        (24, &u64::MAX.to_ne_bytes()),
        (32, &[7, 0, 0, 0, 255, 255, 255, 255]),
    ];
    for (at, part) in parts {
        value[at..at + part.len()].copy_from_slice(part);
    }
    value
}

#[test]
fn values_are_shown_by_their_types_as_ss_shows_them() {
    if !may_trace("values_are_shown_by_their_types_as_ss_shows_them") {
        return;
    }
    let theirs = oracle();
    in_own_netns(|| {
        let (map, id) = map();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        store(&map, listener.as_raw_fd(), &value());
        store(&map, client.as_raw_fd(), &[b'x'; 40]);
        let one = format!("--bpf-map-id={id}");
        let trimmed = |text: &str| {
            text.lines().map(|line| steady(line).trim_end().to_owned()).collect::<Vec<_>>().join("\n")
        };
        for options in
            [&["-tan", "--bpf-maps"][..], &["-tan", &one], &["-tanO", "--bpf-maps"], &["-tine", &one]]
        {
            let expected = Command::new(&theirs).args(options).output().unwrap();
            let expected = trimmed(&String::from_utf8_lossy(&expected.stdout));
            assert!(expected.contains("(struct stats){"), "{options:?}: {expected}");
            let ours = trimmed(&run(&[&["ss", "--direct"], options].concat()).stdout);
            assert!(expected == ours, "{options:?}\n{}", difference(&expected, &ours));
        }
        let json = run(&["ss", "--direct", "-tln", "--bpf-maps", "--json"]).stdout;
        let row: Value = serde_json::from_str(json.trim()).unwrap();
        let stored = &row["bpf_storages"][0];
        assert_eq!(stored["map_id"], id);
        let hex: String = value().iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(stored["value"], hex);
    });
}

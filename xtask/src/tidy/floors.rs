//! Who may import whom, which rooms are pure, where `unsafe` may stand: ARCHITECTURE.md's floors as tables.

use anyhow::{Context as _, Result};

use super::Problem;
use super::paths::{Named, named};

/// A room of the socktrace library.
struct Room {
    name: &'static str,
    /// The rooms that it may import, besides itself. What is missing here is missing on purpose.
    below: &'static [&'static str],
    /// It reads no clock, file, environment variable or socket.
    pure: bool,
}

/// From the bottom to the top.
const ROOMS: &[Room] = &[
    Room { name: "socket", below: &[], pure: true },
    Room { name: "api", below: &["socket"], pure: true },
    Room { name: "kernel", below: &["socket"], pure: false },
    Room { name: "table", below: &["socket"], pure: true },
    Room { name: "query", below: &["socket", "api"], pure: true },
    Room { name: "render", below: &["socket", "api"], pure: true },
    Room { name: "history", below: &["socket"], pure: true },
    Room { name: "archive", below: &["socket", "api", "kernel", "render", "history"], pure: false },
    Room { name: "findings", below: &["socket", "api", "render", "history"], pure: true },
    Room { name: "engine", below: &["socket", "table", "query", "render"], pure: true },
    Room { name: "listing", below: &["socket", "api", "kernel", "table", "query", "render"], pure: false },
    Room {
        name: "runtime",
        below: &[
            "socket", "api", "kernel", "table", "query", "render", "history", "archive", "engine", "listing",
        ],
        pure: false,
    },
    Room { name: "client", below: &["socket", "api"], pure: false },
    Room {
        name: "server",
        below: &[
            "socket", "api", "kernel", "table", "query", "render", "history", "archive", "engine", "listing",
            "runtime",
        ],
        pure: false,
    },
    Room {
        name: "cli",
        below: &[
            "socket", "api", "kernel", "table", "query", "render", "history", "archive", "engine", "listing",
            "runtime", "client", "server", "findings",
        ],
        pure: false,
    },
];

/// What a pure room may not name, outside its tests: paths that start so.
const WORLD: &[&[&str]] = &[
    &["std", "fs"],
    &["std", "env"],
    &["std", "process"],
    &["std", "thread"],
    &["std", "os"],
    &["std", "io", "stdin"],
    &["std", "io", "stdout"],
    &["std", "io", "stderr"],
    &["std", "net", "TcpStream"],
    &["std", "net", "TcpListener"],
    &["std", "net", "UdpSocket"],
    &["std", "net", "ToSocketAddrs"],
    &["std", "net", "*"],
    &["std", "time", "Instant"],
    &["std", "time", "SystemTime"],
    &["std", "time", "UNIX_EPOCH"],
    &["std", "time", "*"],
    &["jiff", "Timestamp", "now"],
    &["jiff", "Zoned", "now"],
    &["jiff", "tz", "TimeZone", "system"],
    &["aya"],
    &["libc"],
    &["nix"],
    &["tokio"],
    &["print"],
    &["println"],
    &["eprint"],
    &["eprintln"],
];

/// What a pure room may name although its crate is listed above: values.
const VALUES: &[&[&str]] = &[&["nix", "errno"], &["libc", "c_int"]];

/// Where `unsafe` may stand. Everything else goes through these; the integration tests make calls that they lack, and models
/// read memory by whose order of access they judge.
const UNSAFE: &[&str] = &[
    "socktrace/src/kernel/",
    "socktrace-common/src/",
    "socktrace-ebpf/src/",
    "socktrace/tests/",
    "model/tests/",
];

/// Check one Rust file.
pub(crate) fn check(file: &str, source: &str) -> Result<Vec<Problem>> {
    let all = named(source).with_context(|| file.to_owned())?;
    let mut problems = Vec::new();
    let mut broken = |named: &Named, what: String| {
        problems.push(Problem { file: file.to_owned(), line: named.line, what })
    };

    let place = Place::of(file);
    for named in &all {
        let path: Vec<&str> = named.path.iter().map(String::as_str).collect();
        if path == ["unsafe"] && !UNSAFE.iter().any(|folder| file.starts_with(folder)) {
            broken(named, format!("unsafe outside {}", UNSAFE.join(", ")));
        }
        if path.first() == Some(&"socktrace_common")
            && file.starts_with("socktrace/")
            && !file.contains("/kernel/ebpf/")
        {
            broken(named, "only kernel/ebpf speaks the kernel programs' contract".to_owned());
        }
        let Some(place) = &place else { continue };
        // Tests may look anywhere.
        let test = named.test || place.is_test;
        if let Some(room) = place.room_of(&path, named.depth).filter(|_| !test) {
            let known = ROOMS.iter().any(|other| other.name == room);
            if known && room != place.room.name && !place.room.below.contains(&room) {
                broken(named, format!("{} may not import {room}: {}", place.room.name, place.may()));
            }
        }
        let starts_with = |table: &[&[&str]]| table.iter().any(|start| path.starts_with(start));
        if place.room.pure && !test && starts_with(WORLD) && !starts_with(VALUES) {
            broken(named, format!("{} is pure, but names {}", place.room.name, path.join("::")));
        }
    }
    Ok(problems)
}

/// Where a file of the library lies.
struct Place {
    room: &'static Room,
    /// Modules between the crate's root and what stands in the file: 1 for `table/mod.rs`, 2 for `table/merge.rs`.
    depth: usize,
    is_test: bool,
}

impl Place {
    fn of(file: &str) -> Option<Place> {
        let inside = file.strip_prefix("socktrace/src/")?.strip_suffix(".rs")?;
        let modules: Vec<&str> = inside.split('/').filter(|&part| part != "mod").collect();
        let room = ROOMS.iter().find(|room| Some(&room.name) == modules.first())?;
        Some(Place { room, depth: modules.len(), is_test: modules.contains(&"tests") })
    }

    /// The room that a path leads into: `crate::table::..`, `socktrace::table::..`, or as many `super` as lead to the root.
    fn room_of<'a>(&self, path: &[&'a str], inline: usize) -> Option<&'a str> {
        let supers = path.iter().take_while(|&&word| word == "super").count();
        match path.first() {
            Some(&("crate" | "socktrace")) => path.get(1).copied(),
            Some(&"super") if supers == self.depth + inline => path.get(supers).copied(),
            _ => None,
        }
    }

    fn may(&self) -> String {
        match self.room.below {
            [] => "it stands on nothing".to_owned(),
            below => format!("it stands on {}", below.join(", ")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_is(file: &str, source: &str, expected: &[&str]) {
        let found: Vec<String> =
            check(file, source).unwrap().into_iter().map(|problem| problem.what).collect();
        assert_eq!(found.len(), expected.len(), "{found:?}");
        for (found, expected) in found.iter().zip(expected) {
            assert!(found.contains(expected), "{found} does not say {expected}");
        }
    }

    #[test]
    fn rooms_on_one_floor_are_blind_to_each_other() {
        check_is("socktrace/src/table/mod.rs", "use crate::socket::Socket;", &[]);
        check_is("socktrace/src/table/mod.rs", "use crate::table::merge;", &[]);
        check_is("socktrace/src/table/mod.rs", "use crate::query::Query;", &["table may not import query"]);
        check_is(
            "socktrace/src/table/mod.rs",
            "use crate::{socket, render};",
            &["table may not import render"],
        );
        check_is(
            "socktrace/src/render/mod.rs",
            "fn f(_: crate::kernel::X) {}",
            &["render may not import kernel"],
        );
        check_is("socktrace/src/socket/mod.rs", "use crate::table::Table;", &["it stands on nothing"]);
        check_is(
            "socktrace/src/kernel/netns.rs",
            "use crate::engine::Input;",
            &["kernel may not import engine"],
        );
        check_is(
            "socktrace/src/engine/mod.rs",
            "use crate::kernel::Dump;",
            &["engine may not import kernel"],
        );
        check_is("socktrace/src/server/mod.rs", "use crate::{engine, listing, kernel::Dump};", &[]);
        check_is("socktrace/src/server/mod.rs", "use crate::cli::Words;", &["server may not import cli"]);
    }

    #[test]
    fn super_leads_out_of_a_room_only_when_it_climbs_to_the_root() {
        check_is("socktrace/src/table/mod.rs", "use super::query::Query;", &["table may not import query"]);
        check_is("socktrace/src/table/merge.rs", "use super::query::Query;", &[]);
        check_is(
            "socktrace/src/table/merge.rs",
            "use super::super::query::Query;",
            &["table may not import query"],
        );
        check_is("socktrace/src/table/mod.rs", "mod tests { use super::query; }", &[]);
        check_is(
            "socktrace/src/table/mod.rs",
            "mod a { use super::super::query; }",
            &["table may not import query"],
        );
    }

    #[test]
    fn pure_rooms_do_not_touch_the_world() {
        let pure = "socktrace/src/engine/mod.rs";
        check_is(pure, "use std::time::Duration; use std::net::IpAddr; use std::io::Write;", &[]);
        check_is(pure, "use std::time::{Duration, Instant};", &["names std::time::Instant"]);
        check_is(pure, "fn f() { std::env::var(\"A\"); }", &["names std::env::var"]);
        check_is(pure, "use tokio::sync::mpsc;", &["names tokio::sync::mpsc"]);
        check_is(pure, "use nix::errno::Errno; use nix::unistd::getpid;", &["names nix::unistd::getpid"]);
        check_is(pure, "use std::net::*;", &["names std::net::*"]);
        check_is(pure, "fn f() { println!(\"\"); }", &["names println"]);
        check_is(pure, "#[cfg(test)] mod tests { fn f() { std::fs::read(\"\"); } }", &[]);
        check_is("socktrace/src/engine/tests.rs", "use std::fs;", &[]);
        check_is("socktrace/src/kernel/mod.rs", "use std::fs;", &[]);
    }

    #[test]
    fn unsafe_stands_where_the_kernel_is() {
        check_is("socktrace/src/kernel/netns.rs", "fn f() { unsafe { g() } }", &[]);
        check_is("socktrace-ebpf/src/tcp.rs", "unsafe fn f() {}", &[]);
        check_is("socktrace/src/cli/mod.rs", "fn f() { unsafe { g() } }", &["unsafe outside"]);
        check_is("xtask/src/main.rs", "unsafe fn f() {}", &["unsafe outside"]);
        check_is("socktrace/src/cli/mod.rs", "// unsafe\nconst A: &str = \"unsafe\";", &[]);
    }

    #[test]
    fn the_kernel_contract_has_one_reader() {
        check_is("socktrace/src/kernel/ebpf/decode.rs", "use socktrace_common::Record;", &[]);
        check_is("socktrace/src/kernel/mod.rs", "use socktrace_common::Record;", &["only kernel/ebpf"]);
        check_is("socktrace/src/server/mod.rs", "use socktrace_common::Record;", &["only kernel/ebpf"]);
    }

    #[test]
    fn every_room_is_in_the_table_below_those_above_it() {
        for (index, room) in ROOMS.iter().enumerate() {
            for below in room.below {
                assert!(
                    ROOMS.iter().take(index).any(|other| other.name == *below),
                    "{} above {below}",
                    room.name
                );
            }
        }
    }
}

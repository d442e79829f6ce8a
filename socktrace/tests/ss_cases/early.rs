//! A long listing: what is seen of it before it has ended.

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::sync::mpsc::{Receiver, Sender, channel};

use nix::sys::stat::Mode;
use nix::unistd::mkfifo;
use socktrace::api::screen::Screen;
use socktrace::listing::words::{self, Asked};
use socktrace::listing::{self, Paths};

use super::Folder;
use crate::support::wait_for;

/// A writer that hands on each piece.
struct Pieces(Sender<String>);

impl Write for Pieces {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let _ = self.0.send(String::from_utf8_lossy(bytes).into_owned());
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Lists TCP sockets from a table that `fill` writes while it is being read, for a terminal of that width or for
/// something else; `fill` sees what has been printed. How many rows there are.
fn list(name: &str, screen: Option<u16>, fill: impl FnOnce(&mut dyn Write, &Receiver<String>)) -> usize {
    let folder = Folder::new(name);
    let path = folder.0.join("tcp");
    mkfifo(&path, Mode::S_IRWXU).unwrap();
    let words = ["-tan4".to_owned()];
    let Ok(Asked::Command(command)) = words::parse(&words, screen.and_then(Screen::of)) else {
        panic!("a question")
    };
    let paths = Paths { files: vec![("NET_TCP".to_owned(), path.clone())], ..Paths::default() };
    let (sender, pieces) = channel();
    std::thread::scope(|scope| {
        let listing = scope.spawn(|| listing::run(&command.question, &paths, &mut Pieces(sender)).unwrap());
        let mut table = OpenOptions::new().write(true).open(&path).unwrap();
        writeln!(table, "  sl  local_address rem_address   st").unwrap();
        fill(&mut table, &pieces);
        drop(table);
        listing.join().unwrap().rows
    })
}

fn row(table: &mut dyn Write, number: usize) {
    let queues = "00000000:00000000 00:00000000 00000000";
    writeln!(
        table,
        "{number}: 0100007F:{number:04X} 0100007F:0050 01 {queues} 0 0 {number} 1 0 20 4 30 10 -1"
    )
    .unwrap();
}

#[test]
fn the_first_rows_appear_on_a_terminal_while_more_are_read() {
    let mut printed = String::new();
    let rows = list("early", Some(80), |table, pieces| {
        let mut number = 0;
        // Hardly a screenful, in a table that goes on for as long as nothing is seen of it.
        wait_for("the first rows", || {
            number += 1;
            row(table, number);
            printed.extend(pieces.try_iter());
            (!printed.is_empty()).then_some(())
        });
        // Without anybody who waits, a listing goes out in pieces of 64 KiB.
        assert!(printed.len() < 32 * 1024, "{}", printed.len());
        assert!(printed.contains("127.0.0.1:1 "), "{printed}");
        row(table, number + 1);
    });
    assert!(rows >= 2, "{rows}");
}

#[test]
fn for_a_pipe_the_columns_are_aligned_over_the_whole() {
    let rows = list("late", None, |table, pieces| {
        for number in 1..=2000 {
            row(table, number);
        }
        assert_eq!(pieces.try_iter().count(), 0);
    });
    assert_eq!(rows, 2000);
}

//! A line being written.

use std::io::Write as _;
use std::net::IpAddr;

use crate::render::escape::{push_quoted, push_text};
use crate::render::units::push_ip;
use crate::render::width::width;

/// A line being written: knows its width so far.
pub(in crate::render) struct Line<'a> {
    out: &'a mut Vec<u8>,
    /// Where it begins.
    start: usize,
    width: usize,
}

impl<'a> Line<'a> {
    pub(in crate::render) const fn new(out: &'a mut Vec<u8>) -> Self {
        Self { start: out.len(), out, width: 0 }
    }

    /// At least one blank, unless it is the first, and on to the column's place.
    pub(in crate::render) fn column(&mut self, start: usize) {
        let blanks = start.saturating_sub(self.width).max(usize::from(self.width > 0));
        self.out.resize(self.out.len() + blanks, b' ');
        self.width += blanks;
    }

    pub(in crate::render) fn text(&mut self, text: &[u8]) {
        self.out.extend_from_slice(text);
        self.count(text.len());
    }

    pub(in crate::render) fn escaped(&mut self, text: &[u8]) {
        let before = self.out.len();
        push_text(self.out, text);
        self.count(self.out.len() - before);
    }

    /// As [`escaped`](Self::escaped), between quotes.
    pub(in crate::render) fn quoted(&mut self, text: &[u8]) {
        self.text(b"\"");
        let before = self.out.len();
        push_quoted(self.out, text);
        self.count(self.out.len() - before);
        self.text(b"\"");
    }

    /// A text of somebody else's, if it is known.
    pub(super) fn maybe(&mut self, text: Option<&[u8]>) {
        match text {
            Some(text) => self.escaped(text),
            None => self.text(b"-"),
        }
    }

    /// A number, if it is known.
    pub(super) fn number(&mut self, number: Option<u64>) {
        match number {
            Some(number) => self.print(format_args!("{number}")),
            None => self.text(b"-"),
        }
    }

    /// An address, in brackets if it has colons of its own.
    pub(in crate::render) fn ip(&mut self, addr: IpAddr) {
        let before = self.out.len();
        if addr.is_ipv6() {
            self.out.push(b'[');
        }
        push_ip(self.out, addr);
        if addr.is_ipv6() {
            self.out.push(b']');
        }
        self.count(self.out.len() - before);
    }

    pub(in crate::render) fn print(&mut self, text: std::fmt::Arguments<'_>) {
        let before = self.out.len();
        // Writing to a Vec cannot fail.
        let _ = self.out.write_fmt(text);
        self.count(self.out.len() - before);
    }

    /// One of the details, which are set apart by a blank.
    pub(in crate::render) fn field(&mut self, text: std::fmt::Arguments<'_>) {
        if self.width > 0 && self.out.last() != Some(&b' ') {
            self.column(0);
        }
        self.print(text);
    }

    /// Bytes that take no room.
    pub(super) fn invisible(&mut self, text: &str) {
        self.out.extend_from_slice(text.as_bytes());
    }

    /// The width of the `bytes` bytes just written.
    fn count(&mut self, bytes: usize) {
        self.width += width(self.out.get(self.out.len() - bytes..).unwrap_or_default());
    }

    /// Writes the first of these versions with which the line is no wider than `room`, or the last one.
    pub(in crate::render) fn fit<T: Copy>(
        &mut self,
        room: Option<u16>,
        versions: &[T],
        write: impl Fn(T, &mut Self),
    ) {
        let (length, before) = (self.out.len(), self.width);
        for (index, &version) in versions.iter().enumerate() {
            write(version, self);
            let fits = room.is_none_or(|room| self.width <= usize::from(room));
            if fits || index + 1 == versions.len() {
                return;
            }
            self.out.truncate(length);
            self.width = before;
        }
    }

    pub(in crate::render) fn end(self) {
        let written = self.out.get(self.start..).unwrap_or_default().trim_ascii_end().len();
        self.out.truncate(self.start + written);
        self.out.push(b'\n');
    }
}

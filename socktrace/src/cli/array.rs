//! `--json=array`: objects, one per line, as the elements of one array. Elements stay one per line.
//!
//! An answer that breaks off is no array: the bracket is closed by [`Array::end`] alone.

use std::io::{self, Write};

/// Writes lines as an array; or as they are, if no array is asked for.
#[derive(Debug)]
pub(super) struct Array<W> {
    out: W,
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// No array is asked for.
    Lines,
    /// Before the first element.
    Empty,
    /// Within a line.
    Element,
    /// After a line, whose end is written when it is known what follows.
    Between,
}

impl<W: Write> Array<W> {
    pub(super) const fn new(out: W, array: bool) -> Self {
        Self { out, state: if array { State::Empty } else { State::Lines } }
    }

    /// Closes the array: everything has been written.
    pub(super) fn end(&mut self) -> io::Result<()> {
        match self.state {
            State::Lines => {}
            State::Empty => self.out.write_all(b"[]\n")?,
            State::Element | State::Between => self.out.write_all(b"\n]\n")?,
        }
        self.out.flush()
    }
}

impl<W: Write> Write for Array<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.state == State::Lines {
            return self.out.write(bytes);
        }
        for line in bytes.split_inclusive(|&byte| byte == b'\n') {
            match self.state {
                State::Empty => self.out.write_all(b"[\n")?,
                State::Between => self.out.write_all(b",\n")?,
                State::Element | State::Lines => {}
            }
            let (line, after) = match line.strip_suffix(b"\n") {
                Some(line) => (line, State::Between),
                None => (line, State::Element),
            };
            self.out.write_all(line)?;
            self.state = after;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(pieces: &[&str], expected: &str) {
        let mut array = Array::new(Vec::new(), true);
        pieces.iter().for_each(|piece| array.write_all(piece.as_bytes()).unwrap());
        array.end().unwrap();
        let text = String::from_utf8(array.out).unwrap();
        assert_eq!(text, expected, "{pieces:?}");
        let elements = serde_json::from_str::<Vec<serde_json::Value>>(&text).unwrap().len();
        assert_eq!(elements, pieces.concat().lines().count(), "{pieces:?}");
    }

    #[test]
    fn lines_become_elements_wherever_they_are_cut() {
        check(&[], "[]\n");
        check(&[""], "[]\n");
        check(&["{\"a\":1}\n"], "[\n{\"a\":1}\n]\n");
        check(&["{\"a\":1}\n{\"b\":2}\n"], "[\n{\"a\":1},\n{\"b\":2}\n]\n");
        check(&["{\"a\"", ":1}", "\n{", "\"b\":2}\n"], "[\n{\"a\":1},\n{\"b\":2}\n]\n");
    }

    #[test]
    fn lines_stay_as_they_are_unless_an_array_is_asked_for() {
        let mut lines = Array::new(Vec::new(), false);
        lines.write_all(b"{}\n{}\n").unwrap();
        lines.end().unwrap();
        assert_eq!(lines.out, b"{}\n{}\n");
    }
}

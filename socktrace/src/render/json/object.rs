//! Writing a JSON object into a buffer, member by member.

use crate::render::escape::push_json;
use crate::render::units::{push_i64, push_u64};

/// An object that is being written. Keys are words of ours, so they are not escaped; where they are known when the program
/// is compiled, as they nearly always are, inlining makes each a few moves instead of a call.
pub struct Object<'a> {
    out: &'a mut Vec<u8>,
    first: bool,
}

impl<'a> Object<'a> {
    /// Begins one.
    pub fn open(out: &'a mut Vec<u8>) -> Self {
        out.push(b'{');
        Self { out, first: true }
    }

    /// Ends it.
    pub fn close(self) {
        self.out.push(b'}');
    }

    #[inline(always)]
    fn key(&mut self, key: &str) {
        self.out.extend_from_slice(if self.first { b"\"" } else { b",\"" });
        self.first = false;
        self.out.extend_from_slice(key.as_bytes());
        self.out.extend_from_slice(b"\":");
    }

    /// A word of ours.
    #[inline(always)]
    pub fn word(&mut self, key: &str, word: &str) {
        self.ascii(key, |out| out.extend_from_slice(word.as_bytes()));
    }

    /// A string that needs no escaping, written by `write`.
    #[inline(always)]
    pub fn ascii(&mut self, key: &str, write: impl FnOnce(&mut Vec<u8>)) {
        self.key(key);
        self.out.push(b'"');
        write(self.out);
        self.out.push(b'"');
    }

    /// A string of whatever bytes.
    #[inline(always)]
    pub fn text(&mut self, key: &str, text: &[u8]) {
        self.key(key);
        push_json(self.out, text);
    }

    /// A number.
    #[inline(always)]
    pub fn number(&mut self, key: &str, value: impl Into<u64>) {
        self.key(key);
        push_u64(self.out, value.into());
    }

    /// A number that may be below 0.
    pub fn signed(&mut self, key: &str, value: i64) {
        self.key(key);
        push_i64(self.out, value);
    }

    /// A number, if it is known.
    #[inline(always)]
    pub fn maybe_number(&mut self, key: &str, value: Option<impl Into<u64>>) {
        if let Some(value) = value {
            self.number(key, value);
        }
    }

    /// `true` or `false`.
    pub fn flag(&mut self, key: &str, value: bool) {
        self.key(key);
        self.out.extend_from_slice(if value { b"true" } else { b"false" });
    }

    /// `null`.
    #[inline(always)]
    pub fn null(&mut self, key: &str) {
        self.key(key);
        self.out.extend_from_slice(b"null");
    }

    /// An object.
    pub fn object(&mut self, key: &str, write: impl FnOnce(&mut Object<'_>)) {
        self.key(key);
        let mut inner = Object::open(self.out);
        write(&mut inner);
        inner.close();
    }

    /// An array of objects.
    pub fn objects<T>(
        &mut self,
        key: &str,
        items: impl IntoIterator<Item = T>,
        mut write: impl FnMut(&mut Object<'_>, T),
    ) {
        self.array(key, items, |out, item| {
            let mut inner = Object::open(out);
            write(&mut inner, item);
            inner.close();
        });
    }

    /// An array of numbers.
    pub fn numbers<T: Into<u64>>(&mut self, key: &str, items: impl IntoIterator<Item = T>) {
        self.array(key, items, |out, item| push_u64(out, item.into()));
    }

    /// An array of words of ours.
    pub fn words<'w>(&mut self, key: &str, items: impl IntoIterator<Item = &'w str>) {
        self.array(key, items, |out, item| push_json(out, item.as_bytes()));
    }

    /// An array of strings of whatever bytes.
    pub fn texts<'t>(&mut self, key: &str, items: impl IntoIterator<Item = &'t [u8]>) {
        self.array(key, items, push_json);
    }

    fn array<T>(
        &mut self,
        key: &str,
        items: impl IntoIterator<Item = T>,
        mut write: impl FnMut(&mut Vec<u8>, T),
    ) {
        self.key(key);
        self.out.push(b'[');
        for (index, item) in items.into_iter().enumerate() {
            if index > 0 {
                self.out.push(b',');
            }
            write(self.out, item);
        }
        self.out.push(b']');
    }
}

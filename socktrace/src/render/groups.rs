//! Values that rows are ordered and counted by, and the counts as a table or as JSON.

use std::cmp::Ordering;
use std::net::IpAddr;

use rustc_hash::FxHashMap;

use super::escape::push_text;
use super::json::Object;
use super::ss::Round;
use super::units::{push_ip, push_u64};
use super::width::width;

/// What a row has in a column.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Value {
    /// A number.
    Number(u64),
    /// A name, and what makes two of one name two.
    Text(Vec<u8>, u32),
    /// An address, and a port if that counts. Addresses are ordered by their numbers, then ports.
    End(IpAddr, Option<u16>),
    /// Always last.
    Unknown,
}

impl Value {
    /// A name, if it is known.
    #[must_use]
    pub fn text(text: Option<&[u8]>) -> Self {
        text.map_or(Self::Unknown, |text| Self::Text(text.to_vec(), 0))
    }

    /// A number, if it is known.
    #[must_use]
    pub fn number(number: Option<u64>) -> Self {
        number.map_or(Self::Unknown, Self::Number)
    }

    /// Which comes first: of those that are known the smaller, or the larger if they are `descending`.
    fn compare(&self, other: &Self, descending: bool) -> Ordering {
        match (self, other) {
            (Self::Unknown, _) | (_, Self::Unknown) => self.cmp(other),
            _ if descending => other.cmp(self),
            _ => self.cmp(other),
        }
    }

    /// An address without its port: that of a client is another one each time.
    #[must_use]
    pub fn without_port(self) -> Self {
        match self {
            Self::End(addr, _) => Self::End(addr, None),
            Self::Number(_) | Self::Text(..) | Self::Unknown => self,
        }
    }

    /// Bytes that it takes.
    #[must_use]
    pub fn size(&self) -> usize {
        let more = match self {
            Self::Text(text, _) => text.len(),
            Self::Number(_) | Self::End(..) | Self::Unknown => 0,
        };
        size_of::<Self>() + more
    }

    fn group(self) -> Group {
        let mut name = Vec::new();
        let mut id = 0;
        match self {
            Self::Number(number) => push_u64(&mut name, number),
            Self::Text(text, of) => (name, id) = (text, of),
            Self::End(addr, port) => push_end(&mut name, addr, port),
            Self::Unknown => name.push(b'-'),
        }
        Group { name, id }
    }
}

/// Which of two rows comes first, by the values that each has in the columns of an order; of each column whether larger values
/// come first.
pub fn compare(a: &[Value], b: &[Value], descending: impl IntoIterator<Item = bool>) -> Ordering {
    let each = descending.into_iter().zip(a.iter().zip(b));
    let mut each = each.map(|(descending, (a, b))| a.compare(b, descending));
    each.find(|order| order.is_ne()).unwrap_or(Ordering::Equal)
}

/// A group of rows by one key: its name, and what makes two of one name two.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Group {
    name: Vec<u8>,
    id: u32,
}

/// How many rows there are of each kind.
#[derive(Debug, Default)]
pub struct Counts(FxHashMap<Box<[Group]>, u64>);

/// How counts are written.
#[derive(Debug, Clone, Copy)]
pub enum Look<'a> {
    /// One JSON object per line. With the round, of a listing that is repeated.
    Json(Option<Round<'a>>),
    /// Columns with these names above them, or without.
    Table(Option<&'a [&'static str]>),
}

impl Counts {
    /// Counts a row that has these values. Returns the bytes that it takes to count it: none if there was one of its kind.
    pub fn add(&mut self, values: impl Iterator<Item = Value>) -> usize {
        let group: Box<[Group]> = values.map(Value::group).collect();
        let bytes: usize = group.iter().map(|group| size_of::<Group>() + group.name.len()).sum();
        let count = self.0.entry(group).or_default();
        *count += 1;
        if *count == 1 { bytes + 2 * size_of::<usize>() } else { 0 }
    }

    /// Appends the `top` largest groups, or all, the largest first; how many that are.
    pub fn write(self, top: Option<usize>, look: Look<'_>, out: &mut Vec<u8>) -> usize {
        let mut counts: Vec<_> = self.0.into_iter().collect();
        counts.sort_unstable_by(|(a_name, a), (b_name, b)| b.cmp(a).then_with(|| a_name.cmp(b_name)));
        counts.truncate(top.unwrap_or(usize::MAX));
        match look {
            Look::Json(round) => objects(&counts, round, out),
            Look::Table(words) => table(&counts, words, out),
        }
        counts.len()
    }
}

fn objects(counts: &[(Box<[Group]>, u64)], round: Option<Round<'_>>, out: &mut Vec<u8>) {
    for (groups, count) in counts {
        let mut object = Object::open(out);
        if let Some(Round { number, at }) = round {
            object.text("ts", at.as_bytes());
            object.number("round", number);
        }
        object.number("count", *count);
        match &**groups {
            [Group { name, .. }] => object.text("key", name),
            groups => object.texts("keys", groups.iter().map(|group| group.name.as_slice())),
        }
        object.close();
        out.push(b'\n');
    }
}

fn table(counts: &[(Box<[Group]>, u64)], words: Option<&[&'static str]>, out: &mut Vec<u8>) {
    let mut rows: Vec<(String, Vec<Vec<u8>>)> = Vec::with_capacity(counts.len() + 1);
    if let Some(words) = words {
        rows.push(("Count".to_owned(), words.iter().map(|word| word.as_bytes().to_vec()).collect()));
    }
    for (groups, count) in counts {
        let escaped = groups.iter().map(|group| {
            let mut name = Vec::new();
            push_text(&mut name, &group.name);
            name
        });
        rows.push((count.to_string(), escaped.collect()));
    }
    let mut widths = Vec::new();
    for (_, cells) in &rows {
        widths.resize(cells.len(), 0);
        widths.iter_mut().zip(cells).for_each(|(widest, cell)| *widest = width(cell).max(*widest));
    }
    for (count, cells) in &rows {
        out.extend_from_slice(format!("{count:>7}").as_bytes());
        let mut blanks = 1;
        for (cell, wide) in cells.iter().zip(&widths) {
            out.resize(out.len() + blanks, b' ');
            out.extend_from_slice(cell);
            blanks = wide - width(cell) + 1;
        }
        out.push(b'\n');
    }
}

fn push_end(out: &mut Vec<u8>, addr: IpAddr, port: Option<u16>) {
    let bracket = port.is_some() && addr.is_ipv6();
    out.extend_from_slice(if bracket { b"[" } else { b"" });
    push_ip(out, addr);
    out.extend_from_slice(if bracket { b"]" } else { b"" });
    if let Some(port) = port {
        out.push(b':');
        push_u64(out, port.into());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_known_is_last_either_way() {
        let ordered = |descending| {
            let mut values = [Value::Number(2), Value::Unknown, Value::Number(3), Value::Number(1)];
            values.sort_by(|a, b| a.compare(b, descending));
            values.map(|value| String::from_utf8(value.group().name).unwrap())
        };
        assert_eq!(ordered(false), ["1", "2", "3", "-"]);
        assert_eq!(ordered(true), ["3", "2", "1", "-"]);
    }

    #[test]
    fn columns_are_as_wide_as_what_they_show_takes() {
        let mut counts = Counts::default();
        for name in ["größe", "größe", "日本", "x\x1b"] {
            counts.add([Value::text(Some(name.as_bytes())), Value::Number(1)].into_iter());
        }
        let mut out = Vec::new();
        assert_eq!(counts.write(None, Look::Table(Some(&["process", "pid"])), &mut out), 3);
        let expected = "  Count process pid\n      2 größe   1\n      1 x\\033   1\n      1 日本    1\n";
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }
}

//! The summary of `-s`: how many sockets there are of each kind, without listing any.
//!
//! I/O: `net/sockstat`, `net/sockstat6`, `net/snmp` in procfs.

use std::fs;
use std::io::{self, Write};

use crate::kernel::netns;
use crate::render::escape;
use crate::render::ss::Round;
use crate::socket::NetnsId;

use super::Paths;
use super::context::AnswerContext;
use super::error::Error;
use super::namespaces::{self, Label};
use super::rounds::Rounds;
use crate::api::report::Report;
use crate::api::sockets::{Format, NetnsChoice, Question};

/// Counts as procfs has them; a line that is not there counts 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Summary {
    /// Sockets of every kind.
    sockets: i64,
    /// TCP sockets in memory, TIME-WAIT not counted.
    tcp_allocated: i64,
    /// Established ones.
    tcp_established: i64,
    /// Those that no process holds.
    tcp_orphaned: i64,
    /// Those in TIME-WAIT.
    tcp_timewait: i64,
    /// By transport: IPv4, IPv6.
    raw: [i64; 2],
    /// By transport.
    udp: [i64; 2],
    /// Those that can be found by their address.
    tcp: [i64; 2],
    /// Datagrams being put together.
    fragments: [i64; 2],
}

/// Writes the summary of the calling thread's namespace, or one of each where all were asked for: each begins with what
/// its namespace is called.
pub(super) fn write(
    question: &Question,
    paths: &Paths,
    context: &AnswerContext<'_>,
    rounds: Option<&Rounds>,
    report: &mut Report,
    out: &mut impl Write,
) -> Result<(), Error> {
    let mut one = |summary: Summary, of: Option<(NetnsId, Label)>| {
        match question.format {
            Format::Text { .. } => {
                let heading = of.map_or(Ok(()), |(_, label)| {
                    writeln!(out, "Netns: {}", escape::text(label.text.as_bytes()))
                });
                heading.and_then(|()| summary.write_text(out))
            }
            Format::Json => summary.write_json(of.as_ref().map(|(id, label)| (*id, label)), rounds, out),
        }
        .map_err(Error::Output)
    };
    match question.netns {
        NetnsChoice::Own | NetnsChoice::One(_) => one(Summary::read(paths)?, None),
        NetnsChoice::All => {
            let own = netns::current().unwrap_or(0);
            for netns in namespaces::all(context, report) {
                match netns.run(|| Summary::read(paths)) {
                    Ok(summary) => {
                        let label = namespaces::label(&netns, own, &paths.proc);
                        one(summary?, Some((netns.id, label)))?;
                    }
                    Err(error) if error.is_gone() => {}
                    Err(error) => return Err(error.into()),
                }
            }
            Ok(())
        }
    }
}

impl Summary {
    /// Reads it. `net/sockstat` must be there, the other two files may be missing.
    fn read(paths: &Paths) -> Result<Self, Error> {
        let path = paths.proc_net("SOCKSTAT", "sockstat");
        let v4 = fs::read_to_string(&path).map_err(|source| Error::File { action: "read", path, source })?;
        let text = |variable, name| fs::read_to_string(paths.proc_net(variable, name)).unwrap_or_default();
        Ok(Self::parse(&v4, &text("SOCKSTAT6", "sockstat6"), &text("SNMP", "snmp")))
    }

    fn parse(v4: &str, v6: &str, snmp: &str) -> Self {
        let at = |text: &str, line: &str, field: &str| value(text, line, field).unwrap_or(0);
        let both = |name4: &str, name6: &str, field: &str| [at(v4, name4, field), at(v6, name6, field)];
        Self {
            sockets: at(v4, "sockets:", "used"),
            tcp_allocated: at(v4, "TCP:", "alloc"),
            tcp_established: snmp_value(snmp, "Tcp:", "CurrEstab").unwrap_or(0),
            tcp_orphaned: at(v4, "TCP:", "orphan"),
            tcp_timewait: at(v4, "TCP:", "tw"),
            raw: both("RAW:", "RAW6:", "inuse"),
            udp: both("UDP:", "UDP6:", "inuse"),
            tcp: both("TCP:", "TCP6:", "inuse"),
            fragments: both("FRAG:", "FRAG6:", "inuse"),
        }
    }

    /// TCP sockets that have no place in a hash table any more, or not yet.
    const fn tcp_closed(&self) -> i64 {
        self.tcp_allocated - (self.tcp[0] + self.tcp[1] - self.tcp_timewait)
    }

    const fn inet(&self) -> [i64; 2] {
        [self.raw[0] + self.udp[0] + self.tcp[0], self.raw[1] + self.udp[1] + self.tcp[1]]
    }

    /// As ss prints it.
    fn write_text(&self, out: &mut impl Write) -> io::Result<()> {
        writeln!(out, "Total: {}", self.sockets)?;
        writeln!(
            out,
            "TCP:   {} (estab {}, closed {}, orphaned {}, timewait {})\n",
            self.tcp_allocated + self.tcp_timewait,
            self.tcp_established,
            self.tcp_closed(),
            self.tcp_orphaned,
            self.tcp_timewait
        )?;
        writeln!(out, "Transport Total     IP        IPv6")?;
        let lines = [
            ("RAW", self.raw),
            ("UDP", self.udp),
            ("TCP", self.tcp),
            ("INET", self.inet()),
            ("FRAG", self.fragments),
        ];
        for (name, [v4, v6]) in lines {
            let line = format!("{name}\t  {:<9} {v4:<9} {v6:<9}", v4 + v6);
            writeln!(out, "{}", line.trim_end())?;
        }
        writeln!(out)
    }

    /// As one JSON object, with its namespace where there may be several.
    fn write_json(
        &self,
        of: Option<(NetnsId, &Label)>,
        rounds: Option<&Rounds>,
        out: &mut impl Write,
    ) -> io::Result<()> {
        let pair = |[v4, v6]: [i64; 2]| serde_json::json!({ "total": v4 + v6, "inet": v4, "inet6": v6 });
        let mut object = serde_json::json!({
            "sockets": self.sockets,
            "tcp_states": {
                "total": self.tcp_allocated + self.tcp_timewait,
                "established": self.tcp_established,
                "closed": self.tcp_closed(),
                "orphaned": self.tcp_orphaned,
                "timewait": self.tcp_timewait,
            },
            "raw": pair(self.raw),
            "udp": pair(self.udp),
            "tcp": pair(self.tcp),
            "fragments": pair(self.fragments),
        });
        if let Some(Round { number, at }) = rounds.map(Rounds::now) {
            object["ts"] = at.into();
            object["round"] = number.into();
        }
        if let Some((netns, label)) = of {
            object["netns"] = netns.into();
            if let Some(name) = &label.name {
                object["netns_name"] = name.as_str().into();
            }
            if let Some(pid) = label.pid {
                object["netns_pid"] = pid.into();
            }
        }
        writeln!(out, "{object}")
    }
}

/// How many sockets that line of `net/sockstat` or `net/sockstat6` counts.
pub(super) fn inuse(text: &str, line: &str) -> Option<i64> {
    value(text, line, "inuse")
}

/// A number of a line like `TCP: inuse 5 orphan 0 tw 3 alloc 8 mem 1`.
fn value(text: &str, line: &str, field: &str) -> Option<i64> {
    let mut words = text.lines().find_map(|text| text.strip_prefix(line))?.split_whitespace();
    words.find(|word| *word == field)?;
    words.next()?.parse().ok()
}

/// A number of snmp, where each protocol has a line of names and a line of numbers.
fn snmp_value(text: &str, line: &str, field: &str) -> Option<i64> {
    let mut lines = text.lines().filter_map(|text| text.strip_prefix(line));
    let (names, numbers) = (lines.next()?, lines.next()?);
    let place = names.split_whitespace().position(|name| name == field)?;
    numbers.split_whitespace().nth(place)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_as_ss_prints_it() {
        let summary = Summary::parse(
            "sockets: used 18\nTCP: inuse 3 orphan 1 tw 4 alloc 490 mem 0\nUDP: inuse 2 mem 0\nUDPLITE: inuse 9\n\
             RAW: inuse 1\nFRAG: inuse 5 memory 0\n",
            "TCP6: inuse 2\nUDP6: inuse 0\nUDPLITE6: inuse 0\nRAW6: inuse 0\nFRAG6: inuse 0 memory 0\n",
            "Ip: A B\nIp: 1 2\nTcp: RtoAlgorithm CurrEstab InSegs\nTcp: 1 7 9\n",
        );
        let mut out = Vec::new();
        summary.write_text(&mut out).unwrap();
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "Total: 18\nTCP:   494 (estab 7, closed 489, orphaned 1, timewait 4)\n\n\
             Transport Total     IP        IPv6\nRAW\t  1         1         0\nUDP\t  2         2         0\n\
             TCP\t  5         3         2\nINET\t  8         6         2\nFRAG\t  5         5         0\n\n"
        );
    }

    #[test]
    fn nothing_is_zero() {
        assert_eq!(Summary::parse("", "", ""), Summary::default());
        assert_eq!(
            Summary::parse("TCP: inuse", "TCP6: inuse x", "Tcp: CurrEstab\nTcp:\n"),
            Summary::default()
        );
    }
}

//! What one of them prints, without what cannot be the same twice.

use std::path::Path;
use std::process::Command;

use crate::agent::Agent;

/// Who is asked.
pub(super) struct Listing<'a> {
    pub(super) program: &'a Path,
    pub(super) agent: Option<Agent>,
}

impl Listing<'_> {
    /// Starts another agent, if process ids have a digit more since that one started: those who ask then have longer
    /// cells than it, which are left out of the comparison but make the columns wider.
    pub(super) fn renews_agent(&mut self) -> bool {
        let Some(agent) = &mut self.agent else { return false };
        let mut newest = Command::new("true").spawn().expect("a process");
        newest.wait().expect("its end");
        let longer = newest.id().to_string().len() != agent.pid().to_string().len();
        if longer {
            *agent = Agent::called(self.program);
        }
        longer
    }

    /// What it prints, without what cannot be the same twice.
    pub(super) fn of(&self, words: &[String], screen: Option<&str>) -> String {
        let mut command = Command::new(self.program);
        let agent = self.agent.as_ref().map_or(Path::new("/nonexistent"), |agent| &agent.path);
        command.args(words).env("SOCKTRACE_SOCKET", agent).env_remove("COLUMNS");
        if let Some(columns) = screen {
            command.env("COLUMNS", columns);
        }
        let output = command.output().expect("it runs");
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(
            output.status.success(),
            "{} {words:?}: {}",
            self.program.display(),
            String::from_utf8_lossy(&output.stderr)
        );
        let mut lines = Vec::new();
        let connections = connections(&text);
        for line in text.lines() {
            if !asks(line) && !line.split(' ').any(|word| connections.contains(&word)) {
                lines.push(steady(without_lost_details(line)).trim_end_matches(' ').to_owned());
            }
        }
        lines.join("\n")
    }
}

/// Without the details of a netlink socket outside the Process column, which ss forgets (docs/ss-compat.md).
fn without_lost_details(line: &str) -> &str {
    let netlink = line.starts_with("nl ");
    let end = line
        .find(" sk=0 cb=0")
        .or_else(|| line.find("\t skmem"))
        .filter(|_| netlink && !line.contains("users:"));
    end.map_or(line, |end| line.get(..end).unwrap_or(line))
}

/// The inode numbers of the agent's ends of its connections, each of which stands in the rows of both ends.
fn connections(text: &str) -> Vec<&str> {
    fn of_row(line: &str) -> Option<&str> {
        let (_, rest) = line.split_once("/agent.sock ")?;
        let (inode, rest) = rest.split_once(' ')?;
        (!rest.trim_start().starts_with("* 0")).then_some(inode)
    }
    text.lines().filter_map(of_row).collect()
}

/// Whether it is a netlink socket that something is asked by: of sock_diag, or with the process id of an ss.
fn asks(line: &str) -> bool {
    let port = |of: &str, first: &[char]| {
        line.split(of).nth(1).is_some_and(|rest| rest.starts_with(|c: char| first.contains(&c)))
    };
    let digits: Vec<char> = ('1'..='9').collect();
    let numbers = [&digits[..], &['-']].concat();
    (line.contains(" tcpdiag:") && !line.contains("tcpdiag:kernel"))
        || line.contains("rtnl:ss/")
        || port(" 4:", &numbers)
        || port(" 0:", &digits)
}

/// Numbers that run are made equal.
pub(crate) fn steady(line: &str) -> String {
    const RUNNING: [&str; 10] = [
        "lastsnd:",
        "lastrcv:",
        "lastack:",
        "busy:",
        "rwnd_limited:",
        "last_data_sent:",
        "last_data_recv:",
        "last_ack_recv:",
        "timer:(",
        // ss reads the kernel's device numbers as if they were its own (docs/ss-compat.md).
        " dev:",
    ];
    let mut line = line.to_owned();
    for name in RUNNING {
        let mut from = 0;
        while let Some(at) = line[from..].find(name).map(|at| from + at + name.len()) {
            let end = line[at..].find([' ', ')']).map_or(line.len(), |end| at + end);
            let word = line[at..end].split(',').next().unwrap_or_default().to_owned();
            line.replace_range(at..end, if name == "timer:(" { &word } else { "N" });
            from = at;
        }
    }
    line
}

pub(crate) fn difference(theirs: &str, ours: &str) -> String {
    let (theirs, ours): (Vec<_>, Vec<_>) = (theirs.lines().collect(), ours.lines().collect());
    let mut said = Vec::new();
    for index in 0..theirs.len().max(ours.len()) {
        let (left, right) = (theirs.get(index), ours.get(index));
        if left != right && said.len() < 12 {
            said.push(format!(
                "  ss   |{}\n  ours |{}",
                left.unwrap_or(&"(nothing)"),
                right.unwrap_or(&"(nothing)")
            ));
        }
    }
    said.join("\n")
}

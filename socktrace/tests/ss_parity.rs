//! The same bytes as the real ss, on the same sockets, for many combinations of options and filters.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

use crate::agent::Agent;
use crate::ss_zoo::Zoo;
use crate::support::{in_own_netns, may_trace};

#[path = "../../xtask/src/fetch_ss.rs"]
mod fetch_ss;

/// What is asked of both as if on a terminal of that width.
const ON_A_SCREEN: &[(&str, &str)] = &[
    ("80", "-ta"),
    ("80", "-tan"),
    ("200", "-tan"),
    ("40", "-tan"),
    ("13", "-tln"),
    ("1", "-tln"),
    ("80", "-tanp"),
    ("132", "-tanpe"),
    ("120", "-tai"),
    ("80", "-xa"),
    ("100", "-xae"),
    ("72", "-uaH"),
    ("80", "-tanQ"),
    ("300", "-a"),
    ("80", "-u state closed"),
];

/// What is asked of both. Words are separated by blanks.
const QUESTIONS: &[&str] = &[
    // Tables and states.
    "",
    "-a",
    "-l",
    "-n",
    "-an",
    "-ln",
    "-B",
    "-t",
    "-ta",
    "-tl",
    "-tan",
    "-tln",
    "-tB",
    "-u",
    "-ua",
    "-ul",
    "-uan",
    "-x",
    "-xa",
    "-xl",
    "-0",
    "-0a",
    "-0n",
    "-w",
    "-wa",
    "-wan",
    "-M",
    "-Ma",
    "-Mln",
    "-4",
    "-6",
    "-4a",
    "-6a",
    "-4tl",
    "-6ua",
    "-f inet",
    "-f inet6 -a",
    "-f unix",
    "-f link -a",
    "-f netlink",
    "-f netlink -a",
    "-f vsock",
    "-f xdp",
    "-tx",
    "-tux",
    "-t -x -a",
    "-4 -x",
    "-tulpn",
    "-tulpen",
    "-A tcp",
    "-A udp",
    "-A tcp,udp -a",
    "-A netlink",
    "-A netlink -a",
    "-A packet -a",
    "-A unix",
    "-A u_str,u_dgr -a",
    "-A all -a",
    "-A inet -a",
    "-A all,!tcp -a",
    "-A raw -a",
    "-A unix_seqpacket",
    "--tcp --all",
    "--udp --list",
    "--num --tc",
    "-S",
    "-d",
    "--vsock",
    "--tipc",
    "--xdp",
    // Shape.
    "-H",
    "-taH",
    "-taQ",
    "-taHQ",
    "-tuQ",
    "-xaQ",
    "-xaH",
    "-HQx",
    "-uH",
    // Names.
    "-tl4",
    "-tla",
    "-uar",
    // Processes.
    "-tp",
    "-tap",
    "-tlp",
    "-uap",
    "-xp",
    "-xap",
    "-0ap",
    "-tapn",
    "-ap",
    "-taHp",
    "-taTp",
    "-wap",
    "-f netlink -ap",
    // Details.
    "-to",
    "-tao",
    "-te",
    "-tae",
    "-tape",
    "-taen",
    "-ue",
    "-uae",
    "-xe",
    "-xae",
    "-xaep",
    "-0ae",
    "-0aep",
    "-0aeb",
    "-0ab",
    "-0aebO",
    "-0aem",
    "-f netlink -aep",
    "-f netlink -aemp",
    "-tm",
    "-tam",
    "-tamO",
    "-um",
    "-uam",
    "-uamO",
    "-xm",
    "-xam",
    "-xamep",
    "-0am",
    "-Me",
    "-Mae",
    "-Mam",
    "-ti",
    "-tai",
    "-tain",
    "-taio",
    "-taie",
    "-taiO",
    "-taiOn",
    "-taiom",
    "-tanpemi",
    "-tanpemiO",
    "-uai",
    "-uaim",
    "-Mi",
    "-Mai",
    "-Maiem",
    "-MaiO",
    "-ta --tos",
    "-ua --tos",
    "-ta --tos -e",
    "-ta --cgroup",
    "-ta --cgroup -e",
    "-ta --inet-sockopt",
    "-ta --inet-sockopt -O",
    "-tai --inet-sockopt --tos --cgroup",
    "-ua --inet-sockopt",
    "-wae",
    "-wai",
    "-wam",
    "-aempino",
    "-ae",
    "-ai",
    "-am",
    "-ao",
    "-tab",
    "-ta --tipcinfo",
    // State words.
    "state established",
    "-t state listening",
    "-ta state syn-sent",
    "-t state syn-recv",
    "-t state time-wait",
    "-t state fin-wait-1",
    "-t state fin-wait-2",
    "-t state close-wait",
    "-t state last-ack",
    "-t state closing",
    "-t state closed",
    "-t state connected",
    "-t state synchronized",
    "-t state bucket",
    "-t state big",
    "-t state all exclude listening",
    "-t exclude established",
    "-u state closed",
    "-x state established",
    "-t state established state listening",
    "-to state time-wait",
    "-t state bound-inactive",
    "-lt state established",
    "-te state syn-recv",
    "-tam state syn-recv",
    "-tai state time-wait",
    "-tae state time-wait",
    // Filters.
    "-ta sport = :8080",
    "-ta sport = 8080",
    "-ta sport :8080",
    "-ta dport = :8080",
    "-ta sport eq :8080",
    "-ta sport != :8080",
    "-ta sport ne :8080",
    "-ta sport neq 8080",
    "-ta sport >= :9000",
    "-ta sport ge 9000",
    "-ta sport > :8090",
    "-ta sport lt :443",
    "-ta sport <= :443",
    "-ta sport le 443",
    "-ta sport gt 8090",
    "-ta sport < :443",
    "-ta sport leq 443",
    "-ta sport geq 9000",
    "-ta sport == :22",
    "-ta sport = :ssh",
    "-ta sport = :https or dport = :https",
    "-ta ( sport = :8080 or dport = :8080 )",
    "-ta not sport = :8080",
    "-ta ! sport = :8080",
    "-ta sport = :8080 and dport > :1024",
    "-ta sport = :8080 & dport > :1024",
    "-ta sport = :8080 && dport > :1024",
    "-ta sport = :8080 | sport = :443",
    "-ta sport = :8080 || sport = :443",
    "-ta sport = 22 or sport = 443 and dport = 1",
    "-ta ( sport = 22 or sport = 443 ) and dport = 0",
    "-ta src 127.0.0.1",
    "-ta src = 127.0.0.1",
    "-ta dst 127.0.0.1",
    "-ta src 127.0.0.1:8080",
    "-ta src 127/8",
    "-ta src 127.0.0.0/8",
    "-ta src 127.0.0.0/255.0.0.0",
    "-ta src 192.0.2.1",
    "-ta dst 192.0.2.0/24:40004",
    "-ta src 0.0.0.0",
    "-ta src 0.0.0.0/0",
    "-ta src any",
    "-ta src *",
    "-ta src :22",
    "-ta src *:22",
    "-ta src [::1]",
    "-ta src [::1]:8083",
    "-ta src ::1/128",
    "-ta src [::]",
    "-ta src [::ffff:127.0.0.1]",
    "-ta src [fe80::/10]",
    "-ta src inet6:[::1]",
    "-ta src inet:127.0.0.1",
    "-ta not src 127.0.0.1",
    "-4ta src 127.0.0.1",
    "-6ta src [::1]",
    "-ta dev lo",
    "-ta dev = v0",
    "-ta dev != lo",
    "-ta dev 1",
    "-ta fwmark 0x2a",
    "-ta fwmark = 0x11/0x1",
    "-ta fwmark != 0x2a",
    "-ta src 127.0.0.1 sport = 22",
    "-ua sport = :53",
    "-ua dst 127.0.0.1:domain",
    "-ua sport = :domain",
    "-a sport = :53",
    "src unix:*",
    "-xa src ZOO/stream",
    "-xa src ZOO/*",
    "-xa src @zoo*",
    "-xa src @ZOO*",
    "-xa not src ZOO/*",
    "-a src netlink:rtnl",
    "-a src netlink:rtnl:kernel",
    "-a src netlink:15",
    "-a src link:ip",
    "-a src link:arp:lo",
    "-0a src *:lo",
    "-Ma sport = :8090",
    "-M dport = :8090",
    "-wa src 127.0.0.1",
    "-tae fwmark 0x2a",
    "-taip sport = :8080",
    "-lt sport = :8080",
    "-ltp sport = :https",
    "-ltn -4 sport = :22",
    // Few sockets, in the states that an agent's table has.
    "-t sport = :8080",
    "-t dport = :8080",
    "-tn sport = :8081",
    "-tn dport = :8081",
    "-tn6 sport = :8081",
    "-t sport = :443 or dport = :443",
    "-tp dport = :443",
    "-tie sport = :8080",
    "-t sport = :9000",
    "-te dport = :40004",
    "-tm src 127.0.0.1:8080",
    "-t state established sport = :8080",
    "-t state listening sport = :8083",
    "-tu sport = :53 or sport = :8080",
    "-u sport = :5353",
    "-u dport = :53",
    "-ua sport = :5355",
    "-t sport = :8090",
    "-t sport = :1",
];

#[test]
fn the_same_bytes_as_ss() {
    let theirs = oracle();
    let ours = called_ss("direct");
    in_own_netns(|| {
        let zoo = Zoo::open();
        all_the_same(
            &zoo,
            &Listing { program: &theirs, agent: None },
            &Listing { program: &ours, agent: None },
        );
    });
}

#[test]
fn the_same_bytes_as_ss_through_an_agent() {
    if !may_trace("the_same_bytes_as_ss_through_an_agent") {
        return;
    }
    let theirs = oracle();
    let ours = called_ss("agent");
    in_own_netns(|| {
        let zoo = Zoo::open();
        let agent = Agent::called(&ours);
        all_the_same(
            &zoo,
            &Listing { program: &theirs, agent: None },
            &Listing { program: &ours, agent: Some(&agent.path) },
        );
    });
}

/// Asks both everything.
fn all_the_same(zoo: &Zoo, theirs: &Listing<'_>, ours: &Listing<'_>) {
    let mut different = Vec::new();
    let plain = QUESTIONS.iter().map(|question| (None, *question));
    let on_a_screen = ON_A_SCREEN.iter().map(|(width, question)| (Some(*width), *question));
    for (screen, question) in plain.chain(on_a_screen) {
        let words: Vec<String> = question
            .split(' ')
            .filter(|word| !word.is_empty())
            .map(|word| word.replace("ZOO", &zoo.folder().display().to_string()))
            .collect();
        let both = || (theirs.of(&words, screen), ours.of(&words, screen));
        // A socket may change its state, or a timer its unit, between one and the other.
        let same = (0..5).any(|_| {
            let (theirs, ours) = both();
            theirs == ours
        });
        if !same {
            let (theirs, ours) = both();
            different.push(format!("== ss {question} ({screen:?})\n{}", difference(&theirs, &ours)));
        }
    }
    assert!(
        different.is_empty(),
        "{} of {} differ\n{}",
        different.len(),
        QUESTIONS.len(),
        different.join("\n")
    );
}

/// The real ss. Several tests want it at once, and only one fetches it.
pub(crate) fn oracle() -> PathBuf {
    static ORACLE: LazyLock<PathBuf> = LazyLock::new(|| {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("a workspace");
        fetch_ss::fetch(root).expect("the real ss of iproute2 6.15")
    });
    ORACLE.clone()
}

/// Our program under the name `ss`, in a folder of that name, so that its own sockets have an owner of the same name.
fn called_ss(folder: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(folder);
    std::fs::create_dir_all(&folder).expect("a folder");
    let link = folder.join("ss");
    let _ = std::fs::remove_file(&link);
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_socktrace"), &link).expect("a link");
    link
}

/// Who is asked.
struct Listing<'a> {
    program: &'a Path,
    agent: Option<&'a Path>,
}

impl Listing<'_> {
    /// What it prints, without what cannot be the same twice.
    fn of(&self, words: &[String], screen: Option<&str>) -> String {
        let mut command = Command::new(self.program);
        let agent = self.agent.unwrap_or(Path::new("/nonexistent"));
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
        let (_, rest) = line.split_once("/agent.sock.new ")?;
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

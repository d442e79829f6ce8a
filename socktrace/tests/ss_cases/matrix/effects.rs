//! What is seen of each option where it works.

/// What a command printed.
#[derive(Debug, Default)]
pub(super) struct Seen {
    pub(super) code: Option<i32>,
    pub(super) stdout: String,
    pub(super) stderr: String,
    /// It called at the place where an agent is looked for.
    pub(super) asked_an_agent: bool,
}

/// An option, and how it is seen that it works.
pub(super) struct Effect {
    pub(super) option: &'static str,
    /// Its words, and what else is needed to see it.
    pub(super) words: &'static [&'static str],
    pub(super) mark: Mark,
}

/// What is printed because of it.
pub(super) enum Mark {
    /// Of these, all of the first and none of the second, in a table and as JSON.
    Text([&'static [&'static str]; 2], [&'static [&'static str]; 2]),
    /// The lines are so.
    Lines(fn(&str) -> bool),
    /// What it takes is not there, and that is said on standard error.
    Said(&'static str),
    /// Nothing else but its own text, whatever stands beside it.
    Instead(&'static str),
    /// Nothing is to be seen: this machine has no such sockets.
    Nothing,
    /// It is one of those that others stand beside.
    Itself,
}

use Mark::{Instead, Itself, Lines, Nothing, Said, Text};

const fn effect(option: &'static str, words: &'static [&'static str], mark: Mark) -> Effect {
    Effect { option, words, mark }
}

/// Text that is shown.
const fn shows(text: &'static [&'static str], json: &'static [&'static str]) -> Mark {
    Text([text, &[]], [json, &[]])
}

const ONLY_TCP: Mark =
    Text([&[":http"], &["matrix.sock", ":7502"]], [&["\"local_port\":80,"], &["matrix.sock", "7502"]]);
const ONLY_V4: Mark =
    Text([&["127.0.0.1:"], &["matrix.sock", "[::1]"]], [&["\"127.0.0.1\""], &["matrix.sock", "\"::1\""]]);
/// None of what is there.
const ONLY_OTHERS: Mark = Text([&[], &["matrix.sock", "127.0.0.1"]], [&[], &["matrix.sock", "127.0.0.1"]]);

/// Every option.
pub(super) const EFFECTS: [Effect; 58] = [
    effect("numeric", &["-n"], Text([&[":80"], &[":http"]], [&["\"local_port\":80,"], &["http"]])),
    effect("resolve", &["-r"], shows(&["localhost:"], &["\"local_host\":\"localhost\""])),
    effect("options", &["-o"], shows(&["timer:(keepalive"], &["\"kind\":\"keepalive\""])),
    effect("extended", &["-e"], shows(&[" sk:"], &["\"shutdown\":"])),
    effect("memory", &["-m"], shows(&["skmem:("], &["\"skmem\":"])),
    effect("info", &["-i"], shows(&["cwnd:"], &["\"tcp_info\":"])),
    effect("processes", &["-p"], shows(&["users:(("], &["\"processes\":[{"])),
    effect("threads", &["-T"], shows(&[",tid="], &["\"tid\":"])),
    effect("context", &["-Z"], Said("SELinux is not enabled here")),
    effect("contexts", &["-z"], Said("SELinux is not enabled here")),
    effect("bpf", &["-b", "-a"], shows(&["bpf filter ("], &["\"filter\":["])),
    effect("events", &["-E"], Itself),
    effect("tcp", &["-t"], ONLY_TCP),
    effect(
        "udp",
        &["-u"],
        Text([&[":7502"], &["matrix.sock", ":http"]], [&["7502"], &["matrix.sock", ":80,"]]),
    ),
    effect(
        "raw",
        &["-w"],
        Text([&["icmp"], &["matrix.sock", ":http"]], [&["\"raw\""], &["matrix.sock", "7502"]]),
    ),
    effect("sctp", &["-S"], ONLY_OTHERS),
    effect("dccp", &["-d"], ONLY_OTHERS),
    effect("mptcp", &["-M"], ONLY_OTHERS),
    effect("unix", &["-x"], Text([&["matrix.sock"], &["127.0.0.1"]], [&["matrix.sock"], &["127.0.0.1"]])),
    effect("tipc", &["--tipc"], ONLY_OTHERS),
    effect("vsock", &["--vsock"], ONLY_OTHERS),
    effect("xdp", &["--xdp"], ONLY_OTHERS),
    effect("ipv4", &["-4"], ONLY_V4),
    effect("ipv6", &["-6"], Text([&["[::1]"], &["127.0.0.1"]], [&["\"::1\""], &["127.0.0.1"]])),
    effect("packet", &["-0"], Text([&["*:lo"], &["127.0.0.1"]], [&["\"ethertype\":3,"], &["127.0.0.1"]])),
    effect("all", &["-a"], shows(&[":7504", ":7507"], &["7504", "7507"])),
    effect("listening", &["-l"], Text([&[":7507"], &[":7502"]], [&["7507"], &["7502"]])),
    effect("bound-inactive", &["-B"], Text([&[":7504"], &[":7507"]], [&["7504"], &["7507"]])),
    effect("family", &["-f", "inet"], ONLY_V4),
    effect("query", &["-A", "tcp"], ONLY_TCP),
    effect("socket", &["--socket", "tcp"], ONLY_TCP),
    effect("summary", &["-s"], Itself),
    effect("diag", &["-D", "DUMP"], Itself),
    effect("filter", &["-F", "FILTER"], Text([&[":7502"], &[":http"]], [&["7502"], &[":80,"]])),
    effect("net", &["-N", "NETNS"], Itself),
    effect("kill", &["-K", "--dry-run", "--force"], Itself),
    effect("no-header", &["-H"], Text([&[], &["Address"]], [&["\"netid\""], &["Address"]])),
    effect("no-queues", &["-Q"], Text([&[], &["Recv-Q"]], [&["\"netid\""], &["recv_q"]])),
    effect("oneline", &["-O", "-i"], Text([&["cwnd:"], &["\n\t"]], [&["\"tcp_info\":"], &["\n\t"]])),
    effect("tipcinfo", &["--tipcinfo"], Nothing),
    effect("tos", &["--tos"], shows(&["tos:0x10"], &["\"tos\":16"])),
    effect("cgroup", &["--cgroup"], shows(&[" cgroup:"], &["\"cgroup_id\":"])),
    effect("inet-sockopt", &["--inet-sockopt"], shows(&["inet-sockopt:"], &["\"inet_sockopt\":"])),
    effect("bpf-maps", &["--bpf-maps"], Nothing),
    effect("bpf-map-id", &["--bpf-map-id", "4294967295"], Said("4294967295")),
    effect("version", &["-V"], Instead("ss utility, ")),
    effect("help", &["-h"], Instead("Usage: ")),
    effect("json", &["--json"], Itself),
    effect("direct", &["--direct"], Itself),
    effect("agent", &["--agent", "AGENT"], Itself),
    effect("dry-run", &["--dry-run"], Nothing),
    effect("force", &["--force"], Nothing),
    effect("all-netns", &["--all-netns"], Itself),
    effect("columns", &["--columns", "netns,state,local,peer,process,delta,details"], Itself),
    effect("sort", &["--sort", "sport", "-n"], Lines(is_sorted)),
    effect("top", &["--top", "1"], Lines(|text| rows(text).count() == 1)),
    effect("count-by", &["--count-by", "netid"], shows(&["Count netid"], &["\"key\":\"tcp\""])),
    effect("continuous", &["-c", "0.05"], Itself),
];

/// Lines that are not the names of columns, nor the heading of a round.
pub(super) fn rows(text: &str) -> impl Iterator<Item = &str> {
    text.lines().filter(|line| !line.is_empty() && !line.contains("Address") && !line.starts_with("Round "))
}

/// By local ports, which are the last number before the peer's address in a table.
fn is_sorted(text: &str) -> bool {
    let port = |line: &str| -> Option<u32> {
        if let Some((_, rest)) = line.split_once("\"local_port\":") {
            return rest.split(',').next()?.parse().ok();
        }
        line.split_whitespace().find_map(|word| word.strip_prefix("127.0.0.1:")?.parse().ok())
    };
    let ports: Vec<u32> = rows(text).filter_map(port).collect();
    ports.len() > 1 && ports.is_sorted()
}

impl Effect {
    /// Whether it is seen in the rows, or in what is said beside them.
    pub(super) fn is_seen(&self, seen: &Seen, json: bool) -> bool {
        match &self.mark {
            Text(text, of_json) => {
                let [all, none] = if json { of_json } else { text };
                all.iter().all(|it| seen.stdout.contains(it))
                    && !none.iter().any(|it| seen.stdout.contains(it))
            }
            Lines(are) => are(&seen.stdout),
            Said(text) => seen.stderr.contains(text),
            Instead(text) => seen.stdout.contains(text),
            Nothing => true,
            Itself => unreachable!("{} stands beside others", self.option),
        }
    }
}

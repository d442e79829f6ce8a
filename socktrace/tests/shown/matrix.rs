//! Every option of ss and every endpoint, asked three ways: by root through an agent, by an ordinary user through it, and
//! by that user of the kernel. What the user is shown through the agent is never more than the kernel shows.

mod ask;
mod endpoints;
mod rows;

use super::ss_as;
use crate::agent::Agent;
use crate::ss_fixtures::Fixtures;
use crate::ss_storage;
use crate::support::actor::Actor;
use crate::support::{in_own_netns, may_trace};
use ask::{Answer, Asker, JSON, TEXT};
use rows::{Rows, steady_text};
use socktrace::listing::words;
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::net::TcpListener;
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::os::unix::net::UnixListener;

/// An ordinary user, and another.
const USER: u32 = 65534;
const OTHER: u32 = 1;

/// What an option is asked with, and what comes of it.
enum Asked {
    /// These command lines.
    With(&'static [&'static str]),
    /// Likewise, and root is shown more by them: the comparison would notice.
    Secret(&'static [&'static str]),
    /// An agent cannot be asked for that.
    Unasked(&'static str),
}

use Asked::{Secret, Unasked, With};

/// Each option by its long name. `MAP` is the id of a BPF map, `SOMEWHERE` a process in another network namespace.
const OPTIONS: [(&str, Asked); 58] = [
    ("numeric", With(&["-an"])),
    ("resolve", With(&["-tar"])),
    ("options", With(&["-tano"])),
    ("extended", Secret(&["-tane", "-ane"])),
    ("memory", With(&["-anm"])),
    ("info", With(&["-tani", "-Mani"])),
    ("processes", Secret(&["-anp", "-tanp comm it*", "-tanp not comm x", "-tanp pid 1", "-tanp not pid 1"])),
    ("threads", Secret(&["-tanT"])),
    ("context", With(&["-tanZ"])),
    ("contexts", With(&["-tanz"])),
    ("bpf", Secret(&["-0anb"])),
    ("events", Unasked("-t -E")),
    ("tcp", With(&["-tan", "-tan uid 0", "-tan unit *", "-tan not unit *"])),
    ("udp", With(&["-uan"])),
    ("raw", With(&["-wan"])),
    ("sctp", With(&["-San"])),
    ("dccp", With(&["-dan"])),
    ("mptcp", With(&["-Man"])),
    ("unix", Secret(&["-xanep"])),
    ("tipc", With(&["--tipc -an"])),
    ("vsock", With(&["--vsock -an"])),
    ("xdp", With(&["--xdp -an"])),
    ("ipv4", With(&["-4 -an"])),
    ("ipv6", With(&["-6 -an"])),
    ("packet", Secret(&["-0anep"])),
    ("all", Secret(&["-tan fwmark 0x2a", "-tan fwmark 0/0", "-tan not fwmark 0x2a"])),
    ("listening", With(&["-tln", "-ln"])),
    ("bound-inactive", With(&["-tBn"])),
    ("family", Secret(&["-f netlink -anep", "-f inet -anep"])),
    ("query", With(&["-A all -an"])),
    ("socket", With(&["--socket u_str,p_dgr -an"])),
    ("summary", With(&["-s -tan"])),
    ("diag", Unasked("-t -D /tmp/never-written")),
    ("filter", Unasked("-t -F /etc/hostname")),
    ("net", Secret(&["-tan -N SOMEWHERE"])),
    ("kill", Unasked("-t -K")),
    ("no-header", With(&["-Htan"])),
    ("no-queues", With(&["-Qtan"])),
    ("oneline", Secret(&["-Otanemi"])),
    ("tipcinfo", With(&["--tipc --tipcinfo -an"])),
    ("tos", With(&["-tan --tos"])),
    ("cgroup", With(&["-tan --cgroup"])),
    ("inet-sockopt", With(&["-tan --inet-sockopt"])),
    ("bpf-maps", Secret(&["-tan --bpf-maps"])),
    ("bpf-map-id", Secret(&["-tan --bpf-map-id MAP"])),
    ("version", Unasked("-V")),
    ("help", Unasked("-h")),
    ("json", With(&["-tan --json"])),
    ("direct", With(&["-tan --direct"])),
    ("agent", With(&["-tan --agent /nonexistent"])),
    ("dry-run", Unasked("-t -K --dry-run")),
    ("force", Unasked("-t -K --force")),
    ("all-netns", Secret(&["-tan --all-netns"])),
    (
        "columns",
        Secret(&[
            "-an --columns local,peer,process",
            "-xan --columns local,peer,process,peerprocess",
            "-tan --columns local,uid,user,inode,cookie,interface,cgroup,unit,container,pod,retrans,sent,received",
        ]),
    ),
    ("sort", Secret(&["-tan --sort age", "-tanp --sort process", "-tanp --sort -pid,sport"])),
    ("top", With(&["-tan --top 3"])),
    (
        "count-by",
        Secret(&[
            "-tan --count-by process",
            "-tan --count-by pid,unit",
            "-tan --count-by user",
            "-tan --count-by netns",
        ]),
    ),
    ("continuous", Unasked("-tan -c 1")),
];

/// What there is to be seen, by several users, in a network namespace and in another.
struct World {
    _fixtures: Fixtures,
    map: (OwnedFd, u32),
    _stored: (TcpListener, UnixListener),
    _actors: [Actor; 3],
    elsewhere: Actor,
}

impl World {
    fn new() -> Self {
        let fixtures = Fixtures::open();
        let map = ss_storage::map();
        let stored = TcpListener::bind("127.0.0.1:0").unwrap();
        ss_storage::store(&map.0, stored.as_raw_fd(), &ss_storage::value());
        let roots = UnixListener::bind(fixtures.folder().join("roots")).unwrap();
        let [mut mine, mut other, mut root] =
            [("mine", USER), ("other", OTHER), ("root", 0)].map(|(name, uid)| Actor::here_as(name, uid));
        for actor in [&mut mine, &mut other, &mut root] {
            let port = actor.does("listen 127.0.0.1");
            actor.does(&format!("connect 127.0.0.1 {port}"));
            actor.does("udp-bind 127.0.0.1");
            actor.does("pair unix-stream");
        }
        let mut elsewhere = Actor::alone("elsewhere");
        elsewhere.does("listen 127.0.0.1");
        Self { _fixtures: fixtures, map, _stored: (stored, roots), _actors: [mine, other, root], elsewhere }
    }

    fn words(&self, question: &str) -> String {
        let somewhere = self.elsewhere.pid().to_string();
        question.replace("MAP", &self.map.1.to_string()).replace("SOMEWHERE", &somewhere)
    }
}

#[test]
fn every_option_is_in_the_matrix() {
    let there_are: BTreeSet<&str> = words::names().map(|name| name.long).collect();
    let asked: BTreeSet<&str> = OPTIONS.iter().map(|(name, _)| *name).collect();
    assert_eq!(asked, there_are);
    assert_eq!(asked.len(), OPTIONS.len(), "an option stands twice in the matrix");
}

#[test]
fn no_option_shows_through_an_agent_what_the_kernel_would_not_show() {
    if !may_trace("no_option_shows_through_an_agent_what_the_kernel_would_not_show") {
        return;
    }
    compare(&[]);
}

#[test]
fn nor_does_it_through_one_that_has_become_another_user() {
    if !may_trace("nor_does_it_through_one_that_has_become_another_user") {
        return;
    }
    compare(&["--user", "daemon"]);
}

/// Every option, asked three ways of an agent with these options.
fn compare(options: &[&str]) {
    in_own_netns(|| {
        let world = World::new();
        let agent = Agent::start(options);
        let (mut root, mut user) = (Asker::new(&agent, 0), Asker::new(&agent, USER));
        let direct = |words: &str| ss_as(USER, &format!("--direct {words}"));
        // Sockets that come and go with the asking are left out.
        let stable = Rows::of(&direct("-anep --json").stdout).identities();
        let mut found = String::new();
        for (option, asked) in &OPTIONS {
            let (questions, is_secret) = match asked {
                With(questions) => (*questions, false),
                Secret(questions) => (*questions, true),
                Unasked(question) => {
                    assert_eq!(ask::target(TEXT, question), None, "{question}");
                    continue;
                }
            };
            let mut more_for_root = 0;
            for question in questions {
                let words = world.words(question);
                // Without what is about the asking, and without an order that only an agent knows.
                let aside = ["--direct", "--agent /nonexistent", "--json", "--sort age"];
                let plain = aside.iter().fold(words.clone(), |words, it| words.replace(it, ""));
                // As JSON there are no columns to choose.
                let fields = plain.split_once("--columns ").map_or(plain.as_str(), |(before, _)| before);
                let kernels = || {
                    let kernels = Rows::of(&direct(&format!("{fields} -e -p --json")).stdout);
                    kernels.and(Rows::of(&direct(&format!("{fields} --json")).stdout))
                };
                let leaks =
                    |answer: &Answer, kernels: &Rows| Rows::of(&answer.body).beyond(kernels, &stable, USER);
                let beyond = at_rest(kernels, |kernels| {
                    refused_or(&user.ask(JSON, &words), question)
                        .map(|shown| leaks(shown, kernels))
                        .unwrap_or_default()
                });
                for leak in beyond {
                    writeln!(found, "--{option} ({question}), JSON: {leak}").unwrap();
                }
                more_for_root += leaks(&root.ask(JSON, &words), &kernels()).len();

                if *option == "json" {
                    continue;
                }
                let kernels = || steady_text(&direct(&plain).stdout);
                let lines = |answer: &Answer, kernels: &BTreeSet<String>| {
                    let shown = steady_text(&answer.body);
                    shown.difference(kernels).cloned().collect::<Vec<_>>()
                };
                let beyond = at_rest(kernels, |kernels| {
                    refused_or(&user.ask(TEXT, &words), question)
                        .map(|shown| lines(shown, kernels))
                        .unwrap_or_default()
                });
                for line in beyond {
                    writeln!(found, "--{option} ({question}), text: {line}").unwrap();
                }
                more_for_root += lines(&root.ask(TEXT, &words), &kernels()).len();
            }
            assert!(
                !is_secret || more_for_root > 0,
                "--{option}: root is shown no more, so nothing is compared"
            );
        }
        assert!(found.is_empty(), "{found}shown to an ordinary user through the agent and not by the kernel");
        drop(world);
    });
}

/// What is shown beyond what the kernel shows, asked at a moment at which nothing moves: a socket may change while it is
/// asked about. What counts is what is shown each time that the kernel says the same before and after.
fn at_rest<K: PartialEq>(kernels: impl Fn() -> K, mut beyond: impl FnMut(&K) -> Vec<String>) -> Vec<String> {
    const MOMENTS: usize = 3;
    let (mut at_rest, mut last) = (0, Vec::new());
    for _ in 0..20 {
        let before = kernels();
        last = beyond(&before);
        if last.is_empty() {
            break;
        }
        at_rest += usize::from(kernels() == before);
        if at_rest == MOMENTS {
            break;
        }
    }
    last
}

/// The answer, none if it was refused with a reason.
fn refused_or<'a>(answer: &'a Answer, question: &str) -> Option<&'a Answer> {
    match answer.status {
        200 => Some(answer),
        403 | 500 if answer.body.len() > 20 => None,
        _ => panic!("{question}: {} {}", answer.status, answer.body),
    }
}

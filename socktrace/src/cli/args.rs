//! The words of the command line, and what they are called. Meaning is given to them one file further.

mod answers;

use super::values;
use clap::{ArgAction, Parser, Subcommand};
use std::ffi::OsString;
use std::num::{NonZeroU32, NonZeroU64};
use std::path::PathBuf;
use std::time::Duration;

pub(super) use answers::{ProblemsArgs, WhoArgs};

const EXAMPLES: &str = "\
Examples:
  socktrace events                           watch sockets open, connect and close
  socktrace events -t --json 'dport = :443'  TCP to port 443, one JSON object per line
  socktrace ss -tlnp                         who listens, as ss prints it
  sudo socktrace agent                       run the agent, so that every answer is instant";

const EVENTS_EXAMPLES: &str = "\
FILTER is in the language of ss: 'sport = :22', 'dst 10.0.0.0/8 and not dport = :443'. Quote it.

Examples:
  sudo socktrace events -t                          every TCP connection
  sudo socktrace events -t --kinds connect_failed   what could not connect over TCP, and why
  sudo socktrace events --comm nginx --states       every state change of nginx's connections
  sudo socktrace events --json --for 60 'sport = :443' > https.ndjson";

const AGENT_EXAMPLES: &str = "\
Examples:
  sudo socktrace agent
  sudo socktrace agent --group adm --mode 0660    only root and members of adm may connect
  sudo socktrace agent --user nobody               as nobody, with the capabilities that it needs
  curl --unix-socket /run/socktrace/agent.sock http://agent/v1/events";

const HISTORY_EXAMPLES: &str = "\
TIME is 90s, 10m, 2h, 1d or 1w (ago), '10 minutes ago', 'yesterday 14:00', 14:05, @1760000000, 2026-11-22,
2026-11-22T14:05:00, with Z or +01:00 if it is not local.
FILTER is in the language of ss, as for events.

Examples:
  socktrace history --since 10m 'sport = :8080'   who was on port 8080
  socktrace history --follow --comm curl -tn      curl's connections as they close
  socktrace history --since 1h --sort retrans --top 10    most retransmissions
  sudo socktrace history --dir /var/lib/socktrace/history --json";

const DOCTOR_EXAMPLES: &str = "\
It loads and attaches the programs, makes one connection to itself and detaches; it changes nothing. The last line is the verdict.
Exit status: 0 ok or degraded, 1 failed, 3 could not be determined.

Examples:
  sudo socktrace doctor
  sudo socktrace doctor -v                         what is fine, too
  sudo socktrace doctor --json | jq -r .verdict
  sudo socktrace doctor --report doctor.json       for a bug report: no addresses, no names";

const STATUS_EXAMPLES: &str = "\
Examples:
  socktrace status
  socktrace status --json
  socktrace status --agent /run/socktrace/agent.sock
  curl --unix-socket /run/socktrace/agent.sock http://agent/v1/status";

/// Trace sockets live, list them as ss does, and look up closed ones
#[derive(Debug, Parser)]
#[command(name = "socktrace", version, after_help = EXAMPLES, max_term_width = 100)]
pub(super) struct Args {
    #[command(subcommand)]
    pub(super) command: Command,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Print what every socket does as it happens, and which process owns it
    Events(EventsArgs),
    /// List sockets: the options, filters and output of ss
    ///
    /// `socktrace ss --help` lists the options.
    #[command(disable_help_flag = true, disable_version_flag = true)]
    Ss {
        /// Options and filter, as for ss
        #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "ARGS")]
        words: Vec<OsString>,
    },
    /// Run the agent behind events, ss, history and status
    Agent(AgentArgs),
    /// List closed sockets: when, how long open, which process
    History(HistoryArgs),
    /// Say who holds a port or an address, who held it, and who could not bind it
    Who(WhoArgs),
    /// Look for what is wrong with the sockets of this host, worst first
    Problems(ProblemsArgs),
    /// Show the agent's health
    Status(StatusArgs),
    /// Check what works on this machine, and say how to fix what does not
    Doctor(DoctorArgs),
}

/// Where answers come from: the same two options in every command that asks.
#[derive(Debug, Clone, Default, clap::Args)]
pub(super) struct SourceArgs {
    /// Do not use an agent [default: use it if its socket answers]
    #[arg(long, conflicts_with = "agent", help_heading = "Source")]
    pub(super) direct: bool,
    /// Use the agent on this socket, or fail [default: $SOCKTRACE_SOCKET or /run/socktrace/agent.sock, if it answers]
    #[arg(long, value_name = "PATH", help_heading = "Source")]
    pub(super) agent: Option<PathBuf>,
}

/// Which sockets: the same options in every command that reports what happened.
#[derive(Debug, clap::Args)]
pub(super) struct WhichArgs {
    /// TCP sockets [default: every kind of socket]
    #[arg(short, long, help_heading = "Which sockets")]
    pub(super) tcp: bool,
    /// UDP sockets
    #[arg(short, long, help_heading = "Which sockets")]
    pub(super) udp: bool,
    /// Raw sockets, and ping's
    #[arg(short = 'w', long, help_heading = "Which sockets")]
    pub(super) raw: bool,
    /// UNIX sockets
    #[arg(short = 'x', long, help_heading = "Which sockets")]
    pub(super) unix: bool,
    /// IPv4 sockets [default: every family]
    #[arg(short = '4', long, help_heading = "Which sockets")]
    pub(super) ipv4: bool,
    /// IPv6 sockets
    #[arg(short = '6', long, help_heading = "Which sockets")]
    pub(super) ipv6: bool,
    /// Sockets that this process opened; may be repeated
    #[arg(long, value_name = "PID", value_parser = values::pid, help_heading = "Which sockets")]
    pub(super) pid: Vec<u32>,
    /// Sockets that processes of this name opened (at most 15 bytes); may be repeated
    #[arg(long, value_name = "NAME", help_heading = "Which sockets")]
    pub(super) comm: Vec<String>,
    /// Only sockets that match this filter, in the language of ss [default: all]
    #[arg(value_name = "FILTER", help_heading = "Which sockets")]
    pub(super) filter: Vec<String>,
}

#[derive(Debug, clap::Args)]
#[command(after_help = EVENTS_EXAMPLES)]
pub(super) struct EventsArgs {
    #[command(flatten)]
    pub(super) which: WhichArgs,

    /// Only these kinds, separated by commas: bind, listen, connect, connect_failed, accept, open, close,
    /// state [default: all but state]
    #[arg(long, value_name = "KINDS", value_delimiter = ',', help_heading = "Which events")]
    pub(super) kinds: Vec<String>,
    /// Every TCP state change too [default: off]
    #[arg(long, help_heading = "Which events")]
    pub(super) states: bool,
    /// Stop after N events [default: never]
    #[arg(long, value_name = "N", value_parser = values::count, help_heading = "Which events")]
    pub(super) count: Option<NonZeroU64>,
    /// Stop after SECS seconds [default: never]
    #[arg(long = "for", value_name = "SECS", value_parser = values::seconds, help_heading = "Which events")]
    pub(super) for_time: Option<Duration>,

    /// One JSON object per line instead of a table [default: off]
    #[arg(long, value_name = "FORM", num_args = 0..=1, require_equals = true, default_missing_value = "lines", value_parser = endless)]
    pub(super) json: Option<Json>,
    /// Port numbers instead of service names [default: off]
    #[arg(short, long)]
    pub(super) numeric: bool,
    /// Show these columns, separated by commas: time, event, lifetime, proto, family, local, peer, sport, dport, state,
    /// process, pid, command, attribution, uid, netns, cookie, cgroup, unit, container, pod, sent, received, rtt, retrans, details
    /// [default: time, event, proto, local, peer, pid, command, details]
    #[arg(long, value_name = "LIST", value_delimiter = ',', conflicts_with = "json")]
    pub(super) columns: Vec<String>,
    /// Size of the buffer between the kernel and socktrace, bytes, for all CPUs together, without an agent [default: 16 MiB,
    /// or 512 KiB for each CPU if that is more]
    #[arg(long, value_name = "BYTES", value_parser = values::ring)]
    pub(super) ring_size: Option<NonZeroU32>,
    #[command(flatten)]
    pub(super) source: SourceArgs,
}

#[derive(Debug, Clone, clap::Args)]
#[command(after_help = AGENT_EXAMPLES)]
pub(super) struct AgentArgs {
    /// Read these options, under the same names, from this TOML file; the command line comes before it
    /// [default: /etc/socktrace/agent.toml, if it is there]
    #[arg(long, value_name = "FILE", help_heading = "Configuration")]
    pub(super) config: Option<PathBuf>,
    /// Only check the configuration file and the options, and print what they come to [default: run]
    #[arg(long, help_heading = "Configuration")]
    pub(super) check_config: bool,
    /// Where to listen [default: $SOCKTRACE_SOCKET or /run/socktrace/agent.sock]
    #[arg(long, value_name = "PATH")]
    pub(super) socket: Option<PathBuf>,
    /// Members of this group are shown everything, as root is [default: the agent's own group]
    #[arg(long, value_name = "NAME")]
    pub(super) group: Option<String>,
    /// Become this user once everything is attached, and keep only the capabilities that are needed [default: stay]
    #[arg(long, value_name = "NAME")]
    pub(super) user: Option<String>,
    /// Permissions of the socket: 0660 keeps out everybody but root and the group [default: 0666]
    #[arg(long, value_name = "OCTAL", value_parser = values::mode)]
    pub(super) mode: Option<u32>,
    /// Size of the buffer between the kernel and the agent, bytes, for all CPUs together; the part of each is rounded up to
    /// a power of two [default: 16 MiB, or 512 KiB for each CPU if that is more]
    #[arg(long, value_name = "BYTES", value_parser = values::ring)]
    pub(super) ring_size: Option<NonZeroU32>,
    /// Keep at most N closed sockets in memory [default: 500000]
    #[arg(long, value_name = "N", value_parser = values::number, help_heading = "History")]
    pub(super) history_entries: Option<usize>,
    /// Memory for closed sockets, bytes [default: 24 MiB]
    #[arg(long, value_name = "BYTES", value_parser = values::bytes, help_heading = "History")]
    pub(super) history_bytes: Option<usize>,
    /// Write closed sockets to files in this directory too, and answer from them after a restart [default: memory only]
    #[arg(long, value_name = "DIR", help_heading = "History")]
    pub(super) history_dir: Option<PathBuf>,
    /// Limit for the size of those files, bytes, at least 1 MiB; the oldest are removed [default: 256 MiB]
    #[arg(long, value_name = "BYTES", value_parser = values::files, help_heading = "History")]
    pub(super) history_dir_size: Option<u64>,
}

impl AgentArgs {
    /// Where it says nothing, what the other says.
    pub(super) fn or(self, other: Self) -> Self {
        Self {
            config: self.config.or(other.config),
            check_config: self.check_config || other.check_config,
            socket: self.socket.or(other.socket),
            group: self.group.or(other.group),
            user: self.user.or(other.user),
            mode: self.mode.or(other.mode),
            ring_size: self.ring_size.or(other.ring_size),
            history_entries: self.history_entries.or(other.history_entries),
            history_bytes: self.history_bytes.or(other.history_bytes),
            history_dir: self.history_dir.or(other.history_dir),
            history_dir_size: self.history_dir_size.or(other.history_dir_size),
        }
    }
}

#[derive(Debug, clap::Args)]
#[command(after_help = HISTORY_EXAMPLES)]
pub(super) struct HistoryArgs {
    #[command(flatten)]
    pub(super) which: WhichArgs,
    /// Only these kinds, separated by commas: close, connect_failed, and bind and listen, of which those that failed are
    /// kept [default: close, connect_failed]
    #[arg(long, value_name = "KINDS", value_delimiter = ',', help_heading = "Which sockets")]
    pub(super) kinds: Vec<String>,
    /// Closed at this time or later: 10m, 2h or 1d ago, at 14:05, 2026-11-22T14:05:00 or the like [default: the beginning]
    #[arg(long, value_name = "TIME", allow_hyphen_values = true, help_heading = "When")]
    pub(super) since: Option<String>,
    /// Closed at this time or earlier (same formats) [default: now]
    #[arg(long, value_name = "TIME", allow_hyphen_values = true, help_heading = "When")]
    pub(super) until: Option<String>,
    /// One JSON object per line instead of a table, or with --json=array all of them in one array [default: off]
    #[arg(long, value_name = "FORM", num_args = 0..=1, require_equals = true, default_missing_value = "lines", hide_possible_values = true)]
    pub(super) json: Option<Json>,
    /// Port numbers instead of service names [default: off]
    #[arg(short, long)]
    pub(super) numeric: bool,
    /// Show these columns, separated by commas, of those that events have [default: time, lifetime, proto, local, peer,
    /// process, details]
    #[arg(long, value_name = "LIST", value_delimiter = ',', conflicts_with = "json")]
    pub(super) columns: Vec<String>,
    /// Order by these columns, separated by commas, large amounts first; -COLUMN is the other way round [default: time]
    #[arg(long, value_name = "LIST", value_delimiter = ',', allow_hyphen_values = true)]
    pub(super) sort: Vec<String>,
    /// Show the first N only [default: all]
    #[arg(long, value_name = "N", value_parser = values::top)]
    pub(super) top: Option<usize>,
    /// Count by these columns, separated by commas, instead of listing [default: off]
    #[arg(long, value_name = "LIST", value_delimiter = ',', conflicts_with_all = ["columns", "sort"])]
    pub(super) count_by: Vec<String>,
    /// Go on with what closes, until interrupted; without --since only with that [default: off]
    #[arg(short, long, help_heading = "When", conflicts_with_all = ["until", "sort", "top", "count_by", "dir"])]
    pub(super) follow: bool,
    /// The agent's socket [default: $SOCKTRACE_SOCKET or /run/socktrace/agent.sock]
    #[arg(long, value_name = "PATH", help_heading = "Source")]
    pub(super) agent: Option<PathBuf>,
    /// Read the files that an agent has written with --history-dir, and ask no agent [default: ask the agent]
    #[arg(long, value_name = "DIR", conflicts_with = "agent", help_heading = "Source")]
    pub(super) dir: Option<PathBuf>,
}

#[derive(Debug, clap::Args)]
#[command(after_help = STATUS_EXAMPLES)]
pub(super) struct StatusArgs {
    /// One JSON object instead of lines [default: off]
    #[arg(long, action = ArgAction::SetTrue)]
    pub(super) json: bool,
    /// The agent's socket [default: $SOCKTRACE_SOCKET or /run/socktrace/agent.sock]
    #[arg(long, value_name = "PATH")]
    pub(super) agent: Option<PathBuf>,
}

#[derive(Debug, clap::Args)]
#[command(after_help = DOCTOR_EXAMPLES)]
pub(super) struct DoctorArgs {
    /// Show what is fine, too [default: only what is not]
    #[arg(short, long)]
    pub(super) verbose: bool,
    /// One JSON object instead of lines [default: off]
    #[arg(long)]
    pub(super) json: bool,
    /// Write everything to this file as well, which must not be there yet; it holds no addresses and no names of processes,
    /// users or hosts [default: no file]
    #[arg(long, value_name = "FILE")]
    pub(super) report: Option<PathBuf>,
    /// The agent's socket [default: $SOCKTRACE_SOCKET or /run/socktrace/agent.sock]
    #[arg(long, value_name = "PATH")]
    pub(super) agent: Option<PathBuf>,
}

/// How JSON objects follow one another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Json {
    /// One per line
    Lines,
    /// All of them in one array
    Array,
}

/// How the objects of what never ends follow one another.
fn endless(text: &str) -> Result<Json, String> {
    match text {
        "lines" => Ok(Json::Lines),
        "array" => Err("an array is for a list that ends, and events do not: use --json".to_owned()),
        _ => Err("expected lines".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn clap_accepts_its_own_definition() {
        Args::command().debug_assert();
    }

    #[test]
    fn the_help_has_every_column_and_every_kind_of_event() {
        let command = Args::command();
        let events = command.find_subcommand("events").unwrap();
        let help = |id: &str| {
            let arg = events.get_arguments().find(|arg| arg.get_id() == id).unwrap();
            arg.get_help().unwrap().to_string().replace('\n', " ")
        };
        let columns = crate::api::columns::Column::words().join(", ");
        assert!(help("columns").contains(&format!(": {columns} [")), "{columns}");
        let kinds = crate::socket::KindSet::names();
        let kinds = kinds.iter().filter(|kind| !["lost", "resync"].contains(kind));
        kinds.for_each(|kind| assert!(help("kinds").contains(kind), "{kind}"));

        let problems = command.find_subcommand("problems").unwrap();
        let arg = problems.get_arguments().find(|arg| arg.get_id() == "kinds").unwrap();
        let kinds =
            crate::findings::problems::Kind::ALL.map(crate::findings::problems::Kind::word).join(", ");
        assert!(
            arg.get_help().unwrap().to_string().replace('\n', " ").contains(&format!(": {kinds} [")),
            "{kinds}"
        );
    }

    #[test]
    fn every_flag_is_one_sentence_and_every_command_ends_in_four_examples() {
        for command in Args::command().get_subcommands() {
            for arg in command.get_arguments().filter(|arg| !arg.is_global_set()) {
                let help = arg.get_help().map(ToString::to_string).unwrap_or_default();
                assert!(!help.is_empty() && !help.contains(". "), "{} {}", command.get_name(), arg.get_id());
            }
            if command.get_name() != "ss" {
                let help = command.get_after_help().unwrap().to_string();
                assert_eq!(help.split("Examples:\n").nth(1).unwrap().lines().count(), 4);
            }
        }
    }
}

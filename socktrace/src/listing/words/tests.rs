//! Words in, meaning out.

use super::*;
use crate::api::sockets::Request;
use crate::api::sockets::table::{LISTENING, Table, TableSet};
use crate::socket::{Family, State, StateSet};

fn command(line: &str) -> Command {
    match try_parse(line) {
        Ok(Asked::Command(command)) => *command,
        other => panic!("{line}: {other:?}"),
    }
}

fn try_parse(line: &str) -> Result<Asked, UsageError> {
    let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
    parse(&words, None)
}

#[test]
fn columns_are_chosen_by_their_words() {
    let chosen = command("-t --columns local,unit,process");
    assert_eq!(
        chosen.question.columns,
        ["local", "unit", "process"].map(|word| Pick::from_word(word).unwrap())
    );
    assert!(chosen.question.show.users.is_some());
    for (line, expected) in [
        ("--columns state,lcal", "--columns: unknown column \"lcal\"; did you mean `local`?"),
        ("--columns state,", "--columns: unknown column \"\"; choose from netns, "),
        ("--columns state --json", "--json and --columns do not go together: --columns is for tables"),
        (&format!("--columns state{}", ",state".repeat(64)), "--columns: at most 64 columns can be shown"),
        (&"--bpf-map-id 1 ".repeat(65), "--bpf-map-id: at most 64 maps can be shown"),
    ] {
        let error = try_parse(line).unwrap_err().to_string();
        assert!(error.starts_with(expected), "{line}: {error}");
    }
}

#[test]
fn clusters_long_names_and_abbreviations_mean_the_same() {
    fn check(line: &str, same: &str) {
        assert_eq!(command(line), command(same), "{line}");
    }
    check("-tulpn", "--tcp --udp --listening --processes --numeric");
    check("-lt sport = :8080", "sport = -t :8080 -l");
    check("--num --list --tc", "-nlt");
    check("-finet", "--family=inet");
    check("-f inet", "--family inet");
    check("-A tcp,udp", "--query=tcp,udp");
    check("-A tcp,udp", "--socket tcp,udp");
    check("--context", "-Z");
    check("--so tcp", "-A tcp");
    check("-t -- sport = :1", "-t sport = :1");
    check("-a -l", "-l");
    check("-l -a", "-a");
    check("-tHa", "-t -H -a");
    check("-tD/tmp/x", "-t -D /tmp/x");
}

/// What is asked of an agent is what the command line says: alone and in pairs, whatever goes together.
#[test]
fn a_question_survives_its_url() {
    let value = |name: &str| match name {
        "family" => "inet6",
        "query" | "socket" => "u_str,!tcp,raw",
        "columns" => "details,local,process",
        "sort" => "-recvq,process",
        "count-by" => "state,pid",
        "net" => "blue",
        "agent" | "filter" | "diag" => "somewhere",
        _ => "7",
    };
    let all: Vec<Vec<String>> = names()
        .map(|name| {
            let value = name.takes_value.then(|| value(name.long).to_owned());
            std::iter::once(format!("--{}", name.long)).chain(value).collect()
        })
        .collect();
    let filters = ["", "state all exclude listening", "state established sport = :22 or dst a&b=c"];
    let mut asked = 0;
    for (one, first) in all.iter().enumerate() {
        for second in all.iter().skip(one) {
            for filter in filters {
                let words = first.iter().chain(second).cloned();
                let words: Vec<_> = words.chain(filter.split_whitespace().map(str::to_owned)).collect();
                for screen in [None, Screen::of(80)] {
                    let Ok(Asked::Command(command)) = parse(&words, screen) else { continue };
                    let request = Request { question: command.question, asked_from: Some(7) };
                    let (query, accept) = request.to_query();
                    assert_eq!(Request::from_request(accept, &query), Ok(request), "{words:?} {query}");
                    asked += 1;
                }
            }
        }
    }
    assert!(asked > 5000, "{asked}");
}

#[test]
fn options_mean_what_they_mean_in_ss() {
    let listening = command("-ltn").question;
    assert_eq!(listening.selection.states, LISTENING);
    assert_eq!(listening.selection.tables, TableSet::of(&[Table::Tcp]));
    assert!(listening.show.numeric && !listening.show.netid && listening.show.state && listening.header);

    let unix = command("-x").question;
    assert!(unix.show.netid && unix.show.state);
    assert_eq!(unix.selection.last_family, Some(Family::Unix));

    let udp = command("-u").question;
    assert_eq!(udp.selection.states, StateSet::of(State::Established));
    assert!(!udp.show.state, "one state needs no column");

    let extended = command("-eHQO").question;
    assert!(extended.show.timers && extended.show.extended && extended.show.oneline);
    assert!(!extended.header && !extended.show.queues);

    assert!(command("-T").question.show.users.unwrap().threads, "threads are of processes");
    assert_eq!(command("-s").action, Action::Nothing);
    assert_eq!(command("-ts").action, Action::List);
    assert_eq!(command("-K dst 1.1.1.1").action, Action::Kill { dry_run: false, force: false });
    assert_eq!(command("-N blue").question.netns, NetnsChoice::One("blue".into()));
    assert_eq!(command("-c 0.5").every, Some(Duration::from_millis(500)));
    assert_eq!(try_parse("-h"), Ok(Asked::Help));
    assert_eq!(try_parse("-t --help --nonsense"), Ok(Asked::Help));
    assert_eq!(try_parse("-V"), Ok(Asked::Version));
}

#[test]
fn json_is_lines_unless_an_array_is_asked_for() {
    for (line, array) in [("--json", false), ("--json=lines", false), ("--json=array", true)] {
        let command = command(line);
        assert_eq!((command.question.format, command.array), (Format::Json, array), "{line}");
    }
}

#[test]
fn what_cannot_be_understood_is_said() {
    fn check(line: &str, expected: &str) {
        assert_eq!(try_parse(line).unwrap_err().to_string(), expected, "{line}");
    }
    check("-y", "unknown option -y");
    check("sport = -1", "unknown option -1");
    check("--nonsense", "unknown option --nonsense");
    check("--bpf-map", "option --bpf-map is ambiguous: --bpf-maps, --bpf-map-id");
    check("--tcp=1", "option --tcp takes no value");
    check("-tf", "option -f needs a value");
    check(
        "-f ipx",
        "--family: unknown family \"ipx\"; choose from inet, inet6, link, unix, netlink, tipc, vsock, xdp",
    );
    check("-A tpc", "--query: unknown table \"tpc\"; did you mean `tcp`?");
    check("-A !netlnk", "--query: unknown table \"netlnk\"; did you mean `netlink`?");
    check("--sort -agee", "--sort: unknown key \"-agee\"; did you mean `age`?");
    check("-F a -F b", "more than one filter file");
    let both =
        "--bpf-maps and --bpf-map-id do not go together: one shows every map, the other those that are named";
    check("--bpf-maps --bpf-map-id=3", both);
    check("--bpf-map-id=3 --bpf-maps", both);
    check("--top ten", "--top: \"ten\" is not a number, 1 or more");
    check("--top 0", "--top: \"0\" is not a number, 1 or more");
    check("--colums state", "unknown option --colums; did you mean `--columns`?");
    check("--numreic", "unknown option --numreic; did you mean `--numeric`?");
    check("--json=arry", "--json: unknown form \"arry\"; did you mean `array`?");
    let endless = "--json=array is for a list that ends, which --events and --continuous do not: use --json";
    check("-tE --json=array", endless);
    check("-t --json=array -c 1", endless);
    check("-c 0", "--continuous: \"0\" is not a positive number of seconds");
    check("--dry-run", "--dry-run and --force belong to --kill");
}

#[test]
fn what_would_be_dropped_is_refused_with_both_names() {
    fn check(line: &str, names: &str) {
        let error = try_parse(line).unwrap_err().to_string();
        assert!(error.starts_with(&format!("{names} do not go together: ")), "{line}: {error}");
    }
    check("-N blue --all-netns", "--all-netns and --net");
    check("-tK --all-netns", "--all-netns and --kill");
    check("-tK --top 3", "--kill and --top");
    check("-sK", "--summary and --kill");
    check("-tE --sort sport", "--events and --sort");
    check("-xE", "--events and --unix");
    check("-uD x", "--diag and --udp");
    check("-D x -F y", "--diag and --filter");
    check("-t -sD -", "--diag and --summary");
    check("-xK", "--kill and --unix");
    check("-ti --columns state", "--columns and --info");
    check("-tp --columns local", "--columns and --processes");
    check("-tr --columns state", "--columns and --resolve");
    check("-s --agent /x", "--agent and --summary");
    for line in ["-D x sport = 1", "-tE state listening"] {
        assert!(matches!(try_parse(line), Err(UsageError::Clash(_))), "{line}");
    }
    for line in [
        "-tsK",
        "-ts --columns state",
        "-ti --columns state,details",
        "-tp --columns process",
        "-xp --columns peerprocess",
        "-tr --columns peer",
        "-tn --columns state",
        "-tsD x",
        "-tuE",
        "-txK",
        "-4K",
        "-ts --agent /x",
        "-D x state established",
        "-s -F x --sort age",
    ] {
        command(line);
    }
    assert_eq!(command("-s -F x").action, Action::List, "a filter asks for sockets");
}

proptest::proptest! {
    #[test]
    fn no_words_make_it_panic(words: Vec<String>) {
        let _ = parse(&words, None);
    }
}

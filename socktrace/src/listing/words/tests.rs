//! Words in, meaning out.

use super::*;
use crate::listing::selection::{LISTENING, Table, TableSet};
use crate::socket::{Family, State, StateSet};

fn question(line: &str) -> Question {
    match try_parse(line) {
        Ok(Asked::Question(question)) => *question,
        other => panic!("{line}: {other:?}"),
    }
}

fn try_parse(line: &str) -> Result<Asked, UsageError> {
    let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
    parse(&words, None)
}

#[test]
fn columns_are_chosen_by_their_words() {
    let chosen = question("-t --columns local,unit,process");
    assert_eq!(
        chosen.options.columns,
        ["local", "unit", "process"].map(|word| Pick::from_word(word).unwrap())
    );
    assert!(chosen.options.show.users.is_some());
    for (line, expected) in [
        (
            "--columns state,lcal",
            "--columns: unknown column \"lcal\"; choose from netns, netid, state, recvq, ",
        ),
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
        assert_eq!(question(line), question(same), "{line}");
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

#[test]
fn a_question_without_its_filter() {
    for (line, others, states) in [
        ("-t|sport|=|-l|:1", "-t -l", ""),
        ("state|all|-N|blue|sport|=|:1|--|-x", "-N blue --", "state all"),
        ("-t|state|all|exclude|listening", "-t", "state all exclude listening"),
        ("--columns|local|dst|a", "--columns local", ""),
        ("-t|state established|dst a", "-t", "state established"),
        ("-t|state established and dst a", "-t", "state established and"),
        ("-t|state|established|and|dst|a", "-t", "state established and"),
        ("-t|state all exclude listening dst|a", "-t", "state all exclude listening"),
        ("-t|state established or dst a", "-t", ""),
        ("--no-such-option|dst|a", "--no-such-option dst a", ""),
    ] {
        let words: Vec<String> = line.split('|').map(str::to_owned).collect();
        let found = without_filter(&words);
        let kept: Vec<&str> = found.others.iter().map(|&place| words[place].as_str()).collect();
        assert_eq!(
            (kept.join(" "), found.states.join(" ")),
            (others.to_owned(), states.to_owned()),
            "{line}"
        );
    }
}

#[test]
fn options_mean_what_they_mean_in_ss() {
    let listening = question("-ltn").options;
    assert_eq!(listening.selection.states, LISTENING);
    assert_eq!(listening.selection.tables, TableSet::of(&[Table::Tcp]));
    assert!(listening.show.numeric && !listening.show.netid && listening.show.state && listening.header);

    let unix = question("-x").options;
    assert!(unix.show.netid && unix.show.state);
    assert_eq!(unix.selection.last_family, Some(Family::Unix));

    let udp = question("-u").options;
    assert_eq!(udp.selection.states, StateSet::of(State::Established));
    assert!(!udp.show.state, "one state needs no column");

    let extended = question("-eHQO").options;
    assert!(extended.show.timers && extended.show.extended && extended.show.oneline);
    assert!(!extended.header && !extended.show.queues);

    assert!(question("-T").options.show.users.unwrap().threads, "threads are of processes");
    assert_eq!(question("-s").options.action, Action::Nothing);
    assert_eq!(question("-ts").options.action, Action::List);
    assert_eq!(question("-K dst 1.1.1.1").options.action, Action::Kill { dry_run: false, force: false });
    assert_eq!(question("-N blue").options.netns, NetnsChoice::One("blue".into()));
    assert_eq!(question("-c 0.5").every, Some(Duration::from_millis(500)));
    assert_eq!(try_parse("-h"), Ok(Asked::Help));
    assert_eq!(try_parse("-t --help --nonsense"), Ok(Asked::Help));
    assert_eq!(try_parse("-V"), Ok(Asked::Version));
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
    check("-f ipx", "--family: \"ipx\" is not inet, inet6, link, unix, netlink, vsock, tipc or xdp");
    check(
        "-A tcp,",
        "--query: \"\" is not a table of sockets: all, inet, tcp, udp, raw, unix, packet, netlink …",
    );
    check("-F a -F b", "more than one filter file");
    let both =
        "--bpf-maps and --bpf-map-id do not go together: one shows every map, the other those that are named";
    check("--bpf-maps --bpf-map-id=3", both);
    check("--bpf-map-id=3 --bpf-maps", both);
    check("--top ten", "--top: \"ten\" is not a number, 1 or more");
    check("--top 0", "--top: \"0\" is not a number, 1 or more");
    check("--colums state", "unknown option --colums; did you mean --columns?");
    check("--numreic", "unknown option --numreic; did you mean --numeric?");
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
        question(line);
    }
    assert_eq!(question("-s -F x").options.action, Action::List, "a filter asks for sockets");
}

proptest::proptest! {
    #[test]
    fn no_words_make_it_panic(words: Vec<String>) {
        let _ = parse(&words, None);
    }
}

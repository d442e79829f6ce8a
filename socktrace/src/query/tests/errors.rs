//! Wrong filters: the word that is pointed at, and what is said.

use super::super::{Context, Dialect, parse};
use super::TableNames;

/// The words, the line of carets, and a part of the message.
#[track_caller]
fn check_in(dialect: Dialect, words: &[&str], carets: &str, message: &str) {
    let words: Vec<String> = words.iter().map(|&word| word.to_owned()).collect();
    let error = parse(&words, &Context::new(dialect), &TableNames).expect_err(&words.join(" "));
    let expected = format!("{}\n{carets}", words.join(" "));
    assert_eq!(error.render(&words), expected, "{error}");
    assert!(error.to_string().contains(message), "{error}");
}

#[track_caller]
fn check(text: &str, carets: &str, message: &str) {
    check_in(Dialect::Ss, &[text], carets, message);
    let words: Vec<&str> = text.split(' ').collect();
    check_in(Dialect::Ss, &words, carets, message);
}

#[test]
fn the_wrong_word_is_pointed_at() {
    check("sport = :22 or dprt = :80", "               ^^^^", "did you mean `dport`?");
    check("foo", "^^^", "choose from src, dst");
    check("sport = 22 22", "           ^^", "unknown filter keyword \"22\"");
    check("SPORT = 22", "^^^^^", "did you mean `sport`?");
    check("sport=22", "^^^^^^^^", "did you mean `sport = 22`?");
    check("(sport = 22 )", "^^^^^^", "did you mean `( sport`?");
    check("!sport = 22", "^^^^^^", "did you mean `! sport`?");
    check("(sport>=22)", "^^^^^^^^^^^", "did you mean `( sport >= 22 )`?");
    check("( sport = 22)", "          ^^^", "did you mean `22 )`?");
    check("( src 10.0.0.1)", "      ^^^^^^^^^", "did you mean `10.0.0.1 )`?");
    check("sport = nosuch", "        ^^^^^^", "not a port or a known service");
    check("src 10.0.0.1:nosuch", "             ^^^^^^", "not a port or a known service");
    check("src 10.0.0.0/33", "    ^^^^^^^^^^^", "a prefix of IPv4 is a number from 0 to 32");
    check("src [fe80::/129]", "     ^^^^^^^^^^", "a prefix of IPv6 is a number from 0 to 128");
    check("src inet:/run/x", "         ^^^^^^", "did you mean unix:/run/x?");
    check("dst inet:@x", "         ^^", "did you mean unix:@x?");
    check("src inet6:10.0.0.1", "          ^^^^^^^^", "is an IPv4 address, but no IPv4 sockets are selected");
    check("src 10/255", "    ^^^^^^", "not an address");
    check("src inet:nosuch", "         ^^^^^^", "or a known host");
    check("src ::1", "    ^^^", "did you mean [::1]?");
    check("dst 2001:db8:0:0:0:0:0:1", "    ^^^^^^^^^^^^^^^^^^^^", "did you mean [2001:db8:0:0:0:0:0:1]?");
    check("src [::1", "    ^^^^", "never closed");
    check("sport = torn", "        ^^^^", "1000 in TCP and 1001 in UDP");
    check("dev eth9", "    ^^^^", "no network device is called");
    check("src [::1]%eth9", "          ^^^^", "no network device is called");
    check("src [::1%eth9]:22", "         ^^^^", "no network device is called");
    check("src 10.0.0.1%if:22", "             ^^", "no network device is called");
    check("state closed exclude closed", "                     ^^^^^^", "exclude every state");
    check("exclude open", "        ^^^^", "choose from established");
    check("fwmark x", "       ^", "mark");
    check("fwmark 1/x", "         ^", "mark");
    check("cgroup /nosuch", "       ^^^^^^^", "no cgroup");
    check("user nobody9", "     ^^^^^^^", "no user");
    check("state open", "      ^^^^", "choose from established");
    check("reset pear", "      ^^^^", "\"pear\" is not one of local, peer, either, or `*`");
    check("closed_first {local,either}", "                    ^^^^^^", "not one of local, peer, both");
    check("failed_by = both", "            ^^^^", "not one of local, peer, network");
    check("cookie 1a", "       ^^", "0x1a");
    check("rtt > 5", "      ^", "\"5\" needs a unit: 5ms, 5s");
    check("rtt > x", "      ^", "duration: 250us");
    check("recvq > x", "        ^", "number of bytes");
    check("pid 99999999999", "    ^^^^^^^^^^^", "32 bits");
    check("src link:nosuch", "         ^^^^^^", "ethertype");
    check("src netlink:nosuch", "            ^^^^^^", "netlink protocol");
    check("src vsock:x", "          ^", "context id");
    check("dst vsock:2:x", "            ^", "vsock port");
}

#[test]
fn what_is_missing_is_named() {
    check("sport =", "        ^", "`sport` needs a value: sport = 443");
    check("sport", "      ^", "`sport` needs a value");
    check("sport or dport = 22", "      ^^", "`sport` needs a value");
    check("sport = 22 or", "              ^", "expected a filter keyword");
    check("sport = 22 and and dport = 1", "               ^^^", "expected a filter keyword");
    check("not", "    ^", "expected a filter keyword");
    check("( )", "  ^", "expected a filter keyword");
    check("( sport = 22", "^", "never closed");
    check("sport = 22 )", "           ^", "never opened");
    check(")", "^", "never opened");
    check("= 22", "^", "expected a filter keyword");
}

#[test]
fn operators_that_make_no_sense() {
    check("src > 10.0.0.1", "    ^", "`src` can only be compared with `=`");
    check("dev > eth0", "    ^", "`dev` can only be");
    check("comm < x", "     ^", "`comm` can only be");
    check("reset > peer", "      ^", "`reset` can only be");
    check("cookie < 5", "       ^", "`cookie` can only be");
    check("sport > {22,80}", "        ^^^^^^^", "a list or a range");
    check("sport > 22-80", "        ^^^^^", "a list or a range");
    check("sport = 80-22", "        ^^^^^", "before its start");
    check("sport = 22,,80", "          ^", "write a list as");
    check("sport = {22,,80}", "           ^", "write a list as");
    check("sport = {", "        ^", "write a list as");
    check("sport = {22,80", "        ^^^^^^", "write a list as");
    check("sport = inet:{22,80", "        ^^^^^^^^^^^", "write a list as");
    check("sport = inet:{22,", "        ^^^^^^^^^", "write a list as");
    check("comm = {a,{b}", "          ^^", "write a list as");
    check("sport = {}", "        ^^", "write a list as");
    check("sport > unix:x", "             ^", "can only be compared");
}

#[test]
fn strict_refuses_what_people_read_in_two_ways() {
    let strict =
        |text: &str, carets: &str, message: &str| check_in(Dialect::Strict, &[text], carets, message);
    strict("sport = 1 or sport = 2 and dport = 3", "                       ^^^", "parentheses");
    strict("sport = 1 or sport = 2 dport = 3", "                       ^^^^^", "parentheses");
    strict("sport = 65536", "        ^^^^^", "no port above 65535");
    let fine = ["sport = 1 and sport = 2 or dport = 3".to_owned()];
    assert!(parse(&fine, &Context::new(Dialect::Strict), &TableNames).is_ok());
}

#[test]
fn too_deep_is_an_error_and_no_overflow() {
    for text in ["( ".repeat(100_000), "not ".repeat(100_000), format!("{}sport = 1", "! ".repeat(300))] {
        let error = parse(&[text], &Context::new(Dialect::Ss), &TableNames).unwrap_err();
        assert!(error.to_string().contains("nested more than 200 deep"), "{error}");
    }
    let zigzag = "sport = 1 and sport = 2 or ".repeat(150) + "sport = 3";
    let error = parse(&[zigzag], &Context::new(Dialect::Ss), &TableNames).unwrap_err();
    assert!(error.to_string().contains("nested"), "{error}");
    let long = "sport = 1 or ".repeat(10_000) + "sport = 3";
    assert!(parse(&[long], &Context::new(Dialect::Ss), &TableNames).is_ok());
}

#[test]
fn a_rendering_is_safe_and_aligned() {
    let words = ["é\x1b[0m".to_owned(), "x".to_owned()];
    let error = parse(&words, &Context::new(Dialect::Ss), &TableNames).unwrap_err();
    assert_eq!(error.render(&words), "é?[0m x\n^^^^^");
    let quoted = [r"sport = a\ b".to_owned()];
    let error = parse(&quoted, &Context::new(Dialect::Ss), &TableNames).unwrap_err();
    assert_eq!(error.render(&quoted), "sport = a\\ b\n        ^^^^");
    let none: [String; 0] = [];
    assert!(parse(&none, &Context::new(Dialect::Ss), &TableNames).unwrap().is_empty());
}

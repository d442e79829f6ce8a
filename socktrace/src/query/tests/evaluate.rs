//! Which sockets of the fixtures pass.

use super::super::{Context, Dialect, Filter};
use super::fixtures::fixtures;
use super::{read, read_as};
use crate::socket::{Endpoint, Family};

pub(super) fn passing(filter: &Filter) -> String {
    let fixtures = fixtures();
    let names: Vec<_> = fixtures.iter().filter(|a| filter.matches(&a.facts())).map(|a| a.name).collect();
    names.join(" ")
}

#[track_caller]
fn check(text: &str, expected: &str) {
    assert_eq!(passing(&read(text).expect(text)), expected, "{text}");
}

#[test]
fn the_empty_filter_passes_everything() {
    for text in ["", "  ", "\t"] {
        assert_eq!(passing(&read(text).unwrap()).split(' ').count(), 12);
    }
}

#[test]
fn ports_by_every_operator() {
    for op in ["", "=", "==", "eq"] {
        check(&format!("sport {op} :22"), "sshd waiting");
    }
    for op in ["!=", "ne", "neq"] {
        check(&format!("sport {op} 22 and src inet:*"), "client");
    }
    for op in [">", "gt"] {
        check(&format!("sport {op} 443"), "client linklocal path abstract auto vsock");
    }
    for op in ["<", "lt"] {
        check(&format!("sport {op} 443"), "sshd waiting packet netlink");
    }
    for op in [">=", "ge", "geq"] {
        check(&format!("dport {op} 50000"), "mapped waiting");
    }
    for op in ["<=", "le", "leq"] {
        check(&format!("dport {op} 0"), "sshd web linklocal path auto packet netlink");
    }
}

#[test]
fn ports_in_every_spelling() {
    check("sport = 0x16", "sshd waiting");
    check("sport = 026", "sshd waiting");
    check("sport = :ssh", "sshd waiting");
    check("sport https", "web mapped");
    check("sport = 70000", "");
    check("sport = inet6:443", "web mapped");
    check("sport = inet6::443", "web mapped");
    check("sport *", "sshd web client mapped waiting linklocal path abstract auto packet netlink vsock");
    check("sport :", "sshd web client mapped waiting linklocal path abstract auto packet netlink vsock");
    check("sport >= *", "sshd web client mapped waiting linklocal path abstract auto packet netlink vsock");
    check("sport != *", "");
    check("dport < *", "");
    check("sport = 0-100", "sshd waiting packet");
    check("sport = {22,40000-50000}", "sshd client waiting");
    check("sport = 22,40000-50000", "sshd client waiting");
    check("sport = { :22, https }", "sshd web mapped waiting");
    check("sport != {22,443} src inet:*", "client");
    check("sport = inet:{22, 443 }", "sshd waiting");
    check("sport = inet6:443,22", "web mapped");
    check("port = 443", "web client mapped");
    check("port != 443 src inet:*", "sshd waiting");
    check("port = 50000-60000", "mapped waiting");
    check("sport = http-alt", "");
}

#[test]
fn hosts_in_every_form() {
    check("src 10.0.0.1", "client mapped");
    check("src = 10.0.0.1", "client mapped");
    check("src != 10.0.0.1 dst inet:*", "sshd waiting");
    check("src inet:10.0.0.1", "client");
    check("src 10/8", "client mapped");
    check("src 10/255.0.0.0", "client mapped");
    check("src 10.0.0.0/8:443", "mapped");
    check("src 012.0.0.1", "client mapped");
    check("src [::ffff:10.0.0.1]", "mapped");
    check("src [::ffff:0.0.0.0/96]", "mapped");
    check("src 0.0.0.0", "sshd");
    check("src 0.0.0.0/0", "sshd client mapped waiting");
    check("src [::]", "web");
    check("src [::/0]", "web mapped linklocal");
    check("src ::/0", "web mapped linklocal");
    check("src inet6:any", "web mapped linklocal");
    check("src inet:default", "sshd client waiting");
    check("src [fe80::/10]:546", "linklocal");
    check("src fe80::/10:546", "linklocal");
    check("src :22", "sshd waiting");
    check("src *:22", "sshd waiting");
    check("dst *:*", "sshd web client mapped waiting linklocal path abstract auto packet netlink vsock");
    check("src []:443", "web mapped");
    check("src [10/8]:443", "mapped");
    check("src one.test", "client mapped");
    check("host 127.0.0.5", "waiting");
    check("host != 127.0.0.5 src inet:*", "sshd client");
    check("host 10.0.0.1:443", "mapped");
    check("src {10.0.0.0/8,[fe80::1]}", "client mapped linklocal");
    check("not src any", "");
    check("src port", "");
    check("not src 10/8 and dst inet:*", "sshd waiting");
}

#[test]
fn devices_by_name_by_index_and_as_zones() {
    for text in ["dev eth0", "dev = if2", "dev 2", "dev == 0x2", "dev = {lo,eth0}", "dev 2-5", "dev lo,2"] {
        check(text, "web");
    }
    // The animals are all that there is: none of them is bound to a device that is not in their namespace.
    check("dev elsewhere", "");
    check("dev = {elsewhere,eth0}", "web");
    check("dev = {elsewhere,2-5}", "web");
    check("dev != {elsewhere,eth0} and dst inet6:*", "mapped linklocal");
    check("dev != elsewhere and src [::]", "web");
    // Of each namespace its own: here the second is veth2, and none is veth9, as the second is elsewhere.
    check("dev veth2", "web");
    check("dev != veth2 and src [::]", "");
    check("dev = {veth2,5}", "web");
    check("src [::]%veth2", "web");
    check("dev veth9", "");
    check("dev != veth9 and src [::]", "web");
    // Here nobody looked: neither is known that it is veth8, nor that it is not.
    check("dev veth8", "");
    check("dev != veth8 and src [::]", "");
    check("dev != veth8 and src [::ffff:10.0.0.1]", "mapped");
    for text in [
        "src [::]%eth0",
        "src [::%eth0]",
        "src [::]%if2:443",
        "src [::%2]:443",
        "src *%eth0",
        "src *%eth0:443",
    ] {
        check(text, "web");
    }
    check("src [::]%lo", "");
    check("src [::]%elsewhere", "");
    check("src != [::]%eth0 and dst inet6:*", "mapped linklocal");
    check("dst {10.0.0.2,[::]%eth0}", "web client");
    check("src 0.0.0.0%eth0:22", "");
    check("src link:arp:if2", "packet");
    check("src link:arp:elsewhere", "");
}

#[test]
fn names_need_no_family_where_they_cannot_be_hosts() {
    check("src /run/agent.sock", "path");
    check("src @bus@x", "abstract");
    check("src @* or src 10.0.0.1", "client mapped abstract auto");
    check("dst /run/*", "abstract");
    check("src link:[2054]", "packet");
}

#[test]
fn state_words_at_the_beginning_are_one_state_word() {
    check("state listening", "sshd web path");
    check("state listening state established", "sshd web client mapped path auto vsock");
    check("state listening state established and src inet:*", "sshd client");
    check(
        "state listening state established or sport = 546",
        "sshd web client mapped linklocal path auto vsock",
    );
    check("exclude big", "waiting");
    check("exclude big state closed", "waiting linklocal abstract packet netlink");
    // Behind something else each is a predicate.
    check("src inet:* state listening state established", "");
}

#[test]
fn a_host_with_several_addresses_matches_by_each() {
    check("dst multi.test", "waiting");
    check("src multi.test", "waiting");
    check("not dst multi.test src inet:*", "sshd client");
    check("src inet6:multi.test", "");
}

#[test]
fn other_families_and_their_ends() {
    check("src unix:/run/*", "path");
    check("src unix:/RUN/agent.SOCK", "path");
    check("src unix:@bus@?", "abstract");
    check("dst unix:*peer", "abstract");
    check("sport = unix:*b2", "auto");
    check("src link:arp", "packet");
    check("src link:0x0806:eth0", "packet");
    check("src link:*:lo", "");
    check("sport = link:eth0", "packet");
    check("src netlink:genl", "netlink");
    check("src netlink:16:-4069", "netlink");
    check("src netlink:rtnl:kernel", "");
    check("src vsock:3", "vsock");
    check("dst vsock:2:22", "vsock");
    check("dst vsock:*:22", "vsock");
    check("sport = vsock:1024", "vsock");
}

#[test]
fn with_a_family_chosen_words_are_read_in_it() {
    let of = |family| Context { family: Some(family), ..Context::new(Dialect::Ss) };
    let check = |text: &str, family, expected: &str| {
        assert_eq!(passing(&read_as(text, &of(family)).expect(text)), expected, "{text}");
    };
    check("sport = *Agent*", Family::Unix, "path");
    check("dst */peer", Family::Unix, "abstract");
    check("sport = {*Agent*, @*}", Family::Unix, "path abstract auto");
    check("sport != {*Agent*, @*}", Family::Unix, "");
    check("src any", Family::Inet6, "web mapped linklocal");
    check("sport = 443", Family::Inet6, "web mapped");
    check("src 2054", Family::Packet, "packet");
    assert!(read_as("src 10.0.0.1", &of(Family::Inet6)).is_err());
    assert!(read_as("src inet6:any and dst 10.0.0.1", &Context::new(Dialect::Ss)).is_err());
}

#[test]
fn a_family_prefix_narrows_its_branch_and_not_the_whole() {
    for (text, narrow, expected) in [
        ("sport = 443 or src unix:@*", None, "web mapped abstract auto"),
        // What follows an `or` is not read in the family of another branch.
        ("src unix:@* or sport = 443", None, "web mapped abstract auto"),
        ("( src unix:@* and dst */peer ) or sport = 443", None, "web mapped abstract"),
        ("src inet:* or dport = 443", None, "sshd client waiting"),
        ("src inet:* or src unix:*", None, "sshd client waiting path abstract auto"),
        ("sport = inet6:443 or src inet6:any", Some(Family::Inet6), "web mapped linklocal"),
        ("( sport = 443 or src unix:@* ) and dport = 50000", None, "mapped"),
        ("not ( sport = 443 or src unix:@* ) and dport != 0", None, "client waiting netlink vsock"),
        // Where all agree, the last one wins, as in ss.
        ("not src inet6:any", Some(Family::Inet6), ""),
        ("sport = 443 and src inet6:*", Some(Family::Inet6), "web mapped"),
        ("src unix:* and dst inet6:*", Some(Family::Inet6), ""),
        ("sport = 22", None, "sshd waiting"),
    ] {
        let filter = read(text).unwrap();
        assert_eq!((filter.narrows_to(), passing(&filter).as_str()), (narrow, expected), "{text}");
    }
}

#[test]
fn and_or_and_side_by_side_bind_alike_from_left_to_right() {
    check("sport = 22 or sport = 443 and dport = 55555", "waiting");
    check("sport = 22 or ( sport = 443 and dport = 50000 )", "sshd mapped waiting");
    check("sport = 443 dport = 50000 or sport = 22", "sshd mapped waiting");
    check("not sport = 22 dst inet:*", "client");
    check("! ( sport = 22 || sport = 443 ) && src inet:*", "client");
    check("not not sport = 22", "sshd waiting");
    check("sport = 22 | sport = 546 & dport = 0", "sshd linklocal");
}

#[test]
fn numbers_of_sockets() {
    check("dev eth0", "web");
    check("dev = 2", "web");
    check("dev != eth0 src inet6:*", "mapped linklocal");
    check("dev 0 and sport = 22", "sshd waiting");
    check("dev {eth0,br-7}", "web");
    check("fwmark 0x15", "client");
    check("fwmark = 0x5/0xf", "client");
    check("cgroup /user.slice", "client");
    check("uid = 1000", "client");
    check("user www-data", "web");
    check("user {www-data,1000}", "web client");
    check("uid >= 33 src inet:*", "client");
    check("uid 30-40", "web");
    check("inode 411", "sshd");
    check("inode {411,412}", "sshd web");
    check("cookie 0x1a", "sshd");
    check("cookie sk:1a", "sshd");
    check("cookie 26", "sshd");
    check("cookie = 0xffffffffffffffff", "client");
    check("netns blue and sport = 22", "sshd waiting");
    check("recvq > 64Ki", "client");
    check("sendq >= 128", "sshd");
    check("recvq = 0 sport = 40000", "");
    check("rtt = 5ms", "client");
    check("rtt > 4.9ms", "client");
    check("rtt < 1ms", "");
    check("retrans > 2", "client");
    check("age > 10s", "client");
    check("age < 10s", "");
    check("age 10s-1m", "client");
}

#[test]
fn processes_by_pid_and_name() {
    check("pid 77", "sshd");
    check("pid = 1", "sshd");
    check("pid {500,600}", "web client");
    check("pid > 499", "web client");
    check("comm sshd", "sshd");
    check("comm = s*", "sshd");
    check("comm {nginx,curl}", "web client");
    check("comm SSHD", "");
}

#[test]
fn places_by_the_path_of_the_cgroup() {
    // `client` is in a pod's container, `web` in a unit, `waiting` can be nowhere, nothing is known of the others.
    check("unit nginx.service", "web");
    check("unit = *.service", "web");
    check("unit {nginx.service,sshd.service}", "web");
    check("unit != nginx.service", "client waiting");
    check("container *", "client");
    check("not container *", "web waiting");
    check("container 4f2a*", "client");
    check("container 4f2a8e5b0d1c", "client");
    check("container 4f2a8e5b0d1d", "");
    check("container 4f2a8e5b0d1", "");
    check("pod 3c1b9a7e-5d42-4f6a-9e0b-1a2b3c4d5e6f", "client");
    check("pod != 3c1b* and unit *", "web");
    check(r"unit = cri\\*", "");
}

#[test]
fn what_is_not_known_passes_neither_way() {
    // Nobody looked for the processes of `mapped` and `linklocal`; `waiting` is known to have none.
    check("comm != sshd and src inet6:*", "web");
    check("not comm = sshd and src inet:*", "client waiting");
    check("not ( comm = sshd or pid = 5 ) and src inet:*", "client waiting");
    check("rtt <= 1h", "client");
    check("not rtt > 1h", "client");
    check("not cookie = 5", "sshd client");
    // Unless the rest decides.
    check("comm = sshd or sport = 546", "sshd linklocal");
    check("not ( comm = sshd and sport = 443 ) and dport = 0 and src inet6:*", "web linklocal");
}

#[test]
fn states_inside_the_expression() {
    check("state established", "client mapped auto vsock");
    check("state = listening and src inet:*", "sshd");
    check("state != listening and sport = 22", "waiting");
    check("state {time-wait,listen} sport = 22", "sshd waiting");
    check("not state all", "");
    check("state bucket", "waiting");
    check("state LISTENING or state time-wait", "sshd web waiting path");
}

#[test]
fn autobound_and_its_opposite_are_complements() {
    check("autobound", "client auto netlink vsock");
    check("not autobound", "sshd web mapped waiting linklocal path abstract packet");
}

#[test]
fn what_has_no_port_is_not_any_port() {
    let name = crate::socket::UnixName::from_bytes(b"/run/x");
    let fixtures = fixtures();
    let mut facts = fixtures.iter().find(|animal| animal.name == "path").unwrap().facts();
    let local = Endpoint::Unix { name, inode: 22 };
    facts.local = &local;
    facts.local_port = None;
    assert!(!read("sport = 22").unwrap().matches(&facts));
    assert!(!read("sport < 1000").unwrap().matches(&facts));
    assert!(!read("sport >= 0").unwrap().matches(&facts));
    assert!(read("sport != 22").unwrap().matches(&facts));
}

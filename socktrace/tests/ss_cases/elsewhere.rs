//! What a namespace owns, asked from another one.

use super::devices::bound_to;
use super::*;
use crate::agent::Agent;
use crate::ss_parity::oracle;
use crate::support::run::run;
use crate::support::{ip, may_trace, on_host};

/// The file of the calling thread's namespace, as others can name it.
fn own_path() -> String {
    format!("/proc/{}/task/{}/ns/net", std::process::id(), nix::unistd::gettid())
}

/// The lines of a summary that count the sockets of one namespace: what stands above them the kernel counts for all.
fn transports(summary: &str) -> String {
    summary
        .lines()
        .skip_while(|line| !line.starts_with("Transport "))
        .take_while(|line| !line.is_empty())
        .map(|line| format!("{}\n", line.trim_end()))
        .collect()
}

const THREE_AND_ONE: &str = "Transport Total     IP        IPv6\nRAW\t  0         0         0\nUDP\t  1         0         1\n\
                             TCP\t  3         3         0\nINET\t  4         3         1\nFRAG\t  0         0         0\n";

/// Sockets whose summary that is.
fn three_and_one() -> (Vec<TcpListener>, std::net::UdpSocket) {
    let listeners = (0..3).map(|_| TcpListener::bind("127.0.0.1:0").unwrap()).collect();
    (listeners, std::net::UdpSocket::bind("[::1]:0").unwrap())
}

#[test]
fn a_summary_of_another_namespace_is_not_the_callers() {
    let theirs = oracle();
    in_own_netns(|| {
        let _sockets = three_and_one();
        let output = Command::new(&theirs).arg("-s").output().unwrap();
        assert_eq!(transports(&String::from_utf8(output.stdout).unwrap()), THREE_AND_ONE);
        assert_eq!(transports(&ss("-s").stdout), THREE_AND_ONE);
        let path = own_path();
        on_host(|| {
            assert_ne!(transports(&ss("-s").stdout), THREE_AND_ONE, "the host has other sockets");
            assert_eq!(transports(&ss(&format!("-s -N {path}")).stdout), THREE_AND_ONE);
            let listed = ss(&format!("-Htl -s -N {path}")).stdout;
            assert_eq!(transports(&listed), THREE_AND_ONE);
            assert_eq!(listed.lines().filter(|line| line.starts_with("LISTEN ")).count(), 3, "{listed}");
            let json = ss(&format!("-s -N {path} --json")).stdout;
            let object: Value = serde_json::from_str(&json).unwrap();
            assert_eq!((&object["tcp"]["total"], &object["udp"]["inet6"]), (&3.into(), &1.into()), "{json}");
        });
    });
}

#[test]
fn a_summary_of_every_namespace_says_of_which_each_is() {
    in_own_netns(|| {
        let _sockets = three_and_one();
        let text = ss("-s --all-netns").stdout;
        let (_, own) = text.split_once("Netns: own\nTotal: ").expect("ours among them");
        assert_eq!(transports(own), THREE_AND_ONE, "{text}");
        let json = ss("-s --all-netns --json").stdout;
        let objects: Vec<Value> = json.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert!(objects.len() >= 2, "{json}");
        let here = socktrace::kernel::netns::current().unwrap();
        let ours = objects.iter().find(|object| object["netns"] == here).expect("ours among them");
        assert_eq!(ours["tcp"]["total"], 3, "{ours}");
    });
}

#[test]
fn a_summary_through_an_agent_is_of_the_askers_namespace() {
    if !may_trace("a_summary_through_an_agent_is_of_the_askers_namespace") {
        return;
    }
    let agent = Agent::start(&[]);
    let path = agent.path();
    in_own_netns(|| {
        let _sockets = three_and_one();
        assert_eq!(transports(&run(&["ss", "--agent", path, "-tl", "-s"]).stdout), THREE_AND_ONE);
    });
}

/// Does something in a third namespace while a socket of another one is bound to a device `far0`, whose index is there
/// that of `near0`.
fn with_a_far_device<T: Send>(port: u16, does: impl FnOnce() -> T + Send) -> T {
    in_own_netns(|| {
        ip("link add far0 index 55 type veth peer name far1");
        let _bound = bound_to("far0", port);
        in_own_netns(|| {
            ip("link add near0 index 55 type veth peer name near1");
            does()
        })
    })
}

#[test]
fn a_device_is_that_of_the_sockets_own_namespace() {
    with_a_far_device(7301, || {
        let port = "sport = :7301";
        let text = ss(&format!("-Htln --all-netns {port}")).stdout;
        assert!(text.contains("0.0.0.0%far0:7301") && text.lines().count() == 1, "{text}");
        let json = ss(&format!("-tln --all-netns --json {port}")).stdout;
        let row: Value = serde_json::from_str(&json).unwrap();
        assert_eq!((&row["interface"], &row["ifindex"]), (&"far0".into(), &55.into()), "{json}");
        let columns = ss(&format!("-Htln --all-netns --columns local,interface {port}")).stdout;
        assert_eq!(columns, "0.0.0.0%far0:7301 far0\n");
        // With who holds them the filter is asked last, and from here.
        let held = ss("-Htlnp --all-netns dev far0 and pid > 0").stdout;
        assert!(held.contains("%far0:7301"), "{held}");
    });
}

#[test]
fn a_device_is_asked_for_by_its_name_in_each_namespace() {
    with_a_far_device(7302, || {
        let listed = |filter: &str| {
            let said = ss(&format!("-Htln --all-netns sport = :7302 and {filter}"));
            assert_eq!((said.code, said.stderr.as_str()), (Some(0), ""), "{filter}");
            said.stdout.lines().count()
        };
        for filter in
            ["dev far0", "dev == if55", "dev = 55", "dev = {near0,far0}", "src 0.0.0.0%far0", "dev != near0"]
        {
            assert_eq!(listed(filter), 1, "{filter}");
        }
        for filter in ["dev near0", "dev != far0", "not dev far0", "dev lo", "src 0.0.0.0%near0"] {
            assert_eq!(listed(filter), 0, "{filter}");
        }
        for filter in ["dev nowhere0", "dev = {far0,nowhere0}", "src [::]%nowhere0"] {
            let said = ss(&format!("-Htln --all-netns {filter}"));
            assert_eq!((said.code, said.stdout.as_str()), (Some(2), ""), "{filter}");
            assert!(said.stderr.contains("no network device is called \"nowhere0\""), "{}", said.stderr);
        }
        // In one namespace a name of another one is none.
        assert_eq!(ss("-Htln dev far0").code, Some(2));
    });
}

#[test]
fn devices_are_those_of_each_namespace_through_an_agent_too() {
    if !may_trace("devices_are_those_of_each_namespace_through_an_agent_too") {
        return;
    }
    let agent = Agent::start(&[]);
    let path = agent.path();
    with_a_far_device(7303, || {
        let _near = bound_to("near0", 7304);
        let ask = |words: &[&str]| run(&[&["ss", "--agent", path, "-Htln"], words].concat());
        let far = ask(&["--all-netns", "dev far0"]).stdout;
        assert!(far.contains("0.0.0.0%far0:7303") && far.lines().count() == 1, "{far}");
        // What the asker sees, who is in another namespace than the agent.
        let near = ask(&["dev near0"]).stdout;
        assert!(near.contains("0.0.0.0%near0:7304") && near.lines().count() == 1, "{near}");
        assert_eq!(ask(&["dev far0"]).code, Some(2));
        assert_eq!(ask(&["--all-netns", "dev nowhere0"]).code, Some(2));
    });
}

//! What a namespace owns, asked from another one.

use super::*;
use crate::agent::Agent;
use crate::ss_parity::oracle;
use crate::support::run::run;
use crate::support::{may_trace, on_host};

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

//! Rows sorted, counted, by namespace, and again every second.

use super::*;

/// The words of each row.
fn rows(text: &str) -> Vec<Vec<&str>> {
    text.lines().map(|line| line.split_whitespace().collect()).collect()
}

/// A listener on port 8080, and three connections to it, on which 1, 2 and 3 bytes wait to be read.
fn connections() -> (TcpListener, Vec<[TcpStream; 2]>) {
    let listener = TcpListener::bind("127.0.0.1:8080").unwrap();
    let connections = (1..=3).map(|bytes| {
        let client = TcpStream::connect("127.0.0.1:8080").unwrap();
        std::io::Write::write_all(&mut &client, &vec![0; bytes]).unwrap();
        [client, listener.accept().unwrap().0]
    });
    let connections = connections.collect();
    (listener, connections)
}

#[test]
fn rows_in_another_order_and_counted() {
    in_own_netns(|| {
        let _kept = connections();
        let _other = TcpListener::bind("127.0.0.2:80").unwrap();

        let queues =
            |words: &str| rows(&ss(words).stdout).iter().map(|row| row[1].to_owned()).collect::<Vec<_>>();
        assert_eq!(queues("-Htan --sort recvq"), ["3", "2", "1", "0", "0", "0", "0", "0"]);
        assert_eq!(queues("-Htan --sort recvq --top 2"), ["3", "2"]);
        let sorted = ss("-Htan --sort sport").stdout;
        let ports: Vec<u32> =
            rows(&sorted).iter().map(|row| row[3].rsplit(':').next().unwrap().parse().unwrap()).collect();
        assert!(ports.is_sorted() && ports.len() == 8, "{ports:?}");

        assert_eq!(ss("-tan --count-by state").stdout, "  Count state\n      6 ESTAB\n      2 LISTEN\n");
        assert_eq!(
            ss("-Htan --count-by local").stdout.lines().next(),
            Some("      4 127.0.0.1:8080"),
            "the listener and what it accepted"
        );
        assert_eq!(
            ss("-tan --count-by peer --json").stdout.lines().next(),
            Some(r#"{"count":6,"key":"127.0.0.1"}"#)
        );
        assert_eq!(ss("-Htan --count-by user").stdout, "      8 root\n");
        let by_process = ss("-Htan --count-by process --top 1").stdout;
        assert!(by_process.starts_with("      8 it-"), "{by_process}");
        assert_eq!(ss("-ta --count-by recvq").code, Some(2));
        assert_eq!(ss("-ta --sort size").code, Some(2));
    });
}

#[test]
fn several_keys_and_the_other_way_round() {
    in_own_netns(|| {
        let _kept = connections();
        let _udp = std::net::UdpSocket::bind("127.0.0.2:80").unwrap();
        let column = |words: &str| {
            let text = ss(words).stdout;
            rows(&text).iter().map(|row| row.join(" ")).collect::<Vec<_>>()
        };
        // What is known of nothing but TCP comes last either way.
        for (words, expected) in [
            ("--sort recvq --top 3", ["3", "2", "1"]),
            ("--sort -recvq,sport --top 3", ["0", "1", "2"]),
            ("--sort state,-recvq --top 3", ["1", "2", "3"]),
            ("--sort state,recvq --top 3", ["3", "2", "1"]),
        ] {
            assert_eq!(column(&format!("-Htan --columns recvq sport = :8080 {words}")), expected, "{words}");
        }
        for (words, expected) in [
            ("-Htuan --columns sent --sort sent", ["3", "2", "1", "0", "0", "0", "0", "-"]),
            ("-Htuan --columns sent --sort -sent", ["0", "0", "0", "0", "1", "2", "3", "-"]),
            ("-Htuan --columns received --sort received", ["3", "2", "1", "0", "0", "0", "0", "-"]),
        ] {
            assert_eq!(column(words), expected, "{words}");
        }
        let rtts = column("-Htan --columns rtt --sort rtt");
        assert!(rtts[0].ends_with("us") && rtts.last().is_some_and(|rtt| rtt == "-"), "{rtts:?}");
        let pid = std::process::id();
        let comm = std::fs::read_to_string(format!("/proc/{pid}/comm")).unwrap();
        assert_eq!(
            ss("-tuan --count-by netid,local,pid sport = :8080 or sport = :80").stdout,
            format!(
                "  Count netid local          pid\n\
                 \x20     4 tcp   127.0.0.1:8080 {pid}\n\
                 \x20     1 udp   127.0.0.2:80   {pid}\n"
            )
        );
        assert_eq!(
            ss("-tuan --count-by netid,process --json sport = :80").stdout,
            format!("{{\"count\":1,\"keys\":[\"udp\",\"{}\"]}}\n", comm.trim_end())
        );
        for (words, why) in [
            (
                "--count-by rtt",
                "--count-by: unknown key \"rtt\"; choose from state, local, sport, peer, dport, process, pid, user, netid, netns, unit, \
                 container, pod, opener\n",
            ),
            ("--sort recvq,-size", "unknown key \"-size\"; choose from state, local, sport"),
            ("--direct --count-by opener", "\"opener\" is known to an agent only"),
            ("--count-by state --sort state", "--sort and --count-by do not go together"),
        ] {
            let said = ss(&format!("-ta {words}"));
            assert!(said.code == Some(2) && said.stderr.contains(why), "{words}: {said:?}");
        }
    });
}

#[test]
fn a_mapped_peer_and_the_same_peer_are_counted_as_one() {
    in_own_netns(|| {
        let dual = TcpListener::bind("[::]:8080").unwrap();
        let four = TcpListener::bind("127.0.0.1:8081").unwrap();
        let clients: Vec<_> = [("127.0.0.1", 8080), ("127.0.0.1", 8081), ("::1", 8080)]
            .map(|to| TcpStream::connect(to).unwrap())
            .into();
        let _accepted = [dual.accept().unwrap(), four.accept().unwrap(), dual.accept().unwrap()];
        // Two clients, what was accepted of them, one of which has its addresses mapped.
        assert!(ss("-Htn").stdout.contains("[::ffff:127.0.0.1]"));
        assert_eq!(ss("-Htn --count-by peer").stdout, "      4 127.0.0.1\n      2 ::1\n");
        let local = ss("-Htn --count-by local sport = :8080").stdout;
        assert_eq!(local, "      1 127.0.0.1:8080\n      1 [::1]:8080\n");
        let sorted = ss("-Htn --sort peer").stdout;
        let versions: Vec<bool> = sorted.lines().map(|line| line.contains("[::1]")).collect();
        assert_eq!(versions, [false, false, false, false, true, true], "{sorted}");
        drop(clients);
    });
}

#[test]
fn every_namespace_and_what_it_is_called() {
    let _here = TcpListener::bind("127.0.0.1:0").unwrap();
    in_own_netns(|| {
        let _there = TcpListener::bind("127.0.0.1:8080").unwrap();
        let said = ss("-Htln --all-netns sport = :8080");
        assert_eq!(said.code, Some(0), "{}", said.stderr);
        let text = said.stdout;
        // Other tests have namespaces too.
        assert!(
            rows(&text).iter().any(|row| row[..2] == ["own", "LISTEN"] && row[4] == "127.0.0.1:8080"),
            "{text}"
        );
        let everywhere = ss("-tan --all-netns --json").stdout;
        let own = socktrace::kernel::netns::current().unwrap();
        let objects: Vec<Value> =
            everywhere.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let namespaces: BTreeSet<u64> =
            objects.iter().map(|object| object["netns"].as_u64().unwrap()).collect();
        assert!(namespaces.len() >= 2 && namespaces.contains(&own.into()), "{namespaces:?}");
        // By a process that is in it.
        let by_pid = ss(&format!("-Htln -N {}", std::process::id()));
        assert_eq!(by_pid.code, Some(0), "{}", by_pid.stderr);
        assert!(!by_pid.stdout.contains(":8080"), "its first thread is in another: {}", by_pid.stdout);
    });
}

#[test]
fn what_has_changed_since_the_round_before() {
    in_own_netns(|| {
        let listener = TcpListener::bind("127.0.0.1:8080").unwrap();
        let running = Running::start(&["ss", "--direct", "-HOtani", "-c", "0.05"]);
        let next = |wanted: &str| {
            loop {
                let line = running.line().expect("it goes on");
                if line.contains(wanted) {
                    return line;
                }
            }
        };
        assert!(!next("127.0.0.1:8080").contains("delta"));
        let mut client = TcpStream::connect("127.0.0.1:8080").unwrap();
        let (accepted, _) = listener.accept().unwrap();
        let port = client.local_addr().unwrap().port();
        assert!(next("delta:(new)").contains(&format!(":{port}")));
        std::io::Write::write_all(&mut client, b"hello").unwrap();
        assert!(next("delta:(recv_q:+5,received:+5)").contains("127.0.0.1:8080"));
        drop(accepted);
        drop(client);
        assert!(next("delta:(gone)").contains(&format!(":{port}")));
    });
}

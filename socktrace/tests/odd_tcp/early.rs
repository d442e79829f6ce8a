//! TCP Fast Open: data with the SYN.

use super::Scene;
use crate::support::may_trace;

/// `TCP_FASTOPEN` and `TCP_FASTOPEN_CONNECT` of `SOL_TCP`.
const LISTENS: &str = "set 6 23 16";
const CONNECTS: &str = "set 6 30 1";

#[test]
fn a_connection_that_is_accepted_before_its_handshake_is_over_has_its_owner() {
    if !may_trace("a_connection_that_is_accepted_before_its_handshake_is_over_has_its_owner") {
        return;
    }
    let mut scene = Scene::begin("early");
    // Without cookies, on both sides, for every listener that asks for it.
    scene.does(&[
        "sysctl ipv4/tcp_fastopen 519",
        "make tcp",
        "bind 127.0.0.1 5051",
        LISTENS,
        "start-listening",
    ]);
    let mut client = scene.actor.beside("client");
    for option in [None, Some(CONNECTS)] {
        client.does("make tcp");
        if let Some(option) = option {
            assert_eq!(client.does(option), "done");
            // Nothing is sent yet.
            assert_eq!(client.does("connect-to 127.0.0.1 5051"), "done");
            assert_eq!(client.does("write-made"), "done");
        } else {
            assert_eq!(client.does("send-fast 127.0.0.1 5051"), "done");
        }
        let from: u16 = client.does("port").parse().unwrap();
        assert_eq!(scene.actor.does("accept-tcp"), "done");
        scene.agent.is_right(&scene.actor);
        let row =
            scene.agent.rows().find(|row| row["netns"] == scene.netns && row["peer_port"] == from).unwrap();
        let pid = scene.actor.pid();
        assert_eq!((&row["pid"], &row["attribution"]), (&pid.into(), &"exact".into()), "{row}");
        let events = scene.events_until_now();
        let of = |kind: &str| {
            let ours = |event: &&serde_json::Value| {
                event["event"] == kind && (event["peer_port"] == from || event["local_port"] == from)
            };
            events.iter().filter(ours).map(|event| event["pid"].as_u64()).collect::<Vec<_>>()
        };
        assert_eq!(of("accept"), [Some(pid.into())], "{events:#?}");
        assert_eq!(of("connect"), [Some(client.pid().into())], "{events:#?}");
    }
}

//! RAW sockets, whatever protocol they are of.

use super::Scene;
use crate::support::may_trace;

#[test]
fn a_raw_socket_of_another_protocol_is_not_taken_for_it() {
    const TEST: &str = "a_raw_socket_of_another_protocol_is_not_taken_for_it";
    if !may_trace(TEST) {
        return;
    }
    let mut scene = Scene::begin("raw");
    // TCP, UDP, ICMP, ICMPv6, UDP-Lite, SCTP, DCCP, MPTCP.
    for protocol in [6, 17, 1, 58, 136, 132, 33, 262] {
        for (family, here, any) in [("AF_INET", "127.0.0.1", "0.0.0.0"), ("AF_INET6", "::1", "::")] {
            if protocol == 262 && family == "AF_INET6" {
                continue;
            }
            scene.does(&format!("make({family}, SOCK_RAW, {protocol})"));
            scene.is_right();
            scene.does(&format!("S[-1].connect(({here:?}, 0))"));
            scene.is_right();
            scene.does("S.pop().close()");
            let connect = format!("connect raw {here} {protocol}");
            assert_eq!(scene.events_until_now(), [connect, format!("close raw {here} {protocol}")]);
            scene.does(&format!("make({family}, SOCK_RAW, {protocol}).close()\nS.clear()"));
            assert_eq!(scene.events_until_now(), [format!("close raw {any} {protocol}")]);
            scene.is_right();
        }
    }
}

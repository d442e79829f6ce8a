//! The stage of docs/questions.md: a host on which ten things go wrong.

use super::check;
use crate::agent::Agent;
use crate::support::actor::Actor;
use crate::support::{in_own_netns, may_trace};

/// The programs, which hold their sockets until the end.
fn stage() -> Vec<Actor> {
    let actor = |name| Actor::here_as(name, 0);
    let [mut api, mut late, mut backup, mut postgres] = ["api", "late", "backup", "postgres"].map(actor);
    let [mut envoy, mut upstream, mut mountd, mut rpcbind] =
        ["envoy", "upstream", "mountd", "rpcbind"].map(actor);
    let [mut proxy, mut clients, mut java, mut curl] = ["kube-proxy", "clients", "java", "curl"].map(actor);
    // A connection that is gone, and one that stays; one whose peer takes nothing, and one whose peer is silent.
    postgres.does("listen 127.0.0.1 5432");
    backup.does("connect 127.0.0.1 5432");
    postgres.does("accept");
    backup.does("close 0");
    postgres.does("close 0");
    for _ in 0..2 {
        backup.does("connect 127.0.0.1 5432");
        postgres.does("accept");
    }
    postgres.does("fill 0");
    // A port that one had, one has and one wants.
    let mut node = actor("node");
    node.does("listen 127.0.0.1 8080");
    clients.does("connect 127.0.0.1 8080");
    node.does("accept");
    node.does("close 0");
    clients.does("close 0");
    node.does("close-listener");
    drop(node);
    api.does("listen 127.0.0.1 8080");
    assert_eq!(late.does("listen 127.0.0.1 8080"), "error 98");
    // Nearly all of a hundred ports are used for one destination.
    upstream.does("listen 127.0.0.1 8443");
    envoy.does("sysctl ipv4/ip_local_port_range 40000 40099");
    for _ in 0..85 {
        envoy.does("connect 127.0.0.1 8443");
        upstream.does("accept");
    }
    // Who closes first waits.
    rpcbind.does("listen 127.0.0.1 111");
    for _ in 0..30 {
        mountd.does("connect 127.0.0.1 111");
        rpcbind.does("accept");
        mountd.does("close 0");
        rpcbind.does("close 0");
    }
    // Closed by their peers, and not by their process.
    proxy.does("listen 127.0.0.1 10256");
    for _ in 0..12 {
        clients.does("connect 127.0.0.1 10256");
        proxy.does("accept");
        clients.does("close 0");
    }
    // Nobody accepts.
    let port = java.does("listen-backlog 127.0.0.1 1");
    for _ in 0..2 {
        clients.does("make tcp");
        clients.does("does-not-wait");
        clients.does(&format!("connect-to 127.0.0.1 {port}"));
    }
    // Nobody listens.
    for _ in 0..7 {
        assert_eq!(curl.does("connect 127.0.0.1 1"), "error 111");
    }
    // A quarter of the segments is lost.
    let port = curl.does("listen 127.0.0.1");
    clients.does(&format!("connect 127.0.0.1 {port}"));
    curl.does("accept");
    curl.does("deafen 0 1");
    clients.begins("write 0 6000000");
    curl.does("read 0 6000000");
    assert_eq!(clients.answer(), "done");
    vec![api, late, backup, postgres, envoy, upstream, mountd, rpcbind, proxy, clients, java, curl]
}

#[test]
fn every_question_has_the_answer_that_the_document_shows() {
    if !may_trace("every_question_has_the_answer_that_the_document_shows") {
        return;
    }
    in_own_netns(|| {
        let agent = Agent::start(&[]);
        let actors = stage();
        let netns = actors[0].netns();
        assert_eq!(check("questions.md", &agent, netns, &mut || {}), 13);
    });
}

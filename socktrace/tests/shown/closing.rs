//! `ss -K`: what is closed is shown as it was, and what is not closed is counted.

use super::ss_as;
use crate::support::actor::Actor;
use crate::support::in_own_netns;
use std::net::{TcpListener, TcpStream};

#[test]
fn what_is_closed_is_shown_with_the_process_that_had_it() {
    in_own_netns(|| {
        let mut holder = Actor::here_as("had-it", 65534);
        let mut port = holder.does("listen 127.0.0.1");
        let expected =
            |port: &str| format!("127.0.0.1:{port} 0.0.0.0:* users:((\"had-it\",pid={},", holder.pid());
        let closed = ss_as(0, &format!("--direct -HtlnpK sport = :{port}"));
        assert_eq!(closed.code, Some(0), "{}", closed.stderr);
        assert!(closed.stdout.contains(&expected(&port)), "{}", closed.stdout);
        holder.does("close-listener");

        // A filter for processes chooses what is closed, with and without the column.
        let mut other = Actor::here_as("has-another", 65534);
        let kept = other.does("listen 127.0.0.1");
        for column in ["", "p"] {
            port = holder.does("listen 127.0.0.1");
            let closed = ss_as(0, &format!("--direct -Htln{column}K comm = had-it"));
            assert_eq!((closed.code, closed.stdout.lines().count()), (Some(0), 1), "{closed:?}");
            assert!(closed.stdout.contains(&format!(":{port} ")), "{}", closed.stdout);
            holder.does("close-listener");
        }
        let left = ss_as(0, "--direct -Htln").stdout;
        assert!(left.lines().count() == 1 && left.contains(&format!(":{kept} ")), "{left}");
    });
}

#[test]
fn every_match_that_the_kernel_refuses_to_close_is_counted() {
    in_own_netns(|| {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let server = listener.local_addr().unwrap();
        let clients: Vec<_> = (0..30).map(|_| TcpStream::connect(server).unwrap()).collect();
        for column in ["", "p"] {
            let refused = ss_as(65534, &format!("-tn{column}K --force dport = :{}", server.port()));
            assert_eq!((refused.code, refused.stdout.lines().count()), (Some(1), 1), "{refused:?}");
            assert_eq!(
                refused.stderr,
                "socktrace: closed 0, 30 could not be closed: closing sockets needs CAP_NET_ADMIN (try: sudo)\n"
            );
        }
        drop(clients);
    });
}

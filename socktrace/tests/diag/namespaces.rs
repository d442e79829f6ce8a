//! Network namespaces: listed, entered, gone.

use std::net::TcpListener;
use std::ops::ControlFlow;
use std::path::Path;
use std::time::Duration;

use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use socktrace::kernel::netns::{self, Netns, NetnsError};
use socktrace::kernel::sock_diag::{InetQuery, InetTable, IpVersion, SockDiag};
use socktrace::socket::StateSet;

use crate::support::{cookie, in_own_netns, netns_cookie};

#[test]
fn a_namespace_is_listed_and_asked_from_outside() {
    let outside = netns::current().expect("own namespace");
    let (listener, inside, namespace_cookie, thread) = in_own_netns(|| {
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback");
        let cookie = netns_cookie(&listener);
        (listener, Netns::current().expect("own namespace"), cookie, netns::current().ok())
    });
    // The thread is gone; the namespace lives by our handle and the socket.
    assert_eq!(Some(inside.id), thread);
    assert_ne!(inside.id, outside);
    assert_eq!(inside.cookie().expect("since Linux 5.14"), namespace_cookie);
    let mut diag = SockDiag::open_in(&inside).expect("root may enter");
    assert_eq!(diag.netns(), inside.id);
    let query = InetQuery::new(InetTable::Tcp, IpVersion::V4, StateSet::ALL);
    let mut cookies = Vec::new();
    let _ = diag
        .inet(&query, |row| {
            cookies.push(row.cookie());
            ControlFlow::Continue(())
        })
        .expect("an answer");
    assert_eq!(cookies, [cookie(&listener)]);
    assert_eq!(netns::current().ok(), Some(outside), "the asking thread stayed where it was");
}

#[test]
fn a_namespace_is_found_by_its_process() {
    // A child that waits in a namespace of its own until its input ends.
    let mut child = std::process::Command::new("unshare")
        .args(["--net", "sh", "-c", "echo up; read line"])
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .expect("util-linux");
    let mut up = [0; 3];
    let mut output = child.stdout.take().expect("piped");
    std::io::Read::read_exact(&mut output, &mut up).expect("the child is up");
    let netns = Netns::of_process(Path::new("/proc"), child.id()).expect("it lives");
    let listed = netns::list(Path::new("/proc"));
    let found = listed.namespaces.iter().find(|listed| listed.id == netns.id).expect("it is listed");
    assert_eq!(found.pid, Some(child.id()));
    drop(child.stdin.take());
    child.wait().expect("our child");
    let gone = Netns::of_process(Path::new("/proc"), child.id());
    assert!(gone.is_err_and(|error| error.is_gone()));
    assert!(netns.run(|| Duration::ZERO).is_ok(), "our handle still leads there");
}

#[test]
fn a_namespace_that_only_a_descriptor_keeps_alive_is_found() {
    let (open, _listener) = in_own_netns(|| {
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback");
        (Netns::current().expect("own namespace"), listener)
    });
    let has = |listed: netns::Listed| listed.namespaces.iter().any(|netns| netns.id == open.id);
    assert!(has(netns::list_open(Path::new("/proc"))));
    assert!(!has(netns::list(Path::new("/proc"))), "nobody is in it");
}

#[test]
fn a_namespace_has_the_name_it_is_mounted_under() {
    in_own_netns(|| {
        // A mount namespace of our own, with an empty /run.
        unshare(CloneFlags::CLONE_NEWNS).expect("root may");
        let none = None::<&str>;
        mount(none, "/", none, MsFlags::MS_REC | MsFlags::MS_PRIVATE, none).expect("root may");
        mount(Some("tmpfs"), "/run", Some("tmpfs"), MsFlags::empty(), none).expect("root may");
        std::fs::create_dir_all("/run/netns").expect("an empty /run");
        std::fs::create_dir_all("/run/engine").expect("an empty /run");
        let here = Netns::current().expect("own namespace").id;
        let find = || {
            let listed = netns::list(Path::new("/proc")).namespaces;
            listed.into_iter().find(|netns| netns.id == here)
        };
        // A thread is here, and nobody else.
        assert_eq!(find().map(|netns| (netns.name, netns.pid)), Some((None, Some(std::process::id()))));
        for path in ["/run/engine/box 1", "/run/netns/blue", "/run/netns/stale"] {
            std::fs::write(path, "").expect("an empty directory");
        }
        let own = Some("/proc/thread-self/ns/net");
        mount(own, "/run/engine/box 1", none, MsFlags::MS_BIND, none).expect("root may");
        assert_eq!(find().and_then(|netns| netns.name).as_deref(), Some("box 1"));
        mount(own, "/run/netns/blue", none, MsFlags::MS_BIND, none).expect("root may");
        assert_eq!(find().and_then(|netns| netns.name).as_deref(), Some("blue"));
        assert_eq!(Netns::named("blue").map(|netns| netns.id).ok(), Some(here));
        assert!(matches!(Netns::named("stale"), Err(NetnsError::NotOne(_))));
    });
}

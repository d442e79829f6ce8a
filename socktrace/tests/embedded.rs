//! The library within another program: the example is built and run, and does what it says.

use crate::support::may_trace;
use crate::support::run::Running;
use nix::sys::signal::Signal;
use std::net::{TcpListener, TcpStream};
use std::process::Command;

#[test]
fn the_example_follows_what_its_filter_wants_and_leaves_nothing_behind() {
    if !may_trace("the_example_follows_what_its_filter_wants_and_leaves_nothing_behind") {
        return;
    }
    let built = Command::new(env!("CARGO"))
        .args(["build", "--quiet", "--locked", "--package", "socktrace", "--example", "embed"])
        .status();
    assert!(built.unwrap().success());
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    // Beside the binary of the tests.
    let tests = std::env::current_exe().unwrap();
    let example = tests.parent().unwrap().parent().unwrap().join("examples/embed");
    let mut example = Running::spawn(Command::new(example).arg(format!("port = :{}", address.port())));
    let sockets = example.line().unwrap();
    assert!(sockets.ends_with(" sockets") && !sockets.starts_with('0'), "{sockets}");
    let near = TcpStream::connect(address).unwrap();
    drop(listener.accept().unwrap());
    drop(near);
    let mut kinds: Vec<String> =
        (0..4).map(|_| example.line().unwrap().split_once(' ').unwrap().0.to_owned()).collect();
    kinds.sort();
    assert_eq!(kinds, ["accept", "close", "close", "connect"]);
    example.signal(Signal::SIGINT);
    assert_eq!(example.ends().code(), Some(0));
}

//! What a kernel is old enough, or too old, for.

use crate::agent::folder;
use crate::support::may_trace;
use crate::support::run::{Running, run};
use std::net::TcpListener;

/// The version of the running kernel.
pub(crate) fn version() -> (u32, u32) {
    let names = nix::sys::utsname::uname().unwrap();
    let mut numbers = names.release().to_str().unwrap().split(|c: char| !c.is_ascii_digit());
    let mut number = || numbers.next().unwrap().parse().unwrap();
    (number(), number())
}

#[test]
fn a_kernel_that_is_too_old_is_refused_in_one_line_and_ss_works_there() {
    if !may_trace("a_kernel_that_is_too_old_is_refused_in_one_line_and_ss_works_there") {
        return;
    }
    let directory = folder();
    let path = directory.path().join("agent.sock");
    for (args, begun) in [
        (&["events", "--direct"][..], "socktrace: tracing"),
        (&["agent", "--socket", path.to_str().unwrap()], "socktrace: agent ready on "),
    ] {
        if version() >= (5, 12) {
            Running::start(args).says(begun);
            continue;
        }
        let said = run(args);
        let lines: Vec<_> = said.stderr.lines().collect();
        let [error, remedy] = lines[..] else { panic!("{args:?}: {lines:#?}") };
        assert!(error.starts_with("socktrace: cannot attach inet_sock_set_state: "), "{error}");
        assert!(remedy.starts_with("try: a kernel of 5.12 or later"), "{remedy}");
        assert_eq!((said.code, &*said.stdout), (Some(1), ""));
        // Nothing is left behind.
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0);
    }
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let said = run(&["ss", "-Htln", &format!("sport = :{port}")]);
    assert_eq!((said.code, &*said.stderr), (Some(0), ""));
    assert!(said.stdout.contains(&format!(" 127.0.0.1:{port} ")), "{}", said.stdout);
}

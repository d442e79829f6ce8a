//! Programs that the kernel's verifier refuses: what people are told.

use std::fs;

use object::{Object as _, ObjectSection as _, ObjectSymbol as _};

use crate::support::run::{Running, socktrace};
use crate::support::{cannot_run, may_trace};

/// Our object, but the first instruction of that program reads a register that nobody has written.
fn spoiled(program: &str) -> tempfile::NamedTempFile {
    // A guest has no source tree.
    let mut bytes = include_bytes!("../bpf/socktrace.bpf.o").to_vec();
    let file = object::File::parse(&*bytes).unwrap();
    let symbol = file.symbols().find(|symbol| symbol.name() == Ok(program)).unwrap();
    let section = file.section_by_index(symbol.section_index().unwrap()).unwrap();
    let at = usize::try_from(section.file_range().unwrap().0 + symbol.address()).unwrap();
    let first = &mut bytes[at..at + 8];
    assert_ne!(first[0], 0x18, "an instruction that fills two places (BPF_LD_IMM64)");
    // BPF_ALU64 | BPF_MOV | BPF_X, R0 from R9 (include/uapi/linux/bpf.h).
    first.copy_from_slice(&[0xbf, 0x90, 0, 0, 0, 0, 0, 0]);
    let spoiled = tempfile::NamedTempFile::new().unwrap();
    fs::write(spoiled.path(), bytes).unwrap();
    spoiled
}

#[test]
fn a_program_that_the_verifier_refuses_is_told_with_its_reason() {
    const TEST: &str = "a_program_that_the_verifier_refuses_is_told_with_its_reason";
    if !may_trace(TEST) {
        return;
    }
    if !cfg!(debug_assertions) {
        return cannot_run(TEST, "a release build takes no other object");
    }
    let with = |program, log: Option<&str>| {
        let object = spoiled(program);
        let mut command = socktrace(&["events", "--direct"]);
        command.env("SOCKTRACE_BPF_OBJECT", object.path());
        command.envs(log.map(|log| ("RUST_LOG", log)));
        (Running::spawn(&mut command), object)
    };
    // It cannot do without that one: and it is not a matter of rights, though the kernel says EACCES.
    let (mut refused, _object) = with("inet_sock_set_state", None);
    let said = refused.says("socktrace: cannot attach");
    assert_eq!(said, "socktrace: cannot attach inet_sock_set_state: the verifier refuses it: R9 !read_ok");
    assert!(refused.says("try: ").starts_with("try: a kernel of 5.12 or later"));
    assert_eq!(refused.ends().code(), Some(1));
    // It goes on without that one.
    let (traces, _object) = with("sock_create", Some("warn"));
    let said = traces.says("socktrace: cannot attach");
    let expected =
        "socktrace: cannot attach sock_create: the verifier refuses it: R9 !read_ok; lost without it: ";
    assert!(said.starts_with(expected), "{said}");
    traces.says("socktrace: tracing");
}

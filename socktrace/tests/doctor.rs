//! `socktrace doctor`, from which things are taken away one by one: it names what is missing, and nothing else.

use std::collections::BTreeSet;
use std::process::Command;

use serde_json::Value;

use crate::support::run::socktrace;
use crate::support::{cannot_run, may_trace};

/// What it says of what is not fine, by id, and its exit code.
fn examined(command: &mut Command) -> (Option<i32>, Value, BTreeSet<String>) {
    let output = command.output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    let report: Value = serde_json::from_str(&text)
        .unwrap_or_else(|error| panic!("{error}: {text}{}", String::from_utf8_lossy(&output.stderr)));
    let bad = report["findings"].as_array().unwrap().iter().filter(|finding| finding["answer"] != "ok");
    let ids = bad.map(|finding| finding["id"].as_str().unwrap().to_owned()).collect();
    (output.status.code(), report, ids)
}

/// In a mount namespace of its own after these shell commands, without these capabilities.
fn without(mounts: &str, capabilities: &str) -> Command {
    let program = socktrace(&[]).get_program().to_owned();
    let mut command = Command::new("unshare");
    let drop = match capabilities {
        "" => String::new(),
        _ => format!("setpriv --bounding-set={capabilities}"),
    };
    let script = format!("{mounts}\nexec {drop} {} doctor --json", program.to_string_lossy());
    command.args(["--mount", "sh", "-ec", &script]);
    // An agent of this machine's is none of our business.
    command.env("SOCKTRACE_SOCKET", "/nonexistent/agent.sock");
    command
}

#[test]
fn doctor_names_what_is_missing_and_nothing_else() {
    const TEST: &str = "doctor_names_what_is_missing_and_nothing_else";
    if !may_trace(TEST) {
        return;
    }
    if Command::new("setpriv").arg("--version").output().is_err() {
        return cannot_run(TEST, "setpriv (util-linux) is not there");
    }
    // What this machine lacks by itself: some hosts forbid programs on kernel functions.
    let (code, report, usual) = examined(&mut without("", ""));
    let mut known = usual.clone();
    known.remove("hooks.functions");
    assert!(known.is_empty() && code == Some(0), "a false alarm: {report:#}");

    // Mounts, capabilities, exit code, what is named.
    #[rustfmt::skip]
    let cases: &[(&str, &str, i32, &[&str])] = &[
        ("", "-bpf,-sys_admin", 1, &["rights.bpf", "rights.sys_admin", "trace"]),
        ("", "-perfmon,-sys_admin", 1, &["rights.perfmon", "rights.sys_admin", "trace"]),
        ("", "-net_admin,-sys_admin", 1, &["rights.net_admin", "rights.sys_admin", "trace"]),
        ("", "-all", 1, &["rights.bpf", "rights.dac_read_search", "rights.net_admin", "rights.perfmon", "rights.sys_admin", "rights.sys_ptrace", "trace"]),
        ("", "-sys_ptrace", 0, &["rights.sys_ptrace"]),
        ("", "-dac_read_search", 0, &["rights.dac_read_search"]),
        ("", "-net_admin", 0, &["rights.net_admin"]),
        ("umount -l /sys/kernel/btf 2>/dev/null || true; mount -t tmpfs none /sys/kernel/btf", "", 1, &["kernel.btf", "trace"]),
        ("mount -t proc -o hidepid=2 proc /proc", "-sys_ptrace", 0, &["proc", "rights.sys_ptrace"]),
        ("mount -t proc -o hidepid=2 proc /proc", "", 0, &[]),
        (HIDE_CGROUPS, "-sys_admin", 0, &["mounts.cgroup2", "rights.sys_admin"]),
        (HIDE_TRACEFS, "-sys_admin", 0, &["mounts.tracefs", "rights.sys_admin"]),
        // Root mounts them where nobody sees it.
        (HIDE_CGROUPS, "", 0, &[]),
        (HIDE_TRACEFS, "", 0, &[]),
    ];
    for &(mounts, capabilities, code, named) in cases {
        let (ended, report, mut ids) = examined(&mut without(mounts, capabilities));
        let mut expected: BTreeSet<String> = named.iter().map(|id| (*id).to_owned()).collect();
        // Without tracefs the others are seen all the same; what was missing before may be hidden by it.
        for id in &usual {
            ids.remove(id);
        }
        if capabilities.contains("-sys_admin") && named.contains(&"mounts.cgroup2") {
            // Where tracefs is not mounted it takes the same right.
            if ids.contains("mounts.tracefs") {
                expected.insert("mounts.tracefs".to_owned());
            }
        }
        assert_eq!((ended, ids), (Some(code), expected), "{mounts} {capabilities}: {report:#}");
        for finding in report["findings"].as_array().unwrap() {
            let is_bad = finding["answer"] != "ok" && finding["id"] != "trace";
            assert!(!is_bad || finding["remedy"].is_string(), "no remedy: {finding}");
        }
    }
}

/// Nothing below /sys/fs/cgroup, and no other mount of its kind.
const HIDE_CGROUPS: &str =
    "grep ' cgroup2 ' /proc/mounts | cut -d' ' -f2 | while read -r at; do umount -l $at; done";
const HIDE_TRACEFS: &str =
    "grep ' tracefs ' /proc/mounts | cut -d' ' -f2 | while read -r at; do umount -l $at; done";

#[test]
fn a_report_is_written_once_and_for_its_owner_alone() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("report.json");
    let arguments =
        ["doctor", "--json", "--agent", "/nonexistent/agent.sock", "--report", path.to_str().unwrap()];
    let first = socktrace(&arguments).output().unwrap();
    let written: Value = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
    assert_eq!(written, serde_json::from_slice::<Value>(&first.stdout).unwrap());
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    let second = socktrace(&arguments).output().unwrap();
    assert_eq!(second.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&second.stderr).contains("cannot write the report"));
}

//! `socktrace doctor`, from which things are taken away one by one: it names what is missing, and nothing else.

use std::collections::BTreeSet;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule,
};
use serde_json::Value;

use crate::kernels::version;
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

fn ids_of(ids: &[&str]) -> BTreeSet<String> {
    ids.iter().map(|id| (*id).to_owned()).collect()
}

/// Whether perf_event_open(2) takes CAP_SYS_ADMIN, as on Debian's kernels unless they are told otherwise.
fn perf_takes_admin() -> bool {
    let level = std::fs::read_to_string("/proc/sys/kernel/perf_event_paranoid").unwrap();
    level.trim().parse::<i32>().unwrap() > 2
}

/// Its exit code, and what this kernel lacks or its host forbids by itself: all of that where it cannot trace at all.
fn lacking_here() -> (i32, BTreeSet<String>) {
    if version() < (5, 12) {
        return (1, ids_of(&["kernel.release", "trace.load"]));
    }
    if is_locked_down() {
        return (1, ids_of(&["kernel.lockdown", "trace.load"]));
    }
    let mut lacking = BTreeSet::new();
    if version() < (5, 19) {
        lacking.insert("hooks.io_uring_complete".to_owned());
    }
    if version() < (6, 3) {
        lacking.insert("hooks.sock_send_length".to_owned());
    }
    if std::env::var_os("SOCKTRACE_FUNCTION_HOOKS").is_none() {
        lacking.insert("hooks.functions".to_owned());
    }
    (0, lacking)
}

/// Whether the kernel keeps its memory to itself.
fn is_locked_down() -> bool {
    let says = std::fs::read_to_string("/sys/kernel/security/lockdown");
    says.is_ok_and(|says| says.contains("[confidentiality]"))
}

/// Where a program of util-linux lies: the shell of a guest has others of the same names.
fn installed(name: &str) -> String {
    let path = std::env::var_os("PATH").unwrap();
    let mut files = std::env::split_paths(&path).map(|folder| folder.join(name));
    files.find(|file| file.is_file()).expect("util-linux").to_str().unwrap().to_owned()
}

/// In a mount namespace of its own after these shell commands, without these capabilities or run by another program.
fn without(mounts: &str, capabilities: &str) -> Command {
    let program = socktrace(&[]).get_program().to_owned();
    let mut command = Command::new("unshare");
    let drop = match capabilities {
        run_by if !run_by.starts_with('-') => run_by.to_owned(),
        _ => format!("{} --bounding-set={capabilities}", installed("setpriv")),
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
    let (code, report, usual) = examined(&mut without("", ""));
    let expected = lacking_here();
    if expected.0 != 0 {
        assert_eq!((code, usual), (Some(expected.0), expected.1), "{report:#}");
        return;
    }
    assert!(code == Some(0) && usual.is_subset(&expected.1), "a false alarm: {report:#}");
    let cgroups = Cgroups::new();
    let new_cgroups = cgroups.mounted();
    let new_processes = format!("{} --pid --fork --kill-child --mount-proc", installed("unshare"));

    // Mounts, capabilities (or what else it is run by), exit code, what is named.
    #[rustfmt::skip]
    let cases: &[(&str, &str, i32, &[&str])] = &[
        ("", "-bpf,-sys_admin", 1, &["rights.bpf", "rights.sys_admin", "trace"]),
        ("", "-perfmon,-sys_admin", 1, &["rights.perfmon", "rights.sys_admin", "trace"]),
        ("", "-net_admin,-sys_admin", 1, &["rights.net_admin", "rights.sys_admin", "trace"]),
        ("", "-all", 1, &["rights.bpf", "rights.dac_read_search", "rights.net_admin", "rights.perfmon", "rights.sys_admin", "rights.sys_nice", "rights.sys_ptrace", "trace"]),
        // CAP_SYS_ADMIN stands for either.
        ("", "-bpf", 0, &[]),
        ("", "-perfmon", 0, &[]),
        ("", "-sys_admin", 0, &["rights.sys_admin"]),
        ("", "-sys_nice", 0, &["rights.sys_nice"]),
        // What it does not need.
        ("", "-net_raw,-sys_module,-chown,-setuid,-setgid,-kill", 0, &[]),
        ("", "-sys_ptrace", 0, &["rights.sys_ptrace"]),
        ("", "-dac_read_search", 0, &["rights.dac_read_search"]),
        ("", "-net_admin", 0, &["rights.net_admin"]),
        ("umount -l /sys/kernel/btf 2>/dev/null || true; mount -t tmpfs none /sys/kernel/btf", "", 1, &["kernel.btf", "trace"]),
        ("mount -t proc -o hidepid=2 proc /proc", "-sys_ptrace", 0, &["proc", "rights.sys_ptrace"]),
        ("mount -t proc -o hidepid=2 proc /proc", "", 0, &[]),
        // What containers have of their own. The processes of the last one see each other in a /proc of theirs.
        (&new_cgroups, "", 0, &["cgroup_namespace"]),
        ("", &new_processes, 0, &["pid_namespace"]),
        ("mount -t tmpfs none /proc", "", 0, &["proc"]),
        (HIDE_CGROUPS, "-sys_admin", 0, &["mounts.cgroup2", "rights.sys_admin"]),
        (HIDE_TRACEFS, "-sys_admin", 0, &["mounts.tracefs", "rights.sys_admin"]),
        // Root mounts them where nobody sees it.
        (HIDE_CGROUPS, "", 0, &[]),
        (HIDE_TRACEFS, "", 0, &[]),
    ];
    for &(mounts, capabilities, code, named) in cases {
        let (ended, report, mut ids) = examined(&mut without(mounts, capabilities));
        let mut expected = ids_of(named);
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
        let attaches = capabilities == "-sys_admin" && !named.contains(&"mounts.tracefs");
        if attaches && perf_takes_admin() {
            expected.insert("kernel.perf_event_paranoid".to_owned());
        }
        assert_eq!((ended, ids), (Some(code), expected), "{mounts} {capabilities}: {report:#}");
        for finding in report["findings"].as_array().unwrap() {
            let is_bad = finding["answer"] != "ok" && finding["id"] != "trace";
            assert!(!is_bad || finding["remedy"].is_string(), "no remedy: {finding}");
        }
    }
}

/// A cgroup that is removed at the end.
struct Cgroups {
    mount: String,
    path: PathBuf,
}

impl Cgroups {
    fn new() -> Self {
        let mounts = std::fs::read_to_string("/proc/mounts").unwrap();
        let mut mounts = mounts.lines().map(|line| line.split(' ').collect::<Vec<_>>());
        let mount = mounts.find(|words| words[2] == "cgroup2").expect("cgroup2 is mounted")[1].to_owned();
        let path = Path::new(&mount).join(format!("doctor-test-{}", std::process::id()));
        std::fs::create_dir(&path).unwrap();
        Self { mount, path }
    }

    /// The shell command by which it is the root of all that is seen, as in a container.
    fn mounted(&self) -> String {
        format!("mount --bind {} {}", self.path.display(), self.mount)
    }
}

impl Drop for Cgroups {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir(&self.path);
    }
}

/// Nothing below /sys/fs/cgroup, and no other mount of its kind.
const HIDE_CGROUPS: &str =
    "grep ' cgroup2 ' /proc/mounts | cut -d' ' -f2 | while read -r at; do umount -l $at; done";
const HIDE_TRACEFS: &str =
    "grep ' tracefs ' /proc/mounts | cut -d' ' -f2 | while read -r at; do umount -l $at; done";

/// With a filter of system calls of a container's kind, which refuses these; of sockets, netlink's.
fn filtered(calls: &[i64]) -> Command {
    let netlink =
        SeccompCondition::new(0, SeccompCmpArgLen::Dword, SeccompCmpOp::Eq, libc::AF_NETLINK as u64);
    let rule = SeccompRule::new(vec![netlink.unwrap()]).unwrap();
    let rules = |&call: &i64| (call, if call == libc::SYS_socket { vec![rule.clone()] } else { Vec::new() });
    let filter = SeccompFilter::new(
        calls.iter().map(rules).collect(),
        SeccompAction::Allow,
        SeccompAction::Errno(libc::EPERM as u32),
        std::env::consts::ARCH.try_into().unwrap(),
    );
    let program: BpfProgram = filter.unwrap().try_into().unwrap();
    let mut command = socktrace(&["doctor", "--json"]);
    let sandbox = move || seccompiler::apply_filter(&program).map_err(std::io::Error::other);
    // SAFETY: between fork and exec only system calls are made.
    unsafe { command.pre_exec(sandbox) };
    command.env("SOCKTRACE_SOCKET", "/nonexistent/agent.sock");
    command
}

#[test]
fn doctor_names_a_filter_of_system_calls_and_what_it_keeps_from_us() {
    const TEST: &str = "doctor_names_a_filter_of_system_calls_and_what_it_keeps_from_us";
    if !may_trace(TEST) {
        return;
    }
    let (0, usual) = lacking_here() else { return };
    const BPF: i64 = libc::SYS_bpf;
    const PERF: i64 = libc::SYS_perf_event_open;
    #[rustfmt::skip]
    let cases: &[(&[i64], i32, &[&str], &str)] = &[
        (&[libc::SYS_reboot], 0, &[], ""),
        (&[BPF], 1, &["seccomp", "trace.load"], "may not call bpf"),
        (&[PERF], 0, &["seccomp"], "may not call perf_event_open"),
        (&[libc::SYS_setns], 0, &["seccomp"], "may not call setns"),
        (&[PERF, libc::SYS_setns, libc::SYS_mount], 0, &["seccomp"], "may not call perf_event_open, setns"),
        (&[libc::SYS_socket], 0, &["sock_diag"], ""),
    ];
    let is_container = ["/run/.containerenv", "/.dockerenv"].map(Path::new).iter().any(|mark| mark.exists());
    let starts = [
        // Where these tests run in a container, that is how doctor was started.
        (None, if is_container { "--security-opt" } else { "a shell without a seccomp filter" }),
        (Some(("container", "podman")), "--security-opt seccomp=unconfined"),
        (Some(("KUBERNETES_SERVICE_HOST", "10.0.0.1")), "seccompProfile"),
    ];
    for &(calls, code, named, said) in cases {
        // What it says of the start does not depend on the call.
        for &(mark, remedy) in if calls == [PERF] { &starts[..] } else { &starts[..1] } {
            let mut command = filtered(calls);
            command.env_remove("container").envs(mark);
            let (ended, report, ids) = examined(&mut command);
            let ids: BTreeSet<String> = ids.difference(&usual).cloned().collect();
            assert_eq!((ended, ids), (Some(code), ids_of(named)), "{calls:?}: {report:#}");
            let findings = report["findings"].as_array().unwrap();
            let Some(finding) = findings.iter().find(|finding| finding["id"] == "seccomp") else { continue };
            assert!(finding["what"].as_str().unwrap().ends_with(said), "{finding}");
            assert!(finding["remedy"].as_str().unwrap().contains(remedy), "{finding}");
        }
    }
}

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

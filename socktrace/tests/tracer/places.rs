//! Hooks do not need what they are attached to to be mounted.

use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sched::{CloneFlags, unshare};
use socktrace::kernel::ebpf::{Config, Tracer};

use crate::support::may_be_missing;

#[test]
fn hooks_are_attached_where_tracefs_and_cgroup2_are_not_mounted() {
    let alone = std::thread::spawn(|| {
        unshare(CloneFlags::CLONE_NEWNS | CloneFlags::CLONE_FS).expect("root");
        let private = MsFlags::MS_REC | MsFlags::MS_PRIVATE;
        mount(None::<&str>, "/", None::<&str>, private, None::<&str>).expect("a namespace of our own");
        let is_one = |line: &&str| matches!(line.split(' ').nth(2), Some("tracefs" | "cgroup2"));
        loop {
            // Of this thread: the process may be elsewhere.
            let mounts = std::fs::read_to_string("/proc/thread-self/mounts").expect("procfs");
            let Some(line) = mounts.lines().rfind(is_one) else { break };
            umount2(line.split(' ').nth(1).expect("a place"), MntFlags::MNT_DETACH).expect("mounted");
        }
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let tracer = Tracer::load(&Config::default()).expect("the rights to load programs");
            for status in tracer.hooks() {
                if let Some(reason) = &status.missing {
                    assert!(status.hook.is_often_missing(), "{}: {reason}", status.hook.name);
                    may_be_missing(status.hook.name, &reason.to_string());
                }
            }
        });
    });
    alone.join().expect("attached");
}

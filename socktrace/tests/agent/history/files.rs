//! History in files: over restarts, torn, on a full disk, in a directory that is not there, and in one that others can change.

use super::super::{AGENTS, folder};
use super::*;
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sys::stat::Mode;
use nix::unistd::{User, chown, mkfifo};
use std::collections::BTreeSet;
use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};

/// An ordinary user; no agent of these tests is theirs.
const STRANGER: u32 = 1001;

/// Files of history in a directory, oldest first.
fn files(dir: &Path) -> Vec<PathBuf> {
    let paths = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<_> = paths.filter(|path| path.extension().is_some_and(|it| it == "history")).collect();
    files.sort();
    files
}

/// The three ends are in the files a tenth of a second after they are in memory.
fn wait_for_files(dir: &Path, filter: &str) {
    wait_for("the files", || {
        let told = objects(&ask(&["--dir", dir.to_str().unwrap(), "--json", filter]));
        (told.len() == 3).then_some(())
    });
}

#[test]
fn a_restart_keeps_what_was_written_and_says_when_nobody_looked() {
    if !may_trace("a_restart_keeps_what_was_written_and_says_when_nobody_looked") {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let dir = directory.path().join("history");
    let options = ["--history-dir", dir.to_str().unwrap()];
    let mut agent = Agent::start(&options);
    let (actor, port) = connection("before");
    let filter = format!("port = {port} and netns = {}", actor.netns());
    for signal in [Signal::SIGTERM, Signal::SIGKILL] {
        wait_for_files(&dir, &filter);
        agent.process.signal(signal);
        agent.process.ends();
        agent.process = Agent::start_on(&agent.path, &options);
        let said = ask(&["--agent", agent.path(), "--json", &filter]);
        assert_eq!(objects(&said).len(), 3, "{signal}: {}", said.stdout);
        assert!(said.stderr.contains("socktrace: no agent was running from "), "{signal}: {}", said.stderr);
    }
    // Readable for root alone.
    assert_eq!(fs::metadata(&dir).unwrap().permissions().mode() & 0o777, 0o700);
    for file in files(&dir) {
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    }
}

#[test]
fn a_torn_file_is_read_as_far_as_it_goes_and_written_no_further() {
    if !may_trace("a_torn_file_is_read_as_far_as_it_goes_and_written_no_further") {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let dir = directory.path().to_str().unwrap();
    let options = ["--history-dir", dir];
    let mut agent = Agent::start(&options);
    let (actor, port) = connection("torn");
    let filter = format!("port = {port} and netns = {}", actor.netns());
    wait_for_files(directory.path(), &filter);
    agent.process.signal(Signal::SIGTERM);
    agent.process.ends();
    let file = files(directory.path()).pop().unwrap();
    let length = fs::metadata(&file).unwrap().len();
    // The last record, that the agent ended, is torn.
    fs::OpenOptions::new().write(true).open(&file).unwrap().set_len(length - 1).unwrap();
    let said = ask(&["--dir", dir, "--json", &filter]);
    assert_eq!(objects(&said).len(), 3, "{}", said.stdout);
    let torn = format!("bytes of {} are torn or damaged", file.display());
    assert!(said.stderr.contains(&torn), "{}", said.stderr);
    // Bytes that nobody wrote for us are no reason to stop either.
    fs::write(directory.path().join("00000000000000000001.history"), [0xff; 5000]).unwrap();
    agent.process = Agent::start_on(&agent.path, &options);
    let (again, other) = connection("whole");
    let whole = format!("port = {other} and netns = {}", again.netns());
    for (filter, count) in [(&filter, 3), (&whole, 3)] {
        assert_eq!(agent.history(&[filter]).len(), count);
    }
    agent.process.signal(Signal::SIGTERM);
    agent.process.ends();
    assert_eq!(objects(&ask(&["--dir", dir, "--json", &whole])).len(), 3);
    assert_eq!(fs::metadata(&file).unwrap().len(), length - 1);
}

/// A small file system of its own. Dropping it unmounts it.
struct Tmpfs(tempfile::TempDir);

impl Tmpfs {
    fn new(size: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let options = format!("mode=0700,size={size}");
        mount(Some("tmpfs"), directory.path(), Some("tmpfs"), MsFlags::empty(), Some(options.as_str()))
            .unwrap();
        Self(directory)
    }

    fn resize(&self, size: &str) {
        let options = format!("mode=0700,size={size}");
        let none: Option<&str> = None;
        mount(none, self.0.path(), none, MsFlags::MS_REMOUNT, Some(options.as_str())).unwrap();
    }

    fn path(&self) -> &str {
        self.0.path().to_str().unwrap()
    }
}

impl Drop for Tmpfs {
    fn drop(&mut self) {
        let _ = umount2(self.0.path(), MntFlags::MNT_DETACH);
    }
}

#[test]
fn a_full_disk_is_a_warning_and_used_again_when_it_has_room() {
    if !may_trace("a_full_disk_is_a_warning_and_used_again_when_it_has_room") {
        return;
    }
    let disk = Tmpfs::new("64k");
    let mut agent = Agent::start(&["--history-dir", disk.path()]);
    Churn::begin(5000).end();
    let warning = agent.process.says("socktrace: cannot write history to ");
    assert!(warning.contains("no space left on device"), "{warning}");
    // Memory has it all.
    let told = agent.history(&["--comm", "churn-client"]);
    assert!(told.len() >= 4900, "{}", told.len());
    disk.resize("4m");
    let again = wait_for("writing again", || {
        // Something must be closed for something to be written.
        connection("after-full");
        agent.process.try_says("socktrace: history is written to ")
    });
    assert!(again.contains(" again; "), "{again}");
    let (actor, port) = connection("last");
    let filter = format!("port = {port} and netns = {}", actor.netns());
    agent.process.signal(Signal::SIGTERM);
    assert_eq!(agent.process.ends().code(), Some(0));
    let said = ask(&["--dir", disk.path(), "--json", &filter]);
    assert_eq!(objects(&said).len(), 3, "{}", said.stderr);
    let missing = "closed sockets of that time that could not be written to the files: ";
    assert!(said.stderr.contains(missing), "{}", said.stderr);
}

#[test]
fn a_directory_that_cannot_be_written_or_vanishes_is_a_warning_and_used_when_it_is_there() {
    if !may_trace("a_directory_that_cannot_be_written_or_vanishes_is_a_warning_and_used_when_it_is_there") {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    // A file is where the directory's parent should be.
    let parent = directory.path().join("parent");
    fs::write(&parent, "").unwrap();
    let dir = parent.join("history");
    let path = directory.path().join("agent.sock");
    let words = ["agent", "--socket", path.to_str().unwrap(), "--history-dir", dir.to_str().unwrap()];
    let process = Running::start(&words);
    process.says("socktrace: cannot write history to ");
    process.says("socktrace: agent ready on ");
    let mut agent = Agent { process, path, _directory: directory };
    let (actor, port) = connection("in-memory");
    let filter = format!("port = {port} and netns = {}", actor.netns());
    assert_eq!(agent.history(&[&filter]).len(), 3);
    fs::remove_file(&parent).unwrap();
    let close_until = |start: &str| {
        wait_for(start, || {
            connection("and-on");
            agent.process.try_says(start)
        })
    };
    close_until("socktrace: history is written to ");
    fs::remove_dir_all(&parent).unwrap();
    close_until("socktrace: the history in ");
    let (actor, port) = connection("at-last");
    let filter = format!("port = {port} and netns = {}", actor.netns());
    agent.process.signal(Signal::SIGTERM);
    assert_eq!(agent.process.ends().code(), Some(0));
    assert_eq!(objects(&ask(&["--dir", dir.to_str().unwrap(), "--json", &filter])).len(), 3);
}

/// What strangers lay where history is to be written: neither believed nor waited for, whoever the agent is.
#[test]
fn what_strangers_lay_in_its_way_is_neither_written_to_nor_waited_for() {
    if !may_trace("what_strangers_lay_in_its_way_is_neither_written_to_nor_waited_for") {
        return;
    }
    for options in AGENTS {
        let owner = options.last().map_or(0, |name| User::from_name(name).unwrap().unwrap().uid.as_raw());
        let directory = folder();
        // Whose it is, who may write there, and what is there.
        let make = |name: &str, uid: u32, mode: u32| {
            let dir = directory.path().join(name);
            fs::create_dir(&dir).unwrap();
            fs::set_permissions(&dir, Permissions::from_mode(mode)).unwrap();
            chown(&dir, Some(uid.into()), None).unwrap();
            dir
        };
        let elsewhere = directory.path().join("elsewhere");
        let theirs = make("theirs", STRANGER, 0o755);
        let open = make("open", owner, 0o777);
        let (linked, stuck) = (make("linked", owner, 0o700), make("stuck", owner, 0o700));
        symlink(&elsewhere, linked.join("lock")).unwrap();
        // Open to the agent, whoever it is.
        mkfifo(&stuck.join("lock"), Mode::S_IRWXU).unwrap();
        chown(&stuck.join("lock"), Some(owner.into()), None).unwrap();
        let link = directory.path().join("link");
        symlink(make("behind", owner, 0o700), &link).unwrap();
        let fifo = directory.path().join("fifo");
        mkfifo(&fifo, Mode::S_IRWXU).unwrap();
        for (dir, why) in [
            (&theirs, "theirs belongs to user 1001, who could replace what is in it"),
            (&open, "open may be written by others, who could replace what is in it"),
            (&linked, "too many levels of symbolic links"),
            (&stuck, "not a regular file"),
            (&link, "link: "),
            (&fifo, ": "),
        ] {
            let before = held(directory.path());
            let path = directory.path().join("agent.sock");
            let words = ["agent", "--socket", path.to_str().unwrap(), "--history-dir", dir.to_str().unwrap()];
            let mut agent = Running::start(&[&words, options].concat());
            let said = agent.says("socktrace: cannot write history to ");
            assert!(said.contains(why), "{options:?} {}: {said}", dir.display());
            agent.says("socktrace: agent ready on ");
            agent.signal(Signal::SIGTERM);
            assert_eq!(agent.ends().code(), Some(0));
            let left: Vec<_> = held(directory.path()).difference(&before).cloned().collect();
            assert!(
                left.iter().all(|path| path.ends_with("agent.sock") || path.ends_with("agent.sock.lock")),
                "{left:?}"
            );
        }
        // One that is the agent's own is written to.
        let own = make("own", owner, 0o700);
        let _agent = Agent::start(&[&["--history-dir", own.to_str().unwrap()], options].concat());
        let (actor, port) = connection("own");
        wait_for_files(&own, &format!("port = {port} and netns = {}", actor.netns()));
        for file in files(&own) {
            let data = fs::metadata(&file).unwrap();
            assert_eq!((data.uid(), data.mode() & 0o777), (owner, 0o600), "{}", file.display());
        }
    }
}

/// Everything at and below that path, without following links.
fn held(path: &Path) -> BTreeSet<PathBuf> {
    let mut all = BTreeSet::from([path.to_owned()]);
    if fs::symlink_metadata(path).unwrap().is_dir() {
        fs::read_dir(path).unwrap().for_each(|entry| all.append(&mut held(&entry.unwrap().path())));
    }
    all
}

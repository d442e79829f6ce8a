//! The socket in real directories.

use super::*;
use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::os::unix::net::UnixStream;
use tempfile::tempdir;

const ANYBODY: Access<'static> = Access { user: None, group: None, mode: MODE };

fn of_group(group: &str) -> Access<'_> {
    Access { group: Some(group), ..ANYBODY }
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

fn refused(path: &Path) -> String {
    let error = Claim::take(path, ANYBODY).unwrap_err().to_string();
    error.replace(path.parent().unwrap().to_str().unwrap(), "DIR")
}

fn entries(dir: &Path) -> Vec<String> {
    let mut names: Vec<_> =
        fs::read_dir(dir).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn taken_used_and_gone() {
    let dir = tempdir().unwrap();
    let path = dir.path().join("made/agent.sock");
    let (claim, _listener) = Claim::take(&path, ANYBODY).unwrap();
    assert_eq!(mode(&path), MODE);
    assert_eq!(entries(path.parent().unwrap()), ["agent.sock", "agent.sock.lock"]);
    // It shows under its own name.
    let connected = UnixStream::connect(&path).unwrap();
    let path_of_peer = connected.peer_addr().unwrap().as_pathname().map(Path::to_owned);
    assert_eq!(path_of_peer, Some(path.canonicalize().unwrap()));
    drop(claim);
    assert!(entries(dir.path()).is_empty());
}

#[test]
fn a_directory_that_was_there_stays() {
    let dir = tempdir().unwrap();
    let path = dir.path().join("agent.sock");
    drop(Claim::take(&path, ANYBODY).unwrap());
    assert!(entries(dir.path()).is_empty());
}

#[test]
fn the_umask_changes_no_mode() {
    let dir = tempdir().unwrap();
    let path = dir.path().join("made/agent.sock");
    let before = umask(Mode::empty());
    let taken = Claim::take(&path, ANYBODY);
    umask(before);
    let (_claim, _listener) = taken.unwrap();
    assert_eq!((mode(path.parent().unwrap()), mode(&path)), (0o755, MODE));
    assert_eq!(mode(&beside(&path, ".lock")), 0o600);
}

#[test]
fn a_setgid_directory_gives_the_socket_no_group() {
    let dir = tempdir().unwrap();
    if !Uid::effective().is_root() {
        return;
    }
    fchown(fs::File::open(dir.path()).unwrap(), None, Some(Gid::from_raw(1))).unwrap();
    set_mode(dir.path(), 0o2755);
    let path = dir.path().join("agent.sock");
    let (claim, _listener) = Claim::take(&path, ANYBODY).unwrap();
    let ours = Gid::effective().as_raw();
    assert_eq!((fs::metadata(&path).unwrap().gid(), claim.gid()), (ours, ours));
}

#[test]
fn a_directory_that_others_can_change_is_refused() {
    let dir = tempdir().unwrap();
    let inner = dir.path().join("inner");
    fs::create_dir(&inner).unwrap();
    let path = inner.join("agent.sock");
    for mode in [0o775, 0o757, 0o777] {
        set_mode(&inner, mode);
        let expected = "DIR may be written by others, who could replace what is in it";
        assert_eq!(refused(&path), format!("cannot listen on DIR/agent.sock: {expected}"), "{mode:o}");
    }
    // Above it, too.
    set_mode(&inner, 0o755);
    set_mode(dir.path(), 0o777);
    assert!(matches!(
        Claim::take(&path, ANYBODY),
        Err(SocketError::Directory { error: FolderError::Writable { path }, .. }) if path == dir.path().canonicalize().unwrap()
    ));
    // Everybody may make files there, and only their owners may rename them.
    set_mode(dir.path(), 0o1777);
    drop(Claim::take(&path, ANYBODY).unwrap());
    set_mode(&inner, 0o1777);
    drop(Claim::take(&path, ANYBODY).unwrap());
    if !Uid::effective().is_root() {
        return;
    }
    let theirs =
        |path: &Path| fchown(fs::File::open(path).unwrap(), Some(Uid::from_raw(1001)), None).unwrap();
    theirs(&inner);
    let said = "cannot listen on DIR/agent.sock: DIR belongs to user 1001, who could replace what is in it";
    assert_eq!(refused(&path), said);
    assert!(refused(&inner.join("made/agent.sock")).contains(" belongs to user 1001, "));
    assert!(entries(&inner).is_empty());
}

#[test]
fn a_lock_that_is_not_ours_is_refused_at_once() {
    let dir = tempdir().unwrap();
    let path = dir.path().join("agent.sock");
    let lock = beside(&path, ".lock");
    nix::unistd::mkfifo(&lock, Mode::S_IRWXU).unwrap();
    assert!(
        matches!(Claim::take(&path, ANYBODY), Err(SocketError::NoLock { path }) if path == lock.canonicalize().unwrap())
    );
    fs::remove_file(&lock).unwrap();
    std::os::unix::fs::symlink(dir.path().join("elsewhere"), &lock).unwrap();
    assert!(matches!(Claim::take(&path, ANYBODY), Err(SocketError::NoLock { .. })));
    assert_eq!(entries(dir.path()), ["agent.sock.lock"]);
}

#[test]
fn one_who_lets_nobody_in_is_not_waited_for() {
    let dir = tempdir().unwrap();
    let path = dir.path().join("agent.sock");
    let full = unix_socket().unwrap();
    bind(full.as_raw_fd(), &UnixAddr::new(&path).unwrap()).unwrap();
    listen(&full, Backlog::new(0).unwrap()).unwrap();
    let waits: Vec<_> = std::iter::from_fn(|| {
        let socket = unix_socket().unwrap();
        connect(socket.as_raw_fd(), &UnixAddr::new(&path).unwrap()).ok().map(|()| socket)
    })
    .collect();
    assert!(!waits.is_empty());
    assert!(matches!(Claim::take(&path, ANYBODY), Err(SocketError::Taken { .. })));
}

#[test]
fn a_living_agent_keeps_its_socket_even_without_its_lock_file() {
    let dir = tempdir().unwrap();
    let path = dir.path().join("agent.sock");
    let (_claim, _listener) = Claim::take(&path, ANYBODY).unwrap();
    let refused = Claim::take(&path, ANYBODY).unwrap_err();
    assert_eq!(refused.to_string(), format!("an agent already listens on {}", path.display()));
    fs::remove_file(beside(&path, ".lock")).unwrap();
    assert!(matches!(Claim::take(&path, ANYBODY), Err(SocketError::Taken { .. })));
    UnixStream::connect(&path).unwrap();
}

#[test]
fn what_a_killed_agent_left_is_replaced() {
    let dir = tempdir().unwrap();
    let path = dir.path().join("agent.sock");
    drop(UnixListener::bind(&path).unwrap());
    fs::write(beside(&path, ".lock"), "").unwrap();
    let (_claim, _listener) = Claim::take(&path, ANYBODY).unwrap();
    UnixStream::connect(&path).unwrap();
    assert_eq!(entries(dir.path()), ["agent.sock", "agent.sock.lock"]);
}

#[test]
fn what_is_no_socket_stays() {
    let dir = tempdir().unwrap();
    let path = dir.path().join("agent.sock");
    fs::write(&path, "precious").unwrap();
    assert!(matches!(Claim::take(&path, ANYBODY), Err(SocketError::NoSocket { .. })));
    assert_eq!(fs::read(&path).unwrap(), b"precious");
    assert_eq!(entries(dir.path()), ["agent.sock"]);
}

#[test]
fn a_socket_that_replaced_ours_is_not_removed() {
    let dir = tempdir().unwrap();
    let path = dir.path().join("agent.sock");
    let (claim, _listener) = Claim::take(&path, ANYBODY).unwrap();
    fs::remove_file(&path).unwrap();
    let _other = UnixListener::bind(&path).unwrap();
    drop(claim);
    UnixStream::connect(&path).unwrap();
}

#[test]
fn groups() {
    let dir = tempdir().unwrap();
    let path = dir.path().join("agent.sock");
    let error = Claim::take(&path, of_group("no-such-group")).unwrap_err();
    assert_eq!(error.to_string(), "no group is called no-such-group");
    assert!(entries(dir.path()).is_empty());
    let own = Group::from_gid(Gid::effective()).unwrap().unwrap();
    let (_claim, _listener) = Claim::take(&path, of_group(&own.name)).unwrap();
    assert_eq!(fs::metadata(&path).unwrap().gid(), own.gid.as_raw());
}

#[test]
fn another_user_can_take_it_away_again() {
    let dir = tempdir().unwrap();
    let path = dir.path().join("made/agent.sock");
    let own = OtherUser::called(&nix::unistd::User::from_uid(Uid::effective()).unwrap().unwrap().name);
    // Only root can give files away.
    let user = if Uid::effective().is_root() { OtherUser::called("nobody") } else { own }.unwrap();
    let (_claim, _listener) = Claim::take(&path, Access { user: Some(&user), ..ANYBODY }).unwrap();
    for path in [path.parent().unwrap(), &path] {
        let meta = fs::metadata(path).unwrap();
        assert_eq!((meta.uid(), meta.gid()), (user.uid.as_raw(), user.gid.as_raw()), "{}", path.display());
    }
}

#[test]
fn an_impossible_place_is_named() {
    let dir = tempdir().unwrap();
    let error = Claim::take(&dir.path().join("a/b/agent.sock"), ANYBODY).unwrap_err();
    assert!(error.to_string().starts_with("cannot create "), "{error}");
}

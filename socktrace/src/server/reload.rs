//! SIGHUP: the configuration file is read again. What can change while the agent runs does; what cannot is named.
//!
//! I/O: a signal, the file, systemd's notification socket, stderr.

use super::options::{Options, Reload};
use super::systemd::notify;
use crate::archive::{self, FileOptions};
use crate::history::Bounds;
use crate::runtime::request::Asker;
use sd_notify::NotifyState;
use std::io::{self, Write as _};
use tokio::signal::unix::Signal;

/// Whenever the signal comes, until the agent ends. `running`: what it was started with.
pub(super) async fn whenever_asked(reload: Option<(Reload, Signal)>, running: &Options, asker: &Asker) {
    let Some((read, mut hangup)) = reload else { return };
    let mut running = running.clone();
    while hangup.recv().await.is_some() {
        let clock = NotifyState::monotonic_usec_now().ok();
        notify(&[NotifyState::Reloading].into_iter().chain(clock).collect::<Vec<_>>());
        let read = read.clone();
        // The file may lie on something slow.
        match tokio::task::spawn_blocking(move || read()).await {
            Ok(Ok(wanted)) => {
                let Changes { keep, lines } = changes(&running, &wanted);
                running.history = keep.clone();
                // An agent that ends keeps nothing more.
                let _ = asker.keep(keep).await;
                say(&lines);
            }
            Ok(Err(error)) => say(&[format!("cannot reload: {error}; the agent goes on as it was")]),
            // A panic has said so.
            Err(_) => {}
        }
        notify(&[NotifyState::Ready]);
    }
}

fn say(lines: &[String]) {
    for line in lines {
        // Where nobody can hear it, that is no reason to stop.
        let _ = writeln!(io::stderr(), "socktrace: {line}");
    }
}

/// What becomes of options that have been read again.
#[derive(Debug, PartialEq, Eq)]
struct Changes {
    /// What of closed sockets is kept from now on.
    keep: archive::Options,
    /// What is to be said.
    lines: Vec<String>,
}

fn changes(running: &Options, wanted: &Options) -> Changes {
    let mut lines = Vec::new();
    let mut fixed = |name: &str, differs: bool| {
        if differs {
            lines
                .push(format!("reload: {name} cannot change while the agent runs; a restart makes it count"));
        }
    };
    // Named one by one: who adds an option decides what a reload does with it.
    let Options { socket, group, mode, user, ring_size, history } = wanted;
    fixed("socket", *socket != running.socket);
    fixed("group", *group != running.group);
    fixed("mode", *mode != running.mode);
    fixed("user", *user != running.user);
    fixed("ring-size", *ring_size != running.ring_size);
    let archive::Options { bounds, files } = history;
    let dir = |files: &Option<FileOptions>| files.as_ref().map(|files| files.dir.clone());
    fixed("history-dir", dir(files) != dir(&running.history.files));

    let mut keep = running.history.clone();
    let mut changed = |name: &str, before: u64, after: u64| {
        if before != after {
            lines.push(format!("reload: {name} is {after} now ({before} before)"));
        }
    };
    let Bounds { records, bytes } = *bounds;
    changed("history-entries", keep.bounds.records as u64, records as u64);
    changed("history-bytes", keep.bounds.bytes as u64, bytes as u64);
    keep.bounds = *bounds;
    if let (Some(kept), Some(files)) = (&mut keep.files, files) {
        changed("history-dir-size", kept.most, files.most);
        kept.most = files.most;
    }
    if lines.is_empty() {
        lines.push("reload: nothing has changed".to_owned());
    }
    Changes { keep, lines }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options() -> Options {
        Options {
            socket: "/run/a".into(),
            group: None,
            mode: 0o666,
            user: None,
            ring_size: 1,
            history: archive::Options {
                bounds: Bounds { records: 10, bytes: 20 },
                files: Some(FileOptions { dir: "/var/a".into(), most: 30 }),
            },
        }
    }

    #[test]
    fn what_can_change_does_and_what_cannot_is_named() {
        let running = options();
        let same = changes(&running, &options());
        assert_eq!(
            (same.keep, same.lines),
            (options().history, vec!["reload: nothing has changed".to_owned()])
        );

        let mut wanted = options();
        wanted.history.bounds.records = 11;
        wanted.history.files = Some(FileOptions { dir: "/var/a".into(), most: 31 });
        let Changes { keep, lines } = changes(&running, &wanted);
        assert_eq!(keep, wanted.history);
        assert_eq!(
            lines,
            [
                "reload: history-entries is 11 now (10 before)",
                "reload: history-dir-size is 31 now (30 before)"
            ]
        );

        let wanted = Options {
            socket: "/run/b".into(),
            group: Some("adm".to_owned()),
            mode: 0o660,
            user: Some("daemon".to_owned()),
            ring_size: 2,
            history: archive::Options { files: None, ..options().history },
        };
        let Changes { keep, lines } = changes(&running, &wanted);
        assert_eq!(keep, options().history);
        let named: Vec<_> = lines.iter().filter_map(|line| line.split(' ').nth(1)).collect();
        assert_eq!(named, ["socket", "group", "mode", "user", "ring-size", "history-dir"]);
        assert!(lines.iter().all(|line| line.ends_with("a restart makes it count")), "{lines:?}");
    }
}

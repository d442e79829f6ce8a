//! History in files: over restarts, within bounds, whole or not.

use super::*;

#[test]
fn a_restart_goes_on_and_tells_of_the_gap() {
    let directory = tempfile::tempdir().unwrap();
    let options = Options { bounds: ROOMY, files: Some(options(directory.path(), 1 << 20)) };
    for (run, clean) in [(1u16, true), (2, false), (3, true)] {
        let start = u64::from(run) * 10 * SECOND;
        let mut recorder = Recorder::start(&options, start, &CLOCK);
        recorder.push(&ended(start + SECOND, run, 0), &CLOCK);
        if clean {
            recorder.stop(start + 2 * SECOND, &CLOCK);
        } else {
            // Killed: what was written stays.
            recorder.tick();
            let done = || ports(&on_disk(directory.path())).len() == usize::from(run);
            wait_until(done);
            drop(recorder);
            let lock = std::fs::File::open(directory.path().join("lock")).unwrap();
            wait_until(|| lock.try_lock().is_ok());
        }
        let (survey, _) = answers(&on_disk(directory.path()), &all());
        let time = |seconds| NOON + seconds * SECOND;
        let gaps = [(time(12), time(20)), (time(21), time(30))];
        assert_eq!(survey.gaps, gaps[..usize::from(run) - 1], "run {run}");
    }
    assert_eq!(ports(&on_disk(directory.path())), [1, 2, 3]);
}

fn wait_until(mut done: impl FnMut() -> bool) {
    let start = std::time::Instant::now();
    while !done() {
        assert!(start.elapsed().as_secs() < 30, "it did not happen");
        std::thread::yield_now();
    }
}

#[test]
fn files_stay_within_their_bytes_and_the_newest_are_kept() {
    let directory = tempfile::tempdir().unwrap();
    for most in [2000, 10_000] {
        let mut disk = Disk::new(&options(directory.path(), most));
        disk.open();
        for cut in cuts(1..1000) {
            disk.write(&cut, Dropped::default());
            let taken: u64 = files::list(directory.path()).unwrap().iter().map(|listed| listed.size).sum();
            assert!(taken <= most, "{taken} bytes");
        }
        let kept = ports(&on_disk(directory.path()));
        assert!(kept.len() as u64 > most / 200, "{} kept of {most} bytes", kept.len());
        assert_eq!(kept, (1000 - kept.len() as u64..1000).collect::<Vec<_>>());
        let survey = answers(&on_disk(directory.path()), &all()).0;
        assert_eq!(survey.from, Some(NOON + kept[0] * SECOND));
    }
}

#[test]
fn files_from_before_are_left_out_and_how_far_it_goes_back_is_known_all_the_same() {
    let directory = tempfile::tempdir().unwrap();
    let mut disk = Disk::new(&options(directory.path(), 10_000));
    disk.open();
    cuts(1..100).iter().for_each(|cut| disk.write(cut, Dropped::default()));
    let listed = files::list(directory.path()).unwrap();
    assert!(listed.len() > 4, "{listed:?}");
    // Written when they were made.
    for (file, next) in listed.iter().zip(&listed[1..]) {
        let written =
            std::time::UNIX_EPOCH + std::time::Duration::from_nanos(NOON + (next.first - 1) * SECOND);
        let file =
            std::fs::File::options().write(true).open(files::path(directory.path(), file.first)).unwrap();
        file.set_modified(written).unwrap();
    }
    let log = on_disk(directory.path());
    for since in [0, 1, 50, 98, 99, 100] {
        let question = Resolved { since: Some(NOON + since * SECOND), ..all() };
        let (survey, told) = answers(&log, &question);
        assert_eq!(survey.from, Some(NOON + SECOND), "since {since}");
        assert_eq!(told.len() as u64, 100 - since.clamp(1, 100), "since {since}");
    }
    let mut shown = 0;
    log.read::<()>(Some(NOON + 90 * SECOND), &mut |_| (), &mut |_, _| {
        shown += 1;
        Ok(())
    })
    .unwrap();
    assert!((10..60).contains(&shown), "{shown} of 99");
}

#[test]
fn one_agent_at_a_time_writes_and_the_next_takes_over() {
    let directory = tempfile::tempdir().unwrap();
    let options = options(directory.path(), 1 << 20);
    let mut cuts = cuts(1..1_000).into_iter();
    let mut first = Disk::new(&options);
    first.open();
    first.write(&cuts.next().unwrap(), Dropped::default());
    let mut second = Disk::new(&options);
    second.open();
    second.write(&cuts.next().unwrap(), Dropped::default());
    assert_eq!(ports(&on_disk(directory.path())), [1]);
    drop(first);
    // It tries again after a while, and says what is missing.
    let cut = cuts.next().unwrap();
    let missing = || answers(&on_disk(directory.path()), &all()).0.unwritten;
    wait_until(|| {
        second.write(&cut, Dropped::default());
        missing() > 0
    });
    assert_eq!(ports(&on_disk(directory.path())).last(), Some(&3));
}

#[test]
fn what_was_dropped_before_is_said_where_it_is_missing() {
    let directory = tempfile::tempdir().unwrap();
    let mut disk = Disk::new(&options(directory.path(), 1 << 20));
    disk.open();
    let cuts = cuts(1..4);
    disk.write(&cuts[0], Dropped::default());
    let mut before = Dropped::default();
    before.add(cuts[1].first, cuts[1].records);
    disk.write(&cuts[2], before);
    let mut records = Vec::new();
    let log = on_disk(directory.path());
    log.read::<()>(None, &mut |trouble| panic!("{trouble}"), &mut |_, of_frame| {
        records.extend(of_frame.map(|dated| dated.unwrap().record));
        Ok(())
    })
    .unwrap();
    assert_eq!(records.len(), 3);
    assert_eq!(records[1], Record::Lost { records: 1, by: Loser::Files });
}

#[test]
fn files_that_are_not_whole_are_passed_by_and_named() {
    let directory = tempfile::tempdir().unwrap();
    let write =
        |first: u64, bytes: &[u8]| std::fs::write(files::path(directory.path(), first), bytes).unwrap();
    let frames: Vec<Vec<u8>> = cuts(1..4).iter().map(segment::frame).collect();
    let torn = [segment::head(), &frames[0], &frames[1][..10]].concat();
    write(1, &torn);
    write(2, b"something else of some length");
    write(3, b"socktrace hist\n\x09");
    write(4, &[segment::head(), &frames[2]].concat());
    std::fs::write(directory.path().join("notes.txt"), "not ours").unwrap();
    std::fs::create_dir(files::path(directory.path(), 5)).unwrap();
    let log = on_disk(directory.path());
    assert_eq!(ports(&log), [1, 3]);
    let troubles = answers(&log, &all()).0.troubles;
    let name = |first| files::path(directory.path(), first).display().to_string();
    assert_eq!(
        troubles,
        [
            format!("the last 10 bytes of {} are torn or damaged", name(1)),
            format!("cannot read {}: not a socktrace history file", name(2)),
            format!("cannot read {}: its format is version 9, and this socktrace reads version 1", name(3)),
        ]
    );
}

#[test]
fn a_directory_that_others_can_change_is_not_written_to_and_nothing_in_it_is_waited_for() {
    use std::os::unix::fs::{PermissionsExt as _, symlink};
    let refused = |dir: &Path| {
        let mut disk = Disk::new(&options(dir, 1 << 20));
        disk.open();
        cuts(1..2).iter().for_each(|cut| disk.write(cut, Dropped::default()));
        files::list(dir).unwrap().is_empty()
    };
    let directory = tempfile::tempdir().unwrap();
    for mode in [0o770, 0o707, 0o1777] {
        std::fs::set_permissions(directory.path(), std::fs::Permissions::from_mode(mode)).unwrap();
        assert!(refused(directory.path()), "{mode:o}");
    }
    std::fs::set_permissions(directory.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    // A lock that is a FIFO, or a link to what is not ours to make.
    let lock = directory.path().join("lock");
    nix::unistd::mkfifo(&lock, nix::sys::stat::Mode::S_IRWXU).unwrap();
    assert!(refused(directory.path()));
    std::fs::remove_file(&lock).unwrap();
    let elsewhere = directory.path().join("elsewhere");
    symlink(&elsewhere, &lock).unwrap();
    assert!(refused(directory.path()) && !elsewhere.exists());
    std::fs::remove_file(&lock).unwrap();
    // The directory itself may be no link, and no FIFO.
    let link = directory.path().join("link");
    symlink(directory.path(), &link).unwrap();
    assert!(refused(&link));
    if nix::unistd::geteuid().is_root() {
        nix::unistd::chown(directory.path(), Some(1001.into()), None).unwrap();
        assert!(refused(directory.path()));
        nix::unistd::chown(directory.path(), Some(0.into()), None).unwrap();
    }
    assert!(!refused(directory.path()));
    // A FIFO among the files is passed by.
    nix::unistd::mkfifo(&files::path(directory.path(), 9), nix::sys::stat::Mode::S_IRWXU).unwrap();
    assert_eq!(ports(&on_disk(directory.path())), [1]);
    assert!(files::read(&files::path(directory.path(), 9)).is_err());
}

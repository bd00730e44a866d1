//! The database locked, the disk full.

use crate::facts::{Script, last_seq, mixed};
use crate::recorder::{config, push_all};
use crate::{DEADLINE, count, folder, in_time, open, until, url};
use std::path::{Path, PathBuf};
use std::process::Command;
use store::{Recorder, RecorderConfig};

#[tokio::test]
async fn while_the_database_is_locked_calls_wait_on_disk_and_then_arrive_once() {
    let dir = folder();
    let store = open(dir.path()).await;
    let options = RecorderConfig { pending_calls_max: 50, batch_calls: 20, ..config(dir.path()) };
    let (sink, recorder) = Recorder::start(store.clone(), options.clone()).expect("started");
    let monitor = recorder.monitor();
    let pool = sqlx::AnyPool::connect(&url(dir.path())).await.expect("a second connection");
    let mut other = pool.acquire().await.expect("a connection");
    sqlx::raw_sql("BEGIN EXCLUSIVE").execute(&mut *other).await.expect("locked");
    let calls = mixed(0..1_000);
    push_all(&sink, &calls);
    until("the facts are taken", || monitor.counters().facts_buffered == 0).await;
    until("they wait on disk", || spooled(dir.path())).await;
    let waiting = monitor.counters();
    assert_eq!((waiting.calls_stored, waiting.facts_dropped), (0, 0));
    assert!(waiting.calls_pending <= 70, "memory is bounded: {waiting:?}");
    // A crash in the middle of it all: the next start has only the disk.
    drop(recorder);
    let (sink, recorder) = Recorder::start(store, options).expect("started again");
    let monitor = recorder.monitor();
    let later = mixed(1_000..1_100);
    push_all(&sink, &later);
    sqlx::raw_sql("ROLLBACK").execute(&mut *other).await.expect("unlocked");
    in_time("all arrive", monitor.flushed(last_seq(&later))).await;
    assert_eq!(count(dir.path()).await, (1_100, 1_100));
    assert_eq!(monitor.counters().facts_dropped, 0);
    assert!(recorder.stop(DEADLINE).await);
    assert!(!spooled(dir.path()));
}

fn spooled(dir: &Path) -> bool {
    let entries = dir.join("spool").read_dir().expect("a folder");
    entries.flatten().any(|entry| entry.file_name().to_string_lossy().starts_with("spool-"))
}

/// A small file system of its own, for as long as this lives. Only root can mount one.
struct SmallDisk(PathBuf);

impl SmallDisk {
    fn mount(at: &Path) -> Option<Self> {
        std::fs::create_dir_all(at).expect("a folder");
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", "size=2m", "tmpfs"]).arg(at).output();
        let mounted = mounted.is_ok_and(|output| output.status.success());
        mounted.then(|| Self(at.to_owned()))
    }

    /// Leaves no byte free until the file is removed.
    fn fill(&self) -> PathBuf {
        let file = self.0.join("filler");
        let mut bytes = vec![0u8; 1 << 20];
        while !bytes.is_empty() {
            let mut options = std::fs::OpenOptions::new();
            let mut filler = options.create(true).append(true).open(&file).expect("a file");
            if std::io::Write::write_all(&mut filler, &bytes).is_err() {
                bytes.truncate(bytes.len() / 2);
            }
        }
        file
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let unmounted = Command::new("umount").arg("-l").arg(&self.0).status();
        assert!(unmounted.is_ok_and(|status| status.success()) || std::thread::panicking());
    }
}

/// Runs 200 calls into a full disk that holds what `on_disk` names, then makes room.
async fn check_full_disk(on_disk: &str) {
    let dir = folder();
    let Some(disk) = SmallDisk::mount(&dir.path().join("small")) else {
        println!("skipped: this needs the right to mount a file system");
        return;
    };
    let home = |what: &str| if on_disk.contains(what) { disk.0.clone() } else { dir.path().to_owned() };
    let database = home("database");
    let store = open(&database).await;
    let options = RecorderConfig { pending_calls_max: 60, ..config(&home("spool")) };
    let (sink, recorder) = Recorder::start(store, options).expect("started");
    let monitor = recorder.monitor();
    let filler = disk.fill();
    let calls = mixed(0..200);
    push_all(&sink, &calls);
    push_all(&sink, &[Script::new(500).arrived().cut()]);
    until("the facts are taken", || monitor.counters().facts_buffered == 0).await;
    if on_disk.contains("database") {
        until("calls wait", || monitor.counters().db_lag_ms > 0 && monitor.counters().calls_stored == 0)
            .await;
    } else {
        in_time("calls do not need the spool", monitor.flushed(last_seq(&calls))).await;
    }
    std::fs::remove_file(filler).expect("room again");
    in_time("all arrive", monitor.flushed(last_seq(&calls))).await;
    assert_eq!(count(&database).await, (200, 200));
    assert_eq!(monitor.counters().facts_dropped, 0);
    assert!(recorder.stop(DEADLINE).await);
}

#[tokio::test]
async fn a_full_disk_under_the_database_delays_calls_and_loses_none() {
    check_full_disk("database").await;
}

#[tokio::test]
async fn a_full_disk_under_the_spool_is_no_reason_to_keep_calls_from_the_database() {
    check_full_disk("spool").await;
}

#[tokio::test]
async fn a_full_disk_under_both_keeps_calls_in_memory_until_there_is_room() {
    check_full_disk("database and spool").await;
}

//! `kill -9` in the middle of many calls.

use crate::facts::{Script, answered, last_seq, mixed};
use crate::recorder::{config, push_all};
use crate::{DEADLINE, count, dump, folder, in_time, open, until};
use domain::Departure;
use std::io::Write;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use store::Recorder;

const FOLDER: &str = "HOTLINE_TEST_STORE_FOLDER";
/// The victim gives up after so many calls, should nobody kill it.
const CALLS_MAX: u64 = 100_000;
/// The call that the victim never ends.
const UNDER_WAY: u64 = 500_000;

/// A process that does not outlive the test, however that ends.
struct Victim(Child);

impl Victim {
    fn start(dir: &Path) -> Self {
        let mut command = Command::new(std::env::current_exe().expect("this test"));
        command.args(["--exact", "kill::the_process_that_gets_killed"]).env(FOLDER, dir);
        Self(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("started"))
    }
}

impl Drop for Victim {
    fn drop(&mut self) {
        let killed = self.0.kill().and_then(|()| self.0.wait());
        assert!(killed.is_ok() || std::thread::panicking());
    }
}

/// The process that the next test kills. Run without it, there is nothing to do.
#[tokio::test]
async fn the_process_that_gets_killed() {
    let Ok(dir) = std::env::var(FOLDER) else { return };
    let dir = Path::new(&dir);
    let (sink, recorder) = Recorder::start(open(dir).await, config(dir)).expect("started");
    push_all(&sink, &[Script::new(UNDER_WAY).arrived().queued("ruian").bridged(1_000, "ruian").cut()]);
    for n in 0..CALLS_MAX {
        push_all(&sink, &[answered(n)]);
        until("there is room", || recorder.monitor().counters().facts_buffered < 8_000).await;
    }
}

#[tokio::test]
async fn a_killed_server_leaves_one_record_and_one_ticket_of_each_call() {
    let dir = folder();
    // Makes the tables before the victim looks for them.
    let store = open(dir.path()).await;
    let victim = Victim::start(dir.path());
    let some = async {
        let mut pace = tokio::time::interval(std::time::Duration::from_millis(20));
        while store.recent_calls(500).await.expect("calls").len() < 500 {
            pace.tick().await;
        }
    };
    in_time("the victim stores calls", some).await;
    drop(victim);
    let (_, recorder) = Recorder::start(store.clone(), config(dir.path())).expect("started");
    assert!(recorder.stop(DEADLINE).await);
    let cut = Script::new(UNDER_WAY).arrived().cut().call;
    let record = store.call(cut).await.expect("read").expect("it has a record").record;
    assert_eq!(record.departure, Departure::Failed);
    let (calls, tickets) = count(dir.path()).await;
    assert_eq!(calls, tickets);
    // Calls were pushed in order, so all up to the last one are there; the last may be cut off too.
    let last = store.recent_calls(500).await.expect("calls").into_iter().map(|call| call.id.0 & 0xf_ffff);
    let last = last.filter(|n| *n != UNDER_WAY).max().expect("calls");
    assert_eq!(calls as u64, last + 2);
    let before = dump(dir.path()).await;
    let (_, recorder) = Recorder::start(store, config(dir.path())).expect("started");
    assert!(recorder.stop(DEADLINE).await);
    assert_eq!(dump(dir.path()).await, before);
}

#[tokio::test]
async fn a_journal_that_survives_its_calls_is_replayed_without_effect() {
    let dir = folder();
    let store = open(dir.path()).await;
    let calls = mixed(0..50);
    let (sink, recorder) = Recorder::start(store.clone(), config(dir.path())).expect("started");
    push_all(&sink, &calls);
    in_time("flushed", recorder.monitor().flushed(last_seq(&calls))).await;
    // Dead after the commit and before the journal was deleted, in the middle of a line.
    drop(recorder);
    let before = dump(dir.path()).await;
    let journal = dir.path().join("spool/journal-00000000000000000001.jsonl");
    let mut file = std::fs::OpenOptions::new().append(true).open(&journal).expect("the journal is there");
    file.write_all(br#"{"at":1795312800000,"se"#).expect("torn");
    let (_, recorder) = Recorder::start(store, config(dir.path())).expect("started");
    assert!(recorder.stop(DEADLINE).await);
    assert_eq!(dump(dir.path()).await, before);
    assert!(!journal.exists());
}

use crate::facts::{Script, answered, last_seq, mixed};
use crate::{DEADLINE, count, dump, folder, in_time, open, until};
use domain::{AgentId, Departure, Fact, FactRecord, Party, Timestamp};
use std::path::Path;
use store::{CallFacts, Error, FactSink, Recorder, RecorderConfig, Store};

pub fn push_all(sink: &FactSink, calls: &[CallFacts]) {
    calls.iter().flat_map(|call| &call.facts).for_each(|record| sink.push(record.clone()));
}

pub fn config(dir: &Path) -> RecorderConfig {
    RecorderConfig::new(dir.join("spool"))
}

fn files(dir: &Path) -> Vec<String> {
    let entries = dir.join("spool").read_dir().expect("a folder");
    entries.map(|entry| entry.expect("a file").file_name().to_string_lossy().into_owned()).collect()
}

async fn applied(dir: &Path, calls: &[CallFacts]) -> Vec<String> {
    let store = open(dir).await;
    for batch in calls.chunks(100) {
        store.apply(batch).await.expect("stored");
    }
    dump(dir).await
}

#[tokio::test]
async fn what_the_switch_tells_is_in_the_database_a_moment_later() {
    let (dir, plain) = (folder(), folder());
    let calls = mixed(0..300);
    let store = open(dir.path()).await;
    let (sink, recorder) = Recorder::start(store, config(dir.path())).expect("started");
    // Facts of many calls are mixed, as they come from a switch.
    for step in 0..20 {
        calls.iter().filter_map(|call| call.facts.get(step)).for_each(|record| sink.push(record.clone()));
    }
    in_time("flushed", recorder.monitor().flushed(last_seq(&calls))).await;
    let mut expected = applied(plain.path(), &calls).await;
    let mut found = dump(dir.path()).await;
    // Calls close in another order than they arrive in, so only the numbers of tickets may differ.
    let numbers = |lines: &mut Vec<String>| {
        lines.retain(|line| !line.starts_with("tickets "));
        std::mem::take(lines)
    };
    assert_eq!(numbers(&mut found), numbers(&mut expected));
    let counters = recorder.monitor().counters();
    assert_eq!((counters.calls_stored, counters.facts_dropped, counters.calls_live), (300, 0, 0));
    assert!(recorder.stop(DEADLINE).await);
    assert_eq!(files(dir.path()), ["lock"]);
}

#[tokio::test]
async fn a_polite_stop_stores_what_is_closed_and_the_next_start_fails_what_was_under_way() {
    let dir = folder();
    let under_way = Script::new(900).arrived().queued("ruian").bridged(1_000, "ruian").cut();
    let (sink, recorder) = Recorder::start(open(dir.path()).await, config(dir.path())).expect("started");
    push_all(&sink, &mixed(0..40));
    push_all(&sink, std::slice::from_ref(&under_way));
    assert!(recorder.stop(DEADLINE).await);
    assert_eq!(count(dir.path()).await, (40, 40));
    let store = open(dir.path()).await;
    let (_, recorder) = Recorder::start(store.clone(), config(dir.path())).expect("started");
    assert!(recorder.stop(DEADLINE).await);
    let call = store.call(under_way.call).await.expect("read").expect("it has a record").record;
    assert_eq!(
        (call.departure, call.ended_by, call.agent),
        (Departure::Failed, Party::System, Some(AgentId(1_001)))
    );
    assert_eq!(count(dir.path()).await, (41, 41));
}

#[tokio::test]
async fn two_servers_cannot_share_a_spool_folder() {
    let dir = folder();
    let store = open(dir.path()).await;
    let first = Recorder::start(store.clone(), config(dir.path())).expect("started");
    let second = Recorder::start(store.clone(), config(dir.path()));
    assert!(matches!(second, Err(Error::SpoolInUse { .. })));
    drop(first);
    assert!(Recorder::start(store, config(dir.path())).is_ok());
}

#[tokio::test]
async fn a_full_buffer_drops_counts_and_never_waits() {
    let dir = folder();
    let config = RecorderConfig { buffer_facts: 10, ..config(dir.path()) };
    let (sink, recorder) = Recorder::start(open(dir.path()).await, config).expect("started");
    let monitor = recorder.monitor();
    // Facts of no call: they take room in the buffer and nowhere else.
    let noise = FactRecord {
        at: Timestamp::from_ms(1),
        seq: 1,
        fact: Fact::TrunkChanged { trunk: "telecom-1".into(), reachable: true },
    };
    until("the buffer overflows", || {
        (0..1_000).for_each(|_| sink.push(noise.clone()));
        monitor.counters().facts_dropped > 0
    })
    .await;
    until("the buffer empties", || monitor.counters().facts_buffered == 0).await;
    let calls = [answered(1)];
    for record in &calls[0].facts {
        until("there is room", || monitor.counters().facts_buffered < 5).await;
        sink.push(record.clone());
    }
    in_time("flushed", monitor.flushed(last_seq(&calls))).await;
    assert_eq!(count(dir.path()).await, (1, 1));
}

#[tokio::test]
async fn a_call_that_the_database_refuses_is_kept_for_a_human_and_holds_nobody_up() {
    let dir = folder();
    let store: Store = open(dir.path()).await;
    let (sink, recorder) = Recorder::start(store, config(dir.path())).expect("started");
    let mut wrong = answered(1);
    wrong.facts[0].at = Timestamp::NEVER;
    let calls = [wrong, answered(2)];
    push_all(&sink, &calls);
    in_time("flushed", recorder.monitor().flushed(last_seq(&calls))).await;
    assert_eq!(recorder.monitor().counters().calls_refused, 1);
    assert_eq!(count(dir.path()).await, (1, 1));
    assert!(recorder.stop(DEADLINE).await);
    let kept = std::fs::read_to_string(dir.path().join("spool/refused.jsonl")).expect("the call");
    assert_eq!(kept.lines().count(), calls[0].facts.len());
}

use crate::facts::{Script, abandoned, answered, mixed, refused};
use crate::{count, dump, folder, open};
use domain::{CallId, Departure, Fact, Party, Satisfaction};
use std::collections::BTreeSet;
use store::{Applied, CallFacts, fold};

#[tokio::test]
async fn a_call_comes_back_from_the_database_as_it_was_folded() {
    let dir = folder();
    let store = open(dir.path()).await;
    for facts in [answered(1), abandoned(2), refused(3)] {
        store.apply(std::slice::from_ref(&facts)).await.expect("stored");
        let read = store.call(facts.call).await.expect("read");
        assert_eq!(read, Some(fold(&facts.facts).expect("folded")));
    }
    assert_eq!(store.call(CallId(5)).await.expect("read"), None);
    assert_eq!(store.call(CallId(u64::MAX)).await.expect("read"), None);
}

#[tokio::test]
async fn every_call_with_a_region_makes_one_ticket_also_if_it_was_abandoned() {
    let dir = folder();
    let store = open(dir.path()).await;
    let calls = [answered(1), abandoned(2), refused(3)];
    store.apply(&calls).await.expect("stored");
    let ticket = store.ticket("WZ-20261122-0002").await.expect("read").expect("a ticket");
    assert_eq!((ticket.call, ticket.agent), (calls[1].call, None));
    assert_eq!(ticket.county, Some("lucheng".into()));
    assert_eq!(store.ticket_of_call(calls[1].call).await.expect("read"), Some(ticket));
    assert_eq!(store.ticket_of_call(calls[2].call).await.expect("read"), None);
    assert_eq!(count(dir.path()).await, (3, 2));
}

#[tokio::test]
async fn a_ticket_has_what_the_caller_answered_and_no_later_answer_changes_it() {
    let dir = folder();
    let store = open(dir.path()).await;
    let talk = |n| Script::new(n).arrived().queued("lucheng").bridged(4_000, "lucheng");
    let rated = |n: u64, level| {
        talk(n).rated(60_000, level).departed(3_000, Departure::Answered, Party::System).closed()
    };
    let calls: Vec<CallFacts> = (1..).zip(Satisfaction::ALL).map(|(n, level)| rated(n, level)).collect();
    store.apply(&calls).await.expect("stored");
    for (call, level) in calls.iter().zip(Satisfaction::ALL) {
        let ticket = store.ticket_of_call(call.call).await.expect("read").expect("a ticket");
        assert_eq!(ticket.satisfaction, Some(level));
        let read = store.call(call.call).await.expect("read").expect("a call");
        assert_eq!(read, fold(&call.facts).expect("folded"));
        assert_eq!((read.record.talk_ms, read.record.ended_by), (Some(60_000), Party::Agent));
    }
    // The same call with another answer, as nobody can give it.
    let again = rated(1, Satisfaction::VeryDissatisfied);
    let applied = store.apply(&[again]).await.expect("applied");
    assert_eq!(applied, Applied { known: 1, ..Applied::default() });
    let ticket = store.ticket_of_call(calls[0].call).await.expect("read").expect("a ticket");
    assert_eq!(ticket.satisfaction, Some(Satisfaction::VerySatisfied));
    let silent = talk(9).departed(60_000, Departure::Answered, Party::Agent).closed();
    store.apply(std::slice::from_ref(&silent)).await.expect("stored");
    let ticket = store.ticket_of_call(silent.call).await.expect("read").expect("a ticket");
    assert_eq!(ticket.satisfaction, None);
}

/// Applies the calls in the batches and the order given, then again the other way round.
async fn dump_of(batches: &[Vec<CallFacts>]) -> Vec<String> {
    let dir = folder();
    let store = open(dir.path()).await;
    for batch in batches {
        store.apply(batch).await.expect("stored");
    }
    let once = dump(dir.path()).await;
    for batch in batches.iter().rev() {
        let twisted: Vec<_> = batch.iter().rev().map(doubled).collect();
        let applied = store.apply(&twisted).await.expect("applied");
        assert_eq!(applied, Applied { known: batch.len(), ..Applied::default() });
    }
    assert_eq!(dump(dir.path()).await, once);
    once
}

/// The same facts in another order and twice.
fn doubled(call: &CallFacts) -> CallFacts {
    let facts = call.facts.iter().rev().chain(&call.facts).cloned().collect();
    CallFacts { call: call.call, facts }
}

#[tokio::test]
async fn applying_facts_again_changes_no_row_and_batches_leave_no_trace() {
    let calls = mixed(0..150);
    let whole = dump_of(std::slice::from_ref(&calls)).await;
    let split: Vec<Vec<CallFacts>> = calls.chunks(7).map(<[_]>::to_vec).collect();
    assert_eq!(dump_of(&split).await, whole);
}

#[tokio::test]
async fn tickets_of_one_day_are_numbered_without_gap_or_repeat_however_many_write() {
    let dir = folder();
    let store = open(dir.path()).await;
    let writers = (0..8).map(|writer| {
        let store = store.clone();
        tokio::spawn(async move {
            for n in 0..10 {
                let at = writer * 1_000 + n * 2;
                store.apply(&[answered(at), abandoned(at + 1)]).await.expect("stored");
            }
        })
    });
    for writer in writers.collect::<Vec<_>>() {
        writer.await.expect("no panic");
    }
    let tickets = store.tickets(500, None).await.expect("read");
    let numbers: BTreeSet<String> = tickets.into_iter().map(|ticket| ticket.number).collect();
    assert_eq!(numbers, (1..=160).map(|n| format!("WZ-20261122-{n:04}")).collect());
}

#[tokio::test]
async fn each_prefix_and_day_has_its_own_numbers() {
    let dir = folder();
    let store = open(dir.path()).await;
    let gone = |script: Script| script.departed(1, Departure::AbandonedMenu, Party::Caller).closed();
    let tomorrow =
        |script: Script| script.then(14 * 3_600_000, |call| Fact::CallStepped { call, step: String::new() });
    let late = Script::new(9).arrived().then(0, |call| Fact::CallHeld { call, by: Party::Caller });
    let calls = [
        gone(Script::new(1).arrived()),
        gone(Script::new(2).region("fuzhou").arrived()),
        gone(tomorrow(late)),
        gone(tomorrow(Script::new(3)).arrived()),
    ];
    store.apply(&calls).await.expect("stored");
    let tickets = store.tickets(9, None).await.expect("read");
    let numbers: Vec<_> = tickets.iter().rev().map(|ticket| ticket.number.as_str()).collect();
    // The fourth arrived (its first fact is an unknown step) on the next day, the third only left on it.
    assert_eq!(numbers, ["WZ-20261122-0001", "FUZHOU-20261122-0001", "WZ-20261122-0002", "WZ-20261123-0001"]);
}

#[tokio::test]
async fn a_call_that_cannot_be_stored_harms_no_other() {
    let dir = folder();
    let store = open(dir.path()).await;
    let pool = sqlx::AnyPool::connect(&crate::url(dir.path())).await.expect("a second connection");
    let headless = CallFacts { call: CallId(4), facts: answered(4).facts.split_off(1) };
    // A constraint that this call alone breaks.
    let poison = answered(5).call;
    let sql = format!(
        "CREATE TRIGGER poison BEFORE INSERT ON legs WHEN NEW.call = {poison} \
         BEGIN SELECT RAISE(ABORT, 'refused'); END"
    );
    sqlx::query(sqlx::AssertSqlSafe(sql)).execute(&pool).await.expect("a trigger");
    let calls = [answered(1), headless, answered(5), abandoned(6)];
    let applied = store.apply(&calls).await.expect("applied");
    assert_eq!(applied.stored, 2);
    let refused: Vec<CallId> = applied.refused.iter().map(|(call, _)| *call).collect();
    assert_eq!(refused, [CallId(4), poison]);
    assert_eq!(count(dir.path()).await, (2, 2));
    let numbers = store.tickets(9, None).await.expect("read").into_iter().map(|ticket| ticket.number);
    assert_eq!(numbers.collect::<Vec<_>>(), ["WZ-20261122-0002", "WZ-20261122-0001"]);
}

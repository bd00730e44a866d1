use crate::facts::{MORNING_MS, Script, abandoned, answered, mixed};
use crate::{folder, open};
use domain::{AgentId, Departure, OverflowReason, Party, Pii, Timestamp};
use store::{CallerHistory, Figures, QUERY_ROWS_MAX};

#[tokio::test]
async fn figures_give_numerator_and_denominator_and_count_only_answers_by_a_person() {
    let dir = folder();
    let store = open(dir.path()).await;
    let talk = |script: Script| script.departed(60_000, Departure::Answered, Party::Agent).closed();
    let overflow = |call| domain::Fact::CallOverflowed {
        call,
        from: "yueqing".into(),
        to: "city".into(),
        reason: OverflowReason::PatienceExpired,
    };
    let failed = Script::new(5).arrived().queued("lucheng").bridged(2_000, "lucheng");
    let offered = Script::new(6).arrived().queued("lucheng").then(1, |call| domain::Fact::AgentOffered {
        call,
        agent: domain::AgentId(1),
        pool: "lucheng".into(),
    });
    let calls = [
        answered(0),
        talk(Script::new(1).arrived().queued("lucheng").bridged(15_000, "lucheng")),
        talk(Script::new(2).arrived().queued("lucheng").bridged(15_001, "lucheng")),
        talk(Script::new(3).arrived().queued("yueqing").then(0, overflow).bridged(30_000, "city")),
        abandoned(4),
        failed.departed(9, Departure::Failed, Party::System).closed(),
        offered.departed(9, Departure::AbandonedRinging, Party::Caller).closed(),
        Script::new(7).arrived().departed(9, Departure::AbandonedMenu, Party::Caller).closed(),
        talk(Script::new(8).region("fuzhou").arrived().queued("gulou").bridged(1, "gulou")),
    ];
    store.apply(&calls).await.expect("stored");
    let figures = store.today(&"wenzhou".into(), Timestamp::from_ms(MORNING_MS)).await.expect("figures");
    let departures = [
        (Departure::Answered, 3),
        (Departure::AbandonedQueue, 1),
        (Departure::AbandonedRinging, 1),
        (Departure::Failed, 1),
    ];
    let lucheng = Figures {
        calls: 6,
        reached_queue: 6,
        answered: 4,
        answered_in_15s: 3,
        departures: departures.into(),
    };
    assert_eq!(figures.counties[&"lucheng".into()], lucheng);
    assert_eq!(figures.pools[&"lucheng".into()], lucheng);
    let yueqing = &figures.pools[&"yueqing".into()];
    assert_eq!((yueqing.reached_queue, yueqing.answered, yueqing.answered_in_15s), (1, 1, 0));
    assert_eq!(figures.pools.len(), 2);
    let total = &figures.total;
    assert_eq!((total.calls, total.reached_queue, total.answered, total.answered_in_15s), (8, 7, 5, 3));
    let since = Timestamp::from_ms(MORNING_MS + 7_000);
    assert_eq!(store.today(&"wenzhou".into(), since).await.expect("figures").total.calls, 1);
}

#[tokio::test]
async fn lists_are_bounded_and_go_on_where_they_stopped() {
    let dir = folder();
    let store = open(dir.path()).await;
    let calls = mixed(0..u64::from(QUERY_ROWS_MAX) + 10);
    store.apply(&calls).await.expect("stored");
    let recent = store.recent_calls(u32::MAX).await.expect("calls");
    assert_eq!(recent.len(), QUERY_ROWS_MAX as usize);
    assert_eq!(Some(recent[0].id), calls.last().map(|call| call.call));
    let mut seen = store.tickets(u32::MAX, None).await.expect("tickets");
    assert_eq!(seen.len(), QUERY_ROWS_MAX as usize);
    let rest = store.tickets(u32::MAX, Some(&seen[seen.len() - 1].number)).await.expect("tickets");
    assert_eq!(rest.len(), 10);
    seen.extend(rest);
    assert!(seen.is_sorted_by(|newer, older| newer.number > older.number));
    assert_eq!(store.tickets(9, Some("no such ticket")).await.expect("tickets"), []);
}

#[tokio::test]
async fn a_caller_is_known_by_the_last_talk_and_the_latest_calls() {
    let dir = folder();
    let store = open(dir.path()).await;
    let caller = Pii::new("13812345678");
    let long_ago = Timestamp::from_ms(0);
    assert_eq!(store.caller_history(&caller, long_ago, 5).await.unwrap(), CallerHistory::default());
    store.apply(&[abandoned(0), answered(1), answered(2), abandoned(3), abandoned(4)]).await.unwrap();
    let at = |n: i64| Timestamp::from_ms(MORNING_MS + n * 1_000);
    let known = store.caller_history(&caller, at(1), 3).await.unwrap();
    assert_eq!(known.arrivals, [at(4), at(3), at(2)], "newest first, three at most");
    let record = store.recent_calls(5).await.unwrap().into_iter().find(|call| call.arrived == at(2)).unwrap();
    assert_eq!(known.last_talk, Some((AgentId(1_001), record.bridged.unwrap())));
    assert_eq!(store.caller_history(&caller, at(4), 3).await.unwrap().arrivals, [at(4)]);
    let stranger = store.caller_history(&Pii::new("1381234567"), long_ago, 5).await.unwrap();
    assert_eq!(stranger, CallerHistory::default(), "a number is whole or not the same");
}

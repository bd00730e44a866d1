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
async fn past_calls_say_when_people_call_how_long_they_talk_and_how_long_they_wait() {
    let dir = folder();
    let store = open(dir.path()).await;
    let rings_out =
        |call| domain::Fact::AgentOffered { call, agent: domain::AgentId(1), pool: "lucheng".into() };
    let message =
        |n| Script::new(n).arrived().queued("yueqing").departed(90_000, Departure::Voicemail, Party::Caller);
    let calls = [
        answered(0),
        // Twenty-four hours later, on a Monday.
        answered(86_400),
        Script::new(1)
            .arrived()
            .queued("lucheng")
            .then(2_000, rings_out)
            .bridged(20_000, "lucheng")
            .departed(10_000, Departure::Answered, Party::Caller)
            .closed(),
        abandoned(2),
        Script::new(3)
            .arrived()
            .queued("lucheng")
            .then(1_000, rings_out)
            .departed(2_000, Departure::AbandonedRinging, Party::Caller)
            .closed(),
        message(4).closed(),
        // Nobody was on duty, so that no queue was reached.
        Script::new(5).arrived().departed(9, Departure::NobodyOnDuty, Party::System).closed(),
        // Wanted no lawyer, was refused, is another region's, came too late.
        Script::new(6).arrived().departed(9, Departure::AbandonedMenu, Party::Caller).closed(),
        Script::new(7).arrived().departed(9, Departure::Overload, Party::System).closed(),
        Script::new(8)
            .region("fuzhou")
            .arrived()
            .queued("gulou")
            .departed(9, Departure::AbandonedQueue, Party::Caller)
            .closed(),
        answered(2 * 86_400),
    ];
    store.apply(&calls).await.expect("stored");
    let span = Timestamp::from_ms(MORNING_MS)..Timestamp::from_ms(MORNING_MS + 2 * 86_400_000);
    let history = store.history(&"wenzhou".into(), span).await.expect("figures");
    let of = |county: Option<&str>, weekend, calls| store::Arrivals {
        county: county.map(Into::into),
        weekend,
        hour: 10,
        calls,
    };
    let mut arrivals = history.arrivals.clone();
    arrivals.sort_by_key(|arrivals| (arrivals.county.clone(), arrivals.weekend));
    let expect = [
        of(None, true, 1),
        of(Some("lucheng"), false, 1),
        of(Some("lucheng"), true, 4),
        of(Some("yueqing"), true, 1),
    ];
    assert_eq!(arrivals, expect);
    assert_eq!((history.reached_queue, history.answered, history.answered_in_15s), (6, 3, 2));
    assert_eq!(
        (history.talks, history.talk_ms_sum, history.talk_ds2_sum),
        (3, 130_000, 600 * 600 * 2 + 100 * 100)
    );
    // 4 s and 4 s and 20 s till the answer, 7 s and 3 s till the hang-up; the voicemail's is not known.
    assert_eq!((history.waits, history.waited_ms_sum, history.gave_up), (5, 38_000, 2));
    assert_eq!((history.unserved, history.messages), (2, 1));
    // One ring each of the first two, 4 s long; two of the third, one of who hung up while it rang.
    assert_eq!((history.lifted, history.lifted_ms_sum), (2, 8_000));
    assert_eq!((history.rings, history.rings_cut), (5, 1));
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

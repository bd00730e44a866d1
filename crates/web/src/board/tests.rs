use super::*;
use crate::directory::{Agent, Pool};
use crate::view::{Name, PauseView, WrapUpView};
use domain::{Party, PauseReason, Pii};

/// Noon in Wenzhou.
const NOON: i64 = 1_790_049_600_000;

fn at(ms: i64) -> Timestamp {
    Timestamp::from_ms(NOON + ms)
}

fn directory() -> Directory {
    let pool = |id: &str, county: Option<&str>| Pool {
        id: id.into(),
        region: "wenzhou".into(),
        name: Name::new(id, id),
        county: county.map(Into::into),
    };
    let agent = |name: &str, pools: &[&str]| Agent {
        name: name.into(),
        pools: pools.iter().map(|&pool| pool.into()).collect(),
    };
    Directory {
        pools: vec![pool("lucheng", Some("lucheng")), pool("longwan", Some("longwan")), pool("city", None)],
        agents: BTreeMap::from([
            (AgentId(1), agent("李", &["lucheng", "city"])),
            (AgentId(2), agent("王", &["longwan"])),
        ]),
        ..Directory::default()
    }
}

fn board() -> Board {
    Board::new(directory(), at(0))
}

fn feed(board: &mut Board, facts: &[(i64, Fact)]) -> Vec<Change> {
    let mut changes = Vec::new();
    for (ms, fact) in facts {
        changes = board.apply(&FactRecord { at: at(*ms), seq: 0, fact: fact.clone() });
        assert_counts_are_right(board);
    }
    changes
}

/// The counters kept from fact to fact equal a count from scratch.
fn assert_counts_are_right(board: &mut Board) {
    let kept = board.pools.clone();
    board.recount();
    assert_eq!(kept, board.pools);
}

fn arrived(call: u64) -> Fact {
    Fact::CallArrived {
        call: CallId(call),
        region: Some("wenzhou".into()),
        trunk: None,
        caller: Pii::new("13812345678"),
        caller_name: None,
        called: "12348".into(),
        plan: None,
    }
}

fn queued(call: u64, pool: &str) -> Fact {
    Fact::CallQueued { call: CallId(call), pool: pool.into() }
}

fn offered(call: u64, agent: u32) -> Fact {
    Fact::AgentOffered { call: CallId(call), agent: AgentId(agent), pool: "lucheng".into() }
}

fn bridged(call: u64, agent: u32, waited_ms: u64) -> Fact {
    Fact::CallBridged { call: CallId(call), agent: AgentId(agent), pool: "lucheng".into(), waited_ms }
}

fn departed(call: u64, departure: Departure) -> Fact {
    Fact::CallDeparted { call: CallId(call), departure, by: Party::Caller }
}

fn agent(agent: u32, reachable: bool, state: Duty, activity: Activity) -> Fact {
    Fact::AgentChanged { agent: AgentId(agent), reachable, state, activity }
}

fn pool<'a>(board: &'a Board, id: &str) -> &'a PoolRow {
    board.pools.iter().find(|pool| pool.id.as_str() == id).unwrap()
}

#[test]
fn a_call_waits_is_answered_in_15s_and_departs() {
    let mut board = board();
    feed(&mut board, &[(0, arrived(1)), (4_000, queued(1, "lucheng")), (6_000, offered(1, 1))]);
    assert_eq!(pool(&board, "lucheng").waiting, 1);
    assert_eq!(pool(&board, "lucheng").waiting_since, Some(at(4_000)));
    feed(&mut board, &[(19_000, bridged(1, 1, 15_000))]);
    assert_eq!(pool(&board, "lucheng").waiting, 0);
    assert_eq!(pool(&board, "lucheng").waiting_since, None);
    feed(&mut board, &[(79_000, departed(1, Departure::Answered))]);
    let snapshot = board.snapshot(1, at(80_000));
    assert!(snapshot.calls.is_empty());
    let call = &snapshot.recent[0];
    assert_eq!((call.waited_ms, call.talked_ms, call.agent), (Some(15_000), Some(60_000), Some(AgentId(1))));
    let today = snapshot.today;
    assert_eq!((today.calls, today.reached_queue, today.answered, today.answered_in_15s), (1, 1, 1, 1));
}

#[test]
fn a_survey_is_no_talk_and_keeps_the_lawyers_name() {
    let (mut board, call) = (board(), CallId(1));
    feed(&mut board, &[(0, arrived(1)), (0, queued(1, "lucheng")), (5_000, bridged(1, 1, 5_000))]);
    feed(&mut board, &[(65_000, Fact::TalkEnded { call, by: Party::Agent })]);
    for step in ["survey", "hangup"] {
        feed(&mut board, &[(66_000, Fact::CallStepped { call, step: step.to_owned() })]);
        let row = &board.snapshot(1, at(70_000)).calls[0];
        assert_eq!((row.phase, row.agent), (Phase::Leaving, Some(AgentId(1))));
    }
    feed(&mut board, &[(80_000, departed(1, Departure::Answered))]);
    let call = &board.snapshot(2, at(80_000)).recent[0];
    assert_eq!((call.talked_ms, call.agent), (Some(60_000), Some(AgentId(1))));
}

#[test]
fn an_answer_after_the_target_counts_as_connected_only() {
    let mut board = board();
    feed(&mut board, &[(0, arrived(1)), (0, queued(1, "lucheng")), (15_001, bridged(1, 1, 15_001))]);
    assert_eq!((board.today.reached_queue, board.today.answered, board.today.answered_in_15s), (1, 1, 0));
}

#[test]
fn who_is_waiting_lowers_no_rate_and_who_gave_up_does() {
    let mut board = board();
    feed(&mut board, &[(0, arrived(1)), (0, queued(1, "lucheng"))]);
    assert_eq!(board.today.reached_queue, 0);
    feed(&mut board, &[(30_000, departed(1, Departure::AbandonedQueue))]);
    assert_eq!((board.today.reached_queue, board.today.answered), (1, 0));
    assert_eq!(board.recent[0].waited_ms, Some(30_000));
}

#[test]
fn who_is_passed_on_outside_waits_no_more_and_is_neither_answered_nor_given_up() {
    let mut board = board();
    let (call, target) = (CallId(1), || domain::TargetId::new("hotline_12345"));
    let step = Fact::CallStepped { call, step: "transfer".into() };
    feed(&mut board, &[(0, arrived(1)), (0, queued(1, "lucheng")), (5_000, step)]);
    assert_eq!((pool(&board, "lucheng").waiting, board.is_waiting(call)), (0, false));
    let answered = Fact::TransferEnded { call, target: target(), end: OfferEnd::Answered };
    let held = [Fact::CallHeld { call, by: Party::Outside }, Fact::CallResumed { call, by: Party::Outside }];
    feed(
        &mut board,
        &[(5_000, Fact::TransferDialled { call, target: target(), attempt: 1 }), (9_000, answered)],
    );
    feed(&mut board, &held.map(|fact| (9_500, fact)));
    assert_eq!(board.snapshot(1, at(10_000)).calls[0].phase, Phase::Leaving);
    feed(&mut board, &[(60_000, departed(1, Departure::Transferred))]);
    let today = board.today;
    assert_eq!((today.reached_queue, today.answered, today.abandoned, today.voicemail), (1, 0, 0, 0));
    assert_eq!((board.recent[0].waited_ms, board.recent[0].talked_ms), (Some(5_000), None));
}

#[test]
fn what_was_set_of_a_pool_by_hand_is_shown_until_its_hours_count_again() {
    let mut board = board();
    let set = |pool: &str, set| Fact::PoolOverridden {
        region: "wenzhou".into(),
        pool: pool.into(),
        set,
        by: "board".to_owned(),
    };
    let closed = Override { open: false, until: Some(at(60_000)) };
    feed(&mut board, &[(0, set("lucheng", Some(closed))), (0, set("nowhere", Some(closed)))]);
    let by_hand = |board: &Board| board.pools().iter().map(|pool| pool.by_hand).collect::<Vec<_>>();
    assert_eq!(by_hand(&board), [Some(closed.into()), None, None]);
    board.set_directory(directory());
    assert_eq!(by_hand(&board), [Some(closed.into()), None, None], "new names change nothing");
    feed(&mut board, &[(60_000, set("lucheng", None))]);
    assert_eq!(by_hand(&board), [None, None, None]);
}

#[test]
fn who_hangs_up_in_the_menu_never_reached_the_queue() {
    let mut board = board();
    feed(&mut board, &[(0, arrived(1)), (9_000, departed(1, Departure::AbandonedMenu))]);
    assert_eq!((board.today.calls, board.today.reached_queue), (1, 0));
    assert_eq!(board.recent[0].waited_ms, None);
}

#[test]
fn an_overflowing_call_keeps_its_arrival_in_the_queue_of_the_next_pool() {
    let mut board = board();
    let overflow = Fact::CallOverflowed {
        call: CallId(1),
        from: "lucheng".into(),
        to: "longwan".into(),
        reason: domain::OverflowReason::PatienceExpired,
    };
    feed(&mut board, &[(0, arrived(1)), (0, queued(1, "lucheng")), (40_000, overflow)]);
    feed(&mut board, &[(40_000, queued(1, "longwan"))]);
    assert_eq!(pool(&board, "lucheng").waiting, 0);
    assert_eq!(pool(&board, "longwan").waiting_since, Some(at(0)));
}

#[test]
fn voicemail_ends_the_wait_when_the_greeting_begins() {
    let mut board = board();
    let greeting = Fact::CallStepped { call: CallId(1), step: "voicemail".into() };
    feed(&mut board, &[(0, arrived(1)), (0, queued(1, "lucheng")), (60_000, greeting)]);
    assert_eq!(pool(&board, "lucheng").waiting, 0);
    feed(&mut board, &[(90_000, departed(1, Departure::Voicemail))]);
    assert_eq!(board.recent[0].waited_ms, Some(60_000));
    assert_eq!((board.today.reached_queue, board.today.answered, board.today.voicemail), (1, 0, 1));
}

#[test]
fn an_unanswered_offer_puts_the_call_back_to_waiting() {
    let mut board = board();
    let missed = Fact::OfferEnded { call: CallId(1), agent: AgentId(1), end: OfferEnd::NoAnswer };
    feed(&mut board, &[(0, arrived(1)), (0, queued(1, "lucheng")), (1_000, offered(1, 1)), (21_000, missed)]);
    let row = &board.calls[&CallId(1)].row;
    assert_eq!((row.phase, row.agent), (Phase::Waiting, None));
    assert_eq!(pool(&board, "lucheng").waiting, 1);
}

#[test]
fn a_lawyer_counts_in_one_column_of_each_of_their_pools() {
    let mut board = board();
    assert_eq!(pool(&board, "lucheng").offline, 1);
    let idle = Activity::Idle { since: at(0) };
    feed(&mut board, &[(0, agent(1, true, Duty::Ready, idle))]);
    assert_eq!((pool(&board, "lucheng").ready, pool(&board, "city").ready), (1, 1));
    let talking = Activity::Talking { call: CallId(1), since: at(5_000) };
    feed(&mut board, &[(5_000, agent(1, true, Duty::Ready, talking))]);
    assert_eq!((pool(&board, "city").ready, pool(&board, "city").talking), (0, 1));
    let wrap_up = Activity::WrapUp { call: CallId(1), until: at(60_000), rule: WrapUpRule::UntilSaved };
    feed(&mut board, &[(9_000, agent(1, true, Duty::Ready, wrap_up))]);
    let row = &board.agents[&AgentId(1)];
    assert_eq!((row.since, row.until), (Some(at(9_000)), Some(at(60_000))));
    assert_eq!((row.wrap_up, row.wrap_up_latest), (Some(WrapUpView::UntilSaved), None));
    let paused = Duty::Paused { reason: PauseReason::NoAnswer, until: None };
    feed(&mut board, &[(60_000, agent(1, true, paused, idle))]);
    let row = &board.agents[&AgentId(1)];
    assert_eq!((row.duty, row.pause, row.wrap_up), (DutyView::Paused, Some(PauseView::NoAnswer), None));
    assert_eq!(pool(&board, "lucheng").paused, 1);
    feed(&mut board, &[(61_000, agent(1, false, Duty::LoggedOut, idle))]);
    let counted = pool(&board, "lucheng");
    assert_eq!((counted.logged_out, counted.paused, counted.offline), (1, 0, 0));
}

#[test]
fn the_time_of_a_standing_survives_facts_that_do_not_change_it() {
    let mut board = board();
    let idle = Activity::Idle { since: at(0) };
    feed(&mut board, &[(0, agent(1, true, Duty::Ready, idle)), (7_000, agent(1, true, Duty::Ready, idle))]);
    assert_eq!(board.agents[&AgentId(1)].since, Some(at(0)));
}

#[test]
fn midnight_in_china_begins_new_figures_and_yesterdays_calls_do_not_enter_them() {
    let mut board = board();
    let midnight = 12 * 3_600_000;
    feed(&mut board, &[(midnight - 2_000, arrived(1)), (midnight - 1_000, queued(1, "lucheng"))]);
    assert_eq!(board.today.calls, 1);
    let changes = board.handle_time(at(midnight));
    assert_eq!(changes, [Change::Today(Today { day_start: at(midnight), ..Today::default() })]);
    feed(&mut board, &[(midnight + 1_000, bridged(1, 1, 2_000))]);
    assert_eq!(board.today, Today { day_start: at(midnight), ..Today::default() });
}

#[test]
fn figures_from_before_the_start_are_added_only_if_they_are_of_today() {
    let mut board = board();
    let counts = Today { calls: 9, reached_queue: 8, answered: 7, ..Today::default() };
    let today = Today { day_start: day_start(at(0)), ..counts };
    board.add_to_today(Today { day_start: Timestamp::from_ms(0), ..today });
    assert_eq!(board.today.calls, 0);
    board.add_to_today(today);
    assert_eq!((board.today.calls, board.today.answered), (9, 7));
}

#[test]
fn facts_of_unknown_calls_change_nothing() {
    let mut board = board();
    assert!(feed(&mut board, &[(0, queued(9, "lucheng"))]).is_empty());
    assert!(feed(&mut board, &[(0, departed(9, Departure::Failed))]).is_empty());
}

#[test]
fn recent_calls_are_bounded_newest_first() {
    let mut board = board();
    for call in 0..RECENT_CALLS_MAX as u64 + 10 {
        feed(&mut board, &[(0, arrived(call)), (1, departed(call, Departure::Closed))]);
    }
    assert_eq!(board.recent.len(), RECENT_CALLS_MAX);
    assert_eq!(board.recent[0].id, CallId(RECENT_CALLS_MAX as u64 + 9));
}

#[test]
fn no_clear_number_leaves_the_board() {
    let mut board = board();
    let changes = feed(&mut board, &[(0, arrived(1))]);
    assert!(!serde_json::to_string(&changes).unwrap().contains("13812345678"));
    assert!(!serde_json::to_string(&board.snapshot(1, at(0))).unwrap().contains("13812345678"));
}

#[test]
fn a_new_directory_keeps_what_is_known_of_lawyers_who_stay() {
    let mut board = board();
    let idle = Activity::Idle { since: at(0) };
    feed(&mut board, &[(0, agent(1, true, Duty::Ready, idle)), (0, arrived(1)), (0, queued(1, "longwan"))]);
    let mut reloaded = directory();
    reloaded.agents.remove(&AgentId(2));
    reloaded.agents.insert(AgentId(1), Agent { name: "李律师".into(), pools: vec!["longwan".into()] });
    board.set_directory(reloaded);
    assert_eq!((pool(&board, "lucheng").ready, pool(&board, "longwan").ready), (0, 1));
    assert_eq!(pool(&board, "longwan").waiting, 1);
    assert!(!board.knows_agent(AgentId(2)));
}

#[test]
fn a_day_begins_at_midnight_in_china() {
    let noon = at(0);
    assert_eq!(noon - day_start(noon), Duration::from_secs(12 * 3600));
    assert_eq!(day_start(day_start(noon)), day_start(noon));
}

//! Rules that a script of tests/scenarios cannot show: exact outputs, unknown ids, absurd configurations.

use acd::world::{self, Happening};
use acd::{Acd, Agent, Announce, Config, Input, Matching, Membership, Output, Pool, Refuse, Request, WrapUp};
use domain::{Activity, AgentId, CallId, Duty, OfferEnd, OverflowReason, Timestamp, WrapUpRule};
use std::time::Duration;

const LI: AgentId = AgentId(1);
const WANG: AgentId = AgentId(2);
const A: CallId = CallId(1);
const B: CallId = CallId(2);

fn at(s: i64) -> Timestamp {
    Timestamp::from_ms(s * 1000)
}

fn pool() -> Pool {
    Pool {
        matching: Matching::LongestIdle,
        ring_timeout: Duration::from_secs(20),
        wrap_up: WrapUp::Fixed(Duration::from_secs(30)),
        clear_timeout: Duration::from_secs(2),
        miss_limit: 2,
        miss_pause: None,
        handling: Duration::from_secs(300),
        max_waiting: 10,
        refuse: Refuse::default(),
    }
}

/// Li is the only agent of the only pool.
fn config(pool: Pool) -> Config {
    let pools = ["lucheng", "no such pool"].map(|id| (id.into(), Membership::default())).into();
    Config {
        pools: [("lucheng".into(), pool)].into(),
        agents: [(LI, Agent { pools, ..Agent::default() })].into(),
    }
}

fn a_minute() -> Request {
    Request::in_turn([("lucheng".into(), Duration::from_secs(60))])
}

fn enter(call: CallId) -> Input {
    Input::CallArrived { call, arrived: at(0), request: a_minute() }
}

fn say(acd: &mut Acd, now: Timestamp, input: Input) -> Vec<Output> {
    acd.handle_input(now, input);
    drain(acd)
}

fn drain(acd: &mut Acd) -> Vec<Output> {
    assert_eq!(acd.check_invariants(), Ok(()));
    std::iter::from_fn(|| acd.poll_output()).collect()
}

/// At 0 s, with Li registered.
fn lucheng(pool: Pool) -> Acd {
    let mut acd = Acd::new();
    say(&mut acd, at(0), Input::Configured(config(pool)));
    say(&mut acd, at(0), Input::AgentReachable { agent: LI, reachable: true });
    acd
}

fn changed(activity: Activity) -> Output {
    Output::AgentChanged { agent: LI, reachable: true, duty: Duty::Ready, activity }
}

#[test]
fn an_answered_call_leaves_in_this_order() {
    let mut acd = lucheng(pool());
    let pool = || "lucheng".into();
    let expect = [
        Output::Queued { call: A, pool: pool(), position: 1 },
        Output::Ring { agent: LI, call: A, pool: pool(), until: at(25) },
        changed(Activity::Ringing { call: A, until: at(25) }),
    ];
    assert_eq!(say(&mut acd, at(5), enter(A)), expect);
    let expect = [
        Output::OfferEnded { agent: LI, call: A, end: OfferEnd::Answered },
        Output::Connect { agent: LI, call: A, pool: pool(), waited: Duration::from_secs(8) },
        changed(Activity::Talking { call: A, since: at(8) }),
    ];
    assert_eq!(say(&mut acd, at(8), Input::AgentAnswered { agent: LI, call: A }), expect);
    let ended = say(&mut acd, at(9), Input::TalkEnded { agent: LI, call: A });
    assert_eq!(ended, [changed(Activity::WrapUp { call: A, until: at(39), rule: WrapUpRule::Fixed })]);
    assert_eq!(acd.poll_timeout(), Some(at(39)));
    acd.handle_timeout(at(39));
    assert_eq!(drain(&mut acd), [changed(Activity::Idle { since: at(39) })]);
    assert_eq!(acd.poll_timeout(), None);
}

#[test]
fn a_missed_offer_ends_in_this_order() {
    let mut acd = lucheng(pool());
    say(&mut acd, at(0), enter(A));
    acd.handle_timeout(at(20));
    let expect = [
        Output::StopRinging { agent: LI, call: A, end: OfferEnd::NoAnswer },
        Output::OfferEnded { agent: LI, call: A, end: OfferEnd::NoAnswer },
        changed(Activity::Clearing { call: A, until: at(22) }),
    ];
    assert_eq!(drain(&mut acd), expect);
}

#[test]
fn inputs_about_strangers_change_nothing() {
    let mut acd = lucheng(pool());
    let agent = AgentId(99);
    for input in [
        Input::CallLeft { call: A },
        Input::OfferFailed { agent, call: A, end: OfferEnd::Rejected },
        Input::OfferCleared { agent: LI, call: A },
        Input::TalkEnded { agent: LI, call: A },
        Input::AgentReachable { agent, reachable: true },
        Input::AgentDuty { agent, duty: Duty::Ready },
        Input::WrapUpDone { agent },
        Input::WrapUpDone { agent: LI },
        Input::AgentReachable { agent: LI, reachable: true },
        Input::AgentDuty { agent: LI, duty: Duty::Ready },
    ] {
        assert_eq!(say(&mut acd, at(1), input.clone()), [], "{input:?}");
    }
    let released = say(&mut acd, at(1), Input::AgentAnswered { agent, call: A });
    assert_eq!(released, [Output::Release { agent, call: A }], "a phone that nobody rang is hung up");
}

#[test]
fn a_call_that_waits_for_nobody_is_given_back() {
    let mut acd = lucheng(pool());
    let arrived = Input::CallArrived { call: A, arrived: at(0), request: Request::default() };
    let expect = [Output::Exhausted { call: A, reason: OverflowReason::NobodyOnDuty }];
    assert_eq!(say(&mut acd, at(0), arrived), expect);
}

#[test]
fn a_call_that_was_given_back_can_queue_again_with_its_arrival() {
    let mut acd = lucheng(pool());
    say(&mut acd, at(1), enter(A));
    say(&mut acd, at(2), enter(B));
    say(&mut acd, at(3), Input::CallLeft { call: A });
    say(&mut acd, at(3), enter(A));
    let rung = say(&mut acd, at(4), Input::OfferCleared { agent: LI, call: A });
    assert!(matches!(rung[0], Output::Ring { call: A, .. }), "{rung:?}");
}

#[test]
fn spans_of_zero_end_in_a_pause_and_never_in_a_loop() {
    let zero = Duration::ZERO;
    let mut acd = lucheng(Pool {
        ring_timeout: zero,
        wrap_up: WrapUp::Fixed(zero),
        clear_timeout: zero,
        miss_limit: 0,
        miss_pause: Some(zero),
        max_waiting: 0,
        refuse: Refuse::default(),
        ..pool()
    });
    say(&mut acd, at(0), enter(A));
    for _ in 0..1000 {
        let Some(due) = acd.poll_timeout() else { break };
        acd.handle_timeout(due);
        drain(&mut acd);
    }
    assert_eq!(acd.poll_timeout(), None);
    assert_eq!(say(&mut acd, at(0), Input::CallLeft { call: A }), []);
}

#[test]
fn spans_without_end_need_no_timer() {
    let mut acd = lucheng(Pool { ring_timeout: Duration::MAX, ..pool() });
    let request = Request::in_turn([("lucheng".into(), Duration::MAX)]);
    say(&mut acd, at(0), Input::CallArrived { call: A, arrived: at(0), request });
    assert_eq!(acd.poll_timeout(), None);
}

#[test]
fn a_phone_that_refuses_everything_is_soon_left_alone() {
    let mut acd = lucheng(pool());
    say(&mut acd, at(0), enter(A));
    let refused = Input::OfferFailed { agent: LI, call: A, end: OfferEnd::Unreachable };
    let again = say(&mut acd, at(0), refused.clone());
    assert!(matches!(again[1], Output::Ring { .. }), "{again:?}");
    let paused = say(&mut acd, at(0), refused);
    assert_eq!(paused[1], Output::Exhausted { call: A, reason: OverflowReason::NobodyOnDuty });
    assert_eq!(acd.poll_timeout(), None, "without a miss_pause the agent comes back by hand only");
}

#[test]
fn positions_count_by_arrival() {
    let mut acd = lucheng(pool());
    say(&mut acd, at(0), enter(A));
    let mut position = |call: u64, arrived: i64| {
        let arrived = Input::CallArrived { call: CallId(call), arrived: at(arrived), request: a_minute() };
        let outputs = say(&mut acd, at(9), arrived);
        match outputs[..] {
            [Output::Queued { position, .. }] => position,
            _ => panic!("{outputs:?}"),
        }
    };
    assert_eq!([position(7, 5), position(5, 6), position(9, 4), position(6, 5)], [1, 2, 1, 2]);
}

#[test]
fn the_last_word_about_a_removed_agent_is_that_they_are_unreachable() {
    let mut acd = lucheng(pool());
    let empty = Config { agents: [].into(), ..config(pool()) };
    let gone = say(&mut acd, at(1), Input::Configured(empty));
    assert!(matches!(gone[..], [Output::AgentChanged { agent: LI, reachable: false, .. }]), "{gone:?}");
    assert_eq!(say(&mut acd, at(2), Input::AgentReachable { agent: LI, reachable: true }), []);
}

#[test]
fn a_configuration_that_changes_nothing_says_nothing() {
    let mut acd = lucheng(pool());
    say(&mut acd, at(1), enter(A));
    say(&mut acd, at(1), enter(B));
    assert_eq!(say(&mut acd, at(2), Input::Configured(config(pool()))), []);
    assert_eq!(acd.poll_timeout(), Some(at(21)));
}

#[test]
fn a_crowd_is_as_large_as_asked_for_and_what_happens_fits() {
    let (mut acd, happenings) = world::crowd(200, 300, 4_000);
    assert!(happenings.len() >= 4_000);
    let mut rung = 0;
    for (now, happening) in happenings {
        match happening {
            Happening::Input(input) => acd.handle_input(now, input),
            Happening::Timers(due) => {
                assert!(due > 0 && acd.poll_timeout() == Some(now));
                acd.handle_timeout(now);
            }
        }
        let outputs = drain(&mut acd);
        rung += outputs.iter().filter(|output| matches!(output, Output::Ring { .. })).count();
    }
    assert!(rung > 300, "only {rung} decisions");
}

#[test]
fn a_stamp_up_to_a_minute_old_is_late_and_an_older_one_is_a_clock_set_back() {
    let mut acd = lucheng(pool());
    let set_back = |acd: &mut Acd, now| {
        acd.handle_timeout(now);
        let outputs = drain(acd).into_iter();
        outputs.filter(|output| matches!(output, Output::ClockSetBack { .. })).collect::<Vec<_>>()
    };
    assert_eq!(set_back(&mut acd, at(100)), []);
    assert_eq!(set_back(&mut acd, at(40)), [], "read late");
    assert_eq!(set_back(&mut acd, at(39)), [Output::ClockSetBack { by: Duration::from_secs(61) }]);
    assert_eq!(set_back(&mut acd, at(38)), [], "and now it is the time");
}

#[test]
fn a_clock_that_is_set_back_takes_every_deadline_with_it() {
    let mut acd = lucheng(pool());
    say(&mut acd, at(1_000), Input::CallArrived { call: A, arrived: at(1_000), request: a_minute() });
    assert_eq!(acd.poll_timeout(), Some(at(1_020)), "the phone rings");
    acd.handle_timeout(at(400));
    drain(&mut acd);
    assert_eq!(acd.poll_timeout(), Some(at(420)), "as long as before");
}

/// Li talks with A, Wang is free, and B is kept for Li.
fn kept_for_li() -> (Acd, Config) {
    let mut both = config(pool());
    both.agents.insert(WANG, both.agents[&LI].clone());
    let mut acd = Acd::new();
    say(&mut acd, at(0), Input::Configured(both.clone()));
    say(&mut acd, at(0), Input::AgentReachable { agent: LI, reachable: true });
    say(&mut acd, at(0), enter(A));
    say(&mut acd, at(1), Input::AgentAnswered { agent: LI, call: A });
    say(&mut acd, at(1), Input::AgentReachable { agent: WANG, reachable: true });
    let request = Request { acquainted: Some((LI, Duration::from_secs(30))), ..a_minute() };
    let outputs = say(&mut acd, at(2), Input::CallArrived { call: B, arrived: at(2), request });
    assert_eq!(rung(&outputs), []);
    (acd, both)
}

fn rung(outputs: &[Output]) -> Vec<(AgentId, CallId)> {
    let rung = outputs.iter().filter_map(|output| match output {
        Output::Ring { agent, call, .. } => Some((*agent, *call)),
        _ => None,
    });
    rung.collect()
}

#[test]
fn a_call_stays_kept_for_its_agent_over_a_new_configuration() {
    let (mut acd, both) = kept_for_li();
    assert_eq!(rung(&say(&mut acd, at(3), Input::Configured(both))), []);
    say(&mut acd, at(4), Input::TalkEnded { agent: LI, call: A });
    assert_eq!(rung(&say(&mut acd, at(5), Input::WrapUpDone { agent: LI })), [(LI, B)]);
}

#[test]
fn a_call_is_kept_no_longer_for_an_agent_who_is_removed_in_the_middle_of_a_talk() {
    let (mut acd, mut without) = kept_for_li();
    without.agents.remove(&LI);
    assert_eq!(rung(&say(&mut acd, at(3), Input::Configured(without))), [(WANG, B)]);
}

#[test]
fn the_calls_of_a_day_are_counted_over_new_configurations() {
    let may = |home: &str, most| {
        let pools = [(home.into(), Membership { calls_per_day_max: most, ..Membership::default() })].into();
        let pool = |id: &str| (id.into(), Pool { wrap_up: WrapUp::Fixed(Duration::ZERO), ..pool() });
        let agents = [(LI, Agent { pools, ..Agent::default() })].into();
        Input::Configured(Config { pools: ["lucheng", "ouhai"].map(pool).into(), agents })
    };
    let mut acd = Acd::new();
    say(&mut acd, at(0), may("lucheng", Some(2)));
    say(&mut acd, at(0), Input::AgentReachable { agent: LI, reachable: true });
    let is_rung = |acd: &mut Acd, n: i64| {
        let call = CallId(n as u64);
        let outputs = say(acd, at(n), Input::CallArrived { call, arrived: at(n), request: a_minute() });
        say(acd, at(n), Input::AgentAnswered { agent: LI, call });
        say(acd, at(n), Input::TalkEnded { agent: LI, call });
        !rung(&outputs).is_empty()
    };
    assert!(is_rung(&mut acd, 1));
    say(&mut acd, at(2), may("lucheng", Some(2)));
    assert!(is_rung(&mut acd, 3));
    say(&mut acd, at(4), may("lucheng", Some(2)));
    assert!(!is_rung(&mut acd, 5), "that were two");
    say(&mut acd, at(6), may("ouhai", None));
    say(&mut acd, at(7), may("lucheng", Some(2)));
    assert!(!is_rung(&mut acd, 8), "elsewhere meanwhile, and the two count");
    say(&mut acd, at(9), may("lucheng", Some(3)));
    assert!(is_rung(&mut acd, 10));
}

#[test]
fn a_pool_takes_a_call_that_waits_as_long_as_it_allows_and_none_that_waits_longer() {
    let refuse = Refuse { estimated_wait: Some(Duration::from_secs(300)), ..Refuse::default() };
    let mut acd = lucheng(Pool { refuse, ..pool() });
    say(&mut acd, at(0), enter(A));
    say(&mut acd, at(0), Input::AgentAnswered { agent: LI, call: A });
    let pool = || "lucheng".into();
    assert_eq!(say(&mut acd, at(0), enter(B)), [Output::Queued { call: B, pool: pool(), position: 1 }]);
    let third = CallId(3);
    let refused = say(&mut acd, at(0), enter(third));
    assert_eq!(refused, [Output::Exhausted { call: third, reason: OverflowReason::EstimatedWait }]);
}

#[test]
fn who_asked_to_be_called_back_until_a_step_was_due_is_given_up_instead_of_it() {
    let mut config = config(pool());
    config.pools.insert("city".into(), pool());
    let pools = [("city".into(), Membership::default())].into();
    config.agents.insert(WANG, Agent { pools, ..Agent::default() });
    let mut acd = Acd::new();
    say(&mut acd, at(0), Input::Configured(config));
    for agent in [LI, WANG] {
        say(&mut acd, at(0), Input::AgentReachable { agent, reachable: true });
    }
    say(&mut acd, at(0), enter(A));
    say(&mut acd, at(0), Input::AgentAnswered { agent: LI, call: A });
    let a_minute = Duration::from_secs(60);
    let request = Request::in_turn([("lucheng".into(), a_minute), ("city".into(), a_minute)]);
    say(&mut acd, at(0), Input::CallArrived { call: B, arrived: at(0), request });
    say(&mut acd, at(0), Input::CallbackAsked { call: B, until: at(60) });
    acd.handle_timeout(at(60));
    let given_up = Output::Exhausted { call: B, reason: OverflowReason::PatienceExpired };
    assert_eq!(drain(&mut acd), [given_up]);
}

#[test]
fn a_wait_is_the_position_times_the_handling_by_the_agents() {
    let mut config = config(pool());
    config.agents.insert(WANG, config.agents[&LI].clone());
    let mut acd = Acd::new();
    say(&mut acd, at(0), Input::Configured(config));
    for (agent, call) in [(LI, 1), (WANG, 2)] {
        let call = CallId(call);
        say(&mut acd, at(0), Input::AgentReachable { agent, reachable: true });
        say(&mut acd, at(0), enter(call));
        say(&mut acd, at(0), Input::AgentAnswered { agent, call });
    }
    let announce = Some(Announce { first: Duration::from_secs(5), every: Duration::MAX });
    for call in [3, 4].map(CallId) {
        let request = Request { announce, ..a_minute() };
        say(&mut acd, at(0), Input::CallArrived { call, arrived: at(0), request });
    }
    acd.handle_timeout(at(5));
    let told = |call, position, wait_s| {
        let wait = Duration::from_secs(wait_s);
        Output::Announce { call: CallId(call), position, wait, longer: None }
    };
    assert_eq!(drain(&mut acd), [told(3, 1, 150), told(4, 2, 300)]);
}

#[test]
fn at_midnight_the_calls_of_a_day_are_counted_anew() {
    let pools =
        [("lucheng".into(), Membership { calls_per_day_max: Some(1), ..Membership::default() })].into();
    let agents = [(LI, Agent { pools, ..Agent::default() })].into();
    let pool = Pool { wrap_up: WrapUp::Fixed(Duration::ZERO), ..pool() };
    let mut acd = Acd::new();
    say(&mut acd, at(0), Input::Configured(Config { pools: [("lucheng".into(), pool)].into(), agents }));
    say(&mut acd, at(0), Input::AgentReachable { agent: LI, reachable: true });
    say(&mut acd, at(0), enter(A));
    say(&mut acd, at(1), Input::AgentAnswered { agent: LI, call: A });
    say(&mut acd, at(2), Input::TalkEnded { agent: LI, call: A });
    let midnight = at(16 * 3_600); // 1970-01-01 16:00 UTC.
    assert_eq!(acd.poll_timeout(), Some(midnight));
    assert_eq!(rung(&say(&mut acd, at(3), enter(B))), [], "that was the call of the day");
    acd.handle_timeout(midnight);
    drain(&mut acd);
    assert_eq!(rung(&say(&mut acd, midnight, enter(B))), [(LI, B)]);
}

#[test]
fn when_old_needs_are_forgotten_who_still_waits_keeps_theirs() {
    const NEEDS: u64 = 300; // More than are kept over a new configuration.
    let skill = |n: u64, level: u8| (domain::SkillId::new(&format!("s{n}")), level);
    let of_lucheng = |skills: acd::Skills| {
        let pools = [("lucheng".into(), Membership::default())].into();
        Agent { pools, skills }
    };
    let mut config = config(Pool { max_waiting: 1_000, ..pool() });
    config.agents.insert(LI, of_lucheng((0..NEEDS).map(|n| skill(n, 9)).collect()));
    let mut acd = Acd::new();
    say(&mut acd, at(0), Input::Configured(config.clone()));
    say(&mut acd, at(0), Input::AgentReachable { agent: LI, reachable: true });
    for n in 0..NEEDS {
        let need = acd::Need { required: [skill(n, 5)].into(), ..acd::Need::default() };
        let request = Request { need, ..a_minute() };
        say(&mut acd, at(0), Input::CallArrived { call: CallId(n), arrived: at(0), request });
    }
    for n in (1..NEEDS).filter(|&n| n != 7) {
        say(&mut acd, at(1), Input::CallLeft { call: CallId(n) });
    }
    // One knows what nobody waits for any more, one too little, one enough.
    for (id, known) in [(2, skill(8, 9)), (3, skill(7, 4)), (4, skill(7, 5))] {
        config.agents.insert(AgentId(id), of_lucheng([known].into()));
    }
    say(&mut acd, at(2), Input::Configured(config));
    let mut rung = Vec::new();
    for agent in [2, 3, 4].map(AgentId) {
        let outputs = say(&mut acd, at(3), Input::AgentReachable { agent, reachable: true });
        rung.extend(outputs.into_iter().filter_map(|output| match output {
            Output::Ring { agent, call, .. } => Some((agent, call)),
            _ => None,
        }));
    }
    assert_eq!(rung, [(AgentId(4), CallId(7))]);
}

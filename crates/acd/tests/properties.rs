//! What holds in every world: seeded ones with faults, and histories that no world would have.

use acd::world::{Checked, WorldConfig, run};
use acd::{
    Acd, Agent, Announce, Change, Config, Input, Matching, Membership, Need, Output, Pool, Priority, Refuse,
    Request, Skills, Step, WrapUp,
};
use domain::{
    Activity, AgentId, CallId, Duty, OfferEnd, PauseReason, PoolId, SkillId, Timestamp, WrapUpRule,
};
use proptest::prelude::*;
use proptest::test_runner::Config as Cases;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

#[test]
fn sixty_worlds_with_faults_keep_every_promise() {
    for seed in 0..60 {
        if let Err(broken) = run(seed, 1_000, WorldConfig::default(), Checked::Every(1)) {
            panic!("{broken}");
        }
    }
}

#[test]
fn the_same_seed_gives_the_same_world() {
    let one = run(7, 2_000, WorldConfig::default(), Checked::Never);
    assert_eq!(one, run(7, 2_000, WorldConfig::default(), Checked::Never));
    assert_ne!(one, run(8, 2_000, WorldConfig::default(), Checked::Never));
}

#[test]
fn every_call_of_a_world_ends_in_exactly_one_way() {
    let summary = run(3, 5_000, WorldConfig::default(), Checked::Never).unwrap();
    assert_eq!(summary.answered + summary.abandoned + summary.exhausted, 5_000);
    let busy = [
        summary.missed,
        summary.withdrawn,
        summary.released,
        summary.overflowed,
        summary.callbacks,
        summary.announced,
        summary.forms_late,
    ];
    assert!(busy.iter().all(|&count| count > 50), "the world is too kind: {summary:?}");
    assert_eq!(summary.offers, summary.answered + summary.missed + summary.withdrawn);
}

#[test]
fn where_agents_abound_everybody_is_answered() {
    let config = WorldConfig {
        agents: 400,
        pools: 1,
        configured_every: 0,
        clock_set_every: 0,
        caller_patience_ms: u64::from(u32::MAX),
        step_after_ms: u64::from(u32::MAX),
        skilled_permille: 0,
        ..WorldConfig::default()
    };
    let summary = run(5, 3_000, config, Checked::Every(1)).unwrap();
    assert_eq!((summary.answered, summary.exhausted), (3_000, 0));
}

fn pool(matching: Matching, numbers: [u64; 6]) -> Pool {
    let span = |n: u64| match n {
        9 => Duration::MAX,
        n => Duration::from_millis(n * 700),
    };
    Pool {
        matching,
        ring_timeout: span(numbers[0]),
        wrap_up: match numbers[5] % 3 {
            0 => WrapUp::Fixed(span(numbers[1])),
            1 => WrapUp::Extendable { span: span(numbers[1]), max: span(numbers[2]) },
            _ => WrapUp::UntilSaved { max: span(numbers[1]) },
        },
        clear_timeout: span(numbers[2]),
        miss_limit: (numbers[3] % 3) as u32,
        miss_pause: (numbers[4] > 0).then(|| span(numbers[4] - 1)),
        handling: span(numbers[4]),
        max_waiting: numbers[5] as usize,
        refuse: Refuse {
            unless_ready: numbers[3] > 6,
            longest_wait: (numbers[5] % 2 == 1).then(|| span(numbers[0])),
            estimated_wait: (numbers[1] % 3 == 1).then(|| span(numbers[2])),
        },
    }
}

fn pool_id() -> impl Strategy<Value = PoolId> {
    (0..4_u8).prop_map(|n| PoolId::new(&format!("pool-{n}")))
}

fn matchings() -> impl Strategy<Value = Matching> {
    prop_oneof![
        Just(Matching::LongestIdle),
        Just(Matching::FewestCalls),
        Just(Matching::BestSkill),
        Just(Matching::InOrder),
        Just(Matching::AllAtOnce),
        Just(Matching::RoundRobin),
    ]
}

fn skills() -> impl Strategy<Value = Skills> {
    let skill = (0..2_u8).prop_map(|n| SkillId::new(&format!("skill-{n}")));
    prop::collection::btree_map(skill, 0..11_u8, 0..3)
}

fn needs() -> impl Strategy<Value = Need> {
    (skills(), skills()).prop_map(|(required, wished)| Need { required, wished })
}

fn priorities() -> impl Strategy<Value = Priority> {
    let head_start = prop_oneof![3 => Just(0_u64), 1 => 0..60_u64];
    (prop::bool::weighted(0.1), head_start)
        .prop_map(|(urgent, s)| Priority { urgent, head_start: Duration::from_secs(s) })
}

fn configs() -> impl Strategy<Value = Config> {
    let pool = (matchings(), prop::array::uniform6(0..10_u64)).prop_map(|(matching, n)| pool(matching, n));
    let membership = (0..2_u8, 0..3_u16, prop::option::of(0..3_u32))
        .prop_map(|(tier, order, calls_per_day_max)| Membership { tier, order, calls_per_day_max });
    let agent = (prop::collection::btree_map(pool_id(), membership, 0..4), skills())
        .prop_map(|(pools, skills)| Agent { pools, skills });
    let pools = prop::collection::btree_map(pool_id(), pool, 0..4);
    let agents = prop::collection::btree_map((1..6_u32).prop_map(AgentId), agent, 0..6);
    (pools, agents).prop_map(|(pools, agents)| Config { pools, agents })
}

fn requests() -> impl Strategy<Value = Request> {
    let change = prop_oneof![
        6 => pool_id().prop_map(Change::AddPool),
        2 => needs().prop_map(Change::Relax),
        1 => Just(Change::GiveUp),
    ];
    let after = prop_oneof![2 => Just(Duration::ZERO), 4 => (0..30_u64).prop_map(Duration::from_secs),
        1 => Just(Duration::MAX)];
    let steps = prop::collection::vec((after, change), 0..6).prop_map(|mut steps| {
        steps.sort_by_key(|(after, _)| *after);
        steps.into_iter().map(|(after, change)| Step { after, change }).collect()
    });
    let need = prop_oneof![2 => Just(Need::default()), 1 => needs()];
    let acquainted = prop::option::weighted(0.3, ((1..6_u32).prop_map(AgentId), (0..30_u64)));
    let span = || prop_oneof![4 => (0..30_u64).prop_map(Duration::from_secs), 1 => Just(Duration::MAX)];
    let announce = prop::option::of((span(), span()))
        .prop_map(|spans| spans.map(|(first, every)| Announce { first, every }));
    (need, priorities(), acquainted, steps, announce).prop_map(
        |(need, priority, acquainted, steps, announce)| Request {
            need,
            priority,
            acquainted: acquainted.map(|(agent, s)| (agent, Duration::from_secs(s))),
            steps,
            announce,
        },
    )
}

fn duties() -> impl Strategy<Value = Duty> {
    let until = prop::option::of((0..40_000_i64).prop_map(Timestamp::from_ms));
    let reason = prop_oneof![
        prop::sample::select(&PauseReason::ASKED),
        Just(PauseReason::NoAnswer),
        Just(PauseReason::FormUnsaved)
    ];
    let paused = (reason, until).prop_map(|(reason, until)| Duty::Paused { reason, until });
    prop_oneof![4 => Just(Duty::Ready), 2 => paused, 1 => Just(Duty::LoggedOut)]
}

fn activities() -> impl Strategy<Value = Activity> {
    let at = || (0..40_000_i64).prop_map(Timestamp::from_ms);
    let call = || (1..8_u64).prop_map(CallId);
    let rule = prop_oneof![
        Just(WrapUpRule::Fixed),
        Just(WrapUpRule::UntilSaved),
        at().prop_map(|latest| WrapUpRule::Extendable { latest })
    ];
    prop_oneof![
        at().prop_map(|since| Activity::Idle { since }),
        (call(), at()).prop_map(|(call, until)| Activity::Ringing { call, until }),
        (call(), at()).prop_map(|(call, until)| Activity::Clearing { call, until }),
        (call(), at()).prop_map(|(call, since)| Activity::Talking { call, since }),
        (call(), at(), rule).prop_map(|(call, until, rule)| Activity::WrapUp { call, until, rule }),
    ]
}

fn inputs() -> impl Strategy<Value = Input> {
    let agent = || (1..6_u32).prop_map(AgentId);
    let call = || (1..8_u64).prop_map(CallId);
    let ends = prop_oneof![
        Just(OfferEnd::Answered),
        Just(OfferEnd::NoAnswer),
        Just(OfferEnd::Rejected),
        Just(OfferEnd::Unreachable),
        Just(OfferEnd::Withdrawn)
    ];
    let arrived = (0..40_000_i64).prop_map(Timestamp::from_ms);
    prop_oneof![
        1 => configs().prop_map(Input::Configured),
        8 => (call(), arrived, requests())
            .prop_map(|(call, arrived, request)| Input::CallArrived { call, arrived, request }),
        1 => (call(), priorities()).prop_map(|(call, priority)| Input::CallPrioritised { call, priority }),
        1 => (call(), (0..200_000_i64).prop_map(Timestamp::from_ms))
            .prop_map(|(call, until)| Input::CallbackAsked { call, until }),
        3 => call().prop_map(|call| Input::CallLeft { call }),
        12 => (agent(), call()).prop_map(|(agent, call)| Input::AgentAnswered { agent, call }),
        6 => (agent(), call(), ends).prop_map(|(agent, call, end)| Input::OfferFailed { agent, call, end }),
        6 => (agent(), call()).prop_map(|(agent, call)| Input::OfferCleared { agent, call }),
        6 => (agent(), call()).prop_map(|(agent, call)| Input::TalkEnded { agent, call }),
        6 => (agent(), prop::bool::weighted(0.8))
            .prop_map(|(agent, reachable)| Input::AgentReachable { agent, reachable }),
        4 => (agent(), duties()).prop_map(|(agent, duty)| Input::AgentDuty { agent, duty }),
        2 => agent().prop_map(|agent| Input::WrapUpDone { agent }),
        2 => (agent(), 0..9_000_u64).prop_map(|(agent, ms)| {
            Input::WrapUpExtended { agent, by: Duration::from_millis(ms) }
        }),
        1 => (agent(), duties(), activities())
            .prop_map(|(agent, duty, activity)| Input::AgentRestored { agent, duty, activity }),
    ]
}

/// Sees that offers pair up, that no call leaves twice, and that nobody is rung who is not to be.
#[derive(Default)]
struct Watcher {
    offers: BTreeMap<AgentId, CallId>,
    inside: BTreeSet<CallId>,
    /// As last reported, and whether the phone was said to be reachable.
    faces: BTreeMap<AgentId, Face>,
    reachable: BTreeMap<AgentId, bool>,
    /// Rung since the last report.
    rung: BTreeSet<AgentId>,
}

type Face = (bool, Duty, Activity);

impl Watcher {
    /// What `input`, or time itself, has led to.
    fn listen(&mut self, acd: &mut Acd, input: Option<&Input>) -> Result<(), String> {
        if let Some(&Input::AgentReachable { agent, reachable }) = input {
            self.reachable.insert(agent, reachable);
        }
        while let Some(output) = acd.poll_output() {
            match output {
                Output::Ring { agent, .. } => self.check_ring(agent, input)?,
                Output::AgentChanged { agent, reachable, duty, activity } => {
                    self.faces.insert(agent, (reachable, duty, activity));
                }
                _ => {}
            }
            self.watch(&output)?;
        }
        for agent in std::mem::take(&mut self.rung) {
            let face = self.faces.get(&agent);
            let rings = self.offers.contains_key(&agent);
            let fits = matches!(face, Some((true, Duty::Ready, Activity::Ringing { .. })));
            if rings && !fits {
                return Err(format!("agent {agent} was rung and is {face:?}"));
            }
        }
        Ok(())
    }

    /// From what the agent was before, only what has just happened can lead to an offer.
    fn check_ring(&mut self, agent: AgentId, input: Option<&Input>) -> Result<(), String> {
        self.rung.insert(agent);
        let of_agent = |about: &AgentId| *about == agent;
        // Somebody who left and comes again starts afresh.
        let is_new = matches!(input, Some(Input::Configured(_)));
        let comes_back = match input {
            Some(Input::AgentDuty { agent, duty } | Input::AgentRestored { agent, duty, .. }) => {
                of_agent(agent) && *duty == Duty::Ready
            }
            _ => is_new,
        };
        let is_done = matches!(input, Some(Input::WrapUpDone { agent }) if of_agent(agent));
        let is_time = input.is_none();
        let Some((_, duty, activity)) = self.faces.get(&agent) else {
            return Err(format!("agent {agent} is rung and unknown"));
        };
        let is_willing = match duty {
            Duty::Ready => true,
            Duty::LoggedOut => comes_back,
            Duty::Paused { reason: PauseReason::FormUnsaved, until: None } => comes_back || is_done,
            Duty::Paused { reason: PauseReason::FormUnsaved, .. } => comes_back || is_done || is_time,
            Duty::Paused { until: None, .. } => comes_back,
            Duty::Paused { until: Some(_), .. } => comes_back || is_time,
        };
        let has_written = match activity {
            Activity::WrapUp { rule: WrapUpRule::UntilSaved, .. } => is_done || is_new,
            Activity::WrapUp { .. } => is_done || is_time || is_new,
            Activity::Idle { .. }
            | Activity::Ringing { .. }
            | Activity::Clearing { .. }
            | Activity::Talking { .. } => true,
        };
        let is_there = self.reachable.get(&agent) == Some(&true);
        if is_willing && has_written && is_there {
            return Ok(());
        }
        Err(format!("agent {agent} is rung: {duty:?}, {activity:?}, reachable: {is_there}"))
    }

    fn watch(&mut self, output: &Output) -> Result<(), String> {
        let fine = match output {
            Output::Queued { call, position, .. } => {
                self.inside.insert(*call);
                *position >= 1
            }
            Output::Ring { agent, call, .. } => {
                // Somebody came on duty in a pool that had nobody when the call came.
                self.inside.insert(*call);
                self.offers.insert(*agent, *call).is_none()
            }
            Output::StopRinging { agent, call, .. } => self.offers.get(agent) == Some(call),
            Output::OfferEnded { agent, call, .. } => self.offers.remove(agent) == Some(*call),
            Output::Connect { call, .. } => self.inside.remove(call),
            Output::Exhausted { call, .. } => {
                self.inside.remove(call);
                self.offers.values().all(|offered| offered != call)
            }
            Output::Announce { call, position, .. } => {
                // Likewise; and nobody is told a place for whom a phone rings.
                self.inside.insert(*call);
                *position >= 1 && self.offers.values().all(|offered| offered != call)
            }
            Output::Release { agent, call } => self.offers.get(agent) != Some(call),
            Output::Overflowed { .. } | Output::AgentChanged { .. } | Output::ClockSetBack { .. } => true,
        };
        if fine { Ok(()) } else { Err(format!("{output:?} does not fit")) }
    }
}

proptest! {
    #![proptest_config(Cases { cases: 600, failure_persistence: None, ..Cases::default() })]

    /// Unknown ids, absurd spans, a clock that leaps: no panic, and every invariant after every step.
    #[test]
    fn no_history_breaks_an_invariant(
        config in configs(),
        steps in prop::collection::vec((prop_oneof![
            12 => 0..2_000_i64, 1 => -200_000..200_000_i64, 1 => Just(-500_i64)
        ], inputs()), 1..150),
    ) {
        let (mut acd, mut watcher, mut now_ms) = (Acd::new(), Watcher::default(), 0_i64);
        acd.handle_input(Timestamp::from_ms(now_ms), Input::Configured(config));
        for (after_ms, input) in steps {
            now_ms += after_ms;
            let now = Timestamp::from_ms(now_ms);
            if acd.poll_timeout().is_some_and(|at| at <= now) {
                acd.handle_timeout(now);
                prop_assert_eq!(watcher.listen(&mut acd, None), Ok(()), "after a timeout");
                prop_assert_eq!(acd.check_invariants(), Ok(()), "after a timeout");
                prop_assert!(acd.poll_timeout().is_none_or(|at| at > now), "a due timer did not fire");
            }
            let left = if let Input::CallLeft { call } = input { Some(call) } else { None };
            acd.handle_input(now, input.clone());
            prop_assert_eq!(watcher.listen(&mut acd, Some(&input)), Ok(()), "after {:?}", input);
            left.map(|call| watcher.inside.remove(&call));
            prop_assert_eq!(acd.check_invariants(), Ok(()), "after {:?}", input);
        }
    }

    /// Stopped at any instant, a machine that is told what was last reported has everybody as they were: nobody is
    /// in a call that is gone, and every deadline goes on or is over.
    #[test]
    fn after_a_restart_states_come_back(
        config in configs(),
        steps in prop::collection::vec((0..2_000_i64, inputs()), 1..100),
        stopped_ms in 0..20_000_i64,
    ) {
        let (mut acd, mut watcher, mut now) = (Acd::new(), Watcher::default(), Timestamp::from_ms(0));
        acd.handle_input(now, Input::Configured(config.clone()));
        for (after_ms, input) in steps {
            now = Timestamp::from_ms(now.as_ms() + after_ms);
            acd.handle_timeout(now);
            prop_assert_eq!(watcher.listen(&mut acd, None), Ok(()));
            if !matches!(input, Input::Configured(_)) {
                acd.handle_input(now, input.clone());
                prop_assert_eq!(watcher.listen(&mut acd, Some(&input)), Ok(()));
            }
        }
        let later = Timestamp::from_ms(now.as_ms() + stopped_ms);
        let mut again = Acd::new();
        again.handle_input(later, Input::Configured(config));
        let mut new = Watcher::default();
        for (&agent, &(_, duty, activity)) in &watcher.faces {
            let input = Input::AgentRestored { agent, duty, activity };
            again.handle_input(later, input.clone());
            prop_assert_eq!(new.listen(&mut again, Some(&input)), Ok(()));
        }
        again.handle_timeout(later);
        prop_assert_eq!(new.listen(&mut again, None), Ok(()));
        prop_assert_eq!(again.check_invariants(), Ok(()));
        for (agent, &(_, duty, activity)) in &watcher.faces {
            let (reachable, duty_now, activity_now) = new.faces[agent];
            let (is_over, is_unsaved) = match activity {
                Activity::WrapUp { until, rule, .. } => (until <= later, rule == WrapUpRule::UntilSaved),
                _ => (true, false),
            };
            match activity_now {
                Activity::Idle { .. } => prop_assert!(is_over, "{activity:?} was lost"),
                still => prop_assert!(!is_over && still == activity, "{activity:?} became {still:?}"),
            }
            let unsaved = Duty::Paused { reason: PauseReason::FormUnsaved, until: None };
            let expected = match duty {
                Duty::Ready | Duty::Paused { until: Some(_), .. } if is_over && is_unsaved => unsaved,
                Duty::Paused { until: Some(until), .. } if until <= later => Duty::Ready,
                duty => duty,
            };
            prop_assert_eq!(duty_now, expected);
            prop_assert!(!reachable);
        }
    }

    #[test]
    fn what_crosses_nodes_survives_json(input in inputs()) {
        let text = serde_json::to_string(&input).unwrap();
        prop_assert_eq!(serde_json::from_str::<Input>(&text).unwrap(), input);
    }
}

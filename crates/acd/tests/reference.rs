//! The machine against a naive one that keeps plain lists, looks through all of them and sorts anew at every
//! step. Both must ring, stop, connect and give up the same at every instant of random histories.
//!
//! The naive one knows neither a changed configuration nor a clock that is set.

mod naive;

use acd::{
    Acd, Agent, Change, Config, Input, Matching, Membership, Need, Output, Pool, Priority, Refuse, Request,
    Skills, Step, WrapUp,
};
use domain::{Activity, AgentId, CallId, Duty, OfferEnd, PauseReason, PoolId, Timestamp, WrapUpRule};
use naive::Naive;
use proptest::prelude::*;
use proptest::test_runner::Config as Cases;
use std::time::Duration;

const POOLS: [&str; 3] = ["city", "lucheng", "yueqing"];

/// One random move: what to do, to whom, after how long.
#[derive(Clone, Debug)]
struct Move {
    after_ms: u64,
    kind: u8,
    agent: u32,
    call: u64,
    /// Picks a live offer instead of `agent` and `call`.
    live: Option<prop::sample::Index>,
    request: Request,
}

fn moves() -> impl Strategy<Value = Vec<Move>> {
    let after = prop_oneof![3 => Just(0_u64), 3 => 1..3_000_u64, 1 => 3_000..30_000_u64];
    let live = prop::option::weighted(0.8, any::<prop::sample::Index>());
    let one = (after, 0..19_u8, 1..7_u32, 1..15_u64, live, requests());
    let one = one.prop_map(|(after_ms, kind, agent, call, live, request)| Move {
        after_ms,
        kind,
        agent,
        call,
        live,
        request,
    });
    prop::collection::vec(one, 1..120)
}

fn skills() -> impl Strategy<Value = Skills> {
    prop::collection::btree_map(prop_oneof![Just("yi".into()), Just("labour".into())], 1..11_u8, 0..3)
}

fn needs() -> impl Strategy<Value = Need> {
    (skills(), skills()).prop_map(|(required, wished)| Need { required, wished })
}

fn priorities() -> impl Strategy<Value = Priority> {
    (prop::bool::weighted(0.1), prop_oneof![3 => Just(0_u64), 1 => 1..20_u64])
        .prop_map(|(urgent, s)| Priority { urgent, head_start: Duration::from_secs(s) })
}

fn requests() -> impl Strategy<Value = Request> {
    let change = prop_oneof![
        6 => (0..POOLS.len()).prop_map(|pool| Change::AddPool(POOLS[pool].into())),
        2 => needs().prop_map(Change::Relax),
        2 => Just(Change::GiveUp),
    ];
    let after = prop_oneof![1 => Just(0_u64), 3 => 1..40_000_u64].prop_map(Duration::from_millis);
    let steps = prop::collection::vec((after, change), 0..5).prop_map(|mut steps| {
        steps.sort_by_key(|(after, _)| *after);
        // Most begin to wait at once.
        steps.iter_mut().take(1).for_each(|(after, _)| *after = Duration::ZERO);
        steps.into_iter().map(|(after, change)| Step { after, change }).collect()
    });
    let need = prop_oneof![2 => Just(Need::default()), 1 => needs()];
    let acquainted = prop::option::weighted(0.2, (1..7_u32, 0..20_u64));
    (need, priorities(), acquainted, steps).prop_map(|(need, priority, acquainted, steps)| Request {
        need,
        priority,
        acquainted: acquainted.map(|(agent, s)| (AgentId(agent), Duration::from_secs(s))),
        steps,
        announce: None,
    })
}

fn configs() -> impl Strategy<Value = Config> {
    let matching = || {
        prop_oneof![
            Just(Matching::LongestIdle),
            Just(Matching::FewestCalls),
            Just(Matching::BestSkill),
            Just(Matching::InOrder),
            Just(Matching::AllAtOnce),
            Just(Matching::RoundRobin),
        ]
    };
    let seconds = Duration::from_secs;
    let refuse = || {
        (prop::bool::weighted(0.1), prop::option::weighted(0.3, 0..30_u64)).prop_map(
            |(unless_ready, longest_s)| Refuse {
                unless_ready,
                longest_wait: longest_s.map(Duration::from_secs),
                // The naive one does not estimate.
                estimated_wait: None,
            },
        )
    };
    let pool = |ring_s, wrap_up, max_waiting| {
        (matching(), refuse()).prop_map(move |(matching, refuse)| Pool {
            matching,
            ring_timeout: Duration::from_secs(ring_s),
            wrap_up,
            clear_timeout: Duration::from_secs(2),
            miss_limit: 2,
            miss_pause: Some(Duration::from_secs(20)),
            handling: Duration::from_secs(60),
            max_waiting,
            refuse,
        })
    };
    let extendable = WrapUp::Extendable { span: seconds(8), max: seconds(20) };
    let pools = (
        prop_oneof![pool(10, WrapUp::Fixed(Duration::ZERO), 3), pool(10, extendable, 3)],
        pool(12, WrapUp::Fixed(seconds(8)), 4),
        prop_oneof![
            pool(7, WrapUp::Fixed(seconds(5)), 2),
            pool(7, WrapUp::UntilSaved { max: seconds(25) }, 2)
        ],
    );
    let agent = |pools: &'static [usize]| {
        let membership = (0..2_u8, 0..3_u16, prop::option::weighted(0.2, 0..4_u32))
            .prop_map(|(tier, order, calls_per_day_max)| Membership { tier, order, calls_per_day_max });
        (prop::collection::vec(membership, pools.len()), skills()).prop_map(move |(memberships, skills)| {
            let pools = pools.iter().map(|&n| POOLS[n].into()).zip(memberships).collect();
            Agent { pools, skills }
        })
    };
    let agents = (agent(&[0]), agent(&[1]), agent(&[1, 0]), agent(&[2]), agent(&[2, 1]), agent(&[2, 1, 0]));
    (pools, agents).prop_map(|(pools, agents)| Config {
        pools: POOLS.iter().map(|&id| PoolId::new(id)).zip([pools.0, pools.1, pools.2]).collect(),
        agents: (1..)
            .map(AgentId)
            .zip([agents.0, agents.1, agents.2, agents.3, agents.4, agents.5])
            .collect(),
    })
}

fn input(step: &Move, now: Timestamp, offers: &[(AgentId, CallId)]) -> Input {
    let live = step.live.filter(|_| !offers.is_empty()).map(|index| *index.get(offers));
    let (agent, call) = live.unwrap_or((AgentId(step.agent), CallId(step.call)));
    match step.kind {
        0..=3 => Input::CallArrived { call: CallId(step.call), arrived: now, request: step.request.clone() },
        4 => Input::CallLeft { call },
        5 | 6 => Input::AgentAnswered { agent, call },
        7 => Input::OfferFailed { agent, call, end: OfferEnd::Rejected },
        8 => Input::OfferCleared { agent, call },
        9 => Input::TalkEnded { agent, call },
        10 => Input::AgentReachable { agent: AgentId(step.agent), reachable: !step.call.is_multiple_of(4) },
        11 => Input::AgentDuty { agent: AgentId(step.agent), duty: Duty::Ready },
        12 => {
            let until = step.call.is_multiple_of(2).then(|| now + Duration::from_secs(step.call));
            let duty = match step.call {
                1..=3 => Duty::LoggedOut,
                _ => Duty::Paused { reason: PauseReason::Meeting, until },
            };
            Input::AgentDuty { agent: AgentId(step.agent), duty }
        }
        18 => Input::CallbackAsked { call, until: now + Duration::from_secs(step.call * 7) },
        13 => Input::CallPrioritised { call, priority: step.request.priority },
        14 => Input::WrapUpExtended { agent, by: Duration::from_secs(step.call) },
        15 => {
            let until = now + Duration::from_secs(step.call);
            let rule = match step.call % 3 {
                0 => WrapUpRule::Fixed,
                1 => WrapUpRule::Extendable { latest: until + Duration::from_secs(5) },
                _ => WrapUpRule::UntilSaved,
            };
            let activity = Activity::WrapUp { call: CallId(step.call), until, rule };
            Input::AgentRestored { agent: AgentId(step.agent), duty: Duty::Ready, activity }
        }
        _ => Input::WrapUpDone { agent },
    }
}

/// What the machine does, in the naive one's words.
fn heard(acd: &mut Acd, offers: &mut Vec<(AgentId, CallId)>) -> Vec<String> {
    let mut lines = Vec::new();
    while let Some(output) = acd.poll_output() {
        match output {
            Output::Ring { agent, call, .. } => {
                offers.push((agent, call));
                lines.push(format!("ring {agent} for {call}"));
            }
            Output::StopRinging { agent, call, .. } => lines.push(format!("stop {agent} for {call}")),
            Output::Connect { agent, call, .. } => lines.push(format!("connect {agent} with {call}")),
            Output::Exhausted { call, .. } => lines.push(format!("exhausted {call}")),
            Output::Release { agent, call } => lines.push(format!("release {agent} from {call}")),
            Output::Overflowed { call, to, .. } => lines.push(format!("overflow {call} to {to}")),
            Output::Queued { .. }
            | Output::Announce { .. }
            | Output::OfferEnded { .. }
            | Output::AgentChanged { .. }
            | Output::ClockSetBack { .. } => {}
        }
    }
    let recent = offers.len().saturating_sub(8);
    offers.drain(..recent);
    lines.sort();
    lines
}

proptest! {
    #![proptest_config(Cases { cases: 4_000, failure_persistence: None, ..Cases::default() })]

    #[test]
    fn the_machine_chooses_as_one_that_sorts_plain_lists(config in configs(), moves in moves()) {
        let mut now = Timestamp::from_ms(1_000_000);
        let (mut acd, mut naive, mut offers) = (Acd::new(), Naive::new(now, &config), Vec::new());
        acd.handle_input(now, Input::Configured(config));
        heard(&mut acd, &mut offers);
        for agent in 1..=4 {
            let input = Input::AgentReachable { agent: AgentId(agent), reachable: true };
            acd.handle_input(now, input.clone());
            naive.handle_input(now, &input);
        }
        for step in moves {
            let then = now + Duration::from_millis(step.after_ms);
            while let Some(due) = acd.poll_timeout().filter(|&due| due <= then) {
                prop_assert!(naive.next_deadline() == Some(due), "deadlines at {due:?}: {naive:#?}");
                acd.handle_timeout(due);
                naive.handle_timeout(due);
                prop_assert_eq!(heard(&mut acd, &mut offers), naive.heard(), "at the timeout {:?}", due);
            }
            now = then;
            let input = input(&step, now, &offers);
            acd.handle_input(now, input.clone());
            naive.handle_input(now, &input);
            prop_assert_eq!(heard(&mut acd, &mut offers), naive.heard(), "after {:?}", input);
            prop_assert_eq!(acd.check_invariants(), Ok(()), "after {:?}", input);
        }
    }
}

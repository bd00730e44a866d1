//! The machine against a naive one that keeps plain lists, looks through all of them and sorts anew at every
//! step. Both must ring, stop, connect and give up the same at every instant of random histories.
//!
//! The naive one knows neither a changed configuration nor a clock that is set.

mod naive;

use acd::{Acd, Agent, Config, Input, Output, Pool, Stage};
use domain::{AgentId, CallId, Duty, OfferEnd, PauseReason, PoolId, Timestamp};
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
    stages: Vec<(usize, u64)>,
}

fn moves() -> impl Strategy<Value = Vec<Move>> {
    let stage = (0..POOLS.len(), 1..40_000_u64);
    let after = prop_oneof![3 => Just(0_u64), 3 => 1..3_000_u64, 1 => 3_000..30_000_u64];
    let live = prop::option::weighted(0.8, any::<prop::sample::Index>());
    let one = (after, 0..14_u8, 1..7_u32, 1..15_u64, live, prop::collection::vec(stage, 0..4));
    let one = one.prop_map(|(after_ms, kind, agent, call, live, stages)| Move {
        after_ms,
        kind,
        agent,
        call,
        live,
        stages,
    });
    prop::collection::vec(one, 1..120)
}

fn config() -> Config {
    let pool = |ring_s, wrap_s, max_waiting| Pool {
        ring_timeout: Duration::from_secs(ring_s),
        wrap_up: Duration::from_secs(wrap_s),
        clear_timeout: Duration::from_secs(2),
        miss_limit: 2,
        miss_pause: Some(Duration::from_secs(20)),
        max_waiting,
    };
    let pools = [pool(10, 0, 3), pool(12, 8, 4), pool(7, 5, 2)];
    let agents: [&[usize]; 6] = [&[0], &[1], &[1, 0], &[2], &[2, 1], &[2, 1, 0]];
    let agent = |pools: &[usize]| Agent { pools: pools.iter().map(|&n| POOLS[n].into()).collect() };
    Config {
        pools: POOLS.iter().map(|&id| PoolId::new(id)).zip(pools).collect(),
        agents: (1..).map(AgentId).zip(agents.into_iter().map(agent)).collect(),
    }
}

fn input(step: &Move, now: Timestamp, offers: &[(AgentId, CallId)]) -> Input {
    let live = step.live.filter(|_| !offers.is_empty()).map(|index| *index.get(offers));
    let (agent, call) = live.unwrap_or((AgentId(step.agent), CallId(step.call)));
    match step.kind {
        0..=3 => {
            let stages = step.stages.iter().map(|&(pool, patience_ms)| Stage {
                pool: POOLS[pool].into(),
                patience: Duration::from_millis(patience_ms),
            });
            Input::CallArrived { call: CallId(step.call), arrived: now, stages: stages.collect() }
        }
        4 => Input::CallLeft { call },
        5 | 6 => Input::AgentAnswered { agent, call },
        7 => Input::OfferFailed { agent, call, end: OfferEnd::Rejected },
        8 => Input::OfferCleared { agent, call },
        9 => Input::TalkEnded { agent, call },
        10 => Input::AgentReachable { agent: AgentId(step.agent), reachable: !step.call.is_multiple_of(4) },
        11 => Input::AgentDuty { agent: AgentId(step.agent), duty: Duty::Ready },
        12 => {
            let until = step.call.is_multiple_of(2).then(|| now + Duration::from_secs(step.call));
            let duty = Duty::Paused { reason: PauseReason::Asked, until };
            Input::AgentDuty { agent: AgentId(step.agent), duty }
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
            Output::Queued { .. } | Output::OfferEnded { .. } | Output::AgentChanged { .. } => {}
        }
    }
    let recent = offers.len().saturating_sub(8);
    offers.drain(..recent);
    lines.sort();
    lines
}

proptest! {
    #![proptest_config(Cases { cases: 400, failure_persistence: None, ..Cases::default() })]

    #[test]
    fn the_machine_chooses_as_one_that_sorts_plain_lists(moves in moves()) {
        let mut now = Timestamp::from_ms(1_000_000);
        let (mut acd, mut naive, mut offers) = (Acd::new(), Naive::new(now, &config()), Vec::new());
        acd.handle_input(now, Input::Configured(config()));
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

//! A crowded machine, for timing single decisions from outside.

use super::START;
use super::dice::Dice;
use crate::{Acd, Agent, Config, Input, Output, Pool, Stage};
use domain::{AgentId, CallId, OfferEnd, PoolId, Timestamp};
use std::collections::VecDeque;
use std::time::Duration;

/// Counties of a large region.
const POOLS: u64 = 50;

/// A machine in which `agents` agents talk and `calls` more calls wait, and inputs to time, in order: talks
/// and wrap-ups end, phones are answered, refused and let go, callers arrive and give up. The crowd stays as
/// large as it was.
#[must_use]
pub fn crowd(agents: u32, calls: u64, inputs: usize) -> (Acd, Vec<(Timestamp, Input)>) {
    let mut dice = Dice::new(12348);
    let pools: Vec<PoolId> = (0..POOLS).map(|n| PoolId::new(&format!("pool-{n}"))).collect();
    let pool = Pool {
        ring_timeout: Duration::from_secs(20),
        wrap_up: Duration::from_secs(30),
        clear_timeout: Duration::from_secs(2),
        miss_limit: 3,
        miss_pause: Some(Duration::from_secs(60)),
        max_waiting: usize::MAX,
    };
    let any = |dice: &mut Dice| pools[dice.below(POOLS) as usize].clone();
    let config = Config {
        pools: pools.iter().map(|id| (id.clone(), pool.clone())).collect(),
        agents: (1..=agents)
            .map(|id| (AgentId(id), Agent { pools: (0..3).map(|_| any(&mut dice)).collect() }))
            .collect(),
    };
    let mut crowd = Crowd::new();
    crowd.say(Input::Configured(config));
    for agent in 1..=agents {
        crowd.say(Input::AgentReachable { agent: AgentId(agent), reachable: true });
    }
    for _ in 0..u64::from(agents) + calls {
        crowd.arrive([any(&mut dice), any(&mut dice)]);
        while let Some(input) = crowd.due.pop_front() {
            crowd.say(input);
        }
    }
    let start = crowd.acd.clone();
    crowd.said.clear();
    while crowd.said.len() < inputs {
        if let Some(input) = crowd.due.pop_front() {
            let refused = dice.permille(100);
            crowd.say(if refused { refusal(input) } else { input });
        } else if dice.permille(100) {
            crowd.say(Input::CallLeft { call: CallId(crowd.calls - dice.below(calls)) });
            crowd.arrive([any(&mut dice), any(&mut dice)]);
        } else if let Some(input) = crowd.talks.pop_front() {
            crowd.say(input);
            crowd.arrive([any(&mut dice), any(&mut dice)]);
        }
    }
    (start, crowd.said)
}

fn refusal(input: Input) -> Input {
    match input {
        Input::AgentAnswered { agent, call } => Input::OfferFailed { agent, call, end: OfferEnd::Rejected },
        input => input,
    }
}

struct Crowd {
    acd: Acd,
    now: Timestamp,
    calls: u64,
    said: Vec<(Timestamp, Input)>,
    /// What phones and people will do about the outputs.
    due: VecDeque<Input>,
    talks: VecDeque<Input>,
}

impl Crowd {
    fn new() -> Self {
        let (due, talks) = (VecDeque::new(), VecDeque::new());
        Self { acd: Acd::new(), now: START, calls: 0, said: Vec::new(), due, talks }
    }

    fn arrive(&mut self, pools: [PoolId; 2]) {
        self.calls += 1;
        let stages = pools.map(|pool| Stage { pool, patience: Duration::from_secs(86_400) });
        let call = CallId(self.calls);
        self.say(Input::CallArrived { call, arrived: self.now, stages: stages.into() });
    }

    fn say(&mut self, input: Input) {
        self.now = self.now + Duration::from_millis(1);
        if let Input::TalkEnded { agent, .. } = input {
            self.due.push_back(Input::WrapUpDone { agent });
        }
        self.acd.handle_input(self.now, input.clone());
        self.said.push((self.now, input));
        while let Some(output) = self.acd.poll_output() {
            match output {
                Output::Ring { agent, call, .. } => self.due.push_back(Input::AgentAnswered { agent, call }),
                Output::StopRinging { agent, call, .. } => {
                    self.due.push_back(Input::OfferCleared { agent, call });
                }
                Output::Connect { agent, call, .. } => self.talks.push_back(Input::TalkEnded { agent, call }),
                Output::Queued { .. }
                | Output::Release { .. }
                | Output::Overflowed { .. }
                | Output::Exhausted { .. }
                | Output::OfferEnded { .. }
                | Output::AgentChanged { .. } => {}
            }
        }
    }
}

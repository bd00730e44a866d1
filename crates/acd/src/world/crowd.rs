//! A crowded machine, for timing single decisions from outside.

use super::START;
use super::dice::Dice;
use crate::{
    Acd, Announce, Change, Config, Input, Matching, Membership, Need, Output, Pool, Refuse, Request, Skills,
    Step, WrapUp,
};
use domain::{AgentId, CallId, OfferEnd, PoolId, SkillId, Timestamp};
use std::collections::VecDeque;
use std::time::Duration;

/// Counties of a large region, and what some calls need.
const POOLS: u64 = 50;
const SKILLS: u64 = 4;
/// Of a thousand calls, so many need a skill: at first at the first level, then at the next, and so on.
const SKILLED_PERMILLE: u64 = 300;
const LEVELS: [u8; 3] = [8, 5, 3];
const RELAX_AFTER: Duration = Duration::from_secs(20);
const SECOND_POOL_AFTER: Duration = Duration::from_secs(30);

/// Some hear the first announcement before they are gone.
const ANNOUNCE: Announce = Announce { first: Duration::from_secs(15), every: Duration::from_secs(30) };

/// Of so many agents one input comes each millisecond, of others as many more or fewer: all crowds are equally busy,
/// and see as many timers for each input.
const AGENTS_PER_INPUT_MS: u64 = 10_000;

/// What happens to the machine at an instant.
#[derive(Clone, Debug)]
pub enum Happening {
    Input(Input),
    /// So many timers are due.
    Timers(usize),
}

/// A machine in which `agents` agents talk and `calls` more calls wait, and what is to be timed, in order: talks
/// and wrap-ups end, phones are answered, refused and let go, callers arrive and give up, needs are relaxed and
/// pools added. The crowd stays as large as it was.
#[must_use]
pub fn crowd(agents: u32, calls: u64, happenings: usize) -> (Acd, Vec<(Timestamp, Happening)>) {
    let mut crowd = Crowd::new(agents);
    crowd.come_in(agents, calls);
    let start = crowd.acd.clone();
    crowd.happened.clear();
    while crowd.happened.len() < happenings {
        if let Some(input) = crowd.due.pop_front() {
            let is_refused = crowd.dice.permille(100);
            crowd.say(if is_refused { refusal(input) } else { input });
        } else if crowd.dice.permille(100) {
            let call = CallId(crowd.calls - crowd.dice.below(calls));
            crowd.say(Input::CallLeft { call });
            crowd.arrive();
        } else if let Some(input) = crowd.talks.pop_front() {
            crowd.say(input);
            crowd.arrive();
        } else {
            crowd.arrive();
        }
    }
    (start, crowd.happened)
}

fn refusal(input: Input) -> Input {
    match input {
        Input::AgentAnswered { agent, call } => Input::OfferFailed { agent, call, end: OfferEnd::Rejected },
        input => input,
    }
}

fn skill(n: u64) -> SkillId {
    SkillId::new(&format!("skill-{n}"))
}

struct Crowd {
    dice: Dice,
    pools: Vec<PoolId>,
    acd: Acd,
    agents: u64,
    inputs: u64,
    now: Timestamp,
    calls: u64,
    happened: Vec<(Timestamp, Happening)>,
    /// What phones and people will do about the outputs.
    due: VecDeque<Input>,
    talks: VecDeque<Input>,
}

impl Crowd {
    fn new(agents: u32) -> Self {
        Self {
            dice: Dice::new(12348),
            pools: (0..POOLS).map(|n| PoolId::new(&format!("pool-{n}"))).collect(),
            acd: Acd::new(),
            agents: agents.into(),
            inputs: 0,
            now: START,
            calls: 0,
            happened: Vec::new(),
            due: VecDeque::new(),
            talks: VecDeque::new(),
        }
    }

    /// Until everybody talks and so many wait.
    fn come_in(&mut self, agents: u32, calls: u64) {
        let pool = Pool {
            matching: Matching::LongestIdle,
            ring_timeout: Duration::from_secs(20),
            wrap_up: WrapUp::Fixed(Duration::from_secs(30)),
            clear_timeout: Duration::from_secs(2),
            miss_limit: 3,
            miss_pause: Some(Duration::from_secs(60)),
            handling: Duration::from_secs(435),
            max_waiting: usize::MAX,
            refuse: Refuse::default(),
        };
        let config = Config {
            pools: self.pools.iter().map(|id| (id.clone(), pool.clone())).collect(),
            agents: (1..=agents).map(|id| (AgentId(id), self.agent())).collect(),
        };
        self.say(Input::Configured(config));
        for agent in 1..=agents {
            self.say(Input::AgentReachable { agent: AgentId(agent), reachable: true });
        }
        for _ in 0..u64::from(agents) + calls {
            self.arrive();
            while let Some(input) = self.due.pop_front() {
                self.say(input);
            }
        }
    }

    fn agent(&mut self) -> crate::Agent {
        let pools = (0..3).map(|_| (self.any_pool(), Membership::default())).collect();
        let skills: Skills = (0..SKILLS).map(|n| (skill(n), self.dice.below(11) as u8)).collect();
        crate::Agent { pools, skills }
    }

    fn any_pool(&mut self) -> PoolId {
        self.pools[self.dice.below(POOLS) as usize].clone()
    }

    fn arrive(&mut self) {
        let mut steps = vec![
            Step { after: Duration::ZERO, change: Change::AddPool(self.any_pool()) },
            Step { after: SECOND_POOL_AFTER, change: Change::AddPool(self.any_pool()) },
        ];
        let mut need = Need::default();
        if self.dice.permille(SKILLED_PERMILLE) {
            let skill = skill(self.dice.below(SKILLS));
            let at_level =
                |level| Need { required: Skills::from([(skill.clone(), level)]), ..Need::default() };
            let relaxed = (1..).zip(LEVELS.into_iter().skip(1));
            steps.extend(
                relaxed.map(|(n, level)| Step {
                    after: RELAX_AFTER * n,
                    change: Change::Relax(at_level(level)),
                }),
            );
            steps.sort_by_key(|step| step.after);
            need = at_level(LEVELS[0]);
        }
        self.calls += 1;
        let request = Request { need, steps, announce: Some(ANNOUNCE), ..Request::default() };
        self.say(Input::CallArrived { call: CallId(self.calls), arrived: self.now, request });
    }

    fn say(&mut self, input: Input) {
        self.inputs += 1;
        self.now = START + Duration::from_millis(self.inputs * AGENTS_PER_INPUT_MS / self.agents);
        while let Some(at) = self.acd.poll_timeout().filter(|at| *at <= self.now) {
            let due = self.acd.timers.iter().take_while(|&&(other, _)| other == at).count();
            self.acd.handle_timeout(at);
            self.happened.push((at, Happening::Timers(due)));
            self.hear();
        }
        if let Input::TalkEnded { agent, .. } = input {
            self.due.push_back(Input::WrapUpDone { agent });
        }
        self.acd.handle_input(self.now, input.clone());
        self.happened.push((self.now, Happening::Input(input)));
        self.hear();
    }

    fn hear(&mut self) {
        while let Some(output) = self.acd.poll_output() {
            match output {
                Output::Ring { agent, call, .. } => self.due.push_back(Input::AgentAnswered { agent, call }),
                Output::StopRinging { agent, call, .. } => {
                    self.due.push_back(Input::OfferCleared { agent, call });
                }
                Output::Connect { agent, call, .. } => self.talks.push_back(Input::TalkEnded { agent, call }),
                Output::Queued { .. }
                | Output::Announce { .. }
                | Output::Release { .. }
                | Output::Overflowed { .. }
                | Output::Exhausted { .. }
                | Output::OfferEnded { .. }
                | Output::AgentChanged { .. }
                | Output::ClockSetBack { .. } => {}
            }
        }
    }
}

//! What whoever waits may count on, in the callers' words: random histories of a city with two counties. That the
//! machine is right about everything else at the same time is `reference.rs`.

use acd::{
    Acd, Agent, Announce, Change, Config, Input, Matching, Membership, Need, Output, Pool, Refuse, Request,
    Step, WrapUp,
};
use domain::{AgentId, CallId, Duty, LongerWait, OfferEnd, PauseReason, PoolId, SkillId, Timestamp};
use proptest::prelude::*;
use proptest::test_runner::Config as Cases;
use std::collections::BTreeMap;
use std::time::Duration;

const AGENTS: u32 = 5;
const LUCHENG: &str = "lucheng";
const CITY: &str = "city";
const LABOUR: &str = "labour";
/// Longer than any history here.
const FOR_EVER: Duration = Duration::from_secs(86_400);

/// Three kinds of callers; those of one kind are equals.
fn request(kind: u8) -> Request {
    let add = |s, pool: &str| Step { after: Duration::from_secs(s), change: Change::AddPool(pool.into()) };
    let knows = |level| Need { required: [(SkillId::new(LABOUR), level)].into(), ..Need::default() };
    let relax = |s, level| Step { after: Duration::from_secs(s), change: Change::Relax(knows(level)) };
    let (need, steps) = match kind {
        0 => (Need::default(), vec![add(0, LUCHENG), add(30, CITY)]),
        1 => (knows(8), vec![add(0, LUCHENG), relax(20, 3), add(30, CITY), relax(40, 1)]),
        _ => (Need::default(), vec![add(0, CITY)]),
    };
    let announce = Some(Announce { first: Duration::from_secs(5), every: Duration::from_secs(10) });
    Request { need, steps, announce, ..Request::default() }
}

fn config(matching: Matching) -> Config {
    let pool = Pool {
        matching,
        ring_timeout: Duration::from_secs(8),
        wrap_up: WrapUp::Fixed(Duration::from_secs(4)),
        clear_timeout: Duration::from_secs(2),
        miss_limit: u32::MAX,
        miss_pause: None,
        handling: Duration::from_secs(60),
        max_waiting: usize::MAX,
        refuse: Refuse::default(),
    };
    // The first two know the county, the third both, the others the city.
    let pools = |n| match n {
        1 | 2 => vec![LUCHENG],
        3 => vec![LUCHENG, CITY],
        _ => vec![CITY],
    };
    let agent = |n: u32| Agent {
        pools: pools(n).into_iter().map(|pool| (PoolId::new(pool), Membership::default())).collect(),
        skills: [(SkillId::new(LABOUR), (n * 3) as u8)].into(),
    };
    Config {
        pools: [LUCHENG, CITY].map(|id| (PoolId::new(id), pool.clone())).into(),
        agents: (1..=AGENTS).map(|n| (AgentId(n), agent(n))).collect(),
    }
}

fn matchings() -> impl Strategy<Value = Matching> {
    prop::sample::select(vec![
        Matching::LongestIdle,
        Matching::FewestCalls,
        Matching::BestSkill,
        Matching::InOrder,
        Matching::AllAtOnce,
        Matching::RoundRobin,
    ])
}

/// What happens next, and after how long.
#[derive(Clone, Debug)]
enum Move {
    Arrive(u8),
    /// One of those who are inside, or rung for.
    Leave(prop::sample::Index),
    Answer(prop::sample::Index),
    Refuse(prop::sample::Index),
    EndTalk(u32),
    Pause(u32),
    Return(u32),
    Vanish(u32),
}

fn moves() -> impl Strategy<Value = Vec<(u64, Move)>> {
    let agent = || 1..=AGENTS;
    let any = any::<prop::sample::Index>;
    let one = prop_oneof![
        8 => (0..3_u8).prop_map(Move::Arrive),
        1 => any().prop_map(Move::Leave),
        6 => any().prop_map(Move::Answer),
        2 => any().prop_map(Move::Refuse),
        6 => agent().prop_map(Move::EndTalk),
        1 => agent().prop_map(Move::Pause),
        3 => agent().prop_map(Move::Return),
        1 => agent().prop_map(Move::Vanish),
    ];
    let after_ms = prop_oneof![3 => Just(0_u64), 4 => 1..4_000_u64, 1 => 4_000..20_000_u64];
    prop::collection::vec((after_ms, one), 1..160)
}

/// The hotline, and what can be seen of it from outside.
#[derive(Clone)]
struct Hotline {
    acd: Acd,
    now: Timestamp,
    calls: u64,
    /// The kind of every call that waits or is offered; ids count up with arrival.
    inside: BTreeMap<CallId, u8>,
    offers: BTreeMap<AgentId, CallId>,
    talks: BTreeMap<AgentId, CallId>,
    /// Who waited while a phone rang for an equal who came later.
    overtaken: Vec<(CallId, CallId)>,
    /// How often each call has ended: by leaving, by being connected, by being given back.
    ends: BTreeMap<CallId, u32>,
    heard: Vec<Output>,
}

impl Hotline {
    fn new(matching: Matching) -> Self {
        let mut hotline = Self {
            acd: Acd::new(),
            now: Timestamp::from_ms(1_000_000),
            calls: 0,
            inside: BTreeMap::new(),
            offers: BTreeMap::new(),
            talks: BTreeMap::new(),
            overtaken: Vec::new(),
            ends: BTreeMap::new(),
            heard: Vec::new(),
        };
        hotline.say(Input::Configured(config(matching)));
        for agent in 1..=AGENTS {
            hotline.say(Input::AgentReachable { agent: AgentId(agent), reachable: true });
        }
        hotline
    }

    /// Lets time pass and the next thing happen; what was heard of both.
    fn live(&mut self, after_ms: u64, next: &Move) -> Vec<Output> {
        let then = self.now + Duration::from_millis(after_ms);
        while let Some(due) = self.acd.poll_timeout().filter(|due| *due <= then) {
            self.now = due;
            self.acd.handle_timeout(due);
            self.hear();
        }
        self.now = then;
        for input in self.inputs(next) {
            self.say(input);
        }
        std::mem::take(&mut self.heard)
    }

    fn inputs(&mut self, next: &Move) -> Vec<Input> {
        let offer = |index: &prop::sample::Index| {
            let offers: Vec<_> = self.offers.iter().map(|(&agent, &call)| (agent, call)).collect();
            (!offers.is_empty()).then(|| *index.get(&offers))
        };
        let input = match next {
            Move::Arrive(kind) => {
                self.calls += 1;
                let call = CallId(self.calls);
                self.inside.insert(call, *kind);
                Some(Input::CallArrived { call, arrived: self.now, request: request(*kind) })
            }
            Move::Leave(index) => {
                let calls: Vec<_> = self.inside.keys().copied().collect();
                let call = (!calls.is_empty()).then(|| *index.get(&calls));
                call.map(|call| Input::CallLeft { call })
            }
            Move::Answer(index) => offer(index).map(|(agent, call)| Input::AgentAnswered { agent, call }),
            Move::Refuse(index) => {
                offer(index).map(|(agent, call)| Input::OfferFailed { agent, call, end: OfferEnd::Rejected })
            }
            Move::EndTalk(agent) => {
                let agent = AgentId(*agent);
                self.talks.get(&agent).map(|&call| Input::TalkEnded { agent, call })
            }
            Move::Pause(agent) => {
                let duty = Duty::Paused { reason: PauseReason::Meeting, until: None };
                Some(Input::AgentDuty { agent: AgentId(*agent), duty })
            }
            Move::Return(agent) => {
                let agent = AgentId(*agent);
                return vec![
                    Input::AgentDuty { agent, duty: Duty::Ready },
                    Input::AgentReachable { agent, reachable: true },
                ];
            }
            Move::Vanish(agent) => Some(Input::AgentReachable { agent: AgentId(*agent), reachable: false }),
        };
        input.into_iter().collect()
    }

    fn say(&mut self, input: Input) {
        if let Input::CallLeft { call } = input {
            self.end(call);
        }
        if let Input::TalkEnded { agent, .. } = input {
            self.talks.remove(&agent);
        }
        self.acd.handle_input(self.now, input);
        self.hear();
    }

    fn hear(&mut self) {
        while let Some(output) = self.acd.poll_output() {
            match output {
                Output::Ring { agent, call, .. } => {
                    self.overtaken.extend(self.who_should_come_before(call).map(|earlier| (earlier, call)));
                    self.offers.insert(agent, call);
                }
                Output::OfferEnded { agent, .. } => _ = self.offers.remove(&agent),
                Output::Connect { agent, call, .. } => {
                    self.end(call);
                    self.talks.insert(agent, call);
                }
                Output::Exhausted { call, .. } => self.end(call),
                // Nobody's phone fails to confirm that it is silent.
                Output::StopRinging { agent, call, .. } => {
                    self.heard.push(output);
                    self.say(Input::OfferCleared { agent, call });
                    continue;
                }
                _ => {}
            }
            self.heard.push(output);
        }
    }

    fn end(&mut self, call: CallId) {
        self.inside.remove(&call);
        *self.ends.entry(call).or_default() += 1;
    }

    /// An equal of `call` who came earlier and for whom no phone rings.
    fn who_should_come_before(&self, call: CallId) -> Option<CallId> {
        let kind = self.inside.get(&call)?;
        let mut earlier = self.inside.range(..call).filter(|&(_, other)| other == kind).map(|(&id, _)| id);
        earlier.find(|id| self.offers.values().all(|offered| offered != id))
    }
}

/// What has happened to the waiting since a caller was told how long it will take.
#[derive(Clone, Copy, Default)]
struct Since {
    told: Duration,
    fewer_agents: bool,
    /// Somebody earlier was put back into a line, or joined one.
    overtaken: bool,
}

fn is_about(output: &Output, call: CallId) -> bool {
    matches!(output, Output::Announce { call: told, .. } if *told == call)
}

proptest! {
    #![proptest_config(Cases { cases: 600, failure_persistence: None, ..Cases::default() })]

    #[test]
    fn nobody_is_overtaken_by_an_equal_who_came_later(matching in matchings(), moves in moves()) {
        let mut hotline = Hotline::new(matching);
        for (after_ms, next) in &moves {
            hotline.live(*after_ms, next);
            prop_assert_eq!(&hotline.overtaken, &[], "after {:?}", next);
        }
    }

    #[test]
    fn a_wait_gets_longer_only_for_a_reason_that_was_there(matching in matchings(), moves in moves()) {
        let mut hotline = Hotline::new(matching);
        let mut since: BTreeMap<CallId, Since> = BTreeMap::new();
        for (after_ms, next) in &moves {
            let mut heard = hotline.live(*after_ms, next);
            let is_loss = matches!(next, Move::Pause(_) | Move::Vanish(_));
            heard.retain(|output| {
                !matches!(output, Output::OfferEnded { end: OfferEnd::Answered, .. })
            });
            for output in heard {
                match output {
                    Output::OfferEnded { .. } | Output::Overflowed { .. } => {
                        since.values_mut().for_each(|since| since.overtaken = true);
                    }
                    Output::Announce { call, wait, longer, .. } => {
                        let before = since.insert(call, Since { told: wait, ..Since::default() });
                        let Some(before) = before else {
                            prop_assert_eq!(longer, None, "the first time");
                            continue;
                        };
                        prop_assert_eq!(wait > before.told, longer.is_some());
                        match longer {
                            Some(LongerWait::FewerAgents) => prop_assert!(before.fewer_agents),
                            Some(LongerWait::Overtaken) => prop_assert!(before.overtaken),
                            None => {}
                        }
                    }
                    _ => {}
                }
            }
            // Nobody is told anything but by time, which comes before the move.
            if is_loss {
                since.values_mut().for_each(|since| since.fewer_agents = true);
            }
        }
    }

    /// As long as nobody goes off duty: then who is on the line is sent on, and who hung up has time.
    #[test]
    fn who_asks_to_be_called_back_is_served_as_if_still_on_the_line(
        matching in matchings(),
        before in moves(),
        after in moves(),
        who in any::<prop::sample::Index>(),
    ) {
        let mut stays = Hotline::new(matching);
        for (after_ms, next) in &before {
            stays.live(*after_ms, next);
        }
        let waiting: Vec<CallId> = stays.inside.keys().copied().collect();
        if !waiting.is_empty() {
            let call = *who.get(&waiting);
            let mut hangs_up = stays.clone();
            hangs_up.say(Input::CallbackAsked { call, until: stays.now + FOR_EVER });
            prop_assert_eq!(hangs_up.heard.drain(..).next(), None, "its place is kept");
            let is_loss = |next: &Move| matches!(next, Move::Pause(_) | Move::Vanish(_));
            for (after_ms, next) in after.iter().filter(|(_, next)| !is_loss(next)) {
                let [mut one, mut other] = [&mut stays, &mut hangs_up].map(|hotline| hotline.live(*after_ms, next));
                one.retain(|output| !is_about(output, call));
                other.retain(|output| !is_about(output, call));
                prop_assert_eq!(one, other, "after {:?}", next);
            }
        }
    }

    #[test]
    fn every_call_ends_once_and_nothing_is_left_of_it(matching in matchings(), moves in moves()) {
        let mut hotline = Hotline::new(matching);
        for (after_ms, next) in &moves {
            hotline.live(*after_ms, next);
        }
        for call in hotline.inside.clone().into_keys() {
            hotline.say(Input::CallLeft { call });
        }
        prop_assert_eq!(hotline.ends.keys().copied().collect::<Vec<_>>(), (1..=hotline.calls).map(CallId).collect::<Vec<_>>());
        prop_assert_eq!(hotline.ends.values().find(|&&ends| ends != 1), None);
        prop_assert!(hotline.offers.is_empty(), "{:?}", hotline.offers);
    }
}

//! A seeded world around the machine: callers who come and give up, phones that answer, refuse, vanish and
//! lose messages, under virtual time. The tests check it after every step, the benchmark times it.
//!
//! The same seed and configuration give the same run. The generator belongs to the world; the machine has
//! none.

mod crowd;
mod dice;
mod phones;

pub use crowd::{Happening, crowd};

use crate::{
    Acd, Agent, Announce, Change, Config, Input, Matching, Membership, Need, Output, Pool, Priority, Refuse,
    Request, Skills, Step, WrapUp,
};
use dice::Dice;
use domain::{AgentId, CallId, Duty, LongerWait, OfferEnd, PauseReason, PoolId, SkillId, Timestamp};
use phones::{Fate, Phones};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::time::Duration;

/// How big the world is and how much goes wrong in it.
#[derive(Clone, Debug)]
pub struct WorldConfig {
    pub pools: usize,
    pub agents: u32,
    /// Each agent is in one to this many pools.
    pub pools_per_agent_max: usize,
    /// Means of exponential spans.
    pub arrival_gap_ms: u64,
    pub talk_ms: u64,
    /// When callers hang up by themselves.
    pub caller_patience_ms: u64,
    /// Each step of a wait comes within this after the one before.
    pub step_after_ms: u64,
    /// Skills in the world; each agent and each need has some of them.
    pub skills: u64,
    /// Of a thousand calls, so many: need a skill, have a head start, are urgent, are kept for an agent, are
    /// moved by a supervisor.
    pub skilled_permille: u64,
    pub ahead_permille: u64,
    pub urgent_permille: u64,
    pub acquainted_permille: u64,
    pub moved_permille: u64,
    /// Of a thousand calls, so many are told their place; of a thousand callers who have no more patience, so many
    /// ask to be called back within this.
    pub announced_permille: u64,
    pub callback_permille: u64,
    pub callback_within_ms: u64,
    /// Of a thousand offers, so many are: refused, impossible to deliver, not answered, ended by a phone
    /// that vanishes while it rings.
    pub rejected_permille: u64,
    pub unreachable_permille: u64,
    pub unanswered_permille: u64,
    pub vanishing_permille: u64,
    /// Of a thousand withdrawn offers, so many are answered at the same moment, or never confirmed.
    pub crossing_permille: u64,
    pub lost_clear_permille: u64,
    /// Of a thousand talks, so many end without a word and are found by a timer half an hour later.
    pub lost_end_permille: u64,
    /// Of a thousand talks, so many are followed by a pause; of the wrap-ups that nobody ends, so many are put off.
    pub pause_permille: u64,
    pub extended_permille: u64,
    /// After so many calls each: a pool or an agent leaves or returns; the clock is set. Zero: never.
    pub configured_every: u64,
    pub clock_set_every: u64,
}

/// A city at its limit on a bad day.
impl Default for WorldConfig {
    fn default() -> Self {
        Self {
            pools: 13,
            agents: 60,
            pools_per_agent_max: 3,
            arrival_gap_ms: 4_000,
            talk_ms: 180_000,
            caller_patience_ms: 240_000,
            step_after_ms: 60_000,
            skills: 4,
            skilled_permille: 250,
            ahead_permille: 100,
            urgent_permille: 10,
            acquainted_permille: 100,
            moved_permille: 5,
            announced_permille: 300,
            callback_permille: 200,
            callback_within_ms: 3_600_000,
            rejected_permille: 30,
            unreachable_permille: 10,
            unanswered_permille: 60,
            vanishing_permille: 10,
            crossing_permille: 100,
            lost_clear_permille: 20,
            lost_end_permille: 5,
            pause_permille: 20,
            extended_permille: 200,
            configured_every: 97,
            clock_set_every: 991,
        }
    }
}

impl WorldConfig {
    /// Every county of the country on its busiest day: so many pools, lawyers, and calls from morning to morning.
    #[must_use]
    pub fn country(calls: u64) -> Self {
        const DAY_MS: u64 = 24 * 3_600_000;
        Self {
            pools: 2_844,
            agents: 30_000,
            arrival_gap_ms: DAY_MS / calls.max(1),
            talk_ms: 435_000,
            // A new configuration looks at everybody.
            configured_every: 10_007,
            clock_set_every: 50_021,
            ..Self::default()
        }
    }
}

/// What became of the calls. Every call is in exactly one of the first three.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    pub answered: u64,
    /// The caller hung up before anybody answered.
    pub abandoned: u64,
    /// No pool was left.
    pub exhausted: u64,
    /// Of all these, who asked to be called back.
    pub callbacks: u64,
    /// Told to those who waited.
    pub announced: u64,
    pub offers: u64,
    pub missed: u64,
    pub withdrawn: u64,
    /// Answers that came too late.
    pub released: u64,
    pub overflowed: u64,
    /// Reports of an agent who is paused because the form of a call is not saved.
    pub forms_late: u64,
    /// The longest wait of an answered call.
    pub wait_max: Duration,
    /// Inputs and time-outs given to the machine.
    pub steps: u64,
}

/// How often [`Acd::check_invariants`] is asked, which takes time in proportion to agents and calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Checked {
    Never,
    /// After every so many steps, and at the end.
    Every(u64),
}

/// Runs `calls` calls to their ends.
///
/// # Errors
/// A broken promise of the machine, with the seed and the virtual time.
pub fn run(seed: u64, calls: u64, config: WorldConfig, check: Checked) -> Result<Summary, String> {
    let mut world = World::new(seed, calls, config);
    let played = world.play(check);
    played.map_err(|what| format!("seed {seed}, at {} ms: {what}", world.now.as_ms()))?;
    Ok(world.summary)
}

/// When every world begins.
const START: Timestamp = Timestamp::from_ms(1_790_000_000_000);

/// How long a talk goes on whose end was lost.
const LOST_END_MS: u64 = 1_800_000;

/// How much longer a wrap-up is asked to be.
const EXTENSION: Duration = Duration::from_secs(30);

/// Why people of the world pause.
const PAUSES: [PauseReason; 3] = [PauseReason::ShortBreak, PauseReason::Meeting, PauseReason::Other];

/// What the world has in store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    Arrival,
    GivesUp(CallId),
    /// What the phone does about its offer of that number.
    Phone(AgentId, u64, Fate),
    CrossingAnswer(AgentId, CallId),
    Cleared(AgentId, CallId),
    TalkEnds(AgentId, CallId),
    WrittenDown(AgentId),
    NeedsLonger(AgentId),
    Returns(AgentId),
    BackFromPause(AgentId),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Waiting,
    /// So many phones ring.
    Offered(usize),
    Talking(AgentId),
    Gone,
}

struct World {
    config: WorldConfig,
    fleet: Config,
    /// Taken out of the fleet for a while.
    absent_pool: Option<(PoolId, Pool)>,
    absent_agent: Option<(AgentId, Agent)>,
    pools: Vec<PoolId>,
    acd: Acd,
    dice: Dice,
    now: Timestamp,
    /// What the machine's clock shows beyond `now`.
    clock_ahead_ms: i64,
    events: BinaryHeap<Reverse<(Timestamp, u64, Event)>>,
    /// Numbers events, so that those of one instant keep their order.
    scheduled: u64,
    phones: Phones,
    /// By call id, with the time of arrival.
    calls: Vec<(Place, Timestamp)>,
    arrivals_left: u64,
    /// What callers were told last.
    told: BTreeMap<CallId, Told>,
    summary: Summary,
}

#[derive(Clone, Copy, Debug)]
struct Told {
    wait: Duration,
    longer: Option<LongerWait>,
}

impl World {
    fn new(seed: u64, calls: u64, config: WorldConfig) -> Self {
        let mut dice = Dice::new(seed);
        let pools: Vec<PoolId> = (0..config.pools).map(|n| PoolId::new(&format!("pool-{n}"))).collect();
        let fleet = fleet(&mut dice, &config, &pools);
        let mut world = Self {
            phones: Phones::new(config.agents),
            config,
            fleet,
            absent_pool: None,
            absent_agent: None,
            pools,
            acd: Acd::new(),
            dice,
            now: START,
            clock_ahead_ms: 0,
            events: BinaryHeap::new(),
            scheduled: 0,
            calls: Vec::new(),
            arrivals_left: calls,
            told: BTreeMap::new(),
            summary: Summary::default(),
        };
        world.say(Input::Configured(world.fleet.clone()));
        for agent in 1..=world.config.agents {
            world.say(Input::AgentReachable { agent: AgentId(agent), reachable: true });
        }
        if calls > 0 {
            world.schedule(0, Event::Arrival);
        }
        world
    }

    /// Until nothing is left to happen.
    fn play(&mut self, check: Checked) -> Result<(), String> {
        loop {
            self.obey()?;
            if let Checked::Every(steps) = check
                && self.summary.steps.is_multiple_of(steps)
            {
                self.acd.check_invariants()?;
            }
            let event_at = self.events.peek().map(|Reverse((at, ..))| *at);
            let timer_at = self.acd.poll_timeout().map(|at| shifted(at, -self.clock_ahead_ms));
            match (event_at, timer_at) {
                (None, None) => break,
                (event_at, Some(at)) if event_at.is_none_or(|event_at| at <= event_at) => {
                    self.now = self.now.max(at);
                    self.summary.steps += 1;
                    let clock = shifted(self.now, self.clock_ahead_ms);
                    self.acd.handle_timeout(clock);
                }
                _ => {
                    let Some(Reverse((at, _, event))) = self.events.pop() else { break };
                    self.now = at;
                    self.happen(event);
                }
            }
        }
        if check != Checked::Never {
            self.acd.check_invariants()?;
        }
        match self.calls.iter().position(|(place, _)| *place != Place::Gone) {
            Some(call) => Err(format!("call {} never ended", call + 1)),
            None => Ok(()),
        }
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Arrival => self.arrival(),
            Event::GivesUp(call) => {
                if matches!(self.place(call), Place::Waiting | Place::Offered(_)) {
                    self.gives_up(call);
                }
            }
            Event::Phone(agent, offer, fate) => self.phone_acts(agent, offer, fate),
            Event::CrossingAnswer(agent, call) => self.say(Input::AgentAnswered { agent, call }),
            Event::Cleared(agent, call) => self.say(Input::OfferCleared { agent, call }),
            Event::TalkEnds(agent, call) => {
                *self.place_mut(call) = Place::Gone;
                self.phones.hang_up(agent);
                if self.dice.permille(500) {
                    self.say(Input::TalkEnded { agent, call });
                } else {
                    self.say(Input::CallLeft { call });
                }
                self.after_talk(agent);
            }
            Event::WrittenDown(agent) => self.say(Input::WrapUpDone { agent }),
            Event::NeedsLonger(agent) => self.say(Input::WrapUpExtended { agent, by: EXTENSION }),
            Event::Returns(agent) => self.say(Input::AgentReachable { agent, reachable: true }),
            Event::BackFromPause(agent) => self.say(Input::AgentDuty { agent, duty: Duty::Ready }),
        }
    }

    /// Some hang up, some want to be called back.
    fn gives_up(&mut self, call: CallId) {
        if self.dice.permille(self.config.callback_permille) {
            self.summary.callbacks += 1;
            let within = Duration::from_millis(self.dice.below(self.config.callback_within_ms));
            let until = shifted(self.now, self.clock_ahead_ms) + within;
            self.say(Input::CallbackAsked { call, until });
        } else {
            self.summary.abandoned += 1;
            self.told.remove(&call);
            *self.place_mut(call) = Place::Gone;
            self.say(Input::CallLeft { call });
        }
    }

    fn arrival(&mut self) {
        self.calls.push((Place::Waiting, self.now));
        let call = CallId(self.calls.len() as u64);
        let request = self.request();
        let patience_ms = self.dice.exponential(self.config.caller_patience_ms);
        self.schedule(patience_ms, Event::GivesUp(call));
        let arrived = shifted(self.now, self.clock_ahead_ms);
        self.say(Input::CallArrived { call, arrived, request });
        if self.dice.permille(self.config.moved_permille) {
            let moved = CallId(1 + self.dice.below(call.0));
            let priority = self.priority();
            self.say(Input::CallPrioritised { call: moved, priority });
        }
        if call.0.is_multiple_of(self.config.clock_set_every) {
            self.clock_ahead_ms = self.dice.below(7_200_000) as i64 - 3_600_000;
        }
        if call.0.is_multiple_of(self.config.configured_every) {
            self.change_fleet();
        }
        self.arrivals_left -= 1;
        if self.arrivals_left > 0 {
            let gap_ms = self.dice.exponential(self.config.arrival_gap_ms);
            self.schedule(gap_ms, Event::Arrival);
        }
    }

    /// Two pools or so, one after the other, and less and less of a skill; then the wait is over.
    fn request(&mut self) -> Request {
        let mut need = Need::default();
        if self.dice.permille(self.config.skilled_permille) {
            let skill = skill(self.dice.below(self.config.skills));
            need.required.insert(skill, 1 + self.dice.below(10) as u8);
            need.wished.insert(self::skill(self.dice.below(self.config.skills)), 5);
        }
        let mut after = Duration::ZERO;
        let mut steps = Vec::new();
        for _ in 0..1 + self.dice.below(3) {
            let pool = self.pools[self.dice.below(self.pools.len() as u64) as usize].clone();
            steps.push(Step { after, change: Change::AddPool(pool) });
            after += Duration::from_millis(self.dice.below(self.config.step_after_ms));
            if !need.required.is_empty() && self.dice.permille(500) {
                need.required.values_mut().for_each(|level| *level /= 2);
                steps.push(Step { after, change: Change::Relax(need.clone()) });
            }
        }
        steps.push(Step { after, change: Change::GiveUp });
        let need = match steps.iter().any(|step| matches!(step.change, Change::Relax(_))) {
            true => Need { required: Skills::from([(skill(0), 9)]), ..need },
            false => need,
        };
        let acquainted = self.dice.permille(self.config.acquainted_permille).then(|| {
            let agent = AgentId(1 + self.dice.below(u64::from(self.config.agents)) as u32);
            (agent, Duration::from_millis(self.dice.below(20_000)))
        });
        let announce = self.dice.permille(self.config.announced_permille).then(|| Announce {
            first: Duration::from_millis(self.dice.below(30_000)),
            every: Duration::from_millis(1_000 + self.dice.below(30_000)),
        });
        Request { need, priority: self.priority(), acquainted, steps, announce }
    }

    fn priority(&mut self) -> Priority {
        let ahead = self.dice.permille(self.config.ahead_permille);
        let head_start = Duration::from_secs(if ahead { 60 } else { 0 });
        Priority { urgent: self.dice.permille(self.config.urgent_permille), head_start }
    }

    fn phone_acts(&mut self, agent: AgentId, offer: u64, fate: Fate) {
        let Some(call) = self.phones.acts(agent, offer, fate) else { return };
        match fate {
            Fate::Answers => self.say(Input::AgentAnswered { agent, call }),
            Fate::Rejects => self.say(Input::OfferFailed { agent, call, end: OfferEnd::Rejected }),
            Fate::IsUnreachable => self.say(Input::OfferFailed { agent, call, end: OfferEnd::Unreachable }),
            Fate::Vanishes => {
                let back_ms = self.dice.exponential(60_000);
                self.schedule(back_ms, Event::Returns(agent));
                self.say(Input::AgentReachable { agent, reachable: false });
            }
        }
    }

    fn after_talk(&mut self, agent: AgentId) {
        if self.dice.permille(self.config.pause_permille) {
            let until = self.dice.permille(500).then(|| {
                let pause = Duration::from_millis(self.dice.exponential(300_000));
                shifted(self.now, self.clock_ahead_ms) + pause
            });
            let back_ms = self.dice.exponential(600_000);
            self.schedule(back_ms, Event::BackFromPause(agent));
            let duty = match self.dice.below(4) {
                0 => Duty::LoggedOut,
                n => Duty::Paused { reason: PAUSES[n as usize - 1], until },
            };
            self.say(Input::AgentDuty { agent, duty });
        } else if self.dice.permille(500) {
            let written_ms = self.dice.exponential(10_000);
            self.schedule(written_ms, Event::WrittenDown(agent));
        } else if self.dice.permille(self.config.extended_permille) {
            let noticed_ms = self.dice.exponential(10_000);
            self.schedule(noticed_ms, Event::NeedsLonger(agent));
        }
    }

    /// A pool or an agent leaves, or the one that left returns.
    fn change_fleet(&mut self) {
        let mut returned = None;
        if let Some((id, pool)) = self.absent_pool.take() {
            self.fleet.pools.insert(id, pool);
        } else if let Some((id, agent)) = self.absent_agent.take() {
            self.fleet.agents.insert(id, agent);
            returned = Some(id);
        } else if self.dice.permille(500) {
            let id = &self.pools[self.dice.below(self.pools.len() as u64) as usize];
            self.absent_pool = self.fleet.pools.remove_entry(id);
        } else {
            let id = AgentId(1 + self.dice.below(u64::from(self.config.agents)) as u32);
            self.absent_agent = self.fleet.agents.remove_entry(&id);
        }
        self.say(Input::Configured(self.fleet.clone()));
        if let Some(agent) = returned {
            self.say(Input::AgentReachable { agent, reachable: true });
        }
    }

    /// Does what the machine asks for, and watches it.
    fn obey(&mut self) -> Result<(), String> {
        while let Some(output) = self.acd.poll_output() {
            match output {
                Output::Ring { agent, call, .. } => self.ring(agent, call)?,
                Output::StopRinging { agent, call, .. } => self.stop_ringing(agent, call)?,
                Output::Connect { agent, call, .. } => self.connect(agent, call)?,
                Output::Release { agent, call } => {
                    self.summary.released += 1;
                    self.schedule(50, Event::Cleared(agent, call));
                }
                Output::OfferEnded { agent, call, end } => self.offer_ended(agent, call, end)?,
                Output::Overflowed { .. } => self.summary.overflowed += 1,
                Output::Exhausted { call, .. } => {
                    self.expect_place(call, Place::Waiting)?;
                    *self.place_mut(call) = Place::Gone;
                    self.told.remove(&call);
                    self.summary.exhausted += 1;
                }
                // Another pool may be added while a phone rings.
                Output::Queued { call, .. } => match self.place(call) {
                    Place::Waiting | Place::Offered(_) => {}
                    place => return Err(format!("call {call} is {place:?} and queues")),
                },
                Output::Announce { call, wait, longer, .. } => {
                    self.expect_place(call, Place::Waiting)?;
                    self.announced(call, Told { wait, longer })?;
                }
                Output::AgentChanged { agent, duty, .. } => self.save_what_is_unsaved(agent, duty),
                Output::ClockSetBack { .. } => {}
            }
        }
        Ok(())
    }

    /// A wait gets longer only for a reason.
    fn announced(&mut self, call: CallId, told: Told) -> Result<(), String> {
        self.summary.announced += 1;
        let before = self.told.insert(call, told);
        match before {
            Some(before) if (told.wait > before.wait) != told.longer.is_some() => {
                Err(format!("call {call} was told {before:?} and now {told:?}"))
            }
            None if told.longer.is_some() => Err(format!("call {call} is first told {told:?}")),
            Some(_) | None => Ok(()),
        }
    }

    /// Late, but nobody is paused for ever.
    fn save_what_is_unsaved(&mut self, agent: AgentId, duty: Duty) {
        if let Duty::Paused { reason: PauseReason::FormUnsaved, .. } = duty {
            self.summary.forms_late += 1;
            let written_ms = self.dice.exponential(60_000);
            self.schedule(written_ms, Event::WrittenDown(agent));
        }
    }

    fn ring(&mut self, agent: AgentId, call: CallId) -> Result<(), String> {
        *self.place_mut(call) = match self.place(call) {
            Place::Waiting => Place::Offered(1),
            Place::Offered(phones) => Place::Offered(phones + 1),
            place => return Err(format!("call {call} is {place:?} and rings")),
        };
        self.summary.offers += 1;
        let offer = self.phones.ring(agent, call)?;
        let config = &self.config;
        let fates = [
            (config.rejected_permille, Some(Fate::Rejects)),
            (config.unreachable_permille, Some(Fate::IsUnreachable)),
            (config.unanswered_permille, None),
            (config.vanishing_permille, Some(Fate::Vanishes)),
            (1000, Some(Fate::Answers)),
        ];
        let mut roll = self.dice.below(1000);
        for (permille, fate) in fates {
            if roll < permille {
                if let Some(fate) = fate {
                    let after_ms = 200 + self.dice.exponential(4_000);
                    self.schedule(after_ms, Event::Phone(agent, offer, fate));
                }
                break;
            }
            roll -= permille;
        }
        Ok(())
    }

    fn stop_ringing(&mut self, agent: AgentId, call: CallId) -> Result<(), String> {
        self.phones.stop(agent, call)?;
        if self.dice.permille(self.config.crossing_permille) {
            self.schedule(20, Event::CrossingAnswer(agent, call));
        } else if !self.dice.permille(self.config.lost_clear_permille) {
            let after_ms = 10 + self.dice.exponential(100);
            self.schedule(after_ms, Event::Cleared(agent, call));
        }
        Ok(())
    }

    fn connect(&mut self, agent: AgentId, call: CallId) -> Result<(), String> {
        self.expect_place(call, Place::Waiting)?;
        self.phones.connect(agent, call)?;
        self.told.remove(&call);
        self.summary.answered += 1;
        let (place, arrived) = &mut self.calls[call.0 as usize - 1];
        *place = Place::Talking(agent);
        self.summary.wait_max = self.summary.wait_max.max(self.now - *arrived);
        let lost = self.dice.permille(self.config.lost_end_permille);
        let talk_ms = if lost { LOST_END_MS } else { self.dice.exponential(self.config.talk_ms) };
        self.schedule(talk_ms, Event::TalkEnds(agent, call));
        Ok(())
    }

    fn offer_ended(&mut self, agent: AgentId, call: CallId, end: OfferEnd) -> Result<(), String> {
        match end {
            OfferEnd::Answered => {}
            OfferEnd::Withdrawn => self.summary.withdrawn += 1,
            OfferEnd::NoAnswer | OfferEnd::Rejected | OfferEnd::Unreachable => self.summary.missed += 1,
        }
        *self.place_mut(call) = match self.place(call) {
            Place::Offered(1) => Place::Waiting,
            Place::Offered(phones) => Place::Offered(phones - 1),
            Place::Gone => Place::Gone,
            place => return Err(format!("an offer of call {call} to {agent} ends, which is {place:?}")),
        };
        Ok(())
    }

    fn say(&mut self, input: Input) {
        self.summary.steps += 1;
        self.acd.handle_input(shifted(self.now, self.clock_ahead_ms), input);
    }

    fn schedule(&mut self, after_ms: u64, event: Event) {
        self.scheduled += 1;
        let at = self.now + Duration::from_millis(after_ms);
        self.events.push(Reverse((at, self.scheduled, event)));
    }

    fn place(&self, call: CallId) -> Place {
        self.calls[call.0 as usize - 1].0
    }

    fn place_mut(&mut self, call: CallId) -> &mut Place {
        &mut self.calls[call.0 as usize - 1].0
    }

    fn expect_place(&self, call: CallId, expected: Place) -> Result<(), String> {
        let place = self.place(call);
        if place == expected { Ok(()) } else { Err(format!("call {call} is {place:?}, not {expected:?}")) }
    }
}

fn fleet(dice: &mut Dice, config: &WorldConfig, pools: &[PoolId]) -> Config {
    const MATCHINGS: [Matching; 6] = [
        Matching::LongestIdle,
        Matching::FewestCalls,
        Matching::BestSkill,
        Matching::InOrder,
        Matching::AllAtOnce,
        Matching::RoundRobin,
    ];
    let pool = |dice: &mut Dice| Pool {
        matching: MATCHINGS[dice.below(MATCHINGS.len() as u64) as usize],
        ring_timeout: Duration::from_secs(15),
        wrap_up: wrap_up(dice),
        clear_timeout: Duration::from_secs(2),
        miss_limit: 2,
        miss_pause: Some(Duration::from_secs(120)),
        handling: Duration::from_millis(config.talk_ms),
        max_waiting: 20 + dice.below(80) as usize,
        refuse: Refuse {
            unless_ready: dice.permille(50),
            longest_wait: dice.permille(200).then(|| Duration::from_secs(dice.below(120))),
            estimated_wait: dice.permille(200).then(|| Duration::from_secs(dice.below(600))),
        },
    };
    let agents: BTreeMap<AgentId, Agent> =
        (1..=config.agents).map(|id| (AgentId(id), agent(dice, config, pools))).collect();
    Config { pools: pools.iter().map(|id| (id.clone(), pool(dice))).collect(), agents }
}

fn wrap_up(dice: &mut Dice) -> WrapUp {
    let span = Duration::from_secs(dice.below(3) * 15);
    let max = Duration::from_secs(60);
    match dice.below(3) {
        0 => WrapUp::Fixed(span),
        1 => WrapUp::Extendable { span, max },
        _ => WrapUp::UntilSaved { max },
    }
}

fn agent(dice: &mut Dice, config: &WorldConfig, pools: &[PoolId]) -> Agent {
    let count = 1 + dice.below(config.pools_per_agent_max as u64);
    let pools = (0..count).map(|_| {
        let membership = Membership {
            tier: dice.below(2) as u8,
            order: dice.below(100) as u16,
            calls_per_day_max: dice.permille(100).then(|| dice.below(20) as u32),
        };
        (pools[dice.below(pools.len() as u64) as usize].clone(), membership)
    });
    let pools = pools.collect();
    let skills = (0..config.skills).map(|n| (skill(n), dice.below(11) as u8)).collect();
    Agent { pools, skills }
}

fn skill(n: u64) -> SkillId {
    SkillId::new(&format!("skill-{n}"))
}

fn shifted(at: Timestamp, by_ms: i64) -> Timestamp {
    Timestamp::from_ms(at.as_ms().saturating_add(by_ms))
}

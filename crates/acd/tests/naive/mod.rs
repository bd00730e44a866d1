//! Distribution as one would explain it: three lists, and a look through all of them for every decision.

#![allow(clippy::unwrap_used, reason = "a test: who is looked for is there")]

use acd::{
    Change, Config, Input, Matching, Membership, Need, Pool, Priority, RINGING_MAX, Request, Skills, Step,
    WrapUp,
};
use domain::{Activity, AgentId, CallId, Duty, OfferEnd, PauseReason, PoolId, Timestamp, WrapUpRule};
use std::collections::BTreeMap;
use std::time::Duration;

#[derive(Debug)]
pub struct Naive {
    pools: BTreeMap<PoolId, Pool>,
    agents: Vec<Agent>,
    calls: Vec<Call>,
    last_rung: BTreeMap<PoolId, AgentId>,
    midnight: Option<Timestamp>,
    lines: Vec<String>,
}

#[derive(Debug)]
struct Agent {
    id: AgentId,
    pools: BTreeMap<PoolId, Membership>,
    skills: Skills,
    reachable: bool,
    duty: Duty,
    doing: Doing,
    misses: u32,
    /// Pools whose calls were answered today.
    answered: Vec<PoolId>,
}

#[derive(Clone, Debug, PartialEq)]
enum Doing {
    Idle { since: Timestamp },
    Ringing { call: CallId, pool: PoolId, until: Timestamp, idle_since: Timestamp },
    Clearing { call: CallId, until: Timestamp, idle_since: Timestamp },
    Talking { call: CallId, pool: PoolId },
    WrapUp { until: Timestamp, rule: WrapUpRule },
}

#[derive(Debug)]
struct Call {
    id: CallId,
    arrived: Timestamp,
    entered: Timestamp,
    priority: Priority,
    need: Need,
    pools: Vec<PoolId>,
    steps: Vec<Step>,
    kept: Option<(AgentId, Timestamp)>,
    tried: Option<PoolId>,
    missed_by: Vec<AgentId>,
    callback: bool,
}

impl Agent {
    fn is_present(&self) -> bool {
        self.reachable && self.duty == Duty::Ready
    }

    fn on_duty_for(&self, pool: &PoolId) -> bool {
        let Some(membership) = self.pools.get(pool) else { return false };
        let today = self.answered.iter().filter(|answered| *answered == pool).count();
        self.is_present() && membership.calls_per_day_max.is_none_or(|max| today < max as usize)
    }

    fn idle_since(&self) -> Option<Timestamp> {
        match self.doing {
            Doing::Idle { since } => Some(since),
            _ => None,
        }
    }

    fn idle_since_when_clear(&self) -> Option<Timestamp> {
        match self.doing {
            Doing::Clearing { idle_since, .. } => Some(idle_since),
            _ => None,
        }
    }

    fn rings_for(&self, id: CallId) -> bool {
        matches!(self.doing, Doing::Ringing { call, .. } if call == id)
    }

    fn level(&self, skill: &domain::SkillId) -> u8 {
        self.skills.get(skill).copied().unwrap_or(0)
    }

    fn fits(&self, need: &Need) -> bool {
        need.required.iter().all(|(skill, level)| self.level(skill) >= *level)
    }

    fn lacks(&self, need: &Need) -> u32 {
        need.wished.iter().map(|(skill, level)| u32::from(level.saturating_sub(self.level(skill)))).sum()
    }
}

impl Call {
    /// Urgent ones first, then by arrival less the head start.
    fn turn(&self) -> (bool, i64, CallId) {
        let head_start_ms = self.priority.head_start.as_millis() as i64;
        (!self.priority.urgent, self.arrived.as_ms() - head_start_ms, self.id)
    }
}

impl Naive {
    pub fn new(now: Timestamp, config: &Config) -> Self {
        let agents = config.agents.iter().map(|(&id, agent)| Agent {
            id,
            pools: agent.pools.clone(),
            skills: agent.skills.clone(),
            reachable: false,
            duty: Duty::Ready,
            doing: Doing::Idle { since: now },
            misses: 0,
            answered: Vec::new(),
        });
        Self {
            pools: config.pools.clone(),
            agents: agents.collect(),
            calls: Vec::new(),
            last_rung: BTreeMap::new(),
            midnight: None,
            lines: Vec::new(),
        }
    }

    /// What it has done since the last question.
    pub fn heard(&mut self) -> Vec<String> {
        let mut lines = std::mem::take(&mut self.lines);
        lines.sort();
        lines
    }

    pub fn handle_input(&mut self, now: Timestamp, input: &Input) {
        match input.clone() {
            Input::Configured(_) => {}
            Input::CallArrived { call, arrived, request } => self.arrives(now, call, arrived, request),
            Input::CallPrioritised { call, priority } => {
                if let Some(call) = self.calls.iter_mut().find(|known| known.id == call) {
                    call.priority = priority;
                }
            }
            Input::CallbackAsked { call, until } => self.keep_for_callback(call, until),
            Input::CallLeft { call } => {
                self.remove(now, call);
                self.end_talk(now, call);
            }
            Input::AgentAnswered { agent, call } => self.answered(now, agent, call),
            Input::OfferFailed { agent, call, .. } if self.agent(agent).rings_for(call) => {
                self.end_offer(now, agent, OfferEnd::Rejected);
            }
            Input::OfferFailed { agent, call, .. } | Input::OfferCleared { agent, call } => {
                if let Doing::Clearing { call: old, idle_since, .. } = self.agent(agent).doing
                    && old == call
                {
                    self.agent(agent).doing = Doing::Idle { since: idle_since };
                }
            }
            Input::TalkEnded { agent, call } => {
                if matches!(self.agent(agent).doing, Doing::Talking { call: with, .. } if with == call) {
                    self.end_talk(now, call);
                }
            }
            Input::AgentReachable { agent, reachable } => {
                if !reachable && let Doing::Ringing { .. } = self.agent(agent).doing {
                    self.end_offer(now, agent, OfferEnd::Unreachable);
                }
                let duty = self.agent(agent).duty;
                self.set_presence(now, agent, reachable, duty);
            }
            Input::AgentDuty { agent, duty } => {
                if duty != Duty::Ready
                    && let Doing::Ringing { .. } = self.agent(agent).doing
                {
                    self.end_offer(now, agent, OfferEnd::Withdrawn);
                }
                let reachable = self.agent(agent).reachable;
                self.agent(agent).misses = 0;
                self.set_presence(now, agent, reachable, duty);
            }
            Input::WrapUpDone { agent } => {
                let Agent { reachable, duty, .. } = *self.agent(agent);
                if let Doing::WrapUp { .. } = self.agent(agent).doing {
                    self.agent(agent).doing = Doing::Idle { since: now };
                } else if let Duty::Paused { reason: PauseReason::FormUnsaved, .. } = duty {
                    self.set_presence(now, agent, reachable, Duty::Ready);
                }
            }
            Input::WrapUpExtended { agent, by } => {
                if let Doing::WrapUp { until, rule: WrapUpRule::Extendable { latest } } =
                    &mut self.agent(agent).doing
                {
                    *until = (*until + by).min(*latest);
                }
            }
            Input::AgentRestored { agent, duty, activity } => self.restore(now, agent, duty, activity),
        }
        self.distribute(now);
    }

    fn keep_for_callback(&mut self, call: CallId, until: Timestamp) {
        if let Some(call) = self.calls.iter_mut().find(|known| known.id == call) {
            call.callback = true;
            let after = until - call.entered;
            call.steps.retain(|step| step.after < after && step.change != Change::GiveUp);
            call.steps.push(Step { after, change: Change::GiveUp });
        }
    }

    pub fn next_deadline(&self) -> Option<Timestamp> {
        self.deadlines().first().map(|&(at, ..)| at)
    }

    pub fn handle_timeout(&mut self, now: Timestamp) {
        while let Some(&(at, kind, id)) = self.deadlines().first() {
            if at > now {
                return;
            }
            let agent = AgentId(id as u32);
            match kind {
                0 => self.go_on(now, CallId(id)),
                1 => self.calls.iter_mut().filter(|call| call.id.0 == id).for_each(|call| call.kept = None),
                2 => self.end_offer(now, agent, OfferEnd::NoAnswer),
                3 => {
                    let since = self.agent(agent).idle_since_when_clear().unwrap();
                    self.agent(agent).doing = Doing::Idle { since };
                }
                4 => self.end_wrap_up(now, agent),
                5 => {
                    let reachable = self.agent(agent).reachable;
                    self.agent(agent).misses = 0;
                    self.set_presence(now, agent, reachable, Duty::Ready);
                }
                _ => {
                    self.midnight = None;
                    self.agents.iter_mut().for_each(|agent| agent.answered.clear());
                }
            }
            self.distribute(now);
        }
    }

    /// Instant, kind in the order of firing, agent or call.
    fn deadlines(&self) -> Vec<(Timestamp, u8, u64)> {
        let mut all: Vec<_> = self.midnight.into_iter().map(|at| (at, 6, 0)).collect();
        for call in &self.calls {
            all.extend(call.steps.first().map(|step| (call.entered + step.after, 0, call.id.0)));
            all.extend(call.kept.map(|(_, until)| (until, 1, call.id.0)));
        }
        for agent in &self.agents {
            let id = u64::from(agent.id.0);
            match agent.doing {
                Doing::Ringing { until, .. } => all.push((until, 2, id)),
                Doing::Clearing { until, .. } => all.push((until, 3, id)),
                Doing::WrapUp { until, .. } => all.push((until, 4, id)),
                Doing::Idle { .. } | Doing::Talking { .. } => {}
            }
            if let Duty::Paused { until: Some(until), .. } = agent.duty {
                all.push((until, 5, id));
            }
        }
        all.sort_unstable();
        all
    }

    fn agent(&mut self, id: AgentId) -> &mut Agent {
        self.agents.iter_mut().find(|agent| agent.id == id).unwrap()
    }

    fn waits(&self, call: &Call) -> bool {
        !self.agents.iter().any(|agent| agent.rings_for(call.id))
    }

    fn staffed(&self, pool: &PoolId, need: &Need) -> bool {
        self.agents.iter().any(|agent| agent.on_duty_for(pool) && agent.fits(need))
    }

    fn is_stranded(&self, call: &Call) -> bool {
        let can_wait = call.kept.is_some() || call.callback;
        !can_wait && self.waits(call) && !call.pools.iter().any(|pool| self.staffed(pool, &call.need))
    }

    /// First calls that nobody on duty can serve, then the first call that somebody can take, until there is
    /// neither.
    fn distribute(&mut self, now: Timestamp) {
        loop {
            for index in 0..self.calls.len() {
                let Some((agent, _)) = self.calls[index].kept else { continue };
                if !self.agent(agent).is_present() {
                    self.calls[index].kept = None;
                }
            }
            self.calls.sort_by_key(Call::turn);
            if let Some(call) = self.calls.iter().find(|call| self.is_stranded(call)) {
                self.go_on(now, call.id);
                continue;
            }
            let offers = self.calls.iter().filter(|call| self.waits(call));
            let Some((call, chosen)) =
                offers.map(|call| (call.id, self.choose(call))).find(|(_, chosen)| !chosen.is_empty())
            else {
                return;
            };
            self.calls.iter_mut().filter(|known| known.id == call).for_each(|known| known.kept = None);
            for (pool, agent) in chosen {
                self.lines.push(format!("ring {agent} for {call}"));
                let until = now + self.pools[&pool].ring_timeout;
                let idle_since = self.agent(agent).idle_since().unwrap();
                self.last_rung.insert(pool.clone(), agent);
                self.agent(agent).doing = Doing::Ringing { call, pool, until, idle_since };
            }
        }
    }

    /// Whom to ring for the call, as agents of which pool.
    fn choose(&self, call: &Call) -> Vec<(PoolId, AgentId)> {
        if let Some((acquainted, _)) = call.kept {
            let agent = self.agents.iter().find(|agent| agent.id == acquainted).unwrap();
            let common = call.pools.iter().find(|pool| agent.pools.contains_key(*pool));
            let pool = common.unwrap_or(&call.pools[0]).clone();
            let is_free = agent.is_present() && agent.idle_since().is_some();
            return if is_free { vec![(pool, acquainted)] } else { Vec::new() };
        }
        let mut free: Vec<_> = Vec::new();
        for (place, pool) in call.pools.iter().enumerate() {
            for agent in self.agents.iter().filter(|agent| agent.on_duty_for(pool) && agent.fits(&call.need))
            {
                let Some(since) = agent.idle_since() else { continue };
                let missed = call.missed_by.contains(&agent.id);
                let tier = agent.pools[pool].tier;
                free.push(((missed, place, tier), self.rank(agent, pool, since, &call.need), pool, agent.id));
            }
        }
        free.sort();
        let Some(&(best, _, pool, first)) = free.first() else { return Vec::new() };
        if self.pools[pool].matching != Matching::AllAtOnce {
            return vec![(pool.clone(), first)];
        }
        let all = free.into_iter().filter(|(group, ..)| *group == best).take(RINGING_MAX);
        all.map(|(.., pool, agent)| (pool.clone(), agent)).collect()
    }

    fn rank(&self, agent: &Agent, pool: &PoolId, since: Timestamp, need: &Need) -> (u32, Timestamp, AgentId) {
        let number = match self.pools[pool].matching {
            Matching::LongestIdle | Matching::AllAtOnce => 0,
            Matching::FewestCalls => agent.answered.len() as u32,
            Matching::BestSkill => agent.lacks(need),
            Matching::InOrder => u32::from(agent.pools[pool].order),
            Matching::RoundRobin => {
                let had_a_turn = self.last_rung.get(pool).is_some_and(|last| agent.id <= *last);
                return (u32::from(had_a_turn), Timestamp::from_ms(0), agent.id);
            }
        };
        (number, since, agent.id)
    }

    fn arrives(&mut self, now: Timestamp, id: CallId, arrived: Timestamp, request: Request) {
        let talks = |agent: &Agent| matches!(agent.doing, Doing::Talking { call, .. } if call == id);
        if self.agents.iter().any(talks) || self.calls.iter().any(|known| known.id == id) {
            return;
        }
        let Request { need, priority, acquainted, steps, announce: _ } = request;
        let (pools, missed_by) = (Vec::new(), Vec::new());
        let (kept, tried) = (None, None);
        self.calls.push(Call {
            id,
            arrived,
            entered: now,
            priority,
            need,
            pools,
            steps,
            kept,
            tried,
            missed_by,
            callback: false,
        });
        self.go_on(now, id);
        if let Some((agent, span)) = acquainted
            && self.agent(agent).is_present()
            && let Some(call) = self.calls.iter_mut().find(|known| known.id == id)
            && !call.pools.is_empty()
        {
            call.kept = Some((agent, now + span.max(Duration::from_millis(1))));
        }
    }

    /// Takes the steps that are due, and more while nobody can serve the call.
    fn go_on(&mut self, now: Timestamp, id: CallId) {
        loop {
            let index = self.calls.iter().position(|known| known.id == id).unwrap();
            let is_stranded = self.is_stranded(&self.calls[index]);
            let call = &mut self.calls[index];
            let is_due = call.steps.first().is_some_and(|step| call.entered + step.after <= now);
            if !is_due && !is_stranded {
                return;
            }
            let step = if call.steps.is_empty() { None } else { Some(call.steps.remove(0).change) };
            match step {
                Some(Change::Relax(need)) => call.need = need,
                Some(Change::AddPool(pool)) => {
                    if call.tried.replace(pool.clone()).is_some() {
                        self.lines.push(format!("overflow {id} to {pool}"));
                    }
                    self.add_pool(now, index, pool);
                }
                Some(Change::GiveUp) | None => {
                    self.remove(now, id);
                    self.lines.push(format!("exhausted {id}"));
                    return;
                }
            }
        }
    }

    fn add_pool(&mut self, now: Timestamp, index: usize, pool: PoolId) {
        let need = &self.calls[index].need;
        let others = self.calls.iter().enumerate().filter(|(other, _)| *other != index).map(|(_, call)| call);
        let waits = |call: &&Call| call.kept.is_none() && call.pools.contains(&pool) && self.waits(call);
        let waiting: Vec<&Call> = others.filter(waits).collect();
        let free = |agent: &&Agent| agent.on_duty_for(&pool) && agent.idle_since().is_some();
        let Pool { max_waiting, refuse, .. } = &self.pools[&pool];
        let is_full = waiting.len() >= max_waiting + self.agents.iter().filter(free).count();
        let is_ready = self.agents.iter().filter(free).any(|agent| agent.fits(need));
        let first = waiting.iter().min_by_key(|call| call.turn());
        let has_waited = |longest| first.is_some_and(|first| now - first.arrived > longest);
        let must_not_wait = refuse.unless_ready || refuse.longest_wait.is_some_and(has_waited);
        let is_refused = (is_full || (must_not_wait && !is_ready)) && self.staffed(&pool, need);
        let pools = &mut self.calls[index].pools;
        if !is_refused && !pools.contains(&pool) {
            pools.push(pool);
        }
    }

    fn remove(&mut self, now: Timestamp, id: CallId) -> Option<Call> {
        let ringing: Vec<AgentId> =
            self.agents.iter().filter(|agent| agent.rings_for(id)).map(|agent| agent.id).collect();
        for agent in ringing {
            self.end_offer(now, agent, OfferEnd::Withdrawn);
        }
        let index = self.calls.iter().position(|call| call.id == id)?;
        Some(self.calls.remove(index))
    }

    fn answered(&mut self, now: Timestamp, id: AgentId, call: CallId) {
        if let Doing::Ringing { call: rung, pool, .. } = self.agent(id).doing.clone()
            && rung == call
        {
            let agent = self.agent(id);
            agent.misses = 0;
            agent.answered.push(pool.clone());
            agent.doing = Doing::Talking { call, pool };
            self.remove(now, call);
            self.lines.push(format!("connect {id} with {call}"));
            let is_counted = self.pools.values().any(|pool| pool.matching == Matching::FewestCalls)
                || self.agents.iter().any(|a| a.pools.values().any(|m| m.calls_per_day_max.is_some()));
            if is_counted && self.midnight.is_none() {
                let day = 86_400_000;
                let today = (now.as_ms() + 28_800_000).div_euclid(day);
                self.midnight = Some(Timestamp::from_ms((today + 1) * day - 28_800_000));
            }
        } else if !matches!(self.agent(id).doing, Doing::Talking { call: with, .. } if with == call) {
            self.lines.push(format!("release {id} from {call}"));
        }
    }

    fn end_talk(&mut self, now: Timestamp, id: CallId) {
        for agent in &mut self.agents {
            if let Doing::Talking { call, pool } = &agent.doing
                && *call == id
            {
                let (span, rule) = match self.pools[pool].wrap_up {
                    WrapUp::Fixed(span) => (span, WrapUpRule::Fixed),
                    WrapUp::Extendable { span, max } => (span, WrapUpRule::Extendable { latest: now + max }),
                    WrapUp::UntilSaved { max } => (max, WrapUpRule::UntilSaved),
                };
                agent.doing = Doing::WrapUp { until: now + span, rule };
                if span == Duration::ZERO {
                    agent.doing = Doing::Idle { since: now };
                }
            }
        }
    }

    /// In time, or the form is not saved.
    fn end_wrap_up(&mut self, now: Timestamp, id: AgentId) {
        let agent = self.agent(id);
        let is_unsaved = matches!(agent.doing, Doing::WrapUp { rule: WrapUpRule::UntilSaved, .. });
        let comes_back = matches!(agent.duty, Duty::Ready | Duty::Paused { until: Some(_), .. });
        agent.doing = Doing::Idle { since: now };
        if is_unsaved && comes_back {
            agent.duty = Duty::Paused { reason: PauseReason::FormUnsaved, until: None };
        }
    }

    fn restore(&mut self, now: Timestamp, id: AgentId, duty: Duty, activity: Activity) {
        let Agent { reachable, ref doing, .. } = *self.agent(id);
        if !matches!(doing, Doing::Idle { .. }) {
            return;
        }
        self.set_presence(now, id, reachable, duty);
        self.agent(id).doing = match activity {
            Activity::WrapUp { until, rule, .. } => Doing::WrapUp { until, rule },
            _ => Doing::Idle { since: now },
        };
    }

    fn end_offer(&mut self, now: Timestamp, id: AgentId, end: OfferEnd) {
        let Doing::Ringing { call, pool, idle_since, .. } = self.agent(id).doing.clone() else { return };
        let missed = end != OfferEnd::Withdrawn;
        let offered = self.calls.iter_mut().find(|known| known.id == call).unwrap();
        if missed {
            offered.missed_by.push(id);
        }
        let pool = self.pools[&pool].clone();
        let agent = self.agent(id);
        let idle_since = if missed { now } else { idle_since };
        agent.doing = Doing::Clearing { call, until: now + pool.clear_timeout, idle_since };
        if end == OfferEnd::Rejected {
            agent.doing = Doing::Idle { since: idle_since };
        } else {
            self.lines.push(format!("stop {id} for {call}"));
        }
        let agent = self.agent(id);
        agent.misses += u32::from(missed);
        if agent.misses >= pool.miss_limit {
            agent.misses = 0;
            let until = pool.miss_pause.map(|pause| now + pause);
            agent.duty = Duty::Paused { reason: PauseReason::NoAnswer, until };
        }
    }

    fn set_presence(&mut self, now: Timestamp, id: AgentId, reachable: bool, duty: Duty) {
        let agent = self.agent(id);
        let was_present = agent.is_present();
        (agent.reachable, agent.duty) = (reachable, duty);
        if !was_present && agent.is_present() && agent.idle_since().is_some() {
            agent.doing = Doing::Idle { since: now };
        }
    }
}

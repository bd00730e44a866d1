//! Distribution as one would explain it: three lists, and a look through all of them for every decision.

#![allow(clippy::unwrap_used, reason = "a test: who is looked for is there")]

use acd::{Config, Input, Pool, Stage};
use domain::{AgentId, CallId, Duty, OfferEnd, PauseReason, PoolId, Timestamp};
use std::collections::BTreeMap;
use std::time::Duration;

#[derive(Debug)]
pub struct Naive {
    pools: BTreeMap<PoolId, Pool>,
    agents: Vec<Agent>,
    calls: Vec<Call>,
    lines: Vec<String>,
}

#[derive(Debug)]
struct Agent {
    id: AgentId,
    pools: Vec<PoolId>,
    reachable: bool,
    duty: Duty,
    doing: Doing,
    misses: u32,
}

#[derive(Clone, Debug, PartialEq)]
enum Doing {
    Idle { since: Timestamp },
    Ringing { call: CallId, until: Timestamp, idle_since: Timestamp },
    Clearing { call: CallId, until: Timestamp, idle_since: Timestamp },
    Talking { call: CallId, pool: PoolId },
    WrapUp { until: Timestamp },
}

#[derive(Debug)]
struct Call {
    id: CallId,
    arrived: Timestamp,
    pool: PoolId,
    until: Timestamp,
    later: Vec<Stage>,
    missed_by: Vec<AgentId>,
}

impl Agent {
    fn on_duty_for(&self, pool: &PoolId) -> bool {
        self.reachable && self.duty == Duty::Ready && self.pools.contains(pool)
    }

    fn idle_since(&self) -> Option<Timestamp> {
        match self.doing {
            Doing::Idle { since } => Some(since),
            _ => None,
        }
    }

    fn rings_for(&self, id: CallId) -> bool {
        matches!(self.doing, Doing::Ringing { call, .. } if call == id)
    }
}

impl Naive {
    pub fn new(now: Timestamp, config: &Config) -> Self {
        let agents = config.agents.iter().map(|(&id, agent)| Agent {
            id,
            pools: agent.pools.clone(),
            reachable: false,
            duty: Duty::Ready,
            doing: Doing::Idle { since: now },
            misses: 0,
        });
        let agents = agents.collect();
        Self { pools: config.pools.clone(), agents, calls: Vec::new(), lines: Vec::new() }
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
            Input::CallArrived { call, arrived, stages } => {
                let talks =
                    |agent: &Agent| matches!(agent.doing, Doing::Talking { call: with, .. } if with == call);
                if !self.agents.iter().any(talks) && !self.calls.iter().any(|known| known.id == call) {
                    self.enter(now, call, arrived, stages, Vec::new(), false);
                }
            }
            Input::CallLeft { call } => {
                self.remove(now, call);
                self.end_talk(now, call);
            }
            Input::AgentAnswered { agent, call } => self.answered(agent, call),
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
                if let Doing::WrapUp { .. } = self.agent(agent).doing {
                    self.agent(agent).doing = Doing::Idle { since: now };
                }
            }
        }
        self.distribute(now);
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
                0 => self.overflow(now, CallId(id)),
                1 => self.end_offer(now, agent, OfferEnd::NoAnswer),
                2 | 3 => {
                    let since = match self.agent(agent).doing {
                        Doing::Clearing { idle_since, .. } => idle_since,
                        _ => now,
                    };
                    self.agent(agent).doing = Doing::Idle { since };
                }
                _ => {
                    let reachable = self.agent(agent).reachable;
                    self.agent(agent).misses = 0;
                    self.set_presence(now, agent, reachable, Duty::Ready);
                }
            }
            self.distribute(now);
        }
    }

    /// Instant, kind in the order of firing, agent or call.
    fn deadlines(&self) -> Vec<(Timestamp, u8, u64)> {
        let mut all: Vec<_> = self.calls.iter().map(|call| (call.until, 0, call.id.0)).collect();
        for agent in &self.agents {
            let id = u64::from(agent.id.0);
            match agent.doing {
                Doing::Ringing { until, .. } => all.push((until, 1, id)),
                Doing::Clearing { until, .. } => all.push((until, 2, id)),
                Doing::WrapUp { until } => all.push((until, 3, id)),
                Doing::Idle { .. } | Doing::Talking { .. } => {}
            }
            if let Duty::Paused { until: Some(until), .. } = agent.duty {
                all.push((until, 4, id));
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

    fn staffed(&self, pool: &PoolId) -> bool {
        self.agents.iter().any(|agent| agent.on_duty_for(pool))
    }

    /// First pools without anybody, then the oldest call that somebody can take, until there is neither.
    fn distribute(&mut self, now: Timestamp) {
        loop {
            self.calls.sort_by_key(|call| (call.pool.clone(), call.arrived, call.id));
            if let Some(call) = self.calls.iter().find(|call| !self.staffed(&call.pool)) {
                self.overflow(now, call.id);
                continue;
            }
            self.calls.sort_by_key(|call| (call.arrived, call.id));
            let Some((call, pool, agent)) = self.next_offer() else { return };
            self.lines.push(format!("ring {agent} for {call}"));
            let until = now + self.pools[&pool].ring_timeout;
            let idle_since = self.agent(agent).idle_since().unwrap();
            self.agent(agent).doing = Doing::Ringing { call, until, idle_since };
        }
    }

    fn next_offer(&self) -> Option<(CallId, PoolId, AgentId)> {
        self.calls.iter().filter(|call| self.waits(call)).find_map(|call| {
            let free = |agent: &&Agent| agent.on_duty_for(&call.pool) && agent.idle_since().is_some();
            let mut free: Vec<_> = self.agents.iter().filter(free).collect();
            free.sort_by_key(|agent| (call.missed_by.contains(&agent.id), agent.idle_since(), agent.id));
            free.first().map(|agent| (call.id, call.pool.clone(), agent.id))
        })
    }

    fn enter(
        &mut self,
        now: Timestamp,
        id: CallId,
        arrived: Timestamp,
        mut later: Vec<Stage>,
        missed_by: Vec<AgentId>,
        mut moves: bool,
    ) {
        while !later.is_empty() {
            let Stage { pool, patience } = later.remove(0);
            if moves {
                self.lines.push(format!("overflow {id} to {pool}"));
            }
            moves = true;
            let waiting = self.calls.iter().filter(|call| call.pool == pool && self.waits(call)).count();
            let free =
                self.agents.iter().filter(|agent| agent.on_duty_for(&pool) && agent.idle_since().is_some());
            if self.staffed(&pool) && waiting < self.pools[&pool].max_waiting + free.count() {
                let until = now + patience;
                return self.calls.push(Call { id, arrived, pool, until, later, missed_by });
            }
        }
        self.lines.push(format!("exhausted {id}"));
    }

    fn overflow(&mut self, now: Timestamp, id: CallId) {
        if let Some(call) = self.remove(now, id) {
            self.enter(now, id, call.arrived, call.later, call.missed_by, true);
        }
    }

    fn remove(&mut self, now: Timestamp, id: CallId) -> Option<Call> {
        if let Some(agent) = self.agents.iter().find(|agent| agent.rings_for(id)).map(|agent| agent.id) {
            self.end_offer(now, agent, OfferEnd::Withdrawn);
        }
        let index = self.calls.iter().position(|call| call.id == id)?;
        Some(self.calls.remove(index))
    }

    fn answered(&mut self, agent: AgentId, call: CallId) {
        if self.agent(agent).rings_for(call) {
            let index = self.calls.iter().position(|known| known.id == call).unwrap();
            let pool = self.calls.remove(index).pool;
            let agent = self.agent(agent);
            agent.doing = Doing::Talking { call, pool };
            agent.misses = 0;
            let line = format!("connect {} with {call}", agent.id);
            self.lines.push(line);
        } else if !matches!(self.agent(agent).doing, Doing::Talking { call: with, .. } if with == call) {
            self.lines.push(format!("release {agent} from {call}"));
        }
    }

    fn end_talk(&mut self, now: Timestamp, id: CallId) {
        for agent in &mut self.agents {
            if let Doing::Talking { call, pool } = &agent.doing
                && *call == id
            {
                let wrap_up = self.pools[pool].wrap_up;
                agent.doing = Doing::WrapUp { until: now + wrap_up };
                if wrap_up == Duration::ZERO {
                    agent.doing = Doing::Idle { since: now };
                }
            }
        }
    }

    fn end_offer(&mut self, now: Timestamp, id: AgentId, end: OfferEnd) {
        let Doing::Ringing { call, idle_since, .. } = self.agent(id).doing else { return };
        let missed = end != OfferEnd::Withdrawn;
        let offered = self.calls.iter_mut().find(|known| known.id == call).unwrap();
        if missed {
            offered.missed_by.push(id);
        }
        let pool = self.pools[&offered.pool].clone();
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
        let present = |agent: &Agent| agent.reachable && agent.duty == Duty::Ready;
        let was_present = present(agent);
        (agent.reachable, agent.duty) = (reachable, duty);
        if !was_present && present(agent) && agent.idle_since().is_some() {
            agent.doing = Doing::Idle { since: now };
        }
    }
}

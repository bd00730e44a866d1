//! The machine itself: every input, every timer, and the matching that follows each of them.
//!
//! An input changes states and notes what that may allow (`loose`, `freed`, `emptied`); `settle` then
//! draws the consequences in one fixed order, oldest call first. No state changes but in `update` (agents),
//! `enter` and `put_back` (calls): they keep the sets and the timers true.

use crate::agent::{AgentState, Seat};
use crate::call::{CallState, Journey, Queued};
use crate::message::{Input, Output, Stage};
use crate::pool::PoolState;
use crate::timer::{Timer, deadline};
use domain::{AgentId, CallId, Duty, OfferEnd, OverflowReason, PauseReason, PoolId, Timestamp};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

/// The distribution machine of one region. It starts empty: say [`Input::Configured`] first.
///
/// What it holds is bounded by its configuration: `max_waiting` calls a pool, and one per agent.
#[derive(Clone, Debug, Default)]
pub struct Acd {
    pub(crate) pools: BTreeMap<PoolId, PoolState>,
    pub(crate) agents: BTreeMap<AgentId, AgentState>,
    pub(crate) calls: BTreeMap<CallId, CallState>,
    pub(crate) timers: BTreeSet<(Timestamp, Timer)>,
    /// The latest instant seen, to notice a clock that was set back.
    pub(crate) latest: Option<Timestamp>,
    /// Calls that have just begun to wait, or whose turn may have come.
    pub(crate) loose: BTreeSet<(Timestamp, CallId)>,
    /// Agents who have just become free.
    pub(crate) freed: BTreeSet<AgentId>,
    /// Pools whose last agent has just left.
    pub(crate) emptied: BTreeSet<PoolId>,
    /// Agents to report.
    pub(crate) changed: BTreeSet<AgentId>,
    pub(crate) outputs: VecDeque<Output>,
}

impl Acd {
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    pub fn handle_input(&mut self, now: Timestamp, input: Input) {
        self.follow_clock(now);
        match input {
            Input::Configured(config) => self.configure(now, config),
            Input::CallArrived { call, arrived, stages } => self.call_arrived(now, call, arrived, stages),
            Input::CallLeft { call } => self.call_left(now, call),
            Input::AgentAnswered { agent, call } => self.agent_answered(now, agent, call),
            Input::OfferFailed { agent, call, end } => self.offer_failed(now, agent, call, end),
            Input::OfferCleared { agent, call } => self.offer_cleared(now, agent, call),
            Input::TalkEnded { agent, call } => self.talk_ended(now, agent, call),
            Input::AgentReachable { agent, reachable } => self.agent_reachable(now, agent, reachable),
            Input::AgentDuty { agent, duty } => self.agent_duty(now, agent, duty),
            Input::WrapUpDone { agent } => self.wrap_up_done(now, agent),
        }
        self.settle(now);
    }

    /// Fires every timer that is due at `now`.
    pub fn handle_timeout(&mut self, now: Timestamp) {
        self.follow_clock(now);
        while let Some(&(at, timer)) = self.timers.first()
            && at <= now
        {
            self.timers.pop_first();
            self.fire(now, timer);
            self.settle(now);
        }
        self.report_changes();
    }

    /// When [`Acd::handle_timeout`] is wanted next.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Timestamp> {
        self.timers.first().map(|&(at, _)| at)
    }

    /// Drain after every call of the other two.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    fn fire(&mut self, now: Timestamp, timer: Timer) {
        match timer {
            Timer::Patience(call) => self.overflow(now, call, OverflowReason::PatienceExpired),
            Timer::Ring(agent) => {
                if let Some(call) = self.ringing(agent) {
                    self.end_offer(now, agent, call, OfferEnd::NoAnswer, Phone::StillRings);
                    self.put_back(call);
                }
            }
            Timer::Clear(agent) => self.cleared(now, agent),
            Timer::WrapUp(agent) => self.wrap_up_done(now, agent),
            Timer::Pause(agent) => self.update(now, agent, |state| {
                state.duty = Duty::Ready;
                state.misses = 0;
            }),
        }
    }
}

/// What happens to calls.
impl Acd {
    fn call_arrived(&mut self, now: Timestamp, call: CallId, arrived: Timestamp, stages: Vec<Stage>) {
        if !self.calls.contains_key(&call) {
            let journey = Journey { arrived, stages: stages.into(), missed_by: Vec::new() };
            self.enter(now, call, journey, None);
        }
    }

    fn call_left(&mut self, now: Timestamp, call: CallId) {
        match self.calls.get(&call) {
            Some(&CallState::Talking { agent }) => self.talk_ended(now, agent, call),
            Some(CallState::Queued(_)) => {
                self.take_out(now, call);
            }
            None => {}
        }
    }

    pub(crate) fn overflow(&mut self, now: Timestamp, call: CallId, reason: OverflowReason) {
        if let Some(queued) = self.take_out(now, call) {
            self.enter(now, call, queued.journey, Some((queued.pool, reason)));
        }
    }

    /// Removes a queued call from everything, withdrawing an offer that rings for it.
    fn take_out(&mut self, now: Timestamp, call: CallId) -> Option<Queued> {
        if let Some(CallState::Queued(queued)) = self.calls.get(&call)
            && let Some(agent) = queued.offered_to
        {
            self.end_offer(now, agent, call, OfferEnd::Withdrawn, Phone::StillRings);
        }
        let Some(CallState::Queued(queued)) = self.calls.remove(&call) else { return None };
        if let Some(timer) = queued.patience(call) {
            self.timers.remove(&timer);
        }
        if let Some(pool) = self.pools.get_mut(&queued.pool) {
            pool.waiting.remove(&queued.key(call));
        }
        Some(queued)
    }

    /// Lets a call wait in the first of its remaining stages that takes it. `left` is where it comes from
    /// and why.
    fn enter(
        &mut self,
        now: Timestamp,
        call: CallId,
        mut journey: Journey,
        mut left: Option<(PoolId, OverflowReason)>,
    ) {
        while let Some(Stage { pool: id, patience }) = journey.stages.pop_front() {
            if let Some((from, reason)) = left {
                self.outputs.push_back(Output::Overflowed { call, from, to: id.clone(), reason });
            }
            match self.pools.get_mut(&id).ok_or(OverflowReason::NobodyOnDuty).and_then(PoolState::admit) {
                Ok(pool) => {
                    let until = deadline(now, patience);
                    let queued = Queued { journey, pool: id.clone(), until, offered_to: None };
                    let key = queued.key(call);
                    self.outputs.push_back(Output::Queued { call, pool: id, position: pool.position(key) });
                    pool.waiting.insert(key);
                    self.loose.insert(key);
                    self.timers.extend(queued.patience(call));
                    self.calls.insert(call, CallState::Queued(queued));
                    return;
                }
                Err(reason) => left = Some((id, reason)),
            }
        }
        let reason = left.map_or(OverflowReason::NobodyOnDuty, |(_, reason)| reason);
        self.outputs.push_back(Output::Exhausted { call, reason });
    }

    /// Lets a call whose offer has ended wait again, at its old place.
    pub(crate) fn put_back(&mut self, call: CallId) {
        if let Some(CallState::Queued(queued)) = self.calls.get(&call)
            && let Some(pool) = self.pools.get_mut(&queued.pool)
        {
            pool.waiting.insert(queued.key(call));
            self.loose.insert(queued.key(call));
        }
    }
}

/// Whether the phone of an offer that ends has to be silenced.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phone {
    StillRings,
    IsSilent,
}

/// What happens to offers and talks.
impl Acd {
    fn ring(&mut self, now: Timestamp, agent: AgentId, call: CallId) {
        let Some(CallState::Queued(queued)) = self.calls.get_mut(&call) else { return };
        let Some(pool) = self.pools.get_mut(&queued.pool) else { return };
        pool.waiting.remove(&queued.key(call));
        queued.offered_to = Some(agent);
        let until = deadline(now, pool.config.ring_timeout);
        self.outputs.push_back(Output::Ring { agent, call, pool: queued.pool.clone(), until });
        self.update(now, agent, |state| {
            if let Seat::Idle { since } = state.seat {
                state.seat = Seat::Ringing { call, until, idle_since: since };
            }
        });
    }

    fn agent_answered(&mut self, now: Timestamp, agent: AgentId, call: CallId) {
        let seat = self.agents.get(&agent).map(|state| &state.seat);
        if matches!(seat, Some(Seat::Talking { call: with, .. }) if *with == call) {
            return;
        }
        if self.ringing(agent) != Some(call) {
            return self.outputs.push_back(Output::Release { agent, call });
        }
        let Some(CallState::Queued(queued)) = self.calls.insert(call, CallState::Talking { agent }) else {
            return;
        };
        if let Some(timer) = queued.patience(call) {
            self.timers.remove(&timer);
        }
        let Queued { journey, pool, .. } = queued;
        let waited = now - journey.arrived;
        self.outputs.push_back(Output::OfferEnded { agent, call, end: OfferEnd::Answered });
        self.outputs.push_back(Output::Connect { agent, call, pool: pool.clone(), waited });
        self.update(now, agent, |state| {
            state.seat = Seat::Talking { call, pool, since: now };
            state.misses = 0;
        });
    }

    /// A failure that crosses our own withdrawal says no more than that the phone is silent.
    fn offer_failed(&mut self, now: Timestamp, agent: AgentId, call: CallId, end: OfferEnd) {
        if self.ringing(agent) == Some(call) {
            self.end_offer(now, agent, call, end, Phone::IsSilent);
            self.put_back(call);
        } else {
            self.offer_cleared(now, agent, call);
        }
    }

    fn offer_cleared(&mut self, now: Timestamp, agent: AgentId, call: CallId) {
        let seat = self.agents.get(&agent).map(|state| &state.seat);
        if matches!(seat, Some(Seat::Clearing { call: cleared, .. }) if *cleared == call) {
            self.cleared(now, agent);
        }
    }

    fn cleared(&mut self, now: Timestamp, agent: AgentId) {
        self.update(now, agent, |state| {
            if let Seat::Clearing { idle_since, .. } = state.seat {
                state.seat = Seat::Idle { since: idle_since };
            }
        });
    }

    /// Takes the call away from an agent whose phone rings for it; what becomes of the call is up to the
    /// caller of this. Whatever is not `Withdrawn` is a miss.
    pub(crate) fn end_offer(
        &mut self,
        now: Timestamp,
        agent: AgentId,
        call: CallId,
        end: OfferEnd,
        phone: Phone,
    ) {
        let Some(CallState::Queued(queued)) = self.calls.get_mut(&call) else { return };
        let Some(pool) = self.pools.get(&queued.pool) else { return };
        let missed = end != OfferEnd::Withdrawn;
        queued.offered_to = None;
        if missed && !queued.journey.missed_by.contains(&agent) {
            queued.journey.missed_by.push(agent);
        }
        if phone == Phone::StillRings {
            self.outputs.push_back(Output::StopRinging { agent, call, end });
        }
        self.outputs.push_back(Output::OfferEnded { agent, call, end });
        let (limit, pause) = (pool.config.miss_limit.max(1), pool.config.miss_pause);
        let clear_until = deadline(now, pool.config.clear_timeout);
        self.update(now, agent, |state| {
            let Seat::Ringing { idle_since, .. } = state.seat else { return };
            let idle_since = if missed { now } else { idle_since };
            state.seat = match phone {
                Phone::StillRings => Seat::Clearing { call, until: clear_until, idle_since },
                Phone::IsSilent => Seat::Idle { since: idle_since },
            };
            state.misses += u32::from(missed);
            if state.misses >= limit {
                let until = pause.map(|span| deadline(now, span));
                state.duty = Duty::Paused { reason: PauseReason::NoAnswer, until };
                state.misses = 0;
            }
        });
    }

    fn talk_ended(&mut self, now: Timestamp, agent: AgentId, call: CallId) {
        let Some(state) = self.agents.get(&agent) else { return };
        let Seat::Talking { call: with, pool, .. } = &state.seat else { return };
        if *with != call {
            return;
        }
        let wrap_up = self.pools.get(pool).map_or(Duration::ZERO, |pool| pool.config.wrap_up);
        self.calls.remove(&call);
        self.update(now, agent, |state| {
            state.seat = if wrap_up.is_zero() || state.retiring {
                Seat::Idle { since: now }
            } else {
                Seat::WrapUp { call, until: deadline(now, wrap_up) }
            };
        });
    }
}

/// What happens to agents.
impl Acd {
    fn agent_reachable(&mut self, now: Timestamp, agent: AgentId, reachable: bool) {
        if self.agents.get(&agent).is_none_or(|state| state.reachable == reachable) {
            return;
        }
        if let Some(call) = self.ringing(agent) {
            self.end_offer(now, agent, call, OfferEnd::Unreachable, Phone::StillRings);
            self.put_back(call);
        }
        self.update(now, agent, |state| state.reachable = reachable);
    }

    fn agent_duty(&mut self, now: Timestamp, agent: AgentId, duty: Duty) {
        if duty != Duty::Ready
            && let Some(call) = self.ringing(agent)
        {
            self.end_offer(now, agent, call, OfferEnd::Withdrawn, Phone::StillRings);
            self.put_back(call);
        }
        self.update(now, agent, |state| {
            state.duty = duty;
            state.misses = 0;
        });
    }

    fn wrap_up_done(&mut self, now: Timestamp, agent: AgentId) {
        self.update(now, agent, |state| {
            if let Seat::WrapUp { .. } = state.seat {
                state.seat = Seat::Idle { since: now };
            }
        });
    }

    pub(crate) fn ringing(&self, agent: AgentId) -> Option<CallId> {
        match self.agents.get(&agent)?.seat {
            Seat::Ringing { call, .. } => Some(call),
            Seat::Idle { .. } | Seat::Clearing { .. } | Seat::Talking { .. } | Seat::WrapUp { .. } => None,
        }
    }

    /// The one way to change an agent: keeps the pools' sets and the timers true. Who comes on duty while
    /// idle has been idle since then, so that nobody returns from a pause to the head of the line.
    pub(crate) fn update(&mut self, now: Timestamp, agent: AgentId, change: impl FnOnce(&mut AgentState)) {
        let Some(state) = self.agents.get_mut(&agent) else { return };
        let (face, before) = (state.face(), state.index(agent));
        change(state);
        if !before.on_duty
            && state.on_duty()
            && let Seat::Idle { since } = &mut state.seat
        {
            *since = now;
        }
        let after = state.index(agent);
        if state.face() != face {
            self.changed.insert(agent);
        }
        if before == after {
            return;
        }
        for id in &state.pools {
            let Some(pool) = self.pools.get_mut(id) else { continue };
            pool.move_agent(agent, before, after);
            if pool.on_duty.is_empty() {
                self.emptied.insert(id.clone());
            }
        }
        for timer in before.timers.iter().flatten() {
            self.timers.remove(timer);
        }
        self.timers.extend(after.timers.into_iter().flatten());
        if after.ready.is_some() {
            self.freed.insert(agent);
        }
    }
}

/// What follows.
impl Acd {
    /// Draws the consequences of an input: pools without anybody are left, then the oldest call whose turn
    /// may have come chooses, until nobody who is free has anybody to serve.
    fn settle(&mut self, now: Timestamp) {
        loop {
            if let Some(pool) = self.emptied.pop_first() {
                self.leave_if_empty(now, &pool);
            } else if let Some(agent) = self.freed.pop_first() {
                self.look_for_calls(agent);
            } else if let Some((_, call)) = self.loose.pop_first() {
                self.serve(now, call);
            } else {
                break;
            }
        }
        self.report_changes();
    }

    fn leave_if_empty(&mut self, now: Timestamp, pool: &PoolId) {
        let Some(state) = self.pools.get(pool) else { return };
        if state.on_duty.is_empty() {
            for (_, call) in state.waiting.clone() {
                self.overflow(now, call, OverflowReason::NobodyOnDuty);
            }
        }
    }

    /// The first call of each of the agent's pools may have its turn now.
    fn look_for_calls(&mut self, agent: AgentId) {
        let Some(state) = self.agents.get(&agent) else { return };
        for pool in &state.pools {
            let first = self.pools.get(pool).and_then(|pool| pool.waiting.first());
            self.loose.extend(first);
        }
    }

    /// Offers the call to the one who is to have it, if anybody is free; then the next may have its turn.
    fn serve(&mut self, now: Timestamp, call: CallId) {
        let Some(CallState::Queued(queued)) = self.calls.get(&call) else { return };
        let Some(pool) = self.pools.get(&queued.pool) else { return };
        if queued.offered_to.is_none()
            && let Some(agent) = pool.choose(&queued.journey.missed_by)
        {
            if pool.ready.len() > 1 {
                self.loose.extend(pool.waiting.range(queued.key(call)..).nth(1));
            }
            self.ring(now, agent, call);
        }
    }

    fn report_changes(&mut self) {
        while let Some(agent) = self.changed.pop_first() {
            let Some(state) = self.agents.get(&agent) else { continue };
            let gone = state.retiring && matches!(state.seat, Seat::Idle { .. });
            let (reachable, duty, activity) = state.face();
            let reachable = reachable && !gone;
            self.outputs.push_back(Output::AgentChanged { agent, reachable, duty, activity });
            if gone {
                self.agents.remove(&agent);
            }
        }
    }
}

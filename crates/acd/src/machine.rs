//! The machine itself: every input and every timer.
//!
//! An input changes states and notes what that may allow (`unkept`, `emptied`, `doubtful`, `freed`, `turns`); `settle` then
//! draws the consequences in one fixed order, first call first (`matching.rs`). No state changes but in `update`
//! (agents), `lift` and `lay` (calls): they keep the sets and the timers true.

use crate::agent::{AgentState, Seat};
use crate::call::{CallKey, CallState};
use crate::fit::Fits;
use crate::message::{Input, Output};
use crate::pool::{PoolIx, PoolState};
use crate::timer::Timer;
use crate::wrap_up::seat_after;
use domain::{AgentId, CallId, Duty, OfferEnd, PoolId, Timestamp};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// The distribution machine of one region. It starts empty: say [`Input::Configured`] first.
///
/// What it holds is bounded by its configuration: `max_waiting` calls a pool, and one per agent.
#[derive(Clone, Debug, Default)]
pub struct Acd {
    /// By [`PoolIx`]: all that were ever configured.
    pub(crate) pools: Vec<PoolState>,
    pub(crate) pool_ids: BTreeMap<PoolId, PoolIx>,
    pub(crate) agents: BTreeMap<AgentId, AgentState>,
    pub(crate) fits: Fits,
    pub(crate) calls: BTreeMap<CallId, CallState>,
    pub(crate) timers: BTreeSet<(Timestamp, Timer)>,
    /// Whether some pool or agent asks how many calls somebody has had today.
    pub(crate) counts_calls: bool,
    /// When calls are counted anew, if any is counted.
    pub(crate) midnight: Option<Timestamp>,
    /// The latest instant seen, to notice a clock that was set back.
    pub(crate) latest: Option<Timestamp>,
    /// Calls whose turn may have come: they have just begun to wait, or are first in line for a free agent.
    pub(crate) turns: BTreeSet<(CallKey, Option<AgentId>)>,
    /// Agents who have just become free.
    pub(crate) freed: BTreeSet<AgentId>,
    /// Pools that have just lost the last agent of a class.
    pub(crate) emptied: BTreeSet<PoolIx>,
    /// Calls whose agent is not expected any more.
    pub(crate) unkept: BTreeSet<CallKey>,
    /// Calls that nobody on duty may be able to serve.
    pub(crate) doubtful: BTreeSet<CallKey>,
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
            Input::CallArrived { call, arrived, request } => self.call_arrived(now, call, arrived, request),
            Input::CallPrioritised { call, priority } => self.call_prioritised(call, priority),
            Input::CallbackAsked { call, until } => self.callback_asked(call, until),
            Input::CallLeft { call } => self.call_left(now, call),
            Input::AgentAnswered { agent, call } => self.agent_answered(now, agent, call),
            Input::OfferFailed { agent, call, end } => self.offer_failed(now, agent, call, end),
            Input::OfferCleared { agent, call } => self.offer_cleared(now, agent, call),
            Input::TalkEnded { agent, call } => self.talk_ended(now, agent, call),
            Input::AgentReachable { agent, reachable } => self.agent_reachable(now, agent, reachable),
            Input::AgentDuty { agent, duty } => self.agent_duty(now, agent, duty),
            Input::WrapUpDone { agent } => self.wrap_up_done(now, agent),
            Input::WrapUpExtended { agent, by } => self.wrap_up_extended(now, agent, by),
            Input::AgentRestored { agent, duty, activity } => {
                self.agent_restored(now, agent, duty, activity);
            }
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
            Timer::Step(call) => self.go_on(now, call),
            Timer::Kept(call) => self.keep_no_longer(call),
            Timer::Announce(call) => self.announce(now, call),
            Timer::Ring(agent) => {
                if let Some(call) = self.ringing(agent) {
                    self.end_offer(now, agent, call, OfferEnd::NoAnswer, Phone::StillRings);
                    self.put_back(call);
                }
            }
            Timer::Clear(agent) => self.cleared(now, agent),
            Timer::WrapUp(agent) => self.wrap_up_over(now, agent),
            Timer::Pause(agent) => self.update(now, agent, |state| {
                state.duty = Duty::Ready;
                state.misses = 0;
            }),
            Timer::Midnight => self.begin_day(),
        }
    }
}

/// Whether the phone of an offer that ends has to be silenced.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phone {
    StillRings,
    IsSilent,
}

/// What happens to agents.
impl Acd {
    fn agent_reachable(&mut self, now: Timestamp, agent: AgentId, reachable: bool) {
        if self.agents.get(&agent).is_none_or(|state| state.reachable == reachable) {
            return;
        }
        let ringing = self.ringing(agent);
        if let Some(call) = ringing {
            self.end_offer(now, agent, call, OfferEnd::Unreachable, Phone::StillRings);
        }
        self.update(now, agent, |state| state.reachable = reachable);
        if let Some(call) = ringing {
            self.put_back(call);
        }
    }

    fn agent_duty(&mut self, now: Timestamp, agent: AgentId, duty: Duty) {
        let withdrawn = self.ringing(agent).filter(|_| duty != Duty::Ready);
        if let Some(call) = withdrawn {
            self.end_offer(now, agent, call, OfferEnd::Withdrawn, Phone::StillRings);
        }
        self.update(now, agent, |state| {
            state.duty = duty;
            state.misses = 0;
        });
        if let Some(call) = withdrawn {
            self.put_back(call);
        }
    }

    fn talk_ended(&mut self, now: Timestamp, agent: AgentId, call: CallId) {
        let Some(state) = self.agents.get(&agent) else { return };
        let Seat::Talking { call: with, pool, .. } = state.seat else { return };
        if with != call {
            return;
        }
        let wrap_up = self.pools[pool.0 as usize].config.as_ref().map(|pool| pool.wrap_up);
        let after = match wrap_up.filter(|_| !state.retiring) {
            Some(wrap_up) => seat_after(now, call, wrap_up),
            None => Seat::Idle { since: now },
        };
        self.calls.remove(&call);
        self.update(now, agent, |state| state.seat = after);
    }

    fn call_left(&mut self, now: Timestamp, call: CallId) {
        match self.calls.get(&call) {
            Some(&CallState::Talking { agent }) => self.talk_ended(now, agent, call),
            Some(CallState::Queued(_)) => self.take_out(now, call),
            None => {}
        }
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
        let handled = match state.seat {
            Seat::Idle { .. } => state.busy_since.take(),
            _ => None,
        };
        if let Some((pool, since)) = handled {
            self.pools[pool.0 as usize].learn_handling(now - since);
        }
        let after = state.index(agent);
        if state.face() != face {
            self.changed.insert(agent);
        }
        if before == after {
            return;
        }
        for place in state.places.iter().filter(|place| place.has_room()) {
            let pool = &mut self.pools[place.pool.0 as usize];
            if let Some(free) = before.free {
                pool.remove_ready(state.class, pool.ready_key(place, free));
            }
            if let Some(free) = after.free {
                pool.add_ready(state.class, pool.ready_key(place, free));
            }
            if after.on_duty && !before.on_duty {
                pool.come_on_duty(state.class);
            } else if before.on_duty && !after.on_duty && pool.go_off_duty(state.class) {
                self.emptied.insert(place.pool);
            }
        }
        if !after.on_duty {
            self.unkept.extend(state.expected.iter());
        }
        for timer in before.timers.iter().flatten() {
            self.timers.remove(timer);
        }
        self.timers.extend(after.timers.into_iter().flatten());
        if after.free.is_some() {
            self.freed.insert(agent);
        }
    }

    pub(crate) fn report_changes(&mut self) {
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

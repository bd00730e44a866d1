//! How a call waits: its steps, its lines, and the agent it may be kept for.

use crate::call::{CallKey, CallState, Queued};
use crate::configure::classes;
use crate::fit::NeedIx;
use crate::machine::{Acd, Phone};
use crate::message::{Announce, Change, Need, Output, Priority, Refuse, Request, Step};
use crate::pool::{PoolIx, PoolState};
use crate::timer::{Timer, deadline};
use domain::{AgentId, CallId, OfferEnd, OverflowReason, PoolId, Timestamp};

impl Acd {
    pub(crate) fn call_arrived(
        &mut self,
        now: Timestamp,
        call: CallId,
        arrived: Timestamp,
        request: Request,
    ) {
        if self.calls.contains_key(&call) {
            return;
        }
        let Request { need, priority, acquainted, steps, announce } = request;
        let need = self.need(need);
        let steps = steps.into_iter().map(|step| self.known_step(step)).collect();
        let queued = Queued {
            key: CallKey::new(call, arrived, priority),
            arrived,
            priority,
            entered: now,
            need,
            pools: Vec::new(),
            steps,
            kept_for: None,
            is_callback: false,
            announce: announce.map(|Announce { first, every }| (deadline(now, first), every)),
            told: None,
            offers: Vec::new(),
            missed_by: Vec::new(),
            last_pool: None,
            refusal: OverflowReason::NobodyOnDuty,
        };
        self.take_steps(now, Box::new(queued));
        if let Some((agent, span)) = acquainted {
            self.keep_for(now, call, agent, deadline(now, span));
        }
    }

    pub(crate) fn call_prioritised(&mut self, call: CallId, priority: Priority) {
        let Some(mut queued) = self.lift(call) else { return };
        queued.priority = priority;
        queued.key = CallKey::new(call, queued.arrived, priority);
        self.lay(queued);
    }

    /// Of its steps only the end is another: such a call can wait through a night.
    pub(crate) fn callback_asked(&mut self, call: CallId, until: Timestamp) {
        let Some(mut queued) = self.lift(call) else { return };
        queued.is_callback = true;
        queued.announce = None;
        let after = until - queued.entered;
        queued.steps.retain(|step| step.after < after && step.change != Change::GiveUp);
        queued.steps.push_back(Step { after, change: Change::GiveUp });
        self.lay(queued);
    }

    /// The next step is due.
    pub(crate) fn go_on(&mut self, now: Timestamp, call: CallId) {
        if let Some(queued) = self.lift(call) {
            self.take_steps(now, queued);
        }
    }

    /// Lets a call whose offer has ended wait again, at its old place, unless another phone still rings for it.
    pub(crate) fn put_back(&mut self, call: CallId) {
        if let Some(CallState::Queued(queued)) = self.calls.get(&call)
            && queued.offers.is_empty()
            && let Some(queued) = self.lift(call)
        {
            // Whoever is to take a step has to wait for those who are before in the line.
            self.doubtful.insert(queued.key);
            self.lay(queued);
        }
    }

    /// Removes a queued call from everything, withdrawing offers that ring for it.
    pub(crate) fn take_out(&mut self, now: Timestamp, call: CallId) {
        if let Some(mut queued) = self.lift(call) {
            self.withdraw_offers(now, &mut queued);
        }
    }

    fn withdraw_offers(&mut self, now: Timestamp, queued: &mut Queued) {
        for (agent, pool) in std::mem::take(&mut queued.offers) {
            let call = queued.key.call;
            self.free_phone(now, (agent, pool), call, OfferEnd::Withdrawn, Phone::StillRings);
        }
    }

    /// Takes every step that is due, and further ones as long as nobody on duty could serve the call. What
    /// `queued` was before is in no set.
    fn take_steps(&mut self, now: Timestamp, mut queued: Box<Queued>) {
        while let Some(step) = queued.steps.front() {
            let is_due = queued.entered + step.after <= now;
            if !is_due && self.is_staffed(&queued) {
                return self.lay(queued);
            }
            let reason = if is_due { OverflowReason::PatienceExpired } else { queued.refusal };
            match queued.steps.pop_front().map(|step| step.change) {
                Some(Change::AddPool(pool)) => self.add_pool(now, &mut queued, pool, reason),
                Some(Change::Relax(need)) => queued.need = need,
                Some(Change::GiveUp) | None => return self.exhaust(now, queued, reason),
            }
        }
        if self.is_staffed(&queued) {
            self.lay(queued);
        } else {
            let reason = queued.refusal;
            self.exhaust(now, queued, reason);
        }
    }

    fn exhaust(&mut self, now: Timestamp, mut queued: Box<Queued>, reason: OverflowReason) {
        self.withdraw_offers(now, &mut queued);
        self.outputs.push_back(Output::Exhausted { call: queued.key.call, reason });
    }

    fn add_pool(&mut self, now: Timestamp, queued: &mut Queued, id: PoolId, reason: OverflowReason) {
        let call = queued.key.call;
        if let Some(from) = queued.last_pool.replace(id.clone()) {
            self.outputs.push_back(Output::Overflowed { call, from, to: id.clone(), reason });
        }
        queued.refusal = OverflowReason::NobodyOnDuty;
        let Some(&index) = self.pool_ids.get(&id) else { return };
        let pool = &self.pools[index.0 as usize];
        if pool.config.is_none() || queued.pools.contains(&index) {
            return;
        }
        // Where nobody is on duty a call may still wait besides, for whoever comes.
        let is_staffed = pool.staffs(&self.fits, queued.need);
        if is_staffed && let Some(reason) = self.refusal(now, pool, queued) {
            queued.refusal = reason;
            return;
        }
        queued.pools.push(index);
        if is_staffed {
            let position = pool.position(queued.key);
            self.outputs.push_back(Output::Queued { call, pool: id, position });
        }
    }

    /// Why the pool does not let such a call in, if it does not.
    fn refusal(&self, now: Timestamp, pool: &PoolState, queued: &Queued) -> Option<OverflowReason> {
        if pool.is_full() {
            return Some(OverflowReason::PoolFull);
        }
        let refuse = pool.config.as_ref()?.refuse;
        if refuse == Refuse::default() || pool.is_ready(&self.fits, queued.need) {
            return None;
        }
        if refuse.unless_ready {
            return Some(OverflowReason::NobodyReady);
        }
        let estimated = pool.estimate(&self.fits, queued)?;
        if refuse.estimated_wait.is_some_and(|longest| estimated.wait() > longest) {
            return Some(OverflowReason::EstimatedWait);
        }
        let first = self.calls.get(&pool.first()?.call)?.queued()?;
        let is_too_long = refuse.longest_wait.is_some_and(|longest| now - first.arrived > longest);
        is_too_long.then_some(OverflowReason::LongestWait)
    }

    /// Whether it can be served by somebody who is on duty, or need not be.
    pub(crate) fn is_staffed(&self, queued: &Queued) -> bool {
        let staffs = |pool: &PoolIx| self.pools[pool.0 as usize].staffs(&self.fits, queued.need);
        queued.is_callback || !queued.is_in_line() || queued.pools.iter().any(staffs)
    }

    /// Takes a call out of its lines, for it is being offered.
    pub(crate) fn offer_to(&mut self, call: CallId, offers: Vec<(AgentId, PoolIx)>) {
        let Some(queued) = self.calls.get_mut(&call).and_then(CallState::queued_mut) else { return };
        if let Some((agent, until)) = queued.kept_for.take() {
            self.timers.remove(&(until, Timer::Kept(call)));
            if let Some(agent) = self.agents.get_mut(&agent) {
                agent.expected.remove(&queued.key);
            }
        } else {
            for pool in &queued.pools {
                self.pools[pool.0 as usize].leave(queued.need, queued.key);
            }
        }
        queued.offers = offers;
    }

    /// Takes a queued call, with its offers, out of lines and timers.
    pub(crate) fn lift(&mut self, call: CallId) -> Option<Box<Queued>> {
        if !matches!(self.calls.get(&call), Some(CallState::Queued(_))) {
            return None;
        }
        let Some(CallState::Queued(queued)) = self.calls.remove(&call) else { return None };
        for timer in queued.timers().iter().flatten() {
            self.timers.remove(timer);
        }
        if let Some((agent, _)) = queued.kept_for {
            if let Some(agent) = self.agents.get_mut(&agent) {
                agent.expected.remove(&queued.key);
            }
        } else if queued.offers.is_empty() {
            for pool in &queued.pools {
                self.pools[pool.0 as usize].leave(queued.need, queued.key);
            }
        }
        Some(queued)
    }

    /// Undoes [`Acd::lift`], wherever the call belongs by now.
    pub(crate) fn lay(&mut self, queued: Box<Queued>) {
        self.timers.extend(queued.timers().into_iter().flatten());
        if let Some((agent, _)) = queued.kept_for {
            if let Some(agent) = self.agents.get_mut(&agent) {
                agent.expected.insert(queued.key);
            }
        } else if queued.offers.is_empty() {
            for pool in &queued.pools {
                self.pools[pool.0 as usize].join(queued.need, queued.key);
            }
        }
        self.turns.insert((queued.key, None));
        self.calls.insert(queued.key.call, CallState::Queued(queued));
    }

    /// Nobody else is offered the call until `until`, if that agent is on duty at all.
    fn keep_for(&mut self, now: Timestamp, call: CallId, agent: AgentId, until: Timestamp) {
        let is_there = self.agents.get(&agent).is_some_and(|state| state.on_duty());
        if !is_there || until <= now {
            return;
        }
        let Some(mut queued) = self.lift(call) else { return };
        if !queued.pools.is_empty() {
            queued.kept_for = Some((agent, until));
        }
        self.lay(queued);
    }

    pub(crate) fn keep_no_longer(&mut self, call: CallId) {
        let Some(mut queued) = self.lift(call) else { return };
        queued.kept_for = None;
        self.doubtful.insert(queued.key);
        self.lay(queued);
    }

    fn known_step(&mut self, Step { after, change }: Step) -> Step<NeedIx> {
        let change = match change {
            Change::AddPool(pool) => Change::AddPool(pool),
            Change::Relax(need) => Change::Relax(self.need(need)),
            Change::GiveUp => Change::GiveUp,
        };
        Step { after, change }
    }

    /// The number of a need. A new one costs a pass over all agents; there are few.
    fn need(&mut self, need: Need) -> NeedIx {
        if let Some(known) = self.fits.known(&need) {
            return known;
        }
        let (index, is_anybody_moved) = self.fits.learn(need, &mut classes(&mut self.agents));
        if is_anybody_moved {
            self.reindex();
        }
        index
    }
}

//! Who gets whom: why did this call go to that lawyer?
//!
//! Calls are served first call first ([`CallKey`](crate::call::CallKey)). Each gets, of the free agents who fit,
//! 1. one who has not let it ring before, 2. of the pool that it has waited for longest, 3. of the best tier,
//! 4. by the pool's [`Matching`](crate::Matching).

use crate::agent::Seat;
use crate::call::{CallKey, CallState, Queued};
use crate::machine::Acd;
use crate::message::Output;
use crate::pool::PoolIx;
use crate::timer::deadline;
use domain::{AgentId, CallId, OverflowReason, Timestamp};

impl Acd {
    /// Draws the consequences of an input, until nobody who is free has anybody to serve.
    pub(crate) fn settle(&mut self, now: Timestamp) {
        loop {
            if let Some(key) = self.unkept.pop_first() {
                self.keep_no_longer(key.call);
            } else if let Some(pool) = self.emptied.pop_first() {
                self.doubt_whom_nobody_serves(pool);
            } else if let Some(key) = self.doubtful.pop_first() {
                self.go_on_if_stranded(now, key);
            } else if let Some(agent) = self.freed.pop_first() {
                self.look_for_call(agent);
            } else if let Some((key, agent)) = self.turns.pop_first() {
                let is_settled = self.serve(now, key);
                // Somebody with a better claim may have had the call.
                self.freed.extend(agent.filter(|_| is_settled));
            } else {
                break;
            }
        }
        self.report_changes();
    }

    fn doubt_whom_nobody_serves(&mut self, pool: PoolIx) {
        let pool = &self.pools[pool.0 as usize];
        let lines = pool.waiting.iter().filter(|line| !pool.staffs(&self.fits, line.need));
        self.doubtful.extend(lines.flat_map(|line| &line.keys));
    }

    /// A call that nobody on duty can serve, in any of its pools, takes its next step.
    fn go_on_if_stranded(&mut self, now: Timestamp, key: CallKey) {
        let Some(CallState::Queued(queued)) = self.calls.get(&key.call) else { return };
        if self.is_staffed(queued) {
            return;
        }
        if let Some(CallState::Queued(queued)) = self.calls.get_mut(&key.call) {
            queued.refusal = OverflowReason::NobodyOnDuty;
        }
        self.go_on(now, key.call);
    }

    /// The first call that this agent can serve has its turn, in the order of all calls.
    fn look_for_call(&mut self, agent: AgentId) {
        let Some(state) = self.agents.get(&agent).filter(|state| state.is_free()) else { return };
        let places = state.places.iter().filter(|place| place.has_room());
        let in_line =
            places.filter_map(|place| self.pools[place.pool.0 as usize].first_for(&self.fits, state.class));
        let first = in_line.chain(state.expected.first().copied()).min();
        self.turns.extend(first.map(|key| (key, Some(agent))));
    }

    /// Offers the call to whoever is to have it. False if it goes on waiting.
    fn serve(&mut self, now: Timestamp, key: CallKey) -> bool {
        let Some(queued) = self.calls.get(&key.call).and_then(CallState::queued) else { return true };
        if queued.key != key || !queued.offers.is_empty() {
            return true;
        }
        let chosen = self.choose(queued);
        if chosen.is_empty() {
            return false;
        }
        self.offer_to(key.call, chosen.clone());
        for (agent, pool) in chosen {
            self.ring(now, agent, key.call, pool);
        }
        true
    }

    fn choose(&self, queued: &Queued) -> Vec<(AgentId, PoolIx)> {
        if let Some((agent, _)) = queued.kept_for {
            return self.choose_acquainted(queued, agent).into_iter().collect();
        }
        for passed_over in [queued.missed_by.as_slice(), &[]] {
            for &pool in &queued.pools {
                let chosen = self.pools[pool.0 as usize].choose(&self.fits, queued.need, passed_over);
                if !chosen.is_empty() {
                    return chosen.into_iter().map(|agent| (agent, pool)).collect();
                }
            }
            if queued.missed_by.is_empty() {
                break;
            }
        }
        Vec::new()
    }

    /// As an agent of a pool that both belong to, or of the call's own.
    fn choose_acquainted(&self, queued: &Queued, agent: AgentId) -> Option<(AgentId, PoolIx)> {
        let state = self.agents.get(&agent)?;
        if !state.is_free() {
            return None;
        }
        let common = queued.pools.iter().find(|&&pool| state.is_in(pool));
        common.or(queued.pools.first()).map(|&pool| (agent, pool))
    }

    fn ring(&mut self, now: Timestamp, agent: AgentId, call: CallId, pool: PoolIx) {
        let state = &mut self.pools[pool.0 as usize];
        state.last_rung = Some(agent);
        let Some(config) = &state.config else { return };
        let until = deadline(now, config.ring_timeout);
        self.outputs.push_back(Output::Ring { agent, call, pool: state.id.clone(), until });
        self.update(now, agent, |state| {
            if let Seat::Idle { since } = state.seat {
                state.seat = Seat::Ringing { call, until, idle_since: since };
            }
        });
    }
}

//! A new configuration under live calls: nothing that is going on is lost.

use crate::agent::{AgentState, Seat};
use crate::call::CallState;
use crate::machine::{Acd, Phone};
use crate::message::{Agent, Config};
use crate::pool::PoolState;
use domain::{AgentId, CallId, OfferEnd, OverflowReason, PoolId, Timestamp};
use std::collections::{BTreeMap, BTreeSet};

impl Acd {
    pub(crate) fn configure(&mut self, now: Timestamp, config: Config) {
        let Config { pools, agents } = config;
        let agents: BTreeMap<AgentId, Vec<PoolId>> = agents
            .into_iter()
            .map(|(id, Agent { pools: wanted })| {
                let known: BTreeSet<PoolId> =
                    wanted.into_iter().filter(|id| pools.contains_key(id)).collect();
                (id, known.into_iter().collect())
            })
            .collect();
        self.withdraw_what_no_longer_fits(now, &agents);
        let mut old = std::mem::take(&mut self.pools);
        for (id, pool) in pools {
            let state = match old.remove(&id) {
                Some(state) => PoolState { config: pool, ..state },
                None => PoolState::new(pool),
            };
            self.pools.insert(id, state);
        }
        self.replace_agents(now, agents);
        self.reindex();
        for (_, call) in self.calls_without_a_pool() {
            self.overflow(now, call, OverflowReason::NobodyOnDuty);
        }
        for (id, pool) in &self.pools {
            self.freed.extend(pool.ready.iter().map(|&(_, agent)| agent));
            if pool.on_duty.is_empty() {
                self.emptied.insert(id.clone());
            }
        }
    }

    /// While the old pools still stand, because their spans end these offers.
    fn withdraw_what_no_longer_fits(&mut self, now: Timestamp, agents: &BTreeMap<AgentId, Vec<PoolId>>) {
        let offers: Vec<(AgentId, CallId)> = self
            .calls
            .iter()
            .filter_map(|(&call, state)| match state {
                CallState::Queued(queued) => {
                    let agent = queued.offered_to?;
                    let fits = agents.get(&agent).is_some_and(|pools| pools.contains(&queued.pool));
                    (!fits).then_some((agent, call))
                }
                CallState::Talking { .. } => None,
            })
            .collect();
        for (agent, call) in offers {
            self.end_offer(now, agent, call, OfferEnd::Withdrawn, Phone::StillRings);
            self.put_back(call);
        }
    }

    fn replace_agents(&mut self, now: Timestamp, mut agents: BTreeMap<AgentId, Vec<PoolId>>) {
        for (&id, state) in &mut self.agents {
            let pools = agents.remove(&id);
            state.retiring = pools.is_none();
            state.pools = pools.unwrap_or_default();
            if state.retiring {
                if let Seat::WrapUp { .. } = state.seat {
                    state.seat = Seat::Idle { since: now };
                }
                self.changed.insert(id);
            }
        }
        for (id, pools) in agents {
            self.agents.insert(id, AgentState { pools, ..AgentState::new(now) });
            self.changed.insert(id);
        }
    }

    fn calls_without_a_pool(&self) -> BTreeSet<(Timestamp, CallId)> {
        let homeless = self.calls.iter().filter_map(|(&call, state)| match state {
            CallState::Queued(queued) if !self.pools.contains_key(&queued.pool) => Some(queued.key(call)),
            CallState::Queued(_) | CallState::Talking { .. } => None,
        });
        homeless.collect()
    }

    /// Builds the sets of all pools and the timers anew from the states of agents and calls.
    pub(crate) fn reindex(&mut self) {
        for pool in self.pools.values_mut() {
            pool.waiting.clear();
            pool.ready.clear();
            pool.on_duty.clear();
        }
        self.timers.clear();
        for (&id, state) in &self.agents {
            let index = state.index(id);
            self.timers.extend(index.timers.into_iter().flatten());
            for pool in &state.pools {
                let Some(pool) = self.pools.get_mut(pool) else { continue };
                pool.on_duty.extend(index.on_duty.then_some(id));
                pool.ready.extend(index.ready);
            }
        }
        for (&call, state) in &self.calls {
            let CallState::Queued(queued) = state else { continue };
            self.timers.extend(queued.patience(call));
            if let Some(pool) = self.pools.get_mut(&queued.pool)
                && queued.offered_to.is_none()
            {
                pool.waiting.insert(queued.key(call));
            }
        }
    }
}

//! A new configuration under live calls: nothing that is going on is lost.

use crate::agent::{AgentState, Place, Seat};
use crate::call::CallState;
use crate::fit::{Class, Levels};
use crate::machine::{Acd, Phone};
use crate::message::{Agent, Config, Pool};
use crate::pool::{PoolIx, PoolState};
use crate::timer::Timer;
use domain::{AgentId, CallId, OfferEnd, PoolId, Timestamp};
use std::collections::BTreeMap;

/// More than all dialplans of a region have; each costs a byte for every class of agents.
const NEEDS_MAX: usize = 256;

impl Acd {
    pub(crate) fn configure(&mut self, now: Timestamp, config: Config) {
        let Config { pools, agents } = config;
        self.withdraw_what_no_longer_fits(now, &pools, &agents);
        self.replace_pools(pools);
        self.fits.restart(agents.values().map(|agent| &agent.skills));
        self.replace_agents(now, agents);
        self.forget_old_needs();
        self.fits.sort(&mut classes(&mut self.agents));
        self.counts_calls = self.is_anybody_counted();
        self.reindex();
        let queued = self.calls.values().filter_map(CallState::queued);
        // Of thousands few or none: they are asked once more, one by one.
        let stranded: Vec<_> =
            queued.filter(|queued| !self.is_staffed(queued)).map(|queued| queued.key).collect();
        self.doubtful.extend(stranded);
        self.freed.extend(self.agents.keys());
    }

    /// While the old pools still stand, because their spans end these offers.
    fn withdraw_what_no_longer_fits(
        &mut self,
        now: Timestamp,
        pools: &BTreeMap<PoolId, Pool>,
        agents: &BTreeMap<AgentId, Agent>,
    ) {
        let fits = |agent: AgentId, pool: PoolIx| {
            let id = &self.pools[pool.0 as usize].id;
            pools.contains_key(id) && agents.get(&agent).is_some_and(|agent| agent.pools.contains_key(id))
        };
        let offers: Vec<(AgentId, CallId)> = self
            .calls
            .values()
            .filter_map(CallState::queued)
            .flat_map(|queued| queued.offers.iter().map(|&offer| (offer, queued.key.call)))
            .filter(|&((agent, pool), _)| !fits(agent, pool))
            .map(|((agent, _), call)| (agent, call))
            .collect();
        for (agent, call) in offers {
            self.end_offer(now, agent, call, OfferEnd::Withdrawn, Phone::StillRings);
        }
    }

    fn replace_pools(&mut self, pools: BTreeMap<PoolId, Pool>) {
        for pool in &mut self.pools {
            pool.config = None;
        }
        for (id, config) in pools {
            let next = PoolIx(self.pools.len() as u32);
            let index = *self.pool_ids.entry(id.clone()).or_insert(next);
            if index == next {
                self.pools.push(PoolState::new(index, id));
            }
            self.pools[index.0 as usize].configure(config);
        }
        for queued in self.calls.values_mut().filter_map(CallState::queued_mut) {
            queued.pools.retain(|pool| self.pools[pool.0 as usize].config.is_some());
            // An offer is made as an agent of some pool.
            queued.kept_for = queued.kept_for.filter(|_| !queued.pools.is_empty());
        }
    }

    fn replace_agents(&mut self, now: Timestamp, mut agents: BTreeMap<AgentId, Agent>) {
        for (&id, state) in &mut self.agents {
            let agent = agents.remove(&id);
            state.retiring = agent.is_none();
            let Agent { pools, skills } = agent.unwrap_or_default();
            state.levels = self.fits.levels(&skills);
            let mut counts = std::mem::take(&mut state.calls_elsewhere);
            counts.extend(state.places.iter().map(|place| (place.pool, place.calls_today)));
            state.places = places(&self.pools, &self.pool_ids, pools, &counts);
            counts.retain(|&(pool, _)| !state.is_in(pool));
            state.calls_elsewhere = counts;
            if state.retiring {
                if let Seat::WrapUp { .. } = state.seat {
                    state.seat = Seat::Idle { since: now };
                }
                self.changed.insert(id);
            }
        }
        for (id, Agent { pools, skills }) in agents {
            let places = places(&self.pools, &self.pool_ids, pools, &[]);
            let levels = self.fits.levels(&skills);
            self.agents.insert(id, AgentState { places, levels, ..AgentState::new(now) });
            self.changed.insert(id);
        }
    }

    /// Calls will have the same needs again, so needs are kept; if too many have come together, those of live calls.
    fn forget_old_needs(&mut self) {
        if self.fits.needs().len() <= NEEDS_MAX {
            return;
        }
        let new = self.fits.without_needs();
        let old = std::mem::replace(&mut self.fits, new);
        for queued in self.calls.values_mut().filter_map(CallState::queued_mut) {
            for index in queued.needs_mut() {
                let Some(need) = old.need(*index) else { continue };
                *index = match self.fits.known(need) {
                    Some(known) => known,
                    None => self.fits.learn(need.clone(), &mut []).0,
                };
            }
        }
    }

    /// Builds lines, sets and timers anew from the states of agents and calls.
    pub(crate) fn reindex(&mut self) {
        self.pools.iter_mut().for_each(PoolState::clear);
        let mut timers: Vec<_> = self.midnight.map(|at| (at, Timer::Midnight)).into_iter().collect();
        for (&id, state) in &mut self.agents {
            state.expected.clear();
            let index = state.index(id);
            timers.extend(index.timers.into_iter().flatten());
            for place in state.places.iter().filter(|place| place.has_room()) {
                let pool = &mut self.pools[place.pool.0 as usize];
                if index.on_duty {
                    pool.come_on_duty(state.class);
                }
                if let Some(free) = index.free {
                    pool.add_ready(state.class, pool.ready_key(place, free));
                }
            }
        }
        for queued in self.calls.values().filter_map(CallState::queued) {
            timers.extend(queued.timers().into_iter().flatten());
            if let Some((agent, _)) = queued.kept_for {
                match self.agents.get_mut(&agent) {
                    Some(state) if state.on_duty() => _ = state.expected.insert(queued.key),
                    Some(_) | None => _ = self.unkept.insert(queued.key),
                }
            } else if queued.offers.is_empty() {
                for pool in &queued.pools {
                    self.pools[pool.0 as usize].join(queued.need, queued.key);
                }
            }
        }
        // All at once, which is faster than one by one.
        self.timers = timers.into_iter().collect();
    }
}

/// As [`crate::fit::Fits`] takes them.
pub(crate) fn classes(agents: &mut BTreeMap<AgentId, AgentState>) -> Vec<(&mut Class, &Levels)> {
    agents.values_mut().map(|state| (&mut state.class, &state.levels)).collect()
}

/// Of the pools that are configured; the counts of the day go on.
fn places(
    states: &[PoolState],
    ids: &BTreeMap<PoolId, PoolIx>,
    pools: BTreeMap<PoolId, crate::Membership>,
    counts: &[(PoolIx, u32)],
) -> Vec<Place> {
    let places = pools.into_iter().filter_map(|(id, membership)| {
        let pool = *ids.get(&id)?;
        states[pool.0 as usize].config.as_ref()?;
        let calls_today = counts.iter().find(|(counted, _)| *counted == pool).map_or(0, |(_, calls)| *calls);
        Some(Place { pool, membership, calls_today })
    });
    places.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Input, Need, Request};
    use domain::{CallId, SkillId, Timestamp};

    /// So many calls of different needs have come and gone.
    fn after(needs: usize) -> Acd {
        let (mut acd, now) = (Acd::new(), Timestamp::from_ms(0));
        for n in 0..needs {
            let required = [(SkillId::new(&format!("s{n}")), 1)].into();
            let request = Request { need: Need { required, ..Need::default() }, ..Request::default() };
            acd.handle_input(now, Input::CallArrived { call: CallId(n as u64), arrived: now, request });
        }
        acd.handle_input(now, Input::Configured(Config::default()));
        acd
    }

    #[test]
    fn needs_are_kept_until_too_many_have_come_together() {
        assert_eq!(after(NEEDS_MAX).fits.needs().len(), NEEDS_MAX);
        assert_eq!(after(NEEDS_MAX + 1).fits.needs().len(), 0);
    }
}

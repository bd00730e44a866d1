//! What is true of the machine between two inputs, for tests and simulations to check after every step.

use crate::agent::Seat;
use crate::call::{CallKey, CallState, Queued};
use crate::machine::Acd;
use crate::pool::PoolState;
use domain::{AgentId, CallId, Duty};

/// Returns an error with the formatted text unless the condition holds.
macro_rules! ensure {
    ($condition:expr, $($text:tt)*) => {
        if !$condition {
            return Err(format!($($text)*));
        }
    };
}

impl Acd {
    /// One agent–one call, work-conserving, no timer without its state and no state without its timer. Takes
    /// time in proportion to agents and calls.
    ///
    /// # Errors
    /// Says what is broken. It never is, unless this crate has a bug.
    pub fn check_invariants(&self) -> Result<(), String> {
        ensure!(
            self.turns.is_empty()
                && self.freed.is_empty()
                && self.emptied.is_empty()
                && self.unkept.is_empty()
                && self.doubtful.is_empty(),
            "an input was not settled"
        );
        self.pools.iter().try_for_each(|pool| self.check_pool(pool))?;
        let timers = self.check_agents()? + self.check_calls()? + usize::from(self.midnight.is_some());
        ensure!(self.timers.len() == timers, "{} timers for {timers} deadlines", self.timers.len());
        Ok(())
    }

    fn check_pool(&self, pool: &PoolState) -> Result<(), String> {
        for line in &pool.waiting {
            let Some(first) = line.keys.front() else { return Err(format!("{}: an empty line", pool.id)) };
            ensure!(line.keys.iter().is_sorted(), "{}: {line:?} is not in order", pool.id);
            for (&class, free) in &pool.ready {
                ensure!(
                    self.fits.lacking(class, line.need).is_none(),
                    "{}: {first:?} waits although {:?} is free",
                    pool.id,
                    free.first()
                );
            }
        }
        let waiting: usize = pool.waiting.iter().map(|line| line.keys.len()).sum();
        ensure!(waiting == pool.waiting_count, "{}: {waiting} wait, {} counted", pool.id, pool.waiting_count);
        let ready: usize = pool.ready.values().map(std::collections::BTreeSet::len).sum();
        ensure!(ready == pool.ready_count, "{}: {ready} are free, {} counted", pool.id, pool.ready_count);
        Ok(())
    }

    /// The sets hold every agent where they should, and, by their sizes, nobody else. Returns the number of
    /// agents' timers.
    fn check_agents(&self) -> Result<usize, String> {
        let (mut timers, mut ready, mut on_duty) = (0, 0, 0);
        for (&id, agent) in &self.agents {
            let index = agent.index(id);
            for timer in index.timers.iter().flatten() {
                ensure!(self.timers.contains(timer), "agent {id} waits for {timer:?}, which is not set");
                timers += 1;
            }
            let is_idle = matches!(agent.seat, Seat::Idle { .. });
            let may_be_rung = agent.reachable && agent.duty == Duty::Ready && is_idle && !agent.retiring;
            ensure!(index.free.is_none() || may_be_rung, "agent {id} would be rung, who is {agent:?}");
            for place in agent.places.iter().filter(|place| place.has_room()) {
                let pool = &self.pools[place.pool.0 as usize];
                ensure!(pool.config.is_some(), "agent {id} is in {}, which is not configured", pool.id);
                if let Some(free) = index.free {
                    let key = pool.ready_key(place, free);
                    let known = pool.ready.get(&agent.class).is_some_and(|free| free.contains(&key));
                    ensure!(known, "{} does not know that agent {id} is free", pool.id);
                    ready += 1;
                }
                if index.on_duty {
                    let known = pool.on_duty.get(&agent.class).is_some_and(|&count| count > 0);
                    ensure!(known, "{} does not know that agent {id} is on duty", pool.id);
                    on_duty += 1;
                }
            }
            ensure!(agent.expected.is_empty() || index.on_duty, "agent {id} is expected and not on duty");
            ensure!(agent.expected.is_empty() || index.free.is_none(), "agent {id} is free and expected");
            self.check_seat(id, &agent.seat)?;
        }
        let held: usize = self.pools.iter().map(|pool| pool.ready_count).sum();
        ensure!(held == ready, "{held} free agents in the pools, {ready} in fact");
        let held: usize = self.pools.iter().flat_map(|pool| pool.on_duty.values()).sum();
        ensure!(held == on_duty, "{held} agents on duty in the pools, {on_duty} in fact");
        Ok(timers)
    }

    fn check_seat(&self, id: AgentId, seat: &Seat) -> Result<(), String> {
        match seat {
            Seat::Ringing { call, .. } => {
                ensure!(self.agents[&id].on_duty(), "agent {id} rings and is not on duty");
                let Some(CallState::Queued(queued)) = self.calls.get(call) else {
                    return Err(format!("agent {id} rings for {call}, which is not queued"));
                };
                let known = queued.offers.iter().any(|&(agent, _)| agent == id);
                ensure!(known, "agent {id} rings for {call}, which does not know it");
            }
            Seat::Talking { call, .. } => {
                let with = match self.calls.get(call) {
                    Some(CallState::Talking { agent }) => Some(*agent),
                    Some(CallState::Queued(_)) | None => None,
                };
                ensure!(with == Some(id), "agent {id} talks to {call}, which talks to {with:?}");
            }
            Seat::Idle { .. } | Seat::Clearing { .. } | Seat::WrapUp { .. } => {}
        }
        Ok(())
    }

    /// Likewise for calls.
    fn check_calls(&self) -> Result<usize, String> {
        let (mut timers, mut waiting, mut expected) = (0, 0, 0);
        for (&call, state) in &self.calls {
            match state {
                CallState::Talking { agent } => {
                    let seat = self.agents.get(agent).map(|agent| &agent.seat);
                    let mutual = matches!(seat, Some(Seat::Talking { call: with, .. }) if *with == call);
                    ensure!(mutual, "{call} talks to agent {agent}, who is {seat:?}");
                }
                CallState::Queued(queued) => {
                    for timer in queued.timers().iter().flatten() {
                        ensure!(self.timers.contains(timer), "{call} waits for {timer:?}, which is not set");
                        timers += 1;
                    }
                    expected += usize::from(queued.kept_for.is_some());
                    waiting += self.check_queued(call, queued)?;
                }
            }
        }
        let held: usize = self.pools.iter().map(|pool| pool.waiting_count).sum();
        ensure!(held == waiting, "{held} calls wait in the pools, {waiting} in fact");
        let held: usize = self.agents.values().map(|agent| agent.expected.len()).sum();
        ensure!(held == expected, "{held} calls are expected by agents, {expected} in fact");
        Ok(timers)
    }

    /// Returns in how many lines it stands.
    fn check_queued(&self, call: CallId, queued: &Queued) -> Result<usize, String> {
        for &(agent, _) in &queued.offers {
            let rings = self.ringing(agent) == Some(call);
            ensure!(rings, "{call} is offered to agent {agent}, who does not ring for it");
        }
        let key: CallKey = queued.key;
        if let Some((agent, _)) = queued.kept_for {
            let known = self.agents.get(&agent).is_some_and(|agent| agent.expected.contains(&key));
            ensure!(known, "{call} is kept for agent {agent}, who does not expect it");
        }
        if !queued.is_in_line() {
            return Ok(0);
        }
        for pool in &queued.pools {
            let pool = &self.pools[pool.0 as usize];
            let known = pool.line(queued.need).is_some_and(|line| line.keys.binary_search(&key).is_ok());
            ensure!(known, "{} has forgotten {call}", pool.id);
        }
        ensure!(self.is_staffed(queued), "{call} waits and nobody on duty can serve it");
        Ok(queued.pools.len())
    }
}

//! What is true of the machine between two inputs, for tests and simulations to check after every step.

use crate::agent::Seat;
use crate::call::CallState;
use crate::machine::Acd;
use domain::{AgentId, CallId};

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
            self.loose.is_empty() && self.freed.is_empty() && self.emptied.is_empty(),
            "an input was not settled"
        );
        for (id, pool) in &self.pools {
            ensure!(
                pool.waiting.is_empty() || pool.ready.is_empty(),
                "{id}: {:?} waits although {:?} is free",
                pool.waiting.first(),
                pool.ready.first()
            );
            ensure!(
                pool.waiting.is_empty() || !pool.on_duty.is_empty(),
                "{id}: {:?} waits and nobody is on duty",
                pool.waiting.first()
            );
        }
        let agent_timers = self.check_agents()?;
        let call_timers = self.check_calls()?;
        ensure!(
            self.timers.len() == agent_timers + call_timers,
            "{} timers for {agent_timers} agents' and {call_timers} calls' deadlines",
            self.timers.len()
        );
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
            for pool in &agent.pools {
                let sets = self.pools.get(pool).ok_or_else(|| format!("agent {id} is in no pool {pool}"))?;
                if let Some(key) = index.ready {
                    ensure!(sets.ready.contains(&key), "{pool} does not know that agent {id} is free");
                    ready += 1;
                }
                if index.on_duty {
                    ensure!(sets.on_duty.contains(&id), "{pool} does not know that agent {id} is on duty");
                    on_duty += 1;
                }
            }
            self.check_seat(id, &agent.seat)?;
        }
        let held: usize = self.pools.values().map(|pool| pool.ready.len()).sum();
        ensure!(held == ready, "{held} free agents in the pools, {ready} in fact");
        let held: usize = self.pools.values().map(|pool| pool.on_duty.len()).sum();
        ensure!(held == on_duty, "{held} agents on duty in the pools, {on_duty} in fact");
        Ok(timers)
    }

    fn check_seat(&self, id: AgentId, seat: &Seat) -> Result<(), String> {
        match seat {
            Seat::Ringing { call, .. } => {
                let agent = &self.agents[&id];
                ensure!(agent.on_duty(), "agent {id} rings and is not on duty");
                let Some(CallState::Queued(queued)) = self.calls.get(call) else {
                    return Err(format!("agent {id} rings for {call}, which is not queued"));
                };
                ensure!(queued.offered_to == Some(id), "agent {id} rings for {call}, which does not know it");
                ensure!(agent.pools.contains(&queued.pool), "agent {id} rings for a pool they are not in");
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
        let (mut timers, mut waiting) = (0, 0);
        for (&call, state) in &self.calls {
            match state {
                CallState::Talking { agent } => {
                    let seat = self.agents.get(agent).map(|agent| &agent.seat);
                    let mutual = matches!(seat, Some(Seat::Talking { call: with, .. }) if *with == call);
                    ensure!(mutual, "{call} talks to agent {agent}, who is {seat:?}");
                }
                CallState::Queued(queued) => {
                    if let Some(timer) = queued.patience(call) {
                        ensure!(self.timers.contains(&timer), "{call} has no timer for its patience");
                        timers += 1;
                    }
                    let Some(pool) = self.pools.get(&queued.pool) else {
                        return Err(format!("{call} waits in {}, which does not exist", queued.pool));
                    };
                    match queued.offered_to {
                        Some(agent) => ensure!(
                            self.ringing(agent) == Some(call),
                            "{call} is offered to agent {agent}, who does not ring for it"
                        ),
                        None => {
                            let key: (_, CallId) = queued.key(call);
                            ensure!(pool.waiting.contains(&key), "{} has forgotten {call}", queued.pool);
                            waiting += 1;
                        }
                    }
                }
            }
        }
        let held: usize = self.pools.values().map(|pool| pool.waiting.len()).sum();
        ensure!(held == waiting, "{held} calls wait in the pools, {waiting} in fact");
        Ok(timers)
    }
}

//! One pool: who waits, who is free, who is on duty.

use crate::agent::AgentIndex;
use crate::message::Pool;
use domain::{AgentId, CallId, OverflowReason, Timestamp};
use std::collections::BTreeSet;

#[derive(Clone, Debug)]
pub(crate) struct PoolState {
    pub(crate) config: Pool,
    /// Calls that nobody is being rung for, by original arrival.
    pub(crate) waiting: BTreeSet<(Timestamp, CallId)>,
    /// Agents who can be rung now, the longest idle first.
    pub(crate) ready: BTreeSet<(Timestamp, AgentId)>,
    /// Agents who are free now or will be.
    pub(crate) on_duty: BTreeSet<AgentId>,
}

impl PoolState {
    pub(crate) fn new(config: Pool) -> Self {
        Self { config, waiting: BTreeSet::new(), ready: BTreeSet::new(), on_duty: BTreeSet::new() }
    }

    /// Takes one more call, or says why not. A full pool is one whose patience is zero.
    pub(crate) fn admit(&mut self) -> Result<&mut Self, OverflowReason> {
        let room = self.config.max_waiting.saturating_add(self.ready.len());
        if self.on_duty.is_empty() {
            Err(OverflowReason::NobodyOnDuty)
        } else if self.waiting.len() >= room {
            Err(OverflowReason::PoolFull)
        } else {
            Ok(self)
        }
    }

    /// Counted from behind, where almost every call arrives.
    pub(crate) fn position(&self, key: (Timestamp, CallId)) -> usize {
        self.waiting.len() - self.waiting.range(key..).count() + 1
    }

    /// The longest-idle agent who has not missed the call; if all the free ones have, the longest idle.
    pub(crate) fn choose(&self, missed_by: &[AgentId]) -> Option<AgentId> {
        let fresh = self.ready.iter().find(|(_, agent)| !missed_by.contains(agent));
        fresh.or_else(|| self.ready.first()).map(|&(_, agent)| agent)
    }

    pub(crate) fn move_agent(&mut self, agent: AgentId, before: AgentIndex, after: AgentIndex) {
        if let Some(key) = before.ready {
            self.ready.remove(&key);
        }
        self.ready.extend(after.ready);
        if after.on_duty && !before.on_duty {
            self.on_duty.insert(agent);
        } else if before.on_duty && !after.on_duty {
            self.on_duty.remove(&agent);
        }
    }
}

//! One call, from its arrival in a queue to the end of its talk.

use crate::message::Stage;
use crate::timer::{Timer, timer};
use domain::{AgentId, CallId, PoolId, Timestamp};
use std::collections::VecDeque;

#[derive(Clone, Debug)]
pub(crate) enum CallState {
    Queued(Queued),
    Talking { agent: AgentId },
}

/// A call in a pool: waiting, or offered to one agent.
#[derive(Clone, Debug)]
pub(crate) struct Queued {
    pub(crate) journey: Journey,
    pub(crate) pool: PoolId,
    /// End of the patience in this pool.
    pub(crate) until: Timestamp,
    pub(crate) offered_to: Option<AgentId>,
}

/// What a call takes with it from pool to pool.
#[derive(Clone, Debug)]
pub(crate) struct Journey {
    pub(crate) arrived: Timestamp,
    /// The pools still to try.
    pub(crate) stages: VecDeque<Stage>,
    /// Who has let this call ring; every agent at most once.
    pub(crate) missed_by: Vec<AgentId>,
}

impl Queued {
    /// The place in every queue.
    pub(crate) fn key(&self, call: CallId) -> (Timestamp, CallId) {
        (self.journey.arrived, call)
    }

    pub(crate) fn patience(&self, call: CallId) -> Option<(Timestamp, Timer)> {
        timer(self.until, Timer::Patience(call))
    }
}

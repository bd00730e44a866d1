//! One call, from its arrival in a queue to the end of its talk.

use crate::estimate::Told;
use crate::fit::NeedIx;
use crate::message::{Change, Priority, Step};
use crate::pool::PoolIx;
use crate::timer::{Timer, timer};
use domain::{AgentId, CallId, OverflowReason, PoolId, Timestamp};
use std::collections::VecDeque;
use std::time::Duration;

#[derive(Clone, Debug)]
pub(crate) enum CallState {
    /// Boxed, for it is moved about.
    Queued(Box<Queued>),
    Talking {
        agent: AgentId,
    },
}

impl CallState {
    pub(crate) fn queued(&self) -> Option<&Queued> {
        match self {
            Self::Queued(queued) => Some(queued),
            Self::Talking { .. } => None,
        }
    }

    pub(crate) fn queued_mut(&mut self) -> Option<&mut Queued> {
        match self {
            Self::Queued(queued) => Some(queued),
            Self::Talking { .. } => None,
        }
    }
}

/// The place in every line: urgent calls first, then by arrival less the head start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct CallKey {
    is_ordinary: bool,
    due: Timestamp,
    pub(crate) call: CallId,
}

impl CallKey {
    pub(crate) fn new(call: CallId, arrived: Timestamp, priority: Priority) -> Self {
        let head_start_ms = i64::try_from(priority.head_start.as_millis()).unwrap_or(i64::MAX);
        let due = Timestamp::from_ms(arrived.as_ms().saturating_sub(head_start_ms));
        Self { is_ordinary: !priority.urgent, due, call }
    }
}

/// A call in its pools: waiting, kept for one agent, or offered.
#[derive(Clone, Debug)]
pub(crate) struct Queued {
    pub(crate) key: CallKey,
    pub(crate) arrived: Timestamp,
    pub(crate) priority: Priority,
    /// What the steps' times count from.
    pub(crate) entered: Timestamp,
    pub(crate) need: NeedIx,
    /// Whose agents may have the call, those of the first ones first.
    pub(crate) pools: Vec<PoolIx>,
    /// The steps still to take.
    pub(crate) steps: VecDeque<Step<NeedIx>>,
    /// Nobody else is offered the call until then.
    pub(crate) kept_for: Option<(AgentId, Timestamp)>,
    /// Nobody is on the line: the caller will be called back.
    pub(crate) is_callback: bool,
    /// When to tell the caller next, and how long after that again.
    pub(crate) announce: Option<(Timestamp, Duration)>,
    /// What the caller was told last.
    pub(crate) told: Option<Told>,
    /// Whose phones ring, and as agents of which pool.
    pub(crate) offers: Vec<(AgentId, PoolIx)>,
    /// Who has let this call ring; every agent at most once.
    pub(crate) missed_by: Vec<AgentId>,
    /// The pool that was tried last, and why it is not enough.
    pub(crate) last_pool: Option<PoolId>,
    pub(crate) refusal: OverflowReason,
}

impl Queued {
    /// Whether the pools' lines hold it.
    pub(crate) fn is_in_line(&self) -> bool {
        self.offers.is_empty() && self.kept_for.is_none()
    }

    /// Of now and of later.
    pub(crate) fn needs_mut(&mut self) -> impl Iterator<Item = &mut NeedIx> {
        let later = self.steps.iter_mut().filter_map(|step| match &mut step.change {
            Change::Relax(need) => Some(need),
            Change::AddPool(_) | Change::GiveUp => None,
        });
        std::iter::once(&mut self.need).chain(later)
    }

    /// For the next step, for whom the call is kept, for what the caller is told.
    pub(crate) fn timers(&self) -> [Option<(Timestamp, Timer)>; 3] {
        let call = self.key.call;
        let step_at = self.steps.front().map_or(Timestamp::NEVER, |step| self.entered + step.after);
        let kept_until = self.kept_for.map_or(Timestamp::NEVER, |(_, until)| until);
        let announce_at = self.announce.map_or(Timestamp::NEVER, |(at, _)| at);
        [
            timer(step_at, Timer::Step(call)),
            timer(kept_until, Timer::Kept(call)),
            timer(announce_at, Timer::Announce(call)),
        ]
    }
}

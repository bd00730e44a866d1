//! One agent: whether they take calls, whether the phone can be reached, and what it is doing.

use crate::call::CallKey;
use crate::fit::{Class, Levels};
use crate::message::Membership;
use crate::pool::{Free, PoolIx};
use crate::timer::{Timer, timer};
use domain::{Activity, AgentId, CallId, Duty, Timestamp, WrapUpRule};
use std::collections::BTreeSet;

#[derive(Clone, Debug)]
pub(crate) struct AgentState {
    /// Sorted by pool, each once, all of them configured.
    pub(crate) places: Vec<Place>,
    pub(crate) levels: Levels,
    pub(crate) class: Class,
    pub(crate) reachable: bool,
    pub(crate) duty: Duty,
    pub(crate) seat: Seat,
    /// Offers in a row that this agent has let go by.
    pub(crate) misses: u32,
    pub(crate) calls_today: u32,
    /// Since the last call was answered, as an agent of which pool: until the agent is idle again.
    pub(crate) busy_since: Option<(PoolIx, Timestamp)>,
    /// Those of pools that the agent is not in now: the next shift may bring them back.
    pub(crate) calls_elsewhere: Vec<(PoolIx, u32)>,
    /// Calls that are kept for this agent.
    pub(crate) expected: BTreeSet<CallKey>,
    /// No longer configured: vanishes as soon as the phone is silent.
    pub(crate) retiring: bool,
}

/// What the agent is in one pool.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    pub(crate) pool: PoolIx,
    pub(crate) membership: Membership,
    pub(crate) calls_today: u32,
}

impl Place {
    /// Whether the pool may still have the agent today.
    pub(crate) fn has_room(&self) -> bool {
        self.membership.calls_per_day_max.is_none_or(|max| self.calls_today < max)
    }
}

/// [`Activity`], with what only the machine needs to know.
#[derive(Clone, Debug)]
pub(crate) enum Seat {
    Idle {
        since: Timestamp,
    },
    /// `idle_since` comes back if the offer ends through nobody's fault.
    Ringing {
        call: CallId,
        until: Timestamp,
        idle_since: Timestamp,
    },
    Clearing {
        call: CallId,
        until: Timestamp,
        idle_since: Timestamp,
    },
    /// `pool` is the one whose wrap-up follows.
    Talking {
        call: CallId,
        pool: PoolIx,
        since: Timestamp,
    },
    WrapUp {
        call: CallId,
        until: Timestamp,
        rule: WrapUpRule,
    },
}

/// Where the machine's sets must hold an agent in this state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct AgentIndex {
    pub(crate) on_duty: bool,
    pub(crate) free: Option<Free>,
    /// Of the seat, of the pause.
    pub(crate) timers: [Option<(Timestamp, Timer)>; 2],
}

impl AgentState {
    pub(crate) fn new(now: Timestamp) -> Self {
        Self {
            places: Vec::new(),
            levels: Levels::default(),
            class: Class::default(),
            reachable: false,
            duty: Duty::Ready,
            seat: Seat::Idle { since: now },
            misses: 0,
            calls_today: 0,
            busy_since: None,
            calls_elsewhere: Vec::new(),
            expected: BTreeSet::new(),
            retiring: false,
        }
    }

    /// Present and willing: whoever waits in one of this agent's pools has somebody to wait for.
    pub(crate) fn on_duty(&self) -> bool {
        self.reachable && self.duty == Duty::Ready && !self.retiring
    }

    /// Can be rung now.
    pub(crate) fn is_free(&self) -> bool {
        self.on_duty() && matches!(self.seat, Seat::Idle { .. })
    }

    pub(crate) fn is_in(&self, pool: PoolIx) -> bool {
        self.places.iter().any(|place| place.pool == pool)
    }

    /// What others see.
    pub(crate) fn face(&self) -> (bool, Duty, Activity) {
        let activity = match self.seat {
            Seat::Idle { since } => Activity::Idle { since },
            Seat::Ringing { call, until, .. } => Activity::Ringing { call, until },
            Seat::Clearing { call, until, .. } => Activity::Clearing { call, until },
            Seat::Talking { call, since, .. } => Activity::Talking { call, since },
            Seat::WrapUp { call, until, rule } => Activity::WrapUp { call, until, rule },
        };
        (self.reachable, self.duty, activity)
    }

    pub(crate) fn index(&self, agent: AgentId) -> AgentIndex {
        let free = |idle_since| Free { agent, idle_since, calls_today: self.calls_today };
        let (free, seat_timer) = match self.seat {
            Seat::Idle { since } => (self.on_duty().then(|| free(since)), None),
            Seat::Ringing { until, .. } => (None, timer(until, Timer::Ring(agent))),
            Seat::Clearing { until, .. } => (None, timer(until, Timer::Clear(agent))),
            Seat::Talking { .. } => (None, None),
            Seat::WrapUp { until, .. } => (None, timer(until, Timer::WrapUp(agent))),
        };
        let pause_timer = match self.duty {
            Duty::Paused { until: Some(until), .. } if !self.retiring => timer(until, Timer::Pause(agent)),
            Duty::LoggedOut | Duty::Ready | Duty::Paused { .. } => None,
        };
        AgentIndex { on_duty: self.on_duty(), free, timers: [seat_timer, pause_timer] }
    }
}

//! One agent: whether they take calls, whether the phone can be reached, and what it is doing.

use crate::timer::{Timer, timer};
use domain::{Activity, AgentId, CallId, Duty, PoolId, Timestamp};

#[derive(Clone, Debug)]
pub(crate) struct AgentState {
    /// Sorted, each once, all of them configured.
    pub(crate) pools: Vec<PoolId>,
    pub(crate) reachable: bool,
    pub(crate) duty: Duty,
    pub(crate) seat: Seat,
    /// Offers in a row that this agent has let go by.
    pub(crate) misses: u32,
    /// No longer configured: vanishes as soon as the phone is silent.
    pub(crate) retiring: bool,
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
        pool: PoolId,
        since: Timestamp,
    },
    WrapUp {
        call: CallId,
        until: Timestamp,
    },
}

/// Where the machine's sets must hold an agent in this state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct AgentIndex {
    pub(crate) on_duty: bool,
    /// The longest idle is the smallest.
    pub(crate) ready: Option<(Timestamp, AgentId)>,
    /// Of the seat, of the pause.
    pub(crate) timers: [Option<(Timestamp, Timer)>; 2],
}

impl AgentState {
    pub(crate) fn new(now: Timestamp) -> Self {
        Self {
            pools: Vec::new(),
            reachable: false,
            duty: Duty::Ready,
            seat: Seat::Idle { since: now },
            misses: 0,
            retiring: false,
        }
    }

    /// Present and willing: whoever waits in one of this agent's pools has somebody to wait for.
    pub(crate) fn on_duty(&self) -> bool {
        self.reachable && self.duty == Duty::Ready && !self.retiring
    }

    /// What others see.
    pub(crate) fn face(&self) -> (bool, Duty, Activity) {
        let activity = match self.seat {
            Seat::Idle { since } => Activity::Idle { since },
            Seat::Ringing { call, until, .. } => Activity::Ringing { call, until },
            Seat::Clearing { call, until, .. } => Activity::Clearing { call, until },
            Seat::Talking { call, since, .. } => Activity::Talking { call, since },
            Seat::WrapUp { call, until } => Activity::WrapUp { call, until },
        };
        (self.reachable, self.duty, activity)
    }

    pub(crate) fn index(&self, agent: AgentId) -> AgentIndex {
        let (ready, seat_timer) = match self.seat {
            Seat::Idle { since } => (self.on_duty().then_some((since, agent)), None),
            Seat::Ringing { until, .. } => (None, timer(until, Timer::Ring(agent))),
            Seat::Clearing { until, .. } => (None, timer(until, Timer::Clear(agent))),
            Seat::Talking { .. } => (None, None),
            Seat::WrapUp { until, .. } => (None, timer(until, Timer::WrapUp(agent))),
        };
        let pause_timer = match self.duty {
            Duty::Paused { until: Some(until), .. } if !self.retiring => timer(until, Timer::Pause(agent)),
            Duty::Ready | Duty::Paused { .. } => None,
        };
        AgentIndex { on_duty: self.on_duty(), ready, timers: [seat_timer, pause_timer] }
    }
}

//! What goes into the machine and what comes out of it. All of it is plain data that can cross nodes.

use domain::{Activity, AgentId, CallId, Duty, LongerWait, OfferEnd, OverflowReason, PoolId, Timestamp};
pub use domain::{Matching, Skills};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::time::Duration;

/// Who distributes to whom. Replaced as a whole by [`Input::Configured`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Config {
    pub pools: BTreeMap<PoolId, Pool>,
    pub agents: BTreeMap<AgentId, Agent>,
}

/// Every span here that becomes a deadline is at least one millisecond.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pool {
    pub matching: Matching,
    /// How long one agent's phone rings for one call.
    pub ring_timeout: Duration,
    pub wrap_up: WrapUp,
    /// How long a phone whose offer was taken back may stay silent about it before it is believed idle.
    pub clear_timeout: Duration,
    /// This many misses in a row pause an agent; zero is taken as one.
    pub miss_limit: u32,
    /// How long such a pause lasts; `None`: until the agent comes back.
    pub miss_pause: Option<Duration>,
    /// How long a call keeps an agent, wrap-up and all, until calls have shown it.
    pub handling: Duration,
    /// Calls that wait at the same time without being offered to anybody. More are turned to the next step.
    pub max_waiting: usize,
    pub refuse: Refuse,
}

/// When else a call that would have to wait is turned to its next step. Whoever is let in stays.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refuse {
    /// While nobody who could serve the call is free.
    pub unless_ready: bool,
    /// While whoever is first in line has waited for longer than this.
    pub longest_wait: Option<Duration>,
    /// While the call would have to wait for longer than this, by the machine's own estimate.
    pub estimated_wait: Option<Duration>,
}

/// What follows a talk. A span of zero means that the agent is idle at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WrapUp {
    /// So long, or until the agent is done.
    Fixed(Duration),
    /// Likewise, and longer if the agent asks: up to `max` from the end of the talk, which is at least `span`.
    Extendable { span: Duration, max: Duration },
    /// Until the form is saved. Whoever has not saved it after `max` is paused until they do.
    UntilSaved { max: Duration },
}

impl From<Duration> for WrapUp {
    fn from(span: Duration) -> Self {
        Self::Fixed(span)
    }
}

/// Phones that ring for one call at the same time, where a pool rings all at once.
pub const RINGING_MAX: usize = 16;

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Agent {
    /// A pool that the configuration does not have is ignored.
    pub pools: BTreeMap<PoolId, Membership>,
    pub skills: Skills,
}

/// What an agent is in one pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Membership {
    /// The lowest is rung first, however long others have been idle. 1 by default.
    pub tier: u8,
    /// For [`Matching::InOrder`].
    pub order: u16,
    /// Calls of this pool that the agent takes from midnight to midnight in China; `None`: all.
    pub calls_per_day_max: Option<u32>,
}

impl Default for Membership {
    fn default() -> Self {
        Self { tier: 1, order: 0, calls_per_day_max: None }
    }
}

/// What an agent must know for a call, and should know.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Need {
    pub required: Skills,
    /// Seen to in pools that match by [`Matching::BestSkill`].
    pub wished: Skills,
}

/// Who is served before whom: first who is urgent, then by arrival less the head start. So nobody with a head
/// start passes those who have waited longer than that, and nobody waits for ever.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Priority {
    pub urgent: bool,
    pub head_start: Duration,
}

/// What a call waits for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    pub need: Need,
    pub priority: Priority,
    /// The agent who last spoke with this caller, and how long the call is kept for them.
    pub acquainted: Option<(AgentId, Duration)>,
    /// In the order of their times; the first ones are due at once.
    pub steps: Vec<Step>,
    /// Whether the caller is told the place in the line.
    pub announce: Option<Announce>,
}

/// When a caller who waits is told how long it will take; each span is at least one millisecond.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Announce {
    /// From when the call entered the queue.
    pub first: Duration,
    pub every: Duration,
}

impl Request {
    /// Waits for the first pool, after its patience for the next one too, and so on; after the last one's the wait
    /// is over.
    #[must_use]
    pub fn in_turn(stages: impl IntoIterator<Item = (PoolId, Duration)>) -> Self {
        let mut after = Duration::ZERO;
        let mut steps = Vec::new();
        for (pool, patience) in stages {
            steps.push(Step { after, change: Change::AddPool(pool) });
            after = after.saturating_add(patience);
        }
        steps.push(Step { after, change: Change::GiveUp });
        Self { steps, ..Self::default() }
    }
}

/// What becomes of a wait with time. A step is also taken at once when nobody on duty could serve the call
/// otherwise. After the last one the call waits until something else ends it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step<N = Need> {
    /// From when the call entered the queue.
    pub after: Duration,
    pub change: Change<N>,
}

/// None takes the call out of a pool or moves it in the line, so nobody is worse off for having waited longer. `N`
/// is a need, or what stands for one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Change<N = Need> {
    /// Agents of this pool may have the call too, after those of the earlier pools.
    AddPool(PoolId),
    /// From now on the call needs this, and nothing of what it needed before.
    Relax(N),
    /// The wait is over.
    GiveUp,
}

/// What happened. An input about an unknown call or agent, or one that comes too late, changes nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Input {
    /// Also while calls are live: calls of a removed pool take their next steps, an agent who was removed in the
    /// middle of a talk finishes it. A new agent is ready and unreachable.
    Configured(Config),
    /// A call wants an agent. `arrived` is when it first began to wait, which a second queue of the same
    /// call, or the next owner of a region, passes on. Ignored while the call is queued or talking.
    CallArrived {
        call: CallId,
        arrived: Timestamp,
        request: Request,
    },
    /// A supervisor moves a waiting call.
    CallPrioritised {
        call: CallId,
        priority: Priority,
    },
    /// The caller need not stay on the line: the call keeps its place in every line until `until`, whether or not
    /// anybody is on duty, and is offered in its turn. Then the caller is dialled.
    CallbackAsked {
        call: CallId,
        until: Timestamp,
    },
    /// The caller has hung up or was taken elsewhere. Ends a talk too.
    CallLeft {
        call: CallId,
    },
    /// The agent's phone answered the offer.
    AgentAnswered {
        agent: AgentId,
        call: CallId,
    },
    /// The agent's phone ended the offer by itself: `Rejected`, `Unreachable` or, if nobody took it, `NoAnswer`.
    OfferFailed {
        agent: AgentId,
        call: CallId,
        end: OfferEnd,
    },
    /// The phone has confirmed what [`Output::StopRinging`] asked for.
    OfferCleared {
        agent: AgentId,
        call: CallId,
    },
    /// Caller and agent no longer hear each other.
    TalkEnded {
        agent: AgentId,
        call: CallId,
    },
    AgentReachable {
        agent: AgentId,
        reachable: bool,
    },
    AgentDuty {
        agent: AgentId,
        duty: Duty,
    },
    /// The agent has finished before the deadline of the wrap-up, or has saved the form: also late, which ends the
    /// pause that followed.
    WrapUpDone {
        agent: AgentId,
    },
    /// The agent wants so much longer than the present deadline, as far as the wrap-up's rule lets.
    WrapUpExtended {
        agent: AgentId,
        by: Duration,
    },
    /// What was last reported of the agent before a restart. The duty and a wrap-up come back with their deadlines,
    /// and end at once if those have passed; an offer or a talk is gone with its call. Ignored once the agent is
    /// doing something.
    AgentRestored {
        agent: AgentId,
        duty: Duty,
        activity: Activity,
    },
}

/// What is to be done (`Ring`, `StopRinging`, `Connect`, `Release`) and what is to be told (the others).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Output {
    /// The call waits in this pool too, and somebody is on duty there; `position` counts from 1.
    Queued { call: CallId, pool: PoolId, position: usize },
    /// Tell the caller. `wait` is until an agent is found ([`crate::Acd`] knows how many there are and how long
    /// their calls take); it is longer than what the caller was told last only for the reason `longer`.
    Announce { call: CallId, position: usize, wait: Duration, longer: Option<LongerWait> },
    /// Ring this agent's phone. `until` is for information: the deadline is kept here.
    Ring { agent: AgentId, call: CallId, pool: PoolId, until: Timestamp },
    /// Silence the phone, then say [`Input::OfferCleared`].
    StopRinging { agent: AgentId, call: CallId, end: OfferEnd },
    /// Let the two hear each other. `waited` is from the call's arrival.
    Connect { agent: AgentId, call: CallId, pool: PoolId, waited: Duration },
    /// The phone answered an offer that is gone: hang this agent's leg up. No blame.
    Release { agent: AgentId, call: CallId },
    /// Agents of `to` may have the call from now on, because those of `from` did not have it in time or cannot.
    Overflowed { call: CallId, from: PoolId, to: PoolId, reason: OverflowReason },
    /// The wait is over without an agent; the machine has forgotten the call.
    Exhausted { call: CallId, reason: OverflowReason },
    /// Every `Ring` is followed by exactly one of these.
    OfferEnded { agent: AgentId, call: CallId, end: OfferEnd },
    /// At most one per agent and input, after everything else. The last one about an agent who was removed
    /// from the configuration says that the agent is unreachable.
    AgentChanged { agent: AgentId, reachable: bool, duty: Duty, activity: Activity },
    /// The clock went back by so much, and every instant that the machine holds with it: no wait and no order
    /// changed. To be logged, for somebody set it.
    ClockSetBack { by: Duration },
}

//! What goes into the machine and what comes out of it. All of it is plain data that can cross nodes.

use domain::{Activity, AgentId, CallId, Duty, OfferEnd, OverflowReason, PoolId, Timestamp};
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
    /// How long one agent's phone rings for one call.
    pub ring_timeout: Duration,
    /// After a talk; zero means that the agent is idle at once.
    pub wrap_up: Duration,
    /// How long a phone whose offer was taken back may stay silent about it before it is believed idle.
    pub clear_timeout: Duration,
    /// This many misses in a row pause an agent; zero is taken as one.
    pub miss_limit: u32,
    /// How long such a pause lasts; `None`: until the agent comes back.
    pub miss_pause: Option<Duration>,
    /// Calls that wait at the same time without being offered to anybody. More overflow.
    pub max_waiting: usize,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Agent {
    /// A pool that the configuration does not have is ignored.
    pub pools: Vec<PoolId>,
}

/// One pool that a call waits in, and for how long.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stage {
    pub pool: PoolId,
    /// `Duration::MAX` waits until something else ends it.
    pub patience: Duration,
}

/// What happened. An input about an unknown call or agent, or one that comes too late, changes nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Input {
    /// Also while calls are live: calls of a removed pool overflow, an agent who was removed in the middle
    /// of a talk finishes it. A new agent is ready and unreachable.
    Configured(Config),
    /// A call wants an agent. `arrived` is when it first began to wait, which a second queue of the same
    /// call, or the next owner of a region, passes on. Ignored while the call is queued or talking.
    CallArrived {
        call: CallId,
        arrived: Timestamp,
        stages: Vec<Stage>,
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
    /// The agent's phone ended the offer by itself: `Rejected` or `Unreachable`.
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
    /// The agent has finished before the deadline of the wrap-up.
    WrapUpDone {
        agent: AgentId,
    },
}

/// What is to be done (`Ring`, `StopRinging`, `Connect`, `Release`) and what is to be told (the others).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Output {
    /// The call waits in a pool; `position` counts from 1.
    Queued {
        call: CallId,
        pool: PoolId,
        position: usize,
    },
    /// Ring this agent's phone. `until` is for information: the deadline is kept here.
    Ring {
        agent: AgentId,
        call: CallId,
        pool: PoolId,
        until: Timestamp,
    },
    /// Silence the phone, then say [`Input::OfferCleared`].
    StopRinging {
        agent: AgentId,
        call: CallId,
        end: OfferEnd,
    },
    /// Let the two hear each other. `waited` is from the call's arrival.
    Connect {
        agent: AgentId,
        call: CallId,
        pool: PoolId,
        waited: Duration,
    },
    /// The phone answered an offer that is gone: hang this agent's leg up. No blame.
    Release {
        agent: AgentId,
        call: CallId,
    },
    Overflowed {
        call: CallId,
        from: PoolId,
        to: PoolId,
        reason: OverflowReason,
    },
    /// No stage is left; the machine has forgotten the call.
    Exhausted {
        call: CallId,
        reason: OverflowReason,
    },
    /// Every `Ring` is followed by exactly one of these.
    OfferEnded {
        agent: AgentId,
        call: CallId,
        end: OfferEnd,
    },
    /// At most one per agent and input, after everything else. The last one about an agent who was removed
    /// from the configuration says that the agent is unreachable.
    AgentChanged {
        agent: AgentId,
        reachable: bool,
        duty: Duty,
        activity: Activity,
    },
}

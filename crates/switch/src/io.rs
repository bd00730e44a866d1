//! What goes into a node and what comes out, besides SIP bytes.

use crate::Snapshot;
use domain::{AgentId, CallId, Duty, FactRecord, Override, Pii, PoolId, RegionId, Supervision, TalkWish};
use std::time::Duration;

pub enum Input {
    /// A media shard reports.
    Media(media::Event),
    /// A TCP connection is gone.
    FlowClosed(sip::Flow),
    /// An agent or a supervisor chose.
    AgentDuty {
        agent: AgentId,
        duty: Duty,
    },
    WrapUpDone {
        agent: AgentId,
    },
    WrapUpExtended {
        agent: AgentId,
        by: Duration,
    },
    /// The lawyer in a talk wants something of it.
    TalkWished {
        agent: AgentId,
        wish: TalkWish,
    },
    /// A supervisor wants the phone of that account to take part in a talk so, or no longer. One phone a call.
    CallSupervised {
        call: CallId,
        user: String,
        mode: Option<Supervision>,
        /// Who did, for the record.
        by: String,
    },
    /// The answer to [`Output::CallerAsked`]. Queues that the call has yet to reach know it.
    CallerKnown {
        call: CallId,
        history: dialplan::History,
    },
    /// A supervisor moves a waiting call, in this queue and later ones; with the default priority back to what the
    /// dialplan gave it. Nothing happens to one that does not wait.
    CallPrioritised {
        call: CallId,
        priority: acd::Priority,
        /// Who did, for the record.
        by: String,
    },
    /// A supervisor opens or closes a pool of the region, or all of them, whatever their hours say; without `set` the
    /// hours count again.
    PoolsOverridden {
        region: RegionId,
        pool: Option<PoolId>,
        set: Option<Override>,
        /// Who did, for the record.
        by: String,
    },
    /// Also while calls are under way: these keep the dialplan that they began with, and lawyers who are no
    /// more finish their talk. A region that is no more takes no new calls.
    Configured(Box<Snapshot>),
    /// Refuse new calls from now on; those under way go on.
    Drain,
    /// End every call now.
    HangUpAll,
}

pub enum Output {
    Transmit {
        flow: sip::Flow,
        bytes: Vec<u8>,
    },
    Media {
        shard: u16,
        command: media::Command,
    },
    Fact(FactRecord),
    /// What do the records tell of this caller? To be answered soon by [`Input::CallerKnown`]; the call goes on
    /// without.
    CallerAsked {
        call: CallId,
        number: Pii,
    },
    /// The clock went back by so much: to be logged.
    ClockSetBack {
        by: Duration,
    },
    /// A phone failed to prove who it is: to be logged, masked as it prints.
    AuthFailed {
        user: domain::Pii,
        flow: sip::Flow,
    },
}

/// Calls that were refused before they became calls: no fact, no ticket, but counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    pub refused_not_allowed: u64,
    pub refused_no_such_number: u64,
    pub refused_no_codec: u64,
    pub refused_overload: u64,
}

//! What the database holds, as plain values.

use domain::{
    AgentId, CallId, CountyId, Departure, LegRole, LegStats, Party, Pii, PlanVersion, PoolId, RegionId,
    Satisfaction, Segment, Timestamp, TrunkId,
};
use std::collections::BTreeMap;

/// One call as it was: a row of `calls`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallRecord {
    pub id: CallId,
    /// None for a call that was refused before any dialplan saw it.
    pub region: Option<RegionId>,
    pub county: Option<CountyId>,
    /// The pool in which the call first waited: the one whose figures it counts in.
    pub first_pool: Option<PoolId>,
    /// The pool that answered.
    pub pool: Option<PoolId>,
    pub trunk: Option<TrunkId>,
    pub caller: Pii,
    pub caller_name: Option<Pii>,
    pub called: String,
    /// The version of the dialplan that it walked.
    pub plan: Option<PlanVersion>,
    pub arrived: Timestamp,
    /// When it first began to wait in a pool: it reached the queue.
    pub queued: Option<Timestamp>,
    /// When the first agent's phone was rung.
    pub offered: Option<Timestamp>,
    /// When caller and agent first heard each other: it was answered by a person.
    pub bridged: Option<Timestamp>,
    pub departed: Timestamp,
    /// From `queued` to `bridged`, or to `departed` if nobody answered.
    pub waited_ms: Option<u64>,
    /// From `bridged` to the end of the talk, which is `departed` unless the caller stayed for the survey.
    pub talk_ms: Option<u64>,
    pub departure: Departure,
    /// Who ended the talk, or the call where there was none.
    pub ended_by: Party,
    /// The agent who answered first.
    pub agent: Option<AgentId>,
    /// How often an agent's phone was rung for this call.
    pub offers: u32,
    pub overflows: u32,
}

/// A call with everything that belongs to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WholeCall {
    pub record: CallRecord,
    pub legs: Vec<Leg>,
    pub recordings: Vec<Recording>,
    /// The caller's answer to the survey. The ticket has it; a call without a ticket is not asked.
    pub satisfaction: Option<Satisfaction>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leg {
    pub leg: u64,
    pub role: LegRole,
    pub stats: LegStats,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recording {
    /// Relative to the recordings folder.
    pub file: String,
    pub duration_ms: u64,
    pub segments: Vec<Segment>,
}

/// One ticket (工单).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ticket {
    /// `WZ-20261122-0001`: prefix of the region, day in China on which the call arrived, running number.
    pub number: String,
    pub call: CallId,
    pub region: RegionId,
    pub county: Option<CountyId>,
    pub state: TicketState,
    pub caller: Pii,
    pub agent: Option<AgentId>,
    pub category: Option<String>,
    pub satisfaction: Option<Satisfaction>,
    /// When the call arrived.
    pub created: Timestamp,
}

/// Where a ticket stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum TicketState {
    /// 受理
    Accepted,
}

impl TicketState {
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
        }
    }
}

/// Counts of closed calls, as integers: whoever shows a rate shows both its parts.
///
/// Connected rate (接通率) = `answered` ÷ `reached_queue`; 15-second answer rate = `answered_in_15s` ÷
/// `reached_queue` (GB/T 33358-2016). A call counts on the day it arrived.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    pub calls: u64,
    /// Calls that began to wait in a pool.
    pub reached_queue: u64,
    /// Calls in which a person answered, whatever ended them. A mere offer never counts.
    pub answered: u64,
    /// Of `answered`, those that waited at most 15,000 ms.
    pub answered_in_15s: u64,
    /// Only reasons that occurred.
    pub departures: BTreeMap<Departure, u64>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FiguresOfRegion {
    pub total: Figures,
    /// Calls of no county (left before attribution) are in `total` alone.
    pub counties: BTreeMap<CountyId, Figures>,
    /// By the pool in which a call first waited.
    pub pools: BTreeMap<PoolId, Figures>,
}

/// What the records tell of a caller.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CallerHistory {
    /// The lawyer who last spoke with them, and when that began.
    pub last_talk: Option<(AgentId, Timestamp)>,
    /// When their calls arrived, newest first.
    pub arrivals: Vec<Timestamp>,
}

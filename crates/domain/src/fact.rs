use crate::{
    Activity, AgentId, CallId, CountyId, Departure, Duty, Override, Party, Pii, PlanVersion, PoolId,
    RegionId, Satisfaction, Supervision, TargetId, Timestamp, TrunkId,
};
use serde::{Deserialize, Serialize};

/// Something that happened, as it leaves the switch: the only way out.
///
/// `seq` rises by one from fact to fact of a node and starts at `ms of the start × 1000`, so it keeps
/// rising over restarts. The store is idempotent by (call id, seq).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FactRecord {
    pub at: Timestamp,
    pub seq: u64,
    #[serde(flatten)]
    pub fact: Fact,
}

/// One call's facts come in this order: `CallArrived` first, `CallClosed` last, every other in between;
/// `CallDeparted` exactly once, before the last leg and the last recording are settled.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "fact")]
pub enum Fact {
    /// A new INVITE was accepted for treatment. `caller` and `called` are normalised numbers.
    CallArrived {
        call: CallId,
        region: Option<RegionId>,
        trunk: Option<TrunkId>,
        caller: Pii,
        caller_name: Option<Pii>,
        called: String,
        /// The dialplan that the call walks.
        #[serde(default)]
        plan: Option<PlanVersion>,
    },
    /// The dialplan knows whose call this is.
    CallAttributed {
        call: CallId,
        county: CountyId,
    },
    /// A step of the dialplan began: `notice`, `menu`, `queue`, `voicemail`, `callback`, `survey`, `transfer`, `hangup`.
    CallStepped {
        call: CallId,
        step: String,
    },
    /// The call began to wait in a pool. The first of these per call means that it reached the queue.
    CallQueued {
        call: CallId,
        pool: PoolId,
    },
    /// The caller was told to be at that position, and to wait so long. `longer`: than told before, and why.
    WaitAnnounced {
        call: CallId,
        position: u64,
        wait_ms: u64,
        longer: Option<LongerWait>,
    },
    /// The caller need not stay on the line: the call keeps its place until then.
    CallbackAsked {
        call: CallId,
        until: Timestamp,
    },
    /// A lawyer is reserved, and the caller who asked for it is being called.
    CallbackDialled {
        call: CallId,
        agent: AgentId,
    },
    /// A number of the target is being dialled, to pass the call on or because the lawyer calls it in: the first, or
    /// the next after one that failed.
    TransferDialled {
        call: CallId,
        target: TargetId,
        /// Which of the target's numbers, from 1.
        attempt: u8,
    },
    /// Somebody has answered, or that number failed. `Unreachable` without a number dialled: the trunk is not there.
    TransferEnded {
        call: CallId,
        target: TargetId,
        end: OfferEnd,
    },
    /// Caller, lawyer and whoever answered at the target hear each other. Before, lawyer and target consulted.
    CallConferenced {
        call: CallId,
        target: TargetId,
    },
    /// Whoever answered at the target is gone; the lawyer is with the caller again. `by` ended it.
    GuestLeft {
        call: CallId,
        target: TargetId,
        by: Party,
    },
    /// The lawyer has left the caller to the target, or to its ringing. `TalkEnded` came before.
    CallPassedOn {
        call: CallId,
        target: TargetId,
    },
    /// The lawyer has left the caller to another pool, where the call waits before all others. `TalkEnded` came before.
    CallPassedTo {
        call: CallId,
        agent: AgentId,
        pool: PoolId,
    },
    /// The lawyer's phone wanted to send the caller where nobody may be sent.
    ReferralRefused {
        call: CallId,
        agent: AgentId,
        to: Pii,
    },
    /// The supervisor whose phone is that account's takes part in the talk so from now on, or no longer. `by` is who
    /// wanted it: `board` until there are logins.
    CallSupervised {
        call: CallId,
        user: String,
        mode: Option<Supervision>,
        by: String,
    },
    CallOverflowed {
        call: CallId,
        from: PoolId,
        to: PoolId,
        reason: OverflowReason,
    },
    /// A supervisor moved the waiting call: `by` is who, `board` until there are logins.
    CallPrioritised {
        call: CallId,
        urgent: bool,
        /// It waits as if it had come so much earlier.
        head_start_ms: u64,
        by: String,
    },
    /// The agent's phone is being rung.
    AgentOffered {
        call: CallId,
        agent: AgentId,
        pool: PoolId,
    },
    OfferEnded {
        call: CallId,
        agent: AgentId,
        end: OfferEnd,
    },
    /// The two hear each other. `waited_ms` is from the first `CallQueued`.
    CallBridged {
        call: CallId,
        agent: AgentId,
        pool: PoolId,
        waited_ms: u64,
    },
    CallHeld {
        call: CallId,
        by: Party,
    },
    CallResumed {
        call: CallId,
        by: Party,
    },
    /// The talk is over and the caller still on the line. `by` ended it. Without this fact a talk lasts until
    /// `CallDeparted`.
    TalkEnded {
        call: CallId,
        by: Party,
    },
    /// The caller is being asked how satisfied the talk was: once a call.
    SurveyAsked {
        call: CallId,
    },
    SurveyAnswered {
        call: CallId,
        level: Satisfaction,
    },
    /// The caller left. `by` ended it.
    CallDeparted {
        call: CallId,
        departure: Departure,
        by: Party,
    },
    /// A leg is gone, with what its media saw.
    LegEnded {
        call: CallId,
        leg: u64,
        role: LegRole,
        stats: LegStats,
    },
    /// The recording (or the voicemail) is complete on disk. `file` is relative to the recordings folder.
    RecordingClosed {
        call: CallId,
        file: String,
        duration_ms: u64,
        segments: Vec<Segment>,
    },
    /// Nothing more will come for this call: store it.
    CallClosed {
        call: CallId,
    },
    AgentChanged {
        agent: AgentId,
        reachable: bool,
        state: Duty,
        activity: Activity,
    },
    TrunkChanged {
        trunk: TrunkId,
        reachable: bool,
    },
    /// A pool is open or closed by hand, or by its hours again. `by` is who said so: `board` until there are logins,
    /// `time` where it was set until then.
    PoolOverridden {
        region: RegionId,
        pool: PoolId,
        set: Option<Override>,
        by: String,
    },
}

impl Fact {
    /// The call that this fact belongs to, if it belongs to one.
    #[must_use]
    pub fn call(&self) -> Option<CallId> {
        match self {
            Self::CallArrived { call, .. }
            | Self::CallAttributed { call, .. }
            | Self::CallStepped { call, .. }
            | Self::CallQueued { call, .. }
            | Self::WaitAnnounced { call, .. }
            | Self::CallbackAsked { call, .. }
            | Self::CallbackDialled { call, .. }
            | Self::TransferDialled { call, .. }
            | Self::TransferEnded { call, .. }
            | Self::CallConferenced { call, .. }
            | Self::GuestLeft { call, .. }
            | Self::CallPassedOn { call, .. }
            | Self::CallPassedTo { call, .. }
            | Self::ReferralRefused { call, .. }
            | Self::CallSupervised { call, .. }
            | Self::CallOverflowed { call, .. }
            | Self::CallPrioritised { call, .. }
            | Self::AgentOffered { call, .. }
            | Self::OfferEnded { call, .. }
            | Self::CallBridged { call, .. }
            | Self::CallHeld { call, .. }
            | Self::CallResumed { call, .. }
            | Self::TalkEnded { call, .. }
            | Self::SurveyAsked { call }
            | Self::SurveyAnswered { call, .. }
            | Self::CallDeparted { call, .. }
            | Self::LegEnded { call, .. }
            | Self::RecordingClosed { call, .. }
            | Self::CallClosed { call } => Some(*call),
            Self::AgentChanged { .. } | Self::TrunkChanged { .. } | Self::PoolOverridden { .. } => None,
        }
    }
}

/// Why a call moved on to its next pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OverflowReason {
    PatienceExpired,
    NobodyOnDuty,
    /// As many calls wait in the pool as may.
    PoolFull,
    /// Nobody in the pool was free, and it takes no call that would have to wait.
    NobodyReady,
    /// Whoever is first in line has waited for longer than the pool takes further calls.
    LongestWait,
    /// The call itself would have waited for longer than the pool takes calls.
    EstimatedWait,
}

/// Why a caller is told a longer wait than before. Nothing else makes it longer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LongerWait {
    /// Agents have paused, left or finished their calls of the day.
    FewerAgents,
    /// Somebody with a better claim has come.
    Overtaken,
}

/// How an offer to an agent, or the dialling of a number outside, ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OfferEnd {
    Answered,
    /// The ring time-out passed, or what answered a mobile number was not shown to be a person: a miss.
    NoAnswer,
    /// The agent declined: a miss. Outside: busy, or declined.
    Rejected,
    /// The phone could not be reached or vanished while it rang.
    Unreachable,
    /// The caller hung up, or an agent's call moved to another pool: nobody's fault.
    Withdrawn,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LegRole {
    Caller,
    Agent,
    /// Whom the call was passed on to, or whom the lawyer called in.
    Outside,
    /// Who listened, whispered or barged in.
    Supervisor,
}

/// What one leg's media saw, from RTP and RTCP (RFC 3550 section 6.4).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LegStats {
    pub packets_received: u64,
    pub packets_sent: u64,
    /// Expected minus received; duplicates can make it negative.
    pub packets_lost: i64,
    /// Interarrival jitter at the end, in microseconds.
    pub jitter_us: u32,
    /// The same two as the peer last reported them of what we sent.
    pub remote_packets_lost: Option<i64>,
    pub remote_jitter_us: Option<u32>,
    /// Packets from an address that the leg never negotiated or proved; dropped.
    pub packets_stray: u64,
}

/// A part of a recording in which the same people were heard.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Segment {
    /// From the start of the recording.
    pub offset_ms: u64,
    pub duration_ms: u64,
    /// The agent heard on our side, if one was.
    pub agent: Option<AgentId>,
    /// The target outside that was heard on our side, if one was.
    #[serde(default)]
    pub target: Option<TargetId>,
    /// The caller heard nothing of it.
    #[serde(default)]
    pub is_private: bool,
    /// Whether a supervisor took part, and how. Only one who barges in is recorded.
    #[serde(default)]
    pub supervision: Option<Supervision>,
    /// SHA-256 of the segment's sample bytes, lower-case hex.
    pub sha256: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fact_knows_its_call() {
        assert_eq!(Fact::CallClosed { call: CallId(7) }.call(), Some(CallId(7)));
        assert_eq!(Fact::TrunkChanged { trunk: "t".into(), reachable: true }.call(), None);
    }
}

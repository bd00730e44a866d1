//! What the board shows, as it travels to browsers: plain data, personal data already masked.
//!
//! Times are milliseconds of UTC, spans are milliseconds; call ids are text because they exceed 2^53.
//! Deliberately absent: how any of it is computed (`board.rs`).

use domain::{
    AgentId, CallId, CountyId, Departure, Override, PauseReason, PlanVersion, PoolId, RegionId, Timestamp,
    TrunkId, WrapUpRule,
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// A name in both languages of the consoles.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Name {
    pub zh: String,
    pub en: String,
}

impl Name {
    pub fn new(zh: impl Into<String>, en: impl Into<String>) -> Self {
        Self { zh: zh.into(), en: en.into() }
    }
}

/// Everything the board shows at one moment. Deltas with a greater `seq` continue it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Snapshot {
    pub seq: u64,
    /// The server's clock when the snapshot was taken; browsers let waits tick relative to it.
    #[schema(value_type = i64)]
    pub now: Timestamp,
    pub regions: Vec<RegionRow>,
    #[schema(value_type = BTreeMap<String, Name>)]
    pub counties: BTreeMap<CountyId, Name>,
    pub pools: Vec<PoolRow>,
    pub agents: Vec<AgentRow>,
    pub calls: Vec<CallRow>,
    /// Newest first.
    pub recent: Vec<DepartedCall>,
    pub trunks: Vec<TrunkRow>,
    pub today: Today,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct RegionRow {
    #[schema(value_type = String)]
    pub id: RegionId,
    pub name: Name,
    /// The version of the dialplan that new calls walk.
    #[schema(value_type = String)]
    pub dialplan: PlanVersion,
}

/// What one fact (or the passing of midnight) changed. `seq` is also the id of the server-sent event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Delta {
    pub seq: u64,
    #[schema(value_type = i64)]
    pub at: Timestamp,
    pub changes: Vec<Change>,
}

/// One row that replaces the row of the same id, or one that goes away.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case", tag = "change", content = "row")]
pub enum Change {
    Pool(PoolRow),
    Agent(AgentRow),
    Call(CallRow),
    /// The call is no longer live.
    CallGone {
        #[schema(value_type = String)]
        id: CallId,
    },
    /// To be put before the other recent calls.
    Departed(DepartedCall),
    Trunk(TrunkRow),
    Today(Today),
}

/// Proof that the feed is alive, every five seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Beat {
    #[schema(value_type = i64)]
    pub now: Timestamp,
}

/// A county's (or the city's) queue and the lawyers who serve it. A lawyer of two pools counts in both.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct PoolRow {
    #[schema(value_type = String)]
    pub id: PoolId,
    #[schema(value_type = String)]
    pub region: RegionId,
    pub name: Name,
    #[schema(value_type = Option<String>)]
    pub county: Option<CountyId>,
    /// Calls that wait in this pool, those whose lawyer's phone is ringing included.
    pub waiting: u32,
    /// When the caller who waits longest began to wait, in whatever pool that was.
    #[schema(value_type = Option<i64>)]
    pub waiting_since: Option<Timestamp>,
    pub ready: u32,
    pub ringing: u32,
    pub talking: u32,
    pub wrap_up: u32,
    pub paused: u32,
    /// Whose phones cannot be reached.
    pub offline: u32,
    pub logged_out: u32,
    /// What a supervisor has set in place of the pool's hours.
    pub by_hand: Option<ByHandView>,
}

/// A pool is open or closed whatever its hours say.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct ByHandView {
    pub open: bool,
    /// None: until a supervisor says otherwise.
    #[schema(value_type = Option<i64>)]
    pub until: Option<Timestamp>,
}

impl From<Override> for ByHandView {
    fn from(set: Override) -> Self {
        Self { open: set.open, until: set.until }
    }
}

/// A lawyer. What the human wants (`duty`) and what the phone does (`activity`) are two things;
/// `standing` is the one word that the board prints for both.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct AgentRow {
    #[schema(value_type = u32)]
    pub id: AgentId,
    pub name: String,
    #[schema(value_type = Vec<String>)]
    pub pools: Vec<PoolId>,
    pub reachable: bool,
    pub duty: DutyView,
    /// Why, while `duty` is `paused`.
    pub pause: Option<PauseView>,
    pub activity: ActivityView,
    /// How the wrap-up ends, while `activity` is `wrap_up`.
    pub wrap_up: Option<WrapUpView>,
    /// The latest end to which the wrap-up can be put off, while it is `extendable`.
    #[schema(value_type = Option<i64>)]
    pub wrap_up_latest: Option<Timestamp>,
    pub standing: Standing,
    /// When `standing` became what it is; none if nothing was heard of this lawyer yet.
    #[schema(value_type = Option<i64>)]
    pub since: Option<Timestamp>,
    /// When the pause, the ringing or the wrap-up ends by itself.
    #[schema(value_type = Option<i64>)]
    pub until: Option<Timestamp>,
    #[schema(value_type = Option<String>)]
    pub call: Option<CallId>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum DutyView {
    Ready,
    Paused,
    LoggedOut,
}

/// Why a lawyer is paused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum PauseView {
    ShortBreak,
    Meal,
    Meeting,
    Training,
    Fieldwork,
    Other,
    /// The phone rang unanswered too often.
    NoAnswer,
    /// The form of the last call was not saved in time.
    FormUnsaved,
}

impl From<PauseReason> for PauseView {
    fn from(reason: PauseReason) -> Self {
        match reason {
            PauseReason::ShortBreak => Self::ShortBreak,
            PauseReason::Meal => Self::Meal,
            PauseReason::Meeting => Self::Meeting,
            PauseReason::Training => Self::Training,
            PauseReason::Fieldwork => Self::Fieldwork,
            PauseReason::Other => Self::Other,
            PauseReason::NoAnswer => Self::NoAnswer,
            PauseReason::FormUnsaved => Self::FormUnsaved,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum WrapUpView {
    Fixed,
    Extendable,
    UntilSaved,
}

impl From<WrapUpRule> for WrapUpView {
    fn from(rule: WrapUpRule) -> Self {
        match rule {
            WrapUpRule::Fixed => Self::Fixed,
            WrapUpRule::Extendable { .. } => Self::Extendable,
            WrapUpRule::UntilSaved => Self::UntilSaved,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ActivityView {
    Idle,
    Ringing,
    Clearing,
    Talking,
    WrapUp,
}

/// In which column of a pool a lawyer is counted: in exactly one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    Ready,
    Ringing,
    Talking,
    WrapUp,
    Paused,
    Offline,
    LoggedOut,
}

/// A call that is under way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct CallRow {
    #[schema(value_type = String)]
    pub id: CallId,
    #[schema(value_type = Option<String>)]
    pub region: Option<RegionId>,
    /// Masked.
    pub caller: String,
    pub called: String,
    #[schema(value_type = Option<String>)]
    pub county: Option<CountyId>,
    #[schema(value_type = Option<String>)]
    pub pool: Option<PoolId>,
    pub phase: Phase,
    #[schema(value_type = i64)]
    pub arrived_at: Timestamp,
    /// When the call first began to wait; kept when it overflows to another pool.
    #[schema(value_type = Option<i64>)]
    pub queued_at: Option<Timestamp>,
    #[schema(value_type = i64)]
    pub phase_since: Timestamp,
    #[schema(value_type = Option<u32>)]
    pub agent: Option<AgentId>,
    /// What a supervisor made of its place in line; none if nobody touched it.
    pub priority: Option<PriorityView>,
    /// Nobody is on the line: the caller asked to be called back, and the call keeps its place.
    pub is_callback: bool,
}

/// A place in line: urgent calls first, then by arrival less the head start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct PriorityView {
    pub urgent: bool,
    pub head_start_ms: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Notice or menu.
    Menu,
    Waiting,
    /// Still waiting; a lawyer's phone rings for it.
    Ringing,
    Talking,
    Held,
    Voicemail,
    /// The dialplan says goodbye, asks how the talk was, or passes the call on to somebody outside.
    Leaving,
}

impl Phase {
    /// Whether the caller still waits for a lawyer.
    #[must_use]
    pub const fn is_waiting(self) -> bool {
        match self {
            Self::Waiting | Self::Ringing => true,
            Self::Menu | Self::Talking | Self::Held | Self::Voicemail | Self::Leaving => false,
        }
    }
}

/// A call that has left.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct DepartedCall {
    #[schema(value_type = String)]
    pub id: CallId,
    #[schema(value_type = i64)]
    pub at: Timestamp,
    /// Masked.
    pub caller: String,
    #[schema(value_type = Option<String>)]
    pub county: Option<CountyId>,
    #[schema(value_type = Option<String>)]
    pub pool: Option<PoolId>,
    #[schema(value_type = Option<u32>)]
    pub agent: Option<AgentId>,
    #[schema(value_type = DepartureView)]
    pub departure: Departure,
    /// From the first queue to the lawyer, or to the departure of one who gave up. None: never queued.
    pub waited_ms: Option<u64>,
    pub talked_ms: Option<u64>,
}

/// The schema of [`domain::Departure`].
#[derive(ToSchema)]
#[schema(as = Departure)]
#[serde(rename_all = "snake_case")]
pub enum DepartureView {
    Answered,
    AbandonedMenu,
    AbandonedQueue,
    AbandonedRinging,
    Voicemail,
    Transferred,
    CallbackUnanswered,
    CallbackExpired,
    CallbackMerged,
    PatienceExpired,
    NobodyOnDuty,
    Closed,
    CallerLost,
    NotAllowed,
    NoSuchNumber,
    NoCodec,
    Overload,
    Failed,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct TrunkRow {
    #[schema(value_type = String)]
    pub id: TrunkId,
    pub reachable: bool,
}

/// The figures of one day in China, by day of arrival (GB/T 33358-2016). A call enters `reached_queue` when
/// its wait has ended, so that nobody lowers a rate merely by waiting:
/// connected rate = `answered ÷ reached_queue`, 15-second answer rate = `answered_in_15s ÷ reached_queue`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct Today {
    /// The midnight that began the day.
    #[schema(value_type = i64)]
    pub day_start: Timestamp,
    /// All that arrived.
    pub calls: u64,
    /// Began to wait in a pool, and were answered or have left.
    pub reached_queue: u64,
    /// A lawyer answered.
    pub answered: u64,
    /// A lawyer answered at most 15,000 ms after the wait began.
    pub answered_in_15s: u64,
    /// Hung up while they waited.
    pub abandoned: u64,
    pub voicemail: u64,
}

#[cfg(test)]
mod tests {
    use super::*;
    use utoipa::PartialSchema;

    #[test]
    fn the_described_departures_are_the_domains() {
        let schema = serde_json::to_value(DepartureView::schema()).unwrap();
        let labels: Vec<_> = Departure::ALL.iter().map(|departure| departure.as_str()).collect();
        assert_eq!(schema["enum"], serde_json::json!(labels));
    }
}

//! Stored calls and tickets as the API shows them: the store's records with personal data masked.

use crate::app::App;
use crate::board::{abandoned_the_queue, day_start};
use crate::view::{DepartureView, Today};
use domain::{
    AgentId, CallId, CountyId, Departure, LegRole, LegStats, Party, PlanVersion, PoolId, RegionId,
    Satisfaction, Supervision, TargetId, Timestamp, TrunkId,
};
use serde::Serialize;
use store::{CallRecord, Figures, Leg, Recording, Ticket, WholeCall};
use utoipa::ToSchema;

/// A call that has left, as stored.
#[derive(Serialize, ToSchema)]
pub(crate) struct CallSummary {
    #[schema(value_type = String)]
    id: CallId,
    #[schema(value_type = Option<String>)]
    region: Option<RegionId>,
    #[schema(value_type = Option<String>)]
    county: Option<CountyId>,
    /// The pool that answered.
    #[schema(value_type = Option<String>)]
    pool: Option<PoolId>,
    #[schema(value_type = Option<String>)]
    trunk: Option<TrunkId>,
    /// Masked.
    caller: String,
    /// Masked.
    caller_name: Option<String>,
    called: String,
    /// Which version of its region's dialplan the call walked.
    #[schema(value_type = Option<String>)]
    dialplan: Option<PlanVersion>,
    #[schema(value_type = i64)]
    arrived_at: Timestamp,
    #[schema(value_type = Option<i64>)]
    queued_at: Option<Timestamp>,
    #[schema(value_type = Option<i64>)]
    bridged_at: Option<Timestamp>,
    #[schema(value_type = i64)]
    departed_at: Timestamp,
    waited_ms: Option<u64>,
    talked_ms: Option<u64>,
    #[schema(value_type = DepartureView)]
    departure: Departure,
    #[schema(value_type = PartyView)]
    ended_by: Party,
    #[schema(value_type = Option<u32>)]
    agent: Option<AgentId>,
    /// How often a lawyer's phone was rung.
    offers: u32,
    overflows: u32,
}

/// A call with its legs, its recordings and the number of its ticket.
#[derive(Serialize, ToSchema)]
pub(crate) struct CallDetail {
    call: CallSummary,
    legs: Vec<LegView>,
    recordings: Vec<RecordingView>,
    /// None for a call that was refused before any dialplan saw it.
    ticket: Option<String>,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct LegView {
    leg: u64,
    #[schema(value_type = LegRoleView)]
    role: LegRole,
    packets_received: u64,
    packets_sent: u64,
    packets_lost: i64,
    jitter_us: u32,
    remote_packets_lost: Option<i64>,
    remote_jitter_us: Option<u32>,
    packets_stray: u64,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct RecordingView {
    /// Relative to the recordings folder.
    file: String,
    duration_ms: u64,
    segments: Vec<SegmentView>,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct SegmentView {
    offset_ms: u64,
    duration_ms: u64,
    #[schema(value_type = Option<u32>)]
    agent: Option<AgentId>,
    /// Whom outside is heard on our side.
    #[schema(value_type = Option<String>)]
    target: Option<TargetId>,
    /// The caller heard nothing of it.
    is_private: bool,
    /// How a supervisor took part: `listen`, `whisper` or `barge`.
    #[schema(value_type = Option<String>)]
    supervision: Option<Supervision>,
    sha256: String,
}

/// One ticket (工单).
#[derive(Serialize, ToSchema)]
pub(crate) struct TicketView {
    number: String,
    #[schema(value_type = String)]
    call: CallId,
    #[schema(value_type = String)]
    region: RegionId,
    #[schema(value_type = Option<String>)]
    county: Option<CountyId>,
    state: &'static str,
    /// Masked.
    caller: String,
    #[schema(value_type = Option<u32>)]
    agent: Option<AgentId>,
    category: Option<String>,
    /// What the caller answered when asked after the talk.
    #[schema(value_type = Option<SatisfactionView>)]
    satisfaction: Option<Satisfaction>,
    #[schema(value_type = i64)]
    created_at: Timestamp,
}

/// The schema of [`domain::Satisfaction`].
#[derive(ToSchema)]
#[schema(as = Satisfaction)]
#[serde(rename_all = "snake_case")]
#[expect(dead_code, reason = "only its schema is used")]
pub(crate) enum SatisfactionView {
    VerySatisfied,
    Satisfied,
    FairlySatisfied,
    Dissatisfied,
    VeryDissatisfied,
}

/// The schema of [`domain::Party`].
#[derive(ToSchema)]
#[schema(as = Party)]
#[serde(rename_all = "snake_case")]
#[expect(dead_code, reason = "only its schema is used")]
pub(crate) enum PartyView {
    Caller,
    Agent,
    Outside,
    System,
}

/// The schema of [`domain::LegRole`].
#[derive(ToSchema)]
#[schema(as = LegRole)]
#[serde(rename_all = "snake_case")]
#[expect(dead_code, reason = "only its schema is used")]
pub(crate) enum LegRoleView {
    Caller,
    Agent,
    Outside,
}

impl From<CallRecord> for CallSummary {
    fn from(record: CallRecord) -> Self {
        Self {
            id: record.id,
            region: record.region,
            county: record.county,
            pool: record.pool,
            trunk: record.trunk,
            caller: record.caller.masked(),
            caller_name: record.caller_name.map(|name| name.masked()),
            called: record.called,
            dialplan: record.plan,
            arrived_at: record.arrived,
            queued_at: record.queued,
            bridged_at: record.bridged,
            departed_at: record.departed,
            waited_ms: record.waited_ms,
            talked_ms: record.talk_ms,
            departure: record.departure,
            ended_by: record.ended_by,
            agent: record.agent,
            offers: record.offers,
            overflows: record.overflows,
        }
    }
}

impl CallDetail {
    pub(crate) fn new(call: WholeCall, ticket: Option<Ticket>) -> Self {
        Self {
            call: call.record.into(),
            legs: call.legs.into_iter().map(LegView::from).collect(),
            recordings: call.recordings.into_iter().map(RecordingView::from).collect(),
            ticket: ticket.map(|ticket| ticket.number),
        }
    }
}

impl From<Leg> for LegView {
    fn from(Leg { leg, role, stats }: Leg) -> Self {
        let LegStats {
            packets_received,
            packets_sent,
            packets_lost,
            jitter_us,
            remote_packets_lost,
            remote_jitter_us,
            packets_stray,
        } = stats;
        Self {
            leg,
            role,
            packets_received,
            packets_sent,
            packets_lost,
            jitter_us,
            remote_packets_lost,
            remote_jitter_us,
            packets_stray,
        }
    }
}

impl From<Recording> for RecordingView {
    fn from(recording: Recording) -> Self {
        let segment = |segment: domain::Segment| SegmentView {
            offset_ms: segment.offset_ms,
            duration_ms: segment.duration_ms,
            agent: segment.agent,
            target: segment.target,
            is_private: segment.is_private,
            supervision: segment.supervision,
            sha256: segment.sha256,
        };
        Self {
            file: recording.file,
            duration_ms: recording.duration_ms,
            segments: recording.segments.into_iter().map(segment).collect(),
        }
    }
}

impl From<Ticket> for TicketView {
    fn from(ticket: Ticket) -> Self {
        Self {
            number: ticket.number,
            call: ticket.call,
            region: ticket.region,
            county: ticket.county,
            state: ticket.state.as_str(),
            caller: ticket.caller.masked(),
            agent: ticket.agent,
            category: ticket.category,
            satisfaction: ticket.satisfaction,
            created_at: ticket.created,
        }
    }
}

/// Adds the day's stored calls to the board, so that a restart does not begin the day again. Without the
/// database the board counts from now on: calls matter more than figures.
pub(crate) async fn add_what_was_before(app: &App, now: Timestamp) {
    let since = day_start(now);
    let mut before = Today { day_start: since, ..Today::default() };
    for region in app.live.snapshot(now).regions {
        match app.store.today(&region.id, since).await {
            Ok(figures) => add_figures(&mut before, &figures.total),
            Err(error) => tracing::error!(%error, region = %region.id, "today's figures cannot be read"),
        }
    }
    app.live.add_to_today(before, now);
}

fn add_figures(today: &mut Today, figures: &Figures) {
    today.calls += figures.calls;
    today.reached_queue += figures.reached_queue;
    today.answered += figures.answered;
    today.answered_in_15s += figures.answered_in_15s;
    for (&departure, &count) in &figures.departures {
        today.abandoned += if abandoned_the_queue(departure) { count } else { 0 };
        today.voicemail += if departure == Departure::Voicemail { count } else { 0 };
    }
}

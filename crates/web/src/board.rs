//! The live board: a fold of facts into rows. Pure.
//!
//! Deliberately absent: IO, the clock (time comes with each fact), sequence numbers and clients
//! (`live.rs`). A caller's number is masked before it enters; the board cannot reveal it.

use crate::directory::Directory;
use crate::view::{
    ActivityView, AgentRow, CallRow, Change, DepartedCall, DutyView, Phase, PoolRow, PriorityView, RegionRow,
    Snapshot, Standing, Today, TrunkRow,
};
use domain::{
    Activity, AgentId, CallId, Departure, Duty, Fact, FactRecord, OfferEnd, Override, PoolId, RegionId,
    Timestamp, TrunkId, WrapUpRule,
};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

/// Departed calls that the board keeps.
pub const RECENT_CALLS_MAX: usize = 50;
/// Live calls that the board shows; those beyond are counted in `today` only when they arrive.
pub const LIVE_CALLS_MAX: usize = 20_000;
/// Lawyers on the board, those in the directory included.
pub const AGENTS_MAX: usize = 20_000;
pub const TRUNKS_MAX: usize = 256;
/// The wait within which an answer counts in `answered_in_15s` (GB/T 33358-2016).
pub const ANSWER_TARGET: Duration = Duration::from_secs(15);
/// China has one time zone without summer time.
const UTC_OFFSET_MS: i64 = 8 * 60 * 60 * 1000;
const DAY_MS: i64 = 24 * 60 * 60 * 1000;

pub struct Board {
    directory: Directory,
    /// In the order of the directory.
    pools: Vec<PoolRow>,
    /// Index into `pools`.
    places: BTreeMap<PoolId, usize>,
    /// Who waits in each pool, the longest wait first.
    queues: BTreeMap<PoolId, BTreeSet<(Timestamp, CallId)>>,
    agents: BTreeMap<AgentId, AgentRow>,
    calls: BTreeMap<CallId, LiveCall>,
    /// Newest first.
    recent: VecDeque<DepartedCall>,
    trunks: BTreeMap<TrunkId, bool>,
    today: Today,
}

struct LiveCall {
    row: CallRow,
    bridged: Option<Bridged>,
    /// For a caller who stayed on the line.
    talk_ended: Option<Timestamp>,
}

#[derive(Clone, Copy)]
struct Bridged {
    at: Timestamp,
    waited_ms: u64,
}

impl Board {
    #[must_use]
    pub fn new(directory: Directory, now: Timestamp) -> Self {
        let mut board = Self {
            directory: Directory::default(),
            pools: Vec::new(),
            places: BTreeMap::new(),
            queues: BTreeMap::new(),
            agents: BTreeMap::new(),
            calls: BTreeMap::new(),
            recent: VecDeque::new(),
            trunks: BTreeMap::new(),
            today: Today { day_start: day_start(now), ..Today::default() },
        };
        board.set_directory(directory);
        board
    }

    /// Takes over new names, pools and lawyers; what is known of lawyers who stay is kept.
    pub fn set_directory(&mut self, directory: Directory) {
        let mut before = std::mem::take(&mut self.agents);
        for (&id, agent) in directory.agents.iter().take(AGENTS_MAX) {
            let row = before.remove(&id).unwrap_or_else(|| unheard_of(id));
            self.agents.insert(id, AgentRow { name: agent.name.clone(), pools: agent.pools.clone(), ..row });
        }
        self.directory = directory;
        self.recount();
    }

    /// What was counted before this process started. Ignored if it is of another day.
    pub fn add_to_today(&mut self, before: Today) -> Vec<Change> {
        let is_empty = before == Today { day_start: before.day_start, ..Today::default() };
        if is_empty || before.day_start != self.today.day_start {
            return Vec::new();
        }
        self.today.calls += before.calls;
        self.today.reached_queue += before.reached_queue;
        self.today.answered += before.answered;
        self.today.answered_in_15s += before.answered_in_15s;
        self.today.abandoned += before.abandoned;
        self.today.voicemail += before.voicemail;
        vec![Change::Today(self.today)]
    }

    /// Begins a new day at midnight even when nobody calls.
    pub fn handle_time(&mut self, now: Timestamp) -> Vec<Change> {
        let day_start = day_start(now);
        if day_start <= self.today.day_start {
            return Vec::new();
        }
        self.today = Today { day_start, ..Today::default() };
        vec![Change::Today(self.today)]
    }

    /// Folds one fact in and tells which rows it changed. Facts of calls it never saw arrive are ignored.
    pub fn apply(&mut self, record: &FactRecord) -> Vec<Change> {
        let at = record.at;
        let mut changes = self.handle_time(at);
        match &record.fact {
            Fact::CallArrived { .. } => self.arrive(at, &record.fact, &mut changes),
            Fact::CallAttributed { call, county } => {
                self.edit(*call, &mut changes, |live| live.row.county = Some(county.clone()));
            }
            Fact::CallStepped { call, step } => {
                self.edit(*call, &mut changes, |live| step_to(live, step, at));
            }
            Fact::CallQueued { call, pool } | Fact::CallOverflowed { call, to: pool, .. } => {
                self.edit(*call, &mut changes, |live| wait_in(&mut live.row, pool, at));
            }
            Fact::CallPrioritised { call, urgent, head_start_ms, .. } => {
                let priority = PriorityView { urgent: *urgent, head_start_ms: *head_start_ms };
                self.edit(*call, &mut changes, |live| live.row.priority = Some(priority));
            }
            Fact::CallbackAsked { call, .. } => {
                self.edit(*call, &mut changes, |live| {
                    set_phase(&mut live.row, Phase::Waiting, at);
                    live.row.is_callback = true;
                });
            }
            Fact::AgentOffered { call, agent, .. } => self.edit(*call, &mut changes, |live| {
                set_phase(&mut live.row, Phase::Ringing, at);
                live.row.agent = Some(*agent);
            }),
            Fact::OfferEnded { call, agent, end } => {
                self.edit(*call, &mut changes, |live| end_offer(&mut live.row, *agent, *end, at));
            }
            Fact::CallBridged { call, agent, pool, waited_ms } => {
                let bridged = Bridged { at, waited_ms: *waited_ms };
                self.bridge(*call, *agent, pool, bridged, &mut changes);
            }
            Fact::CallHeld { call, .. } => {
                self.edit(*call, &mut changes, |live| change_talk(live, Phase::Held, at));
            }
            Fact::CallResumed { call, .. } => {
                self.edit(*call, &mut changes, |live| change_talk(live, Phase::Talking, at));
            }
            Fact::TalkEnded { call, .. } => self.edit(*call, &mut changes, |live| {
                set_phase(&mut live.row, Phase::Leaving, at);
                live.talk_ended.get_or_insert(at);
            }),
            Fact::CallDeparted { call, departure, .. } => self.depart(*call, *departure, at, &mut changes),
            Fact::AgentChanged { agent, reachable, state, activity } => {
                self.change_agent(at, *agent, (*reachable, *state, *activity), &mut changes);
            }
            Fact::TrunkChanged { trunk, reachable } => self.change_trunk(trunk, *reachable, &mut changes),
            Fact::PoolOverridden { pool, set, .. } => self.override_pool(pool, *set, &mut changes),
            Fact::WaitAnnounced { .. }
            | Fact::CallbackDialled { .. }
            | Fact::SurveyAsked { .. }
            | Fact::SurveyAnswered { .. }
            | Fact::TransferDialled { .. }
            | Fact::CallConferenced { .. }
            | Fact::GuestLeft { .. }
            | Fact::CallPassedOn { .. }
            | Fact::CallPassedTo { .. }
            | Fact::ReferralRefused { .. }
            | Fact::CallSupervised { .. }
            | Fact::TransferEnded { .. }
            | Fact::LegEnded { .. }
            | Fact::RecordingClosed { .. }
            | Fact::CallClosed { .. } => {}
        }
        changes
    }

    #[must_use]
    pub fn snapshot(&self, seq: u64, now: Timestamp) -> Snapshot {
        let region = |(id, region): (&RegionId, &crate::directory::Region)| RegionRow {
            id: id.clone(),
            name: region.name.clone(),
            dialplan: region.dialplan.clone(),
        };
        Snapshot {
            seq,
            now,
            regions: self.directory.regions.iter().map(region).collect(),
            counties: self.directory.counties.clone(),
            pools: self.pools.clone(),
            agents: self.agents.values().cloned().collect(),
            calls: self.calls.values().map(|live| live.row.clone()).collect(),
            recent: self.recent.iter().cloned().collect(),
            trunks: self
                .trunks
                .iter()
                .map(|(id, &reachable)| TrunkRow { id: id.clone(), reachable })
                .collect(),
            today: self.today,
        }
    }

    #[must_use]
    pub fn pools(&self) -> &[PoolRow] {
        &self.pools
    }

    #[must_use]
    pub fn knows_agent(&self, agent: AgentId) -> bool {
        self.agents.contains_key(&agent)
    }

    /// Whose pool it is.
    #[must_use]
    pub fn region_of(&self, pool: &PoolId) -> Option<&RegionId> {
        self.places.get(pool).map(|&place| &self.pools[place].region)
    }

    #[must_use]
    pub fn knows_region(&self, region: &RegionId) -> bool {
        self.directory.regions.contains_key(region)
    }

    /// Whether the call waits for a lawyer.
    #[must_use]
    pub fn is_waiting(&self, call: CallId) -> bool {
        self.calls.get(&call).is_some_and(|live| live.row.phase.is_waiting())
    }

    /// Whether the call has arrived and not departed.
    #[must_use]
    pub fn is_under_way(&self, call: CallId) -> bool {
        self.calls.contains_key(&call)
    }

    fn arrive(&mut self, at: Timestamp, fact: &Fact, changes: &mut Vec<Change>) {
        let Fact::CallArrived { call, region, caller, called, .. } = fact else { return };
        self.today.calls += 1;
        changes.push(Change::Today(self.today));
        if self.calls.len() >= LIVE_CALLS_MAX {
            return;
        }
        let row = CallRow {
            id: *call,
            region: region.clone(),
            caller: caller.masked(),
            called: called.clone(),
            county: None,
            pool: None,
            phase: Phase::Menu,
            arrived_at: at,
            queued_at: None,
            phase_since: at,
            agent: None,
            priority: None,
            is_callback: false,
        };
        changes.push(Change::Call(row.clone()));
        self.calls.insert(*call, LiveCall { row, bridged: None, talk_ended: None });
    }

    /// Changes one live call, and the queues of the pools it leaves and enters.
    fn edit(&mut self, call: CallId, changes: &mut Vec<Change>, change: impl FnOnce(&mut LiveCall)) {
        let Some(live) = self.calls.get_mut(&call) else { return };
        let before = place_in_queue(&live.row);
        change(live);
        let after = place_in_queue(&live.row);
        changes.push(Change::Call(live.row.clone()));
        if before != after {
            self.leave_queue(before, call, changes);
            self.enter_queue(after, call, changes);
        }
    }

    fn bridge(
        &mut self,
        call: CallId,
        agent: AgentId,
        pool: &PoolId,
        bridged: Bridged,
        changes: &mut Vec<Change>,
    ) {
        let mut first_of = None;
        self.edit(call, changes, |live| {
            set_phase(&mut live.row, Phase::Talking, bridged.at);
            live.row.agent = Some(agent);
            live.row.pool = Some(pool.clone());
            if live.bridged.is_none() {
                live.bridged = Some(bridged);
                first_of = Some(live.row.arrived_at);
            }
        });
        if first_of.is_some_and(|arrived_at| self.is_today(arrived_at)) {
            self.today.reached_queue += 1;
            self.today.answered += 1;
            let in_time = u128::from(bridged.waited_ms) <= ANSWER_TARGET.as_millis();
            self.today.answered_in_15s += u64::from(in_time);
            changes.push(Change::Today(self.today));
        }
    }

    fn depart(&mut self, call: CallId, departure: Departure, at: Timestamp, changes: &mut Vec<Change>) {
        let Some(LiveCall { row, bridged, talk_ended }) = self.calls.remove(&call) else { return };
        self.leave_queue(place_in_queue(&row), call, changes);
        changes.push(Change::CallGone { id: call });
        // Whoever went on to voicemail or to a goodbye stopped waiting when that began.
        let wait_ended = if row.phase.is_waiting() { at } else { row.phase_since };
        let gave_up_after = row.queued_at.map(|queued_at| span_ms(queued_at, wait_ended));
        if self.is_today(row.arrived_at) {
            self.today.reached_queue += u64::from(bridged.is_none() && row.queued_at.is_some());
            self.today.abandoned += u64::from(abandoned_the_queue(departure));
            self.today.voicemail += u64::from(departure == Departure::Voicemail);
            changes.push(Change::Today(self.today));
        }
        let departed = DepartedCall {
            id: call,
            at,
            caller: row.caller,
            county: row.county,
            pool: row.pool,
            agent: bridged.and(row.agent),
            departure,
            waited_ms: bridged.map(|bridged| bridged.waited_ms).or(gave_up_after),
            talked_ms: bridged.map(|bridged| span_ms(bridged.at, talk_ended.unwrap_or(at))),
        };
        changes.push(Change::Departed(departed.clone()));
        self.recent.truncate(RECENT_CALLS_MAX - 1);
        self.recent.push_front(departed);
    }

    fn change_agent(
        &mut self,
        at: Timestamp,
        agent: AgentId,
        (reachable, duty, activity): (bool, Duty, Activity),
        changes: &mut Vec<Change>,
    ) {
        if self.agents.len() >= AGENTS_MAX && !self.agents.contains_key(&agent) {
            return;
        }
        let row = self.agents.entry(agent).or_insert_with(|| unheard_of(agent));
        let before = row.standing;
        fill_agent(row, reachable, duty, activity);
        if row.standing != before || row.since.is_none() {
            row.since = Some(at);
        }
        let after = row.standing;
        let pools = row.pools.clone();
        changes.push(Change::Agent(row.clone()));
        if before == after {
            return;
        }
        for place in pools.iter().filter_map(|pool| self.places.get(pool)) {
            let pool = &mut self.pools[*place];
            *column(pool, before) -= 1;
            *column(pool, after) += 1;
            changes.push(Change::Pool(pool.clone()));
        }
    }

    fn change_trunk(&mut self, trunk: &TrunkId, reachable: bool, changes: &mut Vec<Change>) {
        if self.trunks.len() >= TRUNKS_MAX && !self.trunks.contains_key(trunk) {
            return;
        }
        self.trunks.insert(trunk.clone(), reachable);
        changes.push(Change::Trunk(TrunkRow { id: trunk.clone(), reachable }));
    }

    fn override_pool(&mut self, pool: &PoolId, set: Option<Override>, changes: &mut Vec<Change>) {
        if let Some(&place) = self.places.get(pool) {
            let row = &mut self.pools[place];
            row.by_hand = set.map(Into::into);
            changes.push(Change::Pool(row.clone()));
        }
    }

    fn enter_queue(&mut self, place: Option<(PoolId, Timestamp)>, call: CallId, changes: &mut Vec<Change>) {
        if let Some((pool, queued_at)) = place {
            self.queues.entry(pool.clone()).or_default().insert((queued_at, call));
            self.refresh_queue(&pool, changes);
        }
    }

    fn leave_queue(&mut self, place: Option<(PoolId, Timestamp)>, call: CallId, changes: &mut Vec<Change>) {
        if let Some((pool, queued_at)) = place {
            if let Some(queue) = self.queues.get_mut(&pool) {
                queue.remove(&(queued_at, call));
            }
            self.refresh_queue(&pool, changes);
        }
    }

    fn refresh_queue(&mut self, pool: &PoolId, changes: &mut Vec<Change>) {
        if let (Some(&place), Some(queue)) = (self.places.get(pool), self.queues.get(pool)) {
            let row = &mut self.pools[place];
            row.waiting = u32::try_from(queue.len()).unwrap_or(u32::MAX);
            row.waiting_since = queue.first().map(|&(queued_at, _)| queued_at);
            changes.push(Change::Pool(row.clone()));
        }
    }

    /// Builds the pools anew from agents and calls.
    fn recount(&mut self) {
        let before = std::mem::take(&mut self.pools);
        let by_hand: BTreeMap<PoolId, _> = before.into_iter().map(|pool| (pool.id, pool.by_hand)).collect();
        let pools = self.directory.pools.iter();
        self.pools = pools
            .map(|pool| PoolRow { by_hand: by_hand.get(&pool.id).copied().flatten(), ..empty_pool(pool) })
            .collect();
        self.places = self.pools.iter().enumerate().map(|(place, pool)| (pool.id.clone(), place)).collect();
        self.queues = BTreeMap::new();
        for agent in self.agents.values() {
            for place in agent.pools.iter().filter_map(|pool| self.places.get(pool)) {
                *column(&mut self.pools[*place], agent.standing) += 1;
            }
        }
        let waiting: Vec<_> =
            self.calls.iter().filter_map(|(&call, live)| Some((call, place_in_queue(&live.row)?))).collect();
        for (call, place) in waiting {
            self.enter_queue(Some(place), call, &mut Vec::new());
        }
    }

    fn is_today(&self, arrived_at: Timestamp) -> bool {
        day_start(arrived_at) == self.today.day_start
    }
}

/// The midnight in China that began the day of `at`.
#[must_use]
pub fn day_start(at: Timestamp) -> Timestamp {
    let local = at.as_ms() + UTC_OFFSET_MS;
    Timestamp::from_ms(local - local.rem_euclid(DAY_MS) - UTC_OFFSET_MS)
}

fn standing(reachable: bool, duty: DutyView, activity: ActivityView) -> Standing {
    match activity {
        ActivityView::Talking => Standing::Talking,
        ActivityView::Ringing | ActivityView::Clearing => Standing::Ringing,
        ActivityView::WrapUp | ActivityView::Idle if duty == DutyView::LoggedOut => Standing::LoggedOut,
        ActivityView::WrapUp | ActivityView::Idle if !reachable => Standing::Offline,
        ActivityView::WrapUp => Standing::WrapUp,
        ActivityView::Idle => match duty {
            DutyView::Ready => Standing::Ready,
            DutyView::Paused => Standing::Paused,
            DutyView::LoggedOut => Standing::LoggedOut,
        },
    }
}

fn fill_agent(row: &mut AgentRow, reachable: bool, duty: Duty, activity: Activity) {
    let (duty, pause, pause_ends) = match duty {
        Duty::Ready => (DutyView::Ready, None, None),
        Duty::LoggedOut => (DutyView::LoggedOut, None, None),
        Duty::Paused { reason, until } => (DutyView::Paused, Some(reason.into()), until),
    };
    let rule = if let Activity::WrapUp { rule, .. } = activity { Some(rule) } else { None };
    let (activity, call, activity_ends) = match activity {
        Activity::Idle { .. } => (ActivityView::Idle, None, None),
        Activity::Ringing { call, until } => (ActivityView::Ringing, Some(call), Some(until)),
        Activity::Clearing { call, until } => (ActivityView::Clearing, Some(call), Some(until)),
        Activity::Talking { call, .. } => (ActivityView::Talking, Some(call), None),
        Activity::WrapUp { call, until, .. } => (ActivityView::WrapUp, Some(call), Some(until)),
    };
    row.reachable = reachable;
    row.duty = duty;
    row.pause = pause;
    row.activity = activity;
    row.wrap_up = rule.map(Into::into);
    row.wrap_up_latest = match rule {
        Some(WrapUpRule::Extendable { latest }) => Some(latest).filter(|&at| at != Timestamp::NEVER),
        Some(WrapUpRule::Fixed | WrapUpRule::UntilSaved) | None => None,
    };
    row.standing = standing(reachable, duty, activity);
    row.call = call;
    row.until = activity_ends.or(pause_ends).filter(|&until| until != Timestamp::NEVER);
}

fn unheard_of(id: AgentId) -> AgentRow {
    AgentRow {
        id,
        name: id.to_string(),
        pools: Vec::new(),
        reachable: false,
        duty: DutyView::Ready,
        pause: None,
        activity: ActivityView::Idle,
        wrap_up: None,
        wrap_up_latest: None,
        standing: Standing::Offline,
        since: None,
        until: None,
        call: None,
    }
}

fn empty_pool(pool: &crate::directory::Pool) -> PoolRow {
    PoolRow {
        id: pool.id.clone(),
        region: pool.region.clone(),
        name: pool.name.clone(),
        county: pool.county.clone(),
        waiting: 0,
        waiting_since: None,
        ready: 0,
        ringing: 0,
        talking: 0,
        wrap_up: 0,
        paused: 0,
        offline: 0,
        logged_out: 0,
        by_hand: None,
    }
}

fn column(pool: &mut PoolRow, standing: Standing) -> &mut u32 {
    match standing {
        Standing::Ready => &mut pool.ready,
        Standing::Ringing => &mut pool.ringing,
        Standing::Talking => &mut pool.talking,
        Standing::WrapUp => &mut pool.wrap_up,
        Standing::Paused => &mut pool.paused,
        Standing::Offline => &mut pool.offline,
        Standing::LoggedOut => &mut pool.logged_out,
    }
}

fn place_in_queue(row: &CallRow) -> Option<(PoolId, Timestamp)> {
    if row.phase.is_waiting() { Some((row.pool.clone()?, row.queued_at?)) } else { None }
}

fn set_phase(row: &mut CallRow, phase: Phase, at: Timestamp) {
    if row.phase != phase {
        row.phase = phase;
        row.phase_since = at;
    }
}

/// Of a talk with a lawyer only: what goes on with somebody outside is not shown.
fn change_talk(live: &mut LiveCall, phase: Phase, at: Timestamp) {
    if live.bridged.is_some() {
        set_phase(&mut live.row, phase, at);
    }
}

/// The names of steps are the dialplan's. `queue` says nothing yet: `CallQueued` follows.
fn step_to(live: &mut LiveCall, step: &str, at: Timestamp) {
    let row = &mut live.row;
    match step {
        // Whose talk it was stays told.
        _ if live.talk_ended.is_some() => return,
        // The caller hears goodbye, and the call waits.
        _ if row.is_callback => return,
        "notice" | "menu" => set_phase(row, Phase::Menu, at),
        "voicemail" => set_phase(row, Phase::Voicemail, at),
        "transfer" | "hangup" => set_phase(row, Phase::Leaving, at),
        _ => return,
    }
    row.agent = None;
}

fn wait_in(row: &mut CallRow, pool: &PoolId, at: Timestamp) {
    set_phase(row, Phase::Waiting, at);
    row.pool = Some(pool.clone());
    row.queued_at = row.queued_at.or(Some(at));
    row.agent = None;
}

fn end_offer(row: &mut CallRow, agent: AgentId, end: OfferEnd, at: Timestamp) {
    match end {
        // The bridge follows at once.
        OfferEnd::Answered => {}
        OfferEnd::NoAnswer | OfferEnd::Rejected | OfferEnd::Unreachable | OfferEnd::Withdrawn => {
            if row.phase == Phase::Ringing && row.agent == Some(agent) {
                set_phase(row, Phase::Waiting, at);
                row.agent = None;
            }
        }
    }
}

/// Hung up while waiting, whether or not a phone was ringing.
#[must_use]
pub fn abandoned_the_queue(departure: Departure) -> bool {
    matches!(departure, Departure::AbandonedQueue | Departure::AbandonedRinging)
}

fn span_ms(from: Timestamp, to: Timestamp) -> u64 {
    u64::try_from((to - from).as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;

//! What the consoles ask: figures of a day, calls and tickets, newest first, never more than
//! [`QUERY_ROWS_MAX`] at a time.

use crate::Error;
use crate::insert::{party_word, role_word};
use crate::lasting::{AgentState, Lasting, PoolState};
use crate::record::{
    CallRecord, CallerHistory, Figures, FiguresOfRegion, Leg, Recording, Ticket, TicketState, WholeCall,
};
use crate::store::{QUERY_ROWS_MAX, Store};
use domain::{
    AgentId, CallId, Departure, LegRole, LegStats, Party, Pii, RegionId, Satisfaction, Segment, Supervision,
    Timestamp,
};
use sqlx::any::AnyRow;
use sqlx::{AssertSqlSafe, Row};

pub(crate) const CALL_COLUMNS: [&str; 22] = [
    "id",
    "region",
    "county",
    "first_pool",
    "pool",
    "trunk",
    "caller",
    "caller_name",
    "called",
    "dialplan",
    "arrived_ms",
    "queued_ms",
    "offered_ms",
    "bridged_ms",
    "departed_ms",
    "waited_ms",
    "talk_ms",
    "departure",
    "ended_by",
    "agent",
    "offers",
    "overflows",
];

pub(crate) const LEG_COLUMNS: [&str; 10] = [
    "call",
    "leg",
    "role",
    "packets_received",
    "packets_sent",
    "packets_lost",
    "jitter_us",
    "remote_packets_lost",
    "remote_jitter_us",
    "packets_stray",
];

pub(crate) const TICKET_COLUMNS: [&str; 10] = [
    "number",
    "call",
    "region",
    "county",
    "state",
    "caller",
    "agent",
    "category",
    "created_ms",
    "satisfaction",
];

pub(crate) const AGENT_COLUMNS: [&str; 5] = ["agent", "seq", "changed_ms", "duty", "wrap_up"];

pub(crate) const POOL_COLUMNS: [&str; 6] = ["region", "pool", "seq", "changed_ms", "override", "set_by"];

/// The answer time that the 15-second rate asks for.
pub(crate) const ANSWER_TARGET_MS: i64 = 15_000;

impl Store {
    /// Figures of the closed calls of a region that arrived at or after `since`, which for the figures of
    /// today is midnight.
    pub async fn today(&self, region: &RegionId, since: Timestamp) -> Result<FiguresOfRegion, Error> {
        let sql = "SELECT county, first_pool, departure, COUNT(*), COUNT(queued_ms), COUNT(bridged_ms), \
                   COUNT(CASE WHEN bridged_ms IS NOT NULL AND waited_ms <= $3 THEN 1 END) \
                   FROM calls WHERE region = $1 AND arrived_ms >= $2 \
                   GROUP BY county, first_pool, departure";
        let query = sqlx::query(sql).bind(region.as_str()).bind(since.as_ms()).bind(ANSWER_TARGET_MS);
        let mut figures = FiguresOfRegion::default();
        for row in query.fetch_all(&self.readers).await? {
            let mut row = Columns::of(&row);
            let (county, pool) = (row.maybe_text()?, row.maybe_text()?);
            let departure = departure(row.text()?)?;
            let counts = [row.count()?, row.count()?, row.count()?, row.count()?];
            figures.total.add(departure, counts);
            if let Some(county) = county {
                figures.counties.entry(county.into()).or_default().add(departure, counts);
            }
            if let Some(pool) = pool {
                figures.pools.entry(pool.into()).or_default().add(departure, counts);
            }
        }
        Ok(figures)
    }

    /// The last calls of all regions by arrival, newest first.
    pub async fn recent_calls(&self, limit: u32) -> Result<Vec<CallRecord>, Error> {
        let sql = select(&CALL_COLUMNS, "calls ORDER BY id DESC LIMIT $1");
        let query = sqlx::query(sql).bind(rows(limit));
        query.fetch_all(&self.readers).await?.iter().map(|row| call_record(&mut Columns::of(row))).collect()
    }

    pub async fn call(&self, id: CallId) -> Result<Option<WholeCall>, Error> {
        let Ok(key) = i64::try_from(id.0) else { return Ok(None) };
        let sql = select(&CALL_COLUMNS, "calls WHERE id = $1");
        let Some(row) = sqlx::query(sql).bind(key).fetch_optional(&self.readers).await? else {
            return Ok(None);
        };
        let record = call_record(&mut Columns::of(&row))?;
        let sql = select(&LEG_COLUMNS, "legs WHERE call = $1 ORDER BY leg");
        let legs = sqlx::query(sql).bind(key).fetch_all(&self.readers).await?;
        let legs = legs.iter().map(|row| leg(&mut Columns::of(row))).collect::<Result<_, _>>()?;
        let recordings = self.recordings(key).await?;
        let satisfaction = self.ticket_of_call(id).await?.and_then(|ticket| ticket.satisfaction);
        Ok(Some(WholeCall { record, legs, recordings, satisfaction }))
    }

    /// The closed calls of a caller, whose number is normalised: the last talk, and the arrivals at or after `since`,
    /// newest first, at most `limit`.
    pub async fn caller_history(
        &self,
        caller: &Pii,
        since: Timestamp,
        limit: u32,
    ) -> Result<CallerHistory, Error> {
        let sql = "SELECT agent, bridged_ms FROM calls WHERE caller = $1 AND bridged_ms IS NOT NULL \
                   AND agent IS NOT NULL ORDER BY arrived_ms DESC LIMIT 1";
        let talk = sqlx::query(sql).bind(caller.reveal().to_owned()).fetch_optional(&self.readers).await?;
        let last_talk = match talk {
            Some(row) => {
                let mut row = Columns::of(&row);
                row.agent()?.zip(row.maybe_time()?)
            }
            None => None,
        };
        let sql = "SELECT arrived_ms FROM calls WHERE caller = $1 AND arrived_ms >= $2 \
                   ORDER BY arrived_ms DESC LIMIT $3";
        let arrivals =
            sqlx::query(sql).bind(caller.reveal().to_owned()).bind(since.as_ms()).bind(rows(limit));
        let arrivals = arrivals.fetch_all(&self.readers).await?;
        let arrivals = arrivals.iter().map(|row| Columns::of(row).time()).collect::<Result<_, _>>()?;
        Ok(CallerHistory { last_talk, arrivals })
    }

    /// Tickets by creation, newest first; `before` is the number of the last ticket already seen.
    pub async fn tickets(&self, limit: u32, before: Option<&str>) -> Result<Vec<Ticket>, Error> {
        let query = match before {
            None => {
                let sql = select(&TICKET_COLUMNS, "tickets ORDER BY created_ms DESC, number DESC LIMIT $1");
                sqlx::query(sql).bind(rows(limit))
            }
            Some(before) => {
                let sql = select(
                    &TICKET_COLUMNS,
                    "tickets WHERE (created_ms, number) < \
                     (SELECT seen.created_ms, seen.number FROM tickets seen WHERE seen.number = $2) \
                     ORDER BY created_ms DESC, number DESC LIMIT $1",
                );
                sqlx::query(sql).bind(rows(limit)).bind(before.to_owned())
            }
        };
        query.fetch_all(&self.readers).await?.iter().map(|row| ticket(&mut Columns::of(row))).collect()
    }

    pub async fn ticket(&self, number: &str) -> Result<Option<Ticket>, Error> {
        let sql = select(&TICKET_COLUMNS, "tickets WHERE number = $1");
        let row = sqlx::query(sql).bind(number).fetch_optional(&self.readers).await?;
        row.map(|row| ticket(&mut Columns::of(&row))).transpose()
    }

    /// The ticket that a call made.
    pub async fn ticket_of_call(&self, id: CallId) -> Result<Option<Ticket>, Error> {
        let Ok(key) = i64::try_from(id.0) else { return Ok(None) };
        let sql = select(&TICKET_COLUMNS, "tickets WHERE call = $1");
        let row = sqlx::query(sql).bind(key).fetch_optional(&self.readers).await?;
        row.map(|row| ticket(&mut Columns::of(&row))).transpose()
    }

    /// The latest of every agent and pool that the database knows of. What an earlier run left in the journal is
    /// newer: [`crate::Recorder::lasting`].
    pub async fn lasting(&self) -> Result<Vec<Lasting>, Error> {
        let agents = select(&AGENT_COLUMNS, "agent_states ORDER BY agent");
        let agents = sqlx::query(agents).fetch_all(&self.readers).await?;
        let pools = select(&POOL_COLUMNS, "pool_overrides ORDER BY region, pool");
        let pools = sqlx::query(pools).fetch_all(&self.readers).await?;
        let agents = agents.iter().filter_map(|row| agent_state(&mut Columns::of(row)).transpose());
        let pools = pools.iter().map(|row| pool_state(&mut Columns::of(row)));
        agents
            .map(|state| state.map(Lasting::Agent))
            .chain(pools.map(|state| state.map(Lasting::Pool)))
            .collect()
    }

    async fn recordings(&self, call: i64) -> Result<Vec<Recording>, Error> {
        let sql = "SELECT r.file, r.duration_ms, s.offset_ms, s.duration_ms, s.agent, s.target, s.private, s.supervision, s.sha256 \
                   FROM recordings r LEFT JOIN segments s ON s.call = r.call AND s.file = r.file \
                   WHERE r.call = $1 ORDER BY r.file, s.position";
        let mut recordings: Vec<Recording> = Vec::new();
        for row in sqlx::query(sql).bind(call).fetch_all(&self.readers).await? {
            let mut row = Columns::of(&row);
            let (file, duration_ms) = (row.text()?, row.count()?);
            if recordings.last().is_none_or(|last| last.file != file) {
                recordings.push(Recording { file: file.to_owned(), duration_ms, segments: Vec::new() });
            }
            let (offset, duration, agent) = (row.maybe_count()?, row.maybe_count()?, row.agent()?);
            let (target, private) = (row.maybe_text()?.map(Into::into), row.maybe_count()?);
            let supervision = row.maybe_text()?.map(supervision).transpose()?;
            let (Some(offset_ms), Some(duration_ms), Some(recording)) =
                (offset, duration, recordings.last_mut())
            else {
                continue;
            };
            let sha256 = row.text()?.to_owned();
            let is_private = private == Some(1);
            recording.segments.push(Segment {
                offset_ms,
                duration_ms,
                agent,
                target,
                is_private,
                supervision,
                sha256,
            });
        }
        Ok(recordings)
    }
}

impl Figures {
    fn add(&mut self, departure: Departure, [calls, queued, answered, in_15s]: [u64; 4]) {
        self.calls += calls;
        self.reached_queue += queued;
        self.answered += answered;
        self.answered_in_15s += in_15s;
        *self.departures.entry(departure).or_default() += calls;
    }
}

/// Both parts come from this file: nothing that a caller said becomes SQL.
fn select(columns: &[&str], rest: &str) -> AssertSqlSafe<String> {
    AssertSqlSafe(format!("SELECT {} FROM {rest}", columns.join(", ")))
}

fn rows(limit: u32) -> i64 {
    i64::from(limit.min(QUERY_ROWS_MAX))
}

/// A row, read from its first column to its last.
pub(crate) struct Columns<'r> {
    row: &'r AnyRow,
    next: usize,
}

impl<'r> Columns<'r> {
    pub(crate) fn of(row: &'r AnyRow) -> Self {
        Self { row, next: 0 }
    }

    fn step(&mut self) -> usize {
        self.next += 1;
        self.next - 1
    }

    fn text(&mut self) -> Result<&'r str, sqlx::Error> {
        self.row.try_get(self.step())
    }

    pub(crate) fn maybe_text(&mut self) -> Result<Option<&'r str>, sqlx::Error> {
        self.row.try_get(self.step())
    }

    fn int(&mut self) -> Result<i64, sqlx::Error> {
        self.row.try_get(self.step())
    }

    fn maybe_int(&mut self) -> Result<Option<i64>, sqlx::Error> {
        self.row.try_get(self.step())
    }

    /// No count or span is stored below zero.
    pub(crate) fn count(&mut self) -> Result<u64, sqlx::Error> {
        Ok(self.int()?.unsigned_abs())
    }

    fn maybe_count(&mut self) -> Result<Option<u64>, sqlx::Error> {
        Ok(self.maybe_int()?.map(i64::unsigned_abs))
    }

    fn small(&mut self) -> Result<u32, sqlx::Error> {
        Ok(u32::try_from(self.int()?).unwrap_or(u32::MAX))
    }

    fn maybe_time(&mut self) -> Result<Option<Timestamp>, sqlx::Error> {
        Ok(self.maybe_int()?.map(Timestamp::from_ms))
    }

    fn time(&mut self) -> Result<Timestamp, sqlx::Error> {
        Ok(Timestamp::from_ms(self.int()?))
    }

    fn agent(&mut self) -> Result<Option<AgentId>, sqlx::Error> {
        Ok(self.maybe_int()?.and_then(|agent| u32::try_from(agent).ok()).map(AgentId))
    }
}

/// None if the number is no agent's.
fn agent_state(row: &mut Columns<'_>) -> Result<Option<AgentState>, Error> {
    let Some(agent) = row.agent()? else { return Ok(None) };
    let (seq, at) = (row.count()?, row.time()?);
    let unknown = |what, word: &str| Error::UnknownWord { what, word: word.to_owned() };
    let duty = row.text()?;
    let duty = serde_json::from_str(duty).map_err(|_| unknown("duty", duty))?;
    let wrap_up = match row.maybe_text()? {
        Some(text) => Some(serde_json::from_str(text).map_err(|_| unknown("wrap-up", text))?),
        None => None,
    };
    Ok(Some(AgentState { agent, seq, at, duty, wrap_up }))
}

fn pool_state(row: &mut Columns<'_>) -> Result<PoolState, Error> {
    let (region, pool) = (row.text()?.into(), row.text()?.into());
    let (seq, at) = (row.count()?, row.time()?);
    let set = match row.maybe_text()? {
        Some(text) => Some(
            serde_json::from_str(text)
                .map_err(|_| Error::UnknownWord { what: "override", word: text.to_owned() })?,
        ),
        None => None,
    };
    let by = row.text()?.to_owned();
    Ok(PoolState { region, pool, seq, at, set, by })
}

fn call_record(row: &mut Columns<'_>) -> Result<CallRecord, Error> {
    Ok(CallRecord {
        id: CallId(row.count()?),
        region: row.maybe_text()?.map(Into::into),
        county: row.maybe_text()?.map(Into::into),
        first_pool: row.maybe_text()?.map(Into::into),
        pool: row.maybe_text()?.map(Into::into),
        trunk: row.maybe_text()?.map(Into::into),
        caller: Pii::new(row.text()?),
        caller_name: row.maybe_text()?.map(Pii::new),
        called: row.text()?.to_owned(),
        plan: row.maybe_text()?.map(Into::into),
        arrived: row.time()?,
        queued: row.maybe_time()?,
        offered: row.maybe_time()?,
        bridged: row.maybe_time()?,
        departed: row.time()?,
        waited_ms: row.maybe_count()?,
        talk_ms: row.maybe_count()?,
        departure: departure(row.text()?)?,
        ended_by: one_of(
            "party",
            [Party::Caller, Party::Agent, Party::Outside, Party::System],
            party_word,
            row.text()?,
        )?,
        agent: row.agent()?,
        offers: row.small()?,
        overflows: row.small()?,
    })
}

fn leg(row: &mut Columns<'_>) -> Result<Leg, Error> {
    // The call is known.
    row.step();
    Ok(Leg {
        leg: row.count()?,
        role: one_of(
            "leg role",
            [LegRole::Caller, LegRole::Agent, LegRole::Outside, LegRole::Supervisor],
            role_word,
            row.text()?,
        )?,
        stats: LegStats {
            packets_received: row.count()?,
            packets_sent: row.count()?,
            packets_lost: row.int()?,
            jitter_us: row.small()?,
            remote_packets_lost: row.maybe_int()?,
            remote_jitter_us: row.maybe_int()?.map(|jitter| u32::try_from(jitter).unwrap_or(u32::MAX)),
            packets_stray: row.count()?,
        },
    })
}

fn ticket(row: &mut Columns<'_>) -> Result<Ticket, Error> {
    Ok(Ticket {
        number: row.text()?.to_owned(),
        call: CallId(row.count()?),
        region: row.text()?.into(),
        county: row.maybe_text()?.map(Into::into),
        state: one_of("ticket state", [TicketState::Accepted], TicketState::as_str, row.text()?)?,
        caller: Pii::new(row.text()?),
        agent: row.agent()?,
        category: row.maybe_text()?.map(str::to_owned),
        created: row.time()?,
        satisfaction: row.maybe_text()?.map(satisfaction).transpose()?,
    })
}

fn supervision(word: &str) -> Result<Supervision, Error> {
    one_of("supervision", Supervision::ALL, Supervision::as_str, word)
}

fn satisfaction(word: &str) -> Result<Satisfaction, Error> {
    one_of("satisfaction", Satisfaction::ALL, Satisfaction::as_str, word)
}

fn departure(word: &str) -> Result<Departure, Error> {
    one_of("departure", Departure::ALL, Departure::as_str, word)
}

fn one_of<T: Copy, const N: usize>(
    what: &'static str,
    all: [T; N],
    name: fn(T) -> &'static str,
    word: &str,
) -> Result<T, Error> {
    let found = all.into_iter().find(|value| name(*value) == word);
    found.ok_or_else(|| Error::UnknownWord { what, word: word.to_owned() })
}

//! Whole calls → rows, within the caller's transaction.
//!
//! Rows go in many to a statement, because most of what a call costs here is the round trip. A statement
//! has 16, 8, 4, 2 or 1 rows and no other number, so that few texts exist and each stays prepared; and not
//! more, because SQLite's time to bind a statement rises with the square of its placeholders.

use crate::lasting::{AgentState, Lasting, PoolState};
use crate::record::{Leg, Recording, TicketState, WholeCall};
use crate::ticket::{self, Prefixes};
use domain::{LegRole, Party, Satisfaction, Segment, Supervision, TargetId};
use sqlx::AnyConnection;
use sqlx::any::{AnyArguments, AnyRow};
use sqlx::error::BoxDynError;
use sqlx::{Arguments, Row};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::sync::LazyLock;

const ROWS_PER_STATEMENT: [usize; 5] = [16, 8, 4, 2, 1];

/// The texts of one INSERT, for each number of rows.
struct Insert([String; ROWS_PER_STATEMENT.len()]);

impl Insert {
    fn new(table: &str, columns: &[&str], ending: &str) -> Self {
        Self(ROWS_PER_STATEMENT.map(|rows| {
            let mut sql = format!("INSERT INTO {table} ({}) VALUES ", columns.join(", "));
            for row in 0..rows {
                sql.push_str(if row == 0 { "(" } else { ", (" });
                for column in 0..columns.len() {
                    let comma = if column == 0 { "" } else { ", " };
                    // Writing to a String cannot fail.
                    let _ = write!(sql, "{comma}${}", row * columns.len() + column + 1);
                }
                sql.push(')');
            }
            sql.push_str(ending);
            sql
        }))
    }
}

static CALLS: LazyLock<Insert> = LazyLock::new(|| {
    Insert::new("calls", &crate::query::CALL_COLUMNS, " ON CONFLICT (id) DO NOTHING RETURNING id")
});

static LEGS: LazyLock<Insert> = LazyLock::new(|| Insert::new("legs", &crate::query::LEG_COLUMNS, ""));

static RECORDINGS: LazyLock<Insert> =
    LazyLock::new(|| Insert::new("recordings", &["call", "file", "duration_ms"], ""));

static SEGMENTS: LazyLock<Insert> = LazyLock::new(|| {
    let columns = [
        "call",
        "file",
        "position",
        "offset_ms",
        "duration_ms",
        "agent",
        "target",
        "private",
        "supervision",
        "sha256",
    ];
    Insert::new("segments", &columns, "")
});

static TICKETS: LazyLock<Insert> =
    LazyLock::new(|| Insert::new("tickets", &crate::query::TICKET_COLUMNS, ""));

static AGENTS: LazyLock<Insert> = LazyLock::new(|| {
    let ending = " ON CONFLICT (agent) DO UPDATE SET seq = excluded.seq, changed_ms = excluded.changed_ms, \
                  duty = excluded.duty, wrap_up = excluded.wrap_up WHERE agent_states.seq < excluded.seq";
    Insert::new("agent_states", &crate::query::AGENT_COLUMNS, ending)
});

static POOLS: LazyLock<Insert> = LazyLock::new(|| {
    let ending = " ON CONFLICT (region, pool) DO UPDATE SET seq = excluded.seq, \
                  changed_ms = excluded.changed_ms, override = excluded.override, set_by = excluded.set_by \
                  WHERE pool_overrides.seq < excluded.seq";
    Insert::new("pool_overrides", &crate::query::POOL_COLUMNS, ending)
});

pub(crate) async fn lasting(connection: &mut AnyConnection, lasting: &[Lasting]) -> Result<(), sqlx::Error> {
    let agents = lasting.iter().filter_map(|state| match state {
        Lasting::Agent(state) => Some(state),
        Lasting::Pool(_) => None,
    });
    let pools = lasting.iter().filter_map(|state| match state {
        Lasting::Pool(state) => Some(state),
        Lasting::Agent(_) => None,
    });
    run(connection, statements(&AGENTS, agents, bind_agent)?).await?;
    run(connection, statements(&POOLS, pools, bind_pool)?).await.map(drop)
}

/// Inserts the calls that are not in the database yet, and says how many those were.
pub(crate) async fn calls(
    connection: &mut AnyConnection,
    calls: &[WholeCall],
    prefixes: &Prefixes,
) -> Result<usize, sqlx::Error> {
    let new = run(connection, statements(&CALLS, calls.iter(), bind_call)?).await?;
    let new: BTreeSet<i64> = new.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>()?;
    let fresh: Vec<&WholeCall> = calls.iter().filter(|call| new.contains(&id(call))).collect();
    run(connection, statements_of_parts(&fresh)?).await?;
    let tickets = number_tickets(connection, &fresh, prefixes).await?;
    run(connection, statements(&TICKETS, tickets.iter(), bind_ticket)?).await?;
    Ok(fresh.len())
}

/// A text and what its placeholders stand for.
type Statement = (&'static str, AnyArguments);

fn statements_of_parts(calls: &[&WholeCall]) -> Result<Vec<Statement>, sqlx::Error> {
    let legs = calls.iter().flat_map(|call| call.legs.iter().map(|leg| (id(call), leg)));
    let recordings = || calls.iter().flat_map(|call| call.recordings.iter().map(|r| (id(call), r)));
    let segments = recordings().flat_map(|(call, recording)| {
        let numbered = recording.segments.iter().enumerate();
        numbered.map(move |(position, segment)| (call, recording, position, segment))
    });
    let mut parts = statements(&LEGS, legs, bind_leg)?;
    parts.append(&mut statements(&RECORDINGS, recordings(), bind_recording)?);
    parts.append(&mut statements(&SEGMENTS, segments, bind_segment)?);
    Ok(parts)
}

/// As few statements as bring all rows into a table.
fn statements<R>(
    table: &'static Insert,
    rows: impl Iterator<Item = R>,
    bind: fn(&R, &mut AnyArguments) -> Result<(), BoxDynError>,
) -> Result<Vec<Statement>, sqlx::Error> {
    let rows: Vec<R> = rows.collect();
    let mut rest = rows.as_slice();
    let mut statements = Vec::new();
    for (rows, sql) in ROWS_PER_STATEMENT.into_iter().zip(&table.0) {
        while rest.len() >= rows {
            let (chunk, others) = rest.split_at(rows);
            rest = others;
            let mut arguments = AnyArguments::default();
            for row in chunk {
                bind(row, &mut arguments).map_err(sqlx::Error::Encode)?;
            }
            statements.push((sql.as_str(), arguments));
        }
    }
    Ok(statements)
}

async fn run(connection: &mut AnyConnection, statements: Vec<Statement>) -> Result<Vec<AnyRow>, sqlx::Error> {
    let mut returned = Vec::new();
    for (sql, arguments) in statements {
        returned.append(&mut sqlx::query_with(sql, arguments).fetch_all(&mut *connection).await?);
    }
    Ok(returned)
}

/// Every call with a region gets the next number of its region's prefix and day. The row of the counter
/// stays locked until the transaction ends, so no number is given twice, and none is lost on rollback.
async fn number_tickets<'a>(
    connection: &mut AnyConnection,
    calls: &[&'a WholeCall],
    prefixes: &Prefixes,
) -> Result<Vec<(String, &'a WholeCall)>, sqlx::Error> {
    let mut counted: BTreeMap<(String, i64), Vec<&WholeCall>> = BTreeMap::new();
    for call in calls {
        let Some(region) = &call.record.region else { continue };
        let Some(day) = ticket::day_in_china(call.record.arrived) else { continue };
        counted.entry((prefixes.of(region), day)).or_default().push(call);
    }
    let mut tickets = Vec::with_capacity(calls.len());
    for ((prefix, day), calls) in counted {
        let count = calls.len() as i64;
        let sql = "INSERT INTO ticket_counters (prefix, day, last_number) VALUES ($1, $2, $3) \
                   ON CONFLICT (prefix, day) \
                   DO UPDATE SET last_number = ticket_counters.last_number + excluded.last_number \
                   RETURNING last_number";
        let row = sqlx::query(sql).bind(prefix.as_str()).bind(day).bind(count);
        let last: i64 = row.fetch_one(&mut *connection).await?.try_get(0)?;
        let numbers = last - count + 1..;
        tickets.extend(numbers.zip(calls).map(|(n, call)| (ticket::number(&prefix, day, n), call)));
    }
    Ok(tickets)
}

/// The fold refuses ids that do not fit.
fn id(call: &WholeCall) -> i64 {
    big(call.record.id.0)
}

/// Counts and spans beyond 63 bits do not happen; were one to, it is stored as the greatest number.
fn big(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn bind_call(call: &&WholeCall, to: &mut AnyArguments) -> Result<(), BoxDynError> {
    let record = &call.record;
    to.add(id(call))?;
    to.add(record.region.as_ref().map(|key| key.as_str()))?;
    to.add(record.county.as_ref().map(|key| key.as_str()))?;
    to.add(record.first_pool.as_ref().map(|key| key.as_str()))?;
    to.add(record.pool.as_ref().map(|key| key.as_str()))?;
    to.add(record.trunk.as_ref().map(|key| key.as_str()))?;
    to.add(record.caller.reveal())?;
    to.add(record.caller_name.as_ref().map(|name| name.reveal()))?;
    to.add(record.called.as_str())?;
    to.add(record.plan.as_ref().map(|key| key.as_str()))?;
    to.add(record.arrived.as_ms())?;
    to.add(record.queued.map(|at| at.as_ms()))?;
    to.add(record.offered.map(|at| at.as_ms()))?;
    to.add(record.bridged.map(|at| at.as_ms()))?;
    to.add(record.departed.as_ms())?;
    to.add(record.waited_ms.map(big))?;
    to.add(record.talk_ms.map(big))?;
    to.add(record.departure.as_str())?;
    to.add(party_word(record.ended_by))?;
    to.add(record.agent.map(|agent| i64::from(agent.0)))?;
    to.add(i64::from(record.offers))?;
    to.add(i64::from(record.overflows))
}

fn bind_leg((call, leg): &(i64, &Leg), to: &mut AnyArguments) -> Result<(), BoxDynError> {
    let stats = &leg.stats;
    to.add(*call)?;
    to.add(big(leg.leg))?;
    to.add(role_word(leg.role))?;
    to.add(big(stats.packets_received))?;
    to.add(big(stats.packets_sent))?;
    to.add(stats.packets_lost)?;
    to.add(i64::from(stats.jitter_us))?;
    to.add(stats.remote_packets_lost)?;
    to.add(stats.remote_jitter_us.map(i64::from))?;
    to.add(big(stats.packets_stray))
}

fn bind_recording((call, recording): &(i64, &Recording), to: &mut AnyArguments) -> Result<(), BoxDynError> {
    to.add(*call)?;
    to.add(recording.file.as_str())?;
    to.add(big(recording.duration_ms))
}

fn bind_segment(
    (call, recording, position, segment): &(i64, &Recording, usize, &Segment),
    to: &mut AnyArguments,
) -> Result<(), BoxDynError> {
    to.add(*call)?;
    to.add(recording.file.as_str())?;
    to.add(big(*position as u64))?;
    to.add(big(segment.offset_ms))?;
    to.add(big(segment.duration_ms))?;
    to.add(segment.agent.map(|agent| i64::from(agent.0)))?;
    to.add(segment.target.as_ref().map(TargetId::as_str))?;
    to.add(i64::from(segment.is_private))?;
    to.add(segment.supervision.map(Supervision::as_str))?;
    to.add(segment.sha256.as_str())
}

fn bind_ticket((number, call): &&(String, &WholeCall), to: &mut AnyArguments) -> Result<(), BoxDynError> {
    let record = &call.record;
    to.add(number.as_str())?;
    to.add(id(call))?;
    to.add(record.region.as_ref().map(|key| key.as_str()))?;
    to.add(record.county.as_ref().map(|key| key.as_str()))?;
    to.add(TicketState::Accepted.as_str())?;
    to.add(record.caller.reveal())?;
    to.add(record.agent.map(|agent| i64::from(agent.0)))?;
    to.add(None::<&str>)?;
    to.add(record.arrived.as_ms())?;
    to.add(call.satisfaction.map(Satisfaction::as_str))
}

fn bind_agent(state: &&AgentState, to: &mut AnyArguments) -> Result<(), BoxDynError> {
    to.add(i64::from(state.agent.0))?;
    to.add(big(state.seq))?;
    to.add(state.at.as_ms())?;
    to.add(serde_json::to_string(&state.duty)?)?;
    to.add(state.wrap_up.map(|wrap_up| serde_json::to_string(&wrap_up)).transpose()?)
}

fn bind_pool(state: &&PoolState, to: &mut AnyArguments) -> Result<(), BoxDynError> {
    to.add(state.region.as_str())?;
    to.add(state.pool.as_str())?;
    to.add(big(state.seq))?;
    to.add(state.at.as_ms())?;
    to.add(state.set.map(|set| serde_json::to_string(&set)).transpose()?)?;
    to.add(state.by.as_str())
}

pub(crate) const fn party_word(party: Party) -> &'static str {
    match party {
        Party::Caller => "caller",
        Party::Agent => "agent",
        Party::Outside => "outside",
        Party::System => "system",
    }
}

pub(crate) const fn role_word(role: LegRole) -> &'static str {
    match role {
        LegRole::Caller => "caller",
        LegRole::Agent => "agent",
        LegRole::Supervisor => "supervisor",
        LegRole::Outside => "outside",
    }
}

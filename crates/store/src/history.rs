//! What past calls say about callers: when they come, how long they talk, how long they wait. For forecasts.

use crate::Error;
use crate::query::{ANSWER_TARGET_MS, Columns};
use crate::store::Store;
use domain::{CountyId, Departure, RegionId, Timestamp};
use sqlx::AssertSqlSafe;
use std::ops::Range;

/// Counts and sums over the calls of one region that wanted a lawyer: those that reached a queue, and those that
/// would have if anybody had been on duty. Spans are milliseconds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct History {
    pub arrivals: Vec<Arrivals>,
    pub reached_queue: u64,
    pub answered: u64,
    /// Of `answered`, after at most 15,000 ms.
    pub answered_in_15s: u64,
    pub talks: u64,
    pub talk_ms_sum: u64,
    /// Of the talks in tenths of a second, each squared.
    pub talk_ds2_sum: u64,
    /// Calls whose wait ended with an answer, a hang-up or the loss of the caller, so that its length is known. Who
    /// came to the voicemail is not among them: the record does not say when the wait ended and the greeting began.
    pub waits: u64,
    pub waited_ms_sum: u64,
    /// Of `waits`: the caller hung up.
    pub gave_up: u64,
    /// Calls to which nobody answered in time, or nobody was on duty; and of these, with a message left.
    pub unserved: u64,
    pub messages: u64,
    /// Calls whose first ringing phone was lifted, and how long it rang.
    pub lifted: u64,
    pub lifted_ms_sum: u64,
    /// Phones that rang; of these, while the caller hung up.
    pub rings: u64,
    pub rings_cut: u64,
}

/// Calls that came in one hour of the day, on all workdays or on all Saturdays and Sundays together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arrivals {
    pub county: Option<CountyId>,
    pub weekend: bool,
    /// Of the day in China, from 0 to 23.
    pub hour: usize,
    pub calls: u64,
}

/// China is eight hours ahead of UTC, and the first of January 1970 was a Thursday.
const BY_HOUR: &str = "SELECT county, (((arrived_ms + 28800000) / 86400000 + 3) % 7) / 5 AS weekend, \
                       ((arrived_ms + 28800000) / 3600000) % 24 AS hour, COUNT(*)";

impl Store {
    /// Of the calls that arrived in `span`.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn history(&self, region: &RegionId, span: Range<Timestamp>) -> Result<History, Error> {
        let (from_ms, to_ms) = (span.start.as_ms(), span.end.as_ms());
        let sql =
            format!("{BY_HOUR} {} GROUP BY county, weekend, hour ORDER BY county, weekend, hour", calls());
        let query = sqlx::query(AssertSqlSafe(sql)).bind(region.as_str()).bind(from_ms).bind(to_ms);
        let mut history = History::default();
        for row in query.fetch_all(&self.readers).await? {
            let mut row = Columns::of(&row);
            history.arrivals.push(Arrivals {
                county: row.maybe_text()?.map(Into::into),
                weekend: row.count()? > 0,
                hour: row.count()? as usize,
                calls: row.count()?,
            });
        }
        let sql = format!("SELECT {} {}", sums(), calls());
        let query = sqlx::query(AssertSqlSafe(sql)).bind(region.as_str()).bind(from_ms).bind(to_ms);
        let row = query.fetch_one(&self.readers).await?;
        let mut row = Columns::of(&row);
        for figure in history.figures() {
            *figure = row.count()?;
        }
        Ok(history)
    }
}

impl History {
    /// In the order of [`sums`].
    fn figures(&mut self) -> [&mut u64; 15] {
        [
            &mut self.reached_queue,
            &mut self.answered,
            &mut self.answered_in_15s,
            &mut self.talks,
            &mut self.talk_ms_sum,
            &mut self.talk_ds2_sum,
            &mut self.waits,
            &mut self.waited_ms_sum,
            &mut self.gave_up,
            &mut self.unserved,
            &mut self.messages,
            &mut self.lifted,
            &mut self.lifted_ms_sum,
            &mut self.rings,
            &mut self.rings_cut,
        ]
    }
}

/// PostgreSQL adds up to a type of its own.
fn sums() -> String {
    let sum = |what: &str| format!("CAST(COALESCE(SUM({what}), 0) AS BIGINT)");
    let count = |condition: &str| format!("COUNT(CASE WHEN {condition} THEN 1 END)");
    let gave_up = is_one_of(&[Departure::AbandonedQueue, Departure::AbandonedRinging]);
    let gave_up = format!("bridged_ms IS NULL AND queued_ms IS NOT NULL AND {gave_up}");
    let is_lost = is_one_of(&[Departure::CallerLost]);
    let waited = format!("queued_ms IS NOT NULL AND (bridged_ms IS NOT NULL OR {is_lost} OR ({gave_up}))");
    let lifted = "offers = 1 AND bridged_ms IS NOT NULL AND offered_ms IS NOT NULL";
    [
        "COUNT(queued_ms)".to_owned(),
        "COUNT(bridged_ms)".to_owned(),
        count(&format!("bridged_ms IS NOT NULL AND waited_ms <= {ANSWER_TARGET_MS}")),
        "COUNT(talk_ms)".to_owned(),
        sum("talk_ms"),
        sum("(talk_ms / 100) * (talk_ms / 100)"),
        count(&waited),
        sum(&format!("CASE WHEN {waited} THEN waited_ms END")),
        count(&gave_up),
        count(&format!("bridged_ms IS NULL AND {}", is_one_of(&UNSERVED))),
        count(&format!("bridged_ms IS NULL AND {}", is_one_of(&[Departure::Voicemail]))),
        count(lifted),
        sum(&format!("CASE WHEN {lifted} THEN bridged_ms - offered_ms END")),
        sum("offers"),
        count(&format!("bridged_ms IS NULL AND {}", is_one_of(&[Departure::AbandonedRinging]))),
    ]
    .join(", ")
}

const UNSERVED: [Departure; 4] =
    [Departure::Voicemail, Departure::PatienceExpired, Departure::NobodyOnDuty, Departure::Closed];

fn calls() -> String {
    let unserved = is_one_of(&UNSERVED);
    format!(
        "FROM calls WHERE region = $1 AND arrived_ms >= $2 AND arrived_ms < $3 \
         AND (queued_ms IS NOT NULL OR {unserved})"
    )
}

fn is_one_of(departures: &[Departure]) -> String {
    let words: Vec<String> = departures.iter().map(|departure| format!("'{}'", departure.as_str())).collect();
    format!("departure IN ({})", words.join(", "))
}

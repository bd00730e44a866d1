//! What the simulated days came to, for people and for programs.

mod html;
mod text;

pub use html::page;
pub use text::{by_pool_and_hour, table};

use super::engine::{Crew, Tallies};
use super::find_staff::lawyer_hours;
use super::forecast::{HOURS_OF_A_DAY, Shift};
use super::history::Estimates;
use super::house::House;
use super::named::{Lawyer, Named};
use super::tally::{Cell, InLanguage, Worked};
use dialplan::Name;
use domain::Skills;
use serde::Serialize;
use std::collections::BTreeMap;

const HOUR_MS: f64 = 3_600_000.0;

/// All of it, as the JSON file has it. Rates are parts of 1, waits milliseconds; null where nothing was counted.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    pub region: Name,
    /// Like `2026-11-23`.
    pub first_day: String,
    pub days: u32,
    pub seed: u64,
    /// What the callers were measured from; null: they are a forecast's.
    pub measured: Option<Estimates>,
    /// Whole hours; of a roster, over all days.
    pub lawyer_hours_a_day: u64,
    pub shifts: Vec<ShiftRow>,
    /// Those of the roster, by number; empty without one.
    pub lawyers: Vec<LawyerRow>,
    pub total: Figures,
    /// By hour of the day, over all days.
    pub hours: Vec<Figures>,
    pub pools: Vec<PoolRow>,
    /// Calls of those who chose a language; empty where the dialplan offers none.
    pub languages: Vec<LanguageRow>,
}

#[derive(Clone, Debug, Serialize)]
pub struct ShiftRow {
    pub pool: String,
    /// Like `08-20`.
    pub hours: String,
    pub lawyers: u32,
    /// Level by skill; null: everything.
    pub skills: Option<Skills>,
    /// Calls that they answered.
    pub answered: u64,
}

/// What one lawyer of the roster did, in all pools together.
#[derive(Clone, Debug, Serialize)]
pub struct LawyerRow {
    pub lawyer: u32,
    pub hours_on_shift: f64,
    pub answered: u64,
    /// Talking and writing up ÷ on shift; null for who never was.
    pub occupancy: Option<f64>,
}

#[derive(Clone, Debug, Serialize)]
pub struct LanguageRow {
    pub language: String,
    pub name: Name,
    pub reached_queue: u64,
    pub answered: u64,
    /// By lawyers who know some of it.
    pub answered_by_speakers: u64,
}

/// Calls by the pool that they first waited for; occupancy by the lawyers' own pool.
#[derive(Clone, Debug, Serialize)]
pub struct PoolRow {
    pub pool: String,
    pub name: Name,
    pub total: Figures,
    pub hours: Vec<Figures>,
    /// Calls that first waited here and were answered by another pool's lawyers, by that pool.
    pub helped_by: BTreeMap<String, u64>,
}

#[derive(Clone, Debug, Serialize)]
pub struct Figures {
    pub calls: u64,
    pub reached_queue: u64,
    pub answered: u64,
    pub answered_in_15s: u64,
    pub answered_by_another_pool: u64,
    pub abandoned: u64,
    pub abandoned_ringing: u64,
    pub voicemail: u64,
    /// Nobody answered in time, and no message was left.
    pub unserved: u64,
    /// Ended without a queue and without a message.
    pub closed: u64,
    pub overflowed: u64,
    /// Rings of the pool's own lawyers' phones.
    pub rings: u64,
    /// answered ÷ reached_queue.
    pub connected_rate: Option<f64>,
    /// answered_in_15s ÷ reached_queue.
    pub in_15s_rate: Option<f64>,
    pub wait_ms_mean: Option<f64>,
    pub wait_ms_p50: Option<u64>,
    pub wait_ms_p90: Option<u64>,
    pub wait_ms_p99: Option<u64>,
    pub wait_ms_max: u64,
    /// Of those who were answered on the line.
    pub answer_ms_mean: Option<f64>,
    /// Left the line to be called back; the others waited on it.
    pub callbacks: u64,
    /// Of these, those who spoke with a lawyer; they are among the answered.
    pub callbacks_answered: u64,
    /// Of these, those who did not pick up; they are among the unserved, as are those for whom no lawyer was found.
    pub callbacks_unanswered: u64,
    /// From leaving the line until the caller picked up.
    pub callback_ms_mean: Option<f64>,
    /// Talking and writing up ÷ on duty; above 1 where talks outlast the shift.
    pub occupancy: Option<f64>,
    pub staffed_hours: f64,
}

impl Figures {
    fn of(cell: &Cell) -> Self {
        Self {
            calls: cell.calls,
            reached_queue: cell.queued,
            answered: cell.answered,
            answered_in_15s: cell.answered_in_time,
            answered_by_another_pool: cell.answered_elsewhere,
            abandoned: cell.abandoned,
            abandoned_ringing: cell.abandoned_ringing,
            voicemail: cell.voicemail,
            unserved: cell.unserved,
            closed: cell.closed,
            overflowed: cell.overflowed,
            rings: cell.rings,
            connected_rate: cell.connected_rate(),
            in_15s_rate: cell.in_time_rate(),
            wait_ms_mean: cell.waits.mean_ms(),
            wait_ms_p50: cell.waits.quantile_ms(0.5),
            wait_ms_p90: cell.waits.quantile_ms(0.9),
            wait_ms_p99: cell.waits.quantile_ms(0.99),
            wait_ms_max: cell.waits.max_ms,
            answer_ms_mean: cell.answer_ms_mean(),
            callbacks: cell.callbacks,
            callbacks_answered: cell.callbacks_answered,
            callbacks_unanswered: cell.callbacks_unanswered,
            callback_ms_mean: cell.callback_ms_mean(),
            occupancy: cell.occupancy(),
            staffed_hours: cell.staffed_ms as f64 / HOUR_MS,
        }
    }
}

impl Report {
    #[must_use]
    pub fn new(
        house: &House,
        tallies: &Tallies,
        crew: Crew<'_>,
        first_day: String,
        (days, seed): (u32, u64),
    ) -> Self {
        let pool = |(at, id): (usize, &domain::PoolId)| PoolRow {
            pool: id.to_string(),
            name: house.pool_name(id),
            total: Figures::of(&tallies.of_pool(at)),
            hours: (0..HOURS_OF_A_DAY).map(|hour| Figures::of(tallies.cell(at, hour))).collect(),
            helped_by: helpers(house, tallies, at),
        };
        let language = |(id, tally): (&str, &InLanguage)| LanguageRow {
            language: id.to_owned(),
            name: house.language_name(id),
            reached_queue: tally.queued,
            answered: tally.answered,
            answered_by_speakers: tally.answered_by_speakers,
        };
        let named = crew.named.map_or(&[][..], Named::lawyers);
        let on_shift_ms: u64 = tallies.worked.iter().map(|worked| worked.on_shift_ms).sum();
        let by_roster = (on_shift_ms as f64 / HOUR_MS / f64::from(days)).round() as u64;
        Self {
            region: house.region_name().clone(),
            first_day,
            days,
            seed,
            measured: None,
            lawyer_hours_a_day: lawyer_hours(crew.shifts) + by_roster,
            shifts: crew.shifts.iter().zip(&tallies.taken).map(ShiftRow::of).collect(),
            lawyers: named.iter().zip(&tallies.worked).map(LawyerRow::of).collect(),
            total: Figures::of(&tallies.total()),
            hours: (0..HOURS_OF_A_DAY).map(|hour| Figures::of(&tallies.of_hour(hour))).collect(),
            pools: house.pools().iter().enumerate().map(pool).collect(),
            languages: house.languages().zip(&tallies.languages).map(language).collect(),
        }
    }
}

fn helpers(house: &House, tallies: &Tallies, of: usize) -> BTreeMap<String, u64> {
    let others = house.pools().iter().enumerate().filter(|(by, _)| *by != of);
    let counts = others.map(|(by, id)| (id.to_string(), tallies.answered(of, by)));
    counts.filter(|(_, count)| *count > 0).collect()
}

impl LawyerRow {
    fn of((lawyer, worked): (&Lawyer, &Worked)) -> Self {
        Self {
            lawyer: lawyer.id.0,
            hours_on_shift: worked.on_shift_ms as f64 / HOUR_MS,
            answered: worked.answered,
            occupancy: worked.occupancy(),
        }
    }
}

impl ShiftRow {
    fn of((shift, answered): (&Shift, &u64)) -> Self {
        Self {
            pool: shift.pool.to_string(),
            hours: shift.hours.to_string(),
            lawyers: shift.lawyers,
            skills: shift.skills.clone(),
            answered: *answered,
        }
    }

    /// `yi 6, bai 3`; empty for those who know nothing in particular.
    fn knows(&self) -> Option<String> {
        let skills = self.skills.as_ref()?;
        let words: Vec<String> = skills.iter().map(|(skill, level)| format!("{skill} {level}")).collect();
        Some(words.join(", "))
    }
}

/// `95.3%`, or a dash where there is nothing to divide.
fn percent(rate: Option<f64>) -> String {
    rate.map_or_else(|| "–".to_owned(), |rate| format!("{:.1}%", rate * 100.0))
}

impl Figures {
    /// Call-backs for which no lawyer was found in time.
    fn callbacks_expired(&self) -> u64 {
        self.callbacks - self.callbacks_answered - self.callbacks_unanswered
    }
}

/// `12.3 s`.
fn seconds(ms: Option<f64>) -> String {
    ms.map_or_else(|| "–".to_owned(), |ms| format!("{:.1}", ms / 1_000.0))
}

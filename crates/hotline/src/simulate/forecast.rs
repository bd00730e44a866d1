//! What a day brings: how many calls and whose, how long people talk and wait, who is on duty when.
//!
//! `dialplans/forecasts/wenzhou.toml` documents every key.

use super::house::{House, SKILL_LEVEL_MAX};
use super::percent::Percent;
use dialplan::Problem;
use dialplan::doc::{Doc, Section, did_you_mean, parse_duration};
use domain::{CountyId, PoolId, SkillId, Skills, Timestamp};
use std::ops::RangeInclusive;
use std::str::FromStr;
use std::time::Duration;
use time::format_description::BorrowedFormatItem;
use time::macros::format_description;
use time::{Date, Time, UtcOffset};

const DATE: &[BorrowedFormatItem<'_>] = format_description!("[year]-[month]-[day]");
/// China has one time zone and no summer time.
const CHINA_AHEAD_HOURS: i8 = 8;
pub const HOURS_OF_A_DAY: usize = 24;
/// The share of callers whose number tells no county.
const UNKNOWN: &str = "unknown";
/// The share of callers who press no key for a language.
const NO_LANGUAGE: &str = "none";

/// The nation's hotlines together have about 1,200 in a busy hour.
const CALLS_PER_HOUR_MAX: f64 = 100_000.0;
pub const LAWYERS_PER_SHIFT_MAX: u32 = 5_000;
const SHIFTS_MAX: usize = 2_000;
const SHARE_MAX: u64 = 1_000_000;
const TALK: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(4 * 3_600);
const PATIENCE: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(86_400);
const ANSWER_DELAY: RangeInclusive<Duration> = Duration::ZERO..=Duration::from_secs(120);
const MESSAGE: RangeInclusive<Duration> = Duration::from_secs(2)..=Duration::from_secs(1_800);

#[derive(Clone, Debug, PartialEq)]
pub struct Forecast {
    /// The midnight in China with which the simulated days begin.
    pub start: Timestamp,
    /// Monday is 0.
    pub first_weekday: usize,
    pub sources: Vec<Source>,
    /// Which of the dialplan's languages they choose where a menu offers it, in proportion; none: they press no key.
    pub languages: Vec<(Option<String>, u64)>,
    pub talk: Talk,
    /// Mean of the time after which a waiting caller hangs up; none: only the dialplan ends the wait.
    pub patience: Option<Duration>,
    /// Of the callers who come to a voicemail.
    pub leaves_message: Percent,
    pub message: Duration,
    /// Of those who wait where a call-back is offered: ask for it when they are told how long it takes.
    pub callback: Percent,
    /// Of the call-backs: the caller does not pick up.
    pub callback_unanswered: Percent,
    /// Mean time from a phone's first ring to its answer.
    pub answer_delay: Duration,
    /// Of the offers: nobody answers, the phone rings until the next one's turn.
    pub unanswered: Percent,
    pub shifts: Vec<Shift>,
}

/// The calls of one county.
#[derive(Clone, Debug, PartialEq)]
pub struct Source {
    /// None: the caller's number tells no county.
    pub county: Option<CountyId>,
    /// Calls by hour of the day, from Monday to Friday and on Saturdays and Sundays.
    pub weekday: [f64; HOURS_OF_A_DAY],
    pub weekend: [f64; HOURS_OF_A_DAY],
}

impl Source {
    /// Calls expected in this hour of the day.
    #[must_use]
    pub fn calls_in(&self, hour: usize, is_weekend: bool) -> f64 {
        if is_weekend { self.weekend[hour] } else { self.weekday[hour] }
    }
}

/// How long a lawyer and a caller speak.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Talk {
    pub mean: Duration,
    pub shape: TalkShape,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum TalkShape {
    Exponential,
    /// `variation`: the standard deviation as a part of the mean.
    Lognormal {
        variation: f64,
    },
}

/// So many lawyers of a pool, at the same hours every day.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shift {
    pub pool: PoolId,
    pub hours: HourSpan,
    pub lawyers: u32,
    /// What each of them knows; none: everything, as well as can be.
    pub skills: Option<Skills>,
}

/// Hours of the day: `from` belongs to it, `to` no longer does; a night runs over midnight (20-08).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HourSpan {
    from: usize,
    to: usize,
}

impl HourSpan {
    pub const ALL_DAY: Self = Self { from: 0, to: HOURS_OF_A_DAY };

    #[must_use]
    pub fn contains(self, hour: usize) -> bool {
        if self.from < self.to {
            (self.from..self.to).contains(&hour)
        } else {
            hour >= self.from || hour < self.to
        }
    }

    #[must_use]
    pub fn length(self) -> usize {
        (0..HOURS_OF_A_DAY).filter(|&hour| self.contains(hour)).count()
    }

    /// `08-20`.
    fn parse(text: &str) -> Option<Self> {
        let (from, to) = text.trim().split_once('-')?;
        let (from, to): (usize, usize) = (from.trim().parse().ok()?, to.trim().parse().ok()?);
        (from < HOURS_OF_A_DAY && to <= HOURS_OF_A_DAY && from != to).then_some(Self { from, to })
    }
}

impl std::fmt::Display for HourSpan {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:02}-{:02}", self.from, self.to)
    }
}

impl Forecast {
    /// Reads `text`; `file` is its name in problems, `house` the dialplan whose pools and counties it names. Where
    /// that one cannot be read itself, names are not looked at.
    ///
    /// # Errors
    /// Every problem found, in the order of the file.
    pub fn parse(file: &str, text: &str, house: Option<&House>) -> Result<Self, Vec<Problem>> {
        let doc = Doc::parse(file, text)?;
        let forecast = read(&doc, house);
        doc.done(forecast).map(|checked| checked.value)
    }

    /// Whether an hour, counted from the first midnight, is on a Saturday or Sunday.
    #[must_use]
    pub fn is_weekend(&self, hour: u64) -> bool {
        (self.first_weekday as u64 + hour / HOURS_OF_A_DAY as u64) % 7 >= 5
    }

    /// Calls expected in an hour, counted from the first midnight.
    #[must_use]
    pub fn calls_in(&self, hour: u64) -> f64 {
        let (of_day, is_weekend) = ((hour % HOURS_OF_A_DAY as u64) as usize, self.is_weekend(hour));
        self.sources.iter().map(|source| source.calls_in(of_day, is_weekend)).sum()
    }

    /// Calls expected in so many days.
    #[must_use]
    pub fn calls_in_days(&self, days: u32) -> f64 {
        (0..u64::from(days) * HOURS_OF_A_DAY as u64).map(|hour| self.calls_in(hour)).sum()
    }
}

fn read(doc: &Doc, house: Option<&House>) -> Forecast {
    let root = doc.root();
    let (start, first_weekday) = read_first_day(&root);
    let calls = root.table("calls");
    let callers = root.table("callers");
    let lawyers = root.table_or_empty("lawyers");
    let forecast = Forecast {
        start,
        first_weekday,
        sources: read_sources(&calls, house),
        languages: read_languages(&calls, house),
        talk: read_talk(&callers),
        patience: read_patience(&callers),
        leaves_message: read_part(&callers, "leaves_message", "30%"),
        message: callers.duration_or("message", Duration::from_secs(40), MESSAGE),
        callback: read_part(&callers, "callback", "0%"),
        callback_unanswered: read_part(&callers, "callback_unanswered", "20%"),
        answer_delay: lawyers.duration_or("answer_delay", Duration::from_secs(5), ANSWER_DELAY),
        unanswered: read_part(&lawyers, "unanswered", "0%"),
        shifts: read_shifts(&root, house),
    };
    calls.finish();
    callers.finish();
    lawyers.finish();
    root.finish();
    forecast
}

/// The day's calls, divided by the shares.
fn read_sources(calls: &Section<'_>, house: Option<&House>) -> Vec<Source> {
    let per_hour = read_calls_per_hour(calls);
    let weekend = read_part(calls, "weekend", "100%").of_one();
    let shares = read_shares(calls, house);
    let all: u64 = shares.iter().map(|(_, share)| share).sum();
    let source = |(county, share): (Option<CountyId>, u64)| {
        let part = share as f64 / all.max(1) as f64;
        let weekday = per_hour.map(|calls| calls * part);
        Source { county, weekday, weekend: weekday.map(|calls| calls * weekend) }
    };
    shares.into_iter().map(source).collect()
}

fn read_first_day(root: &Section<'_>) -> (Timestamp, usize) {
    let text = root.str("first_day");
    let day = midnight(&text);
    if day.is_none() && !text.is_empty() {
        let what = format!("\"{text}\" is no date");
        root.problem("first_day", what, "write it in quotes, like \"2026-11-23\"");
    }
    day.unwrap_or_default()
}

/// When that day begins in China, and its day of the week; Monday is 0.
#[must_use]
pub fn midnight(text: &str) -> Option<(Timestamp, usize)> {
    let date = Date::parse(text, DATE).ok()?;
    let zone = UtcOffset::from_hms(CHINA_AHEAD_HOURS, 0, 0).unwrap_or(UtcOffset::UTC);
    let midnight = date.with_time(Time::MIDNIGHT).assume_offset(zone);
    let start = Timestamp::from_ms(midnight.unix_timestamp().saturating_mul(1_000));
    Some((start, usize::from(date.weekday().number_days_from_monday())))
}

fn read_calls_per_hour(calls: &Section<'_>) -> [f64; HOURS_OF_A_DAY] {
    let mut named: [Option<f64>; HOURS_OF_A_DAY] = [None; HOURS_OF_A_DAY];
    for row in calls.list("per_hour") {
        let Some((hours, count)) = read_row(&row.value) else {
            let what = format!("\"{}\" says no number of calls", row.value);
            let remedy = format!(
                "write hours and the calls in each of them, like \"09-12 45\"; at most {CALLS_PER_HOUR_MAX}"
            );
            calls.doc().problem(row.line, what, remedy);
            continue;
        };
        let twice = (0..HOURS_OF_A_DAY).find(|&hour| hours.contains(hour) && named[hour].is_some());
        if let Some(hour) = twice {
            let what = format!("the hour from {hour} has a number of calls already");
            calls.doc().problem(row.line, what, "name each hour once");
        }
        for hour in (0..HOURS_OF_A_DAY).filter(|&hour| hours.contains(hour)) {
            named[hour] = Some(count);
        }
    }
    named.map(|calls| calls.unwrap_or(0.0))
}

/// `09-12 45`.
fn read_row(text: &str) -> Option<(HourSpan, f64)> {
    let (hours, count) = text.trim().split_once(' ')?;
    let count: f64 = count.trim().parse().ok()?;
    (0.0..=CALLS_PER_HOUR_MAX).contains(&count).then_some((HourSpan::parse(hours)?, count))
}

fn read_part(section: &Section<'_>, key: &str, default: &str) -> Percent {
    let read: Option<Percent> = section.opt_parsed(key, default);
    if read.is_some_and(|percent| !percent.is_part()) {
        section.problem(key, format!("`{key}` is more than all"), "write a share from 0% to 100%");
    }
    read.or_else(|| default.parse().ok()).unwrap_or_default()
}

fn read_shares(calls: &Section<'_>, house: Option<&House>) -> Vec<(Option<CountyId>, u64)> {
    let problems_before = calls.doc().error_count();
    let section = calls.table("shares");
    let mut shares = Vec::new();
    for key in section.keys() {
        let share = section.int(key.value, 0..=SHARE_MAX as i64) as u64;
        let county = (key.value != UNKNOWN).then(|| CountyId::new(key.value));
        if let Some(house) = house
            && let Err((what, remedy)) = check_share(house, key.value, county.as_ref(), share)
        {
            calls.doc().problem(key.line, what, remedy);
        }
        shares.push((county, share));
    }
    let is_nobody = shares.iter().all(|(_, share)| *share == 0);
    if is_nobody && calls.doc().error_count() == problems_before {
        let remedy = "give at least one county, or unknown, a number above 0";
        calls.doc().problem(section.line(), "nobody has a share of the calls", remedy);
    }
    shares
}

fn read_languages(calls: &Section<'_>, house: Option<&House>) -> Vec<(Option<String>, u64)> {
    let section = calls.table_or_empty("languages");
    let mut shares = Vec::new();
    for key in section.keys() {
        let share = section.int(key.value, 0..=SHARE_MAX as i64) as u64;
        let language = (key.value != NO_LANGUAGE).then(|| key.value.to_owned());
        if let Some(house) = house.filter(|house| language.is_some() && !house.is_language(key.value)) {
            let remedy = did_you_mean(key.value, house.languages().chain([NO_LANGUAGE]));
            calls.doc().problem(key.line, format!("there is no language \"{}\"", key.value), remedy);
        }
        shares.push((language, share));
    }
    section.finish();
    shares
}

/// What is wrong with a share and what would be right, if something is.
fn check_share(
    house: &House,
    name: &str,
    county: Option<&CountyId>,
    share: u64,
) -> Result<(), (String, String)> {
    if county.is_some() && !house.county_names().any(|known| known == name) {
        let known = house.county_names().chain([UNKNOWN]);
        return Err((format!("there is no county \"{name}\""), did_you_mean(name, known)));
    }
    if share > 0 && !house.is_reached(county) {
        let remedy = "give the county caller_prefixes or numbers there, or take its share out here";
        return Err((format!("no number in the dialplan leads to calls of \"{name}\""), remedy.to_owned()));
    }
    Ok(())
}

fn read_talk(callers: &Section<'_>) -> Talk {
    const SHAPES: [(&str, bool); 2] = [("exponential", false), ("lognormal", true)];
    let mean = callers.duration("talk", TALK);
    let is_lognormal = callers.opt_choice("talk_shape", &SHAPES).unwrap_or(false);
    let problems_before = callers.doc().error_count();
    let variation: Option<Percent> = callers.opt_parsed("talk_variation", "80%");
    if is_lognormal && variation.is_none() && callers.doc().error_count() == problems_before {
        let what = "a lognormal talk needs its variation";
        callers.problem("talk_shape", what, "add talk_variation = \"80%\": the spread as a part of the mean");
    } else if !is_lognormal && variation.is_some() {
        let what = "an exponential talk varies by 100%, always";
        callers.problem("talk_variation", what, "take it out, or say talk_shape = \"lognormal\"");
    }
    let variation = variation.unwrap_or_default().of_one();
    let shape = if is_lognormal { TalkShape::Lognormal { variation } } else { TalkShape::Exponential };
    Talk { mean, shape }
}

fn read_patience(callers: &Section<'_>) -> Option<Duration> {
    callers.parsed::<Patience>("patience", "3m\" or \"none").and_then(|Patience(mean)| mean)
}

/// A span of time, or `none`.
struct Patience(Option<Duration>);

impl FromStr for Patience {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        if text == "none" {
            return Ok(Self(None));
        }
        parse_duration(text).filter(|mean| PATIENCE.contains(mean)).map(|mean| Self(Some(mean))).ok_or(())
    }
}

fn read_shifts(root: &Section<'_>, house: Option<&House>) -> Vec<Shift> {
    let sections = root.tables("shift");
    if sections.len() > SHIFTS_MAX {
        let what = format!("more than {SHIFTS_MAX} shifts");
        root.problem("shift", what, "put lawyers of one pool and the same hours into one shift");
    }
    sections.into_iter().take(SHIFTS_MAX).map(|section| read_shift(section, house)).collect()
}

fn read_shift(section: Section<'_>, house: Option<&House>) -> Shift {
    let pool = PoolId::new(&section.str("pool"));
    if let Some(house) = house.filter(|house| house.index_of(&pool).is_none())
        && !pool.as_str().is_empty()
    {
        let remedy = did_you_mean(pool.as_str(), house.pools().iter().map(PoolId::as_str));
        section.problem("pool", format!("there is no pool \"{pool}\""), remedy);
    }
    let text = section.str_or("hours", "00-24");
    let hours = HourSpan::parse(&text);
    if hours.is_none() {
        let remedy = "write whole hours like \"08-20\", \"00-24\" or, for a night, \"20-08\"";
        section.problem("hours", format!("\"{text}\" are no hours of a day"), remedy);
    }
    let lawyers = section.int("lawyers", 0..=i64::from(LAWYERS_PER_SHIFT_MAX)) as u32;
    let skills = section.opt_table("skills").map(|skills| read_skills(&skills, house));
    section.finish();
    Shift { pool, hours: hours.unwrap_or(HourSpan::ALL_DAY), lawyers, skills }
}

fn read_skills(section: &Section<'_>, house: Option<&House>) -> Skills {
    let mut skills = Skills::new();
    for key in section.keys() {
        let (skill, level) = (SkillId::new(key.value), section.int(key.value, 1..=SKILL_LEVEL_MAX));
        if let Some(known) = house.map(House::skills).filter(|known| !known.contains_key(&skill)) {
            let remedy = did_you_mean(key.value, known.keys().map(SkillId::as_str));
            section.problem(key.value, format!("there is no skill \"{skill}\""), remedy);
        }
        skills.insert(skill, level);
    }
    skills
}

/// `city=5,lucheng=2`: so many around the clock, in place of the forecast's shifts.
///
/// # Errors
/// What cannot be read, all of it.
pub fn parse_agents(text: &str, house: &House) -> Result<Vec<Shift>, String> {
    let mut shifts = Vec::new();
    let mut wrong = Vec::new();
    for entry in text.split(',').map(str::trim) {
        let read = entry.split_once('=').and_then(|(pool, lawyers)| {
            let lawyers = lawyers.trim().parse().ok().filter(|&lawyers| lawyers <= LAWYERS_PER_SHIFT_MAX)?;
            Some((PoolId::new(pool.trim()), lawyers))
        });
        match read {
            Some((pool, lawyers)) if house.index_of(&pool).is_some() => {
                shifts.push(Shift { pool, hours: HourSpan::ALL_DAY, lawyers, skills: None });
            }
            Some((pool, _)) => {
                let remedy = did_you_mean(pool.as_str(), house.pools().iter().map(PoolId::as_str));
                wrong.push(format!("there is no pool \"{pool}\"; {remedy}"));
            }
            None => wrong.push(format!(
                "\"{entry}\" says no number of lawyers; write city=5, at most {LAWYERS_PER_SHIFT_MAX}"
            )),
        }
    }
    if wrong.is_empty() { Ok(shifts) } else { Err(format!("--agents: {}", wrong.join("; "))) }
}

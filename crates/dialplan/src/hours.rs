//! Opening hours: days of the week, and dates that differ from their day of the week.
//!
//! Deliberately absent: the State Council's calendar of working days, which belongs to ticket deadlines.

use crate::doc::{Located, Section};
use domain::Timestamp;
use std::collections::BTreeMap;
use time::format_description::BorrowedFormatItem;
use time::macros::{format_description, offset};
use time::{Date, OffsetDateTime, UtcOffset};

/// China has one time zone and no summer time.
const ZONE: UtcOffset = offset!(+8);

/// The day in China, as `2026-11-22`.
#[must_use]
pub fn china_date(now: Timestamp) -> String {
    china_time(now).date().to_string()
}

/// A time that no calendar knows (after the year 9999) falls on 1970-01-01.
fn china_time(now: Timestamp) -> OffsetDateTime {
    OffsetDateTime::from_unix_timestamp(now.as_ms().div_euclid(1_000))
        .ok()
        .and_then(|utc| utc.checked_to_offset(ZONE))
        .unwrap_or(OffsetDateTime::UNIX_EPOCH)
}
const DATE: &[BorrowedFormatItem<'_>] = format_description!("[year]-[month]-[day]");
const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
const MINUTES_OF_A_DAY: u16 = 24 * 60;
/// The longest row of dates that one line can name.
const RANGE_DAYS_MAX: usize = 366;

/// When a pool takes calls.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Hours {
    /// Monday first.
    weekly: [Vec<Span>; 7],
    dates: BTreeMap<Date, Vec<Span>>,
}

/// Minutes since midnight: `from` belongs to it, `to` no longer does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Span {
    from: u16,
    to: u16,
}

impl Hours {
    /// Around the clock, every day.
    pub(crate) fn always() -> Self {
        let day = vec![Span { from: 0, to: MINUTES_OF_A_DAY }];
        Self { weekly: std::array::from_fn(|_| day.clone()), dates: BTreeMap::new() }
    }

    pub(crate) fn is_always(&self) -> bool {
        *self == Self::always()
    }

    pub(crate) fn is_open(&self, now: Timestamp) -> bool {
        let local = china_time(now);
        let minute = u16::from(local.hour()) * 60 + u16::from(local.minute());
        let day = usize::from(local.weekday().number_days_from_monday());
        let spans = self.dates.get(&local.date()).unwrap_or(&self.weekly[day]);
        spans.iter().any(|span| (span.from..span.to).contains(&minute))
    }

    /// Reads `[hours.NAME]`: `weekly = ["mon-fri 08:30-12:00"]`, `dates = { 2026-10-01..2026-10-07 = [] }`.
    pub(crate) fn read(section: Section<'_>, name: &str) -> Self {
        let mut hours = Self::default();
        let errors_before = section.doc().error_count();
        for entry in section.list_or_empty("weekly") {
            let Some((days, span)) = read_weekly(&entry.value) else {
                section.doc().problem(
                    entry.line,
                    format!("\"{}\" are no opening hours", entry.value),
                    "write days and times like \"mon-fri 08:30-12:00\", \"sat 09:00-17:00\" or \"daily 00:00-24:00\"",
                );
                continue;
            };
            for day in days {
                hours.weekly[day].push(span);
            }
        }
        if let Some(dates) = section.opt_table("dates") {
            hours.read_dates(&dates);
        }
        let is_ever_open = hours.weekly.iter().chain(hours.dates.values()).any(|spans| !spans.is_empty());
        if !is_ever_open && section.doc().error_count() == errors_before {
            section.doc().problem(
                section.line(),
                format!("the hours \"{name}\" never open"),
                "add times to `weekly`, like weekly = [\"mon-fri 08:30-17:30\"]",
            );
        }
        section.finish();
        hours
    }

    fn read_dates(&mut self, section: &Section<'_>) {
        for key in section.keys() {
            let Some(dates) = read_dates(key.value) else {
                section.doc().problem(
                    key.line,
                    format!("\"{}\" is no date", key.value),
                    "write \"2026-10-01\" = [\"09:00-12:00\"] or \"2026-10-01..2026-10-07\" = []",
                );
                continue;
            };
            let spans: Vec<Span> = section
                .list_or_empty(key.value)
                .iter()
                .filter_map(|text| read_times(section, text))
                .collect();
            for date in dates {
                if self.dates.insert(date, spans.clone()).is_some() {
                    let what = format!("{date} has opening hours already");
                    section.doc().problem(key.line, what, "name each date once");
                }
            }
        }
    }
}

fn read_times(section: &Section<'_>, text: &Located<String>) -> Option<Span> {
    let span = read_span(&text.value);
    if span.is_none() {
        let what = format!("\"{}\" are no opening hours", text.value);
        section.doc().problem(text.line, what, "write times like \"09:00-12:00\"; none means closed");
    }
    span
}

/// `mon-fri 08:30-12:00`; a row of days may run over the end of the week (`sat-mon`).
fn read_weekly(text: &str) -> Option<(Vec<usize>, Span)> {
    let (days, times) = text.trim().split_once(' ')?;
    let day = |name: &str| DAYS.iter().position(|day| *day == name);
    let days = if days == "daily" {
        (0..7).collect()
    } else if let Some((first, last)) = days.split_once('-') {
        let (first, last) = (day(first)?, day(last)?);
        (0..=(last + 7 - first) % 7).map(|i| (first + i) % 7).collect()
    } else {
        vec![day(days)?]
    };
    Some((days, read_span(times)?))
}

/// `2026-10-01` or `2026-10-01..2026-10-07`.
fn read_dates(text: &str) -> Option<Vec<Date>> {
    let date = |text: &str| Date::parse(text.trim(), DATE).ok();
    let Some((first, last)) = text.split_once("..") else { return Some(vec![date(text)?]) };
    let (first, last) = (date(first)?, date(last)?);
    let dates: Vec<Date> = std::iter::successors(Some(first), |day| day.next_day())
        .take_while(|day| *day <= last)
        .take(RANGE_DAYS_MAX + 1)
        .collect();
    (1..=RANGE_DAYS_MAX).contains(&dates.len()).then_some(dates)
}

/// `08:30-12:00`. A night is two spans, one on each of its days.
fn read_span(text: &str) -> Option<Span> {
    let (from, to) = text.trim().split_once('-')?;
    let span = Span { from: read_minute(from)?, to: read_minute(to)? };
    (span.from < span.to).then_some(span)
}

fn read_minute(text: &str) -> Option<u16> {
    let (hour, minute) = text.trim().split_once(':')?;
    if hour.len() != 2 || minute.len() != 2 {
        return None;
    }
    let (hour, minute): (u16, u16) = (hour.parse().ok()?, minute.parse().ok()?);
    let minutes = hour * 60 + minute;
    (minute < 60 && minutes <= MINUTES_OF_A_DAY).then_some(minutes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doc::Doc;
    use time::PrimitiveDateTime;

    /// A wall-clock time in China, `2026-03-02 08:30:00`.
    fn at(text: &str) -> Timestamp {
        let form = format_description!("[year]-[month]-[day] [hour]:[minute]:[second]");
        let local = PrimitiveDateTime::parse(text, form).unwrap().assume_offset(ZONE);
        Timestamp::from_ms(local.unix_timestamp() * 1_000)
    }

    fn read(text: &str) -> Result<Hours, Vec<String>> {
        let doc = Doc::parse("f", text).unwrap();
        let hours = Hours::read(doc.root(), "day");
        doc.done(hours)
            .map(|checked| checked.value)
            .map_err(|problems| problems.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn the_door_opens_and_closes_on_the_minute_in_chinese_time() {
        let hours = read(
            "weekly = [\"mon-fri 08:30-12:00\", \"mon-fri 14:00-24:00\", \"sat-sun 00:00-08:00\"]\n\
             [dates]\n\"2026-10-01..2026-10-03\" = []\n\"2026-10-10\" = [\"09:00-17:00\"]\n",
        )
        .unwrap();
        let check = |time: &str, expect: bool| assert_eq!(hours.is_open(at(time)), expect, "{time}");
        check("2026-03-02 08:29:59", false);
        check("2026-03-02 08:30:00", true);
        check("2026-03-02 11:59:59", true);
        check("2026-03-02 12:00:00", false);
        check("2026-03-02 23:59:59", true);
        check("2026-03-07 07:59:59", true);
        check("2026-03-07 08:00:00", false);
        check("2026-09-30 10:00:00", true);
        check("2026-10-01 10:00:00", false);
        check("2026-10-02 10:00:00", false);
        check("2026-10-05 10:00:00", true);
        check("2026-10-10 10:00:00", true);
        check("2026-10-10 07:00:00", false);
    }

    #[test]
    fn always_is_always_even_at_the_end_of_time() {
        for ms in [i64::MIN, -1, 0, 1, i64::MAX] {
            assert!(Hours::always().is_open(Timestamp::from_ms(ms)), "{ms}");
        }
    }

    #[test]
    fn wrong_hours_are_told_with_their_line() {
        let check = |text: &str, expect: &str| {
            let problems = read(text).unwrap_err();
            assert!(problems.iter().any(|p| p.starts_with(expect)), "{text}: {problems:?}");
        };
        check("weekly = [\n\"mon 8:30-12:00\"]", "f:2: \"mon 8:30-12:00\" are no opening hours");
        check("weekly = [\"moon 08:30-12:00\"]", "f:1: \"moon 08:30-12:00\" are no opening hours");
        check("weekly = [\"mon 22:00-06:00\"]", "f:1: \"mon 22:00-06:00\" are no opening hours");
        check("weekly = [\"mon 22:00-24:01\"]", "f:1: \"mon 22:00-24:01\" are no opening hours");
        check("weekly = [\"mon ９９:00-24:00\"]", "f:1: ");
        check("weekly = []", "f:1: the hours \"day\" never open");
        check("[dates]\n\"2026-10-01\" = []", "f:1: the hours \"day\" never open");
        check("[dates]\n\"2026-02-30\" = []", "f:2: \"2026-02-30\" is no date");
        check("[dates]\n\"2026-02-05..2026-02-01\" = []", "f:2: \"2026-02-05..2026-02-01\" is no date");
        check(
            "[dates]\n\"2026-02-01..2026-02-05\" = []\n\"2026-02-03\" = []",
            "f:3: 2026-02-03 has opening hours",
        );
    }
}

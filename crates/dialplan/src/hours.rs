//! Opening hours: days of the week, workdays and holidays of a calendar, and dates with hours of their own.
//!
//! A day's hours are those of its date, if it has a line of its own; on a holiday, those of the lines
//! `holiday …`; on another day, those of its day of the week together with, on a workday, those of the lines
//! `workday …`. Without a calendar there are neither workdays nor holidays.

use crate::calendar::{Calendar, Calendars, read_dates};
use crate::china::china_time;
use crate::context::Context;
use crate::doc::{Doc, Located, Section};
use crate::plan::Name;
use domain::Timestamp;
use std::collections::BTreeMap;
use std::sync::Arc;
use time::Date;

const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
pub(crate) const MINUTES_OF_A_DAY: u16 = 24 * 60;

/// When a pool takes calls.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Hours {
    /// Monday first.
    weekly: [Vec<Span>; 7],
    workday: Vec<Span>,
    holiday: Vec<Span>,
    dates: BTreeMap<Date, Vec<Span>>,
    calendar: Option<Arc<Calendar>>,
}

/// Minutes since midnight: `from` belongs to it, `to` no longer does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Span {
    from: u16,
    to: u16,
}

impl Span {
    fn show(&self) -> String {
        let Self { from, to } = self;
        format!("{:02}:{:02}-{:02}:{:02}", from / 60, from % 60, to / 60, to % 60)
    }
}

/// Which lines of opening hours a day follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum DayRule<'h> {
    OwnDate,
    Holiday(&'h Name),
    Workday,
    /// A day of the week and nothing more.
    Weekday,
}

/// The days that a line of `weekly` is for.
enum Days {
    Week(Vec<usize>),
    Workday,
    Holiday,
}

impl Hours {
    /// Around the clock, every day.
    pub(crate) fn always() -> Self {
        let day = vec![Span { from: 0, to: MINUTES_OF_A_DAY }];
        Self { weekly: std::array::from_fn(|_| day.clone()), ..Self::default() }
    }

    pub(crate) fn is_always(&self) -> bool {
        *self == Self::always()
    }

    pub(crate) fn is_open(&self, now: Timestamp) -> bool {
        let local = china_time(now);
        let minute = u16::from(local.hour()) * 60 + u16::from(local.minute());
        self.spans(local.date()).any(|span| (span.from..span.to).contains(&minute))
    }

    /// When it is open on this day, in minutes since midnight: stretches in order, none touching the next.
    pub(crate) fn open_on(&self, date: Date) -> Vec<(u16, u16)> {
        let mut spans: Vec<(u16, u16)> = self.spans(date).map(|span| (span.from, span.to)).collect();
        spans.sort_unstable();
        let mut open: Vec<(u16, u16)> = Vec::new();
        for (from, to) in spans {
            match open.last_mut() {
                Some(last) if from <= last.1 => last.1 = last.1.max(to),
                _ => open.push((from, to)),
            }
        }
        open
    }

    /// Which rule the day follows, and when it is open: `a holiday (国庆节): open 09:00-12:00`.
    pub(crate) fn explain(&self, now: Timestamp) -> String {
        let date = china_time(now).date();
        let spans: Vec<String> = self.spans(date).map(Span::show).collect();
        let open =
            if spans.is_empty() { "closed all day".to_owned() } else { format!("open {}", spans.join(", ")) };
        match self.rule(date) {
            DayRule::OwnDate => format!("{date} has hours of its own: {open}"),
            DayRule::Holiday(name) => format!("a holiday, {}: {open}", name.zh),
            DayRule::Workday => format!("a workday, {}: {open}", date.weekday()),
            DayRule::Weekday => format!("{}: {open}", date.weekday()),
        }
    }

    /// All of it in one line: `mon-fri 08:30-12:00, 14:00-17:30; holiday closed`.
    pub(crate) fn words(&self) -> String {
        if self.is_always() {
            return "always".to_owned();
        }
        let show = |spans: &[Span]| spans.iter().map(Span::show).collect::<Vec<_>>().join(", ");
        let mut lines = Vec::new();
        for (day, spans) in self.weekly.iter().enumerate() {
            let is_first = day == 0 || self.weekly[day - 1] != *spans;
            if spans.is_empty() || !is_first {
                continue;
            }
            let last = day + self.weekly[day..].iter().take_while(|other| *other == spans).count() - 1;
            let days =
                if last == day { DAYS[day].to_owned() } else { format!("{}-{}", DAYS[day], DAYS[last]) };
            lines.push(format!("{days} {}", show(spans)));
        }
        for (word, spans) in [("workday", &self.workday), ("holiday", &self.holiday)] {
            if !spans.is_empty() {
                lines.push(format!("{word} {}", show(spans)));
            }
        }
        for (date, spans) in &self.dates {
            let open = if spans.is_empty() { "closed".to_owned() } else { show(spans) };
            lines.push(format!("{date} {open}"));
        }
        lines.join("; ")
    }

    fn spans(&self, date: Date) -> impl Iterator<Item = &Span> {
        const NONE: &[Span] = &[];
        let day = self.weekly[usize::from(date.weekday().number_days_from_monday())].as_slice();
        let (more, spans) = match self.rule(date) {
            DayRule::OwnDate => (NONE, self.dates.get(&date).map_or(NONE, Vec::as_slice)),
            DayRule::Holiday(_) => (NONE, self.holiday.as_slice()),
            DayRule::Workday => (self.workday.as_slice(), day),
            DayRule::Weekday => (NONE, day),
        };
        more.iter().chain(spans)
    }

    fn rule(&self, date: Date) -> DayRule<'_> {
        if self.dates.contains_key(&date) {
            return DayRule::OwnDate;
        }
        let Some(calendar) = &self.calendar else { return DayRule::Weekday };
        match calendar.holiday(date) {
            Some(name) => DayRule::Holiday(name),
            None if calendar.is_workday(date) => DayRule::Workday,
            None => DayRule::Weekday,
        }
    }

    /// Reads `[hours.NAME]`: `calendar = "cn"`, `weekly = ["mon-fri 08:30-12:00", "holiday 09:00-12:00"]`,
    /// `dates = { 2026-10-01..2026-10-07 = [] }`.
    pub(crate) fn read(section: Section<'_>, name: &str, context: &Context<'_>) -> Self {
        let doc = section.doc();
        let errors_before = doc.error_count();
        let mut hours =
            Self { calendar: read_calendar(&section, context.calendars, context.year), ..Self::default() };
        for entry in section.list_or_empty("weekly") {
            hours.read_line(doc, &entry, section.opt_str("calendar").is_some());
        }
        if let Some(dates) = section.opt_table("dates") {
            hours.read_dates(&dates, context.year);
        }
        let all = hours.weekly.iter().chain([&hours.workday, &hours.holiday]).chain(hours.dates.values());
        if all.into_iter().all(Vec::is_empty) && doc.error_count() == errors_before {
            doc.problem(
                section.line(),
                format!("the hours \"{name}\" never open"),
                "add times to `weekly`, like weekly = [\"mon-fri 08:30-17:30\"]",
            );
        }
        section.finish();
        hours
    }

    fn read_line(&mut self, doc: &Doc, entry: &Located<String>, has_calendar: bool) {
        let Some((days, span)) = read_weekly(&entry.value) else {
            doc.problem(
                entry.line,
                format!("\"{}\" are no opening hours", entry.value),
                "write days and times like \"mon-fri 08:30-12:00\", \"sat 09:00-17:00\" or \"daily 00:00-24:00\"",
            );
            return;
        };
        if !has_calendar && !matches!(days, Days::Week(_)) {
            let what = format!("\"{}\": without a calendar nobody knows these days", entry.value);
            doc.problem(entry.line, what, "add calendar = \"cn\" to these hours");
        }
        let lists: Vec<&mut Vec<Span>> = match days {
            Days::Week(days) => {
                let mut lists: Vec<_> = self.weekly.iter_mut().enumerate().collect();
                lists.retain(|(day, _)| days.contains(day));
                lists.into_iter().map(|(_, spans)| spans).collect()
            }
            Days::Workday => vec![&mut self.workday],
            Days::Holiday => vec![&mut self.holiday],
        };
        let mut overlaps = false;
        for spans in lists {
            overlaps |= spans.iter().any(|other| span.from < other.to && other.from < span.to);
            spans.push(span);
        }
        if overlaps {
            let what = format!("\"{}\" covers times that an earlier line has", entry.value);
            doc.warning(entry.line, what, "let each line have times of its own");
        }
    }

    fn read_dates(&mut self, section: &Section<'_>, year: i32) {
        for key in section.keys() {
            let Some(dates) = read_dates(key.value) else {
                section.doc().problem(
                    key.line,
                    format!("\"{}\" is no date", key.value),
                    "write \"2026-10-01\" = [\"09:00-12:00\"] or \"2026-10-01..2026-10-07\" = []",
                );
                continue;
            };
            if dates.last().is_some_and(|last| last.year() < year) {
                let what = format!("{} is past", key.value);
                section.doc().warning(key.line, what, "remove it");
            }
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

/// The calendar that `section` names, with a warning if it does not know `year`.
pub(crate) fn read_calendar(
    section: &Section<'_>,
    calendars: &Calendars,
    year: i32,
) -> Option<Arc<Calendar>> {
    let name = section.opt_str("calendar")?;
    let Some(calendar) = calendars.get(&name) else {
        let what = format!("there is no calendar \"{name}\"");
        section.problem("calendar", what, calendars.remedy(&name));
        return None;
    };
    if !calendar.covers(year) {
        let what = format!(
            "the calendar \"{name}\" does not know {year}: there are no holidays, Monday to Friday are workdays"
        );
        section.doc().warning(
            section.line_of("calendar"),
            what,
            format!("put {name}-{year}.toml into the folder calendars beside the dialplan"),
        );
    }
    Some(Arc::clone(calendar))
}

fn read_times(section: &Section<'_>, text: &Located<String>) -> Option<Span> {
    let span = read_span(&text.value);
    if span.is_none() {
        let what = format!("\"{}\" are no opening hours", text.value);
        section.doc().problem(text.line, what, "write times like \"09:00-12:00\"; none means closed");
    }
    span
}

/// `mon-fri 08:30-12:00`, `workday 09:00-17:00`; a row of days may run over the end of the week (`sat-mon`).
fn read_weekly(text: &str) -> Option<(Days, Span)> {
    let (days, times) = text.trim().split_once(' ')?;
    let days = match days {
        "workday" => Days::Workday,
        "holiday" => Days::Holiday,
        _ => Days::Week(read_week(days)?),
    };
    Some((days, read_span(times)?))
}

/// Days of the week, Monday is 0: `mon`, `mon-fri`, `daily`.
pub(crate) fn read_week(text: &str) -> Option<Vec<usize>> {
    let day = |name: &str| DAYS.iter().position(|day| *day == name);
    match text.split_once('-') {
        Some((first, last)) => {
            let (first, last) = (day(first)?, day(last)?);
            Some((0..=(last + 7 - first) % 7).map(|i| (first + i) % 7).collect())
        }
        None if text == "daily" => Some((0..7).collect()),
        None => Some(vec![day(text)?]),
    }
}

/// `08:30-12:00`. A night is two spans, one on each of its days.
fn read_span(text: &str) -> Option<Span> {
    let (from, to) = text.trim().split_once('-')?;
    let span = Span { from: read_minute(from)?, to: read_minute(to)? };
    (span.from < span.to).then_some(span)
}

/// Minutes since midnight, `08:30`; `24:00` too.
pub(crate) fn read_minute(text: &str) -> Option<u16> {
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
    use crate::china::parse_china_minute;
    use crate::problem::{Checked, Problem};
    use std::collections::BTreeSet;

    const CN_2026: &str = include_str!("../../../dialplans/calendars/cn-2026.toml");

    /// A wall-clock time in China, `2026-03-02 08:30:00`.
    fn at(text: &str) -> Timestamp {
        let (minute, seconds) = text.rsplit_once(':').unwrap();
        let minute = parse_china_minute(minute).unwrap();
        Timestamp::from_ms(minute.as_ms() + seconds.parse::<i64>().unwrap() * 1_000)
    }

    fn read_in(year: i32, text: &str) -> Result<Checked<Hours>, Vec<Problem>> {
        let doc = Doc::parse("f", text).unwrap();
        let calendars = Calendars::read([("cn-2026.toml", CN_2026)]).unwrap().value;
        let prompts = BTreeSet::new();
        let hours = Hours::read(doc.root(), "day", &Context::new(&prompts, &calendars, year));
        doc.done(hours)
    }

    fn read(text: &str) -> Result<Hours, Vec<String>> {
        let lines = |problems: Vec<Problem>| problems.iter().map(ToString::to_string).collect();
        read_in(2026, text).map(|checked| checked.value).map_err(lines)
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

    #[test]
    fn a_calendar_makes_saturdays_workdays_and_holidays_days_of_their_own() {
        let hours = read(
            "calendar = \"cn\"\nweekly = [\"workday 08:30-17:30\", \"sat 09:00-12:00\", \"holiday 10:00-11:00\"]\n\
             dates = { \"2026-10-02\" = [] }\n",
        )
        .unwrap();
        let check = |time: &str, expect: bool| assert_eq!(hours.is_open(at(time)), expect, "{time}");
        check("2026-09-30 17:00:00", true);
        check("2026-10-01 09:00:00", false);
        check("2026-10-01 10:30:00", true);
        check("2026-10-02 10:30:00", false);
        check("2026-10-03 09:30:00", false);
        check("2026-10-10 17:00:00", true);
        check("2026-10-17 09:30:00", true);
        check("2026-10-17 17:00:00", false);
        check("2026-10-18 10:30:00", false);
        check("2027-10-01 10:30:00", true);
    }

    #[test]
    fn odd_hours_are_warned_of() {
        let check = |year: i32, text: &str, expect: &[&str]| {
            let warnings = read_in(year, text).unwrap().warnings;
            assert_eq!(warnings.iter().map(ToString::to_string).collect::<Vec<_>>(), expect, "{text}");
        };
        check(2026, "calendar = \"cn\"\nweekly = [\"daily 08:00-20:00\", \"holiday 09:00-12:00\"]", &[]);
        check(
            2027,
            "weekly = [\"daily 08:00-20:00\"]\ncalendar = \"cn\"",
            &[
                "f:2: warning: the calendar \"cn\" does not know 2027: there are no holidays, Monday to Friday are \
               workdays; put cn-2027.toml into the folder calendars beside the dialplan",
            ],
        );
        check(
            2027,
            "weekly = [\"daily 08:00-20:00\",\n\"sat-mon 19:00-24:00\"]\ndates = { \"2026-10-01\" = [] }",
            &[
                "f:2: warning: \"sat-mon 19:00-24:00\" covers times that an earlier line has; let each line have times of its own",
                "f:3: warning: 2026-10-01 is past; remove it",
            ],
        );
    }

    #[test]
    fn workdays_and_holidays_need_a_calendar_that_is_there() {
        let problems = |text: &str| read(text).unwrap_err();
        assert_eq!(
            problems("weekly = [\"workday 08:00-20:00\"]"),
            [
                "f:1: \"workday 08:00-20:00\": without a calendar nobody knows these days; add calendar = \"cn\" to these hours"
            ]
        );
        assert_eq!(
            problems("calendar = \"chn\"\nweekly = [\"workday 08:00-20:00\"]"),
            ["f:1: there is no calendar \"chn\"; did you mean \"cn\"?"]
        );
    }
}

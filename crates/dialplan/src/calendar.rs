//! Which days are workdays: Monday to Friday, less the State Council's holidays, plus the weekend days that
//! are worked instead (调休).
//!
//! Each year has a file of its own, for the State Council announces one year at a time. In a year without a
//! file every Monday to Friday is a workday. Opening hours, rosters and the ticket clock count by it.

use crate::china::parse_date;
use crate::doc::{Doc, Located, Section, did_you_mean};
use crate::plan::Name;
use crate::problem::{Checked, Problem};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;
use std::sync::Arc;
use time::{Date, Month};

/// The longest row of dates that one line can name.
const RANGE_DAYS_MAX: usize = 366;
const YEARS: RangeInclusive<i32> = 2000..=2999;

/// One calendar, of all the years that were read of it. The default one knows weekends only.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Calendar {
    years: BTreeSet<i32>,
    /// Days that are not what their day of the week says.
    days: BTreeMap<Date, Day>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Day {
    Holiday(Arc<Name>),
    Workday,
}

impl Calendar {
    /// Whether the holidays of this year are known.
    #[must_use]
    pub fn covers(&self, year: i32) -> bool {
        self.years.contains(&year)
    }

    #[must_use]
    pub fn is_workday(&self, date: Date) -> bool {
        match self.days.get(&date) {
            Some(Day::Holiday(_)) => false,
            Some(Day::Workday) => true,
            None => is_monday_to_friday(date),
        }
    }

    /// The holiday that this day belongs to. An ordinary weekend is none.
    #[must_use]
    pub fn holiday(&self, date: Date) -> Option<&Name> {
        match self.days.get(&date) {
            Some(Day::Holiday(name)) => Some(name),
            Some(Day::Workday) | None => None,
        }
    }

    /// The first workday after this day.
    #[must_use]
    pub fn next_workday(&self, date: Date) -> Date {
        self.add_workdays(date, 1)
    }

    /// The workday that comes so many workdays after this day; with 0, this day as it is. The last day that
    /// can be written (9999-12-31) if there are not as many.
    #[must_use]
    pub fn add_workdays(&self, date: Date, workdays: u32) -> Date {
        let mut date = date;
        let mut left = workdays;
        while left > 0 {
            let Some(next) = date.next_day() else { break };
            date = next;
            left -= u32::from(self.is_workday(date));
        }
        date
    }
}

fn is_monday_to_friday(date: Date) -> bool {
    date.weekday().number_days_from_monday() < 5
}

/// Calendars by their names, such as `cn`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Calendars {
    by_name: BTreeMap<String, Arc<Calendar>>,
    /// What every other name stands for, if anything.
    stand_in: Option<Arc<Calendar>>,
}

impl Calendars {
    /// Reads files of one year each, as pairs of name (for problems) and text.
    ///
    /// # Errors
    /// Every problem of every file, warnings too.
    pub fn read<'f>(
        files: impl IntoIterator<Item = (&'f str, &'f str)>,
    ) -> Result<Checked<Self>, Vec<Problem>> {
        let mut calendars: BTreeMap<String, Calendar> = BTreeMap::new();
        let mut problems = Vec::new();
        for (file, text) in files {
            match read_year(file, text, &calendars) {
                Ok(Checked { value: (name, year), mut warnings }) => {
                    let calendar = calendars.entry(name).or_default();
                    calendar.years.extend(year.years);
                    calendar.days.extend(year.days);
                    problems.append(&mut warnings);
                }
                Err(mut found) => problems.append(&mut found),
            }
        }
        if problems.iter().any(Problem::is_error) {
            return Err(problems);
        }
        let value = calendars.into_iter().map(|(name, calendar)| (name, Arc::new(calendar))).collect();
        Ok(Checked { value: Self { by_name: value, stand_in: None }, warnings: problems })
    }

    /// In the place of calendars that cannot be read, so that what speaks of them can still be checked for
    /// everything else: it has every name and every year, and no holidays.
    #[must_use]
    pub fn unread() -> Self {
        let any = Calendar { years: YEARS.collect(), ..Calendar::default() };
        Self { by_name: BTreeMap::new(), stand_in: Some(Arc::new(any)) }
    }

    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Arc<Calendar>> {
        self.by_name.get(name).or(self.stand_in.as_ref())
    }

    /// The remedy for a name that is not among them.
    pub(crate) fn remedy(&self, name: &str) -> String {
        if self.by_name.is_empty() {
            return format!("put {name}-YEAR.toml into the folder calendars beside the dialplan");
        }
        did_you_mean(name, self.by_name.keys().map(String::as_str))
    }
}

type Year = (String, Calendar);

fn read_year(
    file: &str,
    text: &str,
    earlier: &BTreeMap<String, Calendar>,
) -> Result<Checked<Year>, Vec<Problem>> {
    let doc = Doc::parse(file, text)?;
    let root = doc.root();
    let name = root.str("calendar");
    let year = root.int("year", YEARS);
    let mut calendar = Calendar { years: BTreeSet::from([year]), days: BTreeMap::new() };
    if earlier.get(&name).is_some_and(|others| others.covers(year)) {
        let what = format!("another file has the year {year} of the calendar \"{name}\"");
        root.problem("year", what, "keep one of the two files");
    }
    for section in root.tables("holidays") {
        read_holiday(&section, &mut calendar, year);
        section.finish();
    }
    if calendar.days.is_empty() && doc.error_count() == 0 {
        let what = "a year without holidays";
        root.problem("holidays", what, "add [[holidays]] with name and days, as the State Council has them");
    }
    root.finish();
    doc.done((name, calendar))
}

fn read_holiday(section: &Section<'_>, calendar: &mut Calendar, year: i32) {
    let doc = section.doc();
    let name = Arc::new(read_name(section));
    let days = Located { value: section.str("days"), line: section.line_of("days") };
    let holidays = read_dates(&days.value);
    if holidays.is_none() && !days.value.is_empty() {
        not_a_date(doc, &days);
    }
    for date in holidays.into_iter().flatten() {
        add(doc, days.line, year, calendar, (date, Day::Holiday(Arc::clone(&name))));
    }
    for text in section.list_or_empty("workdays") {
        let Some(date) = parse_date(&text.value) else {
            not_a_date(doc, &text);
            continue;
        };
        if is_monday_to_friday(date) {
            let what = format!("{date} is a {}: a workday anyhow", date.weekday());
            doc.warning(text.line, what, "name weekend days that are worked instead of a holiday");
        }
        add(doc, text.line, year, calendar, (date, Day::Workday));
    }
}

fn not_a_date(doc: &Doc, text: &Located<String>) {
    let what = format!("\"{}\" is no date", text.value);
    doc.problem(text.line, what, "write \"2026-10-01\", or \"2026-10-01..2026-10-07\" for several days off");
}

/// A holiday may begin in the last days of the year before.
fn add(doc: &Doc, line: usize, year: i32, calendar: &mut Calendar, (date, day): (Date, Day)) {
    let is_near = date.year() == year || (date.year() == year - 1 && date.month() == Month::December);
    if !is_near {
        let what = format!("{date} is not in {year}");
        doc.problem(line, what, "correct the date, or put it into the file of its own year");
    }
    if calendar.days.insert(date, day).is_some() {
        doc.problem(line, format!("{date} is named already"), "name each date once");
    }
}

pub(crate) fn read_name(section: &Section<'_>) -> Name {
    let name = section.table("name");
    let read = Name { zh: name.str("zh"), en: name.str("en") };
    name.finish();
    read
}

/// `2026-10-01` or `2026-10-01..2026-10-07`.
pub(crate) fn read_dates(text: &str) -> Option<Vec<Date>> {
    let Some((first, last)) = text.split_once("..") else { return Some(vec![parse_date(text)?]) };
    let (first, last) = (parse_date(first)?, parse_date(last)?);
    let dates: Vec<Date> = std::iter::successors(Some(first), |day| day.next_day())
        .take_while(|day| *day <= last)
        .take(RANGE_DAYS_MAX + 1)
        .collect();
    (1..=RANGE_DAYS_MAX).contains(&dates.len()).then_some(dates)
}

#[cfg(test)]
mod tests {
    use super::*;

    const CN_2026: &str = include_str!("../../../dialplans/calendars/cn-2026.toml");

    fn cn() -> Arc<Calendar> {
        let read = Calendars::read([("cn-2026.toml", CN_2026)]).unwrap();
        assert_eq!(read.warnings, []);
        Arc::clone(read.value.get("cn").unwrap())
    }

    fn day(text: &str) -> Date {
        parse_date(text).unwrap()
    }

    #[test]
    fn a_holiday_thursday_is_no_workday_and_a_make_up_saturday_is_one() {
        let cn = cn();
        let check = |text: &str, expect: bool| assert_eq!(cn.is_workday(day(text)), expect, "{text}");
        check("2026-09-30", true);
        check("2026-10-01", false);
        check("2026-10-07", false);
        check("2026-10-08", true);
        check("2026-10-10", true);
        check("2026-10-11", false);
        check("2026-09-20", true);
        check("2026-01-04", true);
        check("2026-03-07", false);
        assert_eq!(cn.holiday(day("2026-10-04")).map(|name| name.zh.as_str()), Some("国庆节"));
        assert_eq!(cn.holiday(day("2026-10-17")), None, "an ordinary Saturday");
    }

    #[test]
    fn the_whole_year_is_as_the_notice_has_it() {
        let cn = cn();
        let holidays = cn.days.values().filter(|day| matches!(day, Day::Holiday(_))).count();
        assert_eq!((holidays, cn.days.len() - holidays), (33, 6));
        let year = std::iter::successors(Some(day("2026-01-01")), |day| day.next_day()).take(365);
        assert_eq!(year.filter(|day| cn.is_workday(*day)).count(), 248);
    }

    #[test]
    fn a_deadline_of_five_workdays_passes_over_the_golden_week() {
        let cn = cn();
        assert_eq!(cn.next_workday(day("2026-09-30")), day("2026-10-08"));
        assert_eq!(cn.add_workdays(day("2026-09-28"), 5), day("2026-10-10"));
        assert_eq!(cn.add_workdays(day("2026-10-03"), 0), day("2026-10-03"));
        assert_eq!(cn.next_workday(Date::MAX), Date::MAX);
    }

    #[test]
    fn a_year_without_a_file_has_weekends_only() {
        let cn = cn();
        assert!(cn.covers(2026) && !cn.covers(2027));
        assert!(cn.is_workday(day("2027-10-01")), "a Friday");
        assert!(!cn.is_workday(day("2027-10-02")));
        assert!(Calendar::default().is_workday(day("2026-10-01")));
    }

    #[test]
    fn wrong_calendars_are_told_with_their_lines() {
        let text = "calendar = \"cn\"\nyear = 2026\n[[holidays]]\nname = { zh = \"元旦\", en = \"New Year\" }\n\
                    days = \"2026-01-01..2026-01-03\"\nworkdays = [\"2026-01-03\", \"soon\", \"2027-01-09\", \"2026-01-05\"]\n";
        let found = Calendars::read([("a", text), ("b", "calendar = \"cn\"\nyear = 26\n")]).unwrap_err();
        let found: Vec<String> = found.iter().map(ToString::to_string).collect();
        let expect = [
            "a:6: \"soon\" is no date; write \"2026-10-01\", or \"2026-10-01..2026-10-07\" for several days off",
            "a:6: 2026-01-03 is named already; name each date once",
            "a:6: 2027-01-09 is not in 2026; correct the date, or put it into the file of its own year",
            "a:6: warning: 2026-01-05 is a Monday: a workday anyhow; name weekend days that are worked instead of a holiday",
            "b:2: `year` is out of range; write a whole number from 2000 to 2999",
        ];
        assert_eq!(found, expect);
        let twice = Calendars::read([("a", CN_2026), ("b", CN_2026)]).unwrap_err();
        assert!(twice[0].to_string().starts_with("b:10: another file has the year 2026"), "{twice:?}");
    }
}

//! A roster for people: a day of it, an hour of it.

use super::{Assignment, Reach, Roster};
use crate::china::{china_day, show_china_minute};
use domain::{PoolId, Timestamp};
use std::fmt::Write as _;
use time::Date;

impl Roster {
    /// What begins on this day, each with what departs from the plan.
    #[must_use]
    pub fn show_day(&self, date: Date) -> String {
        let mut text = self.heading(date);
        let day = self.day(date);
        if day.is_empty() {
            text += "  no shift begins\n";
        }
        for assignment in day {
            show(&mut text, &assignment);
        }
        text
    }

    /// What is under way at this instant, which pools nobody serves in, and when that changes.
    #[must_use]
    pub fn show_at(&self, at: Timestamp) -> String {
        let mut text = format!("{}: {}", show_china_minute(at), self.heading(china_day(at)));
        for assignment in self.under_way(at) {
            show(&mut text, &assignment);
        }
        for (pool, lawyers) in self.on_shift(at) {
            if lawyers.is_empty() {
                let _ = writeln!(text, "  nobody is on shift in {pool}");
            }
        }
        let _ = writeln!(text, "  unchanged until {}", show_china_minute(self.next_change(at)));
        text
    }

    /// `2026-10-01 Thursday, holiday 国庆节 (National Day)`.
    fn heading(&self, date: Date) -> String {
        let kind = match self.holiday(date) {
            Some(name) => format!("holiday {} ({})", name.zh, name.en),
            None if self.is_workday(date) => "workday".to_owned(),
            None => "rest day".to_owned(),
        };
        format!("{date} {}, {kind}\n", date.weekday())
    }
}

fn show(text: &mut String, assignment: &Assignment<'_>) {
    let Assignment { shift, pools, from, to, reach, planned, holder, lawyer } = assignment;
    let pools: Vec<&str> = pools.iter().map(PoolId::as_str).collect();
    let who = lawyer.map_or_else(|| "nobody".to_owned(), |lawyer| lawyer.to_string());
    let _ = write!(
        text,
        "  {} to {}  {who:<8}  {}  [{shift}]",
        show_china_minute(*from),
        show_china_minute(*to),
        pools.join(", ")
    );
    if *reach == Reach::Mobile {
        *text += "  by mobile";
    }
    if holder != planned {
        let _ = write!(text, "  swap: {holder} for {planned}");
    }
    match lawyer {
        Some(lawyer) if lawyer != holder => _ = write!(text, "  substitute: {lawyer} for {holder}"),
        Some(_) => {}
        None => _ = write!(text, "  {holder} is absent"),
    }
    text.push('\n');
}

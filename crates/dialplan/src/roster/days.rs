//! Which days a shift is on.

use crate::calendar::{Calendar, read_dates};
use crate::hours::read_week;
use time::Date;

/// One entry of `days`. A day of the week is itself, whatever the calendar says: `daily` is every day.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Days {
    /// Monday is 0.
    Week(Vec<usize>),
    /// 工作日, make-up workdays (调休) too.
    Work,
    /// 休息日: neither workdays nor of a holiday.
    Rest,
    /// 节假日: all days off that the notice names.
    Holiday,
    Dates {
        first: Date,
        last: Date,
    },
}

impl Days {
    pub(super) const FORM: &str =
        "write workday, restday, holiday, daily, mon, mon-fri, \"2026-10-01\" or \"2026-10-01..2026-10-07\"";

    pub(super) fn read(text: &str) -> Option<Self> {
        match text {
            "workday" => Some(Self::Work),
            "restday" => Some(Self::Rest),
            "holiday" => Some(Self::Holiday),
            _ => read_week(text).map(Self::Week).or_else(|| {
                let dates = read_dates(text)?;
                Some(Self::Dates { first: *dates.first()?, last: *dates.last()? })
            }),
        }
    }

    pub(super) fn holds(&self, date: Date, calendar: &Calendar) -> bool {
        let is_holiday = || calendar.holiday(date).is_some();
        match self {
            Self::Week(days) => days.contains(&usize::from(date.weekday().number_days_from_monday())),
            Self::Work => calendar.is_workday(date),
            Self::Rest => !calendar.is_workday(date) && !is_holiday(),
            Self::Holiday => is_holiday(),
            Self::Dates { first, last } => (*first..=*last).contains(&date),
        }
    }

    /// Whether only a calendar knows these days.
    pub(super) fn need_a_calendar(&self) -> bool {
        match self {
            Self::Work | Self::Rest | Self::Holiday => true,
            Self::Week(_) | Self::Dates { .. } => false,
        }
    }

    /// Whether there will be none of them any more.
    pub(super) fn are_past(&self, today: Date) -> bool {
        match self {
            Self::Dates { last, .. } => *last < today,
            Self::Week(_) | Self::Work | Self::Rest | Self::Holiday => false,
        }
    }
}

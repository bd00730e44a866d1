//! Civil time in China: one time zone, no summer time.

use domain::Timestamp;
use time::format_description::BorrowedFormatItem;
use time::macros::{format_description, offset};
use time::{Date, OffsetDateTime, PrimitiveDateTime, UtcOffset};

const ZONE: UtcOffset = offset!(+8);
const DATE: &[BorrowedFormatItem<'_>] = format_description!("[year]-[month]-[day]");
const MINUTE: &[BorrowedFormatItem<'_>] = format_description!("[year]-[month]-[day] [hour]:[minute]");

/// The day in China, as `2026-11-22`.
#[must_use]
pub fn china_date(now: Timestamp) -> String {
    china_day(now).to_string()
}

/// The day in China.
#[must_use]
pub fn china_day(now: Timestamp) -> Date {
    china_time(now).date()
}

/// A time in China, written `2026-10-01 03:00`.
#[must_use]
pub fn parse_china_minute(text: &str) -> Option<Timestamp> {
    let local = PrimitiveDateTime::parse(text.trim(), MINUTE).ok()?;
    Some(Timestamp::from_ms(local.assume_offset(ZONE).unix_timestamp() * 1_000))
}

/// The minute in China, as `2026-10-01 03:00`.
#[must_use]
pub fn show_china_minute(at: Timestamp) -> String {
    let local = china_time(at);
    format!("{} {:02}:{:02}", local.date(), local.hour(), local.minute())
}

/// So many minutes after midnight of this day in China.
pub(crate) fn china_minute(date: Date, minutes: i64) -> Timestamp {
    let midnight = date.midnight().assume_offset(ZONE).unix_timestamp();
    Timestamp::from_ms((midnight + minutes * 60) * 1_000)
}

/// A date, written `2026-10-01`.
#[must_use]
pub fn parse_date(text: &str) -> Option<Date> {
    Date::parse(text.trim(), DATE).ok()
}

/// A time that no calendar knows (after the year 9999) falls on 1970-01-01.
pub(crate) fn china_time(now: Timestamp) -> OffsetDateTime {
    OffsetDateTime::from_unix_timestamp(now.as_ms().div_euclid(1_000))
        .ok()
        .and_then(|utc| utc.checked_to_offset(ZONE))
        .unwrap_or(OffsetDateTime::UNIX_EPOCH)
}

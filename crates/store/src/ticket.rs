//! Numbers of tickets: a prefix per region, the day in China, a running number.
//!
//! Deliberately absent: giving numbers, which only a transaction of the database can do.

use domain::{RegionId, Timestamp};
use std::collections::BTreeMap;
use time::{OffsetDateTime, macros::offset};

/// Which prefix the tickets of a region carry. Regions with the same prefix share one row of numbers, so
/// that two tickets never have the same number.
#[derive(Clone, Debug, Default)]
pub(crate) struct Prefixes(pub(crate) BTreeMap<RegionId, String>);

impl Prefixes {
    /// A region without a prefix of its own uses its key in capitals: `WENZHOU`.
    pub(crate) fn of(&self, region: &RegionId) -> String {
        self.0.get(region).cloned().unwrap_or_else(|| region.as_str().to_uppercase())
    }
}

/// `20261122` for a moment of that day in China (UTC+8, which has no summer time); None beyond the years
/// of the calendar.
pub(crate) fn day_in_china(at: Timestamp) -> Option<i64> {
    let utc = OffsetDateTime::from_unix_timestamp(at.as_ms().div_euclid(1_000)).ok()?;
    let day = utc.checked_to_offset(offset!(+8))?.date();
    Some(i64::from(day.year()) * 10_000 + i64::from(u8::from(day.month())) * 100 + i64::from(day.day()))
}

/// Four digits, more when a day has more than 9,999 tickets.
pub(crate) fn number(prefix: &str, day: i64, running: i64) -> String {
    format!("{prefix}-{day}-{running:04}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_day_of_a_ticket_begins_at_midnight_in_china() {
        let check = |ms: i64, day: i64| assert_eq!(day_in_china(Timestamp::from_ms(ms)), Some(day));
        check(1_795_276_799_999, 20_261_121);
        check(1_795_276_800_000, 20_261_122);
        check(0, 19_700_101);
        assert_eq!(day_in_china(Timestamp::NEVER), None);
    }

    #[test]
    fn numbers_have_four_digits_and_grow_when_they_must() {
        assert_eq!(number("WZ", 20_261_122, 1), "WZ-20261122-0001");
        assert_eq!(number("WZ", 20_261_122, 12_345), "WZ-20261122-12345");
    }

    #[test]
    fn a_region_without_a_prefix_uses_its_key() {
        let prefixes = Prefixes(BTreeMap::from([("wenzhou".into(), "WZ".to_owned())]));
        assert_eq!(prefixes.of(&"wenzhou".into()), "WZ");
        assert_eq!(prefixes.of(&"wenshan".into()), "WENSHAN");
    }
}

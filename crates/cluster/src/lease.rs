//! A lease as its holder sees it: pure, by the holder's own clock.

use domain::RegionId;
use std::time::{Duration, Instant};

/// A holder renews this often before the term is over: two attempts may fail.
pub const RENEWALS_PER_TERM: u32 = 3;
/// The holder gives up this part of the term early, for clocks that run at different speeds.
const SAFETY_PARTS: u32 = 10;

/// Orders owners of one region: compared as the pair.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Epoch {
    /// At least the time of the grant in milliseconds, by the clock of Redis; rises with every grant.
    pub number: i64,
    pub owner: String,
}

#[derive(Clone, Debug)]
pub struct Lease {
    pub region: RegionId,
    pub epoch: Epoch,
    term: Duration,
    valid_until: Instant,
}

impl Lease {
    /// `asked` is when the grant was asked for, not when it came: the term may have begun that early.
    pub(crate) fn new(region: RegionId, epoch: Epoch, term: Duration, asked: Instant) -> Self {
        let mut lease = Self { region, epoch, term, valid_until: asked };
        lease.extend(asked);
        lease
    }

    pub(crate) fn extend(&mut self, asked: Instant) {
        self.valid_until = asked + self.term - self.term / SAFETY_PARTS;
    }

    /// Whether the holder may still act. Once false, it stays so until a renewal.
    #[must_use]
    pub fn is_valid(&self, now: Instant) -> bool {
        now < self.valid_until
    }

    #[must_use]
    pub fn valid_until(&self) -> Instant {
        self.valid_until
    }

    #[must_use]
    pub fn term(&self) -> Duration {
        self.term
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_holder_stops_before_the_term_is_over() {
        let asked = Instant::now();
        let epoch = Epoch { number: 1, owner: "a".to_owned() };
        let lease = Lease::new("wenzhou".into(), epoch, Duration::from_secs(10), asked);
        assert!(lease.is_valid(asked + Duration::from_millis(8_999)));
        assert!(!lease.is_valid(asked + Duration::from_secs(9)));
    }

    #[test]
    fn of_two_owners_with_one_number_the_order_is_still_total() {
        let epoch = |number, owner: &str| Epoch { number, owner: owner.to_owned() };
        assert!(epoch(2, "a") > epoch(1, "b"));
        assert!(epoch(1, "b") > epoch(1, "a"));
    }
}

//! The one clock of all shards: UTC as it was at the start, and from then on monotonic time.
//!
//! A step of the system's clock must neither burst prompts nor tear recordings apart, so it is not
//! followed; media needs UTC only for the figures of sender reports.

use media::Timestamp;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

#[derive(Clone, Copy)]
pub(super) struct Clock {
    origin: Instant,
    utc_us: u64,
}

impl Clock {
    pub fn start() -> Self {
        let utc = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self { origin: Instant::now(), utc_us: utc.as_micros() as u64 }
    }

    /// Now, in ms of UTC, and the same in µs.
    pub fn now(&self) -> (Timestamp, u64) {
        let micros = self.utc_us + self.origin.elapsed().as_micros() as u64;
        (Timestamp::from_ms((micros / 1000) as i64), micros)
    }
}

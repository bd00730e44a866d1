//! Numbers facts as they leave.

use domain::{CallId, Fact, FactRecord, Timestamp};

pub(crate) struct FactLog {
    next_seq: u64,
    last_call: u64,
}

impl FactLog {
    /// `started` makes the numbers rise over restarts: a thousand facts a millisecond are never reached.
    pub(crate) fn new(started: Timestamp) -> Self {
        Self { next_seq: u64::try_from(started.as_ms()).unwrap_or(0) * 1_000, last_call: 0 }
    }

    pub(crate) fn record(&mut self, at: Timestamp, fact: Fact) -> FactRecord {
        let seq = self.next_seq;
        self.next_seq += 1;
        FactRecord { at, seq, fact }
    }

    /// Rises even when the clock is set back.
    pub(crate) fn new_call_id(&mut self, now: Timestamp) -> CallId {
        let by_clock = u64::try_from(now.as_ms()).unwrap_or(0) << 20;
        self.last_call = by_clock.max(self.last_call + 1);
        CallId(self.last_call)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn call_ids_rise_although_the_clock_is_set_back() {
        let mut log = FactLog::new(Timestamp::from_ms(1_000));
        let first = log.new_call_id(Timestamp::from_ms(2_000));
        assert!(log.new_call_id(Timestamp::from_ms(1_500)) > first);
        assert!(log.new_call_id(Timestamp::from_ms(2_000)) > first);
    }
}

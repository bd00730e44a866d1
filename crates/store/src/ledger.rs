//! Calls under way: gathers facts by call until the call is closed. Pure.

use domain::{CallId, Fact, FactRecord, Timestamp};
use std::collections::BTreeMap;

/// Calls under way. The switch holds fewer; the rest would be calls whose last fact got lost.
const LIVE_CALLS_MAX: usize = 65_536;
/// Facts kept of one call. Beyond it (a phone that holds and resumes for hours) only what ends the call
/// is kept.
const FACTS_PER_CALL_MAX: usize = 1_024;

/// A call of which every fact is known.
#[derive(Debug)]
pub(crate) struct ClosedCall {
    pub(crate) call: CallId,
    pub(crate) facts: Vec<FactRecord>,
    /// Journal segments that it pins.
    pub(crate) segments: Vec<u64>,
    /// Number and time of its last fact.
    pub(crate) seq: u64,
    pub(crate) at: Timestamp,
}

#[derive(Debug, Default)]
struct LiveCall {
    facts: Vec<FactRecord>,
    segments: Vec<u64>,
}

impl LiveCall {
    fn close(self, call: CallId) -> ClosedCall {
        let (seq, at) = self.facts.last().map_or((0, Timestamp::default()), |last| (last.seq, last.at));
        ClosedCall { call, facts: self.facts, segments: self.segments, seq, at }
    }
}

#[derive(Debug, Default)]
pub(crate) struct Ledger {
    live: BTreeMap<CallId, LiveCall>,
}

/// What taking a fact did.
#[derive(Debug, Default)]
pub(crate) struct Taken {
    /// The call has its first fact in this segment and pins it now.
    pub(crate) pins: bool,
    pub(crate) closed: Option<ClosedCall>,
}

impl Ledger {
    /// Whether a fact will be kept: it begins a call or belongs to one that is under way, and there is
    /// room. The end of a call has always room.
    pub(crate) fn wants(&self, call: CallId, fact: &Fact) -> bool {
        let Some(live) = self.live.get(&call) else {
            return matches!(fact, Fact::CallArrived { .. }) && self.live.len() < LIVE_CALLS_MAX;
        };
        let ends = matches!(
            fact,
            Fact::CallDeparted { .. }
                | Fact::LegEnded { .. }
                | Fact::RecordingClosed { .. }
                | Fact::CallClosed { .. }
        );
        ends || live.facts.len() < FACTS_PER_CALL_MAX
    }

    /// Takes a fact that is wanted, and that stands in `segment` of the journal if it stands there at
    /// all.
    pub(crate) fn take(&mut self, call: CallId, record: FactRecord, segment: Option<u64>) -> Taken {
        let closes = matches!(record.fact, Fact::CallClosed { .. });
        let live = self.live.entry(call).or_default();
        let new_segment = segment.filter(|segment| live.segments.last() != Some(segment));
        live.segments.extend(new_segment);
        live.facts.push(record);
        let closed = if closes { self.live.remove(&call).map(|live| live.close(call)) } else { None };
        Taken { pins: new_segment.is_some(), closed }
    }

    /// Ends every call that is under way, as after a crash.
    pub(crate) fn settle(&mut self) -> Vec<ClosedCall> {
        let settle = |(call, mut live): (CallId, LiveCall)| {
            crate::fold::settle_crashed(&mut live.facts);
            live.close(call)
        };
        std::mem::take(&mut self.live).into_iter().map(settle).collect()
    }

    pub(crate) fn len(&self) -> usize {
        self.live.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::{Party, Pii};

    const CALL: CallId = CallId(7);

    fn record(seq: u64, fact: Fact) -> FactRecord {
        FactRecord { at: Timestamp::from_ms(1), seq, fact }
    }

    fn arrived() -> Fact {
        let caller = Pii::new("110");
        let called = "12348".to_owned();
        Fact::CallArrived {
            call: CALL,
            region: None,
            trunk: None,
            caller,
            caller_name: None,
            called,
            plan: None,
        }
    }

    #[test]
    fn a_call_pins_each_segment_once_and_is_closed_by_its_last_fact() {
        let mut ledger = Ledger::default();
        assert!(ledger.take(CALL, record(1, arrived()), Some(1)).pins);
        let held = || Fact::CallHeld { call: CALL, by: Party::Caller };
        assert!(!ledger.take(CALL, record(2, held()), Some(1)).pins);
        assert!(!ledger.take(CALL, record(3, held()), None).pins);
        let taken = ledger.take(CALL, record(4, Fact::CallClosed { call: CALL }), Some(2));
        let closed = taken.closed.expect("it is closed");
        assert!(taken.pins);
        assert_eq!((closed.facts.len(), closed.segments, closed.seq), (4, vec![1, 2], 4));
        assert_eq!(ledger.len(), 0);
    }

    #[test]
    fn a_fact_of_no_call_under_way_is_not_wanted() {
        let ledger = Ledger::default();
        assert!(ledger.wants(CALL, &arrived()));
        assert!(!ledger.wants(CALL, &Fact::CallClosed { call: CALL }));
    }

    #[test]
    fn a_phone_that_holds_for_ever_fills_no_memory_and_still_ends_its_call() {
        let mut ledger = Ledger::default();
        ledger.take(CALL, record(0, arrived()), None);
        let held = Fact::CallHeld { call: CALL, by: Party::Caller };
        let mut seq = 0;
        while ledger.wants(CALL, &held) {
            seq += 1;
            ledger.take(CALL, record(seq, held.clone()), None);
        }
        assert_eq!(seq as usize, FACTS_PER_CALL_MAX - 1);
        assert!(ledger.wants(CALL, &Fact::CallClosed { call: CALL }));
    }
}

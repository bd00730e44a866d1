//! What came in on a leg: sequence numbers, loss and jitter (RFC 3550 appendices A.1, A.3 and A.8).
//!
//! A leg may hear several sources one after the other (a transferred phone, a restarted one); their
//! figures add up.

use crate::packet::Packet;

/// Microseconds of one sample.
const SAMPLE_US: i64 = 125;
/// A sequence jump forwards by less than this is loss (A.1: MAX_DROPOUT).
const DROPOUT_MAX: u16 = 3000;
/// A jump backwards by less than this is reordering (A.1: MAX_MISORDER).
const MISORDER_MAX: u16 = 100;
/// A larger change of transit time is a pause or a changed clock, not jitter.
const TRANSIT_STEP_US_MAX: i64 = 1_000_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Arrival {
    /// The first packet of a source, or of a source that renumbered itself.
    Started,
    /// Newer than all before.
    Newer,
    /// Reordered or repeated.
    Late,
    /// Far from the sequence; perhaps a stray, perhaps the first of a restart. To be dropped.
    Jumped,
}

#[derive(Default)]
pub(crate) struct Reception {
    source: Option<Sequence>,
    /// Expected and received of the sources before this one.
    former_expected: u64,
    former_received: u64,
    /// Interarrival jitter in 1/16 µs, kept scaled as A.8 does so that rounding does not stick.
    jitter_16th_us: u64,
    /// Arrival (µs) and timestamp of the latest audio packet.
    latest: Option<(u64, u32)>,
    /// Expected and received when the last report was made.
    reported: (u64, u64),
}

struct Sequence {
    ssrc: u32,
    first: u16,
    highest: u16,
    cycles: u64,
    received: u64,
    /// The number that would confirm a restart after a jump.
    after_jump: Option<u16>,
}

/// The figures of a reception report block (RFC 3550 section 6.4.1).
pub(crate) struct Figures {
    pub ssrc: u32,
    pub fraction_lost: u8,
    pub highest: u32,
}

impl Reception {
    /// Take note of a packet. `audio` packets also count for jitter; keys repeat one timestamp.
    pub fn note(&mut self, packet: &Packet, micros: u64, audio: bool) -> Arrival {
        let arrival = match &mut self.source {
            Some(source) if source.ssrc == packet.ssrc => source.note(packet.sequence),
            Some(_) | None => Arrival::Started,
        };
        match arrival {
            Arrival::Started => self.start(packet),
            Arrival::Newer | Arrival::Late => {}
            Arrival::Jumped => return arrival,
        }
        if audio && arrival != Arrival::Late {
            self.note_transit(packet.timestamp, micros);
        }
        arrival
    }

    pub fn received(&self) -> u64 {
        self.former_received + self.source.as_ref().map_or(0, |s| s.received)
    }

    /// Expected minus received; negative if there were more duplicates than losses.
    pub fn lost(&self) -> i64 {
        self.expected() as i64 - self.received() as i64
    }

    pub fn jitter_us(&self) -> u32 {
        u32::try_from(self.jitter_16th_us >> 4).unwrap_or(u32::MAX)
    }

    /// The figures since the report before this one; nothing while nothing was heard.
    pub fn report(&mut self) -> Option<Figures> {
        let (expected, received) = (self.expected(), self.received());
        let source = self.source.as_ref()?;
        let interval_expected = expected.saturating_sub(self.reported.0);
        let interval_lost = interval_expected.saturating_sub(received.saturating_sub(self.reported.1));
        self.reported = (expected, received);
        let fraction = (interval_lost << 8).checked_div(interval_expected).unwrap_or(0);
        Some(Figures {
            ssrc: source.ssrc,
            fraction_lost: fraction.min(255) as u8,
            highest: (source.cycles + u64::from(source.highest)) as u32,
        })
    }

    fn expected(&self) -> u64 {
        self.former_expected + self.source.as_ref().map_or(0, Sequence::expected)
    }

    fn start(&mut self, packet: &Packet) {
        if let Some(former) = self.source.take() {
            self.former_expected += former.expected();
            self.former_received += former.received;
        }
        self.latest = None;
        self.source = Some(Sequence {
            ssrc: packet.ssrc,
            first: packet.sequence,
            highest: packet.sequence,
            cycles: 0,
            received: 1,
            after_jump: None,
        });
    }

    fn note_transit(&mut self, timestamp: u32, micros: u64) {
        if let Some((before_us, before)) = self.latest.replace((micros, timestamp)) {
            let sent_us = i64::from(timestamp.wrapping_sub(before) as i32) * SAMPLE_US;
            let step = (micros.saturating_sub(before_us) as i64).saturating_sub(sent_us).saturating_abs();
            if step < TRANSIT_STEP_US_MAX {
                let jitter = self.jitter_16th_us;
                self.jitter_16th_us = jitter + step as u64 - ((jitter + 8) >> 4);
            }
        }
    }
}

impl Sequence {
    fn note(&mut self, sequence: u16) -> Arrival {
        let ahead = sequence.wrapping_sub(self.highest);
        if ahead != 0 && ahead < DROPOUT_MAX {
            if sequence < self.highest {
                self.cycles += 1 << 16;
            }
            self.highest = sequence;
            self.received += 1;
            self.after_jump = None;
            Arrival::Newer
        } else if ahead == 0 || ahead > u16::MAX - MISORDER_MAX {
            self.received += 1;
            Arrival::Late
        } else if self.after_jump == Some(sequence) {
            Arrival::Started
        } else {
            self.after_jump = Some(sequence.wrapping_add(1));
            Arrival::Jumped
        }
    }

    fn expected(&self) -> u64 {
        (self.cycles + u64::from(self.highest) + 1).saturating_sub(u64::from(self.first))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(ssrc: u32, sequence: u16, timestamp: u32) -> Packet {
        Packet { marker: false, payload_type: 8, sequence, timestamp, ssrc, payload: 12..172 }
    }

    fn heard(sequences: &[u16]) -> Reception {
        let mut reception = Reception::default();
        for (n, sequence) in sequences.iter().enumerate() {
            reception.note(&packet(1, *sequence, 160 * n as u32), 20_000 * n as u64, true);
        }
        reception
    }

    #[test]
    fn loss_is_expected_minus_received_also_over_the_wrap() {
        let check = |sequences: &[u16], received, lost| {
            let reception = heard(sequences);
            assert_eq!((reception.received(), reception.lost()), (received, lost), "{sequences:?}");
        };
        check(&[], 0, 0);
        check(&[7], 1, 0);
        check(&[65_534, 65_535, 0, 1], 4, 0);
        check(&[65_534, 1, 2], 3, 2);
        check(&[1, 3, 2], 3, 0);
        check(&[1, 2, 2, 2], 4, -2);
        check(&[65_535, 1, 0], 3, 0);
    }

    #[test]
    fn a_single_jump_is_dropped_and_a_confirmed_one_starts_anew() {
        let mut reception = heard(&[10, 11]);
        assert_eq!(reception.note(&packet(1, 30_000, 0), 0, true), Arrival::Jumped);
        assert_eq!(reception.note(&packet(1, 12, 0), 0, true), Arrival::Newer);
        assert_eq!(reception.note(&packet(1, 30_000, 0), 0, true), Arrival::Jumped);
        assert_eq!(reception.note(&packet(1, 30_001, 0), 0, true), Arrival::Started);
        assert_eq!((reception.received(), reception.lost()), (4, 0));
    }

    #[test]
    fn sources_one_after_the_other_add_up() {
        let mut reception = heard(&[10, 12]);
        assert_eq!(reception.note(&packet(2, 500, 0), 0, true), Arrival::Started);
        reception.note(&packet(2, 502, 0), 0, true);
        assert_eq!((reception.received(), reception.lost()), (4, 2));
        let figures = reception.report().unwrap();
        assert_eq!((figures.ssrc, figures.highest, figures.fraction_lost), (2, 502, 85));
        assert_eq!(reception.report().unwrap().fraction_lost, 0, "nothing happened since");
    }

    #[test]
    fn jitter_settles_on_the_mean_change_of_transit_time() {
        let mut reception = Reception::default();
        for n in 0..2000u32 {
            let wobble = if n % 2 == 0 { 0 } else { 3000 };
            // Near the wrap of the timestamp, which must not show.
            let timestamp = (u32::MAX - 1000).wrapping_add(160 * n);
            reception.note(&packet(1, n as u16, timestamp), 20_000 * u64::from(n) + wobble, true);
        }
        assert!((2900..=3000).contains(&reception.jitter_us()), "{}", reception.jitter_us());
        assert_eq!(heard(&[1, 2, 3, 4]).jitter_us(), 0, "packets on the beat have none");
    }

    #[test]
    fn a_pause_without_timestamps_is_not_jitter() {
        let mut reception = heard(&[1, 2]);
        reception.note(&packet(1, 3, 320), 60_000_000, true);
        assert_eq!(reception.jitter_us(), 0);
    }
}

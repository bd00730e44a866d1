//! The one RTP stream that a leg sends (RFC 3550 section 5.1): one SSRC for its whole life, sequence
//! numbers and timestamps that go on over every change of what is heard.
//!
//! A relayed packet keeps its distance in sequence and time from the ones before it, so the peer's jitter
//! buffer sees loss and reordering as they were. Where the source changes, the sequence goes on by one,
//! the timestamp by the time that passed, and the marker says that talk starts.

use crate::api::ms_between;
use crate::packet::{Packet, Stamp};
use crate::{FRAME_SAMPLES, SAMPLES_PER_MS};
use domain::Timestamp;

pub(crate) struct Outgoing {
    ssrc: u32,
    /// Highest sequence number sent.
    sequence: u16,
    /// Timestamp of the packet that had it.
    timestamp: u32,
    /// When that was sent; before the first packet, when the leg was opened.
    at: Timestamp,
    source: Source,
    pub packets: u64,
    pub octets: u64,
}

/// Where the latest packet came from.
enum Source {
    /// Nowhere yet, or what it was has ended: the next packet starts a talk.
    Silence,
    Relayed {
        ssrc: u32,
        /// The peer's sequence number that became ours.
        theirs: u16,
        /// How far behind `theirs` a late packet may be and still belong to this source.
        span: u16,
        /// What to add to the peer's timestamps.
        shift: u32,
    },
    Local,
}

/// A relayed packet further behind than this is useless to anybody.
const SPAN_MAX: u16 = 1000;

impl Outgoing {
    pub fn new(now: Timestamp, ssrc: u32, sequence: u16, timestamp: u32) -> Self {
        Self { ssrc, sequence, timestamp, at: now, source: Source::Silence, packets: 0, octets: 0 }
    }

    pub fn ssrc(&self) -> u32 {
        self.ssrc
    }

    /// The RTP timestamp that belongs to `now` (for sender reports).
    pub fn timestamp_at(&self, now: Timestamp) -> u32 {
        self.timestamp.wrapping_add(samples(ms_between(self.at, now)))
    }

    /// What is heard ends here; whatever comes next starts a talk.
    pub fn interrupt(&mut self) {
        self.source = Source::Silence;
    }

    /// How a packet from the bridged leg is sent on; nothing if it is from before the bridge. `restarted`
    /// says that the peer's numbering jumped.
    pub fn relay(&mut self, now: Timestamp, packet: &Packet, restarted: bool) -> Option<Stamp> {
        let (theirs, span, shift) = match &mut self.source {
            Source::Relayed { ssrc, theirs, span, shift } if *ssrc == packet.ssrc && !restarted => {
                (theirs, span, *shift)
            }
            Source::Relayed { .. } | Source::Silence | Source::Local => {
                return Some(self.start_relay(now, packet));
            }
        };
        let ahead = packet.sequence.wrapping_sub(*theirs) as i16;
        if ahead <= 0 {
            let behind = ahead.unsigned_abs();
            return (behind <= *span).then(|| Stamp {
                marker: false,
                sequence: self.sequence.wrapping_sub(behind),
                timestamp: packet.timestamp.wrapping_add(shift),
                ssrc: self.ssrc,
            });
        }
        *theirs = packet.sequence;
        *span = span.saturating_add(ahead.unsigned_abs()).min(SPAN_MAX);
        self.sequence = self.sequence.wrapping_add(ahead.unsigned_abs());
        self.timestamp = packet.timestamp.wrapping_add(shift);
        self.at = now;
        Some(self.stamp(packet.marker))
    }

    /// A packet of the relayed source is withheld: close the gap that it would leave.
    pub fn withhold(&mut self, packet: &Packet) {
        if let Source::Relayed { ssrc, theirs, span, .. } = &mut self.source {
            let ahead = packet.sequence.wrapping_sub(*theirs) as i16;
            if *ssrc == packet.ssrc && ahead > 0 {
                // The packets before it can no longer be told from those after it.
                (*theirs, *span) = (packet.sequence, 0);
            }
        }
    }

    /// The next frame of our own: a prompt, music, a key.
    pub fn local(&mut self, now: Timestamp) -> Stamp {
        let starts = !matches!(self.source, Source::Local);
        self.timestamp = if starts {
            self.resumed_timestamp(now)
        } else {
            self.timestamp.wrapping_add(FRAME_SAMPLES as u32)
        };
        self.source = Source::Local;
        self.sequence = self.sequence.wrapping_add(1);
        self.at = now;
        self.stamp(starts)
    }

    pub fn count(&mut self, payload_bytes: usize) {
        self.packets += 1;
        self.octets += payload_bytes as u64;
    }

    fn start_relay(&mut self, now: Timestamp, packet: &Packet) -> Stamp {
        self.timestamp = self.resumed_timestamp(now);
        self.sequence = self.sequence.wrapping_add(1);
        self.at = now;
        self.source = Source::Relayed {
            ssrc: packet.ssrc,
            theirs: packet.sequence,
            span: 0,
            shift: self.timestamp.wrapping_sub(packet.timestamp),
        };
        self.stamp(true)
    }

    /// At least a frame later than the last packet, so that no two overlap.
    fn resumed_timestamp(&self, now: Timestamp) -> u32 {
        let passed = samples(ms_between(self.at, now)).max(FRAME_SAMPLES as u32);
        self.timestamp.wrapping_add(passed)
    }

    fn stamp(&self, marker: bool) -> Stamp {
        Stamp { marker, sequence: self.sequence, timestamp: self.timestamp, ssrc: self.ssrc }
    }
}

fn samples(ms: u64) -> u32 {
    ms.wrapping_mul(SAMPLES_PER_MS) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    const T0: i64 = 1_000_000;

    fn at(ms: i64) -> Timestamp {
        Timestamp::from_ms(T0 + ms)
    }

    fn packet(ssrc: u32, sequence: u16, timestamp: u32) -> Packet {
        Packet { marker: false, payload_type: 8, sequence, timestamp, ssrc, payload: 12..172 }
    }

    fn outgoing() -> Outgoing {
        Outgoing::new(at(0), 77, 65_533, u32::MAX - 100)
    }

    #[test]
    fn a_prompt_a_bridge_and_music_make_one_stream_over_the_wrap_of_both_counters() {
        let mut out = outgoing();
        let mut seen = Vec::new();
        for frame in 1..=3 {
            seen.push(out.local(at(20 * frame)));
        }
        for n in 0..3u16 {
            let theirs = packet(5, 65_534u16.wrapping_add(n), 1_000_000 + 160 * u32::from(n));
            seen.push(out.relay(at(80 + 20 * i64::from(n)), &theirs, false).unwrap());
        }
        out.interrupt();
        seen.push(out.local(at(140)));
        for (before, after) in seen.iter().zip(&seen[1..]) {
            assert_eq!(after.sequence, before.sequence.wrapping_add(1));
            assert_eq!(after.timestamp, before.timestamp.wrapping_add(160));
            assert_eq!(after.ssrc, 77);
        }
        let markers: Vec<bool> = seen.iter().map(|s| s.marker).collect();
        assert_eq!(markers, [true, false, false, true, false, false, true]);
    }

    #[test]
    fn loss_and_reordering_show_on_the_other_side_as_they_came() {
        let mut out = outgoing();
        let first = out.relay(at(20), &packet(5, 10, 1000), false).unwrap();
        let fourth = out.relay(at(80), &packet(5, 13, 1480), false).unwrap();
        let third = out.relay(at(81), &packet(5, 12, 1320), false).unwrap();
        assert_eq!(fourth.sequence, first.sequence.wrapping_add(3));
        assert_eq!(third.sequence, first.sequence.wrapping_add(2));
        assert_eq!(third.timestamp, first.timestamp.wrapping_add(320));
        assert_eq!(out.relay(at(82), &packet(5, 9, 840), false), None, "from before the bridge");
    }

    #[test]
    fn a_withheld_packet_leaves_no_gap() {
        let mut out = outgoing();
        let first = out.relay(at(20), &packet(5, 10, 1000), false).unwrap();
        out.withhold(&packet(5, 11, 1160));
        let third = out.relay(at(60), &packet(5, 12, 1320), false).unwrap();
        assert_eq!(third.sequence, first.sequence.wrapping_add(1));
        assert_eq!(third.timestamp, first.timestamp.wrapping_add(320));
    }

    #[test]
    fn a_new_source_or_a_restarted_one_starts_a_talk_after_the_time_that_passed() {
        let mut out = outgoing();
        let first = out.relay(at(20), &packet(5, 10, 1000), false).unwrap();
        let other = out.relay(at(1020), &packet(6, 900, 70), false).unwrap();
        assert!(other.marker);
        assert_eq!(other.sequence, first.sequence.wrapping_add(1));
        assert_eq!(other.timestamp, first.timestamp.wrapping_add(8000));
        let restarted = out.relay(at(1040), &packet(6, 30_000, 5), true).unwrap();
        assert!(restarted.marker);
        assert_eq!(restarted.sequence, other.sequence.wrapping_add(1));
        assert_eq!(restarted.timestamp, other.timestamp.wrapping_add(160));
    }
}

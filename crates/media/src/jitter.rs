//! What one leg says, decoded and kept for half a second, for those who hear it mixed with others.
//!
//! A reader asks for the frame that belongs to its time and gets what was said a moment before: 20 ms before at
//! first, and up to 120 ms as packets turn out to be late. So any number may read, each in its own rhythm, and all
//! hear the same. What did not come in time is concealed by what was heard 20 ms earlier, softer each time.

use crate::SAMPLES_PER_MS;
use crate::api::ms_between;
use crate::g711::Law;
use crate::leg::Latest;
use crate::play::FRAME_SAMPLES;
use crate::timeline::{Heard, Timeline};
use domain::Timestamp;

/// What is kept: 512 ms.
const RING: usize = 4096;
const FRAME: i64 = FRAME_SAMPLES as i64;
/// How far behind their time frames are read.
const DELAY_MAX: i64 = 6 * FRAME;
/// Packets over which it is seen whether less would do: 5 s.
const CALM_PACKETS: u16 = 250;
/// What they must then have to spare besides the frame: 10 ms.
const SPARE_MIN: i64 = FRAME + FRAME / 2;
/// A reader so far ahead of packets has seen a clock that was since set back: 128 ms.
const SET_BACK: i64 = 1024;
/// The line begins so long before the first frame is read, and half as long ago a packet may still be the latest.
const BEFORE_MS: i64 = 120;
/// No sample: G.711 has no such value.
const NOTHING: i16 = i16::MIN;

pub(crate) struct JitterBuffer {
    started: Timestamp,
    /// Sample `n` is at `n % RING`.
    ring: Box<[i16; RING]>,
    /// One past the last sample that was laid or concealed.
    head: i64,
    /// One past the last sample that somebody read.
    read_to: i64,
    delay: i64,
    timeline: Timeline,
    /// Of the latest packets, the least that one was early by, and how many they are.
    spare: i64,
    packets: u16,
}

impl JitterBuffer {
    pub fn new(now: Timestamp) -> Self {
        Self {
            started: now,
            ring: Box::new([NOTHING; RING]),
            head: 0,
            read_to: 0,
            delay: FRAME,
            timeline: Timeline::default(),
            spare: i64::MAX,
            packets: 0,
        }
    }

    /// Goes on from the latest packet before now, lest a mix that begins here begins with silence.
    pub fn after(now: Timestamp, latest: &Latest) -> Self {
        let mut buffer = Self::new(Timestamp::from_ms(now.as_ms() - BEFORE_MS));
        if let Some((at, heard, law)) = latest.heard()
            && at.as_ms() + BEFORE_MS / 2 > now.as_ms()
        {
            buffer.lay(at, &heard, law);
        }
        buffer
    }

    /// A packet has arrived.
    pub fn lay(&mut self, now: Timestamp, heard: &Heard<'_>, law: Law) {
        let table = law.to_linear();
        let arrival = self.position(now);
        let start = self.timeline.place(arrival, heard).frame;
        if self.read_to > 0 {
            self.follow(start - self.read_to);
        }
        let end = start + heard.payload.len() as i64;
        if start < 0 || end > arrival.max(self.head) + RING as i64 / 2 {
            return;
        }
        self.extend_to(end);
        for (at, byte) in (start..).zip(heard.payload).skip_while(|(at, _)| *at < end - RING as i64) {
            self.ring[index(at)] = table[usize::from(*byte)];
        }
    }

    /// Add what was said a moment before `now` to `sum`. `now` rises by 20 ms from one reading to the next.
    pub fn read(&mut self, now: Timestamp, sum: &mut [i32; FRAME_SAMPLES]) {
        let start = self.position(now) - self.delay - FRAME;
        if start + SET_BACK < self.read_to {
            *self = Self::new(now);
            return;
        }
        if start < 0 {
            return;
        }
        self.read_to = self.read_to.max(start + FRAME);
        self.extend_to(start + FRAME);
        for (at, sum) in (start..).zip(sum) {
            if self.ring[index(at)] == NOTHING {
                self.ring[index(at)] = self.concealed(at);
            }
            *sum += i32::from(self.ring[index(at)]);
        }
    }

    fn concealed(&self, at: i64) -> i16 {
        match self.ring[index(at - FRAME)] {
            NOTHING => 0,
            before => before / 4 * 3,
        }
    }

    /// A packet was early by so many samples, late if negative: read later if it must be, earlier if it may be.
    fn follow(&mut self, early: i64) {
        if early < 0 {
            let later = (FRAME - 1 - early) / FRAME * FRAME;
            self.delay = (self.delay + later).min(DELAY_MAX);
            (self.spare, self.packets) = (i64::MAX, 0);
            return;
        }
        self.spare = self.spare.min(early);
        self.packets += 1;
        if self.packets == CALM_PACKETS {
            if self.spare >= SPARE_MIN && self.delay > FRAME {
                self.delay -= FRAME;
            }
            (self.spare, self.packets) = (i64::MAX, 0);
        }
    }

    /// Forget what lies a round back where nothing was laid yet.
    fn extend_to(&mut self, end: i64) {
        for at in self.head.max(end - RING as i64)..end {
            self.ring[index(at)] = NOTHING;
        }
        self.head = self.head.max(end);
    }

    fn position(&self, now: Timestamp) -> i64 {
        (ms_between(self.started, now) * SAMPLES_PER_MS) as i64
    }
}

fn index(at: i64) -> usize {
    at.rem_euclid(RING as i64) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: i64) -> Timestamp {
        Timestamp::from_ms(1_000_000 + ms)
    }

    /// Packet `n` says one value throughout; it is due at `20 (n + 1)` ms.
    fn lay(buffer: &mut JitterBuffer, n: u32, ms: i64) {
        let byte = crate::g711::encode_alaw(value(n));
        let heard = Heard { ssrc: 1, timestamp: 160 * n, payload: &[byte; 160] };
        buffer.lay(at(ms), &heard, Law::A);
    }

    fn value(n: u32) -> i16 {
        crate::g711::decode_alaw(crate::g711::encode_alaw(1000 + 50 * (n % 100) as i16))
    }

    /// The last sample of what is read at a time.
    fn read(buffer: &mut JitterBuffer, ms: i64) -> i32 {
        let mut sum = [0; FRAME_SAMPLES];
        buffer.read(at(ms), &mut sum);
        sum[159]
    }

    #[test]
    fn readers_in_any_rhythm_hear_each_packet_once_and_whole() {
        for offset in [0, 7, 19] {
            let mut buffer = JitterBuffer::new(at(0));
            let mut heard = Vec::new();
            for ms in 0..2000 {
                if ms % 20 == 0 && ms > 0 {
                    lay(&mut buffer, (ms / 20 - 1) as u32, ms);
                }
                if ms % 20 == offset {
                    let mut sum = [0; FRAME_SAMPLES];
                    buffer.read(at(ms), &mut sum);
                    heard.extend(sum);
                }
            }
            let said: Vec<i32> = (1..90).flat_map(|n| [i32::from(value(n)); 160]).collect();
            let before = heard.iter().take_while(|sample| **sample != said[0]).count();
            assert!(before <= 640, "{before} samples before the second packet");
            assert!(heard[before..][..said.len()] == said, "at {offset} ms");
        }
    }

    #[test]
    fn a_lost_packet_is_concealed_by_the_one_before_softer_each_time() {
        let mut buffer = JitterBuffer::new(at(0));
        for n in 0..10 {
            lay(&mut buffer, n, 20 * i64::from(n) + 20);
        }
        let said = [5, 6, 7, 8, 9].map(|n| i32::from(value(n)));
        let heard: Vec<i32> = (0..9).map(|n| read(&mut buffer, 160 + 20 * n)).collect();
        assert_eq!(heard[..3], [said[1], said[2], said[3]], "{heard:?}");
        let softer: Vec<i32> = std::iter::successors(Some(said[4]), |v| Some(v / 4 * 3)).take(6).collect();
        assert_eq!(heard[3..], softer);
    }

    #[test]
    fn after_late_packets_it_is_read_later_and_after_calm_ones_earlier() {
        let mut buffer = JitterBuffer::new(at(0));
        // Every fifth packet is held up by so much.
        let mut run = |packets: std::ops::Range<u32>, held_up: i64| {
            let arrival = |n: u32| 20 * i64::from(n) + 20 + if n.is_multiple_of(5) { held_up } else { 0 };
            for ms in 20 * i64::from(packets.start)..20 * i64::from(packets.end) + 20 {
                for n in packets.clone().filter(|n| arrival(*n) == ms) {
                    lay(&mut buffer, n, ms);
                }
                if ms % 20 == 3 {
                    read(&mut buffer, ms);
                }
            }
            buffer.delay / FRAME
        };
        assert_eq!(run(0..300, 0), 1);
        assert_eq!(run(300..600, 65), 5);
        assert_eq!(run(600..2000, 0), 1);
    }

    #[test]
    fn a_clock_set_back_and_wild_timestamps_do_no_harm() {
        let mut buffer = JitterBuffer::new(at(0));
        lay(&mut buffer, 0, 20);
        read(&mut buffer, 3_600_000);
        read(&mut buffer, 100);
        lay(&mut buffer, 1, 120);
        lay(&mut buffer, 4_000_000, 140);
        for n in 2..20 {
            lay(&mut buffer, n, 120 + 20 * i64::from(n));
        }
        assert_eq!(read(&mut buffer, 520), i32::from(value(19)));
    }
}

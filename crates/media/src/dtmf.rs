//! Keys pressed on a phone, as RFC 4733 telephone-events: told apart on the way in, made on the way out.
//!
//! A key is reported when its first packet arrives, so a lost end loses nothing. What must not happen is
//! that one key counts twice: its packets repeat one timestamp, a key held for more than eight seconds
//! goes on under a new timestamp that joins the old one (section 2.5.1.3), and some phones stamp every
//! packet anew. A second press of the same key leaves a pause in RTP time.

/// Bytes of a telephone-event payload (section 2.3).
pub(crate) const EVENT_BYTES: usize = 4;
const KEYS: &[u8; 16] = b"0123456789*#ABCD";
const END: u8 = 0x80;
/// RTP time by which one key's timestamps may run ahead of the duration last seen: two packets, for one of
/// them may be lost. Less than a press's shortest pause plus the end that was not seen.
const JOIN_SAMPLES: u32 = 320;
/// -10 dBm0, as phones send it.
const VOLUME: u8 = 10;

/// The latest event packet of a source.
#[derive(Clone, Copy)]
struct Latest {
    event: u8,
    ended: bool,
    timestamp: u32,
    duration: u16,
}

#[derive(Default)]
pub(crate) struct Detector {
    latest: Option<Latest>,
}

impl Detector {
    /// The numbering of the source started anew.
    pub fn reset(&mut self) {
        self.latest = None;
    }

    /// The digit, if this packet begins a key.
    pub fn note(&mut self, timestamp: u32, payload: &[u8]) -> Option<char> {
        let [event, flags, high, low] = *payload.first_chunk::<EVENT_BYTES>()?;
        let packet =
            Latest { event, ended: flags & END != 0, timestamp, duration: u16::from_be_bytes([high, low]) };
        let Some(before) = self.latest else {
            self.latest = Some(packet);
            return digit(event);
        };
        let ahead = timestamp.wrapping_sub(before.timestamp);
        if ahead as i32 > 0 {
            self.latest = Some(packet);
            let joins = ahead <= u32::from(before.duration) + JOIN_SAMPLES;
            let goes_on = event == before.event && joins && (!before.ended || packet.ended);
            return if goes_on { None } else { digit(event) };
        }
        if ahead == 0 && event == before.event {
            let duration = before.duration.max(packet.duration);
            self.latest = Some(Latest { ended: before.ended || packet.ended, duration, ..packet });
        }
        None
    }
}

/// What the key looks like after `duration` samples.
pub(crate) fn payload(key: u8, ended: bool, duration: u16) -> [u8; EVENT_BYTES] {
    let [high, low] = duration.to_be_bytes();
    [key, VOLUME | if ended { END } else { 0 }, high, low]
}

/// The event number of a digit.
pub(crate) fn key(digit: char) -> Option<u8> {
    KEYS.iter().position(|k| char::from(*k) == digit.to_ascii_uppercase()).map(|n| n as u8)
}

fn digit(event: u8) -> Option<char> {
    KEYS.get(usize::from(event)).map(|k| char::from(*k))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// (timestamp, digit, end, duration) → the digits reported.
    fn check(packets: &[(u32, char, bool, u16)], expect: &str) {
        let mut detector = Detector::default();
        let heard: String = packets
            .iter()
            .filter_map(|(timestamp, digit, ended, duration)| {
                detector.note(*timestamp, &payload(key(*digit).unwrap(), *ended, *duration))
            })
            .collect();
        assert_eq!(heard, expect, "{packets:?}");
    }

    #[test]
    fn a_key_with_its_repeated_end_counts_once() {
        check(&[(0, '5', false, 160), (0, '5', false, 320), (0, '5', true, 480), (0, '5', true, 480)], "5");
        check(&[(0, '#', true, 480)], "#");
    }

    #[test]
    fn the_same_key_twice_counts_twice_even_if_the_end_was_lost() {
        let ended = [(0, '1', false, 160), (0, '1', true, 800), (1600, '1', false, 160)];
        check(&ended, "11");
        let lost_end = [(0, '1', false, 160), (0, '1', false, 640), (1600, '1', false, 160)];
        check(&lost_end, "11");
    }

    #[test]
    fn different_keys_without_ends_count_each() {
        check(&[(0, '1', false, 160), (160, '2', false, 160), (320, '3', true, 160)], "123");
    }

    #[test]
    fn a_key_held_for_nine_seconds_counts_once() {
        check(&[(0, '9', false, 0xFFFF), (0xFFFF, '9', false, 160), (0xFFFF, '9', true, 4000)], "9");
    }

    #[test]
    fn a_phone_that_stamps_every_packet_anew_presses_once() {
        check(
            &[(0, '7', false, 160), (160, '7', false, 320), (320, '7', true, 480), (480, '7', true, 480)],
            "7",
        );
    }

    #[test]
    fn an_old_end_after_a_new_key_is_ignored_also_over_the_wrap() {
        let old = u32::MAX - 500;
        check(&[(old, '1', false, 160), (1000, '2', false, 160), (old, '1', true, 480)], "12");
    }

    #[test]
    fn flash_and_nonsense_are_no_digits() {
        let mut detector = Detector::default();
        assert_eq!(detector.note(0, &[16, 0, 0, 160]), None);
        assert_eq!(detector.note(0, &[1, 0, 0]), None);
        assert_eq!(detector.note(0, &[]), None);
        assert_eq!(detector.note(900, &[10, 0, 0, 160]), Some('*'));
    }
}

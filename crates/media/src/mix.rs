//! Several voices on one line: their sum, kept within what a line can carry.

use crate::play::FRAME_SAMPLES;

/// A gain of one.
const ONE: i32 = 1 << 15;
/// No sample comes out louder: 0.8 dB below what 16 bits hold.
const CEILING: i32 = 30_000;
/// How fast the gain comes back: 0.2 dB a frame, 10 dB a second.
const RECOVERY: i32 = ONE / 43;
/// Samples over which the gain changes, so that it does not click: 2 ms.
const RAMP: i32 = 16;

/// Turns a sum down before it would clip, and up again slowly.
pub(crate) struct Guard {
    gain: i32,
}

impl Default for Guard {
    fn default() -> Self {
        Self { gain: ONE }
    }
}

impl Guard {
    /// The frame as it is sent.
    pub fn encode(
        &mut self,
        sum: &[i32; FRAME_SAMPLES],
        frame: &mut [u8; FRAME_SAMPLES],
        mut encode: impl FnMut(i16) -> u8,
    ) {
        let peak = sum.iter().map(|sample| sample.abs()).max().unwrap_or(0);
        let fits =
            if peak > CEILING { (i64::from(CEILING) * i64::from(ONE) / i64::from(peak)) as i32 } else { ONE };
        let before = self.gain;
        self.gain = fits.min(before + RECOVERY);
        for ((n, sample), byte) in (1..).zip(sum).zip(frame) {
            let gain = before + (self.gain - before) * RAMP.min(n) / RAMP;
            let loud = i64::from(*sample) * i64::from(gain) / i64::from(ONE);
            *byte = encode(loud.clamp(i64::from(-CEILING), i64::from(CEILING)) as i16);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::g711::{decode_alaw, encode_alaw, encode_ulaw};

    #[test]
    fn what_fits_passes_as_it_is_and_what_does_not_is_turned_down_without_a_change_of_shape() {
        let mut guard = Guard::default();
        let mut frame = [0; FRAME_SAMPLES];
        guard.encode(&[12_000; FRAME_SAMPLES], &mut frame, encode_alaw);
        assert!(frame.iter().all(|byte| *byte == encode_alaw(12_000)));

        let wave: [i32; FRAME_SAMPLES] = std::array::from_fn(|n| if n % 2 == 0 { 60_000 } else { -20_000 });
        guard.encode(&wave, &mut frame, encode_alaw);
        guard.encode(&wave, &mut frame, encode_alaw);
        let (loud, soft) = (f64::from(decode_alaw(frame[0])), f64::from(decode_alaw(frame[1])));
        assert!((loud - 30_000.0).abs() < 1_000.0, "{loud}");
        assert!((loud / soft + 3.0).abs() < 0.2, "{loud} {soft}");

        let mut frames = 0;
        while frame[159] != encode_alaw(12_000) {
            guard.encode(&[12_000; FRAME_SAMPLES], &mut frame, encode_alaw);
            frames += 1;
        }
        assert!((15..=40).contains(&frames), "the gain is back after {frames} frames");
    }

    #[test]
    fn seven_who_shout_at_once_are_heard_and_do_not_overflow() {
        let mut guard = Guard::default();
        let mut frame = [0; FRAME_SAMPLES];
        guard.encode(&[7 * 32_767; FRAME_SAMPLES], &mut frame, encode_ulaw);
        guard.encode(&[-7 * 32_767; FRAME_SAMPLES], &mut frame, encode_ulaw);
        assert!(crate::g711::decode_ulaw(frame[159]) < -28_000);
    }
}

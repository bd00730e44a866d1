//! G.722 at 64 kbit/s (ITU-T G.722), as far as a narrowband exchange needs it: the lower sub-band.
//!
//! A byte holds six bits of ADPCM of the lower sub-band (0 to 4 kHz, 8000 samples a second) and two of the upper one
//! (4 to 8 kHz). All that is made here comes from G.711 or goes there, and G.711 has nothing above 3.4 kHz. So the
//! lower band's samples are the audio itself, without a filter, and the upper band is sent silent and not read.
//!
//! What that leaves out are the filters that split and join the bands. Their gain is one, to 0.4 dB up to 3.4 kHz, and
//! their delay is the phone's. What the silent upper band does not cancel, measured against a decoder of both bands:
//! - Towards the phone, a tone leaves an image mirrored at 4 kHz: 70 dB weaker up to 2 kHz, 20 dB at 3 kHz, 10 dB
//!   at 3.4 kHz, where voices have little.
//! - From the phone, what lies above 4 kHz folds back below it: 5 dB weaker at 4.2 kHz, 20 dB at 5 kHz, 60 dB at 6 kHz.
//!
//! 16 bits are full scale on both sides, as phones have it; the recommendation's overload point would make G.722
//! quieter by 6 dB.
//!
//! The names of blocks are those of the recommendation.

use crate::g711::{self, Law};

/// The upper band's code for a step up, the smallest; repeated, it is silence.
const UPPER_SILENT: u8 = 0xC0;
/// Decision levels of the 60-level quantiser, for a step size of one (Q6).
const DECISIONS: [i32; 29] = [
    35, 72, 110, 150, 190, 233, 276, 323, 370, 422, 473, 530, 587, 650, 714, 786, 858, 940, 1023, 1121, 1219,
    1339, 1458, 1612, 1765, 1980, 2195, 2557, 2919,
];
/// Output values of the 15-level quantiser, by magnitude (QM4): both ends adapt to these.
const COARSE: [i32; 8] = [0, 1200, 2584, 4240, 6288, 8968, 12_896, 20_456];
/// Output values of the 60-level quantiser, by magnitude (QM6).
const FINE: [i32; 30] = [
    136, 432, 728, 1040, 1360, 1688, 2032, 2400, 2776, 3168, 3576, 4008, 4464, 4944, 5456, 6000, 6576, 7192,
    7856, 8576, 9360, 10_232, 11_192, 12_280, 13_512, 14_984, 16_704, 19_008, 21_904, 24_808,
];
/// By how much such a magnitude changes the logarithm of the step size (WL).
const LOG_STEPS: [i32; 8] = [-60, -30, 58, 172, 334, 538, 1198, 3042];
const LOG_STEP_MAX: i32 = 18_432;
/// 2048 times two to the thirty-seconds (ILB).
const POWERS: [i32; 32] = [
    2048, 2093, 2139, 2186, 2233, 2282, 2332, 2383, 2435, 2489, 2543, 2599, 2656, 2714, 2774, 2834, 2896,
    2960, 3025, 3091, 3158, 3228, 3298, 3371, 3444, 3520, 3597, 3676, 3756, 3838, 3922, 4008,
];

/// Both directions of one leg.
#[derive(Default)]
pub struct Transcoder {
    /// Follows the phone's encoder.
    heard: LowerBand,
    /// Is followed by the phone's decoder.
    said: LowerBand,
}

impl Transcoder {
    /// Make A-law of what the phone said. If `is_late`, it belongs before what was made last, and what comes next does
    /// not follow on it.
    pub fn decode(&mut self, bytes: &mut [u8], is_late: bool) {
        let mut band = self.heard;
        for byte in bytes {
            *byte = g711::encode_alaw(band.decode(*byte));
        }
        if !is_late {
            self.heard = band;
        }
    }

    /// The phone was sent this packet as it came from another: what is made next goes on from where its decoder then
    /// is. Otherwise it would hear a bang. It costs as much as a decoder, 5 µs a packet.
    pub fn follow(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.said.decode(*byte);
        }
    }

    /// Make G.722 of a 16-bit sample.
    #[must_use]
    pub fn encode(&mut self, sample: i16) -> u8 {
        UPPER_SILENT | self.said.encode(sample)
    }

    /// Make G.722 of a packet.
    pub fn encode_all(&mut self, from: Law, bytes: &mut [u8]) {
        for byte in bytes {
            *byte = self.encode(from.to_linear()[usize::from(*byte)]);
        }
    }
}

/// One end of the lower band's ADPCM; both ends are in the same state.
#[derive(Clone, Copy)]
struct LowerBand {
    /// Logarithm of the step size (NBL), and the step size (DETL).
    log_step: i32,
    step: i32,
    /// Coefficients of the two poles and six zeros of the predictor (AL, BL).
    poles: [i32; 2],
    zeros: [i32; 6],
    /// Latest first: differences (DLT), partly reconstructed signals (PLT), and the reconstructed one (RLT).
    differences: [i32; 6],
    partial: [i32; 2],
    reconstructed: i32,
    /// What the zeros predict, and what both do (SZL, SL).
    by_zeros: i32,
    predicted: i32,
}

impl Default for LowerBand {
    fn default() -> Self {
        Self {
            log_step: 0,
            step: 32,
            poles: [0; 2],
            zeros: [0; 6],
            differences: [0; 6],
            partial: [0; 2],
            reconstructed: 0,
            by_zeros: 0,
            predicted: 0,
        }
    }
}

impl LowerBand {
    /// The six bits of a 16-bit sample.
    fn encode(&mut self, sample: i16) -> u8 {
        let difference = saturate(i32::from(sample >> 1) - self.predicted);
        let is_negative = difference < 0;
        let size = if is_negative { !difference } else { difference };
        let level = DECISIONS.iter().position(|decision| size < (decision * self.step) >> 12);
        let magnitude = level.unwrap_or(DECISIONS.len()) as u8;
        let code = match (is_negative, magnitude) {
            (false, _) => 61 - magnitude,
            (true, 0 | 1) => 63 - magnitude,
            (true, _) => 33 - magnitude,
        };
        self.adapt(&CODES[usize::from(code)]);
        code
    }

    /// The 16-bit sample of a byte.
    fn decode(&mut self, byte: u8) -> i16 {
        let code = &CODES[usize::from(byte & 0x3F)];
        let difference = (self.step * code.fine) >> 15;
        let sample = (self.predicted + difference).clamp(-16_384, 16_383);
        self.adapt(code);
        (sample * 2) as i16
    }

    fn adapt(&mut self, code: &Code) {
        let difference = (self.step * code.coarse) >> 15;
        self.log_step = (((self.log_step * 127) >> 7) + code.log_step).clamp(0, LOG_STEP_MAX);
        let power = POWERS[(self.log_step >> 6 & 31) as usize];
        self.step = (power << (self.log_step >> 11) >> 8) << 2;
        self.predict(difference);
    }

    /// Block 4: take the difference in and predict the next sample.
    fn predict(&mut self, difference: i32) {
        let reconstructed = saturate(self.predicted + difference);
        let partial = saturate(self.by_zeros + difference);
        self.poles = self.next_poles(partial);
        for (zero, before) in self.zeros.iter_mut().zip(&self.differences) {
            let towards = match difference {
                0 => 0,
                _ if is_like(difference, *before) => 128,
                _ => -128,
            };
            *zero = saturate(towards + ((*zero * 32_640) >> 15));
        }
        self.differences.rotate_right(1);
        self.differences[0] = difference;
        self.partial = [partial, self.partial[0]];
        let by_poles =
            saturate(scaled(self.poles[0], reconstructed) + scaled(self.poles[1], self.reconstructed));
        self.reconstructed = reconstructed;
        let zeros = self.zeros.iter().zip(&self.differences);
        self.by_zeros = saturate(zeros.map(|(zero, difference)| scaled(*zero, *difference)).sum());
        self.predicted = saturate(by_poles + self.by_zeros);
    }

    fn next_poles(&self, partial: i32) -> [i32; 2] {
        let [first, second] = self.poles;
        let [like_last, like_before] = self.partial.map(|before| is_like(partial, before));
        let towards = saturate(first * 4);
        let towards = if like_last { (-towards).min(i32::from(i16::MAX)) } else { towards };
        let by_sign = if like_before { 128 } else { -128 };
        let second = (by_sign + (towards >> 7) + ((second * 32_512) >> 15)).clamp(-12_288, 12_288);
        let by_sign = if like_last { 192 } else { -192 };
        let bound = 15_360 - second;
        [saturate(by_sign + ((first * 32_640) >> 15)).clamp(-bound, bound), second]
    }
}

/// What six bits stand for, for a step size of one.
struct Code {
    fine: i32,
    coarse: i32,
    log_step: i32,
}

static CODES: [Code; 64] = codes();

const fn codes() -> [Code; 64] {
    let mut codes = [const { Code { fine: 0, coarse: 0, log_step: 0 } }; 64];
    let mut code = 0;
    while code < 64 {
        // The four codes that no encoder sends count as the smallest step down.
        let (sign, magnitude) = match code {
            0..4 => (-1, 0),
            4..32 => (-1, 33 - code),
            32..62 => (1, 61 - code),
            _ => (-1, 63 - code),
        };
        let (coarse_sign, coarse) = match code / 4 {
            0 | 15 => (1, 0),
            n @ 1..8 => (-1, 8 - n),
            n => (1, 15 - n),
        };
        codes[code] = Code {
            fine: sign * FINE[magnitude],
            coarse: coarse_sign * COARSE[coarse],
            log_step: LOG_STEPS[coarse],
        };
        code += 1;
    }
    codes
}

fn is_like(a: i32, b: i32) -> bool {
    (a < 0) == (b < 0)
}

/// A coefficient of 14 bits after the point, times a sample.
fn scaled(coefficient: i32, sample: i32) -> i32 {
    (coefficient * saturate(sample * 2)) >> 15
}

fn saturate(value: i32) -> i32 {
    value.clamp(i32::from(i16::MIN), i32::from(i16::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::f64::consts::TAU;

    fn tone(hz: f64, loud: f64) -> impl Iterator<Item = i16> {
        (0..).map(move |t| (loud * f64::sin(TAU * hz * f64::from(t) / 8000.0)) as i16)
    }

    /// What the phone hears of what we say, as 16 bits.
    fn through(phone: &mut LowerBand, ours: &mut Transcoder, samples: impl Iterator<Item = i16>) -> Vec<i16> {
        samples.map(|sample| phone.decode(ours.encode(sample))).collect()
    }

    /// By how many dB the error is below the signal.
    fn likeness(said: &[i16], heard: &[i16]) -> f64 {
        let power = |values: &mut dyn Iterator<Item = f64>| values.map(|v| v * v).sum::<f64>() + 1e-9;
        let signal = power(&mut said.iter().map(|s| f64::from(*s)));
        let error = power(&mut said.iter().zip(heard).map(|(s, h)| f64::from(*s) - f64::from(*h)));
        10.0 * f64::log10(signal / error)
    }

    #[test]
    fn tones_from_loud_to_soft_come_through() {
        for (hz, loud) in
            [(300.0, 20_000.0), (1000.0, 8000.0), (1000.0, 400.0), (2000.0, 3000.0), (3300.0, 3000.0)]
        {
            let said: Vec<i16> = tone(hz, loud).take(8000).collect();
            let heard = through(&mut LowerBand::default(), &mut Transcoder::default(), said.iter().copied());
            let likeness = likeness(&said[1000..], &heard[1000..]);
            assert!(likeness > 30.0, "{hz} Hz at {loud}: {likeness} dB");
        }
    }

    #[test]
    fn silence_is_silence_and_the_upper_band_always() {
        let mut ours = Transcoder::default();
        let heard = through(&mut LowerBand::default(), &mut ours, std::iter::repeat_n(0, 8000));
        assert!(heard.iter().all(|sample| sample.abs() <= 16), "{:?}", heard.iter().max());
        assert!(tone(700.0, 30_000.0).take(800).all(|sample| ours.encode(sample) & 0xC0 == UPPER_SILENT));
    }

    /// Sums of the bytes that another implementation (spandsp 0.0.6 at 8000 Hz) made of the same input; the two were
    /// compared byte for byte, for speech, sweeps, noise and random codes too.
    #[test]
    fn bytes_are_those_of_the_recommendation() {
        let mut state = 1u32;
        let noise = std::iter::repeat_with(|| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 16) as i16
        });
        let sum = |bytes: &mut dyn Iterator<Item = u8>| {
            bytes.fold(0u32, |sum, byte| sum.wrapping_mul(31).wrapping_add(u32::from(byte)))
        };
        let mut ours = Transcoder::default();
        assert_eq!(sum(&mut noise.take(20_000).map(|sample| ours.encode(sample))), 3_213_207_455);
        let mut codes: Vec<u8> =
            (0..20_000u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
        ours.decode(&mut codes, false);
        assert_eq!(sum(&mut codes.into_iter()), 2_822_486_878);
    }

    #[test]
    fn a_late_packet_changes_nothing_for_the_next() {
        let (mut ours, mut phone) = (Transcoder::default(), Transcoder::default());
        let packets: Vec<Vec<u8>> = (0..10)
            .map(|n| tone(500.0, 9000.0).skip(160 * n).take(160).map(|sample| phone.encode(sample)).collect())
            .collect();
        let decoded = |ours: &mut Transcoder, n: usize, is_late| {
            let mut bytes = packets[n].clone();
            ours.decode(&mut bytes, is_late);
            bytes
        };
        for n in 0..9 {
            decoded(&mut ours, n, false);
        }
        let mut disturbed = Transcoder { heard: ours.heard, said: ours.said };
        decoded(&mut disturbed, 3, true);
        assert_eq!(decoded(&mut disturbed, 9, false), decoded(&mut ours, 9, false));
    }

    #[test]
    fn what_follows_on_another_s_packets_begins_without_a_bang() {
        let mut other = Transcoder::default();
        let loud: Vec<u8> = tone(210.0, 20_000.0).take(8000).map(|sample| other.encode(sample)).collect();
        let said: Vec<i16> = tone(440.0, 3000.0).take(320).collect();
        let begins = |follows: bool| {
            let (mut ours, mut phone) = (Transcoder::default(), LowerBand::default());
            for byte in &loud {
                phone.decode(*byte);
            }
            if follows {
                ours.follow(&loud);
            }
            likeness(&said, &through(&mut phone, &mut ours, said.iter().copied()))
        };
        assert!(begins(true) > 15.0 && begins(false) < 5.0, "{} dB, {} dB", begins(true), begins(false));
    }
}

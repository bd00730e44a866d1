//! What a lawyer hears of a number that is dialled for them: the signal tones of the Chinese network (GB/T 3380).

use media::g711::encode_alaw;
use media::{SAMPLE_RATE_HZ, SAMPLES_PER_MS};
use std::f64::consts::TAU;
use std::sync::Arc;

const TONE_HZ: f64 = 450.0;
/// -10 dBm0, as the network plays them.
const AMPLITUDE: f64 = 7_200.0;

/// A-law.
pub(crate) struct Tones {
    /// It rings: to be repeated.
    pub(crate) ringback: Arc<[u8]>,
    /// It could not be reached.
    pub(crate) busy: Arc<[u8]>,
}

impl Tones {
    pub(crate) fn new() -> Self {
        Self { ringback: tone(1_000, 4_000, 1), busy: tone(350, 350, 3) }
    }
}

fn tone(on_ms: u64, off_ms: u64, times: u64) -> Arc<[u8]> {
    let (on, period) = (on_ms * SAMPLES_PER_MS, (on_ms + off_ms) * SAMPLES_PER_MS);
    let sample = |n: u64| {
        let phase = TAU * TONE_HZ * n as f64 / f64::from(SAMPLE_RATE_HZ);
        if n % period < on { encode_alaw((AMPLITUDE * phase.sin()) as i16) } else { encode_alaw(0) }
    };
    (0..period * times).map(sample).collect()
}

//! Keys pressed on a phone, as they sound (ITU-T Q.23), for peers that send no telephone-events.
//!
//! Every 13 ms a window of 25 ms is looked at. It is a hit if it holds one tone of each group and little else, as
//! Q.24 has it: loud enough, neither tone much louder than the other, most of the energy in the two, each in its
//! place within 2.25 %, and no second harmonic, which voices have and phones have not. Two hits in a row are a key.
//!
//! As windows overlap by half and must be filled by two thirds, a tone of 40 ms always makes two hits in a row, one of
//! them filled, and one of 20 ms never does; a pause of 40 ms always makes three misses in a row, which end a key.
//!
//! It costs less than 0.02 % of a core a leg, 1 KiB, and nothing where keys come as telephone-events.

use std::f32::consts::TAU;

const WINDOW: usize = 204;
const STEP: usize = WINDOW / 2;
/// Eight frequencies at a time, which is what vector units like.
type Lanes = [f32; 8];
/// The low group, then the high group.
const HZ: Lanes = [697.0, 770.0, 852.0, 941.0, 1209.0, 1336.0, 1477.0, 1633.0];
/// By row, then column.
const KEYS: [[char; 4]; 4] =
    [['1', '2', '3', 'A'], ['4', '5', '6', 'B'], ['7', '8', '9', 'C'], ['*', '0', '#', 'D']];
/// Where a tone is sought around its frequency: too low, five places where it may be, too high; and its harmonic.
const PLACES: Lanes = [0.955, 0.984, 0.992, 1.0, 1.008, 1.016, 1.045, 2.0];
/// Mean square of a sine of 0 dBm0, 3.14 dB below the loudest (G.711 table 5).
const POWER_0_DBM0: f32 = 2.6e8;
/// Both tones together: -33 dBm0.
const POWER_MIN: f32 = POWER_0_DBM0 * 5.0e-4;
/// Of one tone to the other, either way: 10 dB.
const TWIST_MAX: f32 = 10.0;
/// Share of the two tones in all that is heard, in a window that they may fill by two thirds only.
const SHARE_MIN: f32 = 0.66;
/// The same in one of the two windows that make a key: one of them is filled.
const FULL_SHARE_MIN: f32 = 0.9;
/// Share of a second harmonic against the two tones: -10 dB. The harmonic of 697 Hz lies so near to 1336 Hz that less
/// would refuse the key 2.
const HARMONIC_MAX: f32 = 0.1;
/// Misses in a row that end a key.
const MISSES_MAX: u8 = 3;
/// A hole in the stream up to this is loss, in which a key goes on: 60 ms, in samples. A longer one is a pause.
const LOSS_MAX: u32 = 480;

#[derive(Clone, Copy)]
struct Hit {
    key: char,
    is_full: bool,
}

pub(crate) struct Ear {
    /// What [`HZ`] is to the filter.
    nominal: Lanes,
    window: [f32; WINDOW],
    filled: usize,
    /// The RTP timestamp that comes next.
    next: Option<u32>,
    /// What the latest window held.
    hit: Option<Hit>,
    /// The key that was reported and is not over.
    down: Option<char>,
    misses: u8,
}

impl Default for Ear {
    fn default() -> Self {
        let nominal = HZ.map(coefficient);
        Self { nominal, window: [0.0; WINDOW], filled: 0, next: None, hit: None, down: None, misses: 0 }
    }
}

impl Ear {
    /// The numbering of the source started anew.
    pub fn reset(&mut self) {
        (self.filled, self.next, self.hit, self.down) = (0, None, None, None);
    }

    /// A packet of audio, in order; `table` makes its bytes linear. Every key that goes down in it is reported.
    pub fn hear(&mut self, timestamp: u32, payload: &[u8], table: &[i16; 256], mut report: impl FnMut(char)) {
        match self.next.map(|next| timestamp.wrapping_sub(next)) {
            Some(0) => {}
            Some(1..=LOSS_MAX) => self.filled = 0,
            Some(_) | None => self.reset(),
        }
        self.next = Some(timestamp.wrapping_add(payload.len() as u32));
        for byte in payload {
            self.window[self.filled] = f32::from(table[usize::from(*byte)]);
            self.filled += 1;
            if self.filled == WINDOW {
                let hit = self.look();
                if let Some(key) = self.note(hit) {
                    report(key);
                }
                self.window.copy_within(STEP.., 0);
                self.filled = WINDOW - STEP;
            }
        }
    }

    /// The key, if with this window one goes down.
    fn note(&mut self, hit: Option<Hit>) -> Option<char> {
        let before = std::mem::replace(&mut self.hit, hit);
        let key = hit.map(|hit| hit.key);
        if key.is_some() && key == self.down {
            self.misses = 0;
            return None;
        }
        let twice = hit.zip(before).filter(|(a, b)| a.key == b.key && (a.is_full || b.is_full));
        if twice.is_some() {
            (self.down, self.misses) = (key, 0);
            return key;
        }
        self.misses = self.misses.saturating_add(1);
        if self.misses >= MISSES_MAX {
            self.down = None;
        }
        None
    }

    fn look(&self) -> Option<Hit> {
        let all = self.window.iter().map(|sample| sample * sample).sum::<f32>() / WINDOW as f32;
        if all < POWER_MIN {
            return None;
        }
        let powers = self.powers(&self.nominal);
        let (low, high) = powers.split_at(4);
        let (row, column) = (loudest(low), loudest(high));
        let (low, low_harmonic) = self.tone(HZ[row])?;
        let (high, high_harmonic) = self.tone(HZ[4 + column])?;
        let both = low + high;
        let holds = both >= POWER_MIN
            && both >= all * SHARE_MIN
            && low <= high * TWIST_MAX
            && high <= low * TWIST_MAX
            && low_harmonic.max(high_harmonic) <= both * HARMONIC_MAX;
        holds.then(|| Hit { key: KEYS[row][column], is_full: both >= all * FULL_SHARE_MIN })
    }

    /// Mean square of a tone and of its second harmonic, if the tone is in its place.
    fn tone(&self, hz: f32) -> Option<(f32, f32)> {
        let [below, a, b, nominal, c, d, above, harmonic] =
            self.powers(&PLACES.map(|place| coefficient(place * hz)));
        let power = [a, b, nominal, c, d].into_iter().fold(0.0, f32::max);
        (nominal >= below.max(above)).then_some((power, harmonic))
    }

    /// Mean square of what the window holds of each frequency (Goertzel's algorithm).
    fn powers(&self, coefficients: &Lanes) -> Lanes {
        let (mut last, mut before) = ([0.0; 8], [0.0; 8]);
        for sample in &self.window {
            let next: Lanes = std::array::from_fn(|n| sample + coefficients[n] * last[n] - before[n]);
            (before, last) = (last, next);
        }
        std::array::from_fn(|n| {
            let square = last[n] * last[n] + before[n] * before[n] - coefficients[n] * last[n] * before[n];
            square * 2.0 / (WINDOW * WINDOW) as f32
        })
    }
}

fn coefficient(hz: f32) -> f32 {
    2.0 * (TAU * hz / crate::SAMPLE_RATE_HZ as f32).cos()
}

fn loudest(powers: &[f32]) -> usize {
    (0..powers.len()).max_by(|a, b| powers[*a].total_cmp(&powers[*b])).unwrap_or(0)
}

//! SplitMix64: a small generator with one word of state, so that a seed tells a whole run.

use std::time::Duration;

#[derive(Clone, Debug)]
pub struct Dice(u64);

impl Dice {
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub fn next_u64(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// From 0 to `bound - 1`; 0 if there is nothing to choose from.
    pub fn below(&mut self, bound: u64) -> u64 {
        if bound == 0 { 0 } else { self.next_u64() % bound }
    }

    /// The time to the next event of a Poisson process with this mean.
    pub fn exponential(&mut self, mean: Duration) -> Duration {
        let uniform = ((self.next_u64() >> 11) + 1) as f64 / (1u64 << 53) as f64;
        mean.mul_f64(-uniform.ln())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_tells_the_whole_sequence_and_the_mean_is_kept() {
        let mut dice = Dice::new(7);
        assert_eq!(Dice::new(7).next_u64(), dice.clone().next_u64());
        let mean = Duration::from_secs(10);
        let total: Duration = (0..10_000).map(|_| dice.exponential(mean)).sum();
        assert!((90_000..110_000).contains(&total.as_secs()), "{total:?}");
    }
}

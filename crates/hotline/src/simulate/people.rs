//! What people do, drawn from a seed: when callers come, how long they talk and wait, when lawyers pick up.

use super::forecast::{Forecast, HOURS_OF_A_DAY, Talk, TalkShape};
use domain::CountyId;
use phones::Dice;
use std::time::Duration;

const HOUR: Duration = Duration::from_secs(3_600);
/// A lognormal talk has no longest; a day is longer than any lawyer's.
const TALK_MAX: Duration = Duration::from_secs(86_400);

/// Callers as they come. What each of them is like is drawn when they come, in the same order whoever is on
/// duty: the same seed brings the same callers to every roster, so that rosters can be compared.
pub struct Arrivals<'f> {
    forecast: &'f Forecast,
    dice: Dice,
    hours: u64,
    /// Since the first midnight, finer than the milliseconds of all else: rounding would bring more callers.
    at: Duration,
    languages_sum: u64,
}

/// One caller.
pub struct Person<'f> {
    /// Since the first midnight.
    pub at: Duration,
    pub county: &'f Option<CountyId>,
    /// Which of the county's exchanges the call comes from.
    pub exchange: u64,
    /// Chosen in a menu that offers it.
    pub language: Option<&'f str>,
    pub talk: Duration,
    /// None: as long as the dialplan lets them wait.
    pub patience: Option<Duration>,
    /// For what depends on how the call goes.
    pub dice: Dice,
}

impl<'f> Arrivals<'f> {
    pub fn new(forecast: &'f Forecast, seed: u64, days: u32) -> Self {
        Self {
            forecast,
            dice: Dice::new(seed),
            hours: u64::from(days) * HOURS_OF_A_DAY as u64,
            at: Duration::ZERO,
            languages_sum: forecast.languages.iter().map(|(_, share)| share).sum(),
        }
    }

    /// The next instant of a Poisson process whose rate changes by the hour: what is left of an hour without
    /// a caller says nothing about the next one.
    fn advance(&mut self) -> bool {
        loop {
            let hour = self.at.as_secs() / HOUR.as_secs();
            if hour >= self.hours {
                return false;
            }
            let end = HOUR * (hour as u32 + 1);
            let calls = self.forecast.calls_in(hour);
            let gap = if calls > 0.0 { self.dice.exponential(HOUR.div_f64(calls)) } else { HOUR };
            if self.at + gap < end {
                self.at += gap;
                return true;
            }
            self.at = end;
        }
    }

    fn county(&mut self) -> &'f Option<CountyId> {
        let hour = self.at.as_secs() / HOUR.as_secs();
        let (of_day, is_weekend) = ((hour % HOURS_OF_A_DAY as u64) as usize, self.forecast.is_weekend(hour));
        let mut place = above_zero(&mut self.dice) * self.forecast.calls_in(hour);
        let mut last = &None;
        for source in &self.forecast.sources {
            let calls = source.calls_in(of_day, is_weekend);
            if calls > 0.0 {
                last = &source.county;
                if place <= calls {
                    break;
                }
                place -= calls;
            }
        }
        last
    }

    /// Without languages nothing is drawn, so that a forecast that names none brings the callers it always did.
    fn language(&mut self) -> Option<&'f str> {
        let place = (self.languages_sum > 0).then(|| self.dice.below(self.languages_sum))?;
        let mut before = 0;
        let chosen = self.forecast.languages.iter().find(|(_, share)| {
            before += share;
            place < before
        });
        chosen?.0.as_deref()
    }
}

impl<'f> Iterator for Arrivals<'f> {
    type Item = Person<'f>;

    fn next(&mut self) -> Option<Person<'f>> {
        if !self.advance() {
            return None;
        }
        Some(Person {
            at: self.at,
            county: self.county(),
            exchange: self.dice.next_u64(),
            language: self.language(),
            talk: talk(&mut self.dice, self.forecast.talk),
            patience: self.forecast.patience.map(|mean| self.dice.exponential(mean)),
            dice: Dice::new(self.dice.next_u64()),
        })
    }
}

fn talk(dice: &mut Dice, talk: Talk) -> Duration {
    match talk.shape {
        TalkShape::Exponential => dice.exponential(talk.mean),
        TalkShape::Lognormal { variation } => {
            let variance = (1.0 + variation * variation).ln();
            let factor = (variance.sqrt() * normal(dice) - variance / 2.0).exp();
            talk.mean.mul_f64(factor.min(TALK_MAX.as_secs_f64() / talk.mean.as_secs_f64()))
        }
    }
}

/// Box and Muller, 1958.
fn normal(dice: &mut Dice) -> f64 {
    (-2.0 * above_zero(dice).ln()).sqrt() * (std::f64::consts::TAU * above_zero(dice)).cos()
}

/// From 0, which is not in it, to 1, which is.
fn above_zero(dice: &mut Dice) -> f64 {
    ((dice.next_u64() >> 11) + 1) as f64 / (1_u64 << 53) as f64
}

/// Whether something happens that happens in this part of all cases.
pub fn happens(dice: &mut Dice, part: f64) -> bool {
    above_zero(dice) <= part
}

/// Anything from half of `mean` to one and a half of it.
pub fn about(dice: &mut Dice, mean: Duration) -> Duration {
    mean.mul_f64(0.5 + above_zero(dice))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn talks_have_the_mean_and_the_variation_that_were_asked_for() {
        let mean = Duration::from_secs(435);
        for (shape, expect) in [(TalkShape::Exponential, 1.0), (TalkShape::Lognormal { variation: 0.8 }, 0.8)]
        {
            let mut dice = Dice::new(1);
            let talks: Vec<f64> =
                (0..200_000).map(|_| talk(&mut dice, Talk { mean, shape }).as_secs_f64()).collect();
            let found = talks.iter().sum::<f64>() / talks.len() as f64;
            let squares = talks.iter().map(|talk| (talk - found).powi(2)).sum::<f64>();
            let variation = (squares / talks.len() as f64).sqrt() / found;
            assert!((found / 435.0 - 1.0).abs() < 0.01, "{shape:?}: {found} s");
            assert!((variation / expect - 1.0).abs() < 0.02, "{shape:?}: {variation}");
        }
    }
}

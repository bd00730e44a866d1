//! What is counted, and how waits are kept so that their quantiles can be told.

use std::time::Duration;

/// The wait within which an answer counts as prompt (GB/T 33358-2016).
const ANSWER_TARGET: Duration = Duration::from_secs(15);

/// What became of the calls of one pool in one hour of the day, over all days. A call belongs to the pool that it
/// first waited for and to the hour in which it came; the lawyers' time to their own pool and the hour in which it
/// passes. Every call is in exactly one of `answered`, `abandoned`, `voicemail`, `unserved` and `closed`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Cell {
    pub calls: u64,
    /// Reached the queue, even if nobody was on duty there.
    pub queued: u64,
    pub answered: u64,
    /// At most [`ANSWER_TARGET`] after the wait began.
    pub answered_in_time: u64,
    /// By lawyers of another pool than the first.
    pub answered_elsewhere: u64,
    pub abandoned: u64,
    /// Of the abandoned: while a lawyer's phone rang.
    pub abandoned_ringing: u64,
    pub voicemail: u64,
    /// The queue gave up and no message was left.
    pub unserved: u64,
    /// Ended without a queue and without a message.
    pub closed: u64,
    /// Were passed on to another pool at least once.
    pub overflowed: u64,
    /// Of the queued, whatever became of them: on the line.
    pub waits: Waits,
    /// Of those who were answered on the line.
    pub answer_ms_sum: u64,
    /// Left the line to be called back, those who spoke with a lawyer, and those who did not pick up. Answered and
    /// unserved count them too.
    pub callbacks: u64,
    pub callbacks_answered: u64,
    pub callbacks_unanswered: u64,
    /// From leaving the line until the caller picks up.
    pub callback_ms_sum: u64,
    /// Phones that rang, of the pool's own lawyers, in the hour in which they did.
    pub rings: u64,
    /// Lawyers on duty, and talking or writing up. Work that outlasts the shift is in the second only.
    pub staffed_ms: u64,
    pub busy_ms: u64,
}

impl Cell {
    pub fn add(&mut self, other: &Self) {
        self.calls += other.calls;
        self.queued += other.queued;
        self.answered += other.answered;
        self.answered_in_time += other.answered_in_time;
        self.answered_elsewhere += other.answered_elsewhere;
        self.abandoned += other.abandoned;
        self.abandoned_ringing += other.abandoned_ringing;
        self.voicemail += other.voicemail;
        self.unserved += other.unserved;
        self.closed += other.closed;
        self.overflowed += other.overflowed;
        self.waits.add(&other.waits);
        self.answer_ms_sum += other.answer_ms_sum;
        self.callbacks += other.callbacks;
        self.callbacks_answered += other.callbacks_answered;
        self.callbacks_unanswered += other.callbacks_unanswered;
        self.callback_ms_sum += other.callback_ms_sum;
        self.rings += other.rings;
        self.staffed_ms += other.staffed_ms;
        self.busy_ms += other.busy_ms;
    }

    /// Of a caller who came so long ago, and left the line so long ago to be called back, if it was so.
    pub fn note_answer(&mut self, waited: Duration, away: Option<Duration>) {
        self.answered += 1;
        self.answered_in_time += u64::from(waited <= ANSWER_TARGET);
        match away {
            Some(away) => {
                self.callbacks_answered += 1;
                self.callback_ms_sum += away.as_millis() as u64;
            }
            None => self.answer_ms_sum += waited.as_millis() as u64,
        }
    }

    /// 接通率; none if nobody reached the queue.
    #[must_use]
    pub fn connected_rate(&self) -> Option<f64> {
        rate(self.answered, self.queued)
    }

    #[must_use]
    pub fn in_time_rate(&self) -> Option<f64> {
        rate(self.answered_in_time, self.queued)
    }

    /// More than 1 where talks outlast the shift; none if nobody was on duty.
    #[must_use]
    pub fn occupancy(&self) -> Option<f64> {
        rate(self.busy_ms, self.staffed_ms)
    }

    /// Mean wait of those who were answered on the line.
    #[must_use]
    pub fn answer_ms_mean(&self) -> Option<f64> {
        rate(self.answer_ms_sum, self.answered - self.callbacks_answered)
    }

    /// Mean time from leaving the line until the caller picks up.
    #[must_use]
    pub fn callback_ms_mean(&self) -> Option<f64> {
        rate(self.callback_ms_sum, self.callbacks_answered)
    }
}

/// What became of the calls in one language.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct InLanguage {
    /// Reached the queue having chosen it.
    pub queued: u64,
    pub answered: u64,
    /// By lawyers who know some of it.
    pub answered_by_speakers: u64,
}

/// What one lawyer of a roster did, by name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Worked {
    pub answered: u64,
    pub on_shift_ms: u64,
    /// Talking and writing up, also after the end of the shift.
    pub busy_ms: u64,
}

impl Worked {
    /// None if the lawyer was not on duty.
    #[must_use]
    pub fn occupancy(&self) -> Option<f64> {
        rate(self.busy_ms, self.on_shift_ms)
    }
}

/// None of none is no rate.
#[must_use]
pub fn rate(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

/// Waits by length: exact sums, and a count for each second up to two minutes, each five seconds up to twenty
/// minutes, each minute beyond.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Waits {
    counts: Vec<u64>,
    pub count: u64,
    /// Longer than nothing.
    pub delayed: u64,
    pub sum_ms: u64,
    pub max_ms: u64,
}

/// (from, width), in milliseconds, of the classes of waits.
const CLASSES: [(u64, u64); 3] = [(0, 1_000), (120_000, 5_000), (1_200_000, 60_000)];
/// Longer waits count as this long, but for sum and maximum.
const LONGEST_MS: u64 = 86_400_000;

impl Waits {
    pub fn note(&mut self, wait: Duration) {
        let ms = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX).min(LONGEST_MS * 30);
        let index = class_of(ms.min(LONGEST_MS));
        if self.counts.len() <= index {
            self.counts.resize(index + 1, 0);
        }
        self.counts[index] += 1;
        self.count += 1;
        self.delayed += u64::from(ms > 0);
        self.sum_ms += ms;
        self.max_ms = self.max_ms.max(ms);
    }

    pub fn add(&mut self, other: &Self) {
        if self.counts.len() < other.counts.len() {
            self.counts.resize(other.counts.len(), 0);
        }
        for (count, more) in self.counts.iter_mut().zip(&other.counts) {
            *count += more;
        }
        self.count += other.count;
        self.delayed += other.delayed;
        self.sum_ms += other.sum_ms;
        self.max_ms = self.max_ms.max(other.max_ms);
    }

    #[must_use]
    pub fn mean_ms(&self) -> Option<f64> {
        rate(self.sum_ms, self.count)
    }

    /// What this part of the waits does not exceed, rounded up to the end of its class.
    #[must_use]
    pub fn quantile_ms(&self, part: f64) -> Option<u64> {
        let wanted = ((self.count as f64 * part).ceil() as u64).max(1);
        // Those who did not wait at all are known exactly.
        if self.count > 0 && self.count - self.delayed >= wanted {
            return Some(0);
        }
        let mut seen = 0;
        let index = self.counts.iter().position(|count| {
            seen += count;
            seen >= wanted
        })?;
        Some(end_of_class(index).min(self.max_ms))
    }
}

fn class_of(ms: u64) -> usize {
    let mut index = 0;
    for (at, &(from, width)) in CLASSES.iter().enumerate() {
        let to = CLASSES.get(at + 1).map_or(u64::MAX, |next| next.0);
        if ms < to {
            return index + ((ms - from) / width) as usize;
        }
        index += ((to - from) / width) as usize;
    }
    index
}

fn end_of_class(index: usize) -> u64 {
    let mut rest = index as u64;
    for (at, &(from, width)) in CLASSES.iter().enumerate() {
        let to = CLASSES.get(at + 1).map_or(u64::MAX, |next| next.0);
        let classes = (to - from) / width;
        if rest < classes {
            return from + (rest + 1) * width;
        }
        rest -= classes;
    }
    u64::MAX
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_is_in_the_class_that_ends_after_it() {
        for ms in [0, 1, 999, 1_000, 119_999, 120_000, 124_999, 1_199_999, 1_200_000, 7_200_000, LONGEST_MS] {
            let end = end_of_class(class_of(ms));
            assert!(end > ms && end - ms <= 60_000, "{ms} is in the class to {end}");
        }
    }

    #[test]
    fn quantiles_are_those_of_the_waits() {
        let mut waits = Waits::default();
        assert_eq!((waits.quantile_ms(0.5), waits.mean_ms()), (None, None));
        for second in 0..100 {
            waits.note(Duration::from_secs(second));
        }
        assert_eq!(waits.mean_ms(), Some(49_500.0));
        assert_eq!(waits.quantile_ms(0.0), Some(0));
        assert_eq!(waits.quantile_ms(0.5), Some(50_000));
        assert_eq!(waits.quantile_ms(0.9), Some(90_000));
        assert_eq!(waits.quantile_ms(1.0), Some(99_000), "no longer than the longest");
    }

    #[test]
    fn two_tallies_together_are_one_of_all() {
        let (mut both, mut first, mut second) = (Waits::default(), Waits::default(), Waits::default());
        for (wait_s, half) in [(0, true), (3, false), (70, true), (4_000, false)] {
            both.note(Duration::from_secs(wait_s));
            if half { &mut first } else { &mut second }.note(Duration::from_secs(wait_s));
        }
        first.add(&second);
        assert_eq!(first, both);
    }
}

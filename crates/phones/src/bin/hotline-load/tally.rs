//! What became of the calls, as the phones saw it.

use anyhow::{Result, ensure};
use phones::Report;
use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// What a hotline says that can take no more.
const SERVICE_UNAVAILABLE: u16 = 503;

#[derive(Clone, Default)]
pub struct Tally {
    shared: Arc<(Mutex<Book>, Condvar)>,
}

#[derive(Clone, Debug, Default)]
pub struct Counts {
    pub dialled: u64,
    /// Dialled while it was measured.
    pub in_window: u64,
    /// A lawyer picked up, ever.
    pub talking: u64,
    /// Talked, and the caller ended it.
    pub completed: u64,
    /// Told 503.
    pub refused: u64,
    /// Neither taken nor told 503.
    pub failed: u64,
    /// Taken, and not completed.
    pub harmed: u64,
    /// From the caller's INVITE to the lawyer's, of calls that were dialled while it was measured.
    pub offers_us: Vec<u64>,
}

#[derive(Default)]
struct Book {
    is_measuring: bool,
    counts: Counts,
    under_way: HashMap<String, Call>,
    /// Where the hotline listens to the phones: caller, lawyer, and so on.
    audio: Vec<SocketAddr>,
}

struct Call {
    dialled: Instant,
    is_measured: bool,
    rang: bool,
    connected: bool,
}

impl Tally {
    pub fn hear(&self, report: &Report) {
        self.book().hear(report);
        self.shared.1.notify_all();
    }

    pub fn measure(&self, is_measuring: bool) {
        self.book().is_measuring = is_measuring;
    }

    pub fn counts(&self) -> Counts {
        self.book().counts.clone()
    }

    pub fn audio(&self) -> Vec<SocketAddr> {
        self.book().audio.clone()
    }

    pub fn is_quiet(&self) -> bool {
        self.book().under_way.is_empty()
    }

    /// Whoever is still on the line was harmed, or never taken.
    pub fn give_up(&self) {
        let mut book = self.book();
        let taken = book.under_way.values().filter(|call| call.connected).count() as u64;
        let others = book.under_way.len() as u64 - taken;
        book.under_way.clear();
        book.counts.harmed += taken;
        book.counts.failed += others;
    }

    /// # Errors
    /// It did not come true in time.
    pub fn wait(&self, patience: Duration, is_true: impl Fn(&Counts) -> bool) -> Result<()> {
        let waited = self.shared.1.wait_timeout_while(self.book(), patience, |book| !is_true(&book.counts));
        let (book, result) = waited.unwrap_or_else(PoisonError::into_inner);
        ensure!(!result.timed_out(), "the calls did not come about: {:?}", book.counts);
        Ok(())
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        self.shared.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Book {
    fn hear(&mut self, report: &Report) {
        let counts = &mut self.counts;
        match report {
            Report::Dialled { number } => {
                counts.dialled += 1;
                counts.in_window += u64::from(self.is_measuring);
                let is_measured = self.is_measuring;
                let call = Call { dialled: Instant::now(), is_measured, rang: false, connected: false };
                self.under_way.insert(number.clone(), call);
            }
            Report::Connected { number, audio } => {
                if let Some(call) = self.under_way.get_mut(number) {
                    call.connected = true;
                    self.audio.extend(audio);
                }
            }
            Report::Ringing { number, .. } => {
                if let Some(call) = self.under_way.get_mut(number)
                    && !std::mem::replace(&mut call.rang, true)
                    && call.is_measured
                {
                    counts.offers_us.push(call.dialled.elapsed().as_micros() as u64);
                }
            }
            Report::Talking { audio, .. } => {
                counts.talking += 1;
                self.audio.push(*audio);
            }
            Report::Refused { number, status } => {
                self.under_way.remove(number);
                match *status {
                    SERVICE_UNAVAILABLE => counts.refused += 1,
                    _ => counts.failed += 1,
                }
            }
            Report::CallerDone { number, talked, by_caller } => match self.under_way.remove(number) {
                Some(_) if *talked && *by_caller => counts.completed += 1,
                Some(call) if call.connected => counts.harmed += 1,
                Some(_) | None => counts.failed += 1,
            },
            Report::Registered { .. } | Report::LawyerDone { .. } => {}
        }
    }
}

/// Of values in any order; 0 of none.
pub fn percentile(values: &[u64], percent: usize) -> u64 {
    let mut sorted = values.to_vec();
    sorted.sort_unstable();
    let rank = (sorted.len() * percent).div_ceil(100).saturating_sub(1);
    sorted.get(rank).copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentile_is_a_value_that_occurred() {
        let values: Vec<u64> = (1..=200).rev().collect();
        assert_eq!((percentile(&values, 50), percentile(&values, 99)), (100, 198));
        assert_eq!((percentile(&[7], 99), percentile(&[], 99)), (7, 0));
    }

    #[test]
    fn a_call_ended_by_the_hotline_is_harmed_and_one_told_503_is_not() {
        let tally = Tally::default();
        for number in ["a", "b", "c"] {
            tally.hear(&Report::Dialled { number: number.into() });
        }
        for number in ["a", "b"] {
            tally.hear(&Report::Connected { number: number.into(), audio: None });
        }
        tally.hear(&Report::CallerDone { number: "a".into(), talked: true, by_caller: true });
        tally.hear(&Report::CallerDone { number: "b".into(), talked: true, by_caller: false });
        tally.hear(&Report::Refused { number: "c".into(), status: 503 });
        let counts = tally.counts();
        assert_eq!((counts.completed, counts.harmed, counts.refused, counts.failed), (1, 1, 1, 0));
        assert!(tally.is_quiet());
    }
}

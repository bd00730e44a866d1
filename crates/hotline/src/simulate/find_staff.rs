//! The smallest roster that meets a goal.
//!
//! Every roster lives through the same days: the same callers come, with the same patience and as much to say
//! (`people.rs`), so that two rosters differ by their lawyers and not by luck. More lawyers on a shift never serve
//! fewer callers, but for accidents; so shift by shift the smallest number is halved down to. Where shifts stand in
//! for one another the answer depends on which is reduced first, so both orders are gone through; of neither can a
//! single lawyer be spared.

use super::engine::Tallies;
use super::forecast::Shift;
use super::percent::Percent;
use super::tally::Cell;

/// More than any bureau has; a goal that this many a shift do not meet is met by none.
const LAWYERS_MAX: u32 = 1_000;
/// In a pool with fewer calls one caller more or less decides, so it counts in the total only.
const POOL_CALLS_MIN: u64 = 100;

/// What the hotline as a whole has to reach, and every pool with [`POOL_CALLS_MIN`] calls for its callers, so that
/// no county is left without lawyers for the sake of the average.
#[derive(Clone, Copy, Debug)]
pub struct Goal {
    pub connected: Percent,
    /// Answered within 15 s.
    pub in_time: Option<Percent>,
}

/// One roster that was tried.
#[derive(Clone, Debug)]
pub struct Trial {
    pub lawyers: u64,
    pub lawyer_hours_a_day: u64,
    pub connected: Option<f64>,
    pub in_time: Option<f64>,
    pub meets: bool,
}

#[derive(Clone, Debug)]
pub enum Answer {
    /// No shift of it can do with one lawyer fewer.
    Smallest(Vec<Shift>),
    /// Not even this one reaches the goal, and more lawyers would change nothing.
    Impossible(Vec<Shift>),
}

impl Goal {
    #[must_use]
    pub fn is_met(&self, tallies: &Tallies, pools: usize) -> bool {
        let is_large = |cell: &Cell| cell.queued >= POOL_CALLS_MIN;
        self.is_met_by(&tallies.total())
            && (0..pools).map(|pool| tallies.of_pool(pool)).filter(is_large).all(|cell| self.is_met_by(&cell))
    }

    fn is_met_by(&self, cell: &Cell) -> bool {
        let reaches = |rate: Option<f64>, goal: Percent| rate.is_none_or(|rate| rate >= goal.of_one());
        reaches(cell.connected_rate(), self.connected)
            && self.in_time.is_none_or(|goal| reaches(cell.in_time_rate(), goal))
    }
}

/// `live` lives through the days with a roster; `tell` hears of each that was tried. A shift keeps one lawyer at
/// least: that it is in the roster says that somebody must be there.
pub fn find_staff(
    shifts: &[Shift],
    pools: usize,
    goal: Goal,
    live: impl Fn(&[Shift]) -> Tallies,
    tell: impl FnMut(&Trial),
) -> Answer {
    let mut search = Search { pools, goal, live, tell };
    let enough = match search.enough(shifts) {
        Ok(enough) => enough,
        Err(most) => return Answer::Impossible(most),
    };
    let forwards: Vec<usize> = (0..shifts.len()).collect();
    let backwards: Vec<usize> = forwards.iter().rev().copied().collect();
    let found = [forwards, backwards].map(|order| search.reduce(enough.clone(), &order));
    let [first, second] = found;
    let is_first = lawyer_hours(&first) <= lawyer_hours(&second);
    Answer::Smallest(if is_first { first } else { second })
}

struct Search<L, T> {
    pools: usize,
    goal: Goal,
    live: L,
    tell: T,
}

impl<L: Fn(&[Shift]) -> Tallies, T: FnMut(&Trial)> Search<L, T> {
    fn meets(&mut self, shifts: &[Shift]) -> (bool, u64) {
        let tallies = (self.live)(shifts);
        let total = tallies.total();
        let meets = self.goal.is_met(&tallies, self.pools);
        (self.tell)(&Trial {
            lawyers: shifts.iter().map(|shift| u64::from(shift.lawyers)).sum(),
            lawyer_hours_a_day: lawyer_hours(shifts),
            connected: total.connected_rate(),
            in_time: total.in_time_rate(),
            meets,
        });
        (meets, total.answered_in_time + total.answered)
    }

    /// Twice as many on every shift, and again, until the goal is met; the last roster if that never happens.
    fn enough(&mut self, shifts: &[Shift]) -> Result<Vec<Shift>, Vec<Shift>> {
        let mut shifts = with_at_least_one(shifts);
        let mut served_before = None;
        loop {
            let (meets, served) = self.meets(&shifts);
            if meets {
                return Ok(shifts);
            }
            let is_most = shifts.iter().all(|shift| shift.lawyers >= LAWYERS_MAX);
            if is_most || served_before.is_some_and(|before| served <= before) {
                return Err(shifts);
            }
            served_before = Some(served);
            for shift in &mut shifts {
                shift.lawyers = (shift.lawyers * 2).clamp(1, LAWYERS_MAX.max(shift.lawyers));
            }
        }
    }

    /// `shifts` meet the goal, and so does what comes back.
    fn reduce(&mut self, mut shifts: Vec<Shift>, order: &[usize]) -> Vec<Shift> {
        for &at in order {
            let (mut too_few, mut enough) = (0, shifts[at].lawyers);
            while enough - too_few > 1 {
                let middle = too_few + (enough - too_few) / 2;
                shifts[at].lawyers = middle;
                if self.meets(&shifts).0 {
                    enough = middle;
                } else {
                    too_few = middle;
                }
            }
            shifts[at].lawyers = enough;
        }
        shifts
    }
}

fn with_at_least_one(shifts: &[Shift]) -> Vec<Shift> {
    let at_least_one = |shift: &Shift| Shift { lawyers: shift.lawyers.max(1), ..shift.clone() };
    shifts.iter().map(at_least_one).collect()
}

/// Of a day.
#[must_use]
pub fn lawyer_hours(shifts: &[Shift]) -> u64 {
    shifts.iter().map(|shift| u64::from(shift.lawyers) * shift.hours.length() as u64).sum()
}

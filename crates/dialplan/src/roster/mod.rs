//! Who is on duty when (值班表): shifts of lawyers in pools, and what departs from them on single days.
//!
//! One TOML file a region. [`Roster::parse`] reports *all* its errors and warnings. Then it is asked who is
//! [`on_shift`](Roster::on_shift), when that [changes next](Roster::next_change), and what a
//! [day](Roster::day) looks like; all of it follows from the instant that is asked for, nothing is remembered.
//!
//! A shift belongs to the day on which it begins, also where it passes midnight. On each day its lawyers are
//! planned first, then swaps are made, and at last whoever is absent gives way to the substitute.
//!
//! A pool that no shift names has all its lawyers always: a roster may begin with one pool.

mod check;
mod days;
mod read;
mod show;

use crate::calendar::Calendar;
use crate::china::{china_day, china_minute};
use crate::doc::Doc;
use crate::hours::MINUTES_OF_A_DAY;
use crate::plan::{Dialplan, Name};
use crate::problem::{Checked, Problem};
use days::Days;
use domain::{AgentId, PoolId, RegionId, Timestamp};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;
use time::Date;

/// How far [`Roster::next_change`] looks.
const LOOK_AHEAD: Duration = Duration::from_secs(7 * 86_400);

/// Who is in each pool that the roster speaks of; nobody, perhaps.
pub type OnShift = BTreeMap<PoolId, BTreeSet<AgentId>>;

/// Lawyers that shifts can name.
pub type Staff = BTreeMap<AgentId, Lawyer>;

/// Where a lawyer may serve, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lawyer {
    pub region: RegionId,
    pub pools: BTreeSet<PoolId>,
    pub has_mobile: bool,
}

/// What rings for a lawyer on shift.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// The phone, and the mobile of whoever has one while the phone is not there.
    Phone,
    /// The mobile and nothing else: whoever has gone home does not hear the phone, though it is registered.
    Mobile,
}

/// What a roster speaks of and does not hold.
#[derive(Clone, Copy)]
pub struct RosterContext<'c> {
    /// The roster is for the region of one of these, and counts by its calendars.
    pub dialplans: &'c [Arc<Dialplan>],
    /// None if lawyers are not known here: their numbers go unchecked.
    pub staff: Option<&'c Staff>,
    /// In China. What lies before it is past; cover is checked from here on.
    pub today: Date,
}

/// The checked roster of one region. It never changes; a new one takes its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Roster {
    region: RegionId,
    calendar: Arc<Calendar>,
    /// In the order of the file.
    shifts: Vec<Shift>,
    /// Who has a turn instead of the lawyer who was planned for it.
    swaps: BTreeMap<Turn, AgentId>,
    /// Who has a turn instead of the lawyer who has it after swaps; nobody, perhaps.
    absences: BTreeMap<Turn, Option<AgentId>>,
}

/// A shift of one day, by its place in the roster, as one lawyer has it.
type Turn = (Date, usize, AgentId);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Shift {
    id: String,
    pools: BTreeSet<PoolId>,
    lawyers: Vec<AgentId>,
    rotation: Option<Rotation>,
    days: Vec<Days>,
    except: Vec<Days>,
    /// Minutes since midnight. Unless `to` is later than `from`, it is on the day after.
    from: u16,
    to: u16,
    reach: Reach,
}

/// The lawyers take turns, so many at once, each turn so many days long.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Rotation {
    /// The first day of a turn of the first in the list.
    since: Date,
    days: u16,
    at_once: usize,
}

/// What one lawyer was planned for on one day, and what became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assignment<'r> {
    pub shift: &'r str,
    pub pools: &'r BTreeSet<PoolId>,
    pub from: Timestamp,
    /// No longer belongs to it.
    pub to: Timestamp,
    pub reach: Reach,
    /// By the shift itself.
    pub planned: AgentId,
    /// After swaps.
    pub holder: AgentId,
    /// Who does it: the holder or a substitute; none if the holder is absent and nobody stands in.
    pub lawyer: Option<AgentId>,
}

/// An [`Assignment`] by its shift's place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Held {
    date: Date,
    shift: usize,
    planned: AgentId,
    holder: AgentId,
    lawyer: Option<AgentId>,
}

impl Roster {
    /// Reads and checks a roster; `file` is only its name in problems.
    ///
    /// # Errors
    /// Every problem of the file, warnings too, in its order; there is at least one error among them.
    pub fn parse(file: &str, text: &str, context: &RosterContext<'_>) -> Result<Checked<Self>, Vec<Problem>> {
        let doc = Doc::parse(file, text)?;
        let draft = read::read(&doc, context);
        check::check(&doc, &draft, context);
        doc.done(draft.roster)
    }

    #[must_use]
    pub fn region(&self) -> &RegionId {
        &self.region
    }

    /// Whether a shift names this pool. The lawyers of other pools serve there always.
    #[must_use]
    pub fn governs(&self, pool: &PoolId) -> bool {
        self.shifts.iter().any(|shift| shift.pools.contains(pool))
    }

    /// Everybody who has a turn on some day: by a shift, a swap or as a substitute.
    #[must_use]
    pub fn lawyers(&self) -> BTreeSet<AgentId> {
        let by_shift = self.shifts.iter().flat_map(|shift| &shift.lawyers);
        let substitutes = self.absences.values().flatten();
        by_shift.chain(self.swaps.values()).chain(substitutes).copied().collect()
    }

    /// Who serves in the pools that the roster governs; each of them is there, though nobody serves in it.
    #[must_use]
    pub fn on_shift(&self, at: Timestamp) -> OnShift {
        let pools = self.shifts.iter().flat_map(|shift| &shift.pools);
        let mut on_shift: OnShift = pools.map(|pool| (pool.clone(), BTreeSet::new())).collect();
        for held in self.held_at(at) {
            let Some(lawyer) = held.lawyer else { continue };
            for pool in &self.shifts[held.shift].pools {
                on_shift.entry(pool.clone()).or_default().insert(lawyer);
            }
        }
        on_shift
    }

    /// Who does a shift by mobile, in whatever pools.
    #[must_use]
    pub fn by_mobile(&self, at: Timestamp) -> BTreeSet<AgentId> {
        let held = self.held_at(at).filter(|held| self.shifts[held.shift].reach == Reach::Mobile);
        held.filter_map(|held| held.lawyer).collect()
    }

    /// The first instant after this one at which somebody comes or goes, or is rung by other means; at the latest a week later, when it
    /// must be asked again.
    #[must_use]
    pub fn next_change(&self, after: Timestamp) -> Timestamp {
        let latest = after + LOOK_AHEAD;
        let today = china_day(after);
        let days = std::iter::successors(today.previous_day(), |day| day.next_day());
        let ends: BTreeSet<Timestamp> = days
            .take_while(|day| china_minute(*day, 0) < latest)
            .flat_map(|day| self.held(day))
            .flat_map(|held| <[Timestamp; 2]>::from(self.span_of(&held)))
            .filter(|end| after < *end && *end < latest)
            .collect();
        let state = |at| (self.on_shift(at), self.by_mobile(at));
        let now = state(after);
        ends.into_iter().find(|end| state(*end) != now).unwrap_or(latest)
    }

    /// What begins on this day, in the order of time.
    #[must_use]
    pub fn day(&self, date: Date) -> Vec<Assignment<'_>> {
        let mut day: Vec<Assignment<'_>> = self.held(date).map(|held| self.assignment(&held)).collect();
        day.sort_by_key(|assignment| (assignment.from, assignment.to));
        day
    }

    /// What is under way at this instant, in the order of the file.
    #[must_use]
    pub fn under_way(&self, at: Timestamp) -> Vec<Assignment<'_>> {
        self.held_at(at).map(|held| self.assignment(&held)).collect()
    }

    /// The holiday that this day belongs to.
    #[must_use]
    pub fn holiday(&self, date: Date) -> Option<&Name> {
        self.calendar.holiday(date)
    }

    #[must_use]
    pub fn is_workday(&self, date: Date) -> bool {
        self.calendar.is_workday(date)
    }

    fn assignment(&self, held: &Held) -> Assignment<'_> {
        let Held { planned, holder, lawyer, .. } = *held;
        let shift = &self.shifts[held.shift];
        let (from, to) = self.span_of(held);
        let (pools, reach) = (&shift.pools, shift.reach);
        Assignment { shift: &shift.id, pools, from, to, reach, planned, holder, lawyer }
    }

    fn span_of(&self, held: &Held) -> (Timestamp, Timestamp) {
        let (from, to) = self.shifts[held.shift].minutes();
        (china_minute(held.date, from), china_minute(held.date, to))
    }

    /// All that is under way at this instant, in the order of the file.
    fn held_at(&self, at: Timestamp) -> impl Iterator<Item = Held> {
        let today = china_day(at);
        let days = [today.previous_day(), Some(today)].into_iter().flatten();
        days.flat_map(|day| self.held(day)).filter(move |held| {
            let (from, to) = self.span_of(held);
            from <= at && at < to
        })
    }

    /// All that begins on this day, in the order of the file.
    fn held(&self, date: Date) -> impl Iterator<Item = Held> {
        let shifts = self.shifts.iter().enumerate();
        shifts.filter(move |(_, shift)| shift.is_on(date, &self.calendar)).flat_map(move |(place, shift)| {
            shift.planned(date).map(move |planned| {
                let holder = self.swaps.get(&(date, place, planned)).copied().unwrap_or(planned);
                let lawyer = self.absences.get(&(date, place, holder)).copied().unwrap_or(Some(holder));
                Held { date, shift: place, planned, holder, lawyer }
            })
        })
    }
}

impl Shift {
    fn is_on(&self, date: Date, calendar: &Calendar) -> bool {
        let holds = |days: &Days| days.holds(date, calendar);
        self.days.iter().any(holds) && !self.except.iter().any(holds)
    }

    /// From and to, in minutes since the midnight before it begins.
    fn minutes(&self) -> (i64, i64) {
        let (from, to) = (i64::from(self.from), i64::from(self.to));
        if from < to { (from, to) } else { (from, to + i64::from(MINUTES_OF_A_DAY)) }
    }

    /// Whose turn it is, if the shift is on at all.
    fn planned(&self, date: Date) -> impl Iterator<Item = AgentId> {
        let all = self.lawyers.len();
        let (first, count) = match &self.rotation {
            None => (0, all),
            Some(Rotation { since, days, at_once }) => {
                let turn = (date - *since).whole_days().div_euclid(i64::from(*days));
                let turn = turn.rem_euclid(all.max(1) as i64) as usize;
                (turn * at_once, *at_once)
            }
        };
        self.lawyers.iter().cycle().skip(first % all.max(1)).take(count).copied()
    }
}

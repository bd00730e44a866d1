//! What concerns the entries of a roster together: nobody is in one place twice, and somebody is everywhere.

use super::read::{Draft, NO_MOBILE, NOT_IN_POOL, has_mobile, may_serve, no_mobile, not_in_pool};
use super::{Held, Reach, RosterContext};
use crate::china::{china_minute, show_china_minute};
use crate::doc::Doc;
use crate::hours::{Hours, MINUTES_OF_A_DAY};
use crate::plan::Dialplan;
use domain::{AgentId, PoolId};
use std::collections::{BTreeMap, BTreeSet};
use time::Date;

/// So far ahead a roster is looked through: every holiday is in it once.
const HORIZON_DAYS: usize = 366;
/// Stretches without cover that a warning names.
const GAPS_SHOWN_MAX: usize = 3;
const DAY: i64 = MINUTES_OF_A_DAY as i64;

/// Minutes since the midnight with which today begins.
type Minute = i64;

/// Looks at every turn of the next year, in the order in which they begin.
pub(super) fn check(doc: &Doc, draft: &Draft, context: &RosterContext<'_>) {
    let roster = &draft.roster;
    let Some(plan) = context.dialplans.iter().find(|plan| *plan.region() == roster.region) else { return };
    let mut watch = Watch { doc, draft, context, busy: BTreeMap::new(), told: BTreeSet::new() };
    let mut cover = Cover::new(draft);
    let mut seen = BTreeSet::new();
    let days = std::iter::successors(context.today.previous_day(), |day| day.next_day());
    for (midnight, day) in (-DAY..).step_by(DAY as usize).zip(days.take(HORIZON_DAYS + 1)) {
        let mut turns: Vec<(Minute, Minute, Held)> = roster
            .held(day)
            .map(|held| {
                let (from, to) = roster.shifts[held.shift].minutes();
                (midnight + from, midnight + to, held)
            })
            .collect();
        turns.sort_by_key(|(from, to, _)| (*from, *to));
        for (from, to, held) in turns {
            seen.insert(held.shift);
            if draft.sound.contains(&held.shift) {
                watch.take(from, to, &held);
            }
            if held.lawyer.is_some() {
                cover.take(from, to, &roster.shifts[held.shift].pools);
            }
        }
    }
    if doc.error_count() > 0 {
        // Shifts that could not be read are missing, and cover with them.
        return;
    }
    for (place, shift) in roster.shifts.iter().enumerate() {
        if !seen.contains(&place) && !shift.days.iter().all(|days| days.are_past(context.today)) {
            let what = format!("the shift \"{}\" is on no day of the next year", shift.id);
            doc.warning(draft.shift_lines[place], what, "correct its `days`, or remove it");
        }
    }
    cover.tell(doc, plan, context.today);
}

/// Who is where until when.
struct Watch<'c> {
    doc: &'c Doc,
    draft: &'c Draft,
    context: &'c RosterContext<'c>,
    /// The shift that ends last of each lawyer in each pool.
    busy: BTreeMap<(AgentId, &'c PoolId), (Minute, usize)>,
    /// Lawyers and shifts of which a problem was told, so that a weekly one is told once.
    told: BTreeSet<(usize, AgentId, usize, Trouble)>,
}

/// What is wrong with a lawyer in a shift.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Trouble {
    NotInPool,
    NoMobile,
    /// Also on this one.
    Twice(usize),
}

impl<'c> Watch<'c> {
    fn take(&mut self, from: Minute, to: Minute, held: &Held) {
        let Some(lawyer) = held.lawyer else { return };
        let shifts = &self.draft.roster.shifts;
        let line = self.draft.line_of(held);
        let is_new = lawyer != held.planned;
        let shift = &shifts[held.shift];
        if is_new
            && shift.reach == Reach::Mobile
            && !has_mobile(self.context, lawyer)
            && self.tells((line, lawyer, held.shift, Trouble::NoMobile))
        {
            self.doc.problem(line, no_mobile(lawyer, &shift.id), NO_MOBILE);
        }
        for pool in &shift.pools {
            if is_new
                && !may_serve(self.context, lawyer, pool)
                && self.tells((line, lawyer, held.shift, Trouble::NotInPool))
            {
                self.doc.problem(line, not_in_pool(lawyer, pool), NOT_IN_POOL);
            }
            let before = self.busy.get(&(lawyer, pool)).copied();
            if let Some((_, other)) = before.filter(|(until, _)| from < *until)
                && self.tells((line, lawyer, held.shift, Trouble::Twice(other)))
            {
                let [this, other] = [held.shift, other].map(|place| &shifts[place].id);
                let what = format!(
                    "{lawyer} is twice in the pool \"{pool}\" on {}: in \"{other}\" and in \"{this}\"",
                    held.date
                );
                let remedy = "shorten one of the two shifts, or take the lawyer out of one";
                self.doc.problem(line, what, remedy);
            }
            if before.is_none_or(|(until, _)| until < to) {
                self.busy.insert((lawyer, pool), (to, held.shift));
            }
        }
    }

    fn tells(&mut self, problem: (usize, AgentId, usize, Trouble)) -> bool {
        self.told.insert(problem)
    }
}

/// When nobody serves in a pool.
struct Cover<'c> {
    pools: BTreeMap<&'c PoolId, PoolCover>,
}

struct PoolCover {
    /// The first shift that names the pool.
    line: usize,
    /// Somebody is there at every minute before, gaps excepted.
    until: Minute,
    gaps: Vec<(Minute, Minute)>,
}

impl<'c> Cover<'c> {
    fn new(draft: &'c Draft) -> Self {
        let mut pools = BTreeMap::new();
        for (shift, &line) in draft.roster.shifts.iter().zip(&draft.shift_lines) {
            for pool in &shift.pools {
                pools.entry(pool).or_insert(PoolCover { line, until: 0, gaps: Vec::new() });
            }
        }
        Self { pools }
    }

    fn take(&mut self, from: Minute, to: Minute, pools: &BTreeSet<PoolId>) {
        for pool in pools {
            let Some(cover) = self.pools.get_mut(pool) else { continue };
            if cover.until < from {
                cover.gaps.push((cover.until, from));
            }
            cover.until = cover.until.max(to);
        }
    }

    /// Only hours in which the pool takes calls count.
    fn tell(self, doc: &Doc, plan: &Dialplan, today: Date) {
        let end = HORIZON_DAYS as i64 * DAY;
        let show = |minute| show_china_minute(china_minute(today, minute));
        for (pool, mut cover) in self.pools {
            if cover.until < end {
                cover.gaps.push((cover.until, end));
            }
            let Some(hours) = plan.hours.get(pool) else { continue };
            let gaps = while_open(&cover.gaps, hours, today, end);
            if gaps.is_empty() {
                continue;
            }
            let minutes: Minute = gaps.iter().map(|(from, to)| to - from).sum();
            let first: Vec<String> = gaps
                .iter()
                .take(GAPS_SHOWN_MAX)
                .map(|&(from, to)| format!("{} to {}", show(from), show(to)))
                .collect();
            let more = if gaps.len() > GAPS_SHOWN_MAX { ", …" } else { "" };
            let what = format!(
                "nobody covers the pool \"{pool}\" for {} h of its hours in the next year: {}{more}",
                minutes.div_euclid(60) + i64::from(minutes % 60 > 0),
                first.join(", ")
            );
            let remedy = "the law demands 24x7: add a shift or a substitute";
            doc.warning(cover.line, what, remedy);
        }
    }
}

/// The parts of `gaps` in which a pool with these hours is open; those that touch are one.
fn while_open(gaps: &[(Minute, Minute)], hours: &Hours, today: Date, end: Minute) -> Vec<(Minute, Minute)> {
    let mut open: Vec<(Minute, Minute)> = Vec::new();
    for &(gap_from, gap_to) in gaps {
        let first = gap_from.div_euclid(DAY);
        let days =
            std::iter::successors(today.checked_add(time::Duration::days(first)), |day| day.next_day());
        let days = (first * DAY..gap_to.min(end)).step_by(DAY as usize).zip(days);
        for (midnight, day) in days {
            for (from, to) in hours.open_on(day) {
                let from = gap_from.max(midnight + i64::from(from));
                let to = gap_to.min(end).min(midnight + i64::from(to));
                match open.last_mut() {
                    Some(last) if from < to && last.1 == from => last.1 = to,
                    _ if from < to => open.push((from, to)),
                    _ => {}
                }
            }
        }
    }
    open
}

//! From TOML to a roster: each entry by itself, and what swaps and absences make of the shifts.

use super::days::Days;
use super::{Held, Reach, Roster, RosterContext, Rotation, Shift, Turn};
use crate::calendar::{Calendars, read_dates};
use crate::china::parse_date;
use crate::doc::{Doc, Located, Section, did_you_mean};
use crate::hours::{MINUTES_OF_A_DAY, read_calendar, read_minute};
use crate::plan::Dialplan;
use crate::read::names_of;
use domain::{AgentId, PoolId, RegionId};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use time::Date;

const SHIFTS_MAX: usize = 300;
/// Places of lawyers in shifts, all together.
const PLACES_MAX: usize = 5_000;
const REACHES: [(&str, Reach); 2] = [("phone", Reach::Phone), ("mobile", Reach::Mobile)];
/// Swaps and absences, all together.
const CHANGES_MAX: usize = 500;

/// A roster as read, and where its parts stand.
pub(super) struct Draft {
    pub(super) roster: Roster,
    pub(super) shift_lines: Vec<usize>,
    /// Shifts that were read without an error, by their places.
    pub(super) sound: BTreeSet<usize>,
    pub(super) swap_lines: BTreeMap<Turn, usize>,
    pub(super) absence_lines: BTreeMap<Turn, usize>,
}

impl Draft {
    /// The line that gave this turn to whom it belongs now.
    pub(super) fn line_of(&self, held: &Held) -> usize {
        let absence = self.absence_lines.get(&(held.date, held.shift, held.holder));
        let swap = self.swap_lines.get(&(held.date, held.shift, held.planned));
        absence.or(swap).copied().unwrap_or(self.shift_lines[held.shift])
    }
}

/// Reads everything; the result means something only if `doc` has no problems after it.
pub(super) fn read(doc: &Doc, context: &RosterContext<'_>) -> Draft {
    let root = doc.root();
    let region = root.str("region");
    let plan = context.dialplans.iter().find(|plan| plan.region().as_str() == region);
    if plan.is_none() && !region.is_empty() {
        let regions = context.dialplans.iter().map(|plan| plan.region().as_str());
        root.problem("region", format!("no dialplan serves \"{region}\""), did_you_mean(&region, regions));
    }
    let none = Calendars::default();
    let calendars = plan.map_or(&none, |plan| &plan.calendars);
    let calendar = read_calendar(&root, calendars, context.today.year());
    let house = House {
        region: RegionId::new(&region),
        plan: plan.map(Arc::as_ref),
        has_calendar: root.opt_str("calendar").is_some(),
        context,
    };
    let roster = Roster {
        region: house.region.clone(),
        calendar: calendar.unwrap_or_default(),
        shifts: Vec::new(),
        swaps: BTreeMap::new(),
        absences: BTreeMap::new(),
    };
    let (swap_lines, absence_lines) = (BTreeMap::new(), BTreeMap::new());
    let mut draft =
        Draft { roster, shift_lines: Vec::new(), sound: BTreeSet::new(), swap_lines, absence_lines };
    house.read_shifts(&root.table("shifts"), &mut draft);
    let swaps = root.tables("swaps");
    let absences = root.tables("absences");
    if swaps.len() + absences.len() > CHANGES_MAX {
        let what = format!("more than {CHANGES_MAX} swaps and absences");
        doc.problem(1, what, "remove those that are past");
        return draft;
    }
    for section in swaps {
        house.read_swap(&section, &mut draft);
        section.finish();
    }
    house.read_absences(absences, &mut draft);
    root.finish();
    draft
}

/// What entries may refer to.
struct House<'c> {
    region: RegionId,
    /// None if the region has none, which was told.
    plan: Option<&'c Dialplan>,
    has_calendar: bool,
    context: &'c RosterContext<'c>,
}

impl House<'_> {
    fn read_shifts(&self, shifts: &Section<'_>, draft: &mut Draft) {
        let names = shifts.keys();
        names_of(shifts, "a shift");
        if names.len() > SHIFTS_MAX {
            shifts.doc().problem(
                shifts.line(),
                format!("more than {SHIFTS_MAX} shifts"),
                "is this one region?",
            );
            return;
        }
        let mut places = 0;
        for name in names {
            let Some(section) = shifts.opt_table(name.value) else { continue };
            let errors_before = shifts.doc().error_count();
            let shift = self.read_shift(&section, name.value);
            if shifts.doc().error_count() == errors_before {
                draft.sound.insert(draft.roster.shifts.len());
            }
            places += shift.lawyers.len();
            draft.shift_lines.push(section.line());
            draft.roster.shifts.push(shift);
            section.finish();
        }
        if places > PLACES_MAX {
            let what = format!("the shifts name lawyers {places} times, more than {PLACES_MAX}");
            shifts.doc().problem(shifts.line(), what, "is this one region?");
        }
    }

    fn read_shift(&self, section: &Section<'_>, id: &str) -> Shift {
        let doc = section.doc();
        let pools = self.read_pools(section);
        let reach = section.opt_choice("reach", &REACHES).unwrap_or(Reach::Phone);
        let mut lawyers: Vec<AgentId> = Vec::new();
        for number in section.ints("lawyers", 1..=u32::MAX) {
            let lawyer = self.refer_lawyer(doc, &number);
            if lawyers.contains(&lawyer) {
                doc.problem(number.line, format!("{lawyer} is named twice"), "name each lawyer once");
                continue;
            }
            for pool in pools.iter().filter(|pool| !self.may_serve(lawyer, pool)) {
                doc.problem(number.line, not_in_pool(lawyer, pool), NOT_IN_POOL);
            }
            if reach == Reach::Mobile && !has_mobile(self.context, lawyer) {
                doc.problem(number.line, no_mobile(lawyer, id), NO_MOBILE);
            }
            lawyers.push(lawyer);
        }
        let (from, to) = read_hours(section);
        let days = self.read_days(doc, &section.list("days"));
        let except = self.read_days(doc, &section.list_or_empty("except"));
        if !days.is_empty() && days.iter().all(|days| days.are_past(self.context.today)) {
            let what = format!("the days of the shift \"{id}\" are past");
            doc.warning(section.line_of("days"), what, "remove it");
        }
        let rotation = section.opt_table("rotate").map(|rotate| {
            let rotation = read_rotation(&rotate, lawyers.len());
            rotate.finish();
            rotation
        });
        Shift { id: id.to_owned(), pools, lawyers, rotation, days, except, from, to, reach }
    }

    fn read_pools(&self, section: &Section<'_>) -> BTreeSet<PoolId> {
        let mut pools = BTreeSet::new();
        for name in section.list("pools") {
            let pool = PoolId::new(&name.value);
            if let Some(plan) = self.plan.filter(|plan| !plan.pools.contains_key(&pool)) {
                let remedy = did_you_mean(&name.value, plan.pools.keys().map(PoolId::as_str));
                section.doc().problem(name.line, format!("{} has no pool \"{pool}\"", self.region), remedy);
                continue;
            }
            if !pools.insert(pool) {
                let what = format!("\"{}\" is named twice", name.value);
                section.doc().problem(name.line, what, "name each pool once");
            }
        }
        pools
    }

    fn read_days(&self, doc: &Doc, texts: &[Located<String>]) -> Vec<Days> {
        let mut all = Vec::new();
        for text in texts {
            let Some(days) = Days::read(&text.value) else {
                doc.problem(text.line, format!("\"{}\" are no days", text.value), Days::FORM);
                continue;
            };
            if days.need_a_calendar() && !self.has_calendar {
                let what = format!("\"{}\": without a calendar nobody knows these days", text.value);
                doc.problem(text.line, what, "add calendar = \"cn\" above all sections");
            }
            all.push(days);
        }
        all
    }

    fn refer_lawyer(&self, doc: &Doc, number: &Located<u32>) -> AgentId {
        let lawyer = AgentId(number.value);
        let Some(staff) = self.context.staff else { return lawyer };
        match staff.get(&lawyer) {
            Some(found) if found.region == self.region => {}
            Some(found) => {
                let what = format!("{lawyer} is a lawyer of {}, not of {}", found.region, self.region);
                doc.problem(number.line, what, "name a lawyer of this region");
            }
            None => {
                let what = format!("there is no lawyer {lawyer} in {}", self.region);
                doc.problem(number.line, what, "correct the number, or add an [[agent]] to the settings");
            }
        }
        lawyer
    }

    /// A lawyer whom nobody knows is told of elsewhere.
    fn may_serve(&self, lawyer: AgentId, pool: &PoolId) -> bool {
        may_serve(self.context, lawyer, pool)
    }

    /// `lawyers = [1001, 1011]`, `days = ["2026-10-01", "2026-10-03"]`: on these days each has what the other
    /// was planned for; in all shifts, unless `shifts` names some.
    fn read_swap(&self, section: &Section<'_>, draft: &mut Draft) {
        let doc = section.doc();
        let lawyers: Vec<AgentId> = section
            .ints("lawyers", 1..=u32::MAX)
            .iter()
            .map(|number| self.refer_lawyer(doc, number))
            .collect();
        let (only, days) = (read_only(section, draft), self.read_dates(section));
        let &[one, other] = lawyers.as_slice() else {
            section.problem("lawyers", "a swap is between two lawyers", "write two numbers, like [7, 9]");
            return;
        };
        if one == other {
            section.problem("lawyers", format!("{one} swaps with nobody else"), "name two lawyers");
            return;
        }
        let Some(only) = only else { return };
        let mut given = BTreeSet::new();
        for day in &days {
            let before = given.len();
            for (from, to) in [(one, other), (other, one)] {
                for shift in planned_shifts(&draft.roster, day.value, from, &only) {
                    given.insert((day.value, shift, from));
                    let turn = (day.value, shift, from);
                    if draft.roster.swaps.insert(turn, to).is_some_and(|before| before != to) {
                        let what = format!("{from} swaps with somebody else on {} already", day.value);
                        doc.problem(day.line, what, "keep one of the two");
                    }
                    draft.swap_lines.insert(turn, section.line());
                }
            }
            if given.len() == before && !self.is_past(day.value) {
                let what = format!("neither {one} nor {other} has a shift on {}", day.value);
                doc.problem(day.line, what, "name days on which one of them has one");
            }
        }
        if days.iter().any(|day| !self.is_past(day.value)) {
            self.check_swap(section, (one, other), &given);
        }
    }

    /// Each must give something, and it must make a difference.
    fn check_swap(&self, section: &Section<'_>, (one, other): (AgentId, AgentId), given: &BTreeSet<Turn>) {
        let of = |lawyer: AgentId| -> BTreeSet<(Date, usize)> {
            given.iter().filter(|turn| turn.2 == lawyer).map(|&(date, shift, _)| (date, shift)).collect()
        };
        let (one_gives, other_gives) = (of(one), of(other));
        if given.is_empty() {
            return;
        }
        for (lawyer, gives, helper) in [(one, &one_gives, other), (other, &other_gives, one)] {
            if gives.is_empty() {
                let what = format!("{lawyer} has no shift on these days to give to {helper}");
                let remedy = format!(
                    "name a day of one of {lawyer}'s too, or write [[absences]] with lawyer = {helper} and \
                     substitute = {lawyer}"
                );
                section.problem("days", what, remedy);
            }
        }
        if one_gives == other_gives {
            let what = format!("{one} and {other} have the same shifts on these days: nothing changes");
            section.doc().warning(section.line(), what, "remove it");
        }
    }

    fn read_absences(&self, sections: Vec<Section<'_>>, draft: &mut Draft) {
        let absences: Vec<Option<Absence>> =
            sections.iter().map(|section| self.read_absence(section, draft)).collect();
        // Whoever is away for whole days stands in for nobody.
        let away: BTreeSet<(Date, AgentId)> = absences
            .iter()
            .flatten()
            .filter(|absence| absence.only.is_none())
            .flat_map(|absence| absence.days.iter().map(|day| (day.value, absence.lawyer)))
            .collect();
        let is_away = |date, shift, lawyer| {
            away.contains(&(date, lawyer)) || draft.roster.absences.contains_key(&(date, shift, lawyer))
        };
        for (absence, section) in absences.iter().zip(&sections) {
            let Some(absence) = absence else { continue };
            let Some(substitute) = absence.substitute.filter(|other| *other != absence.lawyer) else {
                continue;
            };
            let clash = absence.turns.iter().find(|(date, shift)| is_away(*date, *shift, substitute));
            if let Some((date, _)) = clash {
                let what = format!("{substitute} is absent on {date} too");
                section.problem("substitute", what, "name another substitute");
            }
        }
        sections.into_iter().for_each(Section::finish);
    }

    /// `lawyer = 1001`, `days = ["2026-10-01..2026-10-03"]`, and perhaps `substitute = 1012`; in all shifts,
    /// unless `shifts` names some.
    fn read_absence(&self, section: &Section<'_>, draft: &mut Draft) -> Option<Absence> {
        let doc = section.doc();
        let number = |key: &str, value| Located { value, line: section.line_of(key) };
        let lawyer = section.int("lawyer", 1..=u32::MAX);
        let mut substitute = section.opt_int("substitute", 1..=u32::MAX);
        let (only, days) = (read_only(section, draft), self.read_dates(section));
        if substitute == Some(lawyer) {
            section.problem("substitute", "nobody stands in for oneself", "name another lawyer, or none");
            substitute = None;
        }
        let lawyer = self.refer_lawyer(doc, &number("lawyer", lawyer));
        let substitute = substitute.map(|value| self.refer_lawyer(doc, &number("substitute", value)));
        let only = only?;
        let mut turns = Vec::new();
        for day in &days {
            for shift in held_shifts(&draft.roster, day.value, lawyer, &only) {
                let turn = (day.value, shift, lawyer);
                turns.push((day.value, shift));
                if draft.roster.absences.insert(turn, substitute).is_some() {
                    let what = format!("{lawyer} is absent on {} already", day.value);
                    doc.problem(day.line, what, "keep one of the two, with one substitute");
                }
                draft.absence_lines.insert(turn, section.line());
            }
        }
        if turns.is_empty() && days.iter().any(|day| !self.is_past(day.value)) {
            let what = format!("{lawyer} has no shift on these days: nothing changes");
            doc.warning(section.line(), what, "remove it, or correct the days");
        }
        Some(Absence { lawyer, substitute, only, days, turns })
    }

    /// The days of a change, past ones too: what was done on them can still be shown.
    fn read_dates(&self, section: &Section<'_>) -> Vec<Located<Date>> {
        let doc = section.doc();
        let today = self.context.today;
        let mut days = Vec::new();
        for text in section.list("days") {
            let Some(dates) = read_dates(&text.value) else {
                let remedy = "write \"2026-10-01\" or \"2026-10-01..2026-10-07\"";
                doc.problem(text.line, format!("\"{}\" is no date", text.value), remedy);
                continue;
            };
            if dates.last().is_some_and(|last| *last < today) {
                doc.warning(text.line, format!("{} is past", text.value), "remove it");
            }
            days.extend(dates.into_iter().map(|value| Located { value, line: text.line }));
        }
        days
    }

    /// Yesterday's night may still be under way.
    fn is_past(&self, day: Date) -> bool {
        day.next_day().is_some_and(|next| next < self.context.today)
    }
}

struct Absence {
    lawyer: AgentId,
    substitute: Option<AgentId>,
    only: Only,
    days: Vec<Located<Date>>,
    /// What the lawyer would have done.
    turns: Vec<(Date, usize)>,
}

pub(super) const NOT_IN_POOL: &str =
    "add the pool to the agent's `pools` in the settings, or choose another lawyer";

pub(super) fn not_in_pool(lawyer: AgentId, pool: &PoolId) -> String {
    format!("{lawyer} does not serve in the pool \"{pool}\"")
}

pub(super) fn may_serve(context: &RosterContext<'_>, lawyer: AgentId, pool: &PoolId) -> bool {
    let Some(staff) = context.staff else { return true };
    staff.get(&lawyer).is_none_or(|found| found.pools.contains(pool))
}

pub(super) const NO_MOBILE: &str = "add mobile = { number = \"…\", trunk = \"…\", … } to the agent in the settings, or choose another lawyer";

pub(super) fn no_mobile(lawyer: AgentId, shift: &str) -> String {
    format!("the shift \"{shift}\" is done by mobile, and {lawyer} has none")
}

/// A lawyer whom nobody knows is told of elsewhere.
pub(super) fn has_mobile(context: &RosterContext<'_>, lawyer: AgentId) -> bool {
    let Some(staff) = context.staff else { return true };
    staff.get(&lawyer).is_none_or(|found| found.has_mobile)
}

/// The shifts that a change is for, by their places.
type Only = Option<BTreeSet<usize>>;

/// Without `shifts` all are meant; none if one is not known, which was told.
fn read_only(section: &Section<'_>, draft: &Draft) -> Option<Only> {
    let names = section.list_or_empty("shifts");
    let shifts = &draft.roster.shifts;
    let mut only = BTreeSet::new();
    let errors_before = section.doc().error_count();
    for name in &names {
        match shifts.iter().position(|shift| shift.id == name.value) {
            Some(place) => _ = only.insert(place),
            None => {
                let remedy = did_you_mean(&name.value, shifts.iter().map(|shift| shift.id.as_str()));
                section.doc().problem(name.line, format!("there is no shift \"{}\"", name.value), remedy);
            }
        }
    }
    let is_known = section.doc().error_count() == errors_before;
    is_known.then(|| (!names.is_empty()).then_some(only))
}

fn planned_shifts(roster: &Roster, date: Date, lawyer: AgentId, only: &Only) -> Vec<usize> {
    let mine = roster.held(date).filter(|held| held.planned == lawyer).map(|held| held.shift);
    mine.filter(|shift| only.as_ref().is_none_or(|only| only.contains(shift))).collect()
}

fn held_shifts(roster: &Roster, date: Date, lawyer: AgentId, only: &Only) -> Vec<usize> {
    let mine = roster.held(date).filter(|held| held.holder == lawyer).map(|held| held.shift);
    mine.filter(|shift| only.as_ref().is_none_or(|only| only.contains(shift))).collect()
}

/// `08:00-20:00`; what does not end later than it begins ends on the day after.
fn read_hours(section: &Section<'_>) -> (u16, u16) {
    let text = section.str("hours");
    let read = text.split_once('-').and_then(|(from, to)| Some((read_minute(from)?, read_minute(to)?)));
    match read.filter(|(from, _)| *from < MINUTES_OF_A_DAY) {
        Some(hours) => hours,
        None => {
            if !text.is_empty() {
                let remedy = "write it like \"08:00-20:00\"; \"20:00-08:00\" ends on the day after";
                section.problem("hours", format!("\"{text}\" are no hours of a shift"), remedy);
            }
            (0, MINUTES_OF_A_DAY)
        }
    }
}

fn read_rotation(section: &Section<'_>, lawyers: usize) -> Rotation {
    let text = section.str("since");
    let since = parse_date(&text);
    if since.is_none() && !text.is_empty() {
        section.problem("since", format!("\"{text}\" is no date"), "write it like \"2026-10-01\"");
    }
    let at_once = section.int_or("at_once", 1, 1..=PLACES_MAX as i64) as usize;
    if at_once > lawyers && lawyers > 0 {
        let what = format!("{at_once} at once, and the shift has {lawyers} lawyers");
        section.problem("at_once", what, "name more lawyers, or fewer at once");
    }
    let days = section.int("days", 1..=366);
    Rotation { since: since.unwrap_or(Date::MIN), days, at_once }
}

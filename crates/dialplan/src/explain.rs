//! What would become of a call, and why, in words for the person who wrote the dialplan.
//!
//! It is the walk itself that is told of: the same that serves calls, taken with every outcome of every step,
//! and what it notes on its way.

use crate::china::china_time;
use crate::doc::show_duration;
use crate::number::normalise;
use crate::plan::{Announce, Cursor, Dialplan, Outcome, PoolRef, Step};
use crate::prefix::{Origin, unpack};
use crate::walk::{Attribution, Note};
use crate::wants::{Relaxed, Wants};
use crate::when::When;
use domain::{OverflowReason, Skills, Timestamp};
use std::fmt::Write as _;
use std::time::Duration;

/// Stops that are told of. A menu of twelve counties has about sixty.
const STOPS_MAX: usize = 500;

impl Dialplan {
    /// Every way that a call from `caller` to `called` can take from `now` on, as several lines of text: each
    /// step with its number, what it does, and to which number each end of it leads. The numbers dialled are
    /// taken as a trunk sends them.
    #[must_use]
    pub fn explain<'o>(&self, caller: &str, called: &str, when: impl Into<When<'o>>) -> String {
        let when = when.into();
        let now = when.now;
        let (from, to) = (normalise(caller, self.area_code()), normalise(called, self.area_code()));
        let mut telling = Telling { plan: self, when, stops: Vec::new(), text: String::new() };
        let time = china_time(now);
        telling.line(&format!(
            "time    {} {:02}:{:02}, a {}",
            time.date(),
            time.hour(),
            time.minute(),
            time.weekday()
        ));
        telling.line(&format!("caller  {caller} → {}", if from.is_empty() { "no number" } else { &from }));
        if !self.serves(&to) {
            telling
                .line(&format!("called  {called} → {to}, which is none of this dialplan's numbers: refused"));
            return telling.text;
        }
        telling.line(&format!("called  {called} → {to}, a number of {}", self.region_name().zh));
        telling.line(&format!("county  {}", self.whose(&self.attribution(&from, &to))));
        let mut notes = Vec::new();
        let begun = self.begin_noting(None, &from, &to, when, &mut |note| notes.push(self.words(&note, now)));
        notes.iter().for_each(|note| telling.line(&format!("        {note}")));
        telling.stops.push((begun.cursor, begun.step));
        telling.walk();
        telling.text
    }

    fn whose(&self, attribution: &Attribution<'_>) -> String {
        let name = |county| self.counties.get(county).map_or("", |county| county.name.zh.as_str());
        match attribution {
            Attribution::Number(county) => format!("{county} {}: its own number was dialled", name(county)),
            Attribution::Prefix(found) => {
                let place = match found.origin() {
                    Origin::County(line) => format!("line {line}"),
                    Origin::AreaCode(line) => format!("area code, line {line}"),
                    Origin::Table(line) => format!("row {line} of the table"),
                };
                let (county, prefix) = (found.county, unpack(found.key));
                format!("{county} {}: the caller's number begins with {prefix} ({place})", name(county))
            }
            Attribution::Area(code, county) => {
                format!("{county} {}: the area code {code} was dialled", name(county))
            }
            Attribution::Unknown => "not known: no prefix begins the caller's number".to_owned(),
        }
    }

    fn words(&self, note: &Note<'_>, now: Timestamp) -> String {
        let hours = |pool, by_hand| match self.hours.get(pool) {
            _ if by_hand => "by hand".to_owned(),
            Some(hours) => hours.explain(now),
            None => String::new(),
        };
        match note {
            Note::MenuSpared { step } => format!("{step}: left out, for the county is known"),
            Note::HoursAsked { step, pool, is_open, by_hand } => {
                let word = if *is_open { "open" } else { "closed" };
                format!("{step}: {pool} is {word} ({})", hours(pool, *by_hand))
            }
            Note::PoolUnknown { step, pool } => {
                let word = match pool {
                    PoolRef::County => "the call has no county".to_owned(),
                    PoolRef::Paired => "the call has no paired county".to_owned(),
                    PoolRef::City => "the call has no city".to_owned(),
                    PoolRef::Named(pool) => format!("there is no {pool}"),
                };
                format!("{step}: a stage is left out, for {word}")
            }
            Note::PoolClosed { step, pool, by_hand } => {
                format!("{step}: {pool} is left out, closed ({})", hours(pool, *by_hand))
            }
            Note::PoolTwice { step, pool } => format!("{step}: {pool} is left out, it is a stage already"),
            Note::NoPool { step, ending } => {
                format!("{step}: passed over, no pool is left ({})", ending.as_str())
            }
            Note::Favoured { step, kind, head_start } => {
                format!("{step}: the caller is {kind}, a head start of {}", show_duration(*head_start))
            }
            Note::RepeatAsked { step, calls, within, head_start } => format!(
                "{step}: after {calls} or more calls within {}, a head start of {}",
                show_duration(*within),
                show_duration(*head_start)
            ),
            Note::AcquaintedAsked { step, within, wait } => format!(
                "{step}: kept {} for the lawyer who spoke with the caller within {}, if there is one on duty",
                show_duration(*wait),
                show_duration(*within)
            ),
        }
    }
}

struct Telling<'p> {
    plan: &'p Dialplan,
    when: When<'p>,
    /// In the order in which they were found, which is that of their numbers, from 1. A step that ends the
    /// call may share its cursor with the one before it.
    stops: Vec<(Cursor, Step)>,
    text: String,
}

impl Telling<'_> {
    fn walk(&mut self) {
        let mut told = 0;
        while let Some((cursor, step)) = self.stops.get(told).filter(|_| told < STOPS_MAX).cloned() {
            told += 1;
            self.line(&format!("{told}. {} {}", cursor.step, deed(&step)));
            for (outcome, words) in outcomes(&step) {
                self.follow(&cursor, outcome, &words);
            }
            if matches!(step, Step::Queue { .. }) {
                self.follow_talk(&cursor);
            }
        }
        if told < self.stops.len() {
            self.line("… and so on");
        }
    }

    fn follow(&mut self, from: &Cursor, outcome: Outcome, words: &str) {
        let (plan, when) = (self.plan, self.when);
        let mut cursor = from.clone();
        let mut notes = Vec::new();
        let step =
            plan.next_noting(&mut cursor, when, outcome, &mut |note| notes.push(plan.words(&note, when.now)));
        for note in notes {
            self.line(&format!("     {note}"));
        }
        let number = self.number_of(cursor, step);
        self.line(&format!("   {words} → {number}"));
    }

    /// Where a caller goes whose lawyer has hung up, as it is after a long talk and after none.
    fn follow_talk(&mut self, from: &Cursor) {
        let after = |talked| {
            let mut cursor = from.clone();
            self.plan.after_talk(&mut cursor, self.when, talked).map(|step| (cursor, step))
        };
        let (Some(long), Some(short)) = (after(Duration::MAX), after(Duration::ZERO)) else { return };
        let is_same = long.1 == short.1;
        let number = self.number_of(long.0, long.1);
        self.line(&format!("   the lawyer hangs up → {number}"));
        if !is_same {
            let number = self.number_of(short.0, short.1);
            self.line(&format!("   the lawyer hangs up soon → {number}"));
        }
    }

    fn number_of(&mut self, cursor: Cursor, step: Step) -> usize {
        let known = self.stops.iter().position(|stop| stop.0 == cursor && stop.1 == step);
        if known.is_none() {
            self.stops.push((cursor, step));
        }
        known.map_or(self.stops.len(), |known| known + 1)
    }

    fn line(&mut self, words: &str) {
        // Writing to a string cannot fail.
        let _ = writeln!(self.text, "{words}");
    }
}

fn deed(step: &Step) -> String {
    let said = |prompts: &[String]| prompts.join(", ");
    match step {
        Step::Play { prompts, is_notice: true, .. } => {
            format!("plays {}: from here on the call may be recorded", said(prompts))
        }
        Step::Play { prompts, is_notice: false, .. } => format!("plays {}", said(prompts)),
        Step::Menu { prompts, timeout, .. } => {
            format!("plays {} and waits {} for a key", said(prompts), show_duration(*timeout))
        }
        Step::Queue { stages, wants, announce, .. } => {
            let stages =
                stages.iter().map(|stage| format!("{} {}", stage.pool, show_duration(stage.patience)));
            let stages = stages.collect::<Vec<_>>().join(", then also ");
            let told = announce.map_or_else(String::new, |Announce { first, every }| {
                let (first, every) = (show_duration(first), show_duration(every));
                format!("; hears the wait after {first} and then every {every}")
            });
            format!("waits for {stages}{}{told}; a lawyer who answers talks", asked(wants))
        }
        Step::Callback { prompts, within } => {
            let within = show_duration(*within);
            format!("plays {}, keeps the place in the line and is called back within {within}", said(prompts))
        }
        Step::Survey { prompts, timeout } => {
            format!("plays {} and waits {} for a key from 1 to 5", said(prompts), show_duration(*timeout))
        }
        Step::Transfer { to, target, prompts, .. } => {
            let said = if prompts.is_empty() { String::new() } else { format!("plays {}, ", said(prompts)) };
            format!("{said}dials {to}, {}; who answers talks", target.words())
        }
        Step::Voicemail { pool, prompts, max } => {
            format!("plays {}, records {} at most for {pool}", said(prompts), show_duration(*max))
        }
        Step::HangUp { prompts, departure } if prompts.is_empty() => {
            format!("ends the call as {}", departure.as_str())
        }
        Step::HangUp { prompts, departure } => {
            format!("plays {}, ends the call as {}", said(prompts), departure.as_str())
        }
    }
}

fn asked(wants: &Wants) -> String {
    let levels = |skills: &Skills| {
        let levels = skills.iter().map(|(skill, level)| format!("{skill} {level}"));
        levels.collect::<Vec<_>>().join(", ")
    };
    let mut text = String::new();
    // Writing to a string cannot fail.
    if !wants.needs.is_empty() {
        let _ = write!(text, "; needs {}", levels(&wants.needs));
    }
    if !wants.wishes.is_empty() {
        let _ = write!(text, "; wishes {}", levels(&wants.wishes));
    }
    for Relaxed { after, needs } in &wants.relax {
        let needs = if needs.is_empty() { "nothing".to_owned() } else { levels(needs) };
        let _ = write!(text, "; after {} needs {needs}", show_duration(*after));
    }
    if wants.urgent {
        text.push_str("; before all others");
    } else if !wants.head_start.is_zero() {
        let _ = write!(text, "; as if it had waited {} longer", show_duration(wants.head_start));
    }
    text
}

/// Every way in which a step can end, by which the walk goes on.
fn outcomes(step: &Step) -> Vec<(Outcome, String)> {
    let named = |outcome: Outcome, words: &str| (outcome, words.to_owned());
    match step {
        Step::Play { .. } => vec![named(Outcome::Played, "then")],
        Step::Menu { keys, .. } => {
            let keys = keys.iter().map(|key| (Outcome::Digit(*key), format!("key {key}")));
            keys.chain([named(Outcome::TimedOut, "no key")]).collect()
        }
        Step::Queue { keys, .. } => {
            let keys = keys.iter().map(|key| (Outcome::Digit(*key), format!("key {key}")));
            let ended = [
                named(Outcome::Exhausted(OverflowReason::PatienceExpired), "nobody answers in time"),
                named(Outcome::Exhausted(OverflowReason::NobodyOnDuty), "nobody is on duty"),
                named(Outcome::Exhausted(OverflowReason::PoolFull), "too many wait"),
            ];
            ended.into_iter().chain(keys).collect()
        }
        Step::Callback { .. } | Step::Survey { .. } => vec![named(Outcome::Played, "then")],
        Step::Transfer { .. } => vec![named(Outcome::NotReached, "nobody is reached")],
        Step::Voicemail { .. } => {
            vec![
                named(Outcome::MessageLeft, "a message is left"),
                named(Outcome::TimedOut, "nothing is said"),
            ]
        }
        Step::HangUp { .. } => Vec::new(),
    }
}

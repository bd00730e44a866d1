//! Somebody outside whom a call can be passed on to: another hotline, the police, the next city. Nothing else can be
//! dialled by a step.

use crate::calendar::read_name;
use crate::doc::{Section, show_duration};
use crate::number::normalise;
use crate::plan::{Dialplan, Name};
use crate::read::Draft;
use domain::{TargetId, TrunkId};
use serde::{Deserialize, Serialize};
use std::ops::RangeInclusive;
use std::time::Duration;

/// So that nobody is dialled for, for ever.
const NUMBERS_MAX: usize = 4;
const DIGITS: RangeInclusive<usize> = 3..=20;
const RING: RangeInclusive<Duration> = Duration::from_secs(5)..=Duration::from_secs(120);
const RING_DEFAULT: Duration = Duration::from_secs(30);

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Target {
    pub name: Name,
    /// As the trunk takes them: tried in this order, one to four.
    pub numbers: Vec<String>,
    pub trunk: TrunkId,
    /// How long each of them rings.
    pub ring_timeout: Duration,
    /// A lawyer's phone calls it in by `*` and this key, 1 to 9; without one the board does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<char>,
}

impl Target {
    /// In the words of `explain` and of differences.
    pub(crate) fn words(&self) -> String {
        let key = self.key.map_or_else(String::new, |key| format!("; *{key} calls it in"));
        format!(
            "{} through {}, {} each{key}",
            self.numbers.join(", then "),
            self.trunk,
            show_duration(self.ring_timeout)
        )
    }
}

/// `[targets.hotline_12345]`. The hotline's own numbers must have been read.
pub(crate) fn read_targets(targets: &Section<'_>, draft: &mut Draft) {
    for key in targets.keys() {
        let Some(section) = targets.opt_table(key.value) else { continue };
        let id = TargetId::new(key.value);
        draft.target_lines.insert(id.clone(), section.line());
        draft.plan.trunk_lines.insert(id.clone(), section.line_of("trunk"));
        let target = Target {
            name: read_name(&section),
            numbers: read_numbers(&section, draft),
            trunk: TrunkId::new(&section.str("trunk")),
            ring_timeout: section.duration_or("ring_timeout", RING_DEFAULT, RING),
            key: read_key(&section, &draft.plan),
        };
        draft.plan.targets.insert(id, target);
        section.finish();
    }
}

fn read_key(section: &Section<'_>, plan: &Dialplan) -> Option<char> {
    let key = char::from_digit(section.opt_int("key", 1..=9)?, 10)?;
    if let Some((other, _)) = plan.targets.iter().find(|(_, target)| target.key == Some(key)) {
        let what = format!("\"{other}\" has the key {key} already");
        section.doc().problem(section.line_of("key"), what, "give it another, 1 to 9");
    }
    Some(key)
}

fn read_numbers(section: &Section<'_>, draft: &Draft) -> Vec<String> {
    let (doc, plan) = (section.doc(), &draft.plan);
    let written = section.list("numbers");
    if let Some(further) = written.get(NUMBERS_MAX) {
        let what = format!("a target has {NUMBERS_MAX} numbers at most");
        doc.problem(further.line, what, "keep those that are likeliest to answer");
    }
    for number in &written {
        let is_number =
            DIGITS.contains(&number.value.len()) && number.value.bytes().all(|c| c.is_ascii_digit());
        if !is_number {
            let what = format!("\"{}\" is no number that a trunk takes", number.value);
            doc.problem(number.line, what, "write digits only, as the operator wants them: \"057712345\"");
        } else if plan.serves(&normalise(&number.value, plan.area_code())) {
            let what = format!("\"{}\" is a number of this hotline: the call would come back", number.value);
            doc.problem(number.line, what, "lead to a queue instead");
        }
    }
    written.into_iter().map(|number| number.value).collect()
}

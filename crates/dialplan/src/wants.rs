//! What a queue asks of the lawyers, and how much earlier a caller's turn comes.

use crate::callers::{Caller, Callers};
use crate::doc::{Section, did_you_mean, show_duration};
use crate::plan::{Cursor, Queue};
use crate::walk::{Note, Noting};
use domain::{AgentId, SkillId, Skills, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;
use std::time::Duration;

/// What a call that waits is to get, with the language that its caller chose.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wants {
    /// Without these a lawyer is not rung for the call.
    pub needs: Skills,
    /// The more of these the better, in pools that match by `best_skill`.
    pub wishes: Skills,
    /// In the order of their times: from then on only so much is needed.
    pub relax: Vec<Relaxed>,
    /// Before all others.
    pub urgent: bool,
    /// The turn comes as if the caller had waited for so much longer.
    pub head_start: Duration,
    /// The lawyer who knows the caller, and for how long the call is kept for them.
    pub acquainted: Option<(AgentId, Duration)>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Relaxed {
    /// Since the call came into the queue.
    pub after: Duration,
    pub needs: Skills,
}

/// The same as the file has it: the language depends on the call.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Asked {
    needs: Skills,
    wishes: Skills,
    /// The level that is needed of the language that the caller chose.
    language: u8,
    relax: Vec<Less>,
    urgent: bool,
    head_start: Duration,
    elderly: Option<Duration>,
    from_12345: Option<Duration>,
    repeat: Option<Duration>,
    acquainted: Option<Acquainted>,
}

/// A lawyer who spoke with the caller `within` has the call alone for `wait`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Acquainted {
    within: Duration,
    wait: Duration,
}

/// Levels that change; zero is no longer needed.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Less {
    after: Duration,
    needs: Skills,
    language: Option<u8>,
}

const LEVELS: RangeInclusive<u8> = 1..=10;
const LESS: RangeInclusive<u8> = 0..=10;
const AFTER: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(24 * 3_600);
const HEAD_START: RangeInclusive<Duration> = Duration::ZERO..=Duration::from_secs(3_600);
const WITHIN: RangeInclusive<Duration> = Duration::from_secs(60)..=Duration::from_secs(366 * 86_400);
const KEPT: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(300);
const ELDERLY: &str = "head_start_elderly";
const FROM_12345: &str = "head_start_12345";
const REPEAT: &str = "head_start_repeat";

impl Asked {
    pub(crate) fn read(section: &Section<'_>, known: &BTreeSet<String>) -> Self {
        let mut asked = Self {
            needs: read_skills(section, "needs", known, LEVELS),
            wishes: read_skills(section, "wishes", known, LEVELS),
            language: section.int_or("language", 0, LESS),
            relax: Vec::new(),
            urgent: section.bool_or("urgent", false),
            head_start: section.duration_or("head_start", Duration::ZERO, HEAD_START),
            elderly: section.opt_duration(ELDERLY, HEAD_START),
            from_12345: section.opt_duration(FROM_12345, HEAD_START),
            repeat: section.opt_duration(REPEAT, HEAD_START),
            acquainted: section.opt_table("acquainted").map(|acquainted| {
                let within = acquainted.duration("within", WITHIN);
                let wait = acquainted.duration("wait", KEPT);
                acquainted.finish();
                Acquainted { within, wait }
            }),
        };
        for less in section.tables("relax") {
            asked.relax.push(Less {
                after: less.duration("after", AFTER),
                needs: read_skills(&less, "needs", known, LESS),
                language: less.opt_int("language", LESS),
            });
            if asked.relax.len() > 1 && !asked.relax.is_sorted_by_key(|less| less.after) {
                less.problem("after", "an earlier time than in the line before", "write them in order");
            }
            less.finish();
        }
        asked
    }

    /// In the words of the file.
    pub(crate) fn words(&self) -> String {
        let skills = |skills: &Skills| {
            skills.iter().map(|(skill, level)| format!("{skill} {level}")).collect::<Vec<_>>().join(", ")
        };
        let mut words = Vec::new();
        for (word, asked) in [("needs", &self.needs), ("wishes", &self.wishes)] {
            if !asked.is_empty() {
                words.push(format!("{word} {}", skills(asked)));
            }
        }
        if self.language > 0 {
            words.push(format!("language {}", self.language));
        }
        for less in &self.relax {
            let language = less.language.map(|level| format!(" language {level}")).unwrap_or_default();
            words.push(format!("after {} {}{language}", show_duration(less.after), skills(&less.needs)));
        }
        if self.urgent {
            words.push("urgent".to_owned());
        }
        if !self.head_start.is_zero() {
            words.push(format!("head_start {}", show_duration(self.head_start)));
        }
        let rights = [(ELDERLY, self.elderly), (FROM_12345, self.from_12345), (REPEAT, self.repeat)];
        for (word, head_start) in rights {
            words.extend(head_start.map(|head_start| format!("{word} {}", show_duration(head_start))));
        }
        if let Some(Acquainted { within, wait }) = self.acquainted {
            words.push(format!("acquainted within {}, {}", show_duration(within), show_duration(wait)));
        }
        words.join("; ")
    }

    pub(crate) const fn asks_for_history(&self) -> bool {
        self.repeat.is_some() || self.acquainted.is_some()
    }

    /// The keys of head starts that no caller can have, for nothing says who they are.
    pub(crate) fn idle_head_starts(&self, callers: &Callers) -> Vec<(&'static str, &'static str)> {
        let elderly = self.elderly.filter(|_| !callers.knows_elderly());
        let from_12345 = self.from_12345.filter(|_| !callers.knows_12345());
        let elderly = elderly.map(|_| (ELDERLY, "elderly = \"elderly.csv\""));
        let from_12345 = from_12345.map(|_| (FROM_12345, "numbers_12345 = [\"12345\"]"));
        elderly.into_iter().chain(from_12345).collect()
    }

    /// The longest of those that the caller has a right to.
    fn head_start_of(&self, callers: &Callers, caller: &Caller, now: Timestamp) -> Duration {
        let elderly = self.elderly.filter(|_| caller.is_elderly);
        let from_12345 = self.from_12345.filter(|_| caller.is_from_12345);
        let repeat = self.repeat.filter(|_| callers.is_repeated(caller, now));
        [Some(self.head_start), elderly, from_12345, repeat].into_iter().flatten().max().unwrap_or_default()
    }

    fn acquainted_with(&self, caller: &Caller, now: Timestamp) -> Option<(AgentId, Duration)> {
        let Acquainted { within, wait } = self.acquainted?;
        let (agent, at) = caller.history.as_ref()?.last_talk?;
        (now - at <= within).then_some((agent, wait))
    }

    /// What a reader of `explain` cannot see in the wants of a call that has no history yet.
    pub(crate) fn note_callers(&self, callers: &Callers, cursor: &Cursor, note: &mut Noting<'_>) {
        let (step, caller) = (cursor.step.as_str(), &cursor.caller);
        if let Some(head_start) = self.elderly.filter(|_| caller.is_elderly) {
            note(Note::Favoured { step, kind: "elderly", head_start });
        }
        if let Some(head_start) = self.from_12345.filter(|_| caller.is_from_12345) {
            note(Note::Favoured { step, kind: "passed on by 12345", head_start });
        }
        if let Some(head_start) = self.repeat {
            let (calls, within) = (callers.repeat_calls, callers.repeat_within);
            note(Note::RepeatAsked { step, calls, within, head_start });
        }
        if let Some(Acquainted { within, wait }) = self.acquainted {
            note(Note::AcquaintedAsked { step, within, wait });
        }
    }

    /// The lowest level of each skill that it ever needs; of the language that is chosen under no name.
    pub(crate) fn least(&self) -> BTreeMap<Option<SkillId>, u8> {
        let mut least: BTreeMap<Option<SkillId>, u8> =
            self.needs.iter().map(|(skill, &level)| (Some(skill.clone()), level)).collect();
        least.insert(None, self.language);
        for less in &self.relax {
            least.extend(less.needs.iter().map(|(skill, &level)| (Some(skill.clone()), level)));
            least.extend(less.language.map(|level| (None, level)));
        }
        least.retain(|_, level| *level > 0);
        least
    }
}

impl Queue {
    /// For the call at `cursor`.
    pub(crate) fn wants(&self, callers: &Callers, cursor: &Cursor, now: Timestamp) -> Wants {
        let Asked { needs, wishes, language, relax, urgent, .. } = &self.asked;
        let head_start = self.asked.head_start_of(callers, &cursor.caller, now);
        let acquainted = self.asked.acquainted_with(&cursor.caller, now);
        let spoken = cursor.language.as_deref().map(SkillId::new);
        let mut needs = needs.clone();
        set(&mut needs, spoken.as_ref(), *language);
        let mut now = needs.clone();
        let relax = relax.iter().map(|less| {
            less.needs.iter().for_each(|(skill, &level)| set(&mut now, Some(skill), level));
            if let Some(level) = less.language {
                set(&mut now, spoken.as_ref(), level);
            }
            Relaxed { after: less.after, needs: now.clone() }
        });
        let relax = relax.collect();
        Wants { needs, wishes: wishes.clone(), relax, urgent: *urgent, head_start, acquainted }
    }
}

fn set(needs: &mut Skills, skill: Option<&SkillId>, level: u8) {
    match (skill, level) {
        (None, _) => {}
        (Some(skill), 0) => _ = needs.remove(skill),
        (Some(skill), level) => _ = needs.insert(skill.clone(), level),
    }
}

/// `{ yi = 5, labour = 3 }`.
fn read_skills(
    section: &Section<'_>,
    key: &str,
    known: &BTreeSet<String>,
    levels: RangeInclusive<u8>,
) -> Skills {
    let Some(table) = section.opt_table(key) else { return Skills::new() };
    let mut skills = Skills::new();
    for name in table.keys() {
        if !known.contains(name.value) {
            let remedy = did_you_mean(name.value, known.iter().map(String::as_str));
            table.problem(name.value, format!("there is no skill \"{}\"", name.value), remedy);
        }
        skills.insert(SkillId::new(name.value), table.int(name.value, levels.clone()));
    }
    table.finish();
    skills
}

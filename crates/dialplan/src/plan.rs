//! The words of a dialplan: what the one who runs calls sees of it.

use crate::announce;
use crate::calendar::Calendars;
use crate::callers::{Caller, Callers, History};
use crate::check;
use crate::context::Context;
use crate::doc::Doc;
use crate::hours::Hours;
use crate::prefix::{PrefixTable, unpack};
use crate::problem::{Checked, Problem};
use crate::read;
use crate::target::Target;
use crate::wants::{Asked, Wants};
use domain::{
    CountyId, Departure, Matching, OverflowReason, PlanVersion, PoolId, RegionId, SkillId, TargetId,
};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// The checked dialplan of one region. It never changes; a new one takes its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dialplan {
    pub(crate) version: PlanVersion,
    pub(crate) region: RegionId,
    pub(crate) name: Name,
    pub(crate) area_code: String,
    /// Where calls that have no county's pool are at home.
    pub(crate) city_pool: PoolId,
    pub(crate) pools: BTreeMap<PoolId, Pool>,
    pub(crate) hours: BTreeMap<PoolId, Hours>,
    pub(crate) counties: BTreeMap<CountyId, County>,
    /// Normalised dialled numbers; a county's direct number says whose call it is.
    pub(crate) numbers: BTreeMap<String, Option<CountyId>>,
    /// Prefixes of normalised callers' numbers; the longest decides.
    pub(crate) prefixes: PrefixTable,
    /// Area codes of which calls of otherwise unknown county are a county's, such as a province's cities.
    pub(crate) area_codes: BTreeMap<String, CountyId>,
    /// Languages that a menu offers beside Mandarin.
    pub(crate) languages: BTreeMap<String, Language>,
    /// What queues may ask for besides languages.
    pub(crate) skills: BTreeMap<SkillId, Name>,
    /// Whom calls can be passed on to.
    pub(crate) targets: BTreeMap<TargetId, Target>,
    /// Where the trunk of each is named in the file.
    pub(crate) trunk_lines: BTreeMap<TargetId, usize>,
    /// All that were there when it was read: the region's roster counts by them too.
    pub(crate) calendars: Calendars,
    pub(crate) callers: Callers,
    pub(crate) start: String,
    pub(crate) steps: BTreeMap<String, Node>,
}

/// A language that a caller can choose.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Language {
    pub name: Name,
    /// Recordings in this language by the names of those in Mandarin. The others are heard in Mandarin.
    pub prompts: BTreeMap<String, String>,
}

/// A name for people, in both languages of the consoles.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Name {
    pub zh: String,
    pub en: String,
}

/// How the time after a call ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WrapUpRule {
    /// When it is over.
    Fixed,
    /// Likewise, and the lawyer may ask for more.
    Extendable,
    /// When the form is saved.
    UntilSaved,
}

/// A group of lawyers that a call can wait for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pool {
    pub name: Name,
    pub matching: Matching,
    /// The county whose pool this is; none for the city's.
    pub county: Option<CountyId>,
    /// How long one lawyer's phone rings before the next one's does.
    pub ring_timeout: Duration,
    /// What a lawyer gets, or usually takes, after a call to write it up.
    pub wrap_up: Duration,
    pub wrap_up_rule: WrapUpRule,
    /// The most that it may take in all, unless the rule is fixed. Not less than `wrap_up`.
    pub wrap_up_max: Duration,
    /// Unanswered offers in a row after which a lawyer is paused.
    pub miss_limit: u32,
    /// How long that pause lasts; none: until the lawyer ends it.
    pub miss_pause: Option<Duration>,
    /// Calls that may wait here at once; further ones overflow.
    pub max_waiting: usize,
    /// A call for which nobody is free overflows at once.
    pub refuse_unless_ready: bool,
    /// Calls overflow at once while the first in line has waited for longer than this.
    pub refuse_longest_wait: Option<Duration>,
    /// No call is let in that would wait for longer than this, as far as can be told.
    pub refuse_estimated_wait: Option<Duration>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct County {
    pub name: Name,
    pub pool: PoolId,
    /// The county that takes this one's overflow (结对).
    pub paired: Option<CountyId>,
    /// In the dialplan of a province: the city that this county belongs to, which is itself a county here.
    pub city: Option<CountyId>,
}

/// What is to be done with the call now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "step")]
pub enum Step {
    /// Play `prompts` one after the other, then [`Outcome::Played`]. `name` is the step's name in the file.
    Play {
        name: String,
        prompts: Vec<String>,
        /// This tells that the call is recorded: recording may start after it.
        is_notice: bool,
    },
    /// Play `prompts` and wait for one of `keys`: [`Outcome::Digit`] or, `timeout` after the prompts'
    /// end, [`Outcome::TimedOut`]. A key may come while the prompts play. Another key counts as silence.
    Menu { prompts: Vec<String>, timeout: Duration, keys: BTreeSet<char> },
    /// Wait for a lawyer of the stages' pools, with `prompts` said once and then `music` without end.
    /// If no stage yields one: [`Outcome::Exhausted`]. There is at least one stage. With one of `keys` the caller
    /// leaves the queue, but not the line if a [`Step::Callback`] follows: [`Outcome::Digit`].
    Queue {
        stages: Vec<Stage>,
        wants: Wants,
        prompts: Vec<String>,
        music: String,
        announce: Option<Announce>,
        keys: BTreeSet<char>,
    },
    /// Play `prompts`, then [`Outcome::Played`]; the caller may hang up, and is called back from the queue's place in
    /// the line, if a lawyer is found `within` this time.
    Callback { prompts: Vec<String>, within: Duration },
    /// Ask how satisfied the caller is: play `prompts` and wait for a key of [`domain::Satisfaction`], `timeout` after
    /// the prompts' end at most. A key may come while the prompts play. Whatever it is, [`Outcome::Played`].
    Survey { prompts: Vec<String>, timeout: Duration },
    /// Play `prompts`, then dial the numbers of the target one after the other while `music` is heard. Who answers
    /// talks with the caller, and the walk ends here; nobody, or no way there: [`Outcome::NotReached`].
    Transfer { to: TargetId, target: Target, prompts: Vec<String>, music: String },
    /// Play `prompts`, then record until the caller hangs up, presses # or `max` is reached; then
    /// [`Outcome::MessageLeft`], or [`Outcome::TimedOut`] if nothing was said.
    Voicemail { pool: PoolId, prompts: Vec<String>, max: Duration },
    /// Play `prompts`, then hang up. The walk ends here.
    HangUp { prompts: Vec<String>, departure: Departure },
}

impl Step {
    /// What call records call this step.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Play { is_notice: true, .. } => "notice",
            Self::Play { is_notice: false, .. } => "play",
            Self::Menu { .. } => "menu",
            Self::Queue { .. } => "queue",
            Self::Callback { .. } => "callback",
            Self::Survey { .. } => "survey",
            Self::Transfer { .. } => "transfer",
            Self::Voicemail { .. } => "voicemail",
            Self::HangUp { .. } => "hangup",
        }
    }
}

/// When a caller who waits is told the position and the wait: after `first`, then every so often.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Announce {
    pub first: Duration,
    pub every: Duration,
}

/// A pool, and how long to wait before the next one is asked too.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stage {
    pub pool: PoolId,
    pub patience: Duration,
}

/// How a step ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    Played,
    Digit(char),
    TimedOut,
    Exhausted(OverflowReason),
    MessageLeft,
    NotReached,
}

/// Where a call stands in its dialplan: plain data, which outlives a restart.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cursor {
    pub(crate) step: String,
    pub(crate) county: Option<CountyId>,
    /// The language chosen, by its name in the dialplan; none: Mandarin.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) language: Option<String>,
    #[serde(default)]
    pub(crate) caller: Caller,
    /// The last queue.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) queue: Option<String>,
    /// The step for when the talk is over and the caller still there, as the last queue has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) answered: Option<String>,
    /// How long a lawyer has talked with the caller.
    #[serde(default)]
    pub(crate) talked: Duration,
    /// What a hang-up now would be called.
    pub(crate) ending: Departure,
}

impl Cursor {
    /// Whose call it is; a menu can settle this later than [`Dialplan::begin`].
    #[must_use]
    pub fn county(&self) -> Option<&CountyId> {
        self.county.as_ref()
    }

    /// Takes over what the records tell of the caller; steps that come later know it.
    pub fn set_history(&mut self, history: History) {
        self.caller.history = Some(history);
    }

    /// The language that the caller chose in a menu; none: Mandarin.
    #[must_use]
    pub fn language(&self) -> Option<&str> {
        self.language.as_deref()
    }

    /// What a hang-up now would be called.
    #[must_use]
    pub const fn ending(&self) -> Departure {
        self.ending
    }
}

/// A call's entry into the dialplan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Begun {
    pub cursor: Cursor,
    /// Whose call it is, if the dialled number or the caller's prefix tells.
    pub county: Option<CountyId>,
    pub step: Step,
}

impl Dialplan {
    /// Reads and checks `text` and the table that it names. `file` is its name in problems.
    ///
    /// # Errors
    /// Every problem found, warnings too, in the order of the file; there is at least one error among them.
    pub fn parse(file: &str, text: &str, context: &Context<'_>) -> Result<Checked<Self>, Vec<Problem>> {
        let doc = Doc::parse(file, text)?;
        let draft = read::read(&doc, file, text, context);
        check::check(&doc, &draft);
        doc.done(draft.into_plan())
    }

    /// The same dialplan with every pool open around the clock: for a demonstration, which must live at
    /// night too, and for tests against real servers, which cannot choose their time of day.
    #[must_use]
    pub fn always_open(mut self) -> Self {
        for hours in self.hours.values_mut() {
            *hours = Hours::always();
        }
        self.version = PlanVersion::new(&format!("{}-always-open", self.version));
        self
    }

    /// Another file, table or calendar makes another version; so the same version is the same dialplan.
    #[must_use]
    pub fn version(&self) -> &PlanVersion {
        &self.version
    }

    #[must_use]
    pub fn region(&self) -> &RegionId {
        &self.region
    }

    #[must_use]
    pub fn region_name(&self) -> &Name {
        &self.name
    }

    /// With its leading zero: `0577`.
    #[must_use]
    pub fn area_code(&self) -> &str {
        &self.area_code
    }

    #[must_use]
    pub fn pools(&self) -> &BTreeMap<PoolId, Pool> {
        &self.pools
    }

    #[must_use]
    pub fn counties(&self) -> &BTreeMap<CountyId, County> {
        &self.counties
    }

    /// Dialled numbers, normalised; a county's direct number says whose call it is.
    #[must_use]
    pub fn numbers(&self) -> &BTreeMap<String, Option<CountyId>> {
        &self.numbers
    }

    /// Prefixes of normalised callers' numbers; the longest decides.
    pub fn caller_prefixes(&self) -> impl Iterator<Item = (String, &CountyId)> {
        self.prefixes.iter().map(|found| (unpack(found.key), found.county))
    }

    /// Whether this dialled number, normalised, is one of ours.
    #[must_use]
    pub fn serves(&self, called: &str) -> bool {
        self.numbers.contains_key(called)
    }

    /// Every recording that a call can hear, music included.
    #[must_use]
    pub fn prompts_used(&self) -> BTreeSet<String> {
        let mut mandarin: BTreeSet<String> = self.steps.values().flat_map(Node::sounds).cloned().collect();
        let announces = |node: &Node| matches!(node, Node::Queue(queue) if queue.announce.is_some());
        if self.steps.values().any(announces) {
            mandarin.extend(announce::RECORDINGS.map(str::to_owned));
        }
        let others = self.languages.values().flat_map(|language| &language.prompts);
        let others: Vec<_> = others.filter(|(name, _)| mandarin.contains(*name)).collect();
        others.into_iter().map(|(_, own)| own.clone()).chain(mandarin.iter().cloned()).collect()
    }

    #[must_use]
    pub fn languages(&self) -> &BTreeMap<String, Language> {
        &self.languages
    }

    /// Whom calls can be passed on to.
    #[must_use]
    pub fn targets(&self) -> &BTreeMap<TargetId, Target> {
        &self.targets
    }

    /// The line of the file that names this target's trunk.
    #[must_use]
    pub fn trunk_line(&self, target: &TargetId) -> usize {
        self.trunk_lines.get(target).copied().unwrap_or(1)
    }

    /// Everything that a lawyer can be said to know, languages included.
    #[must_use]
    pub fn skills(&self) -> BTreeMap<SkillId, &Name> {
        let languages = self.languages.iter().map(|(id, language)| (SkillId::new(id), &language.name));
        self.skills.iter().map(|(id, name)| (id.clone(), name)).chain(languages).collect()
    }

    /// Whether this caller, normalised, may have a history that some queue goes by.
    #[must_use]
    pub fn asks_for_history(&self, caller: &str) -> bool {
        let is_one_person = !caller.is_empty() && !self.callers.is_12345(caller);
        is_one_person
            && self
                .steps
                .values()
                .any(|node| matches!(node, Node::Queue(queue) if queue.asked.asks_for_history()))
    }

    /// What some queue insists on to the end, and no lawyer can do without: the levels by skill.
    #[must_use]
    pub fn needs(&self) -> BTreeSet<(SkillId, u8)> {
        let queues = self.steps.values().filter_map(|node| match node {
            Node::Queue(queue) => Some(queue.asked.least()),
            _ => None,
        });
        let mut needs = BTreeSet::new();
        for (skill, level) in queues.flatten() {
            match skill {
                Some(skill) => _ = needs.insert((skill, level)),
                None => needs.extend(self.languages.keys().map(|language| (SkillId::new(language), level))),
            }
        }
        needs
    }
}

/// A step as the file has it: with names of pools that depend on the call, and with ways onward.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Node {
    Play {
        prompts: Vec<String>,
        is_notice: bool,
        then: String,
    },
    Menu(Menu),
    /// Asks whether `pool` is open now.
    Hours {
        pool: PoolRef,
        open: String,
        closed: String,
    },
    Queue(Box<Queue>),
    Callback {
        prompts: Vec<String>,
        within: Duration,
        then: String,
    },
    Survey {
        prompts: Vec<String>,
        timeout: Duration,
        /// Who has talked for less is not asked.
        min_talk: Duration,
        then: String,
    },
    Transfer {
        to: TargetId,
        prompts: Vec<String>,
        music: String,
        failed: String,
    },
    Voicemail {
        pool: PoolRef,
        prompts: Vec<String>,
        max: Duration,
        then: Option<String>,
    },
    HangUp {
        prompts: Vec<String>,
    },
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Menu {
    pub(crate) prompts: Vec<String>,
    pub(crate) timeout: Duration,
    /// Left out for calls whose county is known already.
    pub(crate) only_unattributed: bool,
    pub(crate) counties: BTreeMap<char, CountyId>,
    pub(crate) steps: BTreeMap<char, String>,
    pub(crate) languages: BTreeMap<char, String>,
    /// Where silence, an unknown key, a chosen county and a chosen language lead.
    pub(crate) then: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Queue {
    pub(crate) stages: Vec<(PoolRef, Duration)>,
    pub(crate) asked: Asked,
    pub(crate) prompts: Vec<String>,
    pub(crate) music: String,
    pub(crate) announce: Option<Announce>,
    /// Said after each announcement, such as the keys.
    pub(crate) then: Vec<String>,
    /// Where keys lead while the caller waits.
    pub(crate) keys: BTreeMap<char, String>,
    /// Where a call goes that no stage found a lawyer for.
    pub(crate) exhausted: String,
    /// Where a call goes when all its pools are closed; by default as `exhausted`.
    pub(crate) closed: Option<String>,
    /// Where a caller goes whose lawyer has hung up; by default the call ends with the talk.
    pub(crate) answered: Option<String>,
}

/// A pool by its name, or by the call's county.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum PoolRef {
    County,
    Paired,
    /// Of the county's city, or else the region's city pool.
    City,
    Named(PoolId),
}

/// What leads from a step to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    Then,
    Key(char),
    NoKey,
    Open,
    Closed,
    Exhausted,
    Answered,
    Failed,
}

impl Node {
    /// The names of the steps that can follow.
    pub(crate) fn targets(&self) -> Vec<&str> {
        self.ways().into_iter().map(|(_, target)| target).collect()
    }

    /// The steps that can follow, each with what leads there.
    pub(crate) fn ways(&self) -> Vec<(Way, &str)> {
        match self {
            Self::Play { then, .. } => vec![(Way::Then, then)],
            Self::Menu(menu) => {
                let told = menu.counties.keys().chain(menu.languages.keys());
                let told = told.map(|key| (Way::Key(*key), menu.then.as_str()));
                let chosen = menu.steps.iter().map(|(key, step)| (Way::Key(*key), step.as_str()));
                std::iter::once((Way::NoKey, menu.then.as_str())).chain(told).chain(chosen).collect()
            }
            Self::Hours { open, closed, .. } => vec![(Way::Open, open), (Way::Closed, closed)],
            Self::Queue(queue) => {
                let closed = queue.closed.as_deref().map(|closed| (Way::Closed, closed));
                let keys = queue.keys.iter().map(|(key, step)| (Way::Key(*key), step.as_str()));
                let answered = queue.answered.as_deref().map(|answered| (Way::Answered, answered));
                let ended = std::iter::once((Way::Exhausted, queue.exhausted.as_str()));
                ended.chain(closed).chain(keys).chain(answered).collect()
            }
            Self::Callback { then, .. } | Self::Survey { then, .. } => vec![(Way::Then, then)],
            Self::Transfer { failed, .. } => vec![(Way::Failed, failed)],
            Self::Voicemail { then, .. } => then.iter().map(|then| (Way::Then, then.as_str())).collect(),
            Self::HangUp { .. } => Vec::new(),
        }
    }

    /// The pools it speaks of.
    pub(crate) fn pools(&self) -> Vec<&PoolRef> {
        match self {
            Self::Hours { pool, .. } | Self::Voicemail { pool, .. } => vec![pool],
            Self::Queue(queue) => queue.stages.iter().map(|(pool, _)| pool).collect(),
            Self::Play { .. }
            | Self::Menu(_)
            | Self::Callback { .. }
            | Self::Survey { .. }
            | Self::Transfer { .. }
            | Self::HangUp { .. } => Vec::new(),
        }
    }

    /// Recordings by name; of announcements see `announce.rs`.
    fn sounds(&self) -> Vec<&String> {
        match self {
            Self::Play { prompts, .. }
            | Self::Callback { prompts, .. }
            | Self::Survey { prompts, .. }
            | Self::Voicemail { prompts, .. }
            | Self::HangUp { prompts } => prompts.iter().collect(),
            Self::Menu(menu) => menu.prompts.iter().collect(),
            Self::Queue(queue) => queue.prompts.iter().chain([&queue.music]).chain(&queue.then).collect(),
            Self::Transfer { prompts, music, .. } => prompts.iter().chain([music]).collect(),
            Self::Hours { .. } => Vec::new(),
        }
    }
}

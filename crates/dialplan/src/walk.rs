//! One call's way through its dialplan.

use crate::plan::{Begun, Cursor, Dialplan, Menu, Node, Outcome, PoolRef, Queue, Stage, Step};
use crate::prefix::Found;
use crate::when::When;
use domain::{CountyId, Departure, OverflowReason, PoolId, TrunkId};
use std::time::Duration;

/// What decided where a call went; see `explain`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Note<'w> {
    MenuSpared {
        step: &'w str,
    },
    HoursAsked {
        step: &'w str,
        pool: &'w PoolId,
        is_open: bool,
        /// A supervisor said so, not the hours.
        by_hand: bool,
    },
    /// The call has no such pool.
    PoolUnknown {
        step: &'w str,
        pool: &'w PoolRef,
    },
    PoolClosed {
        step: &'w str,
        pool: &'w PoolId,
        by_hand: bool,
    },
    PoolTwice {
        step: &'w str,
        pool: &'w PoolId,
    },
    NoPool {
        step: &'w str,
        ending: Departure,
    },
    /// The caller is of a kind that has a head start.
    Favoured {
        step: &'w str,
        kind: &'static str,
        head_start: Duration,
    },
    /// What will depend on the records.
    RepeatAsked {
        step: &'w str,
        calls: u32,
        within: Duration,
        head_start: Duration,
    },
    AcquaintedAsked {
        step: &'w str,
        within: Duration,
        wait: Duration,
    },
}

/// How a call's county was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Attribution<'p> {
    /// A number of the county's own was dialled.
    Number(&'p CountyId),
    Prefix(Found<'p>),
    /// The hotline of an area was dialled, and that area is this county's.
    Area(&'p str, &'p CountyId),
    Unknown,
}

pub(crate) type Noting<'n> = dyn FnMut(Note<'_>) + 'n;

impl Dialplan {
    /// The first step of a call that came over no trunk, see [`Self::begin_over`].
    #[must_use]
    pub fn begin<'o>(&self, caller: &str, called: &str, when: impl Into<When<'o>>) -> Begun {
        self.begin_over(None, caller, called, when)
    }

    /// The first step of a call. `caller` and `called` are normalised (`number::normalise`); a caller
    /// without a number is `""`. `called` is one that this dialplan [serves](Self::serves).
    #[must_use]
    pub fn begin_over<'o>(
        &self,
        trunk: Option<&TrunkId>,
        caller: &str,
        called: &str,
        when: impl Into<When<'o>>,
    ) -> Begun {
        self.begin_noting(trunk, caller, called, when.into(), &mut |_| {})
    }

    pub(crate) fn begin_noting(
        &self,
        trunk: Option<&TrunkId>,
        caller: &str,
        called: &str,
        when: When<'_>,
        note: &mut Noting<'_>,
    ) -> Begun {
        let county = self.attribute(caller, called).cloned();
        let mut cursor = Cursor {
            step: self.start.clone(),
            county: county.clone(),
            language: None,
            caller: self.callers.who(caller, trunk),
            queue: None,
            answered: None,
            talked: Duration::ZERO,
            ending: Departure::Closed,
        };
        let step = self.arrive(&mut cursor, when, note);
        Begun { cursor, county, step }
    }

    /// The step after the one at `cursor`, which ended with `outcome`. An outcome that does not fit the
    /// step counts as the step's plain end; after [`Step::HangUp`] comes the same again. A cursor from an
    /// older dialplan whose step is gone leads to `HangUp` with [`Departure::Failed`].
    pub fn next<'o>(&self, cursor: &mut Cursor, when: impl Into<When<'o>>, outcome: Outcome) -> Step {
        self.next_noting(cursor, when.into(), outcome, &mut |_| {})
    }

    pub(crate) fn next_noting(
        &self,
        cursor: &mut Cursor,
        when: When<'_>,
        outcome: Outcome,
        note: &mut Noting<'_>,
    ) -> Step {
        let Some(node) = self.steps.get(&cursor.step) else { return failed() };
        let target = match node {
            Node::Play { then, .. } => Some(then),
            Node::Menu(menu) => Some(choose(menu, cursor, outcome)),
            Node::Hours { open, .. } => Some(open),
            Node::Queue(queue) => {
                cursor.ending = ending_of(outcome);
                match outcome {
                    Outcome::Digit(key) => Some(queue.keys.get(&key).unwrap_or(&queue.exhausted)),
                    _ => Some(&queue.exhausted),
                }
            }
            Node::Callback { then, .. } => Some(then),
            Node::Survey { then, .. } => {
                // Nobody is asked twice.
                cursor.talked = Duration::ZERO;
                Some(then)
            }
            Node::Transfer { failed, .. } => Some(failed),
            Node::Voicemail { then, .. } => {
                if outcome == Outcome::MessageLeft {
                    cursor.ending = Departure::Voicemail;
                }
                match then {
                    Some(then) => Some(then),
                    None => return Step::HangUp { prompts: Vec::new(), departure: cursor.ending },
                }
            }
            Node::HangUp { .. } => None,
        };
        if let Some(target) = target {
            cursor.step.clone_from(target);
        }
        self.arrive(cursor, when, note)
    }

    /// The step for a caller who stays on the line after a talk of that length, which the lawyer has ended; `None` if
    /// the call ends with the talk. However it goes on, it was answered.
    pub fn after_talk<'o>(
        &self,
        cursor: &mut Cursor,
        when: impl Into<When<'o>>,
        talked: Duration,
    ) -> Option<Step> {
        cursor.step = cursor.answered.take()?;
        cursor.talked = talked;
        cursor.ending = Departure::Answered;
        Some(self.arrive(cursor, when.into(), &mut |_| {}))
    }

    /// The last queue again, for a caller whom the lawyer has left: with a pool, in that one only and whatever its
    /// hours, for as long as in the queue's first.
    pub fn wait_again<'o>(
        &self,
        cursor: &mut Cursor,
        when: impl Into<When<'o>>,
        pool: Option<&PoolId>,
    ) -> Step {
        let Some(step) = cursor.queue.clone() else { return failed() };
        cursor.step = step;
        let when = when.into();
        match (pool, self.steps.get(&cursor.step)) {
            (Some(pool), Some(Node::Queue(queue))) => {
                let patience = queue.stages.first().map(|(_, patience)| *patience).unwrap_or_default();
                self.wait(queue, cursor, when, vec![Stage { pool: pool.clone(), patience }])
            }
            _ => self.arrive(cursor, when, &mut |_| {}),
        }
    }

    /// Whose call it is, if anything tells. Numbers are normalised.
    #[must_use]
    pub fn attribute(&self, caller: &str, called: &str) -> Option<&CountyId> {
        match self.attribution(caller, called) {
            Attribution::Number(county) | Attribution::Area(_, county) => Some(county),
            Attribution::Prefix(found) => Some(found.county),
            Attribution::Unknown => None,
        }
    }

    /// A county's own number decides before the caller's prefix, and that before the area code of the number
    /// that was dialled.
    pub(crate) fn attribution(&self, caller: &str, called: &str) -> Attribution<'_> {
        if let Some(Some(county)) = self.numbers.get(called) {
            return Attribution::Number(county);
        }
        if let Some(found) = self.prefixes.find(caller) {
            return Attribution::Prefix(found);
        }
        let dialled = self.area_codes.iter().find(|(code, _)| called.starts_with(code.as_str()));
        dialled.map_or(Attribution::Unknown, |(code, county)| Attribution::Area(code, county))
    }

    /// Goes on from the cursor's step to the first one at which something is to be done. It ends, for
    /// `check` lets no loop of steps pass.
    fn arrive(&self, cursor: &mut Cursor, when: When<'_>, note: &mut Noting<'_>) -> Step {
        loop {
            let Some(node) = self.steps.get(&cursor.step) else { return failed() };
            let onward = match node {
                Node::Play { prompts, is_notice, .. } => {
                    let (name, prompts) = (cursor.step.clone(), self.spoken(prompts, cursor));
                    return Step::Play { name, prompts, is_notice: *is_notice };
                }
                Node::Menu(menu) if menu.only_unattributed && cursor.county.is_some() => {
                    note(Note::MenuSpared { step: &cursor.step });
                    &menu.then
                }
                Node::Menu(menu) => {
                    let keys = menu.counties.keys().chain(menu.steps.keys()).chain(menu.languages.keys());
                    let (prompts, keys) = (self.spoken(&menu.prompts, cursor), keys.copied().collect());
                    return Step::Menu { prompts, timeout: menu.timeout, keys };
                }
                Node::Hours { pool, open, closed } => {
                    let pool = self.home(pool, cursor.county.as_ref());
                    let is_open = self.is_open(&pool, when);
                    let by_hand = when.by_hand(&pool).is_some();
                    note(Note::HoursAsked { step: &cursor.step, pool: &pool, is_open, by_hand });
                    if is_open { open } else { closed }
                }
                Node::Queue(queue) => match self.stages(queue, cursor, when, note) {
                    Ok(stages) => {
                        queue.asked.note_callers(&self.callers, cursor, note);
                        return self.wait(queue, cursor, when, stages);
                    }
                    Err(ending) => {
                        note(Note::NoPool { step: &cursor.step, ending });
                        cursor.ending = ending;
                        let closed = queue.closed.as_ref().filter(|_| ending == Departure::Closed);
                        closed.unwrap_or(&queue.exhausted)
                    }
                },
                Node::Callback { prompts, within, .. } => {
                    return Step::Callback { prompts: self.spoken(prompts, cursor), within: *within };
                }
                Node::Survey { min_talk, then, .. } if cursor.talked < *min_talk => then,
                Node::Survey { prompts, timeout, .. } => {
                    return Step::Survey { prompts: self.spoken(prompts, cursor), timeout: *timeout };
                }
                Node::Transfer { to, prompts, music, failed } => match self.targets.get(to).cloned() {
                    Some(target) => {
                        let (to, prompts) = (to.clone(), self.spoken(prompts, cursor));
                        return Step::Transfer { to, target, prompts, music: music.clone() };
                    }
                    None => failed,
                },
                Node::Voicemail { pool, prompts, max, .. } => {
                    let pool = self.home(pool, cursor.county.as_ref());
                    let prompts = self.spoken(prompts, cursor);
                    return Step::Voicemail { pool, prompts, max: *max };
                }
                Node::HangUp { prompts } => {
                    let prompts = self.spoken(prompts, cursor);
                    return Step::HangUp { prompts, departure: cursor.ending };
                }
            };
            cursor.step.clone_from(onward);
        }
    }

    fn wait(&self, queue: &Queue, cursor: &mut Cursor, when: When<'_>, stages: Vec<Stage>) -> Step {
        cursor.queue = Some(cursor.step.clone());
        cursor.answered.clone_from(&queue.answered);
        Step::Queue {
            stages,
            wants: queue.wants(&self.callers, cursor, when.now),
            prompts: self.spoken(&queue.prompts, cursor),
            music: queue.music.clone(),
            announce: queue.announce,
            keys: queue.keys.keys().copied().collect(),
        }
    }

    /// The recordings in the call's language, as far as there are any.
    pub(crate) fn spoken(&self, prompts: &[String], cursor: &Cursor) -> Vec<String> {
        let language = cursor.language.as_ref().and_then(|language| self.languages.get(language));
        let own = |prompt: &String| language.and_then(|language| language.prompts.get(prompt)).cloned();
        prompts.iter().map(|prompt| own(prompt).unwrap_or_else(|| prompt.clone())).collect()
    }

    /// The stages of a queue for this call: without pools that are closed, each pool once. If none is
    /// left, why.
    fn stages(
        &self,
        queue: &Queue,
        cursor: &Cursor,
        when: When<'_>,
        note: &mut Noting<'_>,
    ) -> Result<Vec<Stage>, Departure> {
        let (county, step) = (cursor.county.as_ref(), cursor.step.as_str());
        let mut stages: Vec<Stage> = Vec::new();
        let mut why = Departure::NobodyOnDuty;
        for (meant, patience) in &queue.stages {
            let Some(pool) = self.pool_of(meant, county) else {
                note(Note::PoolUnknown { step, pool: meant });
                continue;
            };
            if !self.is_open(&pool, when) {
                note(Note::PoolClosed { step, pool: &pool, by_hand: when.by_hand(&pool).is_some() });
                why = Departure::Closed;
            } else if stages.iter().any(|stage| stage.pool == pool) {
                note(Note::PoolTwice { step, pool: &pool });
            } else {
                stages.push(Stage { pool, patience: *patience });
            }
        }
        if stages.is_empty() { Err(why) } else { Ok(stages) }
    }

    /// The pool meant, if the call has one such.
    fn pool_of(&self, pool: &PoolRef, county: Option<&CountyId>) -> Option<PoolId> {
        let own = county.and_then(|county| self.counties.get(county));
        match pool {
            PoolRef::Named(pool) => Some(pool.clone()),
            PoolRef::County => own.map(|county| county.pool.clone()),
            PoolRef::Paired => {
                let paired = own?.paired.as_ref().and_then(|paired| self.counties.get(paired));
                paired.map(|county| county.pool.clone())
            }
            PoolRef::City => {
                let city = own.and_then(|county| self.counties.get(county.city.as_ref()?));
                Some(city.map_or_else(|| self.city_pool.clone(), |city| city.pool.clone()))
            }
        }
    }

    /// The pool meant, or the city's.
    fn home(&self, pool: &PoolRef, county: Option<&CountyId>) -> PoolId {
        self.pool_of(pool, county).unwrap_or_else(|| self.city_pool.clone())
    }

    fn is_open(&self, pool: &PoolId, when: When<'_>) -> bool {
        let by_hours = || self.hours.get(pool).is_some_and(|hours| hours.is_open(when.now));
        when.by_hand(pool).unwrap_or_else(by_hours)
    }
}

/// Where a menu leads; a key that stands for a county makes the call that county's, and so with a language.
fn choose<'m>(menu: &'m Menu, cursor: &mut Cursor, outcome: Outcome) -> &'m String {
    let digit = match outcome {
        Outcome::Digit(digit) => digit,
        Outcome::Played
        | Outcome::TimedOut
        | Outcome::Exhausted(_)
        | Outcome::MessageLeft
        | Outcome::NotReached => return &menu.then,
    };
    if let Some(county) = menu.counties.get(&digit) {
        cursor.county = Some(county.clone());
    }
    if let Some(language) = menu.languages.get(&digit) {
        cursor.language = Some(language.clone());
    }
    menu.steps.get(&digit).unwrap_or(&menu.then)
}

/// What a call is that leaves a queue without having spoken to anybody.
fn ending_of(outcome: Outcome) -> Departure {
    match outcome {
        Outcome::Exhausted(OverflowReason::PatienceExpired) => Departure::PatienceExpired,
        Outcome::Digit(_) => Departure::AbandonedQueue,
        Outcome::Exhausted(
            OverflowReason::PoolFull
            | OverflowReason::NobodyReady
            | OverflowReason::LongestWait
            | OverflowReason::EstimatedWait,
        ) => Departure::Overload,
        Outcome::Exhausted(OverflowReason::NobodyOnDuty)
        | Outcome::Played
        | Outcome::TimedOut
        | Outcome::MessageLeft
        | Outcome::NotReached => Departure::NobodyOnDuty,
    }
}

fn failed() -> Step {
    Step::HangUp { prompts: Vec::new(), departure: Departure::Failed }
}

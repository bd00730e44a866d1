//! One pool: who waits, who is free, who is on duty, and which of the free agents a call gets.

use crate::agent::Place;
use crate::call::CallKey;
use crate::fit::{Class, Fits, NeedIx};
use crate::message::{Matching, Pool, RINGING_MAX};
use domain::{AgentId, PoolId, Timestamp};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::ops::Bound;

/// A pool that was ever configured. It keeps its number when it goes and comes back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct PoolIx(pub(crate) u32);

#[derive(Clone, Debug)]
pub(crate) struct PoolState {
    pub(crate) index: PoolIx,
    pub(crate) id: PoolId,
    /// None while it is not configured: then nobody is in it.
    pub(crate) config: Option<Pool>,
    /// Calls that nobody is being rung for, by need.
    pub(crate) waiting: Vec<Line>,
    pub(crate) waiting_count: usize,
    /// Agents who can be rung now, in the order in which they are.
    pub(crate) ready: BTreeMap<Class, BTreeSet<ReadyKey>>,
    pub(crate) ready_count: usize,
    /// How many are free now or will be.
    pub(crate) on_duty: BTreeMap<Class, usize>,
    pub(crate) last_rung: Option<AgentId>,
    /// The mean of how long calls have kept agents, the latest counting most.
    pub(crate) handling_ms: u64,
}

/// Calls of one need, in the order in which they are served. Never empty.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    pub(crate) need: NeedIx,
    /// Sorted. Who comes joins at the end and who is served leaves at the front, both at once; a place is found by
    /// halving, which no tree of the library does.
    pub(crate) keys: VecDeque<CallKey>,
}

impl Line {
    fn first(&self) -> Option<CallKey> {
        self.keys.front().copied()
    }
}

/// The place of a free agent: who is smallest is rung first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct ReadyKey {
    tier: u8,
    /// As the pool's matching has it.
    rank: u32,
    idle_since: Timestamp,
    pub(crate) agent: AgentId,
}

/// An agent who is free, as far as all pools agree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Free {
    pub(crate) agent: AgentId,
    pub(crate) idle_since: Timestamp,
    pub(crate) calls_today: u32,
}

impl PoolState {
    pub(crate) fn new(index: PoolIx, id: PoolId) -> Self {
        Self {
            index,
            id,
            config: None,
            waiting: Vec::new(),
            waiting_count: 0,
            ready: BTreeMap::new(),
            ready_count: 0,
            on_duty: BTreeMap::new(),
            last_rung: None,
            handling_ms: 0,
        }
    }

    /// What calls have shown is kept.
    pub(crate) fn configure(&mut self, config: Pool) {
        if self.handling_ms == 0 {
            self.handling_ms = u64::try_from(config.handling.as_millis()).unwrap_or(u64::MAX);
        }
        self.config = Some(config);
    }

    /// A pool whose free agents have as much to do as they can is full at `max_waiting`.
    pub(crate) fn is_full(&self) -> bool {
        let max = self.config.as_ref().map_or(0, |pool| pool.max_waiting);
        self.waiting_count >= max.saturating_add(self.ready_count)
    }

    /// Whether somebody on duty could serve such calls.
    pub(crate) fn staffs(&self, fits: &Fits, need: NeedIx) -> bool {
        self.on_duty.keys().any(|&class| fits.lacking(class, need).is_some())
    }

    /// How many on duty could serve such calls.
    pub(crate) fn staff(&self, fits: &Fits, need: NeedIx) -> usize {
        let fitting = self.on_duty.iter().filter(|&(&class, _)| fits.lacking(class, need).is_some());
        fitting.map(|(_, &count)| count).sum()
    }

    /// Whether somebody who could serve such calls is free.
    pub(crate) fn is_ready(&self, fits: &Fits, need: NeedIx) -> bool {
        self.ready.keys().any(|&class| fits.lacking(class, need).is_some())
    }

    /// Whose turn is next.
    pub(crate) fn first(&self) -> Option<CallKey> {
        self.waiting.iter().filter_map(Line::first).min()
    }

    pub(crate) fn position(&self, key: CallKey) -> usize {
        let longer = self.waiting.iter().filter(|line| line.keys.back().is_some_and(|last| key <= *last));
        let behind: usize =
            longer.map(|line| line.keys.len() - line.keys.partition_point(|other| *other < key)).sum();
        self.waiting_count - behind + 1
    }

    pub(crate) fn line(&self, need: NeedIx) -> Option<&Line> {
        let index = self.waiting.binary_search_by_key(&need, |line| line.need).ok()?;
        self.waiting.get(index)
    }

    pub(crate) fn join(&mut self, need: NeedIx, key: CallKey) {
        match self.waiting.binary_search_by_key(&need, |line| line.need) {
            Ok(index) => {
                let line = &mut self.waiting[index];
                if let Err(place) = line.keys.binary_search(&key) {
                    line.keys.insert(place, key);
                    self.waiting_count += 1;
                }
            }
            Err(index) => {
                self.waiting.insert(index, Line { need, keys: VecDeque::from([key]) });
                self.waiting_count += 1;
            }
        }
    }

    pub(crate) fn leave(&mut self, need: NeedIx, key: CallKey) {
        let Ok(index) = self.waiting.binary_search_by_key(&need, |line| line.need) else { return };
        let line = &mut self.waiting[index];
        if let Ok(place) = line.keys.binary_search(&key) {
            line.keys.remove(place);
            self.waiting_count -= 1;
        }
        if line.keys.is_empty() {
            self.waiting.remove(index);
        }
    }

    /// The first call that agents of this class can serve.
    pub(crate) fn first_for(&self, fits: &Fits, class: Class) -> Option<CallKey> {
        let lines = self.waiting.iter().filter(|line| fits.lacking(class, line.need).is_some());
        lines.filter_map(Line::first).min()
    }

    /// Whom the pool's matching rings, among those who are not `passed_over`; nobody if none is free who fits.
    pub(crate) fn choose(&self, fits: &Fits, need: NeedIx, passed_over: &[AgentId]) -> Vec<AgentId> {
        let matching = self.config.as_ref().map_or(Matching::default(), |pool| pool.matching);
        let fitting = self.ready.iter().filter_map(|(&class, free)| Some((fits.lacking(class, need)?, free)));
        let may = |key: &&ReadyKey| !passed_over.contains(&key.agent);
        if matching == Matching::AllAtOnce {
            let mut all: Vec<ReadyKey> =
                fitting.flat_map(|(_, free)| free.iter().filter(may).take(RINGING_MAX)).copied().collect();
            all.sort_unstable();
            let best = all.first().map(|key| key.tier);
            return all
                .iter()
                .take(RINGING_MAX)
                .filter(|key| Some(key.tier) == best)
                .map(|key| key.agent)
                .collect();
        }
        let firsts = fitting.filter_map(|(lacking, free)| {
            let first = free.iter().find(may)?;
            Some(match matching {
                Matching::BestSkill => (first.tier, lacking, *first),
                Matching::RoundRobin => self.next_in_turn(free, first, may),
                Matching::LongestIdle | Matching::FewestCalls | Matching::InOrder | Matching::AllAtOnce => {
                    (first.tier, 0, *first)
                }
            })
        });
        firsts.min().map(|(.., key)| key.agent).into_iter().collect()
    }

    /// The one after the last who was rung, in the tier of `first`; `first` if the round is over.
    fn next_in_turn(
        &self,
        free: &BTreeSet<ReadyKey>,
        first: &ReadyKey,
        may: impl Fn(&&ReadyKey) -> bool,
    ) -> (u8, u8, ReadyKey) {
        let Some(last) = self.last_rung else { return (first.tier, 0, *first) };
        let after = (Bound::Excluded(ReadyKey { agent: last, ..*first }), Bound::Unbounded);
        let next = free.range(after).find(may).filter(|next| next.tier == first.tier);
        match next {
            Some(next) => (first.tier, 0, *next),
            None => (first.tier, 1, *first),
        }
    }

    /// Where `free` stands in this pool.
    pub(crate) fn ready_key(&self, place: &Place, free: Free) -> ReadyKey {
        let Free { agent, idle_since, calls_today } = free;
        let tier = place.membership.tier;
        let matching = self.config.as_ref().map_or(Matching::default(), |pool| pool.matching);
        let (rank, idle_since) = match matching {
            Matching::LongestIdle | Matching::BestSkill | Matching::AllAtOnce => (0, idle_since),
            Matching::FewestCalls => (calls_today, idle_since),
            Matching::InOrder => (u32::from(place.membership.order), idle_since),
            // Only who is next counts.
            Matching::RoundRobin => (0, Timestamp::default()),
        };
        ReadyKey { tier, rank, idle_since, agent }
    }

    pub(crate) fn add_ready(&mut self, class: Class, key: ReadyKey) {
        if self.ready.entry(class).or_default().insert(key) {
            self.ready_count += 1;
        }
    }

    pub(crate) fn remove_ready(&mut self, class: Class, key: ReadyKey) {
        let Some(free) = self.ready.get_mut(&class) else { return };
        if free.remove(&key) {
            self.ready_count -= 1;
        }
        if free.is_empty() {
            self.ready.remove(&class);
        }
    }

    pub(crate) fn come_on_duty(&mut self, class: Class) {
        *self.on_duty.entry(class).or_default() += 1;
    }

    /// True if that was the last one of the class.
    pub(crate) fn go_off_duty(&mut self, class: Class) -> bool {
        let Some(count) = self.on_duty.get_mut(&class) else { return false };
        *count -= 1;
        let was_last = *count == 0;
        if was_last {
            self.on_duty.remove(&class);
        }
        was_last
    }

    /// Forgets who is here; [`crate::Acd::reindex`] fills it again.
    pub(crate) fn clear(&mut self) {
        self.waiting.clear();
        self.waiting_count = 0;
        self.ready.clear();
        self.ready_count = 0;
        self.on_duty.clear();
    }
}

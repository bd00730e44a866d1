//! What a restart gives back of agents and pools. Pure.
//!
//! Of all that is told of them, most is over with the server: offers, talks, whether a phone is there. What humans
//! chose is not, and neither is a call that is being written down.

use domain::{Activity, AgentId, Duty, Fact, FactRecord, Override, PoolId, RegionId, Timestamp};
use std::collections::{BTreeMap, BTreeSet};

/// Agents and pools of whom something is kept. A region has fewer.
const KEPT_MAX: usize = 65_536;

/// The latest that is known of an agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AgentState {
    pub agent: AgentId,
    /// Of the fact that said so.
    pub seq: u64,
    pub at: Timestamp,
    pub duty: Duty,
    /// [`Activity::WrapUp`], if the agent was writing down a call.
    pub wrap_up: Option<Activity>,
}

impl AgentState {
    /// What the agent does after a restart.
    #[must_use]
    pub fn activity(&self) -> Activity {
        self.wrap_up.unwrap_or(Activity::Idle { since: self.at })
    }
}

/// The latest that a supervisor has set of a pool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PoolState {
    pub region: RegionId,
    pub pool: PoolId,
    /// Of the fact that said so.
    pub seq: u64,
    pub at: Timestamp,
    /// None: the pool goes by its hours.
    pub set: Option<Override>,
    pub by: String,
}

/// Something that outlives a restart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lasting {
    Agent(AgentState),
    Pool(PoolState),
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Key {
    Agent(AgentId),
    Pool(RegionId, PoolId),
}

impl Lasting {
    pub(crate) fn of(record: &FactRecord) -> Option<Self> {
        let FactRecord { at, seq, .. } = *record;
        match &record.fact {
            &Fact::AgentChanged { agent, state: duty, activity, .. } => {
                let wrap_up = match activity {
                    Activity::WrapUp { .. } => Some(activity),
                    Activity::Idle { .. }
                    | Activity::Ringing { .. }
                    | Activity::Clearing { .. }
                    | Activity::Talking { .. } => None,
                };
                Some(Self::Agent(AgentState { agent, seq, at, duty, wrap_up }))
            }
            Fact::PoolOverridden { region, pool, set, by } => {
                let (region, pool, by) = (region.clone(), pool.clone(), by.clone());
                Some(Self::Pool(PoolState { region, pool, seq, at, set: *set, by }))
            }
            _ => None,
        }
    }

    fn key(&self) -> Key {
        match self {
            Self::Agent(state) => Key::Agent(state.agent),
            Self::Pool(state) => Key::Pool(state.region.clone(), state.pool.clone()),
        }
    }

    pub(crate) fn seq(&self) -> u64 {
        match self {
            Self::Agent(state) => state.seq,
            Self::Pool(state) => state.seq,
        }
    }

    fn says_the_same_as(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Agent(one), Self::Agent(other)) => (one.duty, one.wrap_up) == (other.duty, other.wrap_up),
            (Self::Pool(one), Self::Pool(other)) => one.set == other.set,
            (Self::Agent(_), Self::Pool(_)) | (Self::Pool(_), Self::Agent(_)) => false,
        }
    }

    /// For the journal: a fact that says no more than this.
    pub(crate) fn record(&self) -> FactRecord {
        match self {
            Self::Agent(state) => {
                let AgentState { agent, seq, at, duty, .. } = *state;
                let activity = state.activity();
                let fact = Fact::AgentChanged { agent, reachable: false, state: duty, activity };
                FactRecord { at, seq, fact }
            }
            Self::Pool(PoolState { region, pool, seq, at, set, by }) => {
                let (region, pool, by) = (region.clone(), pool.clone(), by.clone());
                let fact = Fact::PoolOverridden { region, pool, set: *set, by };
                FactRecord { at: *at, seq: *seq, fact }
            }
        }
    }
}

/// The newer of each, whoever says it.
pub(crate) fn newest(all: impl Iterator<Item = Lasting>) -> Vec<Lasting> {
    let mut newest: BTreeMap<Key, Lasting> = BTreeMap::new();
    for state in all {
        let key = state.key();
        if newest.get(&key).is_none_or(|known| known.seq() < state.seq()) {
            newest.insert(key, state);
        }
    }
    newest.into_values().collect()
}

/// The latest of each agent and pool, and whose is not in the database yet.
#[derive(Debug, Default)]
pub(crate) struct Latest {
    latest: BTreeMap<Key, Lasting>,
    unsaved: BTreeSet<Key>,
    /// Journal segments that the unsaved ones pin, each once.
    segments: Vec<u64>,
}

impl Latest {
    /// Whether this is newer than what is known, and says something else.
    pub(crate) fn wants(&self, state: &Lasting) -> bool {
        match self.latest.get(&state.key()) {
            Some(known) if state.seq() <= known.seq() => false,
            Some(known) => !known.says_the_same_as(state),
            None => self.latest.len() < KEPT_MAX,
        }
    }

    /// Takes a state that is wanted, and that stands in `segment` of the journal if it stands there at all. True
    /// if that segment is to be pinned.
    pub(crate) fn take(&mut self, state: Lasting, segment: Option<u64>) -> bool {
        self.unsaved.insert(state.key());
        self.latest.insert(state.key(), state);
        let new_segment = segment.filter(|segment| !self.segments.contains(segment));
        self.segments.extend(new_segment);
        new_segment.is_some()
    }

    /// Those that the database is to have next, and the segments that they pin until it has.
    pub(crate) fn take_unsaved(&mut self) -> (Vec<Lasting>, Vec<u64>) {
        let states = self.unsaved().cloned().collect();
        self.unsaved.clear();
        (states, std::mem::take(&mut self.segments))
    }

    pub(crate) fn unsaved(&self) -> impl Iterator<Item = &Lasting> {
        self.unsaved.iter().filter_map(|key| self.latest.get(key))
    }

    pub(crate) fn is_saved(&self) -> bool {
        self.unsaved.is_empty()
    }

    /// Whether segments before `active` are pinned, which the database does not free while it is away.
    pub(crate) fn is_left_behind(&self, active: u64) -> bool {
        self.segments.iter().any(|segment| *segment != active)
    }

    /// All of it stands in `active` now. Gives the segments that may go.
    pub(crate) fn carried_to(&mut self, active: u64) -> Vec<u64> {
        std::mem::replace(&mut self.segments, vec![active])
    }

    pub(crate) fn all(&self) -> Vec<Lasting> {
        self.latest.values().cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::{CallId, PauseReason, WrapUpRule};

    const MEAL: Duty = Duty::Paused { reason: PauseReason::Meal, until: None };

    fn state(seq: u64, duty: Duty, activity: Activity) -> Lasting {
        let agent = AgentId(7);
        let fact = Fact::AgentChanged { agent, reachable: true, state: duty, activity };
        Lasting::of(&FactRecord { at: Timestamp::from_ms(5), seq, fact }).expect("a state")
    }

    fn idle() -> Activity {
        Activity::Idle { since: Timestamp::from_ms(1) }
    }

    #[test]
    fn only_what_outlives_a_restart_is_wanted_and_only_once() {
        let mut latest = Latest::default();
        assert!(latest.take(state(1, Duty::Ready, idle()), Some(1)));
        let talking = Activity::Talking { call: CallId(1), since: Timestamp::from_ms(2) };
        assert!(!latest.wants(&state(2, Duty::Ready, talking)), "talks end with the server");
        assert!(!latest.wants(&state(1, MEAL, idle())), "older news");
        assert!(latest.wants(&state(2, MEAL, idle())));
        let until = Timestamp::from_ms(9);
        let wrap_up = Activity::WrapUp { call: CallId(1), until, rule: WrapUpRule::UntilSaved };
        let writes = state(3, Duty::Ready, wrap_up);
        assert!(latest.wants(&writes));
        assert!(!latest.take(writes.clone(), Some(1)), "the segment is pinned already");
        assert_eq!(latest.take_unsaved(), (vec![writes.clone()], vec![1]));
        assert!(latest.is_saved());
        assert_eq!(Lasting::of(&writes.record()), Some(writes), "as the journal has it");
    }

    #[test]
    fn what_was_set_of_a_pool_is_kept_until_its_hours_count_again() {
        let closed = Override { open: false, until: None };
        let state = |seq, pool: &str, set| {
            let (region, pool, by) = ("wenzhou".into(), pool.into(), "board".to_owned());
            let fact = Fact::PoolOverridden { region, pool, set, by };
            Lasting::of(&FactRecord { at: Timestamp::from_ms(5), seq, fact }).expect("a state")
        };
        let mut latest = Latest::default();
        assert!(latest.wants(&state(1, "lucheng", Some(closed))));
        latest.take(state(1, "lucheng", Some(closed)), None);
        assert!(!latest.wants(&state(2, "lucheng", Some(closed))), "nothing new");
        assert!(latest.wants(&state(2, "ouhai", Some(closed))), "another pool");
        let lifted = state(2, "lucheng", None);
        assert!(latest.wants(&lifted));
        assert_eq!(Lasting::of(&lifted.record()), Some(lifted.clone()), "as the journal has it");
        let stale = [state(1, "lucheng", Some(closed)), lifted.clone(), state(1, "lucheng", Some(closed))];
        assert_eq!(newest(stale.into_iter()), [lifted]);
    }

    #[test]
    fn a_journal_from_before_there_were_reasons_and_rules_is_read() {
        let line = r#"{"at":5,"seq":1,"fact":"agent_changed","agent":7,"reachable":true,
            "state":{"duty":"paused","reason":"asked","until":null},
            "activity":{"activity":"wrap_up","call":"3","until":9}}"#;
        let record: FactRecord = serde_json::from_str(line).expect("a fact");
        let wrap_up =
            Activity::WrapUp { call: CallId(3), until: Timestamp::from_ms(9), rule: WrapUpRule::Fixed };
        let paused = Duty::Paused { reason: PauseReason::Other, until: None };
        assert_eq!(Lasting::of(&record), Some(state(1, paused, wrap_up)));
    }

    #[test]
    fn while_the_database_is_away_old_segments_are_freed_by_writing_their_states_anew() {
        let mut latest = Latest::default();
        latest.take(state(1, Duty::LoggedOut, idle()), Some(4));
        assert!(!latest.is_left_behind(4));
        assert!(latest.is_left_behind(5));
        assert_eq!(latest.carried_to(5), [4]);
        assert!(!latest.is_left_behind(5));
        assert_eq!(latest.take_unsaved().1, [5]);
    }
}

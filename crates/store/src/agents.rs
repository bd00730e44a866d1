//! What a restart gives back of each agent. Pure.
//!
//! Of all that is told of agents, most is over with the server: offers, talks, whether a phone is there. What
//! humans chose is not, and neither is a call that is being written down.

use domain::{Activity, AgentId, Duty, Fact, FactRecord, Timestamp};
use std::collections::{BTreeMap, BTreeSet};

/// Agents of whom something is kept. A region has fewer.
const AGENTS_MAX: usize = 65_536;

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
    pub(crate) fn of(record: &FactRecord) -> Option<Self> {
        let Fact::AgentChanged { agent, state, activity, .. } = record.fact else { return None };
        let wrap_up = match activity {
            Activity::WrapUp { .. } => Some(activity),
            Activity::Idle { .. }
            | Activity::Ringing { .. }
            | Activity::Clearing { .. }
            | Activity::Talking { .. } => None,
        };
        Some(Self { agent, seq: record.seq, at: record.at, duty: state, wrap_up })
    }

    /// What the agent does after a restart.
    #[must_use]
    pub fn activity(&self) -> Activity {
        self.wrap_up.unwrap_or(Activity::Idle { since: self.at })
    }

    /// For the journal: a fact that says no more than this.
    pub(crate) fn record(&self) -> FactRecord {
        let Self { agent, seq, at, duty, .. } = *self;
        let activity = self.activity();
        FactRecord { at, seq, fact: Fact::AgentChanged { agent, reachable: false, state: duty, activity } }
    }
}

/// The latest of each agent, and whose is not in the database yet.
#[derive(Debug, Default)]
pub(crate) struct Agents {
    latest: BTreeMap<AgentId, AgentState>,
    unsaved: BTreeSet<AgentId>,
    /// Journal segments that the unsaved ones pin, each once.
    segments: Vec<u64>,
}

impl Agents {
    /// Whether this is newer than what is known, and says something else.
    pub(crate) fn wants(&self, state: &AgentState) -> bool {
        match self.latest.get(&state.agent) {
            Some(known) if state.seq <= known.seq => false,
            Some(known) => (known.duty, known.wrap_up) != (state.duty, state.wrap_up),
            None => self.latest.len() < AGENTS_MAX,
        }
    }

    /// Takes a state that is wanted, and that stands in `segment` of the journal if it stands there at all. True
    /// if that segment is to be pinned.
    pub(crate) fn take(&mut self, state: AgentState, segment: Option<u64>) -> bool {
        self.latest.insert(state.agent, state);
        self.unsaved.insert(state.agent);
        let new_segment = segment.filter(|segment| !self.segments.contains(segment));
        self.segments.extend(new_segment);
        new_segment.is_some()
    }

    /// Those that the database is to have next, and the segments that they pin until it has.
    pub(crate) fn take_unsaved(&mut self) -> (Vec<AgentState>, Vec<u64>) {
        let states = self.unsaved().collect();
        self.unsaved.clear();
        (states, std::mem::take(&mut self.segments))
    }

    pub(crate) fn unsaved(&self) -> impl Iterator<Item = AgentState> {
        self.unsaved.iter().filter_map(|agent| self.latest.get(agent)).copied()
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

    pub(crate) fn latest(&self) -> Vec<AgentState> {
        self.latest.values().copied().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::{CallId, PauseReason, WrapUpRule};

    const MEAL: Duty = Duty::Paused { reason: PauseReason::Meal, until: None };

    fn state(seq: u64, duty: Duty, activity: Activity) -> AgentState {
        let agent = AgentId(7);
        let fact = Fact::AgentChanged { agent, reachable: true, state: duty, activity };
        AgentState::of(&FactRecord { at: Timestamp::from_ms(5), seq, fact }).expect("a state")
    }

    fn idle() -> Activity {
        Activity::Idle { since: Timestamp::from_ms(1) }
    }

    #[test]
    fn only_what_outlives_a_restart_is_wanted_and_only_once() {
        let mut agents = Agents::default();
        assert!(agents.take(state(1, Duty::Ready, idle()), Some(1)));
        let talking = Activity::Talking { call: CallId(1), since: Timestamp::from_ms(2) };
        assert!(!agents.wants(&state(2, Duty::Ready, talking)), "talks end with the server");
        assert!(!agents.wants(&state(1, MEAL, idle())), "older news");
        assert!(agents.wants(&state(2, MEAL, idle())));
        let until = Timestamp::from_ms(9);
        let wrap_up = Activity::WrapUp { call: CallId(1), until, rule: WrapUpRule::UntilSaved };
        let writes = state(3, Duty::Ready, wrap_up);
        assert!(agents.wants(&writes));
        assert!(!agents.take(writes, Some(1)), "the segment is pinned already");
        assert_eq!(agents.take_unsaved(), (vec![writes], vec![1]));
        assert!(agents.is_saved());
        assert_eq!(AgentState::of(&writes.record()), Some(writes), "as the journal has it");
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
        assert_eq!(AgentState::of(&record), Some(state(1, paused, wrap_up)));
    }

    #[test]
    fn while_the_database_is_away_old_segments_are_freed_by_writing_their_states_anew() {
        let mut agents = Agents::default();
        agents.take(state(1, Duty::LoggedOut, idle()), Some(4));
        assert!(!agents.is_left_behind(4));
        assert!(agents.is_left_behind(5));
        assert_eq!(agents.carried_to(5), [4]);
        assert!(!agents.is_left_behind(5));
        assert_eq!(agents.take_unsaved().1, [5]);
    }
}

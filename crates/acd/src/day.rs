//! Calls of a day: for pools that ring whoever had the fewest, and for agents who take only so many.

use crate::machine::Acd;
use crate::message::Matching;
use crate::pool::PoolIx;
use crate::timer::Timer;
use domain::{AgentId, Timestamp};

/// China has one time zone and no summer time.
const CHINA_AHEAD_MS: i64 = 8 * 3_600_000;
const DAY_MS: i64 = 24 * 3_600_000;

impl Acd {
    /// While the agent talks, and so is free nowhere.
    pub(crate) fn count_answer(&mut self, now: Timestamp, agent: AgentId, pool: PoolIx) {
        let Some(state) = self.agents.get_mut(&agent) else { return };
        let on_duty = state.on_duty();
        state.calls_today += 1;
        if let Some(place) = state.places.iter_mut().find(|place| place.pool == pool) {
            place.calls_today += 1;
            let was_last_call = place.membership.calls_per_day_max == Some(place.calls_today);
            if was_last_call && on_duty && self.pools[pool.0 as usize].go_off_duty(state.class) {
                self.emptied.insert(pool);
            }
        }
        if self.midnight.is_none() && self.counts_calls {
            let at = next_midnight(now);
            self.midnight = Some(at);
            self.timers.insert((at, Timer::Midnight));
        }
    }

    /// Looks at everybody: asked once a configuration.
    pub(crate) fn is_anybody_counted(&self) -> bool {
        let mut pools = self.pools.iter().filter_map(|pool| pool.config.as_ref());
        let mut places = self.agents.values().flat_map(|state| &state.places);
        pools.any(|pool| pool.matching == Matching::FewestCalls)
            || places.any(|place| place.membership.calls_per_day_max.is_some())
    }

    /// Every count is zero again.
    pub(crate) fn begin_day(&mut self) {
        self.midnight = None;
        for state in self.agents.values_mut() {
            state.calls_today = 0;
            state.calls_elsewhere.clear();
            for place in &mut state.places {
                place.calls_today = 0;
            }
        }
        self.reindex();
        self.freed.extend(self.agents.keys());
    }
}

/// The first midnight in China after `now`.
pub(crate) fn next_midnight(now: Timestamp) -> Timestamp {
    let day = now.as_ms().saturating_add(CHINA_AHEAD_MS).div_euclid(DAY_MS);
    Timestamp::from_ms((day + 1).saturating_mul(DAY_MS).saturating_sub(CHINA_AHEAD_MS))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_ends_at_midnight_in_china() {
        // 2026-11-22 00:00 and 23:59:59.999 in Wenzhou.
        let midnight = 1_795_276_800_000;
        for ms in [midnight, midnight + DAY_MS - 1] {
            assert_eq!(next_midnight(Timestamp::from_ms(ms)).as_ms(), midnight + DAY_MS);
        }
    }
}

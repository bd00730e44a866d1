//! How long a caller will wait.
//!
//! While all agents are busy, one of `n` agents whose calls take `h` becomes free every `h / n` on average, so whoever
//! is at position `p` waits `p h / n` (the M/M/n queue, first come, first served). `n` counts the agents on duty who
//! fit what the call needs, whatever they do now: nobody who pauses. `h` follows the calls of the pool. A call that
//! waits in several pools is told the shortest.
//!
//! What a caller was told gets longer only by what has changed for the worse since: by fewer agents, or by a
//! worse position. That `h` has grown is no news for those who wait already.

use crate::call::{CallState, Queued};
use crate::fit::Fits;
use crate::machine::Acd;
use crate::message::Output;
use crate::pool::{PoolIx, PoolState};
use crate::timer::{Timer, deadline};
use domain::{CallId, LongerWait, Timestamp};
use std::time::Duration;

/// A call that takes longer than this says little about the next one.
const HANDLING_MAX: Duration = Duration::from_secs(4 * 3_600);
/// Of the difference between a call and the mean so far, so much is believed: one in so many.
const HANDLING_INERTIA: i64 = 16;

/// What a caller was told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Told {
    wait_ms: u64,
    pool: PoolIx,
    position: u64,
    agents: u64,
}

impl Told {
    pub(crate) fn wait(self) -> Duration {
        Duration::from_millis(self.wait_ms)
    }

    /// The longest wait that what happened in that pool since then explains.
    fn explained_ms(self, position: u64, agents: u64) -> u64 {
        let (before, now) = (u128::from(self.position * agents), u128::from(position * self.agents));
        if now <= before {
            return self.wait_ms;
        }
        u64::try_from(u128::from(self.wait_ms) * now / before.max(1)).unwrap_or(u64::MAX)
    }
}

impl Acd {
    /// Tells the caller, unless a phone rings already, and sets the next time.
    pub(crate) fn announce(&mut self, now: Timestamp, call: CallId) {
        let Some(queued) = self.calls.get(&call).and_then(CallState::queued) else { return };
        let estimated = queued.is_in_line().then(|| self.estimate(queued)).flatten();
        let Some(queued) = self.calls.get_mut(&call).and_then(CallState::queued_mut) else { return };
        if let Some((at, every)) = &mut queued.announce {
            *at = deadline(now, *every);
            self.timers.extend((*at != Timestamp::NEVER).then_some((*at, Timer::Announce(call))));
        }
        let Some((told, longer)) = estimated else { return };
        queued.told = Some(told);
        let position = usize::try_from(told.position).unwrap_or(usize::MAX);
        self.outputs.push_back(Output::Announce { call, position, wait: told.wait(), longer });
    }

    fn estimate(&self, queued: &Queued) -> Option<(Told, Option<LongerWait>)> {
        let told = queued.pools.iter().filter_map(|&pool| self.estimate_in(queued, pool));
        let shortest = told.min_by_key(|told| told.wait_ms)?;
        let Some(before) = queued.told.filter(|before| before.wait_ms < shortest.wait_ms) else {
            return Some((shortest, None));
        };
        let there =
            queued.pools.contains(&before.pool).then(|| self.estimate_in(queued, before.pool)).flatten();
        let Some(there) = there else { return Some((shortest, Some(LongerWait::FewerAgents))) };
        let explained_ms = before.explained_ms(there.position, there.agents);
        let told =
            if shortest.wait_ms <= explained_ms { shortest } else { Told { wait_ms: explained_ms, ..there } };
        let reason =
            if there.agents < before.agents { LongerWait::FewerAgents } else { LongerWait::Overtaken };
        Some((told, (told.wait_ms > before.wait_ms).then_some(reason)))
    }

    fn estimate_in(&self, queued: &Queued, pool: PoolIx) -> Option<Told> {
        self.pools[pool.0 as usize].estimate(&self.fits, queued)
    }
}

impl PoolState {
    /// Of a call that waits here, or would. None if nobody on duty can serve it.
    pub(crate) fn estimate(&self, fits: &Fits, queued: &Queued) -> Option<Told> {
        let agents = self.staff(fits, queued.need) as u64;
        let position = self.position(queued.key) as u64;
        let wait_ms = position.saturating_mul(self.handling_ms).checked_div(agents)?;
        Some(Told { wait_ms, pool: self.index, position, agents })
    }

    /// A call has kept an agent so long, wrap-up and all.
    pub(crate) fn learn_handling(&mut self, span: Duration) {
        let span_ms = i64::try_from(span.min(HANDLING_MAX).as_millis()).unwrap_or(i64::MAX);
        let mean_ms = i64::try_from(self.handling_ms).unwrap_or(i64::MAX);
        let moved_ms = mean_ms + (span_ms - mean_ms) / HANDLING_INERTIA;
        self.handling_ms = u64::try_from(moved_ms).unwrap_or(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pool_learns_from_each_call_a_sixteenth_of_the_difference_and_nothing_from_a_handset_left_off() {
        let after = |mean_s: u64, call_s| {
            let mut pool = PoolState::new(PoolIx(0), "lucheng".into());
            pool.handling_ms = mean_s * 1_000;
            pool.learn_handling(Duration::from_secs(call_s));
            pool.handling_ms
        };
        assert_eq!([after(160, 320), after(320, 160), after(160, 160)], [170_000, 310_000, 160_000]);
        assert_eq!(after(160, 4 * 3_600), after(160, 9 * 3_600));
        assert!(after(160, 4 * 3_600) > after(160, 4 * 3_599));
    }

    #[test]
    fn a_wait_gets_longer_only_by_what_has_changed() {
        let told = Told { wait_ms: 60_000, pool: PoolIx(0), position: 3, agents: 10 };
        assert_eq!(told.explained_ms(3, 10), 60_000);
        // Half the agents: twice as long, and no more.
        assert_eq!(told.explained_ms(3, 5), 120_000);
        assert_eq!(told.explained_ms(6, 10), 120_000);
        // Somebody ahead has left too.
        assert_eq!(told.explained_ms(2, 5), 80_000);
        assert_eq!(told.explained_ms(1, 5), 60_000);
    }
}

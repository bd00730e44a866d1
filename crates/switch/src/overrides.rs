//! Pools that a supervisor opens or closes by hand, for a disaster or a long night. New calls find it so; who waits
//! already goes on waiting. The hours count again when the time is over or the supervisor says so.

use crate::Node;
use crate::call::Timer;
use crate::node::Region;
use dialplan::When;
use domain::{Fact, Override, PoolId, RegionId, Timestamp};
use std::collections::BTreeMap;

/// Who ended what was set until then.
const TIME: &str = "time";

/// The instant of a step of a call of this region.
pub(crate) fn when<'r>(
    regions: &'r BTreeMap<RegionId, Region>,
    region: &RegionId,
    now: Timestamp,
) -> When<'r> {
    regions.get(region).map_or(now.into(), |region| When { now, overrides: &region.overrides })
}

impl Node {
    /// One pool of the region, or all of them. A pool that the dialplan does not have is left alone.
    pub(crate) fn override_pools(
        &mut self,
        now: Timestamp,
        id: &RegionId,
        pool: Option<&PoolId>,
        set: Option<Override>,
        by: &str,
    ) {
        let Some(plan) = self.regions.get(id).and_then(|region| region.dialplan.as_ref()) else { return };
        let is_meant = |other: &&PoolId| pool.is_none_or(|pool| pool == *other);
        for pool in plan.pools().keys().filter(is_meant).cloned().collect::<Vec<_>>() {
            self.override_pool(now, id, pool, set, by);
        }
        self.watch_overrides();
    }

    fn override_pool(
        &mut self,
        now: Timestamp,
        id: &RegionId,
        pool: PoolId,
        set: Option<Override>,
        by: &str,
    ) {
        let Some(region) = self.regions.get_mut(id) else { return };
        let set = set.filter(|set| set.holds(now));
        let before = match set {
            Some(set) => region.overrides.insert(pool.clone(), set),
            None => region.overrides.remove(&pool),
        };
        if before != set {
            self.fact(now, Fact::PoolOverridden { region: id.clone(), pool, set, by: by.to_owned() });
        }
    }

    pub(crate) fn restore_overrides(
        &mut self,
        now: Timestamp,
        restored: BTreeMap<(RegionId, PoolId), (Override, String)>,
    ) {
        for ((region, pool), (set, by)) in restored {
            self.override_pools(now, &region, Some(&pool), Some(set), &by);
            if !set.holds(now) {
                self.fact(now, Fact::PoolOverridden { region, pool, set: None, by: TIME.to_owned() });
            }
        }
    }

    /// The hours count again where the time is over.
    pub(crate) fn end_overrides(&mut self, now: Timestamp) {
        let is_over = |(_, set): &(&PoolId, &Override)| !set.holds(now);
        let over: Vec<(RegionId, PoolId)> = self
            .regions
            .iter()
            .flat_map(|(id, region)| {
                region.overrides.iter().filter(is_over).map(|(pool, _)| (id.clone(), pool.clone()))
            })
            .collect();
        for (region, pool) in over {
            self.override_pool(now, &region, pool, None, TIME);
        }
        self.watch_overrides();
    }

    fn watch_overrides(&mut self) {
        let sets = self.regions.values().flat_map(|region| region.overrides.values());
        let next = sets.filter_map(|set| set.until).min();
        self.timers.set(Timer::Overrides, next);
    }
}

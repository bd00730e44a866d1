//! When a call takes a step, and which pools a supervisor has opened or closed by hand at that time.

use domain::{Override, PoolId, Timestamp};
use std::collections::BTreeMap;

/// What supervisors have set in place of the hours of pools.
pub type Overrides = BTreeMap<PoolId, Override>;

/// The instant of a step of a call. A [`Timestamp`] alone is one at which nothing was set by hand.
#[derive(Clone, Copy, Debug)]
pub struct When<'o> {
    pub now: Timestamp,
    pub overrides: &'o Overrides,
}

impl When<'_> {
    /// Whether the pool is open or closed by hand now.
    pub(crate) fn by_hand(&self, pool: &PoolId) -> Option<bool> {
        self.overrides.get(pool).filter(|set| set.holds(self.now)).map(|set| set.open)
    }
}

impl From<Timestamp> for When<'static> {
    fn from(now: Timestamp) -> Self {
        static NONE: Overrides = BTreeMap::new();
        Self { now, overrides: &NONE }
    }
}

//! Who and what the board is about: names of regions, counties, pools and lawyers. Plain data, given at
//! the start and replaced when the configuration is reloaded.

use crate::view::Name;
use domain::{AgentId, CountyId, PlanVersion, PoolId, RegionId};
use std::collections::BTreeMap;

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Directory {
    pub regions: BTreeMap<RegionId, Region>,
    pub counties: BTreeMap<CountyId, Name>,
    /// In the order in which the board shows them.
    pub pools: Vec<Pool>,
    pub agents: BTreeMap<AgentId, Agent>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Region {
    pub name: Name,
    /// What new calls walk.
    pub dialplan: PlanVersion,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pool {
    pub id: PoolId,
    pub region: RegionId,
    pub name: Name,
    /// None for the city's pool, which takes what overflows.
    pub county: Option<CountyId>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Agent {
    pub name: String,
    pub pools: Vec<PoolId>,
}

use crate::SkillId;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Levels from 1 to 10 by skill: a language, a matter such as labour disputes, legal aid.
pub type Skills = BTreeMap<SkillId, u8>;

/// Which of the free agents of a pool is rung. A better tier comes before all of these; equals are told apart by
/// who has been idle longest, then by the lower id.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Matching {
    #[default]
    LongestIdle,
    /// Fewest calls answered since midnight in China.
    FewestCalls,
    /// The smallest sum of levels that are lacking in the skills the call wishes for.
    BestSkill,
    /// By the place that each agent is given in the pool.
    InOrder,
    /// Every free agent of the best tier; who answers first has the call.
    AllAtOnce,
    /// The one with the next id after the last who was rung.
    RoundRobin,
}

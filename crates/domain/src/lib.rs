//! The words everybody shares: ids, time, phone numbers, departure reasons and facts.
//!
//! Deliberately absent: behaviour. Nothing here decides, reads a clock or does IO.

mod departure;
mod fact;
mod id;
mod pii;
mod satisfaction;
mod skill;
mod state;
mod talk;
mod time;

pub use departure::{Departure, Party};
pub use fact::{Fact, FactRecord, LegRole, LegStats, LongerWait, OfferEnd, OverflowReason, Segment};
pub use id::{AgentId, CallId, CountyId, PlanVersion, PoolId, RegionId, SkillId, TargetId, TrunkId};
pub use pii::Pii;
pub use satisfaction::Satisfaction;
pub use skill::{Matching, Skills};
pub use state::{Activity, Duty, Override, PauseReason, WrapUpRule};
pub use talk::{Supervision, TalkWish};
pub use time::Timestamp;

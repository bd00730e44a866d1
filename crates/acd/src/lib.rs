//! Decides which lawyer is offered which call, and when: the distribution machine of one region.
//!
//! [`Acd`] is pure. Its owner calls [`Acd::handle_input`] with what happened, [`Acd::handle_timeout`] when
//! the instant of [`Acd::poll_timeout`] has come, and drains [`Acd::poll_output`] after each of the two.
//!
//! The rules, in the order in which they bind:
//! 1. An agent has one offer or one call at a time. A call is offered to one agent at a time, but where the pool
//!    rings all at once; then the first who answers has it.
//! 2. Urgent calls are served first, then whoever arrived first, less the head start that the dialplan gives:
//!    over all pools of an agent, and however many steps a call has taken.
//! 3. It goes to an agent who is reachable, ready, idle and has the skills that it needs: one who has not missed
//!    this very call, of the pool that it has waited for longest, of the best tier, by the pool's matching.
//! 4. It never goes to an agent who is logged out, paused, writing down another call, or out of reach.
//! 5. No call waits while such an agent is free, unless it is kept for a lawyer who knows the caller; and none
//!    waits for a skill that nobody on duty has.
//!
//! Whoever waits is told the place in the line and how long it will take (`estimate.rs`).
//!
//! Deliberately absent: sockets, a clock, randomness, SIP, and what a caller hears.

mod agent;
mod call;
mod clock;
mod configure;
mod day;
mod estimate;
mod fit;
mod invariants;
mod machine;
mod matching;
mod message;
mod offer;
mod pool;
mod queue;
mod timer;
pub mod world;
mod wrap_up;

pub use machine::Acd;
pub use message::{
    Agent, Announce, Change, Config, Input, Matching, Membership, Need, Output, Pool, Priority, RINGING_MAX,
    Refuse, Request, Skills, Step, WrapUp,
};

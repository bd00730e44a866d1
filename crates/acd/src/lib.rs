//! Decides which lawyer is offered which call, and when: the distribution machine of one region.
//!
//! [`Acd`] is pure. Its owner calls [`Acd::handle_input`] with what happened, [`Acd::handle_timeout`] when
//! the instant of [`Acd::poll_timeout`] has come, and drains [`Acd::poll_output`] after each of the two.
//!
//! The rules, in the order in which they bind:
//! 1. An agent has one offer or one call at a time, and a call is offered to one agent at a time.
//! 2. The call that arrived first is served first, over all pools of an agent and wherever it has
//!    overflowed to; of two with the same arrival, the lower id.
//! 3. It goes to the longest-idle agent of its pool who is reachable, ready and idle; one who has missed
//!    this very call comes after all who have not.
//! 4. No call waits while such an agent of its pool is free, and none waits in a pool without anybody on
//!    duty.
//!
//! Deliberately absent: sockets, a clock, randomness, SIP, and what a caller hears.

mod agent;
mod call;
mod clock;
mod configure;
mod invariants;
mod machine;
mod message;
mod pool;
mod timer;
pub mod world;

pub use machine::Acd;
pub use message::{Agent, Config, Input, Output, Pool, Stage};

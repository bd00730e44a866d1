//! Runs every call of one node: dialplan steps, SIP legs ↔ ACD offers ↔ media commands → facts.
//!
//! [`Node`] is a machine: put an input in with `handle_*`, drain [`Node::poll_output`] until it is empty,
//! sleep until [`Node::poll_timeout`], call [`Node::handle_timeout`]. The same machine runs behind sockets in
//! production and under a virtual clock in tests.
//!
//! Deliberately absent: sockets, clock, randomness, threads, files, database. Who is offered which call is
//! decided in `acd`, what a caller hears next in `dialplan`; this crate only carries their decisions to legs.

mod admission;
mod call;
mod callback;
mod codes;
mod conference;
mod config;
mod configure;
mod facts;
mod hearing;
mod invariants;
mod io;
mod mobile;
mod node;
mod offers;
mod outward;
mod overrides;
mod plans;
mod ports;
mod presence;
mod referral;
mod settle;
mod shifts;
mod supervise;
mod survey;
mod talk;
mod tones;
mod transfer;
mod treatment;
pub mod words;

pub use config::{Agent, Config, Limits, Mobile, Prompts, Restored, Snapshot, Trunk};
pub use io::{Counters, Input, Output};
pub use mobile::PRESS_PROMPT;
pub use node::Node;
pub use ports::MediaPort;

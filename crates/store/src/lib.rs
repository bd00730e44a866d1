//! Calls and tickets in SQLite or PostgreSQL: the only SQL of the project.
//!
//! A call reaches the database once, whole, when nothing more can happen to it:
//!
//! ```text
//! switch thread ─FactSink─▶ bounded buffer ─▶ recorder thread ─▶ journal on disk
//!                                                  │ groups facts by call
//!                                                  ▼ a call is closed
//!                               waiting calls (bounded) ─▶ Store::apply ─▶ database
//!                                                  └▶ spool on disk, while the database lags
//! ```
//!
//! Rules:
//! - A call with a region makes exactly one ticket, abandoned ones too. A call without a region was
//!   refused before any dialplan saw it (an unknown source, an unknown number): it leaves a call record
//!   and no ticket, for there is no bureau to work on one.
//! - Everything is idempotent: facts are told apart by (call, seq) and a call that is stored stays as
//!   it is, so replaying a journal changes no row and no ticket number.
//! - Nothing here is asked by a call under way. A slow, locked or full database delays records, never
//!   calls.
//!
//! Deliberately absent: update of calls (they are history once written), personal data in error texts
//! and logs, and any wait in [`FactSink::push`].

mod counters;
mod dialect;
mod error;
mod fold;
mod history;
mod insert;
mod journal;
mod lasting;
mod ledger;
mod query;
mod record;
mod recorder;
mod segment;
mod spool;
mod store;
mod ticket;
mod worker;
mod writer;

pub use counters::{Monitor, RecorderCounters};
pub use error::Error;
pub use fold::{CallFacts, FoldError, fold, settle_crashed};
pub use history::{Arrivals, History};
pub use lasting::{AgentState, Lasting, PoolState};
pub use record::{
    CallRecord, CallerHistory, Figures, FiguresOfRegion, Leg, Recording, Ticket, TicketState, WholeCall,
};
pub use recorder::{FactSink, Recorder, RecorderConfig};
pub use store::{Applied, QUERY_ROWS_MAX, Store};

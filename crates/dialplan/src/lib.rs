//! What happens to a call before a lawyer hears it: whose county it is, what it is told, where it waits.
//!
//! One TOML file a region. [`Dialplan::parse`] reads it and reports *all* its errors and warnings, each with
//! line and remedy; [`Dialplan::begin`] and [`Dialplan::next`] then lead one call through it: the caller of these
//! carries out each [`Step`] and brings back its [`Outcome`]. Every walk ends, for steps cannot form a loop.
//!
//! Deliberately absent: files (text comes in, tables through [`Context`]), clocks (`now` comes in), choosing a lawyer (`acd`), and
//! anything that speaks SIP or RTP. The reader of TOML, [`doc`], knows nothing of dialplans: the server's
//! own configuration is read with it too.

mod announce;
mod calendar;
mod callers;
mod check;
mod china;
mod context;
mod diff;
pub mod doc;
mod explain;
mod graph;
mod hours;
pub mod number;
mod plan;
mod prefix;
mod problem;
mod read;
mod roster;
mod table;
mod target;
mod version;
mod walk;
mod wants;
mod when;

pub use calendar::{Calendar, Calendars};
pub use callers::{Caller, History, REPEAT_CALLS_MAX, REPEAT_WITHIN_MAX};
pub use china::{china_date, china_day, parse_china_minute, parse_date, show_china_minute};
pub use context::{Context, ReadTable};
pub use diff::Change;
pub use plan::{
    Announce, Begun, County, Cursor, Dialplan, Language, Name, Outcome, Pool, Stage, Step, WrapUpRule,
};
pub use prefix::Origin;
pub use problem::{Checked, Problem, Severity, nearest};
pub use roster::{Assignment, Lawyer, OnShift, Reach, Roster, RosterContext, Staff};
pub use table::{TABLE_BYTES_MAX, TABLE_ROWS_MAX};
pub use target::Target;
pub use time::Date;
pub use wants::{Relaxed, Wants};
pub use when::{Overrides, When};

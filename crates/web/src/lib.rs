//! HTTP: the API, the live feed and the consoles. The only HTTP of the project.
//!
//! ```text
//! facts thread ─FactRecord─▶ Live (board.rs folds, live.rs numbers and sends) ─SSE─▶ browsers
//!                            store ◀─queries─ api ─Command─▶ switch
//! ```
//!
//! Rules:
//! - A browser gets a snapshot and then deltas; a gap means a new snapshot. Nobody waits for a slow one.
//! - Phone numbers and names of callers leave this crate masked, always.
//! - There are no logins yet, so it serves loopback only: [`check_listen`] refuses other addresses, and a
//!   request whose `Host` is not a loopback name is refused too (DNS rebinding).
//!
//! Deliberately absent: decisions about calls (they are the switch's) and SQL (the store's).

mod api;
mod app;
pub mod board;
mod directory;
mod guard;
mod live;
mod metrics;
mod problem;
mod records;
mod server;
mod site;
pub mod view;

pub use api::openapi_json;
pub use app::{App, COMMANDS_MAX, Command};
pub use directory::{Agent, Directory, Pool, Region};
pub use guard::{NotLoopback, check_listen};
pub use live::{BACKLOG_DELTAS_MAX, BEAT_INTERVAL, CLIENTS_MAX, Live};
pub use server::{ServeError, serve};
pub use view::Name;

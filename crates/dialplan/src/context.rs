//! What a dialplan speaks of and does not hold.

use crate::calendar::Calendars;
use std::collections::BTreeSet;

/// Opens a table by the name that the dialplan has for it, relative to the dialplan's own folder.
pub type ReadTable<'c> = dyn Fn(&str) -> Result<Vec<u8>, String> + 'c;

/// What the shell brings when a dialplan is read.
#[derive(Clone, Copy)]
pub struct Context<'c> {
    /// The recordings that exist.
    pub prompts: &'c BTreeSet<String>,
    pub calendars: &'c Calendars,
    pub tables: &'c ReadTable<'c>,
    /// This year in China: its holidays should be known, and dates before it are past.
    pub year: i32,
}

impl<'c> Context<'c> {
    /// A context without tables.
    #[must_use]
    pub fn new(prompts: &'c BTreeSet<String>, calendars: &'c Calendars, year: i32) -> Self {
        Self { prompts, calendars, tables: &no_table, year }
    }

    #[must_use]
    pub fn with_tables(self, tables: &'c ReadTable<'c>) -> Self {
        Self { tables, ..self }
    }
}

fn no_table(_: &str) -> Result<Vec<u8>, String> {
    Err("there are no tables here".to_owned())
}

//! Who calls: what numbers and tables tell of a caller, what the records do, and whose turn comes earlier for it.

use crate::context::Context;
use crate::doc::{Section, show_duration};
use crate::number::normalise;
use crate::prefix::pack;
use crate::table::Rows;
use crate::version::Digest;
use domain::{AgentId, Timestamp, TrunkId};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::ops::RangeInclusive;
use std::time::Duration;

const REPEAT_WITHIN: RangeInclusive<Duration> = Duration::from_secs(60)..=Duration::from_secs(7 * 86_400);

/// Who is a caller of which kind. `[callers]` of the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Callers {
    /// Numbers of people of 60 years and more, packed and sorted.
    elderly: Vec<u64>,
    /// Of 12345, which passes citizens on.
    numbers_12345: BTreeSet<String>,
    trunks_12345: BTreeSet<TrunkId>,
    /// A repeated call has so many earlier ones ...
    pub(crate) repeat_calls: u32,
    /// ... within this.
    pub(crate) repeat_within: Duration,
}

/// What is known of a caller when the call comes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Caller {
    pub is_elderly: bool,
    pub is_from_12345: bool,
    /// What the records tell; none as long as they have not answered.
    pub history: Option<History>,
}

/// A caller's earlier calls.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct History {
    /// The lawyer who last spoke with this caller, and when that began.
    pub last_talk: Option<(AgentId, Timestamp)>,
    /// When calls of the last days arrived, at most as many as [`REPEAT_CALLS_MAX`].
    pub arrivals: Vec<Timestamp>,
}

/// No rule asks for more earlier calls than so many.
pub const REPEAT_CALLS_MAX: u32 = 20;
/// No rule asks for what is longer ago.
pub const REPEAT_WITHIN_MAX: Duration = *REPEAT_WITHIN.end();

impl Default for Callers {
    fn default() -> Self {
        Self {
            elderly: Vec::new(),
            numbers_12345: BTreeSet::new(),
            trunks_12345: BTreeSet::new(),
            repeat_calls: 1,
            repeat_within: Duration::from_secs(86_400),
        }
    }
}

impl Callers {
    /// The table is no part of the dialplan's own text.
    pub(crate) fn digest(&self, digest: &mut Digest) {
        self.elderly.iter().for_each(|number| digest.take(&number.to_le_bytes()));
    }

    /// In words, without anybody's number.
    pub(crate) fn words(&self) -> Vec<(&'static str, String)> {
        let trunks: Vec<&str> = self.trunks_12345.iter().map(TrunkId::as_str).collect();
        let numbers: Vec<&str> = self.numbers_12345.iter().map(String::as_str).collect();
        let repeated = format!("{} calls within {}", self.repeat_calls, show_duration(self.repeat_within));
        vec![
            ("elderly", format!("{} numbers", self.elderly.len())),
            ("numbers_12345", numbers.join(", ")),
            ("trunks_12345", trunks.join(", ")),
            ("repeated", repeated),
        ]
    }

    pub(crate) fn read(section: &Section<'_>, file: &str, area_code: &str, context: &Context<'_>) -> Self {
        let default = Self::default();
        let numbers = section.list_or_empty("numbers_12345");
        let mut numbers_12345 = BTreeSet::new();
        for number in &numbers {
            let normal = normalise(&number.value, area_code);
            if normal.is_empty() {
                let what = format!("\"{}\" is no telephone number", number.value);
                section.doc().problem(number.line, what, "write it as the trunk sends it, like \"12345\"");
            }
            numbers_12345.insert(normal);
        }
        let trunks = section.list_or_empty("trunks_12345");
        Self {
            elderly: read_elderly(section, file, area_code, context),
            numbers_12345,
            trunks_12345: trunks.iter().map(|trunk| TrunkId::new(&trunk.value)).collect(),
            repeat_calls: section.int_or("repeat_calls", default.repeat_calls, 1..=REPEAT_CALLS_MAX),
            repeat_within: section.duration_or("repeat_within", default.repeat_within, REPEAT_WITHIN),
        }
    }

    /// By a normalised number and the trunk that the call came over.
    pub(crate) fn who(&self, number: &str, trunk: Option<&TrunkId>) -> Caller {
        let is_elderly = !number.is_empty() && self.elderly.binary_search(&pack(number)).is_ok();
        let by_trunk = trunk.is_some_and(|trunk| self.trunks_12345.contains(trunk));
        let is_from_12345 = by_trunk || self.numbers_12345.contains(number);
        Caller { is_elderly, is_from_12345, history: None }
    }

    /// A number behind which everybody may be who calls 12345.
    pub(crate) fn is_12345(&self, number: &str) -> bool {
        self.numbers_12345.contains(number)
    }

    pub(crate) fn knows_elderly(&self) -> bool {
        !self.elderly.is_empty()
    }

    pub(crate) fn knows_12345(&self) -> bool {
        !self.numbers_12345.is_empty() || !self.trunks_12345.is_empty()
    }

    /// Whether the caller has called often enough before.
    pub(crate) fn is_repeated(&self, caller: &Caller, now: Timestamp) -> bool {
        let arrivals = caller.history.iter().flat_map(|history| &history.arrivals);
        let recent = arrivals.filter(|arrival| now - **arrival <= self.repeat_within).count();
        recent >= self.repeat_calls as usize
    }
}

/// `elderly = "elderly.csv"`: rows `number` or `number,comment`.
fn read_elderly(section: &Section<'_>, file: &str, area_code: &str, context: &Context<'_>) -> Vec<u64> {
    let Some(name) = section.opt_str("elderly") else { return Vec::new() };
    let table = file.rsplit_once('/').map_or_else(|| name.clone(), |(folder, _)| format!("{folder}/{name}"));
    match (context.tables)(&name) {
        Ok(bytes) => {
            let rows = Rows { area_code, places: None };
            let (entries, problems) = rows.read(&table, &bytes);
            problems.into_iter().for_each(|problem| section.doc().note(problem));
            let mut numbers: Vec<u64> = entries.iter().map(|entry| entry.key).collect();
            numbers.sort_unstable();
            numbers
        }
        Err(error) => {
            let what = format!("the table {table} cannot be read: {error}");
            section.problem("elderly", what, "name a CSV file beside the dialplan");
            Vec::new()
        }
    }
}

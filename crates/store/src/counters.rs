//! What the recorder tells of itself while it runs.

use domain::FactRecord;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use tokio::sync::watch;

/// A moment's view of the recorder. Counters named by a past participle only rise while the server runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RecorderCounters {
    /// Facts that the switch has pushed and the recorder has not taken yet.
    pub facts_buffered: u64,
    /// Facts that found the buffer full, or that no memory, disk or database would take: lost, unless the
    /// journal holds them until the next start.
    pub facts_dropped: u64,
    /// Facts that went on to the database without a line in the journal, because the disk was full: a
    /// crash meanwhile would have lost them.
    pub facts_unjournalled: u64,
    /// Calls under way, or whose last fact is still to come.
    pub calls_live: u64,
    /// Closed calls in memory that the database does not have yet.
    pub calls_pending: u64,
    pub calls_stored: u64,
    /// Calls that the database can never take; they are kept in `refused.jsonl` in the spool folder.
    pub calls_refused: u64,
    /// Journal and spool on disk.
    pub spooled_bytes: u64,
    /// Age of the oldest closed call that the database does not have yet.
    pub db_lag_ms: u64,
}

/// Watches a recorder from anywhere.
#[derive(Clone, Debug)]
pub struct Monitor {
    pub(crate) shared: Arc<Shared>,
}

impl Monitor {
    #[must_use]
    pub fn counters(&self) -> RecorderCounters {
        let shared = &self.shared;
        RecorderCounters {
            facts_buffered: shared.facts_buffered.load(Relaxed),
            facts_dropped: shared.facts_dropped.load(Relaxed),
            facts_unjournalled: shared.facts_unjournalled.load(Relaxed),
            calls_live: shared.calls_live.load(Relaxed),
            calls_pending: shared.calls_pending.load(Relaxed),
            calls_stored: shared.calls_stored.load(Relaxed),
            calls_refused: shared.calls_refused.load(Relaxed),
            spooled_bytes: shared.spooled_bytes.load(Relaxed),
            db_lag_ms: shared.db_lag_ms.load(Relaxed),
        }
    }

    /// Waits until every call that was closed by a fact up to and including `seq` is in the database, or
    /// the recorder has ended.
    pub async fn flushed(&self, seq: u64) {
        let mut progress = self.shared.flushed_seq.subscribe();
        // The sender lives in `shared`, which this monitor holds.
        let _ = progress.wait_for(|flushed| *flushed >= seq || self.shared.ended.load(Relaxed)).await;
    }
}

/// The gauges and counters themselves, and what the recorder's owner asks of its thread.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) facts_buffered: AtomicU64,
    pub(crate) facts_dropped: AtomicU64,
    pub(crate) facts_unjournalled: AtomicU64,
    pub(crate) calls_live: AtomicU64,
    pub(crate) calls_pending: AtomicU64,
    pub(crate) calls_stored: AtomicU64,
    pub(crate) calls_refused: AtomicU64,
    pub(crate) spooled_bytes: AtomicU64,
    pub(crate) db_lag_ms: AtomicU64,
    /// Store what is closed, then end.
    pub(crate) draining: AtomicBool,
    /// End now; the journal keeps what is not stored.
    pub(crate) ended: AtomicBool,
    pub(crate) flushed_seq: watch::Sender<u64>,
}

impl Default for Shared {
    fn default() -> Self {
        Self {
            facts_buffered: AtomicU64::default(),
            facts_dropped: AtomicU64::default(),
            facts_unjournalled: AtomicU64::default(),
            calls_live: AtomicU64::default(),
            calls_pending: AtomicU64::default(),
            calls_stored: AtomicU64::default(),
            calls_refused: AtomicU64::default(),
            spooled_bytes: AtomicU64::default(),
            db_lag_ms: AtomicU64::default(),
            draining: AtomicBool::default(),
            ended: AtomicBool::default(),
            flushed_seq: watch::Sender::new(0),
        }
    }
}

impl Shared {
    pub(crate) fn drop_facts(&self, facts: &[FactRecord]) {
        self.facts_dropped.fetch_add(facts.len() as u64, Relaxed);
    }
}

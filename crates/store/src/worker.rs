//! The recorder's thread: buffer → journal → calls → database task or spool.
//!
//! It wakes every [`TICK`] and never waits for the database. Nobody wakes it, because a wake-up per fact
//! would cost more than all that it does with the fact.

use crate::counters::Shared;
use crate::fold::CallFacts;
use crate::journal::{self, Journal, Safe};
use crate::lasting::{Lasting, Latest};
use crate::ledger::{ClosedCall, Ledger};
use crate::recorder::RecorderConfig;
use crate::segment::{self, SegmentReader, SegmentWriter};
use crate::spool::Spool;
use crate::writer::{Done, Job};
use domain::{FactRecord, Timestamp};
use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::mpsc::{Receiver, TryRecvError};
use std::time::{Duration, Instant, SystemTime};
use tokio::sync::{mpsc, oneshot};

const TICK: Duration = Duration::from_millis(20);
/// Deleting a file needs a durable database, which costs a disk flush: not more often than this.
const SETTLE_EVERY: Duration = Duration::from_secs(1);
/// The same trouble is reported once in this time.
const REPORT_EVERY: Duration = Duration::from_secs(60);
/// When memory, disk and database are all full, this many times `pending_calls_max` stay in memory.
const PENDING_LAST_RESORT: usize = 4;
/// Calls that no database will take are kept for a human, up to this much.
const REFUSED_BYTES_MAX: u64 = 64 << 20;

/// What the database task is doing now.
#[derive(Debug, Default)]
struct InFlight {
    /// Journal segments that each call pins. Calls of the spool pin none.
    pins: BTreeMap<domain::CallId, Vec<u64>>,
    /// Those that what outlives a restart pins.
    lasting_pins: Vec<u64>,
    from_spool: bool,
    /// First number and time of a last fact among its calls.
    oldest: Option<(u64, Timestamp)>,
    /// Journal segments and spool files to delete if the database turns out durable.
    settles: Option<(Vec<u64>, Vec<u64>)>,
}

/// Journal segments of an earlier run that are still to be read.
#[derive(Debug)]
struct Replay {
    segments: VecDeque<u64>,
    calls: Ledger,
}

pub(crate) struct Worker {
    config: RecorderConfig,
    facts: Receiver<FactRecord>,
    jobs: mpsc::Sender<Job>,
    done: Receiver<Done>,
    shared: Arc<Shared>,
    journal: Journal,
    spool: Spool,
    replay: Option<Replay>,
    /// Told when the journal of the earlier run is read: what it says of agents and pools.
    replayed: Option<oneshot::Sender<Vec<Lasting>>>,
    live: Ledger,
    latest: Latest,
    /// Closed calls on their way to the database, oldest first.
    pending: VecDeque<ClosedCall>,
    /// When the database may be given calls again, unless there are many.
    transaction_at: Instant,
    /// Likewise what outlives a restart.
    lasting_at: Instant,
    in_flight: Option<InFlight>,
    settle_at: Instant,
    /// The files that the last calls leave are deleted in one attempt, for the server wants to end.
    settled_last: bool,
    taken_seq: u64,
    disk_trouble: Report,
    database_trouble: Report,
    dropping: Report,
    dropped_before: u64,
}

impl Worker {
    pub(crate) fn new(
        config: RecorderConfig,
        facts: Receiver<FactRecord>,
        (jobs, done): (mpsc::Sender<Job>, Receiver<Done>),
        (journal, old, spool): (Journal, Vec<u64>, Spool),
        replayed: oneshot::Sender<Vec<Lasting>>,
        shared: Arc<Shared>,
    ) -> Self {
        Self {
            config,
            facts,
            jobs,
            done,
            shared,
            journal,
            spool,
            replay: Some(Replay { segments: old.into(), calls: Ledger::default() }),
            replayed: Some(replayed),
            live: Ledger::default(),
            latest: Latest::default(),
            pending: VecDeque::new(),
            transaction_at: Instant::now(),
            lasting_at: Instant::now(),
            in_flight: None,
            settle_at: Instant::now(),
            settled_last: false,
            taken_seq: 0,
            disk_trouble: Report::default(),
            database_trouble: Report::default(),
            dropping: Report::default(),
            dropped_before: 0,
        }
    }

    pub(crate) fn run(mut self, drained: oneshot::Sender<()>) {
        while !self.shared.ended.load(Relaxed) {
            let now = Instant::now();
            // First, so that what it finds empty stays so until the facts pushed before it are stored.
            let draining = self.shared.draining.load(Relaxed);
            self.replay_segment();
            let (closed, more) = self.take_facts();
            // Before anything else has the calls, so that neither spool nor database is ahead of it.
            let written = self.journal.write(now);
            self.report_disk("journal", written, now);
            closed.into_iter().for_each(|call| self.close(call));
            self.hear_database(now);
            let rolled = self.journal.roll(now, draining);
            self.report_disk("journal", rolled, now);
            if !draining {
                self.carry_lasting();
            }
            self.feed_database(now, draining);
            self.publish(now);
            if draining && !more && self.is_idle() {
                // Nobody may be waiting any more.
                let _ = drained.send(());
                break;
            }
            if !more && self.replay.is_none() {
                std::thread::park_timeout(TICK);
            }
        }
        self.shared.ended.store(true, Relaxed);
        self.shared.flushed_seq.send_modify(|_| {});
    }

    /// Reads one segment of an earlier run. What that run did not finish ends when all are read.
    fn replay_segment(&mut self) {
        let Some(mut replay) = self.replay.take() else { return };
        if let Some(id) = replay.segments.pop_front() {
            if let Err(error) = self.replay_file(&mut replay.calls, id) {
                tracing::error!(segment = id, %error, "cannot read a journal segment; it is kept");
            } else {
                self.journal.release(&[id], Safe::InSpool);
            }
            self.replay = Some(replay);
            return;
        }
        if let Some(replayed) = self.replayed.take() {
            // Nobody may want to know.
            let _ = replayed.send(self.latest.all());
        }
        let unfinished = replay.calls.settle();
        if !unfinished.is_empty() {
            tracing::warn!(calls = unfinished.len(), "calls that the last run left unfinished are failed");
        }
        unfinished.into_iter().for_each(|call| self.close(call));
    }

    fn replay_file(&mut self, calls: &mut Ledger, id: u64) -> io::Result<()> {
        let path = segment::path(&self.config.spool_dir, journal::KIND, id);
        let mut reader = SegmentReader::open(&path)?;
        while let Some(record) = reader.next()? {
            if let Some(state) = Lasting::of(&record) {
                if self.latest.wants(&state) && self.latest.take(state, Some(id)) {
                    self.journal.pin(id);
                }
                continue;
            }
            // What belongs to no call is the rest of one whose first segment is gone: it is stored.
            let Some(call) = record.fact.call().filter(|call| calls.wants(*call, &record.fact)) else {
                continue;
            };
            let taken = calls.take(call, record, Some(id));
            if taken.pins {
                self.journal.pin(id);
            }
            taken.closed.into_iter().for_each(|call| self.close(call));
        }
        if reader.torn > 0 {
            tracing::warn!(segment = id, lines = reader.torn, "a journal segment was cut off by a crash");
        }
        Ok(())
    }

    /// Takes what is in the buffer, at most as much as fits into it: the calls that are closed by that,
    /// and whether there may be more.
    fn take_facts(&mut self) -> (Vec<ClosedCall>, bool) {
        let room = self.has_disk_room();
        let mut closed = Vec::new();
        let mut taken = 0;
        while taken < self.config.buffer_facts {
            let Ok(record) = self.facts.try_recv() else { break };
            taken += 1;
            closed.extend(self.take_fact(record, room));
        }
        self.shared.facts_buffered.fetch_sub(taken as u64, Relaxed);
        (closed, taken == self.config.buffer_facts)
    }

    fn take_fact(&mut self, record: FactRecord, room: bool) -> Option<ClosedCall> {
        self.taken_seq = self.taken_seq.max(record.seq);
        if let Some(state) = Lasting::of(&record) {
            self.take_lasting(state, &record, room);
            return None;
        }
        let call = record.fact.call()?;
        if !self.live.wants(call, &record.fact) {
            self.shared.drop_facts(std::slice::from_ref(&record));
            return None;
        }
        let noted = room && self.journal.note(&record);
        if !noted {
            self.shared.facts_unjournalled.fetch_add(1, Relaxed);
        }
        let segment = self.journal.active();
        let taken = self.live.take(call, record, noted.then_some(segment));
        if taken.pins {
            self.journal.pin(segment);
        }
        taken.closed
    }

    fn take_lasting(&mut self, state: Lasting, record: &FactRecord, room: bool) {
        if !self.latest.wants(&state) {
            return;
        }
        let noted = room && self.journal.note(record);
        if !noted {
            self.shared.facts_unjournalled.fetch_add(1, Relaxed);
        }
        let segment = self.journal.active();
        if self.latest.take(state, noted.then_some(segment)) {
            self.journal.pin(segment);
        }
    }

    /// Writes what the database does not have of agents and pools into the active segment again, so that a database that
    /// is away for long does not keep every segment on the disk. A power failure before that segment is on the
    /// disk may then lose the last changes.
    fn carry_lasting(&mut self) {
        let active = self.journal.active();
        if !self.latest.is_left_behind(active) || !self.has_disk_room() {
            return;
        }
        if self.latest.unsaved().all(|state| self.journal.note(&state.record())) {
            self.journal.pin(active);
            let left = self.latest.carried_to(active);
            self.journal.release(&left, Safe::InSpool);
        }
    }

    fn has_disk_room(&self) -> bool {
        self.journal.bytes() + self.spool.bytes() < self.config.disk_bytes_max
    }

    /// Sends a closed call on its way: to the database while that keeps up, else to the spool. Calls keep
    /// their order: while any is in the spool, the next one goes there too.
    fn close(&mut self, call: ClosedCall) {
        let limit = self.config.pending_calls_max;
        if !self.spool.is_empty() || self.pending.len() >= limit {
            let spooled = match self.has_disk_room() {
                true => self.spool.push(&call.facts),
                false => Err(io::ErrorKind::QuotaExceeded.into()),
            };
            match spooled {
                Ok(()) => return self.journal.release(&call.segments, Safe::InSpool),
                Err(error) => self.report_disk("spool", Err(error), Instant::now()),
            }
            if self.pending.len() >= limit * PENDING_LAST_RESORT {
                // Its pins stay: what the journal has of it comes back at the next start.
                self.shared.drop_facts(&call.facts);
                return;
            }
        }
        self.pending.push_back(call);
    }

    fn hear_database(&mut self, now: Instant) {
        let done = match self.done.try_recv() {
            Ok(done) => done,
            Err(TryRecvError::Empty) => return,
            Err(TryRecvError::Disconnected) => {
                if self.database_trouble.is_due(now) {
                    tracing::error!("the database task is gone; calls wait on disk for the next start");
                }
                return;
            }
        };
        let Some(mut in_flight) = self.in_flight.take() else { return };
        self.shared.calls_stored.fetch_add(done.stored as u64, Relaxed);
        for (call, reason) in done.refused {
            self.shared.calls_refused.fetch_add(1, Relaxed);
            tracing::error!(call = %call.call, reason, "the database cannot take this call; see refused.jsonl");
            if let Err(error) = self.keep_refused(&call) {
                // Its pins stay, so that the journal keeps it.
                in_flight.pins.remove(&call.call);
                self.report_disk("refused.jsonl", Err(error), now);
            }
        }
        in_flight.pins.values().for_each(|pins| self.journal.release(pins, Safe::InDatabase));
        self.journal.release(&in_flight.lasting_pins, Safe::InDatabase);
        if in_flight.from_spool {
            self.spool.stored();
        }
        if let Some((segments, files)) = in_flight.settles.filter(|_| done.durable) {
            self.journal.remove(&segments);
            self.spool.remove(&files);
        }
    }

    fn keep_refused(&self, call: &CallFacts) -> io::Result<()> {
        let mut lines = Vec::new();
        for record in &call.facts {
            segment::put_line(&mut lines, record)?;
        }
        let mut file = SegmentWriter::create(&self.config.spool_dir.join("refused.jsonl"))?;
        if file.bytes() + lines.len() as u64 > REFUSED_BYTES_MAX {
            return Err(io::ErrorKind::QuotaExceeded.into());
        }
        file.append(&lines)?;
        file.sync()
    }

    /// Gives the database its next calls, oldest first, if it is done with the last ones.
    fn feed_database(&mut self, now: Instant, draining: bool) {
        if self.in_flight.is_some() {
            return;
        }
        let (calls, mut in_flight) = if self.pending.is_empty() {
            self.read_spool(now)
        } else if now >= self.transaction_at || draining || self.pending.len() >= self.config.batch_calls {
            self.take_pending(now)
        } else {
            return;
        };
        let nothing_left = calls.is_empty() && self.spool.is_empty() && self.latest.is_saved();
        let last = draining && nothing_left && !self.settled_last;
        self.settled_last |= last;
        let settles = (last || now >= self.settle_at).then(|| self.removable(now)).flatten();
        let lasting_is_due = !self.latest.is_saved() && (now >= self.lasting_at || draining);
        if calls.is_empty() && settles.is_none() && !lasting_is_due {
            return;
        }
        let mut lasting = Vec::new();
        if lasting_is_due {
            (lasting, in_flight.lasting_pins) = self.latest.take_unsaved();
            self.lasting_at = now + self.config.transaction_every;
        }
        let job = Job { calls, lasting, settle: settles.is_some() };
        in_flight.settles = settles;
        // It fails only when the runtime is gone and the server ends: the journal keeps the calls.
        if self.jobs.try_send(job).is_ok() {
            self.in_flight = Some(in_flight);
        }
    }

    fn take_pending(&mut self, now: Instant) -> (Vec<CallFacts>, InFlight) {
        let count = self.pending.len().min(self.config.batch_calls);
        let oldest = self.pending.front().map(|call| (call.seq, call.at));
        let mut in_flight = InFlight { oldest, ..InFlight::default() };
        let mut calls = Vec::with_capacity(count);
        for call in self.pending.drain(..count) {
            in_flight.pins.entry(call.call).or_default().extend(call.segments);
            calls.push(CallFacts { call: call.call, facts: call.facts });
        }
        self.transaction_at = now + self.config.transaction_every;
        (calls, in_flight)
    }

    fn read_spool(&mut self, now: Instant) -> (Vec<CallFacts>, InFlight) {
        let calls = self.spool.read(self.config.batch_calls).unwrap_or_else(|error| {
            self.report_disk("spool", Err(error), now);
            Vec::new()
        });
        let oldest = calls.first().and_then(|call| call.facts.last()).map(|last| (last.seq, last.at));
        (calls, InFlight { from_spool: true, oldest, ..InFlight::default() })
    }

    /// Files to delete once the database is durable. A segment whose calls went to the spool goes at
    /// once, so the spool must be on the disk first.
    fn removable(&mut self, now: Instant) -> Option<(Vec<u64>, Vec<u64>)> {
        self.settle_at = now + SETTLE_EVERY;
        if let Err(error) = self.spool.sync() {
            self.report_disk("spool", Err(error), now);
            return None;
        }
        let files = (self.journal.removable(), self.spool.removable());
        (!files.0.is_empty() || !files.1.is_empty()).then_some(files)
    }

    fn is_idle(&self) -> bool {
        self.replay.is_none()
            && self.pending.is_empty()
            && self.latest.is_saved()
            && self.in_flight.is_none()
            && self.spool.is_empty()
            && self.journal.is_written()
    }

    fn publish(&mut self, now: Instant) {
        let shared = Arc::clone(&self.shared);
        let in_flight = self.in_flight.as_ref().map_or(0, |in_flight| in_flight.pins.len());
        shared.calls_live.store(self.live.len() as u64, Relaxed);
        shared.calls_pending.store((self.pending.len() + in_flight) as u64, Relaxed);
        shared.spooled_bytes.store(self.journal.bytes() + self.spool.bytes(), Relaxed);
        let pending = self.pending.front().map(|call| (call.seq, call.at));
        let oldest = self.in_flight.as_ref().and_then(|in_flight| in_flight.oldest).or(pending);
        shared.db_lag_ms.store(oldest.map_or(0, |(_, at)| ms_since(at)), Relaxed);
        if self.spool.is_empty() && self.replay.is_none() {
            let flushed = oldest.map_or(self.taken_seq, |(seq, _)| seq.saturating_sub(1));
            shared.flushed_seq.send_if_modified(|seq| {
                let rises = flushed > *seq;
                *seq = flushed.max(*seq);
                rises
            });
        }
        let dropped = shared.facts_dropped.load(Relaxed);
        if dropped > self.dropped_before && self.dropping.is_due(now) {
            tracing::error!(facts = dropped - self.dropped_before, "facts of calls were dropped");
            self.dropped_before = dropped;
        }
    }

    fn report_disk(&mut self, what: &str, outcome: io::Result<()>, now: Instant) {
        let Err(error) = outcome else { return };
        if self.disk_trouble.is_due(now) {
            tracing::error!(what, %error, "the disk takes no facts; they wait in memory");
        }
    }
}

/// Says when the same trouble may be reported again.
#[derive(Debug, Default)]
struct Report {
    last: Option<Instant>,
}

impl Report {
    fn is_due(&mut self, now: Instant) -> bool {
        let due = self.last.is_none_or(|last| now.duration_since(last) >= REPORT_EVERY);
        if due {
            self.last = Some(now);
        }
        due
    }
}

fn ms_since(at: Timestamp) -> u64 {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(now.as_millis() as i64 - at.as_ms()).unwrap_or(0)
}

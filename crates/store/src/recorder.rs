//! The recorder's outside: where facts go in, and how it is started, watched and stopped.

use crate::counters::{Monitor, Shared};
use crate::journal::Journal;
use crate::lasting::{self, Lasting};
use crate::spool::Spool;
use crate::store::Store;
use crate::worker::Worker;
use crate::{Error, writer};
use domain::FactRecord;
use std::fs::{DirBuilder, File, TryLockError};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use tokio::task::AbortHandle;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecorderConfig {
    /// Folder of journal and spool, for this server alone. It holds phone numbers.
    pub spool_dir: PathBuf,
    /// Facts between the switch and the recorder's thread; a fact that finds it full is dropped.
    pub buffer_facts: usize,
    /// Closed calls that wait in memory for the database; more of them wait in the spool.
    pub pending_calls_max: usize,
    /// Closed calls in one transaction.
    pub batch_calls: usize,
    /// From one transaction to the next, at least: calls that close meanwhile share it.
    pub transaction_every: Duration,
    /// Journal and spool together, in bytes.
    pub disk_bytes_max: u64,
}

impl RecorderConfig {
    /// Bounds for 500 calls a second: two seconds of facts in the buffer, about ten minutes of calls on
    /// disk.
    #[must_use]
    pub fn new(spool_dir: impl Into<PathBuf>) -> Self {
        Self {
            spool_dir: spool_dir.into(),
            buffer_facts: 16_384,
            pending_calls_max: 2_048,
            batch_calls: 256,
            transaction_every: Duration::from_secs(1),
            disk_bytes_max: 1 << 30,
        }
    }
}

/// Where the switch puts its facts.
#[derive(Clone, Debug)]
pub struct FactSink {
    buffer: SyncSender<FactRecord>,
    shared: Arc<Shared>,
}

impl FactSink {
    /// Hands a fact over. Never waits: a fact that finds the buffer full is counted as dropped.
    pub fn push(&self, record: FactRecord) {
        self.shared.facts_buffered.fetch_add(1, Relaxed);
        match self.buffer.try_send(record) {
            Ok(()) => {}
            Err(TrySendError::Full(record) | TrySendError::Disconnected(record)) => {
                self.shared.facts_buffered.fetch_sub(1, Relaxed);
                self.shared.drop_facts(std::slice::from_ref(&record));
            }
        }
    }
}

/// Takes facts to the database by way of the journal. Dropping it is like a crash: it ends at once and
/// the next start finds the rest in the journal; [`Recorder::stop`] is the polite end.
#[derive(Debug)]
pub struct Recorder {
    shared: Arc<Shared>,
    drained: Option<oneshot::Receiver<()>>,
    replayed: Option<oneshot::Receiver<Vec<Lasting>>>,
    thread: Option<JoinHandle<()>>,
    writer: AbortHandle,
}

impl Recorder {
    /// Starts the recorder's thread, and its database task on the tokio runtime that this is called in.
    ///
    /// Facts that an earlier run left in the spool folder are stored now; calls that it left unfinished
    /// become `Departure::Failed`.
    ///
    /// # Errors
    /// If the folder cannot be read or made, or is in use by another server.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    pub fn start(store: Store, config: RecorderConfig) -> Result<(FactSink, Self), Error> {
        let lock = lock(&config.spool_dir)?;
        let (journal, old) = Journal::open(&config.spool_dir).map_err(Error::file(&config.spool_dir))?;
        let spool = Spool::open(&config.spool_dir).map_err(Error::file(&config.spool_dir))?;
        let shared = Arc::new(Shared::default());
        let (buffer, facts) = sync_channel(config.buffer_facts);
        let (jobs, jobs_in) = mpsc::channel(1);
        let (done_out, done) = sync_channel(1);
        let (drained_out, drained) = oneshot::channel();
        let writer = tokio::spawn(writer::run(store, jobs_in, done_out, Arc::clone(&shared))).abort_handle();
        let (replayed_out, replayed) = oneshot::channel();
        let files = (journal, old, spool);
        let worker = Worker::new(config, facts, (jobs, done), files, replayed_out, Arc::clone(&shared));
        let thread = std::thread::Builder::new().name("recorder".to_owned()).spawn(move || {
            // The folder is ours until the thread ends.
            let _lock = lock;
            worker.run(drained_out);
        });
        let thread = thread.map_err(Error::file(Path::new("recorder thread")))?;
        let sink = FactSink { buffer, shared: Arc::clone(&shared) };
        let (drained, replayed) = (Some(drained), Some(replayed));
        Ok((sink, Self { shared, drained, replayed, thread: Some(thread), writer }))
    }

    /// The latest of every agent and pool, as the database and the journal of the last run tell it, for whoever
    /// begins where that run stopped. Ask once, before the first fact. A journal that is not read within
    /// `patience` is left out, and logged.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub async fn lasting(&mut self, store: &Store, patience: Duration) -> Result<Vec<Lasting>, Error> {
        let journalled = match self.replayed.take() {
            Some(replayed) => tokio::time::timeout(patience, replayed).await.unwrap_or_else(|_| {
                tracing::warn!(
                    "the journal takes long to read; agents and pools are as the database has them"
                );
                Ok(Vec::new())
            }),
            None => Ok(Vec::new()),
        };
        // The thread tells nothing if it has ended.
        let journalled = journalled.unwrap_or_default();
        Ok(lasting::newest(store.lasting().await?.into_iter().chain(journalled)))
    }

    #[must_use]
    pub fn monitor(&self) -> Monitor {
        Monitor { shared: Arc::clone(&self.shared) }
    }

    /// Stores every call that is closed, then ends; true if that was done within `patience`. What is left
    /// stays in the journal. Facts pushed from now on are not looked for.
    pub async fn stop(mut self, patience: Duration) -> bool {
        self.shared.draining.store(true, Relaxed);
        if let Some(thread) = &self.thread {
            thread.thread().unpark();
        }
        let Some(drained) = self.drained.take() else { return false };
        matches!(tokio::time::timeout(patience, drained).await, Ok(Ok(())))
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        self.shared.ended.store(true, Relaxed);
        self.shared.flushed_seq.send_modify(|_| {});
        self.writer.abort();
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            if thread.join().is_err() {
                tracing::error!("the recorder's thread panicked");
            }
        }
    }
}

fn lock(dir: &Path) -> Result<File, Error> {
    DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(Error::file(dir))?;
    let path = dir.join("lock");
    let file = File::create(&path).map_err(Error::file(&path))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(Error::SpoolInUse { path: dir.to_owned() }),
        Err(TryLockError::Error(source)) => Err(Error::File { path, source }),
    }
}

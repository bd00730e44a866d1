//! The thread that writes recordings: chunks in, files and their segments out.
//!
//! After every chunk (half a second) the header is rewritten, so a file is valid whenever the process is
//! killed; a second thread forces the file system to the disk every second, so that also a power failure
//! costs no more than that. What could not be written in time, or at all while the disk was full, is
//! silence in the file once writing works again: the channels never shift.

use crate::media::{MediaConfig, Sink, Tallies, sync_filesystem};
use media::g711::ALAW_SILENCE;
use media::wav::{self, FRAME_BYTES};
use media::{Event, RecordingId, RecordingJob, SAMPLES_PER_MS, Segment};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

/// Jobs that the writer may be behind with, 8 KB each at most.
const JOBS_MAX: usize = 512;
/// How long jobs pile up before the writer looks at them: a tenth of what its queue holds of 400 calls.
const GATHER: Duration = Duration::from_millis(20);
/// Empty chunk buffers on their way back to a shard.
const EMPTIES_MAX: usize = 64;
/// Files kept open; others are opened anew for each chunk.
const FILES_MAX: usize = 512;
/// Segments kept of one recording; what comes after belongs to the last.
const SEGMENTS_MAX: usize = 1000;
/// Silence written at a time into a gap.
const SILENCE: [u8; 8192] = [ALAW_SILENCE; 8192];

/// A job and the shard that gets the buffer back.
pub(crate) struct Job {
    pub shard: u16,
    pub job: RecordingJob,
}

/// The running threads. They end when all copies of `jobs` are dropped.
pub(crate) struct Writer {
    pub jobs: SyncSender<Job>,
    /// One a shard.
    pub empties: Vec<Receiver<Vec<u8>>>,
    pub threads: Vec<JoinHandle<()>>,
}

pub(crate) fn start(
    config: &MediaConfig,
    shards: u16,
    sink: Sink,
    tallies: Arc<Tallies>,
) -> io::Result<Writer> {
    std::fs::create_dir_all(&config.recordings_dir)?;
    let (jobs, inbox) = sync_channel::<Job>(JOBS_MAX);
    let (returns, empties): (Vec<_>, Vec<_>) = (0..shards).map(|_| sync_channel(EMPTIES_MAX)).unzip();
    let dirty = Arc::new(AtomicBool::new(false));
    let (alive, ended) = sync_channel::<()>(1);
    let mut threads = Vec::new();
    let mut recorder = Recorder::new(config.recordings_dir.clone());
    let written = Arc::clone(&dirty);
    threads.push(Builder::new().name("recordings".into()).spawn(move || {
        let _alive = alive;
        let mut work = |Job { shard, job }| {
            let done = recorder.handle(job);
            written.store(true, Ordering::Relaxed);
            tallies.file_errors.fetch_add(done.errors, Ordering::Relaxed);
            if let Some(buffer) = done.buffer {
                // A shard that has enough buffers lets this one go.
                let _ = returns[usize::from(shard)].try_send(buffer);
            }
            if let Some(event) = done.event {
                sink(event);
            }
        };
        while let Ok(first) = inbox.recv() {
            work(first);
            // Wake-ups cost more than jobs, also those who send them: as long as any come, they pile up.
            loop {
                std::thread::sleep(GATHER);
                if inbox.try_iter().map(&mut work).count() == 0 {
                    break;
                }
            }
        }
    })?);
    if let Some(every) = config.sync_every {
        let folder = File::open(&config.recordings_dir)?;
        let sync = move || sync_until_end(&folder, every, &ended, &dirty);
        threads.push(Builder::new().name("recordings-sync".into()).spawn(sync)?);
    }
    Ok(Writer { jobs, empties, threads })
}

/// A thread of its own, for a slow disk takes seconds.
fn sync_until_end(folder: &File, every: Duration, ended: &Receiver<()>, dirty: &AtomicBool) {
    loop {
        let over = ended.recv_timeout(every) != Err(RecvTimeoutError::Timeout);
        if dirty.swap(false, Ordering::Relaxed)
            && let Err(error) = sync_filesystem(folder)
        {
            tracing::warn!(%error, "recordings could not be forced to the disk");
        }
        if over {
            return;
        }
    }
}

/// What became of a job.
#[derive(Default)]
struct Done {
    buffer: Option<Vec<u8>>,
    event: Option<Event>,
    errors: u64,
}

/// All recordings under way.
struct Recorder {
    folder: PathBuf,
    takes: BTreeMap<RecordingId, Take>,
    /// Rises with every use of a file; the least recently used is closed first.
    turn: u64,
}

/// One recording under way.
struct Take {
    /// As it was asked for.
    name: String,
    /// Nothing if the name leads out of the folder.
    path: Option<PathBuf>,
    file: Option<File>,
    exists: bool,
    /// The latest operation failed; said once in the log.
    failing: bool,
    used: u64,
    /// Stereo frames in the file.
    frames: u64,
    /// Where the current segment began, whose it is, and the hash of its samples so far.
    start: u64,
    tag: Option<u64>,
    hash: Sha256,
    segments: Vec<Segment>,
}

impl Recorder {
    fn new(folder: PathBuf) -> Self {
        Self { folder, takes: BTreeMap::new(), turn: 0 }
    }

    fn handle(&mut self, job: RecordingJob) -> Done {
        let mut done = Done::default();
        match job {
            RecordingJob::Open { recording, file } => {
                let take = Take::new(&self.folder, file);
                done.errors = u64::from(take.path.is_none());
                self.takes.insert(recording, take);
            }
            RecordingJob::Samples { recording, at, samples } => {
                done.errors = self.on_take(recording, |take| take.append(at, &samples));
                done.buffer = Some(samples);
            }
            RecordingJob::Segment { recording, at, tag } => {
                done.errors = self.on_take(recording, |take| {
                    let filled = take.append(at, &[]);
                    take.begin_segment(tag);
                    filled
                });
            }
            RecordingJob::Close { recording, at } => {
                done.errors = self.on_take(recording, |take| take.append(at, &[]));
                done.event = self.takes.remove(&recording).map(|take| take.close(recording));
            }
        }
        done
    }

    /// Do something with a recording's file, open. Returns the number of errors.
    fn on_take(&mut self, id: RecordingId, act: impl FnOnce(&mut Take) -> io::Result<()>) -> u64 {
        self.turn += 1;
        if self.takes.get(&id).is_some_and(|t| t.file.is_none()) {
            self.make_room();
        }
        let Some(take) = self.takes.get_mut(&id) else {
            return 1;
        };
        take.used = self.turn;
        let result = take.open().and_then(|()| act(take));
        if let Err(error) = &result
            && !std::mem::replace(&mut take.failing, true)
        {
            tracing::error!(file = take.name, %error, "a recording cannot be written; the call goes on");
        }
        take.failing = result.is_err();
        u64::from(result.is_err())
    }

    /// Close the file that was not used for the longest time, if too many are open.
    fn make_room(&mut self) {
        let open = self.takes.values_mut().filter(|t| t.file.is_some());
        let mut open: Vec<&mut Take> = open.collect();
        if open.len() >= FILES_MAX
            && let Some(oldest) = open.iter_mut().min_by_key(|t| t.used)
        {
            oldest.file = None;
        }
    }
}

impl Take {
    fn new(folder: &Path, name: String) -> Self {
        let stays_inside = Path::new(&name).components().all(|c| matches!(c, Component::Normal(_)));
        Self {
            path: (stays_inside && !name.is_empty()).then(|| folder.join(&name)),
            name,
            file: None,
            exists: false,
            failing: false,
            used: 0,
            frames: 0,
            start: 0,
            tag: None,
            hash: Sha256::new(),
            segments: Vec::new(),
        }
    }

    /// Make the file, never over another one, or open it again.
    fn open(&mut self) -> io::Result<()> {
        if self.file.is_some() {
            return Ok(());
        }
        let path = self.path.as_ref().ok_or(io::ErrorKind::InvalidFilename)?;
        let open = || OpenOptions::new().write(true).create_new(!self.exists).open(path);
        let file = match open() {
            // The first recording of a day.
            Err(error) if error.kind() == io::ErrorKind::NotFound && !self.exists => {
                path.parent().map_or(Ok(()), std::fs::create_dir_all)?;
                open()?
            }
            opened => opened?,
        };
        self.exists = true;
        file.write_all_at(&wav::header(self.frames), 0)?;
        self.file = Some(file);
        Ok(())
    }

    /// Write samples where they belong, after silence for what is missing before them, and then the sizes
    /// in the header.
    fn append(&mut self, at: u64, samples: &[u8]) -> io::Result<()> {
        if at + (samples.len() / FRAME_BYTES) as u64 > wav::FRAMES_MAX {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        if self.frames >= at && samples.is_empty() {
            return Ok(());
        }
        while self.frames < at {
            let missing = (at - self.frames).min((SILENCE.len() / FRAME_BYTES) as u64);
            self.write(&SILENCE[..missing as usize * FRAME_BYTES])?;
        }
        self.write(samples)?;
        match &self.file {
            Some(file) => file.write_all_at(&wav::header(self.frames), 0),
            None => Ok(()),
        }
    }

    fn write(&mut self, samples: &[u8]) -> io::Result<()> {
        let Some(file) = &self.file else {
            return Err(io::ErrorKind::NotFound.into());
        };
        let position = wav::HEADER_BYTES as u64 + self.frames * FRAME_BYTES as u64;
        file.write_all_at(samples, position)?;
        self.hash.update(samples);
        self.frames += (samples.len() / FRAME_BYTES) as u64;
        Ok(())
    }

    fn begin_segment(&mut self, tag: Option<u64>) {
        if self.segments.len() < SEGMENTS_MAX - 1 {
            self.end_segment();
            self.tag = tag;
        }
    }

    fn end_segment(&mut self) {
        if self.frames > self.start {
            let sha256 = self.hash.finalize_reset().iter().map(|b| format!("{b:02x}")).collect();
            let offset_ms = self.start / SAMPLES_PER_MS;
            let duration_ms = (self.frames - self.start) / SAMPLES_PER_MS;
            self.segments.push(Segment { offset_ms, duration_ms, tag: self.tag, sha256 });
            self.start = self.frames;
        }
    }

    fn close(mut self, recording: RecordingId) -> Event {
        self.end_segment();
        let duration_ms = self.frames / SAMPLES_PER_MS;
        Event::Recorded { recording, file: self.name, duration_ms, segments: self.segments }
    }
}

#[cfg(test)]
mod tests;

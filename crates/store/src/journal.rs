//! The journal: every fact of every call, on disk before the database knows of the call.
//!
//! It is a row of segments. A call pins each segment that holds a fact of it, until the call is in the
//! database or whole in the spool; a segment that nobody pins any more is deleted. After a crash the next
//! start reads what is left.
//!
//! A line is in the page cache when [`Journal::write`] returns, which a killed server survives; it is on
//! the disk when its segment is closed, at the latest after [`SEGMENT_AGE`], which a power failure
//! survives.

use crate::segment::{self, SEGMENT_BYTES, SegmentWriter};
use domain::FactRecord;
use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

pub(crate) const KIND: &str = "journal";
/// A segment is closed when it is this old, so that a quiet hotline does not keep numbers on its disk.
const SEGMENT_AGE: Duration = Duration::from_secs(60);
/// While the disk takes nothing, lines up to this much memory wait for it.
const UNWRITTEN_BYTES_MAX: usize = 8 << 20;
/// How long a disk that refused a write is left alone.
const RETRY_AFTER: Duration = Duration::from_secs(1);

#[derive(Debug, Default)]
struct Segment {
    bytes: u64,
    /// Calls with a fact in it that are safe nowhere else.
    pins: u32,
    /// Some call of it is now in the database, so that it may go only when the database is durable.
    in_database: bool,
}

/// Where a call is safe now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Safe {
    InDatabase,
    InSpool,
}

#[derive(Debug)]
pub(crate) struct Journal {
    dir: PathBuf,
    segments: BTreeMap<u64, Segment>,
    active: u64,
    writer: Option<(SegmentWriter, Instant)>,
    /// Lines of the active segment that are not in its file yet.
    unwritten: Vec<u8>,
    retry_at: Option<Instant>,
}

impl Journal {
    /// Opens the journal in a folder. Segments of an earlier run come back as ids, oldest first, each
    /// pinned once by whoever reads it.
    pub(crate) fn open(dir: &Path) -> io::Result<(Self, Vec<u64>)> {
        let found = segment::list(dir, KIND)?;
        let old: Vec<u64> = found.keys().copied().collect();
        let active = old.last().map_or(1, |last| last + 1);
        let kept = |bytes| Segment { bytes, pins: 1, in_database: false };
        let segments = found.into_iter().map(|(id, bytes)| (id, kept(bytes))).collect();
        let (dir, unwritten) = (dir.to_owned(), Vec::new());
        Ok((Self { dir, segments, active, writer: None, unwritten, retry_at: None }, old))
    }

    /// Takes a line for the next write; false if there is no room to keep it.
    pub(crate) fn note(&mut self, record: &FactRecord) -> bool {
        self.unwritten.len() < UNWRITTEN_BYTES_MAX && segment::put_line(&mut self.unwritten, record).is_ok()
    }

    /// The segment that noted lines belong to.
    pub(crate) fn active(&self) -> u64 {
        self.active
    }

    pub(crate) fn pin(&mut self, id: u64) {
        self.segments.entry(id).or_default().pins += 1;
    }

    pub(crate) fn release(&mut self, ids: &[u64], safe: Safe) {
        for id in ids {
            if let Some(segment) = self.segments.get_mut(id) {
                segment.pins = segment.pins.saturating_sub(1);
                segment.in_database |= safe == Safe::InDatabase;
            }
        }
    }

    /// Writes what was noted, in one call. On an error everything is kept and tried again later.
    pub(crate) fn write(&mut self, now: Instant) -> io::Result<()> {
        if self.unwritten.is_empty() || self.retry_at.is_some_and(|at| now < at) {
            return Ok(());
        }
        let written = self.write_now(now);
        self.retry_at = written.is_err().then(|| now + RETRY_AFTER);
        written
    }

    fn write_now(&mut self, now: Instant) -> io::Result<()> {
        let (writer, _) = match &mut self.writer {
            Some(writer) => writer,
            none => {
                let path = segment::path(&self.dir, KIND, self.active);
                none.insert((SegmentWriter::create(&path)?, now))
            }
        };
        writer.append(&self.unwritten)?;
        self.unwritten.clear();
        self.segments.entry(self.active).or_default().bytes = writer.bytes();
        Ok(())
    }

    /// Closes the active segment if it is big or old, or in any case with `at_once`.
    pub(crate) fn roll(&mut self, now: Instant, at_once: bool) -> io::Result<()> {
        let due = self.writer.as_ref().is_some_and(|(writer, born)| {
            at_once || writer.bytes() >= SEGMENT_BYTES || now.duration_since(*born) >= SEGMENT_AGE
        });
        if !due || !self.unwritten.is_empty() {
            return Ok(());
        }
        self.active += 1;
        match self.writer.take() {
            Some((writer, _)) => writer.sync(),
            None => Ok(()),
        }
    }

    /// Segments that nobody needs once the database is durable. Those that never went to the database
    /// are deleted on the way.
    pub(crate) fn removable(&mut self) -> Vec<u64> {
        let free = |(id, segment): (&u64, &Segment)| {
            (segment.pins == 0 && *id != self.active).then_some((*id, segment.in_database))
        };
        let free: Vec<(u64, bool)> = self.segments.iter().filter_map(free).collect();
        let spooled = free.iter().filter(|(_, in_database)| !in_database).map(|(id, _)| *id);
        self.remove(&spooled.collect::<Vec<_>>());
        free.into_iter().filter(|(_, in_database)| *in_database).map(|(id, _)| id).collect()
    }

    pub(crate) fn remove(&mut self, ids: &[u64]) {
        for id in ids {
            self.segments.remove(id);
            let path = segment::path(&self.dir, KIND, *id);
            match std::fs::remove_file(&path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    tracing::warn!(path = %path.display(), %error, "cannot delete a journal segment");
                }
                _ => {}
            }
        }
    }

    pub(crate) fn is_written(&self) -> bool {
        self.unwritten.is_empty()
    }

    pub(crate) fn bytes(&self) -> u64 {
        self.unwritten.len() as u64 + self.segments.values().map(|segment| segment.bytes).sum::<u64>()
    }
}

//! The spool: closed calls on disk, oldest first, while the database is slower than the callers.
//!
//! Each call stands whole in one file, its `CallClosed` last. A call that a crash cut off in the middle
//! is still in the journal, so a reader drops it.

use crate::fold::CallFacts;
use crate::segment::{self, SEGMENT_BYTES, SegmentReader, SegmentWriter};
use domain::{Fact, FactRecord};
use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::path::{Path, PathBuf};

const KIND: &str = "spool";

#[derive(Debug)]
pub(crate) struct Spool {
    dir: PathBuf,
    /// Every file on disk, with its bytes.
    files: BTreeMap<u64, u64>,
    /// Files to read, oldest first, without the one that is being written.
    unread: VecDeque<u64>,
    writer: Option<(u64, SegmentWriter)>,
    reader: Option<(u64, SegmentReader)>,
    /// Files read to their end, whose last calls the database does not have yet.
    read: Vec<u64>,
    /// Files whose calls the database has.
    removable: Vec<u64>,
    next_id: u64,
    lines: Vec<u8>,
}

impl Spool {
    pub(crate) fn open(dir: &Path) -> io::Result<Self> {
        let files = segment::list(dir, KIND)?;
        Ok(Self {
            dir: dir.to_owned(),
            unread: files.keys().copied().collect(),
            next_id: files.keys().next_back().map_or(1, |last| last + 1),
            files,
            writer: None,
            reader: None,
            read: Vec::new(),
            removable: Vec::new(),
            lines: Vec::new(),
        })
    }

    /// Whether everything in it was read.
    pub(crate) fn is_empty(&self) -> bool {
        self.unread.is_empty() && self.writer.is_none() && self.reader.is_none()
    }

    /// Puts a closed call at the end. When this returns, a crash of the server does not lose it.
    pub(crate) fn push(&mut self, facts: &[FactRecord]) -> io::Result<()> {
        self.lines.clear();
        for record in facts {
            segment::put_line(&mut self.lines, record)?;
        }
        if self.writer.is_none() {
            let path = segment::path(&self.dir, KIND, self.next_id);
            self.writer = Some((self.next_id, SegmentWriter::create(&path)?));
            self.next_id += 1;
        }
        if let Some((id, writer)) = &mut self.writer {
            writer.append(&self.lines)?;
            self.files.insert(*id, writer.bytes());
            if writer.bytes() >= SEGMENT_BYTES {
                return self.close_writer();
            }
        }
        Ok(())
    }

    /// Puts what was pushed onto the disk, so that a power failure does not lose it.
    pub(crate) fn sync(&self) -> io::Result<()> {
        self.writer.as_ref().map_or(Ok(()), |(_, writer)| writer.sync())
    }

    /// The next calls, at most `calls`, all of one file. They stay on disk until [`Spool::stored`], which
    /// must come before the next read.
    pub(crate) fn read(&mut self, calls: usize) -> io::Result<Vec<CallFacts>> {
        loop {
            if self.reader.is_none() && !self.open_next()? {
                return Ok(Vec::new());
            }
            let Some((id, reader)) = &mut self.reader else { return Ok(Vec::new()) };
            let id = *id;
            let (batch, at_end) = match read_calls(reader, calls) {
                Ok(read) => read,
                Err(error) => {
                    // Again from its start: what was read so far is not given to anybody.
                    self.reader = None;
                    self.unread.push_front(id);
                    return Err(error);
                }
            };
            if !at_end {
                return Ok(batch);
            }
            self.reader = None;
            if !batch.is_empty() {
                self.read.push(id);
                return Ok(batch);
            }
            self.removable.push(id);
        }
    }

    /// False if there is nothing to read. The file being written is closed when its turn comes.
    fn open_next(&mut self) -> io::Result<bool> {
        if self.unread.is_empty() {
            self.close_writer()?;
        }
        let Some(id) = self.unread.front().copied() else { return Ok(false) };
        self.reader = Some((id, SegmentReader::open(&segment::path(&self.dir, KIND, id))?));
        self.unread.pop_front();
        Ok(true)
    }

    /// The calls of the last read are in the database.
    pub(crate) fn stored(&mut self) {
        self.removable.append(&mut self.read);
    }

    /// Files that nobody needs once the database is durable.
    pub(crate) fn removable(&self) -> Vec<u64> {
        self.removable.clone()
    }

    pub(crate) fn remove(&mut self, ids: &[u64]) {
        for id in ids {
            self.files.remove(id);
            let path = segment::path(&self.dir, KIND, *id);
            if let Err(error) = std::fs::remove_file(&path) {
                tracing::warn!(path = %path.display(), %error, "cannot delete a spool file");
            }
        }
        self.removable.retain(|id| !ids.contains(id));
    }

    pub(crate) fn bytes(&self) -> u64 {
        self.files.values().sum()
    }

    fn close_writer(&mut self) -> io::Result<()> {
        let Some((id, writer)) = self.writer.take() else { return Ok(()) };
        self.unread.push_back(id);
        writer.sync()
    }
}

/// Whole calls from where a reader stands, and whether the file ended.
fn read_calls(reader: &mut SegmentReader, calls: usize) -> io::Result<(Vec<CallFacts>, bool)> {
    let mut batch = Vec::new();
    let mut facts = Vec::new();
    while batch.len() < calls {
        let Some(record) = reader.next()? else { return Ok((batch, true)) };
        if matches!(record.fact, Fact::CallArrived { .. }) {
            facts.clear();
        }
        let closed = if let Fact::CallClosed { call } = record.fact { Some(call) } else { None };
        facts.push(record);
        if let Some(call) = closed {
            batch.push(CallFacts { call, facts: std::mem::take(&mut facts) });
        }
    }
    Ok((batch, false))
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::{CallId, Pii, Timestamp};

    fn facts(call: u64) -> Vec<FactRecord> {
        let id = CallId(call);
        let caller = Pii::new("110");
        let called = "12348".to_owned();
        let arrived = Fact::CallArrived {
            call: id,
            region: None,
            trunk: None,
            caller,
            caller_name: None,
            called,
            plan: None,
        };
        let record = |seq, fact| FactRecord { at: Timestamp::from_ms(1), seq, fact };
        vec![record(call * 10, arrived), record(call * 10 + 1, Fact::CallClosed { call: id })]
    }

    fn ids(calls: &[CallFacts]) -> Vec<u64> {
        calls.iter().map(|call| call.call.0).collect()
    }

    #[test]
    fn calls_come_out_in_the_order_they_went_in_also_after_a_restart() {
        let dir = tempfile::tempdir().expect("a folder");
        let mut spool = Spool::open(dir.path()).expect("a spool");
        for call in 1..=3 {
            spool.push(&facts(call)).expect("pushed");
        }
        assert_eq!(ids(&spool.read(2).expect("read")), [1, 2]);
        spool.push(&facts(4)).expect("pushed");
        drop(spool);
        let mut spool = Spool::open(dir.path()).expect("a spool");
        assert_eq!(ids(&spool.read(9).expect("read")), [1, 2, 3]);
        spool.stored();
        assert_eq!(ids(&spool.read(1).expect("read")), [4]);
        assert!(!spool.is_empty());
        spool.stored();
        assert!(spool.read(1).expect("read").is_empty());
        assert!(spool.is_empty());
        let removable = spool.removable();
        spool.remove(&removable);
        assert_eq!((spool.bytes(), removable.len()), (0, 2));
        assert_eq!(segment::list(dir.path(), KIND).expect("a list"), BTreeMap::new());
    }

    #[test]
    fn a_call_cut_off_by_a_crash_does_not_spoil_the_next_one() {
        let dir = tempfile::tempdir().expect("a folder");
        let mut spool = Spool::open(dir.path()).expect("a spool");
        spool.push(&facts(1)[..1]).expect("pushed");
        spool.push(&facts(2)).expect("pushed");
        let calls = spool.read(9).expect("read");
        assert_eq!(calls, [CallFacts { call: CallId(2), facts: facts(2) }]);
    }
}

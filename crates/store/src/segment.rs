//! Files of facts, one JSON line each: written at the end, read once from the start.
//!
//! A crash can tear the last line of a file. A reader skips what it cannot read and counts it; a writer
//! never appends to a file of an earlier run.

use domain::FactRecord;
use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// A file is closed and the next one begun when it has grown to this.
pub(crate) const SEGMENT_BYTES: u64 = 8 << 20;

/// `DIR/journal-00000000000000000007.jsonl`
pub(crate) fn path(dir: &Path, kind: &str, id: u64) -> PathBuf {
    dir.join(format!("{kind}-{id:020}.jsonl"))
}

/// The files of a kind that an earlier run left, with their sizes in bytes.
pub(crate) fn list(dir: &Path, kind: &str) -> io::Result<BTreeMap<u64, u64>> {
    let mut found = BTreeMap::new();
    for entry in dir.read_dir()? {
        let entry = entry?;
        let name = entry.file_name();
        let id = name.to_str().and_then(|name| {
            name.strip_prefix(kind)?.strip_prefix('-')?.strip_suffix(".jsonl")?.parse::<u64>().ok()
        });
        if let Some(id) = id {
            found.insert(id, entry.metadata()?.len());
        }
    }
    Ok(found)
}

/// Appends the line of a fact. A fact is plain data that always has a JSON form.
pub(crate) fn put_line(lines: &mut Vec<u8>, record: &FactRecord) -> io::Result<()> {
    let begin = lines.len();
    match serde_json::to_writer(&mut *lines, record) {
        Ok(()) => {
            lines.push(b'\n');
            Ok(())
        }
        Err(error) => {
            lines.truncate(begin);
            Err(error.into())
        }
    }
}

#[derive(Debug)]
pub(crate) struct SegmentWriter {
    file: File,
    bytes: u64,
}

impl SegmentWriter {
    /// Only its owner reads it: it holds phone numbers.
    pub(crate) fn create(path: &Path) -> io::Result<Self> {
        let mut options = OpenOptions::new();
        let file = options.create(true).append(true).mode(0o600).open(path)?;
        let bytes = file.metadata()?.len();
        Ok(Self { file, bytes })
    }

    /// Writes all of `lines` or, on an error such as a full disk, none of it.
    pub(crate) fn append(&mut self, lines: &[u8]) -> io::Result<()> {
        if let Err(error) = self.file.write_all(lines) {
            self.file.set_len(self.bytes)?;
            return Err(error);
        }
        self.bytes += lines.len() as u64;
        Ok(())
    }

    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    pub(crate) fn sync(&self) -> io::Result<()> {
        self.file.sync_data()
    }
}

#[derive(Debug)]
pub(crate) struct SegmentReader {
    lines: BufReader<File>,
    line: Vec<u8>,
    /// Lines that are no fact.
    pub(crate) torn: u64,
}

impl SegmentReader {
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        Ok(Self { lines: BufReader::new(File::open(path)?), line: Vec::new(), torn: 0 })
    }

    /// The next fact, None at the end of the file.
    pub(crate) fn next(&mut self) -> io::Result<Option<FactRecord>> {
        loop {
            self.line.clear();
            if self.lines.read_until(b'\n', &mut self.line)? == 0 {
                return Ok(None);
            }
            match serde_json::from_slice(&self.line) {
                Ok(record) => return Ok(Some(record)),
                Err(_) => self.torn += 1,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::{
        Activity, AgentId, CallId, Departure, Duty, Fact, LegRole, LegStats, OfferEnd, OverflowReason, Party,
        PauseReason, Pii, Segment, Timestamp,
    };

    fn one_of_each() -> Vec<FactRecord> {
        let call = CallId(1_790_000_000_000 << 20 | 7);
        let (agent, party) = (AgentId(11), Party::Agent);
        let segment = Segment {
            offset_ms: 0,
            duration_ms: 5,
            agent: Some(agent),
            target: None,
            is_private: false,
            supervision: None,
            sha256: "ab".to_owned(),
        };
        let stats = LegStats { packets_lost: -3, remote_packets_lost: Some(-1), ..LegStats::default() };
        let facts = vec![
            Fact::CallArrived {
                call,
                region: Some("wenzhou".into()),
                trunk: None,
                caller: Pii::new("13812345678"),
                caller_name: Some(Pii::new("张\"三\n\0")),
                called: "12348".to_owned(),
                plan: None,
            },
            Fact::CallAttributed { call, county: "lucheng".into() },
            Fact::CallStepped { call, step: "queue".to_owned() },
            Fact::CallQueued { call, pool: "city".into() },
            Fact::CallOverflowed {
                call,
                from: "a".into(),
                to: "b".into(),
                reason: OverflowReason::NobodyOnDuty,
            },
            Fact::AgentOffered { call, agent, pool: "city".into() },
            Fact::OfferEnded { call, agent, end: OfferEnd::NoAnswer },
            Fact::CallBridged { call, agent, pool: "city".into(), waited_ms: 9 },
            Fact::CallHeld { call, by: party },
            Fact::CallResumed { call, by: party },
            Fact::CallDeparted { call, departure: Departure::Answered, by: party },
            Fact::LegEnded { call, leg: 3, role: LegRole::Agent, stats },
            Fact::RecordingClosed { call, file: "a/b".to_owned(), duration_ms: 5, segments: vec![segment] },
            Fact::CallClosed { call },
            Fact::AgentChanged {
                agent,
                reachable: true,
                state: Duty::Paused { reason: PauseReason::Other, until: None },
                activity: Activity::Ringing { call, until: Timestamp::from_ms(9) },
            },
            Fact::TrunkChanged { trunk: "telecom".into(), reachable: false },
        ];
        let number = |(seq, fact)| FactRecord { at: Timestamp::from_ms(5), seq: seq as u64, fact };
        facts.into_iter().enumerate().map(number).collect()
    }

    #[test]
    fn every_kind_of_fact_comes_back_as_it_went_and_a_torn_line_costs_only_itself() {
        let dir = tempfile::tempdir().expect("a folder");
        let facts = one_of_each();
        let mut lines = Vec::new();
        facts.iter().for_each(|fact| put_line(&mut lines, fact).expect("a line"));
        lines.extend_from_slice(br#"{"at":5,"seq":99,"fa"#);
        let file = path(dir.path(), "journal", 7);
        SegmentWriter::create(&file).and_then(|mut writer| writer.append(&lines)).expect("written");
        assert_eq!(list(dir.path(), "journal").expect("a list"), BTreeMap::from([(7, lines.len() as u64)]));
        let mut reader = SegmentReader::open(&file).expect("a reader");
        let mut read = Vec::new();
        while let Some(fact) = reader.next().expect("a line") {
            read.push(fact);
        }
        assert_eq!((read, reader.torn), (facts, 1));
    }
}

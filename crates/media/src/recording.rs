//! The recording of one call: two channels laid on one line of time ([`crate::timeline`]), cut into chunks for whoever
//! writes files.
//!
//! The caller is on the left. Each of the others has a lane: the first is the right channel as it came, byte for byte;
//! further ones are added to it when the samples leave, so only a talk of three or more is ever decoded.
//! Samples wait for 400 ms before they leave, so packets may be held up for as much. Where nothing came there is silence.
//!
//! One recording holds 19 KiB, 1.2 s of both channels; each lane beyond the first 9.6 KiB more.

use crate::api::{OTHERS_MAX, RecordingId, RecordingJob, ms_between};
use crate::g711::{self, ALAW_SILENCE};
use crate::timeline::{Heard, Place, Timeline, WINDOW_FRAMES};
use crate::wav::FRAME_BYTES;
use crate::{LegId, SAMPLES_PER_MS};
use domain::Timestamp;
use std::collections::VecDeque;
use std::ops::Range;
use std::time::Duration;

/// How often chunks leave. With the window of late packets it stays within the last second, which is all that a power
/// failure may take.
pub(crate) const FLUSH_EVERY: Duration = Duration::from_millis(500);
/// The most that one chunk holds: half a second.
const CHUNK_FRAMES: u64 = 4000;
/// What is kept of both channels: 1200 ms.
const RING_FRAMES: u64 = 9600;
/// A clock that jumps further than this is not followed with silence: 10 s.
const CLOCK_JUMP_FRAMES: u64 = 80_000;
/// Segments that may begin within one flush; a further one replaces the last.
const MARKS_MAX: usize = 16;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    /// The citizen.
    Left,
    /// Our side, in that lane.
    Right(u8),
}

pub(crate) struct Recording {
    pub caller: LegId,
    /// Each of the others, and the lane that it is laid in.
    others: Vec<(LegId, u8)>,
    pub flush_at: Timestamp,
    started: Timestamp,
    /// Interleaved; frame `n` of the recording is at `n % RING_FRAMES`.
    ring: Box<[u8]>,
    /// Frames that have left.
    flushed: u64,
    marks: VecDeque<(u64, Option<u64>)>,
    left: Timeline,
    right: Timeline,
    /// The lanes after the first of the right channel, as far as they were ever needed.
    lanes: Vec<Lane>,
}

struct Lane {
    /// Frame `n` is at `n % RING_FRAMES`.
    ring: Box<[u8]>,
    timeline: Timeline,
}

impl Recording {
    pub fn new(now: Timestamp, caller: LegId) -> Self {
        Self {
            caller,
            others: Vec::new(),
            flush_at: now + FLUSH_EVERY,
            started: now,
            ring: vec![ALAW_SILENCE; RING_FRAMES as usize * FRAME_BYTES].into_boxed_slice(),
            flushed: 0,
            marks: VecDeque::new(),
            left: Timeline::default(),
            right: Timeline::default(),
            lanes: Vec::new(),
        }
    }

    /// Whoever is recorded.
    pub fn legs(&self) -> impl Iterator<Item = LegId> {
        std::iter::once(self.caller).chain(self.others.iter().map(|(leg, _)| *leg))
    }

    /// These are on our side from now on, and no one else; who stays keeps the lane. Returns where each is laid.
    pub fn set_others(&mut self, others: &[LegId]) -> &[(LegId, u8)] {
        self.others.retain(|(leg, _)| others.contains(leg));
        for leg in others.iter().take(OTHERS_MAX) {
            let is_taken = |lane: u8| self.others.iter().any(|(_, taken)| *taken == lane);
            let is_there = self.others.iter().any(|(there, _)| there == leg);
            let free = (0..OTHERS_MAX as u8).find(|lane| !is_taken(*lane)).filter(|_| !is_there);
            if let Some(lane) = free {
                self.others.push((*leg, lane));
                if self.lanes.len() < usize::from(lane) {
                    let ring = vec![ALAW_SILENCE; RING_FRAMES as usize].into_boxed_slice();
                    self.lanes.push(Lane { ring, timeline: Timeline::default() });
                }
            }
        }
        &self.others
    }

    /// Lay a packet on the line. The rings have room for it as long as flushes are less than 300 ms late. `table` is
    /// µ-law to A-law, if the packet is µ-law.
    pub fn lay(&mut self, now: Timestamp, side: Side, heard: &Heard<'_>, table: Option<&[u8; 256]>) {
        let (arrival, flushed) = (self.position(now) as i64, self.flushed as i64);
        let Self { left, right, ring, lanes, .. } = self;
        match side {
            Side::Left => Track::<2> { ring, lane: 0, flushed }.lay(left.place(arrival, heard), heard, table),
            Side::Right(0) => {
                Track::<2> { ring, lane: 1, flushed }.lay(right.place(arrival, heard), heard, table);
            }
            Side::Right(lane) => {
                if let Some(Lane { ring, timeline }) = lanes.get_mut(usize::from(lane) - 1) {
                    Track::<1> { ring, lane: 0, flushed }.lay(timeline.place(arrival, heard), heard, table);
                }
            }
        }
    }

    /// A new segment begins now.
    pub fn mark(&mut self, now: Timestamp, tag: Option<u64>) {
        let at = self.position(now).max(self.flushed);
        if self.marks.len() == MARKS_MAX {
            self.marks.pop_back();
        }
        self.marks.push_back((at, tag));
    }

    /// Hand out what no packet can change any more; `all` of it when the recording ends.
    pub fn flush(
        &mut self,
        now: Timestamp,
        id: RecordingId,
        all: bool,
        mut buffer: impl FnMut() -> Vec<u8>,
        mut emit: impl FnMut(RecordingJob),
    ) {
        self.follow_clock(now);
        let position = self.position(now);
        let until = if all { position } else { position.saturating_sub(WINDOW_FRAMES as u64) };
        loop {
            let mark = self.marks.front().map_or(u64::MAX, |(at, _)| *at);
            if mark <= self.flushed {
                if let Some((at, tag)) = self.marks.pop_front() {
                    emit(RecordingJob::Segment { recording: id, at, tag });
                }
                continue;
            }
            if self.flushed >= until {
                break;
            }
            let end = until.min(mark).min(self.flushed + CHUNK_FRAMES);
            let at = self.flushed;
            let mut samples = buffer();
            self.take(end, &mut samples);
            emit(RecordingJob::Samples { recording: id, at, samples });
        }
        if all {
            emit(RecordingJob::Close { recording: id, at: self.flushed });
        }
    }

    /// Frames from the start of the recording to `now`.
    fn position(&self, now: Timestamp) -> u64 {
        ms_between(self.started, now) * SAMPLES_PER_MS
    }

    /// After a jump of the clock the recording goes on where it was, without hours of silence.
    fn follow_clock(&mut self, now: Timestamp) {
        let ahead = self.position(now).saturating_sub(self.flushed);
        if ahead > CLOCK_JUMP_FRAMES {
            let jump = ahead - WINDOW_FRAMES as u64;
            self.started = self.started + Duration::from_millis(jump / SAMPLES_PER_MS);
            (self.left, self.right) = (Timeline::default(), Timeline::default());
            for lane in &mut self.lanes {
                lane.timeline = Timeline::default();
            }
        }
    }

    /// Move the frames up to `end` out of the rings and leave silence behind.
    fn take(&mut self, end: u64, samples: &mut Vec<u8>) {
        samples.clear();
        while self.flushed < end {
            let from = (self.flushed % RING_FRAMES) as usize;
            let frames = (end - self.flushed).min(RING_FRAMES - from as u64) as usize;
            let range = from * FRAME_BYTES..(from + frames) * FRAME_BYTES;
            let taken = samples.len();
            samples.extend_from_slice(&self.ring[range.clone()]);
            self.ring[range].fill(ALAW_SILENCE);
            for lane in &mut self.lanes {
                add(&mut samples[taken..], &mut lane.ring[from..from + frames]);
            }
            self.flushed += frames as u64;
        }
    }
}

/// Add a lane to the right channel, and leave silence behind.
fn add(samples: &mut [u8], lane: &mut [u8]) {
    let (frames, _) = samples.as_chunks_mut::<FRAME_BYTES>();
    for ([_, right], byte) in frames.iter_mut().zip(lane) {
        if *byte != ALAW_SILENCE {
            let sum = g711::decode_alaw(*right).saturating_add(g711::decode_alaw(*byte));
            (*right, *byte) = (g711::encode_alaw(sum), ALAW_SILENCE);
        }
    }
}

/// One lane of a ring whose frames have `WIDTH` bytes.
struct Track<'a, const WIDTH: usize> {
    ring: &'a mut [u8],
    lane: usize,
    flushed: i64,
}

impl<const WIDTH: usize> Track<'_, WIDTH> {
    fn lay(mut self, place: Place, heard: &Heard<'_>, table: Option<&[u8; 256]>) {
        let Place { frame: first, back } = place;
        if let Some((talk, by)) = back {
            self.move_back(talk, by);
        }
        let start = first.max(self.flushed);
        let end = (first + heard.payload.len() as i64).min(self.flushed + RING_FRAMES as i64);
        if start < end {
            let payload = &heard.payload[(start - first) as usize..(end - first) as usize];
            // The ring may end in the middle of the packet.
            let from = start as usize % RING_FRAMES as usize;
            let (frames, _) = self.ring.as_chunks_mut::<WIDTH>();
            let (wrapped, straight) = frames.split_at_mut(from);
            for (frame, byte) in straight.iter_mut().chain(wrapped).zip(payload) {
                frame[self.lane] = table.map_or(*byte, |t| t[usize::from(*byte)]);
            }
        }
    }

    /// Lay what was laid of a talk earlier, as far as it has not left.
    fn move_back(&mut self, talk: Range<i64>, by: i64) {
        let end = talk.end.min(self.flushed + RING_FRAMES as i64);
        for frame in talk.start.max(self.flushed + by)..end {
            self.ring[self.index(frame - by)] = self.ring[self.index(frame)];
        }
        for frame in (end - by).max(self.flushed)..end {
            self.ring[self.index(frame)] = ALAW_SILENCE;
        }
    }

    /// Where a frame is in the ring. Frames before the recording began are never laid.
    fn index(&self, frame: i64) -> usize {
        (frame as u64 % RING_FRAMES) as usize * WIDTH + self.lane
    }
}

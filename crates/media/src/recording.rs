//! The timeline of one recording: two channels laid on one clock, cut into chunks for whoever writes
//! files.
//!
//! Where a packet belongs is said by its RTP timestamp, anchored to the time at which packets arrive: a
//! packet ends when it arrives, less what the network delayed it. The anchor follows the least delayed
//! packets: at once to earlier ones, so a slow first packet shifts nothing by more than 10 ms; to later ones
//! only when they are 60 ms behind, for that cuts a gap into speech, and no ear misses 60 ms between two
//! channels.
//! Samples wait for 400 ms before they leave, so packets may be held up for as much. Where
//! nothing came there is silence.
//!
//! One recording holds 19 KiB: 1.2 s of both channels.

use crate::api::{RecordingId, RecordingJob, ms_between};
use crate::g711::ALAW_SILENCE;
use crate::wav::FRAME_BYTES;
use crate::{LegId, SAMPLES_PER_MS};
use domain::Timestamp;
use std::collections::VecDeque;
use std::ops::Range;
use std::time::Duration;

/// How often chunks leave.
pub(crate) const FLUSH_EVERY: Duration = Duration::from_millis(500);
/// The most that one chunk holds: half a second.
const CHUNK_FRAMES: u64 = 4000;
/// How long samples wait for others that were held up: 400 ms. With the time between two flushes it stays within
/// the last second, which is all that a power failure may take.
const WINDOW_FRAMES: i64 = 3200;
/// What is kept of both channels: 1200 ms.
const RING_FRAMES: u64 = 9600;
/// A clock that jumps further than this is not followed with silence: 10 s.
const CLOCK_JUMP_FRAMES: u64 = 80_000;
/// Segments that may begin within one flush; a further one replaces the last.
const MARKS_MAX: usize = 16;
/// A packet that lies this much before its anchor moves it: 10 ms.
const EARLY_FRAMES: i64 = 80;
/// When even the least delayed packet lies this much behind, the sender's clock is slow: 60 ms.
const DRIFT_FRAMES: i64 = 480;
/// Packets over which the least delay is sought: 2 s.
const DRIFT_PACKETS: u16 = 100;
/// Packets in a row beyond the window after which the sender's clock must have stood still.
const LATE_PACKETS: u16 = 10;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    /// The citizen.
    Left,
    /// Our side.
    Right,
}

/// A piece of what was heard.
pub(crate) struct Heard<'a> {
    pub ssrc: u32,
    pub timestamp: u32,
    pub payload: &'a [u8],
    /// µ-law to A-law, if the leg speaks µ-law.
    pub table: Option<&'static [u8; 256]>,
}

pub(crate) struct Recording {
    pub caller: LegId,
    pub other: Option<LegId>,
    pub flush_at: Timestamp,
    started: Timestamp,
    /// Interleaved; frame `n` of the recording is at `n % RING_FRAMES`.
    ring: Box<[u8]>,
    /// Frames that have left.
    flushed: u64,
    marks: VecDeque<(u64, Option<u64>)>,
    left: Channel,
    right: Channel,
}

impl Recording {
    pub fn new(now: Timestamp, caller: LegId) -> Self {
        Self {
            caller,
            other: None,
            flush_at: now + FLUSH_EVERY,
            started: now,
            ring: vec![ALAW_SILENCE; RING_FRAMES as usize * FRAME_BYTES].into_boxed_slice(),
            flushed: 0,
            marks: VecDeque::new(),
            left: Channel::default(),
            right: Channel::default(),
        }
    }

    /// Lay a packet on the timeline. The ring has room for it as long as flushes are less than 300 ms late.
    pub fn lay(&mut self, now: Timestamp, side: Side, heard: &Heard<'_>) {
        let arrival = self.position(now) as i64;
        let (channel, lane) = match side {
            Side::Left => (&mut self.left, 0),
            Side::Right => (&mut self.right, 1),
        };
        let Place { frame: first, back } = channel.place(arrival, heard);
        if let Some((talk, by)) = back {
            self.move_back(lane, talk, by);
        }
        let start = first.max(self.flushed as i64);
        let end = (first + heard.payload.len() as i64).min((self.flushed + RING_FRAMES) as i64);
        if start < end {
            let payload = &heard.payload[(start - first) as usize..(end - first) as usize];
            // The ring may end in the middle of the packet.
            let from = start as usize % RING_FRAMES as usize;
            let (frames, _) = self.ring.as_chunks_mut::<FRAME_BYTES>();
            let (wrapped, straight) = frames.split_at_mut(from);
            for (frame, byte) in straight.iter_mut().chain(wrapped).zip(payload) {
                frame[lane] = heard.table.map_or(*byte, |t| t[usize::from(*byte)]);
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
            (self.left, self.right) = (Channel::default(), Channel::default());
        }
    }

    /// Lay what was laid of a talk earlier, as far as it has not left.
    fn move_back(&mut self, lane: usize, talk: Range<i64>, by: i64) {
        let flushed = self.flushed as i64;
        let end = talk.end.min(flushed + RING_FRAMES as i64);
        for frame in talk.start.max(flushed + by)..end {
            self.ring[index(frame - by, lane)] = self.ring[index(frame, lane)];
        }
        for frame in (end - by).max(flushed)..end {
            self.ring[index(frame, lane)] = ALAW_SILENCE;
        }
    }

    /// Move the frames up to `end` out of the ring and leave silence behind.
    fn take(&mut self, end: u64, samples: &mut Vec<u8>) {
        samples.clear();
        while self.flushed < end {
            let from = self.flushed % RING_FRAMES;
            let frames = (end - self.flushed).min(RING_FRAMES - from);
            let range = from as usize * FRAME_BYTES..(from + frames) as usize * FRAME_BYTES;
            samples.extend_from_slice(&self.ring[range.clone()]);
            self.ring[range].fill(ALAW_SILENCE);
            self.flushed += frames;
        }
    }
}

/// Where a channel's sample of a frame is in the ring. Frames before the recording began are never laid.
fn index(frame: i64, lane: usize) -> usize {
    (frame as u64 % RING_FRAMES) as usize * FRAME_BYTES + lane
}

/// Where a packet's first sample lies. If it shows that those before it came late, then also the frames
/// that were laid before and by how much they belong earlier.
struct Place {
    frame: i64,
    back: Option<(Range<i64>, i64)>,
}

/// How a channel's RTP timestamps lie on the timeline.
#[derive(Default)]
struct Channel {
    anchor: Option<Anchor>,
    /// The frames that were laid with this anchor.
    first: i64,
    end: i64,
    /// Least delay against the anchor among the latest packets, and how many those are.
    least_delay: i64,
    packets: u16,
    /// Packets in a row that came after their window.
    late: u16,
}

#[derive(Clone, Copy)]
struct Anchor {
    ssrc: u32,
    timestamp: u32,
    /// Where that timestamp's sample lies.
    frame: i64,
}

impl Channel {
    /// Find the place of a packet that arrived at the frame `arrival`.
    fn place(&mut self, arrival: i64, heard: &Heard<'_>) -> Place {
        let length = heard.payload.len() as i64;
        let undelayed = arrival - length;
        let Some(anchor) = self.anchor.filter(|a| a.ssrc == heard.ssrc) else {
            return self.anchor_at(undelayed, heard);
        };
        let mut frame = anchor.frame + i64::from(heard.timestamp.wrapping_sub(anchor.timestamp) as i32);
        let delay = undelayed - frame;
        if delay < -WINDOW_FRAMES {
            // No network was that slow: the sender's clock jumped.
            return self.anchor_at(undelayed, heard);
        }
        if delay < -EARLY_FRAMES {
            return self.anchor_earlier(undelayed, -delay, heard);
        }
        if delay > WINDOW_FRAMES {
            self.late += 1;
            let stood_still = self.late == LATE_PACKETS;
            return if stood_still { self.anchor_at(undelayed, heard) } else { Place { frame, back: None } };
        }
        let drift = self.drift(delay);
        frame += drift;
        if drift > 0 || frame >= self.end {
            // Keeps the distance to the anchor far from the wrap of the timestamp, too.
            self.anchor = Some(Anchor { frame, timestamp: heard.timestamp, ..anchor });
        }
        self.end = self.end.max(frame + length);
        Place { frame, back: None }
    }

    /// How far the anchor lags behind even the least delayed of the latest packets, if too far.
    fn drift(&mut self, delay: i64) -> i64 {
        self.late = 0;
        self.least_delay = self.least_delay.min(delay);
        self.packets += 1;
        if self.packets < DRIFT_PACKETS {
            return 0;
        }
        self.packets = 0;
        let least = std::mem::replace(&mut self.least_delay, i64::MAX);
        if least > DRIFT_FRAMES { least } else { 0 }
    }

    fn anchor_at(&mut self, frame: i64, heard: &Heard<'_>) -> Place {
        *self = Self {
            anchor: Some(Anchor { ssrc: heard.ssrc, timestamp: heard.timestamp, frame }),
            first: frame,
            end: frame + heard.payload.len() as i64,
            least_delay: i64::MAX,
            packets: 0,
            late: 0,
        };
        Place { frame, back: None }
    }

    /// The same, and the talk before belongs earlier by as much.
    fn anchor_earlier(&mut self, frame: i64, by: i64, heard: &Heard<'_>) -> Place {
        let talk = self.first..self.end;
        self.anchor_at(frame, heard);
        self.first = talk.start - by;
        self.end = self.end.max(talk.end - by);
        Place { frame, back: Some((talk, by)) }
    }
}

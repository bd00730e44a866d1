//! The machine of one shard. Its public verbs are here; what a command does is in `commands`, what a
//! packet does in `packets`, what the clock does in `clock`; who hears whom is kept in `hearing`.

mod clock;
mod commands;
mod hearing;
mod packets;

use crate::api::{Command, Config, Counters, Event, LegId, Output, RecordingId, RecordingJob, Transmit};
use crate::leg::Leg;
use crate::play::Wheel;
use crate::recording::Recording;
use domain::Timestamp;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::SocketAddr;

/// Sample buffers kept for the next chunks, 8 KB each.
const BUFFERS_MAX: usize = 64;

/// Something that will be due, ordered as it is served.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Timer {
    Flush(RecordingId),
    Report(u16),
    Silence(u16),
}

/// The audio of all legs of one shard.
///
/// Contract: after every call, drain [`Machine::poll_output`]; then sleep until [`Machine::poll_timeout`]
/// or the next packet or command. `now` comes from one clock that does not go backwards; when it does all
/// the same, nothing worse happens than that things are late. Datagrams leave during the calls, through
/// the `transmit` that is passed.
pub struct Machine {
    config: Config,
    cname: String,
    random: SplitMix,
    /// The first even port of the range.
    first_port: u16,
    /// By (port - first port) / 2.
    legs: Vec<Option<Box<Leg>>>,
    by_id: BTreeMap<LegId, u16>,
    recordings: BTreeMap<RecordingId, Recording>,
    wheel: Wheel,
    timers: BTreeSet<(Timestamp, Timer)>,
    outputs: VecDeque<Output>,
    buffers: Vec<Vec<u8>>,
    counters: Counters,
}

impl Machine {
    #[must_use]
    pub fn new(config: Config) -> Self {
        let mut random = SplitMix(config.seed);
        let first_port = config.ports.start().saturating_add(config.ports.start() % 2);
        let pairs = usize::from(config.ports.end().saturating_sub(first_port)) / 2 + 1;
        Self {
            // A name that lasts as long as the process and says nothing of it (RFC 7022 section 4.2).
            cname: format!("{:016x}", random.next()),
            random,
            first_port,
            legs: std::iter::repeat_with(|| None).take(pairs).collect(),
            by_id: BTreeMap::new(),
            recordings: BTreeMap::new(),
            wheel: Wheel::default(),
            timers: BTreeSet::new(),
            outputs: VecDeque::new(),
            buffers: Vec::new(),
            counters: Counters::default(),
            config,
        }
    }

    pub fn handle_command(
        &mut self,
        now: Timestamp,
        command: Command,
        transmit: &mut impl FnMut(Transmit<'_>),
    ) {
        self.obey(now, command, transmit);
    }

    /// A datagram came to an RTP port. `micros` is a monotonic clock of any origin, for jitter. The bytes
    /// are overwritten: a relayed packet gets its new header in place.
    pub fn handle_rtp(
        &mut self,
        now: Timestamp,
        micros: u64,
        port: u16,
        from: SocketAddr,
        bytes: &mut [u8],
        transmit: &mut impl FnMut(Transmit<'_>),
    ) {
        self.take_rtp(now, micros, port, from, bytes, transmit);
    }

    /// A datagram came to an RTCP port (`port` is that odd one).
    pub fn handle_rtcp(&mut self, now: Timestamp, port: u16, from: SocketAddr, bytes: &[u8]) {
        self.take_rtcp(now, port, from, bytes);
    }

    /// Send the frames and reports that are due and hand out recorded samples.
    pub fn handle_timeout(&mut self, now: Timestamp, transmit: &mut impl FnMut(Transmit<'_>)) {
        self.play_due(now, transmit);
        self.serve_timers(now, transmit);
    }

    #[must_use]
    pub fn poll_timeout(&self) -> Option<Timestamp> {
        let timer = self.timers.first().map(|(at, _)| next_beat(*at));
        timer.into_iter().chain(self.wheel.poll_timeout()).min()
    }

    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// Complete every recording; the process is about to end.
    pub fn finish(&mut self, now: Timestamp) {
        let open: Vec<RecordingId> = self.recordings.keys().copied().collect();
        for recording in open {
            self.stop_recording(now, recording);
        }
    }

    /// Take back the buffer of a chunk that was written.
    pub fn recycle(&mut self, buffer: Vec<u8>) {
        if self.buffers.len() < BUFFERS_MAX {
            self.buffers.push(buffer);
        }
    }

    #[must_use]
    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    /// Open legs and recordings.
    #[must_use]
    pub fn load(&self) -> (usize, usize) {
        (self.by_id.len(), self.recordings.len())
    }

    /// The slot of an even port of ours.
    fn slot(&self, port: u16) -> Option<u16> {
        let ahead = port.checked_sub(self.first_port)?;
        (port.is_multiple_of(2) && self.config.ports.contains(&port)).then_some(ahead / 2)
    }

    fn leg_mut(&mut self, slot: u16) -> Option<&mut Leg> {
        self.legs.get_mut(usize::from(slot))?.as_deref_mut()
    }

    fn leg(&self, slot: u16) -> Option<&Leg> {
        self.legs.get(usize::from(slot))?.as_deref()
    }

    fn event(&mut self, event: Event) {
        self.outputs.push_back(Output::Event(event));
    }

    fn flush(&mut self, now: Timestamp, id: RecordingId, all: bool) {
        let Self { recordings, buffers, outputs, .. } = self;
        if let Some(recording) = recordings.get_mut(&id) {
            let buffer = || buffers.pop().unwrap_or_default();
            let emit = |job: RecordingJob| outputs.push_back(Output::Recording(job));
            recording.flush(now, id, all, buffer, emit);
        }
    }

    fn stop_recording(&mut self, now: Timestamp, id: RecordingId) {
        self.flush(now, id, true);
        if let Some(recording) = self.recordings.remove(&id) {
            self.timers.remove(&(recording.flush_at, Timer::Flush(id)));
            for leg in recording.legs() {
                self.leave_recording(leg, id);
            }
        }
    }

    fn leave_recording(&mut self, leg: LegId, id: RecordingId) {
        if let Some(slot) = self.by_id.get(&leg).copied()
            && let Some(leg) = self.leg_mut(slot)
            && leg.recording.is_some_and(|(recording, _)| recording == id)
        {
            leg.recording = None;
        }
    }
}

/// SplitMix64 (Steele, Lea, Flood 2014): enough for numbers that need only differ.
struct SplitMix(u64);

impl SplitMix {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }
}

/// Timers are served together, on a beat: none of them minds being late by that much, and each wake-up costs more
/// than what it is for.
const BEAT_MS: i64 = 50;

fn next_beat(at: Timestamp) -> Timestamp {
    Timestamp::from_ms(at.as_ms().saturating_add(BEAT_MS - 1).div_euclid(BEAT_MS) * BEAT_MS)
}

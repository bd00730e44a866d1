//! A machine under a virtual clock, and phones that talk to it.
#![allow(dead_code, reason = "each test file uses its part")]
#![allow(clippy::unwrap_used, reason = "a test fails where it stands")]

use media::{Codec, Command, Config, Event, LegId, Machine, Output, RecordingJob, Remote, Timestamp};
use std::collections::VecDeque;
use std::net::SocketAddr;

pub const FIRST_PORT: u16 = 20_000;
pub const T0: i64 = 1_790_000_000_000;

/// A datagram that the machine sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sent {
    pub at_ms: i64,
    pub port: u16,
    pub to: SocketAddr,
    pub bytes: Vec<u8>,
}

impl Sent {
    pub fn marker(&self) -> bool {
        self.bytes[1] & 0x80 != 0
    }

    pub fn payload_type(&self) -> u8 {
        self.bytes[1] & 0x7F
    }

    pub fn sequence(&self) -> u16 {
        u16::from_be_bytes([self.bytes[2], self.bytes[3]])
    }

    pub fn timestamp(&self) -> u32 {
        u32::from_be_bytes(self.bytes[4..8].try_into().unwrap())
    }

    pub fn ssrc(&self) -> u32 {
        u32::from_be_bytes(self.bytes[8..12].try_into().unwrap())
    }

    pub fn payload(&self) -> &[u8] {
        &self.bytes[12..]
    }
}

pub struct World {
    pub machine: Machine,
    pub ms: i64,
    pub sent: Vec<Sent>,
    pub events: VecDeque<Event>,
    pub jobs: Vec<RecordingJob>,
}

impl World {
    pub fn new() -> Self {
        let config = Config::new(7, FIRST_PORT..=FIRST_PORT + 99);
        Self { machine: Machine::new(config), ms: 0, sent: vec![], events: VecDeque::new(), jobs: vec![] }
    }

    pub fn now(&self) -> Timestamp {
        Timestamp::from_ms(T0 + self.ms)
    }

    pub fn tell(&mut self, command: Command) {
        let (now, ms) = (self.now(), self.ms);
        let Self { machine, sent, .. } = self;
        machine.handle_command(now, command, &mut |t| sent.push(copy(ms, &t)));
        self.drain();
    }

    /// Let time pass, waking the machine when it asks for it.
    pub fn run(&mut self, ms: i64) {
        self.run_until(self.ms + ms);
    }

    pub fn run_until(&mut self, end: i64) {
        while let Some(at) = self.machine.poll_timeout()
            && at.as_ms() - T0 <= end
        {
            self.ms = self.ms.max(at.as_ms() - T0);
            let (now, ms) = (self.now(), self.ms);
            let Self { machine, sent, .. } = self;
            machine.handle_timeout(now, &mut |t| sent.push(copy(ms, &t)));
            self.drain();
            assert!(self.machine.poll_timeout().is_none_or(|next| next > at), "time-outs must move on");
        }
        self.ms = end;
    }

    /// A datagram arrives now at `port`.
    pub fn arrive(&mut self, port: u16, from: SocketAddr, bytes: &[u8]) {
        let (now, ms) = (self.now(), self.ms);
        let mut bytes = bytes.to_vec();
        let Self { machine, sent, .. } = self;
        if port.is_multiple_of(2) {
            let micros = now.as_ms() as u64 * 1000;
            machine.handle_rtp(now, micros, port, from, &mut bytes, &mut |t| sent.push(copy(ms, &t)));
        } else {
            machine.handle_rtcp(now, port, from, &bytes);
        }
        self.drain();
    }

    /// What was sent from a port since the last look, and no longer is there.
    pub fn take_sent(&mut self, port: u16) -> Vec<Sent> {
        let (taken, rest) = std::mem::take(&mut self.sent).into_iter().partition(|s| s.port == port);
        self.sent = rest;
        taken
    }

    pub fn take_events(&mut self) -> Vec<Event> {
        self.events.drain(..).collect()
    }

    fn drain(&mut self) {
        while let Some(output) = self.machine.poll_output() {
            match output {
                Output::Event(event) => self.events.push_back(event),
                Output::Recording(job) => self.jobs.push(job),
            }
        }
    }
}

fn copy(at_ms: i64, transmit: &media::Transmit<'_>) -> Sent {
    Sent { at_ms, port: transmit.port, to: transmit.to, bytes: transmit.bytes.to_vec() }
}

/// One peer of the machine.
pub struct Phone {
    pub leg: LegId,
    /// The machine's port for it.
    pub port: u16,
    pub address: SocketAddr,
    pub codec: Codec,
    pub dtmf_payload: Option<u8>,
    pub ssrc: u32,
    pub sequence: u16,
    pub timestamp: u32,
}

impl Phone {
    /// Phone number `n` on port pair number `n`, not yet open.
    pub fn new(n: u16, codec: Codec) -> Self {
        let address = SocketAddr::from(([10, 0, 0, n as u8], 4000));
        let (sequence, timestamp) = (65_530, u32::MAX - 1000);
        let leg = LegId(u64::from(n));
        let port = FIRST_PORT + 2 * n;
        let ssrc = 1000 + u32::from(n);
        Self { leg, port, address, codec, dtmf_payload: Some(101), ssrc, sequence, timestamp }
    }

    pub fn remote(&self) -> Remote {
        Remote {
            rtp: self.address,
            rtcp: SocketAddr::new(self.address.ip(), self.address.port() + 1),
            codec: self.codec,
            dtmf_payload: self.dtmf_payload,
            send: true,
            receive: true,
        }
    }

    pub fn open(self, world: &mut World) -> Self {
        world.tell(Command::Open { leg: self.leg, port: self.port, remote: Some(self.remote()) });
        self
    }

    /// The next packet on the way to the machine.
    pub fn packet(&mut self, payload: &[u8]) -> Vec<u8> {
        let bytes = self.raw(self.codec.payload_type(), payload);
        self.sequence = self.sequence.wrapping_add(1);
        self.timestamp = self.timestamp.wrapping_add(payload.len() as u32);
        bytes
    }

    /// A packet with the present sequence number and timestamp.
    pub fn raw(&self, payload_type: u8, payload: &[u8]) -> Vec<u8> {
        let mut bytes = vec![0x80, payload_type];
        bytes.extend_from_slice(&self.sequence.to_be_bytes());
        bytes.extend_from_slice(&self.timestamp.to_be_bytes());
        bytes.extend_from_slice(&self.ssrc.to_be_bytes());
        bytes.extend_from_slice(payload);
        bytes
    }

    /// Send a packet now.
    pub fn speak(&mut self, world: &mut World, payload: &[u8]) {
        let bytes = self.packet(payload);
        world.arrive(self.port, self.address, &bytes);
    }

    /// Press a key: five packets and its end three times, 20 ms each.
    pub fn press(&mut self, world: &mut World, key: u8) {
        for n in 1..=8u16 {
            let ended = if n > 5 { 0x80 } else { 0 };
            let [high, low] = (160 * n.min(6)).to_be_bytes();
            let bytes = self.raw(101, &[key, ended | 10, high, low]);
            self.sequence = self.sequence.wrapping_add(1);
            world.arrive(self.port, self.address, &bytes);
            world.run(20);
        }
        self.timestamp = self.timestamp.wrapping_add(8 * 160 + 400);
        world.run(50);
    }
}

/// Packets that carry on from each other: one SSRC, sequence by one, timestamps by what passed.
pub fn assert_one_stream(sent: &[Sent]) {
    for pair in sent.windows(2) {
        let what = format!("at {} ms and {} ms", pair[0].at_ms, pair[1].at_ms);
        assert_eq!(pair[1].ssrc(), pair[0].ssrc(), "{what}");
        assert_eq!(pair[1].sequence(), pair[0].sequence().wrapping_add(1), "{what}");
        let ahead = i64::from(pair[1].timestamp().wrapping_sub(pair[0].timestamp()));
        let passed = (pair[1].at_ms - pair[0].at_ms) * 8;
        assert!((ahead - passed).abs() <= 160, "{what}: {ahead} samples for {passed}");
    }
}

/// `len` samples of noise that is unlike any other `seed`'s, as A-law.
pub fn speech(seed: u32, len: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(2_654_435_761).max(1);
    let mut smooth = 0i32;
    (0..len)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 17;
            state ^= state << 5;
            smooth += (i32::from(state as i16) - smooth) / 4;
            media::g711::encode_alaw(smooth as i16)
        })
        .collect()
}

/// Normalised correlation of two A-law signals at the lag (in samples, `b` after `a`) where it is highest,
/// and that lag.
pub fn correlate(a: &[u8], b: &[u8], lag_max: i64) -> (f64, i64) {
    let linear = |s: &[u8]| s.iter().map(|x| f64::from(media::g711::decode_alaw(*x))).collect::<Vec<_>>();
    let (a, b) = (linear(a), linear(b));
    (-lag_max..=lag_max)
        .map(|lag| {
            let pairs = a.iter().enumerate().filter_map(|(n, x)| {
                let at = usize::try_from(n as i64 + lag).ok()?;
                b.get(at).map(|y| (*x, *y))
            });
            let (mut xy, mut xx, mut yy) = (0.0, 1e-9, 1e-9);
            for (x, y) in pairs {
                (xy, xx, yy) = (xy + x * y, xx + x * x, yy + y * y);
            }
            (xy / f64::sqrt(xx * yy), lag)
        })
        .max_by(|p, q| p.0.total_cmp(&q.0))
        .unwrap()
}

/// First frame and tag of each segment.
pub type Segments = Vec<(u64, Option<u64>)>;

/// The channels and segments that the jobs of one recording make.
pub fn assemble(jobs: &[RecordingJob]) -> (Vec<u8>, Vec<u8>, Segments) {
    let (mut left, mut right, mut segments) = (vec![], vec![], vec![(0, None)]);
    for job in jobs {
        match job {
            RecordingJob::Open { .. } => {}
            RecordingJob::Samples { at, samples, .. } => {
                assert_eq!(*at, left.len() as u64, "chunks must join");
                assert!(samples.len() <= 8000, "half a second at most");
                left.extend(samples.iter().step_by(2));
                right.extend(samples.iter().skip(1).step_by(2));
            }
            RecordingJob::Segment { at, tag, .. } => segments.push((*at, *tag)),
            RecordingJob::Close { at, .. } => assert_eq!(*at, left.len() as u64),
        }
    }
    (left, right, segments)
}

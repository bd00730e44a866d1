//! One shard: its sockets, its machine, its thread.

use super::clock::Clock;
use super::ports::{self, Pair};
use super::sys::{self, BATCH, Batch};
use super::{MediaConfig, Sink, Tallies};
use crate::recording::Job;
use media::{Command, Config, Machine, Output, RecordingJob, Transmit};
use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Token, Waker};
use std::collections::VecDeque;
use std::hash::{BuildHasher, RandomState};
use std::io;
use std::os::fd::{AsFd, AsRawFd};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, TrySendError};
use std::sync::{Arc, PoisonError};
use std::time::Duration;

/// Sockets served between two looks at the clock.
const EVENTS_MAX: usize = 128;
/// Batches taken from one socket before the others have their turn.
const BATCHES_PER_TURN: usize = 4;
/// Commands obeyed before the packets have their turn.
const COMMANDS_PER_TURN: usize = 64;
/// Chunks that wait for the writer, 8 KB each: what 400 calls say while a disk stalls for five seconds.
/// Later ones are lost, and become silence in their file.
const CHUNKS_WAITING_MAX: usize = 4096;

const WAKER: Token = Token(usize::MAX);

/// What connects a shard to the other threads.
pub(super) struct Wiring {
    pub index: u16,
    pub clock: Clock,
    pub inbox: Receiver<Command>,
    pub jobs: SyncSender<Job>,
    /// Chunk buffers that come back from the writer.
    pub empties: Receiver<Vec<u8>>,
    pub sink: Sink,
    pub tallies: Arc<Tallies>,
}

pub(super) struct Shard {
    wiring: Wiring,
    machine: Machine,
    poll: Poll,
    waker: Arc<Waker>,
    sockets: Sockets,
    batch: Batch,
    /// Sockets that had more than their turn's worth.
    unread: Vec<Token>,
    /// Jobs that the writer's queue had no room for.
    waiting: VecDeque<RecordingJob>,
    counted: media::Counters,
}

/// Whether the owner is still there.
#[derive(PartialEq, Eq)]
enum Owner {
    Present,
    /// Present, and there is more in the inbox.
    Talking,
    Gone,
}

impl Shard {
    pub fn new(config: &MediaConfig, pairs: Vec<Pair>, wiring: Wiring) -> io::Result<Self> {
        let poll = Poll::new()?;
        let waker = Arc::new(Waker::new(poll.registry(), WAKER)?);
        let sockets = Sockets::register(config, pairs, &poll)?;
        // The standard library's hasher is the one place where it hands out the system's randomness.
        let seed = RandomState::new().hash_one(wiring.index);
        let range = sockets.first..=*config.ports.end();
        let machine =
            Machine::new(Config { silence_timeout: config.silence_timeout, ..Config::new(seed, range) });
        Ok(Self {
            wiring,
            machine,
            poll,
            waker,
            sockets,
            batch: Batch::new(),
            unread: Vec::new(),
            waiting: VecDeque::new(),
            counted: media::Counters::default(),
        })
    }

    pub fn waker(&self) -> Arc<Waker> {
        Arc::clone(&self.waker)
    }

    pub fn run(mut self) {
        let mut events = Events::with_capacity(EVENTS_MAX);
        let mut owner = Owner::Present;
        while owner != Owner::Gone {
            let wait = self.wait(&owner);
            if let Err(error) = self.poll.poll(&mut events, wait)
                && error.kind() != io::ErrorKind::Interrupted
            {
                tracing::error!(shard = self.wiring.index, %error, "a media shard cannot wait for packets");
                break;
            }
            self.keep_time();
            let mut called = owner == Owner::Talking;
            for token in std::mem::take(&mut self.unread) {
                self.read(token);
            }
            for event in &events {
                if event.token() == WAKER {
                    called = true;
                } else {
                    self.read(event.token());
                }
            }
            if called {
                owner = self.obey();
            }
            self.drain();
        }
        self.finish();
    }

    /// How long nothing will be due.
    fn wait(&self, owner: &Owner) -> Option<Duration> {
        if !self.unread.is_empty() || *owner == Owner::Talking {
            return Some(Duration::ZERO);
        }
        let (now, _) = self.wiring.clock.now();
        self.machine.poll_timeout().map(|at| at - now)
    }

    fn keep_time(&mut self) {
        let (now, _) = self.wiring.clock.now();
        if self.machine.poll_timeout().is_some_and(|at| at <= now) {
            let Self { machine, sockets, wiring, .. } = self;
            machine.handle_timeout(now, &mut |t| sockets.transmit(&t, &wiring.tallies.sends_failed));
        }
    }

    fn read(&mut self, token: Token) {
        let Self { machine, sockets, batch, wiring, .. } = self;
        let Some((port, socket)) = sockets.get(token) else {
            return;
        };
        for _ in 0..BATCHES_PER_TURN {
            let Ok(count) = sys::receive(socket.as_fd(), batch) else {
                return; // drained
            };
            let (now, micros) = wiring.clock.now();
            for index in 0..count {
                let Some((from, bytes)) = batch.get(index) else {
                    continue;
                };
                if is_rtp(port) {
                    let mut transmit = |t: Transmit<'_>| sockets.transmit(&t, &wiring.tallies.sends_failed);
                    machine.handle_rtp(now, micros, port, from, bytes, &mut transmit);
                } else {
                    machine.handle_rtcp(now, port, from, bytes);
                }
            }
            if count < BATCH {
                return;
            }
        }
        self.unread.push(token);
    }

    fn obey(&mut self) -> Owner {
        let (now, _) = self.wiring.clock.now();
        for _ in 0..COMMANDS_PER_TURN {
            match self.wiring.inbox.try_recv() {
                Ok(command) => {
                    let Self { machine, sockets, wiring, .. } = self;
                    let mut transmit = |t: Transmit<'_>| sockets.transmit(&t, &wiring.tallies.sends_failed);
                    machine.handle_command(now, command, &mut transmit);
                }
                Err(TryRecvError::Empty) => return Owner::Present,
                Err(TryRecvError::Disconnected) => return Owner::Gone,
            }
        }
        Owner::Talking
    }

    /// Hand on what the machine has to say.
    fn drain(&mut self) {
        while let Some(output) = self.machine.poll_output() {
            match output {
                Output::Event(event) => (self.wiring.sink)(event),
                Output::Recording(job) => self.hold(job),
            }
        }
        while let Some(job) = self.waiting.pop_front() {
            match self.wiring.jobs.try_send(Job { shard: self.wiring.index, job }) {
                Ok(()) => {}
                Err(TrySendError::Full(back)) => {
                    self.waiting.push_front(back.job);
                    break;
                }
                Err(TrySendError::Disconnected(_)) => break,
            }
        }
        while let Ok(buffer) = self.wiring.empties.try_recv() {
            self.machine.recycle(buffer);
        }
        if *self.machine.counters() != self.counted {
            self.counted = *self.machine.counters();
            let tally = &self.wiring.tallies.machines[usize::from(self.wiring.index)];
            *tally.lock().unwrap_or_else(PoisonError::into_inner) = self.counted;
        }
    }

    /// Samples may get lost when the disk is too slow; the few other jobs of a recording never.
    fn hold(&mut self, job: RecordingJob) {
        match job {
            RecordingJob::Samples { samples, .. } if self.waiting.len() >= CHUNKS_WAITING_MAX => {
                self.wiring.tallies.chunks_lost.fetch_add(1, Ordering::Relaxed);
                self.machine.recycle(samples);
            }
            RecordingJob::Open { .. }
            | RecordingJob::Samples { .. }
            | RecordingJob::Segment { .. }
            | RecordingJob::Close { .. } => self.waiting.push_back(job),
        }
    }

    /// Complete the recordings; the writer is now waited for.
    fn finish(mut self) {
        let (now, _) = self.wiring.clock.now();
        self.machine.finish(now);
        self.drain();
        for job in self.waiting {
            if self.wiring.jobs.send(Job { shard: self.wiring.index, job }).is_err() {
                break;
            }
        }
    }
}

/// The sockets of a shard, by their place in the range.
struct Sockets {
    first: u16,
    pairs: Vec<Option<Pair>>,
}

impl Sockets {
    fn register(config: &MediaConfig, pairs: Vec<Pair>, poll: &Poll) -> io::Result<Self> {
        let first = ports::first_even(config);
        let slots = usize::from(config.ports.end().saturating_sub(first)) / 2 + 1;
        let mut sockets = Self { first, pairs: (0..slots).map(|_| None).collect() };
        for pair in pairs {
            for (port, socket) in [(pair.port, &pair.rtp), (pair.port + 1, &pair.rtcp)] {
                let token = Token(usize::from(port - first));
                poll.registry().register(&mut SourceFd(&socket.as_raw_fd()), token, Interest::READABLE)?;
            }
            let slot = usize::from(pair.port - first) / 2;
            sockets.pairs[slot] = Some(pair);
        }
        Ok(sockets)
    }

    fn get(&self, token: Token) -> Option<(u16, &std::net::UdpSocket)> {
        let port = self.first + u16::try_from(token.0).ok()?;
        self.socket(port).map(|socket| (port, socket))
    }

    fn socket(&self, port: u16) -> Option<&std::net::UdpSocket> {
        let pair = self.pairs.get(usize::from(port.checked_sub(self.first)?) / 2)?.as_ref()?;
        Some(if is_rtp(port) { &pair.rtp } else { &pair.rtcp })
    }

    /// Never waits: what the system does not take is lost, as on any network.
    fn transmit(&self, transmit: &Transmit<'_>, failed: &AtomicU64) {
        let sent = self.socket(transmit.port).map(|s| s.send_to(transmit.bytes, transmit.to));
        if !matches!(sent, Some(Ok(_))) {
            failed.fetch_add(1, Ordering::Relaxed);
        }
    }
}

fn is_rtp(port: u16) -> bool {
    port.is_multiple_of(2)
}

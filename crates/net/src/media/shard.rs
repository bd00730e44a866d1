//! One shard: its sockets, its machine, its thread.

use super::clock::Clock;
use super::ports::{self, Pair};
use super::sys::{Bell, Watch};
use super::{MediaConfig, Sink, Tallies};
use crate::recording::Job;
use media::{Command, Config, Machine, Output, RecordingJob, Transmit};
use std::collections::VecDeque;
use std::hash::{BuildHasher, RandomState};
use std::io;
use std::net::UdpSocket;
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, TrySendError};
use std::sync::{Arc, PoisonError};
use std::time::Duration;

/// Commands obeyed before the packets have their turn.
const COMMANDS_PER_TURN: usize = 64;
/// Chunks that wait for the writer, 8 KB each: what 400 calls say while a disk stalls for five seconds.
/// Later ones are lost, and become silence in their file.
const CHUNKS_WAITING_MAX: usize = 4096;
/// Longer datagrams are cut off, and no RTP of ours.
const DATAGRAM_BYTES_MAX: usize = 1500;

/// The bell's number among the sockets', which are ports.
const BELL: u64 = u64::MAX;

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
    watch: Watch,
    bell: Arc<Bell>,
    sockets: Sockets,
    /// Jobs that the writer's queue had no room for.
    waiting: VecDeque<RecordingJob>,
    counted: media::Counters,
}

/// Whether the owner is still there.
#[derive(PartialEq, Eq)]
enum Owner {
    Present,
    Gone,
}

impl Shard {
    pub fn new(config: &MediaConfig, pairs: Vec<Pair>, wiring: Wiring) -> io::Result<Self> {
        let watch = Watch::new()?;
        let bell = Arc::new(Bell::new()?);
        watch.add(bell.as_fd(), BELL)?;
        let sockets = Sockets::watched(config, pairs, &watch)?;
        // The standard library's hasher is the one place where it hands out the system's randomness.
        let seed = RandomState::new().hash_one(wiring.index);
        let range = sockets.first..=*config.ports.end();
        let machine =
            Machine::new(Config { silence_timeout: config.silence_timeout, ..Config::new(seed, range) });
        Ok(Self {
            wiring,
            machine,
            watch,
            bell,
            sockets,
            waiting: VecDeque::new(),
            counted: media::Counters::default(),
        })
    }

    /// Rung when there are commands, or when the owner is gone.
    pub fn bell(&self) -> Arc<Bell> {
        Arc::clone(&self.bell)
    }

    pub fn run(mut self) {
        let mut buffer = [0; DATAGRAM_BYTES_MAX + 1];
        let mut owner = Owner::Present;
        while owner == Owner::Present {
            let wait = self.idle_time();
            if let Err(error) = self.watch.wait(wait)
                && error.kind() != io::ErrorKind::Interrupted
            {
                tracing::error!(shard = self.wiring.index, %error, "a media shard cannot wait for packets");
                break;
            }
            self.keep_time();
            for index in 0..self.watch.count() {
                match self.watch.ready(index) {
                    BELL => owner = self.obey(),
                    port => self.read(port as u16, &mut buffer),
                }
            }
            self.drain();
        }
        self.finish();
    }

    /// How long nothing will be due.
    fn idle_time(&self) -> Option<Duration> {
        let at = self.machine.poll_timeout()?;
        let (now, _) = self.wiring.clock.now();
        Some(at - now)
    }

    fn keep_time(&mut self) {
        let (now, _) = self.wiring.clock.now();
        if self.machine.poll_timeout().is_some_and(|at| at <= now) {
            let Self { machine, sockets, wiring, .. } = self;
            machine.handle_timeout(now, &mut |t| sockets.transmit(&t, &wiring.tallies.sends_failed));
        }
    }

    /// Take one packet; if there are more, the socket is ready again, after the others had their turn.
    fn read(&mut self, port: u16, buffer: &mut [u8]) {
        let Self { machine, sockets, wiring, .. } = self;
        let Some(Ok((length, from))) = sockets.get(port).map(|s| s.recv_from(buffer)) else {
            return;
        };
        if length > DATAGRAM_BYTES_MAX {
            return;
        }
        let bytes = &mut buffer[..length];
        let (now, micros) = wiring.clock.now();
        if is_rtp(port) {
            let mut transmit = |t: Transmit<'_>| sockets.transmit(&t, &wiring.tallies.sends_failed);
            machine.handle_rtp(now, micros, port, from, bytes, &mut transmit);
        } else {
            machine.handle_rtcp(now, port, from, bytes);
        }
    }

    fn obey(&mut self) -> Owner {
        let Self { machine, sockets, wiring, bell, .. } = self;
        // Before the inbox is looked at, so that no command comes unheard in between.
        bell.silence();
        let (now, _) = wiring.clock.now();
        for _ in 0..COMMANDS_PER_TURN {
            match wiring.inbox.try_recv() {
                Ok(command) => {
                    let mut transmit = |t: Transmit<'_>| sockets.transmit(&t, &wiring.tallies.sends_failed);
                    machine.handle_command(now, command, &mut transmit);
                }
                Err(TryRecvError::Empty) => return Owner::Present,
                Err(TryRecvError::Disconnected) => return Owner::Gone,
            }
        }
        bell.ring();
        Owner::Present
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
    fn watched(config: &MediaConfig, pairs: Vec<Pair>, watch: &Watch) -> io::Result<Self> {
        let first = ports::first_even(config);
        let slots = usize::from(config.ports.end().saturating_sub(first)) / 2 + 1;
        let mut sockets = Self { first, pairs: (0..slots).map(|_| None).collect() };
        for pair in pairs {
            watch.add(pair.rtp.as_fd(), pair.port.into())?;
            watch.add(pair.rtcp.as_fd(), (pair.port + 1).into())?;
            let slot = usize::from(pair.port - first) / 2;
            sockets.pairs[slot] = Some(pair);
        }
        Ok(sockets)
    }

    fn get(&self, port: u16) -> Option<&UdpSocket> {
        let pair = self.pairs.get(usize::from(port.checked_sub(self.first)?) / 2)?.as_ref()?;
        Some(if is_rtp(port) { &pair.rtp } else { &pair.rtcp })
    }

    /// Never waits: what the system does not take is lost, as on any network.
    fn transmit(&self, transmit: &Transmit<'_>, failed: &AtomicU64) {
        let sent = self.get(transmit.port).map(|s| s.send_to(transmit.bytes, transmit.to));
        if !matches!(sent, Some(Ok(_))) {
            failed.fetch_add(1, Ordering::Relaxed);
        }
    }
}

fn is_rtp(port: u16) -> bool {
    port.is_multiple_of(2)
}

//! The media shards: a few threads, each an epoll loop over pre-bound port pairs around one pure
//! [`media::Machine`], and beside them one thread that writes recordings.
//!
//! Every pair (even port RTP, odd port RTCP) is bound at the start, so a call never waits for a socket
//! and never fails for want of one. Packets leave through the socket of their leg, for phones expect
//! them from the port that was offered.
//!
//! Nobody waits here for anybody: a full queue is an error of the sender, a full disk is a gap in a
//! recording, and both are counted.

mod clock;
mod ports;
mod shard;
mod sys;

pub(crate) use sys::sync_filesystem;

use crate::recording;
use media::{Command, Event};
use shard::{Shard, Wiring};
use std::io;
use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;
use sys::Bell;

/// Commands that a shard may be behind with.
const COMMANDS_MAX: usize = 8192;

#[derive(Clone, Debug)]
pub struct MediaConfig {
    /// The address that the sockets are bound to.
    pub ip: IpAddr,
    /// Where port pairs are taken from; below 32768, from where on the kernel hands ports to others.
    pub ports: RangeInclusive<u16>,
    /// How many pairs to bind: one a leg. Ports that are taken are skipped.
    pub pairs: usize,
    /// Threads that relay.
    pub shards: u16,
    pub recordings_dir: PathBuf,
    /// After this long without a packet a leg is reported silent.
    pub silence_timeout: Duration,
    /// How often recordings are forced to the disk, so that a power failure costs no more than this and
    /// the half second that a recording waits in memory. `None` leaves it to the system (about 30 s).
    pub sync_every: Option<Duration>,
}

impl MediaConfig {
    /// 2000 pairs (1000 calls) from port 20000 on, two shards.
    #[must_use]
    pub fn new(ip: IpAddr, recordings_dir: PathBuf) -> Self {
        Self {
            ip,
            ports: 20_000..=29_999,
            pairs: 2000,
            shards: 2,
            recordings_dir,
            silence_timeout: Duration::from_secs(30),
            sync_every: Some(Duration::from_secs(1)),
        }
    }
}

/// A bound pair: the even port, and the shard that serves it. Two legs can only be bridged on one shard.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct MediaPort {
    pub shard: u16,
    pub port: u16,
}

/// A command that was not taken, back to its sender.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    #[error("the media shard is behind with {COMMANDS_MAX} commands")]
    Full(Command),
    #[error("there is no such media shard, or it has ended")]
    Gone(Command),
}

/// What was dropped since the start, over all shards.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MediaCounters {
    pub machines: media::Counters,
    /// Commands refused because a shard was behind.
    pub commands_refused: u64,
    /// Datagrams that the system did not take from us.
    pub sends_failed: u64,
    /// Half seconds of recordings that are silence because the writer was behind.
    pub chunks_lost: u64,
    /// Failed operations on recording files.
    pub file_errors: u64,
}

/// The running shards. Dropping it completes all recordings and ends the threads.
pub struct MediaShards {
    shards: Vec<Handle>,
    ports: Vec<MediaPort>,
    tallies: Arc<Tallies>,
    commands_refused: AtomicU64,
    threads: Vec<JoinHandle<()>>,
}

struct Handle {
    commands: Option<SyncSender<Command>>,
    bell: Arc<Bell>,
}

/// What the threads count.
#[derive(Default)]
pub(crate) struct Tallies {
    /// One a shard; written only when something changed.
    pub machines: Vec<Mutex<media::Counters>>,
    pub sends_failed: AtomicU64,
    pub chunks_lost: AtomicU64,
    pub file_errors: AtomicU64,
}

/// Whom events are told. Called from the shards' threads, so it must not block.
pub(crate) type Sink = Arc<dyn Fn(Event) + Send + Sync>;

/// Bind the ports and start the threads.
///
/// # Errors
/// When no port pair can be bound, the recordings folder cannot be made, or a thread cannot be started.
pub fn start(config: &MediaConfig, sink: impl Fn(Event) + Send + Sync + 'static) -> io::Result<MediaShards> {
    let count = config.shards.max(1);
    let (ports, groups) = ports::bind(config, count)?;
    let tallies =
        Arc::new(Tallies { machines: (0..count).map(|_| Mutex::default()).collect(), ..Tallies::default() });
    let sink: Sink = Arc::new(sink);
    let writer = recording::start(config, count, Arc::clone(&sink), Arc::clone(&tallies))?;
    let mut running = MediaShards {
        shards: Vec::new(),
        ports,
        tallies: Arc::clone(&tallies),
        commands_refused: AtomicU64::new(0),
        threads: Vec::new(),
    };
    let clock = clock::Clock::start();
    for ((index, sockets), empties) in (0..count).zip(groups).zip(writer.empties) {
        let (commands, inbox) = sync_channel(COMMANDS_MAX);
        let wiring = Wiring {
            index,
            clock,
            inbox,
            jobs: writer.jobs.clone(),
            empties,
            sink: Arc::clone(&sink),
            tallies: Arc::clone(&tallies),
        };
        let shard = Shard::new(config, sockets, wiring)?;
        running.shards.push(Handle { commands: Some(commands), bell: shard.bell() });
        let name = format!("media-{index}");
        running.threads.push(std::thread::Builder::new().name(name).spawn(move || shard.run())?);
    }
    drop(writer.jobs);
    running.threads.extend(writer.threads);
    Ok(running)
}

impl MediaShards {
    /// Tell a shard something. Never blocks.
    ///
    /// # Errors
    /// The command comes back when the shard is behind or gone.
    pub fn send(&self, shard: u16, command: Command) -> Result<(), Refused> {
        self.queue(shard, command)?;
        self.ring(shard);
        Ok(())
    }

    /// The same, but the shard looks for it only when it is rung: a wake-up costs more than a command.
    ///
    /// # Errors
    /// As for [`MediaShards::send`].
    pub fn queue(&self, shard: u16, command: Command) -> Result<(), Refused> {
        let handle = self.shards.get(usize::from(shard));
        let Some(commands) = handle.and_then(|handle| handle.commands.as_ref()) else {
            return Err(Refused::Gone(command));
        };
        commands.try_send(command).map_err(|refused| match refused {
            TrySendError::Full(command) => {
                self.commands_refused.fetch_add(1, Ordering::Relaxed);
                Refused::Full(command)
            }
            TrySendError::Disconnected(command) => Refused::Gone(command),
        })
    }

    pub fn ring(&self, shard: u16) {
        if let Some(handle) = self.shards.get(usize::from(shard)) {
            handle.bell.ring();
        }
    }

    /// The bound pairs, in order of their ports.
    #[must_use]
    pub fn ports(&self) -> &[MediaPort] {
        &self.ports
    }

    #[must_use]
    pub fn counters(&self) -> MediaCounters {
        let mut machines = media::Counters::default();
        for shard in &self.tallies.machines {
            let shard = *shard.lock().unwrap_or_else(PoisonError::into_inner);
            machines.packets_unexpected += shard.packets_unexpected;
            machines.packets_malformed += shard.packets_malformed;
            machines.packets_stray += shard.packets_stray;
            machines.packets_unnegotiated += shard.packets_unnegotiated;
            machines.reports_malformed += shard.reports_malformed;
            machines.commands_ignored += shard.commands_ignored;
        }
        MediaCounters {
            machines,
            commands_refused: self.commands_refused.load(Ordering::Relaxed),
            sends_failed: self.tallies.sends_failed.load(Ordering::Relaxed),
            chunks_lost: self.tallies.chunks_lost.load(Ordering::Relaxed),
            file_errors: self.tallies.file_errors.load(Ordering::Relaxed),
        }
    }
}

impl Drop for MediaShards {
    fn drop(&mut self) {
        for shard in &mut self.shards {
            shard.commands = None;
            shard.bell.ring();
        }
        for thread in self.threads.drain(..) {
            if thread.join().is_err() {
                tracing::error!("a media thread panicked");
            }
        }
    }
}

//! What the one thread that owns a node of SIP waits for: datagrams, which it reads itself, and what other
//! threads post.
//!
//! A wake-up costs more than a message. So after a turn that brought something the owner does not ask to be
//! woken, but lets what comes pile up for a moment: it costs a message that much time, and spares the owner,
//! and all who send to it, most of their wake-ups.

use super::{Inbound, Packet, Shared, now};
use ::sip::{Flow, Transport};
use mio::{Events, Interest, Poll, Token, Waker};
use std::collections::VecDeque;
use std::io::{self, ErrorKind};
use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering, fence};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;
use std::time::Duration;

/// Datagrams that were read and wait for the owner: a second's worth of 1,000 calls. Later ones are dropped and
/// counted.
pub const DATAGRAMS_MAX: usize = 16_384;
/// Datagrams read from one socket before the owner has its turn.
const DATAGRAMS_PER_TURN: usize = 1_024;
/// The most that UDP carries.
const DATAGRAM_BYTES_MAX: usize = 65_535;
const WAKE: Token = Token(usize::MAX);

/// An inbox and the way into it. `B` is whatever is posted, and `posts_max` how much of it may wait; `gather` is
/// how long things pile up.
///
/// # Errors
/// When the system has no more files to give.
pub fn inbox<B>(posts_max: usize, gather: Duration) -> io::Result<(Post<B>, Inbox<B>)> {
    let (queue, posted) = sync_channel(posts_max);
    let poll = Poll::new()?;
    let bell =
        Arc::new(Bell { waker: Waker::new(poll.registry(), WAKE)?, is_wanted: AtomicBool::new(false) });
    let inbox = Inbox {
        poll,
        events: Events::with_capacity(64),
        bell: Arc::clone(&bell),
        posted,
        first_post: None,
        sockets: Vec::new(),
        datagrams: VecDeque::new(),
        buffer: vec![0; DATAGRAM_BYTES_MAX],
        gather,
        turn: Turn::Fruitless,
        is_posts_turn: false,
    };
    Ok((Post { queue, bell }, inbox))
}

/// The way into an inbox, for any thread.
pub struct Post<B> {
    queue: SyncSender<B>,
    bell: Arc<Bell>,
}

impl<B> Clone for Post<B> {
    fn clone(&self) -> Self {
        Self { queue: self.queue.clone(), bell: Arc::clone(&self.bell) }
    }
}

/// The inbox is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gone;

impl<B> Post<B> {
    /// Waits for room.
    ///
    /// # Errors
    /// When nobody will look for it any more.
    pub fn send(&self, what: B) -> Result<(), Gone> {
        self.queue.send(what).map_err(|_| Gone)?;
        self.bell.ring();
        Ok(())
    }
}

struct Bell {
    waker: Waker,
    /// The owner is about to sleep, or does, and has seen no post.
    is_wanted: AtomicBool,
}

impl Bell {
    fn ring(&self) {
        // With the fence in `Inbox::sleep`: either the owner sees the post, or this sees that it is wanted.
        fence(Ordering::SeqCst);
        if self.is_wanted.load(Ordering::Relaxed) && self.is_wanted.swap(false, Ordering::Relaxed) {
            // Fails only when it has rung very often, unheard.
            let _ = self.waker.wake();
        }
    }
}

/// Belongs to the thread that works through it: [`Inbox::wait`], then [`Inbox::take`] as often as it likes.
pub struct Inbox<B> {
    poll: Poll,
    events: Events,
    bell: Arc<Bell>,
    posted: Receiver<B>,
    /// Taken from the queue when looking for a reason not to sleep.
    first_post: Option<B>,
    sockets: Vec<Watched>,
    datagrams: VecDeque<Packet>,
    buffer: Vec<u8>,
    gather: Duration,
    turn: Turn,
    is_posts_turn: bool,
}

struct Watched {
    local: SocketAddr,
    socket: mio::net::UdpSocket,
    shared: Arc<Shared>,
}

/// What the owner's turn has been like so far.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Turn {
    Fruitless,
    /// The owner has not yet asked in vain.
    Going,
    /// It brought something, and nothing is left.
    Over,
}

impl<B: From<Inbound>> Inbox<B> {
    /// Watches a clone of `socket`, which stays with whoever sends.
    pub(super) fn watch(
        &mut self,
        local: SocketAddr,
        socket: &UdpSocket,
        shared: &Arc<Shared>,
    ) -> io::Result<()> {
        let mut socket = mio::net::UdpSocket::from_std(socket.try_clone()?);
        let token = Token(self.sockets.len());
        self.poll.registry().register(&mut socket, token, Interest::READABLE)?;
        self.sockets.push(Watched { local, socket, shared: Arc::clone(shared) });
        Ok(())
    }

    /// Waits until there may be something: not at all if the last turn left something, as long as things pile up
    /// if it did not, and until something comes, for `timeout` at the most, if it had brought nothing.
    ///
    /// # Errors
    /// When the system cannot wait for sockets.
    pub fn wait(&mut self, timeout: Duration) -> io::Result<()> {
        match std::mem::replace(&mut self.turn, Turn::Fruitless) {
            Turn::Going => {}
            Turn::Over => thread::sleep(self.gather),
            Turn::Fruitless => self.sleep(timeout)?,
        }
        for watched in &self.sockets {
            watched.read(&mut self.buffer, &mut self.datagrams);
        }
        Ok(())
    }

    /// What comes next, if anything is there. Posts and datagrams take turns.
    pub fn take(&mut self) -> Option<B> {
        self.is_posts_turn = !self.is_posts_turn;
        let taken = if self.is_posts_turn {
            self.take_post().or_else(|| self.take_datagram())
        } else {
            self.take_datagram().or_else(|| self.take_post())
        };
        self.turn = match (&taken, self.turn) {
            (Some(_), _) => Turn::Going,
            (None, Turn::Fruitless) => Turn::Fruitless,
            (None, Turn::Going | Turn::Over) => Turn::Over,
        };
        taken
    }

    fn sleep(&mut self, timeout: Duration) -> io::Result<()> {
        self.bell.is_wanted.store(true, Ordering::Relaxed);
        // With the fence in `Bell::ring`.
        fence(Ordering::SeqCst);
        self.first_post = self.take_post();
        let timeout = if self.first_post.is_some() { Duration::ZERO } else { timeout };
        let slept = self.poll.poll(&mut self.events, Some(timeout));
        self.bell.is_wanted.store(false, Ordering::Relaxed);
        slept.or_else(|error| if error.kind() == ErrorKind::Interrupted { Ok(()) } else { Err(error) })
    }

    fn take_post(&mut self) -> Option<B> {
        self.first_post.take().or_else(|| self.posted.try_recv().ok())
    }

    fn take_datagram(&mut self) -> Option<B> {
        self.datagrams.pop_front().map(|packet| Inbound::Packet(packet).into())
    }
}

impl Watched {
    fn read(&self, buffer: &mut [u8], datagrams: &mut VecDeque<Packet>) {
        let counts = &self.shared.counts;
        for _ in 0..DATAGRAMS_PER_TURN {
            match self.socket.recv_from(buffer) {
                Ok(_) if datagrams.len() >= DATAGRAMS_MAX => {
                    counts.udp_dropped.fetch_add(1, Ordering::Relaxed);
                }
                Ok((length, remote)) => {
                    counts.udp_received.fetch_add(1, Ordering::Relaxed);
                    let flow = Flow { transport: Transport::Udp, local: self.local, remote };
                    datagrams.push_back(Packet { at: now(), flow, bytes: buffer[..length].to_vec() });
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                // Nothing more, or an error that reading on would not mend.
                Err(_) => break,
            }
        }
    }
}

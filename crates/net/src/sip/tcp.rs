//! The thread that owns all TCP listeners and connections.
//!
//! It waits when the inbox is full, and with it every peer; the way in the other direction
//! never makes anybody wait, so the two cannot wait for each other.

use super::{Inbound, Packet, Post, Shared, SipConfig, SipLimits, cannot_bind, now};
use ::sip::{Flow, Frame, StreamFramer, Transport};
use mio::event::Event;
use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token, Waker};
use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::{Duration, Instant};

const WAKE: Token = Token(usize::MAX);

/// Messages on their way from the sender's thread.
const OUTGOING_MESSAGES_MAX: usize = 4096;

/// What one connection may bring before the others have their turn.
const READ_BYTES_MAX: usize = 16 * 1024;

/// How often silent connections are looked for.
const SWEEP: Duration = Duration::from_secs(5);

/// The answer to a keep-alive (RFC 5626 section 4.4.1).
const PONG: &[u8] = b"\r\n";

/// The sender's end.
pub(super) struct Outgoing {
    messages: SyncSender<(Flow, Vec<u8>)>,
    waker: Arc<Waker>,
}

impl Outgoing {
    /// False if there is no room.
    pub(super) fn send(&self, flow: Flow, bytes: &[u8]) -> bool {
        let queued = self.messages.try_send((flow, bytes.to_vec())).is_ok();
        self.wake();
        queued
    }

    pub(super) fn wake(&self) {
        // A thread that cannot be woken has ended.
        let _ = self.waker.wake();
    }
}

pub(super) struct Connections<B> {
    poll: Poll,
    /// Closed too early, it would take its wake-up along.
    _waker: Arc<Waker>,
    /// Their tokens are their indices; those of connections are higher.
    listeners: Vec<TcpListener>,
    connections: BTreeMap<Token, Connection>,
    by_flow: BTreeMap<Flow, Token>,
    next_token: usize,
    /// Connections that had more to read when their turn was over.
    unread: BTreeSet<Token>,
    /// What was read and not yet handed over.
    packets: Vec<Packet>,
    outgoing: Receiver<(Flow, Vec<u8>)>,
    inbound: Post<B>,
    limits: SipLimits,
    shared: Arc<Shared>,
    buffer: Vec<u8>,
}

struct Connection {
    flow: Flow,
    stream: TcpStream,
    state: State,
    framer: StreamFramer,
    /// What the peer has not yet taken.
    unwritten: Vec<u8>,
    /// When it was opened, as long as it has not brought a message.
    heard_at: Instant,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Connecting,
    /// No message yet.
    Unproven,
    Proven,
}

/// Why a connection ends, for the log.
type Reason = &'static str;

impl<B: From<Inbound>> Connections<B> {
    pub(super) fn new(
        config: &SipConfig,
        inbound: Post<B>,
        shared: Arc<Shared>,
    ) -> io::Result<(Self, Outgoing)> {
        let poll = Poll::new()?;
        let waker = Arc::new(Waker::new(poll.registry(), WAKE)?);
        let mut listeners = Vec::with_capacity(config.tcp.len());
        for (index, &address) in config.tcp.iter().enumerate() {
            let bound = TcpListener::bind(address).map_err(|error| cannot_bind("TCP", address, &error));
            let mut listener = bound?;
            poll.registry().register(&mut listener, Token(index), Interest::READABLE)?;
            listeners.push(listener);
        }
        let (messages, outgoing) = sync_channel(OUTGOING_MESSAGES_MAX);
        let connections = Self {
            poll,
            _waker: Arc::clone(&waker),
            next_token: listeners.len(),
            listeners,
            connections: BTreeMap::new(),
            by_flow: BTreeMap::new(),
            unread: BTreeSet::new(),
            packets: Vec::new(),
            outgoing,
            inbound,
            limits: config.limits.clone(),
            shared,
            buffer: vec![0; READ_BYTES_MAX],
        };
        Ok((connections, Outgoing { messages, waker }))
    }

    pub(super) fn local_addresses(&self) -> io::Result<Vec<SocketAddr>> {
        self.listeners.iter().map(TcpListener::local_addr).collect()
    }

    pub(super) fn run(mut self) {
        let mut events = Events::with_capacity(256);
        let mut swept_at = Instant::now();
        let sweep = SWEEP.min(self.limits.tcp_first_message_max);
        loop {
            let wait = if self.unread.is_empty() { sweep } else { Duration::ZERO };
            if let Err(error) = self.poll.poll(&mut events, Some(wait))
                && error.kind() != ErrorKind::Interrupted
            {
                return tracing::error!(%error, "SIP over TCP has stopped");
            }
            for token in std::mem::take(&mut self.unread) {
                self.read(token);
            }
            for event in &events {
                self.handle(event);
            }
            while let Ok((flow, bytes)) = self.outgoing.try_recv() {
                self.send(flow, &bytes);
            }
            if swept_at.elapsed() >= sweep {
                swept_at = Instant::now();
                self.sweep();
            }
            self.hand_over();
            if self.shared.stopped.load(Ordering::Relaxed) {
                return;
            }
        }
    }

    fn handle(&mut self, event: &Event) {
        let token = event.token();
        if token == WAKE {
            return;
        }
        if token.0 < self.listeners.len() {
            return self.accept(token.0);
        }
        if event.is_writable() {
            self.write(token);
        }
        if event.is_readable() || event.is_read_closed() || event.is_error() {
            self.read(token);
        }
    }

    fn accept(&mut self, listener: usize) {
        loop {
            let (stream, remote) = match self.listeners[listener].accept() {
                Ok(accepted) => accepted,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(error) if error.kind() == ErrorKind::ConnectionAborted => continue,
                // Out of files: the kernel keeps the peer waiting until there is another event.
                Err(error) => return tracing::warn!(%error, "a TCP connection was not accepted"),
            };
            let Ok(local) = self.listeners[listener].local_addr() else { return };
            let flow = Flow { transport: Transport::Tcp, local, remote };
            if self.open(flow, stream, State::Unproven).is_some() {
                self.shared.counts.tcp_accepted.fetch_add(1, Ordering::Relaxed);
            } else {
                self.shared.counts.tcp_refused.fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    /// `None` if there are too many.
    fn open(&mut self, flow: Flow, mut stream: TcpStream, state: State) -> Option<Token> {
        if self.connections.len() >= self.limits.tcp_connections_max {
            return None;
        }
        let token = Token(self.next_token);
        self.poll.registry().register(&mut stream, token, Interest::READABLE | Interest::WRITABLE).ok()?;
        self.next_token += 1;
        // Without it a small message may wait for the answer to the one before.
        let _ = stream.set_nodelay(true);
        let (framer, unwritten) = (StreamFramer::new(), Vec::new());
        let connection = Connection { flow, stream, state, framer, unwritten, heard_at: Instant::now() };
        self.connections.insert(token, connection);
        self.by_flow.insert(flow, token);
        Some(token)
    }

    fn send(&mut self, flow: Flow, bytes: &[u8]) {
        let token = self.by_flow.get(&flow).copied().or_else(|| self.connect(flow));
        let Some(connection) = token.and_then(|token| self.connections.get_mut(&token)) else {
            self.shared.counts.tcp_unsent.fetch_add(1, Ordering::Relaxed);
            return self.tell(Inbound::FlowClosed(flow));
        };
        connection.unwritten.extend_from_slice(bytes);
        if let Some(token) = token {
            self.write(token);
        }
    }

    fn connect(&mut self, flow: Flow) -> Option<Token> {
        let stream = TcpStream::connect(flow.remote).ok()?;
        self.open(flow, stream, State::Connecting)
    }

    fn write(&mut self, token: Token) {
        let Some(connection) = self.connections.get_mut(&token) else { return };
        if let Err(reason) = connection.write(self.limits.tcp_write_bytes_max) {
            self.close(token, reason);
        }
    }

    fn read(&mut self, token: Token) {
        let Some(connection) = self.connections.get_mut(&token) else { return };
        let had = self.packets.len();
        let read = connection.read(&mut self.buffer, &mut self.packets);
        let count = self.packets.len() - had;
        self.shared.counts.tcp_received.fetch_add(count as u64, Ordering::Relaxed);
        match read {
            Ok(Turn::Over) => {
                self.unread.insert(token);
            }
            Ok(Turn::Done) => {}
            Err(reason) => self.close(token, reason),
        }
        self.write(token);
        self.hand_over();
    }

    fn sweep(&mut self) {
        let late = |connection: &Connection| {
            let limit = match connection.state {
                State::Connecting | State::Unproven => self.limits.tcp_first_message_max,
                State::Proven => self.limits.tcp_idle_max,
            };
            connection.heard_at.elapsed() > limit
        };
        let silent: Vec<Token> = self
            .connections
            .iter()
            .filter(|(_, connection)| late(connection))
            .map(|(&token, _)| token)
            .collect();
        for token in silent {
            self.close(token, "silent for too long");
        }
    }

    fn close(&mut self, token: Token, reason: Reason) {
        let Some(connection) = self.connections.remove(&token) else { return };
        let flow = connection.flow;
        tracing::debug!(remote = %flow.remote, reason, "a TCP connection is closed");
        if !connection.unwritten.is_empty() {
            self.shared.counts.tcp_unsent.fetch_add(1, Ordering::Relaxed);
        }
        // A younger connection may have taken the name over.
        if self.by_flow.get(&flow) == Some(&token) {
            self.by_flow.remove(&flow);
            self.tell(Inbound::FlowClosed(flow));
        }
    }

    fn tell(&mut self, what: Inbound) {
        self.hand_over();
        self.deliver(what);
    }

    fn hand_over(&mut self) {
        for packet in std::mem::take(&mut self.packets) {
            self.deliver(Inbound::Packet(packet));
        }
    }

    /// Waits for room.
    fn deliver(&self, what: Inbound) {
        if self.inbound.send(what.into()).is_err() {
            self.shared.stopped.store(true, Ordering::Relaxed);
        }
    }
}

enum Turn {
    Done,
    /// There may be more to read.
    Over,
}

impl Connection {
    fn read(&mut self, buffer: &mut [u8], packets: &mut Vec<Packet>) -> Result<Turn, Reason> {
        let mut left = READ_BYTES_MAX;
        while left > 0 {
            match self.stream.read(buffer) {
                Ok(0) => return Err("closed by the peer"),
                Ok(length) => {
                    left = left.saturating_sub(length);
                    self.take(&buffer[..length], packets)?;
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(Turn::Done),
                Err(error) if error.kind() == ErrorKind::NotConnected && self.state == State::Connecting => {
                    return Ok(Turn::Done);
                }
                Err(_) => return Err("broken"),
            }
        }
        Ok(Turn::Over)
    }

    fn take(&mut self, bytes: &[u8], packets: &mut Vec<Packet>) -> Result<(), Reason> {
        let at = now();
        self.framer.push(bytes).map_err(|error| error.0)?;
        while let Some(frame) = self.framer.next_frame().map_err(|error| error.0)? {
            match frame {
                Frame::Message(bytes) => {
                    self.state = State::Proven;
                    packets.push(Packet { at, flow: self.flow, bytes });
                }
                Frame::KeepAlive => self.unwritten.extend_from_slice(PONG),
            }
        }
        if self.state == State::Proven {
            self.heard_at = Instant::now();
        }
        Ok(())
    }

    /// Writes as much as the peer takes now.
    fn write(&mut self, unwritten_max: usize) -> Result<(), Reason> {
        if self.state == State::Connecting {
            match self.stream.take_error() {
                Ok(None) if self.stream.peer_addr().is_ok() => self.state = State::Unproven,
                Ok(None) => {}
                Ok(Some(_)) | Err(_) => return Err("could not be connected"),
            }
        }
        let mut written = 0;
        while self.state != State::Connecting && written < self.unwritten.len() {
            match self.stream.write(&self.unwritten[written..]) {
                Ok(count) => written += count,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(_) => return Err("broken"),
            }
        }
        self.unwritten.drain(..written);
        if self.unwritten.len() > unwritten_max { Err("the peer does not read") } else { Ok(()) }
    }
}

//! The thread that reads all UDP sockets.

use super::{BATCH_PACKETS_MAX, Inbound, Packet, Shared, now};
use ::sip::{Flow, Transport};
use mio::{Events, Interest, Poll, Token, Waker};
use socket2::{Domain, Protocol, Socket, Type};
use std::collections::BTreeMap;
use std::io::{self, ErrorKind};
use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{SyncSender, TrySendError};
use std::thread;
use std::time::{Duration, Instant};

const WAKE: Token = Token(usize::MAX);

/// Asked of the kernel, which may give less (`net.core.rmem_max`): what arrives while nobody reads.
const RECEIVE_BUFFER_BYTES: usize = 4 * 1024 * 1024;

/// The most that UDP carries.
const DATAGRAM_BYTES_MAX: usize = 65_535;

/// Wake-ups cost more than datagrams. When they follow each other within this span, the thread lets what comes
/// within as much again pile up: it costs a message that much time, and at 14,000 datagrams a second it halves
/// the work of this thread and spares the receiver of the batches three wake-ups of four.
const GATHER: Duration = Duration::from_millis(1);

pub(super) fn bind(address: SocketAddr) -> io::Result<UdpSocket> {
    let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.set_recv_buffer_size(RECEIVE_BUFFER_BYTES)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    Ok(socket.into())
}

pub(super) struct Reader<B> {
    poll: Poll,
    /// Closed too early, it would take its wake-up along.
    _waker: Arc<Waker>,
    sockets: Vec<(SocketAddr, mio::net::UdpSocket)>,
    inbound: SyncSender<B>,
    shared: Arc<Shared>,
    buffer: Vec<u8>,
}

/// The receiver is gone: nothing is left to do.
struct Deserted;

impl<B: From<Inbound>> Reader<B> {
    /// Reads through clones of `sockets`, which stay with whoever sends.
    pub(super) fn new(
        sockets: &BTreeMap<SocketAddr, UdpSocket>,
        inbound: SyncSender<B>,
        shared: Arc<Shared>,
    ) -> io::Result<(Self, Arc<Waker>)> {
        let poll = Poll::new()?;
        let waker = Arc::new(Waker::new(poll.registry(), WAKE)?);
        let mut read = Vec::with_capacity(sockets.len());
        for (index, (&local, socket)) in sockets.iter().enumerate() {
            let mut socket = mio::net::UdpSocket::from_std(socket.try_clone()?);
            poll.registry().register(&mut socket, Token(index), Interest::READABLE)?;
            read.push((local, socket));
        }
        let (buffer, held) = (vec![0; DATAGRAM_BYTES_MAX], Arc::clone(&waker));
        Ok((Self { poll, _waker: held, sockets: read, inbound, shared, buffer }, waker))
    }

    pub(super) fn run(mut self) {
        let mut events = Events::with_capacity(64);
        let mut woken_at: Option<Instant> = None;
        loop {
            if let Err(error) = self.poll.poll(&mut events, None)
                && error.kind() != ErrorKind::Interrupted
            {
                return tracing::error!(%error, "SIP over UDP has stopped");
            }
            if self.shared.stopped.load(Ordering::Relaxed) {
                return;
            }
            if woken_at.is_some_and(|at| at.elapsed() < GATHER) {
                thread::sleep(GATHER);
            }
            woken_at = Some(Instant::now());
            for event in &events {
                if event.token() != WAKE && self.drain(event.token().0).is_err() {
                    return;
                }
            }
        }
    }

    fn drain(&mut self, index: usize) -> Result<(), Deserted> {
        loop {
            let packets = self.read_batch(index);
            let count = packets.len();
            if count > 0 {
                self.hand_over(packets)?;
            }
            if count < BATCH_PACKETS_MAX {
                return Ok(());
            }
        }
    }

    fn read_batch(&mut self, index: usize) -> Vec<Packet> {
        let (local, socket) = &self.sockets[index];
        let mut packets = Vec::new();
        while packets.len() < BATCH_PACKETS_MAX {
            match socket.recv_from(&mut self.buffer) {
                Ok((length, remote)) => {
                    let flow = Flow { transport: Transport::Udp, local: *local, remote };
                    packets.push(Packet { at: now(), flow, bytes: self.buffer[..length].to_vec() });
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                // Nothing more, or an error that reading on would not mend.
                Err(_) => break,
            }
        }
        packets
    }

    fn hand_over(&self, packets: Vec<Packet>) -> Result<(), Deserted> {
        let counts = &self.shared.counts;
        let count = packets.len() as u64;
        counts.udp_received.fetch_add(count, Ordering::Relaxed);
        match self.inbound.try_send(Inbound::Packets(packets).into()) {
            Ok(()) => Ok(()),
            Err(TrySendError::Full(_)) => {
                counts.udp_dropped.fetch_add(count, Ordering::Relaxed);
                Ok(())
            }
            Err(TrySendError::Disconnected(_)) => Err(Deserted),
        }
    }
}

//! The sockets of SIP: one thread owns every TCP connection and posts what it reads, stamped, in the [`Inbox`]
//! of the thread that owns the node; that one reads the UDP sockets itself.
//!
//! UDP datagrams that find no room are dropped and counted, for the peer repeats them; TCP waits, for nobody
//! would. Datagrams are sent from the caller's own thread. Whatever is lost is a number in [`Counters`].
//!
//! Deliberately absent: any look at a message beyond where it ends, names (DNS), TLS.

mod inbox;
mod tcp;
mod udp;

use ::sip::{Flow, Timestamp, Transport};
use std::collections::BTreeMap;
use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tcp::Outgoing;

pub use inbox::{DATAGRAMS_MAX, Gone, Inbox, Post, inbox};

/// The local address of a flow is the one that its socket is bound to, as in [`SipSockets::udp`] and
/// [`SipSockets::tcp`]: for a socket on every address that is `0.0.0.0` or `::`.
#[derive(Clone, Debug, Default)]
pub struct SipConfig {
    /// Port 0 takes a free one.
    pub udp: Vec<SocketAddr>,
    pub tcp: Vec<SocketAddr>,
    pub limits: SipLimits,
}

#[derive(Clone, Debug)]
pub struct SipLimits {
    /// More are closed as soon as they are accepted.
    pub tcp_connections_max: usize,
    /// What may wait for a slow reader before its connection is closed.
    pub tcp_write_bytes_max: usize,
    /// How long a connection may be silent. Longer than registrations last, so that a phone that sends no
    /// keep-alives stays.
    pub tcp_idle_max: Duration,
    /// How long a connection may take to be established and to bring its first message. Longer than a
    /// transaction (RFC 3261 section 17.1.1.2, timer B: 32 s).
    pub tcp_first_message_max: Duration,
}

impl Default for SipLimits {
    fn default() -> Self {
        Self {
            tcp_connections_max: 4096,
            tcp_write_bytes_max: 256 * 1024,
            tcp_idle_max: Duration::from_secs(3900),
            tcp_first_message_max: Duration::from_secs(40),
        }
    }
}

/// One datagram, or one message of a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Packet {
    pub at: Timestamp,
    pub flow: Flow,
    pub bytes: Vec<u8>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Inbound {
    Packet(Packet),
    /// A connection is gone, or one that was wanted could not be had. After its last packets.
    FlowClosed(Flow),
}

/// Datagrams, messages and connections since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    pub udp_received: u64,
    /// Too many were waiting.
    pub udp_dropped: u64,
    /// The socket took no more, or there is no such socket or way.
    pub udp_unsent: u64,
    pub tcp_received: u64,
    /// The connection or the way to it was full or gone.
    pub tcp_unsent: u64,
    pub tcp_accepted: u64,
    /// Closed at once, because there were enough.
    pub tcp_refused: u64,
}

#[derive(Default)]
struct Counts {
    udp_received: AtomicU64,
    udp_dropped: AtomicU64,
    udp_unsent: AtomicU64,
    tcp_received: AtomicU64,
    tcp_unsent: AtomicU64,
    tcp_accepted: AtomicU64,
    tcp_refused: AtomicU64,
}

/// What the threads share with [`SipSockets`].
#[derive(Default)]
struct Shared {
    counts: Counts,
    stopped: AtomicBool,
}

/// The way out. The thread ends when this is dropped, or the inbox is.
pub struct SipSockets {
    udp: BTreeMap<SocketAddr, UdpSocket>,
    tcp: Vec<SocketAddr>,
    outgoing: Outgoing,
    shared: Arc<Shared>,
}

/// Binds all addresses and starts the thread; what comes is found in `inbox`, which `post` leads to.
///
/// # Errors
/// When an address cannot be bound: the message says which.
pub fn start<B>(config: &SipConfig, post: Post<B>, inbox: &mut Inbox<B>) -> io::Result<SipSockets>
where
    B: From<Inbound> + Send + 'static,
{
    let shared = Arc::new(Shared::default());
    let mut udp = BTreeMap::new();
    for &address in &config.udp {
        let socket = udp::bind(address).map_err(|error| cannot_bind("UDP", address, &error))?;
        let local = socket.local_addr()?;
        inbox.watch(local, &socket, &shared)?;
        udp.insert(local, socket);
    }
    let (connections, outgoing) = tcp::Connections::new(config, post, Arc::clone(&shared))?;
    let tcp = connections.local_addresses()?;
    thread::Builder::new().name("sip-tcp".to_owned()).spawn(move || connections.run())?;
    Ok(SipSockets { udp, tcp, outgoing, shared })
}

impl SipSockets {
    /// Never waits. What cannot be sent is dropped and counted; a connection that cannot be had, or whose
    /// peer does not read, is also reported as [`Inbound::FlowClosed`].
    ///
    /// A TCP flow without a connection gets a new one, from a port of the kernel's choice; it keeps the name
    /// `flow` for what comes back.
    pub fn send(&self, flow: Flow, bytes: &[u8]) {
        let (sent, unsent) = match flow.transport {
            Transport::Udp => {
                let socket = self.udp.get(&flow.local);
                let sent = socket.is_some_and(|socket| socket.send_to(bytes, flow.remote).is_ok());
                (sent, &self.shared.counts.udp_unsent)
            }
            Transport::Tcp => (self.outgoing.send(flow, bytes), &self.shared.counts.tcp_unsent),
        };
        if !sent {
            unsent.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// The bound addresses, in no particular order.
    pub fn udp(&self) -> impl Iterator<Item = SocketAddr> {
        self.udp.keys().copied()
    }

    /// The bound addresses, in the order of the configuration.
    #[must_use]
    pub fn tcp(&self) -> &[SocketAddr] {
        &self.tcp
    }

    #[must_use]
    pub fn counters(&self) -> Counters {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        let counts = &self.shared.counts;
        Counters {
            udp_received: read(&counts.udp_received),
            udp_dropped: read(&counts.udp_dropped),
            udp_unsent: read(&counts.udp_unsent),
            tcp_received: read(&counts.tcp_received),
            tcp_unsent: read(&counts.tcp_unsent),
            tcp_accepted: read(&counts.tcp_accepted),
            tcp_refused: read(&counts.tcp_refused),
        }
    }
}

impl Drop for SipSockets {
    fn drop(&mut self) {
        self.shared.stopped.store(true, Ordering::Relaxed);
        self.outgoing.wake();
    }
}

/// The clock that stamps packets. Whoever hands them on uses the same.
#[must_use]
pub fn now() -> Timestamp {
    let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_ms(i64::try_from(since_1970.as_millis()).unwrap_or(i64::MAX))
}

fn cannot_bind(what: &str, address: SocketAddr, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("cannot bind {what} {address}: {error}"))
}

#[cfg(test)]
mod tests;

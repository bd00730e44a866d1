//! RTP of all phones on one socket, as lean as can be: the hotline tells phones apart by its own ports.
//!
//! Every packet carries who sent it, its number and when, in the place of sound. The hotline forwards the
//! payload as it is, so loss and delay are seen at the other end.

use crate::stamped::Stamped;
use anyhow::{Context as _, Result};
use socket2::{Domain, Protocol, Socket, Type};
use std::collections::BTreeMap;
use std::net::{SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// 20 ms of A-law after a header without extensions.
const HEADER_BYTES: usize = 12;
const PAYLOAD_BYTES: usize = 160;
const PACKET_EVERY: Duration = Duration::from_millis(20);
/// Phones speak in turns, so that packets do not come all at once.
const TURNS: u32 = 20;
/// RTP version 2, payload type 8 (RFC 3550, RFC 3551).
const VERSION: u8 = 0x80;
const PCMA: u8 = 8;
/// Begins every payload of ours.
const MARK: [u8; 4] = *b"load";
const RECEIVE_BUFFER_BYTES: usize = 4 << 20;
/// How often the packets that have come are looked at; the kernel has stamped them.
const READ_EVERY: Duration = Duration::from_millis(1);
/// The last packets are waited for.
const DRAIN: Duration = Duration::from_millis(500);

pub struct Phones {
    rtp: UdpSocket,
    /// Reports go here and are not read.
    _rtcp: UdpSocket,
}

pub struct Figures {
    pub sent: u64,
    pub lost: i64,
    pub p50_us: u64,
    pub p99_us: u64,
    pub max_us: u64,
}

/// What one phone was sent by another, by the sender's place.
#[derive(Default)]
struct Heard {
    packets: BTreeMap<u32, u64>,
    last: BTreeMap<u32, u32>,
    delays_us: Vec<u64>,
}

impl Phones {
    pub fn bind(at: SocketAddr) -> Result<Self> {
        let socket = Socket::new(Domain::for_address(at), Type::DGRAM, Some(Protocol::UDP))?;
        socket.set_recv_buffer_size(RECEIVE_BUFFER_BYTES)?;
        socket.set_nonblocking(true)?;
        socket.bind(&at.into()).with_context(|| format!("RTP on {at}"))?;
        let rtcp = UdpSocket::bind((at.ip(), at.port() + 1)).context("RTCP")?;
        Ok(Self { rtp: socket.into(), _rtcp: rtcp })
    }

    /// Every phone speaks to its place at the hotline. Says `begin` and `end` around the second span; delays
    /// are of packets sent between, losses of the whole time.
    pub fn speak(
        &self,
        places: &[SocketAddr],
        (warm_up, span): (Duration, Duration),
        say: &dyn Fn(&str),
    ) -> Result<Figures> {
        let origin = Instant::now();
        let stamped = Stamped::on(&self.rtp).context("time stamps")?;
        let is_over = AtomicBool::new(false);
        let window = (utc_ns() + warm_up.as_nanos() as u64, utc_ns() + (warm_up + span).as_nanos() as u64);
        let (sent, heard) = std::thread::scope(|scope| {
            let listener = scope.spawn(|| self.listen(stamped, window, &is_over));
            let speaker = scope.spawn(|| self.send(origin, places, warm_up + span + DRAIN));
            sleep(warm_up);
            say("begin");
            sleep(span);
            say("end");
            let sent = speaker.join();
            sleep(DRAIN);
            is_over.store(true, Ordering::Relaxed);
            (sent, listener.join())
        });
        let (Ok(sent), Ok(heard)) = (sent, heard) else { anyhow::bail!("an audio thread panicked") };
        let received: u64 = heard.packets.values().sum();
        let mut delays = heard.delays_us;
        delays.sort_unstable();
        Ok(Figures {
            sent,
            lost: sent as i64 - received as i64,
            p50_us: super::tally::percentile(&delays, 50),
            p99_us: super::tally::percentile(&delays, 99),
            max_us: delays.last().copied().unwrap_or(0),
        })
    }

    fn send(&self, origin: Instant, places: &[SocketAddr], span: Duration) -> u64 {
        let mut packet = [0xD5; HEADER_BYTES + PAYLOAD_BYTES];
        (packet[0], packet[1]) = (VERSION, PCMA);
        packet[HEADER_BYTES..HEADER_BYTES + 4].copy_from_slice(&MARK);
        let mut sent = 0;
        for turn in 0u32.. {
            let at = PACKET_EVERY / TURNS * turn;
            if at >= span {
                break;
            }
            sleep((origin + at).saturating_duration_since(Instant::now()));
            let number = turn / TURNS;
            for (index, place) in
                places.iter().enumerate().skip((turn % TURNS) as usize).step_by(TURNS as usize)
            {
                packet[2..4].copy_from_slice(&(number as u16).to_be_bytes());
                packet[4..8].copy_from_slice(&(number * PAYLOAD_BYTES as u32).to_be_bytes());
                packet[8..12].copy_from_slice(&(index as u32 + 1).to_be_bytes());
                packet[16..20].copy_from_slice(&(index as u32).to_be_bytes());
                packet[20..24].copy_from_slice(&number.to_be_bytes());
                packet[24..32].copy_from_slice(&utc_ns().to_be_bytes());
                // What the system does not take is lost, and found out by its number.
                let _ = self.rtp.send_to(&packet, place);
                sent += 1;
            }
        }
        sent
    }

    fn listen(&self, mut stamped: Stamped, window: (u64, u64), is_over: &AtomicBool) -> Heard {
        let mut heard = Heard::default();
        while !is_over.load(Ordering::Relaxed) {
            let count = stamped.take(&self.rtp);
            for index in 0..count {
                let (packet, arrived) = stamped.get(index);
                heard.take(packet, arrived, window);
            }
            if count < stamped.most() {
                sleep(READ_EVERY);
            }
        }
        heard
    }
}

impl Heard {
    fn take(&mut self, packet: &[u8], arrived: u64, window: (u64, u64)) {
        let Some((index, number, sent)) = read(packet) else { return };
        // A number that came before is a copy, not another packet.
        if self.last.insert(index, number).is_none_or(|before| before < number) {
            *self.packets.entry(index).or_default() += 1;
        }
        if (window.0..window.1).contains(&sent) {
            self.delays_us.push(arrived.saturating_sub(sent) / 1_000);
        }
    }
}

/// The kernel stamps by this clock.
fn utc_ns() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos() as u64
}

/// Sender, number and time of a packet that a phone of ours sent; anything else is the hotline's music.
fn read(packet: &[u8]) -> Option<(u32, u32, u64)> {
    let payload = packet.get(HEADER_BYTES..).filter(|payload| payload.len() == PAYLOAD_BYTES)?;
    let (mark, rest) = payload.split_first_chunk::<4>()?;
    let (index, rest) = rest.split_first_chunk::<4>()?;
    let (number, rest) = rest.split_first_chunk::<4>()?;
    let sent = rest.first_chunk::<8>()?;
    (*mark == MARK)
        .then(|| (u32::from_be_bytes(*index), u32::from_be_bytes(*number), u64::from_be_bytes(*sent)))
}

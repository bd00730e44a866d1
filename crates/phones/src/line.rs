//! A crowd behind real sockets: one thread for SIP and scripts, a media shard for audio.

use crate::crowd::{Config, Crowd, Output, Report};
use net::media::{MediaConfig, MediaShards};
use net::sip::{Inbox, Post, SipConfig, SipSockets, now};
use sip::{Flow, Timestamp, Transport};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;
use tracing::warn;

/// Messages over TCP and media events that may wait for the crowd.
const POSTS_MAX: usize = 4_096;
/// Inputs handled between two looks at the timers.
const TURN_INPUTS_MAX: usize = 64;
const IDLE: Duration = Duration::from_millis(200);
/// How long things pile up: less than for a server, for phones measure delays.
const GATHER: Duration = Duration::from_millis(1);

pub struct LineConfig {
    /// The phones' own address; loopback has many.
    pub ip: IpAddr,
    /// Of SIP; 0 leaves it to the system, which suits phones that register.
    pub sip_port: u16,
    pub hotline: SocketAddr,
    pub transport: Transport,
    /// RTP ports, or none for phones without audio.
    pub ports: Option<RangeInclusive<u16>>,
    /// What phones without audio name in SDP: [`crate::NOWHERE`], or where someone else carries their audio.
    pub media_port: u16,
    pub seed: u64,
    pub lawyers: Vec<crate::Lawyer>,
    pub callers: Option<crate::Callers>,
    pub caller_speech: Vec<Arc<[u8]>>,
    pub lawyer_speech: Vec<Arc<[u8]>>,
}

enum Inbound {
    Sip(net::sip::Inbound),
    Media(media::Event),
    Open,
    Close,
    Stop,
}

impl From<net::sip::Inbound> for Inbound {
    fn from(inbound: net::sip::Inbound) -> Self {
        Self::Sip(inbound)
    }
}

/// A running crowd. Dropping it leaves the phones where they are; [`Line::stop`] ends the thread.
pub struct Line {
    inbound: Post<Inbound>,
    thread: JoinHandle<()>,
}

impl Line {
    /// Lawyers register at once; callers wait for [`Line::open`]. Every report goes to `on_report`, on the
    /// crowd's thread.
    ///
    /// # Errors
    /// Sockets that cannot be bound.
    pub fn start(
        config: LineConfig,
        on_report: impl FnMut(Timestamp, Report) + Send + 'static,
    ) -> io::Result<Self> {
        let (inbound, mut inbox) = net::sip::inbox(POSTS_MAX, GATHER)?;
        let sockets = start_sip(&config, inbound.clone(), &mut inbox)?;
        let shards =
            config.ports.clone().map(|ports| start_media(&config, ports, inbound.clone())).transpose()?;
        let flow = flow_of(&config, &sockets);
        let ports = shards.iter().flat_map(MediaShards::ports).map(|free| (free.shard, free.port)).collect();
        let crowd = Crowd::new(
            now(),
            Config {
                seed: config.seed,
                flow,
                lawyers: config.lawyers,
                callers: config.callers,
                media_ip: config.ip,
                media_port: config.media_port,
                ports,
                caller_speech: config.caller_speech,
                lawyer_speech: config.lawyer_speech,
            },
        );
        let runner = Runner { crowd, sockets, shards, on_report };
        let thread =
            std::thread::Builder::new().name("phones".to_owned()).spawn(move || runner.run(inbox))?;
        Ok(Self { inbound, thread })
    }

    /// From now on callers dial.
    pub fn open(&self) {
        let _ = self.inbound.send(Inbound::Open);
    }

    /// No further caller dials.
    pub fn close(&self) {
        let _ = self.inbound.send(Inbound::Close);
    }

    pub fn stop(self) {
        if self.inbound.send(Inbound::Stop).is_ok() && self.thread.join().is_err() {
            warn!("the crowd's thread panicked");
        }
    }
}

fn start_sip(
    config: &LineConfig,
    inbound: Post<Inbound>,
    inbox: &mut Inbox<Inbound>,
) -> io::Result<SipSockets> {
    let local = SocketAddr::new(config.ip, config.sip_port);
    let (udp, tcp) = match config.transport {
        Transport::Udp => (vec![local], Vec::new()),
        Transport::Tcp => (Vec::new(), vec![local]),
    };
    let config = SipConfig { udp, tcp, ..SipConfig::default() };
    net::sip::start(&config, inbound, inbox)
}

fn start_media(
    config: &LineConfig,
    ports: RangeInclusive<u16>,
    inbound: Post<Inbound>,
) -> io::Result<MediaShards> {
    // Everybody may be on the phone while as many lines are being cleared. A pair takes two ports.
    let people =
        config.callers.as_ref().map_or(0, |callers| callers.at_once_max).saturating_add(config.lawyers.len());
    let pairs = people.saturating_mul(2).min(ports.len() / 2);
    // Nothing of a phone is recorded.
    let config = MediaConfig { ports, pairs, shards: 1, ..MediaConfig::new(config.ip, std::env::temp_dir()) };
    net::media::start(&config, move |event| {
        let _ = inbound.send(Inbound::Media(event));
    })
}

fn flow_of(config: &LineConfig, sockets: &SipSockets) -> Flow {
    let bound = match config.transport {
        Transport::Udp => sockets.udp().next(),
        Transport::Tcp => sockets.tcp().first().copied(),
    };
    let local = bound.unwrap_or(SocketAddr::new(config.ip, 0));
    Flow { transport: config.transport, local, remote: config.hotline }
}

struct Runner<F> {
    crowd: Crowd,
    sockets: SipSockets,
    shards: Option<MediaShards>,
    on_report: F,
}

impl<F: FnMut(Timestamp, Report)> Runner<F> {
    fn run(mut self, mut inbox: Inbox<Inbound>) {
        self.hand_out();
        loop {
            let now = now();
            if self.crowd.poll_timeout().is_some_and(|due| due <= now) {
                self.crowd.handle_timeout(now);
                self.hand_out();
            }
            let sleep = self.crowd.poll_timeout().map_or(IDLE, |due| (due - now).min(IDLE));
            if let Err(error) = inbox.wait(sleep) {
                return warn!(%error, "the phones cannot wait for packets");
            }
            for _ in 0..TURN_INPUTS_MAX {
                match inbox.take() {
                    Some(Inbound::Stop) => return,
                    Some(inbound) => self.handle(inbound),
                    None => break,
                }
            }
        }
    }

    fn handle(&mut self, inbound: Inbound) {
        match inbound {
            Inbound::Sip(net::sip::Inbound::Packet(packet)) => {
                self.crowd.handle_packet(now(), packet.flow, &packet.bytes);
            }
            Inbound::Media(event) => self.crowd.handle_media(&event),
            Inbound::Open => self.crowd.open_lines(now()),
            Inbound::Close => self.crowd.close_lines(),
            Inbound::Sip(net::sip::Inbound::FlowClosed(_)) | Inbound::Stop => {}
        }
        self.hand_out();
    }

    fn hand_out(&mut self) {
        while let Some(output) = self.crowd.poll_output() {
            match output {
                Output::Transmit { flow, bytes } => self.sockets.send(flow, &bytes),
                Output::Media { shard, command } => {
                    let refused =
                        self.shards.as_ref().is_some_and(|shards| shards.send(shard, command).is_err());
                    if refused {
                        warn!("the phones' media shard is full");
                    }
                }
                Output::Report(report) => (self.on_report)(now(), report),
            }
        }
    }
}

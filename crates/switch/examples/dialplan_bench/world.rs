//! A node, its callers and its lawyers over a network that loses nothing, under one virtual clock. The node can stand
//! still for a while, as a thread does that has something long to do.
//!
//! Callers and lawyers are two crowds, so that who calls does not hang on when a phone rings.

use crate::SEED;
use crate::plan::COUNTIES;
use domain::{Fact, Timestamp};
use phones::{Arrivals, Callers, Crowd, Lawyer, Manner, PerMille, Report, Span};
use sip::{Flow, Transport};
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;
use switch::{Input, Limits, MediaPort, Node, Output, Restored, Snapshot};

/// A Tuesday, 10:00 in China.
const OPENING: Timestamp = Timestamp::from_ms(1_793_671_200_000);
/// Within which all phones are registered.
const REGISTERED: Duration = Duration::from_secs(20);
const NETWORK: Duration = Duration::from_millis(1);
const CALLS: u64 = 7_000;
const CALL_EVERY_US: u64 = 5_000;
const CALLS_MAX: u16 = 10_000;
const FIRST_PORT: u16 = 20_000;
const HOTLINE: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)), 5060);
const TRUNK: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 2)), 5060);
const DESKS: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 3)), 5060);

enum Arrival {
    Packet { flow: Flow, bytes: Vec<u8> },
    Media(media::Event),
}

/// In flight, in order of arrival; the number keeps apart what arrives in the same millisecond.
type InFlight = BTreeMap<(Timestamp, u64), Arrival>;

pub struct World {
    now: Timestamp,
    node: Node,
    callers: Crowd,
    lawyers: Crowd,
    to_node: InFlight,
    to_crowds: InFlight,
    sent: u64,
    /// The node does nothing before.
    node_from: Timestamp,
    waiting: BTreeSet<domain::CallId>,
    /// When which lawyer's phone rang for whom.
    rings: Vec<(Timestamp, String, String)>,
}

impl World {
    /// Lawyers (user names and passwords) are there, and callers begin to dial now. All talks are as long as `talk`.
    pub fn open(snapshot: Snapshot, lawyers: Vec<(String, String)>, talk: Duration) -> Self {
        let mut world = Self {
            now: OPENING,
            node: Node::new(OPENING, node_config(snapshot)),
            callers: Crowd::new(OPENING, callers()),
            lawyers: Crowd::new(OPENING, desks(lawyers, talk)),
            to_node: InFlight::new(),
            to_crowds: InFlight::new(),
            sent: 0,
            node_from: OPENING,
            waiting: BTreeSet::new(),
            rings: Vec::new(),
        };
        world.collect();
        world.run_until(OPENING + REGISTERED);
        world.callers.open_lines(world.now);
        world
    }

    pub fn now(&self) -> Timestamp {
        self.now
    }

    pub fn waiting(&self) -> usize {
        self.waiting.len()
    }

    pub fn rings(&self) -> &[(Timestamp, String, String)] {
        &self.rings
    }

    /// All that the switch's thread has to do before it can do anything else.
    pub fn configure(&mut self, snapshot: Snapshot) {
        self.node.handle_input(self.now, Input::Configured(Box::new(snapshot)));
        self.collect();
    }

    /// The node does nothing for so long, and catches up. Gives the number of phones that ring then.
    pub fn stand_still(&mut self, span: Duration) -> usize {
        let last = self.now + span.saturating_sub(NETWORK);
        self.node_from = self.now + span;
        self.run_until(last);
        let before = self.rings.len();
        self.run_until(self.node_from + NETWORK);
        self.rings.len() - before
    }

    pub fn run_until(&mut self, end: Timestamp) {
        while let Some(due) = self.next().filter(|due| *due <= end) {
            self.now = self.now.max(due);
            if self.node_due().is_some_and(|due| due <= self.now) {
                self.turn_node();
            }
            if self.crowds_due().is_some_and(|due| due <= self.now) {
                self.turn_crowds();
            }
        }
        self.now = end;
    }

    fn next(&self) -> Option<Timestamp> {
        [self.node_due(), self.crowds_due()].into_iter().flatten().min()
    }

    fn node_due(&self) -> Option<Timestamp> {
        let arrival = self.to_node.first_key_value().map(|((at, _), _)| *at);
        let due = [arrival, self.node.poll_timeout()].into_iter().flatten().min();
        due.map(|due| due.max(self.node_from))
    }

    fn crowds_due(&self) -> Option<Timestamp> {
        let arrival = self.to_crowds.first_key_value().map(|((at, _), _)| *at);
        [arrival, self.callers.poll_timeout(), self.lawyers.poll_timeout()].into_iter().flatten().min()
    }

    /// As the switch's thread does: timers first, then what has come in.
    fn turn_node(&mut self) {
        self.node.handle_timeout(self.now);
        self.collect();
        while let Some(entry) = self.to_node.first_entry()
            && entry.key().0 <= self.now
        {
            let ((at, _), arrival) = entry.remove_entry();
            match arrival {
                Arrival::Packet { flow, bytes } => self.node.handle_packet(self.now, at, flow, &bytes),
                Arrival::Media(event) => self.node.handle_input(self.now, Input::Media(event)),
            }
            self.collect();
        }
    }

    fn turn_crowds(&mut self) {
        while let Some(entry) = self.to_crowds.first_entry()
            && entry.key().0 <= self.now
        {
            if let Arrival::Packet { flow, bytes } = entry.remove() {
                let crowd = if flow.local == DESKS { &mut self.lawyers } else { &mut self.callers };
                crowd.handle_packet(self.now, flow, &bytes);
            }
        }
        self.callers.handle_timeout(self.now);
        self.lawyers.handle_timeout(self.now);
        self.collect();
    }

    fn collect(&mut self) {
        while let Some(output) = self.node.poll_output() {
            match output {
                Output::Transmit { flow, bytes } => {
                    let key = self.arrival(NETWORK);
                    self.to_crowds.insert(key, Arrival::Packet { flow: seen_from_there(flow), bytes });
                }
                Output::Media { command, .. } => self.obey(command),
                Output::Fact(record) => match record.fact {
                    Fact::CallQueued { call, .. } => _ = self.waiting.insert(call),
                    Fact::CallBridged { call, .. } | Fact::CallDeparted { call, .. } => {
                        self.waiting.remove(&call);
                    }
                    _ => {}
                },
                Output::CallerAsked { .. } | Output::AuthFailed { .. } | Output::ClockSetBack { .. } => {}
            }
        }
        while let Some(output) = self.callers.poll_output().or_else(|| self.lawyers.poll_output()) {
            match output {
                phones::Output::Transmit { flow, bytes } => {
                    let key = self.arrival(NETWORK);
                    self.to_node.insert(key, Arrival::Packet { flow: seen_from_there(flow), bytes });
                }
                phones::Output::Report(Report::Ringing { user, number, .. }) => {
                    self.rings.push((self.now, user, number));
                }
                phones::Output::Report(_) | phones::Output::Media { .. } => {}
            }
        }
    }

    fn arrival(&mut self, after: Duration) -> (Timestamp, u64) {
        self.sent += 1;
        (self.now + after, self.sent)
    }

    /// A media shard that hears nothing but keeps its promises.
    fn obey(&mut self, command: media::Command) {
        let (after, event) = match command {
            media::Command::Play { leg, prompts, repeat: false, tag } => {
                // 8 bytes of A-law last a millisecond.
                let bytes: usize = prompts.iter().map(|prompt| prompt.len()).sum();
                (Duration::from_millis(bytes as u64 / 8), media::Event::Played { leg, tag })
            }
            media::Command::Close { leg } => {
                (NETWORK, media::Event::Closed { leg, stats: domain::LegStats::default() })
            }
            media::Command::StopRecording { recording } => {
                let (file, segments) = (String::from("recording.wav"), Vec::new());
                (NETWORK, media::Event::Recorded { recording, file, duration_ms: 0, segments })
            }
            _ => return,
        };
        let key = self.arrival(after);
        self.to_node.insert(key, Arrival::Media(event));
    }
}

fn seen_from_there(flow: Flow) -> Flow {
    Flow { transport: flow.transport, local: flow.remote, remote: flow.local }
}

fn node_config(snapshot: Snapshot) -> switch::Config {
    let port = |pair: u16| MediaPort { shard: pair % 2, port: FIRST_PORT + pair * 2 };
    switch::Config {
        sip: sip::Config::new([1; 32]),
        snapshot,
        restored: Restored::default(),
        trunks: vec![switch::Trunk { id: "trunk".into(), peers: [TRUNK.ip()].into(), contact: None }],
        media_ip: HOTLINE.ip(),
        media_ports: (0..2 * CALLS_MAX).map(port).collect(),
        limits: Limits { calls_max: CALLS_MAX.into(), ..Limits::default() },
    }
}

fn callers() -> phones::Config {
    phones::Config {
        callers: Some(Callers {
            arrivals: Arrivals::Steady { gap_us: CALL_EVERY_US },
            calls_max: CALLS,
            at_once_max: CALLS as usize,
            called: "12348".to_owned(),
            prefixes: (0..COUNTIES).map(|i| format!("05772{i:03}")).collect(),
            patience: Span::ms(600_000, 600_000),
        }),
        ..silent_crowd(TRUNK)
    }
}

/// They answer at once and hang up.
fn desks(lawyers: Vec<(String, String)>, talk: Duration) -> phones::Config {
    let talks = Span { min: talk, max: talk };
    let manner = Manner { hangs_up: PerMille(1_000), ..Manner::prompt(talks) };
    let lawyer = |(user, password)| Lawyer { user, password: Some(password), manner };
    phones::Config { lawyers: lawyers.into_iter().map(lawyer).collect(), ..silent_crowd(DESKS) }
}

fn silent_crowd(local: SocketAddr) -> phones::Config {
    phones::Config {
        seed: SEED,
        flow: Flow { transport: Transport::Udp, local, remote: HOTLINE },
        lawyers: Vec::new(),
        callers: None,
        media_ip: local.ip(),
        media_port: phones::NOWHERE,
        ports: Vec::new(),
        caller_speech: Vec::new(),
        lawyer_speech: Vec::new(),
    }
}

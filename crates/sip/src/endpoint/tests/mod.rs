//! A few endpoints, a wire between them that can lose, delay, double and reorder, and a virtual clock that
//! jumps to the next thing that happens.

mod calls;
mod chaos;
mod exchanges;
mod keys;
mod mailboxes;
mod provisional;
mod referrals;
mod refusals;
mod registrations;
mod replacements;

use super::*;
use crate::flow::Transport;
use crate::message::{Message, Method};
use crate::transaction::Purpose;
use crate::uri::Uri;
use std::collections::BTreeMap as Map;
use std::net::SocketAddr;
use std::time::Duration;

const SERVER: usize = 0;
const TRUNK: usize = 1;
const PHONE: usize = 2;

const OFFER: &[u8] =
    b"v=0\r\no=- 1 1 IN IP4 10.0.0.2\r\ns=-\r\nc=IN IP4 10.0.0.2\r\nt=0 0\r\nm=audio 4000 RTP/AVP 8\r\n";
const ANSWER: &[u8] =
    b"v=0\r\no=- 2 1 IN IP4 10.0.0.1\r\ns=-\r\nc=IN IP4 10.0.0.1\r\nt=0 0\r\nm=audio 5000 RTP/AVP 8\r\n";
const HOLD: &[u8] = b"v=0\r\no=- 1 2 IN IP4 10.0.0.2\r\ns=-\r\nc=IN IP4 10.0.0.2\r\nt=0 0\r\nm=audio 4000 RTP/AVP 8\r\na=sendonly\r\n";

fn address(node: usize) -> SocketAddr {
    SocketAddr::from(([10, 0, 0, 1 + u8::try_from(node).unwrap()], 5060))
}

/// From one node to another.
fn flow(transport: Transport, from: usize, to: usize) -> Flow {
    Flow { transport, local: address(from), remote: address(to) }
}

fn target(from: usize, to: usize, user: &str) -> Target {
    Target { flow: flow(Transport::Udp, from, to), uri: Uri::from_socket(Some(user), address(to)) }
}

fn invite(from: usize, to: usize) -> Invite {
    Invite {
        target: target(from, to, "12348"),
        from_display: Some("张三".to_owned()),
        from_user: "13812345678".to_owned(),
        offer: OFFER.to_vec(),
        headers: vec![("X-Test".to_owned(), "1".to_owned())],
        credentials: None,
    }
}

/// Small and good enough to shake a wire (SplitMix64).
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (z ^ (z >> 31)) % bound
    }
}

struct Packet {
    to: usize,
    flow: Flow,
    bytes: Vec<u8>,
}

/// What the wire does to UDP.
#[derive(Clone, Copy, Default)]
struct Faults {
    lost_pct: u64,
    doubled_pct: u64,
    /// Beside the fixed delay: what reorders.
    jitter_ms: u64,
}

struct World {
    now: Timestamp,
    nodes: Vec<Endpoint>,
    wire: Map<(Timestamp, u64), Packet>,
    sent: u64,
    faults: Faults,
    random: Random,
    /// Start lines (their beginning) of the next packets to lose, by sender.
    to_lose: Vec<(usize, &'static str)>,
    /// Packets of these senders that begin so wait until `release`.
    to_hold: Vec<(usize, &'static str)>,
    held: Vec<Packet>,
    /// What nodes answer NOTIFYs with, which our endpoint never takes; `None`: nothing.
    notify_answer: Option<u16>,
    events: Vec<(usize, Event)>,
    /// Start lines as sent, for ladders.
    ladder: Vec<(usize, String)>,
    log: Vec<(usize, Message)>,
}

impl World {
    fn new() -> Self {
        Self::seeded(1, |_, _| {})
    }

    fn seeded(seed: u64, mut tune: impl FnMut(usize, &mut Config)) -> Self {
        let nodes = (0..3)
            .map(|node| {
                let mut bytes = [u8::try_from(node).unwrap(); 32];
                bytes[..8].copy_from_slice(&seed.to_be_bytes());
                let mut config = Config::new(bytes);
                if node == SERVER {
                    config.trusted_peers.insert(address(TRUNK).ip());
                    let account = Account::from_password("2001", "hotline", "secret");
                    config.accounts.insert("2001".to_owned(), account);
                }
                tune(node, &mut config);
                Endpoint::new(config)
            })
            .collect();
        Self {
            now: Timestamp::from_ms(1_790_000_000_000),
            nodes,
            wire: Map::new(),
            sent: 0,
            faults: Faults::default(),
            random: Random(seed),
            to_lose: Vec::new(),
            to_hold: Vec::new(),
            held: Vec::new(),
            notify_answer: Some(200),
            events: Vec::new(),
            ladder: Vec::new(),
            log: Vec::new(),
        }
    }

    /// Acts on a node and carries what it sends.
    fn at<R>(&mut self, node: usize, act: impl FnOnce(&mut Endpoint, Timestamp) -> R) -> R {
        let result = act(&mut self.nodes[node], self.now);
        self.drain(node);
        result
    }

    fn drain(&mut self, node: usize) {
        while let Some(output) = self.nodes[node].poll_output() {
            match output {
                Output::Transmit { flow, bytes } => self.send(node, flow, bytes),
                Output::Event(event) => self.events.push((node, event)),
            }
        }
    }

    fn send(&mut self, from: usize, flow: Flow, bytes: Vec<u8>) {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        self.ladder.push((from, text.lines().next().unwrap_or_default().to_owned()));
        self.log.extend(Message::parse(&bytes).ok().map(|message| (from, message)));
        let Some(to) = (0..self.nodes.len()).find(|node| address(*node) == flow.remote) else { return };
        let flow = Flow { local: flow.remote, remote: flow.local, ..flow };
        let hit = |list: &[(usize, &str)]| {
            list.iter().position(|(node, start)| *node == from && text.starts_with(start))
        };
        if let Some(at) = hit(&self.to_lose) {
            self.to_lose.remove(at);
            return;
        }
        if hit(&self.to_hold).is_some() {
            self.held.push(Packet { to, flow, bytes });
            return;
        }
        let mut copies = 1;
        if flow.transport == Transport::Udp {
            copies += usize::from(self.random.below(100) < self.faults.doubled_pct);
            copies -= usize::from(self.random.below(100) < self.faults.lost_pct);
        }
        for _ in 0..copies {
            let jitter_ms =
                if self.faults.jitter_ms == 0 { 0 } else { self.random.below(self.faults.jitter_ms) };
            let at = self.now + Duration::from_millis(5 + jitter_ms);
            self.sent += 1;
            self.wire.insert((at, self.sent), Packet { to, flow, bytes: bytes.clone() });
        }
    }

    /// Lets held packets go, in their order.
    fn release(&mut self) {
        self.to_hold.clear();
        for packet in std::mem::take(&mut self.held) {
            self.sent += 1;
            self.wire.insert((self.now, self.sent), packet);
        }
    }

    /// Puts bytes on the wire as if `from` had sent them.
    fn inject(&mut self, from: usize, to: usize, text: &str) {
        let flow = flow(Transport::Udp, to, from);
        let bytes = text.replace('\n', "\r\n").into_bytes();
        self.at(to, |node, now| node.handle_packet(now, flow, &bytes));
    }

    /// The next thing that happens, if it happens by `until`.
    fn step(&mut self, until: Timestamp) -> bool {
        let arrival = self.wire.first_key_value().map(|(key, _)| key.0);
        let wake = self.nodes.iter().filter_map(Endpoint::poll_timeout).min();
        let Some(at) = arrival.into_iter().chain(wake).min().filter(|at| *at <= until) else {
            self.now = self.now.max(until);
            return false;
        };
        self.now = self.now.max(at);
        if arrival == Some(at) {
            let (_, packet) = self.wire.pop_first().unwrap();
            if packet.bytes.starts_with(b"NOTIFY ") {
                self.answer_notify(&packet);
                return true;
            }
            self.at(packet.to, |node, now| node.handle_packet(now, packet.flow, &packet.bytes));
        } else {
            for node in 0..self.nodes.len() {
                self.at(node, Endpoint::handle_timeout);
            }
        }
        true
    }

    fn answer_notify(&mut self, packet: &Packet) {
        let notify = Message::parse(&packet.bytes).unwrap();
        if let Some(status) = self.notify_answer {
            let mut answer = Message::response_to(&notify, status);
            answer.set_to_tag("notified");
            self.send(packet.to, packet.flow, answer.encode());
        }
    }

    /// Sends a request inside the dialog of a leg.
    fn say(
        &mut self,
        node: usize,
        leg: LegId,
        method: Method,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Message {
        self.at(node, |endpoint, now| {
            endpoint.wire.io.now = now;
            let dialog = &mut endpoint.legs.get_mut(leg).unwrap().record.dialog;
            let mut request = dialog.request(method);
            headers.iter().for_each(|(name, value)| request.push_header(name, value));
            request.body = body.as_bytes().to_vec();
            endpoint.wire.send_request(request, dialog.next_hop(), Purpose::Orphan);
        });
        self.last_sent(node).clone()
    }

    /// The NOTIFYs that a node has sent, each once: Subscription-State and the first line of the body.
    fn notified(&self, node: usize) -> Vec<String> {
        let mut seen = Vec::new();
        let notifies =
            self.log.iter().filter(|(from, m)| *from == node && m.method() == Some(&Method::Notify));
        for (_, notify) in notifies {
            let line = String::from_utf8_lossy(&notify.body).lines().next().unwrap_or_default().to_owned();
            let state = notify.header("Subscription-State").unwrap();
            let entry = (notify.cseq().0, notify.call_id().to_owned(), format!("{state}: {line}"));
            if !seen.contains(&entry) {
                seen.push(entry);
            }
        }
        seen.into_iter().map(|(_, _, text)| text).collect()
    }

    fn run_ms(&mut self, ms: u64) {
        let until = self.now + Duration::from_millis(ms);
        while self.step(until) {}
    }

    /// Until every transaction has died out; a minute is more than any timer of RFC 3261.
    fn settle(&mut self) {
        self.run_ms(70_000);
    }

    fn assert_idle(&mut self) {
        self.settle();
        for node in &self.nodes {
            assert!(node.is_idle(), "{:?}", node.sizes());
        }
    }

    /// Takes the events seen so far at a node, as short words.
    fn words(&mut self, node: usize) -> Vec<String> {
        let (mine, others) = std::mem::take(&mut self.events).into_iter().partition(|(at, _)| *at == node);
        self.events = others;
        let mine: Vec<(usize, Event)> = mine;
        mine.iter().map(|(_, event)| word(event)).collect()
    }

    /// The leg of the last `Invited` at a node.
    fn invited(&self, node: usize) -> LegId {
        let legs = self.events.iter().rev().filter(|(at, _)| *at == node);
        legs.filter_map(|(_, event)| match event {
            Event::Invited { leg, .. } => Some(*leg),
            _ => None,
        })
        .next()
        .expect("an INVITE arrived")
    }

    /// A confirmed call from `from` to `to`: both legs, with the events taken.
    fn call(&mut self, from: usize, to: usize) -> (LegId, LegId) {
        let ours = self.at(from, |node, now| node.invite(now, invite(from, to)));
        self.run_ms(20);
        let theirs = self.invited(to);
        self.at(to, |node, now| node.answer(now, theirs, ANSWER.to_vec()));
        self.run_ms(20);
        assert_eq!(self.words(from), ["answered"]);
        assert_eq!(self.words(to), ["invited", "confirmed"]);
        (ours, theirs)
    }

    /// How many messages a node has sent whose start line begins so.
    fn count_sent(&self, node: usize, start: &str) -> usize {
        self.ladder.iter().filter(|(from, line)| *from == node && line.starts_with(start)).count()
    }

    /// The last message that a node has sent.
    fn last_sent(&self, node: usize) -> &Message {
        &self.log.iter().rev().find(|(from, _)| *from == node).expect("it sent something").1
    }
}

fn word(event: &Event) -> String {
    match event {
        Event::Invited { .. } => "invited".to_owned(),
        Event::Progress { status, sdp, .. } => format!("progress {status}{}", with(sdp.as_ref())),
        Event::Answered { .. } => "answered".to_owned(),
        Event::Failed { status, .. } => format!("failed {status}"),
        Event::Confirmed { .. } => "confirmed".to_owned(),
        Event::OfferReceived { sdp, .. } => format!("offer received{}", with(sdp.as_ref())),
        Event::OfferAnswered { .. } => "offer answered".to_owned(),
        Event::OfferRefused { status, .. } => format!("offer refused {status}"),
        Event::Key { digit, .. } => format!("key {digit}"),
        Event::Referred { refer, .. } => format!("referred to {}", refer.user.reveal()),
        Event::Ended { cause, .. } => format!("ended {cause:?}"),
        Event::Registered { user, expires_s, .. } => format!("registered {user} {expires_s}"),
        Event::Unregistered { user } => format!("unregistered {user}"),
        Event::AuthFailed { user, .. } => format!("auth failed {}", user.reveal()),
        Event::Pong { status, .. } => format!("pong {status:?}"),
        Event::RegisterDone { status, .. } => format!("register done {status}"),
    }
}

fn with(sdp: Option<&Vec<u8>>) -> &'static str {
    sdp.map_or("", |_| " with sdp")
}

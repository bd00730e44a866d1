//! A hotline and a crowd on the two sides of a bad network, under one virtual clock and one seed.

use crate::ledger::Ledger;
use domain::{Fact, Supervision, TalkWish, Timestamp};
use phones::{Crowd, Dice};
use std::collections::BTreeMap;
use std::sync::Arc;
use switch::{Input, Node, Snapshot};

/// What the network does to a packet, out of a thousand.
#[derive(Clone, Copy, Debug)]
pub struct Faults {
    pub lost: u64,
    pub doubled: u64,
    /// Up to this much later than others, so that packets overtake each other.
    pub delay_ms_max: u64,
}

enum Arrival {
    AtNode { flow: sip::Flow, bytes: Vec<u8> },
    AtCrowd { flow: sip::Flow, bytes: Vec<u8> },
    Media(media::Event),
    Known { call: domain::CallId, history: dialplan::History },
    Wish { agent: domain::AgentId, wish: TalkWish },
    Supervise { call: domain::CallId, user: String, mode: Option<Supervision> },
}

pub struct World {
    now: Timestamp,
    pub node: Node,
    pub crowd: Crowd,
    pub ledger: Ledger,
    faults: Faults,
    dice: Dice,
    /// In flight, in order of arrival; the number keeps apart what arrives in the same millisecond.
    in_flight: BTreeMap<(Timestamp, u64), Arrival>,
    sent: u64,
    /// Prompts that play, so that a stopped one does not report its end.
    playing: BTreeMap<u64, u64>,
    /// What a mobile hears until a key is pressed.
    press_1: Arc<[u8]>,
    /// What a caller is asked after the talk.
    survey: Arc<[u8]>,
}

impl World {
    pub fn new(
        now: Timestamp,
        node: Node,
        crowd: Crowd,
        faults: Faults,
        [press_1, survey]: [Arc<[u8]>; 2],
        seed: u64,
    ) -> Self {
        let mut world = Self {
            now,
            node,
            crowd,
            ledger: Ledger::default(),
            faults,
            dice: Dice::new(seed ^ 0x5eed),
            in_flight: BTreeMap::new(),
            sent: 0,
            playing: BTreeMap::new(),
            press_1,
            survey,
        };
        world.collect();
        world
    }

    pub fn now(&self) -> Timestamp {
        self.now
    }

    /// Advances to the next thing that happens, and checks everything; false when nothing ever will.
    pub fn step(&mut self) -> Result<bool, String> {
        let arrival = self.in_flight.first_key_value().map(|((at, _), _)| *at);
        let due = [arrival, self.node.poll_timeout(), self.crowd.poll_timeout()].into_iter().flatten().min();
        let Some(due) = due else { return Ok(false) };
        self.now = self.now.max(due);
        // A step that only the phones make leaves the node as it was when it was last checked.
        let mut touches_node = self.node.poll_timeout().is_some_and(|due| due <= self.now);
        if arrival == Some(due)
            && let Some((_, arrival)) = self.in_flight.pop_first()
        {
            touches_node |= !matches!(arrival, Arrival::AtCrowd { .. });
            self.deliver(arrival);
        }
        self.crowd.handle_timeout(self.now);
        if touches_node {
            self.node.handle_timeout(self.now);
        }
        self.collect();
        if touches_node {
            self.node.check_invariants()?;
        }
        self.ledger.verdict()?;
        Ok(true)
    }

    /// In the middle of everything.
    pub fn configure(&mut self, snapshot: Snapshot) -> Result<(), String> {
        self.node.handle_input(self.now, Input::Configured(Box::new(snapshot)));
        self.collect();
        self.node.check_invariants()?;
        self.ledger.verdict()
    }

    fn deliver(&mut self, arrival: Arrival) {
        let now = self.now;
        match arrival {
            Arrival::AtNode { flow, bytes } => self.node.handle_packet(now, now, flow, &bytes),
            Arrival::AtCrowd { flow, bytes } => self.crowd.handle_packet(now, flow, &bytes),
            Arrival::Known { call, history } => {
                self.node.handle_input(now, Input::CallerKnown { call, history });
            }
            Arrival::Supervise { call, user, mode } => {
                let by = "board".to_owned();
                self.node.handle_input(now, Input::CallSupervised { call, user, mode, by });
            }
            Arrival::Wish { agent, wish } => self.node.handle_input(now, Input::TalkWished { agent, wish }),
            Arrival::Media(event) => {
                let is_current = match &event {
                    media::Event::Played { leg, tag } => self.playing.get(&leg.0) == Some(tag),
                    media::Event::Dtmf { .. }
                    | media::Event::Closed { .. }
                    | media::Event::Silent { .. }
                    | media::Event::Recorded { .. } => true,
                };
                if is_current {
                    self.node.handle_input(now, Input::Media(event));
                }
            }
        }
    }

    fn collect(&mut self) {
        while let Some(output) = self.node.poll_output() {
            match output {
                switch::Output::Transmit { flow, bytes } => {
                    self.send(|| Arrival::AtCrowd { flow: seen_from_there(flow), bytes: bytes.clone() });
                }
                switch::Output::Media { command, .. } => self.obey(command),
                switch::Output::Fact(record) => {
                    self.ledger.enter(&record);
                    if let Fact::CallBridged { call, agent, .. } = record.fact {
                        self.wish(agent);
                        self.supervise(call);
                    }
                }
                switch::Output::CallerAsked { call, .. } => self.look_up(call),
                switch::Output::AuthFailed { .. } | switch::Output::ClockSetBack { .. } => {}
            }
        }
        while let Some(output) = self.crowd.poll_output() {
            match output {
                phones::Output::Transmit { flow, bytes } => {
                    self.send(|| Arrival::AtNode { flow: seen_from_there(flow), bytes: bytes.clone() });
                }
                phones::Output::Media { .. } => {}
                phones::Output::Report(report) => self.ledger.hear(&report),
            }
        }
    }

    fn send(&mut self, packet: impl Fn() -> Arrival) {
        let copies = if self.dice.below(1_000) < self.faults.lost {
            0
        } else if self.dice.below(1_000) < self.faults.doubled {
            2
        } else {
            1
        };
        for _ in 0..copies {
            let delay = 1 + self.dice.below(self.faults.delay_ms_max);
            self.arrive(delay, packet());
        }
    }

    fn arrive(&mut self, delay_ms: u64, arrival: Arrival) {
        self.sent += 1;
        let at = self.now + std::time::Duration::from_millis(delay_ms);
        self.in_flight.insert((at, self.sent), arrival);
    }

    /// The records answer late, or never, and now and then with a lawyer who is no more.
    fn look_up(&mut self, call: domain::CallId) {
        if self.dice.below(4) == 0 {
            return;
        }
        let arrivals = vec![self.now; self.dice.below(3) as usize];
        let agent = domain::AgentId(1_000 + self.dice.below(130) as u32);
        let last_talk = (self.dice.below(2) == 0).then_some((agent, self.now));
        let delay = self.dice.below(10_000);
        self.arrive(delay, Arrival::Known { call, history: dialplan::History { last_talk, arrivals } });
    }

    /// A lawyer presses 1; or it was the wrong number, or a mailbox.
    fn answer_mobile(&mut self, leg: media::LegId) {
        let (digit, keys) = match self.dice.below(10) {
            0..7 => ('1', 1),
            7 => ('9', 3),
            8 => ('#', 1),
            _ => return,
        };
        for _ in 0..keys {
            let delay = 200 + self.dice.below(8_000);
            self.arrive(delay, Arrival::Media(media::Event::Dtmf { leg, digit }));
        }
    }

    /// Voicemail, a call-back, a transfer, or a key that means nothing.
    fn choose_while_waiting(&mut self, leg: media::LegId) {
        let digit = match self.dice.below(24) {
            0 => '1',
            1 => '2',
            2 | 3 => '3',
            4 => '7',
            _ => return,
        };
        let delay = self.dice.below(15_000);
        self.arrive(delay, Arrival::Media(media::Event::Dtmf { leg, digit }));
    }

    /// A few lawyers want something of their talk, and not always what fits; some of it comes when it is over.
    fn wish(&mut self, agent: domain::AgentId) {
        if self.dice.below(6) > 0 {
            return;
        }
        let target = || "hotline_12345".into();
        let mut delay = self.dice.below(20_000);
        for _ in 0..1 + self.dice.below(5) {
            let wish = match self.dice.below(12) {
                0..5 => TalkWish::Consult(target()),
                5..8 => TalkWish::Join,
                8 => TalkWish::Part,
                9 => TalkWish::Leave,
                10 => TalkWish::PassTo("city".into()),
                _ => TalkWish::PassTo("nowhere".into()),
            };
            self.arrive(delay, Arrival::Wish { agent, wish });
            delay += self.dice.below(20_000);
        }
    }

    /// Somebody listens in now and then, and may speak; the phone is a lawyer's, who may be on a call, or nobody's.
    fn supervise(&mut self, call: domain::CallId) {
        if self.dice.below(10) > 0 {
            return;
        }
        let user = (1_000 + self.dice.below(130)).to_string();
        let mut delay = self.dice.below(20_000);
        for _ in 0..1 + self.dice.below(4) {
            let mode = match self.dice.below(4) {
                0 => Some(Supervision::Listen),
                1 => Some(Supervision::Whisper),
                2 => Some(Supervision::Barge),
                _ => None,
            };
            self.arrive(delay, Arrival::Supervise { call, user: user.clone(), mode });
            delay += self.dice.below(20_000);
        }
    }

    /// A level, another key, or both; more often than not in the middle of the question.
    fn rate(&mut self, leg: media::LegId) {
        for _ in 0..self.dice.below(3) {
            let digit = char::from(b'1' + self.dice.below(7) as u8);
            let delay = self.dice.below(20_000);
            self.arrive(delay, Arrival::Media(media::Event::Dtmf { leg, digit }));
        }
    }

    /// A media shard that hears nothing but keeps its promises.
    fn obey(&mut self, command: media::Command) {
        match command {
            media::Command::Play { leg, prompts, repeat, tag } => {
                self.playing.insert(leg.0, tag);
                if prompts == [Arc::clone(&self.press_1)] {
                    self.answer_mobile(leg);
                }
                if prompts == [Arc::clone(&self.survey)] {
                    self.rate(leg);
                }
                // The position, the wait and the keys.
                if prompts.len() > 3 {
                    self.choose_while_waiting(leg);
                }
                if !repeat {
                    // 8 bytes of A-law last a millisecond.
                    let length_ms = prompts.iter().map(|prompt| prompt.len() as u64 / 8).sum();
                    self.arrive(length_ms, Arrival::Media(media::Event::Played { leg, tag }));
                }
            }
            media::Command::Stop { leg } => {
                self.playing.remove(&leg.0);
            }
            media::Command::Close { leg } => {
                self.playing.remove(&leg.0);
                let stats = domain::LegStats::default();
                self.arrive(1, Arrival::Media(media::Event::Closed { leg, stats }));
            }
            media::Command::StopRecording { recording } => {
                let (file, segments) = (String::from("recording.wav"), Vec::new());
                let recorded = media::Event::Recorded { recording, file, duration_ms: 0, segments };
                self.arrive(2, Arrival::Media(recorded));
            }
            media::Command::Open { .. }
            | media::Command::Update { .. }
            | media::Command::Press { .. }
            | media::Command::Bridge { .. }
            | media::Command::Arrange { .. }
            | media::Command::Record { .. }
            | media::Command::SetOthers { .. } => {}
        }
    }
}

fn seen_from_there(flow: sip::Flow) -> sip::Flow {
    sip::Flow { transport: flow.transport, local: flow.remote, remote: flow.local }
}

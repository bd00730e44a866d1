//! The machine behind the crowd: one SIP endpoint that plays all the phones.

use crate::Dice;
use crate::manner::{Arrivals, Callers, Lawyer, Manner, Span};
use crate::scene::{Audio, Scene};
use sip::{
    Credentials, Endpoint, Event, Flow, Invite, LegId, Register, RegistrationId, Target, Timestamp, Uri, sdp,
};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

/// How long a registration is asked for; the endpoint refreshes it by itself.
const REGISTER_EXPIRES_S: u32 = 300;
/// A lawyer who left while it rang is back by then.
const BACK_AFTER: Duration = Duration::from_secs(60);
/// From the lawyer's hang-up to what the caller does next: in the middle of the survey, if there is one.
const RATES_AFTER: Span = Span::ms(2_000, 14_000);
/// A load generator must never be what refuses.
const DIALOGS_MAX: usize = 100_000;
const TRANSACTIONS_MAX: usize = 2_000_000;

#[derive(Clone)]
pub struct Config {
    pub seed: u64,
    /// Over which the crowd reaches the hotline.
    pub flow: Flow,
    pub lawyers: Vec<Lawyer>,
    pub callers: Option<Callers>,
    /// Named in SDP; a crowd without audio of its own names this port for every phone.
    pub media_ip: IpAddr,
    pub media_port: u16,
    /// Local RTP ports of an audio shard; empty for a crowd without audio.
    pub ports: Vec<(u16, u16)>,
    /// What callers and lawyers say, A-law; chosen by chance.
    pub caller_speech: Vec<Arc<[u8]>>,
    pub lawyer_speech: Vec<Arc<[u8]>>,
}

pub enum Output {
    Transmit { flow: Flow, bytes: Vec<u8> },
    Media { shard: u16, command: media::Command },
    Report(Report),
}

/// What the phones saw.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Report {
    Registered {
        user: String,
        status: u16,
    },
    /// A caller dialled.
    Dialled {
        number: String,
    },
    /// The hotline answered the caller's INVITE and listens at `audio`.
    Connected {
        number: String,
        audio: Option<SocketAddr>,
    },
    /// A lawyer's phone rings for this caller; `since_dialled` is known for callers of this crowd.
    Ringing {
        user: String,
        number: String,
        since_dialled: Option<Duration>,
    },
    /// The lawyer has picked up and hears the caller; the hotline listens at `audio`.
    Talking {
        user: String,
        number: String,
        audio: SocketAddr,
    },
    /// The caller's INVITE was refused.
    Refused {
        number: String,
        status: u16,
    },
    /// The caller's leg is over. `talked`: with a lawyer.
    CallerDone {
        number: String,
        talked: bool,
        by_caller: bool,
    },
    LawyerDone {
        user: String,
    },
}

/// Everything that can be due.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Due {
    NextCaller,
    GiveUp(LegId),
    PickUp(LegId),
    Decline(LegId),
    HangUp(LegId),
    Rate(LegId),
    Hold(LegId),
    Resume(LegId),
    Die(LegId),
    ComeBack(usize),
}

struct Caller {
    number: String,
    dialled: Timestamp,
    talked: bool,
    hung_up: bool,
    scene: Scene,
}

struct Desk {
    lawyer: usize,
    number: String,
    offer: Option<Vec<u8>>,
    answered: bool,
    scene: Scene,
}

pub struct Crowd {
    config: Config,
    sip: Endpoint,
    dice: Dice,
    due: BTreeSet<(Timestamp, Due)>,
    callers: BTreeMap<LegId, Caller>,
    by_number: BTreeMap<String, LegId>,
    desks: BTreeMap<LegId, Desk>,
    by_user: BTreeMap<String, usize>,
    registrations: BTreeMap<usize, RegistrationId>,
    audio: Audio,
    dialled: u64,
    planned: u64,
    /// Of the next caller, in microseconds, so that steady rates do not drift.
    next_caller_us: i64,
    outputs: VecDeque<Output>,
}

impl Crowd {
    #[must_use]
    pub fn new(now: Timestamp, config: Config) -> Self {
        let mut seed = [0; 32];
        seed[..8].copy_from_slice(&config.seed.to_le_bytes());
        let mut endpoint = sip::Config::new(seed);
        endpoint.user_agent = "Hotline-Phones".to_owned();
        endpoint.trusted_peers = [config.flow.remote.ip()].into();
        endpoint.limits.dialogs_max = DIALOGS_MAX;
        endpoint.limits.transactions_max = TRANSACTIONS_MAX;
        let audio = Audio::new(SocketAddr::new(config.media_ip, config.media_port), &config.ports);
        let by_user = config.lawyers.iter().enumerate().map(|(i, lawyer)| (lawyer.user.clone(), i)).collect();
        let mut crowd = Self {
            sip: Endpoint::new(endpoint),
            dice: Dice::new(config.seed),
            due: BTreeSet::new(),
            callers: BTreeMap::new(),
            by_number: BTreeMap::new(),
            desks: BTreeMap::new(),
            by_user,
            registrations: BTreeMap::new(),
            audio,
            dialled: 0,
            planned: 0,
            next_caller_us: now.as_ms() * 1_000,
            outputs: VecDeque::new(),
            config,
        };
        for lawyer in 0..crowd.config.lawyers.len() {
            crowd.register(now, lawyer);
        }
        crowd.pump(now);
        crowd
    }

    /// From now on callers dial. Lawyers are there from the beginning.
    pub fn open_lines(&mut self, now: Timestamp) {
        self.next_caller_us = now.as_ms() * 1_000;
        self.plan_next_caller();
    }

    /// No further caller dials; those on the line go on.
    pub fn close_lines(&mut self) {
        self.due.retain(|(_, due)| *due != Due::NextCaller);
    }

    pub fn handle_packet(&mut self, now: Timestamp, flow: Flow, bytes: &[u8]) {
        self.sip.handle_packet(now, flow, bytes);
        self.pump(now);
    }

    pub fn handle_media(&mut self, event: &media::Event) {
        if let media::Event::Closed { leg, .. } = event {
            self.audio.closed(*leg);
        }
    }

    pub fn handle_timeout(&mut self, now: Timestamp) {
        self.sip.handle_timeout(now);
        self.pump(now);
        while let Some((at, due)) = self.due.first().copied().filter(|(at, _)| *at <= now) {
            self.due.remove(&(at, due));
            self.act(now, due);
            self.pump(now);
        }
    }

    #[must_use]
    pub fn poll_timeout(&self) -> Option<Timestamp> {
        self.sip.poll_timeout().into_iter().chain(self.due.first().map(|(at, _)| *at)).min()
    }

    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// Callers and lawyers on the phone.
    #[must_use]
    pub fn legs(&self) -> (usize, usize) {
        (self.callers.len(), self.desks.len())
    }

    fn register(&mut self, now: Timestamp, index: usize) {
        let lawyer = &self.config.lawyers[index];
        if let Some(password) = &lawyer.password {
            let target =
                Target { flow: self.config.flow, uri: Uri::from_socket(None, self.config.flow.remote) };
            let (user, password) = (lawyer.user.clone(), password.clone());
            let register = Register { target, user, password, expires_s: REGISTER_EXPIRES_S };
            self.registrations.insert(index, self.sip.register(now, register));
        }
    }

    fn plan_next_caller(&mut self) {
        let Some(callers) = &self.config.callers else { return };
        if self.planned >= callers.calls_max {
            return;
        }
        self.planned += 1;
        let gap_us = match callers.arrivals {
            Arrivals::Poisson { mean_gap } => self.dice.exponential(mean_gap).as_micros() as i64,
            Arrivals::Steady { gap_us } => gap_us as i64,
        };
        self.next_caller_us += gap_us;
        self.due.insert((Timestamp::from_ms(self.next_caller_us / 1_000), Due::NextCaller));
    }

    fn act(&mut self, now: Timestamp, due: Due) {
        match due {
            Due::NextCaller => {
                self.plan_next_caller();
                self.dial(now);
            }
            Due::GiveUp(leg) => {
                if self.callers.get(&leg).is_some_and(|caller| !caller.talked) {
                    self.caller_hangs_up(now, leg);
                }
            }
            Due::PickUp(leg) => self.pick_up(now, leg),
            Due::Decline(leg) => {
                if self.desks.get(&leg).is_some_and(|desk| !desk.answered) {
                    self.sip.reject(now, leg, 486, None);
                }
            }
            Due::HangUp(leg) if self.callers.contains_key(&leg) => self.caller_hangs_up(now, leg),
            Due::HangUp(leg) => self.sip.hang_up(now, leg),
            Due::Rate(leg) => {
                if let Some(caller) = self.callers.get(&leg) {
                    // Most are very satisfied.
                    let level = b'1' + self.dice.below(5).min(self.dice.below(5)) as u8;
                    self.audio.press(&caller.scene, char::from(level), &mut self.outputs);
                }
            }
            Due::Hold(leg) => self.reinvite(now, leg, sdp::Direction::SendOnly),
            Due::Resume(leg) => self.reinvite(now, leg, sdp::Direction::SendRecv),
            Due::Die(leg) => {
                if let Some(desk) = self.desks.remove(&leg) {
                    self.audio.close(&desk.scene, &mut self.outputs);
                }
            }
            Due::ComeBack(lawyer) => self.register(now, lawyer),
        }
    }

    fn dial(&mut self, now: Timestamp) {
        let Some(callers) = self.config.callers.clone() else { return };
        if self.callers.len() >= callers.at_once_max {
            return;
        }
        let Some(scene) = self.audio.begin(now) else { return };
        self.dialled += 1;
        let number = self.new_number(&callers);
        let target = Target { flow: self.config.flow, uri: self.uri_of(&callers.called) };
        let leg = self.sip.invite(
            now,
            Invite {
                target,
                from_display: None,
                from_user: number.clone(),
                offer: scene.offer(sdp::Direction::SendRecv),
                headers: Vec::new(),
                credentials: None::<Credentials>,
            },
        );
        let patience = callers.patience.draw(&mut self.dice);
        self.due.insert((now + patience, Due::GiveUp(leg)));
        self.outputs.push_back(Output::Report(Report::Dialled { number: number.clone() }));
        self.by_number.insert(number.clone(), leg);
        let caller = Caller { number, dialled: now, talked: false, hung_up: false, scene };
        self.callers.insert(leg, caller);
    }

    fn new_number(&mut self, callers: &Callers) -> String {
        let prefix = match callers.prefixes.len() as u64 {
            0 => "138",
            count => &callers.prefixes[self.dice.below(count) as usize],
        };
        // A landline has its area code before eight digits.
        let length: usize = if prefix.starts_with('0') { 12 } else { 11 };
        let digits = length.saturating_sub(prefix.len());
        let rest = self.dialled % 10u64.pow(digits as u32);
        format!("{prefix}{rest:0digits$}")
    }

    fn uri_of(&self, user: &str) -> Uri {
        Uri::from_socket(Some(user), self.config.flow.remote)
    }

    fn caller_hangs_up(&mut self, now: Timestamp, leg: LegId) {
        if let Some(caller) = self.callers.get_mut(&leg) {
            caller.hung_up = true;
            self.sip.hang_up(now, leg);
        }
    }

    fn pump(&mut self, now: Timestamp) {
        while let Some(output) = self.sip.poll_output() {
            match output {
                sip::Output::Transmit { flow, bytes } => {
                    self.outputs.push_back(Output::Transmit { flow, bytes });
                }
                sip::Output::Event(event) => self.on_event(now, event),
            }
        }
    }

    fn on_event(&mut self, now: Timestamp, event: Event) {
        match event {
            Event::Invited { leg, invite } => self.on_ringing(now, leg, *invite),
            Event::Answered { leg, sdp } => self.on_connected(leg, sdp.as_deref()),
            Event::Failed { leg, status } => self.on_caller_over(leg, Some(status)),
            Event::Ended { leg, .. } => self.on_over(leg),
            Event::OfferReceived { leg, sdp } => self.on_offer(now, leg, sdp.as_deref()),
            Event::RegisterDone { user, status } => {
                self.outputs.push_back(Output::Report(Report::Registered { user, status }));
            }
            // A scripted phone refers nobody and is referred nowhere.
            Event::Referred { leg, .. } => self.sip.refuse_referral(now, leg, 603),
            Event::Progress { .. }
            | Event::Key { .. }
            | Event::Confirmed { .. }
            | Event::OfferAnswered { .. }
            | Event::OfferRefused { .. }
            | Event::Registered { .. }
            | Event::Unregistered { .. }
            | Event::AuthFailed { .. }
            | Event::Pong { .. } => {}
        }
    }

    /// A lawyer's phone rings: decide now what will become of it.
    fn on_ringing(&mut self, now: Timestamp, leg: LegId, invite: sip::Invited) {
        let (Some(&lawyer), Some(scene)) = (self.by_user.get(&invite.called), self.audio.begin(now)) else {
            self.sip.reject(now, leg, 480, None);
            return;
        };
        let number = invite.caller.user.reveal().to_owned();
        let dialled = self.by_number.get(&number).and_then(|leg| self.callers.get(leg)).map(|c| c.dialled);
        let user = invite.called.clone();
        let since_dialled = dialled.map(|dialled| now - dialled);
        let ringing = Report::Ringing { user, number: number.clone(), since_dialled };
        self.outputs.push_back(Output::Report(ringing));
        self.desks.insert(leg, Desk { lawyer, number, offer: invite.offer, answered: false, scene });
        let Manner { answers_after, ignores, rejects, leaves, .. } = self.config.lawyers[lawyer].manner;
        let after = now + answers_after.draw(&mut self.dice);
        self.sip.ring(now, leg, 180, None);
        if ignores.draw(&mut self.dice) {
            return;
        }
        if leaves.draw(&mut self.dice) {
            self.leave(now, lawyer);
        } else if rejects.draw(&mut self.dice) {
            self.due.insert((after, Due::Decline(leg)));
        } else {
            self.due.insert((after, Due::PickUp(leg)));
        }
    }

    /// Takes the phone off the registrar while it rings.
    fn leave(&mut self, now: Timestamp, lawyer: usize) {
        if let Some(registration) = self.registrations.remove(&lawyer) {
            self.sip.unregister(now, registration);
            self.due.insert((now + BACK_AFTER, Due::ComeBack(lawyer)));
        }
    }

    fn pick_up(&mut self, now: Timestamp, leg: LegId) {
        let Some(desk) = self.desks.get_mut(&leg).filter(|desk| !desk.answered) else { return };
        let Some((answer, remote)) = desk.offer.take().and_then(|offer| desk.scene.answer(&offer)) else {
            self.sip.reject(now, leg, 488, None);
            return;
        };
        desk.answered = true;
        self.sip.answer(now, leg, answer);
        let user = self.config.lawyers[desk.lawyer].user.clone();
        let talking = Report::Talking { user, number: desk.number.clone(), audio: remote.rtp };
        self.outputs.push_back(Output::Report(talking));
        let speech = pick(&mut self.dice, &self.config.lawyer_speech);
        self.audio.open(&desk.scene, leg, remote, speech, &mut self.outputs);
        let caller = self.by_number.get(&desk.number).copied();
        let lawyer = desk.lawyer;
        self.plan_talk(now, leg, caller, lawyer);
    }

    fn plan_talk(&mut self, now: Timestamp, desk: LegId, caller: Option<LegId>, lawyer: usize) {
        let Manner { talks, hangs_up, holds, dies, .. } = self.config.lawyers[lawyer].manner;
        let talk = talks.draw(&mut self.dice);
        let end = now + talk;
        if let Some(caller) = caller.and_then(|leg| self.callers.get_mut(&leg)) {
            caller.talked = true;
        }
        if dies.draw(&mut self.dice) {
            self.due.insert((now + talk / 2, Due::Die(desk)));
            return;
        }
        if holds.draw(&mut self.dice) {
            self.due.insert((now + talk / 5, Due::Hold(desk)));
            self.due.insert((now + talk * 2 / 5, Due::Resume(desk)));
        }
        let by_lawyer = hangs_up.draw(&mut self.dice);
        let who = if by_lawyer { desk } else { caller.unwrap_or(desk) };
        self.due.insert((end, Due::HangUp(who)));
        if let Some(caller) = caller.filter(|_| by_lawyer) {
            self.plan_rating(end, caller);
        }
    }

    /// Of three callers whom the lawyer leaves, one presses a key, one hangs up and one listens.
    fn plan_rating(&mut self, end: Timestamp, caller: LegId) {
        let at = end + RATES_AFTER.draw(&mut self.dice);
        match self.dice.below(3) {
            0 => _ = self.due.insert((at, Due::Rate(caller))),
            1 => _ = self.due.insert((at, Due::HangUp(caller))),
            _ => {}
        }
    }

    fn on_connected(&mut self, leg: LegId, answer: Option<&[u8]>) {
        let Some(caller) = self.callers.get_mut(&leg) else { return };
        let remote = answer.and_then(|answer| caller.scene.agreed(answer));
        let audio = remote.as_ref().map(|remote| remote.rtp);
        let connected = Report::Connected { number: caller.number.clone(), audio };
        self.outputs.push_back(Output::Report(connected));
        if let Some(remote) = remote {
            let speech = pick(&mut self.dice, &self.config.caller_speech);
            self.audio.open(&caller.scene, leg, remote, speech, &mut self.outputs);
        }
    }

    fn reinvite(&mut self, now: Timestamp, leg: LegId, direction: sdp::Direction) {
        if let Some(desk) = self.desks.get_mut(&leg).filter(|desk| desk.answered) {
            let offer = desk.scene.next_offer(direction);
            self.sip.reinvite(now, leg, offer);
        }
    }

    fn on_offer(&mut self, now: Timestamp, leg: LegId, offer: Option<&[u8]>) {
        let caller = self.callers.get_mut(&leg).map(|caller| &mut caller.scene);
        let Some(scene) = caller.or_else(|| self.desks.get_mut(&leg).map(|desk| &mut desk.scene)) else {
            return;
        };
        match offer {
            None => {
                let offer = scene.next_offer(sdp::Direction::SendRecv);
                self.sip.accept_offer(now, leg, offer);
            }
            Some(offer) => match scene.answer(offer) {
                Some((answer, _)) => self.sip.accept_offer(now, leg, answer),
                None => self.sip.refuse_offer(now, leg, 488),
            },
        }
    }

    fn on_over(&mut self, leg: LegId) {
        if let Some(desk) = self.desks.remove(&leg) {
            self.audio.close(&desk.scene, &mut self.outputs);
            let user = self.config.lawyers[desk.lawyer].user.clone();
            self.outputs.push_back(Output::Report(Report::LawyerDone { user }));
        } else {
            self.on_caller_over(leg, None);
        }
    }

    fn on_caller_over(&mut self, leg: LegId, refused: Option<u16>) {
        let Some(caller) = self.callers.remove(&leg) else { return };
        self.audio.close(&caller.scene, &mut self.outputs);
        self.by_number.remove(&caller.number);
        let Caller { number, talked, hung_up, .. } = caller;
        let report = match refused {
            Some(status) if !hung_up => Report::Refused { number, status },
            Some(_) | None => Report::CallerDone { number, talked, by_caller: hung_up },
        };
        self.outputs.push_back(Output::Report(report));
    }
}

fn pick(dice: &mut Dice, speech: &[Arc<[u8]>]) -> Option<Arc<[u8]>> {
    speech.get(dice.below(speech.len() as u64) as usize).cloned()
}

//! One phone: an endpoint of its own that does what a script says.

use crate::hand::Hand;
use sip::{
    Credentials, Endpoint, Event, Flow, Invite, LegId, Message, Method, Register, RegistrationId, Target,
    Timestamp, Uri, sdp,
};
use std::net::SocketAddr;

pub(crate) const CODECS: [sdp::Codec; 1] = [sdp::Codec::Pcma];
pub(crate) const RTP_PORT: u16 = 40_000;
const REGISTER_EXPIRES_S: u32 = 3_600;

pub(crate) struct Phone {
    /// As the phone sees it: `local` is the phone, `remote` the hotline.
    pub(crate) flow: Flow,
    pub(crate) hand: Hand,
    /// Calls are the hand's; only registration is the endpoint's.
    pub(crate) is_by_hand: bool,
    /// Neither hears nor speaks.
    pub(crate) is_dead: bool,
    sip: Endpoint,
    user: String,
    password: Option<String>,
    registration: Option<RegistrationId>,
    /// The leg that began last, and the offer that came with it.
    leg: Option<LegId>,
    offer: Option<Vec<u8>>,
    rtp_port: u16,
    sdp_version: u64,
    /// What it last offered.
    last_offer: Vec<u8>,
}

/// What a caller's INVITE carries besides the numbers.
#[derive(Default)]
pub(crate) struct Dialling {
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) only_g729: bool,
}

impl Phone {
    pub(crate) fn new(flow: Flow, user: &str, password: Option<&str>, seed: u8) -> Self {
        let mut config = sip::Config::new([seed; 32]);
        config.trusted_peers = [flow.remote.ip()].into();
        Self {
            flow,
            hand: Hand::new(flow),
            is_by_hand: false,
            is_dead: false,
            sip: Endpoint::new(config),
            user: user.to_owned(),
            password: password.map(str::to_owned),
            registration: None,
            leg: None,
            offer: None,
            rtp_port: RTP_PORT,
            sdp_version: 0,
            last_offer: Vec::new(),
        }
    }

    pub(crate) fn poll_timeout(&self) -> Option<Timestamp> {
        self.sip.poll_timeout().filter(|_| !self.is_dead)
    }

    pub(crate) fn handle_timeout(&mut self, now: Timestamp) {
        self.sip.handle_timeout(now);
    }

    pub(crate) fn handle_packet(&mut self, now: Timestamp, bytes: &[u8]) {
        let message = Message::parse(bytes).expect("the hotline writes messages that can be read");
        let is_call = message.method().is_some_and(|method| *method != Method::Options);
        if Hand::owns(&message) || (self.is_by_hand && is_call) {
            self.hand.hear(message);
        } else {
            self.sip.handle_packet(now, self.flow, bytes);
        }
    }

    /// What the phone sends, after doing what a phone does without being asked.
    pub(crate) fn take(&mut self, now: Timestamp) -> Vec<Vec<u8>> {
        let mut packets: Vec<Vec<u8>> = self.hand.take().iter().map(Message::encode).collect();
        while let Some(output) = self.sip.poll_output() {
            match output {
                sip::Output::Transmit { bytes, .. } => packets.push(bytes),
                sip::Output::Event(event) => self.on_event(now, event),
            }
        }
        packets
    }

    fn on_event(&mut self, now: Timestamp, event: Event) {
        match event {
            Event::Invited { leg, invite } => {
                self.leg = Some(leg);
                self.offer = invite.offer;
                self.sip.ring(now, leg, 180, None);
            }
            Event::OfferReceived { leg, sdp } => {
                let sdp = match sdp {
                    Some(offer) => self.answer_to(&offer),
                    None => self.next_offer(sdp::Direction::SendRecv),
                };
                self.sip.accept_offer(now, leg, sdp);
            }
            Event::Referred { leg, .. } => self.sip.refuse_referral(now, leg, 603),
            Event::Progress { .. }
            | Event::Key { .. }
            | Event::Answered { .. }
            | Event::Failed { .. }
            | Event::Confirmed { .. }
            | Event::OfferAnswered { .. }
            | Event::OfferRefused { .. }
            | Event::Ended { .. }
            | Event::Registered { .. }
            | Event::Unregistered { .. }
            | Event::AuthFailed { .. }
            | Event::Pong { .. }
            | Event::RegisterDone { .. } => {}
        }
    }

    pub(crate) fn register(&mut self, now: Timestamp) {
        let target = Target { flow: self.flow, uri: Uri::from_socket(None, self.flow.remote) };
        let (user, password) = (self.user.clone(), self.password.clone().unwrap_or_default());
        let register = Register { target, user, password, expires_s: REGISTER_EXPIRES_S };
        self.registration = Some(self.sip.register(now, register));
    }

    pub(crate) fn unregister(&mut self, now: Timestamp) {
        if let Some(registration) = self.registration.take() {
            self.sip.unregister(now, registration);
        }
    }

    pub(crate) fn dial(&mut self, now: Timestamp, number: Option<&str>, called: &str, dialling: Dialling) {
        let offer = if dialling.only_g729 { self.g729() } else { self.next_offer(sdp::Direction::SendRecv) };
        let user = self.user.clone();
        let credentials = self.password.clone().map(|password| Credentials { user: user.clone(), password });
        let invite = Invite {
            target: Target { flow: self.flow, uri: Uri::from_socket(Some(called), self.flow.remote) },
            from_display: None,
            from_user: number.map_or(user, str::to_owned),
            offer,
            headers: dialling.headers,
            credentials,
        };
        self.leg = Some(self.sip.invite(now, invite));
    }

    pub(crate) fn ping(&mut self, now: Timestamp, called: &str) {
        let uri = Uri::from_socket(Some(called), self.flow.remote);
        self.sip.ping(now, Target { flow: self.flow, uri });
    }

    pub(crate) fn answer(&mut self, now: Timestamp, is_usable: bool) {
        let Some(leg) = self.leg else { panic!("{} has no call to answer", self.user) };
        let answer = match self.offer.take() {
            Some(offer) if is_usable => self.answer_to(&offer),
            Some(_) | None => self.g729(),
        };
        self.sip.answer(now, leg, answer);
    }

    pub(crate) fn reject(&mut self, now: Timestamp, status: u16) {
        let Some(leg) = self.leg else { panic!("{} has no call to reject", self.user) };
        self.sip.reject(now, leg, status, None);
    }

    pub(crate) fn hang_up(&mut self, now: Timestamp) {
        match self.leg {
            Some(leg) => self.sip.hang_up(now, leg),
            None => self.hand.hang_up(),
        }
    }

    /// Offers a changed session. `port` is where the phone wants its audio from now on.
    pub(crate) fn change(&mut self, now: Timestamp, direction: sdp::Direction, port: Option<u16>) {
        let Some(leg) = self.leg else { panic!("{} has no call to change", self.user) };
        self.rtp_port = port.unwrap_or(self.rtp_port);
        let offer = self.next_offer(direction);
        self.sip.reinvite(now, leg, offer);
    }

    /// Offers what it has offered before: a refresh of the session.
    pub(crate) fn repeat_offer(&mut self, now: Timestamp) {
        let Some(leg) = self.leg else { panic!("{} has no call to refresh", self.user) };
        self.sip.reinvite(now, leg, self.last_offer.clone());
    }

    /// Offers what the hotline does not speak.
    pub(crate) fn change_codec(&mut self, now: Timestamp) {
        let Some(leg) = self.leg else { panic!("{} has no call to change", self.user) };
        let offer = self.g729();
        self.sip.reinvite(now, leg, offer);
    }

    fn next_offer(&mut self, direction: sdp::Direction) -> Vec<u8> {
        self.sdp_version += 1;
        self.last_offer = sdp::offer(self.audio(), sdp_id(self.flow), self.sdp_version, &CODECS, direction);
        self.last_offer.clone()
    }

    fn answer_to(&mut self, offer: &[u8]) -> Vec<u8> {
        self.sdp_version += 1;
        let offer = sdp::Session::parse(offer).expect("the hotline's offers can be read");
        let answer = sdp::answer(&offer, self.audio(), sdp_id(self.flow), self.sdp_version, &CODECS);
        answer.expect("the hotline speaks A-law").0
    }

    /// A codec that the hotline does not speak.
    fn g729(&mut self) -> Vec<u8> {
        self.sdp_version += 1;
        let (ip, id, version) = (self.flow.local.ip(), sdp_id(self.flow), self.sdp_version);
        format!("v=0\r\no=- {id} {version} IN IP4 {ip}\r\ns=-\r\nc=IN IP4 {ip}\r\nt=0 0\r\nm=audio {RTP_PORT} RTP/AVP 18\r\n")
            .into_bytes()
    }

    fn audio(&self) -> SocketAddr {
        SocketAddr::new(self.flow.local.ip(), self.rtp_port)
    }
}

/// One per phone is enough: a phone has one call at a time.
pub(crate) fn sdp_id(flow: Flow) -> u64 {
    u64::from(flow.local.port())
}

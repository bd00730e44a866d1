//! Changes of a confirmed session: re-INVITE and UPDATE both ways (RFC 3261 section 14, RFC 3311), and the
//! refreshes of session timers (RFC 4028).

use super::leg::{Exchange, Leg, Offer, Pending, State};
use super::uac::acknowledge;
use super::uas::{Accepted, push_abilities, push_session, send_accepted, settle};
use super::wire::{SDP_TYPE, dialog_response, response};
use super::{EndCause, Endpoint, Event, LegId, Timer};
use crate::message::{Message, Method};
use crate::session_timer::{self, MIN_SE_S, SessionExpires, parse_delta};
use crate::transaction::{Delivery, Purpose, ServerId};
use domain::Timestamp;
use std::sync::Arc;
use std::time::Duration;

/// A refresh that failed for no good reason is tried again after this, until the session expires.
const REFRESH_RETRY: Duration = Duration::from_secs(10);
/// The longest wait that a peer's untimely offer is told, in seconds (RFC 3261 section 14.2).
const RETRY_AFTER_MAX_S: u64 = 10;

impl Endpoint {
    /// Offers the peer a changed session. `OfferAnswered` or `OfferRefused` follows. One offer waits while
    /// another exchange is under way; a later one replaces it.
    pub fn reinvite(&mut self, now: Timestamp, leg: LegId, offer: Vec<u8>) {
        self.wire.io.now = now;
        let Some(found) = self.legs.get_mut(leg) else { return };
        if matches!(found.state, State::Confirmed) {
            found.queued = Some(Offer::Asked(offer));
            self.send_queued(leg);
        }
    }

    /// Answers `OfferReceived`: with the answer, or with the offer that the peer asked for.
    pub fn accept_offer(&mut self, now: Timestamp, leg: LegId, sdp: Vec<u8>) {
        self.wire.io.now = now;
        let Some(found) = self.legs.get_mut(leg) else { return };
        match std::mem::replace(&mut found.exchange, Exchange::Idle) {
            Exchange::Theirs { pending, has_offer } => {
                if let Some(offer) = pending.request.sdp() {
                    found.record.remote_sdp = offer.to_vec();
                }
                found.record.local_sdp.clone_from(&sdp);
                self.accept_exchange(leg, pending, Some(sdp), !has_offer);
            }
            other @ (Exchange::Idle | Exchange::Ours { .. }) => found.exchange = other,
        }
    }

    /// Answers `OfferReceived` with a refusal, `status` 400 to 699: 488 if the media do not suit.
    pub fn refuse_offer(&mut self, now: Timestamp, leg: LegId, status: u16) {
        self.wire.io.now = now;
        let Some(found) = self.legs.get_mut(leg) else { return };
        let status = if (400..700).contains(&status) { status } else { 488 };
        match std::mem::replace(&mut found.exchange, Exchange::Idle) {
            Exchange::Theirs { pending, .. } => {
                self.wire.finish(pending, status, &found.record.dialog.local_tag);
                self.send_queued(leg);
            }
            other @ (Exchange::Idle | Exchange::Ours { .. }) => found.exchange = other,
        }
    }

    pub(super) fn take_reinvite(&mut self, leg: LegId, tx: ServerId, request: Message) {
        let Some(found) = self.legs.get(leg) else { return };
        let busy = match (&found.state, &found.exchange) {
            (State::Calling(_), _) | (_, Exchange::Ours { .. }) => Some(491),
            (State::Incoming(_) | State::Leaving(_), _) | (_, Exchange::Theirs { .. }) => Some(500),
            (State::Confirmed, Exchange::Idle) => found.unacked.is_some().then_some(500),
        };
        match busy {
            Some(status) => self.refuse_untimely(tx, &request, status),
            None => self.take_change(leg, tx, request),
        }
    }

    pub(super) fn take_update(&mut self, leg: LegId, tx: ServerId, request: Message) {
        let Some(found) = self.legs.get(leg) else { return };
        let has_offer = request.sdp().is_some();
        let offered = found.unacked.as_ref().is_some_and(|unacked| unacked.offered);
        // RFC 3311 section 5.2: 491 while our offer is open, 500 while theirs is.
        let busy = match (&found.state, &found.exchange) {
            _ if !has_offer => None,
            (State::Calling(_), _) | (_, Exchange::Ours { .. }) => Some(491),
            (_, Exchange::Theirs { .. }) => Some(500),
            (State::Incoming(incoming), Exchange::Idle) => (!incoming.settled).then_some(500),
            (State::Confirmed | State::Leaving(_), Exchange::Idle) => offered.then_some(491),
        };
        match busy {
            Some(status) => self.refuse_untimely(tx, &request, status),
            None => self.take_change(leg, tx, request),
        }
    }

    fn refuse_untimely(&mut self, tx: ServerId, request: &Message, status: u16) {
        let mut refusal = response(request, status, "");
        if status == 500 {
            let seconds = self.wire.ids.below(RETRY_AFTER_MAX_S + 1);
            refusal.push_header("Retry-After", &seconds.to_string());
        }
        self.wire.respond(tx, &refusal);
    }

    /// A re-INVITE or UPDATE in its time. One that changes nothing is answered here: a refresh.
    fn take_change(&mut self, leg: LegId, tx: ServerId, request: Message) {
        if settle(&request, self.session_expires_s, self.wire.now()).is_err() {
            return self.refuse_interval(tx, &request);
        }
        let Some(found) = self.legs.get_mut(leg) else { return };
        let is_invite = request.method() == Some(&Method::Invite);
        let offer = request.sdp().map(<[u8]>::to_vec);
        let request = Arc::new(request);
        let pending = Pending { tx, request };
        match offer {
            None if !is_invite => self.accept_exchange(leg, pending, None, false),
            Some(offer) if offer == found.record.remote_sdp && !found.record.local_sdp.is_empty() => {
                let sdp = found.record.local_sdp.clone();
                self.accept_exchange(leg, pending, Some(sdp), false);
            }
            sdp => {
                self.wire.servers.set_leg(tx, leg);
                found.exchange = Exchange::Theirs { pending, has_offer: sdp.is_some() };
                self.wire.event(Event::OfferReceived { leg, sdp });
            }
        }
    }

    /// The 2xx to a re-INVITE or UPDATE.
    fn accept_exchange(&mut self, id: LegId, pending: Pending, sdp: Option<Vec<u8>>, offered: bool) {
        let Some(leg) = self.legs.get_mut(id) else { return };
        let Pending { tx, request } = pending;
        let dialog = &mut leg.record.dialog;
        if !matches!(leg.state, State::Calling(_)) {
            dialog.refresh_target(&request); // of an early dialog, its final answer will tell
        }
        let mut accepted = dialog_response(&request, 200, &dialog.local_tag, &dialog.contact);
        let settled = settle(&request, self.session_expires_s, self.wire.now()).unwrap_or_default();
        self.wire.describe(&mut accepted);
        push_session(&mut accepted, settled);
        if let Some(sdp) = sdp {
            accepted.set_body(SDP_TYPE, sdp);
        }
        leg.record.session = settled.map(|settled| settled.timer);
        if request.method() == Some(&Method::Invite) {
            let again = Accepted { tx, cseq: request.cseq().0, offered, first: false };
            send_accepted(&mut self.wire, id, leg, again, &accepted);
        } else {
            self.wire.respond(tx, &accepted);
        }
        self.start_session(id);
        self.send_queued(id);
    }

    /// Sends the offer that waits, if its time has come.
    pub(super) fn send_queued(&mut self, id: LegId) {
        let Some(leg) = self.legs.get_mut(id) else { return };
        if !leg.may_offer() || self.wire.io.timers.is_set(Timer::GlareRetry(id)) {
            return;
        }
        let Some(offer) = leg.queued.take() else { return };
        let record = &mut leg.record;
        let (method, sdp) = match &offer {
            Offer::Asked(sdp) => (Method::Invite, Some(sdp.clone())),
            Offer::Refresh if record.peer_allows_update => (Method::Update, None),
            Offer::Refresh => (Method::Invite, Some(record.local_sdp.clone())),
        };
        let mut request = record.dialog.request(method);
        push_abilities(&mut request);
        let mut asked = match &record.session {
            Some(session) => session.header_of_refresh(),
            None => SessionExpires { interval_s: self.session_expires_s, refresher: None },
        };
        asked.interval_s = asked.interval_s.max(record.session_ask_s);
        request.push_header("Session-Expires", &asked.encode());
        if record.session_ask_s > MIN_SE_S {
            request.push_header("Min-SE", &record.session_ask_s.to_string());
        }
        if let Some(sdp) = sdp {
            request.set_body(SDP_TYPE, sdp);
        }
        let tx = self.wire.send_request(request, record.dialog.next_hop(), Purpose::Exchange(id));
        leg.exchange = Exchange::Ours { tx, offer };
    }

    pub(super) fn hear_exchange(&mut self, id: LegId, delivery: Delivery, response: Option<&Message>) {
        let status = response.and_then(Message::status).unwrap_or(408);
        if status < 200 {
            let is_ours = |leg: &Leg| matches!(leg.exchange, Exchange::Ours { tx, .. } if tx == delivery.id);
            if !self.legs.get(id).is_some_and(is_ours) {
                self.wire.clients.expect_end(&mut self.wire.io, delivery.id);
            }
            return;
        }
        let is_invite = response.is_some_and(|response| response.cseq().1 == Method::Invite);
        let Some(leg) = self.legs.get_mut(id) else {
            // The leg ended under its re-INVITE: a 2xx still wants its ACK.
            if let Some(response) = response.filter(|_| is_invite && status < 300) {
                self.drop_fork(delivery, response);
            }
            return;
        };
        if let Some(response) = response.filter(|_| is_invite && status < 300) {
            leg.record.dialog.refresh_target(response);
            acknowledge(&mut self.wire, &leg.record.dialog, delivery, response);
        }
        let offer = match std::mem::replace(&mut leg.exchange, Exchange::Idle) {
            Exchange::Ours { tx, offer } if tx == delivery.id => offer,
            other => {
                leg.exchange = other;
                return;
            }
        };
        match (status, response) {
            (200..300, Some(response)) => self.hear_accepted(id, offer, response),
            _ => self.hear_refused(id, offer, status, response),
        }
        self.send_queued(id);
    }

    fn hear_accepted(&mut self, id: LegId, offer: Offer, response: &Message) {
        let Some(leg) = self.legs.get_mut(id) else { return };
        leg.record.dialog.refresh_target(response);
        let header = response.header("Session-Expires").and_then(SessionExpires::parse);
        leg.record.session = session_timer::accepted(header, self.wire.now());
        let answer = response.sdp().map(<[u8]>::to_vec);
        if let Some(sdp) = &answer {
            leg.record.remote_sdp.clone_from(sdp);
        }
        match (offer, answer) {
            (Offer::Refresh, _) => {}
            (Offer::Asked(sdp), Some(answer)) => {
                leg.record.local_sdp = sdp;
                self.wire.event(Event::OfferAnswered { leg: id, sdp: answer });
            }
            (Offer::Asked(_), None) => self.wire.event(Event::OfferRefused { leg: id, status: 488 }),
        }
        self.start_session(id);
    }

    fn hear_refused(&mut self, id: LegId, offer: Offer, status: u16, response: Option<&Message>) {
        let Some(leg) = self.legs.get_mut(id) else { return };
        match status {
            // Section 14.1: who owns the Call-ID waits longer.
            491 => {
                let (least_ms, steps) = if leg.record.dialog.initiator { (2100, 191) } else { (0, 201) };
                let pause_ms = least_ms + 10 * self.wire.ids.below(steps);
                leg.queued.get_or_insert(offer);
                self.wire.io.after(Timer::GlareRetry(id), Duration::from_millis(pause_ms));
            }
            // Section 12.2.1.2: the peer has lost the dialog.
            408 | 481 => self.abandon(id, EndCause::Timeout),
            422 => {
                let asked_s = leg.record.session.map_or(self.session_expires_s, |session| session.interval_s);
                let asked_s = asked_s.max(leg.record.session_ask_s);
                let wanted_s = response.and_then(|r| r.header("Min-SE")).and_then(parse_delta).unwrap_or(0);
                if wanted_s > asked_s {
                    leg.record.session_ask_s = wanted_s;
                    leg.queued.get_or_insert(offer);
                } else {
                    self.drop_offer(id, &offer, status);
                }
            }
            405 | 501 if offer == Offer::Refresh && leg.record.peer_allows_update => {
                leg.record.peer_allows_update = false;
                leg.queued.get_or_insert(offer);
            }
            _ => self.drop_offer(id, &offer, status),
        }
    }

    fn drop_offer(&mut self, leg: LegId, offer: &Offer, status: u16) {
        match offer {
            Offer::Asked(_) => self.wire.event(Event::OfferRefused { leg, status }),
            Offer::Refresh => self.wire.io.after(Timer::SessionRefresh(leg), REFRESH_RETRY),
        }
    }

    /// Sets the session's timers anew.
    pub(super) fn start_session(&mut self, id: LegId) {
        let timers = &mut self.wire.io.timers;
        timers.cancel(Timer::SessionRefresh(id));
        timers.cancel(Timer::SessionExpiry(id));
        let Some(Leg { record, state: State::Confirmed, .. }) = self.legs.get(id) else { return };
        if let Some(session) = &record.session {
            timers.set(Timer::SessionExpiry(id), session.expires_at());
            if let Some(at) = session.refresh_at() {
                timers.set(Timer::SessionRefresh(id), at);
            }
        }
    }

    pub(super) fn refresh_session(&mut self, id: LegId) {
        let Some(leg) = self.legs.get_mut(id) else { return };
        leg.queued.get_or_insert(Offer::Refresh); // whatever waits already refreshes as well
        self.send_queued(id);
    }

    pub(super) fn expire_session(&mut self, leg: LegId) {
        self.abandon(leg, EndCause::SessionExpired);
    }
}

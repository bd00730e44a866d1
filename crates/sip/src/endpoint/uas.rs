//! Their INVITE: from its arrival to the ACK of our answer (RFC 3261 section 13.3, RFC 3262 section 3).

use super::leg::{Exchange, Incoming, Leg, Next, Pending, Record, Reliable, State, Unacked};
use super::wire::{ALLOW, SDP_TYPE, SUPPORTED, Wire, dialog_response, response};
use super::{EndCause, Endpoint, Event, Flow, Invited, LegId, Timer};
use crate::dialog::{Dialog, LocalSide};
use crate::identity;
use crate::message::{Message, Method};
use crate::session_timer::{self, Asked, MIN_SE_S, SessionExpires, Settled, TooSmall, parse_delta};
use crate::transaction::ServerId;
use domain::Timestamp;
use std::sync::Arc;

impl Endpoint {
    /// Answers an INVITE provisionally, `status` 101 to 199, reliably if the caller requires that.
    pub fn ring(&mut self, now: Timestamp, leg: LegId, status: u16, sdp: Option<Vec<u8>>) {
        self.wire.io.now = now;
        if !(101..200).contains(&status) {
            return;
        }
        let Some(Leg { record, state: State::Incoming(incoming), .. }) = self.legs.get_mut(leg) else {
            return;
        };
        let dialog = &record.dialog;
        match &mut incoming.reliable {
            Reliable::Unacked { then: Some(Next::Answer { .. }), .. } => {}
            Reliable::Unacked { then, .. } => *then = Some(Next::Ring { status, sdp }),
            Reliable::NotRequired => {
                let mut ringing = provisional(&incoming.pending, dialog, status);
                if let Some(sdp) = sdp {
                    ringing.set_body(SDP_TYPE, sdp);
                }
                self.wire.respond(incoming.pending.tx, &ringing);
            }
            Reliable::Idle => {
                if let Some(sdp) = &sdp {
                    record.local_sdp.clone_from(sdp);
                }
                ring_reliably(&mut self.wire, leg, incoming, dialog, status, sdp);
            }
        }
    }

    /// Accepts an INVITE. `sdp` is the answer, or our offer if the caller made none.
    pub fn answer(&mut self, now: Timestamp, leg: LegId, sdp: Vec<u8>) {
        self.wire.io.now = now;
        let Some(Leg { state: State::Incoming(incoming), .. }) = self.legs.get_mut(leg) else { return };
        // RFC 3262 section 5: not while the caller may still miss the answer that it was given.
        if let Reliable::Unacked { has_sdp: true, then, .. } = &mut incoming.reliable {
            *then = Some(Next::Answer { sdp });
            return;
        }
        self.send_answer(leg, sdp);
    }

    /// Refuses an INVITE, `status` 300 to 699. Ends the leg with `LocalHangUp`.
    pub fn reject(&mut self, now: Timestamp, leg: LegId, status: u16, retry_after_s: Option<u32>) {
        self.wire.io.now = now;
        let Some(Leg { record, state: State::Incoming(incoming), .. }) = self.legs.get(leg) else { return };
        let status = if (300..700).contains(&status) { status } else { 500 };
        let mut refusal = response(&incoming.pending.request, status, &record.dialog.local_tag);
        if let Some(seconds) = retry_after_s {
            refusal.push_header("Retry-After", &seconds.to_string());
        }
        self.wire.respond(incoming.pending.tx, &refusal);
        self.end(leg, Event::Ended { leg, cause: EndCause::LocalHangUp });
    }

    pub(super) fn take_invite(&mut self, flow: Flow, tx: ServerId, mut request: Message) {
        let trusted = self.is_trusted(flow);
        let from_user = request.from().uri.user().unwrap_or_default();
        let user = if !trusted && self.accounts.contains_key(&from_user) {
            match self.authenticate(flow, tx, &request, &from_user) {
                Some(user) => Some(user),
                None => return,
            }
        } else {
            None
        };
        let replaces = match self.replaced_by(&request) {
            Ok(replaces) => replaces,
            Err(status) => return self.refuse(tx, &request, status),
        };
        if settle(&request, self.session_expires_s, self.wire.now()).is_err() {
            return self.refuse_interval(tx, &request);
        }
        let leg = self.legs.next_id();
        let called_uri = request.uri().cloned();
        let called_user = called_uri.as_ref().and_then(crate::uri::Uri::user);
        let called = called_uri.and_then(|uri| uri.number().or_else(|| uri.user())).unwrap_or_default();
        let side = LocalSide {
            tag: self.wire.ids.token(),
            contact: self.wire.contact(called_user.as_deref(), flow),
            flow,
            pinned: !trusted,
        };
        let dialog = Dialog::of_incoming(&request, side);
        let offer = request.sdp().map(<[u8]>::to_vec);
        request.body = Vec::new();
        let caller = identity::caller(&request, trusted);
        let request = Arc::new(request);
        let reliable =
            if request.has_token("Require", "100rel") { Reliable::Idle } else { Reliable::NotRequired };
        let incoming = Incoming {
            delayed_offer: offer.is_none(),
            reliable,
            rseq: 0,
            settled: false,
            pending: Pending { tx, request: Arc::clone(&request) },
        };
        let mut record = Record::new(dialog);
        record.remote_sdp = offer.clone().unwrap_or_default();
        record.peer_allows_update = request.has_token("Allow", "UPDATE");
        self.legs.insert(leg, Leg::new(record, State::Incoming(Box::new(incoming))));
        self.wire.servers.set_leg(tx, leg);
        let invite = Box::new(Invited { flow, called, caller, user, trusted, offer, replaces, request });
        self.wire.event(Event::Invited { leg, invite });
    }

    /// 422 (RFC 4028 section 6).
    pub(super) fn refuse_interval(&mut self, tx: ServerId, request: &Message) {
        let mut refusal = response(request, 422, &self.wire.ids.tag_of(request.call_id()));
        refusal.push_header("Min-SE", &MIN_SE_S.to_string());
        self.wire.respond(tx, &refusal);
    }

    fn send_answer(&mut self, id: LegId, sdp: Vec<u8>) {
        let Some(leg) = self.legs.get_mut(id) else { return };
        let incoming = match std::mem::replace(&mut leg.state, State::Confirmed) {
            State::Incoming(incoming) => incoming,
            other @ (State::Calling(_) | State::Confirmed | State::Leaving(_)) => {
                leg.state = other;
                return;
            }
        };
        let Pending { tx, request } = incoming.pending;
        let dialog = &leg.record.dialog;
        let mut accepted = dialog_response(&request, 200, &dialog.local_tag, &dialog.contact);
        let settled = settle(&request, self.session_expires_s, self.wire.now()).unwrap_or_default();
        self.wire.describe(&mut accepted);
        push_session(&mut accepted, settled);
        let offered = incoming.delayed_offer && !incoming.settled;
        if incoming.settled {
            // The session was agreed on in a reliable provisional response; `sdp` is that again.
        } else {
            leg.record.local_sdp.clone_from(&sdp);
            accepted.set_body(SDP_TYPE, sdp);
        }
        leg.record.session = settled.map(|settled| settled.timer);
        let first = Accepted { tx, cseq: request.cseq().0, offered, first: true };
        send_accepted(&mut self.wire, id, leg, first, &accepted);
        self.start_session(id);
    }

    /// T1 after T1: our 2xx, or our reliable provisional response, again.
    pub(super) fn resend_unacknowledged(&mut self, id: LegId) {
        let Some(leg) = self.legs.get_mut(id) else { return };
        let io = &mut self.wire.io;
        if let Some(unacked) = &mut leg.unacked {
            unacked.pause = io.intervals.doubled(unacked.pause);
            io.transmit(unacked.flow, unacked.bytes.clone());
            io.after(Timer::LegResend(id), unacked.pause);
        } else if let State::Incoming(incoming) = &mut leg.state
            && let Reliable::Unacked { bytes, pause, .. } = &mut incoming.reliable
            && let Some(flow) = self.wire.servers.reply_to(incoming.pending.tx)
        {
            *pause *= 2;
            io.transmit(flow, bytes.clone());
            io.after(Timer::LegResend(id), *pause);
        }
    }

    /// 64·T1 without ACK (section 13.3.1.4) or PRACK (RFC 3262 section 3).
    pub(super) fn give_up_unacknowledged(&mut self, leg: LegId) {
        let Some(found) = self.legs.get(leg) else { return };
        let cause = match &found.state {
            State::Incoming(incoming) => {
                let refusal = response(&incoming.pending.request, 504, &found.record.dialog.local_tag);
                self.wire.respond(incoming.pending.tx, &refusal);
                return self.end(leg, Event::Ended { leg, cause: EndCause::Timeout });
            }
            State::Calling(_) | State::Confirmed => EndCause::Timeout,
            State::Leaving(cause) => *cause,
        };
        self.abandon(leg, cause);
    }

    pub(super) fn take_ack(&mut self, id: LegId, ack: &Message) {
        let Some(leg) = self.legs.get_mut(id) else { return };
        let (number, _) = ack.cseq();
        let Some(unacked) = leg.unacked.take_if(|unacked| unacked.cseq == number) else { return };
        self.wire.io.timers.cancel(Timer::LegResend(id));
        self.wire.io.timers.cancel(Timer::LegGiveUp(id));
        if matches!(leg.state, State::Leaving(_)) {
            return self.send_bye(id);
        }
        if unacked.offered {
            match ack.sdp() {
                Some(sdp) => {
                    leg.record.remote_sdp = sdp.to_vec();
                    self.wire.event(Event::OfferAnswered { leg: id, sdp: sdp.to_vec() });
                }
                None => self.wire.event(Event::OfferRefused { leg: id, status: 488 }),
            }
        }
        if unacked.first {
            self.wire.event(Event::Confirmed { leg: id });
        }
        self.send_queued(id);
    }

    pub(super) fn take_prack(&mut self, id: LegId, tx: ServerId, prack: &Message) {
        let Some(Leg { record, state: State::Incoming(incoming), .. }) = self.legs.get_mut(id) else {
            return self.refuse(tx, prack, 481);
        };
        let (number, method) = incoming.pending.request.cseq();
        let expected = format!("{} {number} {method}", incoming.rseq);
        let acknowledged: Vec<&str> = prack.header("RAck").unwrap_or_default().split_whitespace().collect();
        let matches = acknowledged.join(" ").eq_ignore_ascii_case(&expected);
        let (has_sdp, then) = match std::mem::replace(&mut incoming.reliable, Reliable::Idle) {
            Reliable::Unacked { has_sdp, then, .. } if matches => (has_sdp, then),
            other => {
                incoming.reliable = other;
                return self.refuse(tx, prack, 481);
            }
        };
        self.wire.io.timers.cancel(Timer::LegResend(id));
        self.wire.io.timers.cancel(Timer::LegGiveUp(id));
        let awaited = has_sdp && incoming.delayed_offer && !incoming.settled;
        incoming.settled |= has_sdp;
        // A new offer in a PRACK is refused: until the answer, nothing here can change its mind.
        let status = if prack.sdp().is_some() && !awaited { 488 } else { 200 };
        if awaited && let Some(sdp) = prack.sdp() {
            record.remote_sdp = sdp.to_vec();
            self.wire.event(Event::OfferAnswered { leg: id, sdp: sdp.to_vec() });
        }
        self.refuse(tx, prack, status);
        match then {
            Some(Next::Ring { status, sdp }) => self.ring(self.wire.now(), id, status, sdp),
            Some(Next::Answer { sdp }) => self.send_answer(id, sdp),
            None => {}
        }
    }

    /// The peer cancels an INVITE or re-INVITE that we have not answered (section 9.2).
    pub(super) fn cancel_incoming(&mut self, leg: LegId, invite: ServerId) {
        let Some(found) = self.legs.get_mut(leg) else { return };
        let tag = found.record.dialog.local_tag.clone();
        match &found.state {
            State::Incoming(incoming) if incoming.pending.tx == invite => {
                let refusal = response(&incoming.pending.request, 487, &tag);
                self.wire.respond(invite, &refusal);
                self.end(leg, Event::Ended { leg, cause: EndCause::Cancelled });
            }
            State::Incoming(_) | State::Calling(_) | State::Confirmed | State::Leaving(_) => {
                match std::mem::replace(&mut found.exchange, Exchange::Idle) {
                    Exchange::Theirs { pending, .. } if pending.tx == invite => {
                        self.wire.finish(pending, 487, &tag);
                        self.send_queued(leg);
                    }
                    other => found.exchange = other,
                }
            }
        }
    }
}

/// A 2xx to an INVITE or re-INVITE, about to be sent.
#[derive(Clone, Copy)]
pub(super) struct Accepted {
    pub(super) tx: ServerId,
    pub(super) cseq: u32,
    pub(super) offered: bool,
    pub(super) first: bool,
}

/// Sends a 2xx, again and again until its ACK (section 13.3.1.4).
pub(super) fn send_accepted(
    wire: &mut Wire,
    id: LegId,
    leg: &mut Leg,
    accepted: Accepted,
    response: &Message,
) {
    let Accepted { tx, cseq, offered, first } = accepted;
    let Some(flow) = wire.servers.reply_to(tx) else { return };
    let bytes = response.encode();
    wire.servers.respond(&mut wire.io, tx, 200, bytes.clone());
    let pause = wire.io.intervals.t1;
    wire.io.after(Timer::LegResend(id), pause);
    wire.io.after(Timer::LegGiveUp(id), wire.io.intervals.give_up());
    leg.unacked = Some(Box::new(Unacked { cseq, flow, bytes, pause, offered, first }));
}

fn ring_reliably(
    wire: &mut Wire,
    leg: LegId,
    incoming: &mut Incoming,
    dialog: &Dialog,
    status: u16,
    sdp: Option<Vec<u8>>,
) {
    incoming.rseq = match incoming.rseq {
        0 => 1 + u32::try_from(wire.ids.below(1 << 30)).unwrap_or(0),
        rseq => rseq + 1,
    };
    let mut ringing = provisional(&incoming.pending, dialog, status);
    ringing.push_header("Require", "100rel");
    ringing.push_header("RSeq", &incoming.rseq.to_string());
    let has_sdp = sdp.is_some();
    if let Some(sdp) = sdp {
        ringing.set_body(SDP_TYPE, sdp);
    }
    let bytes = ringing.encode();
    let pause = wire.io.intervals.t1;
    wire.servers.respond(&mut wire.io, incoming.pending.tx, status, bytes.clone());
    wire.io.after(Timer::LegResend(leg), pause);
    wire.io.after(Timer::LegGiveUp(leg), wire.io.intervals.give_up());
    incoming.reliable = Reliable::Unacked { bytes, pause, has_sdp, then: None };
}

fn provisional(pending: &Pending, dialog: &Dialog, status: u16) -> Message {
    let mut ringing = dialog_response(&pending.request, status, &dialog.local_tag, &dialog.contact);
    ringing.push_header("Allow", ALLOW);
    ringing
}

/// What a request means for the session timer.
pub(super) fn settle(request: &Message, ours_s: u32, now: Timestamp) -> Result<Option<Settled>, TooSmall> {
    let asked = Asked {
        session_expires: request.header("Session-Expires").and_then(SessionExpires::parse),
        min_se_s: request.header("Min-SE").and_then(parse_delta),
        supported: request.has_token("Supported", "timer") || request.has_token("Require", "timer"),
    };
    session_timer::settle(asked, ours_s, now)
}

/// The session timer's part of a 2xx.
pub(super) fn push_session(response: &mut Message, settled: Option<Settled>) {
    if let Some(settled) = settled {
        response.push_header("Session-Expires", &settled.header.encode());
        if settled.require {
            response.push_header("Require", "timer");
        }
    }
}

/// What our requests that may change the session say about us.
pub(super) fn push_abilities(request: &mut Message) {
    debug_assert!(matches!(request.method(), Some(Method::Invite | Method::Update)));
    request.push_header("Allow", ALLOW);
    request.push_header("Supported", SUPPORTED);
}

//! Our INVITE: from its sending to the last of its answers (RFC 3261 sections 9.1 and 13.2, RFC 3262
//! section 4).

use super::leg::{Attempt, Calling, Cancel, Early, Leg, MAX_EARLY, Record, State};
use super::uas::push_abilities;
use super::wire::{SDP_TYPE, Wire};
use super::{Credentials, EndCause, Endpoint, Event, Invite, LegId};
use crate::dialog::{Dialog, LocalSide};
use crate::digest;
use crate::message::{Message, Method};
use crate::name_addr::NameAddr;
use crate::session_timer::{self, MIN_SE_S, SessionExpires, parse_delta};
use crate::transaction::{ClientId, Delivery, Purpose};
use crate::uri::Uri;
use domain::Timestamp;

/// Sendings of one INVITE: plain, with credentials, with a fresh nonce; again with a longer interval.
const MAX_ATTEMPTS: u8 = 6;

impl Endpoint {
    /// Sends an INVITE. `Progress`, then `Answered` or `Failed` follow.
    pub fn invite(&mut self, now: Timestamp, invite: Invite) -> LegId {
        self.wire.io.now = now;
        let id = self.legs.next_id();
        let Invite { target, from_display, from_user, offer, headers, credentials } = invite;
        let from = Uri::from_socket(Some(&from_user), self.wire.our_address(target.flow));
        let mut from = NameAddr::new(from);
        from.display = from_display;
        let side = LocalSide {
            tag: self.wire.ids.token(),
            contact: self.wire.contact(Some(&from_user), target.flow),
            flow: target.flow,
            pinned: !self.is_trusted(target.flow),
        };
        let call_id = self.wire.ids.token();
        let to = &NameAddr::new(target.uri.clone());
        let mut record = Record::new(Dialog::of_outgoing(call_id, from, to, target.uri, side));
        record.local_sdp = offer;
        let attempt = Attempt {
            headers,
            credentials,
            session_expires_s: self.session_expires_s,
            min_se_s: MIN_SE_S,
            number: 1,
            authorized: false,
        };
        let tx = send_invite(&mut self.wire, id, &mut record, &attempt, None);
        let calling = Calling { tx, cancel: Cancel::No, early: Vec::new(), attempt };
        self.legs.insert(id, Leg::new(record, State::Calling(Box::new(calling))));
        id
    }

    pub(super) fn hear_invite(&mut self, leg: LegId, delivery: Delivery, response: Option<&Message>) {
        let is_calling = matches!(self.legs.get(leg), Some(Leg { state: State::Calling(_), .. }));
        match response.and_then(|response| Some((response.status()?, response))) {
            Some((200..300, response)) if is_calling => self.hear_answer(leg, delivery, response),
            Some((200..300, response)) => self.drop_fork(delivery, response),
            Some(_) | None if !is_calling => {}
            Some((0..200, response)) => self.hear_progress(leg, delivery, response),
            Some((status @ (401 | 407 | 422), response)) => self.try_again(leg, status, response),
            Some((status, _)) => self.fail(leg, status),
            None => self.fail(leg, 408),
        }
    }

    fn hear_progress(&mut self, id: LegId, delivery: Delivery, response: &Message) {
        let Some(leg) = self.legs.get_mut(id) else { return };
        let State::Calling(calling) = &mut leg.state else { return };
        let status = response.status().unwrap_or(100);
        if calling.cancel == Cancel::Wanted {
            calling.cancel = Cancel::Sent;
            self.wire.send_cancel(delivery.id, delivery.flow, Purpose::Cancel(id));
        }
        if status == 100 {
            return;
        }
        let sdp = response.sdp().map(<[u8]>::to_vec);
        if let Some(early) = early_of(&leg.record.dialog, calling, response) {
            if response.has_token("Require", "100rel")
                && !acknowledge_reliably(&mut self.wire, id, early, response)
            {
                return;
            }
            if early.sdp.is_none() {
                early.sdp.clone_from(&sdp);
            }
        }
        self.wire.event(Event::Progress { leg: id, status, sdp });
    }

    /// The first 2xx wins.
    fn hear_answer(&mut self, id: LegId, delivery: Delivery, response: &Message) {
        let Some(leg) = self.legs.get_mut(id) else { return };
        let State::Calling(calling) = &mut leg.state else { return };
        let early =
            calling.early.iter_mut().find(|early| early.dialog.remote_tag.as_deref() == response.to_tag());
        let mut sdp = response.sdp().map(<[u8]>::to_vec);
        if let Some(early) = early {
            sdp = sdp.or(early.sdp.take());
            // PRACKs have counted on in the early dialog.
            leg.record.dialog.local_seq = early.dialog.local_seq.max(leg.record.dialog.local_seq);
            leg.record.dialog.remote_seq = early.dialog.remote_seq;
        }
        let cancelled = calling.cancel != Cancel::No;
        leg.record.dialog.establish(response);
        leg.record.remote_sdp = sdp.clone().unwrap_or_default();
        leg.record.peer_allows_update = response.has_token("Allow", "UPDATE");
        let header = response.header("Session-Expires").and_then(SessionExpires::parse);
        leg.record.session = session_timer::accepted(header, self.wire.now());
        leg.state = State::Confirmed;
        acknowledge(&mut self.wire, &leg.record.dialog, delivery, response);
        if cancelled {
            self.leave(id, EndCause::LocalHangUp);
        } else {
            self.start_session(id);
            self.wire.event(Event::Answered { leg: id, sdp });
        }
    }

    /// One more answer to a forked INVITE, or one that nobody waits for: ACK and BYE (section 13.2.2.4).
    pub(super) fn drop_fork(&mut self, delivery: Delivery, response: &Message) {
        let Some(invite) = self.wire.clients.invite(delivery.id) else { return };
        let mut dialog = Dialog::of_fork(invite, response, delivery.flow);
        acknowledge(&mut self.wire, &dialog, delivery, response);
        let bye = dialog.request(Method::Bye);
        self.wire.send_request(bye, dialog.next_hop(), Purpose::Orphan);
    }

    /// A challenge, or a session interval that is too small for the peer.
    fn try_again(&mut self, id: LegId, status: u16, response: &Message) {
        let Some(Leg { record, state: State::Calling(calling), .. }) = self.legs.get_mut(id) else { return };
        let attempt = &mut calling.attempt;
        if calling.cancel != Cancel::No || attempt.number >= MAX_ATTEMPTS {
            return self.fail(id, status);
        }
        let mut authorization = None;
        if status == 422 {
            let min_se_s = response.header("Min-SE").and_then(parse_delta).unwrap_or(0);
            if min_se_s <= attempt.session_expires_s {
                return self.fail(id, status);
            }
            attempt.session_expires_s = min_se_s;
            attempt.min_se_s = min_se_s;
        } else {
            let worth_it = !attempt.authorized || is_stale(response, status);
            let uri = record.dialog.remote_target.for_request_line();
            let cnonce = self.wire.ids.token();
            authorization = attempt
                .credentials
                .as_ref()
                .filter(|_| worth_it)
                .and_then(|known| authorize(response, &Method::Invite, uri.as_str(), known, &cnonce));
            if authorization.is_none() {
                return self.fail(id, status);
            }
        }
        attempt.number += 1;
        attempt.authorized = authorization.is_some();
        calling.early.clear();
        calling.tx = send_invite(&mut self.wire, id, record, attempt, authorization);
    }

    fn fail(&mut self, leg: LegId, status: u16) {
        let cancelled = matches!(
            self.legs.get(leg),
            Some(Leg { state: State::Calling(calling), .. }) if calling.cancel != Cancel::No
        );
        let status = if cancelled && status == 408 { 487 } else { status };
        self.end(leg, Event::Failed { leg, status });
    }

    /// Hangs up an INVITE of ours that has had no final response.
    pub(super) fn cancel_calling(&mut self, leg: LegId) {
        let Some(Leg { record, state: State::Calling(calling), .. }) = self.legs.get_mut(leg) else { return };
        if calling.cancel != Cancel::No {
            return;
        }
        calling.cancel = Cancel::Wanted;
        if self.wire.clients.is_proceeding(calling.tx) {
            calling.cancel = Cancel::Sent;
            self.wire.send_cancel(calling.tx, record.dialog.flow, Purpose::Cancel(leg));
        }
    }
}

/// Sends the INVITE of a leg, for the first time or again with what the peer asked for.
fn send_invite(
    wire: &mut Wire,
    id: LegId,
    record: &mut Record,
    attempt: &Attempt,
    authorization: Option<(&'static str, String)>,
) -> ClientId {
    let flow = record.dialog.flow;
    let mut invite = record.dialog.request(Method::Invite);
    if let Some((name, value)) = authorization {
        invite.push_header(name, &value);
    }
    push_abilities(&mut invite);
    invite.push_header("Session-Expires", &attempt.session_expires_s.to_string());
    if attempt.min_se_s > MIN_SE_S {
        invite.push_header("Min-SE", &attempt.min_se_s.to_string());
    }
    for (name, value) in &attempt.headers {
        invite.push_header(name, value);
    }
    invite.set_body(SDP_TYPE, record.local_sdp.clone());
    wire.send_request(invite, flow, Purpose::Invite(id))
}

/// The ACK of a 2xx (section 13.2.2.4).
pub(super) fn acknowledge(wire: &mut Wire, dialog: &Dialog, delivery: Delivery, response: &Message) {
    let (number, _) = response.cseq();
    let ack = dialog.request_numbered(Method::Ack, number);
    let to_tag = response.to_tag().unwrap_or_default();
    wire.send_ack(ack, dialog.next_hop(), delivery.id, to_tag);
}

/// The early dialog that a provisional response belongs to, made if it is the first of its tag.
fn early_of<'a>(dialog: &Dialog, calling: &'a mut Calling, response: &Message) -> Option<&'a mut Early> {
    let tag = response.to_tag()?;
    let known = calling.early.iter().position(|early| early.dialog.remote_tag.as_deref() == Some(tag));
    let index = match known {
        Some(index) => index,
        None if calling.early.len() >= MAX_EARLY => return None,
        None => {
            let mut dialog = dialog.clone();
            dialog.establish(response);
            calling.early.push(Early { dialog, rseq: None, sdp: None });
            calling.early.len() - 1
        }
    };
    calling.early.get_mut(index)
}

/// PRACKs a reliable provisional response; false if it is a copy or out of order (RFC 3262 section 4).
fn acknowledge_reliably(wire: &mut Wire, leg: LegId, early: &mut Early, response: &Message) -> bool {
    let Some(rseq) = response.header("RSeq").and_then(|value| value.trim().parse::<u32>().ok()) else {
        return true; // not reliable after all
    };
    if early.rseq.is_some_and(|last| last.checked_add(1) != Some(rseq)) {
        return false;
    }
    early.rseq = Some(rseq);
    let (number, method) = response.cseq();
    let mut prack = early.dialog.request(Method::Prack);
    prack.push_header("RAck", &format!("{rseq} {number} {method}"));
    wire.send_request(prack, early.dialog.next_hop(), Purpose::Prack(leg));
    true
}

/// The header that answers a 401 or 407, if we speak any of its challenges.
pub(super) fn authorize(
    response: &Message,
    method: &Method,
    uri: &str,
    known: &Credentials,
    cnonce: &str,
) -> Option<(&'static str, String)> {
    let (challenge, name) = challenge_headers(response.status()?);
    let challenges = response.headers_named(challenge);
    let value = digest::authorize(challenges, method, uri, &known.user, &known.password, cnonce)?;
    Some((name, value))
}

/// The challenge says that only our nonce was too old.
pub(super) fn is_stale(response: &Message, status: u16) -> bool {
    let (challenge, _) = challenge_headers(status);
    response.headers_named(challenge).any(|value| {
        let value: String = value.to_ascii_lowercase().split_whitespace().collect();
        value.contains("stale=true") || value.contains("stale=\"true\"")
    })
}

fn challenge_headers(status: u16) -> (&'static str, &'static str) {
    match status {
        407 => ("Proxy-Authenticate", "Proxy-Authorization"),
        _ => ("WWW-Authenticate", "Authorization"),
    }
}

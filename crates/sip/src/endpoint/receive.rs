//! What comes in: packets to transactions, requests to their role (RFC 3261 section 8.2).

use super::wire::{ALLOW, SDP_TYPE, reply_flow, response};
use super::{Endpoint, Flow, LegId};
use crate::message::{Message, Method, ParseError};
use crate::transaction::{AckFor, Delivery, Keys, Purpose, ServerId};
use crate::uri::Scheme;
use domain::Timestamp;

/// Extensions that a peer may require of us.
const REQUIRABLE: [&str; 4] = ["100rel", "timer", "replaces", "norefersub"];

impl Endpoint {
    /// Takes one datagram, or one message cut from a stream by [`crate::StreamFramer`].
    pub fn handle_packet(&mut self, now: Timestamp, flow: Flow, bytes: &[u8]) {
        self.wire.io.now = now;
        match Message::parse(bytes) {
            Ok(mut message) => {
                self.counters.received += 1;
                if message.is_request() {
                    message.stamp_via(flow.remote);
                    self.receive_request(flow, message);
                } else {
                    self.receive_response(&message);
                }
            }
            Err(error) if error.is_keep_alive() => {}
            Err(error) => {
                self.counters.received += 1;
                self.refuse_malformed(flow, &error);
            }
        }
    }

    fn refuse_malformed(&mut self, flow: Flow, error: &ParseError) {
        let Some(mut response) = error.response() else {
            self.counters.malformed_dropped += 1;
            return;
        };
        self.counters.malformed_answered += 1;
        response.stamp_via(flow.remote);
        self.tag_stateless(&mut response);
        self.wire.respond_stateless(&response, flow);
    }

    fn receive_response(&mut self, response: &Message) {
        match self.wire.clients.receive(&mut self.wire.io, response) {
            Ok(Some(delivery)) => self.deliver(delivery, Some(response)),
            Ok(None) => {}
            Err(_) => self.counters.stray += 1,
        }
    }

    /// A response, or none in time, to the role that asked.
    pub(super) fn deliver(&mut self, delivery: Delivery, response: Option<&Message>) {
        match delivery.purpose {
            Purpose::Invite(leg) => self.hear_invite(leg, delivery, response),
            Purpose::Exchange(leg) => self.hear_exchange(leg, delivery, response),
            Purpose::Bye(leg) => self.hear_bye(leg, response),
            Purpose::Referral(leg) => self.hear_report(leg, delivery, response),
            Purpose::Mailbox(subscription) => self.hear_notice(subscription, response),
            Purpose::Ping(ping) => self.hear_pong(ping, response),
            Purpose::Register(registration) => self.hear_register(registration, response),
            Purpose::Cancel(_) | Purpose::Prack(_) | Purpose::Orphan => {}
        }
    }

    fn receive_request(&mut self, flow: Flow, request: Message) {
        match request.method() {
            Some(Method::Ack) => return self.receive_ack(&request),
            Some(_) => {}
            None => return,
        }
        let Some(keys) = Keys::of(&request) else { return };
        if let Some(tx) = self.wire.servers.find(&keys) {
            self.counters.retransmissions += 1;
            self.wire.servers.absorb(&mut self.wire.io, tx);
            return;
        }
        if self.is_overloaded(flow, &request) {
            return;
        }
        let refusal = self.refusal(&request, &keys);
        let is_invite = request.method() == Some(&Method::Invite);
        let reply_to = reply_flow(&request, flow);
        let tx = self.wire.servers.open(&mut self.wire.io, keys, is_invite, reply_to);
        match refusal {
            Some(refusal) => self.wire.respond(tx, &refusal),
            None => self.dispatch(flow, tx, request),
        }
    }

    fn receive_ack(&mut self, ack: &Message) {
        match self.wire.servers.acknowledge(&mut self.wire.io, ack) {
            AckFor::Refusal => {}
            AckFor::Dialog => match self.find_leg(ack) {
                Some(leg) => self.take_ack(leg, ack),
                None => self.counters.stray += 1,
            },
        }
    }

    /// At the limits, new work gets a stateless 503 and what is under way goes on; only at twice the
    /// limit are its requests dropped too.
    fn is_overloaded(&mut self, flow: Flow, request: &Message) -> bool {
        let transactions = self.wire.servers.len() + self.wire.clients.len();
        let inside = request.to_tag().is_some() || request.method() == Some(&Method::Cancel);
        if inside {
            let dropped = transactions >= self.limits.transactions_max.saturating_mul(2);
            self.counters.dropped_overload += u64::from(dropped);
            return dropped;
        }
        let is_invite = request.method() == Some(&Method::Invite);
        let full = is_invite && (self.is_shedding || self.legs.len() >= self.limits.dialogs_max);
        if !full && transactions < self.limits.transactions_max {
            return false;
        }
        self.counters.refused_overload += 1;
        let mut response = Message::response_to(request, 503);
        response.push_header("Retry-After", &self.limits.retry_after_s.to_string());
        self.tag_stateless(&mut response);
        self.wire.respond_stateless(&response, flow);
        true
    }

    /// A To tag that copies of the request would get again (section 8.2.7).
    fn tag_stateless(&self, response: &mut Message) {
        if response.to_tag().is_none() {
            let branch = response.via_top().map(|via| via.branch().to_owned()).unwrap_or_default();
            let tag = self.wire.ids.tag_of(&format!("{branch} {}", response.header("Call-ID").unwrap_or("")));
            response.set_to_tag(&tag);
        }
    }

    /// The checks of sections 8.2.1 to 8.2.3, in their order.
    fn refusal(&self, request: &Message, keys: &Keys) -> Option<Message> {
        let method = request.method()?;
        if *method == Method::Cancel {
            return None;
        }
        let refuse = |status| response(request, status, &self.wire.ids.tag_of(request.call_id()));
        if let Some(status) = method_refusal(method) {
            let mut refusal = refuse(status);
            refusal.push_header("Allow", ALLOW);
            return Some(refusal);
        }
        if self.wire.servers.is_merged(keys) {
            return Some(refuse(482));
        }
        if request.uri().is_some_and(|uri| uri.scheme() == Scheme::Other) {
            return Some(refuse(416));
        }
        // We are the end of the way, but not for a call: it goes on to a lawyer's phone, and a loop of
        // trunks must find its end.
        let is_new_call = *method == Method::Invite && request.to_tag().is_none();
        if is_new_call && request.max_forwards() == Some(0) {
            return Some(refuse(483));
        }
        // RFC 3891 section 3.
        if *method != Method::Invite && request.header("Replaces").is_some() {
            return Some(refuse(400));
        }
        if let Some(unknown) = unknown_options(request) {
            let mut refusal = refuse(420);
            refusal.push_header("Unsupported", &unknown);
            return Some(refusal);
        }
        let wants_sdp = matches!(method, Method::Invite | Method::Update | Method::Prack);
        let encoded = request.header("Content-Encoding").is_some_and(|e| !e.eq_ignore_ascii_case("identity"));
        if wants_sdp && !request.body.is_empty() && (request.sdp().is_none() || encoded) {
            let mut refusal = refuse(415);
            refusal.push_header("Accept", SDP_TYPE);
            refusal.push_header("Accept-Encoding", "identity");
            return Some(refusal);
        }
        None
    }

    fn dispatch(&mut self, flow: Flow, tx: ServerId, request: Message) {
        let Some(method) = request.method() else { return };
        let inside = request.to_tag().is_some();
        match method {
            Method::Cancel => self.take_cancel(tx, &request),
            Method::Register => self.take_register(flow, tx, &request),
            Method::Invite if !inside => self.take_invite(flow, tx, request),
            Method::Options if !inside => self.take_options(tx, &request),
            // Who is in no call with us sends nobody anywhere.
            Method::Refer if !inside => self.refuse(tx, &request, 403),
            Method::Subscribe if self.find_leg(&request).is_none() => self.take_subscribe(flow, tx, &request),
            Method::Invite
            | Method::Ack
            | Method::Bye
            | Method::Options
            | Method::Prack
            | Method::Update
            | Method::Info
            | Method::Refer
            | Method::Notify
            | Method::Subscribe
            | Method::Message
            | Method::Publish
            | Method::Other(_) => match self.find_leg(&request) {
                Some(leg) => self.dispatch_inside(leg, tx, request),
                None => {
                    self.counters.no_such_dialog += 1;
                    self.refuse(tx, &request, 481);
                }
            },
        }
    }

    fn dispatch_inside(&mut self, leg: LegId, tx: ServerId, request: Message) {
        let Some(method) = request.method() else { return };
        if !self.count(leg, &request) {
            return self.refuse(tx, &request, 500);
        }
        if self.is_leaving(leg) && *method != Method::Bye {
            return self.refuse(tx, &request, 481);
        }
        match method {
            Method::Invite => self.take_reinvite(leg, tx, request),
            Method::Update => self.take_update(leg, tx, request),
            Method::Prack => self.take_prack(leg, tx, &request),
            Method::Bye => self.take_bye(leg, tx, &request),
            Method::Options => self.take_options(tx, &request),
            Method::Info => self.take_info(leg, tx, &request),
            Method::Refer => self.take_refer(leg, tx, request),
            Method::Subscribe => self.refuse_event(tx, &request),
            Method::Ack
            | Method::Cancel
            | Method::Register
            | Method::Notify
            | Method::Message
            | Method::Publish
            | Method::Other(_) => self.refuse(tx, &request, 405),
        }
    }

    /// A final response that says nothing but its status.
    pub(super) fn refuse(&mut self, tx: ServerId, request: &Message, status: u16) {
        let has_tag = request.to_tag().is_some();
        let tag = if has_tag { String::new() } else { self.wire.ids.tag_of(request.call_id()) };
        self.wire.respond(tx, &response(request, status, &tag));
    }

    /// The leg whose dialog, or one of whose early dialogs, the request belongs to.
    fn find_leg(&self, request: &Message) -> Option<LegId> {
        let id = self.legs.by_tag(request.to_tag()?)?;
        let leg = self.legs.get(id)?;
        leg.dialog_of(request).map(|_| id)
    }

    fn count(&mut self, leg: LegId, request: &Message) -> bool {
        self.legs.get_mut(leg).is_some_and(|leg| leg.count(request))
    }

    fn take_cancel(&mut self, tx: ServerId, cancel: &Message) {
        let Some((invite, leg)) = self.wire.servers.find_cancelled(cancel) else {
            return self.refuse(tx, cancel, 481);
        };
        let tag = leg.and_then(|leg| self.legs.get(leg)).map(|leg| leg.record.dialog.local_tag.clone());
        let tag = tag.unwrap_or_else(|| self.wire.ids.tag_of(cancel.call_id()));
        self.wire.respond(tx, &response(cancel, 200, &tag));
        if let Some(leg) = leg {
            self.cancel_incoming(leg, invite);
        }
    }

    /// An INVITE waits longer than 200 ms.
    pub(super) fn send_trying(&mut self, tx: ServerId) {
        let Some(leg) = self.wire.servers.leg(tx).and_then(|leg| self.legs.get(leg)) else { return };
        if let Some(request) = leg.pending_invite(tx) {
            self.wire.respond(tx, &Message::response_to(request, 100));
        }
    }
}

/// 501 for a method that we have never heard of, 405 for one that we do not take.
fn method_refusal(method: &Method) -> Option<u16> {
    match method {
        Method::Invite
        | Method::Ack
        | Method::Bye
        | Method::Cancel
        | Method::Options
        | Method::Register
        | Method::Prack
        | Method::Update
        | Method::Info
        | Method::Refer
        | Method::Subscribe => None,
        Method::Notify | Method::Message | Method::Publish => Some(405),
        Method::Other(_) => Some(501),
    }
}

/// What the peer requires and we do not speak, as a header value.
fn unknown_options(request: &Message) -> Option<String> {
    let unknown: Vec<&str> = request
        .headers_named("Require")
        .flat_map(|value| value.split(','))
        .map(str::trim)
        .filter(|option| {
            !option.is_empty() && !REQUIRABLE.iter().any(|known| known.eq_ignore_ascii_case(option))
        })
        .collect();
    (!unknown.is_empty()).then(|| unknown.join(", "))
}

//! The end of a leg: BYE both ways, and every other way to go (RFC 3261 section 15).

use super::leg::{Exchange, Leg, Referral, State};
use super::wire::response;
use super::{EndCause, Endpoint, Event, Flow, LegId, Timer};
use crate::message::{Message, Method};
use crate::transaction::{Purpose, ServerId};
use domain::Timestamp;

impl Endpoint {
    /// Ends a leg, whatever its state: CANCEL, BYE, or 480 to an INVITE not answered. `Failed` or `Ended`
    /// follows once the peer has confirmed, or 64·T1 have passed.
    pub fn hang_up(&mut self, now: Timestamp, leg: LegId) {
        self.wire.io.now = now;
        match self.legs.get(leg).map(|leg| &leg.state) {
            Some(State::Calling(_)) => self.cancel_calling(leg),
            Some(State::Incoming(_)) => self.reject(now, leg, 480, None),
            Some(State::Confirmed) => self.leave(leg, EndCause::LocalHangUp),
            Some(State::Leaving(_)) | None => {}
        }
    }

    /// A connection closed: whatever was on it is lost.
    pub fn handle_flow_closed(&mut self, now: Timestamp, flow: Flow) {
        self.wire.io.now = now;
        self.drop_bindings_on(flow);
        self.drop_subscriptions_on(flow);
        for leg in self.legs.on_connection(flow) {
            let Some(found) = self.legs.get(leg) else { continue };
            let event = match &found.state {
                State::Calling(calling) => {
                    self.wire.clients.remove(&mut self.wire.io, calling.tx);
                    Event::Failed { leg, status: 503 }
                }
                State::Incoming(incoming) => {
                    self.wire.servers.remove(&mut self.wire.io, incoming.pending.tx);
                    Event::Ended { leg, cause: EndCause::TransportLost }
                }
                State::Confirmed => Event::Ended { leg, cause: EndCause::TransportLost },
                State::Leaving(cause) => Event::Ended { leg, cause: *cause },
            };
            self.end(leg, event);
        }
    }

    /// Begins to hang up a confirmed leg; its last event follows.
    pub(super) fn leave(&mut self, id: LegId, cause: EndCause) {
        self.close_referral(id);
        let Some(leg) = self.legs.get_mut(id) else { return };
        leg.state = State::Leaving(cause);
        leg.queued = None;
        self.wire.io.timers.cancel(Timer::SessionRefresh(id));
        self.wire.io.timers.cancel(Timer::SessionExpiry(id));
        self.wire.io.timers.cancel(Timer::GlareRetry(id));
        let exchange = std::mem::replace(&mut leg.exchange, Exchange::Idle);
        let tag = leg.record.dialog.local_tag.clone();
        self.drop_exchange(exchange, &tag);
        let Some(leg) = self.legs.get_mut(id) else { return };
        // Section 15: the callee sends no BYE before the ACK, or before it gave up on that.
        if !leg.unacked.as_ref().is_some_and(|unacked| unacked.first) {
            self.send_bye(id);
        }
    }

    /// Nobody waits any more for what comes of it (RFC 3261 section 15.1.2). After a provisional response
    /// to ours the peer may be silent for as long as it likes; we are not.
    fn drop_exchange(&mut self, exchange: Exchange, tag: &str) {
        match exchange {
            Exchange::Theirs { pending, .. } => self.wire.finish(pending, 487, tag),
            Exchange::Ours { tx, .. } => self.wire.clients.expect_end(&mut self.wire.io, tx),
            Exchange::Idle => {}
        }
    }

    /// Sends the BYE of a leg that is leaving.
    pub(super) fn send_bye(&mut self, id: LegId) {
        let Some(leg) = self.legs.get_mut(id) else { return };
        leg.unacked = None;
        self.wire.io.timers.cancel(Timer::LegResend(id));
        self.wire.io.timers.cancel(Timer::LegGiveUp(id));
        let bye = leg.record.dialog.request(Method::Bye);
        self.wire.send_request(bye, leg.record.dialog.next_hop(), Purpose::Bye(id));
    }

    /// Our BYE was answered, or was not: the leg is over either way.
    pub(super) fn hear_bye(&mut self, leg: LegId, response: Option<&Message>) {
        let is_final = response.is_none_or(|response| response.status() >= Some(200));
        if is_final && let Some(Leg { state: State::Leaving(cause), .. }) = self.legs.get(leg) {
            let cause = *cause;
            self.end(leg, Event::Ended { leg, cause });
        }
    }

    /// Ends a confirmed leg at once; the BYE is a courtesy that nobody waits for.
    pub(super) fn abandon(&mut self, leg: LegId, cause: EndCause) {
        if let Some(found) = self.legs.get_mut(leg) {
            let bye = found.record.dialog.request(Method::Bye);
            self.wire.send_request(bye, found.record.dialog.next_hop(), Purpose::Orphan);
        }
        self.end(leg, Event::Ended { leg, cause });
    }

    pub(super) fn take_bye(&mut self, leg: LegId, tx: ServerId, bye: &Message) {
        let Some(found) = self.legs.get(leg) else { return };
        let cause = match &found.state {
            // Section 15: the callee of an early dialog must not; its final response will come.
            State::Calling(_) => return self.refuse(tx, bye, 403),
            State::Incoming(incoming) => {
                let refusal = response(&incoming.pending.request, 487, &found.record.dialog.local_tag);
                self.wire.respond(incoming.pending.tx, &refusal);
                EndCause::Bye
            }
            State::Confirmed => EndCause::Bye,
            State::Leaving(cause) => *cause,
        };
        self.refuse(tx, bye, 200);
        self.close_referral(leg);
        self.end(leg, Event::Ended { leg, cause });
    }

    pub(super) fn is_leaving(&self, leg: LegId) -> bool {
        matches!(self.legs.get(leg), Some(Leg { state: State::Leaving(_), .. }))
    }

    /// Forgets a leg and says why: the one place where legs end.
    pub(super) fn end(&mut self, id: LegId, last: Event) {
        let Some(leg) = self.legs.remove(id) else { return };
        let Leg { record, exchange, referral, .. } = *leg;
        self.drop_exchange(exchange, &record.dialog.local_tag);
        if let Referral::Asked { pending } = referral {
            self.wire.finish(pending, 487, &record.dialog.local_tag);
        }
        for timer in [
            Timer::LegResend(id),
            Timer::LegGiveUp(id),
            Timer::SessionRefresh(id),
            Timer::SessionExpiry(id),
            Timer::GlareRetry(id),
            Timer::Referral(id),
        ] {
            self.wire.io.timers.cancel(timer);
        }
        self.wire.event(last);
    }
}

//! Somebody outside is dialled for a call: the numbers of a target of the dialplan, through its trunk, one after the
//! other. Nothing else can be dialled. What it is for, and what comes of it, is told in `transfer.rs` and
//! `conference.rs`.
//!
//! Each number rings for the target's time and a target has four at most. A number that is given up keeps nothing of
//! ours: the port is free at once, and `sip` by itself acknowledges a late 200 and says BYE.

use crate::Node;
use crate::admission::sdp_agreed;
use crate::call::{Call, Leg, Phase};
use crate::offers::is_refusal;
use dialplan::{Outcome, Target};
use domain::{CallId, Fact, LegRole, OfferEnd, Party, TargetId, Timestamp, TrunkId};
use media::Command;
use serde::{Deserialize, Serialize};
use sip::{EndCause, LegId};

/// How far somebody outside has come on the way into a call.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Outward {
    pub(crate) to: TargetId,
    target: Target,
    /// Numbers that were dialled.
    attempts: u8,
    /// The one that rings or has answered; none before the first.
    pub(crate) leg: Option<Leg>,
}

impl Outward {
    pub(crate) fn new(to: TargetId, target: Target) -> Self {
        Self { to, target, attempts: 0, leg: None }
    }

    pub(crate) fn has_answered(&self) -> bool {
        self.leg.as_ref().is_some_and(|leg| leg.media_open)
    }
}

impl Call {
    /// The leg of whoever outside is rung or talked to.
    pub(crate) fn outside(&self) -> Option<&Leg> {
        match &self.phase {
            Phase::Transferring(transfer) => transfer.outward.leg.as_ref(),
            Phase::Talking { guest: Some(guest), .. } => guest.outward.leg.as_ref(),
            Phase::PassedOn { leg, .. } => Some(leg),
            _ => None,
        }
    }

    pub(crate) fn outside_mut(&mut self) -> Option<&mut Leg> {
        match &mut self.phase {
            Phase::PassedOn { leg, .. } => Some(leg),
            Phase::Transferring(transfer) => transfer.outward.leg.as_mut(),
            Phase::Talking { guest: Some(guest), .. } => guest.outward.leg.as_mut(),
            _ => None,
        }
    }

    pub(crate) fn outward_mut(&mut self) -> Option<&mut Outward> {
        match &mut self.phase {
            Phase::Transferring(transfer) => Some(&mut transfer.outward),
            Phase::Talking { guest: Some(guest), .. } => Some(&mut guest.outward),
            _ => None,
        }
    }
}

/// While it rings.
impl Node {
    /// Dials the first number or the next one; false if there is none, or no way there, and the call has moved on.
    pub(crate) fn dial_next(&mut self, now: Timestamp, id: CallId) -> bool {
        let Some(outward) = self.calls.get_mut(&id).and_then(Call::outward_mut) else { return false };
        let (to, ring_timeout) = (outward.to.clone(), outward.target.ring_timeout);
        let Some(number) = outward.target.numbers.get(usize::from(outward.attempts)).cloned() else {
            self.on_not_reached(now, id);
            return false;
        };
        let Some(leg) = self.invite_outside(now, id, &number) else {
            // The target's other numbers are behind the same trunk, and need a port as well.
            self.fact(now, Fact::TransferEnded { call: id, target: to, end: OfferEnd::Unreachable });
            self.on_not_reached(now, id);
            return false;
        };
        self.outside_legs.insert(leg.sip, id);
        if let Some(outward) = self.calls.get_mut(&id).and_then(Call::outward_mut) {
            outward.attempts += 1;
            outward.leg = Some(leg);
            let attempt = outward.attempts;
            self.fact(now, Fact::TransferDialled { call: id, target: to, attempt });
        }
        self.set_deadline(id, Some(now + ring_timeout));
        true
    }

    fn on_not_reached(&mut self, now: Timestamp, id: CallId) {
        match self.calls.get(&id).map(|call| &call.phase) {
            Some(Phase::Transferring(transfer)) if transfer.is_from_lawyer => self.wait_again(now, id),
            Some(Phase::Transferring(_)) => self.advance(now, id, Outcome::NotReached),
            _ => self.guest_not_reached(now, id),
        }
    }

    fn invite_outside(&mut self, now: Timestamp, id: CallId, number: &str) -> Option<Leg> {
        let call = self.calls.get_mut(&id)?;
        let (shard, shown) = (call.caller.port.shard, call.called.clone());
        let trunk = call.outward_mut()?.target.trunk.clone();
        self.dial_out(now, (&trunk, number), shown, shard)
    }

    /// Through that trunk, while it is there. `shown` is the number that the caller dialled, for a trunk takes the
    /// house's own numbers only.
    pub(crate) fn dial_out(
        &mut self,
        now: Timestamp,
        (trunk, number): (&TrunkId, &str),
        shown: String,
        shard: u16,
    ) -> Option<Leg> {
        let target = self.trunk_target(trunk, number)?;
        self.invite(now, shard, target, (None, shown), None)
    }

    /// The number that rings is given up, and the next one dialled.
    pub(crate) fn on_number_failed(&mut self, now: Timestamp, id: CallId, end: OfferEnd) {
        self.set_deadline(id, None);
        if let Some(outward) = self.calls.get_mut(&id).and_then(Call::outward_mut) {
            let given_up = Outward { leg: outward.leg.take(), ..outward.clone() };
            self.end_outward(now, id, given_up, end);
        }
        self.dial_next(now, id);
    }

    /// Our INVITE came to nothing; the leg is gone.
    pub(crate) fn on_outside_failed(&mut self, now: Timestamp, leg: LegId, status: u16) {
        if let Some(id) = self.outside_legs.remove(&leg) {
            let end = if is_refusal(status) { OfferEnd::Rejected } else { OfferEnd::Unreachable };
            self.on_number_failed(now, id, end);
        }
    }

    pub(crate) fn on_outside_answered(&mut self, now: Timestamp, id: CallId, answer: Option<&[u8]>) {
        let media_ip = self.config.media_ip;
        let Some(call) = self.calls.get_mut(&id) else { return };
        let Some(Outward { to, leg: Some(own), .. }) = call.outward_mut() else { return };
        let target = to.clone();
        let Some(remote) = sdp_agreed(media_ip, own, answer) else {
            return self.on_number_failed(now, id, OfferEnd::Unreachable);
        };
        own.media_open = true;
        own.agree(&remote);
        let (outside, port) = (own.media(), own.port);
        call.open_media.insert(outside.0);
        self.set_deadline(id, None);
        self.fact(now, Fact::TransferEnded { call: id, target, end: OfferEnd::Answered });
        self.open_media(id, LegRole::Outside, outside, port, Some(remote));
        match self.calls.get(&id).map(|call| &call.phase) {
            Some(Phase::Transferring(_)) => self.pass_on(now, id),
            _ => self.consult(now, id),
        }
    }
}

/// When it is over.
impl Node {
    /// The leg is gone without our doing.
    pub(crate) fn on_outside_gone(&mut self, now: Timestamp, id: CallId, cause: EndCause) {
        let by = if cause == EndCause::Bye { Party::Outside } else { Party::System };
        match self.calls.get(&id).map(|call| &call.phase) {
            Some(Phase::PassedOn { .. }) => self.end_talk(now, id, by),
            Some(Phase::Talking { guest: Some(guest), .. }) if guest.outward.has_answered() => {
                self.part_from_guest(now, id, by);
            }
            _ => self.on_number_failed(now, id, OfferEnd::Unreachable),
        }
    }

    /// Nobody waits for it any more, or it did not answer.
    pub(crate) fn end_outward(&mut self, now: Timestamp, id: CallId, outward: Outward, end: OfferEnd) {
        let has_answered = outward.has_answered();
        if let Some(leg) = outward.leg {
            if !has_answered {
                self.fact(now, Fact::TransferEnded { call: id, target: outward.to, end });
            }
            self.end_outside_leg(now, &leg);
        }
    }

    /// CANCEL or BYE, whichever it needs by now, unless it is gone.
    pub(crate) fn end_outside_leg(&mut self, now: Timestamp, leg: &Leg) {
        if self.outside_legs.remove(&leg.sip).is_some() {
            self.sip.hang_up(now, leg.sip);
        }
        if leg.media_open {
            self.tell_media(leg.port.shard, Command::Close { leg: leg.media() });
        } else {
            self.ports.give_back(leg.port);
        }
    }
}

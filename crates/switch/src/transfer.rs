//! A call that is passed on to somebody outside: the numbers of a target of the dialplan are dialled through its
//! trunk, one after the other, while the caller hears music. Nothing else can be dialled.
//!
//! `acd` knows nothing of it, for no lawyer takes part. Each number rings for the target's time and a target has four
//! at most; when none answers the dialplan says what comes next, so that nobody is dropped for it.
//!
//! A number that is given up keeps nothing of ours: the port is free at once, and `sip` by itself acknowledges a late
//! 200 and says BYE. So a call never has more than one port besides its caller's, the one that admission saw free.

use crate::Node;
use crate::admission::{sdp_agreed, sdp_offer};
use crate::call::{Call, Ear, Leg, Phase, sdp_id};
use crate::offers::is_refusal;
use dialplan::{Outcome, Target};
use domain::{CallId, Departure, Fact, LegRole, OfferEnd, Party, TargetId, Timestamp, TrunkId};
use media::Command;
use serde::{Deserialize, Serialize};
use sip::{EndCause, Invite, LegId};
use std::collections::BTreeSet;
use std::net::SocketAddr;

/// How far a call has come on its way out.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Transfer {
    to: TargetId,
    target: Target,
    music: String,
    /// Numbers that were dialled.
    attempts: u8,
    /// The one that rings; none while the prompts play.
    pub(crate) leg: Option<Leg>,
}

impl Transfer {
    pub(crate) fn new(to: TargetId, target: Target, music: String) -> Self {
        Self { to, target, music, attempts: 0, leg: None }
    }
}

impl Call {
    /// The leg of whoever outside is rung or talked to.
    pub(crate) fn outside(&self) -> Option<&Leg> {
        match &self.phase {
            Phase::Transferring(transfer) => transfer.leg.as_ref(),
            Phase::PassedOn { leg, .. } => Some(leg),
            _ => None,
        }
    }

    pub(crate) fn outside_mut(&mut self) -> Option<&mut Leg> {
        match &mut self.phase {
            Phase::Transferring(transfer) => transfer.leg.as_mut(),
            Phase::PassedOn { leg, .. } => Some(leg),
            _ => None,
        }
    }

    fn transfer_mut(&mut self) -> Option<&mut Transfer> {
        if let Phase::Transferring(transfer) = &mut self.phase { Some(transfer) } else { None }
    }
}

/// While it rings.
impl Node {
    /// The caller has heard what was to be said first.
    pub(crate) fn begin_transfer(&mut self, now: Timestamp, id: CallId) {
        let transfer = self.calls.get_mut(&id).and_then(Call::transfer_mut);
        let Some(music) = transfer.filter(|transfer| transfer.leg.is_none()).map(|t| t.music.clone()) else {
            return;
        };
        if self.dial_next(now, id) {
            self.play_music(id, &music);
        }
    }

    /// Dials the first number or the next one; false if there is none, or no way there, and the call has moved on.
    fn dial_next(&mut self, now: Timestamp, id: CallId) -> bool {
        let Some(transfer) = self.calls.get_mut(&id).and_then(Call::transfer_mut) else { return false };
        let (to, ring_timeout) = (transfer.to.clone(), transfer.target.ring_timeout);
        let Some(number) = transfer.target.numbers.get(usize::from(transfer.attempts)).cloned() else {
            self.advance(now, id, Outcome::NotReached);
            return false;
        };
        let Some(leg) = self.invite_outside(now, id, &number) else {
            // The target's other numbers are behind the same trunk, and need a port as well.
            self.fact(now, Fact::TransferEnded { call: id, target: to, end: OfferEnd::Unreachable });
            self.advance(now, id, Outcome::NotReached);
            return false;
        };
        self.outside_legs.insert(leg.sip, id);
        if let Some(transfer) = self.calls.get_mut(&id).and_then(Call::transfer_mut) {
            transfer.attempts += 1;
            transfer.leg = Some(leg);
            let attempt = transfer.attempts;
            self.fact(now, Fact::TransferDialled { call: id, target: to, attempt });
        }
        self.set_deadline(id, Some(now + ring_timeout));
        true
    }

    fn invite_outside(&mut self, now: Timestamp, id: CallId, number: &str) -> Option<Leg> {
        let call = self.calls.get_mut(&id)?;
        let (shard, shown) = (call.caller.port.shard, call.called.clone());
        let trunk = call.transfer_mut()?.target.trunk.clone();
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
        let port = self.ports.take_on(shard)?;
        let local = SocketAddr::new(self.config.media_ip, port.port);
        let offer = sdp_offer(local, sdp_id(now, port), 1);
        let (from_display, headers, credentials) = (None, Vec::new(), None);
        let invite = Invite { target, from_display, from_user: shown, offer, headers, credentials };
        let leg = self.sip.invite(now, invite);
        Some(Leg::new(now, leg, port))
    }

    /// The number that rings is given up, and the next one dialled.
    pub(crate) fn on_number_failed(&mut self, now: Timestamp, id: CallId, end: OfferEnd) {
        self.set_deadline(id, None);
        self.give_up_number(now, id, end);
        self.dial_next(now, id);
    }

    fn give_up_number(&mut self, now: Timestamp, id: CallId, end: OfferEnd) {
        let Some(transfer) = self.calls.get_mut(&id).and_then(Call::transfer_mut) else { return };
        let (leg, target) = (transfer.leg.take(), transfer.to.clone());
        if let Some(leg) = leg {
            self.fact(now, Fact::TransferEnded { call: id, target, end });
            self.end_outside_leg(now, &leg);
        }
    }

    /// Our INVITE came to nothing; the leg is gone.
    pub(crate) fn on_outside_failed(&mut self, now: Timestamp, leg: LegId, status: u16) {
        if let Some(id) = self.outside_legs.remove(&leg) {
            let end = if is_refusal(status) { OfferEnd::Rejected } else { OfferEnd::Unreachable };
            self.on_number_failed(now, id, end);
        }
    }
}

/// Once somebody has answered.
impl Node {
    pub(crate) fn on_outside_answered(&mut self, now: Timestamp, id: CallId, answer: Option<&[u8]>) {
        let media_ip = self.config.media_ip;
        let Some(call) = self.calls.get_mut(&id) else { return };
        let (caller, caller_ear, shard) = (call.caller.media(), call.caller.ear, call.caller.port.shard);
        let Phase::Transferring(Transfer { to, music, leg: Some(own), .. }) = &call.phase else { return };
        let (target, music, mut leg) = (to.clone(), music.clone(), own.clone());
        let offer = sdp_offer(SocketAddr::new(media_ip, leg.port.port), leg.sdp_id, leg.sdp_version);
        let Some(remote) = answer.and_then(|answer| sdp_agreed(&offer, answer)) else {
            return self.on_number_failed(now, id, OfferEnd::Unreachable);
        };
        leg.media_open = true;
        leg.ear = Ear::of(&remote);
        let (outside, port, ear) = (leg.media(), leg.port, leg.ear);
        call.open_media.insert(outside.0);
        call.phase = Phase::PassedOn { leg, music, held_by: BTreeSet::new() };
        self.set_deadline(id, None);
        self.fact(now, Fact::TransferEnded { call: id, target, end: OfferEnd::Answered });
        self.open_media(id, LegRole::Outside, outside, port, Some(remote));
        self.stop_playing(id);
        self.tell_media(shard, Command::Bridge { a: caller, b: outside });
        // On our side somebody is heard who is no agent.
        self.mark_segment(id, Some((outside, 0)));
        for (party, ear) in [(Party::Caller, caller_ear), (Party::Outside, ear)] {
            self.on_hold(now, id, party, ear == Ear::OnHold);
        }
    }

    /// The leg is gone without our doing.
    pub(crate) fn on_outside_gone(&mut self, now: Timestamp, id: CallId, cause: EndCause) {
        let Some(call) = self.calls.get(&id) else { return };
        if matches!(call.phase, Phase::PassedOn { .. }) {
            let by = if cause == EndCause::Bye { Party::Outside } else { Party::System };
            self.depart(now, id, Departure::Transferred, by);
        } else {
            self.on_number_failed(now, id, OfferEnd::Unreachable);
        }
    }

    /// Whose call has departed.
    pub(crate) fn end_transfer(&mut self, now: Timestamp, id: CallId, transfer: Transfer) {
        if let Some(leg) = transfer.leg {
            let (target, end) = (transfer.to, OfferEnd::Withdrawn);
            self.fact(now, Fact::TransferEnded { call: id, target, end });
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

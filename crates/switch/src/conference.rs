//! A lawyer calls a third party into a talk: 12345, the police, an expert. First the two consult while the caller
//! hears music; then all three talk, or the lawyer comes back alone, or leaves the others to each other.
//!
//! Whatever becomes of the third party, the caller is never dropped for it.

use crate::Node;
use crate::call::{Call, Heard, Phase};
use crate::outward::Outward;
use crate::overrides::when;
use crate::transfer::Transfer;
use domain::{AgentId, CallId, Fact, OfferEnd, Party, PoolId, TalkWish, TargetId, Timestamp};
use media::Command;
use serde::{Deserialize, Serialize};
use sip::LegId;

/// The third party.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Guest {
    pub(crate) outward: Outward,
    /// The caller takes part.
    pub(crate) is_joined: bool,
    /// The lawyer's phone has sent the caller there: the lawyer leaves when it answers.
    pub(crate) is_referred: bool,
}

/// What the lawyer does.
impl Node {
    pub(crate) fn on_talk_wish(&mut self, now: Timestamp, agent: AgentId, wish: TalkWish) {
        let leg = self.offered.get(&agent).and_then(|leg| self.agent_legs.get(leg));
        let is_in = |id: &CallId| self.talk(*id).is_some_and(|(_, heard)| heard.agent == Some(agent));
        let Some(id) = leg.map(|leg| leg.call).filter(is_in) else { return };
        match wish {
            TalkWish::Consult(to) => self.call_guest(now, id, to, false),
            TalkWish::Join => self.join(now, id),
            TalkWish::Part => self.part_from_guest(now, id, Party::Agent),
            TalkWish::Leave => _ = self.leave(now, id, Party::Agent),
            TalkWish::PassTo(pool) => self.pass_to(now, id, &pool),
        }
    }

    pub(crate) fn call_guest(&mut self, now: Timestamp, id: CallId, to: TargetId, is_referred: bool) {
        let Some(call) = self.calls.get_mut(&id) else { return };
        let shard = call.caller.port.shard;
        let target = self.plans.plan(&call.plan).and_then(|plan| plan.targets().get(&to)).cloned();
        let Phase::Talking { guest: guest @ None, music, leg, .. } = &mut call.phase else { return };
        let (Some(target), lawyer) = (target, media::LegId(leg.0)) else { return };
        *guest = Some(Guest { outward: Outward::new(to, target), is_joined: false, is_referred });
        let music = music.clone();
        self.arrange(id);
        self.play_music(id, &music);
        let prompts = vec![self.tones.ringback.clone()];
        self.tell_media(shard, Command::Play { leg: lawyer, prompts, repeat: true, tag: 0 });
        self.dial_next(now, id);
    }

    fn join(&mut self, now: Timestamp, id: CallId) {
        let Some(Call { phase: Phase::Talking { guest: Some(guest), .. }, .. }) = self.calls.get_mut(&id)
        else {
            return;
        };
        if guest.is_joined || !guest.outward.has_answered() {
            return;
        }
        guest.is_joined = true;
        let to = guest.outward.to.clone();
        self.stop_playing(id);
        self.arrange(id);
        self.fact(now, Fact::CallConferenced { call: id, target: to });
    }

    /// The lawyer is gone, or wants to be. False if there is no third party to leave the caller to.
    pub(crate) fn leave(&mut self, now: Timestamp, id: CallId, by: Party) -> bool {
        let Some(call) = self.calls.get_mut(&id) else { return false };
        let Phase::Talking { agent, leg, music, guest: Some(guest), .. } = &call.phase else { return false };
        let (agent, leg, music, outward) = (*agent, *leg, music.clone(), guest.outward.clone());
        let target = outward.to.clone();
        let has_answered = outward.has_answered();
        call.phase = Phase::Transferring(Transfer { outward, music, is_from_lawyer: true });
        self.free_lawyer(now, id, agent, leg, by);
        self.fact(now, Fact::CallPassedOn { call: id, target });
        if has_answered {
            self.pass_on(now, id);
        }
        true
    }

    pub(crate) fn pass_to(&mut self, now: Timestamp, id: CallId, pool: &PoolId) {
        let plan = self.calls.get(&id).and_then(|call| self.plans.plan(&call.plan));
        if !plan.is_some_and(|plan| plan.pools().contains_key(pool)) {
            return;
        }
        self.part_from_guest(now, id, Party::Agent);
        let Some(call) = self.calls.get_mut(&id) else { return };
        let Phase::Talking { agent, leg, .. } = &call.phase else { return };
        let (agent, leg) = (*agent, *leg);
        call.phase = Phase::Playing { is_notice: false };
        self.free_lawyer(now, id, agent, leg, Party::Agent);
        self.fact(now, Fact::CallPassedTo { call: id, agent, pool: pool.clone() });
        self.wait_for(now, id, Some(pool));
    }

    /// Whom a lawyer passed on to somebody who did not answer.
    pub(crate) fn wait_again(&mut self, now: Timestamp, id: CallId) {
        self.wait_for(now, id, None);
    }

    fn wait_for(&mut self, now: Timestamp, id: CallId, pool: Option<&PoolId>) {
        let Some(call) = self.calls.get_mut(&id) else { return };
        let Some(plan) = self.plans.plan(&call.plan) else { return };
        let step = plan.wait_again(&mut call.cursor, when(&self.regions, &call.region, now), pool);
        call.queued_in = None;
        call.moved = Some(acd::Priority { urgent: true, ..call.given });
        self.run_step(now, id, step);
    }

    /// The talk with the lawyer is over, and the caller still on the line.
    pub(crate) fn free_lawyer(&mut self, now: Timestamp, id: CallId, agent: AgentId, leg: LegId, by: Party) {
        let Some(call) = self.calls.get_mut(&id) else { return };
        // It was made, and nothing of it is left to do.
        call.callback = None;
        let (region, shard) = (call.region.clone(), call.caller.port.shard);
        self.end_supervision(now, id);
        self.fact(now, Fact::TalkEnded { call: id, by });
        self.mark_segment(id, vec![], Heard::default());
        self.tell_acd(now, &region, acd::Input::TalkEnded { agent, call: id });
        // This ends what it hears and who hears it as well.
        self.end_agent_leg(now, leg, shard);
    }
}

/// What the third party does.
impl Node {
    /// It has answered.
    pub(crate) fn consult(&mut self, now: Timestamp, id: CallId) {
        let Some(call) = self.calls.get(&id) else { return };
        let Phase::Talking { guest: Some(guest), leg, .. } = &call.phase else { return };
        let (shard, leg) = (call.caller.port.shard, *leg);
        if guest.is_referred {
            self.sip.report_referral(now, leg, 200);
            self.leave(now, id, Party::Agent);
        } else {
            self.tell_media(shard, Command::Stop { leg: media::LegId(leg.0) });
            self.arrange(id);
        }
    }

    /// None of its numbers has answered: the lawyer hears so, and is with the caller again.
    pub(crate) fn guest_not_reached(&mut self, now: Timestamp, id: CallId) {
        self.part_from_guest(now, id, Party::System);
        let Some(call) = self.calls.get(&id) else { return };
        let Phase::Talking { leg, .. } = &call.phase else { return };
        let (shard, leg) = (call.caller.port.shard, *leg);
        // RFC 3261 section 21.4.18.
        self.sip.report_referral(now, leg, 480);
        let prompts = vec![self.tones.busy.clone()];
        self.tell_media(shard, Command::Play { leg: media::LegId(leg.0), prompts, repeat: false, tag: 0 });
    }

    /// Lawyer and caller are alone again.
    pub(crate) fn part_from_guest(&mut self, now: Timestamp, id: CallId, by: Party) {
        let Some(call) = self.calls.get_mut(&id) else { return };
        let shard = call.caller.port.shard;
        let Phase::Talking { guest, held_by, leg, .. } = &mut call.phase else { return };
        let Some(guest) = guest.take() else { return };
        held_by.remove(&Party::Outside);
        let (held_by, leg) = (held_by.clone(), *leg);
        self.set_deadline(id, None);
        let (target, has_answered) = (guest.outward.to.clone(), guest.outward.has_answered());
        self.end_outward(now, id, guest.outward, OfferEnd::Withdrawn);
        if has_answered {
            self.fact(now, Fact::GuestLeft { call: id, target, by });
        }
        if by == Party::Agent {
            self.sip.report_referral(now, leg, 487);
        }
        if !has_answered {
            self.tell_media(shard, Command::Stop { leg: media::LegId(leg.0) });
        }
        self.stop_playing(id);
        self.arrange(id);
        // Who held us meanwhile still does.
        for party in held_by {
            self.sound_hold(id, party, true);
        }
    }
}

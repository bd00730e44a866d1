//! A lawyer and a caller hear each other: bridge, hold, resume, and what either phone changes meanwhile.

use crate::Node;
use crate::admission::{sdp_answer, sdp_offer};
use crate::call::{AgentLeg, AgentLegState, Call, Callback, Ear, Leg, Phase};
use crate::callback::Reserved;
use crate::treatment::abandoned;
use domain::{AgentId, CallId, Fact, LegRole, Party, PoolId, Timestamp};
use media::Command;
use sip::LegId;
use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::Duration;

impl Node {
    pub(crate) fn connect(
        &mut self,
        now: Timestamp,
        agent: AgentId,
        id: CallId,
        pool: PoolId,
        waited: Duration,
    ) {
        let offered = self.offered.get(&agent).copied();
        let Some(leg) = offered.filter(|leg| self.open_agent_media(*leg)) else { return };
        let Some(AgentLeg { leg: own, state, .. }) = self.agent_legs.get_mut(&leg) else { return };
        *state = AgentLegState::Talking;
        let ear = own.ear;
        let Some(call) = self.calls.get_mut(&id) else { return };
        let reserved = Reserved { agent, leg, ear, pool, waited };
        let music = match (&mut call.phase, &mut call.callback) {
            (Phase::Away { .. }, _) => return self.dial_back(now, id, reserved),
            (Phase::Queued { music, .. }, _) => std::mem::take(music),
            // Found before the caller has left the line.
            (Phase::Playing { .. } | Phase::Farewell { .. }, Some(Callback::Kept { music })) => {
                std::mem::take(music)
            }
            _ => return,
        };
        self.stop_playing(id);
        self.bridge(now, id, reserved, music);
    }

    /// Both have their media by now.
    pub(crate) fn bridge(&mut self, now: Timestamp, id: CallId, reserved: Reserved, music: String) {
        let Reserved { agent, leg, ear, pool, waited } = reserved;
        let Some(call) = self.calls.get_mut(&id) else { return };
        call.phase = Phase::Talking { agent, leg, music, held_by: BTreeSet::new(), guest: None };
        call.bridged_at.get_or_insert(now);
        let caller_ear = call.caller.ear;
        self.set_deadline(id, None);
        self.start_recording(now, id);
        self.arrange(id);
        let waited_ms = waited.as_millis() as u64;
        self.fact(now, Fact::CallBridged { call: id, agent, pool, waited_ms });
        self.forget_callback(now, id);
        // Who held us while waiting still does.
        for (party, ear) in [(Party::Caller, caller_ear), (Party::Agent, ear)] {
            self.on_hold(now, id, party, ear == Ear::OnHold);
        }
    }

    /// Lets the phone that answered hear and be heard, if it does not yet; false if there is no such phone.
    pub(crate) fn open_agent_media(&mut self, leg: LegId) -> bool {
        let Some(found) = self.agent_legs.get_mut(&leg) else { return false };
        let Some(remote) = found.answer.take() else { return found.leg.media_open };
        found.leg.media_open = true;
        found.leg.agree(&remote);
        let (id, port) = (found.call, found.leg.port);
        if let Some(call) = self.calls.get_mut(&id) {
            call.open_media.insert(leg.0);
        }
        self.open_media(id, LegRole::Agent, media::LegId(leg.0), port, Some(remote));
        true
    }

    /// A re-INVITE or UPDATE from either phone: hold, resume, a new address, a session refresh.
    pub(crate) fn on_offer(&mut self, now: Timestamp, leg: LegId, offer: Option<&[u8]>) {
        let media_ip = self.config.media_ip;
        let Some((own, id, party)) = self.leg_mut(leg) else {
            self.sip.refuse_offer(now, leg, 481);
            return;
        };
        own.sdp_version += 1;
        let (port, id_of_sdp, version) = (own.port, own.sdp_id, own.sdp_version);
        let local = SocketAddr::new(media_ip, port.port);
        let Some(offer) = offer else {
            self.sip.accept_offer(now, leg, sdp_offer(local, id_of_sdp, version));
            return;
        };
        let Some((answer, remote)) = sdp_answer(offer, local, id_of_sdp, version) else {
            self.sip.refuse_offer(now, leg, 488);
            return;
        };
        own.agree(&remote);
        let is_held = !remote.send;
        self.sip.accept_offer(now, leg, answer);
        self.tell_media(port.shard, Command::Update { leg: media::LegId(leg.0), remote });
        party.into_iter().for_each(|party| self.on_hold(now, id, party, is_held));
    }

    pub(crate) fn on_hold(&mut self, now: Timestamp, id: CallId, party: Party, is_held: bool) {
        let Some(call) = self.calls.get_mut(&id) else { return };
        let (held_by, is_alone) = match &mut call.phase {
            Phase::Talking { held_by, guest, .. } => (held_by, guest.is_none()),
            Phase::PassedOn { held_by, .. } => (held_by, true),
            _ => return,
        };
        let changed = if is_held { held_by.insert(party) } else { held_by.remove(&party) };
        if !changed {
            return;
        }
        // With a third party, those who are not held go on talking.
        if is_alone {
            self.sound_hold(id, party, is_held);
        }
        let fact = if is_held {
            Fact::CallHeld { call: id, by: party }
        } else {
            Fact::CallResumed { call: id, by: party }
        };
        self.fact(now, fact);
    }

    /// Music for whom the other holds.
    pub(crate) fn sound_hold(&mut self, id: CallId, party: Party, is_held: bool) {
        let Some(call) = self.calls.get(&id) else { return };
        let (other, music) = match &call.phase {
            Phase::Talking { leg, music, .. } => (media::LegId(leg.0), music.clone()),
            Phase::PassedOn { leg, music, .. } => (leg.media(), music.clone()),
            _ => return,
        };
        let shard = call.caller.port.shard;
        match (party, is_held) {
            (Party::Agent | Party::Outside, true) => self.play_music(id, &music),
            (Party::Agent | Party::Outside, false) => self.stop_playing(id),
            (Party::Caller | Party::System, true) => {
                if let Some(samples) = self.prompt(id, &music) {
                    let prompts = vec![samples];
                    self.tell_media(shard, Command::Play { leg: other, prompts, repeat: true, tag: 0 });
                }
            }
            (Party::Caller | Party::System, false) => {
                self.tell_media(shard, Command::Stop { leg: other });
            }
        }
    }

    /// No packet for long from a phone that should be sending: it died without a word. Whoever is on hold
    /// may be silent.
    pub(crate) fn on_silent(&mut self, now: Timestamp, leg: media::LegId) {
        let Some((_, id, party)) = self.leg_mut(LegId(leg.0)) else { return };
        let Some(party) = party else { return self.end_supervision(now, id) };
        let Some(call) = self.calls.get(&id) else { return };
        let (agent, held_by) = match &call.phase {
            Phase::Talking { agent, held_by, .. } => (Some(*agent), held_by),
            Phase::PassedOn { held_by, .. } => (None, held_by),
            _ => return,
        };
        if !held_by.is_empty() {
            return;
        }
        if party == Party::Outside && agent.is_some() {
            return self.part_from_guest(now, id, Party::System);
        }
        let departure = abandoned(call, now);
        let is_phone = self.agent_legs.get(&LegId(leg.0)).is_some_and(|leg| !leg.is_mobile);
        if let Some(agent) = agent.filter(|_| party == Party::Agent && is_phone) {
            self.doubt(now, agent);
        }
        match party {
            Party::Agent => self.end_talk(now, id, Party::System),
            Party::Outside => self.end_talk(now, id, Party::System),
            Party::Caller | Party::System => self.depart(now, id, departure, Party::System),
        }
    }

    /// A living leg with its call and whose it is; a supervisor is no party.
    pub(crate) fn leg_mut(&mut self, leg: LegId) -> Option<(&mut Leg, CallId, Option<Party>)> {
        if let Some(id) = self.caller_legs.get(&leg) {
            return self.calls.get_mut(id).map(|call| (&mut call.caller, *id, Some(Party::Caller)));
        }
        if let Some(id) = self.outside_legs.get(&leg) {
            let outside = self.calls.get_mut(id).and_then(Call::outside_mut)?;
            return Some((outside, *id, Some(Party::Outside)));
        }
        if let Some(id) = self.supervisor_legs.get(&leg) {
            let supervisor = self.calls.get_mut(id)?.supervisor.as_mut()?;
            return Some((&mut supervisor.leg, *id, None));
        }
        self.agent_legs.get_mut(&leg).map(|found| (&mut found.leg, found.call, Some(Party::Agent)))
    }
}

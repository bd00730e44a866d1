//! Carries the distributor's decisions to lawyers' phones, and what the phones do back to it.

use crate::Node;
use crate::admission::{sdp_agreed, sdp_offer};
use crate::call::{AgentLeg, AgentLegState, Call, Leg, sdp_id};
use acd::Output as Decision;
use dialplan::Outcome;
use domain::{AgentId, CallId, Fact, OfferEnd, PoolId, RegionId, Timestamp};
use media::Command;
use sip::{Invite, LegId, Target};
use std::net::SocketAddr;

impl Node {
    pub(crate) fn on_acd(&mut self, now: Timestamp, region: &RegionId, decision: Decision) {
        match decision {
            Decision::Queued { call, pool, .. } => self.on_queued(now, call, pool),
            Decision::Ring { agent, call, pool, .. } => self.ring(now, region, agent, call, pool),
            Decision::StopRinging { agent, call, .. } | Decision::Release { agent, call } => {
                self.silence_phone(now, region, agent, call);
            }
            Decision::Connect { agent, call, pool, waited } => self.connect(now, agent, call, pool, waited),
            Decision::Overflowed { call, from, to, reason } => {
                self.fact(now, Fact::CallOverflowed { call, from, to, reason });
            }
            Decision::Announce { call, position, wait, longer } => {
                self.announce(now, call, position, wait, longer);
            }
            Decision::Exhausted { call, reason } => match self.calls.get(&call) {
                Some(Call { callback: Some(_), .. }) => self.callback_expired(now, call),
                Some(_) | None => self.advance(now, call, Outcome::Exhausted(reason)),
            },
            Decision::OfferEnded { agent, call, end } => {
                if let (Some(call), Some(leg)) = (self.calls.get_mut(&call), self.offered.get(&agent)) {
                    call.ringing.remove(leg);
                }
                self.fact(now, Fact::OfferEnded { call, agent, end });
            }
            Decision::ClockSetBack { by } => self.on_clock_set_back(now, by),
            Decision::AgentChanged { agent, reachable, duty, activity } => {
                // Of an agent who was moved to another region the old one has no more to tell.
                let home = self.config.snapshot.agents.get(&agent).map(|agent| &agent.region);
                if home.is_some_and(|home| home != region) {
                    return;
                }
                self.fact(now, Fact::AgentChanged { agent, reachable, state: duty, activity });
            }
        }
    }

    fn ring(&mut self, now: Timestamp, region: &RegionId, agent: AgentId, call: CallId, pool: PoolId) {
        self.fact(now, Fact::AgentOffered { call, agent, pool: pool.clone() });
        match self.start_agent_leg(now, agent, call) {
            Some((leg, is_mobile)) => {
                let sip = leg.sip;
                let (region, state) = (region.clone(), AgentLegState::Ringing);
                let leg = AgentLeg {
                    leg,
                    call,
                    region,
                    agent,
                    pool,
                    state,
                    answer: None,
                    is_mobile,
                    prefixed_at: None,
                };
                self.agent_legs.insert(sip, leg);
                self.offered.insert(agent, sip);
                if let Some(call) = self.calls.get_mut(&call) {
                    call.ringing.insert(sip);
                }
            }
            None => {
                let end = OfferEnd::Unreachable;
                self.tell_acd(now, region, acd::Input::OfferFailed { agent, call, end });
            }
        }
    }

    /// INVITEs the lawyer's phone, or the mobile where that is not rung (then true); `None` where there is
    /// neither, no port or no caller any more.
    fn start_agent_leg(&mut self, now: Timestamp, agent: AgentId, call: CallId) -> Option<(Leg, bool)> {
        let phone = self.phone_target(agent);
        let is_mobile = phone.is_none();
        let (target, caller_id) = match phone {
            Some(target) => (target, None),
            None => self.mobile_target(agent).map(|(target, shown)| (target, Some(shown)))?,
        };
        let caller = self.calls.get(&call)?;
        let number = caller_id.unwrap_or_else(|| caller.number.reveal().to_owned());
        // A citizen's name, and how we count calls, are nothing for the telephone network.
        let name = caller.name.as_ref().filter(|_| !is_mobile);
        let from_display = name.map(|name| name.reveal().to_owned());
        let own_header = (!is_mobile).then(|| ("X-Hotline-Call".to_owned(), call.to_string()));
        let shard = caller.caller.port.shard;
        let from_user = if number.is_empty() { "anonymous".to_owned() } else { number };
        let leg = self.invite(now, shard, target, (from_display, from_user), own_header)?;
        Some((leg, is_mobile))
    }

    /// Rings somebody for a call whose audio is on that shard; none without a free port. `from` is the name and the
    /// number that they see.
    pub(crate) fn invite(
        &mut self,
        now: Timestamp,
        shard: u16,
        target: Target,
        (from_display, from_user): (Option<String>, String),
        header: Option<(String, String)>,
    ) -> Option<Leg> {
        let port = self.ports.take_on(shard)?;
        let offer = sdp_offer(SocketAddr::new(self.config.media_ip, port.port), sdp_id(now, port), 1);
        let (headers, credentials) = (header.into_iter().collect(), None);
        let invite = Invite { target, from_display, from_user, offer, headers, credentials };
        Some(Leg::new(now, self.sip.invite(now, invite), port))
    }

    /// The offer is over: CANCEL or BYE, whichever the leg needs by now.
    fn silence_phone(&mut self, now: Timestamp, region: &RegionId, agent: AgentId, call: CallId) {
        let offered = self.offered.get(&agent).and_then(|leg| self.agent_legs.get_mut(leg));
        match offered {
            Some(leg) if leg.call == call && leg.is_offer() => {
                let was_asked = std::mem::replace(&mut leg.state, AgentLegState::Stopping);
                let (sip, port) = (leg.leg.sip, leg.leg.port);
                if was_asked != AgentLegState::Ringing {
                    self.tell_media(port.shard, Command::Close { leg: media::LegId(sip.0) });
                }
                self.sip.hang_up(now, sip);
            }
            Some(_) | None => self.tell_acd(now, region, acd::Input::OfferCleared { agent, call }),
        }
    }

    pub(crate) fn on_agent_answered(&mut self, now: Timestamp, leg: LegId, answer: Option<&[u8]>) {
        let Some(found) = self.agent_legs.get_mut(&leg) else {
            self.sip.hang_up(now, leg);
            return;
        };
        let (region, agent, call) = (found.region.clone(), found.agent, found.call);
        found.answer = sdp_agreed(self.config.media_ip, &found.leg, answer);
        let (is_usable, is_mobile) = (found.answer.is_some(), found.is_mobile);
        if is_usable && is_mobile {
            self.ask_for_key(leg);
        } else if is_usable {
            self.tell_acd(now, &region, acd::Input::AgentAnswered { agent, call });
        } else {
            self.on_unusable_answer(now, leg);
        }
    }

    /// The phone answered with something that we cannot talk to.
    fn on_unusable_answer(&mut self, now: Timestamp, leg: LegId) {
        self.sip.hang_up(now, leg);
        if let Some(found) = self.agent_legs.get_mut(&leg) {
            found.state = AgentLegState::Over;
            let (region, agent, call) = (found.region.clone(), found.agent, found.call);
            let end = OfferEnd::Unreachable;
            self.tell_acd(now, &region, acd::Input::OfferFailed { agent, call, end });
        }
    }

    /// Our INVITE to a phone came to nothing; the leg is gone.
    pub(crate) fn on_agent_failed(&mut self, now: Timestamp, leg: LegId, status: u16) {
        let Some(gone) = self.remove_agent_leg(now, leg) else { return };
        let AgentLeg { region, agent, call, state, .. } = gone;
        match state {
            AgentLegState::Ringing | AgentLegState::Asked { .. } => {
                let end = if is_refusal(status) { OfferEnd::Rejected } else { OfferEnd::Unreachable };
                self.tell_acd(now, &region, acd::Input::OfferFailed { agent, call, end });
            }
            AgentLegState::Stopping => self.tell_acd(now, &region, acd::Input::OfferCleared { agent, call }),
            AgentLegState::Talking | AgentLegState::Over => {}
        }
    }

    pub(crate) fn remove_agent_leg(&mut self, now: Timestamp, leg: LegId) -> Option<AgentLeg> {
        let gone = self.agent_legs.remove(&leg)?;
        if self.offered.get(&gone.agent) == Some(&leg) {
            self.offered.remove(&gone.agent);
        }
        if !gone.leg.media_open {
            self.ports.give_back(gone.leg.port);
        }
        if let Some(call) = self.calls.get_mut(&gone.call) {
            call.ringing.remove(&leg);
        }
        let home = self.config.snapshot.agents.get(&gone.agent).map(|agent| &agent.region);
        if home.is_some_and(|home| *home != gone.region) {
            self.tell_reachable(now, gone.agent);
        }
        Some(gone)
    }
}

/// A human, or the phone for them, said no (RFC 3261 sections 21.4.20, 21.6); everything else is a phone
/// that could not be reached.
pub(crate) fn is_refusal(status: u16) -> bool {
    matches!(status, 480 | 486 | 487 | 488 | 600..=699)
}

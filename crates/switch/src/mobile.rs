//! A lawyer on a mobile: rung through a trunk, and connected only after a key, for what answers may be a mailbox.
//!
//! `acd` hears of an answer when the key is pressed and not before: until then the offer's deadline runs on, and
//! when it passes the call goes to somebody else. What comes before the answer (early media, announcements of the
//! network) is heard by nobody.

use crate::Node;
use crate::call::{AgentLeg, AgentLegState};
use domain::{AgentId, OfferEnd, Timestamp, TrunkId};
use media::Command;
use sip::{LegId, Target, Uri};

/// What is said to whoever answers, over and over: the name of a recording.
pub const PRESS_PROMPT: &str = "press_1";
const KEY: char = '1';
/// So many other keys say no.
const WRONG_KEYS_MAX: u8 = 3;

impl Node {
    /// Where to ring the agent's mobile and the number to show; none without one, or while its trunk is not there.
    pub(crate) fn mobile_target(&self, agent: AgentId) -> Option<(Target, String)> {
        let mobile = self.config.snapshot.agents.get(&agent)?.mobile.as_ref()?;
        let target = self.trunk_target(&mobile.trunk, mobile.number.reveal())?;
        Some((target, mobile.caller_id.clone()))
    }

    /// The number in the telephone network behind that trunk, while the trunk is there.
    pub(crate) fn trunk_target(&self, trunk: &TrunkId, number: &str) -> Option<Target> {
        let index = self.config.trunk_named(trunk)?;
        if self.trunk_is_reachable.get(index) != Some(&Some(true)) {
            return None;
        }
        let contact = self.config.trunks.get(index)?.contact.as_ref()?;
        let uri = Uri::sip(Some(number), contact.uri.host(), contact.uri.port());
        let uri = match contact.uri.transport() {
            Some(transport) => uri.with_param("transport", Some(transport)),
            None => uri,
        };
        Some(Target { flow: contact.flow, uri })
    }

    pub(crate) fn mobiles_through(&self, trunk: &TrunkId) -> Vec<AgentId> {
        let through = |mobile: &crate::Mobile| mobile.trunk == *trunk;
        let agents = self.config.snapshot.agents.iter();
        agents.filter(|(_, agent)| agent.mobile.as_ref().is_some_and(through)).map(|(id, _)| *id).collect()
    }

    /// Somebody or something has answered.
    pub(crate) fn ask_for_key(&mut self, leg: LegId) {
        if !self.open_agent_media(leg) {
            return;
        }
        let Some(found) = self.agent_legs.get_mut(&leg) else { return };
        found.state = AgentLegState::Asked { wrong_keys: 0 };
        let (shard, leg) = (found.leg.port.shard, found.leg.media());
        if let Some(samples) = self.config.snapshot.prompts.get(PRESS_PROMPT).cloned() {
            self.tell_media(shard, Command::Play { leg, prompts: vec![samples], repeat: true, tag: 0 });
        }
    }

    pub(crate) fn on_agent_digit(&mut self, now: Timestamp, leg: LegId, digit: char) {
        let Some(found) = self.agent_legs.get_mut(&leg) else { return };
        if found.state == AgentLegState::Talking {
            return self.on_talk_key(now, leg, digit);
        }
        let AgentLegState::Asked { wrong_keys } = &mut found.state else { return };
        if digit == KEY {
            let (region, agent, call) = (found.region.clone(), found.agent, found.call);
            return self.tell_acd(now, &region, acd::Input::AgentAnswered { agent, call });
        }
        *wrong_keys += 1;
        if *wrong_keys >= WRONG_KEYS_MAX {
            found.state = AgentLegState::Over;
            let gone = found.clone();
            self.sip.hang_up(now, leg);
            self.on_unconfirmed(now, &gone);
        }
    }

    /// The leg has ended, or will, before anybody pressed the key.
    pub(crate) fn on_unconfirmed(&mut self, now: Timestamp, gone: &AgentLeg) {
        self.tell_media(gone.leg.port.shard, Command::Close { leg: gone.leg.media() });
        let (agent, call, end) = (gone.agent, gone.call, OfferEnd::NoAnswer);
        self.tell_acd(now, &gone.region, acd::Input::OfferFailed { agent, call, end });
    }
}

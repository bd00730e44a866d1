//! A caller who need not stay on the line: the place in the queue is kept, and when a lawyer is found the caller is
//! dialled. The lawyer has answered by then and hears music, so no caller picks up to find nobody.
//!
//! A number has one open call-back. Whoever asks again is told that one stands; whoever speaks with a lawyer in
//! another call needs none any more. Deliberately absent: trying again, which is up to whoever works on the ticket.

use crate::Node;
use crate::admission::sdp_agreed;
use crate::call::{Call, Callback, Ear, Leg, Phase};
use crate::overrides::when;
use dialplan::{Outcome, Step};
use domain::{AgentId, CallId, Departure, Fact, LegRole, Party, PoolId, Timestamp};
use media::Command;
use serde::{Deserialize, Serialize};
use sip::LegId;
use std::ops::RangeInclusive;
use std::time::Duration;

/// How long a caller's phone rings.
const DIAL_TIMEOUT: Duration = Duration::from_secs(45);
/// Further callers stay on the line.
const CALLBACKS_MAX: usize = 500;
const MOBILE_DIGITS: usize = 11;
/// With the area code.
const FIXED_DIGITS: RangeInclusive<usize> = 10..=12;

/// A lawyer who has answered.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Reserved {
    pub(crate) agent: AgentId,
    pub(crate) leg: LegId,
    pub(crate) ear: Ear,
    /// As an agent of which pool, after how long.
    pub(crate) pool: PoolId,
    pub(crate) waited: Duration,
}

/// Before the caller leaves the line.
impl Node {
    /// A key that the dialplan knows while a caller waits. One that asks for a call-back which cannot be made does
    /// nothing.
    pub(crate) fn on_queue_key(&mut self, now: Timestamp, id: CallId, digit: char) {
        let Some(call) = self.calls.get(&id) else { return };
        let Some(plan) = self.plans.plan(&call.plan) else { return };
        let mut cursor = call.cursor.clone();
        let when = when(&self.regions, &call.region, now);
        let step = plan.next(&mut cursor, when, Outcome::Digit(digit));
        let is_callback = matches!(step, Step::Callback { .. });
        if is_callback && !self.can_call_back(call) {
            return;
        }
        let region = call.region.clone();
        self.stop_playing(id);
        if let Some(call) = self.calls.get_mut(&id) {
            call.cursor = cursor;
        }
        if !is_callback {
            self.tell_acd(now, &region, acd::Input::CallLeft { call: id });
        }
        self.run_step(now, id, step);
    }

    /// The trunk that the call came by leads back, to mobiles and fixed lines of the country's own: whoever lies
    /// about the number must not have us dial others.
    fn can_call_back(&self, call: &Call) -> bool {
        let number = call.number.reveal();
        let is_at_home = match number.as_bytes() {
            [b'1', b'3'..=b'9', ..] => number.len() == MOBILE_DIGITS,
            [b'0', b'1'..=b'9', ..] => FIXED_DIGITS.contains(&number.len()),
            _ => false,
        };
        let is_plain = number.bytes().all(|digit| digit.is_ascii_digit());
        let has_room = self.callbacks.len() < CALLBACKS_MAX || self.callbacks.contains_key(number);
        let trunk = call.trunk.as_ref();
        is_plain
            && is_at_home
            && has_room
            && trunk.is_some_and(|trunk| self.trunk_target(trunk, number).is_some())
    }

    pub(crate) fn keep_place(&mut self, now: Timestamp, id: CallId, within: Duration) {
        let Some(call) = self.calls.get_mut(&id) else { return };
        let Phase::Queued { music, .. } = &mut call.phase else { return };
        let (music, region) = (std::mem::take(music), call.region.clone());
        let number = call.number.reveal().to_owned();
        if self.callbacks.contains_key(&number) {
            call.callback = Some(Callback::Settled(Departure::CallbackMerged));
            return self.tell_acd(now, &region, acd::Input::CallLeft { call: id });
        }
        call.callback = Some(Callback::Kept { music });
        self.callbacks.insert(number, id);
        let until = now + within;
        self.fact(now, Fact::CallbackAsked { call: id, until });
        self.tell_acd(now, &region, acd::Input::CallbackAsked { call: id, until });
    }

    /// The caller's leg ends and the call goes on.
    pub(crate) fn go_away(&mut self, now: Timestamp, id: CallId, music: String) {
        let Some(call) = self.calls.get_mut(&id) else { return };
        call.phase = Phase::Away { music };
        call.caller.media_open = false;
        let (sip, leg, shard) = (call.caller.sip, call.caller.media(), call.caller.port.shard);
        self.set_deadline(id, None);
        self.stop_recording(id, shard);
        if self.caller_legs.remove(&sip).is_some() {
            self.sip.hang_up(now, sip);
        }
        self.tell_media(shard, Command::Close { leg });
        if self.is_draining {
            self.callback_expired(now, id);
        }
    }

    /// No lawyer was found in time.
    pub(crate) fn callback_expired(&mut self, now: Timestamp, id: CallId) {
        let Some(call) = self.calls.get_mut(&id) else { return };
        if matches!(call.phase, Phase::Away { .. }) {
            self.depart(now, id, Departure::CallbackExpired, Party::System);
        } else {
            call.callback = Some(Callback::Settled(Departure::CallbackExpired));
            self.unlist_callback(id);
        }
    }

    pub(crate) fn unlist_callback(&mut self, id: CallId) {
        let Some(call) = self.calls.get(&id) else { return };
        if self.callbacks.get(call.number.reveal()) == Some(&id) {
            self.callbacks.remove(call.number.reveal());
        }
    }

    /// The number of this call speaks with a lawyer: nobody need call it any more.
    pub(crate) fn forget_callback(&mut self, now: Timestamp, id: CallId) {
        self.unlist_callback(id);
        let Some(call) = self.calls.get(&id) else { return };
        let Some(&other) = self.callbacks.get(call.number.reveal()) else { return };
        if self.calls.get(&other).is_some_and(|call| matches!(call.phase, Phase::Away { .. })) {
            self.depart(now, other, Departure::CallbackMerged, Party::System);
        }
    }

    /// Nobody will look for a lawyer any more: the server stops. Who is on the line or being dialled goes on.
    pub(crate) fn end_callbacks(&mut self, now: Timestamp) {
        let is_away =
            |id: &CallId| self.calls.get(id).is_some_and(|call| matches!(call.phase, Phase::Away { .. }));
        let away: Vec<CallId> = self.callbacks.values().copied().filter(is_away).collect();
        for id in away {
            self.callback_expired(now, id);
        }
    }
}

/// When a lawyer is reserved.
impl Node {
    pub(crate) fn dial_back(&mut self, now: Timestamp, id: CallId, reserved: Reserved) {
        let Some(call) = self.calls.get_mut(&id) else { return };
        let Phase::Away { music } = &mut call.phase else { return };
        let music = std::mem::take(music);
        let (agent, agent_leg) = (reserved.agent, media::LegId(reserved.leg.0));
        call.phase = Phase::Dialling { reserved, music: music.clone(), port: None };
        // The phone rang on the shard where the caller was.
        let shard = call.caller.port.shard;
        if let Some(samples) = self.prompt(id, &music) {
            let prompts = vec![samples];
            self.tell_media(shard, Command::Play { leg: agent_leg, prompts, repeat: true, tag: 0 });
        }
        match self.invite_caller(now, id, shard) {
            Some(leg) => {
                self.caller_legs.insert(leg.sip, id);
                if let Some(call) = self.calls.get_mut(&id)
                    && let Phase::Dialling { port, .. } = &mut call.phase
                {
                    *port = Some(leg.port);
                    call.caller = leg;
                }
                self.fact(now, Fact::CallbackDialled { call: id, agent });
                self.set_deadline(id, Some(now + DIAL_TIMEOUT));
            }
            None => self.depart(now, id, Departure::CallbackUnanswered, Party::System),
        }
    }

    fn invite_caller(&mut self, now: Timestamp, id: CallId, shard: u16) -> Option<Leg> {
        let call = self.calls.get(&id)?;
        let (trunk, number, shown) = (call.trunk.clone()?, call.number.clone(), call.called.clone());
        self.dial_out(now, (&trunk, number.reveal()), shown, shard)
    }

    pub(crate) fn on_caller_answered(&mut self, now: Timestamp, id: CallId, answer: Option<&[u8]>) {
        let media_ip = self.config.media_ip;
        let Some(call) = self.calls.get_mut(&id) else { return };
        let Phase::Dialling { reserved, music, .. } = &call.phase else { return };
        let (reserved, music) = (reserved.clone(), music.clone());
        let own = &mut call.caller;
        let Some(remote) = sdp_agreed(media_ip, own, answer) else {
            return self.depart(now, id, Departure::CallbackUnanswered, Party::System);
        };
        own.media_open = true;
        own.agree(&remote);
        let (caller, port) = (own.media(), own.port);
        call.open_media.insert(caller.0);
        self.open_media(id, LegRole::Caller, caller, port, Some(remote));
        self.tell_media(port.shard, Command::Stop { leg: media::LegId(reserved.leg.0) });
        self.bridge(now, id, reserved, music);
    }

    /// The caller's phone was busy, did not answer, or is gone.
    pub(crate) fn on_caller_failed(&mut self, now: Timestamp, leg: LegId) {
        if let Some(id) = self.caller_legs.remove(&leg) {
            self.depart(now, id, Departure::CallbackUnanswered, Party::System);
        }
    }
}

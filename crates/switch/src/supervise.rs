//! A supervisor in a talk: listens, whispers to the lawyer, or barges in. Their phone is rung for it, and hears all that
//! is said; what changes for the others is only whom they hear.
//!
//! One supervisor a call, and only while a lawyer is in it. The call does not depend on it: whatever becomes of that leg,
//! the others notice nothing.

use crate::Node;
use crate::admission::sdp_agreed;
use crate::call::{Call, Leg, Phase, Timer};
use domain::{CallId, Fact, LegRole, Supervision, Timestamp};
use media::Command;
use serde::{Deserialize, Serialize};
use sip::LegId;
use std::time::Duration;

/// Whoever wants to listen has the phone before them.
const RING_TIMEOUT: Duration = Duration::from_secs(20);

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Supervisor {
    /// The account whose phone it is.
    user: String,
    /// Who asked for it, for the record.
    by: String,
    pub(crate) mode: Supervision,
    pub(crate) leg: Leg,
}

impl Supervisor {
    pub(crate) fn has_answered(&self) -> bool {
        self.leg.media_open
    }
}

impl Node {
    /// Rings the phone of that account for the call, changes how its supervisor takes part, or ends it.
    pub(crate) fn supervise(
        &mut self,
        now: Timestamp,
        id: CallId,
        user: &str,
        mode: Option<Supervision>,
        by: String,
    ) {
        let Some(call) = self.calls.get_mut(&id) else { return };
        match (&mut call.supervisor, mode) {
            (Some(supervisor), Some(mode)) if supervisor.user == user => {
                supervisor.mode = mode;
                supervisor.by = by;
                if supervisor.has_answered() {
                    self.tell_supervision(now, id);
                    self.arrange(id);
                }
            }
            (Some(supervisor), None) if supervisor.user == user => self.end_supervision(now, id),
            (None, Some(mode)) if matches!(call.phase, Phase::Talking { .. }) => {
                self.ring_supervisor(now, id, user, mode, by);
            }
            // Somebody else's, or nothing to supervise.
            (Some(_) | None, _) => {}
        }
    }

    fn ring_supervisor(&mut self, now: Timestamp, id: CallId, user: &str, mode: Supervision, by: String) {
        let Some(target) = self.sip.target_of(user) else { return };
        let Some(call) = self.calls.get(&id) else { return };
        let (shard, shown) = (call.caller.port.shard, call.called.clone());
        let own_header = ("X-Hotline-Call".to_owned(), id.to_string());
        let Some(leg) = self.invite(now, shard, target, (None, shown), Some(own_header)) else { return };
        self.supervisor_legs.insert(leg.sip, id);
        self.timers.set(Timer::Supervisor(id), Some(now + RING_TIMEOUT));
        if let Some(call) = self.calls.get_mut(&id) {
            call.supervisor = Some(Supervisor { user: user.to_owned(), by, mode, leg });
        }
    }

    pub(crate) fn on_supervisor_answered(&mut self, now: Timestamp, id: CallId, answer: Option<&[u8]>) {
        let media_ip = self.config.media_ip;
        self.timers.set(Timer::Supervisor(id), None);
        let Some(call) = self.calls.get_mut(&id) else { return };
        let Some(Supervisor { leg: own, .. }) = &mut call.supervisor else { return };
        let Some(remote) = sdp_agreed(media_ip, own, answer) else {
            return self.end_supervision(now, id);
        };
        own.media_open = true;
        own.agree(&remote);
        let (leg, port) = (own.media(), own.port);
        call.open_media.insert(leg.0);
        self.open_media(id, LegRole::Supervisor, leg, port, Some(remote));
        self.tell_supervision(now, id);
        self.arrange(id);
    }

    /// The phone did not answer, or has hung up.
    pub(crate) fn on_supervisor_gone(&mut self, now: Timestamp, leg: LegId) {
        if let Some(id) = self.supervisor_legs.remove(&leg) {
            self.end_supervision(now, id);
        }
    }

    /// The others go on as they are.
    pub(crate) fn end_supervision(&mut self, now: Timestamp, id: CallId) {
        self.timers.set(Timer::Supervisor(id), None);
        let Some(supervisor) = self.calls.get_mut(&id).and_then(|call| call.supervisor.take()) else {
            return;
        };
        let has_answered = supervisor.has_answered();
        let Supervisor { user, by, leg, .. } = supervisor;
        if self.supervisor_legs.remove(&leg.sip).is_some() {
            self.sip.hang_up(now, leg.sip);
        }
        if !has_answered {
            return self.ports.give_back(leg.port);
        }
        self.fact(now, Fact::CallSupervised { call: id, user, mode: None, by });
        self.arrange(id);
        self.tell_media(leg.port.shard, Command::Close { leg: leg.media() });
    }

    fn tell_supervision(&mut self, now: Timestamp, id: CallId) {
        let Some(Call { supervisor: Some(supervisor), .. }) = self.calls.get(&id) else { return };
        let Supervisor { user, by, mode, .. } = supervisor.clone();
        self.fact(now, Fact::CallSupervised { call: id, user, mode: Some(mode), by });
    }
}

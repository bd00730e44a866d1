//! A call that goes on with somebody outside and without a lawyer: because the dialplan says so, or because the
//! lawyer who had called them has left. `acd` knows nothing of it.
//!
//! When nobody answers, the dialplan says what comes next; whom a lawyer passed on waits for a lawyer again, before all
//! others. So nobody is dropped for it.

use crate::Node;
use crate::call::{Call, Ear, Heard, Phase};
use crate::outward::Outward;
use dialplan::Target;
use domain::{CallId, Party, TargetId, Timestamp};
use media::Command;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// The caller hears music while somebody outside is dialled.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Transfer {
    pub(crate) outward: Outward,
    pub(crate) music: String,
    /// Who left while it rang.
    pub(crate) is_from_lawyer: bool,
}

impl Transfer {
    pub(crate) fn new(to: TargetId, target: Target, music: String) -> Self {
        Self { outward: Outward::new(to, target), music, is_from_lawyer: false }
    }
}

impl Node {
    /// The caller has heard what was to be said first.
    pub(crate) fn begin_transfer(&mut self, now: Timestamp, id: CallId) {
        let Some(Call { phase: Phase::Transferring(transfer), .. }) = self.calls.get(&id) else { return };
        if transfer.outward.leg.is_some() {
            return;
        }
        let music = transfer.music.clone();
        if self.dial_next(now, id) {
            self.play_music(id, &music);
        }
    }

    /// Somebody has answered.
    pub(crate) fn pass_on(&mut self, now: Timestamp, id: CallId) {
        let Some(call) = self.calls.get_mut(&id) else { return };
        let Phase::Transferring(Transfer { outward, music, .. }) = &call.phase else { return };
        let (music, to, Some(leg)) = (music.clone(), outward.to.clone(), outward.leg.clone()) else { return };
        let (caller, caller_ear, shard) = (call.caller.media(), call.caller.ear, call.caller.port.shard);
        let (outside, ear) = (leg.media(), leg.ear);
        call.phase = Phase::PassedOn { leg, music, held_by: BTreeSet::new() };
        self.stop_playing(id);
        self.tell_media(shard, Command::Bridge { a: caller, b: outside });
        self.mark_segment(id, vec![outside], Heard { target: Some(to), ..Heard::default() });
        for (party, ear) in [(Party::Caller, caller_ear), (Party::Outside, ear)] {
            self.on_hold(now, id, party, ear == Ear::OnHold);
        }
    }
}

//! Who hears whom in a talk, and whom the recording has on our side: told to the media anew whenever somebody comes, joins
//! or goes.

use crate::Node;
use crate::call::{Heard, Phase};
use domain::{CallId, Supervision};
use media::{Command, LegId};

/// The legs of a talk with a lawyer.
pub(crate) struct Talk {
    pub(crate) caller: LegId,
    pub(crate) lawyer: LegId,
    /// Whoever was called in, once they have answered.
    guest: Option<LegId>,
    /// All three talk.
    is_joined: bool,
    /// The third party rings.
    is_waiting: bool,
    supervisor: Option<(LegId, Supervision)>,
    /// Somebody hears music instead, which is to go on.
    is_held: bool,
}

impl Talk {
    /// Each leg, and those whom it hears.
    fn hears(&self) -> Vec<(LegId, Vec<LegId>)> {
        let Self { caller, lawyer, guest, is_joined, is_waiting, supervisor, .. } = self;
        let (mut of_caller, mut of_lawyer, mut of_guest) = match (guest, is_joined) {
            (None, _) if *is_waiting => (vec![], vec![], vec![]),
            (None, _) => (vec![*lawyer], vec![*caller], vec![]),
            (Some(guest), true) => (vec![*lawyer, *guest], vec![*caller, *guest], vec![*caller, *lawyer]),
            (Some(guest), false) => (vec![], vec![*guest], vec![*lawyer]),
        };
        let mut hears = Vec::new();
        if let Some((leg, mode)) = supervisor {
            let all = [Some(*caller), Some(*lawyer), *guest];
            hears.push((*leg, all.into_iter().flatten().collect()));
            if *mode != Supervision::Listen {
                of_lawyer.push(*leg);
            }
            if *mode == Supervision::Barge {
                // Who hears music is not talked to.
                if !of_caller.is_empty() {
                    of_caller.push(*leg);
                }
                of_guest.push(*leg);
            }
        }
        hears.extend([(*caller, of_caller), (*lawyer, of_lawyer)]);
        hears.extend(guest.map(|guest| (guest, of_guest)));
        hears
    }

    /// Those on our side whom the recording has: a whisper is marked and not recorded.
    fn recorded(&self) -> Vec<LegId> {
        let barges = self.supervisor.filter(|(_, mode)| *mode == Supervision::Barge).map(|(leg, _)| leg);
        [Some(self.lawyer), self.guest, barges].into_iter().flatten().collect()
    }
}

impl Node {
    /// Tells the media who hears whom by now, and begins a segment of the recording.
    pub(crate) fn arrange(&mut self, id: CallId) {
        let Some((talk, heard)) = self.talk(id) else { return };
        let Some(shard) = self.calls.get(&id).map(|call| call.caller.port.shard) else { return };
        let is_plain = talk.guest.is_none() && talk.supervisor.is_none() && !talk.is_waiting && !talk.is_held;
        let command = match is_plain {
            true => Command::Bridge { a: talk.caller, b: talk.lawyer },
            false => Command::Arrange { hears: talk.hears() },
        };
        self.tell_media(shard, command);
        // While a third party rings, nobody hears anybody.
        if !talk.is_waiting {
            self.mark_segment(id, talk.recorded(), heard);
        }
    }

    pub(crate) fn talk(&self, id: CallId) -> Option<(Talk, Heard)> {
        let call = self.calls.get(&id)?;
        let Phase::Talking { agent, leg, guest, held_by, .. } = &call.phase else { return None };
        let answered = guest.as_ref().filter(|guest| guest.outward.has_answered());
        let supervisor = call.supervisor.as_ref().filter(|supervisor| supervisor.has_answered());
        let is_joined = guest.as_ref().is_some_and(|guest| guest.is_joined);
        let heard = Heard {
            agent: Some(*agent),
            target: answered.map(|guest| guest.outward.to.clone()),
            is_private: answered.is_some() && !is_joined,
            supervision: supervisor.map(|supervisor| supervisor.mode),
        };
        let talk = Talk {
            caller: call.caller.media(),
            lawyer: LegId(leg.0),
            guest: answered.and_then(|guest| guest.outward.leg.as_ref()).map(crate::call::Leg::media),
            is_joined,
            is_waiting: guest.is_some() && answered.is_none(),
            supervisor: supervisor.map(|supervisor| (supervisor.leg.media(), supervisor.mode)),
            is_held: !held_by.is_empty(),
        };
        Some((talk, heard))
    }
}

//! One call and its legs as plain data: ids, absolute deadlines, no handles.

use crate::MediaPort;
use crate::callback::Reserved;
use crate::conference::Guest;
use crate::supervise::Supervisor;
use crate::transfer::Transfer;
use dialplan::Cursor;
use domain::{
    AgentId, CallId, Departure, LegRole, Party, Pii, PlanVersion, PoolId, RegionId, Supervision, TargetId,
    Timestamp, TrunkId,
};
use serde::{Deserialize, Serialize};
use sip::LegId;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Call {
    pub(crate) region: RegionId,
    /// The dialplan that it walks to its end.
    pub(crate) plan: PlanVersion,
    /// Shown to the lawyer whose phone rings.
    pub(crate) number: Pii,
    pub(crate) name: Option<Pii>,
    /// What it came by, and the number that was dialled: a call-back goes and shows the same.
    pub(crate) trunk: Option<TrunkId>,
    pub(crate) called: String,
    pub(crate) caller: Leg,
    pub(crate) cursor: Cursor,
    pub(crate) phase: Phase,
    /// When the phase ends by itself, if it does.
    pub(crate) deadline: Option<Timestamp>,
    /// When it first began to wait: its place in every queue.
    pub(crate) queued_at: Option<Timestamp>,
    /// When a lawyer first spoke with the caller.
    pub(crate) bridged_at: Option<Timestamp>,
    /// The pool that it last began to wait for.
    pub(crate) queued_in: Option<PoolId>,
    /// What the dialplan gave it, and what a supervisor made of that.
    pub(crate) given: acd::Priority,
    pub(crate) moved: Option<acd::Priority>,
    /// The agent's leg that rings for this call now.
    pub(crate) ringing: BTreeSet<LegId>,
    pub(crate) recording: Recording,
    /// Those that are complete.
    pub(crate) recordings: u8,
    /// Who was heard on our side, by the tags of the recording's segments.
    pub(crate) heard: Vec<Heard>,
    pub(crate) supervisor: Option<Supervisor>,
    /// Since the caller has asked for it.
    pub(crate) callback: Option<Callback>,
    /// Names the last thing that we asked to be played; the end of an older one means nothing.
    pub(crate) play_tag: u64,
    /// Media legs that have not yet reported their end.
    pub(crate) open_media: BTreeSet<u64>,
}

/// What becomes of a caller's wish to be called back.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Callback {
    /// The place is kept, for whoever hears this music on hold.
    Kept { music: String },
    /// There will be none; how the call departs.
    Settled(Departure),
}

/// What the caller is going through.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Phase {
    /// Hears prompts of the dialplan; after a notice the recording begins.
    Playing {
        is_notice: bool,
    },
    /// Hears the choices; from `deadline` on, silence counts as an answer.
    Menu {
        keys: BTreeSet<char>,
        timeout: Duration,
    },
    /// Waits for a lawyer, whether or not one rings.
    Queued {
        music: String,
        keys: BTreeSet<char>,
    },
    /// Is not on the line; the call waits.
    Away {
        music: String,
    },
    /// Is being dialled, and the lawyer waits.
    Dialling {
        reserved: Reserved,
        music: String,
        /// For the caller's leg, when it is answered.
        port: Option<MediaPort>,
    },
    Talking {
        agent: AgentId,
        leg: LegId,
        music: String,
        held_by: BTreeSet<Party>,
        guest: Option<Guest>,
    },
    /// Is being passed on to somebody outside; from `deadline` on, the next number is tried.
    Transferring(Transfer),
    /// Talks with somebody outside.
    PassedOn {
        leg: Leg,
        music: String,
        held_by: BTreeSet<Party>,
    },
    /// Hears the greeting (`since` is none), then leaves a message.
    Voicemail {
        max: Duration,
        since: Option<Timestamp>,
    },
    /// Is asked how satisfied the talk was; from `deadline` on, silence counts as no answer.
    Survey {
        timeout: Duration,
    },
    /// Hears the last words; how the call departs is decided.
    Farewell {
        departure: Departure,
    },
    /// The caller is gone; legs and recording are being settled.
    Departed,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Recording {
    NotStarted,
    Running,
    Closing,
    Closed,
}

/// Whom a segment of the recording has on our side.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Heard {
    pub(crate) agent: Option<AgentId>,
    pub(crate) target: Option<TargetId>,
    /// The caller hears music meanwhile.
    pub(crate) is_private: bool,
    /// Whether a supervisor takes part, and how.
    pub(crate) supervision: Option<Supervision>,
}

/// A tone lasts for a tenth of a second, and INFO may come at its end.
const ECHO_WITHIN: Duration = Duration::from_millis(500);

/// One SIP leg with its media.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Leg {
    pub(crate) sip: LegId,
    pub(crate) port: MediaPort,
    /// The `o=` line of our SDP (RFC 8866 section 5.2): its id stays, its version rises with every SDP.
    pub(crate) sdp_id: u64,
    pub(crate) sdp_version: u64,
    pub(crate) media_open: bool,
    pub(crate) ear: Ear,
    /// Its keys come in its audio path (RFC 4733), or would: INFO counts for phones without.
    pub(crate) has_key_events: bool,
    /// The last key, when it came, and whether by INFO.
    pub(crate) last_key: Option<(char, Timestamp, bool)>,
}

/// Whether the peer takes audio from us (RFC 3264 section 8.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Ear {
    /// It has not yet answered our offer.
    Awaited,
    Open,
    /// It holds us: silence of its own means nothing then.
    OnHold,
}

impl Leg {
    pub(crate) fn new(now: Timestamp, sip: LegId, port: MediaPort) -> Self {
        let (media_open, has_key_events) = (false, false);
        Self {
            sip,
            port,
            sdp_id: sdp_id(now, port),
            sdp_version: 1,
            media_open,
            ear: Ear::Awaited,
            has_key_events,
            last_key: None,
        }
    }

    /// What both sides have settled on.
    pub(crate) fn agree(&mut self, remote: &media::Remote) {
        self.ear = if remote.send { Ear::Open } else { Ear::OnHold };
        self.has_key_events = remote.dtmf_payload.is_some();
    }

    /// Whether the key came the other way a moment ago: a phone without key events may send INFO and tones at once.
    pub(crate) fn is_echo(&mut self, now: Timestamp, key: char, by_info: bool) -> bool {
        let before = self.last_key.replace((key, now, by_info));
        let is_same =
            |(last, at, by): (char, Timestamp, bool)| last == key && by != by_info && now - at < ECHO_WITHIN;
        before.is_some_and(is_same)
    }

    pub(crate) fn media(&self) -> media::LegId {
        media::LegId(self.sip.0)
    }
}

/// No two legs use one port in the same millisecond.
pub(crate) fn sdp_id(now: Timestamp, port: MediaPort) -> u64 {
    u64::try_from(now.as_ms()).unwrap_or(0) << 16 | u64::from(port.port)
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct AgentLeg {
    pub(crate) leg: Leg,
    pub(crate) call: CallId,
    pub(crate) region: RegionId,
    pub(crate) agent: AgentId,
    pub(crate) pool: PoolId,
    pub(crate) state: AgentLegState,
    /// What the phone answered, until its audio is opened.
    pub(crate) answer: Option<media::Remote>,
    /// Through the telephone network: whoever answers has to press a key.
    pub(crate) is_mobile: bool,
    /// When the first key of a code was pressed.
    pub(crate) prefixed_at: Option<Timestamp>,
}

impl AgentLeg {
    /// Whether `acd` has an offer here that is neither answered nor withdrawn.
    pub(crate) fn is_offer(&self) -> bool {
        matches!(self.state, AgentLegState::Ringing | AgentLegState::Asked { .. })
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum AgentLegState {
    Ringing,
    /// Answered, and asked for the key that no machine presses. To `acd` it still rings.
    Asked {
        wrong_keys: u8,
    },
    /// We hung up; the phone has not confirmed.
    Stopping,
    Talking,
    /// The talk is over, or never could be; the phone has not confirmed.
    Over,
}

/// An open media leg, until its shard reports the end.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct MediaUse {
    pub(crate) call: CallId,
    pub(crate) role: LegRole,
    pub(crate) port: MediaPort,
}

/// Deadlines of this crate; those of `sip` and `acd` are their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) enum Timer {
    /// [`Call::deadline`] of the call's phase.
    Phase(CallId),
    /// The phone of the call's supervisor has rung for long enough.
    Supervisor(CallId),
    /// Ask an agent's phone whether it is there.
    Ping(AgentId),
    /// Ask the trunk at this place of the configuration.
    PingTrunk(usize),
    /// Somebody's shift begins or ends.
    Shifts,
    /// What a supervisor set of a pool is over.
    Overrides,
}

/// Timers as data: at most one of each kind is armed.
#[derive(Default)]
pub(crate) struct Timers {
    by_time: BTreeSet<(Timestamp, Timer)>,
    armed: BTreeMap<Timer, Timestamp>,
}

impl Timers {
    pub(crate) fn set(&mut self, timer: Timer, at: Option<Timestamp>) {
        if let Some(old) = self.armed.remove(&timer) {
            self.by_time.remove(&(old, timer));
        }
        if let Some(at) = at {
            self.armed.insert(timer, at);
            self.by_time.insert((at, timer));
        }
    }

    pub(crate) fn next(&self) -> Option<Timestamp> {
        self.by_time.first().map(|(at, _)| *at)
    }

    pub(crate) fn take_due(&mut self, now: Timestamp) -> Option<Timer> {
        let (at, timer) = *self.by_time.first()?;
        if at > now {
            return None;
        }
        self.by_time.remove(&(at, timer));
        self.armed.remove(&timer);
        Some(timer)
    }

    pub(crate) fn armed(&self) -> impl Iterator<Item = &Timer> {
        self.armed.keys()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timer_set_again_fires_once_at_its_new_time() {
        let mut timers = Timers::default();
        let timer = Timer::Phase(CallId(1));
        timers.set(timer, Some(Timestamp::from_ms(5)));
        timers.set(timer, Some(Timestamp::from_ms(9)));
        assert_eq!(timers.take_due(Timestamp::from_ms(8)), None);
        assert_eq!(timers.take_due(Timestamp::from_ms(9)), Some(timer));
        assert_eq!(timers.next(), None);
    }
}

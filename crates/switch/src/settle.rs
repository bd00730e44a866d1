//! The end of a call: it departs once, its legs and recording are settled, then it is closed for good.

use crate::Node;
use crate::call::{AgentLegState, Callback, Heard, MediaUse, Phase, Recording};
use crate::callback::Reserved;
use crate::treatment::abandoned;
use domain::{CallId, Departure, Fact, LegStats, OfferEnd, Party, Segment, Timestamp};
use media::Command;
use sip::{EndCause, LegId};

impl Node {
    pub(crate) fn on_leg_ended(&mut self, now: Timestamp, leg: LegId, cause: EndCause) {
        if let Some(id) = self.caller_legs.remove(&leg) {
            self.on_caller_gone(now, id, cause);
        } else if let Some(id) = self.outside_legs.remove(&leg) {
            self.on_outside_gone(now, id, cause);
        } else if self.supervisor_legs.contains_key(&leg) {
            self.on_supervisor_gone(now, leg);
        } else if let Some(gone) = self.remove_agent_leg(now, leg) {
            match gone.state {
                AgentLegState::Talking => {
                    let by = if cause == EndCause::Bye { Party::Agent } else { Party::System };
                    self.end_talk(now, gone.call, by);
                }
                AgentLegState::Ringing | AgentLegState::Stopping => {
                    let cleared = acd::Input::OfferCleared { agent: gone.agent, call: gone.call };
                    self.tell_acd(now, &gone.region, cleared);
                }
                AgentLegState::Asked { .. } => self.on_unconfirmed(now, &gone),
                AgentLegState::Over => {}
            }
        }
    }

    fn on_caller_gone(&mut self, now: Timestamp, id: CallId, cause: EndCause) {
        let Some(call) = self.calls.get(&id) else { return };
        let by_themselves = abandoned(call, now);
        let (departure, by) = match cause {
            EndCause::Bye | EndCause::Cancelled => (by_themselves, Party::Caller),
            EndCause::LocalHangUp => (by_themselves, Party::System),
            EndCause::SessionExpired | EndCause::Timeout | EndCause::TransportLost => {
                let decided = matches!(
                    by_themselves,
                    Departure::Answered | Departure::Transferred | Departure::Voicemail
                );
                (if decided { by_themselves } else { Departure::CallerLost }, Party::System)
            }
        };
        self.depart(now, id, departure, by);
    }

    /// The one place where a call leaves; a second time it does nothing. A caller who is to be called back leaves the
    /// line only.
    pub(crate) fn depart(&mut self, now: Timestamp, id: CallId, departure: Departure, by: Party) {
        let Some(call) = self.calls.get_mut(&id) else { return };
        let departure = match (&call.phase, &mut call.callback) {
            (Phase::Departed, _) => return,
            (Phase::Playing { .. } | Phase::Farewell { .. }, Some(Callback::Kept { music })) => {
                let music = std::mem::take(music);
                return self.go_away(now, id, music);
            }
            (Phase::Playing { .. } | Phase::Farewell { .. }, Some(Callback::Settled(settled))) => *settled,
            _ => departure,
        };
        // Whoever has spoken with a lawyer was answered, whatever came after.
        let is_answered = call.bridged_at.is_some() && departure != Departure::Voicemail;
        let departure = if is_answered { Departure::Answered } else { departure };
        let phase = std::mem::replace(&mut call.phase, Phase::Departed);
        self.end_supervision(now, id);
        let Some(call) = self.calls.get(&id) else { return };
        let (region, caller, shard) = (call.region.clone(), call.caller.clone(), call.caller.port.shard);
        self.fact(now, Fact::CallDeparted { call: id, departure, by });
        self.stop_recording(id, shard);
        match phase {
            Phase::Queued { .. } | Phase::Away { .. } => {
                self.tell_acd(now, &region, acd::Input::CallLeft { call: id });
            }
            Phase::Dialling { reserved: Reserved { agent, leg, .. }, port, .. } => {
                port.into_iter().for_each(|port| self.ports.give_back(port));
                self.tell_acd(now, &region, acd::Input::TalkEnded { agent, call: id });
                self.end_agent_leg(now, leg, shard);
            }
            Phase::Talking { agent, leg, guest, .. } => {
                if let Some(guest) = guest {
                    self.end_outward(now, id, guest.outward, OfferEnd::Withdrawn);
                }
                self.tell_acd(now, &region, acd::Input::TalkEnded { agent, call: id });
                self.end_agent_leg(now, leg, shard);
            }
            Phase::Transferring(transfer) => self.end_outward(now, id, transfer.outward, OfferEnd::Withdrawn),
            Phase::PassedOn { leg, .. } => self.end_outside_leg(now, &leg),
            Phase::Playing { .. }
            | Phase::Menu { .. }
            | Phase::Voicemail { .. }
            | Phase::Survey { .. }
            | Phase::Farewell { .. }
            | Phase::Departed => {}
        }
        if self.caller_legs.contains_key(&caller.sip) {
            self.sip.hang_up(now, caller.sip);
        }
        if caller.media_open {
            self.tell_media(shard, Command::Close { leg: caller.media() });
        }
        self.unlist_callback(id);
        self.set_deadline(id, Some(now + self.config.limits.settle_timeout));
        self.close_if_settled(now, id);
    }

    pub(crate) fn stop_recording(&mut self, id: CallId, shard: u16) {
        let Some(call) = self.calls.get_mut(&id) else { return };
        if call.recording == Recording::Running {
            call.recording = Recording::Closing;
            self.tell_media(shard, Command::StopRecording { recording: media::RecordingId(id.0) });
        }
    }

    pub(crate) fn end_agent_leg(&mut self, now: Timestamp, leg: LegId, shard: u16) {
        if let Some(found) = self.agent_legs.get_mut(&leg) {
            found.state = AgentLegState::Over;
            self.sip.hang_up(now, leg);
        }
        self.tell_media(shard, Command::Close { leg: media::LegId(leg.0) });
    }

    pub(crate) fn on_media_closed(&mut self, now: Timestamp, leg: media::LegId, stats: LegStats) {
        let Some(MediaUse { call: id, role, port }) = self.media.remove(&leg.0) else { return };
        self.ports.give_back(port);
        if let Some(call) = self.calls.get_mut(&id) {
            call.open_media.remove(&leg.0);
            self.fact(now, Fact::LegEnded { call: id, leg: leg.0, role, stats });
            self.close_if_settled(now, id);
        }
    }

    pub(crate) fn on_recorded(
        &mut self,
        now: Timestamp,
        id: CallId,
        file: String,
        duration_ms: u64,
        segments: Vec<media::Segment>,
    ) {
        let Some(call) = self.calls.get_mut(&id) else { return };
        let goes_on = call.callback.is_some() && !matches!(call.phase, Phase::Departed);
        call.recording = if goes_on { Recording::NotStarted } else { Recording::Closed };
        call.recordings += 1;
        let segments = segments.into_iter().map(|s| segment(s, &call.heard)).collect();
        self.fact(now, Fact::RecordingClosed { call: id, file, duration_ms, segments });
        self.close_if_settled(now, id);
    }

    fn close_if_settled(&mut self, now: Timestamp, id: CallId) {
        let is_settled = self.calls.get(&id).is_some_and(|call| {
            matches!(call.phase, Phase::Departed)
                && call.open_media.is_empty()
                && matches!(call.recording, Recording::NotStarted | Recording::Closed)
        });
        if is_settled {
            self.close_call(now, id);
        }
    }

    pub(crate) fn close_call(&mut self, now: Timestamp, id: CallId) {
        self.set_deadline(id, None);
        if let Some(call) = self.calls.remove(&id) {
            self.plans.leave(&call.plan);
            self.fact(now, Fact::CallClosed { call: id });
        }
    }

    pub(crate) fn hang_up_all(&mut self, now: Timestamp) {
        let all: Vec<CallId> = self.calls.keys().copied().collect();
        for id in all {
            let Some(call) = self.calls.get(&id) else { continue };
            let departure = match abandoned(call, now) {
                Departure::Answered => Departure::Answered,
                Departure::Voicemail => Departure::Voicemail,
                Departure::Transferred => Departure::Transferred,
                Departure::CallbackUnanswered
                | Departure::CallbackExpired
                | Departure::CallbackMerged
                | Departure::AbandonedMenu
                | Departure::AbandonedQueue
                | Departure::AbandonedRinging
                | Departure::PatienceExpired
                | Departure::NobodyOnDuty
                | Departure::Closed
                | Departure::CallerLost
                | Departure::NotAllowed
                | Departure::NoSuchNumber
                | Departure::NoCodec
                | Departure::Overload
                | Departure::Failed => Departure::Failed,
            };
            self.depart(now, id, departure, Party::System);
            // Whoever left the line only.
            self.depart(now, id, departure, Party::System);
        }
    }
}

fn segment(segment: media::Segment, heard: &[Heard]) -> Segment {
    let media::Segment { offset_ms, duration_ms, tag, sha256 } = segment;
    let who = tag.and_then(|tag| heard.get(usize::try_from(tag).ok()?)).cloned().unwrap_or_default();
    let Heard { agent, target, is_private, supervision } = who;
    Segment { offset_ms, duration_ms, agent, target, is_private, supervision, sha256 }
}

//! What a caller goes through on the way to a lawyer: the dialplan's steps, played on the caller's leg.

use crate::Node;
use crate::call::{Call, Heard, Phase, Recording, Timer};
use crate::overrides::when;
use crate::transfer::Transfer;
use crate::words;
use dialplan::{Outcome, Step};
use domain::{CallId, Departure, Fact, LongerWait, OfferEnd, Party, PoolId, RegionId, Timestamp};
use media::Command;
use std::sync::Arc;
use std::time::Duration;

/// A shorter message is nobody's message.
const MESSAGE_MIN: Duration = Duration::from_secs(2);
/// Ends a message.
const MESSAGE_END_KEY: char = '#';

impl Node {
    pub(crate) fn run_step(&mut self, now: Timestamp, id: CallId, step: Step) {
        let is_notice = matches!(&step, Step::Play { is_notice: true, .. });
        self.fact(now, Fact::CallStepped { call: id, step: step.kind().to_owned() });
        // Nobody is recorded before the notice has been heard.
        if !is_notice && !matches!(&step, Step::HangUp { .. }) {
            self.start_recording(now, id);
        }
        match step {
            Step::Play { prompts, .. } => {
                self.enter(id, Phase::Playing { is_notice });
                self.play(now, id, &prompts);
            }
            Step::Menu { prompts, timeout, keys } => {
                self.enter(id, Phase::Menu { keys, timeout });
                self.play(now, id, &prompts);
            }
            Step::Queue { stages, wants, prompts, music, announce, keys } => {
                self.enter(id, Phase::Queued { music, keys });
                let Some(call) = self.calls.get(&id) else { return };
                // A second queue of the same call keeps the place that the first one gave it.
                let (region, arrived) = (call.region.clone(), call.queued_at.unwrap_or(now));
                // It has reached the queue even if nobody is on duty there: no rate is better for that.
                if let Some(first) = stages.first() {
                    self.on_queued(now, id, first.pool.clone());
                }
                self.play(now, id, &prompts);
                let mut request = words::request(stages, wants, announce);
                if let Some(call) = self.calls.get_mut(&id) {
                    call.given = request.priority;
                    request.priority = call.moved.unwrap_or(call.given);
                }
                self.tell_acd(now, &region, acd::Input::CallArrived { call: id, arrived, request });
            }
            Step::Callback { prompts, within } => {
                self.keep_place(now, id, within);
                self.enter(id, Phase::Playing { is_notice: false });
                self.play(now, id, &prompts);
            }
            Step::Survey { prompts, timeout } => {
                self.fact(now, Fact::SurveyAsked { call: id });
                self.enter(id, Phase::Survey { timeout });
                self.play(now, id, &prompts);
            }
            Step::Transfer { to, target, prompts, music } => {
                self.enter(id, Phase::Transferring(Transfer::new(to, target, music)));
                if let Some(call) = self.calls.get_mut(&id) {
                    // A queue that comes after it is told anew, though it be of the same pool.
                    call.queued_in = None;
                }
                self.play(now, id, &prompts);
            }
            Step::Voicemail { prompts, max, .. } => {
                self.enter(id, Phase::Voicemail { max, since: None });
                self.play(now, id, &prompts);
            }
            Step::HangUp { prompts, departure } => {
                self.enter(id, Phase::Farewell { departure });
                self.play(now, id, &prompts);
            }
        }
    }

    pub(crate) fn prioritise(&mut self, now: Timestamp, id: CallId, priority: acd::Priority, by: String) {
        let waits = |call: &&mut Call| matches!(call.phase, Phase::Queued { .. } | Phase::Away { .. });
        let waiting = self.calls.get_mut(&id).filter(waits);
        let Some(call) = waiting else { return };
        call.moved = Some(priority).filter(|priority| *priority != acd::Priority::default());
        let (region, place) = (call.region.clone(), call.moved.unwrap_or(call.given));
        let acd::Priority { urgent, head_start } = priority;
        let head_start_ms = head_start.as_millis() as u64;
        self.fact(now, Fact::CallPrioritised { call: id, urgent, head_start_ms, by });
        self.tell_acd(now, &region, acd::Input::CallPrioritised { call: id, priority: place });
    }

    /// Told once a pool, by the step that begins or by `acd`, whichever is first.
    pub(crate) fn on_queued(&mut self, now: Timestamp, id: CallId, pool: PoolId) {
        let Some(call) = self.calls.get_mut(&id) else { return };
        call.queued_at.get_or_insert(now);
        if call.queued_in.as_ref() != Some(&pool) {
            call.queued_in = Some(pool.clone());
            self.fact(now, Fact::CallQueued { call: id, pool });
        }
    }

    /// Plays over the music; whoever answers or presses a key meanwhile is not kept waiting.
    pub(crate) fn announce(
        &mut self,
        now: Timestamp,
        id: CallId,
        position: usize,
        wait: Duration,
        longer: Option<LongerWait>,
    ) {
        let Some(call) = self.calls.get(&id).filter(|call| matches!(call.phase, Phase::Queued { .. })) else {
            return;
        };
        let Some(plan) = self.plans.plan(&call.plan) else { return };
        let prompts = plan.announcement(&call.cursor, position, wait);
        let (position, wait_ms) = (position as u64, wait.as_millis() as u64);
        self.fact(now, Fact::WaitAnnounced { call: id, position, wait_ms, longer });
        self.play(now, id, &prompts);
    }

    /// Moves on with what the step led to.
    pub(crate) fn advance(&mut self, now: Timestamp, id: CallId, outcome: Outcome) {
        let Some(call) = self.calls.get_mut(&id) else { return };
        let Some(plan) = self.plans.plan(&call.plan) else { return };
        let county_before = call.cursor.county().cloned();
        let when = when(&self.regions, &call.region, now);
        let step = plan.next(&mut call.cursor, when, outcome);
        if let Some(county) = call.cursor.county().filter(|county| Some(*county) != county_before.as_ref()) {
            let county = county.clone();
            self.fact(now, Fact::CallAttributed { call: id, county });
        }
        self.run_step(now, id, step);
    }

    fn enter(&mut self, id: CallId, phase: Phase) {
        if let Some(call) = self.calls.get_mut(&id) {
            call.phase = phase;
        }
        self.set_deadline(id, None);
    }

    pub(crate) fn set_deadline(&mut self, id: CallId, deadline: Option<Timestamp>) {
        if let Some(call) = self.calls.get_mut(&id) {
            call.deadline = deadline;
            self.timers.set(Timer::Phase(id), deadline);
        }
    }

    /// Plays to the caller from now on; what has no sound counts as played at once.
    fn play(&mut self, now: Timestamp, id: CallId, prompts: &[String]) {
        let prompts = prompts.iter().filter_map(|name| self.prompt(id, name));
        let samples: Vec<Arc<[u8]>> = prompts.filter(|samples| !samples.is_empty()).collect();
        if samples.is_empty() {
            self.after_prompt(now, id);
        } else {
            self.play_samples(id, samples, false);
        }
    }

    pub(crate) fn play_music(&mut self, id: CallId, name: &str) {
        if let Some(samples) = self.prompt(id, name) {
            self.play_samples(id, vec![samples], true);
        }
    }

    /// A recording of the dialplan that the call walks.
    pub(crate) fn prompt(&self, id: CallId, name: &str) -> Option<Arc<[u8]>> {
        let call = self.calls.get(&id)?;
        self.plans.prompt(&call.plan, name).map(Arc::clone)
    }

    fn play_samples(&mut self, id: CallId, prompts: Vec<Arc<[u8]>>, repeat: bool) {
        let Some(call) = self.calls.get_mut(&id) else { return };
        call.play_tag += 1;
        let (leg, shard, tag) = (call.caller.media(), call.caller.port.shard, call.play_tag);
        self.tell_media(shard, Command::Play { leg, prompts, repeat, tag });
    }

    pub(crate) fn stop_playing(&mut self, id: CallId) {
        let Some(call) = self.calls.get_mut(&id) else { return };
        call.play_tag += 1;
        let (leg, shard) = (call.caller.media(), call.caller.port.shard);
        self.tell_media(shard, Command::Stop { leg });
    }

    pub(crate) fn on_played(&mut self, now: Timestamp, leg: media::LegId, tag: u64) {
        let Some(&id) = self.caller_legs.get(&sip::LegId(leg.0)) else { return };
        if self.calls.get(&id).is_some_and(|call| call.play_tag == tag) {
            self.after_prompt(now, id);
        }
    }

    fn after_prompt(&mut self, now: Timestamp, id: CallId) {
        let Some(call) = self.calls.get_mut(&id) else { return };
        match &mut call.phase {
            Phase::Playing { .. } => self.advance(now, id, Outcome::Played),
            Phase::Menu { timeout, .. } | Phase::Survey { timeout } => {
                let deadline = now + *timeout;
                self.set_deadline(id, Some(deadline));
            }
            Phase::Queued { music, .. } => {
                let music = music.clone();
                self.play_music(id, &music);
            }
            Phase::Transferring(_) => self.begin_transfer(now, id),
            Phase::Voicemail { max, since } => {
                *since = Some(now);
                let deadline = now + *max;
                self.set_deadline(id, Some(deadline));
                self.mark_segment(id, vec![], Heard::default());
            }
            Phase::Farewell { departure } => {
                let departure = *departure;
                self.depart(now, id, departure, Party::System);
            }
            Phase::Talking { .. }
            | Phase::PassedOn { .. }
            | Phase::Away { .. }
            | Phase::Dialling { .. }
            | Phase::Departed => {}
        }
    }

    fn on_digit(&mut self, now: Timestamp, leg: media::LegId, digit: char) {
        let Some(&id) = self.caller_legs.get(&sip::LegId(leg.0)) else {
            return self.on_agent_digit(now, sip::LegId(leg.0), digit);
        };
        let Some(call) = self.calls.get(&id) else { return };
        match &call.phase {
            Phase::Menu { keys, .. } if keys.contains(&digit) => {
                self.stop_playing(id);
                self.advance(now, id, Outcome::Digit(digit));
            }
            Phase::Queued { keys, .. } if keys.contains(&digit) => self.on_queue_key(now, id, digit),
            Phase::Survey { .. } => self.on_survey_key(now, id, digit),
            Phase::Voicemail { since: Some(since), .. } if digit == MESSAGE_END_KEY => {
                let since = *since;
                self.end_message(now, id, since);
            }
            Phase::Menu { .. }
            | Phase::Voicemail { .. }
            | Phase::Playing { .. }
            | Phase::Queued { .. }
            | Phase::Away { .. }
            | Phase::Dialling { .. }
            | Phase::Talking { .. }
            | Phase::Transferring(_)
            | Phase::PassedOn { .. }
            | Phase::Farewell { .. }
            | Phase::Departed => {}
        }
    }

    /// In the audio path, as an event (RFC 4733) or as a tone.
    pub(crate) fn on_media_key(&mut self, now: Timestamp, leg: media::LegId, digit: char) {
        let own = self.leg_mut(sip::LegId(leg.0)).filter(|(own, ..)| !own.has_key_events);
        if own.is_none_or(|(own, ..)| !own.is_echo(now, digit, false)) {
            self.on_digit(now, leg, digit);
        }
    }

    /// Only of a phone that has agreed on no events: others would press each key twice.
    pub(crate) fn on_info_key(&mut self, now: Timestamp, leg: sip::LegId, digit: char) {
        let own = self.leg_mut(leg).filter(|(own, ..)| !own.has_key_events);
        if own.is_some_and(|(own, ..)| !own.is_echo(now, digit, true)) {
            self.on_digit(now, media::LegId(leg.0), digit);
        }
    }

    pub(crate) fn on_phase_timeout(&mut self, now: Timestamp, id: CallId) {
        let Some(call) = self.calls.get_mut(&id) else { return };
        call.deadline = None;
        match &call.phase {
            Phase::Menu { .. } | Phase::Survey { .. } => self.advance(now, id, Outcome::TimedOut),
            Phase::Voicemail { since: Some(since), .. } => {
                let since = *since;
                self.end_message(now, id, since);
            }
            Phase::Dialling { .. } => self.depart(now, id, Departure::CallbackUnanswered, Party::System),
            Phase::Transferring(_) | Phase::Talking { guest: Some(_), .. } => {
                self.on_number_failed(now, id, OfferEnd::NoAnswer);
            }
            Phase::Departed => self.close_call(now, id),
            Phase::PassedOn { .. }
            | Phase::Away { .. }
            | Phase::Voicemail { .. }
            | Phase::Playing { .. }
            | Phase::Queued { .. }
            | Phase::Talking { .. }
            | Phase::Farewell { .. } => {}
        }
    }

    fn end_message(&mut self, now: Timestamp, id: CallId, since: Timestamp) {
        let outcome = if now - since < MESSAGE_MIN { Outcome::TimedOut } else { Outcome::MessageLeft };
        self.advance(now, id, outcome);
    }

    pub(crate) fn start_recording(&mut self, now: Timestamp, id: CallId) {
        let Some(call) = self.calls.get_mut(&id) else { return };
        if call.recording != Recording::NotStarted {
            return;
        }
        call.recording = Recording::Running;
        let (caller, shard) = (call.caller.media(), call.caller.port.shard);
        let file = recording_file(now, &call.region, id, call.recordings);
        self.tell_media(shard, Command::Record { recording: media::RecordingId(id.0), caller, file });
    }

    /// A new segment of the recording begins, in which these are heard on our side.
    pub(crate) fn mark_segment(&mut self, id: CallId, others: Vec<media::LegId>, heard: Heard) {
        let Some(call) = self.calls.get_mut(&id) else { return };
        if call.recording != Recording::Running {
            return;
        }
        let known = call.heard.iter().position(|known| *known == heard);
        let tag = known.unwrap_or_else(|| {
            call.heard.push(heard);
            call.heard.len() - 1
        }) as u64;
        let (recording, shard) = (media::RecordingId(id.0), call.caller.port.shard);
        self.tell_media(shard, Command::SetOthers { recording, others, tag });
    }
}

/// How a call departs when its caller leaves in this phase.
pub(crate) fn abandoned(call: &Call, now: Timestamp) -> Departure {
    match &call.phase {
        Phase::Voicemail { since: Some(since), .. } if now - *since >= MESSAGE_MIN => Departure::Voicemail,
        // Whatever came after the talk.
        _ if call.bridged_at.is_some() => Departure::Answered,
        Phase::Queued { .. } if !call.ringing.is_empty() => Departure::AbandonedRinging,
        Phase::Queued { .. } => Departure::AbandonedQueue,
        Phase::Talking { .. } | Phase::Survey { .. } => Departure::Answered,
        Phase::PassedOn { .. } => Departure::Transferred,
        Phase::Away { .. } => Departure::CallbackExpired,
        Phase::Dialling { .. } => Departure::CallbackUnanswered,
        // Who hears a machine in place of a lawyer and leaves was not served, rather than impatient.
        Phase::Voicemail { .. }
            if matches!(call.cursor.ending(), Departure::NobodyOnDuty | Departure::PatienceExpired) =>
        {
            call.cursor.ending()
        }
        Phase::Farewell { departure } => *departure,
        // Who leaves while a number outside rings: no lawyer's phone does, and only those who were in a queue count
        // for its figures.
        Phase::Playing { .. }
        | Phase::Menu { .. }
        | Phase::Transferring(_)
        | Phase::Voicemail { .. }
        | Phase::Departed => {
            if call.queued_at.is_some() {
                Departure::AbandonedQueue
            } else {
                Departure::AbandonedMenu
            }
        }
    }
}

/// `wenzhou/2026-11-22/<call>.wav`, by the day in China; of one who was called back `<call>-2.wav` too.
fn recording_file(now: Timestamp, region: &RegionId, id: CallId, earlier: u8) -> String {
    let (day, number) = (dialplan::china_date(now), u16::from(earlier) + 1);
    if number == 1 { format!("{region}/{day}/{id}.wav") } else { format!("{region}/{day}/{id}-{number}.wav") }
}

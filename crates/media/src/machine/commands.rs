//! What a command does.

use super::{Machine, Timer};
use crate::api::{Command, Event, LegId, Output, RecordingId, RecordingJob, Remote, Transmit};
use crate::leg::Leg;
use crate::outgoing::Outgoing;
use crate::play::Player;
use crate::recording::{Recording, Side};
use domain::{LegStats, Timestamp};
use std::sync::Arc;
use std::time::Duration;

/// How often a leg's reports leave (RFC 3550 section 6.2: the minimum for two parties).
pub(super) const REPORT_EVERY: Duration = Duration::from_secs(5);

impl Machine {
    pub(super) fn obey(&mut self, now: Timestamp, command: Command, transmit: &mut impl FnMut(Transmit<'_>)) {
        match command {
            Command::Open { leg, port, remote } => self.open(now, leg, port, remote, transmit),
            Command::Update { leg, remote } => self.with_leg(leg, |l| l.update(now, remote)),
            Command::Close { leg } => self.close(now, leg, transmit),
            Command::Play { leg, prompts, repeat, tag } => self.play(now, leg, prompts, repeat, tag),
            Command::Stop { leg } => self.with_slot(leg, Self::stop_playing),
            Command::Press { leg, digits } => self.with_slot(leg, |m, slot| m.press(now, slot, &digits)),
            Command::Bridge { a, b } => self.bridge(now, a, b),
            Command::Arrange { hears } => self.arrange(now, &hears),
            Command::Record { recording, caller, file } => self.record(now, recording, caller, file),
            Command::SetOthers { recording, others, tag } => self.set_others(now, recording, &others, tag),
            Command::StopRecording { recording } => {
                self.counters.commands_ignored += u64::from(!self.recordings.contains_key(&recording));
                self.stop_recording(now, recording);
            }
        }
    }

    fn open(
        &mut self,
        now: Timestamp,
        id: LegId,
        port: u16,
        remote: Option<Remote>,
        transmit: &mut impl FnMut(Transmit<'_>),
    ) {
        let Some(slot) = self.slot(port) else {
            self.counters.commands_ignored += 1;
            return;
        };
        // Whoever had the port or the name has lost it without saying so; nobody shall wait for its end.
        let before =
            self.leg(slot).map(|l| l.id).into_iter().chain(self.by_id.contains_key(&id).then_some(id));
        for leg in before.collect::<Vec<_>>() {
            self.close(now, leg, transmit);
        }
        let [ssrc, start] = [self.random.next() as u32, self.random.next() as u32];
        let outgoing = Outgoing::new(now, ssrc, (start >> 16) as u16, start);
        let mut leg = Leg::new(now, id, port, outgoing);
        leg.report_at = now + REPORT_EVERY;
        leg.silence_at = now + self.config.silence_timeout;
        if let Some(remote) = remote {
            leg.update(now, remote);
        }
        self.timers.insert((leg.report_at, Timer::Report(slot)));
        self.timers.insert((leg.silence_at, Timer::Silence(slot)));
        self.by_id.insert(id, slot);
        self.legs[usize::from(slot)] = Some(leg);
    }

    fn close(&mut self, now: Timestamp, id: LegId, transmit: &mut impl FnMut(Transmit<'_>)) {
        let Some(slot) = self.by_id.get(&id).copied() else {
            // Its stats are nothing, but somebody waits for them.
            self.counters.commands_ignored += 1;
            self.event(Event::Closed { leg: id, stats: LegStats::default() });
            return;
        };
        self.stop_playing(slot);
        self.fall_silent(now, slot);
        self.by_id.remove(&id);
        let Some(mut leg) = self.legs[usize::from(slot)].take() else {
            return;
        };
        self.timers.remove(&(leg.report_at, Timer::Report(slot)));
        self.timers.remove(&(leg.silence_at, Timer::Silence(slot)));
        if let Some((to, bytes)) = leg.report(now, &self.cname, true) {
            transmit(Transmit { port: leg.port + 1, to, bytes: &bytes });
        }
        self.event(Event::Closed { leg: id, stats: leg.stats() });
    }

    fn play(&mut self, now: Timestamp, id: LegId, prompts: Vec<Arc<[u8]>>, repeat: bool, tag: u64) {
        self.with_slot(id, |machine, slot| {
            if let Some(leg) = machine.leg_mut(slot) {
                leg.player = Some(Box::new(Player::new(prompts, repeat, tag)));
                leg.outgoing.interrupt();
            }
            machine.start_wheel(now, slot);
        });
    }

    fn press(&mut self, now: Timestamp, slot: u16, digits: &str) {
        if let Some(leg) = self.leg_mut(slot) {
            leg.keys.press(digits);
            if !leg.keys.is_idle() {
                self.start_wheel(now, slot);
            }
        }
    }

    pub(super) fn start_wheel(&mut self, now: Timestamp, slot: u16) {
        if self.leg(slot).is_some_and(|l| l.phase.is_none()) {
            let phase = self.wheel.add(now, slot);
            if let Some(leg) = self.leg_mut(slot) {
                leg.phase = Some(phase);
            }
        }
    }

    /// End prompts and keys.
    pub(super) fn stop_playing(&mut self, slot: u16) {
        if let Some(leg) = self.leg_mut(slot) {
            leg.player = None;
            leg.keys = crate::play::Keys::default();
            leg.outgoing.interrupt();
            self.rest(slot);
        }
    }

    /// Leave the wheel, unless there is something to say.
    pub(super) fn rest(&mut self, slot: u16) {
        let Self { legs, wheel, .. } = self;
        if let Some(leg) = legs.get_mut(usize::from(slot)).and_then(Option::as_deref_mut)
            && leg.player.is_none()
            && leg.keys.is_idle()
            && leg.mix.is_none()
            && let Some(phase) = leg.phase.take()
        {
            wheel.remove(phase, slot);
        }
    }

    fn record(&mut self, now: Timestamp, id: RecordingId, caller: LegId, file: String) {
        if self.recordings.contains_key(&id) {
            self.counters.commands_ignored += 1;
            return;
        }
        let recording = Recording::new(now, caller);
        self.timers.insert((recording.flush_at, Timer::Flush(id)));
        self.recordings.insert(id, recording);
        self.outputs.push_back(Output::Recording(RecordingJob::Open { recording: id, file }));
        self.with_leg(caller, |leg| leg.recording = Some((id, Side::Left)));
    }

    fn set_others(&mut self, now: Timestamp, id: RecordingId, others: &[LegId], tag: u64) {
        let Some(recording) = self.recordings.get_mut(&id) else {
            self.counters.commands_ignored += 1;
            return;
        };
        recording.mark(now, (!others.is_empty()).then_some(tag));
        let before: Vec<LegId> = recording.legs().skip(1).filter(|leg| !others.contains(leg)).collect();
        let lanes = recording.set_others(others).to_vec();
        for leg in before {
            self.leave_recording(leg, id);
        }
        for (leg, lane) in lanes {
            self.with_leg(leg, |leg| leg.recording = Some((id, Side::Right(lane))));
        }
    }

    pub(super) fn with_slot(&mut self, id: LegId, act: impl FnOnce(&mut Self, u16)) {
        match self.by_id.get(&id).copied() {
            Some(slot) => act(self, slot),
            None => self.counters.commands_ignored += 1,
        }
    }

    fn with_leg(&mut self, id: LegId, act: impl FnOnce(&mut Leg)) {
        self.with_slot(id, |machine, slot| {
            if let Some(leg) = machine.leg_mut(slot) {
                act(leg);
            }
        });
    }
}

//! What the clock does: frames every 20 ms, reports, silences, flushes.

use super::commands::REPORT_EVERY;
use super::{Machine, Timer};
use crate::api::{Event, RecordingId, Transmit};
use crate::recording::FLUSH_EVERY;
use domain::Timestamp;

impl Machine {
    pub(super) fn play_due(&mut self, now: Timestamp, transmit: &mut impl FnMut(Transmit<'_>)) {
        while let Some((phase, due)) = self.wheel.pop_due(now) {
            let mut position = 0;
            while let Some(slot) = self.wheel.leg(phase, position) {
                let has_said = self.leg_mut(slot).is_some_and(|leg| leg.say(now, transmit));
                if !has_said {
                    self.end_playing(slot);
                }
                if has_said || self.say_mixed(now, due, slot, transmit) {
                    position += 1;
                } else {
                    self.stop_playing(slot);
                }
            }
        }
    }

    pub(super) fn serve_timers(&mut self, now: Timestamp, transmit: &mut impl FnMut(Transmit<'_>)) {
        while let Some((at, timer)) = self.timers.first().copied()
            && at <= now
        {
            self.timers.pop_first();
            match timer {
                Timer::Flush(recording) => self.flush_due(now, recording),
                Timer::Report(slot) => self.report_due(now, slot, transmit),
                Timer::Silence(slot) => self.silence_due(now, slot),
            }
        }
    }

    /// Everything was said. The last frame has just been heard to its end, for this is one frame later.
    fn end_playing(&mut self, slot: u16) {
        let Some(leg) = self.leg_mut(slot) else { return };
        if let Some(player) = leg.player.take() {
            let (leg, tag) = (leg.id, player.tag);
            self.event(Event::Played { leg, tag });
        }
    }

    fn flush_due(&mut self, now: Timestamp, id: RecordingId) {
        self.flush(now, id, false);
        if let Some(recording) = self.recordings.get_mut(&id) {
            recording.flush_at = next(recording.flush_at, FLUSH_EVERY, now);
            self.timers.insert((recording.flush_at, Timer::Flush(id)));
        }
    }

    fn report_due(&mut self, now: Timestamp, slot: u16, transmit: &mut impl FnMut(Transmit<'_>)) {
        let Self { legs, timers, cname, .. } = self;
        let Some(leg) = legs[usize::from(slot)].as_deref_mut() else {
            return;
        };
        leg.report_at = next(leg.report_at, REPORT_EVERY, now);
        timers.insert((leg.report_at, Timer::Report(slot)));
        if let Some((to, bytes)) = leg.report(now, cname, false) {
            transmit(Transmit { port: leg.port + 1, to, bytes: &bytes });
        }
    }

    /// Served once per time-out, not once per packet: was there one in the meantime?
    fn silence_due(&mut self, now: Timestamp, slot: u16) {
        let timeout = self.config.silence_timeout;
        let Self { legs, timers, outputs, .. } = self;
        let Some(leg) = legs[usize::from(slot)].as_deref_mut() else {
            return;
        };
        let is_silent = leg.remote.is_some_and(|r| r.receive) && leg.heard_at + timeout <= now;
        if is_silent && !leg.silent_reported {
            outputs.push_back(crate::Output::Event(Event::Silent { leg: leg.id }));
        }
        leg.silent_reported = is_silent;
        let since = if leg.heard_at + timeout <= now { now } else { leg.heard_at };
        leg.silence_at = since + timeout;
        timers.insert((leg.silence_at, Timer::Silence(slot)));
    }
}

/// The next time on the beat that is still to come.
fn next(at: Timestamp, every: std::time::Duration, now: Timestamp) -> Timestamp {
    let on_beat = at + every;
    if on_beat > now { on_beat } else { now + every }
}

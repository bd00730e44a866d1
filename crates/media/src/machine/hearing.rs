//! Who hears whom: by packets that are passed on as they come, or by a mix.

use super::Machine;
use crate::api::{LegId, Transmit};
use crate::jitter::JitterBuffer;
use crate::leg::Sources;
use crate::play::FRAME_SAMPLES;
use domain::Timestamp;

impl Machine {
    pub(super) fn bridge(&mut self, now: Timestamp, a: LegId, b: LegId) {
        let slots = (self.by_id.get(&a).copied(), self.by_id.get(&b).copied());
        let (Some(a), Some(b)) = slots else {
            self.counters.commands_ignored += 1;
            return;
        };
        for slot in [a, b] {
            self.fall_silent(now, slot);
            self.stop_playing(slot);
        }
        // A leg bridged to itself hears nothing.
        if a != b {
            self.set_sources(now, a, Sources::of(&[b]));
            self.set_sources(now, b, Sources::of(&[a]));
        }
    }

    pub(super) fn arrange(&mut self, now: Timestamp, hears: &[(LegId, Vec<LegId>)]) {
        let mut changed = Vec::new();
        for (leg, sources) in hears {
            self.with_slot(*leg, |machine, slot| {
                let known = sources.iter().filter_map(|source| machine.by_id.get(source).copied());
                let known: Vec<u16> = known.filter(|source| *source != slot).collect();
                machine.counters.commands_ignored += (sources.len() - known.len()) as u64;
                let sources = Sources::of(&known);
                if machine.leg(slot).is_some_and(|leg| leg.sources != sources) {
                    changed.push((slot, sources));
                }
            });
        }
        // Whoever is no longer passed on to one can be passed on to the other.
        for (slot, _) in &changed {
            self.set_sources(now, *slot, Sources::default());
        }
        for (slot, sources) in changed {
            self.set_sources(now, slot, sources);
        }
    }

    /// The leg hears nobody, and nobody hears it.
    pub(super) fn fall_silent(&mut self, now: Timestamp, slot: u16) {
        self.set_sources(now, slot, Sources::default());
        if let Some(hearer) = self.leg(slot).and_then(|leg| leg.relays_to) {
            self.set_sources(now, hearer, Sources::default());
        }
        for hearer in 0..self.legs.len() as u16 {
            if self.leg(slot).is_none_or(|leg| leg.mixed_by == 0) {
                return;
            }
            if let Some(leg) = self.leg(hearer).filter(|leg| leg.sources.contains(slot)) {
                let others = leg.sources.without(slot);
                self.set_sources(now, hearer, others);
            }
        }
    }

    fn set_sources(&mut self, now: Timestamp, slot: u16, sources: Sources) {
        let Some(leg) = self.leg_mut(slot).filter(|leg| leg.sources != sources) else { return };
        let before = std::mem::replace(&mut leg.sources, sources);
        let was_mixed = leg.mix.take().is_some();
        for source in before.iter() {
            if let Some(source) = self.leg_mut(source) {
                source.unheard_by(slot, was_mixed);
            }
        }
        let is_mixed = self.is_mixed(sources);
        for source in sources.iter() {
            if let Some(source) = self.leg_mut(source) {
                source.heard_by(now, slot, is_mixed);
            }
        }
        let Some(leg) = self.leg_mut(slot) else { return };
        leg.mix = is_mixed.then(Box::default);
        if leg.phase.is_none() {
            leg.outgoing.interrupt();
        }
        if is_mixed {
            self.start_wheel(now, slot);
        } else {
            self.rest(slot);
        }
    }

    /// One source is passed on as it comes, if it is not to somebody else already.
    fn is_mixed(&self, sources: Sources) -> bool {
        let mut all = sources.iter();
        match (all.next(), all.next()) {
            (None, _) => false,
            (Some(only), None) => self.leg(only).is_some_and(|leg| leg.relays_to.is_some()),
            (Some(_), Some(_)) => true,
        }
    }

    /// Send the next frame of what the leg hears, if that is a mix. `at` is when the frame was due.
    pub(super) fn say_mixed(
        &mut self,
        now: Timestamp,
        at: Timestamp,
        slot: u16,
        transmit: &mut impl FnMut(Transmit<'_>),
    ) -> bool {
        let Some(leg) = self.leg(slot).filter(|leg| leg.mix.is_some()) else { return false };
        let mut sum = [0; FRAME_SAMPLES];
        for source in leg.sources.iter() {
            if let Some(voice) = self.leg_mut(source).and_then(|source| source.voice.as_mut()) {
                voice.read(at, &mut sum);
            }
        }
        if let Some(leg) = self.leg_mut(slot) {
            leg.say_sum(now, &sum, transmit);
        }
        true
    }
}

impl crate::leg::Leg {
    fn heard_by(&mut self, now: Timestamp, hearer: u16, is_mixed: bool) {
        if !is_mixed {
            self.relays_to = Some(hearer);
            return;
        }
        self.mixed_by += 1;
        if self.voice.is_none() {
            self.voice = Some(Box::new(JitterBuffer::after(now, self.latest())));
        }
    }

    fn unheard_by(&mut self, hearer: u16, was_mixed: bool) {
        if !was_mixed {
            self.relays_to = self.relays_to.filter(|relayed| *relayed != hearer);
            return;
        }
        self.mixed_by = self.mixed_by.saturating_sub(1);
        if self.mixed_by == 0 {
            self.voice = None;
        }
    }
}

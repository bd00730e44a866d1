//! What a packet does. Nothing here allocates while packets are relayed and recorded.

use super::Machine;
use crate::api::{Event, Output, RecordingId, Transmit};
use crate::g711::Law;
use crate::leg::Kind;
use crate::packet::{self, Packet};
use crate::reception::Arrival;
use crate::recording::Side;
use crate::report;
use crate::timeline::Heard;
use domain::Timestamp;
use std::net::SocketAddr;

/// A packet that was found good, and what its leg makes of it.
struct Good {
    packet: Packet,
    kind: Kind,
    /// None while the audio is G.722.
    law: Option<Law>,
    arrival: Arrival,
    /// The leg that it is passed on to.
    relays_to: Option<u16>,
    is_mixed: bool,
    recording: Option<(RecordingId, Side)>,
}

impl Machine {
    pub(super) fn take_rtp(
        &mut self,
        now: Timestamp,
        micros: u64,
        port: u16,
        from: SocketAddr,
        bytes: &mut [u8],
        transmit: &mut impl FnMut(Transmit<'_>),
    ) {
        let Some(slot) = self.slot(port) else { return };
        let Some(mut good) = self.admit(now, micros, slot, from, bytes) else { return };
        let mut hearer = good.relays_to.filter(|slot| self.leg(*slot).is_some_and(|l| l.hears_others()));
        if good.kind == Kind::Audio {
            let is_heard = hearer.is_some() || good.is_mixed;
            if good.law.is_none() {
                hearer = self.take_g722(now, slot, hearer, &mut good, bytes, transmit);
            }
            self.listen(now, slot, &good, is_heard, bytes);
        }
        if let Some(slot) = hearer {
            self.relay(now, slot, &good, bytes, transmit);
        }
    }

    /// G.722 is passed on as it is to who speaks it too; for anything else it becomes A-law. Returns who is still
    /// to hear that. Kept out of line, for most packets are G.711.
    #[cold]
    fn take_g722(
        &mut self,
        now: Timestamp,
        slot: u16,
        hearer: Option<u16>,
        good: &mut Good,
        bytes: &mut [u8],
        transmit: &mut impl FnMut(Transmit<'_>),
    ) -> Option<u16> {
        let speaks_it = |slot: &u16| self.leg(*slot).is_some_and(|leg| leg.transcoder.is_some());
        let (alike, unlike) =
            if hearer.as_ref().is_some_and(speaks_it) { (hearer, None) } else { (None, hearer) };
        if let Some(hearer) = alike {
            self.relay(now, hearer, good, bytes, transmit);
            if let Some(transcoder) = self.leg_mut(hearer).and_then(|leg| leg.transcoder.as_mut()) {
                transcoder.follow(&bytes[good.packet.payload.clone()]);
            }
        }
        let leg = self.leg_mut(slot)?;
        let is_needed =
            unlike.is_some() || good.recording.is_some() || leg.voice.is_some() || leg.ear.is_some();
        let transcoder = leg.transcoder.as_mut().filter(|_| is_needed)?;
        transcoder.decode(&mut bytes[good.packet.payload.clone()], good.arrival == Arrival::Late);
        good.law = Some(Law::A);
        unlike
    }

    /// What we do ourselves with what a leg says: record it, mix it, listen for keys. `is_heard` says that some
    /// other leg hears it.
    #[inline]
    fn listen(&mut self, now: Timestamp, slot: u16, good: &Good, is_heard: bool, bytes: &[u8]) {
        let Packet { ssrc, timestamp, .. } = good.packet;
        let heard = Heard { ssrc, timestamp, payload: &bytes[good.packet.payload.clone()] };
        let Self { legs, outputs, recordings, .. } = self;
        if let (Some((id, side)), Some(law)) = (good.recording, good.law)
            && (side == Side::Left || is_heard)
            && let Some(recording) = recordings.get_mut(&id)
        {
            recording.lay(now, side, &heard, law.translation(Law::A));
        }
        let Some(leg) = legs[usize::from(slot)].as_deref_mut() else { return };
        match (&mut leg.voice, good.law) {
            (Some(voice), Some(law)) => voice.lay(now, &heard, law),
            (Some(_), None) => {}
            (None, law) => leg.latest.note(now, &heard, law),
        }
        if let (Some(ear), Some(law)) = (&mut leg.ear, good.law)
            && good.arrival != Arrival::Late
        {
            let leg = leg.id;
            let report = |digit| outputs.push_back(Output::Event(Event::Dtmf { leg, digit }));
            ear.hear(timestamp, heard.payload, law.to_linear(), report);
        }
    }

    pub(super) fn take_rtcp(&mut self, now: Timestamp, port: u16, from: SocketAddr, bytes: &[u8]) {
        let slot = port.checked_sub(1).and_then(|even| self.slot(even));
        let Self { legs, counters, .. } = self;
        let Some(leg) = slot.and_then(|s| legs[usize::from(s)].as_deref_mut()) else {
            counters.packets_unexpected += 1;
            return;
        };
        if !leg.admits_rtcp(from) {
            counters.packets_stray += 1;
            leg.strays += 1;
            return;
        }
        match report::parse(bytes, leg.outgoing.ssrc()) {
            Ok(heard) => {
                leg.heard_at = now;
                leg.note_report(now, &heard);
            }
            Err(report::NotRtcp) => counters.reports_malformed += 1,
        }
    }

    /// Decide whether a packet is to be heard at all, and take note of it.
    fn admit(
        &mut self,
        now: Timestamp,
        micros: u64,
        slot: u16,
        from: SocketAddr,
        bytes: &[u8],
    ) -> Option<Good> {
        let Self { legs, counters, outputs, .. } = self;
        let Some(leg) = legs[usize::from(slot)].as_deref_mut() else {
            counters.packets_unexpected += 1;
            return None;
        };
        let Ok(packet) = packet::parse(bytes) else {
            counters.packets_malformed += 1;
            return None;
        };
        if !leg.gate.admits(now, from, &packet) {
            counters.packets_stray += 1;
            leg.strays += 1;
            return None;
        }
        leg.heard_at = now;
        let kind = leg.kind(packet.payload_type);
        let arrival = leg.reception.note(&packet, micros, kind == Some(Kind::Audio));
        let (Some(kind), Some(remote)) = (kind, leg.remote) else {
            counters.packets_unnegotiated += 1;
            return None;
        };
        match arrival {
            Arrival::Jumped => return None,
            Arrival::Started => {
                leg.keys_heard.reset();
                if let Some(ear) = &mut leg.ear {
                    ear.reset();
                }
            }
            Arrival::Newer | Arrival::Late => {}
        }
        if !remote.receive {
            return None;
        }
        if kind == Kind::Key
            && let Some(digit) = leg.keys_heard.note(packet.timestamp, &bytes[packet.payload.clone()])
        {
            outputs.push_back(Output::Event(Event::Dtmf { leg: leg.id, digit }));
        }
        let (relays_to, is_mixed, recording) = (leg.relays_to, leg.mixed_by > 0, leg.recording);
        Some(Good { packet, kind, law: remote.codec.law(), arrival, relays_to, is_mixed, recording })
    }

    #[inline]
    fn relay(
        &mut self,
        now: Timestamp,
        hearer: u16,
        good: &Good,
        bytes: &mut [u8],
        transmit: &mut impl FnMut(Transmit<'_>),
    ) {
        let Some(leg) = self.leg_mut(hearer) else {
            return;
        };
        let Some(remote) = leg.remote else {
            return;
        };
        let payload_type = match good.kind {
            Kind::Audio => {
                if let Some(law) = good.law {
                    leg.translate(law, remote.codec, &mut bytes[good.packet.payload.clone()]);
                }
                remote.codec.payload_type()
            }
            Kind::Key => match remote.dtmf_payload {
                Some(payload_type) => payload_type,
                None => return leg.outgoing.withhold(&good.packet),
            },
        };
        let restarted = good.arrival == Arrival::Started;
        leg.forward(now, &good.packet, restarted, payload_type, bytes, transmit);
    }
}

//! What a packet does. Nothing here allocates while packets are relayed and recorded.

use super::Machine;
use crate::api::{Codec, Event, Output, RecordingId, Transmit};
use crate::leg::Kind;
use crate::packet::{self, Packet};
use crate::reception::Arrival;
use crate::recording::Side;
use crate::timeline::Heard;
use crate::{g711, report};
use domain::Timestamp;
use std::net::SocketAddr;

/// A packet that was found good, and what its leg makes of it.
struct Good {
    packet: Packet,
    kind: Kind,
    codec: Codec,
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
        let Some(good) = self.admit(now, micros, slot, from, bytes) else { return };
        let hearer = good.relays_to.filter(|slot| self.leg(*slot).is_some_and(|l| l.hears_others()));
        if good.kind == Kind::Audio {
            let Packet { ssrc, timestamp, .. } = good.packet;
            let heard = Heard { ssrc, timestamp, payload: &bytes[good.packet.payload.clone()] };
            if let Some((id, side)) = good.recording
                && (side == Side::Left || hearer.is_some() || good.is_mixed)
            {
                self.lay(now, id, side, good.codec, &heard);
            }
            let Self { legs, outputs, .. } = self;
            if let Some(leg) = legs[usize::from(slot)].as_deref_mut() {
                match &mut leg.voice {
                    Some(voice) => voice.lay(now, &heard, good.codec),
                    None => leg.latest.note(now, &heard),
                }
                if let Some(ear) = leg.ear.as_mut().filter(|_| good.arrival != Arrival::Late) {
                    let leg = leg.id;
                    let report = |digit| outputs.push_back(Output::Event(Event::Dtmf { leg, digit }));
                    ear.hear(timestamp, heard.payload, linear(good.codec), report);
                }
            }
        }
        if let Some(slot) = hearer {
            self.relay(now, slot, &good, bytes, transmit);
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
        Some(Good { packet, kind, codec: remote.codec, arrival, relays_to, is_mixed, recording })
    }

    fn lay(&mut self, now: Timestamp, id: RecordingId, side: Side, codec: Codec, heard: &Heard<'_>) {
        if let Some(recording) = self.recordings.get_mut(&id) {
            let table = match codec {
                Codec::Pcma => None,
                Codec::Pcmu => Some(&g711::ULAW_TO_ALAW),
            };
            recording.lay(now, side, heard, table);
        }
    }

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
                if let Some(table) = translation(good.codec, remote.codec) {
                    g711::translate(table, &mut bytes[good.packet.payload.clone()]);
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

fn linear(codec: Codec) -> &'static [i16; 256] {
    match codec {
        Codec::Pcma => &g711::ALAW_TO_LINEAR,
        Codec::Pcmu => &g711::ULAW_TO_LINEAR,
    }
}

fn translation(from: Codec, to: Codec) -> Option<&'static [u8; 256]> {
    match (from, to) {
        (Codec::Pcma, Codec::Pcmu) => Some(&g711::ALAW_TO_ULAW),
        (Codec::Pcmu, Codec::Pcma) => Some(&g711::ULAW_TO_ALAW),
        (Codec::Pcma, Codec::Pcma) | (Codec::Pcmu, Codec::Pcmu) => None,
    }
}

//! One leg: what is known of its peer and what it is doing. About half a KiB.

use crate::Transmit;
use crate::api::{Codec, LegId, RecordingId, Remote, SOURCES_MAX, ms_between};
use crate::dtmf::Detector;
use crate::g711::{self, Law};
use crate::g722::Transcoder;
use crate::gate::{Gate, is_reachable};
use crate::jitter::JitterBuffer;
use crate::mix::Guard;
use crate::outgoing::Outgoing;
use crate::packet::{HEADER_BYTES, Packet, Stamp, write_header};
use crate::play::{FRAME_SAMPLES, Keys, Player};
use crate::reception::Reception;
use crate::recording::Side;
use crate::report::{self, Sent};
use crate::timeline::Heard;
use crate::tones::Ear;
use bytes::Bytes;
use domain::{LegStats, Timestamp};
use rtcp::reception_report::ReceptionReport;
use std::net::SocketAddr;

pub(crate) struct Leg {
    pub id: LegId,
    pub port: u16,
    pub remote: Option<Remote>,
    pub gate: Gate,
    pub reception: Reception,
    pub outgoing: Outgoing,
    pub keys_heard: Detector,
    /// While the peer has agreed on no telephone-events.
    pub ear: Option<Box<Ear>>,
    /// While the peer speaks G.722.
    pub transcoder: Option<Box<Transcoder>>,
    pub player: Option<Box<Player>>,
    pub keys: Keys,
    /// The leg's group in the wheel, while it plays or presses.
    pub phase: Option<u8>,
    /// Whom it hears.
    pub sources: Sources,
    /// The one leg that its packets are passed on to.
    pub relays_to: Option<u16>,
    /// How many others hear it in a mix, and what they hear of it.
    pub mixed_by: u8,
    pub voice: Option<Box<JitterBuffer>>,
    /// What it said last: a mix that begins here begins with it.
    pub latest: Latest,
    /// While what it hears is a mix.
    pub mix: Option<Box<Guard>>,
    pub recording: Option<(RecordingId, Side)>,
    /// When the latest packet came; before the first, when packets may first have come.
    pub heard_at: Timestamp,
    pub silent_reported: bool,
    pub report_at: Timestamp,
    pub silence_at: Timestamp,
    pub strays: u64,
    /// Packets sent when the last report was made.
    sent_reported: u64,
    /// From the peer's latest sender report: its time as we quote it, and when it came.
    peer_report: Option<(u32, Timestamp)>,
    /// Where the peer's reports come from, if that is not what was negotiated.
    rtcp_proved: Option<SocketAddr>,
    /// Packets lost and jitter (µs) of what we send, as the peer last said.
    of_us: Option<(i64, u32)>,
}

/// A packet of audio, as far as it is not longer than ours.
pub(crate) struct Latest {
    at: Timestamp,
    ssrc: u32,
    timestamp: u32,
    /// None while it is G.722.
    law: Option<Law>,
    length: u8,
    payload: [u8; FRAME_SAMPLES],
}

impl Default for Latest {
    fn default() -> Self {
        let at = Timestamp::from_ms(0);
        Self { at, ssrc: 0, timestamp: 0, law: None, length: 0, payload: [0; FRAME_SAMPLES] }
    }
}

impl Latest {
    pub fn note(&mut self, now: Timestamp, heard: &Heard<'_>, law: Option<Law>) {
        if let Some(room) = self.payload.get_mut(..heard.payload.len()) {
            room.copy_from_slice(heard.payload);
            (self.at, self.length) = (now, heard.payload.len() as u8);
            (self.ssrc, self.timestamp, self.law) = (heard.ssrc, heard.timestamp, law);
        }
    }

    /// When it came, and what it was, if that is G.711.
    pub fn heard(&self) -> Option<(Timestamp, Heard<'_>, Law)> {
        let payload = &self.payload[..usize::from(self.length)];
        let heard = Heard { ssrc: self.ssrc, timestamp: self.timestamp, payload };
        self.law.map(|law| (self.at, heard, law))
    }

    fn decode(&mut self, transcoder: &mut Transcoder) {
        if self.law.is_none() {
            transcoder.decode(&mut self.payload[..usize::from(self.length)], false);
            self.law = Some(Law::A);
        }
    }
}

/// The slots of those whom a leg hears.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sources {
    slots: [u16; SOURCES_MAX],
    len: u8,
}

impl Sources {
    /// Each of them once, as many as there is room for.
    pub fn of(slots: &[u16]) -> Self {
        let mut sources = Self::default();
        for slot in slots {
            if !sources.contains(*slot) && usize::from(sources.len) < SOURCES_MAX {
                sources.slots[usize::from(sources.len)] = *slot;
                sources.len += 1;
            }
        }
        sources
    }

    pub fn iter(self) -> impl Iterator<Item = u16> {
        self.slots.into_iter().take(usize::from(self.len))
    }

    pub fn contains(self, slot: u16) -> bool {
        self.iter().any(|source| source == slot)
    }

    pub fn without(self, slot: u16) -> Self {
        let mut rest = Self::default();
        for source in self.iter().filter(|source| *source != slot) {
            rest.slots[usize::from(rest.len)] = source;
            rest.len += 1;
        }
        rest
    }
}

/// What a payload is to a leg.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Audio,
    Key,
}

impl Leg {
    pub fn new(now: Timestamp, id: LegId, port: u16, outgoing: Outgoing) -> Box<Self> {
        Box::new(Self {
            id,
            port,
            remote: None,
            gate: Gate::default(),
            reception: Reception::default(),
            outgoing,
            keys_heard: Detector::default(),
            ear: None,
            transcoder: None,
            player: None,
            keys: Keys::default(),
            phase: None,
            sources: Sources::default(),
            relays_to: None,
            mixed_by: 0,
            voice: None,
            latest: Latest::default(),
            mix: None,
            recording: None,
            heard_at: now,
            silent_reported: false,
            report_at: now,
            silence_at: now,
            strays: 0,
            sent_reported: 0,
            peer_report: None,
            rtcp_proved: None,
            of_us: None,
        })
    }

    pub fn update(&mut self, now: Timestamp, remote: Remote) {
        if !self.remote.is_some_and(|r| r.receive) && remote.receive {
            self.heard_at = now;
        }
        let before = self.gate.peer();
        self.gate.expect(now, remote.rtp);
        if self.gate.peer() != before {
            self.rtcp_proved = None;
        }
        self.remote = Some(remote);
        match remote.codec {
            Codec::G722 => {
                self.transcoder.get_or_insert_default();
            }
            Codec::Pcma | Codec::Pcmu => self.transcoder = None,
        }
        match remote.dtmf_payload {
            Some(_) => self.ear = None,
            None => {
                self.ear.get_or_insert_default();
            }
        }
        if self.destination().is_none() {
            self.outgoing.interrupt();
        }
    }

    /// Where audio may be sent now, and in which codec.
    pub fn destination(&self) -> Option<(SocketAddr, Codec)> {
        let remote = self.remote.filter(|r| r.send && is_reachable(r.rtp))?;
        self.gate.peer().map(|to| (to, remote.codec))
    }

    /// Does the leg hear others, and not a prompt?
    pub fn hears_others(&self) -> bool {
        self.player.is_none() && self.keys.is_idle() && self.destination().is_some()
    }

    pub fn kind(&self, payload_type: u8) -> Option<Kind> {
        let remote = self.remote?;
        if payload_type == remote.codec.payload_type() {
            Some(Kind::Audio)
        } else if Some(payload_type) == remote.dtmf_payload {
            Some(Kind::Key)
        } else {
            None
        }
    }

    /// Send the next frame of a key or of the prompts. False when there is no more of them.
    pub fn say(&mut self, now: Timestamp, transmit: &mut impl FnMut(Transmit<'_>)) -> bool {
        if self.player.is_none() && self.keys.is_idle() {
            return false;
        }
        let Some(remote) = self.remote else {
            return true;
        };
        let mut frame = [0; FRAME_SAMPLES];
        if let Some((payload, starts)) = self.keys.next() {
            if let (Some((to, _)), Some(payload_type)) = (self.destination(), remote.dtmf_payload) {
                let mut stamp = self.outgoing.local(now);
                if starts {
                    self.keys.timestamp = stamp.timestamp;
                }
                (stamp.timestamp, stamp.marker) = (self.keys.timestamp, starts);
                self.send(to, payload_type, stamp, &payload, transmit);
            }
            return true;
        }
        if !self.player.as_mut().is_some_and(|p| p.fill(&mut frame)) {
            // The pause between two keys, or the end.
            self.outgoing.interrupt();
            return !self.keys.is_idle();
        }
        if let Some((to, codec)) = self.destination() {
            self.translate(Law::A, codec, &mut frame);
            let stamp = self.outgoing.local(now);
            self.send(to, codec.payload_type(), stamp, &frame, transmit);
        }
        true
    }

    /// Send a frame of the mix.
    pub fn say_sum(
        &mut self,
        now: Timestamp,
        sum: &[i32; FRAME_SAMPLES],
        transmit: &mut impl FnMut(Transmit<'_>),
    ) {
        let (Some((to, codec)), Some(guard)) = (self.destination(), self.mix.as_mut()) else { return };
        let mut frame = [0; FRAME_SAMPLES];
        match (codec.law(), &mut self.transcoder) {
            (Some(Law::A), _) => guard.encode(sum, &mut frame, g711::encode_alaw),
            (Some(Law::Mu), _) => guard.encode(sum, &mut frame, g711::encode_ulaw),
            (None, Some(transcoder)) => guard.encode(sum, &mut frame, |sample| transcoder.encode(sample)),
            (None, None) => return,
        }
        let stamp = self.outgoing.local(now);
        self.send(to, codec.payload_type(), stamp, &frame, transmit);
    }

    /// Make G.711 audio what the peer speaks.
    pub fn translate(&mut self, from: Law, to: Codec, bytes: &mut [u8]) {
        match (to.law(), &mut self.transcoder) {
            (Some(to), _) => {
                if let Some(table) = from.translation(to) {
                    g711::translate(table, bytes);
                }
            }
            (None, Some(transcoder)) => transcoder.encode_all(from, bytes),
            (None, None) => {}
        }
    }

    /// The audio that came last, for a mix that begins with it.
    pub fn latest(&mut self) -> &Latest {
        if let Some(transcoder) = &mut self.transcoder {
            self.latest.decode(transcoder);
        }
        &self.latest
    }

    /// Send a packet that lies in its datagram already: the header is written right before the payload.
    pub fn forward(
        &mut self,
        now: Timestamp,
        packet: &Packet,
        restarted: bool,
        payload_type: u8,
        bytes: &mut [u8],
        transmit: &mut impl FnMut(Transmit<'_>),
    ) {
        let Some((to, _)) = self.destination() else {
            return;
        };
        if let Some(stamp) = self.outgoing.relay(now, packet, restarted) {
            let datagram = &mut bytes[packet.payload.start - HEADER_BYTES..packet.payload.end];
            write_header(datagram, payload_type, stamp);
            self.outgoing.count(packet.payload.len());
            transmit(Transmit { port: self.port, to, bytes: datagram });
        }
    }

    /// May this be the peer's RTCP? It comes from the negotiated address, or from the host whose RTP we
    /// take; if that was proved by symmetric RTP, our reports go back the same way.
    pub fn admits_rtcp(&mut self, from: SocketAddr) -> bool {
        let (Some(remote), Some(peer)) = (self.remote, self.gate.peer()) else {
            return false;
        };
        if peer.ip() == from.ip() && peer != remote.rtp {
            self.rtcp_proved = Some(from);
        }
        remote.rtcp == from || peer.ip() == from.ip()
    }

    pub fn note_report(&mut self, now: Timestamp, heard: &report::Heard) {
        self.of_us = heard.of_us.or(self.of_us);
        self.peer_report = heard.sent_at.map(|quote| (quote, now)).or(self.peer_report);
    }

    /// The report that is due, or the one that says goodbye, and where it goes.
    pub fn report(&mut self, now: Timestamp, cname: &str, leaving: bool) -> Option<(SocketAddr, Bytes)> {
        let remote = self.remote?;
        let to = self.rtcp_proved.or(is_reachable(remote.rtcp).then_some(remote.rtcp))?;
        let ssrc = self.outgoing.ssrc();
        let heard = self.reception.report().map(|figures| ReceptionReport {
            ssrc: figures.ssrc,
            fraction_lost: figures.fraction_lost,
            total_lost: report::lost_field(self.reception.lost()),
            last_sequence_number: figures.highest,
            jitter: self.reception.jitter_us() / 125,
            last_sender_report: self.peer_report.map_or(0, |(quote, _)| quote),
            delay: self.peer_report.map_or(0, |(_, at)| (ms_between(at, now) * 65_536 / 1000) as u32),
        });
        let sent = (self.outgoing.packets > self.sent_reported).then(|| Sent {
            rtp_time: self.outgoing.timestamp_at(now),
            packets: self.outgoing.packets,
            octets: self.outgoing.octets,
        });
        self.sent_reported = self.outgoing.packets;
        report::compose(now, ssrc, sent.as_ref(), heard, cname, leaving).map(|bytes| (to, bytes))
    }

    pub fn stats(&self) -> LegStats {
        LegStats {
            packets_received: self.reception.received(),
            packets_sent: self.outgoing.packets,
            packets_lost: self.reception.lost(),
            jitter_us: self.reception.jitter_us(),
            remote_packets_lost: self.of_us.map(|(lost, _)| lost),
            remote_jitter_us: self.of_us.map(|(_, jitter)| jitter),
            packets_stray: self.strays,
        }
    }

    fn send(
        &mut self,
        to: SocketAddr,
        payload_type: u8,
        stamp: Stamp,
        payload: &[u8],
        transmit: &mut impl FnMut(Transmit<'_>),
    ) {
        let mut datagram = [0; HEADER_BYTES + FRAME_SAMPLES];
        write_header(&mut datagram, payload_type, stamp);
        let end = HEADER_BYTES + payload.len();
        datagram[HEADER_BYTES..end].copy_from_slice(payload);
        self.outgoing.count(payload.len());
        transmit(Transmit { port: self.port, to, bytes: &datagram[..end] });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_leg_takes_less_than_2_kib() {
        assert!(size_of::<Leg>() <= 1024, "{}", size_of::<Leg>());
    }
}

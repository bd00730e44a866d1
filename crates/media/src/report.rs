//! RTCP (RFC 3550 section 6), through the `rtcp` crate: our reports, and what the peer's say.
//!
//! A compound datagram is walked here, by the lengths of its parts, and only sender and receiver reports
//! are shown to the crate's parsers: the others would allocate as much as a stranger asks them to.

use bytes::Bytes;
use domain::Timestamp;
use rtcp::goodbye::Goodbye;
use rtcp::header::{HEADER_LENGTH, Header, PacketType};
use rtcp::packet::Packet;
use rtcp::receiver_report::ReceiverReport;
use rtcp::reception_report::ReceptionReport;
use rtcp::sender_report::SenderReport;
use rtcp::source_description::{SdesType, SourceDescription, SourceDescriptionChunk, SourceDescriptionItem};
use webrtc_util::marshal::Unmarshal;

/// Parts of one datagram that are looked at.
const PARTS_MAX: usize = 8;
/// Seconds from the epoch of NTP (1900) to that of UTC timestamps (1970).
const NTP_EPOCH_S: u64 = 2_208_988_800;
/// The cumulative loss of a report block has 24 bits and a sign.
const LOST_MAX: i64 = 0x7F_FFFF;

/// What we have sent, for a sender report.
pub(crate) struct Sent {
    pub rtp_time: u32,
    pub packets: u64,
    pub octets: u64,
}

/// What a datagram from the peer says of us, and what we need to answer it.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Heard {
    /// Packets lost and jitter in µs of the stream that we send.
    pub of_us: Option<(i64, u32)>,
    /// The middle 32 bits of the NTP time of its sender report, which we quote back.
    pub sent_at: Option<u32>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an RTCP datagram")]
pub(crate) struct NotRtcp;

/// A compound datagram: a report (sender's if `sent`), our CNAME, and a goodbye if we are leaving.
pub(crate) fn compose(
    now: Timestamp,
    ssrc: u32,
    sent: Option<&Sent>,
    heard: Option<ReceptionReport>,
    cname: &str,
    leaving: bool,
) -> Option<Bytes> {
    let reports = heard.into_iter().collect();
    let report: Box<dyn Packet + Send + Sync> = match sent {
        Some(sent) => Box::new(SenderReport {
            ssrc,
            ntp_time: ntp(now),
            rtp_time: sent.rtp_time,
            packet_count: sent.packets as u32,
            octet_count: sent.octets as u32,
            reports,
            ..Default::default()
        }),
        None => Box::new(ReceiverReport { ssrc, reports, ..Default::default() }),
    };
    let name = SourceDescriptionItem {
        sdes_type: SdesType::SdesCname,
        text: Bytes::copy_from_slice(cname.as_bytes()),
    };
    let chunk = SourceDescriptionChunk { source: ssrc, items: vec![name] };
    let mut parts = vec![report, Box::new(SourceDescription { chunks: vec![chunk] })];
    if leaving {
        parts.push(Box::new(Goodbye { sources: vec![ssrc], ..Default::default() }));
    }
    rtcp::packet::marshal(&parts).ok()
}

pub(crate) fn parse(mut bytes: &[u8], our_ssrc: u32) -> Result<Heard, NotRtcp> {
    let mut heard = Heard::default();
    for _ in 0..PARTS_MAX {
        if bytes.is_empty() {
            break;
        }
        let header = Header::unmarshal(&mut &*bytes).map_err(|_| NotRtcp)?;
        let length = HEADER_LENGTH + usize::from(header.length) * 4;
        let mut part = bytes.get(..length).ok_or(NotRtcp)?;
        bytes = &bytes[length..];
        let reports = match header.packet_type {
            PacketType::SenderReport => {
                let report = SenderReport::unmarshal(&mut part).map_err(|_| NotRtcp)?;
                heard.sent_at = Some((report.ntp_time >> 16) as u32);
                report.reports
            }
            PacketType::ReceiverReport => ReceiverReport::unmarshal(&mut part).map_err(|_| NotRtcp)?.reports,
            _ => continue,
        };
        if let Some(block) = reports.iter().find(|r| r.ssrc == our_ssrc) {
            heard.of_us = Some((signed_24(block.total_lost), block.jitter.saturating_mul(125)));
        }
    }
    Ok(heard)
}

/// A loss count as the 24 bits of a report block.
pub(crate) fn lost_field(lost: i64) -> u32 {
    (lost.clamp(-LOST_MAX - 1, LOST_MAX) & 0xFF_FFFF) as u32
}

fn signed_24(field: u32) -> i64 {
    i64::from((field << 8) as i32 >> 8)
}

fn ntp(now: Timestamp) -> u64 {
    let ms = u64::try_from(now.as_ms()).unwrap_or(0);
    let seconds = ms / 1000 + NTP_EPOCH_S;
    (seconds << 32) + ((ms % 1000) << 32) / 1000
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use proptest::test_runner::RngSeed;

    fn block(ssrc: u32, lost: i64, jitter: u32) -> ReceptionReport {
        ReceptionReport { ssrc, total_lost: lost_field(lost), jitter, ..Default::default() }
    }

    #[test]
    fn what_is_composed_says_what_the_peer_needs() {
        let now = Timestamp::from_ms(1_500);
        let sent = Sent { rtp_time: 9, packets: 3, octets: 480 };
        let check = |sent: Option<&Sent>, leaving, lost: i64, sent_at| {
            let mut bytes = compose(now, 1, sent, Some(block(7, lost, 16)), "c", leaving).unwrap();
            assert_eq!(bytes.len() % 4, 0);
            assert_eq!(parse(&bytes, 7), Ok(Heard { of_us: Some((lost, 2000)), sent_at }));
            assert_eq!(parse(&bytes, 8).unwrap().of_us, None);
            let parts = rtcp::packet::unmarshal(&mut bytes).unwrap();
            assert_eq!(parts.len(), if leaving { 3 } else { 2 });
        };
        let middle = ((1 + NTP_EPOCH_S) as u32) << 16 | 0x8000;
        check(Some(&sent), false, 5, Some(middle));
        check(None, false, -3, None);
        check(Some(&sent), true, 0x7F_FFFF, Some(middle));
    }

    #[test]
    fn lengths_that_lie_are_refused_and_long_compounds_cut_short() {
        assert_eq!(parse(&[0x80, 201, 0, 5, 0, 0, 0, 1], 1), Err(NotRtcp));
        assert_eq!(parse(&[0x9F, 201, 0, 1, 0, 0, 0, 1], 1), Err(NotRtcp));
        assert_eq!(parse(&[0x40, 201, 0, 0], 1), Err(NotRtcp));
        let mut many = [0x80, 204, 0, 0].repeat(PARTS_MAX);
        many.extend_from_slice(&[0xFF; 40]);
        assert_eq!(parse(&many, 1), Ok(Heard::default()));
    }

    proptest! {
        #![proptest_config(ProptestConfig {
            rng_seed: RngSeed::Fixed(12_348),
            failure_persistence: None,
            ..ProptestConfig::default()
        })]

        #[test]
        fn no_datagram_makes_the_parser_panic(
            kind in 195u8..212, bytes in proptest::collection::vec(any::<u8>(), 0..160)
        ) {
            let _ = parse(&bytes, 1);
            let mut shaped = vec![0x80 | bytes.first().unwrap_or(&0) & 0x3F, kind, 0, (bytes.len() / 4) as u8];
            shaped.extend_from_slice(&bytes[..bytes.len() / 4 * 4]);
            let _ = parse(&shaped, 1);
        }
    }
}

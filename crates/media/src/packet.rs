//! RTP headers (RFC 3550 section 5.1), read and written through the `rtp` crate.
//!
//! The crate's own parser trusts the lengths that a packet claims for its extensions, and collects CSRCs
//! and extensions in vectors. So the lengths are checked here, and it is shown only the fixed twelve
//! bytes, for which it neither fails nor allocates. CSRCs and extensions are skipped, never forwarded.

use rtp::header::Header;
use std::ops::Range;
use webrtc_util::marshal::{Marshal, Unmarshal};

/// The fixed header.
pub const HEADER_BYTES: usize = 12;
/// The longest payload taken: G.711 that fills an Ethernet frame, 182 ms.
pub const PAYLOAD_BYTES_MAX: usize = 1460;

/// Why a datagram is no RTP packet of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    #[error("shorter than its header")]
    Short,
    #[error("not RTP version 2")]
    Version,
    #[error("padding longer than the payload")]
    Padding,
    #[error("payload longer than a frame of Ethernet")]
    Long,
}

/// A packet in its datagram: the fields that matter, and where the payload lies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Packet {
    pub marker: bool,
    pub payload_type: u8,
    pub sequence: u16,
    pub timestamp: u32,
    pub ssrc: u32,
    pub payload: Range<usize>,
}

/// What a packet that leaves says about itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stamp {
    pub marker: bool,
    pub sequence: u16,
    pub timestamp: u32,
    pub ssrc: u32,
}

pub(crate) fn parse(bytes: &[u8]) -> Result<Packet, Malformed> {
    let mut fixed: [u8; HEADER_BYTES] =
        bytes.get(..HEADER_BYTES).and_then(|b| b.try_into().ok()).ok_or(Malformed::Short)?;
    if fixed[0] >> 6 != 2 {
        return Err(Malformed::Version);
    }
    let payload = payload_range(bytes)?;
    fixed[0] = 0x80;
    let header = Header::unmarshal(&mut &fixed[..]).map_err(|_| Malformed::Short)?;
    Ok(Packet {
        marker: header.marker,
        payload_type: header.payload_type,
        sequence: header.sequence_number,
        timestamp: header.timestamp,
        ssrc: header.ssrc,
        payload,
    })
}

/// Write the fixed header into the first twelve bytes of `bytes`.
pub(crate) fn write_header(bytes: &mut [u8], payload_type: u8, stamp: Stamp) {
    let header = Header {
        version: 2,
        marker: stamp.marker,
        payload_type,
        sequence_number: stamp.sequence,
        timestamp: stamp.timestamp,
        ssrc: stamp.ssrc,
        ..Header::default()
    };
    header.marshal_to(bytes).expect("every caller passes at least twelve bytes, and the header has no more");
}

fn payload_range(bytes: &[u8]) -> Result<Range<usize>, Malformed> {
    let first = bytes[0];
    let mut start = HEADER_BYTES + usize::from(first & 0x0F) * 4;
    if first & 0x10 != 0 {
        let words = bytes.get(start + 2..start + 4).ok_or(Malformed::Short)?;
        start += 4 + usize::from(u16::from_be_bytes([words[0], words[1]])) * 4;
    }
    let mut end = bytes.len();
    if start > end {
        return Err(Malformed::Short);
    }
    if first & 0x20 != 0 {
        let padding = usize::from(bytes[end - 1]);
        if padding == 0 || padding > end - start {
            return Err(Malformed::Padding);
        }
        end -= padding;
    }
    if end - start > PAYLOAD_BYTES_MAX {
        return Err(Malformed::Long);
    }
    Ok(start..end)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use proptest::test_runner::RngSeed;

    fn check(bytes: &[u8], expect: &Result<Range<usize>, Malformed>) {
        assert_eq!(&parse(bytes).map(|p| p.payload), expect, "{bytes:02x?}");
    }

    fn with(first: u8, rest: &[u8]) -> Vec<u8> {
        let mut bytes = vec![first, 8, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3];
        bytes.extend_from_slice(rest);
        bytes
    }

    #[test]
    fn the_payload_is_found_behind_csrcs_and_extensions_and_before_padding() {
        check(&with(0x80, &[1, 2]), &Ok(12..14));
        check(&with(0x80, &[]), &Ok(12..12));
        check(&with(0x81, &[0, 0, 0, 9, 1]), &Ok(16..17));
        check(&with(0x90, &[0xBE, 0xDE, 0, 1, 1, 1, 1, 1, 7]), &Ok(20..21));
        check(&with(0xA0, &[7, 7, 0, 2]), &Ok(12..14));
        check(&with(0xA0, &[2, 2]), &Ok(12..12));
    }

    #[test]
    fn lies_about_lengths_are_refused() {
        check(&[], &Err(Malformed::Short));
        check(&[0x80; 11], &Err(Malformed::Short));
        check(&with(0x40, &[1]), &Err(Malformed::Version));
        check(&with(0x8F, &[0; 59]), &Err(Malformed::Short));
        check(&with(0x90, &[0xBE, 0xDE, 0]), &Err(Malformed::Short));
        check(&with(0x90, &[0xBE, 0xDE, 0xFF, 0xFF, 1]), &Err(Malformed::Short));
        check(&with(0xA0, &[]), &Err(Malformed::Padding));
        check(&with(0xA0, &[0]), &Err(Malformed::Padding));
        check(&with(0xA0, &[1, 4]), &Err(Malformed::Padding));
        check(&with(0x80, &[0; PAYLOAD_BYTES_MAX + 1]), &Err(Malformed::Long));
    }

    #[test]
    fn what_is_written_is_read_back() {
        let stamp = Stamp { marker: true, sequence: 0xFFFF, timestamp: 0x8000_0001, ssrc: 7 };
        let mut bytes = [0u8; 14];
        write_header(&mut bytes, 101, stamp);
        let packet = parse(&bytes).unwrap();
        assert_eq!(packet.payload_type, 101);
        let back = Stamp {
            marker: packet.marker,
            sequence: packet.sequence,
            timestamp: packet.timestamp,
            ssrc: packet.ssrc,
        };
        assert_eq!((back, packet.payload), (stamp, 12..14));
    }

    proptest! {
        #![proptest_config(ProptestConfig {
            rng_seed: RngSeed::Fixed(12_348),
            failure_persistence: None,
            ..ProptestConfig::default()
        })]

        #[test]
        fn no_datagram_makes_the_parser_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            if let Ok(packet) = parse(&bytes) {
                prop_assert!(packet.payload.start >= HEADER_BYTES && packet.payload.end <= bytes.len());
            }
        }
    }
}

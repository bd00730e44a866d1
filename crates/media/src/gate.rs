//! Whose packets a leg takes: those from the address that was negotiated, or from the one that symmetric
//! RTP proved within the first second (a phone behind a NAT). Everybody else is a stranger.
//!
//! In that second the negotiated address always wins; another one is believed after two packets of one
//! source in sequence (RFC 3550 appendix A.1 asks the same of a new source). After it, nothing moves
//! until an offer names a different address.

use crate::packet::Packet;
use domain::Timestamp;
use std::net::SocketAddr;
use std::time::Duration;

/// How long symmetric RTP may prove an address, from the moment the peer was named.
const PROOF_TIME: Duration = Duration::from_secs(1);

#[derive(Default)]
pub(crate) struct Gate {
    negotiated: Option<SocketAddr>,
    proved: Option<SocketAddr>,
    until: Timestamp,
    candidate: Option<Candidate>,
}

struct Candidate {
    from: SocketAddr,
    ssrc: u32,
    next: u16,
}

impl Gate {
    /// An offer or answer named the peer. Naming the same again changes nothing, so a phone behind a NAT
    /// stays reachable over a hold; an address that nobody can have (an old way to hold) neither.
    pub fn expect(&mut self, now: Timestamp, remote: SocketAddr) {
        if self.negotiated != Some(remote) && is_reachable(remote) {
            *self = Self { negotiated: Some(remote), proved: None, until: now + PROOF_TIME, candidate: None };
        }
    }

    /// Where to send.
    pub fn peer(&self) -> Option<SocketAddr> {
        self.proved.or(self.negotiated)
    }

    pub fn admits(&mut self, now: Timestamp, from: SocketAddr, packet: &Packet) -> bool {
        if now >= self.until {
            return self.peer() == Some(from);
        }
        if self.negotiated == Some(from) {
            self.proved = Some(from);
            return true;
        }
        if self.proved.is_some() {
            return self.proved == Some(from);
        }
        let confirmed = self
            .candidate
            .as_ref()
            .is_some_and(|c| c.from == from && c.ssrc == packet.ssrc && c.next == packet.sequence);
        if confirmed {
            self.proved = Some(from);
        } else {
            let next = packet.sequence.wrapping_add(1);
            self.candidate = Some(Candidate { from, ssrc: packet.ssrc, next });
        }
        confirmed
    }
}

pub(crate) fn is_reachable(address: SocketAddr) -> bool {
    !address.ip().is_unspecified() && address.port() != 0
}

#[cfg(test)]
mod tests {
    use super::*;

    const PEER: &str = "192.0.2.1:4000";
    const NAT: &str = "198.51.100.7:61000";
    const STRANGER: &str = "203.0.113.9:5000";

    fn address(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    /// (ms since the peer was named, from, sequence, admitted?)
    fn check(packets: &[(i64, &str, u16, bool)]) {
        let mut gate = Gate::default();
        gate.expect(Timestamp::from_ms(0), address(PEER));
        for (ms, from, sequence, expect) in packets {
            let packet = Packet {
                marker: false,
                payload_type: 8,
                sequence: *sequence,
                timestamp: 0,
                ssrc: 1,
                payload: 12..12,
            };
            let admitted = gate.admits(Timestamp::from_ms(*ms), address(from), &packet);
            assert_eq!(admitted, *expect, "{ms} ms, {from}, {sequence} of {packets:?}");
        }
    }

    #[test]
    fn the_negotiated_address_is_taken_at_any_time_and_strangers_never() {
        check(&[
            (0, PEER, 1, true),
            (10, STRANGER, 1, false),
            (20, STRANGER, 2, false),
            (9000, PEER, 3, true),
        ]);
        check(&[(5000, STRANGER, 1, false), (5020, STRANGER, 2, false), (5040, PEER, 1, true)]);
    }

    #[test]
    fn a_phone_behind_a_nat_proves_itself_with_two_packets_in_sequence() {
        check(&[(0, NAT, 9, false), (20, NAT, 10, true), (2000, NAT, 11, true), (2001, PEER, 1, false)]);
        check(&[(0, NAT, 9, false), (20, STRANGER, 10, false), (40, NAT, 11, false), (60, NAT, 12, true)]);
    }

    #[test]
    fn proof_comes_too_late_after_a_second() {
        check(&[(990, NAT, 9, false), (1010, NAT, 10, false), (1030, NAT, 11, false)]);
    }

    #[test]
    fn the_negotiated_address_wins_while_the_second_lasts() {
        check(&[(0, NAT, 9, false), (20, NAT, 10, true), (40, PEER, 1, true), (60, NAT, 11, false)]);
    }

    #[test]
    fn naming_the_same_address_again_keeps_what_was_proved() {
        let mut gate = Gate::default();
        let packet = |sequence| Packet {
            marker: false,
            payload_type: 8,
            sequence,
            timestamp: 0,
            ssrc: 1,
            payload: 12..12,
        };
        gate.expect(Timestamp::from_ms(0), address(PEER));
        gate.admits(Timestamp::from_ms(0), address(NAT), &packet(1));
        gate.admits(Timestamp::from_ms(0), address(NAT), &packet(2));
        gate.expect(Timestamp::from_ms(9000), address(PEER));
        gate.expect(Timestamp::from_ms(9000), address("0.0.0.0:4000"));
        assert_eq!(gate.peer(), Some(address(NAT)));
        gate.expect(Timestamp::from_ms(9000), address(STRANGER));
        assert_eq!(gate.peer(), Some(address(STRANGER)));
    }
}

//! What is said to a [`crate::Machine`] and what it says back.

use crate::g711::Law;
use domain::{LegStats, Timestamp};
use serde::{Deserialize, Serialize};
use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

/// One party's audio: a local port pair and the peer behind it. Chosen by whoever opens it, unique over
/// the life of the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct LegId(pub u64);

/// One file; unique over all shards.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct RecordingId(pub u64);

/// So many others a leg can hear: a conference of eight.
pub const SOURCES_MAX: usize = 7;
/// So many on our side are recorded at a time.
pub const OTHERS_MAX: usize = 4;

/// One byte is 1/8000 s in all of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Codec {
    /// G.711 A-law, what Chinese trunks speak.
    Pcma,
    /// G.711 µ-law.
    Pcmu,
    /// G.722 at 64 kbit/s, what desk phones speak among themselves. Heard and said by anything else than another G.722
    /// leg, it is narrowband.
    G722,
}

impl Codec {
    /// The static payload type (RFC 3551 table 4).
    #[must_use]
    pub const fn payload_type(self) -> u8 {
        match self {
            Self::Pcma => 8,
            Self::Pcmu => 0,
            Self::G722 => 9,
        }
    }

    /// The law of G.711.
    pub(crate) fn law(self) -> Option<Law> {
        match self {
            Self::Pcma => Some(Law::A),
            Self::Pcmu => Some(Law::Mu),
            Self::G722 => None,
        }
    }
}

/// The peer of a leg as the latest offer and answer settled it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Remote {
    pub rtp: SocketAddr,
    pub rtcp: SocketAddr,
    pub codec: Codec,
    /// Payload type of telephone-event (RFC 4733), in both directions. Without one, keys are heard as tones.
    pub dtmf_payload: Option<u8>,
    /// We may send audio to it; false while it holds us.
    pub send: bool,
    /// It may send audio to us; false while we hold it.
    pub receive: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Take a port pair into use. `port` is the local RTP port (even); RTCP is the next one. The peer may
    /// be named later; from the moment it is, symmetric RTP may prove another address for one second.
    Open { leg: LegId, port: u16, remote: Option<Remote> },
    /// The peer, its codec or the direction changed.
    Update { leg: LegId, remote: Remote },
    /// The port pair is free again. Always answered by [`Event::Closed`].
    Close { leg: LegId },
    /// Play A-law prompts one after the other, instead of what the leg heard until now: a bridged leg
    /// stops hearing its partner until the prompts end or [`Command::Stop`]. Answered by
    /// [`Event::Played`] when they were heard to the end; a repeated list never ends by itself.
    Play { leg: LegId, prompts: Vec<Arc<[u8]>>, repeat: bool, tag: u64 },
    /// End a playing list, without an event.
    Stop { leg: LegId },
    /// Press keys towards the peer (RFC 4733), one after the other, over whatever is playing. Digits,
    /// `*`, `#` and `A` to `D`; others are ignored. For phones, which dial through menus.
    Press { leg: LegId, digits: String },
    /// Let two legs of this shard hear each other, and nobody else any of them. Ends what either is playing.
    Bridge { a: LegId, b: LegId },
    /// From now on each of these legs hears those others of its shard, up to [`SOURCES_MAX`], and nobody else; what it
    /// plays goes on. The packets of a single other are passed on as they come, keys too; of several the audio is mixed.
    Arrange { hears: Vec<(LegId, Vec<LegId>)> },
    /// Record the caller's audio on the left channel from now on. `file` is relative to the recordings
    /// folder. The first segment has no tag.
    Record { recording: RecordingId, caller: LegId, file: String },
    /// From now on the right channel is what is heard of `others`, up to [`OTHERS_MAX`], and a new segment begins:
    /// tagged `tag` if there are any, untagged if not.
    SetOthers { recording: RecordingId, others: Vec<LegId>, tag: u64 },
    /// The file is complete. Answered by [`Event::Recorded`], from the thread that writes files.
    StopRecording { recording: RecordingId },
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A key was pressed, by telephone-event or, where none was agreed on, by its tones. Reported once a key, when
    /// it goes down.
    Dtmf { leg: LegId, digit: char },
    /// The prompts of a `Play` that does not repeat were heard to the end.
    Played { leg: LegId, tag: u64 },
    /// The last event of a leg.
    Closed { leg: LegId, stats: LegStats },
    /// Nothing came from the peer for the configured time although it may send. Once per silence.
    Silent { leg: LegId },
    /// A file is closed, with what could be written of it.
    Recorded { recording: RecordingId, file: String, duration_ms: u64, segments: Vec<Segment> },
}

/// A part of a recording during which the same people were heard.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Segment {
    /// From the start of the recording; the first sample byte is at 16 times this in the data chunk.
    pub offset_ms: u64,
    pub duration_ms: u64,
    /// The tag of [`Command::SetOthers`]; none while nobody was on our side.
    pub tag: Option<u64>,
    /// SHA-256 of the segment's sample bytes, both channels interleaved as in the file; lower-case hex.
    pub sha256: String,
}

/// A datagram to send from a local port. The bytes are the caller's only during the call.
#[derive(Debug, PartialEq, Eq)]
pub struct Transmit<'a> {
    /// Local port: even for RTP, odd for RTCP.
    pub port: u16,
    pub to: SocketAddr,
    pub bytes: &'a [u8],
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    Event(Event),
    Recording(RecordingJob),
}

/// Work for whoever writes files, in order per recording. Positions are in stereo frames (1/8000 s) from
/// the start of the recording; a chunk that got lost on the way shows as a gap in the positions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RecordingJob {
    Open {
        recording: RecordingId,
        file: String,
    },
    /// Interleaved A-law, left first; at most half a second. Give the buffer back to
    /// [`crate::Machine::recycle`].
    Samples {
        recording: RecordingId,
        at: u64,
        samples: Vec<u8>,
    },
    Segment {
        recording: RecordingId,
        at: u64,
        tag: Option<u64>,
    },
    Close {
        recording: RecordingId,
        at: u64,
    },
}

#[derive(Clone, Debug)]
pub struct Config {
    /// Seeds SSRCs, first sequence numbers and timestamps, and the CNAME: take it from the system's
    /// randomness, so that strangers cannot guess them.
    pub seed: u64,
    /// Every `Open` must name an even port of this range.
    pub ports: RangeInclusive<u16>,
    /// After this long without a packet a leg is reported [`Event::Silent`].
    pub silence_timeout: Duration,
}

impl Config {
    #[must_use]
    pub fn new(seed: u64, ports: RangeInclusive<u16>) -> Self {
        Self { seed, ports, silence_timeout: Duration::from_secs(30) }
    }
}

/// What the machine dropped, since its start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// RTP or RTCP for a port on which no leg is open.
    pub packets_unexpected: u64,
    /// Not RTP, or lying about its own lengths.
    pub packets_malformed: u64,
    /// From an address that a leg never negotiated or proved.
    pub packets_stray: u64,
    /// Of a payload type that was not agreed on.
    pub packets_unnegotiated: u64,
    /// RTCP that is not RTCP.
    pub reports_malformed: u64,
    /// Commands that named an unknown leg, recording or port.
    pub commands_ignored: u64,
}

/// Milliseconds from one to the other, zero if the clock went backwards.
pub(crate) fn ms_between(earlier: Timestamp, later: Timestamp) -> u64 {
    u64::try_from((later - earlier).as_millis()).unwrap_or(u64::MAX)
}

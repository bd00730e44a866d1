//! RTP + now ↔ audio: relay, prompts, keys, reports and recordings of the legs of one shard.
//!
//! [`Machine`] is the whole of it: commands and packets go in, packets leave through a sink that the
//! caller passes, events and recording jobs are drained with [`Machine::poll_output`]. The same-codec
//! path leaves the payload untouched and neither allocates, locks nor waits. What is not passed on untouched is
//! G.711 inside: G.722 becomes A-law when it comes and is made anew when it leaves.
//!
//! Deliberately absent: sockets, files, threads, clocks and randomness (a seed comes in with [`Config`]);
//! knowledge of calls, agents or SIP. A leg is a port, a peer and what is done with its audio.

mod api;
mod dtmf;
pub mod g711;
pub mod g722;
mod gate;
mod jitter;
mod leg;
mod machine;
mod mix;
mod outgoing;
mod packet;
mod play;
mod reception;
mod recording;
mod report;
mod timeline;
mod tones;
pub mod wav;

pub use api::{
    Codec, Command, Config, Counters, Event, LegId, OTHERS_MAX, Output, RecordingId, RecordingJob, Remote,
    SOURCES_MAX, Segment, Transmit,
};
pub use domain::{LegStats, Timestamp};
pub use machine::Machine;
pub use packet::{HEADER_BYTES, Malformed, PAYLOAD_BYTES_MAX};
pub use play::{FRAME_MS, FRAME_SAMPLES};

/// Samples per second of G.711 (RFC 3551 section 4.5.14) and the RTP clock rate of every codec here, G.722 too
/// (section 4.5.2).
pub const SAMPLE_RATE_HZ: u32 = 8000;
/// The same per millisecond.
pub const SAMPLES_PER_MS: u64 = 8;

//! Where packets belong on a line of time that several senders share.
//!
//! It is said by the RTP timestamp, anchored to the time at which packets arrive: a packet ends when it arrives, less
//! what the network delayed it. The anchor follows the least delayed packets: at once to earlier ones, so a slow first
//! packet shifts nothing by more than 10 ms; to later ones only when they are 60 ms behind, for that cuts a gap into
//! speech.
//!
//! Times are in frames, 1/8000 s, from a start that whoever keeps the line has chosen.

use std::ops::Range;

/// How much later than the least delayed a packet may come and still be one that was held up: 400 ms.
pub(crate) const WINDOW_FRAMES: i64 = 3200;
/// A packet that lies this much before its anchor moves it: 10 ms.
const EARLY_FRAMES: i64 = 80;
/// When even the least delayed packet lies this much behind, the sender's clock is slow: 60 ms.
const DRIFT_FRAMES: i64 = 480;
/// Packets over which the least delay is sought: 2 s.
const DRIFT_PACKETS: u16 = 100;
/// Packets in a row beyond the window after which the sender's clock must have stood still.
const LATE_PACKETS: u16 = 10;

/// A piece of what was heard.
pub(crate) struct Heard<'a> {
    pub ssrc: u32,
    pub timestamp: u32,
    pub payload: &'a [u8],
}

/// Where a packet's first sample lies. If it shows that those before it came late, then also the frames
/// that were laid before and by how much they belong earlier.
pub(crate) struct Place {
    pub frame: i64,
    pub back: Option<(Range<i64>, i64)>,
}

/// How one sender's RTP timestamps lie on the line.
#[derive(Default)]
pub(crate) struct Timeline {
    anchor: Option<Anchor>,
    /// The frames that were laid with this anchor.
    first: i64,
    end: i64,
    /// Least delay against the anchor among the latest packets, and how many those are.
    least_delay: i64,
    packets: u16,
    /// Packets in a row that came after their window.
    late: u16,
}

#[derive(Clone, Copy)]
struct Anchor {
    ssrc: u32,
    timestamp: u32,
    /// Where that timestamp's sample lies.
    frame: i64,
}

impl Timeline {
    /// Find the place of a packet that arrived at the frame `arrival`.
    pub fn place(&mut self, arrival: i64, heard: &Heard<'_>) -> Place {
        let length = heard.payload.len() as i64;
        let undelayed = arrival - length;
        let Some(anchor) = self.anchor.filter(|a| a.ssrc == heard.ssrc) else {
            return self.anchor_at(undelayed, heard);
        };
        let mut frame = anchor.frame + i64::from(heard.timestamp.wrapping_sub(anchor.timestamp) as i32);
        let delay = undelayed - frame;
        if delay < -WINDOW_FRAMES {
            // No network was that slow: the sender's clock jumped.
            return self.anchor_at(undelayed, heard);
        }
        if delay < -EARLY_FRAMES {
            return self.anchor_earlier(undelayed, -delay, heard);
        }
        if delay > WINDOW_FRAMES {
            self.late += 1;
            let stood_still = self.late == LATE_PACKETS;
            return if stood_still { self.anchor_at(undelayed, heard) } else { Place { frame, back: None } };
        }
        let drift = self.drift(delay);
        frame += drift;
        if drift > 0 || frame >= self.end {
            // Keeps the distance to the anchor far from the wrap of the timestamp, too.
            self.anchor = Some(Anchor { frame, timestamp: heard.timestamp, ..anchor });
        }
        self.end = self.end.max(frame + length);
        Place { frame, back: None }
    }

    /// How far the anchor lags behind even the least delayed of the latest packets, if too far.
    fn drift(&mut self, delay: i64) -> i64 {
        self.late = 0;
        self.least_delay = self.least_delay.min(delay);
        self.packets += 1;
        if self.packets < DRIFT_PACKETS {
            return 0;
        }
        self.packets = 0;
        let least = std::mem::replace(&mut self.least_delay, i64::MAX);
        if least > DRIFT_FRAMES { least } else { 0 }
    }

    fn anchor_at(&mut self, frame: i64, heard: &Heard<'_>) -> Place {
        *self = Self {
            anchor: Some(Anchor { ssrc: heard.ssrc, timestamp: heard.timestamp, frame }),
            first: frame,
            end: frame + heard.payload.len() as i64,
            least_delay: i64::MAX,
            packets: 0,
            late: 0,
        };
        Place { frame, back: None }
    }

    /// The same, and the talk before belongs earlier by as much.
    fn anchor_earlier(&mut self, frame: i64, by: i64, heard: &Heard<'_>) -> Place {
        let talk = self.first..self.end;
        self.anchor_at(frame, heard);
        self.first = talk.start - by;
        self.end = self.end.max(talk.end - by);
        Place { frame, back: Some((talk, by)) }
    }
}

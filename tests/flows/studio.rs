//! A media shard that hears nothing but keeps its promises, and says in words what it is told to do.

use crate::cast::{prompt_length, prompt_name};
use domain::{LegStats, Timestamp};
use media::{Command, Event, LegId, RecordingId, Segment};
use sip::{Message, sdp};
use std::collections::BTreeMap;
use std::time::Duration;

/// Until a shard confirms that a leg is closed or a file complete.
const PROMPTLY: Duration = Duration::from_millis(2);

#[derive(Default)]
pub(crate) struct Studio {
    /// Whose audio arrives at a port of ours, by the SDP that was sent there.
    owners: BTreeMap<u16, String>,
    names: BTreeMap<LegId, String>,
    playing: BTreeMap<LegId, u64>,
    recordings: BTreeMap<RecordingId, Tape>,
}

struct Tape {
    file: String,
    since: Timestamp,
    segments: Vec<(Timestamp, Option<u64>)>,
}

/// What a ladder says of a command, and what the shard answers after a while.
type Outcome = (Option<String>, Option<(Duration, Event)>);

impl Studio {
    /// A message that the hotline sends: its SDP tells whose a port is.
    pub(crate) fn hear_of(&mut self, name: &str, message: &Message) {
        let session = message.sdp().and_then(|sdp| sdp::Session::parse(sdp).ok());
        if let Some(audio) = session.as_ref().and_then(sdp::Session::audio) {
            self.owners.insert(audio.connection.port(), name.to_owned());
        }
    }

    /// The end of a prompt that was stopped or replaced is not reported.
    pub(crate) fn is_current(&self, event: &Event) -> bool {
        match event {
            Event::Played { leg, tag } => self.playing.get(leg) == Some(tag),
            Event::Dtmf { .. } | Event::Closed { .. } | Event::Silent { .. } | Event::Recorded { .. } => true,
        }
    }

    pub(crate) fn key(&self, name: &str, digit: &str) -> Event {
        Event::Dtmf { leg: self.leg_of(name), digit: digit.chars().next().expect("a key") }
    }

    pub(crate) fn silence(&self, name: &str) -> Event {
        Event::Silent { leg: self.leg_of(name) }
    }

    /// The leg that was opened last.
    fn leg_of(&self, name: &str) -> LegId {
        let found = self.names.iter().rev().find(|(_, owner)| *owner == name);
        *found.unwrap_or_else(|| panic!("{name} has no audio")).0
    }

    pub(crate) fn obey(&mut self, now: Timestamp, command: Command) -> Outcome {
        match command {
            Command::Open { leg, port, .. } => {
                let name = self.owners.get(&port).cloned().unwrap_or_else(|| "nobody".to_owned());
                self.names.insert(leg, name);
                (None, None)
            }
            Command::Update { leg, remote } => {
                let direction = match (remote.send, remote.receive) {
                    (true, true) => "both ways",
                    (true, false) => "only sends to it",
                    (false, true) => "only receives from it",
                    (false, false) => "neither way",
                };
                let (name, port) = (self.name(leg), remote.rtp.port());
                (Some(format!("update {name}, port {port}, {direction}")), None)
            }
            Command::Close { leg } => {
                self.playing.remove(&leg);
                let closed = Event::Closed { leg, stats: LegStats::default() };
                (Some(format!("close {}", self.name(leg))), Some((PROMPTLY, closed)))
            }
            Command::Play { leg, prompts, repeat, tag } => {
                self.playing.insert(leg, tag);
                let names: Vec<&str> = prompts.iter().map(|prompt| prompt_name(prompt)).collect();
                let how = if repeat { "repeat" } else { "play" };
                let told = format!("{how} {} to {}", names.join(", "), self.name(leg));
                let length = prompts.iter().map(|prompt| prompt_length(prompt)).sum();
                (Some(told), (!repeat).then_some((length, Event::Played { leg, tag })))
            }
            Command::Stop { leg } => {
                self.playing.remove(&leg);
                (Some(format!("stop playing to {}", self.name(leg))), None)
            }
            Command::Press { leg, digits } => (Some(format!("press {digits} to {}", self.name(leg))), None),
            Command::Bridge { a, b } => (Some(format!("bridge {} {}", self.name(a), self.name(b))), None),
            Command::Arrange { hears } => {
                let each = hears
                    .iter()
                    .map(|(leg, others)| format!("{} hears {}", self.name(*leg), self.names(others)));
                (Some(each.collect::<Vec<_>>().join(", ")), None)
            }
            Command::Record { .. } | Command::SetOthers { .. } | Command::StopRecording { .. } => {
                self.record(now, command)
            }
        }
    }

    fn record(&mut self, now: Timestamp, command: Command) -> Outcome {
        match command {
            Command::Record { recording, caller, file } => {
                let tape = Tape { file, since: now, segments: vec![(now, None)] };
                self.recordings.insert(recording, tape);
                (Some(format!("record {}", self.name(caller))), None)
            }
            Command::SetOthers { recording, others, tag } => {
                if let Some(tape) = self.recordings.get_mut(&recording) {
                    tape.segments.push((now, (!others.is_empty()).then_some(tag)));
                }
                let others = if others.is_empty() { "nobody else".to_owned() } else { self.names(&others) };
                (Some(format!("record {others} beside the caller")), None)
            }
            Command::StopRecording { recording } => {
                let recorded = self.recordings.remove(&recording).map(|tape| tape.close(now, recording));
                (Some("stop recording".to_owned()), recorded.map(|event| (PROMPTLY, event)))
            }
            Command::Open { .. }
            | Command::Update { .. }
            | Command::Close { .. }
            | Command::Play { .. }
            | Command::Stop { .. }
            | Command::Press { .. }
            | Command::Bridge { .. }
            | Command::Arrange { .. } => (None, None),
        }
    }

    fn names(&self, legs: &[LegId]) -> String {
        let names: Vec<String> = legs.iter().map(|leg| self.name(*leg)).collect();
        if names.is_empty() { "nobody".to_owned() } else { names.join(" and ") }
    }

    fn name(&self, leg: LegId) -> String {
        self.names.get(&leg).cloned().unwrap_or_else(|| "nobody".to_owned())
    }
}

impl Tape {
    fn close(self, now: Timestamp, recording: RecordingId) -> Event {
        let ms = |from: Timestamp, to: Timestamp| (to - from).as_millis() as u64;
        let ends = self.segments.iter().skip(1).map(|(at, _)| *at).chain([now]);
        let segments = self.segments.iter().zip(ends).map(|((from, tag), to)| Segment {
            offset_ms: ms(self.since, *from),
            duration_ms: ms(*from, to),
            tag: *tag,
            sha256: String::new(),
        });
        let segments = segments.collect();
        Event::Recorded { recording, file: self.file, duration_ms: ms(self.since, now), segments }
    }
}

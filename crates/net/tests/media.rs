//! The media shards over real sockets on the loopback: relay, recording, keys, the end.
#![allow(clippy::unwrap_used, reason = "a test fails where it stands")]

use media::wav::Stereo;
use media::{Codec, Command, Event, LegId, RecordingId, Remote};
use net::media::{MediaConfig, MediaShards, Refused};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// An address of its own, whatever ports others have taken on 127.0.0.1.
const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 77, 0, 1));
const DEADLINE: Duration = Duration::from_secs(20);

/// Running shards, their folder and their events.
fn started(first_port: u16) -> (MediaShards, TempDir, Receiver<Event>) {
    let folder = tempfile::tempdir().unwrap();
    let (events, inbox) = sync_channel(1000);
    let config = MediaConfig {
        ports: first_port..=first_port + 199,
        pairs: 8,
        sync_every: None,
        ..MediaConfig::new(LOOPBACK, folder.path().join("recordings"))
    };
    let shards = net::media::start(&config, move |event| events.try_send(event).unwrap()).unwrap();
    (shards, folder, inbox)
}

struct Phone {
    socket: UdpSocket,
    leg: LegId,
    to: SocketAddr,
    sequence: u16,
    voice: u8,
}

impl Phone {
    fn open(shards: &MediaShards, events: &Receiver<Event>, leg: u64, port: u16, voice: u8) -> Self {
        let socket = UdpSocket::bind((LOOPBACK, 0)).unwrap();
        socket.set_read_timeout(Some(DEADLINE)).unwrap();
        let rtp = socket.local_addr().unwrap();
        let rtcp = SocketAddr::new(LOOPBACK, 9);
        let remote =
            Remote { rtp, rtcp, codec: Codec::Pcma, dtmf_payload: Some(101), send: true, receive: true };
        let leg = LegId(leg);
        shards.send(0, Command::Open { leg, port, remote: Some(remote) }).unwrap();
        // Packets and commands come by different ways: an empty list is played at once, and says so.
        shards.send(0, Command::Play { leg, prompts: vec![], repeat: false, tag: 0 }).unwrap();
        assert_eq!(events.recv_timeout(DEADLINE), Ok(Event::Played { leg, tag: 0 }));
        Self { socket, leg, to: SocketAddr::new(LOOPBACK, port), sequence: 0, voice }
    }

    fn speak(&mut self, payload_type: u8, payload: &[u8]) {
        let mut bytes = vec![0x80, payload_type];
        bytes.extend_from_slice(&self.sequence.to_be_bytes());
        bytes.extend_from_slice(&(u32::from(self.sequence) * 160).to_be_bytes());
        bytes.extend_from_slice(&self.leg.0.to_be_bytes()[4..]);
        bytes.extend_from_slice(payload);
        self.sequence += 1;
        self.socket.send_to(&bytes, self.to).unwrap();
    }

    /// The payload of the next packet heard.
    fn hear(&self) -> (SocketAddr, Vec<u8>) {
        let mut bytes = [0; 2000];
        let (length, from) = self.socket.recv_from(&mut bytes).unwrap();
        (from, bytes[12..length].to_vec())
    }
}

/// The ports of shard 0.
fn ports(shards: &MediaShards) -> Vec<u16> {
    shards.ports().iter().filter(|p| p.shard == 0).map(|p| p.port).collect()
}

#[test]
fn two_phones_hear_each_other_and_the_recording_holds_each_on_its_side() {
    let (shards, folder, events) = started(21_000);
    let ports = ports(&shards);
    let mut caller = Phone::open(&shards, &events, 1, ports[0], 0x41);
    let mut agent = Phone::open(&shards, &events, 2, ports[1], 0x61);
    let recording = RecordingId(5);
    let file = "2026/call.wav".to_owned();
    for command in [
        Command::Bridge { a: caller.leg, b: agent.leg },
        Command::Record { recording, caller: caller.leg, file: file.clone() },
        Command::SetOthers { recording, others: vec![agent.leg], tag: 8001 },
    ] {
        shards.send(0, command).unwrap();
    }
    // A second of talk, both at the same time; a third leg that hears music beats the time.
    let metronome = Phone::open(&shards, &events, 3, ports[2], 0);
    let prompts = vec![Arc::from(vec![9u8; 8000])];
    shards.send(0, Command::Play { leg: metronome.leg, prompts, repeat: true, tag: 0 }).unwrap();
    for beat in 0..50u8 {
        metronome.hear();
        let said = [caller.voice + beat; 160];
        let answer = [agent.voice + beat; 160];
        caller.speak(8, &said);
        agent.speak(8, &answer);
        assert_eq!(agent.hear(), (agent.to, said.to_vec()), "from the port that was offered");
        assert_eq!(caller.hear(), (caller.to, answer.to_vec()));
    }
    caller.speak(101, &[5, 0x8A, 3, 0xC0]);
    agent.hear();
    shards.send(0, Command::StopRecording { recording }).unwrap();
    shards.send(0, Command::Close { leg: caller.leg }).unwrap();

    let mut seen = vec![];
    while seen.len() < 3 {
        seen.push(events.recv_timeout(DEADLINE).unwrap());
    }
    assert_eq!(
        seen.iter().find(|e| matches!(e, Event::Dtmf { .. })),
        Some(&Event::Dtmf { leg: caller.leg, digit: '5' })
    );
    let closed = seen.iter().find_map(|e| match e {
        Event::Closed { stats, .. } => Some(*stats),
        Event::Dtmf { .. } | Event::Played { .. } | Event::Silent { .. } | Event::Recorded { .. } => None,
    });
    assert_eq!(closed.map(|s| (s.packets_received, s.packets_sent, s.packets_lost)), Some((51, 50, 0)));
    let recorded = seen.iter().find_map(|e| match e {
        Event::Recorded { duration_ms, segments, .. } => Some((*duration_ms, segments.clone())),
        Event::Dtmf { .. } | Event::Played { .. } | Event::Silent { .. } | Event::Closed { .. } => None,
    });
    let (duration_ms, segments) = recorded.unwrap();
    assert!((980..2000).contains(&duration_ms), "{duration_ms} ms");
    assert_eq!(segments.last().map(|s| s.tag), Some(Some(8001)));

    let bytes = std::fs::read(folder.path().join("recordings").join(file)).unwrap();
    let stereo = Stereo::parse(&bytes).unwrap();
    assert_eq!(stereo.left.len() as u64, duration_ms * 8);
    let starts = |channel: &[u8], voice: u8| -> Vec<Option<usize>> {
        (0..50).map(|beat| channel.iter().position(|b| *b == voice + beat)).collect()
    };
    // Each frame is on its side, in order, and at the same time as the answer to it.
    let (left, right) = (starts(&stereo.left, caller.voice), starts(&stereo.right, agent.voice));
    assert!(left.is_sorted() && right.is_sorted(), "{left:?} {right:?}");
    for (left, right) in left.iter().zip(&right) {
        let (Some(left), Some(right)) = (left, right) else { panic!("a frame is missing") };
        assert!(left.abs_diff(*right) <= 160, "{left} and {right}");
    }
}

#[test]
fn a_prompt_is_heard_to_its_end() {
    let (shards, _folder, events) = started(21_200);
    let caller = Phone::open(&shards, &events, 1, ports(&shards)[0], 0);
    let prompts = vec![Arc::from(vec![9u8; 480])];
    shards.send(0, Command::Play { leg: caller.leg, prompts, repeat: false, tag: 3 }).unwrap();
    for _ in 0..3 {
        assert_eq!(caller.hear().1, [9; 160]);
    }
    assert_eq!(events.recv_timeout(DEADLINE), Ok(Event::Played { leg: caller.leg, tag: 3 }));
}

#[test]
fn dropping_the_shards_completes_the_recordings() {
    let (shards, folder, events) = started(21_400);
    let mut caller = Phone::open(&shards, &events, 1, ports(&shards)[0], 0);
    let recording = RecordingId(5);
    shards.send(0, Command::Record { recording, caller: caller.leg, file: "x.wav".into() }).unwrap();
    caller.speak(8, &[0x55; 160]);
    caller.speak(101, &[1, 0x8A, 3, 0xC0]);
    assert!(matches!(events.recv_timeout(DEADLINE), Ok(Event::Dtmf { .. })), "all before it was taken");
    drop(shards);
    assert!(matches!(events.recv_timeout(DEADLINE), Ok(Event::Recorded { .. })));
    assert!(Stereo::parse(&std::fs::read(folder.path().join("recordings/x.wav")).unwrap()).is_ok());
}

#[test]
fn ports_are_dealt_out_over_the_shards_and_unknown_shards_refuse() {
    let (shards, _folder, _events) = started(21_600);
    assert_eq!(shards.ports().len(), 8);
    assert_eq!(ports(&shards).len(), 4);
    assert!(shards.ports().iter().all(|p| p.port % 2 == 0));
    let command = Command::Stop { leg: LegId(1) };
    assert_eq!(shards.send(9, command.clone()), Err(Refused::Gone(command)));
    let (more, _folder, _events) = started(21_600);
    assert!(more.ports().iter().all(|p| !shards.ports().contains(p)), "taken ports are skipped");
}

#[test]
fn strangers_are_counted() {
    let (shards, _folder, events) = started(21_800);
    let port = ports(&shards)[0];
    let mut caller = Phone::open(&shards, &events, 1, port, 0);
    let stranger = UdpSocket::bind((LOOPBACK, 0)).unwrap();
    caller.speak(8, &[1; 160]);
    stranger.send_to(&[0x80; 40], (LOOPBACK, port)).unwrap();
    stranger.send_to(&[0; 5], (LOOPBACK, port)).unwrap();
    caller.speak(101, &[1, 0x8A, 3, 0xC0]);
    assert!(matches!(events.recv_timeout(DEADLINE), Ok(Event::Dtmf { .. })));
    shards.send(0, Command::Close { leg: caller.leg }).unwrap();
    let closed = events.recv_timeout(DEADLINE);
    assert!(matches!(&closed, Ok(Event::Closed { stats, .. }) if stats.packets_stray == 1), "{closed:?}");
    // The counters are published after the events of the same turn.
    let start = Instant::now();
    while shards.counters().machines.packets_malformed == 0 && start.elapsed() < DEADLINE {
        std::thread::yield_now();
    }
    assert_eq!(shards.counters().machines.packets_malformed, 1);
}

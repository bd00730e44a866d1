//! What talks of three cost: `cargo run --release -p net --example conference_bench` prints lines of `key value`.
//!
//! A hundred conferences, recorded, on the real shards; the phones are a process of their own on the loopback, so what
//! counts is this one's CPU time, as the kernel keeps it. In the first of them the third party comes and goes all the
//! time: how long does the first phone hear nothing of the second, which says one value throughout?
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a benchmark ends where it fails")]

use media::g711::{ALAW_SILENCE, decode_alaw, encode_alaw};
use media::{Codec, Command, LegId, RecordingId, Remote};
use net::media::{MediaConfig, MediaShards};
use std::io::{BufRead, BufReader, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::process::Stdio;
use std::time::{Duration, Instant};

const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 78, 0, 1));
const CONFERENCES: usize = 100;
const WARM_UP: Duration = Duration::from_secs(3);
const MEASURED: Duration = Duration::from_secs(20);
/// How often the third party comes or goes.
const CHANGE_EVERY: Duration = Duration::from_millis(430);
const FRAME: Duration = Duration::from_millis(20);
/// Phones speak in so many groups, one after the other within a frame.
const GROUPS: usize = 10;
const LOUD: i16 = 8_000;
/// The kernel's unit of CPU time (`getconf CLK_TCK`).
const TICK_S: f64 = 0.01;

fn main() {
    match std::env::args().nth(1).as_deref() {
        Some("phones") => phones(),
        _ => serve(),
    }
}

fn serve() {
    let folder = tempfile::tempdir().unwrap();
    let config = MediaConfig {
        ports: 21_000..=22_999,
        pairs: 3 * CONFERENCES,
        shards: 2,
        ..MediaConfig::new(LOOPBACK, folder.path().to_owned())
    };
    let shards = net::media::start(&config, |_| {}).unwrap();
    let mut child = std::process::Command::new(std::env::current_exe().unwrap())
        .arg("phones")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut heard = BufReader::new(child.stdout.take().unwrap()).lines();
    let line = heard.next().unwrap().unwrap();
    let theirs: Vec<u16> = line.split(' ').map(|port| port.parse().unwrap()).collect();
    let ours = open(&shards, &theirs);
    let ours: Vec<String> = ours.iter().map(ToString::to_string).collect();
    writeln!(child.stdin.take().unwrap(), "{}", ours.join(" ")).unwrap();

    std::thread::sleep(WARM_UP);
    let (begun, before) = (Instant::now(), cpu_s());
    while begun.elapsed() < MEASURED {
        for legs in [vec![0, 1], vec![0, 1, 2]] {
            std::thread::sleep(CHANGE_EVERY);
            arrange(&shards, 0, &legs);
        }
    }
    let core = (cpu_s() - before) / begun.elapsed().as_secs_f64();
    println!("conference_core_pct {:.3}", core * 100.0 / CONFERENCES as f64);
    println!("conference_gap_ms {}", heard.next().unwrap().unwrap());
    child.wait().unwrap();
}

/// Opens a leg for each phone, joins them in threes and records that; returns our ports in the order of theirs.
fn open(shards: &MediaShards, theirs: &[u16]) -> Vec<u16> {
    let mut free: Vec<_> = shards.ports().to_vec();
    free.sort();
    let mut ours = Vec::new();
    for (n, port) in theirs.iter().enumerate() {
        let shard = shard_of(n / 3);
        let at = free.iter().position(|pair| pair.shard == shard).unwrap();
        let pair = free.remove(at);
        let rtp = SocketAddr::new(LOOPBACK, *port);
        let rtcp = SocketAddr::new(LOOPBACK, 9);
        let remote =
            Remote { rtp, rtcp, codec: Codec::Pcma, dtmf_payload: Some(101), send: true, receive: true };
        shards.send(shard, Command::Open { leg: leg(n), port: pair.port, remote: Some(remote) }).unwrap();
        ours.push(pair.port);
    }
    for conference in 0..CONFERENCES {
        arrange(shards, conference, &[0, 1, 2]);
        let (recording, first) = (RecordingId(conference as u64), 3 * conference);
        let file = format!("{conference}.wav");
        let others = vec![leg(first + 1), leg(first + 2)];
        shards.send(shard_of(conference), Command::Record { recording, caller: leg(first), file }).unwrap();
        shards.send(shard_of(conference), Command::SetOthers { recording, others, tag: 1 }).unwrap();
    }
    ours
}

/// Those of the conference hear each other, the others nobody.
fn arrange(shards: &MediaShards, conference: usize, present: &[usize]) {
    let hears = (0..3).map(|own| {
        let others = present.iter().filter(|other| present.contains(&own) && **other != own);
        (leg(3 * conference + own), others.map(|other| leg(3 * conference + other)).collect())
    });
    shards.send(shard_of(conference), Command::Arrange { hears: hears.collect() }).unwrap();
}

fn leg(n: usize) -> LegId {
    LegId(n as u64 + 1)
}

fn shard_of(conference: usize) -> u16 {
    conference as u16 % 2
}

/// User and system time of this process.
fn cpu_s() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    // After the name, which may hold spaces; fields 14 and 15 (proc(5)).
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
    fields[11..13].iter().map(|ticks| ticks.parse::<f64>().unwrap()).sum::<f64>() * TICK_S
}

fn phones() {
    let sockets: Vec<UdpSocket> =
        (0..3 * CONFERENCES).map(|_| UdpSocket::bind((LOOPBACK, 0)).unwrap()).collect();
    let ports: Vec<String> =
        sockets.iter().map(|socket| socket.local_addr().unwrap().port().to_string()).collect();
    println!("{}", ports.join(" "));
    let mut line = String::new();
    std::io::stdin().read_line(&mut line).unwrap();
    let theirs: Vec<u16> = line.split_whitespace().map(|port| port.parse().unwrap()).collect();
    for (socket, port) in sockets.iter().zip(&theirs) {
        socket.connect((LOOPBACK, *port)).unwrap();
        socket.set_nonblocking(true).unwrap();
    }
    let (begun, mut ear) = (Instant::now(), Ear::default());
    let slots = (WARM_UP + MEASURED).as_millis() / (FRAME.as_millis() / GROUPS as u128);
    for slot in 0..slots as u32 {
        let due = FRAME * slot / GROUPS as u32;
        std::thread::sleep(due.saturating_sub(begun.elapsed()));
        let (frame, group) = (slot / GROUPS as u32, slot as usize % GROUPS);
        for n in (group..sockets.len()).step_by(GROUPS) {
            let _ = sockets[n].send(&packet(n, frame));
            let mut bytes = [0; 400];
            while let Ok(length) = sockets[n].recv(&mut bytes) {
                // The first second is for the two to find each other.
                if n == 0 && frame > 50 {
                    ear.hear(&bytes[..length]);
                }
            }
        }
    }
    println!("{}", ear.longest / 8);
}

/// The second phone of the first conference says one loud value, the others of it nothing, all others noise.
fn packet(n: usize, frame: u32) -> Vec<u8> {
    let mut bytes = vec![0x80, 8];
    bytes.extend_from_slice(&(frame as u16).to_be_bytes());
    bytes.extend_from_slice(&(frame * 160).to_be_bytes());
    bytes.extend_from_slice(&(n as u32).to_be_bytes());
    let sample = |at: usize| match n {
        1 => encode_alaw(LOUD),
        0 | 2 => ALAW_SILENCE,
        _ => (at * n * 31 + frame as usize) as u8,
    };
    bytes.extend((0..160).map(sample));
    bytes
}

/// Counts the samples for which the loud value is not heard.
#[derive(Default)]
struct Ear {
    /// One past the last sample heard.
    end: Option<u32>,
    silent: u32,
    longest: u32,
}

impl Ear {
    fn hear(&mut self, bytes: &[u8]) {
        let timestamp = u32::from_be_bytes([bytes[4], bytes[5], bytes[6], bytes[7]]);
        let missing = self.end.map_or(0, |end| timestamp.wrapping_sub(end));
        self.silent += if missing < 80_000 { missing } else { 0 };
        for byte in &bytes[12..] {
            if decode_alaw(*byte) > LOUD / 2 {
                self.longest = self.longest.max(std::mem::take(&mut self.silent));
            } else {
                self.silent += 1;
            }
        }
        self.end = Some(timestamp.wrapping_add(bytes.len() as u32 - 12));
    }
}

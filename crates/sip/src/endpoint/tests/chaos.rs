//! Whatever the wire and the users do: every leg has exactly one last event, and nothing is left over.

use super::*;
use std::collections::BTreeSet;

const SEEDS: u64 = 60;
const ACTIONS: u64 = 150;

struct Chaos {
    world: World,
    random: Random,
    /// Every leg that there ever was, and how often it ended.
    legs: Map<(usize, LegId), u32>,
    alive: BTreeSet<(usize, LegId)>,
    seen: BTreeSet<String>,
}

impl Chaos {
    /// What was seen of events.
    fn run(seed: u64) -> BTreeSet<String> {
        let mut world = World::seeded(seed, |_, config| config.session_expires = Duration::from_secs(90));
        world.notify_answer = [Some(200), Some(481), None][usize::try_from(seed % 3).unwrap()];
        world.faults = Faults { lost_pct: seed % 60, doubled_pct: seed % 15, jitter_ms: 1 + seed * 7 % 900 };
        let mut chaos = Self {
            world,
            random: Random(seed ^ 0xabcd),
            legs: Map::new(),
            alive: BTreeSet::new(),
            seen: BTreeSet::new(),
        };
        for _ in 0..ACTIONS {
            let pause_ms = chaos.random.below(900);
            chaos.world.run_ms(pause_ms);
            chaos.take_events(seed);
            chaos.act();
        }
        for (node, leg) in chaos.alive.clone() {
            chaos.world.at(node, |endpoint, now| endpoint.hang_up(now, leg));
        }
        // A BYE may wait for an ACK, then for its own answer, after a session's end.
        for _ in 0..4 {
            chaos.world.settle();
            chaos.take_events(seed);
            for (node, leg) in chaos.alive.clone() {
                chaos.world.at(node, |endpoint, now| endpoint.hang_up(now, leg));
            }
        }
        assert!(chaos.legs.values().all(|ends| *ends == 1), "seed {seed}: {:?}", chaos.legs);
        for node in &chaos.world.nodes {
            assert!(node.is_idle() && node.sizes().timers == 0, "seed {seed}: {:?}", node.sizes());
        }
        chaos.seen
    }

    fn take_events(&mut self, seed: u64) {
        for (node, event) in std::mem::take(&mut self.world.events) {
            self.seen.insert(word(&event));
            match event {
                Event::Invited { leg, .. } => {
                    self.legs.insert((node, leg), 0);
                    self.alive.insert((node, leg));
                }
                Event::Failed { leg, .. } | Event::Ended { leg, .. } => {
                    *self.legs.get_mut(&(node, leg)).expect("a leg that is known") += 1;
                    self.alive.remove(&(node, leg));
                }
                Event::Progress { leg, .. }
                | Event::Answered { leg, .. }
                | Event::Confirmed { leg }
                | Event::OfferReceived { leg, .. }
                | Event::OfferAnswered { leg, .. }
                | Event::OfferRefused { leg, .. }
                | Event::Key { leg, .. }
                | Event::Referred { leg, .. } => {
                    assert_eq!(self.legs.get(&(node, leg)), Some(&0), "seed {seed}: {event:?} after the end");
                }
                Event::Registered { .. }
                | Event::Unregistered { .. }
                | Event::AuthFailed { .. }
                | Event::Pong { .. }
                | Event::RegisterDone { .. } => {}
            }
        }
    }

    fn act(&mut self) {
        let what = self.random.below(20);
        if what < 4 {
            return self.dial();
        }
        let count = self.alive.len() as u64;
        if count == 0 {
            return;
        }
        let at = usize::try_from(self.random.below(count)).unwrap();
        let (node, leg) = *self.alive.iter().nth(at).unwrap();
        let sdp = format!("v=0 {}", self.random.below(3)).into_bytes();
        self.world.at(node, |endpoint, now| match what {
            4..6 => endpoint.ring(now, leg, 183, Some(sdp)),
            6..9 => endpoint.answer(now, leg, sdp),
            9 => endpoint.reject(now, leg, 486, None),
            10 => endpoint.hang_up(now, leg),
            11..13 => endpoint.reinvite(now, leg, sdp),
            13..15 => endpoint.accept_offer(now, leg, sdp),
            15 => endpoint.refuse_offer(now, leg, 488),
            16..18 => endpoint.accept_referral(now, leg),
            18 => endpoint.report_referral(now, leg, 200),
            _ => endpoint.refuse_referral(now, leg, 603),
        });
        if what > 15 {
            self.world.say(node, leg, Method::Refer, &[("Refer-To", "<sip:12345@10.0.0.1>")], "");
            self.world.say(node, leg, Method::Info, &[("Content-Type", "application/dtmf")], "7");
        }
    }

    fn dial(&mut self) {
        let (from, to) = if self.random.below(2) == 0 { (TRUNK, SERVER) } else { (SERVER, PHONE) };
        let mut call = invite(from, to);
        if self.random.below(3) == 0 {
            call.headers.push(("Require".to_owned(), "100rel".to_owned()));
        }
        let leg = self.world.at(from, |endpoint, now| endpoint.invite(now, call));
        self.legs.insert((from, leg), 0);
        self.alive.insert((from, leg));
    }
}

#[test]
fn whatever_happens_every_leg_ends_once_and_nothing_is_left() {
    let seen: BTreeSet<String> = (0..SEEDS).flat_map(Chaos::run).collect();
    for happened in [
        "answered",
        "confirmed",
        "ended Bye",
        "ended Cancelled",
        "ended LocalHangUp",
        "ended Timeout",
        "failed 486",
        "failed 487",
        "key 7",
        "offer answered",
        "offer received with sdp",
        "offer refused 488",
        "progress 183 with sdp",
        "referred to 12345",
    ] {
        assert!(seen.contains(happened), "{happened} is among {seen:?}");
    }
}

#[test]
fn after_a_thousand_calls_every_table_is_empty() {
    let mut world = World::new();
    for _ in 0..1000 {
        let (ours, theirs) = world.call(TRUNK, SERVER);
        let by_caller = world.random.below(2) == 0;
        let (node, leg) = if by_caller { (TRUNK, ours) } else { (SERVER, theirs) };
        world.at(node, |endpoint, now| endpoint.hang_up(now, leg));
        world.run_ms(20);
        world.events.clear();
        world.log.clear();
        world.ladder.clear();
    }
    world.assert_idle();
    assert!(world.nodes.iter().all(|node| node.sizes() == Sizes::default()));
}

/// Bytes flipped, lost, doubled and taken from elsewhere: errors are values, never panics.
#[test]
fn broken_messages_harm_nobody() {
    let mut world = World::new();
    let (ours, _) = world.call(TRUNK, SERVER);
    world.at(TRUNK, |endpoint, now| endpoint.hang_up(now, ours));
    world.settle();
    let seeds: Vec<Vec<u8>> = world.log.iter().map(|(_, message)| message.encode()).collect();
    let mut random = Random(4475);
    let mut below = |bound: usize| usize::try_from(random.below(bound as u64)).unwrap();
    for _ in 0..6000 {
        let mut bytes = seeds[below(seeds.len())].clone();
        let other = &seeds[below(seeds.len())];
        for _ in 0..1 + below(3) {
            bytes.extend_from_slice(b"x"); // never empty
            let (at, end) = (below(bytes.len()), below(other.len()));
            match below(4) {
                0 => bytes[at] = other[end],
                1 => drop(bytes.drain(at..(at + 9).min(bytes.len()))),
                2 => bytes.truncate(at + 1),
                _ => drop(bytes.splice(at..at, other[end..(end + 20).min(other.len())].to_vec())),
            }
        }
        let from = [TRUNK, PHONE][below(2)];
        world.at(SERVER, |node, now| node.handle_packet(now, flow(Transport::Udp, SERVER, from), &bytes));
    }
    let legs: Vec<LegId> = (0..7000).map(LegId).collect();
    for leg in legs {
        world.at(SERVER, |endpoint, now| endpoint.hang_up(now, leg));
    }
    world.assert_idle();
    assert!(world.nodes[SERVER].counters().malformed_dropped > 0);
}

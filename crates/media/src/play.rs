//! What we say ourselves: lists of prompts, keys, and the one wheel that paces them all.

use crate::dtmf;
use crate::g711::ALAW_SILENCE;
use domain::Timestamp;
use std::collections::VecDeque;
use std::sync::Arc;

/// Length of the packets that we make.
pub const FRAME_MS: i64 = 20;
/// The same in samples, and so in bytes.
pub const FRAME_SAMPLES: usize = 160;

/// A list of A-law prompts under way.
pub(crate) struct Player {
    prompts: Vec<Arc<[u8]>>,
    repeat: bool,
    pub tag: u64,
    /// The next byte: which prompt, and where in it.
    prompt: usize,
    offset: usize,
}

impl Player {
    pub fn new(prompts: Vec<Arc<[u8]>>, repeat: bool, tag: u64) -> Self {
        // A list without a sample would repeat for ever in no time.
        let repeat = repeat && prompts.iter().any(|p| !p.is_empty());
        Self { prompts, repeat, tag, prompt: 0, offset: 0 }
    }

    /// The next frame, the prompts joined without a gap and the last one filled up with silence; false
    /// when there is none left.
    pub fn fill(&mut self, frame: &mut [u8; FRAME_SAMPLES]) -> bool {
        let mut filled = 0;
        while filled < FRAME_SAMPLES {
            let Some(prompt) = self.prompts.get(self.prompt) else {
                if !self.repeat {
                    break;
                }
                self.prompt = 0;
                continue;
            };
            let rest = &prompt[self.offset..];
            let taken = rest.len().min(FRAME_SAMPLES - filled);
            frame[filled..filled + taken].copy_from_slice(&rest[..taken]);
            filled += taken;
            self.offset += taken;
            if self.offset == prompt.len() {
                self.prompt += 1;
                self.offset = 0;
            }
        }
        frame[filled..].fill(ALAW_SILENCE);
        filled > 0
    }
}

/// Keys being pressed. One key takes eleven frames: five of it, its end three times, and a pause.
#[derive(Default)]
pub(crate) struct Keys {
    waiting: VecDeque<u8>,
    frame: u16,
    /// The timestamp of the key's first packet, which all its packets bear.
    pub timestamp: u32,
}

/// More keys than this are not remembered.
const KEYS_MAX: usize = 32;
const KEY_FRAMES: u16 = 5;
const END_FRAMES: u16 = 3;
const PAUSE_FRAMES: u16 = 3;

impl Keys {
    pub fn press(&mut self, digits: &str) {
        let room = KEYS_MAX.saturating_sub(self.waiting.len());
        self.waiting.extend(digits.chars().filter_map(dtmf::key).take(room));
    }

    pub fn is_idle(&self) -> bool {
        self.waiting.is_empty()
    }

    /// The payload of the next frame and whether a key starts with it; `None` in the pause after a key.
    pub fn next(&mut self) -> Option<([u8; dtmf::EVENT_BYTES], bool)> {
        let key = *self.waiting.front()?;
        let frame = self.frame;
        self.frame += 1;
        if frame >= KEY_FRAMES + END_FRAMES {
            if self.frame == KEY_FRAMES + END_FRAMES + PAUSE_FRAMES {
                self.waiting.pop_front();
                self.frame = 0;
            }
            return None;
        }
        let ended = frame >= KEY_FRAMES;
        let duration = (frame + 1).min(KEY_FRAMES) * FRAME_SAMPLES as u16;
        Some((dtmf::payload(key, ended, duration), frame == 0))
    }
}

/// How many groups the playing legs are spread over, so that hundreds of them never hold up a relayed
/// packet together.
const PHASES: usize = 10;
/// Up to so many legs share a group before the next one is begun: a packet waits for that, a tenth of a
/// millisecond, and every group costs the shard a wake-up.
const SHARED_LEGS: usize = 16;
const PHASE_MS: i64 = FRAME_MS / PHASES as i64;
/// After a longer stall the frames that were due are not caught up with.
const STALL_SLOTS_MAX: i64 = 200 / PHASE_MS;

/// One timer for all playing legs: each is in one of ten groups, each group is due every 20 ms of the
/// clock itself, so nothing drifts.
#[derive(Default)]
pub(crate) struct Wheel {
    phases: [Vec<u16>; PHASES],
    /// The last slot (2 ms of the clock) that was worked off.
    slot: i64,
}

impl Wheel {
    /// Put a leg into a group that has begun and has room, else into the emptiest; of those, the one that is
    /// due first. Returns the group.
    pub fn add(&mut self, now: Timestamp, leg: u16) -> u8 {
        let slot = slot_of(now);
        if self.phases.iter().all(Vec::is_empty) {
            self.slot = slot;
        }
        let phase = (1..=PHASES as i64)
            .map(|ahead| phase_of(slot + ahead))
            .min_by_key(|phase| match self.phases[*phase].len() {
                1..SHARED_LEGS => 0,
                legs => legs + 1,
            })
            .unwrap_or(0);
        self.phases[phase].push(leg);
        phase as u8
    }

    pub fn remove(&mut self, phase: u8, leg: u16) {
        self.phases[usize::from(phase)].retain(|l| *l != leg);
    }

    pub fn poll_timeout(&self) -> Option<Timestamp> {
        (1..=PHASES as i64)
            .map(|ahead| self.slot + ahead)
            .find(|slot| !self.phases[phase_of(*slot)].is_empty())
            .map(|slot| Timestamp::from_ms(slot * PHASE_MS))
    }

    /// The next group that is due, and since when, until there is none; called until then.
    pub fn pop_due(&mut self, now: Timestamp) -> Option<(u8, Timestamp)> {
        let until = slot_of(now);
        let lag = until - self.slot;
        if lag > STALL_SLOTS_MAX || lag < -(PHASES as i64) {
            // The thread was stalled, or the clock was set back.
            self.slot = until - lag.clamp(0, STALL_SLOTS_MAX);
        }
        while self.slot < until {
            self.slot += 1;
            let phase = phase_of(self.slot);
            if !self.phases[phase].is_empty() {
                return Some((phase as u8, Timestamp::from_ms(self.slot * PHASE_MS)));
            }
        }
        None
    }

    /// The legs of a group, by position, for they may leave while it is worked off.
    pub fn leg(&self, phase: u8, position: usize) -> Option<u16> {
        self.phases[usize::from(phase)].get(position).copied()
    }
}

fn slot_of(now: Timestamp) -> i64 {
    now.as_ms().div_euclid(PHASE_MS)
}

fn phase_of(slot: i64) -> usize {
    slot.rem_euclid(PHASES as i64) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prompt(byte: u8, len: usize) -> Arc<[u8]> {
        vec![byte; len].into()
    }

    #[test]
    fn prompts_join_without_a_gap_and_end_in_silence() {
        let mut player = Player::new(vec![prompt(1, 100), prompt(2, 0), prompt(3, 100)], false, 0);
        let mut frame = [0; FRAME_SAMPLES];
        assert!(player.fill(&mut frame));
        assert_eq!((frame[99], frame[100], frame[159]), (1, 3, 3));
        assert!(player.fill(&mut frame));
        assert_eq!((frame[39], frame[40], frame[159]), (3, ALAW_SILENCE, ALAW_SILENCE));
        assert!(!player.fill(&mut frame));
    }

    #[test]
    fn a_repeated_list_goes_on_and_an_empty_one_ends() {
        let mut frame = [0; FRAME_SAMPLES];
        let mut player = Player::new(vec![prompt(1, 30), prompt(2, 7)], true, 0);
        for _ in 0..100 {
            assert!(player.fill(&mut frame));
        }
        assert!(!Player::new(vec![prompt(1, 0)], true, 0).fill(&mut frame));
        assert!(!Player::new(vec![], true, 0).fill(&mut frame));
    }

    #[test]
    fn a_group_is_due_every_20_ms_of_the_clock_however_late_it_is_served() {
        let mut wheel = Wheel::default();
        let now = Timestamp::from_ms;
        assert_eq!(wheel.poll_timeout(), None);
        wheel.add(now(1001), 7);
        let first = wheel.poll_timeout().unwrap().as_ms();
        assert!((1002..=1022).contains(&first));
        let mut served = 0;
        for late in [0, 3, 1, 19, 0, 45, 2] {
            let due = wheel.poll_timeout().unwrap();
            assert_eq!((due.as_ms() - first) % 20, 0);
            while wheel.pop_due(now(due.as_ms() + late)).is_some() {
                served += 1;
            }
        }
        let end = wheel.poll_timeout().unwrap().as_ms();
        assert_eq!(i64::from(served), (end - first) / 20);
    }

    #[test]
    fn after_a_stall_or_a_clock_set_back_the_wheel_goes_on_from_now() {
        let mut wheel = Wheel::default();
        wheel.add(Timestamp::from_ms(0), 7);
        let mut served = 0;
        while wheel.pop_due(Timestamp::from_ms(1_000_000)).is_some() {
            served += 1;
        }
        assert_eq!(served, 10);
        assert_eq!(wheel.pop_due(Timestamp::from_ms(500)), None);
        assert!(wheel.poll_timeout().unwrap().as_ms() <= 522);
    }

    #[test]
    fn playing_legs_fill_one_group_after_the_other_and_then_all_evenly() {
        let mut wheel = Wheel::default();
        let mut legs = 0..;
        let mut add = |count: usize| {
            for leg in legs.by_ref().take(count) {
                wheel.add(Timestamp::from_ms(5), leg);
            }
            let mut sizes = wheel.phases.each_ref().map(Vec::len);
            sizes.sort_unstable_by(|a, b| b.cmp(a));
            sizes
        };
        assert_eq!(add(SHARED_LEGS + 1)[..3], [SHARED_LEGS, 1, 0]);
        assert_eq!(add(9 * SHARED_LEGS - 1), [SHARED_LEGS; PHASES]);
        assert_eq!(add(PHASES), [SHARED_LEGS + 1; PHASES]);
    }
}

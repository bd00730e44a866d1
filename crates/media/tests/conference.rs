//! Several legs that hear each other, or some of them: the mix, its joints, and what is recorded of it.

mod common;

use common::{Phone, World, assemble, assert_one_stream, correlate, speech};
use media::g722::Transcoder;
use media::{Codec, Command, LegId, RecordingId, g711};

const SECOND: usize = 8000;
const ID: RecordingId = RecordingId(1);

/// Phones that speak on, each with a voice of its own, at 3 ms from each other.
struct Room {
    world: World,
    phones: Vec<Phone>,
    voices: Vec<Vec<u8>>,
    /// What the phones make G.722 with.
    wide: Vec<Transcoder>,
    frames: usize,
}

impl Room {
    fn new(codecs: &[Codec]) -> Self {
        let mut world = World::new();
        let phones = (1..).zip(codecs).map(|(n, codec)| Phone::new(n, *codec).open(&mut world)).collect();
        let voices = (1..).zip(codecs).map(|(seed, _)| soft(speech(seed, 30 * SECOND))).collect();
        let wide = codecs.iter().map(|_| Transcoder::default()).collect();
        Self { world, phones, voices, wide, frames: 0 }
    }

    fn leg(&self, n: usize) -> LegId {
        self.phones[n].leg
    }

    /// `hears[n]` are those whom leg `n` hears.
    fn arrange(&mut self, hears: &[&[usize]]) {
        let legs = |sources: &&[usize]| sources.iter().map(|n| self.leg(*n)).collect();
        let hears = hears.iter().enumerate().map(|(n, sources)| (self.leg(n), legs(sources))).collect();
        self.world.tell(Command::Arrange { hears });
    }

    fn talk(&mut self, frames: usize) {
        for frame in self.frames..self.frames + frames {
            let start = 20 * frame as i64;
            for (n, phone) in self.phones.iter_mut().enumerate() {
                self.world.run_until(start + 3 * n as i64 + 1);
                let said = &self.voices[n][frame * 160..][..160];
                let mut coded = said.to_vec();
                match phone.codec {
                    Codec::Pcma => {}
                    Codec::Pcmu => g711::translate(&g711::ALAW_TO_ULAW, &mut coded),
                    Codec::G722 => self.wide[n].encode_all(g711::Law::A, &mut coded),
                }
                phone.speak(&mut self.world, &coded);
            }
        }
        self.frames += frames;
        self.world.run_until(20 * self.frames as i64);
    }

    /// What a leg was sent since the last look, in A-law, in the order of its timestamps.
    fn heard(&mut self, n: usize) -> Vec<u8> {
        let sent = self.world.take_sent(self.phones[n].port);
        assert_one_stream(&sent);
        sent.iter()
            .flat_map(|packet| {
                let mut payload = packet.payload().to_vec();
                match packet.payload_type() {
                    0 => g711::translate(&g711::ULAW_TO_ALAW, &mut payload),
                    9 => self.wide[n].decode(&mut payload, false),
                    _ => {}
                }
                payload
            })
            .collect()
    }

    /// How like what leg `n` heard of the last two seconds is to what each of the phones said.
    fn likeness(&mut self, n: usize) -> Vec<f64> {
        let heard = self.heard(n);
        let heard = &heard[heard.len() - 2 * SECOND..];
        let start = self.frames * 160 - 2 * SECOND;
        let said = |voice: &Vec<u8>| voice[start - 1600..start + 14_400].to_vec();
        self.voices.iter().map(|voice| correlate(&said(voice), heard, 2400).0).collect()
    }
}

/// Quieter by 12 dB, so that three together stay within the line.
fn soft(voice: Vec<u8>) -> Vec<u8> {
    voice.into_iter().map(|byte| g711::encode_alaw(g711::decode_alaw(byte) / 4)).collect()
}

const EVERYBODY: [&[usize]; 3] = [&[1, 2], &[0, 2], &[0, 1]];

#[test]
fn each_of_three_hears_the_other_two_and_not_himself_in_any_codec() {
    let mut room = Room::new(&[Codec::Pcma, Codec::Pcmu, Codec::G722]);
    room.arrange(&EVERYBODY);
    room.talk(150);
    for n in 0..3 {
        let likeness = room.likeness(n);
        for (other, likeness) in likeness.iter().enumerate() {
            let bounds = if other == n { -0.1..=0.1 } else { 0.6..=0.8 };
            assert!(bounds.contains(likeness), "{n} hears {other}: {likeness}");
        }
    }
}

#[test]
fn when_two_are_left_their_packets_pass_untouched_again() {
    let mut room = Room::new(&[Codec::Pcma; 3]);
    room.arrange(&EVERYBODY);
    room.talk(50);
    let gone = room.leg(1);
    room.world.tell(Command::Close { leg: gone });
    room.phones.remove(1);
    let voice = room.voices.remove(1);
    room.wide.remove(1);
    room.world.take_sent(room.phones[0].port);
    room.talk(50);
    assert_ne!(voice, room.voices[1]);
    let (first, said) = (room.heard(0), &room.voices[1][50 * 160..100 * 160]);
    assert_eq!(first[first.len() - said.len()..], *said);
}

#[test]
fn phones_of_g722_alone_are_mixed_too() {
    let mut room = Room::new(&[Codec::G722; 3]);
    room.arrange(&[&[1], &[0], &[]]);
    room.talk(50);
    room.arrange(&EVERYBODY);
    room.talk(150);
    for n in 0..3 {
        let likeness = room.likeness(n);
        for (other, likeness) in likeness.iter().enumerate() {
            let bounds = if other == n { -0.1..=0.1 } else { 0.6..=0.8 };
            assert!(bounds.contains(likeness), "{n} hears {other}: {likeness}");
        }
    }
}

#[test]
fn a_supervisor_listens_whispers_and_barges_and_the_citizen_hears_no_more_than_meant() {
    const CITIZEN: usize = 0;
    const LAWYER: usize = 1;
    const SUPERVISOR: usize = 2;
    let mut room = Room::new(&[Codec::Pcma; 3]);
    room.arrange(&[&[LAWYER], &[CITIZEN]]);
    room.talk(100);
    room.arrange(&[&[LAWYER], &[CITIZEN], &[CITIZEN, LAWYER]]);
    room.talk(125);
    room.arrange(&[&[LAWYER], &[CITIZEN, SUPERVISOR], &[CITIZEN, LAWYER]]);
    room.talk(125);
    let heard = room.heard(CITIZEN);
    assert_eq!(
        heard,
        room.voices[LAWYER][..heard.len()],
        "listening and whispering change nothing for the citizen"
    );
    let likeness = room.likeness(LAWYER);
    assert!(likeness[CITIZEN] > 0.6 && likeness[SUPERVISOR] > 0.6, "{likeness:?}");
    let likeness = room.likeness(SUPERVISOR);
    assert!(likeness[CITIZEN] > 0.6 && likeness[LAWYER] > 0.6 && likeness[SUPERVISOR] < 0.1, "{likeness:?}");
    room.arrange(&EVERYBODY);
    room.talk(125);
    let likeness = room.likeness(CITIZEN);
    assert!(likeness[LAWYER] > 0.6 && likeness[SUPERVISOR] > 0.6, "{likeness:?}");
}

#[test]
fn joining_and_leaving_make_no_gap_of_more_than_40_ms_for_the_others() {
    for moment in 0..20 {
        let mut room = Room::new(&[Codec::Pcma; 3]);
        room.voices[1] = vec![g711::encode_alaw(8000); 30 * SECOND];
        room.voices[2] = vec![g711::ALAW_SILENCE; 30 * SECOND];
        room.arrange(&[&[1], &[0]]);
        room.talk(50);
        room.world.run(moment);
        room.arrange(&EVERYBODY);
        room.talk(50);
        room.world.run(moment);
        let leaving = Command::Close { leg: room.leg(2) };
        room.world.tell(leaving);
        room.phones.pop();
        room.talk(50);
        let heard = room.heard(0);
        let gaps = heard.split(|byte| g711::decode_alaw(*byte) > 6000);
        let longest = gaps.map(<[u8]>::len).max().unwrap();
        assert!(longest <= 320, "{longest} samples at {moment} ms");
    }
}

#[test]
fn music_on_hold_is_heard_in_place_of_the_mix_and_then_the_mix_again() {
    let mut room = Room::new(&[Codec::Pcma; 3]);
    room.arrange(&EVERYBODY);
    room.talk(50);
    let prompts = vec![std::sync::Arc::from(vec![g711::encode_alaw(9000); 1600])];
    let leg = room.leg(0);
    room.world.tell(Command::Play { leg, prompts, repeat: false, tag: 7 });
    room.heard(0);
    room.talk(9);
    assert!(room.heard(0).iter().all(|byte| *byte == g711::encode_alaw(9000)));
    assert_eq!(room.world.take_events(), []);
    room.talk(141);
    assert_eq!(room.world.take_events(), [media::Event::Played { leg, tag: 7 }]);
    let likeness = room.likeness(0);
    assert!(likeness[1] > 0.6 && likeness[2] > 0.6, "{likeness:?}");
}

#[test]
fn a_recording_has_the_citizen_left_and_all_others_right_each_as_long_as_it_takes_part() {
    let mut room = Room::new(&[Codec::Pcma; 3]);
    let [citizen, lawyer, third] = [0, 1, 2].map(|n| room.leg(n));
    room.world.tell(Command::Record { recording: ID, caller: citizen, file: "f".into() });
    let segment = |room: &mut Room, hears: [&[usize]; 3], others: &[LegId], tag: u64| {
        room.arrange(&hears);
        room.world.tell(Command::SetOthers { recording: ID, others: others.to_vec(), tag });
        room.talk(100);
    };
    segment(&mut room, [&[1], &[0], &[]], &[lawyer], 1);
    segment(&mut room, [&[], &[2], &[1]], &[lawyer, third], 2);
    segment(&mut room, EVERYBODY, &[lawyer, third], 3);
    segment(&mut room, [&[2], &[], &[0]], &[third], 4);
    room.world.tell(Command::StopRecording { recording: ID });
    let (left, right, segments) = assemble(&room.world.jobs);
    let second = 2 * SECOND as u64;
    assert_eq!(
        segments,
        [(0, None), (0, Some(1)), (second, Some(2)), (2 * second, Some(3)), (3 * second, Some(4))]
    );
    let like = |channel: &[u8], voice: usize, segment: usize| {
        let range = segment * 2 * SECOND + 2000..(segment + 1) * 2 * SECOND - 2000;
        correlate(&room.voices[voice][range.clone()], &channel[range], 400).0
    };
    for part in 0..4 {
        assert!(like(&left, 0, part) > 0.99, "the citizen throughout");
        assert!(like(&right, 0, part) < 0.1, "and on one side only");
    }
    let ours: Vec<[f64; 2]> = (0..4).map(|part| [like(&right, 1, part), like(&right, 2, part)]).collect();
    assert!(ours[0][0] > 0.99 && ours[0][1] < 0.1, "{ours:?}");
    for both in &ours[1..3] {
        assert!(both.iter().all(|likeness| (0.6..0.8).contains(likeness)), "{ours:?}");
    }
    assert!(ours[3][0] < 0.1 && ours[3][1] > 0.99, "{ours:?}");
}

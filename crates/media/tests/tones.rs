//! Keys heard as tones: what Q.24 wants accepted, what it wants refused, and speech.

mod common;

use common::{Phone, World};
use media::g722::Transcoder;
use media::{Codec, Command, Event, Remote, g711};
use std::f64::consts::TAU;
use std::path::Path;

const KEYS: &str = "123A456B789C*0#D";
const LOW: [f64; 4] = [697.0, 770.0, 852.0, 941.0];
const HIGH: [f64; 4] = [1209.0, 1336.0, 1477.0, 1633.0];
/// Amplitude of a sine of 0 dBm0 (G.711: 3.14 dB below the loudest).
const LOUD: f64 = 22_830.0;

/// How a key is pressed: levels in dBm0, frequencies as shares of what they should be, times in ms.
#[derive(Clone, Copy, Debug)]
struct Press {
    low_db: f64,
    high_db: f64,
    low_off: f64,
    high_off: f64,
    on_ms: usize,
    off_ms: usize,
    /// White noise, against both tones together.
    noise_db: Option<f64>,
}

const PLAIN: Press = Press {
    low_db: -10.0,
    high_db: -10.0,
    low_off: 1.0,
    high_off: 1.0,
    on_ms: 40,
    off_ms: 40,
    noise_db: None,
};

fn amplitude(db: f64) -> f64 {
    LOUD * 10f64.powf(db / 20.0)
}

/// Numbers between -1 and 1 that look random.
fn noise(seed: u64) -> impl FnMut() -> f64 {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        f64::from((state >> 32) as i32) / f64::from(i32::MAX)
    }
}

/// `lead` samples of silence, then the keys.
fn sound(keys: &str, press: Press, lead: usize) -> Vec<f64> {
    let mut sound = vec![0.0; lead];
    for (n, key) in keys.chars().enumerate() {
        let at = KEYS.find(key).unwrap_or_else(|| panic!("{key}"));
        let (low, high) = (LOW[at / 4] * press.low_off, HIGH[at % 4] * press.high_off);
        let phase = 0.7 * n as f64;
        sound.extend((0..press.on_ms * 8).map(|t| {
            let turn = TAU * t as f64 / 8000.0;
            amplitude(press.low_db) * f64::sin(low * turn + phase)
                + amplitude(press.high_db) * f64::sin(high * turn - phase)
        }));
        sound.extend(std::iter::repeat_n(0.0, press.off_ms * 8));
    }
    if let Some(db) = press.noise_db {
        let power = (amplitude(press.low_db).powi(2) + amplitude(press.high_db).powi(2)) / 2.0;
        // Uniform noise has a third of its peak squared.
        let peak = f64::sqrt(3.0 * power * 10f64.powf(db / 10.0));
        let mut random = noise(lead as u64 + 1);
        sound.iter_mut().for_each(|sample| *sample += peak * random());
    }
    sound.extend([0.0; 480]);
    sound
}

fn coded(codec: Codec, sound: &[f64]) -> Vec<u8> {
    let mut wide = Transcoder::default();
    let encode = |sample: &f64| match codec {
        Codec::Pcma => g711::encode_alaw(*sample as i16),
        Codec::Pcmu => g711::encode_ulaw(*sample as i16),
        Codec::G722 => wide.encode(*sample as i16),
    };
    sound.iter().map(encode).collect()
}

fn digits(world: &mut World) -> String {
    let digit = |event: &Event| match event {
        Event::Dtmf { digit, .. } => *digit,
        other => panic!("{other:?}"),
    };
    world.take_events().iter().map(digit).collect()
}

fn deaf_phone(codec: Codec) -> Phone {
    Phone { dtmf_payload: None, ..Phone::new(1, codec) }
}

/// The keys that a leg without telephone-events reports of what its phone sends.
fn heard(codec: Codec, audio: &[u8]) -> String {
    let mut world = World::new();
    let mut phone = deaf_phone(codec).open(&mut world);
    for packet in audio.chunks(160) {
        phone.speak(&mut world, packet);
        world.run(20);
    }
    digits(&mut world)
}

/// Every way to lie between the windows that are looked at, about.
const LEADS: [usize; 8] = [0, 13, 26, 38, 51, 64, 77, 89];

fn check(press: Press, expect: &str) {
    for codec in [Codec::Pcma, Codec::Pcmu, Codec::G722] {
        for lead in LEADS {
            let audio = coded(codec, &sound(KEYS, press, lead));
            assert_eq!(heard(codec, &audio), expect, "{codec:?} {press:?}, {lead} samples later");
        }
    }
}

#[test]
fn all_keys_from_loud_to_soft_in_any_codec() {
    for db in [-5.0, -10.0, -20.0, -25.0, -30.0] {
        check(Press { low_db: db, high_db: db, ..PLAIN }, KEYS);
    }
    check(Press { low_db: -45.0, high_db: -45.0, ..PLAIN }, "");
}

#[test]
fn keys_in_noise() {
    for db in [-5.0, -20.0, -30.0] {
        check(Press { low_db: db, high_db: db, noise_db: Some(-15.0), on_ms: 50, ..PLAIN }, KEYS);
    }
}

#[test]
fn frequencies_off_by_1_5_percent_are_taken_and_by_3_5_refused() {
    for (low_off, high_off) in [(1.015, 1.015), (0.985, 0.985), (1.015, 0.985), (0.985, 1.015)] {
        check(Press { low_off, high_off, ..PLAIN }, KEYS);
        check(Press { low_off, high_off, on_ms: 100, ..PLAIN }, KEYS);
    }
    for off in [0.965, 1.035] {
        for on_ms in [40, 100] {
            check(Press { low_off: off, on_ms, ..PLAIN }, "");
            check(Press { high_off: off, on_ms, ..PLAIN }, "");
        }
    }
}

#[test]
fn a_key_of_20_ms_is_none_and_a_break_of_10_ms_does_not_make_two() {
    check(Press { on_ms: 20, ..PLAIN }, "");
    check(Press { on_ms: 20, off_ms: 20, ..PLAIN }, "");
    for lead in LEADS {
        let held = |ms| sound("5", Press { on_ms: ms, off_ms: 10, ..PLAIN }, 0);
        let mut broken = vec![0.0; lead];
        broken.extend_from_slice(&held(60)[..70 * 8]);
        broken.extend(held(60));
        assert_eq!(heard(Codec::Pcma, &coded(Codec::Pcma, &broken)), "5", "{lead}");
    }
}

#[test]
fn the_same_key_twice_counts_twice_and_a_held_one_once() {
    for lead in LEADS {
        let twice = coded(Codec::Pcma, &sound("5555", PLAIN, lead));
        assert_eq!(heard(Codec::Pcma, &twice), "5555", "{lead}");
    }
    let held = coded(Codec::Pcma, &sound("8", Press { on_ms: 10_000, ..PLAIN }, 0));
    assert_eq!(heard(Codec::Pcma, &held), "8");
}

#[test]
fn one_tone_may_be_8_db_louder_than_the_other_but_not_15() {
    for (low, high) in [(-8.0, -16.0), (-16.0, -8.0), (-22.0, -30.0), (-30.0, -22.0)] {
        check(Press { low_db: low, high_db: high, ..PLAIN }, KEYS);
        check(Press { low_db: low, high_db: high, low_off: 1.015, high_off: 0.985, ..PLAIN }, KEYS);
    }
    check(Press { low_db: -5.0, high_db: -20.0, ..PLAIN }, "");
    check(Press { low_db: -20.0, high_db: -5.0, ..PLAIN }, "");
}

#[test]
fn a_tone_alone_a_dial_tone_and_harmonics_are_no_keys() {
    let sine = |hz: f64, t: usize| f64::sin(TAU * hz * t as f64 / 8000.0);
    for hz in LOW.iter().chain(&HIGH).chain(&[350.0, 425.0, 450.0, 1000.0, 1400.0, 2100.0]) {
        let alone: Vec<f64> = (0..8000).map(|t| 8000.0 * sine(*hz, t)).collect();
        assert_eq!(heard(Codec::Pcma, &coded(Codec::Pcma, &alone)), "", "{hz}");
    }
    let voiced = (0..8000).map(|t| 6000.0 * (sine(770.0, t) + sine(1209.0, t)) + 3500.0 * sine(1540.0, t));
    assert_eq!(heard(Codec::Pcma, &coded(Codec::Pcma, &voiced.collect::<Vec<_>>())), "");
}

/// Voices: syllables of gliding harmonics, weaker the higher, through three resonances in a row, with some breath.
fn babble(seed: u64, samples: usize) -> Vec<f64> {
    let mut random = noise(seed);
    let mut sound = Vec::with_capacity(samples);
    let mut phase = 0.0;
    while sound.len() < samples {
        let len = 800 + (1600.0 * random().abs()) as usize;
        let (pitch, glide) = (170.0 + 90.0 * random(), 0.3 * random());
        let (first, second) = (600.0 + 300.0 * random(), 1500.0 + 600.0 * random());
        let (loud, breath) = (6000.0 * random().abs(), 300.0 * random().abs());
        for t in 0..len {
            let along = t as f64 / len as f64;
            let hz = pitch * (1.0 + glide * along);
            phase = (phase + hz / 8000.0) % 1.0;
            let voice: f64 = (1..=20)
                .map(|n| {
                    let at = hz * f64::from(n);
                    let resonance = |centre: f64, width: f64| {
                        centre.powi(2) / f64::hypot(centre.powi(2) - at.powi(2), width * at)
                    };
                    let throat = resonance(first, 80.0) * resonance(second, 100.0) * resonance(2500.0, 140.0);
                    throat / f64::from(n) * f64::sin(TAU * phase * f64::from(n))
                })
                .sum();
            let swell = f64::sin(std::f64::consts::PI * along);
            sound.push((loud * swell * voice + breath * random()).clamp(-32_000.0, 32_000.0));
        }
    }
    sound
}

#[test]
fn five_minutes_of_babble_press_no_key() {
    let babble = babble(7, 5 * 60 * 8000);
    assert_eq!(heard(Codec::Pcma, &coded(Codec::Pcma, &babble)), "");
    let mut random = noise(8);
    let hiss: Vec<f64> = (0..5 * 60 * 8000).map(|_| 12_000.0 * random()).collect();
    assert_eq!(heard(Codec::Pcmu, &coded(Codec::Pcmu, &hiss)), "");
}

#[test]
fn no_prompt_and_no_voice_of_the_demo_presses_a_key() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../dialplans/prompts/zh-CN");
    let mut prompts: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    prompts.retain(|path| path.extension().is_some_and(|extension| extension == "al"));
    assert!(prompts.len() > 30, "{}", prompts.len());
    for path in prompts {
        let prompt = std::fs::read(&path).unwrap();
        for lead in LEADS {
            let shifted = [vec![g711::ALAW_SILENCE; lead], prompt.clone()].concat();
            assert_eq!(heard(Codec::Pcma, &shifted), "", "{}", path.display());
        }
    }
}

#[test]
fn a_lost_and_a_late_packet_neither_lose_nor_double_a_key() {
    let audio = coded(Codec::Pcma, &sound("12", Press { on_ms: 200, off_ms: 100, ..PLAIN }, 0));
    for lost in 0..audio.len() / 160 {
        for comes_late in [false, true] {
            let mut world = World::new();
            let mut phone = deaf_phone(Codec::Pcma).open(&mut world);
            let mut late = None;
            for (n, payload) in audio.chunks(160).enumerate() {
                let packet = phone.packet(payload);
                if n == lost {
                    late = Some(packet).filter(|_| comes_late);
                } else {
                    world.arrive(phone.port, phone.address, &packet);
                    if let Some(packet) = late.take() {
                        world.arrive(phone.port, phone.address, &packet);
                    }
                }
                world.run(20);
            }
            assert_eq!(digits(&mut world), "12", "packet {lost} lost, late: {comes_late}");
        }
    }
}

#[test]
fn a_phone_that_sends_nothing_while_it_is_silent_presses_twice() {
    let mut world = World::new();
    let mut phone = deaf_phone(Codec::Pcma).open(&mut world);
    let audio = coded(Codec::Pcma, &sound("7", Press { on_ms: 100, off_ms: 0, ..PLAIN }, 0));
    for _ in 0..2 {
        for payload in audio[..800].chunks(160) {
            phone.speak(&mut world, payload);
            world.run(20);
        }
        world.run(200);
        phone.timestamp = phone.timestamp.wrapping_add(1600);
    }
    assert_eq!(digits(&mut world), "77");
}

#[test]
fn tones_count_only_for_a_peer_that_agreed_on_no_telephone_events_and_is_listened_to() {
    let mut world = World::new();
    let mut phone = deaf_phone(Codec::Pcma).open(&mut world);
    let audio = coded(Codec::Pcma, &sound("12", PLAIN, 0));
    let mut heard_as = |remote: Remote| {
        world.tell(Command::Update { leg: phone.leg, remote });
        for payload in audio.chunks(160) {
            phone.speak(&mut world, payload);
            world.run(20);
        }
        digits(&mut world)
    };
    let deaf = deaf_phone(Codec::Pcma).remote();
    assert_eq!(heard_as(deaf), "12");
    assert_eq!(heard_as(Remote { dtmf_payload: Some(101), ..deaf }), "");
    assert_eq!(heard_as(Remote { receive: false, ..deaf }), "");
    assert_eq!(heard_as(deaf), "12");
}

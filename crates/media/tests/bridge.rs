//! Two legs that hear each other: relay, keys, codecs, hold, strangers, reports.

mod common;

use common::{FIRST_PORT, Phone, World, assert_one_stream, correlate, speech};
use media::g722::Transcoder;
use media::{Codec, Command, Event, LegId, LegStats, g711};
use std::net::SocketAddr;
use std::sync::Arc;

fn bridged(codecs: [Codec; 2]) -> (World, Phone, Phone) {
    let mut world = World::new();
    let a = Phone::new(1, codecs[0]).open(&mut world);
    let b = Phone::new(2, codecs[1]).open(&mut world);
    world.tell(Command::Bridge { a: a.leg, b: b.leg });
    (world, a, b)
}

#[test]
fn payloads_pass_untouched_under_an_own_ssrc_over_the_wraps_of_the_phone_s_counters() {
    let (mut world, mut a, b) = bridged([Codec::Pcma, Codec::Pcma]);
    let audio = speech(1, 160 * 20);
    for frame in audio.chunks(160) {
        a.speak(&mut world, frame);
        world.run(20);
    }
    let sent = world.take_sent(b.port);
    assert_one_stream(&sent);
    assert_eq!(sent.iter().flat_map(|s| s.payload().to_vec()).collect::<Vec<_>>(), audio);
    assert!(sent.iter().all(|s| s.to == b.address && s.payload_type() == 8 && s.ssrc() != a.ssrc));
    let markers: Vec<usize> = (0..20).filter(|n| sent[*n].marker()).collect();
    assert_eq!(markers, [0], "talk starts once");
    assert!(world.take_sent(a.port).is_empty(), "nobody hears himself");
}

#[test]
fn csrcs_extensions_and_padding_are_not_passed_on() {
    let (mut world, mut a, b) = bridged([Codec::Pcma, Codec::Pcma]);
    let mut bytes = a.packet(&[]);
    bytes[0] = 0xB1;
    bytes.extend_from_slice(&[9, 9, 9, 9, 0xBE, 0xDE, 0, 1, 1, 2, 3, 4]);
    bytes.extend_from_slice(&[5; 160]);
    bytes.extend_from_slice(&[0, 0, 3]);
    world.arrive(a.port, a.address, &bytes);
    let sent = world.take_sent(b.port);
    assert_eq!((sent.len(), sent[0].bytes[0], sent[0].payload()), (1, 0x80, &[5u8; 160][..]));
}

#[test]
fn unlike_codecs_are_translated_both_ways() {
    let (mut world, mut a, mut b) = bridged([Codec::Pcma, Codec::Pcmu]);
    let audio = speech(1, 160);
    a.speak(&mut world, &audio);
    b.speak(&mut world, &audio);
    let to_b = &world.take_sent(b.port)[0];
    let to_a = &world.take_sent(a.port)[0];
    let translated = |table: &[u8; 256]| audio.iter().map(|x| table[usize::from(*x)]).collect::<Vec<_>>();
    assert_eq!((to_b.payload_type(), to_b.payload()), (0, &translated(&g711::ALAW_TO_ULAW)[..]));
    assert_eq!((to_a.payload_type(), to_a.payload()), (8, &translated(&g711::ULAW_TO_ALAW)[..]));
}

#[test]
fn g722_passes_untouched_to_g722_and_is_translated_for_others() {
    let (mut world, mut a, b) = bridged([Codec::G722, Codec::G722]);
    let audio = speech(1, 160 * 50);
    let mut ours = Transcoder::default();
    let mut wide = audio.clone();
    ours.encode_all(g711::Law::A, &mut wide);
    let upper_band_too: Vec<u8> =
        wide.iter().zip(&audio).map(|(byte, other)| byte ^ (other & 0xC0)).collect();
    for frame in upper_band_too.chunks(160) {
        a.speak(&mut world, frame);
        world.run(20);
    }
    let sent = world.take_sent(b.port);
    assert!(sent.iter().all(|s| s.payload_type() == 9));
    assert_eq!(sent.iter().flat_map(|s| s.payload().to_vec()).collect::<Vec<_>>(), upper_band_too);

    for codec in [Codec::Pcma, Codec::Pcmu] {
        let (mut world, mut a, mut b) = bridged([Codec::G722, codec]);
        let (mut to_phone, mut to_line) = (vec![], vec![]);
        for (frame, narrow) in wide.chunks(160).zip(audio.chunks(160)) {
            a.speak(&mut world, frame);
            b.speak(&mut world, narrow);
            world.run(20);
        }
        for packet in world.take_sent(a.port) {
            assert_eq!(packet.payload_type(), 9);
            to_phone.extend_from_slice(packet.payload());
        }
        Transcoder::default().decode(&mut to_phone, false);
        for packet in world.take_sent(b.port) {
            assert_eq!(packet.payload_type(), codec.payload_type());
            to_line.extend_from_slice(packet.payload());
        }
        let mut said = audio.clone();
        if codec == Codec::Pcmu {
            g711::translate(&g711::ULAW_TO_ALAW, &mut said);
            g711::translate(&g711::ULAW_TO_ALAW, &mut to_line);
        }
        let (back, forth) = (correlate(&said, &to_phone, 20), correlate(&audio, &to_line, 20));
        assert!(
            back.0 > 0.98 && back.1 == 0 && forth.0 > 0.98 && forth.1 == 0,
            "{codec:?} {back:?} {forth:?}"
        );
    }
}

#[test]
fn music_after_a_talk_in_g722_begins_without_a_bang() {
    let tone = |hz: f64, loud: f64, samples: i32| -> Vec<u8> {
        let sine = |t| loud * f64::sin(std::f64::consts::TAU * hz * f64::from(t) / 8000.0);
        (0..samples).map(|t| g711::encode_alaw(sine(t) as i16)).collect()
    };
    let (mut world, mut a, b) = bridged([Codec::G722, Codec::G722]);
    let mut voice = tone(210.0, 20_000.0, 8000);
    Transcoder::default().encode_all(g711::Law::A, &mut voice);
    for frame in voice.chunks(160) {
        a.speak(&mut world, frame);
        world.run(20);
    }
    let prompts = vec![tone(440.0, 3000.0, 8000).into()];
    world.tell(Command::Play { leg: b.leg, prompts, repeat: false, tag: 0 });
    world.run(200);
    let mut heard: Vec<u8> = world.take_sent(b.port).iter().flat_map(|s| s.payload().to_vec()).collect();
    Transcoder::default().decode(&mut heard, false);
    let loudest = heard[8000..].iter().map(|byte| g711::decode_alaw(*byte).abs()).max();
    assert!(loudest < Some(4000), "{loudest:?}");
}

#[test]
fn a_phone_that_changes_to_g722_and_back_is_heard_and_hears() {
    let (mut world, mut a, mut b) = bridged([Codec::Pcma, Codec::Pcma]);
    for codec in [Codec::Pcma, Codec::G722, Codec::Pcma] {
        b.codec = codec;
        world.tell(Command::Update { leg: b.leg, remote: b.remote() });
        for _ in 0..5 {
            a.speak(&mut world, &[0x11; 160]);
            b.speak(&mut world, &[0x11; 160]);
            world.run(20);
        }
        let types = |sent: Vec<common::Sent>| sent.iter().map(common::Sent::payload_type).collect::<Vec<_>>();
        assert_eq!(types(world.take_sent(a.port)), [8; 5]);
        assert_eq!(types(world.take_sent(b.port)), [codec.payload_type(); 5]);
    }
}

#[test]
fn keys_are_reported_once_and_passed_on_with_the_hearer_s_payload_type() {
    let mut world = World::new();
    let mut a = Phone::new(1, Codec::Pcma).open(&mut world);
    let b = Phone { dtmf_payload: Some(96), ..Phone::new(2, Codec::Pcma) }.open(&mut world);
    world.tell(Command::Bridge { a: a.leg, b: b.leg });
    for key in [1, 1, 11] {
        a.press(&mut world, key);
    }
    let digits: Vec<Event> = ['1', '1', '#'].iter().map(|d| Event::Dtmf { leg: a.leg, digit: *d }).collect();
    assert_eq!(world.take_events(), digits);
    let sent = world.take_sent(b.port);
    assert_eq!(sent.len(), 24);
    assert!(sent.iter().all(|s| s.payload_type() == 96));
    assert_eq!(sent[0].timestamp(), sent[7].timestamp(), "the packets of a key share its time");
}

#[test]
fn a_phone_without_keys_hears_no_gap_where_they_were() {
    let mut world = World::new();
    let mut a = Phone::new(1, Codec::Pcma).open(&mut world);
    let b = Phone { dtmf_payload: None, ..Phone::new(2, Codec::Pcma) }.open(&mut world);
    world.tell(Command::Bridge { a: a.leg, b: b.leg });
    a.speak(&mut world, &[1; 160]);
    world.run(20);
    a.press(&mut world, 5);
    a.speak(&mut world, &[2; 160]);
    let sent = world.take_sent(b.port);
    assert_eq!(sent.len(), 2);
    assert_one_stream(&sent);
}

#[test]
fn nothing_is_sent_to_a_leg_that_holds_us_and_nothing_taken_from_one_that_we_hold() {
    let (mut world, mut a, mut b) = bridged([Codec::Pcma, Codec::Pcma]);
    let held = media::Remote { send: false, ..b.remote() };
    world.tell(Command::Update { leg: b.leg, remote: held });
    a.speak(&mut world, &[1; 160]);
    assert!(world.take_sent(b.port).is_empty());
    b.speak(&mut world, &[1; 160]);
    assert_eq!(world.take_sent(a.port).len(), 1);

    let muted = media::Remote { receive: false, ..b.remote() };
    world.tell(Command::Update { leg: b.leg, remote: muted });
    b.speak(&mut world, &[1; 160]);
    assert!(world.take_sent(a.port).is_empty());
    a.speak(&mut world, &[1; 160]);
    assert_eq!(world.take_sent(b.port).len(), 1);
}

#[test]
fn prompt_bridge_hold_music_and_resume_are_one_stream_to_the_caller() {
    let mut world = World::new();
    let caller = Phone::new(1, Codec::Pcma).open(&mut world);
    let mut agent = Phone::new(2, Codec::Pcma).open(&mut world);
    let prompt: Arc<[u8]> = vec![7; 1000].into();
    world.tell(Command::Play { leg: caller.leg, prompts: vec![prompt.clone()], repeat: false, tag: 4 });
    world.run(200);
    assert_eq!(world.take_events(), [Event::Played { leg: caller.leg, tag: 4 }]);
    world.run(300);
    world.tell(Command::Bridge { a: caller.leg, b: agent.leg });
    let talk = |world: &mut World, agent: &mut Phone, ms: i64| {
        for _ in 0..ms / 20 {
            world.run(20);
            agent.speak(world, &[1; 160]);
        }
    };
    talk(&mut world, &mut agent, 200);
    world.tell(Command::Play { leg: caller.leg, prompts: vec![prompt], repeat: true, tag: 5 });
    let before_music = world.sent.len();
    talk(&mut world, &mut agent, 500);
    assert!(world.sent[before_music..].iter().all(|s| s.payload().contains(&7)), "the relay is suspended");
    world.tell(Command::Stop { leg: caller.leg });
    talk(&mut world, &mut agent, 200);
    assert!(world.take_events().is_empty(), "neither Stop nor a repeated list is reported");
    let sent = world.take_sent(caller.port);
    assert_one_stream(&sent);
    assert_eq!(sent.iter().filter(|s| s.marker()).count(), 4);
}

#[test]
fn a_bridge_ends_a_prompt_at_once_and_without_an_event() {
    let mut world = World::new();
    let caller = Phone::new(1, Codec::Pcma).open(&mut world);
    let mut agent = Phone::new(2, Codec::Pcma).open(&mut world);
    let prompts = vec![Arc::from(vec![7u8; 80_000])];
    world.tell(Command::Play { leg: caller.leg, prompts, repeat: false, tag: 4 });
    world.run(100);
    world.tell(Command::Bridge { a: caller.leg, b: agent.leg });
    world.take_sent(caller.port);
    agent.speak(&mut world, &[1; 160]);
    world.run(100);
    let sent = world.take_sent(caller.port);
    assert_eq!((sent.len(), sent[0].at_ms), (1, 100));
    assert_eq!(world.take_events(), []);
}

#[test]
fn parted_legs_do_not_hear_each_other() {
    let (mut world, mut a, b) = bridged([Codec::Pcma, Codec::Pcma]);
    let mut c = Phone::new(3, Codec::Pcma).open(&mut world);
    a.speak(&mut world, &[1; 160]);
    assert_eq!(world.take_sent(b.port).len(), 1);
    world.tell(Command::Bridge { a: c.leg, b: b.leg });
    a.speak(&mut world, &[1; 160]);
    c.speak(&mut world, &[2; 160]);
    assert_eq!(world.take_sent(b.port)[0].payload()[0], 2, "the new bridge replaced the old one");
    world.tell(Command::Close { leg: b.leg });
    c.speak(&mut world, &[2; 160]);
    assert!(world.take_sent(b.port).iter().all(|s| s.payload_type() != 8));
}

#[test]
fn strangers_and_unknown_payloads_are_dropped_and_strangers_counted() {
    let (mut world, mut a, b) = bridged([Codec::Pcma, Codec::Pcma]);
    a.speak(&mut world, &[1; 160]);
    let stranger: SocketAddr = "203.0.113.9:5000".parse().unwrap();
    for _ in 0..3 {
        let bytes = a.packet(&[9; 160]);
        world.arrive(a.port, stranger, &bytes);
    }
    let unknown = a.raw(18, &[3; 20]);
    world.arrive(a.port, a.address, &unknown);
    world.arrive(FIRST_PORT + 60, stranger, &unknown);
    assert_eq!(world.take_sent(b.port).len(), 1);
    let counters = *world.machine.counters();
    assert_eq!(
        (counters.packets_stray, counters.packets_unnegotiated, counters.packets_unexpected),
        (3, 1, 1)
    );
    world.tell(Command::Close { leg: a.leg });
    let closed = world.take_events();
    assert!(matches!(&closed[..], [Event::Closed { stats, .. }] if stats.packets_stray == 3), "{closed:?}");
}

#[test]
fn a_phone_behind_a_nat_is_heard_and_answered_where_it_really_is() {
    let (mut world, mut a, mut b) = bridged([Codec::Pcma, Codec::Pcma]);
    let outside: SocketAddr = "198.51.100.7:61000".parse().unwrap();
    for _ in 0..3 {
        let bytes = a.packet(&[1; 160]);
        world.arrive(a.port, outside, &bytes);
        world.run(20);
    }
    assert_eq!(world.take_sent(b.port).len(), 2, "the first packet proves nothing yet");
    b.speak(&mut world, &[1; 160]);
    assert_eq!(world.take_sent(a.port)[0].to, outside);
    let rtcp_outside: SocketAddr = "198.51.100.7:61001".parse().unwrap();
    world.arrive(a.port + 1, rtcp_outside, &[0x80, 201, 0, 1, 0, 0, 0, 1]);
    world.run(5000);
    assert_eq!(world.take_sent(a.port + 1)[0].to, rtcp_outside);
}

#[test]
fn reports_tell_loss_and_jitter_both_ways_and_say_goodbye() {
    let (mut world, mut a, b) = bridged([Codec::Pcma, Codec::Pcma]);
    for n in 0..100 {
        let bytes = a.packet(&[1; 160]);
        if n % 10 != 5 {
            world.arrive(a.port, a.address, &bytes);
        }
        world.run(20);
    }
    world.run(3000);
    // To a, who sent: a receiver report with the loss; to b, who was sent to: a sender report.
    let to_a = world.take_sent(a.port + 1);
    assert_eq!((to_a.len(), to_a[0].to.port(), to_a[0].bytes[1]), (1, 4001, 201));
    assert_eq!(to_a[0].bytes[12], (10u32 * 256 / 100) as u8, "fraction lost");
    assert_eq!(to_a[0].bytes[13..16], [0, 0, 10], "packets lost");
    let to_b = world.take_sent(b.port + 1);
    assert_eq!(to_b[0].bytes[1], 200);
    assert_eq!(to_b[0].bytes[20..24], 90u32.to_be_bytes(), "packets sent");

    let mut report = vec![0x81, 201, 0, 7, 0, 0, 0, 9];
    report.extend_from_slice(&to_b[0].bytes[4..8]);
    report.extend_from_slice(&[0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0, 16, 0, 0, 0, 0, 0, 0, 0, 0]);
    world.arrive(b.port + 1, SocketAddr::new(b.address.ip(), 4001), &report);
    world.tell(Command::Close { leg: b.leg });
    let goodbye = world.take_sent(b.port + 1).pop().unwrap();
    assert!(goodbye.bytes.windows(2).any(|w| w[0] & 0xDF == 0x81 && w[1] == 203));
    let stats = LegStats {
        packets_sent: 90,
        remote_packets_lost: Some(3),
        remote_jitter_us: Some(2000),
        ..LegStats::default()
    };
    assert_eq!(world.take_events(), [Event::Closed { leg: b.leg, stats }]);
}

#[test]
fn silence_is_reported_once_and_not_while_a_phone_may_be_silent() {
    let (mut world, mut a, b) = bridged([Codec::Pcma, Codec::Pcma]);
    world.tell(Command::Update { leg: b.leg, remote: media::Remote { receive: false, ..b.remote() } });
    world.run(20_000);
    a.speak(&mut world, &[1; 160]);
    world.run(29_999);
    assert_eq!(world.take_events(), []);
    world.run(60_000);
    assert_eq!(world.take_events(), [Event::Silent { leg: a.leg }]);
    a.speak(&mut world, &[1; 160]);
    world.run(61_000);
    assert_eq!(world.take_events(), [Event::Silent { leg: a.leg }], "a new silence");
    world.tell(Command::Update { leg: b.leg, remote: b.remote() });
    world.run(29_000);
    assert_eq!(world.take_events(), []);
    world.run(31_000);
    assert_eq!(world.take_events(), [Event::Silent { leg: b.leg }]);
}

#[test]
fn closing_what_is_not_open_is_answered_and_opening_twice_closes_the_former() {
    let mut world = World::new();
    world.tell(Command::Close { leg: LegId(77) });
    assert!(matches!(&world.take_events()[..], [Event::Closed { leg: LegId(77), .. }]));
    let a = Phone::new(1, Codec::Pcma).open(&mut world);
    world.tell(Command::Open { leg: LegId(5), port: a.port, remote: None });
    assert!(matches!(&world.take_events()[..], [Event::Closed { leg: LegId(1), .. }]));
    world.tell(Command::Open { leg: LegId(6), port: a.port + 1, remote: None });
    world.tell(Command::Open { leg: LegId(6), port: 9, remote: None });
    assert_eq!(world.machine.load(), (1, 0));
}

#[test]
fn a_thousand_calls_leave_no_timer_behind() {
    let mut world = World::new();
    for _ in 0..1000 {
        let a = Phone::new(1, Codec::Pcma).open(&mut world);
        let b = Phone::new(2, Codec::Pcmu).open(&mut world);
        world.tell(Command::Play {
            leg: a.leg,
            prompts: vec![Arc::from(&[1u8; 900][..])],
            repeat: true,
            tag: 0,
        });
        world.run(100);
        world.tell(Command::Bridge { a: a.leg, b: b.leg });
        world.run(100);
        world.tell(Command::Close { leg: a.leg });
        world.tell(Command::Close { leg: b.leg });
        world.take_events();
        world.sent.clear();
    }
    assert_eq!((world.machine.poll_timeout(), world.machine.load()), (None, (0, 0)));
}

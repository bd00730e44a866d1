//! What we say ourselves: prompts, music, keys.

mod common;

use common::{Phone, World, assert_one_stream, correlate, speech};
use media::g722::Transcoder;
use media::{Codec, Command, Event, Remote, g711};
use std::sync::Arc;

#[test]
fn prompts_are_sent_every_20_ms_without_drift_and_end_with_an_event() {
    let mut world = World::new();
    let caller = Phone::new(1, Codec::Pcma).open(&mut world);
    let audio = speech(3, 8000 * 60);
    let prompts = vec![Arc::from(&audio[..100_000]), Arc::from(&audio[100_000..])];
    world.tell(Command::Play { leg: caller.leg, prompts, repeat: false, tag: 9 });
    world.run(61_000);
    let sent = world.take_sent(caller.port);
    assert_one_stream(&sent);
    assert_eq!(sent.len(), 3000);
    assert!(sent.windows(2).all(|w| w[1].at_ms - w[0].at_ms == 20));
    assert_eq!(sent.iter().flat_map(|s| s.payload().to_vec()).collect::<Vec<_>>(), audio);
    let events = world.take_events();
    assert_eq!(events.last(), Some(&Event::Played { leg: caller.leg, tag: 9 }));
}

#[test]
fn a_mu_law_phone_hears_the_same_prompt_in_its_own_law() {
    let mut world = World::new();
    let caller = Phone::new(1, Codec::Pcmu).open(&mut world);
    let audio = speech(3, 320);
    world.tell(Command::Play { leg: caller.leg, prompts: vec![audio.clone().into()], repeat: false, tag: 0 });
    world.run(100);
    let sent = world.take_sent(caller.port);
    assert!(sent.iter().all(|s| s.payload_type() == 0));
    let heard: Vec<u8> = sent.iter().flat_map(|s| s.payload().to_vec()).collect();
    let expect: Vec<u8> = audio.iter().map(|a| g711::ALAW_TO_ULAW[usize::from(*a)]).collect();
    assert_eq!(heard, expect);
}

#[test]
fn a_phone_of_g722_hears_prompts_and_is_sent_keys() {
    let mut world = World::new();
    let lawyer = Phone::new(1, Codec::G722).open(&mut world);
    let audio = speech(3, 16_000);
    world.tell(Command::Play { leg: lawyer.leg, prompts: vec![audio.clone().into()], repeat: false, tag: 0 });
    world.run(1000);
    world.tell(Command::Press { leg: lawyer.leg, digits: "7".into() });
    world.run(2000);
    let sent = world.take_sent(lawyer.port);
    let (keys, spoken): (Vec<_>, Vec<_>) = sent.iter().partition(|packet| packet.payload_type() == 101);
    assert_eq!(keys.len(), 8);
    assert!(spoken.iter().all(|packet| packet.payload_type() == 9));
    let mut heard: Vec<u8> = spoken.iter().flat_map(|packet| packet.payload().to_vec()).collect();
    Transcoder::default().decode(&mut heard, false);
    let (likeness, lag) = correlate(&audio, &heard, 20);
    assert!(likeness > 0.98 && lag == 0, "{likeness} {lag}");
}

#[test]
fn a_prompt_waits_for_the_peer_to_be_known_and_runs_on_while_the_peer_holds_us() {
    let mut world = World::new();
    let caller = Phone::new(1, Codec::Pcma);
    world.tell(Command::Open { leg: caller.leg, port: caller.port, remote: None });
    world.tell(Command::Play {
        leg: caller.leg,
        prompts: vec![speech(3, 1600).into()],
        repeat: false,
        tag: 1,
    });
    world.run(1000);
    assert_eq!((world.take_sent(caller.port).len(), world.take_events()), (0, vec![]));
    world.tell(Command::Update { leg: caller.leg, remote: caller.remote() });
    world.run(60);
    world.tell(Command::Update { leg: caller.leg, remote: Remote { send: false, ..caller.remote() } });
    world.run(60);
    world.tell(Command::Update { leg: caller.leg, remote: caller.remote() });
    world.run(1000);
    let sent = world.take_sent(caller.port);
    assert_eq!((sent.len(), sent[3].marker()), (7, true));
    assert_one_stream(&sent);
    assert_eq!(world.take_events(), [Event::Played { leg: caller.leg, tag: 1 }]);
}

#[test]
fn an_empty_list_is_played_at_once_even_if_it_repeats() {
    let mut world = World::new();
    let caller = Phone::new(1, Codec::Pcma).open(&mut world);
    world.tell(Command::Play { leg: caller.leg, prompts: vec![], repeat: true, tag: 1 });
    world.run(20);
    assert_eq!(world.take_events(), [Event::Played { leg: caller.leg, tag: 1 }]);
}

#[test]
fn a_new_list_replaces_the_one_under_way() {
    let mut world = World::new();
    let caller = Phone::new(1, Codec::Pcma).open(&mut world);
    let prompt = |byte: u8| vec![Arc::from(vec![byte; 1600])];
    world.tell(Command::Play { leg: caller.leg, prompts: prompt(1), repeat: true, tag: 1 });
    world.run(100);
    world.tell(Command::Play { leg: caller.leg, prompts: prompt(2), repeat: false, tag: 2 });
    world.run(1000);
    let sent = world.take_sent(caller.port);
    assert_eq!(sent.iter().filter(|s| s.payload()[0] == 2).count(), 10);
    assert_one_stream(&sent);
    assert_eq!(world.take_events(), [Event::Played { leg: caller.leg, tag: 2 }]);
}

/// A phone made of a machine presses keys; another machine hears them.
#[test]
fn pressed_keys_arrive_as_the_same_keys_over_a_prompt() {
    let mut pressing = World::new();
    let line = Phone::new(1, Codec::Pcma).open(&mut pressing);
    let music = vec![Arc::from(&[1u8; 8000][..])];
    pressing.tell(Command::Play { leg: line.leg, prompts: music, repeat: true, tag: 0 });
    pressing.run(100);
    pressing.tell(Command::Press { leg: line.leg, digits: "12348##*a?".into() });
    pressing.run(3000);

    let mut hearing = World::new();
    let caller = Phone::new(1, Codec::Pcma).open(&mut hearing);
    let sent = pressing.take_sent(line.port);
    for packet in &sent {
        hearing.run_until(packet.at_ms);
        hearing.arrive(caller.port, caller.address, &packet.bytes);
    }
    let heard: String = hearing
        .take_events()
        .iter()
        .map(|e| match e {
            Event::Dtmf { digit, .. } => *digit,
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(heard, "12348##*A");
    assert!(sent.windows(2).all(|w| w[1].sequence() == w[0].sequence().wrapping_add(1)));
}

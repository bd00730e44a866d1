//! A call's recording: who is on which channel, aligned, whatever the network does.

mod common;

use common::{Phone, World, assemble, correlate, speech};
use media::g722::Transcoder;
use media::{Codec, Command, RecordingId, RecordingJob, g711};

const ID: RecordingId = RecordingId(1);
const FRAMES: usize = 150;

fn recorded(codecs: [Codec; 2]) -> (World, Phone, Phone) {
    let mut world = World::new();
    let caller = Phone::new(1, codecs[0]).open(&mut world);
    let agent = Phone::new(2, codecs[1]).open(&mut world);
    world.tell(Command::Record { recording: ID, caller: caller.leg, file: "a/b.wav".into() });
    world.tell(Command::Bridge { a: caller.leg, b: agent.leg });
    world.tell(Command::SetOthers { recording: ID, others: vec![agent.leg], tag: 8001 });
    (world, caller, agent)
}

/// The packets of a phone that says `audio`, due at `start` ms and every 20 ms from then.
fn packets(phone: &mut Phone, start: i64, audio: &[u8]) -> Vec<(i64, u16, std::net::SocketAddr, Vec<u8>)> {
    audio
        .chunks(160)
        .enumerate()
        .map(|(n, frame)| {
            let bytes = phone.packet(frame);
            (start + 20 * (n as i64 + 1), phone.port, phone.address, bytes)
        })
        .collect()
}

/// Deliver packets in order of time and stop the recording at `end`.
fn deliver(world: &mut World, mut packets: Vec<(i64, u16, std::net::SocketAddr, Vec<u8>)>, end: i64) {
    packets.sort_by_key(|p| p.0);
    for (at, port, from, bytes) in packets {
        world.run_until(at);
        world.arrive(port, from, &bytes);
    }
    world.run_until(end);
    world.tell(Command::StopRecording { recording: ID });
}

fn in_alaw(codec: Codec, audio: &[u8]) -> Vec<u8> {
    match codec {
        Codec::Pcma => audio.to_vec(),
        Codec::Pcmu => audio.iter().map(|b| g711::ULAW_TO_ALAW[usize::from(*b)]).collect(),
        Codec::G722 => {
            let mut audio = audio.to_vec();
            Transcoder::default().decode(&mut audio, false);
            audio
        }
    }
}

#[test]
fn citizen_left_and_lawyer_right_sample_for_sample_in_any_codec() {
    let alike = [[Codec::Pcma; 2], [Codec::G722; 2]];
    let unlike = [[Codec::Pcmu, Codec::Pcma], [Codec::Pcma, Codec::Pcmu], [Codec::Pcma, Codec::G722]];
    for codecs in alike.into_iter().chain(unlike) {
        let (mut world, mut caller, mut agent) = recorded(codecs);
        let (question, answer) = (speech(1, 160 * FRAMES), speech(2, 160 * FRAMES));
        let mut all = packets(&mut caller, 0, &question);
        all.extend(packets(&mut agent, 0, &answer));
        deliver(&mut world, all, 3000);
        let (left, right, segments) = assemble(&world.jobs);
        assert_eq!(left.len(), 24_000, "three seconds");
        assert!(left == in_alaw(codecs[0], &question));
        assert!(right == in_alaw(codecs[1], &answer));
        assert_eq!(segments, [(0, None), (0, Some(8001))]);
    }
}

#[test]
fn reordering_up_to_400_ms_is_undone_and_loss_is_silence() {
    let (mut world, mut caller, _) = recorded([Codec::Pcma, Codec::Pcma]);
    let audio = speech(1, 160 * FRAMES);
    let mut all = packets(&mut caller, 0, &audio);
    for (n, packet) in all.iter_mut().enumerate() {
        packet.0 += [0, 390, 40, 0, 120, 0, 0][n % 7];
    }
    all.remove(70);
    deliver(&mut world, all, 4000);
    let (left, ..) = assemble(&world.jobs);
    let mut expect = audio.clone();
    expect[70 * 160..71 * 160].fill(g711::ALAW_SILENCE);
    assert!(left[..audio.len()] == expect);
    assert!(left[audio.len()..].iter().all(|b| *b == g711::ALAW_SILENCE));
}

#[test]
fn a_phone_that_stood_still_for_400_ms_and_caught_up_is_recorded_as_it_spoke() {
    let (mut world, mut caller, _) = recorded([Codec::Pcma, Codec::Pcma]);
    let audio = speech(3, 160 * FRAMES);
    let mut all = packets(&mut caller, 0, &audio);
    let back_at = all[60].0;
    for packet in &mut all[40..60] {
        packet.0 = back_at;
    }
    deliver(&mut world, all, 4000);
    let (left, ..) = assemble(&world.jobs);
    assert!(left[..audio.len()] == audio);
}

/// A phone on a busy machine: every packet a little later than the one before, 45 ms in all.
#[test]
fn a_phone_that_falls_behind_a_little_is_recorded_without_a_cut() {
    let (mut world, mut caller, _) = recorded([Codec::Pcma, Codec::Pcma]);
    let audio = speech(4, 160 * 350);
    let mut all = packets(&mut caller, 0, &audio);
    for (n, packet) in all.iter_mut().enumerate() {
        packet.0 += (n as i64 * 45) / 350;
    }
    deliver(&mut world, all, 8_000);
    let (left, ..) = assemble(&world.jobs);
    assert!(left[..audio.len()] == audio);
}

#[test]
fn two_channels_stay_within_20_ms_of_each_other_over_jitter_and_a_slow_start_and_within_80_over_drift() {
    let (mut world, mut caller, mut agent) = recorded([Codec::Pcma, Codec::Pcma]);
    let audio = speech(5, 160 * 50 * 600);
    let mut all = packets(&mut caller, 0, &audio);
    // The agent hears the same and says it at once, but its clock is 200 ppm slow, its first packets are
    // held up and the others jitter by 30 ms.
    let drifting = packets(&mut agent, 0, &audio);
    all.extend(drifting.into_iter().enumerate().map(|(n, (at, port, from, bytes))| {
        let held_up = if n < 5 { 150 - 30 * n as i64 } else { 0 };
        (at + at / 5000 + held_up + (n as i64 * 7) % 30, port, from, bytes)
    }));
    deliver(&mut world, all, 600_200);
    let (left, right, _) = assemble(&world.jobs);
    let mut cuts = 0;
    let mut before = 0;
    for second in (5..595).step_by(10) {
        let range = second * 8000..second * 8000 + 4000;
        let (likeness, lag) = correlate(&left[range.clone()], &right[range], 1_200);
        assert!(likeness > 0.9, "{likeness} at {second} s");
        // 200 ppm of delay are real: the agent said it that much later.
        let said_later = second as i64 * 8 / 5;
        let bound = if second < 60 { 160 } else { 640 };
        assert!((lag - said_later).abs() <= bound, "{lag} samples at {second} s");
        cuts += i32::from((lag - before).abs() > 80);
        before = lag;
    }
    assert!(cuts <= 2, "speech was cut {cuts} times for a drift of 120 ms");
}

#[test]
fn first_packets_that_were_held_up_are_laid_before_the_ones_that_were_not() {
    let (mut world, mut caller, _) = recorded([Codec::Pcma, Codec::Pcma]);
    let audio = speech(1, 160 * FRAMES);
    let mut all = packets(&mut caller, 200, &audio);
    for (n, packet) in all.iter_mut().take(9).enumerate() {
        packet.0 += [180, 150, 150, 90, 80, 60, 30, 30, 5][n];
    }
    deliver(&mut world, all, 4000);
    let (left, ..) = assemble(&world.jobs);
    let silence = left.iter().take_while(|b| **b == g711::ALAW_SILENCE).count();
    assert!(silence.abs_diff(1600) <= 80, "speech began at 200 ms, not after {silence} samples");
    assert!(left[silence..silence + audio.len()] == audio);
}

#[test]
fn a_phone_whose_clock_stood_still_while_on_hold_is_recorded_where_it_speaks_again() {
    let (mut world, mut caller, _) = recorded([Codec::Pcma, Codec::Pcma]);
    let mut all = packets(&mut caller, 0, &speech(1, 160 * 50));
    let again = speech(2, 160 * 100);
    all.extend(packets(&mut caller, 5000, &again));
    deliver(&mut world, all, 8000);
    let (left, ..) = assemble(&world.jobs);
    let (likeness, lag) = correlate(&again[4000..12_000], &left[44_000..52_000], 400);
    assert!(likeness > 0.99 && lag.abs() <= 80, "{likeness} {lag}");
}

#[test]
fn the_file_goes_on_over_changes_of_the_other_side_with_a_segment_each() {
    let (mut world, mut caller, mut first) = recorded([Codec::Pcma, Codec::Pcma]);
    let mut second = Phone::new(3, Codec::Pcma).open(&mut world);
    let voice = speech(9, 8000);
    for n in 0..200i64 {
        world.run_until(20 * (n + 1));
        let at = (n as usize % 50) * 160;
        caller.speak(&mut world, &voice[at..at + 160]);
        first.speak(&mut world, &[0x11; 160]);
        second.speak(&mut world, &[0x22; 160]);
        match n {
            49 => world.tell(Command::SetOthers { recording: ID, others: vec![], tag: 0 }),
            99 => {
                world.tell(Command::Bridge { a: caller.leg, b: second.leg });
                world.tell(Command::SetOthers { recording: ID, others: vec![second.leg], tag: 8002 });
            }
            _ => {}
        }
    }
    world.run_until(4040);
    world.tell(Command::StopRecording { recording: ID });
    let (left, right, segments) = assemble(&world.jobs);
    assert_eq!(segments, [(0, None), (0, Some(8001)), (8000, None), (16_000, Some(8002))]);
    assert_eq!(left[..8000], voice, "the citizen is recorded throughout");
    assert_eq!(left[24_000..32_000], voice);
    let holds = |range: std::ops::Range<usize>, byte: u8| right[range].iter().all(|b| *b == byte);
    assert!(holds(0..8000, 0x11) && holds(8000..16_000, g711::ALAW_SILENCE) && holds(16_000..32_000, 0x22));
}

#[test]
fn what_the_citizen_does_not_hear_is_not_recorded_but_the_citizen_always_is() {
    let (mut world, mut caller, mut agent) = recorded([Codec::Pcma, Codec::Pcma]);
    let music = vec![std::sync::Arc::from(&[0x33u8; 1600][..])];
    world.tell(Command::Play { leg: caller.leg, prompts: music, repeat: true, tag: 0 });
    for n in 0..50i64 {
        world.run_until(20 * (n + 1));
        caller.speak(&mut world, &[0x44; 160]);
        agent.speak(&mut world, &[0x11; 160]);
    }
    world.tell(Command::Close { leg: agent.leg });
    world.tell(Command::Close { leg: caller.leg });
    world.tell(Command::StopRecording { recording: ID });
    let (left, right, _) = assemble(&world.jobs);
    assert_eq!(left, [0x44; 8000]);
    assert_eq!(right, [g711::ALAW_SILENCE; 8000]);
}

#[test]
fn chunks_leave_at_least_every_half_second_and_within_the_second() {
    let (mut world, mut caller, _) = recorded([Codec::Pcma, Codec::Pcma]);
    for n in 0..100i64 {
        world.run_until(20 * (n + 1));
        caller.speak(&mut world, &[1; 160]);
        let left: usize = world
            .jobs
            .iter()
            .map(|j| match j {
                RecordingJob::Samples { samples, .. } => samples.len() / 2,
                RecordingJob::Open { .. } | RecordingJob::Segment { .. } | RecordingJob::Close { .. } => 0,
            })
            .sum();
        assert!(left as i64 >= (world.ms - 920) * 8, "{left} frames at {} ms", world.ms);
    }
}

#[test]
fn a_recording_without_a_leg_is_silence_of_the_right_length() {
    let mut world = World::new();
    world.tell(Command::Record { recording: ID, caller: media::LegId(404), file: "f".into() });
    world.run(1234);
    world.tell(Command::StopRecording { recording: ID });
    let (left, right, _) = assemble(&world.jobs);
    assert_eq!((left.len(), right.len()), (1234 * 8, 1234 * 8));
}

#[test]
fn a_clock_that_jumped_by_hours_does_not_write_hours_of_silence() {
    let (mut world, mut caller, _) = recorded([Codec::Pcma, Codec::Pcma]);
    world.run(1000);
    world.ms += 10 * 3_600_000;
    caller.speak(&mut world, &[1; 160]);
    world.run(2000);
    world.tell(Command::StopRecording { recording: ID });
    let (left, ..) = assemble(&world.jobs);
    assert!(left.len() < 8000 * 20, "{}", left.len());
}

#[test]
fn stopping_at_the_end_of_the_process_completes_every_recording() {
    let (mut world, mut caller, _) = recorded([Codec::Pcma, Codec::Pcma]);
    world.run(20);
    caller.speak(&mut world, &[1; 160]);
    let now = world.now();
    world.machine.finish(now);
    let mut closed = false;
    while let Some(output) = world.machine.poll_output() {
        closed |= matches!(output, media::Output::Recording(RecordingJob::Close { at: 160, .. }));
    }
    assert!(closed);
}

//! Whatever arrives, in whatever order it is told what to do: no panic, no growth, no endless work.

mod common;

use common::{FIRST_PORT, Phone, World};
use media::{Codec, Command, LegId, RecordingId, Remote};
use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use std::sync::Arc;

#[derive(Clone, Debug)]
enum Step {
    Tell(Command),
    Arrive { phone: u16, rtcp: bool, bytes: Vec<u8> },
    Shaped { phone: u16, sequence: u16, timestamp: u32, payload_type: u8, len: usize },
    Wait(i64),
}

fn remote() -> impl Strategy<Value = Remote> {
    let codec = prop::sample::select(vec![Codec::Pcma, Codec::Pcmu, Codec::G722]);
    (0..4u16, codec, any::<[bool; 3]>()).prop_map(|(n, codec, [send, receive, keys])| {
        let phone = Phone { dtmf_payload: keys.then_some(101), ..Phone::new(n, codec) };
        Remote { send, receive, ..phone.remote() }
    })
}

fn command() -> impl Strategy<Value = Command> {
    let leg = || (0..4u64).prop_map(LegId);
    let recording = || (0..2u64).prop_map(RecordingId);
    let prompts = || prop::collection::vec((0..500usize).prop_map(|n| Arc::from(vec![5u8; n])), 0..3);
    prop_oneof![
        (leg(), 0..9u16, prop::option::of(remote())).prop_map(|(leg, port, remote)| Command::Open {
            leg,
            port: FIRST_PORT + port,
            remote
        }),
        (leg(), remote()).prop_map(|(leg, remote)| Command::Update { leg, remote }),
        leg().prop_map(|leg| Command::Close { leg }),
        (leg(), prompts(), any::<bool>()).prop_map(|(leg, prompts, repeat)| Command::Play {
            leg,
            prompts,
            repeat,
            tag: 1
        }),
        leg().prop_map(|leg| Command::Stop { leg }),
        (leg(), "[0-9A-Z#*]{0,40}").prop_map(|(leg, digits)| Command::Press { leg, digits }),
        (leg(), leg()).prop_map(|(a, b)| Command::Bridge { a, b }),
        prop::collection::vec((leg(), prop::collection::vec(leg(), 0..9)), 0..4)
            .prop_map(|hears| Command::Arrange { hears }),
        (recording(), leg()).prop_map(|(recording, caller)| Command::Record {
            recording,
            caller,
            file: "f".into()
        }),
        (recording(), prop::collection::vec(leg(), 0..6))
            .prop_map(|(recording, others)| Command::SetOthers { recording, others, tag: 2 }),
        recording().prop_map(|recording| Command::StopRecording { recording }),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let payload_type = prop_oneof![Just(8u8), Just(0), Just(9), Just(101), any::<u8>()];
    prop_oneof![
        3 => command().prop_map(Step::Tell),
        1 => (0..5u16, any::<bool>(), prop::collection::vec(any::<u8>(), 0..64))
            .prop_map(|(phone, rtcp, bytes)| Step::Arrive { phone, rtcp, bytes }),
        4 => (0..5u16, any::<u16>(), any::<u32>(), payload_type, 0..1600usize).prop_map(
            |(phone, sequence, timestamp, payload_type, len)| Step::Shaped {
                phone, sequence: sequence % 64, timestamp, payload_type, len
            }
        ),
        2 => prop_oneof![0..50i64, 0..20_000i64, Just(-5000)].prop_map(Step::Wait),
    ]
}

fn take(world: &mut World, step: Step) {
    match step {
        Step::Tell(command) => world.tell(command),
        Step::Arrive { phone, rtcp, bytes } => {
            let phone = Phone::new(phone, Codec::Pcma);
            world.arrive(phone.port + u16::from(rtcp), phone.address, &bytes);
        }
        Step::Shaped { phone, sequence, timestamp, payload_type, len } => {
            let phone = Phone { sequence, timestamp, ..Phone::new(phone, Codec::Pcma) };
            let bytes = phone.raw(payload_type & 0x7F, &vec![payload_type; len]);
            world.arrive(phone.port, phone.address, &bytes);
        }
        Step::Wait(ms) if ms < 0 => world.ms += ms,
        Step::Wait(ms) => world.run(ms),
    }
    assert!(world.sent.len() < 100_000 && world.jobs.len() < 10_000, "work without end");
    world.sent.clear();
    world.jobs.clear();
    world.events.clear();
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 300,
        rng_seed: RngSeed::Fixed(12_348),
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn no_sequence_of_packets_and_commands_breaks_the_machine(
        steps in prop::collection::vec(step(), 1..120)
    ) {
        let mut world = World::new();
        for step in steps {
            take(&mut world, step);
        }
        for leg in 0..4 {
            world.tell(Command::Close { leg: LegId(leg) });
        }
        for recording in 0..2 {
            world.tell(Command::StopRecording { recording: RecordingId(recording) });
        }
        prop_assert_eq!(world.machine.load(), (0, 0));
        prop_assert_eq!(world.machine.poll_timeout(), None);
    }
}

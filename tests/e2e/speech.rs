//! Citizen and lawyer hear each other, and what both said is on record.

use crate::support::now_ms;
use crate::support::phone::Over;
use crate::support::server::{City, FROM_LUCHENG, Setup};
use crate::support::sound::{self, HZ, Wav, assert_heard, assert_not_heard};
use serde_json::Value;
use sha2::{Digest, Sha256};

const LAWYER: u32 = 1001;
/// So long is what each says. The citizen says it over and over, the lawyer once, after a breath.
const SECONDS: f64 = 3.0;
const BREATH: usize = HZ / 2;
/// Long enough for a whole round of the citizen's speech and all of the lawyer's.
const TALK_SECONDS: usize = 7;
/// A clock read here and one read there, on a machine that has other things to do.
const TOLERANCE_MS: i64 = 1_000;

struct Said {
    citizen: Vec<u8>,
    lawyer: Vec<u8>,
}

impl Said {
    fn new() -> Self {
        let (citizen, lawyer) = ("demo_caller_1", "demo_lawyer_1");
        Self { citizen: sound::prompt(citizen, SECONDS), lawyer: sound::prompt(lawyer, SECONDS) }
    }

    fn lawyers_file(&self) -> Vec<i16> {
        [vec![0; BREATH], sound::decode(&self.lawyer)].concat()
    }
}

/// When the test saw things happen, in milliseconds of UTC.
struct Seen {
    dialled: i64,
    bridged: i64,
    departed: i64,
}

#[test]
fn a_citizen_on_the_trunk_is_heard_by_a_lawyer_over_udp_and_both_are_recorded() {
    let (city, said) = (City::open(&Setup::lawyers(&[LAWYER])), Said::new());
    let mut lawyer = city.lawyer(LAWYER, Over::Udp, true, &said.lawyers_file());
    let citizen = city.callers(FROM_LUCHENG, &said.citizen, 1);
    citizen.wait_to_say("INVITE sip:");
    let dialled = now_ms();
    lawyer.wait_for("CALL_ESTABLISHED");
    let bridged = now_ms();
    lawyer.hear_seconds(TALK_SECONDS);
    citizen.cue(1);
    let departed = now_ms();
    lawyer.wait_for("CALL_CLOSED");
    citizen.finish();

    assert_heard("the lawyer hears the citizen", &sound::decode(&said.citizen), &lawyer.heard());
    check_record(&city, &said, &Seen { dialled, bridged, departed }, "caller");
    city.close();
}

#[test]
fn what_a_lawyer_says_reaches_the_operators_trunk() {
    let (city, said) = (City::open(&Setup::lawyers(&[LAWYER])), Said::new());
    let mut lawyer = city.lawyer(LAWYER, Over::Udp, true, &said.lawyers_file());
    let citizen = city.echo();
    lawyer.wait_for("CALL_ESTABLISHED");
    lawyer.hear_seconds(TALK_SECONDS);
    citizen.cue(1);
    lawyer.wait_for("CALL_CLOSED");
    citizen.finish();

    let own = sound::decode(&said.lawyer);
    assert_heard("the trunk sends back what the lawyer says", &own, &lawyer.heard());
    city.close();
}

#[test]
fn a_citizen_and_a_lawyer_over_tcp_hear_each_other_and_both_are_recorded() {
    let (city, said) =
        (City::open(&Setup { has_telephones: true, ..Setup::lawyers(&[LAWYER]) }), Said::new());
    let mut lawyer = city.lawyer(LAWYER, Over::Tcp, true, &said.lawyers_file());
    let mut citizen = city.telephone(&sound::decode(&said.citizen).repeat(20));
    let dialled = now_ms();
    citizen.tell("dial", &format!("sip:12348@{}", city.sip));
    lawyer.wait_for("CALL_ESTABLISHED");
    let bridged = now_ms();
    lawyer.hear_seconds(TALK_SECONDS);
    lawyer.tell("hangup", "");
    let departed = now_ms();
    citizen.wait_for("CALL_CLOSED");

    assert_heard("the lawyer hears the citizen", &sound::decode(&said.citizen), &lawyer.heard());
    assert_heard("the citizen hears the lawyer", &sound::decode(&said.lawyer), &citizen.heard());
    check_record(&city, &said, &Seen { dialled, bridged, departed }, "agent");
    city.close();
}

#[test]
fn a_citizen_on_hold_hears_music_and_then_the_lawyer_again() {
    let (city, said) =
        (City::open(&Setup { has_telephones: true, ..Setup::lawyers(&[LAWYER]) }), Said::new());
    let mut lawyer = city.lawyer(LAWYER, Over::Udp, true, &sound::decode(&said.lawyer).repeat(20));
    let mut citizen = city.telephone(&sound::decode(&said.citizen).repeat(20));
    citizen.tell("dial", &format!("sip:12348@{}", city.sip));
    lawyer.wait_for("CALL_ESTABLISHED");
    lawyer.tell("hold", "");
    city.wait_for_phase("held");
    let before = citizen.heard().len() / HZ;
    citizen.hear_seconds(before + 4);
    lawyer.tell("resume", "");
    city.wait_for_phase("talking");
    let resumed = citizen.heard().len();
    citizen.hear_seconds(resumed / HZ + TALK_SECONDS);
    citizen.tell("hangup", "");
    lawyer.wait_for("CALL_CLOSED");

    let (heard, own) = (citizen.heard(), sound::decode(&said.lawyer));
    let music = sound::decode(&sound::prompt("hold_music", 2.0));
    let held = &heard[before * HZ..resumed];
    assert_heard("the citizen hears music on hold", &music, held);
    assert_heard("the citizen hears the lawyer after it", &own, &heard[resumed..]);
    let detail = city.detail();
    expect(&detail["call"], "answered", "caller");
    assert_eq!(detail["recordings"].as_array().map(Vec::len), Some(1), "one recording over the hold");
    city.wait_for_agent(LAWYER, "ready");
    city.close();
}

#[track_caller]
fn expect(call: &Value, departure: &str, ended_by: &str) {
    let got = (call["departure"].as_str(), call["ended_by"].as_str());
    assert_eq!(got, (Some(departure), Some(ended_by)), "{call:#}");
}

#[track_caller]
fn check_record(city: &City, said: &Said, seen: &Seen, ended_by: &str) {
    let detail = city.detail();
    let call = &detail["call"];
    expect(call, "answered", ended_by);
    assert_eq!(call["county"], "lucheng");
    assert_eq!(call["pool"], "lucheng");
    assert_eq!(call["agent"], LAWYER);
    assert_eq!(call["trunk"], "telecom");
    assert_eq!(call["caller"], "057****1234");
    let at = |key: &str| call[key].as_i64().unwrap_or_else(|| panic!("no {key} in {call:#}"));
    near("arrived", at("arrived_at"), seen.dialled);
    near("bridged", at("bridged_at"), seen.bridged);
    near("departed", at("departed_at"), seen.departed);
    assert_eq!(at("waited_ms"), at("bridged_at") - at("queued_at"));
    assert_eq!(at("talked_ms"), at("departed_at") - at("bridged_at"));

    let ticket = city.ticket(detail["ticket"].as_str().expect("a ticket"));
    assert_eq!(ticket["county"], "lucheng");
    assert_eq!(ticket["agent"], LAWYER);
    assert_eq!(ticket["call"], call["id"]);
    assert_eq!(ticket["created_at"], call["arrived_at"]);
    check_recording(city, said, &detail["recordings"]);
    check_legs(&detail["legs"]);
    city.wait_for_agent(LAWYER, "ready");
}

#[track_caller]
fn check_recording(city: &City, said: &Said, recordings: &Value) {
    let recordings = recordings.as_array().expect("a list");
    assert_eq!(recordings.len(), 1, "{recordings:#?}");
    let wav = Wav::read(&city.recording(recordings[0]["file"].as_str().expect("a file")));
    let [left, right] = wav.channels.as_slice() else { panic!("not stereo") };
    let (citizen, lawyer) = (sound::decode(&said.citizen), sound::decode(&said.lawyer));
    assert_heard("the recording's left is the citizen", &citizen, left);
    assert_heard("the recording's right is the lawyer", &lawyer, right);
    assert_not_heard("the lawyer on the left", &lawyer, left);
    assert_not_heard("the citizen on the right", &citizen, right);

    let segments = recordings[0]["segments"].as_array().expect("a list");
    assert!(segments.iter().any(|segment| segment["agent"] == LAWYER), "{segments:#?}");
    let mut end_ms = 0;
    for segment in segments {
        let ms = |key: &str| segment[key].as_u64().expect("milliseconds") as usize;
        assert_eq!(ms("offset_ms"), end_ms, "segments leave no gap: {segments:#?}");
        end_ms += ms("duration_ms");
        // 8 frames of 2 bytes a millisecond.
        let bytes = &wav.bytes[ms("offset_ms") * 16..end_ms * 16];
        let sha256: String = Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(segment["sha256"], sha256, "{segment}");
    }
    assert_eq!(wav.bytes.len(), end_ms * 16, "the segments are the whole file");
    assert_eq!(recordings[0]["duration_ms"], end_ms);
}

#[track_caller]
fn check_legs(legs: &Value) {
    let legs = legs.as_array().expect("a list");
    let roles: Vec<_> = legs.iter().map(|leg| leg["role"].as_str().unwrap_or("?")).collect();
    assert_eq!(roles, ["caller", "agent"]);
    for leg in legs {
        // 50 packets a second.
        let packets = leg["packets_received"].as_u64().expect("a count");
        assert!(packets >= 50 * TALK_SECONDS as u64 - 25, "{leg}");
        assert_eq!(leg["packets_lost"], 0, "{leg}");
        assert_eq!(leg["packets_stray"], 0, "{leg}");
    }
}

#[track_caller]
fn near(what: &str, recorded: i64, seen: i64) {
    assert!((recorded - seen).abs() <= TOLERANCE_MS, "{what}: recorded {recorded}, seen {seen}");
}

//! A lawyer calls 12345 in: all three hear each other, nobody themselves, and it is on one record. A supervisor takes part
//! as they mean to.

use crate::support::phone::{Over, Phone};
use crate::support::server::{City, DIALPLAN, FROM_LUCHENG, Setup, rows};
use crate::support::sound::{self, HZ, Wav, find};
use crate::support::{SOON, eventually, web};
use serde_json::Value;

const LAWYER: u32 = 1001;
const NUMBER: &str = "12345";
/// So long is what each says, over and over.
const SECONDS: f64 = 3.0;
/// Long enough for a whole round of what the others say.
const TALK_SECONDS: usize = 7;
const TARGET: &str = r#"
[targets.hotline_12345]
name = { zh = "政务服务热线", en = "12345" }
numbers = ["12345"]
trunk = "government"
key = 1
"#;
/// Alone a voice is found whole; of two at once each is most of what is heard; and without it there is nothing like it.
const ALONE: f64 = 0.95;
const AMONG_TWO: f64 = 0.4;
const ABSENT: f64 = 0.3;

/// Lets them hear another few seconds, and gives those.
fn listen<const N: usize>(phones: [&Phone; N]) -> [Vec<i16>; N] {
    let before = phones.map(|phone| phone.heard().len());
    for (phone, before) in phones.into_iter().zip(before) {
        phone.hear_seconds(before / HZ + TALK_SECONDS);
    }
    std::array::from_fn(|n| phones[n].heard().split_off(before[n]))
}

struct Three {
    city: City,
    citizen: Phone,
    lawyer: Phone,
    government: Phone,
    /// What each says, in that order.
    said: [Vec<i16>; 3],
}

impl Three {
    /// Citizen and lawyer are talking; 12345 is there to be called.
    fn talking() -> Self {
        let setup = Setup {
            has_telephones: true,
            government: Some(NUMBER),
            ping_interval: "1s",
            dialplan: DIALPLAN.to_owned() + TARGET,
            ..Setup::lawyers(&[LAWYER])
        };
        let city = City::open(&setup);
        let said = ["demo_caller_1", "demo_lawyer_1", "demo_caller_2"]
            .map(|name| sound::decode(&sound::prompt(name, SECONDS)));
        let [citizens, lawyers, governments] = said.each_ref().map(|said| said.repeat(20));
        let mut lawyer = city.lawyer(LAWYER, Over::Udp, true, &lawyers);
        let government = city.government(NUMBER, &governments);
        let mut citizen = city.telephone(&citizens);
        city.wait_for_trunk("government");
        citizen.tell("dial", &format!("sip:12348@{}", city.sip));
        lawyer.wait_for("CALL_ESTABLISHED");
        city.wait_for_phase("talking");
        Self { city, citizen, lawyer, government, said }
    }

    /// A code of the lawyer's telephone.
    fn press(&mut self, keys: &str) {
        keys.chars().for_each(|key| self.lawyer.tell("sndcode", &key.to_string()));
    }

    fn phones(&self) -> [&Phone; 3] {
        [&self.citizen, &self.lawyer, &self.government]
    }

    #[track_caller]
    fn check(&self, what: &str, heard: &[i16], expected: [Option<f64>; 3]) {
        for (n, least) in expected.into_iter().enumerate() {
            let (likeness, _) = find(&self.said[n], heard);
            println!("{what} {n}: {likeness:.3}");
            match least {
                Some(least) => assert!(likeness >= least, "{what} {n}: {likeness:.3} < {least}"),
                None => assert!(likeness < ABSENT, "{what} {n}: {likeness:.3}"),
            }
        }
    }
}

#[test]
fn by_three_keys_of_the_phone_12345_is_called_in_and_the_citizen_stays_with_it() {
    let mut three = Three::talking();
    three.press("*1");
    three.government.wait_for("CALL_ESTABLISHED");
    let heard = listen(three.phones());
    three.check("the citizen, consulted about, hears", &heard[0], [None, None, None]);
    three.check("the lawyer, consulting, hears", &heard[1], [None, None, Some(ALONE)]);
    three.check("12345, consulted, hears", &heard[2], [None, Some(ALONE), None]);

    three.press("**");
    let heard = listen(three.phones());
    three.check("the citizen hears", &heard[0], [None, Some(AMONG_TWO), Some(AMONG_TWO)]);
    three.check("the lawyer hears", &heard[1], [Some(AMONG_TWO), None, Some(AMONG_TWO)]);
    three.check("12345 hears", &heard[2], [Some(AMONG_TWO), Some(AMONG_TWO), None]);

    three.lawyer.tell("hangup", "");
    let [citizens, governments] = listen([&three.citizen, &three.government]);
    three.check("the citizen, left to 12345, hears", &citizens, [None, None, Some(ALONE)]);
    three.check("12345, without the lawyer, hears", &governments, [Some(ALONE), None, None]);

    three.government.tell("hangup", "");
    three.citizen.wait_for("CALL_CLOSED");
    check_record(&three);
    three.city.wait_for_agent(LAWYER, "ready");
    three.city.close();
}

#[test]
fn a_blind_transfer_from_the_phone_passes_the_citizen_on() {
    let mut three = Three::talking();
    three.lawyer.tell("transfer", &format!("sip:{NUMBER}@{}", three.city.sip));
    three.government.wait_for("CALL_ESTABLISHED");
    three.lawyer.wait_for("CALL_CLOSED");
    let [citizens, governments] = listen([&three.citizen, &three.government]);
    three.check("the citizen, passed on, hears", &citizens, [None, None, Some(ALONE)]);
    three.check("12345 hears", &governments, [Some(ALONE), None, None]);
    three.citizen.tell("hangup", "");
    three.government.wait_for("CALL_CLOSED");
    let detail = three.city.detail();
    assert_eq!(
        (&detail["call"]["departure"], &detail["call"]["agent"]),
        (&"answered".into(), &LAWYER.into())
    );
    three.city.wait_for_agent(LAWYER, "ready");
    three.city.close();
}

#[test]
fn a_third_party_that_is_not_there_costs_the_citizen_nothing() {
    let mut three = Three::talking();
    three.government.kill();
    let is_gone = || {
        let trunks = rows(&three.city.board(), "trunks");
        trunks.iter().any(|trunk| trunk["id"] == "government" && trunk["reachable"] == false).then_some(())
    };
    eventually("12345 is gone", SOON * 3, is_gone);
    three.press("*1");
    let [citizens, lawyers] = listen([&three.citizen, &three.lawyer]);
    three.check("the citizen hears", &citizens, [None, Some(ALONE), None]);
    three.check("the lawyer hears", &lawyers, [Some(ALONE), None, None]);
    three.citizen.tell("hangup", "");
    three.lawyer.wait_for("CALL_CLOSED");
    three.city.close();
}

/// One call of one lawyer, with three legs and a recording of all of it.
fn check_record(three: &Three) {
    let detail = three.city.detail();
    let call = &detail["call"];
    let got = (call["departure"].as_str(), call["ended_by"].as_str(), call["caller"].as_str());
    assert_eq!(got, (Some("answered"), Some("agent"), Some("057****1234")), "of {FROM_LUCHENG}: {call:#}");
    let mut roles: Vec<String> = rows(&detail, "legs").iter().map(|leg| leg["role"].to_string()).collect();
    roles.sort();
    assert_eq!(roles, ["\"agent\"", "\"caller\"", "\"outside\""]);
    let recordings = rows(&detail, "recordings");
    assert_eq!(recordings.len(), 1, "{recordings:#?}");
    let segments = rows(&recordings[0], "segments");
    let parties: Vec<(bool, bool, bool)> = segments
        .iter()
        .map(|segment| {
            (segment["agent"] == LAWYER, segment["target"] == "hotline_12345", segment["is_private"] == true)
        })
        .collect();
    let expected = [(true, false, false), (true, true, true), (true, true, false), (false, true, false)];
    let at = parties.windows(4).position(|window| window == expected);
    let at = at.unwrap_or_else(|| panic!("{segments:#?}"));
    let wav = Wav::read(&three.city.recording(recordings[0]["file"].as_str().expect("a file")));
    let [left, right] = wav.channels.as_slice() else { panic!("not stereo") };
    let part = |channel: &[i16], segment: &Value| {
        let ms = |key: &str| segment[key].as_u64().expect("milliseconds") as usize;
        channel[ms("offset_ms") * 8..(ms("offset_ms") + ms("duration_ms")) * 8].to_vec()
    };
    for (n, segment) in segments[at + 1..at + 4].iter().enumerate() {
        three.check("the left has", &part(left, segment), [Some(ALONE), None, None]);
        let (lawyer, government) =
            [(Some(AMONG_TWO), Some(AMONG_TWO)), (Some(AMONG_TWO), Some(AMONG_TWO)), (None, Some(ALONE))][n];
        three.check("the right has", &part(right, segment), [None, lawyer, government]);
    }
}

/// A whisper may be no louder than this for the citizen, against what the supervisor says.
const INAUDIBLE_DB: f64 = -50.0;
const SUPERVISOR: u32 = 1002;

#[test]
fn a_supervisor_listens_whispers_and_barges_in() {
    let city = City::open(&Setup { has_telephones: true, ..Setup::lawyers(&[LAWYER, SUPERVISOR]) });
    let [citizens, supervisors] =
        ["demo_caller_1", "demo_lawyer_2"].map(|name| sound::decode(&sound::prompt(name, SECONDS)));
    // The lawyer says nothing, so that all that the citizen hears is the supervisor's.
    let mut lawyer = city.lawyer(LAWYER, Over::Udp, true, &[]);
    let mut supervisor = city.lawyer(SUPERVISOR, Over::Udp, true, &supervisors.repeat(20));
    let pause = r#"{"duty":"paused"}"#;
    assert_eq!(web::post(city.web, &format!("/api/agents/{SUPERVISOR}/duty"), pause), Some(202));
    city.wait_for_agent(SUPERVISOR, "paused");
    let mut citizen = city.telephone(&citizens.repeat(20));
    citizen.tell("dial", &format!("sip:12348@{}", city.sip));
    lawyer.wait_for("CALL_ESTABLISHED");
    let call = city.wait_for_phase("talking")["id"].as_str().expect("ids are text").to_owned();
    let supervise = |mode: &str| {
        let body = format!(r#"{{"mode":"{mode}","phone":"{SUPERVISOR}"}}"#);
        assert_eq!(web::post(city.web, &format!("/api/calls/{call}/supervision"), &body), Some(202));
    };
    supervise("listen");
    supervisor.wait_for("CALL_ESTABLISHED");
    let [by_citizen, by_lawyer, by_supervisor] = listen([&citizen, &lawyer, &supervisor]);
    assert!(find(&citizens, &by_supervisor).0 >= ALONE, "the supervisor hears the citizen");
    let db = sound::level_db(&supervisors, &by_citizen);
    assert!(db < INAUDIBLE_DB, "the citizen hears the supervisor, who listens, at {db:.0} dB");
    let (likeness, _) = find(&supervisors, &by_lawyer);
    assert!(likeness < ABSENT, "the lawyer hears the supervisor, who listens: {likeness:.3}");

    supervise("whisper");
    let [by_citizen, by_lawyer, _] = listen([&citizen, &lawyer, &supervisor]);
    assert!(find(&supervisors, &by_lawyer).0 >= AMONG_TWO, "the lawyer hears the whisper");
    let db = sound::level_db(&supervisors, &by_citizen);
    println!("a whisper at the citizen's: {db:.0} dB");
    assert!(db < INAUDIBLE_DB, "the citizen hears the whisper at {db:.0} dB");

    supervise("barge");
    let [by_citizen, by_lawyer, _] = listen([&citizen, &lawyer, &supervisor]);
    assert!(find(&supervisors, &by_citizen).0 >= AMONG_TWO, "the citizen hears who barges in");
    assert!(find(&supervisors, &by_lawyer).0 >= AMONG_TWO, "and the lawyer");

    citizen.tell("hangup", "");
    supervisor.wait_for("CALL_CLOSED");
    let detail = city.detail();
    let marks: Vec<Value> = rows(&rows(&detail, "recordings")[0], "segments")
        .iter()
        .map(|segment| segment["supervision"].clone())
        .filter(|mark| !mark.is_null())
        .collect();
    assert_eq!(marks, ["listen", "whisper", "barge"]);
    city.close();
}

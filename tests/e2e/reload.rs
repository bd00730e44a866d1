//! The dialplan changes under a running server: SIGHUP, while somebody waits.

use crate::support::phone::{Over, Phone};
use crate::support::server::{City, DIALPLAN, FROM_LUCHENG, Setup};
use crate::support::sound::{self, assert_heard, assert_not_heard};
use crate::support::{SOON, eventually};

const LAWYER: u32 = 1001;
const NOTICE: &str = "prompts = [\"notice\"]";

fn write_plan(city: &City, from: &str, to: &str) {
    assert!(DIALPLAN.contains(from), "{from}");
    std::fs::write(city.dir().join("dialplan.toml"), DIALPLAN.replace(from, to)).expect("a dialplan");
}

/// Asks the server to read its files again, and waits until it says how that ended; gives what it said.
#[track_caller]
fn reload(city: &City, ends_with: &str) -> String {
    let before = city.program.log().len();
    city.program.hang_up();
    let said = || Some(city.program.log().split_off(before)).filter(|said| said.contains(ends_with));
    eventually(ends_with, SOON, said)
}

/// What a citizen hears who dials now, until nobody but music speaks.
fn hear_a_call(city: &City, telephone: &mut Phone) -> Vec<i16> {
    let before = telephone.heard().len();
    telephone.tell("dial", &format!("sip:12348@{}", city.sip));
    telephone.wait_for("CALL_ESTABLISHED");
    city.wait_for_phase("waiting");
    telephone.hear_seconds(before / sound::HZ + 4);
    telephone.tell("hangup", "");
    telephone.wait_for("CALL_CLOSED");
    telephone.heard().split_off(before)
}

#[test]
fn a_new_dialplan_is_for_new_callers_and_a_wrong_one_is_for_nobody() {
    let city = City::open(&Setup { has_telephones: true, ..Setup::lawyers(&[LAWYER]) });
    let speech = sound::prompt("demo_caller_1", 2.0);
    let [old, new] = ["notice", "menu"].map(|name| sound::decode(&sound::prompt(name, 0.5)));
    let mut lawyer = city.lawyer(LAWYER, Over::Udp, true, &sound::decode(&speech).repeat(20));
    let mut telephone = city.telephone(&[]);
    let talks = city.callers(FROM_LUCHENG, &speech, 1);
    lawyer.wait_for("CALL_ESTABLISHED");
    city.wait_for_phase("talking");
    let waits = city.callers(FROM_LUCHENG, &speech, 1);
    let waiting = city.wait_for_phase("waiting");

    write_plan(&city, NOTICE, "prompts = [\"menu\"]");
    let said = reload(&city, "the configuration was read again");
    for part in ["reload: dialplan wenzhou: version ", "reload: wenzhou: step notice, does: "] {
        assert!(said.contains(part), "{part} is missing:\n{said}");
    }
    assert_eq!(city.wait_for_phase("waiting")["id"], waiting["id"], "who waits still does");
    talks.cue(1);
    talks.finish();
    lawyer.wait_for("CALL_ESTABLISHED");
    assert_eq!(city.wait_for_phase("talking")["id"], waiting["id"], "and is served");
    let heard = hear_a_call(&city, &mut telephone);
    assert_heard("the new notice", &new, &heard);
    assert_not_heard("the old notice", &old, &heard);

    write_plan(&city, NOTICE, "prompts = [\"notise\"]");
    let line = DIALPLAN.lines().position(|line| line == NOTICE).expect("it is there") + 1;
    let said = reload(&city, "the configuration is refused: the running one stays");
    assert!(said.contains(&format!("dialplan.toml:{line}: ")) && said.contains("notise"), "{said}");
    let heard = hear_a_call(&city, &mut telephone);
    assert_heard("still the new notice", &new, &heard);

    waits.cue(1);
    waits.finish();
    let calls = city.records(4);
    let ends: Vec<_> = calls.iter().map(|call| call["departure"].as_str().unwrap_or("?")).collect();
    assert_eq!(ends, ["answered", "answered", "abandoned_queue", "abandoned_queue"], "by arrival");
    city.wait_for_agent(LAWYER, "ready");
    city.close();
}

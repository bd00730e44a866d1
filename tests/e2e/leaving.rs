//! How calls end, wherever the two are: departure and party on record, one ticket, the lawyer free again.

use crate::support::phone::{Over, Phone};
use crate::support::server::{City, FROM_LUCHENG, FROM_NOWHERE, Setup, password};
use crate::support::sound;
use crate::support::trunk::Sipp;
use serde_json::Value;
use std::time::Duration;

const LAWYER: u32 = 1001;
const COLLEAGUE: u32 = 1002;
/// Until an OPTIONS to a phone that is gone has failed: timer F of RFC 3261 is 32 s.
const MISSED_WITHIN: Duration = Duration::from_secs(50);

fn caller(city: &City, number: &str) -> Sipp {
    city.callers(number, &sound::prompt("demo_caller_1", 2.0), 1)
}

fn manual(city: &City, id: u32) -> Phone {
    city.lawyer(id, Over::Udp, false, &[])
}

fn auto(city: &City, id: u32, over: Over) -> Phone {
    city.lawyer(id, over, true, &sound::decode(&sound::prompt("demo_lawyer_1", 2.0)).repeat(20))
}

/// The record and the ticket of the only call.
#[track_caller]
fn expect(city: &City, departure: &str, ended_by: &str, agent: Option<u32>, offers: u32) -> Value {
    let detail = city.detail();
    let call = &detail["call"];
    let got = (call["departure"].as_str(), call["ended_by"].as_str());
    assert_eq!(got, (Some(departure), Some(ended_by)), "{call:#}");
    assert_eq!(call["agent"].as_u64(), agent.map(u64::from), "{call:#}");
    assert_eq!(call["offers"], offers, "{call:#}");
    let ticket = city.ticket(detail["ticket"].as_str().expect("every call has a ticket"));
    assert_eq!(ticket["agent"], call["agent"]);
    assert_eq!(ticket["county"], call["county"]);
    call.clone()
}

#[test]
fn a_caller_hangs_up_in_the_notice() {
    let city = City::open(&Setup::lawyers(&[LAWYER]));
    let caller = caller(&city, FROM_LUCHENG);
    caller.cue(1);
    caller.finish();
    let call = expect(&city, "abandoned_menu", "caller", None, 0);
    assert_eq!(call["queued_at"], Value::Null);
    city.close();
}

#[test]
fn a_caller_hangs_up_in_the_menu() {
    let city = City::open(&Setup::lawyers(&[LAWYER]));
    let _lawyer = manual(&city, LAWYER);
    let caller = caller(&city, FROM_NOWHERE);
    city.wait_for_phase("menu");
    caller.cue(1);
    caller.finish();
    let call = expect(&city, "abandoned_menu", "caller", None, 0);
    assert_eq!(call["county"], Value::Null);
    city.wait_for_agent(LAWYER, "ready");
    city.close();
}

#[test]
fn a_caller_hangs_up_in_the_queue() {
    let city = City::open(&Setup::lawyers(&[LAWYER, COLLEAGUE]));
    // Nobody would wait if nobody were on duty: one lawyer is, and talks already.
    let mut lawyer = auto(&city, LAWYER, Over::Udp);
    let first = caller(&city, FROM_LUCHENG);
    lawyer.wait_for("CALL_ESTABLISHED");
    city.wait_for_phase("talking");
    let second = caller(&city, FROM_LUCHENG);
    city.wait_for_phase("waiting");
    second.cue(1);
    second.finish();
    city.wait_for_departures(1);
    first.cue(1);
    first.finish();
    let calls = city.records(2);
    let ends: Vec<_> = calls.iter().map(|call| call["departure"].as_str().unwrap_or("?")).collect();
    assert_eq!(ends, ["answered", "abandoned_queue"], "by arrival");
    assert!(calls.iter().all(|call| call["ended_by"] == "caller"), "{calls:#?}");
    city.wait_for_agent(LAWYER, "ready");
    city.close();
}

#[test]
fn a_caller_hangs_up_while_a_phone_rings() {
    let city = City::open(&Setup::lawyers(&[LAWYER]));
    let mut lawyer = manual(&city, LAWYER);
    let caller = caller(&city, FROM_LUCHENG);
    lawyer.wait_for("CALL_INCOMING");
    city.wait_for_phase("ringing");
    caller.cue(1);
    caller.finish();
    lawyer.wait_for("CALL_CLOSED");
    expect(&city, "abandoned_ringing", "caller", None, 1);
    city.wait_for_agent(LAWYER, "ready");
    city.close();
}

#[test]
fn a_lawyer_rejects_and_the_next_one_gets_the_call() {
    let city = City::open(&Setup::lawyers(&[LAWYER, COLLEAGUE]));
    let mut lawyer = manual(&city, LAWYER);
    let mut colleague = auto(&city, COLLEAGUE, Over::Udp);
    let caller = caller(&city, FROM_LUCHENG);
    lawyer.wait_for("CALL_INCOMING");
    lawyer.tell("hangup", "");
    colleague.wait_for("CALL_ESTABLISHED");
    // One rejected call is one missed call, and the test's dialplan forgives none.
    let missed = city.wait_for_agent(LAWYER, "paused");
    assert_eq!((&missed["duty"], &missed["pause"]), (&"paused".into(), &"no_answer".into()));
    city.wait_for_phase("talking");
    caller.cue(1);
    caller.finish();
    expect(&city, "answered", "caller", Some(COLLEAGUE), 2);
    city.wait_for_agent(COLLEAGUE, "ready");
    city.close();
}

#[test]
fn a_lawyer_does_not_answer_and_the_next_one_gets_the_call() {
    let city = City::open(&Setup::lawyers(&[LAWYER, COLLEAGUE]));
    let mut lawyer = manual(&city, LAWYER);
    let mut colleague = auto(&city, COLLEAGUE, Over::Tcp);
    let caller = caller(&city, FROM_LUCHENG);
    lawyer.wait_for("CALL_INCOMING");
    colleague.wait_for("CALL_ESTABLISHED");
    lawyer.wait_for("CALL_CLOSED");
    let missed = city.wait_for_agent(LAWYER, "paused");
    assert_eq!((&missed["duty"], &missed["pause"]), (&"paused".into(), &"no_answer".into()));
    colleague.tell("hangup", "");
    caller.finish();
    let call = expect(&city, "answered", "agent", Some(COLLEAGUE), 2);
    let waited = call["waited_ms"].as_i64().expect("it waited");
    assert!((5_000..8_000).contains(&waited), "the first phone rings for 5 s: waited {waited} ms");
    city.wait_for_agent(COLLEAGUE, "ready");
    city.close();
}

#[test]
fn a_lawyer_unregisters_while_the_phone_rings() {
    let city = City::open(&Setup::lawyers(&[LAWYER, COLLEAGUE]));
    let mut lawyer = manual(&city, LAWYER);
    let mut colleague = auto(&city, COLLEAGUE, Over::Udp);
    let caller = caller(&city, FROM_LUCHENG);
    lawyer.wait_for("CALL_INCOMING");
    city.register(LAWYER, &password(LAWYER), "*", "0", "200");
    colleague.wait_for("CALL_ESTABLISHED");
    lawyer.wait_for("CALL_CLOSED");
    city.wait_for_agent(LAWYER, "offline");
    city.wait_for_phase("talking");
    caller.cue(1);
    caller.finish();
    expect(&city, "answered", "caller", Some(COLLEAGUE), 2);
    city.close();
}

#[test]
fn a_phone_on_tcp_dies_in_the_middle_of_a_call() {
    let city = City::open(&Setup::lawyers(&[LAWYER]));
    let mut lawyer = auto(&city, LAWYER, Over::Tcp);
    let caller = caller(&city, FROM_LUCHENG);
    lawyer.wait_for("CALL_ESTABLISHED");
    city.wait_for_phase("talking");
    lawyer.kill();
    caller.finish();
    expect(&city, "answered", "system", Some(LAWYER), 1);
    city.wait_for_agent(LAWYER, "offline");
    city.close();
}

#[test]
fn a_phone_on_udp_dies_in_the_middle_of_a_call() {
    let setup = Setup { silence_timeout: "5s", ping_interval: "1s", ..Setup::lawyers(&[LAWYER]) };
    let city = City::open(&setup);
    let mut lawyer = auto(&city, LAWYER, Over::Udp);
    let caller = caller(&city, FROM_LUCHENG);
    lawyer.wait_for("CALL_ESTABLISHED");
    city.wait_for_phase("talking");
    lawyer.kill();
    caller.finish();
    let call = expect(&city, "answered", "system", Some(LAWYER), 1);
    let talked = call["talked_ms"].as_i64().expect("they talked");
    assert!((5_000..12_000).contains(&talked), "silence for 5 s ends the call: talked {talked} ms");
    city.wait_long_for_agent(LAWYER, "offline", MISSED_WITHIN);
    city.close();
}

#[test]
fn a_lawyer_answers_in_the_moment_in_which_the_caller_hangs_up() {
    let city = City::open(&Setup { at_fixed_addresses: true, ..Setup::lawyers(&[LAWYER]) });
    let phone = city.desk_phone(LAWYER, "phone_answers_cancel");
    city.wait_for_agent(LAWYER, "ready");
    let caller = caller(&city, FROM_LUCHENG);
    city.wait_for_phase("ringing");
    phone.wait_to_say("SIP/2.0 180");
    caller.cue(1);
    caller.finish();
    // The phone has its 200 acknowledged, and is told at once that the call is over.
    phone.wait_to_say("\nBYE sip:");
    expect(&city, "abandoned_ringing", "caller", None, 1);
    city.wait_for_agent(LAWYER, "ready");
    let said = phone.messages();
    assert!(said.contains("ACK sip:"), "{said}");
    city.close();
}

//! A citizen presses a key, hangs up, and is called back when a lawyer has time.

use crate::support::phone::{Over, Phone};
use crate::support::server::{City, DIALPLAN, Setup, rows};
use crate::support::sound::{self, HZ, assert_heard};
use crate::support::web;
use crate::support::{SOON, eventually};
use serde_json::Value;

const LAWYER: u32 = 1001;
/// Whoever talks with the lawyer first.
const FROM_ELSEWHERE: &str = "057788005678";
/// So long is what each says, over and over.
const SECONDS: f64 = 3.0;
/// Long enough for a whole round of what the other says.
const TALK_SECONDS: usize = 7;
const CALL_BACK: &str = r#"
[steps.call_back]
kind = "callback"
prompts = ["callback_kept"]
within = "1h"
then = "goodbye"
"#;

fn setup() -> Setup {
    let plan = DIALPLAN
        .replace("exhausted = \"goodbye\"", "exhausted = \"goodbye\"\nkeys = { 2 = \"call_back\" }")
        .replace("ring_timeout = \"5s\"", "ring_timeout = \"60s\"");
    Setup {
        has_telephones: true,
        ping_interval: "1s",
        dialplan: plan + CALL_BACK,
        ..Setup::lawyers(&[LAWYER])
    }
}

fn accept(phone: &mut Phone) {
    phone.wait_for("CALL_INCOMING");
    phone.tell("accept", "");
    phone.wait_for("CALL_ESTABLISHED");
}

/// Dials, waits in line and presses the key.
fn ask_for_call_back(city: &City, telephone: &mut Phone) {
    telephone.tell("dial", &format!("sip:12348@{}", city.sip));
    telephone.wait_for("CALL_ESTABLISHED");
    city.wait_for_waiting(false);
    telephone.tell("sndcode", "2");
}

#[track_caller]
fn expect(call: &Value, departure: &str, ended_by: &str, agent: Option<u32>) {
    let got = (call["departure"].as_str(), call["ended_by"].as_str(), call["agent"].as_u64());
    assert_eq!(got, (Some(departure), Some(ended_by), agent.map(u64::from)), "{call:#}");
}

#[test]
fn whoever_presses_the_key_is_called_back_once_when_a_lawyer_has_answered() {
    let city = City::open(&setup());
    let said = ["demo_lawyer_1", "demo_caller_1"].map(|name| sound::decode(&sound::prompt(name, SECONDS)));
    let [lawyers, citizens] = &said;
    let mut lawyer = city.lawyer(LAWYER, Over::Udp, false, &lawyers.repeat(20));
    let mut telephone = city.telephone(&citizens.repeat(20));
    city.wait_for_trunk("telecom");
    let other = city.callers(FROM_ELSEWHERE, &sound::prompt("demo_caller_2", SECONDS), 1);
    accept(&mut lawyer);
    city.wait_for_phase("talking");

    ask_for_call_back(&city, &mut telephone);
    let kept = city.wait_for_waiting(true);
    // Two calls in one second would be one file of what was heard.
    telephone.hear_seconds(2);
    telephone.tell("hangup", "");
    telephone.wait_for("CALL_CLOSED");
    let heard = telephone.heard().len();
    ask_for_call_back(&city, &mut telephone);
    // The hotline says that a call-back stands, and hangs up. It is the first that does.
    telephone.wait_for("CALL_CLOSED");
    city.wait_for_departures(1);
    assert_eq!(city.wait_for_waiting(true)["id"], kept["id"]);
    for (prompt, seconds) in [("callback_kept", 2.0), ("goodbye", 0.5)] {
        let words = sound::decode(&sound::prompt(prompt, seconds));
        // The phone may still be writing it down.
        let is_heard = || (sound::find(&words, &telephone.heard()[heard..]).0 > 0.95).then_some(());
        eventually(prompt, SOON, is_heard);
    }

    other.cue(1);
    other.finish();
    lawyer.wait_for("CALL_CLOSED");
    lawyer.wait_for("CALL_INCOMING");
    assert!(!telephone.has_said("CALL_INCOMING"), "nobody picks up to find nobody");
    let (before_lawyer, before_citizen) = (lawyer.heard().len(), telephone.heard().len());
    lawyer.tell("accept", "");
    lawyer.wait_for("CALL_ESTABLISHED");
    accept(&mut telephone);
    city.wait_for_phase("talking");
    lawyer.hear_seconds(before_lawyer / HZ + TALK_SECONDS);
    telephone.hear_seconds(before_citizen / HZ + TALK_SECONDS);
    lawyer.tell("hangup", "");
    telephone.wait_for("CALL_CLOSED");
    assert_heard("the lawyer hears the citizen", citizens, &lawyer.heard()[before_lawyer..]);
    assert_heard("the citizen hears the lawyer", lawyers, &telephone.heard()[before_citizen..]);

    let calls = city.records(3);
    expect(&calls[0], "answered", "caller", Some(LAWYER));
    expect(&calls[1], "answered", "agent", Some(LAWYER));
    expect(&calls[2], "callback_merged", "system", None);
    assert_eq!(calls[1]["id"], kept["id"], "it is the same call");
    check_record(&city, &calls[1]);
    city.wait_for_agent(LAWYER, "ready");
    city.close();
}

/// One call with one ticket: the citizen's first leg, the lawyer's, and the leg to the citizen, who was dialled last.
fn check_record(city: &City, call: &Value) {
    let id = call["id"].as_str().expect("ids are text");
    let detail = web::json(city.web, &format!("/api/calls/{id}"));
    let ticket = city.ticket(detail["ticket"].as_str().expect("a ticket"));
    assert_eq!((&ticket["call"], &ticket["agent"]), (&call["id"], &LAWYER.into()));
    let legs = rows(&detail, "legs");
    let roles: Vec<_> = legs.iter().map(|leg| leg["role"].as_str().unwrap_or("?")).collect();
    assert_eq!(roles, ["caller", "agent", "caller"]);
    // Before the citizen left, and the talk.
    let mut agents: Vec<_> = rows(&detail, "recordings")
        .iter()
        .map(|recording| recording["segments"][0]["agent"].as_u64())
        .collect();
    agents.sort();
    assert_eq!(agents, [None, Some(LAWYER.into())], "{detail:#}");
}

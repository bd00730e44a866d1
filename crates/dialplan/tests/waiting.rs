//! What a caller can hear and press while waiting.
#![allow(clippy::unwrap_used)] // Helpers of tests, which fail by it.

use dialplan::{Announce, Calendars, Context, Cursor, Dialplan, Outcome, Step, parse_china_minute};
use std::collections::BTreeSet;
use std::time::Duration;

const SAID: [&str; 18] = [
    "wait_next",
    "wait_ahead",
    "wait_callers",
    "wait_about",
    "wait_minutes",
    "wait_long",
    "number_0",
    "number_1",
    "number_2",
    "number_2_of",
    "number_3",
    "number_4",
    "number_5",
    "number_6",
    "number_7",
    "number_8",
    "number_9",
    "number_10",
];

/// The small city, whose queue tells and offers what `queue` says.
fn text(queue: &str) -> String {
    let menu = include_str!("menu.toml");
    let more = "\n[steps.back]\nkind = \"callback\"\nprompts = [\"beep\"]\nwithin = \"1h\"\nthen = \"bye\"\n\
                [steps.bye]\nkind = \"hangup\"\n";
    menu.replace("kind = \"queue\"\n", &format!("kind = \"queue\"\n{queue}\n")) + more
}

fn parse(text: &str, recordings: &[&str]) -> Result<Dialplan, Vec<String>> {
    let all = ["notice", "menu", "beep", "closed", "hold_music"].iter().chain(recordings);
    let prompts: BTreeSet<String> = all.map(|&name| name.to_owned()).collect();
    let calendars = Calendars::default();
    let parsed = Dialplan::parse("f", text, &Context::new(&prompts, &calendars, 2026));
    parsed.map(|checked| checked.value).map_err(|problems| {
        problems.iter().map(|problem| format!("{}: {}", problem.what, problem.remedy)).collect()
    })
}

const TELLS: &str =
    "announce = { first = \"20s\", every = \"45s\", then = [\"beep\"] }\nkeys = { 9 = \"back\" }";

fn in_queue(plan: &Dialplan) -> (Cursor, Step) {
    let now = parse_china_minute("2026-03-02 10:00").unwrap();
    let mut cursor = plan.begin("13800000000", "099912348", now).cursor;
    plan.next(&mut cursor, now, Outcome::Played);
    let step = plan.next(&mut cursor, now, Outcome::TimedOut);
    (cursor, step)
}

#[test]
fn who_waits_is_told_the_position_and_the_wait() {
    let plan = parse(&text(TELLS), &SAID).unwrap();
    let (cursor, step) = in_queue(&plan);
    let Step::Queue { announce, keys, .. } = step else { panic!("{step:?}") };
    let span = Duration::from_secs;
    assert_eq!(announce, Some(Announce { first: span(20), every: span(45) }));
    assert_eq!(keys, BTreeSet::from(['9']));
    let said = |position, s| plan.announcement(&cursor, position, span(s)).join(" ");
    assert_eq!(said(1, 0), "wait_next wait_about number_1 wait_minutes beep");
    assert_eq!(said(3, 61), "wait_ahead number_2_of wait_callers wait_about number_2_of wait_minutes beep");
    assert_eq!(
        said(13, 3_600),
        "wait_ahead number_10 number_2 wait_callers wait_about number_6 number_10 wait_minutes beep"
    );
    assert_eq!(said(500, 3_601), "wait_ahead number_9 number_10 number_9 wait_callers wait_long beep");
}

#[test]
fn a_key_leads_from_the_queue_to_a_call_back() {
    let plan = parse(&text(TELLS), &SAID).unwrap();
    let (mut cursor, _) = in_queue(&plan);
    let now = parse_china_minute("2026-03-02 10:00").unwrap();
    let step = plan.next(&mut cursor, now, Outcome::Digit('9'));
    assert_eq!(step, Step::Callback { prompts: vec!["beep".to_owned()], within: Duration::from_secs(3_600) });
    assert_eq!(plan.next(&mut cursor, now, Outcome::Played).kind(), "hangup");
}

#[test]
fn every_recording_of_an_announcement_is_used_and_has_to_be_there() {
    let plan = parse(&text(TELLS), &SAID).unwrap();
    assert!(SAID.iter().all(|said| plan.prompts_used().contains(*said)));
    let problems = parse(&text(TELLS), &SAID[1..]).unwrap_err();
    assert_eq!(
        problems,
        ["for announcements these recordings are missing: wait_next: record them, or leave announce out"]
    );
}

#[test]
fn after_a_call_back_there_is_only_the_goodbye() {
    let on = text(TELLS).replace("within = \"1h\"\nthen = \"bye\"", "within = \"1h\"\nthen = \"tell\"")
        + "[steps.tell]\nkind = \"voicemail\"\npool = \"city\"\nprompts = [\"beep\"]\nmax = \"1m\"\nthen = \"bye\"\n";
    assert_eq!(
        parse(&on, &SAID).unwrap_err(),
        [
            "\"tell\" comes after the call-back \"back\": let `then` lead to play and hangup only: the caller is done"
        ]
    );
}

#[test]
fn only_a_queue_has_a_place_to_keep() {
    let elsewhere = text(TELLS).replace("then = \"bye\"\n", "then = \"again\"\n")
        + "[steps.again]\nkind = \"play\"\nprompts = [\"beep\"]\nthen = \"back_too\"\n\
           [steps.back_too]\nkind = \"callback\"\nprompts = [\"beep\"]\nwithin = \"1h\"\nthen = \"bye\"\n";
    let problems = parse(&elsewhere, &SAID).unwrap_err();
    assert_eq!(
        problems,
        [
            "\"again\" leads to \"back_too\", and only a key of a queue can: write keys = { 1 = \"…\" } in the queue \
          whose place is kept"
        ]
    );
}

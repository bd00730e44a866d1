//! What comes after a talk, for a caller who stays on the line.
#![allow(clippy::unwrap_used)] // Helpers of tests, which fail by it.

use dialplan::{Calendars, Context, Cursor, Dialplan, Outcome, Step, parse_china_minute};
use domain::{Departure, OverflowReason, Timestamp};
use std::collections::BTreeSet;
use std::time::Duration;

const RATE: &str = "kind = \"survey\"\nprompts = [\"survey\"]\ntimeout = \"8s\"\n";
const LONG: Duration = Duration::from_secs(20);
const SHORT: Duration = Duration::from_millis(19_999);

/// The small city, whose queue goes on to a survey and whose last words are "bye".
fn text(more: &str) -> String {
    let menu = include_str!("menu.toml").replace(
        "exhausted = \"message\"\n",
        "exhausted = \"message\"\nanswered = \"rate\"\nkeys = { 9 = \"back\" }\n",
    );
    menu + "\n[steps.back]\nkind = \"callback\"\nprompts = [\"beep\"]\nwithin = \"1h\"\nthen = \"bye\"\n"
        + &format!(
            "[steps.rate]\n{RATE}then = \"bye\"\n[steps.bye]\nkind = \"hangup\"\nprompts = [\"beep\"]\n{more}"
        )
}

fn parse(text: &str) -> Result<Dialplan, Vec<String>> {
    let all = ["notice", "menu", "beep", "closed", "hold_music", "survey"];
    let prompts = BTreeSet::from(all.map(str::to_owned));
    let calendars = Calendars::default();
    let parsed = Dialplan::parse("f", text, &Context::new(&prompts, &calendars, 2026));
    parsed.map(|checked| checked.value).map_err(|problems| {
        problems.iter().map(|problem| format!("{}: {}", problem.what, problem.remedy)).collect()
    })
}

fn now() -> Timestamp {
    parse_china_minute("2026-03-02 10:00").unwrap()
}

/// Where a call stands that waits in the queue.
fn in_queue(plan: &Dialplan) -> Cursor {
    let mut cursor = plan.begin("099960001234", "12348", now()).cursor;
    assert_eq!(plan.next(&mut cursor, now(), Outcome::Played).kind(), "queue");
    cursor
}

fn goodbye() -> Step {
    Step::HangUp { prompts: vec!["beep".to_owned()], departure: Departure::Answered }
}

#[test]
fn after_a_talk_the_caller_is_asked_once_and_then_hears_the_goodbye() {
    let plan = parse(&text("")).unwrap();
    let mut cursor = in_queue(&plan);
    let asked = plan.after_talk(&mut cursor, now(), LONG).unwrap();
    let timeout = Duration::from_secs(8);
    assert_eq!(asked, Step::Survey { prompts: vec!["survey".to_owned()], timeout });
    assert_eq!(cursor.ending(), Departure::Answered, "a caller who hangs up now was answered");
    // A restart in the middle of it.
    let mut cursor: Cursor = serde_json::from_str(&serde_json::to_string(&cursor).unwrap()).unwrap();
    assert_eq!(plan.next(&mut cursor, now(), Outcome::Played), goodbye());
    assert_eq!(plan.after_talk(&mut cursor, now(), LONG), None);
}

#[test]
fn after_a_short_talk_nobody_is_asked() {
    let plan = parse(&text("")).unwrap();
    assert_eq!(plan.after_talk(&mut in_queue(&plan), now(), SHORT), Some(goodbye()));
    let always = parse(&text("").replace("timeout = \"8s\"", "timeout = \"8s\"\nmin_talk = \"0s\"")).unwrap();
    let asked = always.after_talk(&mut in_queue(&always), now(), Duration::ZERO).unwrap();
    assert_eq!(asked.kind(), "survey");
}

#[test]
fn without_the_word_a_call_ends_with_its_talk() {
    let plan = parse(include_str!("menu.toml")).unwrap();
    assert_eq!(plan.after_talk(&mut in_queue(&plan), now(), LONG), None);
}

#[test]
fn whoever_is_called_back_is_asked_as_the_queue_says() {
    let plan = parse(&text("")).unwrap();
    let mut cursor = in_queue(&plan);
    assert_eq!(plan.next(&mut cursor, now(), Outcome::Digit('9')).kind(), "callback");
    assert_eq!(plan.next(&mut cursor, now(), Outcome::Played).kind(), "hangup");
    assert_eq!(plan.after_talk(&mut cursor, now(), LONG).unwrap().kind(), "survey");
}

#[test]
fn a_caller_whom_nobody_answered_goes_where_the_queue_leads_as_ever() {
    let plan = parse(&text("")).unwrap();
    let mut cursor = in_queue(&plan);
    let nobody = Outcome::Exhausted(OverflowReason::PatienceExpired);
    assert_eq!(plan.next(&mut cursor, now(), nobody).kind(), "voicemail");
}

#[test]
fn a_survey_comes_once_and_only_after_a_talk() {
    let check = |text: &str, expect: &[&str]| assert_eq!(parse(text).unwrap_err(), expect);
    check(
        &text("").replace("answered = \"rate\"", "answered = \"message\""),
        &[
            "\"message\" comes after a talk of \"wait\": let `answered` lead to survey, play and hangup only: the \
             caller is done",
            "the step \"rate\" is never reached: lead another step to it, or remove it",
        ],
    );
    check(
        &text("").replace("exhausted = \"message\"", "exhausted = \"rate\""),
        &["a call can come to \"rate\" without a talk: lead to it by `answered` of a queue only"],
    );
    check(
        &text(&format!("[steps.again]\n{RATE}then = \"bye\"\n")).replace(
            "timeout = \"8s\"\nthen = \"bye\"\n[steps.bye]",
            "timeout = \"8s\"\nthen = \"again\"\n[steps.bye]",
        ),
        &["\"again\" is a second survey after \"rate\": ask a caller once"],
    );
}

#[test]
fn recordings_and_spans_of_a_survey_are_checked() {
    let wrong =
        text("").replace("[\"survey\"]", "[\"survay\"]").replace("\"8s\"", "\"8m\"\nmin_talk = \"2h\"");
    assert_eq!(
        parse(&wrong).unwrap_err(),
        [
            "there is no recording \"survay\": did you mean \"survey\"?",
            "`steps.rate.timeout` is out of range: \"8m\": write a span from \"1s\" to \"30s\"",
            "`steps.rate.min_talk` is out of range: \"2h\": write a span from \"0s\" to \"1h\"",
        ]
    );
    assert!(parse(&text("")).unwrap().prompts_used().contains("survey"));
}

#[test]
fn a_survey_is_drawn_explained_and_compared() {
    let plan = parse(&text("")).unwrap();
    let graph = plan.graph();
    assert!(graph.contains("[\"rate: survey, 8s, after a talk of 20s\"]"), "{graph}");
    assert!(graph.contains(" -- \"the lawyer hangs up\" --> "), "{graph}");
    let told = plan.explain("099960001234", "12348", now());
    for words in [
        "   the lawyer hangs up → 7\n   the lawyer hangs up soon → 8\n",
        "7. rate plays survey and waits 8s for a key from 1 to 5\n   then → 8\n",
        "8. bye plays beep, ends the call as answered\n",
    ] {
        assert!(told.contains(words), "{words}:\n{told}");
    }
    let newer = parse(&text("").replace("timeout = \"8s\"", "timeout = \"9s\"\nmin_talk = \"1m\"")).unwrap();
    let changes: Vec<String> = plan.changes_to(&newer).iter().map(ToString::to_string).collect();
    assert_eq!(
        changes,
        ["step rate, does: survey, 8s, after a talk of 20s → survey, 9s, after a talk of 1m"]
    );
    assert_ne!(plan.version(), newer.version());
}

//! Calls that are passed on to somebody outside.
#![allow(clippy::unwrap_used)] // Helpers of tests, which fail by it.

use dialplan::{Calendars, Checked, Context, Cursor, Dialplan, Outcome, Step, parse_china_minute};
use domain::{Departure, OverflowReason, Timestamp};
use std::collections::BTreeSet;
use std::time::Duration;

/// The small city: 9 passes a call on from the menu and from the queue.
fn text(target: &str) -> String {
    let menu = include_str!("menu.toml")
        .replace("steps = { \"*\" = \"message\" }", "steps = { \"*\" = \"message\", 9 = \"pass_on\" }")
        .replace("music = \"hold_music\"\n", "music = \"hold_music\"\nkeys = { 9 = \"pass_on\" }\n");
    menu + target
        + "[steps.pass_on]\nkind = \"transfer\"\nto = \"hotline_12345\"\nprompts = [\"beep\"]\nmusic = \"hold_music\"\n\
           failed = \"message\"\n"
}

const TARGET: &str = "\n[targets.hotline_12345]\nname = { zh = \"政务服务热线\", en = \"12345\" }\n\
                      numbers = [\"12345\", \"099912345\"]\ntrunk = \"telecom\"\n";

fn parse(text: &str) -> Result<Checked<Dialplan>, Vec<String>> {
    let prompts: BTreeSet<String> =
        ["notice", "menu", "beep", "closed", "hold_music"].map(str::to_owned).into();
    let calendars = Calendars::default();
    let parsed = Dialplan::parse("f", text, &Context::new(&prompts, &calendars, 2026));
    parsed.map_err(|problems| problems.iter().map(ToString::to_string).collect())
}

fn plan() -> Dialplan {
    parse(&text(TARGET)).unwrap().value
}

fn problems(text: &str) -> Vec<String> {
    parse(text).unwrap_err()
}

fn noon() -> Timestamp {
    parse_china_minute("2026-03-02 12:00").unwrap()
}

fn in_menu(plan: &Dialplan) -> Cursor {
    let mut cursor = plan.begin("13800000000", "099912348", noon()).cursor;
    plan.next(&mut cursor, noon(), Outcome::Played);
    cursor
}

#[test]
fn a_key_passes_the_call_on_and_whoever_reaches_nobody_goes_on() {
    let plan = plan();
    let mut cursor = in_menu(&plan);
    let step = plan.next(&mut cursor, noon(), Outcome::Digit('9'));
    assert_eq!(step.kind(), "transfer");
    let Step::Transfer { to, target, prompts, music } = step else { panic!("{step:?}") };
    assert_eq!(
        (to.as_str(), target.trunk.as_str(), music.as_str()),
        ("hotline_12345", "telecom", "hold_music")
    );
    assert_eq!(
        (target.numbers.join(" "), prompts.join(" ")),
        ("12345 099912345".to_owned(), "beep".to_owned())
    );
    assert_eq!(target.ring_timeout, Duration::from_secs(30));
    assert_eq!(plan.next(&mut cursor, noon(), Outcome::NotReached).kind(), "voicemail");
}

#[test]
fn what_a_hang_up_is_called_does_not_change_by_a_transfer_that_failed() {
    let plan = plan();
    let mut cursor = in_menu(&plan);
    plan.next(&mut cursor, noon(), Outcome::TimedOut);
    plan.next(&mut cursor, noon(), Outcome::Digit('9'));
    plan.next(&mut cursor, noon(), Outcome::NotReached);
    assert_eq!(cursor.ending(), Departure::AbandonedQueue);
    let text = text(TARGET).replace("exhausted = \"message\"", "exhausted = \"pass_on\"");
    let plan = parse(&text).unwrap().value;
    let mut cursor = in_menu(&plan);
    plan.next(&mut cursor, noon(), Outcome::TimedOut);
    let patience_expired = Outcome::Exhausted(OverflowReason::PatienceExpired);
    assert_eq!(plan.next(&mut cursor, noon(), patience_expired).kind(), "transfer");
    plan.next(&mut cursor, noon(), Outcome::NotReached);
    assert_eq!(cursor.ending(), Departure::PatienceExpired);
}

#[test]
fn a_closed_house_can_pass_calls_on() {
    let text =
        text(TARGET).replace("closed = \"closed\"", "closed = \"pass_on\"").replace("hours = \"day\"\n", "")
            + "[steps.elsewhere]\nkind = \"hangup\"\nprompts = [\"closed\"]\n";
    let text = text
        .replace("[steps.closed]\nkind = \"hangup\"\nprompts = [\"closed\"]\n", "")
        .replace("failed = \"message\"", "failed = \"elsewhere\"")
        .replace("[pool_defaults]\n", "")
        .replace("[pools.city]\n", "[pool_defaults]\nhours = \"day\"\n\n[pools.city]\n");
    let plan = parse(&text).unwrap().value;
    let night = parse_china_minute("2026-03-02 23:00").unwrap();
    let mut cursor = plan.begin("13800000000", "099912348", night).cursor;
    plan.next(&mut cursor, night, Outcome::Played);
    assert_eq!(plan.next(&mut cursor, night, Outcome::TimedOut).kind(), "transfer");
    let step = plan.next(&mut cursor, night, Outcome::NotReached);
    assert_eq!(step, Step::HangUp { prompts: vec!["closed".to_owned()], departure: Departure::Closed });
}

#[test]
fn a_target_that_is_not_there_is_named_with_the_nearest() {
    let text = text(TARGET).replace("to = \"hotline_12345\"", "to = \"hotline_1234\"");
    let problems = problems(&text);
    let line = text.lines().position(|line| line.starts_with("to = ")).unwrap() + 1;
    assert_eq!(
        problems[0],
        format!("f:{line}: there is no target \"hotline_1234\"; did you mean \"hotline_12345\"?")
    );
}

#[test]
fn a_target_that_neither_a_step_nor_a_key_uses_is_a_warning() {
    let police = TARGET.replace("hotline_12345", "police").replace("\"099912345\"", "\"110\"");
    let checked = parse(&text(&format!("{TARGET}{police}"))).unwrap();
    let warnings: Vec<_> = checked.warnings.iter().map(|warning| warning.what.as_str()).collect();
    assert_eq!(warnings, ["no step passes calls on to \"police\", and no key calls it in"]);
    let keyed = |key: u8| format!("{police}key = {key}\n");
    assert!(parse(&text(&format!("{TARGET}{}", keyed(9)))).unwrap().warnings.is_empty());
}

#[test]
fn a_key_of_a_target_is_one_of_a_telephone_and_of_one_target_only() {
    let police = TARGET.replace("hotline_12345", "police").replace("\"099912345\"", "\"110\"");
    let twice = problems(&text(&format!("{TARGET}key = 1\n{police}key = 1\n"))).join("\n");
    assert!(twice.contains("\"hotline_12345\" has the key 1 already"), "{twice}");
    let zero = problems(&text(&format!("{TARGET}key = 0\n"))).join("\n");
    assert!(zero.contains("`targets.hotline_12345.key` is out of range"), "{zero}");
}

#[test]
fn numbers_are_what_a_trunk_takes_and_lead_out_of_the_house() {
    let five = "numbers = [\"12 345\", \"12348\", \"110\", \"120\", \"119\"]";
    let wrong = TARGET.replace("numbers = [\"12345\", \"099912345\"]", five) + "ring_timeout = \"3s\"\n";
    let said = problems(&text(&wrong)).join("\n");
    for what in [
        "a target has 4 numbers at most",
        "\"12 345\" is no number that a trunk takes",
        "\"12348\" is a number of this hotline: the call would come back",
        "`targets.hotline_12345.ring_timeout` is out of range: \"3s\"; write a span from \"5s\" to \"2m\"",
    ] {
        assert!(said.contains(what), "{what} is not among\n{said}");
    }
    let none = problems(&text("\n[targets.hotline_12345]\n")).join("\n");
    for what in ["name", "numbers", "trunk"] {
        assert!(none.contains(&format!("hotline_12345.{what}")), "{what} is not missed in\n{none}");
    }
}

#[test]
fn a_call_that_is_passed_on_has_heard_that_it_is_recorded() {
    let problems = problems(&text(TARGET).replace("notice = true\n", ""));
    assert!(problems.iter().any(|what| what.contains("a call can come to \"pass_on\" without having heard")));
}

#[test]
fn a_transfer_that_fails_may_not_lead_back() {
    let problems = problems(&text(TARGET).replace("failed = \"message\"", "failed = \"wait\""));
    assert!(
        problems.iter().any(|what| what.contains("overflow loop: wait → pass_on → wait")),
        "{problems:#?}"
    );
}

#[test]
fn a_transfer_is_explained_drawn_and_compared() {
    let plan = plan();
    let told = plan.explain("13800000000", "099912348", noon());
    let deed =
        "plays beep, dials hotline_12345, 12345, then 099912345 through telecom, 30s each; who answers talks";
    assert!(told.contains(deed), "{told}");
    assert!(told.contains("nobody is reached → "), "{told}");
    let drawn = plan.graph();
    assert!(drawn.contains("pass_on: pass on to hotline_12345"), "{drawn}");
    assert!(drawn.contains("-- \"nobody is reached\" -->"), "{drawn}");
    let other = parse(&text(&TARGET.replace("telecom", "mobile"))).unwrap().value;
    let changes: Vec<String> = plan.changes_to(&other).iter().map(ToString::to_string).collect();
    assert_eq!(
        changes,
        ["target hotline_12345, dials: 12345, then 099912345 through telecom, 30s each → \
          12345, then 099912345 through mobile, 30s each"]
    );
    assert_ne!(plan.version(), other.version());
}

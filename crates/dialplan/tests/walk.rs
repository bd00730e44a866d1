//! Calls walk through a small dialplan with a menu.
#![allow(clippy::unwrap_used)] // Helpers of tests, which fail by it.

use dialplan::{Calendars, Context, Cursor, Dialplan, Outcome, Step, parse_china_minute};
use domain::{OverflowReason, Timestamp};
use std::collections::BTreeSet;

const DAY: &str = "2026-03-02 10:00";
const NIGHT: &str = "2026-03-02 20:00";

fn plan() -> Dialplan {
    parse(include_str!("menu.toml"), &[])
}

fn parse(text: &str, more_prompts: &[&str]) -> Dialplan {
    let prompts = ["notice", "menu", "beep", "closed", "hold_music"].iter().chain(more_prompts);
    let prompts: BTreeSet<String> = prompts.map(|name| (*name).to_owned()).collect();
    let calendars = Calendars::default();
    let checked = Dialplan::parse("menu.toml", text, &Context::new(&prompts, &calendars, 2026)).unwrap();
    assert_eq!(checked.warnings, []);
    checked.value
}

/// A time in China.
fn at(text: &str) -> Timestamp {
    parse_china_minute(text).unwrap()
}

fn show(step: &Step) -> String {
    match step {
        Step::Play { name, prompts, is_notice } => {
            format!("{} {name} {prompts:?}", if *is_notice { "notice" } else { "play" })
        }
        Step::Menu { keys, timeout, .. } => format!("menu {keys:?} {timeout:?}"),
        Step::Queue { stages, .. } => {
            let stages = stages.iter().map(|s| format!("{} {}s", s.pool, s.patience.as_secs()));
            format!("queue {}", stages.collect::<Vec<_>>().join(", "))
        }
        Step::Callback { within, .. } => format!("callback {}s", within.as_secs()),
        Step::Survey { timeout, .. } => format!("survey {}s", timeout.as_secs()),
        Step::Transfer { to, .. } => format!("transfer {to}"),
        Step::Voicemail { pool, .. } => format!("voicemail {pool}"),
        Step::HangUp { departure, .. } => format!("hangup {}", departure.as_str()),
    }
}

/// The steps that a call from `caller` to `called` takes, given how each one ends.
fn check(caller: &str, called: &str, time: &str, outcomes: &[Outcome], expect: &[&str]) {
    let plan = plan();
    let begun = plan.begin(caller, called, at(time));
    let mut steps = vec![show(&begun.step)];
    let mut cursor = begun.cursor;
    for outcome in outcomes {
        // Between two steps a call may move to another node.
        let record = serde_json::to_string(&cursor).unwrap();
        cursor = serde_json::from_str::<Cursor>(&record).unwrap();
        steps.push(show(&plan.next(&mut cursor, at(time), *outcome)));
    }
    assert_eq!(steps, expect, "{caller} to {called} at {time}");
}

const PATIENCE: Outcome = Outcome::Exhausted(OverflowReason::PatienceExpired);
const NOBODY: Outcome = Outcome::Exhausted(OverflowReason::NobodyOnDuty);
const NOTICE: &str = "notice notice [\"notice\"]";
const MENU: &str = "menu {'*', '1', '2'} 5s";

#[test]
fn a_caller_of_known_county_is_spared_the_menu() {
    let east = "queue east 60s, west 40s, city 20s";
    check("099960001234", "12348", DAY, &[Outcome::Played], &[NOTICE, east]);
    check("13909991234", "099912348", DAY, &[Outcome::Played], &[NOTICE, east]);
    check("", "099960012348", DAY, &[Outcome::Played], &[NOTICE, east]);
}

#[test]
fn the_longest_prefix_decides_and_the_dialled_number_before_it() {
    let county = |caller: &str, called: &str| {
        plan().begin(caller, called, at(DAY)).county.map_or_else(String::new, |c| c.to_string())
    };
    assert_eq!(county("099964001234", "12348"), "east");
    assert_eq!(county("099965001234", "12348"), "west");
    assert_eq!(county("099965001234", "099960012348"), "east");
    assert_eq!(county("099970001234", "12348"), "");
    assert_eq!(county("057765001234", "12348"), "", "another city's number");
    assert_eq!(county("6", "12348"), "", "too short to tell");
    assert_eq!(county("张三", "12348"), "");
}

#[test]
fn a_key_chooses_the_county_and_a_queue_has_each_pool_once() {
    check(
        "13800000000",
        "12348",
        DAY,
        &[Outcome::Played, Outcome::Digit('2'), PATIENCE, Outcome::MessageLeft],
        &[NOTICE, MENU, "queue west 60s, city 20s, east 10s", "voicemail west", "hangup voicemail"],
    );
    let plan = plan();
    let mut cursor = plan.begin("", "12348", at(DAY)).cursor;
    assert_eq!(cursor.county(), None);
    let _ = plan.next(&mut cursor, at(DAY), Outcome::Played);
    let _ = plan.next(&mut cursor, at(DAY), Outcome::Digit('1'));
    assert_eq!(cursor.county().map(ToString::to_string).as_deref(), Some("east"));
}

#[test]
fn silence_and_a_wrong_key_lead_to_a_person() {
    for outcome in [Outcome::TimedOut, Outcome::Digit('9'), Outcome::Played] {
        check(
            "13800000000",
            "12348",
            DAY,
            &[Outcome::Played, outcome],
            &[NOTICE, MENU, "queue city 20s, east 10s"],
        );
    }
}

#[test]
fn a_key_can_lead_to_a_step() {
    check(
        "",
        "12348",
        DAY,
        &[Outcome::Played, Outcome::Digit('*'), Outcome::TimedOut],
        &[NOTICE, MENU, "voicemail city", "hangup closed"],
    );
}

#[test]
fn closed_pools_are_left_out_and_if_all_are_closed_the_caller_is_told() {
    check("099965001234", "12348", NIGHT, &[Outcome::Played], &[NOTICE, "queue west 60s"]);
    check("099960001234", "12348", NIGHT, &[Outcome::Played], &[NOTICE, "queue west 40s"]);
    check(
        "",
        "12348",
        NIGHT,
        &[Outcome::Played, Outcome::TimedOut, Outcome::Played],
        &[NOTICE, MENU, "hangup closed", "hangup closed"],
    );
    let open = plan().always_open();
    let mut cursor = open.begin("099960001234", "12348", at(NIGHT)).cursor;
    let step = open.next(&mut cursor, at(NIGHT), Outcome::Played);
    assert_eq!(show(&step), "queue east 60s, west 40s, city 20s");
}

#[test]
fn a_call_without_a_message_departs_for_the_reason_it_left_the_queue() {
    let east = "queue east 60s, west 40s, city 20s";
    let mailbox = "voicemail east";
    for (reason, departure) in [(PATIENCE, "hangup patience_expired"), (NOBODY, "hangup nobody_on_duty")] {
        check(
            "099960001234",
            "12348",
            DAY,
            &[Outcome::Played, reason, Outcome::TimedOut],
            &[NOTICE, east, mailbox, departure],
        );
    }
}

#[test]
fn a_cursor_whose_step_is_gone_ends_the_call_as_failed() {
    let plan = plan();
    let json = r#"{"step":"vanished","county":null,"ending":"closed"}"#;
    let mut cursor: Cursor = serde_json::from_str(json).unwrap();
    assert_eq!(show(&plan.next(&mut cursor, at(DAY), Outcome::Played)), "hangup failed");
}

#[test]
fn a_key_can_choose_a_language_whose_recordings_are_heard_as_far_as_there_are_any() {
    let text = include_str!("menu.toml").replace("only_unattributed = true", "languages = { 5 = \"yi\" }")
        + "\n[languages.yi]\nname = { zh = \"彝语\", en = \"Yi\" }\nprompts = \"yi_\"\n";
    let plan = parse(&text, &["yi_beep", "yi_menu"]);
    assert_eq!(plan.languages()["yi"].name.zh, "彝语");
    let used = plan.prompts_used();
    assert!(used.contains("yi_beep") && used.contains("yi_menu") && used.contains("beep"), "{used:?}");
    let begun = plan.begin("099965001234", "12348", at(NIGHT));
    let mut cursor = begun.cursor;
    let menu = plan.next(&mut cursor, at(NIGHT), Outcome::Played);
    assert_eq!(show(&menu), "menu {'*', '1', '2', '5'} 5s");
    assert_eq!(cursor.language(), None);
    let step = plan.next(&mut cursor, at(NIGHT), Outcome::Digit('5'));
    assert_eq!((show(&step).as_str(), cursor.language()), ("queue west 60s", Some("yi")));
    let Step::Voicemail { prompts, .. } = plan.next(&mut cursor, at(NIGHT), PATIENCE) else { panic!() };
    assert_eq!(prompts, ["yi_beep"]);
}

#[test]
fn the_graph_has_every_step_and_every_way() {
    let graph = plan().graph();
    assert_eq!(graph, include_str!("graph.txt"), "drawn:\n{graph}");
}

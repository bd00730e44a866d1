//! The explanation of calls through the small dialplan, word for word, and of one on a holiday.
#![allow(clippy::unwrap_used)] // Helpers of tests, which fail by it.

use dialplan::{Calendars, Context, Dialplan, Overrides, When, parse_china_minute};
use domain::Override;
use std::collections::BTreeSet;

const CN_2026: &str = include_str!("../../../dialplans/calendars/cn-2026.toml");

fn explain(text: &str, caller: &str, called: &str, at: &str) -> String {
    explain_overridden(text, [caller, called, at], &Overrides::new())
}

fn explain_overridden(text: &str, [caller, called, at]: [&str; 3], overrides: &Overrides) -> String {
    let prompts = BTreeSet::from(["notice", "menu", "beep", "closed", "hold_music"].map(str::to_owned));
    let calendars = Calendars::read([("cn-2026.toml", CN_2026)]).unwrap().value;
    let table = |_: &str| Ok(b"prefix,county\n1390577,west\n".to_vec());
    let context = Context::new(&prompts, &calendars, 2026).with_tables(&table);
    let plan = Dialplan::parse("menu.toml", text, &context).unwrap().value;
    plan.explain(caller, called, When { now: parse_china_minute(at).unwrap(), overrides })
}

#[test]
fn a_call_is_explained_step_by_step() {
    let told = explain(include_str!("menu.toml"), "+86 999 6500 1234", "099912348", "2026-03-02 20:00");
    assert_eq!(told, include_str!("explained.txt"), "told:\n{told}");
}

#[test]
fn a_holiday_a_row_of_the_table_and_the_menu_that_is_spared_are_named() {
    let text = include_str!("menu.toml")
        .replace("weekly = [\"daily 08:00-20:00\"]", "weekly = [\"daily 08:00-20:00\"]\ncalendar = \"cn\"")
        + "\n[tables]\ncaller_prefixes = \"t.csv\"\n";
    let told = explain(&text, "13905771234", "12348", "2026-10-01 10:00");
    for words in [
        "time    2026-10-01 10:00, a Thursday",
        "county  west 西区: the caller's number begins with 1390577 (row 2 of the table)",
        "ask: left out, for the county is known",
        "wait: city is left out, closed (a holiday, 国庆节: closed all day)",
    ] {
        assert!(told.contains(words), "{words}:\n{told}");
    }
}

#[test]
fn a_supervisor_opens_and_closes_pools_whatever_their_hours_say() {
    let text = include_str!("menu.toml");
    let call = |at| ["+86 999 6500 1234", "099912348", at];
    let set = |open, until: &str| Override { open, until: parse_china_minute(until) };
    let at_night = "2026-03-02 23:00";
    let overrides = Overrides::from([
        ("city".into(), set(true, "2026-03-03 06:00")),
        ("west".into(), Override { open: false, until: None }),
    ]);
    let told = explain_overridden(text, call(at_night), &overrides);
    assert!(told.contains("wait: west is left out, closed (by hand)"), "{told}");
    assert!(told.contains("wait waits for city 20s"), "{told}");
    let later = explain_overridden(text, call("2026-03-03 06:00"), &overrides);
    assert!(later.contains("wait: city is left out, closed (Tuesday: open"), "{later}");
}

#[test]
fn a_number_of_somebody_else_is_refused() {
    let told = explain(include_str!("menu.toml"), "", "12345", "2026-03-02 20:00");
    assert!(
        told.ends_with("called  12345 → 12345, which is none of this dialplan's numbers: refused\n"),
        "{told}"
    );
}

//! Two dialplans and what is between them, in words.
#![allow(clippy::unwrap_used)] // Helpers of tests, which fail by it.

use dialplan::{Calendars, Context, Dialplan};
use std::collections::BTreeSet;

const MENU: &str = include_str!("menu.toml");

fn parse(text: &str, table: &str) -> Dialplan {
    let prompts = BTreeSet::from(["notice", "menu", "beep", "closed", "hold_music"].map(str::to_owned));
    let calendars = Calendars::default();
    let read_table = |_: &str| Ok(table.as_bytes().to_vec());
    let context = Context::new(&prompts, &calendars, 2026).with_tables(&read_table);
    Dialplan::parse("f", text, &context).unwrap_or_else(|problems| panic!("{problems:#?}")).value
}

fn changes(before: &Dialplan, after: &Dialplan) -> Vec<String> {
    before.changes_to(after).iter().map(ToString::to_string).collect()
}

#[test]
fn a_comment_makes_another_version_and_no_change() {
    let (before, after) = (parse(MENU, ""), parse(&format!("# Of today\n{MENU}"), ""));
    assert_ne!(before.version(), after.version());
    assert_eq!(before.version(), parse(MENU, "").version());
    assert_eq!(changes(&before, &after), Vec::<String>::new());
}

#[test]
fn the_version_is_also_that_of_the_table() {
    let text = MENU.to_owned() + "\n[tables]\ncaller_prefixes = \"t.csv\"\n";
    let before = parse(&text, "1380000,east\n1380001,east\n1380002,west\n");
    let after = parse(&text, "1380000,west\n1380002,west\n1380003,west\n");
    assert_ne!(before.version(), after.version());
    let expect = "caller prefixes: 1380000 east, 1380001 east → 1380000 west, 1380003 west";
    assert_eq!(changes(&before, &after), [expect]);
}

#[test]
fn every_part_is_compared_by_its_properties() {
    let text = MENU
        .replacen("patience = \"60s\"", "patience = \"45s\"", 1)
        .replace("[pools.east]\n", "[pools.east]\nrefuse_longest_wait = \"5m\"\n")
        .replacen("timeout = \"5s\"", "timeout = \"6s\"", 1);
    let (before, after) = (parse(MENU, ""), parse(&text, ""));
    let told = changes(&before, &after);
    assert_eq!(told.len(), 3, "{told:#?}");
    assert_eq!(told[0], "pool east, refuse_longest_wait: never → 5m");
    assert!(told.iter().any(|change| change.contains("menu, 5s → menu, 6s")), "{told:#?}");
    assert!(told.iter().any(|change| change.contains("60s") || change.contains("1m")), "{told:#?}");
    let back = changes(&after, &before);
    assert_eq!(back[0], "pool east, refuse_longest_wait: 5m → never");
}

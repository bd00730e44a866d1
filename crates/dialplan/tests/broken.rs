//! A dialplan with every fault there is yields every problem at once, each at its line.

use dialplan::{Calendars, Context, Dialplan};
use std::collections::BTreeSet;

fn problems(file: &str, text: &str) -> String {
    let prompts = ["notice", "menu", "closed", "goodbye"].map(str::to_owned);
    let (prompts, calendars) = (BTreeSet::from(prompts), Calendars::default());
    let context = Context::new(&prompts, &calendars, 2026);
    let problems = Dialplan::parse(file, text, &context).expect_err("it is broken");
    problems.iter().map(|problem| format!("{problem}\n")).collect()
}

#[test]
fn a_broken_dialplan_yields_every_problem_with_its_line_and_remedy() {
    let found = problems("broken.toml", include_str!("broken.toml"));
    assert_eq!(found, include_str!("broken.txt"), "found:\n{found}");
}

#[test]
fn an_empty_dialplan_lacks_three_sections_and_nothing_else() {
    let found = problems("empty.toml", "");
    let lack = |section: &str| format!("empty.toml:1: there is no section [{section}]; add it\n");
    assert_eq!(found, ["pools", "region", "steps"].map(lack).concat());
}

#[test]
fn an_area_code_without_its_zero_is_refused() {
    let text = include_str!("menu.toml").replace("\"0999\"", "\"999\"");
    let first = problems("menu.toml", &text).lines().next().map(str::to_owned);
    let expect = "menu.toml:5: \"999\" is no area code; write it with its 0, like \"0577\"";
    assert_eq!(first.as_deref(), Some(expect));
}

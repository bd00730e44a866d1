//! A dialplan with every fault there is yields every problem at once, each at its line.

use dialplan::{Calendars, Context, Dialplan};
use std::collections::BTreeSet;

fn problems(file: &str, text: &str) -> String {
    let prompts = ["notice", "menu", "closed", "goodbye"].map(str::to_owned);
    let (prompts, calendars) = (BTreeSet::from(prompts), Calendars::default());
    let table = |_: &str| Ok(include_bytes!("broken.csv").to_vec());
    let context = Context::new(&prompts, &calendars, 2026).with_tables(&table);
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

#[test]
fn what_is_only_odd_is_told_beside_a_dialplan_that_can_be_used() {
    let text = include_str!("menu.toml")
        .replace("caller_prefixes = [\"65\"]", "")
        .replace("counties = { 1 = \"east\", 2 = \"west\" }", "counties = { 1 = \"east\" }")
        .replace("[\"6\", \"1390999\"]", "[\"6\", \"66\"]")
        + "\n[steps.late]\nkind = \"hours\"\npool = \"west\"\nopen = \"wait\"\nclosed = \"message\"\n\
           [hours.spare]\nweekly = [\"daily 08:00-12:00\", \"sun 11:00-13:00\"]\n\
           [languages.yi]\nname = { zh = \"彝语\", en = \"Yi\" }\n";
    let text = text.replacen("then = \"wait\"", "then = \"late\"", 1);
    let prompts = BTreeSet::from(["notice", "menu", "beep", "closed", "hold_music"].map(str::to_owned));
    let calendars = Calendars::default();
    let checked = Dialplan::parse("menu.toml", &text, &Context::new(&prompts, &calendars, 2026))
        .expect("it can be used");
    let told: Vec<&str> = checked.warnings.iter().map(|problem| problem.what.as_str()).collect();
    let expect = [
        "the prefix \"099966\" adds nothing: \"09996\" is the same county's",
        "no call is ever known to be west's",
        "\"late\" asks for the hours of \"west\", which never closes",
        "no pool keeps the hours \"spare\"",
        "\"sun 11:00-13:00\" covers times that an earlier line has",
        "no menu offers the language \"yi\"",
    ];
    assert_eq!(told, expect, "{:#?}", checked.warnings);
    assert!(checked.warnings.iter().all(|problem| problem.to_string().contains(": warning: ")));
}

#[test]
fn a_table_that_is_not_there_or_is_empty_refuses_the_dialplan() {
    let text = include_str!("menu.toml").to_owned() + "\n[tables]\ncaller_prefixes = \"t.csv\"\n";
    let prompts = BTreeSet::from(["notice", "menu", "beep", "closed", "hold_music"].map(str::to_owned));
    let calendars = Calendars::default();
    let check = |read: &dyn Fn(&str) -> Result<Vec<u8>, String>, expect: &str| {
        let context = Context::new(&prompts, &calendars, 2026).with_tables(read);
        let problems = Dialplan::parse("plans/menu.toml", &text, &context).expect_err("it is refused");
        assert_eq!(problems.iter().map(ToString::to_string).collect::<Vec<_>>(), [expect]);
    };
    check(
        &|_| Err("no such file".to_owned()),
        "plans/menu.toml:74: the table plans/t.csv cannot be read: no such file; name a CSV file beside the dialplan",
    );
    check(&|_| Ok(Vec::new()), "plans/t.csv:1: a table without rows; write rows like \"05778800,lucheng\"");
}

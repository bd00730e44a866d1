//! What queues ask of lawyers: skills, the language that was chosen, less of both with time.
#![allow(clippy::unwrap_used)] // Helpers of tests, which fail by it.

use dialplan::{Calendars, Context, Dialplan, Outcome, Relaxed, Step, Wants, parse_china_minute};
use domain::{SkillId, Skills};
use std::collections::BTreeSet;
use std::time::Duration;

/// The small city with a language, a skill, and a queue that asks for both.
fn text() -> String {
    let menu = include_str!("menu.toml");
    let more = "\n[languages.yi]\nname = { zh = \"彝语\", en = \"Yi\" }\n\
                [skills.labour]\nname = { zh = \"劳动争议\", en = \"Labour\" }\n";
    let queue = "kind = \"queue\"\nneeds = { labour = 4 }\nwishes = { labour = 9 }\nlanguage = 6\n\
                 head_start = \"30s\"\nrelax = [\n  { after = \"20s\", language = 3 },\n  \
                 { after = \"40s\", needs = { labour = 0 }, language = 0 },\n]\n";
    menu.replace("only_unattributed = true\n", "languages = { 3 = \"yi\" }\n")
        .replace("kind = \"queue\"\n", queue)
        + more
}

fn parse(text: &str) -> Result<Dialplan, Vec<String>> {
    let prompts: BTreeSet<String> =
        ["notice", "menu", "beep", "closed", "hold_music"].map(str::to_owned).into();
    let calendars = Calendars::default();
    let parsed = Dialplan::parse("f", text, &Context::new(&prompts, &calendars, 2026));
    parsed.map(|checked| checked.value).map_err(|problems| {
        problems.iter().map(|problem| format!("{}: {}", problem.what, problem.remedy)).collect()
    })
}

fn wants_after(key: char) -> Wants {
    let (plan, now) = (parse(&text()).unwrap(), parse_china_minute("2026-03-02 10:00").unwrap());
    let mut cursor = plan.begin("13800000000", "099912348", now).cursor;
    plan.next(&mut cursor, now, Outcome::Played);
    match plan.next(&mut cursor, now, Outcome::Digit(key)) {
        Step::Queue { wants, .. } => wants,
        step => panic!("{step:?}"),
    }
}

fn skills(levels: &[(&str, u8)]) -> Skills {
    levels.iter().map(|&(skill, level)| (SkillId::new(skill), level)).collect()
}

#[test]
fn who_chose_a_language_needs_it_and_with_time_less_of_it() {
    let relaxed = |s, levels| Relaxed { after: Duration::from_secs(s), needs: skills(levels) };
    let expect = Wants {
        needs: skills(&[("labour", 4), ("yi", 6)]),
        wishes: skills(&[("labour", 9)]),
        relax: vec![relaxed(20, &[("labour", 4), ("yi", 3)]), relaxed(40, &[])],
        urgent: false,
        head_start: Duration::from_secs(30),
    };
    assert_eq!(wants_after('3'), expect);
}

#[test]
fn who_chose_none_needs_none() {
    let wants = wants_after('1');
    assert_eq!(wants.needs, skills(&[("labour", 4)]));
    assert_eq!(wants.relax[0].needs, skills(&[("labour", 4)]));
    assert_eq!(wants.relax[1].needs, Skills::new());
}

#[test]
fn what_a_queue_insists_on_to_the_end_is_known() {
    assert_eq!(parse(&text()).unwrap().needs(), BTreeSet::new(), "all of it is relaxed");
    let strict = text().replace(", needs = { labour = 0 }, language = 0 }", " }");
    let expect = [(SkillId::new("labour"), 4), (SkillId::new("yi"), 3)];
    assert_eq!(parse(&strict).unwrap().needs(), expect.into());
}

#[test]
fn slips_are_told_with_what_was_probably_meant() {
    let check = |right: &str, wrong: &str, expect: &str| {
        let text = text();
        assert!(text.contains(right), "{right}");
        let problems = parse(&text.replace(right, wrong)).unwrap_err();
        assert!(problems.iter().any(|problem| problem.contains(expect)), "{wrong}: {problems:#?}");
    };
    check("needs = { labour = 4 }", "needs = { labor = 4 }", "labour");
    check("needs = { labour = 4 }", "needs = { labour = 11 }", "10");
    check("wishes = { labour = 9 }", "wishes = { labour = 0 }", "1");
    check("after = \"20s\"", "after = \"50s\"", "write them in order");
    check("[skills.labour]", "[skills.yi]", "a language is a skill by itself");
}

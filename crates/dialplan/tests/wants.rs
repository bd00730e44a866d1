//! What queues ask of lawyers: skills, the language that was chosen, less of both with time.
#![allow(clippy::unwrap_used)] // Helpers of tests, which fail by it.

use dialplan::{Calendars, Context, Dialplan, History, Outcome, Relaxed, Step, Wants, parse_china_minute};
use domain::{AgentId, SkillId, Skills, Timestamp};
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
        acquainted: None,
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

/// The same city, with callers who are somebody.
fn with_callers() -> String {
    let favours = "head_start = \"30s\"\nhead_start_elderly = \"2m\"\nhead_start_12345 = \"1m\"\n\
                   head_start_repeat = \"90s\"\nacquainted = { within = \"30d\", wait = \"15s\" }\n";
    let callers = "\n[callers]\nelderly = \"elderly.csv\"\nnumbers_12345 = [\"12345\"]\n\
                   trunks_12345 = [\"gov\"]\nrepeat_calls = 2\nrepeat_within = \"2h\"\n";
    text().replace("head_start = \"30s\"\n", favours) + callers
}

fn parse_with_table(text: &str, table: &str) -> Result<Dialplan, Vec<String>> {
    let prompts: BTreeSet<String> =
        ["notice", "menu", "beep", "closed", "hold_music"].map(str::to_owned).into();
    let (calendars, table) = (Calendars::default(), table.as_bytes().to_vec());
    let read = move |name: &str| match name {
        "elderly.csv" => Ok(table.clone()),
        _ => Err("no such file".to_owned()),
    };
    let context = Context::new(&prompts, &calendars, 2026).with_tables(&read);
    let parsed = Dialplan::parse("f", text, &context);
    parsed.map(|checked| checked.value).map_err(|problems| problems.iter().map(ToString::to_string).collect())
}

const ELDERLY: &str = "号码,备注\n13800000060,王奶奶\n62345678\n";

/// What a call gets in the queue, whose history comes after the notice began.
fn wants_of(trunk: Option<&str>, caller: &str, history: Option<History>) -> Wants {
    let plan = parse_with_table(&with_callers(), ELDERLY).unwrap();
    let trunk = trunk.map(Into::into);
    let mut cursor = plan.begin_over(trunk.as_ref(), caller, "099912348", morning()).cursor;
    if let Some(history) = history {
        cursor.set_history(history);
    }
    plan.next(&mut cursor, morning(), Outcome::Played);
    match plan.next(&mut cursor, morning(), Outcome::Digit('1')) {
        Step::Queue { wants, .. } => wants,
        step => panic!("{step:?}"),
    }
}

fn morning() -> Timestamp {
    parse_china_minute("2026-03-02 10:00").unwrap()
}

fn ago(s: i64) -> Timestamp {
    Timestamp::from_ms(morning().as_ms() - s * 1_000)
}

#[test]
fn the_longest_head_start_that_a_caller_has_a_right_to_counts() {
    let check = |trunk, caller: &str, arrivals: &[i64], expect_s| {
        let arrivals = arrivals.iter().map(|s| ago(*s)).collect();
        let history = History { last_talk: None, arrivals };
        let head_start = wants_of(trunk, caller, Some(history)).head_start;
        assert_eq!(head_start, Duration::from_secs(expect_s), "{caller}");
    };
    check(None, "13800000061", &[], 30);
    check(None, "13800000060", &[], 120);
    check(None, "099962345678", &[], 120);
    check(None, "12345", &[], 60);
    check(Some("gov"), "13800000061", &[], 60);
    check(Some("telecom"), "13800000061", &[], 30);
    check(None, "13800000061", &[60], 30);
    check(None, "13800000061", &[60, 7_200], 90);
    check(None, "13800000061", &[60, 7_201], 30);
    check(None, "13800000060", &[60, 60, 60], 120);
    assert_eq!(wants_of(None, "", None).head_start, Duration::from_secs(30), "no number, nobody known");
}

#[test]
fn a_call_is_kept_for_the_lawyer_who_spoke_with_the_caller_not_long_ago() {
    const DAYS_30_S: i64 = 30 * 86_400;
    let acquainted = |s| {
        let history = History { last_talk: Some((AgentId(1_001), ago(s))), arrivals: Vec::new() };
        wants_of(None, "13800000061", Some(history)).acquainted
    };
    assert_eq!(acquainted(DAYS_30_S), Some((AgentId(1_001), Duration::from_secs(15))));
    assert_eq!(acquainted(DAYS_30_S + 1), None);
    assert_eq!(wants_of(None, "13800000061", None).acquainted, None, "nothing is known yet");
}

#[test]
fn who_shares_a_number_with_others_has_no_history() {
    let plan = parse_with_table(&with_callers(), ELDERLY).unwrap();
    assert!(plan.asks_for_history("13800000061"));
    assert!(!plan.asks_for_history("12345") && !plan.asks_for_history(""));
    assert!(!parse(&text()).unwrap().asks_for_history("13800000061"), "no queue goes by it");
}

#[test]
fn what_is_wrong_about_callers_is_told() {
    let check = |right: &str, wrong: &str, table: &str, expect: &str| {
        let text = with_callers();
        assert!(text.contains(right), "{right}");
        let problems = parse_with_table(&text.replace(right, wrong), table).unwrap_err();
        assert!(problems.iter().any(|problem| problem.contains(expect)), "{wrong}: {problems:#?}");
    };
    check("elderly.csv", "eldest.csv", ELDERLY, "the table eldest.csv cannot be read: no such file");
    check("\"12345\"", "\"one\"", ELDERLY, "\"one\" is no telephone number");
    check("wait = \"15s\"", "wait = \"15m\"", ELDERLY, "`steps.wait.acquainted.wait` is out of range");
    check("gov", "gov", "13800000060\n1380x\n", "elderly.csv:2: \"1380x\" is no prefix of a number");
    check("gov", "gov", "13800000060,a,b\n", "write the row as number or number,comment");
}

#[test]
fn a_head_start_for_nobody_is_a_warning() {
    let text = with_callers();
    let (without, _) = text.split_once("\n[callers]").unwrap();
    let (prompts, calendars) = (["notice", "menu", "beep", "closed", "hold_music"], Calendars::default());
    let prompts: BTreeSet<String> = prompts.map(str::to_owned).into();
    let parsed = Dialplan::parse("f", without, &Context::new(&prompts, &calendars, 2026)).unwrap();
    let warnings: Vec<String> = parsed.warnings.iter().map(|warning| warning.what.clone()).collect();
    for key in ["head_start_elderly", "head_start_12345"] {
        assert!(warnings.iter().any(|warning| warning.contains(key)), "{warnings:#?}");
    }
}

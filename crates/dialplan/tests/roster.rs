//! Rosters: what is refused, who is on shift, and what holds for any roster whatever.
#![allow(clippy::unwrap_used)] // Helpers of tests, which fail by it.

use dialplan::{
    Calendars, Checked, Context, Date, Dialplan, Lawyer, OnShift, Problem, Roster, RosterContext, Staff,
    china_day, parse_china_minute, parse_date,
};
use domain::{AgentId, PoolId, Timestamp};
use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

const CN_2026: &str = include_str!("../../../dialplans/calendars/cn-2026.toml");
const WENZHOU: &str = include_str!("../../../dialplans/wenzhou.toml");
const EXAMPLE: &str = include_str!("../../../dialplans/rosters/wenzhou.toml");
/// A Monday of the week in which the golden week of 2026 begins.
const TODAY: &str = "2026-09-28";
const HOUR: Duration = Duration::from_secs(3_600);

fn wenzhou() -> Arc<Dialplan> {
    let calendars = Calendars::read([("cn-2026.toml", CN_2026)]).unwrap().value;
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../dialplans/prompts/zh-CN");
    let files = std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().path());
    let prompts = files.filter_map(|file| Some(file.file_stem()?.to_str()?.to_owned())).collect();
    Arc::new(
        Dialplan::parse("wenzhou.toml", WENZHOU, &Context::new(&prompts, &calendars, 2026)).unwrap().value,
    )
}

/// 1001 to 1008 serve in Lucheng and the city, 1042 in Lucheng only, 2001 elsewhere. 1001 and 1002 have mobiles.
fn staff() -> Staff {
    let lawyer = |region: &str, pools: &[&str]| Lawyer {
        region: region.into(),
        pools: pools.iter().map(|pool| PoolId::new(pool)).collect(),
        has_mobile: false,
    };
    let mut staff: Staff =
        (1001..=1008).map(|id| (AgentId(id), lawyer("wenzhou", &["lucheng", "city"]))).collect();
    for id in [1001, 1002] {
        staff.get_mut(&AgentId(id)).unwrap().has_mobile = true;
    }
    staff.insert(AgentId(1042), lawyer("wenzhou", &["lucheng"]));
    staff.insert(AgentId(2001), lawyer("hangzhou", &["city"]));
    staff
}

fn read_on(today: &str, text: &str) -> Result<Checked<Roster>, Vec<Problem>> {
    let (plans, staff) = ([wenzhou()], staff());
    let today = parse_date(today).unwrap();
    Roster::parse("r", text, &RosterContext { dialplans: &plans, staff: Some(&staff), today })
}

/// With its head, and without warnings of hours that nobody covers.
fn read(text: &str) -> Result<Roster, Vec<String>> {
    let text = format!("region = \"wenzhou\"\ncalendar = \"cn\"\n{text}");
    let lines = |problems: Vec<Problem>| problems.iter().map(ToString::to_string).collect();
    read_on(TODAY, &text).map(|checked| checked.value).map_err(lines)
}

fn at(text: &str) -> Timestamp {
    parse_china_minute(text).unwrap()
}

fn show(on_shift: &OnShift) -> String {
    let pools: Vec<String> = on_shift
        .iter()
        .map(|(pool, lawyers)| {
            let lawyers: Vec<String> = lawyers.iter().map(ToString::to_string).collect();
            format!("{pool}: {}", lawyers.join(" "))
        })
        .collect();
    pools.join(", ")
}

/// `check(time, "city: 1001")`.
fn who_of(roster: &Roster) -> impl Fn(&str, &str) + '_ {
    |time, expect| assert_eq!(show(&roster.on_shift(at(time))).trim_end(), expect, "{time}")
}

const DAY_AND_NIGHT: &str = r#"
[shifts.day]
pools = ["city"]
lawyers = [1001, 1002]
days = ["workday"]
hours = "08:00-20:00"
[shifts.night]
pools = ["city"]
lawyers = [1003]
days = ["daily"]
hours = "20:00-08:00"
[shifts.free]
pools = ["city", "lucheng"]
lawyers = [1004]
days = ["restday", "holiday"]
except = ["2026-10-02"]
hours = "08:00-20:00"
"#;

#[test]
fn a_broken_roster_yields_every_problem_with_its_line_and_remedy() {
    let problems = read_on(TODAY, include_str!("roster_broken.toml")).unwrap_err();
    let found: String = problems.iter().map(|problem| format!("{problem}\n")).collect();
    assert_eq!(found, include_str!("roster_broken.txt"), "found:\n{found}");
}

#[test]
fn holidays_rest_days_and_make_up_workdays_are_as_the_calendar_has_them() {
    let roster = read(DAY_AND_NIGHT).unwrap();
    let check = who_of(&roster);
    check("2026-09-30 10:00", "city: 1001 1002, lucheng:");
    check("2026-10-01 10:00", "city: 1004, lucheng: 1004");
    check("2026-10-02 10:00", "city: , lucheng:");
    check("2026-10-10 10:00", "city: 1001 1002, lucheng:");
    check("2026-10-11 10:00", "city: 1004, lucheng: 1004");
    assert_eq!(roster.holiday(parse_date("2026-10-01").unwrap()).unwrap().zh, "国庆节");
    assert!(roster.is_workday(parse_date("2026-10-10").unwrap()));
    assert!(!roster.governs(&"ouhai".into()) && roster.governs(&"lucheng".into()));
}

#[test]
fn a_night_ends_on_the_morning_after_to_the_minute() {
    let roster = read(DAY_AND_NIGHT).unwrap();
    let check = who_of(&roster);
    check("2026-09-29 19:59", "city: 1001 1002, lucheng:");
    check("2026-09-29 20:00", "city: 1003, lucheng:");
    check("2026-09-30 00:00", "city: 1003, lucheng:");
    check("2026-09-30 07:59", "city: 1003, lucheng:");
    check("2026-09-30 08:00", "city: 1001 1002, lucheng:");
    let changes = |from: &str, expect: &str| assert_eq!(roster.next_change(at(from)), at(expect), "{from}");
    changes("2026-09-29 19:59", "2026-09-29 20:00");
    changes("2026-09-29 20:00", "2026-09-30 08:00");
    changes("2026-10-01 20:00", "2026-10-02 08:00");
    changes("2026-10-02 08:00", "2026-10-02 20:00");
}

#[test]
fn a_whole_day_from_morning_to_morning_never_changes_and_is_asked_again_in_a_week() {
    let text =
        "[shifts.whole]\npools = [\"city\"]\nlawyers = [1001]\ndays = [\"daily\"]\nhours = \"08:00-08:00\"\n";
    let roster = read(text).unwrap();
    who_of(&roster)("2026-10-01 07:59", "city: 1001");
    assert_eq!(roster.next_change(at("2026-10-01 12:00")), at("2026-10-08 12:00"));
    assert_eq!(roster.next_change(Timestamp::NEVER), Timestamp::NEVER);
}

const NIGHT_BY_MOBILE: &str = "[shifts.day]\npools = [\"city\"]\nlawyers = [1001]\ndays = [\"daily\"]\n\
    hours = \"08:00-20:00\"\nreach = \"phone\"\n\
    [shifts.night]\npools = [\"city\"]\nlawyers = [1001, 1002]\ndays = [\"daily\"]\nhours = \"20:00-08:00\"\n\
    reach = \"mobile\"\nrotate = { days = 1, since = \"2026-09-28\" }\n";

#[test]
fn a_night_by_mobile_is_told_of_and_is_a_change_though_the_same_lawyer_stays() {
    let roster = read(NIGHT_BY_MOBILE).unwrap();
    let check = |time: &str, on_shift: &str, by_mobile: &[u32]| {
        who_of(&roster)(time, on_shift);
        let found: Vec<u32> = roster.by_mobile(at(time)).into_iter().map(|lawyer| lawyer.0).collect();
        assert_eq!(found, by_mobile, "{time}");
    };
    check("2026-09-28 19:59", "city: 1001", &[]);
    check("2026-09-28 20:00", "city: 1001", &[1001]);
    check("2026-09-29 07:59", "city: 1001", &[1001]);
    check("2026-09-29 08:00", "city: 1001", &[]);
    check("2026-09-29 20:00", "city: 1002", &[1002]);
    assert_eq!(roster.next_change(at("2026-09-28 12:00")), at("2026-09-28 20:00"));
    assert_eq!(roster.next_change(at("2026-09-28 20:00")), at("2026-09-29 08:00"));
    let expect = "2026-09-28 Monday, workday
  2026-09-28 08:00 to 2026-09-28 20:00  1001      city  [day]
  2026-09-28 20:00 to 2026-09-29 08:00  1001      city  [night]  by mobile
";
    assert_eq!(roster.show_day(parse_date("2026-09-28").unwrap()), expect);
}

#[test]
fn who_does_a_shift_by_mobile_has_one() {
    let problems = read(&NIGHT_BY_MOBILE.replace("[1001, 1002]", "[1001, 1003]")).unwrap_err();
    let expect = "r:11: the shift \"night\" is done by mobile, and 1003 has none; add mobile = { number = \"…\", \
                  trunk = \"…\", … } to the agent in the settings, or choose another lawyer";
    assert_eq!(problems, [expect]);
    let substitute =
        "[[absences]]\nlawyer = 1001\ndays = [\"2026-09-30\", \"2026-10-02\"]\nsubstitute = 1042\n";
    let problems = read(&format!("{NIGHT_BY_MOBILE}{substitute}")).unwrap_err();
    let errors: Vec<&str> = problems.iter().map(|problem| problem.split(';').next().unwrap()).collect();
    let expect = [
        "r:16: 1042 does not serve in the pool \"city\"",
        "r:16: the shift \"night\" is done by mobile, and 1042 has none",
    ];
    assert_eq!(errors, expect, "the day shift needs none");
    let problems = read(&NIGHT_BY_MOBILE.replace("\"mobile\"", "\"mobil\"")).unwrap_err();
    assert_eq!(problems, ["r:14: `shifts.night.reach` cannot be \"mobil\"; did you mean \"mobile\"?"]);
}

#[test]
fn lawyers_take_turns_from_the_day_that_is_named() {
    let text = "[shifts.turns]\npools = [\"city\"]\nlawyers = [1001, 1002, 1003]\ndays = [\"daily\"]\n\
                hours = \"08:00-20:00\"\nrotate = { days = 7, since = \"2026-09-28\", at_once = 2 }\n";
    let roster = read(text).unwrap();
    let check = who_of(&roster);
    check("2026-09-27 10:00", "city: 1002 1003");
    check("2026-09-28 10:00", "city: 1001 1002");
    check("2026-10-04 10:00", "city: 1001 1002");
    check("2026-10-05 10:00", "city: 1001 1003");
    check("2026-10-12 10:00", "city: 1002 1003");
    check("2026-10-19 10:00", "city: 1001 1002");
}

#[test]
fn swaps_come_first_and_substitutes_after_them() {
    let changes = r#"
[[swaps]]
lawyers = [1001, 1003]
days = ["2026-09-29"]
[[absences]]
lawyer = 1003
days = ["2026-09-29..2026-09-30"]
substitute = 1005
[[absences]]
lawyer = 1002
days = ["2026-09-30"]
"#;
    let roster = read(&format!("{DAY_AND_NIGHT}{changes}")).unwrap();
    let check = who_of(&roster);
    check("2026-09-29 10:00", "city: 1002 1005, lucheng:");
    check("2026-09-29 22:00", "city: 1001, lucheng:");
    check("2026-09-30 10:00", "city: 1001, lucheng:");
    check("2026-09-30 22:00", "city: 1005, lucheng:");
    check("2026-10-01 22:00", "city: 1003, lucheng:");
    let day = roster.day(parse_date("2026-09-29").unwrap());
    let who: Vec<(&str, u32, u32, Option<u32>)> = day
        .iter()
        .map(|turn| (turn.shift, turn.planned.0, turn.holder.0, turn.lawyer.map(|lawyer| lawyer.0)))
        .collect();
    let expect =
        [("day", 1001, 1003, Some(1005)), ("day", 1002, 1002, Some(1002)), ("night", 1003, 1001, Some(1001))];
    assert_eq!(who, expect);
    assert_eq!((day[2].from, day[2].to), (at("2026-09-29 20:00"), at("2026-09-30 08:00")));
    let under_way = roster.under_way(at("2026-09-30 03:00"));
    assert_eq!(under_way, [day[2].clone()]);
}

#[test]
fn a_day_and_an_hour_are_shown_with_what_departs_from_the_plan() {
    let changes = r#"
[[swaps]]
lawyers = [1003, 1004]
days = ["2026-10-01"]
shifts = ["night", "free"]
[[absences]]
lawyer = 1003
days = ["2026-10-01..2026-10-02"]
substitute = 1005
shifts = ["free"]
[[absences]]
lawyer = 1003
days = ["2026-10-02"]
shifts = ["night"]
"#;
    let roster = read(&format!("{DAY_AND_NIGHT}{changes}")).unwrap();
    let expect = "2026-10-01 Thursday, holiday 国庆节 (National Day)
  2026-10-01 08:00 to 2026-10-01 20:00  1005      city, lucheng  [free]  swap: 1003 for 1004  substitute: 1005 for 1003
  2026-10-01 20:00 to 2026-10-02 08:00  1004      city  [night]  swap: 1004 for 1003
";
    assert_eq!(roster.show_day(parse_date("2026-10-01").unwrap()), expect);
    let expect = "2026-10-03 03:00: 2026-10-03 Saturday, holiday 国庆节 (National Day)
  2026-10-02 20:00 to 2026-10-03 08:00  nobody    city  [night]  1003 is absent
  nobody is on shift in city
  nobody is on shift in lucheng
  unchanged until 2026-10-03 08:00
";
    assert_eq!(roster.show_at(at("2026-10-03 03:00")), expect);
    let text = format!("region = \"wenzhou\"\ncalendar = \"cn\"\n{DAY_AND_NIGHT}{changes}");
    let later = read_on("2026-11-22", &text).unwrap();
    assert_eq!(later.value.show_at(at("2026-10-03 03:00")), expect, "what is past is still known");
    assert!(later.warnings.iter().any(|warning| warning.what == "2026-10-01 is past"));
    assert!(roster.show_day(parse_date("2026-10-10").unwrap()).starts_with("2026-10-10 Saturday, workday\n"));
}

#[test]
fn what_a_change_leads_to_is_checked_as_well() {
    let check = |changes: &str, expect: &str| {
        let problems = read(&format!("{DAY_AND_NIGHT}{changes}")).unwrap_err();
        assert!(problems.iter().any(|problem| problem.contains(expect)), "{changes}: {problems:#?}");
    };
    let day = "days = [\"2026-09-29\"]\n";
    check(
        &format!("[[absences]]\nlawyer = 1003\n{day}substitute = 1042\n"),
        "1042 does not serve in the pool \"city\"",
    );
    check(
        &format!("[[absences]]\nlawyer = 1001\n{day}substitute = 1002\n"),
        "1002 is twice in the pool \"city\" on 2026-09-29: in \"day\" and in \"day\"",
    );
    check(
        &format!("[[absences]]\nlawyer = 1001\n{day}substitute = 1005\n[[absences]]\nlawyer = 1005\n{day}"),
        "1005 is absent on 2026-09-29 too",
    );
    check(
        &format!("[[absences]]\nlawyer = 1001\n{day}substitute = 1005\n[[absences]]\nlawyer = 1001\n{day}"),
        "1001 is absent on 2026-09-29 already",
    );
    check(
        &format!("[[swaps]]\nlawyers = [1001, 1003]\n{day}[[swaps]]\nlawyers = [1001, 1004]\n{day}"),
        "1001 swaps with somebody else on 2026-09-29 already",
    );
    check(
        "[shifts.late]\npools = [\"city\"]\nlawyers = [1001]\ndays = [\"fri\"]\nhours = \"19:00-21:00\"\n",
        "1001 is twice in the pool \"city\" on 2026-10-09: in \"day\" and in \"late\"",
    );
}

#[test]
fn hours_that_nobody_covers_are_warned_of_while_the_pool_is_open() {
    let text = format!(
        "region = \"wenzhou\"\ncalendar = \"cn\"\n{}",
        DAY_AND_NIGHT.replace("\"restday\", \"holiday\"", "\"restday\"")
    );
    let warnings: Vec<String> =
        read_on("2026-01-01", &text).unwrap().warnings.iter().map(ToString::to_string).collect();
    let expect = [
        "r:4: warning: nobody covers the pool \"city\" for 396 h of its hours in the next year: \
         2026-01-01 08:00 to 2026-01-01 20:00, 2026-01-02 08:00 to 2026-01-02 20:00, \
         2026-01-03 08:00 to 2026-01-03 20:00, …; the law demands 24x7: add a shift or a substitute",
        "r:14: warning: nobody covers the pool \"lucheng\" for 2988 h of its hours in the next year: \
         2026-01-04 08:00 to 2026-01-04 20:00, 2026-01-05 08:00 to 2026-01-05 20:00, \
         2026-01-06 08:00 to 2026-01-06 20:00, …; the law demands 24x7: add a shift or a substitute",
    ];
    assert_eq!(warnings, expect);
}

#[test]
fn what_is_past_or_changes_nothing_is_warned_of() {
    let text = format!(
        "region = \"wenzhou\"\ncalendar = \"cn\"\n{DAY_AND_NIGHT}\
         [shifts.old]\npools = [\"city\"]\nlawyers = [1005]\ndays = [\"2026-05-01\"]\nhours = \"08:00-09:00\"\n\
         [shifts.never]\npools = [\"city\"]\nlawyers = [1005]\ndays = [\"mon\"]\nexcept = [\"mon-fri\"]\n\
         hours = \"08:00-09:00\"\n\
         [[swaps]]\nlawyers = [1001, 1003]\ndays = [\"2026-09-01\"]\n\
         [[swaps]]\nlawyers = [1001, 1002]\ndays = [\"2026-09-29\"]\n\
         [[absences]]\nlawyer = 1005\ndays = [\"2026-09-29\"]\n"
    );
    let warnings = read_on("2027-09-28", &text.replace("2026-09-29", "2027-09-29")).unwrap().warnings;
    let whats: Vec<&str> = warnings
        .iter()
        .map(|warning| warning.what.as_str())
        .filter(|what| !what.contains("covers"))
        .collect();
    let expect = [
        "the calendar \"cn\" does not know 2027: there are no holidays, Monday to Friday are workdays",
        "the days of the shift \"old\" are past",
        "the shift \"never\" is on no day of the next year",
        "2026-09-01 is past",
        "1001 and 1002 have the same shifts on these days: nothing changes",
        "1005 has no shift on these days: nothing changes",
    ];
    assert_eq!(whats, expect);
}

#[test]
fn the_committed_roster_has_neither_errors_nor_hours_without_cover() {
    let plans = [wenzhou()];
    for today in ["2026-01-01", "2026-11-22"] {
        let context = RosterContext { dialplans: &plans, staff: None, today: parse_date(today).unwrap() };
        let checked = Roster::parse("wenzhou.toml", EXAMPLE, &context).unwrap();
        assert_eq!(checked.warnings, [], "{today}");
    }
}

#[test]
fn whatever_is_cut_out_of_a_roster_is_told_and_never_a_panic() {
    let plans = [wenzhou()];
    let staff = staff();
    let context = RosterContext { dialplans: &plans, staff: Some(&staff), today: parse_date(TODAY).unwrap() };
    let text = format!("region = \"wenzhou\"\ncalendar = \"cn\"\n{DAY_AND_NIGHT}");
    for line in 0..text.lines().count() {
        let cut: String = text
            .lines()
            .enumerate()
            .filter(|(i, _)| *i != line)
            .map(|(_, line)| format!("{line}\n"))
            .collect();
        if let Err(problems) = Roster::parse("r", &cut, &context) {
            assert!(problems.iter().any(Problem::is_error), "without line {line}");
        }
    }
}

/// One shift of a random roster, with lawyers of its own.
#[derive(Clone, Debug)]
struct Plan {
    pool: &'static str,
    lawyers: u32,
    days: &'static str,
    from: u32,
    to: u32,
    turns: Option<u32>,
}

fn plans() -> impl Strategy<Value = Vec<Plan>> {
    let days = prop::sample::select(vec![
        "workday",
        "restday",
        "holiday",
        "daily",
        "sat-mon",
        "2026-10-01..2026-10-10",
        "2026-10-10",
    ]);
    let pool = prop::sample::select(vec!["city", "lucheng", "ouhai"]);
    let turns = prop::option::of(1_u32..=9);
    let plan = (pool, 1_u32..=3, days, 0_u32..24 * 4, 0_u32..=24 * 4, turns)
        .prop_map(|(pool, lawyers, days, from, to, turns)| Plan { pool, lawyers, days, from, to, turns });
    prop::collection::vec(plan, 1..6)
}

/// Lawyers are numbered from 1001 through all shifts, so that nobody is in two.
fn text_of(plans: &[Plan]) -> String {
    let mut text = "region = \"wenzhou\"\ncalendar = \"cn\"\n".to_owned();
    let mut next = 1001;
    for (i, plan) in plans.iter().enumerate() {
        let lawyers: Vec<String> = (next..next + plan.lawyers).map(|lawyer| lawyer.to_string()).collect();
        next += plan.lawyers;
        let time = |quarters: u32| format!("{:02}:{:02}", quarters / 4, quarters % 4 * 15);
        let _ = writeln!(
            text,
            "[shifts.s{i}]\npools = [\"{}\"]\nlawyers = [{}]\ndays = [\"{}\"]\nhours = \"{}-{}\"",
            plan.pool,
            lawyers.join(", "),
            plan.days,
            time(plan.from),
            time(plan.to)
        );
        if let Some(days) = plan.turns {
            let _ = writeln!(text, "rotate = {{ days = {days}, since = \"2026-09-28\" }}");
        }
    }
    text
}

fn roster_of(text: &str) -> Roster {
    let plans = [wenzhou()];
    let context = RosterContext { dialplans: &plans, staff: None, today: parse_date(TODAY).unwrap() };
    Roster::parse("r", text, &context).unwrap_or_else(|problems| panic!("{text}\n{problems:#?}")).value
}

/// Every quarter of an hour of three weeks, in which holidays and a make-up workday are.
fn quarters() -> impl Iterator<Item = Timestamp> {
    (0..21 * 24 * 4).map(|quarter| at("2026-09-28 00:00") + HOUR / 4 * quarter)
}

/// How many serve in each pool.
fn counts(roster: &Roster, at: Timestamp) -> Vec<usize> {
    roster.on_shift(at).values().map(BTreeSet::len).collect()
}

/// Who is planned for a shift, by the day on which it begins.
fn turns_of(roster: &Roster) -> Vec<(Date, AgentId)> {
    let days = (0..21).map(|day| china_day(at("2026-09-28 00:00") + HOUR * 24 * day));
    days.flat_map(|day| roster.day(day).into_iter().map(move |turn| (day, turn.planned))).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, rng_seed: RngSeed::Fixed(12348), ..ProptestConfig::default() })]

    #[test]
    fn nobody_comes_or_goes_between_changes(plans in plans(), start in 0_u32..21 * 24 * 60) {
        let roster = roster_of(&text_of(&plans));
        let mut now = at("2026-09-28 00:00") + Duration::from_secs(60) * start;
        for _ in 0..8 {
            let next = roster.next_change(now);
            prop_assert!(now < next);
            let on_shift = roster.on_shift(now);
            let mut between = now;
            while between < next {
                prop_assert_eq!(&roster.on_shift(between), &on_shift, "{:?} of {:?}..{:?}", between, now, next);
                between = between + Duration::from_secs(15 * 60 - 1);
            }
            let last = Timestamp::from_ms(next.as_ms() - 1);
            prop_assert_eq!(&roster.on_shift(last), &on_shift);
            prop_assert!(roster.on_shift(next) != on_shift || next - now == HOUR * 24 * 7);
            now = next;
        }
    }

    #[test]
    fn a_swap_preserves_how_many_serve_at_every_instant(
        plans in plans(), first in any::<prop::sample::Index>(), second in any::<prop::sample::Index>(),
    ) {
        let text = text_of(&plans);
        let before = roster_of(&text);
        let turns = turns_of(&before);
        prop_assume!(!turns.is_empty());
        let ((one_day, one), (other_day, other)) = (first.get(&turns), second.get(&turns));
        prop_assume!(one != other);
        let mut days = vec![format!("\"{one_day}\"")];
        if one_day != other_day {
            days.push(format!("\"{other_day}\""));
        }
        let text = format!("{text}[[swaps]]\nlawyers = [{one}, {other}]\ndays = [{}]\n", days.join(", "));
        let (dialplans, today) = ([wenzhou()], parse_date(TODAY).unwrap());
        let context = RosterContext { dialplans: &dialplans, staff: None, today };
        match Roster::parse("r", &text, &context) {
            Ok(Checked { value: after, .. }) => {
                for at in quarters() {
                    prop_assert_eq!(counts(&after, at), counts(&before, at), "{:?}\n{}", at, text);
                }
                prop_assert_eq!(turns_of(&after), turns_of(&before), "who was planned stays as it was");
            }
            // Nights reach into the next day, where the other has a shift of the same pool already.
            Err(problems) => prop_assert!(
                problems.iter().filter(|p| p.is_error()).all(|p| p.what.contains("is twice in the pool")),
                "{:#?}\n{}", problems, text
            ),
        }
    }

    #[test]
    fn a_substitution_never_loses_cover(
        plans in plans(), turn in any::<prop::sample::Index>(), days in 0_u32..9,
    ) {
        let text = text_of(&plans);
        let before = roster_of(&text);
        let turns = turns_of(&before);
        prop_assume!(!turns.is_empty());
        let (first, absent) = turn.get(&turns);
        let last = china_day(at(&format!("{first} 00:00")) + HOUR * 24 * days);
        let text = format!(
            "{text}[[absences]]\nlawyer = {absent}\ndays = [\"{first}..{last}\"]\nsubstitute = 1099\n"
        );
        let after = roster_of(&text);
        for at in quarters() {
            prop_assert_eq!(counts(&after, at), counts(&before, at), "{:?}\n{}", at, text);
        }
        let is_away = |day: Date| after.day(day).iter().all(|turn| turn.lawyer != Some(*absent));
        prop_assert!(is_away(*first) && is_away(last));
    }
}

//! Wenzhou's own dialplan: complete, readable with the recordings that are there, and never a trap.
#![allow(clippy::unwrap_used)] // Helpers of tests, which fail by it.

use dialplan::number::normalise;
use dialplan::{Calendars, Checked, Context, Dialplan, Outcome, Problem, Step};
use domain::{CountyId, Departure, OverflowReason, Timestamp};
use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

const FILE: &str = "dialplans/wenzhou.toml";
const TEXT: &str = include_str!("../../../dialplans/wenzhou.toml");
const CN_2026: &str = include_str!("../../../dialplans/calendars/cn-2026.toml");
/// 2026-03-02, a Monday, 10:00 and 23:00 in China.
const DAY: Timestamp = Timestamp::from_ms(1_772_416_800_000);
const NIGHT: Timestamp = Timestamp::from_ms(1_772_463_600_000);
const COUNTIES: [&str; 12] = [
    "cangnan", "dongtou", "longgang", "longwan", "lucheng", "ouhai", "pingyang", "ruian", "taishun",
    "wencheng", "yongjia", "yueqing",
];
/// Longer than any way through the steps.
const STEPS_MAX: usize = 50;

/// The recordings that are committed.
fn prompts() -> BTreeSet<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../dialplans/prompts/zh-CN");
    let names = std::fs::read_dir(folder).unwrap().filter_map(|entry| {
        entry.unwrap().file_name().to_str().and_then(|name| name.strip_suffix(".al")).map(str::to_owned)
    });
    names.collect()
}

fn parse(file: &str, text: &str) -> Result<Checked<Dialplan>, Vec<Problem>> {
    let calendars = Calendars::read([("cn-2026.toml", CN_2026)]).unwrap().value;
    Dialplan::parse(file, text, &Context::new(&prompts(), &calendars, 2026))
}

fn plan() -> Dialplan {
    let checked = parse(FILE, TEXT).unwrap_or_else(|problems| {
        panic!("{}", problems.iter().map(|p| format!("{p}\n")).collect::<String>())
    });
    assert_eq!(checked.warnings, []);
    checked.value
}

#[test]
fn it_parses_with_the_committed_recordings_and_has_twelve_counties_and_a_city_pool() {
    let plan = plan();
    assert_eq!((plan.region().as_str(), plan.area_code()), ("wenzhou", "0577"));
    assert_eq!(plan.region_name().zh, "温州市");
    assert_eq!(plan.counties().keys().map(CountyId::as_str).collect::<Vec<_>>(), COUNTIES);
    assert_eq!(plan.pools().len(), 13);
    assert_eq!(plan.pools().values().filter(|pool| pool.county.is_none()).count(), 1);
    let lucheng = &plan.pools()[&"lucheng".into()];
    assert_eq!(lucheng.county, Some("lucheng".into()));
    assert_eq!((lucheng.ring_timeout, lucheng.wrap_up), (Duration::from_secs(20), Duration::from_secs(30)));
    assert_eq!((lucheng.miss_limit, lucheng.miss_pause), (2, Some(Duration::from_secs(600))));
    let used: BTreeSet<&str> = BTreeSet::from([
        "beep",
        "closed",
        "goodbye",
        "hold_music",
        "notice",
        "overflow",
        "queue_wait",
        "voicemail_greeting",
    ]);
    assert_eq!(plan.prompts_used().iter().map(String::as_str).collect::<BTreeSet<_>>(), used);
}

#[test]
fn the_hotline_is_reached_with_and_without_the_area_code() {
    let plan = plan();
    for number in ["12348", "057712348", "+8657712348", "0577 8801 2348"] {
        assert!(plan.serves(&normalise(number, plan.area_code())), "{number}");
    }
    for number in ["12345", "057112348", "13812345678", ""] {
        assert!(!plan.serves(&normalise(number, plan.area_code())), "{number}");
    }
}

#[test]
fn every_county_is_reached_by_a_callers_prefix_and_its_calls_wait_for_its_own_lawyers_first() {
    let plan = plan();
    let mut reached = BTreeSet::new();
    for line in 0..1_000 {
        let caller = format!("0577{line:03}00000");
        let begun = plan.begin(&caller, "12348", DAY);
        let Some(county) = begun.county else { continue };
        let mut cursor = begun.cursor;
        let Step::Queue { stages, .. } = plan.next(&mut cursor, DAY, Outcome::Played) else {
            panic!("{caller} does not come to a queue");
        };
        let own = &plan.counties()[&county];
        let paired = &plan.counties()[own.paired.as_ref().expect("every county is paired")];
        let pools: Vec<_> = stages.iter().map(|stage| stage.pool.clone()).collect();
        assert_eq!(pools, [own.pool.clone(), paired.pool.clone(), "city".into()], "{caller}");
        assert_eq!(paired.paired.as_ref(), Some(&county), "they help each other");
        reached.insert(county.to_string());
    }
    assert_eq!(reached.iter().map(String::as_str).collect::<Vec<_>>(), COUNTIES);
}

#[test]
fn at_night_the_citys_lawyers_answer_and_a_message_goes_to_the_callers_county() {
    let plan = plan();
    let begun = plan.begin("057788001234", "057712348", NIGHT);
    assert_eq!(begun.step.kind(), "notice");
    let mut cursor = begun.cursor;
    let mut next = |outcome| plan.next(&mut cursor, NIGHT, outcome);
    assert!(matches!(next(Outcome::Played), Step::Play { name, is_notice: false, .. } if name == "night"));
    let Step::Queue { stages, music, .. } = next(Outcome::Played) else { panic!("no queue") };
    assert_eq!((stages.len(), stages[0].pool.as_str(), music.as_str()), (1, "city", "hold_music"));
    let Step::Voicemail { pool, max, .. } = next(Outcome::Exhausted(OverflowReason::NobodyOnDuty)) else {
        panic!("no voicemail")
    };
    assert_eq!((pool.as_str(), max), ("lucheng", Duration::from_secs(180)));
    let last = next(Outcome::MessageLeft);
    assert_eq!(last, Step::HangUp { prompts: vec!["goodbye".to_owned()], departure: Departure::Voicemail });
}

#[test]
fn a_mobile_of_unknown_county_waits_for_the_city_day_and_night() {
    let plan = plan();
    let mut cursor = plan.begin("13812345678", "12348", DAY).cursor;
    let Step::Queue { stages, .. } = plan.next(&mut cursor, DAY, Outcome::Played) else { panic!("no queue") };
    assert_eq!(stages.iter().map(|stage| stage.pool.as_str()).collect::<Vec<_>>(), ["city"]);
}

fn outcome() -> impl Strategy<Value = Outcome> {
    prop_oneof![
        Just(Outcome::Played),
        any::<char>().prop_map(Outcome::Digit),
        Just(Outcome::TimedOut),
        Just(Outcome::Exhausted(OverflowReason::PatienceExpired)),
        Just(Outcome::Exhausted(OverflowReason::NobodyOnDuty)),
        Just(Outcome::MessageLeft),
    ]
}

/// Wenzhou's text with one line lost, doubled, cut short or replaced by a part of another.
fn damaged() -> impl Strategy<Value = String> {
    let lines = TEXT.lines().count();
    (0..lines, 0..lines, 0..4_u8, 0..80_usize).prop_map(|(at, other, how, cut)| {
        let mut lines: Vec<String> = TEXT.lines().map(str::to_owned).collect();
        let cut_short = |line: &str| line.chars().take(cut).collect::<String>();
        match how {
            0 => drop(lines.remove(at)),
            1 => lines.insert(at, lines[other].clone()),
            2 => lines[at] = cut_short(&lines[at]),
            _ => lines[at] = cut_short(&lines[other]),
        }
        lines.join("\n")
    })
}

/// Parses; a dialplan that is accepted must bring every call to its end.
fn survive(text: &str, caller: &str, now: i64, outcomes: &[Outcome]) {
    let Ok(Checked { value: plan, .. }) = parse("f", text) else { return };
    let now = Timestamp::from_ms(now);
    let begun = plan.begin(&normalise(caller, plan.area_code()), "12348", now);
    let (mut cursor, mut step) = (begun.cursor, begun.step);
    for i in 0..STEPS_MAX {
        if matches!(step, Step::HangUp { .. }) {
            return;
        }
        step = plan.next(&mut cursor, now, outcomes[i % outcomes.len()]);
    }
    panic!("the call goes on for ever: {step:?}");
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, rng_seed: RngSeed::Fixed(12_348), ..ProptestConfig::with_cases(300) })]

    #[test]
    fn no_text_makes_the_parser_panic(text in any::<String>()) {
        survive(&text, "", 0, &[Outcome::Played]);
    }

    #[test]
    fn no_toml_makes_the_parser_panic(text in "(\\[{1,2}(region|pools|steps)(\\.[a-z]{1,2})?\\]{1,2}\n|[a-z]{1,3} = ([0-9]{1,20}|\"[^\"\n]{0,5}\"|\\[\\]|\\{ a = [0-9] \\})\n){0,12}") {
        survive(&text, "", 0, &[Outcome::Played]);
    }

    #[test]
    fn a_damaged_dialplan_is_refused_or_still_ends_every_call(
        text in damaged(),
        caller in "[0-9+]{0,14}",
        now in any::<i64>(),
        outcomes in prop::collection::vec(outcome(), 1..6),
    ) {
        survive(&text, &caller, now, &outcomes);
    }

    #[test]
    fn no_number_makes_the_normaliser_panic_and_twice_is_as_once(raw in "[0-9+０-９ ()-]{0,16}|\\PC{0,16}") {
        let once = normalise(&raw, "0577");
        prop_assert_eq!(normalise(&once, "0577"), once);
    }
}

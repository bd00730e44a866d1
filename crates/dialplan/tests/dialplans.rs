//! The committed dialplans: complete, readable with the recordings that are there, and never a trap.
#![allow(clippy::unwrap_used)] // Helpers of tests, which fail by it.

use dialplan::number::normalise;
use dialplan::{
    Calendars, Checked, Context, Cursor, Dialplan, Outcome, Problem, Stage, Step, WrapUpRule,
    parse_china_minute,
};
use domain::{CountyId, Departure, OverflowReason, Timestamp};
use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

const TEXT: &str = include_str!("../../../dialplans/wenzhou.toml");
const CN_2026: &str = include_str!("../../../dialplans/calendars/cn-2026.toml");
/// A Monday.
const DAY: &str = "2026-03-02 10:00";
const NIGHT: &str = "2026-03-02 23:00";
const HOLIDAY: &str = "2026-10-01 08:30";
/// A Saturday that is worked.
const MADE_UP: &str = "2026-10-10 10:00";
const MOBILE: &str = "13812345678";
/// Longer than any way through the steps.
const STEPS_MAX: usize = 50;

/// What is expected of a dialplan.
struct Case {
    name: &'static str,
    area_codes: &'static [&'static str],
    counties: usize,
    /// The pool that never closes.
    last_pool: &'static str,
    /// By day, after the own pool and the paired one.
    then: &'static [&'static str],
    /// Whether county lawyers answer at all on a holiday.
    works_holidays: bool,
}

const CASES: [Case; 5] = [
    Case {
        name: "wenzhou",
        area_codes: &["0577"],
        counties: 12,
        last_pool: "city",
        then: &["city"],
        works_holidays: false,
    },
    Case {
        name: "fujian",
        area_codes: &["0591", "0592", "0593", "0594", "0595", "0596", "0597", "0598", "0599"],
        counties: 82 + 9 + 1,
        last_pool: "province",
        then: &["@city", "province"],
        works_holidays: true,
    },
    Case {
        name: "chengdu",
        area_codes: &["028"],
        counties: 23,
        last_pool: "city",
        then: &["city"],
        works_holidays: true,
    },
    Case {
        name: "wuhan-xinzhou",
        area_codes: &["027"],
        counties: 13,
        last_pool: "district",
        then: &["district"],
        works_holidays: false,
    },
    Case {
        name: "yunnan",
        area_codes: &[
            "0691", "0692", "0870", "0871", "0872", "0873", "0874", "0875", "0876", "0877", "0878", "0879",
            "0883", "0886", "0887", "0888",
        ],
        counties: 16,
        last_pool: "province",
        then: &["province"],
        works_holidays: true,
    },
];

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../dialplans")
}

/// The recordings that are committed.
fn prompts() -> BTreeSet<String> {
    let names = std::fs::read_dir(folder().join("prompts/zh-CN")).unwrap().filter_map(|entry| {
        entry.unwrap().file_name().to_str().and_then(|name| name.strip_suffix(".al")).map(str::to_owned)
    });
    names.collect()
}

fn parse(file: &str, text: &str) -> Result<Checked<Dialplan>, Vec<Problem>> {
    let calendars = Calendars::read([("cn-2026.toml", CN_2026)]).unwrap().value;
    let read = |name: &str| std::fs::read(folder().join(name)).map_err(|error| error.to_string());
    Dialplan::parse(file, text, &Context::new(&prompts(), &calendars, 2026).with_tables(&read))
}

fn plan(name: &str) -> Dialplan {
    let text = std::fs::read_to_string(folder().join(format!("{name}.toml"))).unwrap();
    let checked = parse(name, &text).unwrap_or_else(|problems| {
        panic!("{}", problems.iter().map(|p| format!("{p}\n")).collect::<String>())
    });
    assert_eq!(checked.warnings, [], "{name}");
    checked.value
}

fn at(text: &str) -> Timestamp {
    parse_china_minute(text).unwrap()
}

/// The first queue of a silent caller and where the call stands in it.
fn first_queue(plan: &Dialplan, caller: &str, called: &str, now: &str) -> (Cursor, Vec<Stage>) {
    let begun = plan.begin(caller, called, at(now));
    let (mut cursor, mut step) = (begun.cursor, begun.step);
    assert_eq!(step.kind(), "notice", "nobody waits untold");
    for _ in 0..STEPS_MAX {
        let outcome = match step {
            Step::Queue { stages, .. } => return (cursor, stages),
            Step::Menu { .. } => Outcome::TimedOut,
            Step::Play { .. }
            | Step::Callback { .. }
            | Step::Survey { .. }
            | Step::Transfer { .. }
            | Step::Voicemail { .. }
            | Step::HangUp { .. } => Outcome::Played,
        };
        step = plan.next(&mut cursor, at(now), outcome);
    }
    panic!("{caller} at {now} does not come to a queue");
}

fn names(stages: &[Stage]) -> Vec<String> {
    stages.iter().map(|stage| stage.pool.to_string()).collect()
}

/// A caller of every county, found by trying the exchanges of every area and some mobiles.
fn callers(plan: &Dialplan, case: &Case) -> Vec<(CountyId, String)> {
    let mut known = BTreeSet::new();
    let mut callers = Vec::new();
    let landlines =
        case.area_codes.iter().flat_map(|code| (0..10_000).map(move |n| format!("{code}{n:04}0000")));
    for caller in landlines {
        let Some(county) = plan.attribute(&caller, "12348") else { continue };
        if known.insert(county.clone()) {
            callers.push((county.clone(), caller));
        }
    }
    callers
}

#[test]
fn each_has_its_counties_and_their_pools_and_is_read_without_a_warning() {
    for case in &CASES {
        let plan = plan(case.name);
        assert_eq!(plan.region().as_str(), case.name);
        assert_eq!(plan.counties().len(), case.counties, "{}", case.name);
        assert_eq!(plan.pools().len(), case.counties + 1, "{}", case.name);
        for (id, county) in plan.counties() {
            let paired = county.paired.as_ref().and_then(|paired| plan.counties().get(paired));
            assert!(paired.is_some(), "{}: {id} has nobody to help out", case.name);
            assert_eq!(plan.pools()[&county.pool].county.as_ref(), Some(id), "{}", case.name);
        }
    }
    let committed = std::fs::read_dir(folder()).unwrap().filter_map(|entry| {
        entry.unwrap().file_name().to_str().and_then(|name| name.strip_suffix(".toml")).map(str::to_owned)
    });
    let tested: BTreeSet<String> = CASES.iter().map(|case| case.name.to_owned()).collect();
    assert_eq!(committed.collect::<BTreeSet<_>>(), tested, "each committed dialplan has a line in CASES");
}

/// Dialplan, city within a province or nothing, and the places under it, as far as their names tell them apart.
const PLACES: [(&str, &str, &str); 14] = [
    ("wenzhou", "", "鹿城 龙湾 瓯海 洞头 乐清 瑞安 永嘉 平阳 苍南 文成 泰顺 龙港"),
    ("fujian", "", "福州 厦门 莆田 三明 泉州 漳州 南平 龙岩 宁德 平潭"),
    ("fujian", "福州", "鼓楼 台江 仓山 马尾 晋安 长乐 福清 闽侯 连江 罗源 闽清 永泰"),
    ("fujian", "厦门", "思明 海沧 湖里 集美 同安 翔安"),
    ("fujian", "莆田", "城厢 涵江 荔城 秀屿 仙游"),
    ("fujian", "三明", "三元 沙县 永安 明溪 清流 宁化 大田 尤溪 将乐 泰宁 建宁"),
    ("fujian", "泉州", "鲤城 丰泽 洛江 泉港 石狮 晋江 南安 惠安 安溪 永春 德化"),
    ("fujian", "漳州", "芗城 龙文 龙海 长泰 云霄 漳浦 诏安 东山 南靖 平和 华安"),
    ("fujian", "南平", "延平 建阳 邵武 武夷山 建瓯 顺昌 浦城 光泽 松溪 政和"),
    ("fujian", "龙岩", "新罗 永定 漳平 长汀 上杭 武平 连城"),
    ("fujian", "宁德", "蕉城 福安 福鼎 霞浦 古田 屏南 寿宁 周宁 柘荣"),
    (
        "chengdu",
        "",
        "锦江 青羊 金牛 武侯 成华 龙泉驿 青白江 新都 温江 双流 郫都 新津 简阳 都江堰 彭州 邛崃 崇州 金堂 大邑 \
         蒲江 高新 东部新区 天府新区",
    ),
    ("wuhan-xinzhou", "", "邾城 阳逻 仓埠 汪集 李集 三店 潘塘 旧街 双柳 涨渡湖 辛冲 徐古 凤凰"),
    ("yunnan", "", "昆明 曲靖 玉溪 保山 昭通 丽江 普洱 临沧 楚雄 红河 文山 西双版纳 大理 德宏 怒江 迪庆"),
];

#[test]
fn each_has_the_places_that_are_there_and_no_others() {
    for (name, city, places) in PLACES {
        let plan = plan(name);
        let counties = plan.counties();
        let of_city = |id: &Option<CountyId>| id.as_ref().map_or("", |id| counties[id].name.zh.as_str());
        let mut here: Vec<&str> = counties
            .values()
            .filter(|county| {
                if city.is_empty() { county.city.is_none() } else { of_city(&county.city).starts_with(city) }
            })
            .map(|county| county.name.zh.as_str())
            .collect();
        for place in places.split_whitespace() {
            let at = here.iter().position(|county| county.starts_with(place));
            here.remove(at.unwrap_or_else(|| panic!("{name} {city}: there is no {place} among {here:?}")));
        }
        assert_eq!(here, Vec::<&str>::new(), "{name} {city}: more than there are");
    }
    let languages: Vec<String> = plan("yunnan").languages().values().map(|l| l.name.zh.clone()).collect();
    assert_eq!(languages, ["白语", "傣语", "彝语"]);
}

#[test]
fn districts_of_chengdus_centre_are_paired_with_one_outside() {
    let plan = plan("chengdu");
    let centre = ["jinjiang", "qingyang", "jinniu", "wuhou", "chenghua"].map(CountyId::from);
    for county in &centre {
        let paired = plan.counties()[county].paired.clone().unwrap();
        assert!(!centre.contains(&paired), "{county} and {paired} are both in the centre");
        assert_eq!(plan.counties()[&paired].paired.as_ref(), Some(county), "they help each other");
    }
}

#[test]
fn the_hotline_is_reached_with_and_without_each_area_code() {
    for case in &CASES {
        let plan = plan(case.name);
        let serves = |number: &str| plan.serves(&normalise(number, plan.area_code()));
        assert!(serves("12348"));
        for code in case.area_codes {
            let abroad = format!("+86{}12348", code.trim_start_matches('0'));
            assert!(serves(&format!("{code}12348")) && serves(&abroad), "{}: {code}", case.name);
        }
        for number in ["12345", "057112348", "13812345678", ""] {
            assert!(!serves(number), "{}: {number}", case.name);
        }
    }
}

#[test]
fn every_county_is_reached_by_day_and_its_calls_wait_for_its_own_lawyers_first() {
    for case in &CASES {
        let plan = plan(case.name);
        let callers = callers(&plan, case);
        assert_eq!(callers.len(), case.counties, "{}", case.name);
        for ((county, caller), now) in callers.iter().flat_map(|caller| [(caller, DAY), (caller, MADE_UP)]) {
            let own = &plan.counties()[county];
            let paired = &plan.counties()[own.paired.as_ref().unwrap()];
            let city = own.city.as_ref().map(|city| plan.counties()[city].pool.to_string());
            let mut expect = vec![own.pool.to_string(), paired.pool.to_string()];
            for pool in case.then {
                let pool = if *pool == "@city" { city.clone() } else { Some((*pool).to_owned()) };
                expect.extend(pool);
            }
            let (_, stages) = first_queue(&plan, caller, "12348", now);
            assert_eq!(names(&stages), expect, "{}: {caller} at {now}", case.name);
        }
    }
}

#[test]
fn at_night_and_on_holidays_somebody_answers_everybody_and_a_message_goes_to_the_callers_county() {
    for case in &CASES {
        let plan = plan(case.name);
        for (county, caller) in callers(&plan, case) {
            for now in [NIGHT, HOLIDAY] {
                let (mut cursor, stages) = first_queue(&plan, &caller, "12348", now);
                assert_eq!(
                    names(&stages).last().map(String::as_str),
                    Some(case.last_pool),
                    "{}: {caller}",
                    case.name
                );
                let nobody = Outcome::Exhausted(OverflowReason::NobodyOnDuty);
                let Step::Voicemail { pool, max, .. } = plan.next(&mut cursor, at(now), nobody) else {
                    panic!("{}: no voicemail", case.name)
                };
                assert_eq!((&pool, max), (&plan.counties()[&county].pool, Duration::from_secs(180)));
                let last = plan.next(&mut cursor, at(now), Outcome::MessageLeft);
                let goodbye = vec!["goodbye".to_owned()];
                assert_eq!(last, Step::HangUp { prompts: goodbye, departure: Departure::Voicemail });
            }
        }
    }
}

#[test]
fn county_lawyers_rest_at_night_and_keep_the_holidays_as_their_hours_say() {
    for case in &CASES {
        let plan = plan(case.name);
        let county = plan.counties().keys().find(|id| plan.counties()[*id].city.is_some());
        let county = county.or(plan.counties().keys().next()).unwrap();
        let (_, caller) = callers(&plan, case).into_iter().find(|(other, _)| other == county).unwrap();
        let is_first = |now: &str| {
            let (_, stages) = first_queue(&plan, &caller, "12348", now);
            stages[0].pool == plan.counties()[county].pool
        };
        assert!(is_first(DAY) && !is_first(NIGHT), "{}", case.name);
        assert!(!is_first(HOLIDAY), "{}: too early on a holiday", case.name);
        assert_eq!(is_first("2026-10-01 10:00"), case.works_holidays, "{}", case.name);
    }
}

#[test]
fn a_mobile_of_unknown_county_waits_for_the_city_day_and_night() {
    for case in &CASES {
        let plan = plan(case.name);
        for (caller, now) in [(MOBILE, DAY), (MOBILE, NIGHT), ("", HOLIDAY)] {
            let (cursor, stages) = first_queue(&plan, caller, "12348", now);
            assert_eq!(
                (cursor.county(), names(&stages)),
                (None, vec![case.last_pool.to_owned()]),
                "{}",
                case.name
            );
        }
    }
}

#[test]
fn in_a_province_a_mobile_is_of_the_city_whose_area_code_it_dials() {
    let county = |name: &str, caller: &str, called: &str| {
        plan(name).attribute(caller, called).map(ToString::to_string)
    };
    assert_eq!(county("fujian", MOBILE, "059212348").as_deref(), Some("xiamen"));
    assert_eq!(county("fujian", "059220100001", "059112348").as_deref(), Some("siming"));
    assert_eq!(county("yunnan", MOBILE, "087212348").as_deref(), Some("dali"));
    assert_eq!(county("yunnan", "08782345678", "087212348").as_deref(), Some("chuxiong"));
}

#[test]
fn in_yunnan_a_key_chooses_the_language_of_the_call() {
    let plan = plan("yunnan");
    assert_eq!(plan.languages().keys().map(String::as_str).collect::<Vec<_>>(), ["bai", "dai", "yi"]);
    let mut cursor = plan.begin(MOBILE, "087212348", at(DAY)).cursor;
    let menu = plan.next(&mut cursor, at(DAY), Outcome::Played);
    assert_eq!(menu.kind(), "menu");
    let queue = plan.next(&mut cursor, at(DAY), Outcome::Digit('4'));
    assert_eq!((queue.kind(), cursor.language()), ("queue", Some("bai")));
}

#[test]
fn wenzhous_pools_and_recordings_are_as_its_file_says() {
    let plan = plan("wenzhou");
    assert_eq!((plan.area_code(), plan.region_name().zh.as_str()), ("0577", "温州市"));
    let lucheng = &plan.pools()[&"lucheng".into()];
    assert_eq!((lucheng.ring_timeout, lucheng.wrap_up), (Duration::from_secs(20), Duration::from_secs(30)));
    let wrap_up = (lucheng.wrap_up_rule, lucheng.wrap_up_max);
    assert_eq!(wrap_up, (WrapUpRule::Extendable, Duration::from_secs(300)));
    assert_eq!((lucheng.miss_limit, lucheng.miss_pause), (2, Some(Duration::from_secs(600))));
    let used = plan.prompts_used();
    let of_steps = used.iter().filter(|name| !name.starts_with("wait_") && !name.starts_with("number_"));
    let of_steps: Vec<&str> = of_steps.map(String::as_str).collect();
    let expect = [
        "beep",
        "callback_kept",
        "closed",
        "goodbye",
        "hold_music",
        "notice",
        "overflow",
        "queue_wait",
        "survey",
        "voicemail_greeting",
    ];
    assert_eq!(of_steps, expect);
    // What is announced to those who wait, and the choice that they have.
    assert_eq!(used.len() - expect.len(), 6 + 12 + 1);
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

//! The schemas for editors: each accepts every committed file of its kind, refuses slips, and knows the reader's keys.
#![allow(clippy::unwrap_used)] // Helpers of tests, which fail by it.

use dialplan::{Calendars, Context, Dialplan, Problem, Roster, RosterContext, parse_date};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

const DIALPLAN: &str = include_str!("../../../dialplans/dialplan.schema.json");
const ROSTER: &str = include_str!("../../../dialplans/roster.schema.json");
/// Like no key there is, so that the reader names all it knows and not the nearest.
const STRANGER: &str = "zzzzzzzzzzzzzzzzzzzz";

fn schema(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

fn json(text: &str) -> Value {
    serde_json::to_value(text.parse::<toml::Table>().unwrap()).unwrap()
}

/// Every TOML file of this folder begins with `reference` and fits the schema; so many there are at least.
fn check_folder(folder: &str, reference: &str, schema: &Value, at_least: usize) {
    let validator = jsonschema::validator_for(schema).unwrap();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../dialplans").join(folder);
    let mut seen = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|ending| ending != "toml") {
            continue;
        }
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.starts_with(reference), "{}", path.display());
        let errors: Vec<String> =
            validator.iter_errors(&json(&text)).map(|e| format!("{} at {}", e, e.instance_path())).collect();
        assert!(errors.is_empty(), "{}: {errors:#?}", path.display());
        seen += 1;
    }
    assert!(seen >= at_least);
}

#[test]
fn every_committed_file_fits_its_schema_and_refers_to_it() {
    check_folder("", "#:schema ./dialplan.schema.json\n", &schema(DIALPLAN), 5);
    check_folder("rosters", "#:schema ../roster.schema.json\n", &schema(ROSTER), 1);
    let validator = jsonschema::validator_for(&schema(DIALPLAN)).unwrap();
    assert!(validator.is_valid(&json(include_str!("menu.toml"))));
}

/// Each wrong text in place of the right one.
fn check_slips(schema: &Value, text: &str, slips: &[(&str, &str)]) {
    let validator = jsonschema::validator_for(schema).unwrap();
    assert!(validator.is_valid(&json(text)));
    for (right, wrong) in slips {
        assert!(text.contains(right), "{right}");
        assert!(!validator.is_valid(&json(&text.replace(right, wrong))), "{wrong}");
    }
}

#[test]
fn slips_do_not_fit_the_schema() {
    let slips = [
        ("area_code = \"0999\"", "area_code = \"999\""),
        ("patience = \"60s\"", "patience = \"60\""),
        ("kind = \"queue\"", "kind = \"cue\""),
        ("city_pool = \"city\"\n", ""),
        ("timeout = \"5s\"", "timeout = 5"),
        ("[pools.east]", "[pools.East]"),
        ("weekly =", "weakly ="),
    ];
    check_slips(&schema(DIALPLAN), include_str!("menu.toml"), &slips);
}

const EVERYTHING_ROSTERED: &str = r#"
region = "wenzhou"
calendar = "cn"
[shifts.city_night]
pools = ["city"]
lawyers = [1002, 1012]
days = ["workday", "mon-fri", "2026-10-01..2026-10-07"]
except = ["2026-08-14"]
hours = "20:00-08:00"
reach = "mobile"
rotate = { days = 7, since = "2026-01-05", at_once = 1 }
[[swaps]]
lawyers = [1002, 1003]
days = ["2026-10-01"]
shifts = ["city_night"]
[[absences]]
lawyer = 1001
days = ["2026-10-01..2026-10-03"]
substitute = 1012
"#;

#[test]
fn slips_in_a_roster_do_not_fit_the_schema() {
    let slips = [
        ("region = \"wenzhou\"\n", ""),
        ("[shifts.city_night]", "[shifts.City]"),
        ("lawyers = [1002, 1012]", "lawyers = [\"1002\"]"),
        ("pools = [\"city\"]", "pools = []"),
        ("\"workday\"", "\"workdays\""),
        ("hours = \"20:00-08:00\"", "hours = \"20-8\""),
        ("hours = \"20:00-08:00\"", "hours = \"24:00-08:00\""),
        ("reach = \"mobile\"", "reach = \"mobil\""),
        ("since = \"2026-01-05\", ", ""),
        ("lawyers = [1002, 1003]", "lawyers = [1002]"),
        ("days = [\"2026-10-01\"]", "days = [\"mon\"]"),
        ("substitute = 1012", "substitute = [1012]"),
        ("lawyer = 1001", "lawer = 1001"),
    ];
    check_slips(&schema(ROSTER), EVERYTHING_ROSTERED, &slips);
}

/// A section of each kind by its path in the text below, and its place in the schema.
const DIALPLAN_SECTIONS: [(&str, &str); 25] = [
    ("", ""),
    ("region", "region"),
    ("region.name", "name"),
    ("tables", "tables"),
    ("callers", "callers"),
    ("languages.l", "language"),
    ("skills.s", "skill"),
    ("targets.t", "target"),
    ("hours.h", "hours"),
    ("pool_defaults", "pool_defaults"),
    ("pools.p", "pool"),
    ("counties.c", "county"),
    ("steps.play", "play"),
    ("steps.menu", "menu"),
    ("steps.hours", "hours_step"),
    ("steps.queue", "queue"),
    ("steps.queue.stages[1]", "stage"),
    ("steps.queue.acquainted", "acquainted"),
    ("steps.queue.relax[1]", "relax"),
    ("steps.queue.announce", "announce"),
    ("steps.callback", "callback"),
    ("steps.survey", "survey"),
    ("steps.transfer", "transfer"),
    ("steps.voicemail", "voicemail"),
    ("steps.hangup", "hangup"),
];

const ROSTER_SECTIONS: [(&str, &str); 5] = [
    ("", ""),
    ("shifts.s", "shift"),
    ("shifts.s.rotate", "rotate"),
    ("swaps[1]", "swap"),
    ("absences[1]", "absence"),
];

/// Every section with a key that nobody knows.
fn strange(sections: &[(&str, &str)]) -> String {
    let mut text = format!("{STRANGER} = 1\n");
    for (path, _) in sections.iter().filter(|(path, _)| !path.is_empty()) {
        let heading =
            path.strip_suffix("[1]").map_or_else(|| format!("[{path}]"), |list| format!("[[{list}]]"));
        let kind = path.strip_prefix("steps.").filter(|rest| !rest.contains('.'));
        let kind = kind.map_or_else(String::new, |kind| format!("kind = \"{kind}\"\n"));
        text += &format!("{heading}\n{kind}{STRANGER} = 1\n");
    }
    text
}

/// The keys that the schema has in each section are those that the reader of a strange file says it knows.
fn check_keys(schema: &Value, sections: &[(&str, &str)], problems: &[Problem]) {
    let mut read: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for problem in problems {
        let Some(path) = problem.what.strip_prefix("unknown key `") else { continue };
        let path = path.trim_end_matches('`').trim_end_matches(STRANGER).trim_end_matches('.');
        let known = problem.remedy.rsplit_once("known here: ").unwrap().1;
        read.insert(path.to_owned(), known.split(", ").map(str::to_owned).collect());
    }
    for (path, place) in sections {
        let object = if place.is_empty() { schema } else { &schema["$defs"][place] };
        let keys: BTreeSet<String> = object["properties"].as_object().unwrap().keys().cloned().collect();
        assert_eq!(read.get(*path), Some(&keys), "[{path}]");
    }
    assert_eq!(schema["$defs"].as_object().unwrap().len(), sections.len() - 1, "each part has a line above");
}

#[test]
fn schema_and_reader_know_the_same_keys() {
    let (prompts, calendars) = (BTreeSet::new(), Calendars::default());
    let context = Context::new(&prompts, &calendars, 2026);
    let problems = Dialplan::parse("f", &strange(&DIALPLAN_SECTIONS), &context).unwrap_err();
    check_keys(&schema(DIALPLAN), &DIALPLAN_SECTIONS, &problems);
}

#[test]
fn schema_and_reader_of_rosters_know_the_same_keys() {
    let today = parse_date("2026-11-23").unwrap();
    let context = RosterContext { dialplans: &[], staff: None, today };
    let problems = Roster::parse("f", &strange(&ROSTER_SECTIONS), &context).unwrap_err();
    check_keys(&schema(ROSTER), &ROSTER_SECTIONS, &problems);
}

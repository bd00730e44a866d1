//! The schema for editors: it accepts every committed dialplan, refuses slips, and knows the reader's keys.
#![allow(clippy::unwrap_used)] // Helpers of tests, which fail by it.

use dialplan::{Calendars, Context, Dialplan};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

const SCHEMA: &str = include_str!("../../../dialplans/dialplan.schema.json");
const REFERENCE: &str = "#:schema ./dialplan.schema.json\n";
/// Like no key there is, so that the reader names all it knows and not the nearest.
const STRANGER: &str = "zzzzzzzzzzzzzzzzzzzz";

fn schema() -> Value {
    serde_json::from_str(SCHEMA).unwrap()
}

fn json(text: &str) -> Value {
    serde_json::to_value(text.parse::<toml::Table>().unwrap()).unwrap()
}

#[test]
fn every_committed_dialplan_fits_the_schema_and_refers_to_it() {
    let validator = jsonschema::validator_for(&schema()).unwrap();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../dialplans");
    let mut seen = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|ending| ending != "toml") {
            continue;
        }
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.starts_with(REFERENCE), "{}", path.display());
        let errors: Vec<String> =
            validator.iter_errors(&json(&text)).map(|e| format!("{} at {}", e, e.instance_path())).collect();
        assert!(errors.is_empty(), "{}: {errors:#?}", path.display());
        seen += 1;
    }
    assert!(seen >= 5);
    assert!(validator.is_valid(&json(include_str!("menu.toml"))));
}

#[test]
fn slips_do_not_fit_the_schema() {
    let validator = jsonschema::validator_for(&schema()).unwrap();
    let menu = include_str!("menu.toml");
    for (right, wrong) in [
        ("area_code = \"0999\"", "area_code = \"999\""),
        ("patience = \"60s\"", "patience = \"60\""),
        ("kind = \"queue\"", "kind = \"cue\""),
        ("city_pool = \"city\"\n", ""),
        ("timeout = \"5s\"", "timeout = 5"),
        ("[pools.east]", "[pools.East]"),
        ("weekly =", "weakly ="),
    ] {
        assert!(menu.contains(right) && !validator.is_valid(&json(&menu.replace(right, wrong))), "{wrong}");
    }
}

/// A section of each kind by its path in the text below, and its place in the schema.
const SECTIONS: [(&str, &str); 23] = [
    ("", ""),
    ("region", "region"),
    ("region.name", "name"),
    ("tables", "tables"),
    ("callers", "callers"),
    ("languages.l", "language"),
    ("skills.s", "skill"),
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
    ("steps.voicemail", "voicemail"),
    ("steps.hangup", "hangup"),
];

/// Every section with a key that nobody knows.
fn strange_dialplan() -> String {
    let mut text = format!("{STRANGER} = 1\n");
    for (path, _) in SECTIONS.iter().filter(|(path, _)| !path.is_empty()) {
        let heading =
            path.strip_suffix("[1]").map_or_else(|| format!("[{path}]"), |list| format!("[[{list}]]"));
        let kind = path.strip_prefix("steps.").filter(|rest| !rest.contains('.'));
        let kind = kind.map_or_else(String::new, |kind| format!("kind = \"{kind}\"\n"));
        text += &format!("{heading}\n{kind}{STRANGER} = 1\n");
    }
    text
}

#[test]
fn schema_and_reader_know_the_same_keys() {
    let (prompts, calendars) = (BTreeSet::new(), Calendars::default());
    let context = Context::new(&prompts, &calendars, 2026);
    let problems = Dialplan::parse("f", &strange_dialplan(), &context).unwrap_err();
    let mut read: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for problem in &problems {
        let Some(path) = problem.what.strip_prefix("unknown key `") else { continue };
        let path = path.trim_end_matches('`').trim_end_matches(STRANGER).trim_end_matches('.');
        let known = problem.remedy.rsplit_once("known here: ").unwrap().1;
        read.insert(path.to_owned(), known.split(", ").map(str::to_owned).collect());
    }
    let schema = schema();
    for (path, place) in SECTIONS {
        let object = if place.is_empty() { &schema } else { &schema["$defs"][place] };
        let keys: BTreeSet<String> = object["properties"].as_object().unwrap().keys().cloned().collect();
        assert_eq!(read.get(path), Some(&keys), "[{path}]");
    }
    assert_eq!(schema["$defs"].as_object().unwrap().len(), SECTIONS.len() - 1, "each part has a line above");
}

//! What is different between two dialplans, in words for the person who changed one into the other.

use crate::doc::show_duration;
use crate::graph::{deed, pool_name, way_name};
use crate::plan::{Announce, Dialplan, Node};
use crate::prefix::{PrefixTable, unpack};
use domain::CountyId;
use serde::Serialize;
use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// Prefixes that a change names; of more it gives the number.
const PREFIXES_TOLD: usize = 5;

/// One difference.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Change {
    /// What it is about: `pool lucheng`, `step wait`, `number 057788012348`.
    pub part: String,
    /// Which property of it; none where the whole part is new or gone.
    pub property: Option<&'static str>,
    pub before: Option<String>,
    pub after: Option<String>,
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let property = self.property.map(|property| format!(", {property}")).unwrap_or_default();
        match (&self.before, &self.after) {
            (None, Some(after)) => write!(f, "{}{property}: added, {after}", self.part),
            (Some(before), None) => write!(f, "{}{property}: removed, was {before}", self.part),
            (Some(before), Some(after)) => write!(f, "{}{property}: {before} → {after}", self.part),
            (None, None) => write!(f, "{}{property}", self.part),
        }
    }
}

/// Properties of a part with their values.
type Properties = Vec<(&'static str, String)>;

impl Dialplan {
    /// What `newer` has that this one has not, has no more, or has otherwise; nothing if both do the same.
    #[must_use]
    pub fn changes_to(&self, newer: &Self) -> Vec<Change> {
        let (before, after) = (self.parts(), newer.parts());
        let all: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
        let mut changes = Vec::new();
        for part in all {
            match (before.get(part), after.get(part)) {
                (Some(before), Some(after)) => compare(part, before, after, &mut changes),
                (before, after) => changes.push(Change {
                    part: part.clone(),
                    property: None,
                    before: before.map(sentence),
                    after: after.map(sentence),
                }),
            }
        }
        changes.extend(compare_prefixes(&self.prefixes, &newer.prefixes));
        changes
    }

    fn parts(&self) -> BTreeMap<String, Properties> {
        let mut parts = BTreeMap::from([("region".to_owned(), self.region_properties())]);
        let county =
            |county: &Option<CountyId>| county.as_ref().map_or("the region", CountyId::as_str).into();
        parts.insert("callers".to_owned(), self.callers.words());
        for (number, of) in &self.numbers {
            parts.insert(format!("number {number}"), vec![("county", county(of))]);
        }
        for id in self.pools.keys() {
            parts.insert(format!("pool {id}"), self.pool_properties(id));
        }
        for (id, county) in &self.counties {
            let or_none = |id: &Option<CountyId>| id.as_ref().map_or("none", CountyId::as_str).to_owned();
            let properties = vec![
                ("name", county.name.zh.clone()),
                ("pool", county.pool.to_string()),
                ("paired", or_none(&county.paired)),
                ("city", or_none(&county.city)),
            ];
            parts.insert(format!("county {id}"), properties);
        }
        for (code, county) in &self.area_codes {
            parts.insert(format!("area code {code}"), vec![("county", county.to_string())]);
        }
        for (id, language) in &self.languages {
            let own: Vec<String> =
                language.prompts.iter().map(|(of, own)| format!("{own} for {of}")).collect();
            let properties = vec![("name", language.name.zh.clone()), ("recordings", own.join(", "))];
            parts.insert(format!("language {id}"), properties);
        }
        for (id, name) in &self.skills {
            parts.insert(format!("skill {id}"), vec![("name", name.zh.clone())]);
        }
        for (id, target) in &self.targets {
            let properties = vec![("name", target.name.zh.clone()), ("dials", target.words())];
            parts.insert(format!("target {id}"), properties);
        }
        for (name, node) in &self.steps {
            parts.insert(format!("step {name}"), step_properties(node));
        }
        parts
    }

    fn region_properties(&self) -> Properties {
        vec![
            ("id", self.region.to_string()),
            ("name", self.name.zh.clone()),
            ("area_code", self.area_code.clone()),
            ("city_pool", self.city_pool.to_string()),
            ("start", self.start.clone()),
        ]
    }

    fn pool_properties(&self, id: &domain::PoolId) -> Properties {
        let Some(pool) = self.pools.get(id) else { return Properties::new() };
        let pause = pool.miss_pause.map_or_else(|| "until the lawyer ends it".to_owned(), show_duration);
        vec![
            ("name", pool.name.zh.clone()),
            ("hours", self.hours.get(id).map(crate::hours::Hours::words).unwrap_or_default()),
            ("matching", format!("{:?}", pool.matching)),
            ("ring_timeout", show_duration(pool.ring_timeout)),
            ("wrap_up", show_duration(pool.wrap_up)),
            ("wrap_up_rule", format!("{:?}", pool.wrap_up_rule)),
            ("wrap_up_max", show_duration(pool.wrap_up_max)),
            ("miss_limit", pool.miss_limit.to_string()),
            ("miss_pause", pause),
            ("max_waiting", pool.max_waiting.to_string()),
            ("refuse_unless_ready", pool.refuse_unless_ready.to_string()),
            (
                "refuse_estimated_wait",
                pool.refuse_estimated_wait.map_or_else(|| "never".to_owned(), show_duration),
            ),
            (
                "refuse_longest_wait",
                pool.refuse_longest_wait.map_or_else(|| "never".to_owned(), show_duration),
            ),
        ]
    }
}

fn step_properties(node: &Node) -> Properties {
    let ways = node.ways().into_iter().map(|(way, target)| match way_name(way) {
        Some(way) => format!("{way} → {target}"),
        None => format!("→ {target}"),
    });
    let mut properties = vec![("does", deed(node)), ("leads", ways.collect::<Vec<_>>().join(", "))];
    match node {
        Node::Menu(menu) => {
            let chosen = menu.counties.iter().map(|(key, county)| format!("{key} {county}"));
            let spoken = menu.languages.iter().map(|(key, language)| format!("{key} {language}"));
            properties.push(("prompts", menu.prompts.join(", ")));
            properties.push(("keys", chosen.chain(spoken).collect::<Vec<_>>().join(", ")));
            properties.push(("only_unattributed", menu.only_unattributed.to_string()));
        }
        Node::Queue(queue) => {
            properties.push(("prompts", queue.prompts.join(", ")));
            properties.push(("music", queue.music.clone()));
            properties.push(("asks", queue.asked.words()));
            properties.extend(queue.announce.map(|Announce { first, every }| {
                ("announce", format!("after {}, every {}", show_duration(first), show_duration(every)))
            }));
            properties.push(("announce.then", queue.then.join(", ")));
        }
        Node::Callback { prompts, .. }
        | Node::Survey { prompts, .. }
        | Node::Voicemail { prompts, .. }
        | Node::HangUp { prompts } => {
            properties.push(("prompts", prompts.join(", ")));
        }
        Node::Transfer { prompts, music, .. } => {
            properties.push(("prompts", prompts.join(", ")));
            properties.push(("music", music.clone()));
        }
        Node::Hours { pool, .. } => properties.push(("pool", pool_name(pool))),
        Node::Play { .. } => {}
    }
    properties
}

fn compare(part: &str, before: &Properties, after: &Properties, changes: &mut Vec<Change>) {
    let old: BTreeMap<_, _> = before.iter().map(|(property, value)| (*property, value)).collect();
    let new: BTreeMap<_, _> = after.iter().map(|(property, value)| (*property, value)).collect();
    let all: BTreeSet<&'static str> = old.keys().chain(new.keys()).copied().collect();
    for property in all {
        let (before, after) = (old.get(property), new.get(property));
        if before != after {
            changes.push(Change {
                part: part.to_owned(),
                property: Some(property),
                before: before.map(|value| (*value).clone()),
                after: after.map(|value| (*value).clone()),
            });
        }
    }
}

fn sentence(properties: &Properties) -> String {
    let told = properties.iter().filter(|(_, value)| !value.is_empty());
    told.map(|(property, value)| format!("{property} {value}")).collect::<Vec<_>>().join("; ")
}

/// There may be a million: they are counted, and the first ones named.
fn compare_prefixes(before: &PrefixTable, after: &PrefixTable) -> Option<Change> {
    let (mut old, mut new) = (before.iter().peekable(), after.iter().peekable());
    let (mut gone, mut added) = (Told::default(), Told::default());
    loop {
        let order = match (old.peek(), new.peek()) {
            (None, None) => break,
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some(old), Some(new)) => old.key.cmp(&new.key),
        };
        let left = if order.is_le() { old.next() } else { None };
        let came = if order.is_ge() { new.next() } else { None };
        if left.as_ref().map(|found| found.county) == came.as_ref().map(|found| found.county) {
            continue;
        }
        left.inspect(|found| gone.add(found.key, found.county));
        came.inspect(|found| added.add(found.key, found.county));
    }
    let (before, after) = (gone.words(), added.words());
    let part = "caller prefixes".to_owned();
    (before.is_some() || after.is_some()).then_some(Change { part, property: None, before, after })
}

#[derive(Default)]
struct Told {
    first: Vec<String>,
    count: usize,
}

impl Told {
    fn add(&mut self, key: u64, county: &CountyId) {
        self.count += 1;
        if self.first.len() < PREFIXES_TOLD {
            self.first.push(format!("{} {county}", unpack(key)));
        }
    }

    fn words(self) -> Option<String> {
        let more = self.count - self.first.len();
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        (self.count > 0).then(|| format!("{}{more}", self.first.join(", ")))
    }
}

//! From TOML to a dialplan: each part by itself. What concerns the parts together is in `check`.

use crate::announce;
use crate::calendar::read_name;
use crate::callers::Callers;
use crate::context::Context;
use crate::doc::{Doc, Located, Section, did_you_mean};
use crate::hours::Hours;
use crate::number::{full_prefix, normalise};
use crate::plan::{Announce, County, Dialplan, Language, Menu, Node, Pool, PoolRef, Queue, WrapUpRule};
use crate::prefix::{Clash, Entry, Origin, PREFIX_CHARS_MAX, PrefixTable, pack, unpack};
use crate::problem::nearest;
use crate::table::{Problems, Rows};
use crate::target::read_targets;
use crate::version::Digest;
use crate::wants::Asked;
use domain::{CountyId, Matching, PlanVersion, PoolId, RegionId, SkillId, TargetId};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;
use std::time::Duration;

/// The hours that need no section: around the clock.
const ALWAYS: &str = "always";
const MENU_KEYS: &str = "0123456789*#";
const NAME_CHARS_MAX: usize = 32;

const RING: RangeInclusive<Duration> = Duration::from_secs(5)..=Duration::from_secs(120);
const WRAP_UP: RangeInclusive<Duration> = Duration::ZERO..=Duration::from_secs(3_600);
const WRAP_UP_MAX: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(14_400);
const MISS_PAUSE: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(86_400);
const PATIENCE: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(7_200);
const MENU_TIMEOUT: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(30);
const ANNOUNCE: RangeInclusive<Duration> = Duration::from_secs(5)..=Duration::from_secs(3_600);
const CALLBACK: RangeInclusive<Duration> = Duration::from_secs(60)..=Duration::from_secs(24 * 3_600);
const MIN_TALK: RangeInclusive<Duration> = Duration::ZERO..=Duration::from_secs(3_600);
const MESSAGE: RangeInclusive<Duration> = Duration::from_secs(10)..=Duration::from_secs(1_800);

/// A dialplan as read, and where its parts stand.
pub(crate) struct Draft {
    pub(crate) plan: Dialplan,
    pub(crate) step_lines: BTreeMap<String, usize>,
    pub(crate) pool_lines: BTreeMap<PoolId, usize>,
    pub(crate) county_lines: BTreeMap<CountyId, usize>,
    pub(crate) language_lines: BTreeMap<String, usize>,
    pub(crate) target_lines: BTreeMap<TargetId, usize>,
    /// Opening hours by name, and where they stand.
    pub(crate) hours_lines: BTreeMap<String, usize>,
    /// Names of opening hours that something refers to.
    pub(crate) hours_used: BTreeSet<String>,
    /// Of everything that was read so far.
    digest: Digest,
    /// Prefixes of callers' numbers so far.
    entries: Vec<Entry>,
}

impl Draft {
    pub(crate) fn into_plan(self) -> Dialplan {
        let Self { plan, mut digest, .. } = self;
        plan.callers.digest(&mut digest);
        Dialplan { version: digest.version(), ..plan }
    }
}

/// Reads everything; the result means something only if `doc` has no problems after it.
pub(crate) fn read(doc: &Doc, file: &str, text: &str, context: &Context<'_>) -> Draft {
    let root = doc.root();
    let region = root.table("region");
    let hours = read_hours(&root, context);
    let pools = root.table("pools");
    let counties = root.table_or_empty("counties");
    let languages = root.table_or_empty("languages");
    let skills = root.table_or_empty("skills");
    let targets = root.table_or_empty("targets");
    let steps = root.table("steps");
    let names = Names {
        prompts: context.prompts,
        area_code: read_area_code(&region, region.str("area_code")),
        pools: names_of(&pools, "a pool"),
        counties: names_of(&counties, "a county"),
        skills: names_of(&skills, "a skill"),
        languages: names_of(&languages, "a language"),
        targets: names_of(&targets, "a target"),
        steps: names_of(&steps, "a step"),
    };
    let mut draft = read_region(&region, &names, context);
    draft.digest.take(text.as_bytes());
    draft.digest.take(format!("{:?}", context.calendars).as_bytes());
    let mut settings = Settings { hours: ALWAYS.to_owned(), ..Settings::default() };
    settings.hours = read_hours_name(&region, &settings.hours, &hours);
    region.finish();
    draft.hours_lines =
        root.table_or_empty("hours").keys().iter().map(|key| (key.value.to_owned(), key.line)).collect();
    if let Some(defaults) = root.opt_table("pool_defaults") {
        settings = settings.over(&defaults, &hours);
        defaults.finish();
    }
    read_pools(&pools, &settings, &hours, &mut draft);
    read_counties(&counties, &names, &mut draft);
    read_languages(&languages, context, &mut draft);
    read_skills(&skills, &names, &mut draft);
    read_area_codes(&root.table_or_empty("area_codes"), &names, &mut draft);
    add_short_codes(&mut draft.plan);
    read_targets(&targets, &mut draft);
    let table = read_table(root.table_or_empty("tables"), file, &names, context, &mut draft);
    build_prefixes(doc, &table, &names, &mut draft);
    let callers = root.table_or_empty("callers");
    draft.plan.callers = Callers::read(&callers, file, &names.area_code, context);
    callers.finish();
    for name in &names.steps {
        let Some(section) = steps.opt_table(name) else { continue };
        draft.step_lines.insert(name.clone(), section.line());
        if let Some(node) = read_step(section, &names) {
            draft.plan.steps.insert(name.clone(), node);
        }
    }
    root.finish();
    draft
}

/// What a reference can refer to.
struct Names<'p> {
    prompts: &'p BTreeSet<String>,
    area_code: String,
    pools: BTreeSet<String>,
    counties: BTreeSet<String>,
    skills: BTreeSet<String>,
    languages: BTreeSet<String>,
    targets: BTreeSet<String>,
    steps: BTreeSet<String>,
}

/// The keys of a section of sections, as names.
pub(crate) fn names_of(section: &Section<'_>, what: &str) -> BTreeSet<String> {
    let keys = section.keys();
    for key in &keys {
        let is_plain = key.value.chars().all(|c| matches!(c, 'a'..='z' | '0'..='9' | '_' | '-'));
        if !is_plain || key.value.is_empty() || key.value.len() > NAME_CHARS_MAX {
            let what = format!("\"{}\" cannot be the name of {what}", key.value);
            let remedy = format!("use a-z, 0-9, _ and -, at most {NAME_CHARS_MAX} of them");
            section.doc().problem(key.line, what, remedy);
        }
    }
    keys.iter().map(|key| key.value.to_owned()).collect()
}

/// Reports `name` if it is none of `known`; goes on with what was probably meant, so that one slip
/// does not make ten problems.
fn refer(doc: &Doc, line: usize, kind: &str, name: &str, known: &BTreeSet<String>) -> String {
    if known.contains(name) || name.is_empty() {
        return name.to_owned();
    }
    let remedy = match (known.is_empty(), kind) {
        (true, _) => format!("add the {kind}"),
        (false, "recording") if nearest(name, known.iter().map(String::as_str)).is_none() => {
            format!("put {name}.al into the folder of prompts, or name another recording")
        }
        (false, _) => did_you_mean(name, known.iter().map(String::as_str)),
    };
    let verb = if kind.ends_with('s') { "are" } else { "is" };
    doc.problem(line, format!("there {verb} no {kind} \"{name}\""), remedy);
    nearest(name, known.iter().map(String::as_str)).unwrap_or(name).to_owned()
}

fn read_area_code(section: &Section<'_>, code: String) -> String {
    if !is_area_code(&code) && !code.is_empty() {
        section.problem("area_code", format!("\"{code}\" is no area code"), AREA_CODE_FORM);
    }
    code
}

const AREA_CODE_FORM: &str = "write it with its 0, like \"0577\"";

fn is_area_code(code: &str) -> bool {
    (3..=4).contains(&code.len()) && code.starts_with('0') && code.bytes().all(|digit| digit.is_ascii_digit())
}

fn read_region(region: &Section<'_>, names: &Names<'_>, context: &Context<'_>) -> Draft {
    let doc = region.doc();
    let city_pool = region.str("city_pool");
    let city_pool = refer(doc, region.line_of("city_pool"), "pool", &city_pool, &names.pools);
    let start = region.str("start");
    let start = refer(doc, region.line_of("start"), "step", &start, &names.steps);
    let mut numbers = BTreeMap::new();
    read_numbers(doc, &region.list("numbers"), None, &names.area_code, &mut numbers);
    let plan = Dialplan {
        version: PlanVersion::new(""),
        region: RegionId::new(&region.str("id")),
        name: read_name(region),
        area_code: names.area_code.clone(),
        city_pool: PoolId::new(&city_pool),
        pools: BTreeMap::new(),
        hours: BTreeMap::new(),
        counties: BTreeMap::new(),
        numbers,
        prefixes: PrefixTable::default(),
        area_codes: BTreeMap::new(),
        languages: BTreeMap::new(),
        skills: BTreeMap::new(),
        targets: BTreeMap::new(),
        trunk_lines: BTreeMap::new(),
        calendars: context.calendars.clone(),
        callers: Callers::default(),
        start,
        steps: BTreeMap::new(),
    };
    Draft {
        plan,
        step_lines: BTreeMap::new(),
        pool_lines: BTreeMap::new(),
        county_lines: BTreeMap::new(),
        language_lines: BTreeMap::new(),
        target_lines: BTreeMap::new(),
        hours_lines: BTreeMap::new(),
        hours_used: BTreeSet::new(),
        digest: Digest::default(),
        entries: Vec::new(),
    }
}

fn read_hours(root: &Section<'_>, context: &Context<'_>) -> BTreeMap<String, Hours> {
    let section = root.table_or_empty("hours");
    let mut hours = BTreeMap::from([(ALWAYS.to_owned(), Hours::always())]);
    for name in names_of(&section, "opening hours") {
        let Some(entry) = section.opt_table(&name) else { continue };
        if name == ALWAYS {
            section.doc().problem(entry.line(), "\"always\" means around the clock", "choose another name");
        } else {
            hours.insert(name.clone(), Hours::read(entry, &name, context));
        }
    }
    hours
}

fn read_hours_name(section: &Section<'_>, default: &str, hours: &BTreeMap<String, Hours>) -> String {
    let Some(name) = section.opt_str("hours") else { return default.to_owned() };
    let known: BTreeSet<String> = hours.keys().cloned().collect();
    refer(section.doc(), section.line_of("hours"), "opening hours", &name, &known)
}

const MATCHINGS: [(&str, Matching); 6] = [
    ("longest_idle", Matching::LongestIdle),
    ("fewest_calls", Matching::FewestCalls),
    ("best_skill", Matching::BestSkill),
    ("in_order", Matching::InOrder),
    ("all_at_once", Matching::AllAtOnce),
    ("round_robin", Matching::RoundRobin),
];

const WRAP_UP_RULES: [(&str, WrapUpRule); 3] = [
    ("fixed", WrapUpRule::Fixed),
    ("extendable", WrapUpRule::Extendable),
    ("until_saved", WrapUpRule::UntilSaved),
];

/// What a pool has unless it says otherwise.
#[derive(Clone)]
struct Settings {
    hours: String,
    matching: Matching,
    ring_timeout: Duration,
    wrap_up: Duration,
    wrap_up_rule: WrapUpRule,
    wrap_up_max: Duration,
    miss_limit: u32,
    miss_pause: Option<Duration>,
    max_waiting: usize,
    refuse_unless_ready: bool,
    refuse_longest_wait: Option<Duration>,
    refuse_estimated_wait: Option<Duration>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            hours: ALWAYS.to_owned(),
            matching: Matching::LongestIdle,
            ring_timeout: Duration::from_secs(20),
            wrap_up: Duration::from_secs(30),
            wrap_up_rule: WrapUpRule::Fixed,
            wrap_up_max: Duration::from_secs(600),
            miss_limit: 2,
            miss_pause: None,
            max_waiting: 100,
            refuse_unless_ready: false,
            refuse_longest_wait: None,
            refuse_estimated_wait: None,
        }
    }
}

impl Settings {
    /// What `section` says, and for the rest what `self` says.
    fn over(&self, section: &Section<'_>, hours: &BTreeMap<String, Hours>) -> Self {
        let wrap_up_rule = section.opt_choice("wrap_up_rule", &WRAP_UP_RULES).unwrap_or(self.wrap_up_rule);
        let (wrap_up, wrap_up_max) = self.wrap_up_over(section, wrap_up_rule);
        Self {
            hours: read_hours_name(section, &self.hours, hours),
            matching: section.opt_choice("matching", &MATCHINGS).unwrap_or(self.matching),
            ring_timeout: section.duration_or("ring_timeout", self.ring_timeout, RING),
            wrap_up,
            wrap_up_rule,
            wrap_up_max,
            miss_limit: section.int_or("miss_limit", self.miss_limit, 1..=20),
            miss_pause: section.opt_duration("miss_pause", MISS_PAUSE).or(self.miss_pause),
            max_waiting: section.int_or("max_waiting", self.max_waiting, 1..=10_000),
            refuse_unless_ready: section.bool_or("refuse_unless_ready", self.refuse_unless_ready),
            refuse_longest_wait: section
                .opt_duration("refuse_longest_wait", PATIENCE)
                .or(self.refuse_longest_wait),
            refuse_estimated_wait: section
                .opt_duration("refuse_estimated_wait", PATIENCE)
                .or(self.refuse_estimated_wait),
        }
    }
}

impl Settings {
    /// The usual and the greatest span.
    fn wrap_up_over(&self, section: &Section<'_>, rule: WrapUpRule) -> (Duration, Duration) {
        let usual = section.opt_duration("wrap_up", WRAP_UP);
        let max = section.opt_duration("wrap_up_max", WRAP_UP_MAX);
        let is_told = usual.is_some() || max.is_some();
        let (usual, max) = (usual.unwrap_or(self.wrap_up), max.unwrap_or(self.wrap_up_max));
        if is_told && rule != WrapUpRule::Fixed && max < usual {
            let what = format!("`wrap_up_max` is {max:?}, less than `wrap_up`, which is {usual:?}");
            section.problem("wrap_up_max", what, "let it be at least as long");
        }
        (usual, max.max(usual))
    }
}

fn read_pools(pools: &Section<'_>, defaults: &Settings, hours: &BTreeMap<String, Hours>, draft: &mut Draft) {
    for key in pools.keys() {
        let Some(section) = pools.opt_table(key.value) else { continue };
        let settings = defaults.over(&section, hours);
        let pool = Pool {
            name: read_name(&section),
            matching: settings.matching,
            county: None,
            ring_timeout: settings.ring_timeout,
            wrap_up: settings.wrap_up,
            wrap_up_rule: settings.wrap_up_rule,
            wrap_up_max: settings.wrap_up_max,
            miss_limit: settings.miss_limit,
            miss_pause: settings.miss_pause,
            max_waiting: settings.max_waiting,
            refuse_unless_ready: settings.refuse_unless_ready,
            refuse_longest_wait: settings.refuse_longest_wait,
            refuse_estimated_wait: settings.refuse_estimated_wait,
        };
        let id = PoolId::new(key.value);
        draft.pool_lines.insert(id.clone(), section.line());
        let open = hours.get(&settings.hours).cloned().unwrap_or_default();
        draft.plan.hours.insert(id.clone(), open);
        draft.hours_used.insert(settings.hours);
        draft.plan.pools.insert(id, pool);
        section.finish();
    }
}

fn read_counties(counties: &Section<'_>, names: &Names<'_>, draft: &mut Draft) {
    let doc = counties.doc();
    for key in counties.keys() {
        let Some(section) = counties.opt_table(key.value) else { continue };
        let id = CountyId::new(key.value);
        draft.county_lines.insert(id.clone(), section.line());
        let pool = refer(doc, section.line_of("pool"), "pool", &section.str("pool"), &names.pools);
        let pool = PoolId::new(&pool);
        if let Some(pool) = draft.plan.pools.get_mut(&pool)
            && let Some(other) = pool.county.replace(id.clone())
        {
            let what = format!("this pool is the county {other}'s already");
            section.problem("pool", what, "give each county a pool of its own");
        }
        let paired = section.opt_str("paired").map(|paired| {
            let paired = refer(doc, section.line_of("paired"), "county", &paired, &names.counties);
            if paired == key.value {
                let what = format!("overflow loop: {paired} is paired with itself");
                section.problem("paired", what, "name another county, or none");
            }
            CountyId::new(&paired)
        });
        let city = read_city(&section, key.value, names);
        let area_code = section.opt_str("area_code").map(|code| read_area_code(&section, code));
        let area_code = area_code.as_deref().unwrap_or(&names.area_code);
        let direct = section.list_or_empty("numbers");
        read_numbers(doc, &direct, Some(&id), area_code, &mut draft.plan.numbers);
        for prefix in section.list_or_empty("caller_prefixes") {
            let full = full_prefix(&prefix.value, area_code).filter(|full| full.len() <= PREFIX_CHARS_MAX);
            let Some(full) = full else {
                let what = format!("\"{}\" is no prefix of a number", prefix.value);
                doc.problem(prefix.line, what, "write digits only, like \"8800\" or \"05778800\"");
                continue;
            };
            let origin = Origin::County(prefix.line as u32);
            draft.entries.push(Entry { key: pack(&full), origin, place: names.place(key.value) });
        }
        let county = County { name: read_name(&section), pool, paired, city };
        draft.plan.counties.insert(id, county);
        section.finish();
    }
}

fn read_city(section: &Section<'_>, county: &str, names: &Names<'_>) -> Option<CountyId> {
    let city = section.opt_str("city")?;
    let city = refer(section.doc(), section.line_of("city"), "county", &city, &names.counties);
    if city == county {
        let what = format!("{city} is its own city");
        section.problem("city", what, "name another county, or none");
    }
    Some(CountyId::new(&city))
}

/// `[languages.yi]`: recordings whose names begin with `prompts` are in this language.
fn read_languages(languages: &Section<'_>, context: &Context<'_>, draft: &mut Draft) {
    for key in languages.keys() {
        let Some(section) = languages.opt_table(key.value) else { continue };
        let beginning = section.opt_str("prompts");
        let mandarin = |prompt: &String| {
            let name = prompt.strip_prefix(beginning.as_deref()?)?;
            Some((name.to_owned(), prompt.clone()))
        };
        let prompts: BTreeMap<String, String> = context.prompts.iter().filter_map(mandarin).collect();
        if let Some(beginning) = beginning.as_deref().filter(|_| prompts.is_empty()) {
            let what = format!("no recording begins with \"{beginning}\": callers hear Mandarin");
            let remedy = format!("record {beginning}notice.al and so on, or leave `prompts` out");
            section.doc().warning(section.line_of("prompts"), what, remedy);
        }
        let language = Language { name: read_name(&section), prompts };
        draft.plan.languages.insert(key.value.to_owned(), language);
        draft.language_lines.insert(key.value.to_owned(), section.line());
        section.finish();
    }
}

/// `[skills.labour]`: what lawyers can be said to know, and queues may ask for. Languages are skills, too.
fn read_skills(skills: &Section<'_>, names: &Names<'_>, draft: &mut Draft) {
    for key in skills.keys() {
        let Some(section) = skills.opt_table(key.value) else { continue };
        if names.languages.contains(key.value) {
            let what = format!("\"{}\" is a language already", key.value);
            section.doc().problem(key.line, what, "a language is a skill by itself: leave this out");
        }
        draft.plan.skills.insert(SkillId::new(key.value), read_name(&section));
        section.finish();
    }
}

/// `[area_codes]`: `0592 = "xiamen"`.
fn read_area_codes(section: &Section<'_>, names: &Names<'_>, draft: &mut Draft) {
    let doc = section.doc();
    for key in section.keys() {
        if !is_area_code(key.value) {
            doc.problem(key.line, format!("\"{}\" is no area code", key.value), AREA_CODE_FORM);
        }
        let county = refer(doc, key.line, "county", &section.str(key.value), &names.counties);
        let origin = Origin::AreaCode(key.line as u32);
        draft.entries.push(Entry { key: pack(key.value), origin, place: names.place(&county) });
        draft.plan.area_codes.insert(key.value.to_owned(), CountyId::new(&county));
    }
}

/// `[tables]`: `caller_prefixes = "wenzhou-prefixes.csv"`, beside the dialplan. Gives the file's name.
fn read_table(
    section: Section<'_>,
    file: &str,
    names: &Names<'_>,
    context: &Context<'_>,
    draft: &mut Draft,
) -> String {
    let Some(name) = section.opt_str("caller_prefixes") else {
        section.finish();
        return String::new();
    };
    let table = file.rsplit_once('/').map_or_else(|| name.clone(), |(folder, _)| format!("{folder}/{name}"));
    let counties = draft.plan.counties.iter();
    let by_name = counties.map(|(id, county)| (county.name.zh.as_str(), names.place(id.as_str())));
    let by_id = names.counties.iter().map(|id| (id.as_str(), names.place(id)));
    let places = Some(by_name.chain(by_id).collect());
    let rows = Rows { area_code: &names.area_code, places };
    match (context.tables)(&name) {
        Ok(bytes) => {
            draft.digest.take(&bytes);
            let (mut entries, problems) = rows.read(&table, &bytes);
            problems.into_iter().for_each(|problem| section.doc().note(problem));
            draft.entries.append(&mut entries);
        }
        Err(error) => {
            let what = format!("the table {table} cannot be read: {error}");
            section.problem("caller_prefixes", what, "name a CSV file beside the dialplan");
        }
    }
    section.finish();
    table
}

/// Of a prefix that is named twice, both places are told.
fn build_prefixes(doc: &Doc, table: &str, names: &Names<'_>, draft: &mut Draft) {
    let counties: Vec<CountyId> = names.counties.iter().map(|name| CountyId::new(name)).collect();
    let (prefixes, clashes) = PrefixTable::build(std::mem::take(&mut draft.entries), counties.clone());
    let mut rows = Problems::new(table);
    for Clash { first, second } in clashes {
        let owner = counties.get(usize::from(first.place)).map_or("another", CountyId::as_str);
        let place = match first.origin {
            Origin::Table(line) => format!("row {line}"),
            Origin::County(line) | Origin::AreaCode(line) => format!("line {line}"),
        };
        let what = format!("the prefix \"{}\" is {owner}'s already ({place})", unpack(first.key));
        let remedy = "give each prefix once; a longer one goes before a shorter";
        match second.origin {
            Origin::Table(line) => rows.add(line, what, remedy.to_owned()),
            Origin::County(line) | Origin::AreaCode(line) => doc.problem(line as usize, what, remedy),
        }
    }
    rows.done().into_iter().for_each(|problem| doc.note(problem));
    draft.plan.prefixes = prefixes;
}

fn read_numbers(
    doc: &Doc,
    written: &[Located<String>],
    county: Option<&CountyId>,
    area_code: &str,
    numbers: &mut BTreeMap<String, Option<CountyId>>,
) {
    for number in written {
        let normal = normalise(&number.value, area_code);
        if normal.is_empty() {
            let what = format!("\"{}\" is no telephone number", number.value);
            doc.problem(number.line, what, "write it as it is dialled, like \"057712348\"");
        } else if let Some(other) = numbers.insert(normal, county.cloned()) {
            let owner = other.map_or_else(|| "[region]".to_owned(), |county| county.to_string());
            let what = format!("the number \"{}\" is served by {owner} already", number.value);
            doc.problem(number.line, what, "give each dialled number once");
        }
    }
}

/// Callers from elsewhere dial 12348 with an area code: that is the same number.
fn add_short_codes(plan: &mut Dialplan) {
    let is_short = |number: &str| number.len() <= 6 && number.starts_with('1');
    let codes: BTreeSet<String> = plan.area_codes.keys().chain([&plan.area_code]).cloned().collect();
    let short: Vec<_> = plan.numbers.iter().filter(|(number, _)| is_short(number)).collect();
    let with_area = |code: &String| {
        short
            .iter()
            .map(move |(number, county)| (format!("{code}{number}"), (*county).clone()))
            .collect::<Vec<_>>()
    };
    for (number, county) in codes.iter().flat_map(with_area).collect::<Vec<_>>() {
        plan.numbers.entry(number).or_insert(county);
    }
}

#[derive(Clone, Copy)]
enum Kind {
    Play,
    Menu,
    Hours,
    Queue,
    Callback,
    Survey,
    Transfer,
    Voicemail,
    HangUp,
}

const KINDS: [(&str, Kind); 9] = [
    ("play", Kind::Play),
    ("menu", Kind::Menu),
    ("hours", Kind::Hours),
    ("queue", Kind::Queue),
    ("callback", Kind::Callback),
    ("survey", Kind::Survey),
    ("transfer", Kind::Transfer),
    ("voicemail", Kind::Voicemail),
    ("hangup", Kind::HangUp),
];

fn read_step(section: Section<'_>, names: &Names<'_>) -> Option<Node> {
    let node = match section.choice("kind", &KINDS)? {
        Kind::Play => Node::Play {
            prompts: names.prompts(&section, section.list("prompts")),
            is_notice: section.bool_or("notice", false),
            then: names.target(&section, "then"),
        },
        Kind::Menu => Node::Menu(read_menu(&section, names)),
        Kind::Hours => Node::Hours {
            pool: names.pool(&section, "pool"),
            open: names.target(&section, "open"),
            closed: names.target(&section, "closed"),
        },
        Kind::Queue => Node::Queue(Box::new(read_queue(&section, names))),
        Kind::Callback => Node::Callback {
            prompts: names.prompts(&section, section.list("prompts")),
            within: section.duration("within", CALLBACK),
            then: names.target(&section, "then"),
        },
        Kind::Survey => Node::Survey {
            prompts: names.prompts(&section, section.list("prompts")),
            timeout: section.duration("timeout", MENU_TIMEOUT),
            min_talk: section.duration_or("min_talk", Duration::from_secs(20), MIN_TALK),
            then: names.target(&section, "then"),
        },
        Kind::Transfer => Node::Transfer {
            to: TargetId::new(&refer(
                section.doc(),
                section.line_of("to"),
                "target",
                &section.str("to"),
                &names.targets,
            )),
            prompts: names.prompts(&section, section.list_or_empty("prompts")),
            music: names.music(&section),
            failed: names.target(&section, "failed"),
        },
        Kind::Voicemail => Node::Voicemail {
            pool: names.pool(&section, "pool"),
            prompts: names.prompts(&section, section.list("prompts")),
            max: section.duration("max", MESSAGE),
            then: names.opt_target(&section, "then"),
        },
        Kind::HangUp => Node::HangUp { prompts: names.prompts(&section, section.list_or_empty("prompts")) },
    };
    section.finish();
    Some(node)
}

fn read_menu(section: &Section<'_>, names: &Names<'_>) -> Menu {
    let mut menu = Menu {
        prompts: names.prompts(section, section.list("prompts")),
        timeout: section.duration("timeout", MENU_TIMEOUT),
        only_unattributed: section.bool_or("only_unattributed", false),
        counties: BTreeMap::new(),
        steps: BTreeMap::new(),
        languages: BTreeMap::new(),
        then: names.target(section, "then"),
    };
    let doc = section.doc();
    let counties = section.table_or_empty("counties");
    for (key, name) in read_keys(&counties) {
        let county = refer(doc, name.line, "county", &name.value, &names.counties);
        menu.counties.insert(key, CountyId::new(&county));
    }
    let steps = section.table_or_empty("steps");
    for (key, name) in read_keys(&steps) {
        if menu.counties.contains_key(&key) {
            let what = format!("the key {key} stands for a county already");
            doc.problem(name.line, what, "give each key once");
        }
        menu.steps.insert(key, refer(doc, name.line, "step", &name.value, &names.steps));
    }
    read_menu_languages(section, names, &mut menu);
    if menu.counties.is_empty() && menu.steps.is_empty() && menu.languages.is_empty() {
        section.problem(
            "counties",
            "a menu without keys",
            "add counties = { 1 = \"…\" } or steps = { 1 = \"…\" }",
        );
    }
    menu
}

fn read_menu_languages(section: &Section<'_>, names: &Names<'_>, menu: &mut Menu) {
    let doc = section.doc();
    let languages = section.table_or_empty("languages");
    for (key, name) in read_keys(&languages) {
        if menu.counties.contains_key(&key) || menu.steps.contains_key(&key) {
            let what = format!("the key {key} stands for something else already");
            doc.problem(name.line, what, "give each key once");
        }
        menu.languages.insert(key, refer(doc, name.line, "language", &name.value, &names.languages));
    }
    if menu.only_unattributed && !menu.languages.is_empty() {
        let what = "callers of known county are not asked for their language here";
        section.doc().warning(section.line_of("only_unattributed"), what, "leave only_unattributed out");
    }
}

fn read_keys(section: &Section<'_>) -> Vec<(char, Located<String>)> {
    let mut keys = Vec::new();
    for key in section.keys() {
        let mut chars = key.value.chars();
        match (chars.next().filter(|c| MENU_KEYS.contains(*c)), chars.next()) {
            (Some(c), None) => {
                keys.push((c, Located { value: section.str(key.value), line: key.line }));
            }
            _ => {
                let what = format!("\"{}\" is no key of a telephone", key.value);
                section.doc().problem(key.line, what, "use 0 to 9, \"*\" or \"#\"");
            }
        }
    }
    keys
}

fn read_queue(section: &Section<'_>, names: &Names<'_>) -> Queue {
    let mut stages: Vec<(PoolRef, Duration)> = Vec::new();
    for stage in section.tables("stages") {
        let pool = names.pool(&stage, "pool");
        if stages.iter().any(|(earlier, _)| *earlier == pool) {
            stage.problem("pool", "overflow loop: this queue has the pool already", "name each pool once");
        }
        stages.push((pool, stage.duration("patience", PATIENCE)));
        stage.finish();
    }
    if stages.is_empty() {
        let remedy = "add stages = [{ pool = \"@county\", patience = \"40s\" }]";
        section.problem("stages", "a queue without stages", remedy);
    }
    let skills = names.skills.union(&names.languages).cloned().collect();
    let keys = section.table_or_empty("keys");
    let keys = read_keys(&keys)
        .into_iter()
        .map(|(key, step)| (key, refer(section.doc(), step.line, "step", &step.value, &names.steps)));
    let keys = keys.collect();
    let (announce, then) = read_announce(section, names).unzip();
    Queue {
        stages,
        asked: Asked::read(section, &skills),
        prompts: names.prompts(section, section.list_or_empty("prompts")),
        announce,
        then: then.unwrap_or_default(),
        keys,
        music: names.music(section),
        exhausted: names.target(section, "exhausted"),
        closed: names.opt_target(section, "closed"),
        answered: names.opt_target(section, "answered"),
    }
}

fn read_announce(section: &Section<'_>, names: &Names<'_>) -> Option<(Announce, Vec<String>)> {
    let announce = section.opt_table("announce")?;
    let read =
        Announce { first: announce.duration("first", ANNOUNCE), every: announce.duration("every", ANNOUNCE) };
    let then = names.prompts(&announce, announce.list_or_empty("then"));
    let missing: Vec<&str> =
        announce::RECORDINGS.into_iter().filter(|name| !names.prompts.contains(*name)).collect();
    if !missing.is_empty() {
        let what = format!("for announcements these recordings are missing: {}", missing.join(", "));
        section.problem("announce", what, "record them, or leave announce out");
    }
    announce.finish();
    Some((read, then))
}

const POOL_WORDS: [&str; 3] = ["@county", "@paired", "@city"];

fn pool_word(name: &str) -> Option<PoolRef> {
    match name {
        "@county" => Some(PoolRef::County),
        "@paired" => Some(PoolRef::Paired),
        "@city" => Some(PoolRef::City),
        _ => None,
    }
}

impl Names<'_> {
    fn prompts(&self, section: &Section<'_>, prompts: Vec<Located<String>>) -> Vec<String> {
        let known = |prompt: Located<String>| {
            refer(section.doc(), prompt.line, "recording", &prompt.value, self.prompts)
        };
        prompts.into_iter().map(known).collect()
    }

    fn music(&self, section: &Section<'_>) -> String {
        let music = [Located { value: section.str("music"), line: section.line_of("music") }];
        self.prompts(section, music.into()).pop().unwrap_or_default()
    }

    fn target(&self, section: &Section<'_>, key: &str) -> String {
        refer(section.doc(), section.line_of(key), "step", &section.str(key), &self.steps)
    }

    fn opt_target(&self, section: &Section<'_>, key: &str) -> Option<String> {
        let name = section.opt_str(key)?;
        Some(refer(section.doc(), section.line_of(key), "step", &name, &self.steps))
    }

    fn pool(&self, section: &Section<'_>, key: &str) -> PoolRef {
        let name = section.str(key);
        if let Some(pool) = pool_word(&name) {
            return pool;
        }
        if self.pools.contains(&name) {
            return PoolRef::Named(PoolId::new(&name));
        }
        let mut known = self.pools.clone();
        known.extend(POOL_WORDS.map(str::to_owned));
        let meant = refer(section.doc(), section.line_of(key), "pool", &name, &known);
        pool_word(&meant).unwrap_or_else(|| PoolRef::Named(PoolId::new(&meant)))
    }

    /// The county's place among all; one that there is not has the first, for its problem is told elsewhere.
    fn place(&self, county: &str) -> u16 {
        self.counties.iter().position(|name| name == county).unwrap_or_default() as u16
    }
}

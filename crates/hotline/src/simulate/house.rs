//! The dialplan as the simulator sees it: the only place here that knows the `dialplan` crate's machinery.

use dialplan::{Cursor, Dialplan, Name, Outcome, Step};
use domain::{CountyId, Departure, PoolId, RegionId, Skills, Timestamp};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

/// How long each prompt plays, by name.
pub type Sounds = BTreeMap<String, Duration>;

/// When a lawyer who missed too many calls is back, where the dialplan leaves that to the lawyer.
const BACK_BY_A_CLICK: Duration = Duration::from_secs(600);
pub const SKILL_LEVEL_MAX: u8 = 10;
/// The longest numbers are those of landlines with a three-digit area code.
const NUMBER_DIGITS: usize = 12;
/// Exchanges of a county that its callers are drawn from.
const WAYS_MAX: usize = 200;

pub struct House {
    plan: Arc<Dialplan>,
    sounds: Sounds,
    /// In the order of their ids, which all tallies share.
    pools: Vec<PoolId>,
    /// What a caller of each county dials from where; none: the caller's county is unknown.
    ways: BTreeMap<Option<CountyId>, Vec<Way>>,
}

/// A caller's number and the dialled one, both normalised.
struct Way {
    caller: String,
    called: String,
}

impl House {
    #[must_use]
    pub fn new(plan: impl Into<Arc<Dialplan>>, sounds: Sounds) -> Self {
        let plan = plan.into();
        let pools = plan.pools().keys().cloned().collect();
        let ways = ways(&plan);
        Self { plan, sounds, pools, ways }
    }

    #[must_use]
    pub fn dialplan(&self) -> &Arc<Dialplan> {
        &self.plan
    }

    #[must_use]
    pub fn region(&self) -> &RegionId {
        self.plan.region()
    }

    #[must_use]
    pub fn region_name(&self) -> &Name {
        self.plan.region_name()
    }

    #[must_use]
    pub fn pools(&self) -> &[PoolId] {
        &self.pools
    }

    #[must_use]
    pub fn pool_name(&self, pool: &PoolId) -> Name {
        let known = self.plan.pools().get(pool).map(|pool| pool.name.clone());
        known.unwrap_or_else(|| Name { zh: pool.to_string(), en: pool.to_string() })
    }

    /// The place of a pool in [`House::pools`].
    #[must_use]
    pub fn index_of(&self, pool: &PoolId) -> Option<usize> {
        self.pools.binary_search(pool).ok()
    }

    pub fn county_names(&self) -> impl Iterator<Item = &str> + Clone {
        self.plan.counties().keys().map(CountyId::as_str)
    }

    /// Whether some number leads to calls of this county, or to calls whose county is unknown.
    #[must_use]
    pub fn is_reached(&self, county: Option<&CountyId>) -> bool {
        self.ways.contains_key(&county.cloned())
    }

    /// How the pools distribute, as the server has it.
    #[must_use]
    pub fn distribution(&self) -> BTreeMap<PoolId, acd::Pool> {
        let pool = |pool: &dialplan::Pool| acd::Pool {
            miss_pause: pool.miss_pause.or(Some(BACK_BY_A_CLICK)),
            // Nobody here asks for more, or forgets the form.
            wrap_up: acd::WrapUp::Fixed(pool.wrap_up),
            ..switch::words::pool(pool)
        };
        self.plan.pools().iter().map(|(id, settings)| (id.clone(), pool(settings))).collect()
    }

    /// The ids of the languages that the dialplan knows beside Mandarin, in order.
    pub fn languages(&self) -> impl Iterator<Item = &str> + Clone {
        self.plan.languages().keys().map(String::as_str)
    }

    #[must_use]
    pub fn is_language(&self, id: &str) -> bool {
        self.plan.languages().contains_key(id)
    }

    #[must_use]
    pub fn language_name(&self, id: &str) -> Name {
        let known = self.plan.languages().get(id).map(|language| language.name.clone());
        known.unwrap_or_else(|| Name { zh: id.to_owned(), en: id.to_owned() })
    }

    /// Everything that a lawyer can know, as well as can be.
    #[must_use]
    pub fn skills(&self) -> Skills {
        self.plan.skills().into_keys().map(|skill| (skill, SKILL_LEVEL_MAX)).collect()
    }

    #[must_use]
    pub fn wrap_up(&self, pool: &PoolId) -> Duration {
        self.plan.pools().get(pool).map_or(Duration::ZERO, |pool| pool.wrap_up)
    }

    /// The first step of a caller of this county; `choice` picks one of its exchanges.
    #[must_use]
    pub fn begin(&self, county: &Option<CountyId>, choice: u64, now: Timestamp) -> (Cursor, Step) {
        let ways = self.ways.get(county).map_or(&[][..], Vec::as_slice);
        let way = ways.get((choice % ways.len().max(1) as u64) as usize);
        let (caller, called) = way.map_or(("", ""), |way| (&way.caller, &way.called));
        let begun = self.plan.begin(caller, called, now);
        (begun.cursor, begun.step)
    }

    pub fn next(&self, cursor: &mut Cursor, now: Timestamp, outcome: Outcome) -> Step {
        self.plan.next(cursor, now, outcome)
    }

    /// The key with which a caller in a menu chooses this language, if one of `keys` does.
    #[must_use]
    pub fn key_of(
        &self,
        language: &str,
        keys: &BTreeSet<char>,
        cursor: &Cursor,
        now: Timestamp,
    ) -> Option<char> {
        let chooses = |key: &char| {
            let mut then = cursor.clone();
            self.plan.next(&mut then, now, Outcome::Digit(*key));
            then.language() == Some(language)
        };
        keys.iter().copied().find(chooses)
    }

    /// What a hang-up now would be called.
    #[must_use]
    pub fn ending(&self, cursor: &Cursor) -> Departure {
        cursor.ending()
    }

    /// How long it takes to tell a caller in that queue the position and the wait, and what comes after.
    #[must_use]
    pub fn announcement(&self, cursor: &Cursor, position: usize, wait: Duration) -> Duration {
        self.length(&self.plan.announcement(cursor, position, wait))
    }

    /// How long the caller listens to these, one after the other.
    #[must_use]
    pub fn length(&self, prompts: &[String]) -> Duration {
        prompts.iter().filter_map(|name| self.sounds.get(name)).sum()
    }
}

/// By the callers' prefixes where a county has some, else by its direct numbers.
fn ways(plan: &Dialplan) -> BTreeMap<Option<CountyId>, Vec<Way>> {
    let mut ways: BTreeMap<Option<CountyId>, Vec<Way>> = BTreeMap::new();
    // In a province most of the dialled numbers tell a city by their area code.
    let epoch = Timestamp::from_ms(0);
    let tells_nothing = |number: &&String| plan.begin("", number, epoch).county.is_none();
    let common = plan.numbers().iter().filter(|(_, county)| county.is_none()).map(|(number, _)| number);
    let common = common.clone().find(tells_nothing).or(common.clone().next());
    if let Some(called) = common {
        // A caller without a number is nobody's by prefix.
        ways.insert(None, vec![Way { caller: String::new(), called: called.clone() }]);
        for (prefix, county) in plan.caller_prefixes() {
            let ways = ways.entry(Some(county.clone())).or_default();
            if ways.len() < WAYS_MAX
                && let Some(caller) = number_of(plan, &prefix, county, called)
            {
                ways.push(Way { caller, called: called.clone() });
            }
        }
    }
    // A county all of whose prefixes are another's by longer ones.
    ways.retain(|_, ways| !ways.is_empty());
    for (number, county) in plan.numbers() {
        if county.is_some() && !ways.contains_key(county) {
            let way = Way { caller: String::new(), called: number.clone() };
            ways.insert(county.clone(), vec![way]);
        }
    }
    ways
}

/// A number with this prefix that is that county's: a longer prefix may give some of them to another.
fn number_of(plan: &Dialplan, prefix: &str, county: &CountyId, called: &str) -> Option<String> {
    let padded = |digit: char| {
        let missing = NUMBER_DIGITS.saturating_sub(prefix.len());
        prefix.chars().chain(std::iter::repeat_n(digit, missing)).collect::<String>()
    };
    let epoch = Timestamp::from_ms(0);
    ('0'..='9').map(padded).find(|caller| plan.begin(caller, called, epoch).county.as_ref() == Some(county))
}

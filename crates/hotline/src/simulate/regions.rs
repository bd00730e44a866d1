//! The five dialplans of `dialplans/`, each under its forecast: what its policy paper asks for happens, day and night.

use super::engine::{Crew, Tallies, simulate};
use super::find_staff::{Answer, Goal, find_staff};
use super::forecast::{Forecast, HOURS_OF_A_DAY, HourSpan, Shift, Source};
use super::house::{House, Sounds};
use dialplan::Dialplan;
use domain::{CountyId, PoolId, Skills};
use std::path::{Path, PathBuf};
use std::time::Duration;

struct Region {
    name: &'static str,
    /// The pool that never closes; it is asked last.
    last: &'static str,
    /// Hours of the day in which the counties' own lawyers answer on a workday, and on a holiday.
    workday: &'static [(usize, usize)],
    holiday: &'static [(usize, usize)],
    works_weekends: bool,
}

const REGIONS: [Region; 5] = [
    Region { name: "wenzhou", last: "city", workday: &[(8, 20)], holiday: &[], works_weekends: true },
    Region {
        name: "fujian",
        last: "province",
        workday: &[(8, 20)],
        holiday: &[(9, 17)],
        works_weekends: true,
    },
    Region { name: "chengdu", last: "city", workday: &[(9, 21)], holiday: &[(9, 17)], works_weekends: true },
    Region {
        name: "wuhan-xinzhou",
        last: "district",
        workday: &[(8, 12), (14, 18)],
        holiday: &[],
        works_weekends: false,
    },
    Region {
        name: "yunnan",
        last: "province",
        workday: &[(8, 22)],
        holiday: &[(9, 18)],
        works_weekends: true,
    },
];

/// A Monday; a day of the National Day week; a Saturday on which people work; one on which they do not.
const WORKDAY: &str = "2026-11-23";
const HOLIDAY: &str = "2026-10-02";
const MADE_UP: &str = "2026-10-10";
const SATURDAY: &str = "2026-11-28";

pub struct World {
    plan: Dialplan,
    pub house: House,
    pub forecast: Forecast,
}

pub fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../dialplans")
}

/// A region's dialplan and forecast as they are committed; the days begin with `first_day`.
pub fn world(name: &str, first_day: &str) -> World {
    let prompts = crate::config::read_prompt_folder(&folder().join("prompts/zh-CN")).expect("the prompts");
    let length = |samples: &[u8]| Duration::from_millis(samples.len() as u64 / 8);
    let sounds: Sounds = prompts.iter().map(|(name, samples)| (name.clone(), length(samples))).collect();
    let names = sounds.keys().cloned().collect();
    let file = folder().join(format!("{name}.toml"));
    let plan = crate::config::read_dialplan(&file, &names, 2026).expect("the dialplan").value;
    let house = House::new(plan.clone(), sounds);
    let file = folder().join(format!("forecasts/{name}.toml"));
    let text = std::fs::read_to_string(file).expect("each region has a forecast").replace(WORKDAY, first_day);
    let forecast =
        Forecast::parse(name, &text, Some(&house)).unwrap_or_else(|problems| panic!("{problems:?}"));
    World { plan, house, forecast }
}

impl World {
    fn live(&self, seed: u64, days: u32) -> Tallies {
        simulate(&self.house, &self.forecast, Crew::of(&self.forecast.shifts), seed, days)
    }

    fn index(&self, pool: &PoolId) -> usize {
        self.house.index_of(pool).expect("a pool")
    }

    fn pool_of(&self, county: &CountyId) -> &PoolId {
        &self.plan.counties()[county].pool
    }

    /// So many lawyers in every pool, around the clock, who know everything.
    fn staff_all(&mut self, lawyers: u32) {
        let shift =
            |pool: &PoolId| Shift { pool: pool.clone(), hours: HourSpan::ALL_DAY, lawyers, skills: None };
        self.forecast.shifts = self.house.pools().iter().map(shift).collect();
    }

    /// All callers are this county's, so many an hour, day and night.
    fn only_from(&mut self, county: Option<&CountyId>, calls_per_hour: f64) {
        let calls = [calls_per_hour; HOURS_OF_A_DAY];
        self.forecast.sources = vec![Source { county: county.cloned(), weekday: calls, weekend: calls }];
    }

    /// So many times the calls.
    fn multiply(&mut self, load: f64) {
        for source in &mut self.forecast.sources {
            source.weekday = source.weekday.map(|calls| calls * load);
            source.weekend = source.weekend.map(|calls| calls * load);
        }
    }

    /// So many calls in every hour of every day, divided among the counties as the forecast has them.
    fn flatten(&mut self, calls_per_hour: f64) {
        let at_noon = self.forecast.calls_in(12);
        for source in &mut self.forecast.sources {
            source.weekday = [source.calls_in(12, false) * calls_per_hour / at_noon; HOURS_OF_A_DAY];
            source.weekend = source.weekday;
        }
    }

    /// The pools that a call of this county asks after its own by day, in order.
    fn helpers(&self, county: &CountyId, region: &Region) -> Vec<PoolId> {
        let counties = self.plan.counties();
        let own = &counties[county];
        let mut pools =
            vec![own.paired.as_ref().map(|paired| counties[paired].pool.clone()).expect("paired")];
        pools.extend(own.city.as_ref().map(|city| counties[city].pool.clone()));
        pools.push(region.last.into());
        pools
    }
}

fn in_any(spans: &[(usize, usize)], hour: usize) -> bool {
    spans.iter().any(|(from, to)| (*from..*to).contains(&hour))
}

#[test]
fn every_forecast_names_every_county_and_every_pool_of_its_dialplan() {
    for region in &REGIONS {
        let world = world(region.name, WORKDAY);
        let at_noon = |county: Option<&CountyId>| {
            let source = world.forecast.sources.iter().find(|source| source.county.as_ref() == county);
            source.map_or(0.0, |source| source.calls_in(12, false))
        };
        assert!(at_noon(None) > 0.0, "{}", region.name);
        for county in world.plan.counties().keys() {
            assert!(at_noon(Some(county)) > 0.0, "{}: nobody calls from {county}", region.name);
        }
        for pool in world.house.pools() {
            let is_staffed =
                world.forecast.shifts.iter().any(|shift| shift.pool == *pool && shift.lawyers > 0);
            assert!(is_staffed, "{}: nobody works in {pool}", region.name);
        }
        let last_pool_hours = |hour| {
            let shifts = world.forecast.shifts.iter().filter(|shift| shift.pool.as_str() == region.last);
            shifts.filter(|shift| shift.hours.contains(hour)).count()
        };
        assert!((0..HOURS_OF_A_DAY).all(|hour| last_pool_hours(hour) > 0), "{}: 24×7", region.name);
    }
}

#[test]
fn calls_of_a_county_wait_for_its_own_lawyers_by_day_and_for_the_citys_at_night() {
    for region in &REGIONS {
        let mut world = world(region.name, WORKDAY);
        world.staff_all(2);
        let counties: Vec<CountyId> = world.plan.counties().keys().cloned().collect();
        for county in &counties {
            world.only_from(Some(county), 10.0);
            let tallies = world.live(1, 1);
            let own = tallies.of_pool(world.index(world.pool_of(county)));
            let city = world.plan.counties()[county].city.clone();
            let at_night = city.map_or_else(|| region.last.into(), |city| world.pool_of(&city).clone());
            let at_night = tallies.of_pool(world.index(&at_night));
            let name = format!("{}: {county}", region.name);
            assert!(own.queued > 0 && own.queued + at_night.queued >= tallies.total().calls, "{name}");
            if !world.is_always_open(county) {
                assert!(at_night.queued > 0, "{name}");
            }
        }
        world.only_from(None, 10.0);
        let tallies = world.live(1, 1);
        let last = tallies.of_pool(world.index(&region.last.into()));
        assert_eq!((last.queued, last.answered_elsewhere), (tallies.total().calls, 0), "{}", region.name);
    }
}

impl World {
    /// Whether it is a city of a province, whose lawyers work around the clock, rather than a county.
    fn is_always_open(&self, county: &CountyId) -> bool {
        let counties = self.plan.counties();
        counties[county].city.is_none() && counties.values().any(|county| county.city.is_some())
    }
}

#[test]
fn under_load_the_paired_county_helps_and_then_the_city_and_nobody_else() {
    for region in &REGIONS {
        let mut world = world(region.name, WORKDAY);
        world.staff_all(1);
        let counties: Vec<CountyId> = world.plan.counties().keys().cloned().collect();
        for county in &counties {
            world.only_from(Some(county), 60.0);
            let tallies = world.live(1, 1);
            let of = world.index(world.pool_of(county));
            let by = |pool: usize| tallies.answered(of, pool);
            let asked: Vec<usize> = std::iter::once(world.pool_of(county))
                .chain(&world.helpers(county, region))
                .map(|pool| world.index(pool))
                .collect();
            let name = format!("{}: {county}", region.name);
            for &pool in &asked {
                assert!(by(pool) > 0, "{name}: no call was answered by {}", world.house.pools()[pool]);
            }
            let strangers = (0..world.house.pools().len()).filter(|pool| !asked.contains(pool));
            assert_eq!(strangers.map(by).sum::<u64>(), 0, "{name}: strangers answered");
            let own = tallies.of_pool(of);
            assert!(own.overflowed > 0 && own.answered < own.queued, "{name}: this is too much for them");
        }
    }
}

#[test]
fn county_lawyers_are_rung_in_their_hours_only_and_somebody_is_rung_in_every_hour() {
    for region in &REGIONS {
        let days: [(&str, &[(usize, usize)]); 4] = [
            (WORKDAY, region.workday),
            (HOLIDAY, region.holiday),
            (MADE_UP, region.workday),
            (SATURDAY, if region.works_weekends { region.workday } else { &[] }),
        ];
        for (day, hours) in days {
            let mut world = world(region.name, day);
            // Everybody sits at the phone around the clock and always answers: only hours can keep it from ringing. They
            // are so many that nobody waits, for who came before the hours' end may be answered after it.
            world.staff_all(8);
            world.forecast.unanswered = "0%".parse().expect("a share");
            world.flatten(120.0);
            let tallies = world.live(1, 1);
            let counties = world.plan.counties().keys().filter(|county| !world.is_always_open(county));
            let pools: Vec<usize> = counties.map(|county| world.index(world.pool_of(county))).collect();
            assert!(pools.len() >= 12, "{}: {} pools keep hours", region.name, pools.len());
            for hour in 0..HOURS_OF_A_DAY {
                let rings: u64 = pools.iter().map(|pool| tallies.cell(*pool, hour).rings).sum();
                assert_eq!(rings > 0, in_any(hours, hour), "{}: {day} {hour}h, {rings} rings", region.name);
                let last = tallies.cell(world.index(&region.last.into()), hour);
                assert!(
                    last.rings > 0 && tallies.of_hour(hour).answered > 0,
                    "{}: {day} {hour}h",
                    region.name
                );
            }
        }
    }
}

#[test]
fn every_call_has_one_end_however_many_come() {
    for region in &REGIONS {
        for load in [1.0, 6.0] {
            let mut world = world(region.name, WORKDAY);
            world.multiply(load);
            let (tallies, total) = (world.live(2, 2), world.live(2, 2).total());
            let ends = total.answered + total.abandoned + total.voicemail + total.unserved + total.closed;
            assert_eq!((total.calls, total.waits.count), (ends, total.queued), "{}", region.name);
            let pools = 0..world.house.pools().len();
            let by_pools = pools.clone().flat_map(|of| pools.clone().map(move |by| (of, by)));
            let answered: u64 = by_pools.map(|(of, by)| tallies.answered(of, by)).sum();
            assert_eq!(
                (answered, tallies.taken.iter().sum()),
                (total.answered, total.answered),
                "{}",
                region.name
            );
            assert!(total.rings >= total.answered, "{}", region.name);
            // Everybody reaches a queue: nothing but the caller ends a call before it (7×24, 100 % responses).
            assert_eq!(total.closed, 0, "{}", region.name);
            if load > 1.0 {
                assert!(total.abandoned > 0 && total.voicemail > 0, "{}: this is too much", region.name);
            }
        }
    }
}

const LANGUAGES: [&str; 3] = ["bai", "dai", "yi"];

#[test]
fn in_yunnan_who_chooses_a_language_is_served_by_whoever_speaks_it() {
    let mut world = world("yunnan", WORKDAY);
    let found = world.live(1, 28).languages;
    assert_eq!(world.house.languages().collect::<Vec<_>>(), LANGUAGES);
    for (language, found) in LANGUAGES.iter().zip(&found) {
        assert!(found.queued > 200 && found.answered * 10 > found.queued * 8, "{language}: {found:?}");
        assert!(found.answered_by_speakers * 10 > found.answered * 8, "{language}: {found:?}");
    }
    for shift in &mut world.forecast.shifts {
        shift.skills = Some(Skills::new());
    }
    for (language, found) in LANGUAGES.iter().zip(world.live(1, 28).languages) {
        assert_eq!(found.answered_by_speakers, 0, "{language}: {found:?}");
        assert!(found.answered * 10 > found.queued * 8, "Mandarin must do for {language}: {found:?}");
    }
}

#[test]
fn in_yunnan_a_caller_from_where_nobody_speaks_it_goes_straight_to_the_provinces_speaker() {
    let mut world = world("yunnan", WORKDAY);
    let (kunming, province) = ("kunming".into(), "province".into());
    world.only_from(Some(&kunming), 3.0);
    world.forecast.languages = vec![(Some("yi".to_owned()), 1)];
    world.forecast.unanswered = "0%".parse().expect("a share");
    let tallies = world.live(1, 7);
    let (of, by) = (world.index(world.pool_of(&kunming)), world.index(&province));
    let own = tallies.of_pool(of);
    assert!(own.answered > 200, "{own:?}");
    assert!(
        tallies.answered(of, by) * 5 > own.answered * 4,
        "{} of {}",
        tallies.answered(of, by),
        own.answered
    );
    assert!(own.in_time_rate() > Some(0.6), "the one speaker is busy at times: {:?}", own.in_time_rate());
}

#[test]
fn in_chengdu_who_knows_legal_aid_is_rung_first_at_night() {
    let mut world = world("chengdu", WORKDAY);
    world.only_from(None, 2.0);
    let tallies = world.live(1, 14);
    let taken = |is_skilled: bool| {
        let night = world.forecast.shifts.iter().zip(&tallies.taken).filter(|(shift, _)| {
            let is_city = shift.pool.as_str() == "city" && shift.hours.contains(2);
            is_city && shift.skills.as_ref().is_some_and(|skills| skills.is_empty() != is_skilled)
        });
        night.map(|(_, taken)| taken).sum::<u64>()
    };
    let (skilled, others) = (taken(true), taken(false));
    assert!(skilled > 200 && others * 10 < skilled, "{skilled} by those who know it, {others} by the others");
}

/// Long enough to tell rosters apart, short enough for every shift of a province.
const STAFFED_DAYS: u32 = 3;

#[test]
fn the_roster_that_is_found_reaches_the_goal_and_can_spare_nobody() {
    for region in &REGIONS {
        let world = world(region.name, WORKDAY);
        let pools = world.house.pools().len();
        let goal = Goal { connected: "95%".parse().expect("a share"), in_time: None };
        let live =
            |shifts: &[Shift]| simulate(&world.house, &world.forecast, Crew::of(shifts), 1, STAFFED_DAYS);
        let answer = find_staff(&world.forecast.shifts, pools, goal, live, |_| ());
        let Answer::Smallest(found) = answer else { panic!("{}: {answer:?}", region.name) };
        let meets = |shifts: &[Shift]| goal.is_met(&live(shifts), pools);
        assert!(meets(&found), "{}", region.name);
        let mut spared = 0;
        for at in (0..found.len()).filter(|at| found[*at].lawyers > 1) {
            let mut fewer = found.clone();
            fewer[at].lawyers -= 1;
            spared += 1;
            assert!(!meets(&fewer), "{}: one of {} is one too many", region.name, found[at].pool);
        }
        assert!(spared > 0, "{}: the goal asks for more than one lawyer a shift", region.name);
    }
}

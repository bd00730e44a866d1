//! Lawyers by name: a roster (值班表) says who of them is in which pools when, by the code that the switch uses.

use super::forecast::Shift;
use super::house::House;
use crate::config;
use acd::Membership;
use dialplan::{OnShift, Roster};
use domain::{AgentId, PoolId, Skills, Timestamp};
use std::collections::BTreeMap;

/// The lawyers of a roster and when they are on shift.
pub struct Named {
    roster: Roster,
    /// In the order of their numbers.
    lawyers: Vec<Lawyer>,
}

pub struct Lawyer {
    pub id: AgentId,
    pub skills: Skills,
    /// What the lawyer is in each pool, where that is known.
    memberships: BTreeMap<PoolId, Membership>,
}

impl Named {
    /// What lawyers know and what they are in their pools is as the settings' `agents` say. Without these everybody
    /// knows everything, as the lawyers of a forecast do.
    #[must_use]
    pub fn new(roster: Roster, house: &House, agents: Option<&BTreeMap<AgentId, config::Agent>>) -> Self {
        let lawyer = |id: AgentId| match agents.and_then(|agents| agents.get(&id)) {
            Some(agent) => Lawyer { id, skills: agent.skills.clone(), memberships: agent.pools.clone() },
            None => Lawyer { id, skills: house.skills(), memberships: BTreeMap::new() },
        };
        let lawyers = roster.lawyers().into_iter().map(lawyer).collect();
        Self { roster, lawyers }
    }

    #[must_use]
    pub fn lawyers(&self) -> &[Lawyer] {
        &self.lawyers
    }

    #[must_use]
    pub fn on_shift(&self, at: Timestamp) -> OnShift {
        self.roster.on_shift(at)
    }

    /// The first instant after this one at which somebody comes or goes, or at which it must be asked again.
    #[must_use]
    pub fn next_change(&self, after: Timestamp) -> Timestamp {
        self.roster.next_change(after)
    }

    /// Where the lawyer at this place in [`Named::lawyers`] serves.
    #[must_use]
    pub fn pools_of(&self, place: usize, on_shift: &OnShift) -> BTreeMap<PoolId, Membership> {
        let Lawyer { id, memberships, .. } = &self.lawyers[place];
        let pools = on_shift.iter().filter(|(_, lawyers)| lawyers.contains(id)).map(|(pool, _)| pool);
        pools.map(|pool| (pool.clone(), memberships.get(pool).copied().unwrap_or_default())).collect()
    }

    /// Those of pools that no shift of the roster names, of which it says nothing.
    #[must_use]
    pub fn beside(&self, shifts: Vec<Shift>) -> Vec<Shift> {
        shifts.into_iter().filter(|shift| !self.roster.governs(&shift.pool)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::engine::{Crew, Tallies, simulate};
    use super::super::regions::{World, folder, world};
    use super::super::tests::{COUNTY, MIXED, forecast, house};
    use super::*;
    use dialplan::{RosterContext, china_day, parse_date};
    use std::sync::Arc;

    const HOUR_MS: u64 = 3_600_000;
    /// A Monday; a day of the National Day week; a Saturday on which people work; one on which they do not.
    const DAYS: [&str; 4] = ["2026-11-23", "2026-10-02", "2026-10-10", "2026-11-28"];

    fn read(house: &House, first_day: &str, text: &str) -> Named {
        let dialplans = [Arc::clone(house.dialplan())];
        let today = parse_date(first_day).expect("a date");
        let context = RosterContext { dialplans: &dialplans, staff: None, today };
        let roster =
            Roster::parse("roster", text, &context).unwrap_or_else(|problems| panic!("{problems:?}"));
        Named::new(roster.value, house, None)
    }

    /// Wenzhou on one day, with its roster as it is committed and what else is said of it.
    fn day(first_day: &str, changes: &str) -> (World, Named, Tallies) {
        let world = world("wenzhou", first_day);
        let text = std::fs::read_to_string(folder().join("rosters/wenzhou.toml")).expect("a roster");
        let named = read(&world.house, first_day, &(text + changes));
        let shifts = named.beside(world.forecast.shifts.clone());
        let crew = Crew { shifts: &shifts, named: Some(&named) };
        let tallies = simulate(&world.house, &world.forecast, crew, 1, 1);
        (world, named, tallies)
    }

    /// Lawyers at the phones of a pool in an hour, or that many hours of the whole day.
    fn staffed(world: &World, tallies: &Tallies, pool: &str, hour: Option<usize>) -> u64 {
        let pool = world.house.index_of(&pool.into()).expect("a pool");
        let ms = match hour {
            Some(hour) => tallies.cell(pool, hour).staffed_ms,
            None => tallies.of_pool(pool).staffed_ms,
        };
        assert_eq!(ms % HOUR_MS, 0, "these shifts are of whole hours");
        ms / HOUR_MS
    }

    /// Hours on shift by lawyer, of those who had some.
    fn hours(named: &Named, tallies: &Tallies) -> BTreeMap<u32, u64> {
        let lawyers = named.lawyers().iter().zip(&tallies.worked);
        let hours = lawyers.map(|(lawyer, worked)| (lawyer.id.0, worked.on_shift_ms / HOUR_MS));
        hours.filter(|(_, hours)| *hours > 0).collect()
    }

    #[test]
    fn a_holiday_a_workday_and_a_day_made_up_for_it_are_staffed_as_the_roster_says() {
        let found = DAYS.map(|first_day| {
            let (world, named, tallies) = day(first_day, "");
            let by_pool =
                ["city", "lucheng", "ouhai", "taishun"].map(|pool| staffed(&world, &tallies, pool, None));
            let in_the_city = [2, 10, 22].map(|hour| staffed(&world, &tallies, "city", Some(hour)));
            let works = hours(&named, &tallies).contains_key(&1001);
            (by_pool, in_the_city, works)
        });
        let workday = ([48, 24, 24, 12], [1, 3, 1], true);
        assert_eq!(found[0], workday);
        assert_eq!(found[1], ([36, 0, 0, 12], [1, 2, 1], false), "of Taishun the roster says nothing");
        assert_eq!(found[2], workday, "made up on a Saturday");
        assert_eq!(found[3], ([36, 24, 24, 12], [1, 2, 1], false));
    }

    #[test]
    fn on_a_holiday_the_city_answers_for_counties_that_nobody_is_rostered_for() {
        let by_whom = |first_day| {
            let (world, _, tallies) = day(first_day, "");
            let [lucheng, city] = ["lucheng", "city"].map(|pool| world.house.index_of(&pool.into()));
            let (lucheng, city) = (lucheng.expect("a pool"), city.expect("a pool"));
            (tallies.of_pool(lucheng).rings, tallies.of_pool(city).rings)
        };
        let (workday, holiday) = (by_whom(DAYS[0]), by_whom(DAYS[1]));
        assert!(workday.0 > 20 && workday.1 > 50, "{workday:?}");
        assert!(holiday.0 == 0 && holiday.1 > 50, "{holiday:?}");
    }

    #[test]
    fn a_swap_moves_hours_from_one_lawyer_to_another_and_no_caller_notices() {
        const SWAP: &str = "[[swaps]]\nlawyers = [1022, 1032]\ndays = [\"2026-11-23\", \"2026-11-24\"]\n\
            shifts = [\"city_night\"]\n";
        let (_, named, planned) = day(DAYS[0], "");
        let (_, _, swapped) = day(DAYS[0], SWAP);
        assert_eq!(named.lawyers().len(), 16);
        let (before, after) = (hours(&named, &planned), hours(&named, &swapped));
        assert_eq!((before.get(&1022), before.get(&1032)), (Some(&4), None), "the night begins at 20:00");
        assert_eq!((after.get(&1022), after.get(&1032)), (None, Some(&4)));
        let place = |id| named.lawyers().iter().position(|lawyer| lawyer.id == AgentId(id)).expect("named");
        let mut expected = planned.clone();
        expected.worked.swap(place(1022), place(1032));
        assert!(planned.worked[place(1022)].answered > 0);
        assert_eq!(swapped, expected);
    }

    #[test]
    fn who_is_absent_leaves_the_night_empty_unless_somebody_stands_in() {
        const AWAY: &str = "[[absences]]\nlawyer = 1022\ndays = [\"2026-11-23\"]\n";
        let (world, named, tallies) = day(DAYS[0], AWAY);
        assert_eq!(staffed(&world, &tallies, "city", Some(22)), 0);
        assert_eq!(staffed(&world, &tallies, "city", Some(2)), 1, "that night began the day before");
        assert_eq!(hours(&named, &tallies).get(&1022), None);
        let answered: u64 = (21..24).map(|hour| tallies.of_hour(hour).answered).sum();
        assert_eq!(answered, 0, "nobody else is there so late");
        let (world, named, tallies) = day(DAYS[0], &format!("{AWAY}substitute = 1061\n"));
        assert_eq!(staffed(&world, &tallies, "city", Some(22)), 1);
        assert_eq!(hours(&named, &tallies).get(&1061), Some(&4));
    }

    #[test]
    fn a_shift_in_two_pools_from_half_past_nine_is_half_a_lawyer_in_each() {
        let house = house(COUNTY);
        let named = read(
            &house,
            DAYS[0],
            "region = \"r\"\n[shifts.s]\npools = [\"city\", \"north\"]\nlawyers = [7]\ndays = [\"daily\"]\n\
             hours = \"09:30-17:00\"\n",
        );
        let forecast = forecast(MIXED, &house);
        let shifts = named.beside(forecast.shifts.clone());
        assert_eq!(shifts, [], "the roster speaks of both pools");
        let tallies = simulate(&house, &forecast, Crew { shifts: &shifts, named: Some(&named) }, 3, 2);
        for pool in [0, 1] {
            let of_hour = |hour| tallies.cell(pool, hour).staffed_ms;
            assert_eq!([8, 9, 10, 16, 17].map(of_hour), [0, HOUR_MS / 2, HOUR_MS, HOUR_MS, 0]);
            assert!(tallies.cell(pool, 12).rings > 0, "and is rung for both");
        }
        let [worked] = tallies.worked[..] else { panic!("one lawyer") };
        assert_eq!((worked.on_shift_ms, worked.answered), (15 * HOUR_MS, tallies.total().answered));
        assert!(worked.answered > 10 && worked.occupancy() > Some(0.5), "{worked:?}");
    }

    #[test]
    fn settings_say_what_lawyers_know_and_what_they_are_in_their_pools() {
        let house = house(COUNTY);
        let text = "region = \"r\"\n[shifts.s]\npools = [\"city\"]\nlawyers = [7, 8]\ndays = [\"daily\"]\n\
            hours = \"00:00-00:00\"\n";
        let roster = read(&house, DAYS[0], text).roster;
        let second = Membership { tier: 2, ..Membership::default() };
        let agent = config::Agent {
            name: "王律师".to_owned(),
            region: "r".into(),
            pools: BTreeMap::from([("city".into(), second), ("north".into(), second)]),
            skills: Skills::from([("labour".into(), 3)]),
            user: "7".to_owned(),
            contact: None,
            mobile: None,
        };
        let named = Named::new(roster, &house, Some(&BTreeMap::from([(AgentId(7), agent)])));
        assert_eq!(named.lawyers()[0].skills, Skills::from([("labour".into(), 3)]));
        let (start, _) = super::super::forecast::midnight(DAYS[0]).expect("a date");
        assert_eq!(Some(china_day(start)), parse_date(DAYS[0]));
        let on_shift = named.on_shift(start);
        assert_eq!(named.pools_of(0, &on_shift), BTreeMap::from([("city".into(), second)]));
        assert_eq!(named.pools_of(1, &on_shift), BTreeMap::from([("city".into(), Membership::default())]));
    }
}

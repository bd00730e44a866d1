//! Callers as they were: what past calls say about when people call, how long they talk and how long they wait.
//!
//! Patience is estimated as if it were exponential, with censoring: who was answered has shown only that they would
//! wait at least so long. The estimate of greatest likelihood of its mean is then all time waited by everybody,
//! divided by the number of those who gave up.

use super::forecast::{Forecast, HOURS_OF_A_DAY, Source, Talk, TalkShape};
use super::house::House;
use super::percent::Percent;
use domain::{CountyId, Timestamp};
use serde::Serialize;
use std::fmt::Write as _;
use std::time::Duration;
use store::History;

/// A longer range would take in years that are no longer like this one.
pub const DAYS_MAX: u64 = 3 * 366;
const DAY_MS: i64 = 86_400_000;
/// With fewer talks their mean is little more than chance.
const TALKS_MIN: u64 = 30;

/// A range of whole days in China.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Days {
    pub start: Timestamp,
    /// Of the first day; Monday is 0.
    pub first_weekday: usize,
    pub count: u64,
}

/// What was measured, from how many calls. Spans are seconds, rates parts of 1.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Estimates {
    /// Like `2026-11-23`.
    pub first_day: String,
    pub days: u64,
    /// Calls that wanted a lawyer.
    pub calls: u64,
    /// Of these, from counties that the dialplan does not know; they are taken for calls of unknown county.
    pub calls_of_no_county_here: u64,
    pub talks: u64,
    pub talk_s_mean: f64,
    /// The standard deviation as a part of the mean.
    pub talk_variation: f64,
    /// Waits whose end is known, the time waited in all, and how many of them gave up.
    pub waits: u64,
    pub waited_s_sum: f64,
    pub gave_up: u64,
    /// Null: nobody gave up, and so nothing says how long they would have waited.
    pub patience_s_mean: Option<f64>,
    pub unserved: u64,
    /// Of the unserved.
    pub leaves_message: f64,
    pub lifted: u64,
    pub answer_delay_s_mean: f64,
    pub rings: u64,
    /// Of the rings, but those that the caller cut short.
    pub unanswered: f64,
    /// What the hotline reached then: to compare with what is simulated.
    pub reached_queue: u64,
    pub connected_rate: Option<f64>,
    pub in_15s_rate: Option<f64>,
}

impl Days {
    #[must_use]
    pub fn end(&self) -> Timestamp {
        Timestamp::from_ms(self.start.as_ms() + self.count as i64 * DAY_MS)
    }

    /// From Monday to Friday, and on Saturdays and Sundays.
    fn by_kind(&self) -> (u64, u64) {
        let weekend = (0..self.count).filter(|day| (self.first_weekday as u64 + day) % 7 >= 5).count() as u64;
        (self.count - weekend, weekend)
    }
}

/// The forecast that says: as it was. Of `base`, if there is one, only languages, call-backs and shifts are kept.
///
/// # Errors
/// What is missing in the history.
pub fn measure(
    history: &History,
    days: Days,
    house: &House,
    base: Option<&Forecast>,
) -> Result<(Forecast, Estimates), String> {
    let estimates = estimate(history, days, house)?;
    let forecast = Forecast {
        start: days.start,
        first_weekday: days.first_weekday,
        sources: sources(history, days, house),
        languages: base.map(|base| base.languages.clone()).unwrap_or_default(),
        talk: Talk {
            mean: Duration::from_secs_f64(estimates.talk_s_mean),
            shape: TalkShape::Lognormal { variation: estimates.talk_variation },
        },
        patience: estimates.patience_s_mean.map(Duration::from_secs_f64),
        leaves_message: Percent::of(estimates.leaves_message),
        message: base.map_or(Duration::from_secs(40), |base| base.message),
        callback: base.map(|base| base.callback).unwrap_or_default(),
        callback_unanswered: base.map(|base| base.callback_unanswered).unwrap_or_default(),
        answer_delay: Duration::from_secs_f64(estimates.answer_delay_s_mean),
        unanswered: Percent::of(estimates.unanswered),
        shifts: base.map(|base| base.shifts.clone()).unwrap_or_default(),
    };
    Ok((forecast, estimates))
}

fn estimate(history: &History, days: Days, house: &House) -> Result<Estimates, String> {
    let History { talks, waits, gave_up, unserved, lifted, rings, reached_queue, .. } = *history;
    let calls = history.arrivals.iter().map(|arrivals| arrivals.calls).sum();
    if talks < TALKS_MIN {
        return Err(format!(
            "{talks} of {calls} calls in these {} days were talked through; at least {TALKS_MIN} are needed to say how \
             long talks are: take more days, or a forecast",
            days.count
        ));
    }
    let mean_s = history.talk_ms_sum as f64 / 1_000.0 / talks as f64;
    let square_s = history.talk_ds2_sum as f64 / 100.0 / talks as f64;
    let rate = |part: u64, whole: u64| part as f64 / whole.max(1) as f64;
    let not_cut = rings.saturating_sub(history.rings_cut);
    let strangers = history
        .arrivals
        .iter()
        .filter(|arrivals| arrivals.county.is_some() && known(arrivals.county.as_ref(), house).is_none());
    let waited_s_sum = history.waited_ms_sum as f64 / 1_000.0;
    Ok(Estimates {
        first_day: dialplan::china_date(days.start),
        days: days.count,
        calls,
        calls_of_no_county_here: strangers.map(|arrivals| arrivals.calls).sum(),
        talks,
        talk_s_mean: mean_s,
        talk_variation: (square_s - mean_s * mean_s).max(0.0).sqrt() / mean_s,
        waits,
        waited_s_sum,
        gave_up,
        patience_s_mean: (gave_up > 0).then(|| waited_s_sum / gave_up as f64),
        unserved,
        leaves_message: rate(history.messages, unserved),
        lifted,
        answer_delay_s_mean: history.lifted_ms_sum as f64 / 1_000.0 / lifted.max(1) as f64,
        rings,
        unanswered: rate(not_cut.saturating_sub(history.answered), not_cut),
        reached_queue,
        connected_rate: (reached_queue > 0).then(|| rate(history.answered, reached_queue)),
        in_15s_rate: (reached_queue > 0).then(|| rate(history.answered_in_15s, reached_queue)),
    })
}

/// The county if its callers have a number in this dialplan.
fn known(county: Option<&CountyId>, house: &House) -> Option<CountyId> {
    county.filter(|county| house.is_reached(Some(county))).cloned()
}

/// Calls a day of each county, by hour and kind of day. A kind that the range does not have is as the other one.
fn sources(history: &History, days: Days, house: &House) -> Vec<Source> {
    let (weekdays, weekend_days) = days.by_kind();
    let mut sources: Vec<Source> = Vec::new();
    for arrivals in &history.arrivals {
        let county = known(arrivals.county.as_ref(), house);
        let at = sources.iter().position(|source| source.county == county).unwrap_or_else(|| {
            let nobody = [0.0; HOURS_OF_A_DAY];
            sources.push(Source { county, weekday: nobody, weekend: nobody });
            sources.len() - 1
        });
        let source = &mut sources[at];
        let (hours, of_days) = match arrivals.weekend {
            true => (&mut source.weekend, weekend_days),
            false => (&mut source.weekday, weekdays),
        };
        hours[arrivals.hour % HOURS_OF_A_DAY] += arrivals.calls as f64 / of_days.max(1) as f64;
    }
    for source in &mut sources {
        if weekend_days == 0 {
            source.weekend = source.weekday;
        } else if weekdays == 0 {
            source.weekday = source.weekend;
        }
    }
    sources
}

/// Each estimate with the number of calls that it rests on.
#[must_use]
pub fn lines(estimates: &Estimates) -> String {
    let Estimates { first_day, days, calls, talks, waits, gave_up, unserved, lifted, rings, .. } = estimates;
    let percent = |part: f64| format!("{:.1}%", part * 100.0);
    let mut text = format!("measured in {days} day(s) from {first_day}:\n");
    let _ =
        writeln!(text, "  arrivals      {calls} calls that wanted a lawyer, by county, hour and kind of day");
    if estimates.calls_of_no_county_here > 0 {
        let _ = writeln!(
            text,
            "                {} of them from counties that the dialplan does not know: taken for unknown",
            estimates.calls_of_no_county_here
        );
    }
    let (mean, variation) = (estimates.talk_s_mean, percent(estimates.talk_variation));
    let _ = writeln!(text, "  talk          {mean:.0} s, spread {variation} of it: from {talks} talks");
    let patience = match estimates.patience_s_mean {
        Some(mean) => {
            format!("{mean:.0} s, exponential with censoring: {:.0} s waited", estimates.waited_s_sum)
        }
        None => format!("without end, for nobody gave up: {:.0} s waited", estimates.waited_s_sum),
    };
    let _ = writeln!(text, "  patience      {patience} by {waits} callers, of whom {gave_up} gave up");
    let messages = percent(estimates.leaves_message);
    let _ = writeln!(text, "  messages      {messages} of {unserved} callers whom nobody answered");
    let (delay, unanswered) = (estimates.answer_delay_s_mean, percent(estimates.unanswered));
    let _ = writeln!(text, "  phones        lifted after {delay:.1} s: from {lifted} calls with one ring");
    let _ = writeln!(text, "                {unanswered} not lifted: from {rings} rings");
    let rate = |rate: Option<f64>| rate.map_or_else(|| "–".to_owned(), percent);
    let _ = writeln!(
        text,
        "  reached then  connected rate {}, within 15 s {}, of {} that reached the queue\n",
        rate(estimates.connected_rate),
        rate(estimates.in_15s_rate),
        estimates.reached_queue
    );
    text
}

#[cfg(test)]
mod tests {
    use super::super::forecast::midnight;
    use super::super::tests::{COUNTY, house};
    use super::*;
    use phones::Dice;
    use store::Arrivals;

    fn days(first: &str, count: u64) -> Days {
        let (start, first_weekday) = midnight(first).expect("a date");
        Days { start, first_weekday, count }
    }

    fn arrivals(county: Option<&str>, weekend: bool, hour: usize, calls: u64) -> Arrivals {
        Arrivals { county: county.map(Into::into), weekend, hour, calls }
    }

    /// So many talks of one minute and as many of three.
    fn talks(pairs: u64) -> History {
        History {
            talks: 2 * pairs,
            talk_ms_sum: 240_000 * pairs,
            talk_ds2_sum: 3_600_000 * pairs,
            ..History::default()
        }
    }

    #[test]
    fn patience_is_not_taken_for_the_wait_of_those_who_gave_up() {
        let mut dice = Dice::new(1);
        let (patience, busy) = (Duration::from_secs(240), Duration::from_secs(60));
        let mut history = talks(50);
        let mut gave_up_ms = 0;
        for _ in 0..50_000 {
            let (gives_up, is_free) = (dice.exponential(patience), dice.exponential(busy));
            let waited_ms = gives_up.min(is_free).as_millis() as u64;
            history.waits += 1;
            history.waited_ms_sum += waited_ms;
            if gives_up < is_free {
                history.gave_up += 1;
                gave_up_ms += waited_ms;
            }
        }
        let found = estimate(&history, days("2026-11-23", 7), &house(COUNTY)).expect("enough talks");
        let mean = found.patience_s_mean.expect("some gave up");
        assert!((mean / 240.0 - 1.0).abs() < 0.03, "{mean} s");
        let naive = gave_up_ms as f64 / 1_000.0 / history.gave_up as f64;
        assert!(naive < 60.0, "those who gave up had waited {naive} s: they are the impatient ones");
    }

    #[test]
    fn a_week_of_calls_makes_a_forecast_of_each_county_hour_and_kind_of_day() {
        let history = History {
            arrivals: vec![
                arrivals(None, false, 9, 50),
                arrivals(Some("abolished"), false, 9, 5),
                arrivals(Some("north"), false, 9, 20),
                arrivals(Some("north"), true, 10, 4),
            ],
            reached_queue: 79,
            answered: 60,
            answered_in_15s: 40,
            unserved: 10,
            messages: 4,
            lifted: 20,
            lifted_ms_sum: 120_000,
            rings: 75,
            rings_cut: 5,
            ..talks(30)
        };
        let (forecast, found) =
            measure(&history, days("2026-11-23", 7), &house(COUNTY), None).expect("enough");
        let calls = |county: Option<&str>, hour, is_weekend| {
            let is_its = |source: &&Source| source.county.as_ref().map(CountyId::as_str) == county;
            forecast.sources.iter().find(is_its).map(|source| source.calls_in(hour, is_weekend))
        };
        assert_eq!(
            calls(None, 9, false),
            Some(11.0),
            "whoever comes from no county here is of unknown county"
        );
        assert_eq!((calls(Some("north"), 9, false), calls(Some("north"), 10, true)), (Some(4.0), Some(2.0)));
        assert_eq!(calls(Some("abolished"), 9, false), None);
        assert_eq!((found.calls, found.calls_of_no_county_here), (79, 5));
        assert_eq!((found.talk_s_mean, found.talk_variation), (120.0, 0.5));
        assert_eq!((forecast.patience, found.patience_s_mean), (None, None), "nobody gave up");
        assert_eq!((forecast.leaves_message.of_one(), forecast.answer_delay), (0.4, Duration::from_secs(6)));
        assert!((forecast.unanswered.of_one() - 10.0 / 70.0).abs() < 1e-9, "10 of 70 rings were not lifted");
        assert_eq!((found.connected_rate, found.in_15s_rate), (Some(60.0 / 79.0), Some(40.0 / 79.0)));
        let text = lines(&found);
        assert!(text.contains("from 60 talks") && text.contains("5 of them from counties"), "{text}");
    }

    #[test]
    fn days_of_one_kind_stand_for_the_other_and_too_few_talks_for_nothing() {
        let history = History { arrivals: vec![arrivals(None, false, 9, 50)], ..talks(30) };
        let (forecast, _) = measure(&history, days("2026-11-23", 5), &house(COUNTY), None).expect("enough");
        assert_eq!(forecast.sources[0].calls_in(9, true), 10.0, "no weekend was seen");
        let what = measure(&talks(14), days("2026-11-23", 5), &house(COUNTY), None).expect_err("too few");
        assert!(what.contains("28 of 0 calls"), "{what}");
    }
}

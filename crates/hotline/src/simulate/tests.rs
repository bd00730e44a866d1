//! The simulator against theory, against itself, and against bad input.

use super::engine::{Crew, Tallies, simulate};
use super::erlang::{LongRun, erlang_a, erlang_c};
use super::find_staff::{Answer, Goal, find_staff};
use super::forecast::{Forecast, Shift, parse_agents};
use super::house::{House, Sounds};
use super::regions::folder;
use super::report::{Report, page, table};
use super::{Options, check_goal, load};
use clap::Parser as _;
use dialplan::{Calendars, Context, Dialplan};
use std::time::Duration;

/// Nothing between a caller and the queue, and nothing that ends a wait but the caller.
const BARE: &str = r#"
[region]
id = "r"
name = { zh = "某市", en = "Town" }
area_code = "0577"
numbers = ["12348"]
city_pool = "city"
start = "notice"
[pool_defaults]
wrap_up = "0s"
max_waiting = 10000
[pools.city]
name = { zh = "市级", en = "City" }
[steps.notice]
kind = "play"
prompts = ["silence"]
notice = true
then = "wait"
[steps.wait]
kind = "queue"
stages = [{ pool = "city", patience = "2h" }]
music = "music"
exhausted = "bye"
[steps.bye]
kind = "hangup"
"#;

/// A county by day, the city behind it and at night, and a voicemail.
pub const COUNTY: &str = r#"
[region]
id = "r"
name = { zh = "某市", en = "Town" }
area_code = "0577"
numbers = ["12348"]
city_pool = "city"
start = "notice"
[hours.day]
weekly = ["daily 08:00-20:00"]
[pools.city]
name = { zh = "市级", en = "City" }
[pools.north]
name = { zh = "北区", en = "North" }
hours = "day"
[counties.north]
name = { zh = "北区", en = "North" }
pool = "north"
caller_prefixes = ["88"]
[steps.notice]
kind = "play"
prompts = ["notice"]
notice = true
then = "menu"
[steps.menu]
kind = "menu"
prompts = ["notice"]
timeout = "5s"
only_unattributed = true
counties = { 1 = "north" }
then = "wait"
[steps.wait]
kind = "queue"
stages = [{ pool = "@county", patience = "30s" }, { pool = "city", patience = "60s" }]
music = "music"
exhausted = "message"
[steps.message]
kind = "voicemail"
pool = "city"
prompts = ["notice"]
max = "2m"
then = "bye"
[steps.bye]
kind = "hangup"
"#;

pub fn house(text: &str) -> House {
    house_that_says(text, &[])
}

/// With these recordings too, each of a second.
fn house_that_says(text: &str, more: &[&str]) -> House {
    let mut sounds = Sounds::from([
        ("music".to_owned(), Duration::from_secs(20)),
        ("notice".to_owned(), Duration::from_secs(8)),
        ("silence".to_owned(), Duration::ZERO),
    ]);
    sounds.extend(more.iter().map(|name| ((*name).to_owned(), Duration::from_secs(1))));
    let (prompts, calendars) = (sounds.keys().cloned().collect(), Calendars::default());
    let plan = Dialplan::parse("plan.toml", text, &Context::new(&prompts, &calendars, 2026));
    House::new(plan.unwrap_or_else(|problems| panic!("{problems:?}")).value, sounds)
}

pub fn forecast(text: &str, house: &House) -> Forecast {
    Forecast::parse("f", text, Some(house)).unwrap_or_else(|problems| panic!("{problems:?}"))
}

const TALK_S: f64 = 180.0;

/// One pool of `lawyers`, so many erlangs, the mean patience in talks: what simulated days come to, and the load that
/// really came.
fn measured(lawyers: u32, load: f64, patience: Option<f64>, days: u32, seed: u64) -> (LongRun, f64) {
    let house = house(BARE);
    let per_hour = load * 3_600.0 / TALK_S;
    let patience = patience.map_or_else(|| "none".to_owned(), |talks| format!("{}s", talks * TALK_S));
    let text = format!(
        "first_day = \"2026-11-23\"\n[calls]\nper_hour = [\"00-24 {per_hour}\"]\nshares = {{ unknown = 1 }}\n\
         [callers]\ntalk = \"{TALK_S}s\"\npatience = \"{patience}\"\n[lawyers]\nanswer_delay = \"0s\"\n\
         [[shift]]\npool = \"city\"\nlawyers = {lawyers}\n"
    );
    let forecast = forecast(&text, &house);
    let total = simulate(&house, &forecast, Crew::of(&forecast.shifts), seed, days).total();
    assert_eq!((total.queued, total.unserved), (total.calls, 0), "nothing ends a wait but the caller");
    let talk_ms = total.busy_ms as f64 / total.answered as f64;
    let came = total.calls as f64 * talk_ms / (f64::from(days) * 86_400_000.0);
    let run = LongRun {
        delayed: total.waits.delayed as f64 / total.calls as f64,
        wait: total.waits.mean_ms().unwrap_or(0.0) / 1_000.0 / TALK_S,
        abandoned: total.abandoned as f64 / total.calls as f64,
    };
    (run, came)
}

/// One figure of a long run.
type Part = fn(&LongRun) -> f64;

/// Mean over a few seeds, against theory, within 3 %. The theory is that of the load that came: no finite run has
/// quite the one that was forecast, and waits grow much faster than the load does.
fn check(lawyers: u32, load: f64, patience: Option<f64>, days: u32) {
    const SEEDS: [u64; 3] = [1, 12_348, 2_026];
    let runs = SEEDS.map(|seed| measured(lawyers, load, patience, days, seed));
    let came = runs.iter().map(|(_, came)| came).sum::<f64>() / runs.len() as f64;
    assert!((came / load - 1.0).abs() < 0.01, "{came} erlangs came, {load} were forecast");
    let expect =
        patience.map_or_else(|| erlang_c(lawyers, came), |patience| erlang_a(lawyers, came, patience));
    let mean = |part: Part| runs.iter().map(|(run, _)| part(run)).sum::<f64>() / runs.len() as f64;
    let mut wrong = Vec::new();
    let parts: [(&str, Part); 3] =
        [("delayed", |run| run.delayed), ("wait", |run| run.wait), ("abandoned", |run| run.abandoned)];
    for (name, part) in parts {
        let (found, wanted) = (mean(part), part(&expect));
        let error = if wanted == 0.0 { found } else { found / wanted - 1.0 };
        println!(
            "{lawyers} lawyers, {load} erlangs, patience {patience:?}: {name} {found:.5}, theory {wanted:.5}, {:+.2} %",
            error * 100.0
        );
        if error.abs() > 0.03 {
            wrong.push(format!("{name} {found} is not {wanted}"));
        }
    }
    assert!(wrong.is_empty(), "{lawyers} lawyers, {load} erlangs: {}", wrong.join("; "));
}

// The days are so many that the mean wait of the three runs is uncertain by one or two percent. Of large pools, where
// hardly anybody waits, that would take far longer; with callers who give up they are seen to below.
#[test]
fn callers_who_never_give_up_wait_as_erlang_c_says() {
    check(1, 0.5, None, 400);
    check(2, 1.0, None, 200);
    check(5, 3.5, None, 100);
    check(10, 8.0, None, 60);
}

#[test]
fn callers_who_give_up_wait_as_erlang_a_says() {
    check(5, 4.0, Some(1.0), 60);
    check(10, 10.0, Some(0.5), 30);
    check(20, 22.0, Some(1.0), 10);
    check(50, 48.0, Some(2.0), 8);
}

pub const MIXED: &str = "first_day = \"2026-11-23\"\n[calls]\nper_hour = [\"00-24 30\"]\nweekend = \"50%\"\n\
    shares = { unknown = 1, north = 2 }\n[callers]\ntalk = \"5m\"\ntalk_shape = \"lognormal\"\n\
    talk_variation = \"80%\"\npatience = \"2m\"\nleaves_message = \"50%\"\n[lawyers]\nunanswered = \"5%\"\n\
    [[shift]]\npool = \"city\"\nhours = \"06-23\"\nlawyers = 1\n[[shift]]\npool = \"north\"\nhours = \"08-20\"\n\
    lawyers = 1\n";

fn days(seed: u64, shifts: impl Fn(&mut Vec<Shift>)) -> (House, Forecast, Tallies) {
    let house = house(COUNTY);
    let mut forecast = forecast(MIXED, &house);
    shifts(&mut forecast.shifts);
    let tallies = simulate(&house, &forecast, Crew::of(&forecast.shifts), seed, 14);
    (house, forecast, tallies)
}

#[test]
fn every_call_has_one_end_and_is_counted_once() {
    let (house, _, tallies) = days(3, |_| ());
    let total = tallies.total();
    let ends = total.answered + total.abandoned + total.voicemail + total.unserved + total.closed;
    assert_eq!(total.calls, ends);
    assert_eq!(total.waits.count, total.queued);
    for (what, count) in [
        ("answered", total.answered),
        ("answered in time", total.answered_in_time),
        ("answered elsewhere", total.answered_elsewhere),
        ("abandoned", total.abandoned),
        ("voicemail", total.voicemail),
        ("unserved", total.unserved),
        ("overflowed", total.overflowed),
        ("busy", total.busy_ms),
    ] {
        assert!(count > 0, "{what}: this world has some of everything");
    }
    let of_hours: u64 = (0..24).map(|hour| tallies.of_hour(hour).calls).sum();
    let of_pools: u64 = (0..house.pools().len()).map(|pool| tallies.of_pool(pool).queued).sum();
    assert_eq!((of_hours, of_pools), (total.calls, total.queued));
}

#[test]
fn the_same_seed_gives_the_same_days_and_another_one_others() {
    let of_seed = |seed| days(seed, |_| ()).2;
    assert_eq!(of_seed(3), of_seed(3));
    assert_ne!(of_seed(3), of_seed(4));
}

#[test]
fn the_same_callers_come_whoever_is_on_duty() {
    let of_roster = |lawyers| {
        let (_, _, tallies) = days(3, |shifts| shifts.iter_mut().for_each(|shift| shift.lawyers = lawyers));
        let hours: Vec<u64> = (0..24).map(|hour| tallies.of_hour(hour).calls).collect();
        (hours, tallies.total().answered)
    };
    let ((few_hours, few), (many_hours, many)) = (of_roster(1), of_roster(3));
    assert_eq!(few_hours, many_hours);
    assert!(few < many, "{few} answered by one each, {many} by three");
}

#[test]
fn days_have_the_calls_that_the_forecast_says() {
    let (_, forecast, tallies) = days(3, |_| ());
    let expect = forecast.calls_in_days(14);
    assert_eq!(expect, 24.0 * 30.0 * (10.0 + 4.0 * 0.5));
    let found = tallies.total().calls as f64;
    // Three standard deviations of a Poisson count.
    assert!((found - expect).abs() < 3.0 * expect.sqrt(), "{found} calls, {expect} expected");
}

#[test]
fn lawyers_work_in_their_shifts() {
    let (house, _, tallies) = days(3, |_| ());
    let north = house.index_of(&"north".into()).expect("a pool");
    let hour = |hour: usize| tallies.cell(north, hour);
    assert_eq!(hour(12).staffed_ms, 14 * 3_600_000);
    assert_eq!((hour(7).staffed_ms, hour(7).busy_ms), (0, 0));
    assert!(hour(12).busy_ms > 0 && hour(12).occupancy() <= Some(1.0));
    // The last talk may outlast the shift.
    assert_eq!((hour(20).staffed_ms, hour(22).busy_ms), (0, 0));
    let city = house.index_of(&"city".into()).expect("a pool");
    assert_eq!(tallies.cell(city, 2).answered, 0, "nobody is there at night");
    assert_eq!(tallies.cell(city, 2).connected_rate(), Some(0.0), "and their calls count");
}

fn goal(connected: &str, in_time: Option<&str>) -> Goal {
    let percent = |text: &str| text.parse().expect("a percentage");
    Goal { connected: percent(connected), in_time: in_time.map(percent) }
}

#[test]
fn the_smallest_roster_can_spare_nobody() {
    let house = house(COUNTY);
    let mut forecast = forecast(MIXED, &house);
    forecast.shifts[0].hours = super::forecast::HourSpan::ALL_DAY;
    let live = |shifts: &[Shift]| simulate(&house, &forecast, Crew::of(shifts), 5, 14);
    let goal = goal("90%", Some("50%"));
    let mut tried = Vec::new();
    let answer = find_staff(&forecast.shifts, 2, goal, live, |trial| tried.push(trial.clone()));
    let Answer::Smallest(found) = answer else { panic!("there is one") };
    let meets = |shifts: &[Shift]| goal.is_met(&live(shifts), 2);
    assert!(meets(&found));
    assert!(tried.iter().any(|trial| trial.meets) && tried.iter().any(|trial| !trial.meets));
    for at in 0..found.len() {
        let mut fewer = found.clone();
        fewer[at].lawyers -= 1;
        assert!(fewer[at].lawyers == 0 || !meets(&fewer), "one of shift {at} can be spared");
    }
}

#[test]
fn a_goal_that_no_roster_meets_is_said_to_be_one() {
    let house = house(COUNTY);
    // Nobody is in the city at night, when the county is closed.
    let forecast = forecast(MIXED, &house);
    let live = |shifts: &[Shift]| simulate(&house, &forecast, Crew::of(shifts), 5, 7);
    let answer = find_staff(&forecast.shifts, 2, goal("99%", None), live, |_| ());
    let Answer::Impossible(most) = answer else { panic!("there is none") };
    assert!(most[0].lawyers < 1_000, "and it does not try for ever");
}

#[test]
fn all_errors_of_a_forecast_are_reported_at_once() {
    const WRONG: &str = "first_day = \"tomorrow\"\n[calls]\nper_hour = [\"9 to 5: 3\", \"08-12 4\", \"11-13 5\"]\n\
        weekend = \"200%\"\n[calls.shares]\nnorht = 1\n[callers]\ntalk = \"9d\"\ntalk_variation = \"80%\"\n\
        patience = \"never\"\nage = 60\n[[shift]]\npool = \"ctiy\"\nhours = \"25-26\"\nlawyers = -1\n";
    let problems = Forecast::parse("f", WRONG, Some(&house(COUNTY))).expect_err("everything is wrong");
    let lines: Vec<String> = problems.iter().map(ToString::to_string).collect();
    assert_eq!(
        lines,
        [
            "f:1: \"tomorrow\" is no date; write it in quotes, like \"2026-11-23\"",
            "f:3: \"9 to 5: 3\" says no number of calls; write hours and the calls in each of them, like \
             \"09-12 45\"; at most 100000",
            "f:3: the hour from 11 has a number of calls already; name each hour once",
            "f:4: `weekend` is more than all; write a share from 0% to 100%",
            "f:6: there is no county \"norht\"; did you mean \"north\"?",
            "f:8: `callers.talk` is out of range: \"9d\"; write a span from \"1s\" to \"4h\"",
            "f:9: an exponential talk varies by 100%, always; take it out, or say talk_shape = \"lognormal\"",
            "f:10: `callers.patience` cannot be read: \"never\"; write it like \"3m\" or \"none\"",
            "f:11: unknown key `callers.age`; remove it; known here: talk, talk_shape, talk_variation, patience, \
             leaves_message, message, callback, callback_unanswered",
            "f:13: there is no pool \"ctiy\"; did you mean \"city\"?",
            "f:14: \"25-26\" are no hours of a day; write whole hours like \"08-20\", \"00-24\" or, for a night, \
             \"20-08\"",
            "f:15: `shift[1].lawyers` is out of range; write a whole number from 0 to 5000",
        ]
    );
}

#[test]
fn agents_can_be_given_by_pool() {
    let house = house(COUNTY);
    let shifts = parse_agents("city=5, north=2", &house).expect("both are pools");
    let found: Vec<_> = shifts.iter().map(|shift| (shift.pool.as_str(), shift.lawyers)).collect();
    assert_eq!(found, [("city", 5), ("north", 2)]);
    let wrong = parse_agents("ctiy=5,north,north=999999", &house).expect_err("all three are wrong");
    assert_eq!(wrong.matches("did you mean \"city\"?").count(), 1, "{wrong}");
    assert_eq!(wrong.matches("says no number of lawyers").count(), 2, "{wrong}");
}

#[test]
fn the_report_says_the_same_in_all_its_forms() {
    let (house, forecast, tallies) = days(3, |_| ());
    let first_day = dialplan::china_date(forecast.start);
    let report = Report::new(&house, &tallies, Crew::of(&forecast.shifts), first_day, (14, 3));
    let rate = format!("{:.1}%", tallies.total().connected_rate().expect("some queued") * 100.0);
    let (text, html) = (table(&report), page(&report));
    assert!(text.contains(&rate) && html.contains(&rate), "{rate}: {text}");
    assert!(text.contains("from 2026-11-23") && html.contains("自 2026-11-23 起 14 天"));
    for outside in ["http://", "https://", "<script", "url("] {
        assert!(!html.contains(outside), "the page needs {outside}");
    }
    let json: serde_json::Value = serde_json::to_value(&report).expect("plain data");
    assert_eq!(json["total"]["answered"], tallies.total().answered);
    assert_eq!(json["pools"][1]["hours"].as_array().map(Vec::len), Some(24));
}

/// The county's dialplan, where who waits is told of a call-back after ten seconds.
fn with_callbacks() -> House {
    let queue = "exhausted = \"message\"\nannounce = { first = \"10s\", every = \"60s\" }\nkeys = { 2 = \"call_back\" }\n\
        [steps.call_back]\nkind = \"callback\"\nprompts = [\"notice\"]\nwithin = \"2h\"\nthen = \"bye\"\n";
    let text = COUNTY.replace("exhausted = \"message\"\n", queue);
    assert_ne!(text, COUNTY);
    let sounds = [
        "wait_next",
        "wait_ahead",
        "wait_callers",
        "wait_about",
        "wait_minutes",
        "wait_long",
        "number_2_of",
        "number_0",
        "number_1",
        "number_2",
        "number_3",
        "number_4",
        "number_5",
        "number_6",
        "number_7",
        "number_8",
        "number_9",
        "number_10",
    ];
    house_that_says(&text, &sounds)
}

/// Days in which so many of those who wait ask to be called back, and so many of these do not pick up.
fn called_back(callback: &str, unanswered: &str) -> Tallies {
    let house = with_callbacks();
    let keys = format!("[callers]\ncallback = \"{callback}\"\ncallback_unanswered = \"{unanswered}\"\n");
    let forecast = forecast(&MIXED.replace("[callers]\n", &keys), &house);
    simulate(&house, &forecast, Crew::of(&forecast.shifts), 3, 14)
}

#[test]
fn who_asks_to_be_called_back_speaks_with_a_lawyer_who_would_have_been_too_late() {
    let (on_the_line, called) = (called_back("0%", "0%").total(), called_back("100%", "0%").total());
    assert_eq!(on_the_line.callbacks, 0);
    assert_eq!(on_the_line.calls, called.calls, "the same callers come");
    assert!(called.callbacks > 500, "{called:?}");
    assert!(called.abandoned * 2 < on_the_line.abandoned, "most had no reason to give up");
    assert!(called.answered > on_the_line.answered, "{} and {}", called.answered, on_the_line.answered);
    assert_eq!(called.callbacks_unanswered, 0);
    let expired = called.callbacks - called.callbacks_answered;
    assert!(expired > 0 && called.unserved >= expired, "nobody is there at night, and two hours are over");
    let away_s = called.callback_ms_mean().expect("some were called") / 1_000.0;
    assert!(away_s > 10.0 && away_s < 7_300.0, "{away_s} s");
    assert!(called.waits.mean_ms() < on_the_line.waits.mean_ms(), "on the line they wait for less long");
    let ends = called.answered + called.abandoned + called.voicemail + called.unserved + called.closed;
    assert_eq!((called.calls, called.waits.count), (ends, called.queued));
}

#[test]
fn who_does_not_pick_up_has_kept_a_lawyer_for_nothing_and_was_not_served() {
    let (picks_up, does_not) = (called_back("50%", "0%"), called_back("50%", "100%"));
    let (picks_up, does_not) = (picks_up.total(), does_not.total());
    assert!(picks_up.callbacks_answered > 100 && picks_up.callbacks_unanswered == 0, "{picks_up:?}");
    // Who is found while still on the line has nothing to pick up.
    assert!(does_not.callbacks_answered * 10 < does_not.callbacks, "{does_not:?}");
    assert!(does_not.callbacks_unanswered > 100, "{does_not:?}");
    assert!(does_not.unserved >= does_not.callbacks_unanswered && does_not.answered < picks_up.answered);
}

#[derive(clap::Parser)]
struct Line {
    #[command(flatten)]
    options: Options,
}

/// What a command line with the committed files of Wenzhou means.
fn options(more: &[&str]) -> Result<Options, clap::Error> {
    let file = |name: &str| folder().join(name).display().to_string();
    let files = [file("wenzhou.toml"), "--forecast".to_owned(), file("forecasts/wenzhou.toml")];
    let roster = ["--roster".to_owned(), file("rosters/wenzhou.toml")];
    let line = ["simulate".to_owned()].into_iter().chain(files).chain(roster);
    Line::try_parse_from(line.chain(more.iter().map(|&word| word.to_owned()))).map(|line| line.options)
}

#[test]
fn a_roster_of_the_command_line_takes_the_place_of_the_forecasts_shifts_in_its_pools() {
    let options = options(&[]).expect("a command line");
    let loaded = load(&options).expect("the prompts").unwrap_or_else(|problems| panic!("{problems:?}"));
    let (named, forecast) = (loaded.named.expect("a roster"), loaded.forecast.expect("a forecast"));
    let (before, beside) = (forecast.shifts.clone(), named.beside(forecast.shifts));
    let is_of = |pools: &'static [&str]| move |shift: &&Shift| pools.contains(&shift.pool.as_str());
    assert_eq!(before.iter().filter(is_of(&["city", "lucheng", "ouhai"])).count(), 4);
    assert_eq!(beside.iter().filter(is_of(&["city", "lucheng", "ouhai"])).count(), 0);
    assert_eq!(beside.len(), before.len() - 4);
}

#[test]
fn nobody_looks_for_numbers_of_lawyers_who_have_names() {
    let wrong =
        check_goal(&options(&["--find-staff", "95%"]).expect("it can be read")).expect_err("no sense");
    assert!(wrong.to_string().contains("leave out --roster"), "{wrong}");
    assert!(check_goal(&options(&[]).expect("a command line")).is_ok());
    let wrong = options(&["--agents", "city=5"]).err().expect("shifts twice").to_string();
    assert!(wrong.contains("--roster") && wrong.contains("--agents"), "{wrong}");
}

#[test]
fn a_roster_for_another_region_is_refused() {
    let mut options = options(&[]).expect("a command line");
    options.dialplan = folder().join("chengdu.toml");
    options.forecast = Some(folder().join("forecasts/chengdu.toml"));
    let problems = load(&options).expect("the prompts").err().expect("wrong");
    let wrong = problems.first().expect("at least one").to_string();
    assert!(wrong.ends_with("no dialplan serves \"wenzhou\"; it can be: chengdu"), "{wrong}");
}

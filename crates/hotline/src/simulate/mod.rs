//! `hotline simulate`: how many lawyers are needed? The hotline's own dialplan and distribution machine live through
//! days of a forecast in a few seconds, with the callers that it expects and the lawyers of a roster.
//!
//! `house` knows the dialplan, `forecast` what a day brings, `history` what past days brought, `named` who is
//! on shift, `people` what each caller does, `engine` lets the days pass, `tally` counts, `find_staff` looks for the smallest roster, `report` tells. Only
//! this file does IO.

mod engine;
#[cfg(test)]
mod erlang;
mod find_staff;
mod forecast;
mod history;
mod house;
mod named;
mod people;
mod percent;
#[cfg(test)]
mod regions;
mod report;
mod tally;
#[cfg(test)]
mod tests;

use crate::commands;
use crate::config::{self, Settings};
use crate::server;
use anyhow::{Context as _, Result, anyhow, bail};
use clap::Args;
use dialplan::{Problem, china_day, parse_date};
use engine::Crew;
use find_staff::{Answer, Goal, Trial};
use forecast::{Forecast, Shift};
use history::{Days, Estimates};
use house::{House, Sounds};
use named::Named;
use percent::Percent;
use report::Report;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

/// More calls than the nation has in two years.
const CALLS_MAX: f64 = 10_000_000.0;
const LAWYERS_MAX: u64 = 100_000;
/// A-law has this many bytes a millisecond.
const PROMPT_BYTES_PER_MS: u64 = 8;

/// What a file says, or all that is wrong with it.
type Read<T> = Result<T, Vec<Problem>>;

#[derive(Args)]
pub struct Options {
    /// The dialplan whose callers come.
    dialplan: PathBuf,
    /// What the days bring: see dialplans/forecasts/wenzhou.toml. With --history only its shifts, languages
    /// and call-backs count.
    #[arg(long, required_unless_present = "history")]
    forecast: Option<PathBuf>,
    /// Callers as they were: measured in the call records of the server with these settings.
    #[arg(long, requires = "from", requires = "to", value_name = "SETTINGS")]
    history: Option<PathBuf>,
    /// The first day that is measured, and the first that is simulated: 2026-11-02.
    #[arg(long, requires = "history", value_name = "DATE")]
    from: Option<String>,
    /// The last day that is measured.
    #[arg(long, requires = "history", value_name = "DATE")]
    to: Option<String>,
    /// Folders of prompts (.al); by default prompts/zh-CN beside the dialplan.
    #[arg(long)]
    prompts: Vec<PathBuf>,
    /// Who is on shift when, by name: a roster like dialplans/rosters/wenzhou.toml, with its swaps, absences and
    /// substitutes, over the simulated days. Of pools that none of its shifts names, the forecast's shifts count.
    #[arg(long, value_name = "FILE")]
    roster: Option<PathBuf>,
    /// The server's settings, which know the skills and pools of the roster's lawyers; with --history they are
    /// those. Without settings each of these lawyers knows everything.
    #[arg(long, requires = "roster", conflicts_with = "history", value_name = "SETTINGS")]
    config: Option<PathBuf>,
    /// Lawyers around the clock in place of the forecast's shifts: city=5,lucheng=2.
    #[arg(long, conflicts_with = "roster")]
    agents: Option<String>,
    /// The same seed brings the same callers.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    #[arg(long, default_value_t = 7, value_parser = clap::value_parser!(u32).range(1..=366))]
    days: u32,
    /// Print rates, waits and busy time of each pool in each hour of the day, too.
    #[arg(long)]
    hours: bool,
    /// Write all figures there, by pool and hour.
    #[arg(long)]
    json: Option<PathBuf>,
    /// Write a page with charts there.
    #[arg(long)]
    html: Option<PathBuf>,
    /// Look for the smallest roster with this connected rate, over all and for the callers of every pool: 95%.
    #[arg(long, value_parser = part)]
    find_staff: Option<Percent>,
    /// With --find-staff: so many are to be answered within 15 seconds, too.
    #[arg(long, requires = "find_staff", value_parser = part)]
    goal15: Option<Percent>,
}

fn part(text: &str) -> Result<Percent, String> {
    let percent: Percent = text.parse()?;
    if percent.is_part() { Ok(percent) } else { Err(format!("{percent} is more than all")) }
}

pub fn run(options: &Options) -> Result<ExitCode> {
    check_goal(options)?;
    let loaded = match load(options)? {
        Ok(read) => read,
        Err(problems) => return Ok(commands::report(&problems)),
    };
    let (forecast, estimates) = callers(options, &loaded)?;
    let Loaded { house, named, .. } = &loaded;
    if let Some(estimates) = &estimates {
        print!("{}", history::lines(estimates));
    }
    let shifts = match (&options.agents, named) {
        (Some(agents), _) => forecast::parse_agents(agents, house).map_err(|what| anyhow!(what))?,
        (None, Some(named)) => named.beside(forecast.shifts.clone()),
        (None, None) => forecast.shifts.clone(),
    };
    check_size(&forecast, Crew { shifts: &shifts, named: named.as_ref() }, options)?;
    let live = |shifts: &[Shift]| {
        let crew = Crew { shifts, named: named.as_ref() };
        engine::simulate(house, &forecast, crew, options.seed, options.days)
    };
    let (shifts, code) = match options.find_staff {
        Some(connected) => search(&shifts, house, Goal { connected, in_time: options.goal15 }, live),
        None => (shifts, ExitCode::SUCCESS),
    };
    let first_day = dialplan::china_date(forecast.start);
    let tallies = live(&shifts);
    let crew = Crew { shifts: &shifts, named: named.as_ref() };
    let report = Report::new(house, &tallies, crew, first_day, (options.days, options.seed));
    let report = Report { measured: estimates, ..report };
    print!("{}", report::table(&report));
    if options.hours {
        print!("{}", report::by_pool_and_hour(&report));
    }
    if let Some(path) = &options.json {
        write(path, &serde_json::to_string_pretty(&report)?)?;
    }
    if let Some(path) = &options.html {
        write(path, &report::page(&report))?;
    }
    Ok(code)
}

/// A roster's lawyers are who they are: there is no number of them to look for.
fn check_goal(options: &Options) -> Result<()> {
    if options.find_staff.is_some() && options.roster.is_some() {
        bail!(
            "--find-staff looks for how many lawyers each shift needs, and --roster says who they are: leave out \
             --roster to find the numbers of the forecast's shifts, or --find-staff to see how this roster does"
        );
    }
    Ok(())
}

/// The forecast as it was read, or as the past says.
fn callers(options: &Options, loaded: &Loaded) -> Result<(Forecast, Option<Estimates>)> {
    let Loaded { house, forecast, settings, .. } = loaded;
    let Some(settings) = settings.as_ref().filter(|_| options.history.is_some()) else {
        let forecast = forecast.clone().context("say --forecast or --history")?;
        return Ok((forecast, None));
    };
    let days = days_measured(options.from.as_deref(), options.to.as_deref())?;
    let history = past_calls(&settings.store.url, house, days)?;
    let measured = history::measure(&history, days, house, forecast.as_ref());
    let (forecast, estimates) = measured.map_err(|what| anyhow!(what))?;
    Ok((forecast, Some(estimates)))
}

fn past_calls(url: &str, house: &House, days: Days) -> Result<store::History> {
    server::runtime()?.block_on(async {
        let store = store::Store::open(url).await.context("the store cannot be opened")?;
        let history = store.history(house.region(), days.start..days.end()).await;
        store.close().await;
        history.context("the call records cannot be read")
    })
}

fn days_measured(from: Option<&str>, to: Option<&str>) -> Result<Days> {
    let read = |name: &str, text: Option<&str>| {
        let text = text.unwrap_or_default();
        let remedy = format!("--{name} {text}: write a date like 2026-11-02");
        forecast::midnight(text).with_context(|| remedy)
    };
    let ((start, first_weekday), (last, _)) = (read("from", from)?, read("to", to)?);
    let count = (last.as_ms() - start.as_ms()) / 86_400_000 + 1;
    match u64::try_from(count) {
        Ok(count @ 1..=history::DAYS_MAX) => Ok(Days { start, first_weekday, count }),
        _ => bail!("--from and --to span {count} days; take from 1 to {}", history::DAYS_MAX),
    }
}

/// All that the command line names.
struct Loaded {
    house: House,
    forecast: Option<Forecast>,
    /// Those of --history or --config.
    settings: Option<Settings>,
    named: Option<Named>,
}

/// Every file; if one is wrong, the problems of all.
fn load(options: &Options) -> Result<Read<Loaded>> {
    let sounds = read_sounds(options)?;
    let names = sounds.keys().cloned().collect();
    let mut problems = Vec::new();
    let plan = config::read_dialplan(&options.dialplan, &names, config::today().year());
    let plan = plan.map(|checked| House::new(checked.value, sounds));
    let house = plan.map_err(|mut found| problems.append(&mut found)).ok();
    let forecast = options.forecast.as_deref().map(|path| read_forecast(path, house.as_ref()));
    let forecast = forecast.transpose().map_err(|mut found| problems.append(&mut found));
    let settings = options.history.as_ref().or(options.config.as_ref());
    let settings = settings.map(|path| config::load(path, config::today()).map(|checked| checked.value));
    let settings = settings.transpose().map_err(|mut found| problems.append(&mut found));
    let (Some(house), Ok(forecast), Ok(settings)) = (house, forecast, settings) else {
        return Ok(Err(problems));
    };
    let first_day = match &options.from {
        Some(from) => parse_date(from),
        None => forecast.as_ref().map(|forecast| china_day(forecast.start)),
    };
    let read = |path| read_named(path, &house, settings.as_ref(), first_day.unwrap_or_else(config::today));
    let named = options.roster.as_deref().map(read).transpose();
    Ok(named.map(|named| Loaded { house, forecast, settings, named }))
}

fn read_sounds(options: &Options) -> Result<Sounds> {
    let beside = options.dialplan.parent().unwrap_or_else(|| Path::new(".")).join("prompts/zh-CN");
    let folders = if options.prompts.is_empty() { vec![beside] } else { options.prompts.clone() };
    let mut sounds = Sounds::new();
    for folder in &folders {
        let found = config::read_prompt_folder(folder);
        let found = found.with_context(|| format!("prompts in {}", folder.display()))?;
        let length = |samples: &[u8]| Duration::from_millis(samples.len() as u64 / PROMPT_BYTES_PER_MS);
        sounds.extend(found.into_iter().map(|(name, samples)| (name, length(&samples))));
    }
    Ok(sounds)
}

/// A roster as it is on the simulated days: what lies before the first of them is past.
fn read_named(
    path: &Path,
    house: &House,
    settings: Option<&Settings>,
    first_day: dialplan::Date,
) -> Result<Named, Vec<Problem>> {
    let staff = settings.map(|settings| config::staff(&settings.agents));
    let dialplans = [Arc::clone(house.dialplan())];
    let checked = config::read_roster(path, &dialplans, staff.as_ref(), first_day)?;
    commands::report(&checked.warnings);
    Ok(Named::new(checked.value, house, settings.map(|settings| &settings.agents)))
}

fn read_forecast(path: &Path, house: Option<&House>) -> Result<Forecast, Vec<Problem>> {
    let file = path.display().to_string();
    let text = config::read_text(path, &file, 1)?;
    Forecast::parse(&file, &text, house)
}

fn check_size(forecast: &Forecast, crew: Crew<'_>, options: &Options) -> Result<()> {
    let Crew { shifts, named } = crew;
    let calls = forecast.calls_in_days(options.days);
    if calls > CALLS_MAX {
        bail!("{calls:.0} calls in {} days are more than {CALLS_MAX:.0}; take fewer --days", options.days);
    }
    let lawyers: u64 = shifts.iter().map(|shift| u64::from(shift.lawyers)).sum();
    if lawyers > LAWYERS_MAX {
        bail!("{lawyers} lawyers are more than {LAWYERS_MAX}; take some out of the shifts");
    }
    let is_anybody_needed = options.find_staff.is_some() || options.history.is_some();
    if is_anybody_needed && shifts.is_empty() && named.is_none() {
        bail!(
            "there is no shift to fill; add [[shift]] with a pool and its hours to the forecast, or say --agents or --roster"
        );
    }
    Ok(())
}

fn search(
    shifts: &[Shift],
    house: &House,
    goal: Goal,
    live: impl Fn(&[Shift]) -> engine::Tallies,
) -> (Vec<Shift>, ExitCode) {
    let mut tried = 0;
    let tell = |trial: &Trial| {
        tried += 1;
        println!("{}", line(tried, trial));
    };
    match find_staff::find_staff(shifts, house.pools().len(), goal, live, tell) {
        Answer::Smallest(found) => {
            println!("\nthe smallest roster found; of no shift can a lawyer be spared:");
            for (before, after) in shifts.iter().zip(&found) {
                let (pool, hours) = (after.pool.as_str(), after.hours);
                println!("  {pool:<14} {hours}  {:>4} lawyers (was {})", after.lawyers, before.lawyers);
            }
            println!();
            (found, ExitCode::SUCCESS)
        }
        Answer::Impossible(most) => {
            println!(
                "\nno roster meets the goal: with the one below, which is the last that was tried, more lawyers \
                 change nothing. Look for hours without a shift, for closed pools, and for callers who give up \
                 sooner than a lawyer can pick up.\n"
            );
            (most, ExitCode::FAILURE)
        }
    }
}

fn line(number: u32, trial: &Trial) -> String {
    let percent =
        |rate: Option<f64>| rate.map_or_else(|| "–".to_owned(), |rate| format!("{:.1}%", rate * 100.0));
    format!(
        "{number:>4}: {:>4} lawyers, {:>5} hours a day: connected {:>6}, within 15 s {:>6}{}",
        trial.lawyers,
        trial.lawyer_hours_a_day,
        percent(trial.connected),
        percent(trial.in_time),
        if trial.meets { ", enough" } else { "" }
    )
}

fn write(path: &Path, text: &str) -> Result<()> {
    std::fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
}

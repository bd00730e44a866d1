//! `hotline simulate`: how many lawyers are needed? The hotline's own dialplan and distribution machine live through
//! days of a forecast in a few seconds, with the callers that it expects and the lawyers of a roster.
//!
//! `house` knows the dialplan, `forecast` what a day brings, `history` what past days brought, `people` what each caller
//! does, `engine` lets the days pass, `tally` counts, `find_staff` looks for the smallest roster, `report` tells. Only
//! this file does IO.

mod engine;
#[cfg(test)]
mod erlang;
mod find_staff;
mod forecast;
mod history;
mod house;
mod people;
mod percent;
#[cfg(test)]
mod regions;
mod report;
mod tally;
#[cfg(test)]
mod tests;

use crate::commands;
use crate::config;
use crate::server;
use anyhow::{Context as _, Result, anyhow, bail};
use clap::Args;
use dialplan::Problem;
use find_staff::{Answer, Goal, Trial};
use forecast::{Forecast, Shift};
use history::{Days, Estimates};
use house::{House, Sounds};
use percent::Percent;
use report::Report;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
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
    /// What the days bring: see dialplans/forecasts/wenzhou.toml. With --history only its shifts and languages count.
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
    /// Lawyers around the clock in place of the forecast's shifts: city=5,lucheng=2.
    #[arg(long)]
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
    let (house, forecast) = match load(options)? {
        Ok(read) => read,
        Err(problems) => return Ok(commands::report(&problems)),
    };
    let (forecast, estimates) = match callers(options, &house, forecast)? {
        Ok(callers) => callers,
        Err(problems) => return Ok(commands::report(&problems)),
    };
    if let Some(estimates) = &estimates {
        print!("{}", history::lines(estimates));
    }
    let shifts = match &options.agents {
        Some(agents) => forecast::parse_agents(agents, &house).map_err(|what| anyhow!(what))?,
        None => forecast.shifts.clone(),
    };
    check_size(&forecast, &shifts, options)?;
    let live = |shifts: &[Shift]| engine::simulate(&house, &forecast, shifts, options.seed, options.days);
    let (shifts, code) = match options.find_staff {
        Some(connected) => search(&shifts, &house, Goal { connected, in_time: options.goal15 }, live),
        None => (shifts, ExitCode::SUCCESS),
    };
    let first_day = dialplan::china_date(forecast.start);
    let tallies = live(&shifts);
    let report = Report::new(&house, &tallies, &shifts, first_day, (options.days, options.seed));
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

/// The forecast as it was read, or as the past says; the problems of the server's settings if they have some.
fn callers(
    options: &Options,
    house: &House,
    forecast: Option<Forecast>,
) -> Result<Read<(Forecast, Option<Estimates>)>> {
    let Some(settings) = &options.history else {
        let forecast = forecast.context("say --forecast or --history")?;
        return Ok(Ok((forecast, None)));
    };
    let days = days_measured(options.from.as_deref(), options.to.as_deref())?;
    let settings = match config::load(settings, config::today()) {
        Ok(checked) => checked.value,
        Err(problems) => return Ok(Err(problems)),
    };
    let history = past_calls(&settings.store.url, house, days)?;
    let measured = history::measure(&history, days, house, forecast.as_ref());
    let (forecast, estimates) = measured.map_err(|what| anyhow!(what))?;
    Ok(Ok((forecast, Some(estimates))))
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

/// Both files; if either is wrong, the problems of both.
fn load(options: &Options) -> Result<Read<(House, Option<Forecast>)>> {
    let beside = options.dialplan.parent().unwrap_or_else(|| Path::new(".")).join("prompts/zh-CN");
    let folders = if options.prompts.is_empty() { vec![beside] } else { options.prompts.clone() };
    let mut sounds = Sounds::new();
    for folder in &folders {
        let found = config::read_prompt_folder(folder);
        let found = found.with_context(|| format!("prompts in {}", folder.display()))?;
        let length = |samples: &[u8]| Duration::from_millis(samples.len() as u64 / PROMPT_BYTES_PER_MS);
        sounds.extend(found.into_iter().map(|(name, samples)| (name, length(&samples))));
    }
    let names = sounds.keys().cloned().collect();
    let plan = config::read_dialplan(&options.dialplan, &names, config::today().year());
    let house = plan.map(|checked| House::new(checked.value, sounds));
    let forecast = options.forecast.as_deref().map(|path| read_forecast(path, house.as_ref().ok()));
    let forecast = forecast.transpose();
    Ok(match (house, forecast) {
        (Ok(house), Ok(forecast)) => Ok((house, forecast)),
        (house, forecast) => {
            let mut problems = house.err().unwrap_or_default();
            problems.extend(forecast.err().unwrap_or_default());
            Err(problems)
        }
    })
}

fn read_forecast(path: &Path, house: Option<&House>) -> Result<Forecast, Vec<Problem>> {
    let file = path.display().to_string();
    let text = config::read_text(path, &file, 1)?;
    Forecast::parse(&file, &text, house)
}

fn check_size(forecast: &Forecast, shifts: &[Shift], options: &Options) -> Result<()> {
    let calls = forecast.calls_in_days(options.days);
    if calls > CALLS_MAX {
        bail!("{calls:.0} calls in {} days are more than {CALLS_MAX:.0}; take fewer --days", options.days);
    }
    let lawyers: u64 = shifts.iter().map(|shift| u64::from(shift.lawyers)).sum();
    if lawyers > LAWYERS_MAX {
        bail!("{lawyers} lawyers are more than {LAWYERS_MAX}; take some out of the shifts");
    }
    if (options.find_staff.is_some() || options.history.is_some()) && shifts.is_empty() {
        bail!(
            "there is no shift to fill; add [[shift]] with a pool and its hours to the forecast, or say --agents"
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

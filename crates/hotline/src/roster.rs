//! `hotline roster`: checks a roster, and shows who is on duty.

use crate::commands::{prompt_names, report};
use crate::config;
use anyhow::{Context as _, Result};
use clap::{Args, Subcommand};
use dialplan::{Checked, Dialplan, Problem, Roster, Staff, parse_china_minute, parse_date};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

#[derive(Subcommand)]
pub enum Command {
    /// Report every error and every warning of a roster, each with its line and remedy.
    Check(Source),
    /// Say who is on shift at an instant or on a day; by default now.
    Show {
        #[command(flatten)]
        source: Source,
        /// A time in China, "2026-10-01 03:00".
        #[arg(long, conflicts_with = "day")]
        at: Option<String>,
        /// All that begins on this day, "2026-10-01".
        #[arg(long)]
        day: Option<String>,
    },
}

#[derive(Args)]
pub struct Source {
    file: PathBuf,
    /// The server's settings, which know the lawyers. Without them the numbers of lawyers go unchecked.
    #[arg(long)]
    config: Option<PathBuf>,
    /// The region's dialplan, unless the settings name it; by default the file of the roster's name in the
    /// folder above.
    #[arg(long, conflicts_with = "config")]
    dialplan: Option<PathBuf>,
}

pub fn run(command: &Command) -> Result<ExitCode> {
    match command {
        Command::Check(source) => {
            say(source, |roster| format!("{}: {}, no errors\n", source.file.display(), roster.region()))
        }
        Command::Show { source, at: Some(at), .. } => {
            let at = parse_china_minute(at)
                .with_context(|| format!("--at \"{at}\" is no time; write \"2026-10-01 03:00\""))?;
            say(source, |roster| roster.show_at(at))
        }
        Command::Show { source, day: Some(day), .. } => {
            let day = parse_date(day)
                .with_context(|| format!("--day \"{day}\" is no date; write \"2026-10-01\""))?;
            say(source, |roster| roster.show_day(day))
        }
        Command::Show { source, at: None, day: None } => {
            say(source, |roster| roster.show_at(net::sip::now()))
        }
    }
}

/// Prints what `words` has to say of a roster that has no errors.
fn say(source: &Source, words: impl FnOnce(&Roster) -> String) -> Result<ExitCode> {
    match source.read()? {
        Ok(Checked { value: roster, warnings }) => {
            print!("{}", words(&roster));
            Ok(report(&warnings))
        }
        Err(problems) => Ok(report(&problems)),
    }
}

impl Source {
    fn read(&self) -> Result<Result<Checked<Roster>, Vec<Problem>>> {
        let house = match &self.config {
            Some(config) => settled(config),
            None => self.beside()?,
        };
        Ok(house.and_then(|(dialplans, staff)| {
            config::read_roster(&self.file, &dialplans, staff.as_ref(), config::today())
        }))
    }

    /// The dialplan in the folder above, and no lawyers.
    fn beside(&self) -> Result<House> {
        let path = match &self.dialplan {
            Some(path) => path.clone(),
            None => {
                let folder = self.file.parent().unwrap_or_else(|| Path::new("."));
                folder.join("..").join(self.file.file_name().context("a roster is a file")?)
            }
        };
        let plan = config::read_dialplan(&path, &prompt_names(&path, &[])?, config::today().year());
        Ok(plan.map(|plan| (vec![Arc::new(plan.value)], None)))
    }
}

/// Dialplans and lawyers.
type House = Result<(Vec<Arc<Dialplan>>, Option<Staff>), Vec<Problem>>;

fn settled(path: &Path) -> House {
    let settings = config::load(path, config::today())?.value;
    let staff = config::staff(&settings.agents);
    Ok((settings.dialplans, Some(staff)))
}

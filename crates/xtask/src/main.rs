//! `cargo xtask …`: what a newcomer types. Finds and installs what is missing, then does its job.
//!
//! Deliberately absent: knowledge of calls. The server shows itself (`hotline demo`), the tests start
//! their own servers; this only builds, starts and counts.

mod bench;
mod command;
mod demo;
mod living;
mod needs;
mod prompts;
mod stages;
mod tally;
mod ui;

use anyhow::Result;
use clap::{Parser, Subcommand};
use std::process::ExitCode;

#[derive(Parser)]
#[command(name = "cargo xtask", about = "Builds, shows and tests Hotline 12348")]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Build the server and show it with scripted callers and lawyers
    Demo {
        /// Handed on to `hotline demo`
        #[arg(last = true)]
        rest: Vec<String>,
    },
    /// Run every test; the last line is `N passed, N failed`
    Test,
    /// Run the fast tests: format, habits, lints, units and scenarios
    Check,
    /// Measure speed and memory of the release build; figures are printed beside their targets
    Bench(bench::Options),
    /// Make the spoken prompts anew from their texts
    Prompts,
}

fn main() -> ExitCode {
    let done = match Arguments::parse().task {
        Task::Demo { rest } => demo::run_with(&rest),
        Task::Test => Ok(stages::test()),
        Task::Check => Ok(stages::check()),
        Task::Bench(options) => bench::run_with(&options),
        Task::Prompts => prompts(),
    };
    match done {
        Ok(code) => code,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn prompts() -> Result<ExitCode> {
    needs::install(needs::PROMPTS)?;
    prompts::run()?;
    Ok(ExitCode::SUCCESS)
}

//! The `hotline` binary: command line, configuration, threads and wiring. It decides nothing about calls.

mod callers;
mod commands;
mod config;
mod demo;
mod duty;
mod outlet;
mod reload;
mod roster;
mod server;
mod simulate;
mod switch_thread;

use clap::{Parser, Subcommand};
use std::path::PathBuf;
use std::process::ExitCode;

/// The public legal-services hotline 12348: a SIP-facing automatic call distributor.
#[derive(Parser)]
#[command(version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run the hotline.
    Serve {
        #[arg(long)]
        config: PathBuf,
    },
    /// Run a hotline with scripted lawyers and callers on this machine, to look at and to dial.
    Demo(demo::Options),
    /// Work with dialplans.
    #[command(subcommand)]
    Dialplan(commands::Dialplan),
    /// Work with rosters (值班表).
    #[command(subcommand)]
    Roster(roster::Command),
    /// Say how many lawyers are needed: days of a forecast under virtual time.
    Simulate(simulate::Options),
    /// Print the digests of a phone's password, which is read from standard input.
    Ha1 {
        #[arg(long)]
        user: String,
        #[arg(long, default_value = "hotline")]
        realm: String,
    },
    /// Ask a running hotline whether it is well; for container health checks.
    Healthcheck {
        #[arg(long, default_value = "127.0.0.1:8080")]
        web: std::net::SocketAddr,
    },
}

fn main() -> ExitCode {
    let filter = tracing_subscriber::EnvFilter::try_from_default_env().unwrap_or_else(|_| "info".into());
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
    let outcome = match Cli::parse().command {
        Command::Serve { config } => commands::serve(&config),
        Command::Demo(options) => demo::run(&options),
        Command::Dialplan(command) => commands::dialplan(&command),
        Command::Roster(command) => roster::run(&command),
        Command::Simulate(options) => simulate::run(&options),
        Command::Ha1 { user, realm } => commands::ha1(&user, &realm),
        Command::Healthcheck { web } => commands::healthcheck(web),
    };
    match outcome {
        Ok(code) => code,
        Err(error) => {
            eprintln!("hotline: {error:#}");
            ExitCode::FAILURE
        }
    }
}

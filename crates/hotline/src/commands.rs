//! The small commands: everything but `demo` and `simulate`.

use crate::config::{self, Settings};
use crate::duty::Duty;
use crate::reload;
use crate::server::{self, Server};
use anyhow::{Context as _, Result, bail};
use clap::Subcommand;
use dialplan::{Checked, Problem};
use domain::{Override, PoolId};
use std::collections::BTreeSet;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;
use tracing::{error, info, warn};

#[derive(Subcommand)]
pub enum Dialplan {
    /// Report every error and every warning of dialplans, each with its line and remedy.
    Check {
        #[arg(required = true)]
        files: Vec<PathBuf>,
        /// Folders of prompts (.al); by default prompts/zh-CN beside each file.
        #[arg(long)]
        prompts: Vec<PathBuf>,
    },
    /// Draw the steps as a Mermaid flowchart.
    Graph {
        file: PathBuf,
        #[arg(long)]
        prompts: Vec<PathBuf>,
    },
    /// Say what becomes of a call, and why.
    Explain {
        file: PathBuf,
        /// The caller's number as the trunk sends it; none for a caller who hides it.
        #[arg(long, default_value = "")]
        caller: String,
        #[arg(long, default_value = "12348")]
        called: String,
        /// A time in China, "2026-10-01 03:00"; by default now.
        #[arg(long)]
        at: Option<String>,
        /// A pool that a supervisor has opened by hand.
        #[arg(long, value_name = "POOL")]
        open: Vec<String>,
        /// A pool that a supervisor has closed by hand.
        #[arg(long, value_name = "POOL")]
        closed: Vec<String>,
        #[arg(long)]
        prompts: Vec<PathBuf>,
    },
}

pub fn serve(path: &Path) -> Result<ExitCode> {
    let settings = match config::load(path, config::today()) {
        Ok(Checked { value, warnings }) => {
            for warning in &warnings {
                warn!("{warning}");
            }
            value
        }
        Err(problems) => return Ok(report(&problems)),
    };
    server::runtime()?.block_on(serve_on_duty(path, settings))
}

async fn serve_on_duty(path: &Path, mut settings: Settings) -> Result<ExitCode> {
    let mut hang_up = server::reload_signal()?;
    let mut duty = None;
    while let (Some(cluster), None) = (&settings.cluster, &duty) {
        let regions: Vec<_> = settings.dialplans.iter().map(|plan| plan.region().clone()).collect();
        tokio::select! {
            held = Duty::wait(cluster, &regions) => duty = Some(held?),
            _ = hang_up.recv() => {
                read_again(path, &mut settings);
            }
            stopped = server::stop_signal() => return stopped.map(|()| ExitCode::SUCCESS),
        }
    }
    let server = Server::start(&settings).await?;
    let dialplans = reload::versions(&settings);
    info!(web = %server.web, udp = ?server.sip_udp, tcp = ?server.sip_tcp, %dialplans, "the hotline is open");
    until_stopped(path, &mut settings, duty.as_mut(), &server).await?;
    info!("stopping: no new calls, those under way may end");
    server.stop().await;
    if let Some(duty) = &mut duty {
        duty.give_back().await;
    }
    Ok(ExitCode::SUCCESS)
}

/// Ends the process where another server is on duty instead.
async fn until_stopped(
    path: &Path,
    settings: &mut Settings,
    duty: Option<&mut Duty>,
    server: &Server,
) -> Result<()> {
    let mut hang_up = server::reload_signal()?;
    let lost = async {
        match duty {
            Some(duty) => duty.until_lost().await,
            None => std::future::pending().await,
        }
    };
    let stopped = server::stop_signal();
    tokio::pin!(lost, stopped);
    loop {
        tokio::select! {
            region = &mut lost => {
                // Another server may already speak for this region: no word more. The journal settles our calls.
                error!(%region, "the lease is lost: this server ends at once");
                std::process::exit(1);
            }
            _ = hang_up.recv() => {
                if read_again(path, settings) {
                    server.configure(settings).await;
                }
            }
            stopped = &mut stopped => return stopped,
        }
    }
}

/// True if the settings were read without an error.
fn read_again(path: &Path, settings: &mut Settings) -> bool {
    // A worker of the web server may read files meanwhile: the call path has its own threads.
    let outcome = tokio::task::block_in_place(|| reload::reload(path, config::today(), settings));
    reload::log(&outcome, settings)
}

pub fn dialplan(command: &Dialplan) -> Result<ExitCode> {
    match command {
        Dialplan::Check { files, prompts } => check(files, prompts),
        Dialplan::Graph { file, prompts } => show(file, prompts, |plan| Ok(plan.graph())),
        Dialplan::Explain { file, caller, called, at, open, closed, prompts } => {
            let now = match at {
                Some(text) => dialplan::parse_china_minute(text)
                    .with_context(|| format!("--at \"{text}\" is no time; write \"2026-10-01 03:00\""))?,
                None => net::sip::now(),
            };
            let set = |open| move |pool: &String| (PoolId::new(pool), Override { open, until: None });
            let overrides = open.iter().map(set(true)).chain(closed.iter().map(set(false)));
            let overrides: dialplan::Overrides = overrides.collect();
            show(file, prompts, |plan| {
                if let Some(pool) = overrides.keys().find(|pool| !plan.pools().contains_key(pool)) {
                    bail!("there is no pool \"{pool}\"");
                }
                Ok(plan.explain(caller, called, dialplan::When { now, overrides: &overrides }))
            })
        }
    }
}

/// Prints what `say` has to say of a dialplan that has no errors.
fn show(
    file: &Path,
    prompts: &[PathBuf],
    say: impl FnOnce(&dialplan::Dialplan) -> Result<String>,
) -> Result<ExitCode> {
    match config::read_dialplan(file, &prompt_names(file, prompts)?, config::today().year()) {
        Ok(Checked { value: plan, warnings }) => {
            print!("{}", say(&plan)?);
            Ok(report(&warnings))
        }
        Err(problems) => Ok(report(&problems)),
    }
}

fn check(files: &[PathBuf], prompts: &[PathBuf]) -> Result<ExitCode> {
    let mut problems = Vec::new();
    for file in files {
        match config::read_dialplan(file, &prompt_names(file, prompts)?, config::today().year()) {
            Ok(Checked { value: plan, mut warnings }) => {
                let (pools, counties) = (plan.pools().len(), plan.counties().len());
                let version = plan.version();
                println!(
                    "{}: {pools} pools, {counties} counties, no errors, version {version}",
                    file.display()
                );
                problems.append(&mut warnings);
            }
            Err(mut found) => problems.append(&mut found),
        }
    }
    // Dialplans that share a calendar share its problems.
    problems.sort();
    problems.dedup();
    Ok(report(&problems))
}

/// The recordings in `prompts`, or else in those beside the dialplan.
pub fn prompt_names(file: &Path, prompts: &[PathBuf]) -> Result<BTreeSet<String>> {
    let folder = file.parent().unwrap_or_else(|| Path::new("."));
    let beside = [folder.join("prompts/zh-CN")];
    let mut names = BTreeSet::new();
    for folder in if prompts.is_empty() { &beside } else { prompts } {
        let found = config::read_prompt_folder(folder);
        names.extend(found.with_context(|| format!("prompts in {}", folder.display()))?.into_keys());
    }
    Ok(names)
}

/// Prints what is wrong or odd; a failure if there is an error among it.
pub fn report(problems: &[Problem]) -> ExitCode {
    for problem in problems {
        eprintln!("{problem}");
    }
    let errors = problems.iter().filter(|problem| problem.is_error()).count();
    let warnings = problems.len() - errors;
    if !problems.is_empty() {
        eprintln!("{errors} error(s), {warnings} warning(s)");
    }
    if errors == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

pub fn ha1(user: &str, realm: &str) -> Result<ExitCode> {
    let mut password = String::new();
    std::io::stdin().take(1_024).read_to_string(&mut password)?;
    let password = password.trim_end_matches(['\r', '\n']);
    if password.is_empty() {
        bail!("the password is read from standard input, and there was none");
    }
    let account = sip::Account::from_password(user, realm, password);
    for (key, digest) in [("ha1_sha256", account.ha1_sha256), ("ha1_md5", account.ha1_md5)] {
        if let Some(digest) = digest {
            println!("{key} = \"{digest}\"");
        }
    }
    Ok(ExitCode::SUCCESS)
}

pub fn healthcheck(web: SocketAddr) -> Result<ExitCode> {
    const DEADLINE: Duration = Duration::from_secs(3);
    let mut stream = TcpStream::connect_timeout(&web, DEADLINE)?;
    stream.set_read_timeout(Some(DEADLINE))?;
    stream.set_write_timeout(Some(DEADLINE))?;
    write!(stream, "GET /healthz HTTP/1.1\r\nHost: {web}\r\nConnection: close\r\n\r\n")?;
    let mut answer = [0; 12];
    stream.read_exact(&mut answer)?;
    Ok(if answer.ends_with(b" 200") { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

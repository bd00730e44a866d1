//! The small commands: everything but `demo` and `simulate`.

use crate::config::{self, Settings};
use crate::duty::Duty;
use crate::server::{self, Server};
use anyhow::{Context as _, Result, bail};
use clap::Subcommand;
use dialplan::Problem;
use std::collections::BTreeSet;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;
use tracing::{error, info};

#[derive(Subcommand)]
pub enum Dialplan {
    /// Report every error of a dialplan with its line and remedy.
    Check {
        file: PathBuf,
        /// Folders of prompts (.al); by default prompts/zh-CN beside the file.
        #[arg(long)]
        prompts: Vec<PathBuf>,
    },
}

pub fn serve(path: &Path) -> Result<ExitCode> {
    let settings = match config::load(path) {
        Ok(settings) => settings,
        Err(problems) => return Ok(report(&problems)),
    };
    server::runtime()?.block_on(serve_on_duty(settings))
}

async fn serve_on_duty(settings: Settings) -> Result<ExitCode> {
    let mut duty = match &settings.cluster {
        Some(cluster) => {
            let regions: Vec<_> = settings.dialplans.iter().map(|plan| plan.region().clone()).collect();
            tokio::select! {
                duty = Duty::wait(cluster, &regions) => Some(duty?),
                stopped = server::stop_signal() => return stopped.map(|()| ExitCode::SUCCESS),
            }
        }
        None => None,
    };
    let server = Server::start(settings).await?;
    info!(web = %server.web, udp = ?server.sip_udp, tcp = ?server.sip_tcp, "the hotline is open");
    let lost = async {
        match &mut duty {
            Some(duty) => duty.until_lost().await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        region = lost => {
            // Another server may already speak for this region: no word more. The journal settles our calls.
            error!(%region, "the lease is lost: this server ends at once");
            std::process::exit(1);
        }
        stopped = server::stop_signal() => stopped?,
    }
    info!("stopping: no new calls, those under way may end");
    server.stop().await;
    if let Some(duty) = &mut duty {
        duty.give_back().await;
    }
    Ok(ExitCode::SUCCESS)
}

pub fn dialplan(command: &Dialplan) -> Result<ExitCode> {
    let Dialplan::Check { file, prompts } = command;
    let beside = file.parent().unwrap_or_else(|| Path::new(".")).join("prompts/zh-CN");
    let folders = if prompts.is_empty() { vec![beside] } else { prompts.clone() };
    let mut names = BTreeSet::new();
    for folder in &folders {
        let found = config::read_prompt_folder(folder);
        names.extend(found.with_context(|| format!("prompts in {}", folder.display()))?.into_keys());
    }
    let text = std::fs::read_to_string(file).with_context(|| file.display().to_string())?;
    match dialplan::Dialplan::parse(&file.display().to_string(), &text, &names) {
        Ok(plan) => {
            println!(
                "{}: {} pools, {} counties, no errors",
                file.display(),
                plan.pools().len(),
                plan.counties().len()
            );
            Ok(ExitCode::SUCCESS)
        }
        Err(problems) => Ok(report(&problems)),
    }
}

pub fn report(problems: &[Problem]) -> ExitCode {
    for problem in problems {
        eprintln!("{problem}");
    }
    eprintln!("{} error(s)", problems.len());
    ExitCode::FAILURE
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

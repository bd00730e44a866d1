//! `cargo xtask bench`: what a call costs, what the server holds and where it gives up.
//!
//! Server and load generator are processes of their own that share the machine's cores, so what counts is
//! the server's own CPU time, as the kernel keeps it. Everything stays on the loopback. Nothing here is a
//! test: figures depend on the machine, so they are printed beside their targets and judged by a reader.

mod figures;
mod load;
mod parts;
mod server;

use crate::command::{announce, metadata, run};
use crate::needs;
use anyhow::{Context, Result, bail};
use clap::Args;
use figures::{Figures, TARGETS, Target};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

/// What is measured together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    Acd,
    Dialplan,
    Calls,
    Rate,
    Media,
    Conference,
    Held,
    Leak,
}

const PARTS: [Part; 8] = [
    Part::Acd,
    Part::Dialplan,
    Part::Calls,
    Part::Rate,
    Part::Media,
    Part::Conference,
    Part::Held,
    Part::Leak,
];

impl Part {
    const fn name(self) -> &'static str {
        match self {
            Self::Acd => "acd",
            Self::Dialplan => "dialplan",
            Self::Calls => "calls",
            Self::Rate => "rate",
            Self::Media => "media",
            Self::Conference => "conference",
            Self::Held => "held",
            Self::Leak => "leak",
        }
    }
}

/// Where the release programs are.
pub struct Programs {
    folder: PathBuf,
    /// Of all servers of this run, deleted at its end.
    data: PathBuf,
}

impl Drop for Programs {
    fn drop(&mut self) {
        // What stays behind is among the temporary files.
        let _ = fs::remove_dir_all(&self.data);
    }
}

impl Programs {
    pub fn data(&self) -> &Path {
        &self.data
    }

    pub fn server(&self) -> PathBuf {
        self.folder.join("hotline")
    }

    pub fn load(&self) -> PathBuf {
        self.folder.join("hotline-load")
    }

    pub fn acd(&self) -> PathBuf {
        self.folder.join("examples/bench")
    }

    pub fn dialplan(&self) -> PathBuf {
        self.folder.join("examples/dialplan_bench")
    }

    pub fn conference(&self) -> PathBuf {
        self.folder.join("examples/conference_bench")
    }
}

#[derive(Args)]
pub struct Options {
    /// Write the figures as one JSON object
    #[arg(long)]
    json: Option<PathBuf>,
    /// Parts or keys, separated by commas
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
    /// Measure what was built last
    #[arg(long)]
    as_built: bool,
}

pub fn run_with(Options { json, only, as_built }: &Options) -> Result<ExitCode> {
    let parts = choose(only)?;
    if !as_built {
        build(&parts)?;
    }
    let programs = programs()?;
    println!("{}", figures::machine());
    let mut figures = Figures::default();
    let mut failed = false;
    for part in parts {
        eprintln!("\n▸ bench {}", part.name());
        // One part that breaks does not keep the next from being measured.
        if let Err(error) = parts::measure(part, &programs, &mut figures) {
            eprintln!("  {}: {error:#}", part.name());
            failed = true;
        }
    }
    println!("\n{}", figures.table());
    if let Some(file) = json {
        let text = serde_json::to_string_pretty(&figures.values())?;
        fs::write(file, text + "\n").with_context(|| file.display().to_string())?;
    }
    Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// The parts that are named, by their names or by a key of theirs; all of them if none is.
fn choose(only: &[String]) -> Result<Vec<Part>> {
    if only.is_empty() {
        return Ok(PARTS.to_vec());
    }
    let mut wanted = Vec::new();
    for name in only {
        let by_key = TARGETS.iter().find(|target| target.key == name).map(|target| target.part);
        let Some(part) = by_key.or_else(|| PARTS.into_iter().find(|part| part.name() == name)) else {
            let keys = TARGETS.iter().map(|Target { key, .. }| *key);
            let names: Vec<&str> = PARTS.into_iter().map(Part::name).chain(keys).collect();
            bail!("there is no \"{name}\" to measure; there are {}", names.join(", "));
        };
        wanted.push(part);
    }
    Ok(PARTS.into_iter().filter(|part| wanted.contains(part)).collect())
}

fn build(parts: &[Part]) -> Result<()> {
    needs::install(needs::BUILD)?;
    let cargo = |rest: &[&str]| {
        let arguments: Vec<&str> =
            ["build", "--release", "--locked"].into_iter().chain(rest.iter().copied()).collect();
        run(&mut announce("cargo", &arguments, ""))
    };
    if parts.contains(&Part::Acd) {
        cargo(&["--package", "acd", "--example", "bench"])?;
    }
    if parts.contains(&Part::Dialplan) {
        cargo(&["--package", "switch", "--example", "dialplan_bench"])?;
    }
    if parts.contains(&Part::Conference) {
        cargo(&["--package", "net", "--example", "conference_bench"])?;
    }
    if parts.iter().any(|part| !matches!(part, Part::Acd | Part::Dialplan | Part::Conference)) {
        cargo(&["--package", "hotline", "--package", "phones", "--bins"])?;
    }
    Ok(())
}

fn programs() -> Result<Programs> {
    let metadata = metadata()?;
    let target = metadata["target_directory"].as_str().context("cargo names its target directory")?;
    let data = std::env::temp_dir().join(format!("hotline-bench-{}", std::process::id()));
    fs::create_dir(&data).with_context(|| data.display().to_string())?;
    spread(&data);
    Ok(Programs { folder: Path::new(target).join("release"), data })
}

/// ext4 without a journal makes files slowly where others were deleted in the last minutes (it reads every
/// inode that it skips), and each part, and each run before this one, leaves such a place. Folders in one with
/// this attribute are put far from each other. On another file system there is nothing to mend.
fn spread(folder: &Path) {
    let _ = Command::new("chattr").arg("+T").arg(folder).stderr(Stdio::null()).status();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_chosen_by_name_or_by_key_and_run_in_their_order() {
        let choose = |only: &[&str]| choose(&only.iter().map(|&name| name.to_owned()).collect::<Vec<_>>());
        assert_eq!(choose(&["held", "offer_p99_ms", "calls"]).unwrap(), [Part::Calls, Part::Held]);
        assert_eq!(choose(&[]).unwrap().len(), PARTS.len());
        assert!(choose(&["fast"]).unwrap_err().to_string().contains("call_cpu_ms"));
    }
}

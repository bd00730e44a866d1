//! `cargo xtask demo`: the server as it will run, with scripted callers and lawyers.

use crate::command::{announce, metadata, root, run};
use crate::{needs, ui};
use anyhow::{Context, Result};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, ExitCode};

/// Builds, then becomes `hotline demo`, which says what to open and what to dial.
pub fn run_with(rest: &[String]) -> Result<ExitCode> {
    needs::install(needs::BUILD)?;
    ui::build()?;
    run(&mut announce("cargo", &["build", "--release", "--locked", "--package", "hotline"], ""))?;
    let metadata = metadata()?;
    let target = metadata["target_directory"].as_str().context("cargo names its target directory")?;
    let server = Path::new(target).join("release/hotline");
    // In place of this process, so that Ctrl-C reaches the server and nobody returns before it.
    let error = Command::new(&server).arg("demo").args(rest).current_dir(root()).exec();
    Err(error).with_context(|| server.display().to_string())
}

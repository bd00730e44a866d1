//! Other programs: started from the top folder, without input, and listened to line by line.

use anyhow::{Context, Result};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Programs that are for this repository only; they come before those of the system.
pub const TOOLS: &str = "target/tools";

/// The top folder of the repository.
pub fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).unwrap_or(here).to_owned()
}

/// Says what will run, and prepares it.
pub fn announce(program: &str, arguments: &[&str], folder: &str) -> Command {
    let place = if folder.is_empty() { String::new() } else { format!("  (in {folder})") };
    eprintln!("\n▸ {program} {}{place}", arguments.join(" "));
    let mut command = command(program, arguments);
    command.current_dir(root().join(folder));
    command
}

/// Runs to the end; a failure is an error.
pub fn run(command: &mut Command) -> Result<()> {
    let status = command.status().with_context(|| name(command))?;
    anyhow::ensure!(status.success(), "{} ended with {status}", name(command));
    Ok(())
}

/// Runs to the end; shows what it prints, and hands each line to `hear`.
pub fn listen(command: &mut Command, mut hear: impl FnMut(&str)) -> Result<bool> {
    let mut child = command.stdout(Stdio::piped()).spawn().with_context(|| name(command))?;
    let output = child.stdout.take().context("the output was asked for as a pipe")?;
    for line in BufReader::new(output).split(b'\n') {
        let line = line.with_context(|| name(command))?;
        let text = String::from_utf8_lossy(&line);
        // A reader of ours that is gone is no reason to stop the tests.
        let _ = writeln!(std::io::stdout(), "{text}");
        hear(&text);
    }
    Ok(child.wait().with_context(|| name(command))?.success())
}

/// What it prints, if it can be started and succeeds.
pub fn answer(program: &str, arguments: &[&str]) -> Option<String> {
    let output = command(program, arguments).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// What cargo says of this workspace.
pub fn metadata() -> Result<serde_json::Value> {
    let text = answer("cargo", &["metadata", "--no-deps", "--format-version", "1"])
        .context("cargo metadata failed")?;
    serde_json::from_str(&text).context("cargo metadata is not JSON")
}

fn command(program: &str, arguments: &[&str]) -> Command {
    let ours = root().join(TOOLS).join("node_modules/.bin");
    let path = std::env::var_os("PATH").unwrap_or_default();
    let path = std::env::join_paths(std::iter::once(ours).chain(std::env::split_paths(&path)));
    let mut command = Command::new(program);
    command.args(arguments).current_dir(root()).stdin(Stdio::null());
    // Cargo tells us about ourselves. Handed on to a cargo of ours, it would have build scripts run anew that
    // look at it, and half of the workspace built anew with them.
    for (name, _) in std::env::vars_os() {
        let is_about_us = |prefix| name.to_str().is_some_and(|name| name.starts_with(prefix));
        if is_about_us("CARGO_PKG_") || is_about_us("CARGO_MANIFEST_") {
            command.env_remove(&name);
        }
    }
    // A PATH that cannot be joined is handed on as it is.
    if let Ok(path) = path {
        command.env("PATH", path);
    }
    command
}

fn name(command: &Command) -> String {
    command.get_program().to_string_lossy().into_owned()
}

//! `cargo xtask test` and `cargo xtask check`: the tests in stages, from cheap to dear, and their sum.
//!
//! A stage that fails does not keep the next from running: one run tells everything that is wrong.
//! Deliberately absent: servers. Each test starts its own, on ports that are free.

use crate::command::{announce, listen, metadata, root, run};
use crate::living::LivingHotline;
use crate::tally::Tally;
use crate::{needs, ui};
use anyhow::{Context, Result};
use std::fs;
use std::process::ExitCode;

/// Test targets with a stage of their own; every other target of the workspace is found by itself.
const HABITS: &str = "tidy";
const REAL_PHONES: &str = "e2e";
/// Targets in the fast half: text scripts and golden ladders through the pure switch.
const FAST: [&str; 2] = ["scenarios", "flows"];

/// Every test of the project.
pub fn test() -> ExitCode {
    let mut tally = Tally::default();
    tally.stage("preparation", prepare());
    tally.stage("format", cargo(&["fmt", "--all", "--check"]));
    tests(&mut tally, "habits", &["--test", HABITS]);
    tally.stage("lints", lints());
    tally.stage("types of the consoles", run(&mut announce("npm", &["run", "check"], ui::CONSOLES)));
    console_tests(&mut tally);
    tally.stage("server", cargo(&["build", "--workspace", "--bins"]));
    tests(&mut tally, "units", &["--lib", "--bins"]);
    documentation_tests(&mut tally);
    match targets() {
        Ok(names) => {
            let others = names.into_iter().filter(|name| name != HABITS && name != REAL_PHONES);
            tests(&mut tally, "across crates", &selected(others));
        }
        Err(error) => tally.stage("across crates", Err(error)),
    }
    tests(&mut tally, "real phones", &["--test", REAL_PHONES]);
    browser_tests(&mut tally);
    report(&tally)
}

/// The everyday loop.
pub fn check() -> ExitCode {
    let mut tally = Tally::default();
    tally.stage("preparation", needs::rust_components());
    tally.stage("format", cargo(&["fmt", "--all", "--check"]));
    tests(&mut tally, "habits", &["--test", HABITS]);
    tally.stage("lints", lints());
    tests(&mut tally, "units", &["--lib", "--bins"]);
    tests(&mut tally, "scenarios", &selected(FAST.map(str::to_owned)));
    report(&tally)
}

fn prepare() -> Result<()> {
    needs::install(&[needs::BUILD, needs::TEST].concat())?;
    needs::rust_components()?;
    ui::build()?;
    ui::install(ui::BROWSER_TESTS)
}

fn lints() -> Result<()> {
    cargo(&["clippy", "--workspace", "--all-targets", "--quiet", "--", "-D", "warnings"])
}

fn cargo(arguments: &[&str]) -> Result<()> {
    run(&mut announce("cargo", arguments, ""))
}

/// `cargo test` of the targets that `selection` names.
fn tests(tally: &mut Tally, name: &str, selection: &[impl AsRef<str>]) {
    let selection = selection.iter().map(AsRef::as_ref);
    let arguments: Vec<&str> =
        ["test", "--workspace", "--no-fail-fast"].into_iter().chain(selection).collect();
    let mut counted = Tally::default();
    let ended = listen(&mut announce("cargo", &arguments, ""), |line| counted.hear_cargo(line));
    tally.runner(name, counted, ended);
}

/// The examples in the documentation; there need not be any.
fn documentation_tests(tally: &mut Tally) {
    let mut counted = Tally::default();
    let command = &mut announce("cargo", &["test", "--workspace", "--no-fail-fast", "--doc"], "");
    let ended = listen(command, |line| counted.hear_cargo(line));
    if counted != Tally::default() || !matches!(ended, Ok(true)) {
        tally.runner("documentation", counted, ended);
    }
}

fn console_tests(tally: &mut Tally) {
    let report = root().join(ui::CONSOLES).join("node_modules/.vitest.json");
    // A report of an earlier run must not be taken for this one's.
    let _ = fs::remove_file(&report);
    let file = format!("--outputFile.json={}", report.display());
    let arguments = ["test", "--", "--reporter=default", "--reporter=json", &file];
    let ended = listen(&mut announce("npm", &arguments, ui::CONSOLES), |_| ());
    let mut counted = Tally::default();
    if let Some(report) = fs::read(&report).ok().and_then(|text| serde_json::from_slice(&text).ok()) {
        counted.hear_vitest(&report);
    }
    tally.runner("consoles", counted, ended);
}

fn browser_tests(tally: &mut Tally) {
    let mut counted = Tally::default();
    let ended = LivingHotline::start().and_then(|hotline| {
        let mut command = announce("npm", &["test"], ui::BROWSER_TESTS);
        listen(command.env("BASE_URL", &hotline.url), |line| counted.hear_node(line))
    });
    tally.runner("browser", counted, ended);
}

/// Names of all test targets of the workspace.
fn targets() -> Result<Vec<String>> {
    let metadata = metadata()?;
    let packages = metadata["packages"].as_array().context("cargo names its packages")?;
    let targets = packages.iter().flat_map(|package| package["targets"].as_array().into_iter().flatten());
    let tests = targets
        .filter(|target| target["kind"].as_array().is_some_and(|kind| kind.iter().any(|k| k == "test")));
    let mut names: Vec<String> =
        tests.filter_map(|target| target["name"].as_str().map(str::to_owned)).collect();
    names.sort();
    names.dedup();
    Ok(names)
}

fn selected(targets: impl IntoIterator<Item = String>) -> Vec<String> {
    targets.into_iter().flat_map(|name| ["--test".to_owned(), name]).collect()
}

/// Says what failed, then the one line that everybody reads.
fn report(tally: &Tally) -> ExitCode {
    if !tally.failures.is_empty() {
        eprintln!("\nfailed:\n  {}", tally.failures.join("\n  "));
    }
    println!("\n{tally}");
    if tally.failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

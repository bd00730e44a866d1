//! The npm packages of this repository: installed as their lock file says, built when they changed.

use crate::command::{announce, root, run};
use crate::needs;
use anyhow::{Context, Result};
use serde_json::Value;
use std::fs;
use std::path::Path;
use std::time::SystemTime;

/// The consoles.
pub const CONSOLES: &str = "crates/web/ui";
/// The browser tests.
pub const BROWSER_TESTS: &str = "tests/e2e/ui";

/// Installs the packages of `folder` if they are not what its lock file says.
pub fn install(folder: &str) -> Result<()> {
    let missing = missing_packages(&root().join(folder))?;
    if missing.is_empty() {
        return Ok(());
    }
    let first = missing.iter().take(3).map(String::as_str).collect::<Vec<_>>().join(", ");
    eprintln!("missing in {folder}: {} npm packages ({first}, …)", missing.len());
    run(&mut announce("npm", &["ci", "--no-audit", "--no-fund"], folder))
}

/// Builds the consoles into `dist/`, unless that is newer than every source.
pub fn build() -> Result<()> {
    needs::node()?;
    install(CONSOLES)?;
    let folder = root().join(CONSOLES);
    let built = changed_at(&folder.join("dist/index.html"));
    if built.is_some_and(|built| newest_source(&folder).is_some_and(|source| source < built)) {
        return Ok(());
    }
    run(&mut announce("npm", &["run", "build"], CONSOLES))
}

/// Paths of the packages in the lock file that are absent or of another version; what is optional
/// depends on the machine and does not count.
fn missing_packages(folder: &Path) -> Result<Vec<String>> {
    let wanted = packages(&folder.join("package-lock.json"))?;
    let wanted =
        wanted.as_object().context("package-lock.json has no packages; is it older than version 2?")?;
    let have = packages(&folder.join("node_modules/.package-lock.json")).unwrap_or(Value::Null);
    let counts = |path: &str, package: &Value| {
        !path.is_empty() && ["optional", "devOptional"].iter().all(|flag| package[flag] != Value::Bool(true))
    };
    let differs = |path: &str, package: &Value| have[path]["version"] != package["version"];
    let missing = wanted.iter().filter(|(path, package)| counts(path, package) && differs(path, package));
    Ok(missing.map(|(path, _)| path.trim_start_matches("node_modules/").to_owned()).collect())
}

fn packages(lock: &Path) -> Result<Value> {
    let text = fs::read_to_string(lock).with_context(|| lock.display().to_string())?;
    let mut lock: Value = serde_json::from_str(&text).with_context(|| lock.display().to_string())?;
    Ok(lock["packages"].take())
}

fn newest_source(folder: &Path) -> Option<SystemTime> {
    let entries = folder.read_dir().ok()?.flatten();
    let source = |path: &Path| !path.ends_with("node_modules") && !path.ends_with("dist");
    let times = entries
        .map(|entry| entry.path())
        .filter(|path| source(path))
        .filter_map(|path| if path.is_dir() { newest_source(&path) } else { changed_at(&path) });
    times.max()
}

fn changed_at(path: &Path) -> Option<SystemTime> {
    path.metadata().ok()?.modified().ok()
}

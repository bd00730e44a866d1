//! Dialplans and the files that belong to them: calendars, tables.

use super::read::read_text;
use dialplan::{Calendars, Checked, Context, Date, Dialplan, Problem, china_day};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Beside a dialplan: one file a calendar and year.
const CALENDARS: &str = "calendars";

/// Reads the dialplan `path`, the calendars beside it and the tables that it names. `prompts` are the
/// recordings that exist; `year` is the one that calendars must cover.
///
/// # Errors
/// Every problem of every file, warnings too; there is at least one error among them.
pub fn read_dialplan(
    path: &Path,
    prompts: &BTreeSet<String>,
    year: i32,
) -> Result<Checked<Dialplan>, Vec<Problem>> {
    let file = path.display().to_string();
    let text = read_text(path, &file, 1)?;
    let folder = path.parent().unwrap_or_else(|| Path::new("."));
    // With a calendar that is broken the rest is looked at all the same: all problems come at once.
    let (calendars, mut odd) = match read_calendars(&folder.join(CALENDARS)) {
        Ok(Checked { value, warnings }) => (value, warnings),
        Err(problems) => (Calendars::unread(), problems),
    };
    let read_table = |name: &str| std::fs::read(folder.join(name)).map_err(|error| error.to_string());
    let context = Context::new(prompts, &calendars, year).with_tables(&read_table);
    match Dialplan::parse(&file, &text, &context) {
        Ok(Checked { value, mut warnings }) => {
            odd.append(&mut warnings);
            let is_refused = odd.iter().any(Problem::is_error);
            if is_refused { Err(odd) } else { Ok(Checked { value, warnings: odd }) }
        }
        Err(mut problems) => {
            odd.append(&mut problems);
            Err(odd)
        }
    }
}

/// In China.
pub fn today() -> Date {
    china_day(net::sip::now())
}

/// No folder, no calendars: a dialplan that names one says so itself.
fn read_calendars(folder: &Path) -> Result<Checked<Calendars>, Vec<Problem>> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Calendars::read([]) };
    let mut paths: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    paths.retain(|path| path.extension().is_some_and(|ending| ending == "toml"));
    paths.sort();
    let mut files = Vec::new();
    for path in &paths {
        let file = path.display().to_string();
        let text = read_text(path, &file, 1)?;
        files.push((file, text));
    }
    Calendars::read(files.iter().map(|(file, text)| (file.as_str(), text.as_str())))
}

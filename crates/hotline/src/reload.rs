//! A changed configuration under a running hotline: everything is read and checked again. What has an error is
//! refused as a whole and the old one stays; what can only change at a start is left as it was, and told.

use crate::config::{self, Settings};
use dialplan::{Checked, Date, Dialplan, Problem};
use domain::{AgentId, RegionId};
use std::collections::BTreeMap;
use std::fmt::Display;
use std::path::Path;
use std::sync::Arc;
use tracing::{error, info, warn};

/// What became of an attempt, for the log.
pub struct Reload {
    /// In words; nothing if everything is as it was.
    pub changes: Vec<String>,
    /// Parts that differ from the file and stay as they are until the next start.
    pub postponed: Vec<&'static str>,
    pub warnings: Vec<Problem>,
}

/// Reads `path` again and, unless there is an error, puts it in the place of `running`.
///
/// # Errors
/// Every problem of every file; there is at least one error among them, and `running` is what it was.
pub fn reload(path: &Path, today: Date, running: &mut Settings) -> Result<Reload, Vec<Problem>> {
    let Checked { value: mut read, warnings } = config::load(path, today)?;
    let is_shared = running.cluster.is_some();
    if is_shared && regions(running).ne(regions(&read)) {
        let what = "the regions are others than those that this server holds the leases of";
        let remedy = "start the servers anew to serve other regions";
        return Err(vec![Problem::error(path.display().to_string(), 1, what, remedy)]);
    }
    let postponed = keep_what_needs_a_start(running, &mut read);
    let changes = changes(running, &read);
    *running = read;
    Ok(Reload { changes, postponed, warnings })
}

/// Tells of it; true if what was read is to be taken.
pub fn log(outcome: &Result<Reload, Vec<Problem>>, running: &Settings) -> bool {
    match outcome {
        Ok(Reload { changes, postponed, warnings }) => {
            warnings.iter().for_each(|warning| warn!("{warning}"));
            postponed
                .iter()
                .for_each(|part| warn!("[{part}] has changed: it takes effect at the next start"));
            changes.iter().for_each(|change| info!("reload: {change}"));
            info!(changes = changes.len(), dialplans = %versions(running), "the configuration was read again");
            true
        }
        Err(problems) => {
            for problem in problems {
                if problem.is_error() { error!("{problem}") } else { warn!("{problem}") }
            }
            error!(dialplans = %versions(running), "the configuration is refused: the running one stays");
            false
        }
    }
}

/// `wenzhou 3f2a…, fujian 77d0…`: which dialplans run.
pub fn versions(settings: &Settings) -> String {
    let plans = settings.dialplans.iter().map(|plan| format!("{} {}", plan.region(), plan.version()));
    plans.collect::<Vec<_>>().join(", ")
}

fn regions(settings: &Settings) -> impl Iterator<Item = &RegionId> {
    let mut regions: Vec<&RegionId> = settings.dialplans.iter().map(|plan| plan.region()).collect();
    regions.sort();
    regions.into_iter()
}

/// Sockets, files and trunks stay; names those that differ.
fn keep_what_needs_a_start(running: &mut Settings, read: &mut Settings) -> Vec<&'static str> {
    let mut postponed = Vec::new();
    keep("data_dir", &mut running.data_dir, &mut read.data_dir, &mut postponed);
    keep("sip", &mut running.sip, &mut read.sip, &mut postponed);
    keep("media", &mut running.media, &mut read.media, &mut postponed);
    keep("store", &mut running.store, &mut read.store, &mut postponed);
    keep("web", &mut running.web_listen, &mut read.web_listen, &mut postponed);
    keep("limits", &mut running.limits, &mut read.limits, &mut postponed);
    keep("trunk", &mut running.trunks, &mut read.trunks, &mut postponed);
    keep("cluster", &mut running.cluster, &mut read.cluster, &mut postponed);
    postponed
}

fn keep<T: PartialEq>(name: &'static str, running: &mut T, read: &mut T, postponed: &mut Vec<&'static str>) {
    if running != read {
        postponed.push(name);
        std::mem::swap(running, read);
    }
}

fn changes(before: &Settings, after: &Settings) -> Vec<String> {
    let mut changes = Vec::new();
    let by_region = |settings: &Settings| -> BTreeMap<RegionId, Arc<Dialplan>> {
        settings.dialplans.iter().map(|plan| (plan.region().clone(), Arc::clone(plan))).collect()
    };
    let (old, new) = (by_region(before), by_region(after));
    for (region, plan) in &new {
        match old.get(region) {
            Some(old) if old.version() != plan.version() => {
                changes.push(format!("dialplan {region}: version {} → {}", old.version(), plan.version()));
                changes.extend(old.changes_to(plan).iter().map(|change| format!("{region}: {change}")));
            }
            Some(_) => {}
            None => changes.push(format!("dialplan {region}: added, version {}", plan.version())),
        }
    }
    let gone = old.keys().filter(|region| !new.contains_key(*region));
    changes.extend(gone.map(|region| format!("dialplan {region}: removed")));
    let rosters = |settings: &Settings| -> BTreeMap<RegionId, Arc<dialplan::Roster>> {
        settings.rosters.iter().map(|roster| (roster.region().clone(), Arc::clone(roster))).collect()
    };
    changes.extend(compare("rosters", &rosters(before), &rosters(after), RegionId::to_string));
    changes.extend(compare("lawyers", &before.agents, &after.agents, AgentId::to_string));
    changes.extend(compare("accounts", &before.accounts, &after.accounts, String::clone));
    changes.extend(compare("recordings", &before.prompts, &after.prompts, String::clone));
    changes
}

/// `lawyers: 1003 added; 1001 removed; 1002 changed`. Names only: what is behind them may be secret.
fn compare<K: Ord + Display, V: PartialEq>(
    what: &str,
    before: &BTreeMap<K, V>,
    after: &BTreeMap<K, V>,
    show: impl Fn(&K) -> String,
) -> Option<String> {
    let list = |word: &str, keys: Vec<&K>| {
        let names: Vec<String> = keys.into_iter().map(&show).collect();
        (!names.is_empty()).then(|| format!("{} {word}", names.join(", ")))
    };
    let added = after.keys().filter(|key| !before.contains_key(key)).collect();
    let removed = before.keys().filter(|key| !after.contains_key(key)).collect();
    let is_other = |key: &&K| after.get(key).is_some_and(|after| before.get(key) != Some(after));
    let changed = before.keys().filter(is_other).collect();
    let parts = [list("added", added), list("removed", removed), list("changed", changed)];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    (!parts.is_empty()).then(|| format!("{what}: {}", parts.join("; ")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::PathBuf;

    fn today() -> Date {
        dialplan::parse_date("2026-11-22").expect("a date")
    }

    /// A folder with Wenzhou's dialplan and two lawyers.
    fn hotline() -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().expect("a folder");
        let repository =
            Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().expect("it is there");
        let dialplans = repository.join("dialplans");
        std::fs::create_dir(folder.path().join("calendars")).expect("a folder");
        for file in ["wenzhou.toml", "calendars/cn-2026.toml"] {
            std::fs::copy(dialplans.join(file), folder.path().join(file)).expect("a file");
        }
        let text = format!(
            "data_dir = \"data\"\ndialplans = [\"wenzhou.toml\"]\nprompts = [\"{}/prompts/zh-CN\"]\n\
             [[agent]]\nid = 1001\nname = \"王律师\"\nregion = \"wenzhou\"\npools = [\"lucheng\"]\n\
             contact = \"sip:1001@192.0.2.7\"\n\
             [[agent]]\nid = 1002\nname = \"李律师\"\nregion = \"wenzhou\"\npools = [\"ouhai\"]\n\
             contact = \"sip:1002@192.0.2.7\"\n",
            dialplans.display()
        );
        let path = folder.path().join("hotline.toml");
        std::fs::write(&path, text).expect("a file");
        (folder, path)
    }

    fn load(path: &Path) -> Settings {
        config::load(path, today()).unwrap_or_else(|problems| panic!("{problems:#?}")).value
    }

    fn edit(path: &Path, from: &str, to: &str) {
        let text = std::fs::read_to_string(path).expect("a file");
        assert!(text.contains(from), "{from}");
        std::fs::write(path, text.replace(from, to)).expect("a file");
    }

    #[test]
    fn what_has_not_changed_is_no_change() {
        let (_folder, path) = hotline();
        let mut running = load(&path);
        let reload = reload(&path, today(), &mut running).unwrap_or_else(|problems| panic!("{problems:#?}"));
        assert_eq!((reload.changes, reload.postponed), (Vec::new(), Vec::new()));
    }

    #[test]
    fn what_has_changed_is_taken_and_told_in_words() {
        let (folder, path) = hotline();
        let mut running = load(&path);
        let before = running.dialplans[0].version().clone();
        let plan = folder.path().join("wenzhou.toml");
        edit(
            &plan,
            "{ pool = \"@paired\", patience = \"40s\" }",
            "{ pool = \"@paired\", patience = \"35s\" }",
        );
        edit(&plan, "max = \"3m\"\nthen = \"goodbye\"", "max = \"3m\"");
        edit(&path, "id = 1002", "id = 1003");
        edit(&path, "pools = [\"lucheng\"]", "pools = [\"lucheng\", \"city\"]");
        edit(&path, "data_dir = \"data\"", "data_dir = \"elsewhere\"");
        let reload = reload(&path, today(), &mut running).unwrap_or_else(|problems| panic!("{problems:#?}"));
        let after = running.dialplans[0].version();
        let expect = [
            format!("dialplan wenzhou: version {before} → {after}"),
            "wenzhou: step message, leads: → goodbye → ".to_owned(),
            "wenzhou: step wait, does: wait for @county 1m, @paired 40s, city 1m20s → wait for @county 1m, \
             @paired 35s, city 1m20s"
                .to_owned(),
            "lawyers: 1003 added; 1002 removed; 1001 changed".to_owned(),
        ];
        assert_eq!(reload.changes, expect);
        // The database lies in the data folder unless told otherwise.
        assert_eq!(reload.postponed, ["data_dir", "store"]);
        assert!(running.data_dir.ends_with("data"), "it stays until the next start");
        assert_eq!(running.agents.len(), 2);
    }

    #[test]
    fn with_an_error_in_any_file_the_running_configuration_stays() {
        let (folder, path) = hotline();
        let mut running = load(&path);
        let before = versions(&running);
        edit(&path, "pools = [\"ouhai\"]", "pools = [\"ouhay\"]");
        let plan = folder.path().join("wenzhou.toml");
        edit(&plan, "open = \"wait\"", "open = \"weit\"");
        edit(&plan, "city_pool = \"city\"", "city_pool = \"town\"");
        let problems = reload(&path, today(), &mut running).err().expect("it is refused");
        let told = |part: &str| problems.iter().any(|problem| problem.to_string().contains(part));
        assert!(told("no step \"weit\"") && told("no pool \"town\""), "{problems:#?}");
        assert_eq!(versions(&running), before);
        assert_eq!(running.agents.len(), 2);
    }
}

//! From the files to [`Settings`], collecting every problem on the way.

use super::dialplans::read_dialplan;
use super::people::{Lines, read_agents, read_contact, read_phones, why_no_way_out};
use super::rosters::read_rosters;
use super::{Cluster, Media, Prompts, SPOOL_MAX_MIB, Settings, Sip, Store, Trunk, WEB_LISTEN};
use dialplan::doc::{Doc, Section};
use dialplan::{Checked, Date, Dialplan, Problem};
use domain::TrunkId;
use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);
const DAY: Duration = Duration::from_secs(86_400);

/// Reads the configuration and everything it names. Paths in it are relative to its own folder; calendars must
/// cover the year of `today`.
///
/// # Errors
/// Every problem of every file; there is at least one error among them.
pub fn load(path: &Path, today: Date) -> Result<Checked<Settings>, Vec<Problem>> {
    let file = path.display().to_string();
    let text = read_text(path, &file, 1)?;
    let doc = Doc::parse(&file, &text)?;
    let folder = path.parent().unwrap_or_else(|| Path::new("."));
    let mut others = Vec::new();
    let settings = read(&doc, folder, today, &mut others);
    match doc.done(settings) {
        Ok(Checked { value, mut warnings }) => {
            warnings.append(&mut others);
            let is_refused = warnings.iter().any(Problem::is_error);
            if is_refused { Err(warnings) } else { Ok(Checked { value, warnings }) }
        }
        Err(mut problems) => {
            problems.append(&mut others);
            Err(problems)
        }
    }
}

fn read(doc: &Doc, folder: &Path, today: Date, others: &mut Vec<Problem>) -> Settings {
    let root = doc.root();
    let data_dir = folder.join(root.str("data_dir"));
    let sip = read_sip(&root);
    let media = read_media(&root);
    let web_listen = read_web(&root);
    let store = read_store(&root, &data_dir);
    let limits = read_limits(&root);
    let prompts = read_prompts(&root, folder);
    let read = read_dialplans(&root, folder, &prompts, today.year(), others);
    let is_any_broken = others.iter().any(Problem::is_error);
    let trunks: Vec<Trunk> = root.tables("trunk").into_iter().map(read_trunk).collect();
    check_targets(&read, &trunks, others);
    let dialplans: Vec<Arc<Dialplan>> = read.into_iter().map(|(_, plan)| plan).collect();
    let mut accounts = read_phones(&root);
    let lines = Lines { trunks: &trunks, prompts: &prompts };
    let agents = read_agents(&root, &dialplans, is_any_broken, &lines, &mut accounts);
    let rosters = read_rosters(&root, folder, &dialplans, &agents, today, others);
    let cluster = root.opt_table("cluster").map(read_cluster);
    root.finish();
    Settings {
        data_dir,
        sip,
        media,
        store,
        web_listen,
        limits,
        dialplans,
        prompts,
        trunks,
        agents,
        rosters,
        accounts,
        cluster,
    }
}

fn read_sip(root: &Section<'_>) -> Sip {
    let section = root.table_or_empty("sip");
    let default = Sip::default();
    let udp = read_addresses(&section, "udp");
    let tcp = read_addresses(&section, "tcp");
    let is_silent = udp.is_empty() && tcp.is_empty();
    let (udp, tcp) = if is_silent { (default.udp, default.tcp) } else { (udp, tcp) };
    let advertised = section.opt_parsed("advertised", "203.0.113.5");
    let is_anywhere = udp.iter().chain(&tcp).any(|address| address.ip().is_unspecified());
    if is_anywhere && advertised.is_none() {
        let what = "the server listens on every address and does not know which one phones shall use";
        section.problem("udp", what, "add advertised = \"203.0.113.5\" with the address that phones reach");
    }
    let realm = section.str_or("realm", &default.realm);
    let session_expires = section.duration_or("session_expires", default.session_expires, 90 * SECOND..=DAY);
    section.finish();
    Sip { udp, tcp, advertised, realm, session_expires }
}

fn read_addresses(section: &Section<'_>, key: &str) -> Vec<SocketAddr> {
    let parse = |text: &str| {
        let address = text.parse::<SocketAddr>();
        if address.is_err() {
            section.problem(key, format!("\"{text}\" is no address"), "write it like \"192.0.2.1:5060\"");
        }
        address.ok()
    };
    section.list_or_empty(key).iter().filter_map(|entry| parse(&entry.value)).collect()
}

fn read_media(root: &Section<'_>) -> Media {
    let section = root.table_or_empty("media");
    let default = Media::default();
    let ip: IpAddr = section.opt_parsed("ip", "192.0.2.1").unwrap_or(default.ip);
    let advertised = section.opt_parsed("advertised", "203.0.113.5");
    if ip.is_unspecified() && advertised.is_none() {
        let what = "audio is received on every address and phones cannot be told one";
        section.problem("ip", what, "add advertised = \"203.0.113.5\" with the address that phones reach");
    }
    // Above 32767 the kernel hands ports to others.
    let port_min = section.int_or("port_min", default.port_min, 1_024..=32_764);
    let port_max = section.int_or("port_max", default.port_max, 1_027..=32_767);
    if port_max < port_min.saturating_add(3) {
        section.problem("port_max", "too few ports", "a call needs two pairs: four ports at the least");
    }
    let shards = section.int_or("shards", default.shards, 1..=64);
    let silence_timeout = section.duration_or("silence_timeout", default.silence_timeout, 5 * SECOND..=DAY);
    section.finish();
    let advertised = advertised.unwrap_or(ip);
    Media { ip, advertised, port_min, port_max, shards, silence_timeout }
}

fn read_web(root: &Section<'_>) -> SocketAddr {
    let section = root.table_or_empty("web");
    let listen = section.opt_parsed("listen", "127.0.0.1:8080").unwrap_or(WEB_LISTEN);
    if web::check_listen(listen).is_err() {
        let what = format!("the board would be open to everybody on {listen}, and it has no logins yet");
        section.problem("listen", what, "listen on 127.0.0.1 or [::1]");
    }
    section.finish();
    listen
}

fn read_store(root: &Section<'_>, data_dir: &Path) -> Store {
    let section = root.table_or_empty("store");
    let url = section
        .opt_str("url")
        .unwrap_or_else(|| format!("sqlite:{}?mode=rwc", data_dir.join("hotline.db").display()));
    let spool_max_mib = section.int_or("spool_max_mib", SPOOL_MAX_MIB as i64, 16..=1_048_576) as u64;
    section.finish();
    Store { url, spool_max_mib }
}

fn read_limits(root: &Section<'_>) -> switch::Limits {
    let section = root.table_or_empty("limits");
    let default = switch::Limits::default();
    let ms = Duration::from_millis(1);
    let limits = switch::Limits {
        calls_max: section.int_or("calls_max", default.calls_max as i64, 1..=100_000) as usize,
        lag_max: section.duration_or("lag_max", default.lag_max, 10 * ms..=10 * SECOND),
        retry_after_s: section.int_or("retry_after_s", default.retry_after_s, 1..=3_600),
        ping_interval: section.duration_or("ping_interval", default.ping_interval, SECOND..=3_600 * SECOND),
        settle_timeout: default.settle_timeout,
    };
    section.finish();
    limits
}

/// Every `.al` file (raw A-law, 8000 Hz, mono) of the folders, by its name without the ending.
fn read_prompts(root: &Section<'_>, folder: &Path) -> Prompts {
    let mut prompts = Prompts::new();
    for entry in root.list("prompts") {
        let from = folder.join(&entry.value);
        match read_prompt_folder(&from) {
            Ok(found) => prompts.extend(found),
            Err(error) => {
                let what = format!("the prompts in {} cannot be read: {error}", from.display());
                root.problem("prompts", what, "name a folder of .al files");
            }
        }
    }
    prompts
}

pub fn read_prompt_folder(folder: &Path) -> std::io::Result<Prompts> {
    let mut prompts = Prompts::new();
    for entry in std::fs::read_dir(folder)? {
        let path: PathBuf = entry?.path();
        if path.extension().is_some_and(|ending| ending == "al")
            && let Some(name) = path.file_stem().and_then(|stem| stem.to_str())
        {
            prompts.insert(name.to_owned(), Arc::from(std::fs::read(&path)?));
        }
    }
    Ok(prompts)
}

/// Each with the name of its file.
fn read_dialplans(
    root: &Section<'_>,
    folder: &Path,
    prompts: &Prompts,
    year: i32,
    others: &mut Vec<Problem>,
) -> Vec<(String, Arc<Dialplan>)> {
    let names: BTreeSet<String> = prompts.keys().cloned().collect();
    let mut plans: Vec<(String, Arc<Dialplan>)> = Vec::new();
    for entry in root.list("dialplans") {
        let path = folder.join(&entry.value);
        match read_dialplan(&path, &names, year) {
            Ok(Checked { value: plan, .. })
                if plans.iter().any(|(_, other)| other.region() == plan.region()) =>
            {
                let what = format!("two dialplans serve the region {}", plan.region());
                root.problem("dialplans", what, "keep one of them");
            }
            Ok(Checked { value: plan, mut warnings }) => {
                others.append(&mut warnings);
                plans.push((path.display().to_string(), Arc::new(plan)));
            }
            Err(mut problems) => others.append(&mut problems),
        }
    }
    plans
}

/// Dialplans name trunks that only the settings know.
fn check_targets(dialplans: &[(String, Arc<Dialplan>)], trunks: &[Trunk], others: &mut Vec<Problem>) {
    for (file, plan) in dialplans {
        for (id, target) in plan.targets() {
            if let Some((what, remedy)) = why_no_way_out(target.trunk.as_str(), trunks) {
                others.push(Problem::error(file, plan.trunk_line(id), what, remedy));
            }
        }
    }
}

fn read_cluster(section: Section<'_>) -> Cluster {
    let redis = section.str("redis");
    let is_redis = ["redis://", "rediss://", "unix://"].iter().any(|scheme| redis.starts_with(scheme));
    if !redis.is_empty() && !is_redis {
        section.problem("redis", "this is no address of a Redis", "write it like \"redis://192.0.2.9:6379\"");
    }
    let node = section.str("node");
    section.finish();
    Cluster { redis, node }
}

fn read_trunk(section: Section<'_>) -> Trunk {
    let id = TrunkId::new(&section.str("id"));
    let mut peers = BTreeSet::new();
    for entry in section.list("peers") {
        match entry.value.parse::<IpAddr>() {
            Ok(ip) => {
                peers.insert(ip);
            }
            Err(_) => section.problem(
                "peers",
                format!("\"{}\" is no address", entry.value),
                "write the address that the operator sends from, like \"203.0.113.1\"",
            ),
        }
    }
    let contact = section.opt_str("contact").and_then(|text| read_contact(&section, &text));
    section.finish();
    Trunk { id, peers, contact }
}

/// `line` is where the file was named, or 1.
pub fn read_text(path: &Path, file: &str, line: usize) -> Result<String, Vec<Problem>> {
    std::fs::read_to_string(path).map_err(|error| {
        let what = format!("cannot be read: {error}");
        vec![Problem::error(file, line, what, "check the path and that it is UTF-8 text")]
    })
}

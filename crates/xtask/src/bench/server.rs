//! The server under load: as in production, with a dialplan that lets no time pass before the queue.

use super::Programs;
use crate::command::root;
use anyhow::{Context, Result, ensure};
use std::fmt::Write as _;
use std::fs::{self, File};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

pub const SIP: &str = "127.0.0.1:25060";
pub const PHONES: &str = "127.0.0.2:25062";
pub const PHONES_MEDIA_PORT: u16 = 31_000;
pub const FIRST_AGENT: u32 = 10_001;
const PHONES_IP: &str = "127.0.0.2";
const WEB: &str = "127.0.0.1:28080";
/// Two ports a leg: 4,000 legs.
const MEDIA_PORTS: (u16, u16) = (17_000, 24_999);
const COUNTIES: u32 = 12;
const AGENTS_PER_COUNTY: u32 = 100;
pub const AGENTS: u32 = COUNTIES * AGENTS_PER_COUNTY;
const START_MAX: Duration = Duration::from_secs(15);
const STOP_MAX: Duration = Duration::from_secs(45);
const POLL: Duration = Duration::from_millis(50);
/// The first OPTIONS to all phones are spread over two seconds.
const PHONES_FOUND_AFTER: Duration = Duration::from_secs(4);
/// Of the times in /proc/PID/stat.
const TICKS_PER_S: f64 = 100.0;

pub struct Server {
    child: Child,
    folder: PathBuf,
}

impl Server {
    /// Started, open, and with all phones found.
    pub fn start(programs: &Programs, part: &str) -> Result<Self> {
        // A name of its own, for `spread` goes by names.
        let folder = programs.data().join(format!("{part}-{}", std::process::id()));
        fs::create_dir_all(&folder)?;
        fs::write(folder.join("plan.toml"), dialplan())?;
        fs::write(folder.join("config.toml"), config())?;
        fs::create_dir_all(folder.join("prompts"))?;
        fs::write(folder.join("prompts/nothing.al"), [])?;
        let log = File::create(folder.join("log"))?;
        let mut command = Command::new(programs.server());
        command.args(["serve", "--config"]).arg(folder.join("config.toml"));
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        let child = command.spawn().with_context(|| programs.server().display().to_string())?;
        let mut server = Self { child, folder };
        let deadline = Instant::now() + START_MAX;
        while !is_well(programs) {
            let ended = server.child.try_wait()?;
            ensure!(
                ended.is_none() && Instant::now() < deadline,
                "the server did not start: {}",
                server.log()
            );
            sleep(POLL);
        }
        sleep(PHONES_FOUND_AFTER);
        // A server that was left over would have answered in its place.
        ensure!(server.child.try_wait()?.is_none(), "the server ended: {}", server.log());
        Ok(server)
    }

    /// User and system time so far, of all its threads.
    pub fn cpu(&self) -> Result<Duration> {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.child.id()))?;
        // The name, in brackets, may hold anything; the fields after it are numbered from 3.
        let fields: Vec<&str> =
            stat.rsplit_once(") ").map_or_else(Vec::new, |(_, rest)| rest.split(' ').collect());
        let ticks = |number: usize| fields.get(number - 3).and_then(|field| field.parse::<u64>().ok());
        let (user, system) = (ticks(14).context("utime")?, ticks(15).context("stime")?);
        Ok(Duration::from_secs_f64((user + system) as f64 / TICKS_PER_S))
    }

    /// Resident memory in KiB.
    pub fn memory_kib(&self) -> Result<f64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS")?;
        line.trim().trim_end_matches(" kB").parse::<f64>().context("VmRSS is no number")
    }

    /// Ends it as an operator would.
    pub fn stop(mut self) -> Result<()> {
        let pid = self.child.id().to_string();
        Command::new("kill").args(["-TERM", &pid]).status()?;
        let deadline = Instant::now() + STOP_MAX;
        while self.child.try_wait()?.is_none() {
            ensure!(Instant::now() < deadline, "the server does not stop: {}", self.log());
            sleep(POLL);
        }
        Ok(())
    }

    /// The last lines.
    fn log(&self) -> String {
        let text = fs::read_to_string(self.folder.join("log")).unwrap_or_default();
        let lines: Vec<&str> = text.lines().rev().take(5).collect();
        lines.into_iter().rev().collect::<Vec<_>>().join(" | ")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let log = self.log();
        if log.contains("ERROR") || log.contains("panicked") {
            eprintln!("  the server's log ends: {log}");
        }
        // It may have ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What callers' numbers begin with, one county each.
pub fn prefixes() -> String {
    let prefixes: Vec<String> = (0..COUNTIES).map(|county| format!("0577{}", 60 + county)).collect();
    prefixes.join(",")
}

fn is_well(programs: &Programs) -> bool {
    let mut command = Command::new(programs.server());
    command.args(["healthcheck", "--web", WEB]).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

fn config() -> String {
    let prompts = root().join("dialplans/prompts/zh-CN");
    let (port_min, port_max) = MEDIA_PORTS;
    let mut text = format!(
        "data_dir = \"data\"\n\
         dialplans = [\"plan.toml\"]\n\
         prompts = [{prompts:?}, \"prompts\"]\n\
         [sip]\nudp = [\"{SIP}\"]\n\
         [media]\nport_min = {port_min}\nport_max = {port_max}\nsilence_timeout = \"12h\"\n\
         [web]\nlisten = \"{WEB}\"\n\
         [[trunk]]\nid = \"load\"\npeers = [\"{PHONES_IP}\"]\n"
    );
    for agent in 0..AGENTS {
        let (id, county) = (FIRST_AGENT + agent, agent % COUNTIES);
        // Writing to a string cannot fail.
        let _ = write!(
            text,
            "[[agent]]\nid = {id}\nname = \"{id}\"\nregion = \"bench\"\npools = [\"county-{county}\", \"city\"]\n\
             contact = \"sip:{id}@{PHONES}\"\n"
        );
    }
    text
}

/// The notice has no words, for its length would count as delay.
fn dialplan() -> String {
    let mut text = String::from(
        "[region]\nid = \"bench\"\nname = { zh = \"测试市\", en = \"Bench\" }\narea_code = \"0577\"\n\
         numbers = [\"12348\"]\ncity_pool = \"city\"\nstart = \"notice\"\n\
         [pool_defaults]\nhours = \"always\"\nring_timeout = \"20s\"\nwrap_up = \"0s\"\nmiss_limit = 2\n\
         miss_pause = \"10m\"\nmax_waiting = 10000\n\
         [pools.city]\nname = { zh = \"市\", en = \"City\" }\n\
         [steps.notice]\nkind = \"play\"\nprompts = [\"nothing\"]\nnotice = true\nthen = \"wait\"\n\
         [steps.wait]\nkind = \"queue\"\nprompts = [\"queue_wait\"]\nmusic = \"hold_music\"\n\
         stages = [{ pool = \"@county\", patience = \"60s\" }, { pool = \"city\", patience = \"60s\" }]\n\
         exhausted = \"goodbye\"\n\
         [steps.goodbye]\nkind = \"hangup\"\nprompts = [\"goodbye\"]\n",
    );
    for county in 0..COUNTIES {
        let prefix = 60 + county;
        // Writing to a string cannot fail.
        let _ = write!(
            text,
            "[pools.county-{county}]\nname = {{ zh = \"县\", en = \"County\" }}\n\
             [counties.county-{county}]\nname = {{ zh = \"县\", en = \"County\" }}\npool = \"county-{county}\"\n\
             caller_prefixes = [\"{prefix}\"]\n"
        );
    }
    text
}

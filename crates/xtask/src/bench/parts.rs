//! How each part is measured.

use super::figures::Figures;
use super::load::Load;
use super::server::Server;
use super::{Part, Programs};
use anyhow::{Context, Result};
use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

/// The rate that the delay of an offer is measured at.
const CALM_PER_S: u64 = 200;
const CALLS_SECONDS: u64 = 15;
const WARM_UP_S: u64 = 3;
const TALK_MS: u64 = 500;
/// The rate that must hold, and that the CPU of a call is measured at; those tried when it does, and those tried when it does not.
const WANTED_PER_S: u64 = 500;
const HIGHER_PER_S: [u64; 2] = [750, 1_000];
const LOWER_PER_S: [u64; 3] = [350, 250, 150];
const RATE_SECONDS: u64 = 30;
const OVERLOAD_SECONDS: u64 = 15;
const AUDIO_CALLS: u64 = 200;
const AUDIO_SECONDS: u64 = 20;
const HELD_CALLS: u64 = 1_000;
/// At this rate, as many transactions linger after the first calls as after the last (32 s, RFC 3261).
const LEAK_PER_S: u64 = 60;
const LEAK_FROM: u64 = 2_000;
const LEAK_TO: u64 = 20_000;

pub fn measure(part: Part, programs: &Programs, figures: &mut Figures) -> Result<()> {
    match part {
        Part::Acd => {
            let keys = [
                "acd_decide_p99_us",
                "acd_growth_1k_100k",
                "acd_agent_bytes",
                "acd_call_bytes",
                "sim_million_s",
                "sim_country_day_s",
            ];
            example(&programs.acd(), &keys, figures).context("the distributor's benchmark")
        }
        Part::Dialplan => {
            let keys = ["prefix_lookup_us", "reload_ms", "reload_stall_ms"];
            example(&programs.dialplan(), &keys, figures).context("the dialplan's benchmark")
        }
        Part::Conference => {
            let keys = ["conference_core_pct", "conference_gap_ms"];
            example(&programs.conference(), &keys, figures).context("the benchmark of conferences")
        }
        Part::Calls => calls(programs, figures),
        Part::Rate => rates(programs, figures),
        Part::Media => media(programs, figures),
        Part::Held => held(programs, figures),
        Part::Leak => leak(programs, figures),
    }
}

/// A program that prints lines of `key value`.
fn example(program: &Path, keys: &[&'static str], figures: &mut Figures) -> Result<()> {
    let output = Command::new(program).output()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    for &key in keys {
        let value = text.lines().find_map(|line| line.strip_prefix(key)?.trim().parse().ok());
        figures.set(key, value.with_context(|| format!("it did not say {key}"))?);
    }
    Ok(())
}

fn calls(programs: &Programs, figures: &mut Figures) -> Result<()> {
    let calm = run_rate(programs, CALM_PER_S, CALLS_SECONDS)?;
    figures.set("offer_p99_ms", calm.figure("offer_p99_us") / 1_000.0);
    let busy = run_rate(programs, WANTED_PER_S, CALLS_SECONDS)?;
    figures.set("call_cpu_ms", busy.cpu_ms_per_call);
    Ok(())
}

fn rates(programs: &Programs, figures: &mut Figures) -> Result<()> {
    let wanted = run_rate(programs, WANTED_PER_S, RATE_SECONDS)?;
    figures.set("call_failed", wanted.not_completed());
    let mut highest = wanted.holds().then_some(WANTED_PER_S);
    let others: &[u64] = if wanted.holds() { &HIGHER_PER_S } else { &LOWER_PER_S };
    for rate in others {
        let holds = run_rate(programs, *rate, RATE_SECONDS)?.holds();
        if holds {
            highest = Some(*rate);
        }
        // Upwards until one does not hold, downwards until one does.
        if holds != wanted.holds() {
            break;
        }
    }
    figures.set("call_rate_per_s", highest.unwrap_or(0) as f64);
    let overload = run_rate(programs, 2 * highest.unwrap_or(WANTED_PER_S), OVERLOAD_SECONDS)?;
    figures.set("overload_harmed", overload.figure("harmed"));
    Ok(())
}

fn media(programs: &Programs, figures: &mut Figures) -> Result<()> {
    let (calls, warm_up, seconds) =
        (AUDIO_CALLS.to_string(), WARM_UP_S.to_string(), AUDIO_SECONDS.to_string());
    let load = ["audio", "--calls", &calls, "--warm-up-s", &warm_up, "--seconds", &seconds];
    let mut load = Load::start(programs, &load)?;
    let server = Server::start(programs, "media")?;
    load.go()?;
    let core = watch(&server, &mut load)?.0;
    let result = Run { cpu_ms_per_call: 0.0, rate: 0, seconds: 0, result: load.result()? };
    figures.set("media_core_pct_per_call", core * 100.0 / result.figure("standing"));
    figures.set("media_lost", result.figure("lost"));
    figures.set("relay_p99_ms", result.figure("relay_p99_us") / 1_000.0);
    drop(load);
    server.stop()
}

fn held(programs: &Programs, figures: &mut Figures) -> Result<()> {
    let calls = HELD_CALLS.to_string();
    let mut load = Load::start(programs, &["hold", "--calls", &calls])?;
    let server = Server::start(programs, "held")?;
    let before = server.memory_kib()?;
    load.go()?;
    load.hear("held")?;
    let more = server.memory_kib()? - before;
    let standing = load.result()?.get("standing").copied().context("it did not say how many stand")?;
    figures.set("held_call_kib", more / standing);
    drop(load);
    server.stop()
}

fn leak(programs: &Programs, figures: &mut Figures) -> Result<()> {
    let (rate, to, from, talk) =
        (LEAK_PER_S.to_string(), LEAK_TO.to_string(), LEAK_FROM.to_string(), TALK_MS.to_string());
    let load = ["count", "--per-s", &rate, "--calls", &to, "--mark-after", &from, "--talk-ms", &talk];
    let mut load = Load::start(programs, &load)?;
    let server = Server::start(programs, "leak")?;
    load.go()?;
    load.hear("mark")?;
    let before = server.memory_kib()?;
    load.hear("mark")?;
    let after = server.memory_kib()?;
    eprintln!("  {before:.0} KiB after {LEAK_FROM} calls, {after:.0} KiB after {LEAK_TO}");
    figures.set("leak_kib_per_call", (after - before) / (LEAK_TO - LEAK_FROM) as f64);
    load.result()?;
    drop(load);
    server.stop()
}

/// Calls at one rate.
struct Run {
    cpu_ms_per_call: f64,
    rate: u64,
    seconds: u64,
    result: BTreeMap<String, f64>,
}

impl Run {
    fn figure(&self, key: &str) -> f64 {
        self.result.get(key).copied().unwrap_or(0.0)
    }

    fn not_completed(&self) -> f64 {
        self.figure("refused") + self.figure("failed") + self.figure("harmed")
    }

    /// Every call was completed, and the load generator kept its pace.
    fn holds(&self) -> bool {
        let planned = (self.rate * self.seconds) as f64;
        self.not_completed() == 0.0 && self.figure("in_window") >= planned * 0.98
    }
}

fn run_rate(programs: &Programs, rate: u64, seconds: u64) -> Result<Run> {
    let [per_s, warm_up, span, talk] = [rate, WARM_UP_S, seconds, TALK_MS].map(|number| number.to_string());
    let load = ["rate", "--per-s", &per_s, "--warm-up-s", &warm_up, "--seconds", &span, "--talk-ms", &talk];
    let mut load = Load::start(programs, &load)?;
    let server = Server::start(programs, &format!("rate-{rate}"))?;
    load.go()?;
    let (core, cpu_ms) = watch(&server, &mut load)?;
    let result = load.result()?;
    let dialled = result.get("in_window").copied().unwrap_or(0.0).max(1.0);
    let run = Run { cpu_ms_per_call: cpu_ms / dialled, rate, seconds, result };
    eprintln!(
        "  {rate} calls/s: {:.3} ms of CPU a call, {:.0} % of a core, {:.0} MiB",
        run.cpu_ms_per_call,
        core * 100.0,
        server.memory_kib()? / 1_024.0
    );
    drop(load);
    server.stop()?;
    Ok(run)
}

/// The server's share of a core between `begin` and `end`, and its CPU time in ms.
fn watch(server: &Server, load: &mut Load) -> Result<(f64, f64)> {
    load.hear("begin")?;
    let (begun, before) = (Instant::now(), server.cpu()?);
    load.hear("end")?;
    let (span, after) = (begun.elapsed(), server.cpu()?);
    let used = (after - before).as_secs_f64();
    Ok((used / span.as_secs_f64(), used * 1_000.0))
}

//! What is measured, what it should be, and the table of both.

use super::Part;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::time::{Duration, Instant};

/// One figure.
pub struct Target {
    pub key: &'static str,
    pub part: Part,
    pub what: &'static str,
    bound: Bound,
}

#[derive(Clone, Copy)]
enum Bound {
    AtMost(f64),
    AtLeast(f64),
}

use Bound::{AtLeast, AtMost};

pub const TARGETS: [Target; 21] = [
    target("call_cpu_ms", Part::Calls, "CPU of a queue call at 500 calls/s, ms", AtMost(0.8)),
    target("offer_p99_ms", Part::Calls, "INVITE to the agent's INVITE at 200 calls/s, p99, ms", AtMost(10.0)),
    target("call_rate_per_s", Part::Rate, "highest rate tried that held for 30 s, calls/s", AtLeast(500.0)),
    target("call_failed", Part::Rate, "calls that failed at 500 calls/s", AtMost(0.0)),
    target("overload_harmed", Part::Rate, "calls harmed at twice the highest rate", AtMost(0.0)),
    target("media_core_pct_per_call", Part::Media, "bridged and recorded call, % of a core", AtMost(0.12)),
    target("media_lost", Part::Media, "RTP packets lost, 200 calls", AtMost(0.0)),
    target("relay_p99_ms", Part::Media, "relay delay, p99, ms", AtMost(1.0)),
    target(
        "conference_core_pct",
        Part::Conference,
        "recorded talk of three, of a hundred, % of a core",
        AtMost(0.4),
    ),
    target(
        "conference_gap_ms",
        Part::Conference,
        "longest gap for the others when one comes or goes, ms",
        AtMost(40.0),
    ),
    target("held_call_kib", Part::Held, "memory of a held call, KiB", AtMost(64.0)),
    target("leak_kib_per_call", Part::Leak, "memory that 18,000 calls leave behind, KiB a call", AtMost(0.1)),
    target(
        "acd_decide_p99_us",
        Part::Acd,
        "decision, 10,000 agents and waiting calls, p99, µs",
        AtMost(10.0),
    ),
    target("acd_growth_1k_100k", Part::Acd, "cost of a decision, 100,000 to 1,000 agents", AtMost(2.5)),
    target("acd_agent_bytes", Part::Acd, "memory of an agent, bytes", AtMost(1_024.0)),
    target("acd_call_bytes", Part::Acd, "memory of a waiting call, bytes", AtMost(1_024.0)),
    target("prefix_lookup_us", Part::Dialplan, "a caller's county among a million prefixes, µs", AtMost(1.0)),
    target("reload_ms", Part::Dialplan, "a dialplan of 5,000 lines, from file to switch, ms", AtMost(100.0)),
    target("reload_stall_ms", Part::Dialplan, "the longest that calls stand still for it, ms", AtMost(20.0)),
    target("sim_million_s", Part::Acd, "a million simulated calls, s", AtMost(10.0)),
    target("sim_country_day_s", Part::Acd, "a day of 200,000 calls in 2,844 pools, s", AtMost(60.0)),
];

const fn target(key: &'static str, part: Part, what: &'static str, bound: Bound) -> Target {
    Target { key, part, what, bound }
}

impl Bound {
    fn holds(self, value: f64) -> bool {
        match self {
            AtMost(most) => value <= most,
            AtLeast(least) => value >= least,
        }
    }

    fn words(self) -> String {
        match self {
            AtMost(most) => format!("≤ {most}"),
            AtLeast(least) => format!("≥ {least}"),
        }
    }
}

#[derive(Default)]
pub struct Figures {
    values: BTreeMap<&'static str, f64>,
}

impl Figures {
    /// Says it, too, for the whole takes minutes.
    pub fn set(&mut self, key: &'static str, value: f64) {
        eprintln!("  {key} = {}", number(value));
        self.values.insert(key, value);
    }

    pub fn values(&self) -> &BTreeMap<&'static str, f64> {
        &self.values
    }

    /// Figures that were measured, beside their targets.
    pub fn table(&self) -> String {
        let mut table = format!("{:26}{:>12}{:>12}    {}\n", "", "target", "measured", "");
        for Target { key, what, bound, .. } in &TARGETS {
            if let Some(value) = self.values.get(key) {
                let verdict = if bound.holds(*value) { "" } else { "✗ " };
                let (target, value) = (bound.words(), number(*value));
                // Writing to a string cannot fail.
                let _ = writeln!(table, "{key:26}{target:>12}{value:>12}    {verdict}{what}");
            }
        }
        table
    }
}

fn number(value: f64) -> String {
    let digits = match value.abs() {
        0.0 | 100.0.. => 0,
        10.0.. => 1,
        1.0.. => 2,
        _ => 3,
    };
    format!("{value:.digits$}")
}

/// Processor, cores, kernel, and how late the machine wakes a thread that sleeps: what noise there is.
pub fn machine() -> String {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let cpu = read("/proc/cpuinfo");
    let model = cpu.lines().find_map(|line| line.strip_prefix("model name")?.split_once(':'));
    let model = model.map_or("processor", |(_, name)| name.trim());
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let (kernel, load) = (read("/proc/sys/kernel/osrelease"), read("/proc/loadavg"));
    let load = load.split(' ').next().unwrap_or_default();
    let late = lateness();
    let [half, most] = [50, 99].map(|percent| late[late.len() * percent / 100].as_secs_f64() * 1_000.0);
    format!(
        "{model}, {cores} cores, Linux {}; before: load average {load}, wakes {half:.2} ms late (p99 {most:.2} ms)",
        kernel.trim()
    )
}

/// Of sleeps of a millisecond, sorted.
fn lateness() -> Vec<Duration> {
    let wanted = Duration::from_millis(1);
    let late = |_| {
        let begun = Instant::now();
        std::thread::sleep(wanted);
        begun.elapsed().saturating_sub(wanted)
    };
    let mut late: Vec<Duration> = (0..2_000).map(late).collect();
    late.sort_unstable();
    late
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_shows_what_was_measured_and_marks_what_missed_its_target() {
        let mut figures = Figures::default();
        figures.set("call_cpu_ms", 0.9);
        figures.set("call_rate_per_s", 1_000.0);
        let table = figures.table();
        let lines: Vec<&str> = table.lines().skip(1).collect();
        assert_eq!(lines.len(), 2);
        assert!(lines[0].contains("0.900") && lines[0].contains('✗'), "{table}");
        assert!(lines[1].contains("≥ 500") && !lines[1].contains('✗'), "{table}");
    }
}

//! How fast the distributor decides, and what it takes, as lines of `key value`; part of `cargo xtask bench`.
#![allow(unsafe_code, reason = "an allocator that counts")]

use acd::world::{self, Checked, Happening, WorldConfig};
use std::alloc::{GlobalAlloc, Layout, System};
use std::hint::black_box;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

const AGENTS: u32 = 10_000;
const CALLS: u64 = 10_000;
const DECISIONS: usize = 200_000;
/// Agents, and as many waiting calls, of a small crowd and a large one.
const GROWTH: [u32; 2] = [1_000, 100_000];
const SIMULATED_CALLS: u64 = 1_000_000;
const COUNTRY_CALLS: u64 = 200_000;
/// A check of the country looks at 30,000 agents.
const COUNTRY_CHECKED: Checked = Checked::Every(2_000);
const SEED: u64 = 12_348;

fn main() -> Result<(), String> {
    let what: Vec<String> = std::env::args().skip(1).collect();
    let wants = |key: &str| what.is_empty() || what.iter().any(|other| other == key);
    if wants("acd_agent_bytes") || wants("acd_call_bytes") {
        let (agent, call) = bytes();
        println!("acd_agent_bytes {agent:.0}");
        println!("acd_call_bytes {call:.0}");
    }
    if wants("acd_decide_p99_us") {
        println!("acd_decide_p99_us {:.3}", percentile_us(&decide(AGENTS, CALLS), 99));
    }
    if wants("acd_growth_1k_100k") {
        let [small, large] = GROWTH.map(|agents| mean(&decide(agents, agents.into())));
        println!("acd_growth_1k_100k {:.3}", large / small);
    }
    if wants("sim_million_s") {
        let begun = Instant::now();
        black_box(world::run(SEED, SIMULATED_CALLS, WorldConfig::default(), Checked::Never)?);
        println!("sim_million_s {:.3}", begun.elapsed().as_secs_f64());
    }
    if wants("sim_country_day_s") {
        let begun = Instant::now();
        let country = WorldConfig::country(COUNTRY_CALLS);
        black_box(world::run(SEED, COUNTRY_CALLS, country, COUNTRY_CHECKED)?);
        println!("sim_country_day_s {:.3}", begun.elapsed().as_secs_f64());
    }
    Ok(())
}

/// Nanoseconds of each decision: an input or a timer, and every output that it leads to. Timers that are due at once
/// share their time.
fn decide(agents: u32, calls: u64) -> Vec<u128> {
    let (mut acd, happenings) = world::crowd(agents, calls, DECISIONS);
    let mut spans_ns: Vec<u128> = Vec::with_capacity(happenings.len());
    for (now, happening) in happenings {
        let begun = Instant::now();
        let decisions = match happening {
            Happening::Input(input) => {
                acd.handle_input(now, input);
                1
            }
            Happening::Timers(due) => {
                acd.handle_timeout(now);
                due
            }
        };
        while let Some(output) = acd.poll_output() {
            black_box(output);
        }
        spans_ns.extend(std::iter::repeat_n(begun.elapsed().as_nanos() / decisions as u128, decisions));
    }
    spans_ns.sort_unstable();
    spans_ns
}

fn percentile_us(sorted_ns: &[u128], percent: usize) -> f64 {
    sorted_ns[sorted_ns.len() * percent / 100] as f64 / 1_000.0
}

fn mean(spans_ns: &[u128]) -> f64 {
    spans_ns.iter().sum::<u128>() as f64 / spans_ns.len() as f64
}

/// Heap of an agent, and of a waiting call with what it asks for: as much as a copy of the machine takes.
fn bytes() -> (f64, f64) {
    let [_, many] = GROWTH;
    let copied = |calls: u64| {
        let (acd, _) = world::crowd(many, calls, 0);
        let before = HEAP.in_use();
        let copy = black_box(acd.clone());
        let bytes = HEAP.in_use() - before;
        drop((acd, copy));
        bytes
    };
    let (of_agents, of_both) = (copied(0), copied(many.into()));
    let of_each = |bytes: usize| bytes as f64 / f64::from(many);
    (of_each(of_agents), of_each(of_both.saturating_sub(of_agents)))
}

#[global_allocator]
static HEAP: Heap = Heap { in_use: AtomicUsize::new(0) };

/// The system's allocator, which also counts.
struct Heap {
    in_use: AtomicUsize,
}

impl Heap {
    fn in_use(&self) -> usize {
        self.in_use.load(Ordering::Relaxed)
    }
}

// SAFETY: every call goes to the system's allocator as it came.
unsafe impl GlobalAlloc for Heap {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        self.in_use.fetch_add(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller keeps what `GlobalAlloc` asks for.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        self.in_use.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: as above.
        unsafe { System.dealloc(pointer, layout) }
    }
}

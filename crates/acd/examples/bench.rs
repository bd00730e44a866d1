//! How fast the distributor decides, as lines of `key value`; part of `cargo xtask bench`.

use acd::world::{self, WorldConfig};
use std::hint::black_box;
use std::time::Instant;

const AGENTS: u32 = 10_000;
const CALLS: u64 = 10_000;
const DECISIONS: usize = 200_000;
const SIMULATED_CALLS: u64 = 1_000_000;
const SEED: u64 = 12_348;

fn main() -> Result<(), String> {
    let what: Vec<String> = std::env::args().skip(1).collect();
    let wants = |key: &str| what.is_empty() || what.iter().any(|other| other == key);
    if wants("acd_decide_p99_us") {
        println!("acd_decide_p99_us {:.3}", decide_p99_us());
    }
    if wants("sim_million_s") {
        let begun = Instant::now();
        black_box(world::run(SEED, SIMULATED_CALLS, WorldConfig::default(), false)?);
        println!("sim_million_s {:.3}", begun.elapsed().as_secs_f64());
    }
    Ok(())
}

/// One decision: an input, and every output that it leads to.
fn decide_p99_us() -> f64 {
    let (mut acd, inputs) = world::crowd(AGENTS, CALLS, DECISIONS);
    let mut spans_ns: Vec<u128> = Vec::with_capacity(inputs.len());
    for (now, input) in inputs {
        let begun = Instant::now();
        acd.handle_input(now, input);
        while let Some(output) = acd.poll_output() {
            black_box(output);
        }
        spans_ns.push(begun.elapsed().as_nanos());
    }
    spans_ns.sort_unstable();
    spans_ns[spans_ns.len() * 99 / 100] as f64 / 1_000.0
}

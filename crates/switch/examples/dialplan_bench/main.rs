//! How fast a number's county is found and a large dialplan is read again under calls, as lines of `key value`;
//! part of `cargo xtask bench`.

mod plan;
mod reload;
mod world;

use phones::Dice;
use std::collections::BTreeSet;
use std::hint::black_box;
use std::time::Instant;

const ROWS: u64 = 1_000_000;
const LOOKUPS: usize = 1_000_000;
const SEED: u64 = 12_348;

fn main() -> Result<(), String> {
    let what: Vec<String> = std::env::args().skip(1).collect();
    let wants = |key: &str| what.is_empty() || what.iter().any(|other| other == key);
    if wants("prefix_lookup_us") {
        println!("prefix_lookup_us {:.3}", prefix_lookup_us()?);
    }
    if wants("reload_ms") || wants("reload_stall_ms") {
        let reload::Spans { whole_ms, stall_ms } = reload::measure()?;
        println!("reload_ms {whole_ms:.3}");
        println!("reload_stall_ms {stall_ms:.3}");
    }
    Ok(())
}

/// The mean of look-ups of callers at random, whose prefixes lie anywhere in a table of a million.
fn prefix_lookup_us() -> Result<f64, String> {
    let text = plan::text("[tables]\ncaller_prefixes = \"t.csv\"\n", 3);
    let plan = plan::read(&text, &|_: &str| Ok(table()))?;
    let mut dice = Dice::new(SEED);
    let callers: Vec<String> = (0..LOOKUPS).map(|_| format!("1{:010}", dice.below(10_000_000_000))).collect();
    let begun = Instant::now();
    for caller in &callers {
        black_box(plan.attribute(black_box(caller), "12348"));
    }
    Ok(begun.elapsed().as_secs_f64() * 1e6 / LOOKUPS as f64)
}

/// Prefixes of five to nine digits, so that many lie within others.
fn table() -> Vec<u8> {
    let mut dice = Dice::new(SEED);
    let mut prefixes = BTreeSet::new();
    while (prefixes.len() as u64) < ROWS {
        let digits = 4 + dice.below(5) as usize;
        prefixes.insert(format!("1{:0digits$}", dice.below(10_u64.pow(digits as u32))));
    }
    let row = |prefix: String| format!("{prefix},county-{}\n", dice.below(plan::COUNTIES));
    prefixes.into_iter().map(row).collect::<String>().into_bytes()
}

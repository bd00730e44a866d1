//! How fast a number's county is found and a large dialplan is read, as lines of `key value`; part of
//! `cargo xtask bench`.

use dialplan::{Calendars, Checked, Context, Dialplan, Problem};
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::hint::black_box;
use std::time::Instant;

/// Each has eleven lines in the file: 5,000 with the head and the steps.
const COUNTIES: u64 = 451;
const ROWS: u64 = 1_000_000;
const LOOKUPS: usize = 1_000_000;
const RELOADS: usize = 21;
const SEED: u64 = 12_348;

fn main() -> Result<(), String> {
    let what: Vec<String> = std::env::args().skip(1).collect();
    let wants = |key: &str| what.is_empty() || what.iter().any(|other| other == key);
    if wants("prefix_lookup_us") {
        println!("prefix_lookup_us {:.3}", prefix_lookup_us()?);
    }
    if wants("reload_ms") {
        println!("reload_ms {:.3}", reload_ms()?);
    }
    Ok(())
}

/// The mean of look-ups of callers at random, whose prefixes lie anywhere in a table of a million.
fn prefix_lookup_us() -> Result<f64, String> {
    let text = dialplan("[tables]\ncaller_prefixes = \"t.csv\"\n");
    let plan = read(&text, &|_: &str| Ok(table()))?;
    let mut dice = Dice(SEED);
    let callers: Vec<String> = (0..LOOKUPS).map(|_| format!("1{:010}", dice.below(10_000_000_000))).collect();
    let begun = Instant::now();
    for caller in &callers {
        black_box(plan.attribute(black_box(caller), "12348"));
    }
    Ok(begun.elapsed().as_secs_f64() * 1e6 / LOOKUPS as f64)
}

/// The median of several.
fn reload_ms() -> Result<f64, String> {
    let text = dialplan("");
    let mut spans_ms = Vec::new();
    for _ in 0..RELOADS {
        let begun = Instant::now();
        black_box(read(&text, &|name: &str| Err(name.to_owned()))?);
        spans_ms.push(begun.elapsed().as_secs_f64() * 1e3);
    }
    spans_ms.sort_by(f64::total_cmp);
    Ok(spans_ms[RELOADS / 2])
}

fn read(text: &str, tables: &dialplan::ReadTable<'_>) -> Result<Dialplan, String> {
    let prompts = BTreeSet::from(["notice", "music"].map(str::to_owned));
    let calendars = Calendars::default();
    let context = Context::new(&prompts, &calendars, 2026).with_tables(tables);
    let refused = |problems: Vec<Problem>| problems.iter().map(|p| format!("{p}\n")).collect::<String>();
    let Checked { value, .. } = Dialplan::parse("bench.toml", text, &context).map_err(refused)?;
    Ok(value)
}

/// Prefixes of five to nine digits, so that many lie within others.
fn table() -> Vec<u8> {
    let mut dice = Dice(SEED);
    let mut prefixes = BTreeSet::new();
    while (prefixes.len() as u64) < ROWS {
        let digits = 4 + dice.below(5) as usize;
        prefixes.insert(format!("1{:0digits$}", dice.below(10_u64.pow(digits as u32))));
    }
    let row = |prefix: String| format!("{prefix},county-{}\n", dice.below(COUNTIES));
    prefixes.into_iter().map(row).collect::<String>().into_bytes()
}

fn dialplan(more: &str) -> String {
    let mut text = String::from(HEAD) + more;
    for i in 0..COUNTIES {
        let other = i ^ 1;
        let paired = if other < COUNTIES { other } else { i - 1 };
        // Writing to a string cannot fail.
        let _ = write!(
            text,
            "\n[pools.county-{i}]\nname = {{ zh = \"区{i}律师\", en = \"Lawyers {i}\" }}\nhours = \"day\"\n\
             ring_timeout = \"20s\"\n[counties.county-{i}]\nname = {{ zh = \"区{i}\", en = \"County {i}\" }}\n\
             pool = \"county-{i}\"\npaired = \"county-{paired}\"\nnumbers = [\"0577 8{i:03} 2348\"]\n\
             caller_prefixes = [\"2{i:03}\", \"3{i:03}\", \"4{i:03}\"]\n"
        );
    }
    text + STEPS
}

const HEAD: &str = r#"[region]
id = "bench"
name = { zh = "测试", en = "Bench" }
area_code = "0577"
numbers = ["12348"]
city_pool = "city"
start = "notice"
[hours.day]
weekly = ["mon-fri 08:30-12:00", "mon-fri 14:00-17:30"]
[pools.city]
name = { zh = "市", en = "City" }
"#;

const STEPS: &str = r#"
[steps.notice]
kind = "play"
prompts = ["notice"]
notice = true
then = "wait"
[steps.wait]
kind = "queue"
stages = [
  { pool = "@county", patience = "60s" },
  { pool = "@paired", patience = "40s" },
  { pool = "city", patience = "80s" },
]
music = "music"
exhausted = "message"
[steps.message]
kind = "voicemail"
pool = "@county"
prompts = ["notice"]
max = "3m"
"#;

/// The same numbers each time (splitmix64).
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (z ^ (z >> 31)) % bound
    }
}

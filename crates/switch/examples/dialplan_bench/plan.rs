//! A dialplan as large as a country's: a county after the other, each with a pool of its own.

use dialplan::{Calendars, Checked, Context, Dialplan, Problem, ReadTable};
use std::collections::BTreeSet;
use std::fmt::Write as _;

/// Each has eleven lines in the file: 5,000 with the head and the steps.
pub const COUNTIES: u64 = 451;
pub const PROMPTS: [&str; 2] = ["notice", "music"];

pub fn read(text: &str, tables: &ReadTable<'_>) -> Result<Dialplan, String> {
    let prompts = BTreeSet::from(PROMPTS.map(str::to_owned));
    let calendars = Calendars::default();
    let context = Context::new(&prompts, &calendars, 2026).with_tables(tables);
    let refused = |problems: Vec<Problem>| problems.iter().map(|p| format!("{p}\n")).collect::<String>();
    let Checked { value, .. } = Dialplan::parse("bench.toml", text, &context).map_err(refused)?;
    Ok(value)
}

/// Two of these differ in the number: so many minutes has a message, and every pool so many hundred places.
pub fn text(more: &str, number: u32) -> String {
    let number = number.to_string();
    let mut text = HEAD.replace("NUMBER", &number) + more;
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
    text + &STEPS.replace("NUMBER", &number)
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
[pool_defaults]
wrap_up = "1s"
max_waiting = NUMBER00
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
max = "NUMBERm"
"#;

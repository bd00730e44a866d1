//! The load generator: many scripted phones in a process of their own, so that the server's CPU time is
//! the server's alone. `cargo xtask bench` starts it.
//!
//! It speaks in lines. It says `ready`, waits for a line, then dials, and says `begin` and `end` around the
//! time that is to be measured, `held` when all calls stand, `mark` after a number of calls, and at last
//! `result` with figures.
//!
//! Deliberately absent: judgement. What the figures should be is known to whoever asked.

mod audio;
mod stamped;
mod tally;

use anyhow::{Context as _, Result, ensure};
use clap::{Parser, Subcommand};
use phones::{Arrivals, Callers, Lawyer, Line, LineConfig, Manner, Span};
use std::net::SocketAddr;
use std::thread::sleep;
use std::time::{Duration, Instant};
use tally::{Counts, Tally};

/// A caller whom nobody answers gives up after this.
const PATIENCE: Span = Span::ms(60_000, 60_000);
/// Longer than an INVITE that nobody answers is tried (RFC 3261 section 17.1.1.2, timer B: 32 s).
const SETTLE_MAX: Duration = Duration::from_secs(36);
const SETTLE_POLL: Duration = Duration::from_millis(20);
/// A talk that nobody ends while it is measured.
const FOR_EVER_MS: u64 = 3_600_000;
/// After the last call was dialled, and before anything is measured.
const STAND: Duration = Duration::from_secs(3);
/// How fast calls are set up that are to stand.
const SET_UP_PER_S: u64 = 50;
const CALLED: &str = "12348";

#[derive(Parser)]
struct Options {
    /// Where the hotline takes SIP over UDP.
    #[arg(long)]
    hotline: SocketAddr,
    /// Where all phones are.
    #[arg(long)]
    phones: SocketAddr,
    /// RTP of all phones; RTCP is one above.
    #[arg(long)]
    media_port: u16,
    /// Lawyers' phones, by user names that rise from this one.
    #[arg(long)]
    first_agent: u32,
    #[arg(long)]
    agents: u32,
    /// What callers' numbers begin with.
    #[arg(long, value_delimiter = ',')]
    prefixes: Vec<String>,
    #[command(subcommand)]
    load: Load,
}

#[derive(Clone, Copy, Subcommand)]
enum Load {
    /// Calls at a steady rate; measured after a time of warming up.
    Rate {
        #[arg(long)]
        per_s: u64,
        #[arg(long)]
        warm_up_s: u64,
        #[arg(long)]
        seconds: u64,
        #[arg(long)]
        talk_ms: u64,
    },
    /// A number of calls at a steady rate, with a mark after some of them.
    Count {
        #[arg(long)]
        per_s: u64,
        #[arg(long)]
        calls: u64,
        #[arg(long)]
        mark_after: u64,
        #[arg(long)]
        talk_ms: u64,
    },
    /// Calls that stand.
    Hold {
        #[arg(long)]
        calls: u64,
    },
    /// Calls that stand, with audio both ways.
    Audio {
        #[arg(long)]
        calls: u64,
        #[arg(long)]
        warm_up_s: u64,
        #[arg(long)]
        seconds: u64,
    },
}

fn main() -> Result<()> {
    let options = Options::parse();
    let tally = Tally::default();
    // Real phones have ears also where nobody speaks; a closed port would be answered with ICMP.
    let rtp = audio::Phones::bind(SocketAddr::new(options.phones.ip(), options.media_port))?;
    let heard = tally.clone();
    let line = Line::start(line_config(&options), move |_, report| heard.hear(&report))
        .context("the phones cannot be started")?;
    println!("ready");
    let mut word = String::new();
    std::io::stdin().read_line(&mut word)?;
    match options.load {
        Load::Rate { warm_up_s, seconds, .. } => rate(&line, &tally, warm_up_s, seconds),
        Load::Count { per_s, calls, mark_after, .. } => count(&line, &tally, per_s, calls, mark_after)?,
        Load::Hold { calls } => {
            let standing = hold(&line, &tally, calls)?;
            println!("held");
            println!("result standing={standing}");
        }
        Load::Audio { calls, warm_up_s, seconds } => {
            let standing = hold(&line, &tally, calls)?;
            let spans = (Duration::from_secs(warm_up_s), Duration::from_secs(seconds));
            let figures = rtp.speak(&tally.audio(), spans, &|word| println!("{word}"))?;
            println!(
                "result standing={standing} sent={} lost={} relay_p50_us={} relay_p99_us={} relay_max_us={}",
                figures.sent, figures.lost, figures.p50_us, figures.p99_us, figures.max_us
            );
        }
    }
    line.stop();
    Ok(())
}

fn line_config(options: &Options) -> LineConfig {
    let (rate, calls_max, talk_ms) = match options.load {
        Load::Rate { per_s, talk_ms, .. } => (per_s, u64::MAX, talk_ms),
        Load::Count { per_s, calls, talk_ms, .. } => (per_s, calls, talk_ms),
        Load::Hold { .. } | Load::Audio { .. } => (SET_UP_PER_S, u64::MAX, FOR_EVER_MS),
    };
    let lawyer = |user: u32| Lawyer {
        user: user.to_string(),
        password: None,
        manner: Manner::prompt(Span::ms(talk_ms, talk_ms)),
    };
    LineConfig {
        ip: options.phones.ip(),
        sip_port: options.phones.port(),
        hotline: options.hotline,
        transport: sip::Transport::Udp,
        ports: None,
        media_port: options.media_port,
        seed: u64::from(std::process::id()),
        lawyers: (options.first_agent..options.first_agent + options.agents).map(lawyer).collect(),
        callers: Some(Callers {
            arrivals: Arrivals::Steady { gap_us: 1_000_000 / rate.max(1) },
            calls_max,
            at_once_max: usize::MAX,
            called: CALLED.to_owned(),
            prefixes: options.prefixes.clone(),
            patience: PATIENCE,
        }),
        caller_speech: Vec::new(),
        lawyer_speech: Vec::new(),
    }
}

fn rate(line: &Line, tally: &Tally, warm_up_s: u64, seconds: u64) {
    line.open();
    sleep(Duration::from_secs(warm_up_s));
    tally.measure(true);
    println!("begin");
    sleep(Duration::from_secs(seconds));
    println!("end");
    tally.measure(false);
    line.close();
    settle(tally);
    say(&tally.counts());
}

fn count(line: &Line, tally: &Tally, per_s: u64, calls: u64, mark_after: u64) -> Result<()> {
    line.open();
    let patience = Duration::from_secs(calls / per_s.max(1) + 60);
    tally.wait(patience, |counts| counts.completed >= mark_after)?;
    println!("mark");
    tally.wait(patience, |counts| counts.dialled >= calls)?;
    settle(tally);
    println!("mark");
    say(&tally.counts());
    Ok(())
}

/// Sets up calls until a lawyer has answered so many, and waits until the last ones stand too: how many stand.
/// One that the hotline refuses in a bad moment of the machine is followed by another.
fn hold(line: &Line, tally: &Tally, calls: u64) -> Result<u64> {
    line.open();
    let patience = Duration::from_secs(calls / SET_UP_PER_S + 30);
    tally.wait(patience, |counts| counts.talking >= calls)?;
    line.close();
    sleep(STAND);
    let Counts { talking, harmed, .. } = tally.counts();
    ensure!(harmed == 0, "{harmed} calls ended while others were set up");
    Ok(talking)
}

/// Whoever is still on the line finishes; who does not is counted.
fn settle(tally: &Tally) {
    let deadline = Instant::now() + SETTLE_MAX;
    while !tally.is_quiet() && Instant::now() < deadline {
        sleep(SETTLE_POLL);
    }
    tally.give_up();
}

fn say(counts: &Counts) {
    let Counts { dialled, in_window, completed, refused, failed, harmed, .. } = counts;
    println!(
        "result dialled={dialled} in_window={in_window} completed={completed} refused={refused} failed={failed} \
         harmed={harmed} offer_p50_us={} offer_p99_us={}",
        tally::percentile(&counts.offers_us, 50),
        tally::percentile(&counts.offers_us, 99)
    );
}

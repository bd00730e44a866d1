//! The report as a table for the terminal.

use super::{Figures, HOURS_OF_A_DAY, Report, percent, seconds};
use std::fmt::Write as _;

const HEAD: [&str; 14] = [
    "queued",
    "answered",
    "rate",
    "in 15 s",
    "rate",
    "mean",
    "p50",
    "p90",
    "p99",
    "max",
    "busy",
    "gave up",
    "message",
    "passed on",
];

/// Totals with numerator and denominator, then a row for each pool and each hour. Waits are in seconds.
#[must_use]
pub fn table(report: &Report) -> String {
    let mut text = String::new();
    let Report { region, first_day, days, seed, lawyer_hours_a_day, total, .. } = report;
    let _ = writeln!(
        text,
        "{} {}: {days} day(s) from {first_day}, {lawyer_hours_a_day} lawyer-hours a day, seed {seed}\n",
        region.zh, region.en
    );
    let _ = writeln!(
        text,
        "connected rate        {:>7}  {} answered of {} that reached the queue\n\
         answered within 15 s  {:>7}  {} of {}\n\
         lawyers busy          {:>7}  talking and writing up, of {:.0} hours on duty\n\
         not answered                   {} gave up ({} while a phone rang), {} left a message, {} went without\n\
         came to no queue               {} of {} calls\n",
        percent(total.connected_rate),
        total.answered,
        total.reached_queue,
        percent(total.in_15s_rate),
        total.answered_in_15s,
        total.reached_queue,
        percent(total.occupancy),
        total.staffed_hours,
        total.abandoned,
        total.abandoned_ringing,
        total.voicemail,
        total.unserved,
        total.calls - total.reached_queue,
        total.calls,
    );
    if total.callbacks > 0 {
        let _ = writeln!(
            text,
            "asked to be called           {} callers: {} spoke with a lawyer, on average {} s after leaving the line; {} did \
             not pick up, for {} nobody was found\n",
            total.callbacks,
            total.callbacks_answered,
            seconds(total.callback_ms_mean),
            total.callbacks_unanswered,
            total.callbacks_expired(),
        );
    }
    for row in &report.languages {
        let _ = writeln!(
            text,
            "callers who chose {:<10} {} reached the queue, {} were answered, {} of them by who knows it",
            row.language, row.reached_queue, row.answered, row.answered_by_speakers
        );
    }
    if !report.languages.is_empty() {
        text.push('\n');
    }
    lawyers(&mut text, report);
    head(&mut text, "pool");
    for pool in &report.pools {
        row(&mut text, &pool.pool, &pool.total);
    }
    row(&mut text, "all", total);
    text.push('\n');
    head(&mut text, "hour");
    for (hour, figures) in report.hours.iter().enumerate() {
        row(&mut text, &format!("{hour:02}-{:02}", hour + 1), figures);
    }
    text
}

fn lawyers(text: &mut String, report: &Report) {
    if report.lawyers.is_empty() {
        return;
    }
    let _ = writeln!(text, "{:<14}{:>10}{:>10}{:>10}", "lawyer", "on shift", "answered", "busy");
    for row in &report.lawyers {
        let hours = format!("{:.1} h", row.hours_on_shift);
        let busy = percent(row.occupancy);
        let _ = writeln!(text, "{:<14}{hours:>10}{:>10}{busy:>10}", row.lawyer, row.answered);
    }
    text.push('\n');
}

/// The rates, waits and busy time of each pool in each hour of the day, a table for each.
#[must_use]
pub fn by_pool_and_hour(report: &Report) -> String {
    let whole =
        |rate: Option<f64>| rate.map_or_else(|| "–".to_owned(), |rate| format!("{:.0}", rate * 100.0));
    let mut text = String::new();
    grid(&mut text, report, "connected, %", |figures| whole(figures.connected_rate));
    grid(&mut text, report, "in 15 s, %", |figures| whole(figures.in_15s_rate));
    grid(&mut text, report, "mean wait, s", |figures| {
        figures.wait_ms_mean.map_or_else(|| "–".to_owned(), |ms| format!("{:.0}", ms / 1_000.0))
    });
    grid(&mut text, report, "busy, %", |figures| whole(figures.occupancy));
    text
}

fn grid(text: &mut String, report: &Report, title: &str, cell: impl Fn(&Figures) -> String) {
    let _ = write!(text, "\n{title:<18}");
    for hour in 0..HOURS_OF_A_DAY {
        let _ = write!(text, "{hour:>5}");
    }
    text.push('\n');
    for pool in &report.pools {
        let _ = write!(text, "{:<18}", pool.pool);
        for figures in &pool.hours {
            let _ = write!(text, "{:>5}", cell(figures));
        }
        text.push('\n');
    }
}

fn head(text: &mut String, first: &str) {
    let _ = write!(text, "{first:<14}");
    for title in HEAD {
        let _ = write!(text, "{title:>10}");
    }
    text.push('\n');
}

fn row(text: &mut String, name: &str, figures: &Figures) {
    let wait = |ms: Option<u64>| seconds(ms.map(|ms| ms as f64));
    let _ = write!(text, "{name:<14}");
    for cell in [
        figures.reached_queue.to_string(),
        figures.answered.to_string(),
        percent(figures.connected_rate),
        figures.answered_in_15s.to_string(),
        percent(figures.in_15s_rate),
        seconds(figures.wait_ms_mean),
        wait(figures.wait_ms_p50),
        wait(figures.wait_ms_p90),
        wait(figures.wait_ms_p99),
        wait((figures.reached_queue > 0).then_some(figures.wait_ms_max)),
        percent(figures.occupancy),
        figures.abandoned.to_string(),
        figures.voicemail.to_string(),
        figures.overflowed.to_string(),
    ] {
        let _ = write!(text, "{cell:>10}");
    }
    text.push('\n');
}

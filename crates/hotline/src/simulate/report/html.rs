//! The report as one page that needs nothing else: Chinese first, English beside, charts as SVG.

use super::super::history;
use super::{Figures, LanguageRow, LawyerRow, Report, percent, seconds};
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// A rate of some calls, if there are any.
type Rate = fn(&Figures) -> Option<f64>;

const STYLE: &str = "\
:root{color-scheme:light dark;--fg:#1a2330;--dim:#5b6675;--line:#d5dbe3;--bg:#fff;--ok:#2b7a4b;--bad:#b4382f;\
--msg:#8a6d1a;--none:#7a7f87;--rate:#1f5fa8}\
@media(prefers-color-scheme:dark){:root{--fg:#e6eaf0;--dim:#9aa5b4;--line:#3a4350;--bg:#12161c;--ok:#4caf78;\
--bad:#e0665c;--msg:#d1b04a;--none:#8f959e;--rate:#6aa7ee}}\
body{margin:2rem auto;max-width:80rem;padding:0 1rem;background:var(--bg);color:var(--fg);\
font:15px/1.5 system-ui,'Noto Sans CJK SC','Microsoft YaHei',sans-serif}\
small,.dim{color:var(--dim)}h1 small,h2 small{font-weight:400;font-size:.7em}\
.tiles{display:flex;flex-wrap:wrap;gap:1rem}.tiles div{border:1px solid var(--line);border-radius:6px;\
padding:.6rem 1rem}.tiles b{display:block;font-size:1.6rem}\
.wide{overflow-x:auto}table{border-collapse:collapse;font-variant-numeric:tabular-nums}\
th,td{border-bottom:1px solid var(--line);padding:.25rem .5rem;text-align:right;white-space:nowrap}\
th:first-child,td:first-child{text-align:left}svg{max-width:100%;height:auto}svg text{fill:var(--dim);font-size:11px}\
.key i{display:inline-block;width:.8em;height:.8em;margin:0 .3em 0 1em}";

/// A whole HTML file.
#[must_use]
pub fn page(report: &Report) -> String {
    let mut page = String::new();
    let (zh, en) = (escaped(&report.region.zh), escaped(&report.region.en));
    let _ = write!(
        page,
        "<!doctype html>\n<html lang=\"zh-CN\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\
         <title>{zh} 12348 仿真 · Simulation</title><style>{STYLE}</style></head><body>\n\
         <h1>{zh} 12348 热线仿真 <small>{en}: simulated hotline</small></h1>\n\
         <p>自 {first} 起 {days} 天，每天 {hours} 律师小时，随机种子 {seed}。\
         <span class=\"dim\">{days} day(s) from {first}, {hours} lawyer-hours a day, seed {seed}.</span></p>\n",
        first = escaped(&report.first_day),
        days = report.days,
        hours = report.lawyer_hours_a_day,
        seed = report.seed,
    );
    if let Some(estimates) = &report.measured {
        let _ = writeln!(
            page,
            "<details open><summary>来电特征由历史通话估计 <small>Callers as past calls were</small></summary>\
             <pre>{}</pre></details>",
            escaped(&history::lines(estimates))
        );
    }
    tiles(&mut page, &report.total);
    callbacks(&mut page, &report.total);
    heading(&mut page, "每小时来电（各天合计）", "Calls by hour of the day, all days together");
    calls_chart(&mut page, &report.hours);
    heading(&mut page, "每小时接通率和 15 秒接听率", "Connected rate and 15-second rate by hour");
    rates_chart(&mut page, &report.hours);
    heading(&mut page, "各律师池", "Pools");
    pools(&mut page, report);
    heading(&mut page, "各律师池每小时律师忙碌率", "Lawyers busy, by pool and hour");
    rate_map(&mut page, report, |figures| figures.occupancy, "--bad");
    heading(&mut page, "各律师池每小时接通率", "Connected rate, by pool and hour");
    rate_map(&mut page, report, |figures| figures.connected_rate, "--ok");
    heading(&mut page, "各律师池每小时 15 秒接听率", "Answered within 15 s, by pool and hour");
    rate_map(&mut page, report, |figures| figures.in_15s_rate, "--rate");
    heading(&mut page, "各律师池每小时平均等待（秒）", "Mean wait in seconds, by pool and hour");
    wait_map(&mut page, report);
    languages(&mut page, &report.languages);
    heading(&mut page, "排班", "Shifts");
    shifts(&mut page, report);
    lawyers(&mut page, report);
    notes(&mut page);
    page.push_str("</body></html>\n");
    page
}

fn callbacks(page: &mut String, total: &Figures) {
    if total.callbacks == 0 {
        return;
    }
    let (asked, spoke, after) = (total.callbacks, total.callbacks_answered, seconds(total.callback_ms_mean));
    let (unanswered, expired) = (total.callbacks_unanswered, total.callbacks_expired());
    let _ = writeln!(
        page,
        "<p>要求回拨 {asked} 次：与律师通话 {spoke} 次，挂机后平均 {after} 秒接通；来电人未接 {unanswered} 次，未等到律师 {expired} 次。\
         <span class=\"dim\">{asked} callers asked to be called back: {spoke} spoke with a lawyer, on average {after} s \
         after leaving the line; {unanswered} did not pick up, for {expired} nobody was found.</span></p>"
    );
}

fn heading(page: &mut String, zh: &str, en: &str) {
    let _ = writeln!(page, "<h2>{zh} <small>{en}</small></h2>");
}

fn tiles(page: &mut String, total: &Figures) {
    let part = |part: u64, whole: u64| format!("{part} ÷ {whole}");
    let tiles = [
        (
            "接通率",
            "Connected rate",
            percent(total.connected_rate),
            part(total.answered, total.reached_queue),
        ),
        (
            "15 秒接听率",
            "Answered within 15 s",
            percent(total.in_15s_rate),
            part(total.answered_in_15s, total.reached_queue),
        ),
        (
            "平均等待",
            "Mean wait",
            format!("{} s", seconds(total.wait_ms_mean)),
            format!("p90 {} s", seconds(total.wait_ms_p90.map(|ms| ms as f64))),
        ),
        (
            "律师忙碌率",
            "Lawyers busy",
            percent(total.occupancy),
            format!("{:.0} h 在岗 on duty", total.staffed_hours),
        ),
        (
            "放弃 / 留言",
            "Gave up / messages",
            format!("{} / {}", total.abandoned, total.voicemail),
            part(total.abandoned + total.voicemail, total.calls),
        ),
    ];
    page.push_str("<div class=\"tiles\">");
    for (zh, en, value, detail) in tiles {
        let _ = write!(page, "<div>{zh} <small>{en}</small><b>{value}</b><small>{detail}</small></div>");
    }
    page.push_str("</div>\n");
}

/// Of the drawing, in its own units.
const WIDTH: f64 = 960.0;
const HEIGHT: f64 = 220.0;
const LEFT: f64 = 50.0;
const BOTTOM: f64 = 24.0;
const TOP: f64 = 10.0;

/// Where an hour begins, from 0 to 24.
fn x(hour: usize) -> f64 {
    LEFT + (WIDTH - LEFT) * hour as f64 / 24.0
}

/// Where this part of the largest value lies.
fn y(part: f64) -> f64 {
    TOP + (HEIGHT - TOP - BOTTOM) * (1.0 - part)
}

fn open_chart(page: &mut String, label: &str, scale: impl Fn(f64) -> String) {
    let _ = write!(page, "<svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"{label}\">");
    for part in [0.0, 0.5, 1.0] {
        let _ = write!(
            page,
            "<line x1=\"{LEFT}\" x2=\"{WIDTH}\" y1=\"{at:.1}\" y2=\"{at:.1}\" stroke=\"var(--line)\"/>\
             <text x=\"{end}\" y=\"{text:.1}\" text-anchor=\"end\">{value}</text>",
            at = y(part),
            end = LEFT - 6.0,
            text = y(part) + 4.0,
            value = scale(part),
        );
    }
    for hour in (0..24).step_by(2) {
        let _ = write!(
            page,
            "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{hour:02}</text>",
            (x(hour) + x(hour + 1)) / 2.0,
            HEIGHT - 6.0
        );
    }
}

/// Stacked bars: what became of the calls that came in each hour.
fn calls_chart(page: &mut String, hours: &[Figures]) {
    let most = hours.iter().map(|hour| hour.calls).max().unwrap_or(0).max(1);
    open_chart(page, "来电 calls", |part| format!("{:.0}", most as f64 * part));
    let kinds = [
        ("--ok", "接通", "answered"),
        ("--bad", "放弃", "gave up"),
        ("--msg", "留言", "left a message"),
        ("--none", "未接通也未留言", "neither"),
    ];
    for (hour, figures) in hours.iter().enumerate() {
        let neither = figures.unserved + figures.closed;
        let mut below = 0;
        for (count, (colour, zh, en)) in
            [figures.answered, figures.abandoned, figures.voicemail, neither].into_iter().zip(kinds)
        {
            let (from, to) = (below as f64 / most as f64, (below + count) as f64 / most as f64);
            let _ = write!(
                page,
                "<rect x=\"{:.1}\" y=\"{:.1}\" width=\"{:.1}\" height=\"{:.1}\" fill=\"var({colour})\">\
                 <title>{hour:02}-{:02} {zh} {en}: {count}</title></rect>",
                x(hour) + 3.0,
                y(to),
                x(hour + 1) - x(hour) - 6.0,
                y(from) - y(to),
                hour + 1,
            );
            below += count;
        }
    }
    page.push_str("</svg>\n<p class=\"key\">");
    for (colour, zh, en) in kinds {
        let _ = write!(page, "<i style=\"background:var({colour})\"></i>{zh} <small>{en}</small>");
    }
    page.push_str("</p>\n");
}

/// Two lines; hours without calls break them.
fn rates_chart(page: &mut String, hours: &[Figures]) {
    open_chart(page, "接通率 connected rate", |part| format!("{:.0}%", part * 100.0));
    let middle = |hour: usize| (x(hour) + x(hour + 1)) / 2.0;
    let lines: [(&str, &str, Rate); 2] =
        [("--rate", "", |figures| figures.connected_rate), ("--ok", "5 4", |figures| figures.in_15s_rate)];
    for (colour, dashes, rate) in lines {
        let mut path = String::new();
        let mut is_begun = false;
        for (hour, figures) in hours.iter().enumerate() {
            let Some(rate) = rate(figures) else {
                is_begun = false;
                continue;
            };
            let command = if is_begun { 'L' } else { 'M' };
            let _ = write!(path, "{command}{:.1} {:.1}", middle(hour), y(rate));
            is_begun = true;
            let _ = write!(
                page,
                "<circle cx=\"{:.1}\" cy=\"{:.1}\" r=\"3\" fill=\"var({colour})\"><title>{hour:02}-{:02}: {}</title>\
                 </circle>",
                middle(hour),
                y(rate),
                hour + 1,
                percent(Some(rate)),
            );
        }
        let _ = write!(
            page,
            "<path d=\"{path}\" fill=\"none\" stroke=\"var({colour})\" stroke-width=\"2\" \
             stroke-dasharray=\"{dashes}\"/>"
        );
    }
    page.push_str(
        "</svg>\n<p class=\"key\"><i style=\"background:var(--rate)\"></i>接通率 <small>connected</small>\
         <i style=\"background:var(--ok)\"></i>15 秒内接听（虚线） <small>within 15 s (dashed)</small></p>\n",
    );
}

fn pools(page: &mut String, report: &Report) {
    const HEAD: [(&str, &str); 12] = [
        ("律师池", "Pool"),
        ("进入排队", "Queued"),
        ("接通率", "Connected"),
        ("15 秒", "Within 15 s"),
        ("平均等待 s", "Mean wait"),
        ("p50 / p90 / p99 s", ""),
        ("最长 s", "Longest"),
        ("忙碌率", "Busy"),
        ("放弃", "Gave up"),
        ("留言", "Messages"),
        ("转出", "Passed on"),
        ("由他池接听", "Answered by others"),
    ];
    page.push_str("<div class=\"wide\"><table><tr>");
    for (zh, en) in HEAD {
        let _ = write!(page, "<th>{zh}<br><small>{en}</small></th>");
    }
    page.push_str("</tr>\n");
    let all = dialplan::Name { zh: "合计".to_owned(), en: "All".to_owned() };
    let of_pools = report.pools.iter().map(|pool| (&pool.name, &pool.total, Some(&pool.helped_by)));
    for (name, figures, helped_by) in of_pools.chain([(&all, &report.total, None)]) {
        let wait = |ms: Option<u64>| seconds(ms.map(|ms| ms as f64));
        let _ = writeln!(
            page,
            "<tr><td>{} <small>{}</small></td><td>{}</td><td>{} <small>{}</small></td>\
             <td>{} <small>{}</small></td><td>{}</td><td>{} / {} / {}</td><td>{}</td><td>{}</td><td>{}</td>\
             <td>{}</td><td>{}</td><td>{} <small>{}</small></td></tr>",
            escaped(&name.zh),
            escaped(&name.en),
            figures.reached_queue,
            percent(figures.connected_rate),
            figures.answered,
            percent(figures.in_15s_rate),
            figures.answered_in_15s,
            seconds(figures.wait_ms_mean),
            wait(figures.wait_ms_p50),
            wait(figures.wait_ms_p90),
            wait(figures.wait_ms_p99),
            wait(Some(figures.wait_ms_max)),
            percent(figures.occupancy),
            figures.abandoned,
            figures.voicemail,
            figures.overflowed,
            figures.answered_by_another_pool,
            escaped(&helped_by.map_or_else(String::new, |pools| helpers(report, pools))),
        );
    }
    page.push_str("</table></div>\n");
}

/// `瓯海值班律师 12，市级值班律师 3`.
fn helpers(report: &Report, pools: &BTreeMap<String, u64>) -> String {
    let helpers = report.pools.iter().filter_map(|pool| {
        let count = pools.get(&pool.pool)?;
        Some(format!("{} {count}", pool.name.zh))
    });
    helpers.collect::<Vec<_>>().join("，")
}

/// In percent.
fn rate_map(page: &mut String, report: &Report, rate: Rate, colour: &str) {
    heat(page, report, colour, |figures| rate(figures).map(|rate| (rate, format!("{:.0}", rate * 100.0))));
}

/// The longest mean has the full colour.
fn wait_map(page: &mut String, report: &Report) {
    let hours = report.pools.iter().flat_map(|pool| &pool.hours);
    let longest = hours.filter_map(|hour| hour.wait_ms_mean).fold(1.0, f64::max);
    let cell = |ms: f64| (ms / longest, format!("{:.0}", ms / 1_000.0));
    heat(page, report, "--msg", |figures| figures.wait_ms_mean.map(cell));
}

/// A table of pools and hours: `cell` gives the fullness of the colour, from 0 to 1, and what stands there.
fn heat(page: &mut String, report: &Report, colour: &str, cell: impl Fn(&Figures) -> Option<(f64, String)>) {
    page.push_str("<div class=\"wide\"><table><tr><th></th>");
    for hour in 0..24 {
        let _ = write!(page, "<th>{hour:02}</th>");
    }
    page.push_str("</tr>\n");
    for pool in &report.pools {
        let _ = write!(page, "<tr><td>{}</td>", escaped(&pool.name.zh));
        for figures in &pool.hours {
            let _ = match cell(figures) {
                Some((part, text)) => write!(
                    page,
                    "<td style=\"background:color-mix(in srgb,var({colour}) {:.0}%,transparent)\">{text}</td>",
                    (part * 60.0).clamp(0.0, 60.0),
                ),
                None => write!(page, "<td class=\"dim\">–</td>"),
            };
        }
        page.push_str("</tr>\n");
    }
    page.push_str("</table></div>\n");
}

/// Nothing where the dialplan offers no language.
fn languages(page: &mut String, rows: &[LanguageRow]) {
    if rows.is_empty() {
        return;
    }
    heading(page, "选择语言的来电", "Calls whose caller chose a language");
    page.push_str(
        "<table><tr><th>语言<br><small>Language</small></th><th>进入排队<br><small>Queued</small></th>\
         <th>接通<br><small>Answered</small></th><th>由会该语言的律师接听<br><small>By lawyers who speak it</small></th>\
         </tr>\n",
    );
    for row in rows {
        let _ = writeln!(
            page,
            "<tr><td>{} <small>{}</small></td><td>{}</td><td>{}</td><td>{}</td></tr>",
            escaped(&row.name.zh),
            escaped(&row.name.en),
            row.reached_queue,
            row.answered,
            row.answered_by_speakers,
        );
    }
    page.push_str("</table>\n");
}

fn shifts(page: &mut String, report: &Report) {
    page.push_str(
        "<table><tr><th>律师池<br><small>Pool</small></th><th>时段<br><small>Hours</small></th>\
         <th>律师<br><small>Lawyers</small></th><th>技能<br><small>Skills</small></th>\
         <th>接听<br><small>Answered</small></th></tr>\n",
    );
    for shift in &report.shifts {
        let _ = writeln!(
            page,
            "<tr><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td></tr>",
            escaped(&shift.pool),
            shift.hours,
            shift.lawyers,
            shift.knows().map_or_else(|| "全部 all".to_owned(), |skills| escaped(&skills)),
            shift.answered,
        );
    }
    page.push_str("</table>\n");
}

fn lawyers(page: &mut String, report: &Report) {
    if report.lawyers.is_empty() {
        return;
    }
    page.push_str(
        "<table><tr><th>律师<br><small>Lawyer</small></th><th>值班小时<br><small>Hours on shift</small></th>\
         <th>接听<br><small>Answered</small></th><th>忙碌率<br><small>Busy</small></th></tr>\n",
    );
    for LawyerRow { lawyer, hours_on_shift, answered, occupancy } in &report.lawyers {
        let busy = percent(*occupancy);
        let _ = writeln!(
            page,
            "<tr><td>{lawyer}</td><td>{hours_on_shift:.1}</td><td>{answered}</td><td>{busy}</td></tr>"
        );
    }
    page.push_str("</table>\n");
}

fn notes(page: &mut String) {
    page.push_str(
        "<p class=\"dim\">接通率 = 律师接听 ÷ 进入排队；15 秒接听率 = 15 秒内接听 ÷ 进入排队；等待时间含放弃者和未接通者。\
         来电计入其首先等待的律师池和来电时段；忙碌率 =（通话 + 整理）÷ 在岗，按律师所属的池计算，通话超出班次时可高于 100%。<br>\
         Connected rate = answered by a lawyer ÷ reached the queue; 15-second rate = answered within 15 s ÷ reached \
         the queue; waits are those of everybody who waited, whatever became of them. A call counts for the pool that \
         it first waited for and the hour in which it came. Busy = talking and writing up ÷ on duty, of the pool’s \
         own lawyers; talks that outlast a shift can bring it above 100%.</p>\n",
    );
}

fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            c => safe.push(c),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_cannot_become_markup() {
        assert_eq!(escaped("<b>\"鹿城\" & co"), "&lt;b&gt;&quot;鹿城&quot; &amp; co");
    }
}

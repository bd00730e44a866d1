//! `hotline demo`: a whole hotline on this machine, with thirty-six scripted lawyers and a stream of callers
//! over real SIP and RTP, so that the board lives; and an account for the visitor's own phone.

use crate::config::{self, Settings};
use crate::server::{self, Server};
use anyhow::{Context as _, Result, anyhow};
use clap::Args;
use dialplan::{Calendars, Checked, Context, Dialplan, Problem, china_day};
use domain::{AgentId, PoolId};
use phones::{Arrivals, Callers, Lawyer, Line, LineConfig, Manner, Report, Span};
use rust_embed::RustEmbed;
use std::collections::BTreeMap;
use std::io::Write as _;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, UdpSocket};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;
use tracing::warn;

/// What the hotline comes with: Wenzhou's dialplan, its prompts, and speech for the scripted people.
#[derive(RustEmbed)]
#[folder = "../../dialplans/"]
struct Embedded;

const DIALPLAN: &str = "wenzhou.toml";
const CALENDARS: &str = "calendars/";
const PROMPTS: &str = "prompts/zh-CN/";
/// The scripted people's own address, which is also the demo's trunk.
const CROWD_IP: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2));
/// Wide enough that a few demos and tests on one machine find free pairs.
const CROWD_PORTS: std::ops::RangeInclusive<u16> = 20_000..=31_999;
const HOTLINE_PORTS: (u16, u16) = (20_000, 31_999);
const CALLS_MAX: usize = 400;
const LAWYERS_PER_COUNTY: u32 = 3;
const VISITOR: &str = "8000";
const VISITOR_PASSWORD: &str = "12348";
const SURNAMES: [&str; 12] = ["王", "李", "张", "刘", "陈", "杨", "黄", "赵", "吴", "周", "徐", "孙"];
const TALKS: Span = Span::ms(20_000, 70_000);
const PATIENCE: Span = Span::ms(40_000, 150_000);

#[derive(Args)]
pub struct Options {
    /// Where phones register; the port is chosen by the system if this one is taken.
    #[arg(long, default_value = "127.0.0.1:5060")]
    sip: SocketAddr,
    #[arg(long, default_value = "127.0.0.1:8080")]
    web: SocketAddr,
    /// Mean time between two scripted callers, in milliseconds.
    #[arg(long, default_value_t = 2_600)]
    gap_ms: u64,
    /// Database and recordings; by default a new folder among the temporary files.
    #[arg(long)]
    data: Option<PathBuf>,
}

pub fn run(options: &Options) -> Result<ExitCode> {
    let data_dir = options
        .data
        .clone()
        .unwrap_or_else(|| std::env::temp_dir().join(format!("hotline-demo-{}", std::process::id())));
    let settings = settings(options, data_dir.clone())?;
    let lawyers = scripted_lawyers(&settings);
    let prompts = settings.prompts.clone();
    let runtime = server::runtime()?;
    runtime.block_on(async {
        let server = Server::start(&settings).await?;
        let hotline = *server.sip_udp.first().context("the demo needs UDP")?;
        let line = start_crowd(options, hotline, lawyers, &prompts)?;
        line.open();
        say(&greeting(&server, hotline, &data_dir));
        server::stop_signal().await?;
        say("\nStopping: calls under way are ended and recorded.");
        line.close();
        line.stop();
        server.stop().await;
        Ok(ExitCode::SUCCESS)
    })
}

/// Nobody need be reading: the hotline stays open even if its words cannot be written.
fn say(words: &str) {
    let _ = writeln!(std::io::stdout(), "{words}");
}

fn greeting(server: &Server, hotline: SocketAddr, data_dir: &std::path::Path) -> String {
    format!(
        "
Hotline 12348 is open / 12348 公共法律服务热线已开通

  Open / 打开   http://{}/
  Dial / 拨打   register any SIP softphone, then dial 12348 / 用任意 SIP 软电话注册后拨打 12348
                server 服务器 {hotline} (UDP, TCP)   user 用户 {VISITOR}   password 密码 {VISITOR_PASSWORD}

  Recordings and records / 录音与记录   {}
  Stop / 停止   Ctrl-C
",
        server.web,
        data_dir.display()
    )
}

fn settings(options: &Options, data_dir: PathBuf) -> Result<Settings> {
    let prompts = embedded_prompts();
    let dialplan = embedded_dialplan(&prompts)?;
    let sip = free_address(options.sip);
    let realm = config::Sip::default().realm;
    let mut accounts = BTreeMap::new();
    // Any softphone shall do, and some give up on a challenge that names more than MD5.
    let visitor =
        sip::Account { ha1_sha256: None, ..sip::Account::from_password(VISITOR, &realm, VISITOR_PASSWORD) };
    accounts.insert(VISITOR.to_owned(), visitor);
    let agents = agents(&dialplan);
    for agent in agents.values() {
        let account = sip::Account::from_password(&agent.user, &realm, &password_of(&agent.user));
        accounts.insert(agent.user.clone(), account);
    }
    let trunk = config::Trunk { id: "demo".into(), peers: [CROWD_IP].into(), contact: None };
    Ok(Settings {
        sip: config::Sip { udp: vec![sip], tcp: vec![sip], ..config::Sip::default() },
        media: config::Media {
            ip: sip.ip(),
            advertised: sip.ip(),
            port_min: HOTLINE_PORTS.0,
            port_max: HOTLINE_PORTS.1,
            ..config::Media::default()
        },
        store: config::Store {
            url: format!("sqlite:{}?mode=rwc", data_dir.join("hotline.db").display()),
            spool_max_mib: config::SPOOL_MAX_MIB,
        },
        data_dir,
        web_listen: free_web_address(options.web),
        limits: switch::Limits { calls_max: CALLS_MAX, ..switch::Limits::default() },
        dialplans: vec![dialplan],
        prompts,
        trunks: vec![trunk],
        agents,
        rosters: Vec::new(),
        accounts,
        cluster: None,
    })
}

/// Some lawyers of each county.
fn agents(dialplan: &Dialplan) -> BTreeMap<AgentId, config::Agent> {
    let mut agents = BTreeMap::new();
    for (county, (_, info)) in dialplan.counties().iter().enumerate() {
        for desk in 0..LAWYERS_PER_COUNTY {
            let id = AgentId(1_000 + county as u32 * 10 + desk + 1);
            let agent = agent(dialplan, id.to_string(), county + desk as usize * 5, &info.pool);
            agents.insert(id, agent);
        }
    }
    agents
}

/// A lawyer serves the own county and helps out in the city's pool.
fn agent(dialplan: &Dialplan, user: String, name: usize, own: &PoolId) -> config::Agent {
    let city = dialplan.pools().iter().filter(|(_, pool)| pool.county.is_none()).map(|(id, _)| id.clone());
    let name = format!("{}律师", SURNAMES[name % SURNAMES.len()]);
    let pools = std::iter::once(own.clone()).chain(city);
    let pools = pools.map(|pool| (pool, acd::Membership::default())).collect();
    let skills = acd::Skills::new();
    let region = dialplan.region().clone();
    config::Agent { name, region, pools, skills, user, contact: None, mobile: None }
}

/// Known to the scripted phones only.
fn password_of(user: &str) -> String {
    format!("demo-{user}")
}

fn embedded_prompts() -> config::Prompts {
    let mut prompts = config::Prompts::new();
    for path in Embedded::iter() {
        let name = path.strip_prefix(PROMPTS).and_then(|file| file.strip_suffix(".al"));
        if let (Some(name), Some(file)) = (name, Embedded::get(&path)) {
            prompts.insert(name.to_owned(), Arc::from(file.data.as_ref()));
        }
    }
    prompts
}

fn embedded_calendars() -> std::result::Result<Checked<Calendars>, Vec<Problem>> {
    let files: Vec<_> = Embedded::iter()
        .filter(|path| path.starts_with(CALENDARS))
        .filter_map(|path| {
            Some((path.to_string(), String::from_utf8(Embedded::get(&path)?.data.into()).ok()?))
        })
        .collect();
    Calendars::read(files.iter().map(|(file, text)| (file.as_str(), text.as_str())))
}

fn embedded_dialplan(prompts: &config::Prompts) -> Result<Arc<Dialplan>> {
    let file = Embedded::get(DIALPLAN).context("the demo's dialplan is not in this binary")?;
    let text = std::str::from_utf8(&file.data)?;
    let names = prompts.keys().cloned().collect();
    let refused = |problems: Vec<Problem>| {
        anyhow!(problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))
    };
    let calendars = embedded_calendars().map_err(refused)?.value;
    let context = Context::new(&names, &calendars, china_day(net::sip::now()).year());
    let checked = Dialplan::parse(DIALPLAN, text, &context).map_err(refused)?;
    // Whoever looks at the demo at night wants to see all counties.
    Ok(Arc::new(checked.value.always_open()))
}

/// The wanted address if both transports can have it, else one with a port of the system's choice.
fn free_address(wanted: SocketAddr) -> SocketAddr {
    let is_free = |address| UdpSocket::bind(address).is_ok() && TcpListener::bind(address).is_ok();
    if is_free(wanted) {
        return wanted;
    }
    warn!(%wanted, "taken: another port is used");
    let any = SocketAddr::new(wanted.ip(), 0);
    let port =
        UdpSocket::bind(any).and_then(|socket| socket.local_addr()).map_or(0, |address| address.port());
    SocketAddr::new(wanted.ip(), port)
}

fn free_web_address(wanted: SocketAddr) -> SocketAddr {
    if TcpListener::bind(wanted).is_ok() {
        return wanted;
    }
    warn!(%wanted, "taken: another port is used");
    SocketAddr::new(wanted.ip(), 0)
}

fn scripted_lawyers(settings: &Settings) -> Vec<Lawyer> {
    let lawyer = |agent: &config::Agent| Lawyer {
        user: agent.user.clone(),
        password: Some(password_of(&agent.user)),
        manner: Manner::human(TALKS),
    };
    settings.agents.values().map(lawyer).collect()
}

fn start_crowd(
    options: &Options,
    hotline: SocketAddr,
    lawyers: Vec<Lawyer>,
    prompts: &config::Prompts,
) -> Result<Line> {
    let speech = |who: &str| -> Vec<Arc<[u8]>> {
        prompts
            .iter()
            .filter(|(name, _)| name.starts_with(who))
            .map(|(_, samples)| Arc::clone(samples))
            .collect()
    };
    let config = LineConfig {
        ip: CROWD_IP,
        sip_port: 0,
        hotline,
        transport: sip::Transport::Udp,
        ports: Some(CROWD_PORTS),
        media_port: phones::NOWHERE,
        seed: u64::from(std::process::id()),
        lawyers,
        callers: Some(Callers {
            arrivals: Arrivals::Poisson { mean_gap: Duration::from_millis(options.gap_ms) },
            calls_max: u64::MAX,
            at_once_max: 150,
            called: "12348".to_owned(),
            prefixes: caller_prefixes(),
            patience: PATIENCE,
        }),
        caller_speech: speech("demo_caller"),
        lawyer_speech: speech("demo_lawyer"),
    };
    let on_report = |_, report: Report| {
        if let Report::Registered { user, status } = report
            && status != 200
        {
            warn!(user, status, "a scripted lawyer could not register");
        }
    };
    Line::start(config, on_report).context("the scripted phones cannot be started")
}

/// One landline prefix of each county, by the dialplan's example tables, and some mobiles.
fn caller_prefixes() -> Vec<String> {
    let counties = ["880", "863", "850", "633", "57", "58", "670", "63", "64", "677", "675", "642"];
    let landlines = counties.iter().map(|prefix| format!("0577{prefix}"));
    landlines.chain(["138", "159"].map(str::to_owned)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    #[test]
    fn the_committed_roster_is_for_these_lawyers() {
        let dialplan = embedded_dialplan(&embedded_prompts()).unwrap();
        let staff = config::staff(&agents(&dialplan));
        let path = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../dialplans/rosters/wenzhou.toml"));
        let today = dialplan::parse_date("2026-11-22").unwrap();
        let read = config::read_roster(path, &[dialplan], Some(&staff), today);
        assert!(read.is_ok(), "{read:#?}");
    }
}

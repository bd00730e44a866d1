//! Starts a hotline from its settings, and stops it: store, sockets, media, switch, board.

use crate::callers;
use crate::config::{self, Settings};
use crate::outlet::{LIVE_FACTS_MAX, Outlet};
use crate::switch_thread::{GATHER, Inbound, POSTS_MAX, SwitchThread};
use anyhow::{Context as _, Result};
use domain::FactRecord;
use net::media::{MediaConfig, MediaShards};
use net::sip::{Inbox, Post, SipConfig, SipSockets};
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;
use store::{Lasting, PoolState, Recorder, RecorderConfig, Store};
use switch::{Input, Node};
use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tracing::{error, warn};

/// How long the journal of the last run may take to tell what agents did.
const REPLAY_TIMEOUT: Duration = Duration::from_secs(10);
/// How long calls under way may go on after the server was told to stop.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(20);
/// How long their legs and recordings may take to settle after that.
const SETTLE_TIMEOUT: Duration = Duration::from_secs(12);
/// How long the database may take for the last records.
const STORE_TIMEOUT: Duration = Duration::from_secs(10);
/// How long facts gather for the live board: too short to be seen.
const LIVE_GATHER: Duration = Duration::from_millis(100);
const STOP_POLL: Duration = Duration::from_millis(50);

pub struct Server {
    pub web: SocketAddr,
    pub sip_udp: Vec<SocketAddr>,
    pub sip_tcp: Vec<SocketAddr>,
    live: web::Live,
    inbound: Post<Inbound>,
    calls: Arc<AtomicUsize>,
    switch: JoinHandle<()>,
    recorder: Recorder,
    web_task: tokio::task::JoinHandle<()>,
    shutdown: CancellationToken,
}

/// Web server and store share it; the call path has its own threads.
pub fn runtime() -> Result<tokio::runtime::Runtime> {
    Ok(tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?)
}

/// Waits for SIGTERM or Ctrl-C.
pub async fn stop_signal() -> Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        _ = terminate.recv() => {}
        interrupted = tokio::signal::ctrl_c() => interrupted?,
    }
    Ok(())
}

/// SIGHUP, by which an operator asks for the configuration to be read again (`systemctl reload`).
pub fn reload_signal() -> Result<Signal> {
    Ok(signal(SignalKind::hangup())?)
}

impl Server {
    pub async fn start(settings: &Settings) -> Result<Self> {
        let folders = Folders::create(&settings.data_dir)?;
        let store = Store::open(&settings.store.url).await.context("the store cannot be opened")?;
        let (facts, mut recorder) = Recorder::start(
            store.clone(),
            RecorderConfig {
                disk_bytes_max: settings.store.spool_max_mib << 20,
                ..RecorderConfig::new(folders.spool)
            },
        )
        .context("the spool cannot be used")?;
        let lasting = recorder
            .lasting(&store, REPLAY_TIMEOUT)
            .await
            .context("what outlives a restart cannot be read")?;

        let registry = prometheus::Registry::new();
        let live = web::Live::new(directory(settings), net::sip::now());
        let shutdown = CancellationToken::new();
        let (commands, command_queue) = tokio::sync::mpsc::channel(web::COMMANDS_MAX);
        let (live_facts, live_queue) = sync_channel(LIVE_FACTS_MAX);
        let (questions, question_queue) = tokio::sync::mpsc::channel(callers::QUESTIONS_MAX);
        let (inbound, mut inbox) = net::sip::inbox(POSTS_MAX, GATHER)?;

        let sockets = start_sip(settings, inbound.clone(), &mut inbox).context("SIP")?;
        let shards = start_media(settings, folders.recordings, inbound.clone()).context("media")?;
        let (sip_udp, sip_tcp) = (sockets.udp().collect(), sockets.tcp().to_vec());
        let calls = Arc::new(AtomicUsize::new(0));
        let thread = SwitchThread {
            node: Node::new(net::sip::now(), switch_config(settings, lasting, &sockets, &shards)?),
            inbox,
            sockets,
            shards,
            outlet: Outlet::new(facts, live_facts, &registry)?,
            questions,
            calls: Arc::clone(&calls),
            unsent: (0..settings.media.shards).map(|_| VecDeque::new()).collect(),
        };
        let switch = std::thread::Builder::new().name("switch".to_owned()).spawn(move || thread.run())?;
        feed_live(live.clone(), live_queue)?;
        tokio::spawn(forward_commands(command_queue, inbound.clone()));
        tokio::spawn(callers::answer(store.clone(), question_queue, inbound.clone()));

        let listener = TcpListener::bind(settings.web_listen)
            .await
            .with_context(|| format!("the board cannot listen on {}", settings.web_listen))?;
        let web = listener.local_addr()?;
        let app = web::App { store, live: live.clone(), registry, commands, shutdown: shutdown.clone() };
        let web_task = tokio::spawn(async move {
            if let Err(error) = web::serve(listener, app).await {
                error!(%error, "the live board has stopped");
            }
        });
        Ok(Self { web, sip_udp, sip_tcp, live, inbound, calls, switch, recorder, web_task, shutdown })
    }

    /// New dialplans, lawyers, accounts and recordings; sockets and trunks stay.
    pub async fn configure(&self, settings: &Settings) {
        self.live.set_directory(directory(settings), net::sip::now());
        let snapshot = snapshot(settings, Locals { udp: &self.sip_udp, tcp: &self.sip_tcp });
        self.tell(Input::Configured(Box::new(snapshot))).await;
    }

    /// Lets calls under way end, ends those that do not, and makes sure that every record is kept.
    pub async fn stop(self) {
        self.tell(Input::Drain).await;
        if !self.wait_for_no_calls(DRAIN_TIMEOUT).await {
            self.tell(Input::HangUpAll).await;
            if !self.wait_for_no_calls(SETTLE_TIMEOUT).await {
                warn!("some calls did not settle; their records are made at the next start");
            }
        }
        self.shutdown.cancel();
        let Self { inbound, switch, recorder, web_task, .. } = self;
        let stopped = tokio::task::spawn_blocking(move || {
            let told = inbound.send(Inbound::Stop).is_ok();
            if told && switch.join().is_err() {
                error!("the switch thread panicked");
            }
        });
        let _ = stopped.await;
        if !recorder.stop(STORE_TIMEOUT).await {
            warn!("the database did not take every record; the journal keeps them for the next start");
        }
        let _ = web_task.await;
    }

    async fn tell(&self, input: Input) {
        let inbound = self.inbound.clone();
        let _ = tokio::task::spawn_blocking(move || inbound.send(Inbound::Input(input))).await;
    }

    async fn wait_for_no_calls(&self, patience: Duration) -> bool {
        let deadline = tokio::time::Instant::now() + patience;
        while self.calls.load(Ordering::Relaxed) > 0 {
            if tokio::time::Instant::now() >= deadline {
                return false;
            }
            tokio::time::sleep(STOP_POLL).await;
        }
        true
    }
}

struct Folders {
    spool: PathBuf,
    recordings: PathBuf,
}

impl Folders {
    fn create(data_dir: &Path) -> Result<Self> {
        let folders = Self { spool: data_dir.join("spool"), recordings: data_dir.join("recordings") };
        for folder in [&folders.spool, &folders.recordings] {
            std::fs::create_dir_all(folder).with_context(|| format!("creating {}", folder.display()))?;
        }
        Ok(folders)
    }
}

fn start_sip(
    settings: &Settings,
    inbound: Post<Inbound>,
    inbox: &mut Inbox<Inbound>,
) -> std::io::Result<SipSockets> {
    let config =
        SipConfig { udp: settings.sip.udp.clone(), tcp: settings.sip.tcp.clone(), ..SipConfig::default() };
    net::sip::start(&config, inbound, inbox)
}

fn start_media(
    settings: &Settings,
    recordings_dir: PathBuf,
    inbound: Post<Inbound>,
) -> std::io::Result<MediaShards> {
    let media = &settings.media;
    let config = MediaConfig {
        ports: media.port_min..=media.port_max,
        // As many as the calls need that we let in; taken ports are skipped.
        pairs: (usize::from(media.port_max - media.port_min + 1) / 2).min(settings.limits.calls_max * 2),
        shards: media.shards,
        silence_timeout: media.silence_timeout,
        ..MediaConfig::new(media.ip, recordings_dir)
    };
    // Events are few and each matters: a shard waits for the switch, which never waits for a shard.
    net::media::start(&config, move |event| {
        let _ = inbound.send(Inbound::Input(Input::Media(event)));
    })
}

fn restored(lasting: Vec<Lasting>) -> switch::Restored {
    let mut restored = switch::Restored::default();
    for state in lasting {
        match state {
            Lasting::Agent(state) => {
                restored.agents.insert(state.agent, (state.duty, state.activity()));
            }
            Lasting::Pool(PoolState { region, pool, set: Some(set), by, .. }) => {
                restored.overrides.insert((region, pool), (set, by));
            }
            Lasting::Pool(PoolState { set: None, .. }) => {}
        }
    }
    restored
}

fn switch_config(
    settings: &Settings,
    lasting: Vec<Lasting>,
    sockets: &SipSockets,
    shards: &MediaShards,
) -> Result<switch::Config> {
    let mut seed = [0; 32];
    getrandom::fill(&mut seed).map_err(|error| anyhow::anyhow!("no randomness: {error}"))?;
    let mut sip = sip::Config::new(seed);
    sip.realm.clone_from(&settings.sip.realm);
    sip.session_expires = settings.sip.session_expires;
    if let Some(advertised) = settings.sip.advertised {
        let bound = sockets.udp().chain(sockets.tcp().iter().copied());
        sip.advertised = bound.map(|local| (local, SocketAddr::new(advertised, local.port()))).collect();
    }
    let udp: Vec<SocketAddr> = sockets.udp().collect();
    let locals = Locals { udp: &udp, tcp: sockets.tcp() };
    let trunks = settings.trunks.iter().map(|trunk| switch::Trunk {
        id: trunk.id.clone(),
        peers: trunk.peers.clone(),
        contact: trunk.contact.as_ref().and_then(|contact| target(contact, locals)),
    });
    Ok(switch::Config {
        sip,
        trunks: trunks.collect(),
        snapshot: snapshot(settings, locals),
        restored: restored(lasting),
        media_ip: settings.media.advertised,
        media_ports: shards
            .ports()
            .iter()
            .map(|free| switch::MediaPort { shard: free.shard, port: free.port })
            .collect(),
        limits: settings.limits.clone(),
    })
}

/// The addresses that our sockets are bound to.
#[derive(Clone, Copy)]
struct Locals<'a> {
    udp: &'a [SocketAddr],
    tcp: &'a [SocketAddr],
}

/// What a running node can be told anew.
fn snapshot(settings: &Settings, locals: Locals<'_>) -> switch::Snapshot {
    switch::Snapshot {
        dialplans: settings.dialplans.clone(),
        agents: settings.agents.iter().map(|(id, agent)| (*id, switch_agent(agent, locals))).collect(),
        rosters: settings.rosters.clone(),
        accounts: settings.accounts.clone(),
        prompts: Arc::new(settings.prompts.clone()),
    }
}

fn switch_agent(agent: &config::Agent, locals: Locals<'_>) -> switch::Agent {
    let contact = agent.contact.as_ref().and_then(|contact| target(contact, locals));
    switch::Agent {
        region: agent.region.clone(),
        pools: agent.pools.clone(),
        skills: agent.skills.clone(),
        user: agent.user.clone(),
        contact,
        mobile: agent.mobile.as_ref().map(|config::Mobile { number, trunk, caller_id }| switch::Mobile {
            number: number.clone(),
            trunk: trunk.clone(),
            caller_id: caller_id.clone(),
        }),
    }
}

/// A peer at a fixed address, reached over the first socket of its transport.
fn target(contact: &config::Contact, locals: Locals<'_>) -> Option<sip::Target> {
    let sockets = match contact.transport {
        sip::Transport::Udp => locals.udp,
        sip::Transport::Tcp => locals.tcp,
    };
    let local = *sockets.first()?;
    let flow = sip::Flow { transport: contact.transport, local, remote: contact.remote };
    Some(sip::Target { flow, uri: contact.uri.clone() })
}

fn directory(settings: &Settings) -> web::Directory {
    let name = |name: &dialplan::Name| web::Name::new(&name.zh, &name.en);
    let mut directory = web::Directory::default();
    for plan in &settings.dialplans {
        let region = web::Region { name: name(plan.region_name()), dialplan: plan.version().clone() };
        directory.regions.insert(plan.region().clone(), region);
        for (id, county) in plan.counties() {
            directory.counties.insert(id.clone(), name(&county.name));
        }
        for (id, pool) in plan.pools() {
            directory.pools.push(web::Pool {
                id: id.clone(),
                region: plan.region().clone(),
                name: name(&pool.name),
                county: pool.county.clone(),
            });
        }
    }
    for (id, agent) in &settings.agents {
        let row = web::Agent { name: agent.name.clone(), pools: agent.pools.keys().cloned().collect() };
        directory.agents.insert(*id, row);
    }
    directory
}

/// The board's own thread: whatever it takes to show facts, the switch does not wait for it. After the first
/// fact it lets others gather, for the switch pays for every wake-up, and a fact costs less than one.
fn feed_live(live: web::Live, facts: Receiver<FactRecord>) -> std::io::Result<()> {
    let feed = move || {
        while let Ok(record) = facts.recv() {
            live.ingest(&record);
            std::thread::sleep(LIVE_GATHER);
            facts.try_iter().for_each(|record| live.ingest(&record));
        }
    };
    std::thread::Builder::new().name("live".to_owned()).spawn(feed).map(drop)
}

async fn forward_commands(mut commands: tokio::sync::mpsc::Receiver<web::Command>, inbound: Post<Inbound>) {
    while let Some(command) = commands.recv().await {
        let input = match command {
            web::Command::AgentDuty { agent, duty } => Input::AgentDuty { agent, duty },
            web::Command::WrapUpDone { agent } => Input::WrapUpDone { agent },
            web::Command::CallSupervised { call, user, mode, by } => {
                Input::CallSupervised { call, user, mode, by }
            }
            web::Command::TalkWished { agent, wish } => Input::TalkWished { agent, wish },
            web::Command::WrapUpExtended { agent, by } => Input::WrapUpExtended { agent, by },
            web::Command::CallPrioritised { call, urgent, head_start, by } => {
                Input::CallPrioritised { call, priority: acd::Priority { urgent, head_start }, by }
            }
            web::Command::PoolsOverridden { region, pool, set, by } => {
                Input::PoolsOverridden { region, pool, set, by }
            }
        };
        let inbound = inbound.clone();
        let _ = tokio::task::spawn_blocking(move || inbound.send(Inbound::Input(input))).await;
    }
}

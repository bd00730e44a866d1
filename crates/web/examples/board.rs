//! The console fed with invented facts: to look at it, to work on it, and for its browser tests.
//!
//! `cargo run -p web --example board -- [PORT]`; prints the address when it serves.
//!
//! The world is simple and quick: calls come to twelve counties, the first ready lawyer is rung, most
//! answer, talks are short. It decides nothing that the real `acd` decides; it only looks alive.

use domain::{
    Activity, AgentId, CallId, Departure, Duty, Fact, FactRecord, OfferEnd, Party, PauseReason, Pii, PoolId,
    Timestamp, WrapUpRule,
};
use std::collections::BTreeMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio_util::sync::CancellationToken;
use web::{Agent, App, COMMANDS_MAX, Command, Directory, Live, Name, Pool, Region};

const COUNTIES: [(&str, &str, &str); 12] = [
    ("lucheng", "鹿城区", "Lucheng"),
    ("longwan", "龙湾区", "Longwan"),
    ("ouhai", "瓯海区", "Ouhai"),
    ("dongtou", "洞头区", "Dongtou"),
    ("yueqing", "乐清市", "Yueqing"),
    ("ruian", "瑞安市", "Rui'an"),
    ("yongjia", "永嘉县", "Yongjia"),
    ("pingyang", "平阳县", "Pingyang"),
    ("cangnan", "苍南县", "Cangnan"),
    ("wencheng", "文成县", "Wencheng"),
    ("taishun", "泰顺县", "Taishun"),
    ("longgang", "龙港市", "Longgang"),
];
const SURNAMES: [&str; 18] = [
    "陈", "林", "黄", "张", "李", "王", "吴", "周", "徐", "叶", "郑", "金", "潘", "项", "胡", "谢", "蔡",
    "章",
];
const TICK: Duration = Duration::from_millis(100);
/// So many ticks of the past are played before the first page opens.
const TICKS_BEFORE: i64 = 6_000;
const PATIENCE_MS: u64 = 75_000;
const RING_MS: u64 = 20_000;
const WRAP_UP_MS: u64 = 12_000;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let port = std::env::args().nth(1).map_or(Ok(0), |port| port.parse::<u16>())?;
    let folder = tempfile::tempdir()?;
    let store = store::Store::open(&format!("sqlite://{}", folder.path().join("board.db").display())).await?;
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", port)).await?;
    println!("http://{}", listener.local_addr()?);

    let start = now();
    let past = Timestamp::from_ms(start.as_ms() - TICKS_BEFORE * TICK.as_millis() as i64);
    let live = Live::new(directory(), past);
    let (commands, mut asked) = tokio::sync::mpsc::channel(COMMANDS_MAX);
    let shutdown = CancellationToken::new();
    let registry = prometheus::Registry::new();
    let app = App { store, live: live.clone(), registry, commands, shutdown: shutdown.clone() };

    let mut world = World::new(live, past);
    for tick in 0..TICKS_BEFORE {
        world.step(past + TICK * tick as u32);
    }
    let run = tokio::spawn(async move {
        let mut interval = tokio::time::interval(TICK);
        loop {
            tokio::select! {
                Some(command) = asked.recv() => world.obey(now(), command),
                _ = interval.tick() => world.step(now()),
            }
        }
    });
    tokio::spawn(async move {
        // Without Ctrl-C it is ended from outside.
        let _ = tokio::signal::ctrl_c().await;
        shutdown.cancel();
    });
    web::serve(listener, app).await?;
    run.abort();
    Ok(())
}

fn now() -> Timestamp {
    let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_ms(since_1970.as_millis() as i64)
}

fn directory() -> Directory {
    let county = |&(id, zh, en): &(&str, &str, &str)| Pool {
        id: id.into(),
        region: "wenzhou".into(),
        name: Name::new(zh, en),
        county: Some(id.into()),
    };
    let region = "wenzhou".into();
    let city = Pool { id: "city".into(), region, name: Name::new("市级", "City"), county: None };
    let agents = (0..36).map(|index| {
        let home = COUNTIES[index % 12].0.into();
        let pools = if index % 6 == 0 { vec![home, "city".into()] } else { vec![home] };
        let name = format!("{}律师", SURNAMES[index / 2 % SURNAMES.len()]);
        (AgentId(8001 + index as u32), Agent { name, pools })
    });
    let region = Region { name: Name::new("温州", "Wenzhou"), dialplan: "0123456789ab".into() };
    Directory {
        regions: BTreeMap::from([("wenzhou".into(), region)]),
        counties: COUNTIES.iter().map(|&(id, zh, en)| (id.into(), Name::new(zh, en))).collect(),
        pools: COUNTIES.iter().map(county).chain([city]).collect(),
        agents: agents.collect(),
    }
}

struct World {
    live: Live,
    seq: u64,
    random: u64,
    lawyers: BTreeMap<AgentId, Lawyer>,
    calls: BTreeMap<CallId, Call>,
    next_call: u64,
}

#[derive(Clone)]
struct Lawyer {
    pools: Vec<PoolId>,
    reachable: bool,
    duty: Duty,
    activity: Activity,
}

struct Call {
    pool: PoolId,
    state: State,
    queued_at: Timestamp,
}

#[derive(Clone, Copy)]
enum State {
    Menu { until: Timestamp },
    Waiting { patience: Timestamp },
    Ringing { agent: AgentId, answers: Option<Timestamp>, patience: Timestamp, until: Timestamp },
    Talking { agent: AgentId, until: Timestamp },
}

impl World {
    fn new(live: Live, at: Timestamp) -> Self {
        let idle = Activity::Idle { since: at };
        let lawyer = |(id, agent): (AgentId, Agent)| {
            let asked = Duty::Paused { reason: PauseReason::Other, until: None };
            let duty = if id.0 % 11 == 0 { asked } else { Duty::Ready };
            (id, Lawyer { pools: agent.pools, reachable: id.0 % 9 != 0, duty, activity: idle })
        };
        let lawyers = directory().agents.into_iter().map(lawyer).collect();
        let mut world = Self { live, seq: 0, random: 12348, lawyers, calls: BTreeMap::new(), next_call: 1 };
        world.tell(at, Fact::TrunkChanged { trunk: "telecom-1".into(), reachable: true });
        for id in world.lawyers.keys().copied().collect::<Vec<_>>() {
            world.tell_lawyer(at, id);
        }
        world
    }

    fn step(&mut self, at: Timestamp) {
        if self.chance(75) {
            self.arrive(at);
        }
        for id in self.lawyers.keys().copied().collect::<Vec<_>>() {
            self.step_lawyer(at, id);
        }
        for id in self.calls.keys().copied().collect::<Vec<_>>() {
            self.step_call(at, id);
        }
    }

    fn obey(&mut self, at: Timestamp, command: Command) {
        match command {
            Command::AgentDuty { agent, duty } => self.change(at, agent, |lawyer| lawyer.duty = duty),
            Command::WrapUpExtended { agent, by } => self.change(at, agent, |lawyer| {
                if let Activity::WrapUp { until, rule: WrapUpRule::Extendable { latest }, .. } =
                    &mut lawyer.activity
                {
                    *until = (*until + by).min(*latest);
                }
            }),
            Command::WrapUpDone { agent } => self.change(at, agent, |lawyer| {
                if let Activity::WrapUp { .. } = lawyer.activity {
                    lawyer.activity = Activity::Idle { since: at };
                }
            }),
            // Nobody of this play talks to third parties or supervises.
            Command::TalkWished { .. } | Command::CallSupervised { .. } => {}
            Command::CallPrioritised { call, urgent, head_start, by } => {
                let head_start_ms = head_start.as_millis() as u64;
                self.tell(at, Fact::CallPrioritised { call, urgent, head_start_ms, by });
            }
            Command::PoolsOverridden { region, pool, set, by } => {
                let pools = directory().pools.into_iter().map(|pool| pool.id);
                for pool in pools.filter(|id| pool.as_ref().is_none_or(|pool| pool == id)) {
                    let (region, by) = (region.clone(), by.clone());
                    self.tell(at, Fact::PoolOverridden { region, pool, set, by });
                }
            }
        }
    }

    fn arrive(&mut self, at: Timestamp) {
        let call = CallId((at.as_ms() as u64) << 20 | self.next_call);
        self.next_call += 1;
        // Some counties are busier than others.
        let county = COUNTIES[(self.below(12) * self.below(12) / 11) as usize].0;
        let caller = Pii::new(format!("13{:09}", self.below(1_000_000_000)));
        let called = "057712348".to_owned();
        let region = Some("wenzhou".into());
        let trunk = Some("telecom-1".into());
        self.tell(
            at,
            Fact::CallArrived { call, region, trunk, caller, caller_name: None, called, plan: None },
        );
        self.tell(at, Fact::CallAttributed { call, county: county.into() });
        self.tell(at, Fact::CallStepped { call, step: "notice".into() });
        let until = at + Duration::from_millis(2_000 + self.below(3_000));
        self.calls.insert(call, Call { pool: county.into(), state: State::Menu { until }, queued_at: at });
    }

    fn step_lawyer(&mut self, at: Timestamp, id: AgentId) {
        let lawyer = self.lawyers[&id].clone();
        let idle = matches!(lawyer.activity, Activity::Idle { .. });
        if matches!(lawyer.activity, Activity::WrapUp { until, .. } if until <= at) {
            self.change(at, id, |lawyer| lawyer.activity = Activity::Idle { since: at });
        } else if idle && !lawyer.reachable && self.chance(3_000) {
            self.change(at, id, |lawyer| lawyer.reachable = true);
        } else if idle && lawyer.duty != Duty::Ready && self.chance(1_500) {
            self.change(at, id, |lawyer| lawyer.duty = Duty::Ready);
        } else if idle && self.chance(12_000) {
            self.change(at, id, |lawyer| lawyer.reachable = false);
        } else if idle && self.chance(9_000) {
            let reasons = PauseReason::ASKED.len() as u64;
            let duty = match self.below(reasons + 1) {
                n if n == reasons => Duty::LoggedOut,
                n => Duty::Paused { reason: PauseReason::ASKED[n as usize], until: None },
            };
            self.change(at, id, |lawyer| lawyer.duty = duty);
        }
    }

    fn step_call(&mut self, at: Timestamp, id: CallId) {
        let Call { pool, state, queued_at } = &self.calls[&id];
        let (pool, state, queued_at) = (pool.clone(), *state, *queued_at);
        match state {
            State::Menu { until } if until <= at => {
                let patience = at + Duration::from_millis(PATIENCE_MS / 3 + self.below(PATIENCE_MS));
                if self.chance(14) {
                    return self.depart(at, id, Departure::AbandonedMenu, Party::Caller);
                }
                self.tell(at, Fact::CallStepped { call: id, step: "queue".into() });
                self.tell(at, Fact::CallQueued { call: id, pool: pool.clone() });
                self.calls.insert(id, Call { pool, state: State::Waiting { patience }, queued_at: at });
            }
            State::Waiting { patience } if patience <= at => {
                let departure = if self.chance(3) { Departure::Voicemail } else { Departure::AbandonedQueue };
                self.depart(at, id, departure, Party::Caller);
            }
            State::Waiting { patience } => self.offer(at, id, &pool, patience),
            State::Ringing { agent, answers: Some(answers), .. } if answers <= at => {
                self.tell(at, Fact::OfferEnded { call: id, agent, end: OfferEnd::Answered });
                let waited_ms = (at - queued_at).as_millis() as u64;
                self.tell(at, Fact::CallBridged { call: id, agent, pool, waited_ms });
                self.change(at, agent, |lawyer| lawyer.activity = Activity::Talking { call: id, since: at });
                let until = at + Duration::from_millis(20_000 + self.below(100_000));
                self.set(id, State::Talking { agent, until });
            }
            State::Ringing { agent, until, patience, .. } if until <= at => {
                self.tell(at, Fact::OfferEnded { call: id, agent, end: OfferEnd::NoAnswer });
                let duty = Duty::Paused { reason: PauseReason::NoAnswer, until: None };
                self.change(at, agent, |lawyer| {
                    (lawyer.duty, lawyer.activity) = (duty, Activity::Idle { since: at });
                });
                self.set(id, State::Waiting { patience });
            }
            State::Talking { agent, until } if until <= at => {
                let until = at + Duration::from_millis(WRAP_UP_MS);
                let rule = WrapUpRule::Extendable { latest: until + Duration::from_millis(WRAP_UP_MS) };
                let wrap_up = Activity::WrapUp { call: id, until, rule };
                self.change(at, agent, |lawyer| lawyer.activity = wrap_up);
                self.depart(at, id, Departure::Answered, Party::Agent);
            }
            State::Menu { .. } | State::Ringing { .. } | State::Talking { .. } => {}
        }
    }

    fn offer(&mut self, at: Timestamp, id: CallId, pool: &PoolId, patience: Timestamp) {
        let is_free = |lawyer: &Lawyer| {
            let idle = matches!(lawyer.activity, Activity::Idle { .. });
            lawyer.reachable && lawyer.duty == Duty::Ready && idle && lawyer.pools.contains(pool)
        };
        let Some(agent) = self.lawyers.iter().find(|(_, lawyer)| is_free(lawyer)).map(|(&id, _)| id) else {
            return;
        };
        let until = at + Duration::from_millis(RING_MS);
        let answers =
            if self.chance(30) { None } else { Some(at + Duration::from_millis(1_500 + self.below(7_000))) };
        self.change(at, agent, |lawyer| lawyer.activity = Activity::Ringing { call: id, until });
        self.tell(at, Fact::AgentOffered { call: id, agent, pool: pool.clone() });
        self.set(id, State::Ringing { agent, answers, patience, until });
    }

    fn depart(&mut self, at: Timestamp, call: CallId, departure: Departure, by: Party) {
        self.calls.remove(&call);
        self.tell(at, Fact::CallDeparted { call, departure, by });
        self.tell(at, Fact::CallClosed { call });
    }

    fn set(&mut self, id: CallId, state: State) {
        if let Some(call) = self.calls.get_mut(&id) {
            call.state = state;
        }
    }

    fn change(&mut self, at: Timestamp, id: AgentId, change: impl FnOnce(&mut Lawyer)) {
        if let Some(lawyer) = self.lawyers.get_mut(&id) {
            change(lawyer);
            self.tell_lawyer(at, id);
        }
    }

    fn tell_lawyer(&mut self, at: Timestamp, agent: AgentId) {
        let Lawyer { reachable, duty, activity, .. } = self.lawyers[&agent];
        self.tell(at, Fact::AgentChanged { agent, reachable, state: duty, activity });
    }

    fn tell(&mut self, at: Timestamp, fact: Fact) {
        self.seq += 1;
        self.live.ingest(&FactRecord { at, seq: self.seq, fact });
    }

    fn chance(&mut self, one_in: u64) -> bool {
        self.below(one_in) == 0
    }

    /// SplitMix64: the same world every time.
    fn below(&mut self, bound: u64) -> u64 {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.random;
        mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ mixed >> 31) % bound
    }
}

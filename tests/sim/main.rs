//! Seeded days of a whole hotline: the real switch with its SIP, dialplan and distributor on one side, a
//! crowd of phones on the other, a bad network between. Every invariant is checked after every step.
//!
//! A failure prints its seed; `HOTLINE_SIM_SEED=N cargo test -p hotline-tests --test sim` replays it alone.

mod house;
mod ledger;
mod world;

use dialplan::{Calendars, Context, Dialplan};
use domain::{AgentId, Departure, Timestamp};
use house::House;
use phones::{Arrivals, Callers, Crowd, Dice, Lawyer, Manner, PerMille, Span};
use sip::{Flow, Transport};
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use switch::{MediaPort, Node};
use world::{Faults, World};

const SEEDS: u64 = 200;
const CALLS: u64 = 3_000;
/// A Tuesday, 10:00 in China.
const OPENING: Timestamp = Timestamp::from_ms(1_793_671_200_000);
/// More steps than any day takes: a world that never comes to rest is a failure, not a hang.
const STEPS_MAX: u64 = 2_000_000;
const HOTLINE: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)), 5060);
const CROWD: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 2)), 5060);
/// Who waits can be passed on outside.
const PASS_ON: &str = r#"
[targets.hotline_12345]
name = { zh = "政务服务热线", en = "12345" }
numbers = ["12345", "057712345", "96110"]
trunk = "trunk"
ring_timeout = "15s"

[steps.pass_on]
kind = "transfer"
to = "hotline_12345"
music = "hold_music"
failed = "message"
"#;
const OUTSIDE: [&str; 3] = ["12345", "057712345", "96110"];

#[test]
fn two_hundred_days_of_three_thousand_calls_keep_every_invariant() {
    if let Some(seed) = std::env::var("HOTLINE_SIM_SEED").ok().and_then(|seed| seed.parse().ok()) {
        let (passed_on, conferences) =
            live_through(seed).unwrap_or_else(|what| panic!("seed {seed}: {what}"));
        println!("seed {seed}: {passed_on} passed on outside, {conferences} talks of three");
        return;
    }
    let [next, passed_on, conferences] = [(); 3].map(|()| AtomicU64::new(0));
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= SEEDS {
                        return;
                    }
                    let of_these = live_through(seed).unwrap_or_else(|what| {
                        panic!("seed {seed}: {what}; replay with HOTLINE_SIM_SEED={seed}")
                    });
                    passed_on.fetch_add(of_these.0, Ordering::Relaxed);
                    conferences.fetch_add(of_these.1, Ordering::Relaxed);
                }
            });
        }
    });
    assert!(passed_on.into_inner() > 0, "days on which nobody is passed on say nothing of it");
    assert!(conferences.into_inner() > 0, "and so with days without a talk of three");
}

/// How many calls were passed on outside, and how many were talks of three.
fn live_through(seed: u64) -> Result<(u64, u64), String> {
    let mut dice = Dice::new(seed);
    let plan = wenzhou(|text| text);
    let lawyers = lawyers(&plan, &mut dice);
    let mut house = House::new(plan, &lawyers, seed);
    let node = Node::new(OPENING, node_config(seed, house.as_it_opens()));
    let crowd = Crowd::new(OPENING, crowd_config(seed, lawyers, &mut dice));
    let faults = Faults { lost: dice.below(40), doubled: dice.below(40), delay_ms_max: 1 + dice.below(80) };
    let prompts = prompts(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../dialplans"));
    let questions = [switch::PRESS_PROMPT, "survey"].map(|name| Arc::clone(&prompts[name]));
    let mut world = World::new(OPENING, node, crowd, faults, questions, seed);
    // Phones register first.
    while world.now() < OPENING + Duration::from_secs(40) && world.step()? {}
    let opened = world.now();
    world.crowd.open_lines(opened);
    for step in 0.. {
        if let Some(snapshot) = house.reload(world.now()) {
            world.configure(snapshot)?;
        }
        if step == STEPS_MAX {
            let (dialled, closed) = (world.ledger.dialled, world.ledger.closed);
            let lived = world.now() - OPENING;
            return Err(format!(
                "no rest after {STEPS_MAX} steps: {lived:?}, {dialled} dialled, {closed} closed"
            ));
        }
        let is_over =
            world.ledger.dialled == CALLS && world.crowd.legs().0 == 0 && world.node.call_count() == 0;
        if is_over || !world.step()? {
            break;
        }
    }
    if world.ledger.dialled != CALLS {
        return Err(format!("only {} of {CALLS} calls were dialled", world.ledger.dialled));
    }
    if world.ledger.rated == 0 {
        return Err("nobody has rated a talk".to_owned());
    }
    world.ledger.end_of_day()?;
    let passed_on = world.ledger.departures.get(&Departure::Transferred).copied().unwrap_or_default();
    Ok((passed_on, world.ledger.conferences))
}

fn wenzhou(edit: impl FnOnce(String) -> String) -> Arc<Dialplan> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../dialplans");
    let text =
        std::fs::read_to_string(folder.join("wenzhou.toml")).expect("the dialplan is in the repository");
    let prompts: BTreeSet<String> = prompts(&folder).into_keys().collect();
    let calendar =
        std::fs::read_to_string(folder.join("calendars/cn-2026.toml")).expect("so is the calendar");
    let calendars = Calendars::read([("cn-2026.toml", calendar.as_str())]).expect("it has no errors").value;
    let context = Context::new(&prompts, &calendars, 2026);
    let keys = "keys = { 1 = \"message\", 2 = \"call_back\"";
    assert!(text.contains(keys), "key 3 is to pass calls on");
    let text = text.replace(keys, &format!("{keys}, 3 = \"pass_on\"")) + PASS_ON;
    let plan = Dialplan::parse("wenzhou.toml", &edit(text), &context).expect("it has no errors");
    Arc::new(plan.value.always_open())
}

/// Of every prompt only its length matters here.
fn prompts(folder: &Path) -> BTreeMap<String, Arc<[u8]>> {
    let files = std::fs::read_dir(folder.join("prompts/zh-CN")).expect("the prompts are in the repository");
    files
        .filter_map(|file| {
            let path = file.ok()?.path();
            let name = path.file_stem()?.to_str()?.to_owned();
            let is_prompt = path.extension().is_some_and(|ending| ending == "al");
            is_prompt.then(|| Some((name, Arc::from(std::fs::read(&path).ok()?))))?
        })
        .collect()
}

fn lawyers(plan: &Dialplan, dice: &mut Dice) -> Vec<(AgentId, domain::PoolId, Lawyer)> {
    let mut lawyers = Vec::new();
    for (index, pool) in plan.pools().keys().enumerate() {
        for desk in 0..1 + dice.below(4) as u32 {
            let id = AgentId(1_000 + index as u32 * 10 + desk);
            let manner = Manner {
                answers_after: Span::ms(0, 25_000),
                talks: Span::ms(100, 120_000),
                ignores: PerMille(dice.below(150) as u16),
                rejects: PerMille(dice.below(100) as u16),
                hangs_up: PerMille(400),
                holds: PerMille(100),
                dies: PerMille(0),
                leaves: PerMille(dice.below(30) as u16),
            };
            let has_phone = dice.below(5) > 0;
            let password = has_phone.then(|| format!("secret-{id}"));
            let lawyer = Lawyer { user: id.to_string(), password, manner };
            lawyers.push((id, pool.clone(), lawyer));
        }
    }
    lawyers
}

fn node_config(seed: u64, snapshot: switch::Snapshot) -> switch::Config {
    let mut secret = [1; 32];
    secret[..8].copy_from_slice(&seed.to_le_bytes());
    let flow = Flow { transport: Transport::Udp, local: HOTLINE, remote: CROWD };
    let contact = Some(sip::Target { flow, uri: sip::Uri::from_socket(None, CROWD) });
    switch::Config {
        sip: sip::Config::new(secret),
        snapshot,
        restored: switch::Restored::default(),
        trunks: vec![switch::Trunk { id: "trunk".into(), peers: [CROWD.ip()].into(), contact }],
        media_ip: HOTLINE.ip(),
        media_ports: (0..2_000).map(|pair| MediaPort { shard: pair % 2, port: 20_000 + pair * 2 }).collect(),
        limits: switch::Limits::default(),
    }
}

fn crowd_config(
    seed: u64,
    lawyers: Vec<(AgentId, domain::PoolId, Lawyer)>,
    dice: &mut Dice,
) -> phones::Config {
    // Their phones are like a lawyer's who does not register.
    let outside = OUTSIDE.map(|number| Lawyer {
        user: number.to_owned(),
        password: None,
        manner: Manner {
            answers_after: Span::ms(0, 20_000),
            talks: Span::ms(100, 60_000),
            ignores: PerMille(200),
            rejects: PerMille(300),
            hangs_up: PerMille(300),
            holds: PerMille(100),
            dies: PerMille(0),
            leaves: PerMille(0),
        },
    });
    phones::Config {
        seed,
        flow: Flow { transport: Transport::Udp, local: CROWD, remote: HOTLINE },
        lawyers: lawyers.into_iter().map(|(_, _, lawyer)| lawyer).chain(outside).collect(),
        callers: Some(Callers {
            arrivals: Arrivals::Poisson { mean_gap: Duration::from_millis(500 + dice.below(4_000)) },
            calls_max: CALLS,
            at_once_max: 400,
            called: "12348".to_owned(),
            prefixes: ["0577880", "0577863", "057757", "138", "0577642"].map(str::to_owned).to_vec(),
            patience: Span::ms(100, 200_000),
        }),
        media_ip: CROWD.ip(),
        media_port: phones::NOWHERE,
        ports: Vec::new(),
        caller_speech: Vec::new(),
        lawyer_speech: Vec::new(),
    }
}

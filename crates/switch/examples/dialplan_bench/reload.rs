//! A dialplan of 5,000 lines is read again while thousands wait and lawyers become free: how long it takes, how long
//! calls stand still for it, and whether anybody's phone stays silent that would have rung.

use crate::plan;
use crate::world::World;
use dialplan::Dialplan;
use domain::{AgentId, Timestamp};
use std::collections::BTreeMap;
use std::fs;
use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};
use switch::{Prompts, Snapshot};

const LAWYERS_A_COUNTY: u32 = 3;
/// First all lawyers talk, and then many wait for them.
const TALK: Duration = Duration::from_secs(30);
/// Meanwhile a talk ends every few milliseconds, and wrap-ups do.
const FIRST_RELOAD: Duration = Duration::from_secs(33);
const RELOADS: u32 = 21;
const RELOAD_EVERY: Duration = Duration::from_millis(100);
/// For so long the node does nothing else, as far as the crowd can tell: longer than it takes, and always the same,
/// so that what is offered does not hang on the machine.
const STALL: Duration = Duration::from_millis(20);
/// Nobody's patience has run out by then.
const END: Duration = Duration::from_secs(66);
/// Whoever was offered a call late: that much later in the end, at most.
const LATE_MAX: Duration = Duration::from_secs(1);
const WAITING_MIN: usize = 3_000;
/// Phones that ring at the end of a stall.
const LATE_MIN: usize = 50;

pub struct Spans {
    /// From the file to a switch that works by it: the median.
    pub whole_ms: f64,
    /// The part of it in which no call goes on: the longest.
    pub stall_ms: f64,
}

/// What phones rang for whom, by lawyer.
type Offers = BTreeMap<String, Vec<String>>;

/// Fails if one call was offered otherwise than without reloads.
pub fn measure() -> Result<Spans, String> {
    let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
    // Each reload changes every pool and a step, and nothing of who is offered what.
    let numbers = [3, 4];
    let files = numbers.map(|number| folder.path().join(format!("{number}.toml")));
    for (file, number) in files.iter().zip(numbers) {
        fs::write(file, plan::text("", number)).map_err(|error| error.to_string())?;
    }
    let house = House::new();
    let running = Arc::new(read(&files[0])?);
    let open = || World::open(house.snapshot(&running), house.lawyers(), TALK);
    let (mut calm, mut world) = (open(), open());
    let begun = calm.now();
    calm.run_until(begun + END);
    let spans = reload_again_and_again(&mut world, &house, running, &files)?;
    world.run_until(begun + END + LATE_MAX);
    compare(&offers(calm.rings()), &offers(world.rings()))?;
    Ok(spans)
}

fn reload_again_and_again(
    world: &mut World,
    house: &House,
    mut running: Arc<Dialplan>,
    files: &[PathBuf; 2],
) -> Result<Spans, String> {
    let begun = world.now();
    let (mut wholes_ms, mut stalls_ms, mut late) = (Vec::new(), Vec::new(), 0);
    for turn in 0..RELOADS {
        world.run_until(begun + FIRST_RELOAD + RELOAD_EVERY * turn);
        let reading = Instant::now();
        let plan = Arc::new(read(&files[(turn as usize + 1) % 2])?);
        let changes = black_box(running.changes_to(&plan));
        let snapshot = house.snapshot(&plan);
        running = plan;
        let read_ms = ms(reading);
        let standing_still = Instant::now();
        world.configure(snapshot);
        let stalled_ms = ms(standing_still);
        if changes.is_empty() {
            return Err("a reload that changes nothing".to_owned());
        }
        wholes_ms.push(read_ms + stalled_ms);
        stalls_ms.push(stalled_ms);
        late += world.stand_still(STALL);
    }
    let waiting = world.waiting();
    for spans_ms in [&mut wholes_ms, &mut stalls_ms] {
        spans_ms.sort_by(f64::total_cmp);
    }
    let half = RELOADS as usize / 2;
    eprintln!(
        "  {waiting} waited, {late} phones rang at the end of {RELOADS} stalls; half of these were under {:.1} ms",
        stalls_ms[half]
    );
    if waiting < WAITING_MIN || late < LATE_MIN {
        return Err("too little went on".to_owned());
    }
    Ok(Spans { whole_ms: wholes_ms[half], stall_ms: stalls_ms[RELOADS as usize - 1] })
}

fn read(file: &Path) -> Result<Dialplan, String> {
    let text = fs::read_to_string(file).map_err(|error| error.to_string())?;
    plan::read(&text, &|name: &str| Err(name.to_owned()))
}

fn ms(since: Instant) -> f64 {
    since.elapsed().as_secs_f64() * 1e3
}

fn offers(rings: &[(Timestamp, String, String)]) -> Offers {
    let mut offers = Offers::new();
    for (_, lawyer, caller) in rings {
        offers.entry(lawyer.clone()).or_default().push(caller.clone());
    }
    offers
}

/// Each lawyer is offered the same calls in the same order; with reloads a little more time has passed.
fn compare(undisturbed: &Offers, disturbed: &Offers) -> Result<(), String> {
    for (lawyer, calls) in undisturbed {
        let offered = disturbed.get(lawyer).map_or(&[][..], Vec::as_slice);
        if !offered.starts_with(calls) {
            return Err(format!("{lawyer} is offered {calls:?} without reloads, with them {offered:?}"));
        }
    }
    Ok(())
}

/// Everything but the dialplan.
struct House {
    lawyers: Vec<AgentId>,
    accounts: BTreeMap<String, sip::Account>,
    prompts: Arc<Prompts>,
}

impl House {
    fn new() -> Self {
        let realm = sip::Config::new([0; 32]).realm;
        let lawyers: Vec<AgentId> =
            (0..plan::COUNTIES as u32 * LAWYERS_A_COUNTY).map(|n| AgentId(10_000 + n)).collect();
        let account = |id: &AgentId| {
            let (user, password) = (id.to_string(), password(*id));
            let account = sip::Account::from_password(&user, &realm, &password);
            (user, account)
        };
        // A second of sound each.
        let prompts = plan::PROMPTS.map(|name| (name.to_owned(), Arc::from(vec![0xd5; 8_000])));
        Self {
            accounts: lawyers.iter().map(account).collect(),
            lawyers,
            prompts: Arc::new(prompts.into_iter().collect()),
        }
    }

    /// User names and passwords.
    fn lawyers(&self) -> Vec<(String, String)> {
        self.lawyers.iter().map(|id| (id.to_string(), password(*id))).collect()
    }

    fn snapshot(&self, plan: &Arc<Dialplan>) -> Snapshot {
        let agent = |(n, id): (usize, &AgentId)| {
            let own = format!("county-{}", n as u64 % plan::COUNTIES);
            let pools = [own.as_str(), "city"].map(|pool| (pool.into(), acd::Membership::default()));
            let agent = switch::Agent {
                region: plan.region().clone(),
                pools: pools.into_iter().collect(),
                skills: acd::Skills::new(),
                user: id.to_string(),
                contact: None,
                mobile: None,
            };
            (*id, agent)
        };
        Snapshot {
            dialplans: vec![Arc::clone(plan)],
            agents: self.lawyers.iter().enumerate().map(agent).collect(),
            rosters: Vec::new(),
            accounts: self.accounts.clone(),
            prompts: Arc::clone(&self.prompts),
        }
    }
}

fn password(id: AgentId) -> String {
    format!("secret-{id}")
}

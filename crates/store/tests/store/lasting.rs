use crate::postgres::Postgres;
use crate::recorder::config;
use crate::{folder, in_time, open_at, until, url};
use domain::{
    Activity, AgentId, CallId, Duty, Fact, FactRecord, Override, PauseReason, Timestamp, WrapUpRule,
};
use std::path::Path;
use std::time::Duration;
use store::{AgentState, FactSink, Lasting, PoolState, Recorder};

const PATIENCE: Duration = Duration::from_secs(30);

fn wrap_up() -> Activity {
    let until = Timestamp::from_ms(90_000);
    Activity::WrapUp { call: CallId(7), until, rule: WrapUpRule::Extendable { latest: until } }
}

fn fact(seq: u64, agent: u32, state: Duty, activity: Activity) -> FactRecord {
    let agent = AgentId(agent);
    let fact = Fact::AgentChanged { agent, reachable: true, state, activity };
    FactRecord { at: Timestamp::from_ms(seq as i64), seq, fact }
}

fn overridden(seq: u64, pool: &str, set: Option<Override>) -> FactRecord {
    let (region, pool, by) = ("wenzhou".into(), pool.into(), "board".to_owned());
    FactRecord { at: Timestamp::from_ms(8), seq, fact: Fact::PoolOverridden { region, pool, set, by } }
}

const CLOSED: Override = Override { open: false, until: Some(Timestamp::from_ms(70_000)) };

/// Li wraps up, Wang has a meal, Zhao has gone home; Lucheng is closed by hand, Ouhai not any more.
fn shift(sink: &FactSink) {
    let idle = Activity::Idle { since: Timestamp::from_ms(1) };
    let meal = Duty::Paused { reason: PauseReason::Meal, until: Some(Timestamp::from_ms(50_000)) };
    let talking = Activity::Talking { call: CallId(7), since: Timestamp::from_ms(2) };
    let facts = [
        (1, Duty::Ready, idle),
        (2, Duty::Ready, idle),
        (3, Duty::Ready, idle),
        (1, Duty::Ready, talking),
        (3, Duty::LoggedOut, idle),
        (2, meal, idle),
        (1, Duty::Ready, wrap_up()),
    ];
    for (seq, (agent, duty, activity)) in (1..).zip(facts) {
        sink.push(fact(seq, agent, duty, activity));
    }
    sink.push(overridden(8, "lucheng", Some(CLOSED)));
    sink.push(overridden(9, "ouhai", Some(CLOSED)));
    sink.push(overridden(10, "ouhai", None));
}

fn after_the_shift() -> Vec<Lasting> {
    let meal = Duty::Paused { reason: PauseReason::Meal, until: Some(Timestamp::from_ms(50_000)) };
    let agents = [(1, 7, Duty::Ready, Some(wrap_up())), (2, 6, meal, None), (3, 5, Duty::LoggedOut, None)];
    let agents = agents.map(|(agent, seq, duty, wrap_up)| {
        let at = Timestamp::from_ms(seq as i64);
        Lasting::Agent(AgentState { agent: AgentId(agent), seq, at, duty, wrap_up })
    });
    let pools = [("lucheng", 8, Some(CLOSED)), ("ouhai", 10, None)].map(|(pool, seq, set)| {
        let (region, pool, by) = ("wenzhou".into(), pool.into(), "board".to_owned());
        Lasting::Pool(PoolState { region, pool, seq, at: Timestamp::from_ms(8), set, by })
    });
    agents.into_iter().chain(pools).collect()
}

/// Each in a folder of its own, with the address of an empty database.
async fn on_each_engine(test: impl AsyncFn(&Path, &str)) {
    let dir = folder();
    test(dir.path(), &url(dir.path())).await;
    let (dir, postgres) = (folder(), Postgres::start());
    test(dir.path(), &postgres.url()).await;
}

/// What a server that starts in this folder begins with.
async fn at_start(dir: &Path, database: &str) -> Vec<Lasting> {
    let store = open_at(database).await;
    let (_sink, mut recorder) = Recorder::start(store.clone(), config(dir)).expect("started");
    in_time("what outlives a restart", recorder.lasting(&store, PATIENCE)).await.expect("read")
}

#[tokio::test]
async fn agents_and_pools_are_as_they_were_after_a_polite_stop_though_the_journal_is_gone() {
    on_each_engine(async |dir, database| {
        let store = open_at(database).await;
        let (sink, recorder) = Recorder::start(store.clone(), config(dir)).expect("started");
        shift(&sink);
        assert!(recorder.stop(PATIENCE).await);
        assert_eq!(store.lasting().await.expect("read"), after_the_shift());
        std::fs::remove_dir_all(dir.join("spool")).expect("removed");
        assert_eq!(at_start(dir, database).await, after_the_shift());
    })
    .await;
}

#[tokio::test]
async fn agents_and_pools_are_as_they_were_after_a_crash_before_the_database_had_them() {
    on_each_engine(async |dir, database| {
        let store = open_at(database).await;
        store.close().await;
        // A database that takes nothing, as far as this recorder can tell.
        let (sink, recorder) = Recorder::start(store, config(dir)).expect("started");
        shift(&sink);
        let monitor = recorder.monitor();
        until("the journal has them", || monitor.counters().facts_buffered == 0).await;
        drop(recorder);
        assert_eq!(open_at(database).await.lasting().await.expect("read"), []);
        assert_eq!(at_start(dir, database).await, after_the_shift());
        assert_eq!(at_start(dir, database).await, after_the_shift(), "and once more");
    })
    .await;
}

#[tokio::test]
async fn what_the_journal_tells_is_stored_and_what_is_older_changes_nothing() {
    on_each_engine(async |_, database| {
        let store = open_at(database).await;
        let agent = |seq, duty| {
            let (agent, at) = (AgentId(1), Timestamp::from_ms(1));
            Lasting::Agent(AgentState { agent, seq, at, duty, wrap_up: None })
        };
        let pool = |seq, set| {
            let (region, pool, by) = ("wenzhou".into(), "lucheng".into(), "board".to_owned());
            Lasting::Pool(PoolState { region, pool, seq, at: Timestamp::from_ms(8), set, by })
        };
        store.keep(&[agent(5, Duty::LoggedOut), pool(5, Some(CLOSED))]).await.expect("kept");
        store.keep(&[agent(4, Duty::Ready), pool(4, None)]).await.expect("kept");
        store.keep(&[agent(5, Duty::Ready), pool(5, None)]).await.expect("kept");
        assert_eq!(store.lasting().await.expect("read"), [agent(5, Duty::LoggedOut), pool(5, Some(CLOSED))]);
        store.keep(&[agent(6, Duty::Ready), pool(6, None)]).await.expect("kept");
        assert_eq!(store.lasting().await.expect("read"), [agent(6, Duty::Ready), pool(6, None)]);
    })
    .await;
}

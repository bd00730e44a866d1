use crate::postgres::Postgres;
use crate::recorder::config;
use crate::{folder, in_time, open_at, until, url};
use domain::{Activity, AgentId, CallId, Duty, Fact, FactRecord, PauseReason, Timestamp, WrapUpRule};
use std::path::Path;
use std::time::Duration;
use store::{AgentState, FactSink, Recorder};

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

/// Li wraps up, Wang has a meal, Zhao has gone home.
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
}

fn told(agents: &[AgentState]) -> Vec<(u32, Duty, Option<Activity>)> {
    agents.iter().map(|state| (state.agent.0, state.duty, state.wrap_up)).collect()
}

fn after_the_shift() -> Vec<(u32, Duty, Option<Activity>)> {
    let meal = Duty::Paused { reason: PauseReason::Meal, until: Some(Timestamp::from_ms(50_000)) };
    vec![(1, Duty::Ready, Some(wrap_up())), (2, meal, None), (3, Duty::LoggedOut, None)]
}

/// Each in a folder of its own, with the address of an empty database.
async fn on_each_engine(test: impl AsyncFn(&Path, &str)) {
    let dir = folder();
    test(dir.path(), &url(dir.path())).await;
    let (dir, postgres) = (folder(), Postgres::start());
    test(dir.path(), &postgres.url()).await;
}

/// What a server that starts in this folder begins with.
async fn at_start(dir: &Path, database: &str) -> Vec<(u32, Duty, Option<Activity>)> {
    let store = open_at(database).await;
    let (_sink, mut recorder) = Recorder::start(store.clone(), config(dir)).expect("started");
    told(&in_time("agents", recorder.agents(&store, PATIENCE)).await.expect("agents"))
}

#[tokio::test]
async fn agents_are_as_they_were_after_a_polite_stop_though_the_journal_is_gone() {
    on_each_engine(async |dir, database| {
        let store = open_at(database).await;
        let (sink, recorder) = Recorder::start(store.clone(), config(dir)).expect("started");
        shift(&sink);
        assert!(recorder.stop(PATIENCE).await);
        assert_eq!(told(&store.agents().await.expect("agents")), after_the_shift());
        std::fs::remove_dir_all(dir.join("spool")).expect("removed");
        assert_eq!(at_start(dir, database).await, after_the_shift());
    })
    .await;
}

#[tokio::test]
async fn agents_are_as_they_were_after_a_crash_before_the_database_had_them() {
    on_each_engine(async |dir, database| {
        let store = open_at(database).await;
        store.close().await;
        // A database that takes nothing, as far as this recorder can tell.
        let (sink, recorder) = Recorder::start(store, config(dir)).expect("started");
        shift(&sink);
        let monitor = recorder.monitor();
        until("the journal has them", || monitor.counters().facts_buffered == 0).await;
        drop(recorder);
        assert_eq!(open_at(database).await.agents().await.expect("agents"), []);
        assert_eq!(at_start(dir, database).await, after_the_shift());
        assert_eq!(at_start(dir, database).await, after_the_shift(), "and once more");
    })
    .await;
}

#[tokio::test]
async fn what_the_journal_tells_is_stored_and_what_is_older_changes_nothing() {
    on_each_engine(async |_, database| {
        let store = open_at(database).await;
        let state =
            |seq, duty| AgentState { agent: AgentId(1), seq, at: Timestamp::from_ms(1), duty, wrap_up: None };
        store.keep_agents(&[state(5, Duty::LoggedOut)]).await.expect("kept");
        store.keep_agents(&[state(4, Duty::Ready)]).await.expect("kept");
        store.keep_agents(&[state(5, Duty::Ready)]).await.expect("kept");
        assert_eq!(store.agents().await.expect("agents"), [state(5, Duty::LoggedOut)]);
        store.keep_agents(&[state(6, Duty::Ready)]).await.expect("kept");
        assert_eq!(store.agents().await.expect("agents"), [state(6, Duty::Ready)]);
    })
    .await;
}

//! The database is locked, the server is killed or started again: no call is dropped by the one, none is lost by the
//! other, and whoever has gone home stays there.

use crate::support::phone::Over;
use crate::support::server::{City, FROM_LUCHENG, Setup, rows};
use crate::support::sound::{self, Wav};
use crate::support::{SOON, eventually, web};
use serde_json::Value;
use sqlx::{Connection, Executor, SqliteConnection};
use std::collections::BTreeSet;
use std::path::Path;
use tokio::runtime::Runtime;

const LAWYER: u32 = 1001;
const AT_A_MEAL: u32 = 1002;
const GONE_HOME: u32 = 1003;

/// Somebody who writes into the database and does not come to an end.
struct Lock {
    runtime: Runtime,
    connection: SqliteConnection,
}

impl Lock {
    fn take(database: &Path) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let url = format!("sqlite:{}", database.display());
        let connection = runtime.block_on(async {
            let mut connection = SqliteConnection::connect(&url).await.expect("the database opens");
            connection.execute("PRAGMA busy_timeout = 10000").await.expect("patience");
            connection.execute("BEGIN EXCLUSIVE").await.expect("the lock");
            connection
        });
        Self { runtime, connection }
    }

    fn release(mut self) {
        self.runtime.block_on(async {
            self.connection.execute("ROLLBACK").await.expect("the lock is given back");
            self.connection.close().await.expect("the database closes");
        });
    }
}

#[test]
fn a_locked_database_drops_no_call_and_its_record_arrives_once() {
    let city = City::open(&Setup::lawyers(&[LAWYER]));
    let speech = sound::prompt("demo_caller_1", 2.0);
    let mut lawyer = city.lawyer(LAWYER, Over::Udp, true, &sound::decode(&speech).repeat(20));
    let before = city.callers(FROM_LUCHENG, &speech, 1);
    lawyer.wait_for("CALL_ESTABLISHED");
    city.wait_for_phase("talking");

    let lock = Lock::take(&city.dir().join("data/hotline.db"));
    let during = city.callers(FROM_LUCHENG, &speech, 1);
    city.wait_for_phase("waiting");
    before.cue(1);
    before.finish();
    lawyer.wait_for("CALL_CLOSED");
    lawyer.wait_for("CALL_ESTABLISHED");
    city.wait_for_phase("talking");
    let complains = || city.program.log().contains("the database takes no calls").then_some(());
    eventually("the server says that the database is away", SOON, complains);
    assert_eq!(web::get(city.web, "/healthz").map(|(status, _)| status), Some(200));
    during.cue(1);
    during.finish();
    lawyer.wait_for("CALL_CLOSED");
    city.wait_for_no_calls();
    assert_eq!(rows(&web::json(city.web, "/api/calls"), "").len(), 0, "nothing is stored under the lock");

    lock.release();
    let calls = city.records(2);
    let ends: Vec<_> = calls.iter().map(|call| (&call["departure"], &call["agent"])).collect();
    assert!(ends.iter().all(|(end, agent)| *end == "answered" && **agent == LAWYER), "{ends:?}");
    city.wait_for_metric("hotline_departures_total", 2.0);
    city.close();
}

#[test]
fn a_server_that_is_killed_in_the_middle_of_calls_has_one_record_of_each_when_it_is_back() {
    let mut city = City::open(&Setup::lawyers(&[LAWYER, AT_A_MEAL, GONE_HOME]));
    for (id, duty) in
        [(AT_A_MEAL, r#"{"duty":"paused","reason":"meal"}"#), (GONE_HOME, r#"{"duty":"logged_out"}"#)]
    {
        assert_eq!(web::post(city.web, &format!("/api/agents/{id}/duty"), duty), Some(202));
    }
    let speech = sound::prompt("demo_caller_1", 2.0);
    let mut lawyer = city.lawyer(LAWYER, Over::Udp, true, &sound::decode(&speech).repeat(20));
    let over = city.callers(FROM_LUCHENG, &speech, 1);
    lawyer.wait_for("CALL_ESTABLISHED");
    city.wait_for_phase("talking");
    over.cue(1);
    over.finish();
    let over = city.records(1);
    city.wait_for_agent(LAWYER, "ready");

    let _talks = city.callers(FROM_LUCHENG, &speech, 1);
    lawyer.wait_for("CALL_ESTABLISHED");
    let talks = city.wait_for_phase("talking");
    let _waits = city.callers(FROM_LUCHENG, &speech, 1);
    let waits = city.wait_for_phase("waiting");
    let recording = eventually("half a second is recorded", SOON, || recorded(&city, &talks));
    city.program.kill();
    let left = Wav::read(&recording).channels.swap_remove(0);
    assert!(left.len() >= sound::HZ / 4, "a recording cut off opens: {} samples", left.len());

    city.reopen();
    let calls = city.records(3);
    let id = |call: &Value| call["id"].as_str().expect("ids are text").to_owned();
    let ids: BTreeSet<String> = calls.iter().map(id).collect();
    assert_eq!(ids, BTreeSet::from([id(&over[0]), id(&talks), id(&waits)]));
    let of = |call: &Value| calls.iter().find(|record| record["id"] == call["id"]).expect("it is there");
    assert_eq!(of(&over[0]), &over[0], "what was stored stays as it was");
    for cut_off in [&talks, &waits] {
        assert_eq!(
            (&of(cut_off)["departure"], &of(cut_off)["ended_by"]),
            (&"failed".into(), &"system".into())
        );
    }
    assert_eq!(of(&talks)["agent"], LAWYER);
    assert_eq!(of_lawyer(&city, AT_A_MEAL, &["duty", "pause"]), ["paused", "meal"]);
    assert_eq!(of_lawyer(&city, GONE_HOME, &["duty", "standing"]), ["logged_out", "logged_out"]);
    assert_ne!(of_lawyer(&city, LAWYER, &["activity"]), ["talking"], "the call is gone");
    city.program.kill();
    city.reopen();
    assert_eq!(city.records(3), calls, "a second start changes nothing");
    city.close();
}

#[test]
fn a_lawyer_who_has_gone_home_is_not_rung_after_a_restart_until_back() {
    let mut city = City::open(&Setup::lawyers(&[LAWYER, GONE_HOME]));
    let say = |city: &City, duty| web::post(city.web, &format!("/api/agents/{GONE_HOME}/duty"), duty);
    assert_eq!(say(&city, r#"{"duty":"logged_out"}"#), Some(202));
    city.wait_for_agent(GONE_HOME, "logged_out");
    city.restart();
    city.wait_for_agent(GONE_HOME, "logged_out");

    // A phone at home that registers by itself is there, and rings for nobody.
    let speech = sound::prompt("demo_caller_1", 2.0);
    let samples = sound::decode(&speech).repeat(20);
    let mut home = city.registered_phone(GONE_HOME, Over::Udp, true, &samples);
    let is_there = || (of_lawyer(&city, GONE_HOME, &["reachable"]) == [true]).then_some(());
    eventually("the phone at home is there", SOON, is_there);
    let mut lawyer = city.lawyer(LAWYER, Over::Udp, true, &samples);
    let talks = city.callers(FROM_LUCHENG, &speech, 1);
    lawyer.wait_for("CALL_ESTABLISHED");
    let waits = city.callers(FROM_LUCHENG, &speech, 1);
    let waiting = city.wait_for_phase("waiting");
    assert_eq!(of_lawyer(&city, GONE_HOME, &["duty", "standing"]), ["logged_out", "logged_out"]);
    assert!(!home.has_said("CALL_INCOMING"), "the phone at home rings");

    assert_eq!(say(&city, r#"{"duty":"ready"}"#), Some(202));
    home.wait_for("CALL_ESTABLISHED");
    for caller in [talks, waits] {
        caller.cue(1);
        caller.finish();
    }
    let served = city.records(2).into_iter().find(|call| call["id"] == waiting["id"]).expect("on record");
    assert_eq!((&served["departure"], &served["agent"]), (&"answered".into(), &GONE_HOME.into()));
    city.close();
}

fn of_lawyer(city: &City, id: u32, keys: &[&str]) -> Vec<Value> {
    let agents = rows(&city.board(), "agents");
    let lawyer = agents.into_iter().find(|agent| agent["id"] == id).expect("a lawyer");
    keys.iter().map(|key| lawyer[*key].clone()).collect()
}

/// The recording of a call once there is something in it.
fn recorded(city: &City, call: &Value) -> Option<std::path::PathBuf> {
    let name = format!("{}.wav", call["id"].as_str()?);
    let days = std::fs::read_dir(city.recording("wenzhou")).ok()?;
    let path = days.flatten().map(|day| day.path().join(&name)).find(|path| path.exists())?;
    (path.metadata().ok()?.len() > 4_096).then_some(path)
}

//! The server as a client sees it, over a real socket on loopback.

#![expect(clippy::unwrap_used, reason = "a failed step of a test may panic")]

use domain::{
    AgentId, CallId, Departure, Duty, Fact, FactRecord, Override, Party, PauseReason, Pii, RegionId,
    Satisfaction, Supervision, TalkWish, Timestamp,
};
use std::collections::BTreeMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use web::{Agent, App, Command, Directory, Live, Pool};

/// In 2100: later than the clock of every machine that runs this, so that midnight never comes.
const START: Timestamp = Timestamp::from_ms(4_102_444_800_000);
/// No answer within this time is a failure.
const DEADLINE: Duration = Duration::from_secs(20);

struct Server {
    store: store::Store,
    live: Live,
    address: String,
    commands: mpsc::Receiver<Command>,
    shutdown: CancellationToken,
    task: tokio::task::JoinHandle<Result<(), web::ServeError>>,
    _folder: tempfile::TempDir,
}

struct Answer {
    status: u16,
    head: String,
    body: String,
}

impl Server {
    async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}", folder.path().join("test.db").display());
        let store = store::Store::open(&url).await.unwrap();
        let agent = Agent { name: "李律师".into(), pools: vec!["lucheng".into()] };
        let region =
            web::Region { name: web::Name::new("温州市", "Wenzhou"), dialplan: "0123456789ab".into() };
        let name = web::Name::new("鹿城区", "Lucheng");
        let pool = Pool { id: "lucheng".into(), region: "wenzhou".into(), name, county: None };
        let directory = Directory {
            regions: BTreeMap::from([("wenzhou".into(), region)]),
            pools: vec![pool],
            agents: BTreeMap::from([(AgentId(8001), agent)]),
            ..Directory::default()
        };
        let live = Live::new(directory, START);
        let (sender, commands) = mpsc::channel(1);
        let shutdown = CancellationToken::new();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let registry = prometheus::Registry::new();
        let app = App {
            store: store.clone(),
            live: live.clone(),
            registry,
            commands: sender,
            shutdown: shutdown.clone(),
        };
        let task = tokio::spawn(web::serve(listener, app));
        Self { store, live, address, commands, shutdown, task, _folder: folder }
    }

    async fn ask(&self, request: &str, more: &str, body: &str) -> Answer {
        let host = if more.contains("Host:") { String::new() } else { format!("Host: {}\r\n", self.address) };
        let length = body.len();
        let text = format!(
            "{request} HTTP/1.1\r\n{host}{more}Connection: close\r\nContent-Length: {length}\r\n\r\n{body}"
        );
        let mut stream = TcpStream::connect(&self.address).await.unwrap();
        stream.write_all(text.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        tokio::time::timeout(DEADLINE, stream.read_to_end(&mut answer)).await.unwrap().unwrap();
        let answer = String::from_utf8_lossy(&answer).into_owned();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Answer { status, head: head.to_lowercase(), body: body.to_owned() }
    }

    async fn get(&self, path: &str) -> Answer {
        self.ask(&format!("GET {path}"), "", "").await
    }

    fn ingest_arrival(&self, call: u64) {
        self.live.ingest(&FactRecord { at: START, seq: call, fact: arrival(call, None) });
    }

    fn ingest(&self, fact: Fact) {
        self.live.ingest(&FactRecord { at: START, seq: 2, fact });
    }

    async fn watch(&self, last_event_id: Option<u64>) -> Watcher {
        let mut stream = TcpStream::connect(&self.address).await.unwrap();
        let resume = last_event_id.map(|id| format!("Last-Event-ID: {id}\r\n")).unwrap_or_default();
        let request = format!("GET /api/live HTTP/1.1\r\nHost: {}\r\n{resume}\r\n", self.address);
        stream.write_all(request.as_bytes()).await.unwrap();
        Watcher { reader: BufReader::new(stream) }
    }
}

fn arrival(call: u64, region: Option<&str>) -> Fact {
    Fact::CallArrived {
        call: CallId(call),
        region: region.map(Into::into),
        trunk: None,
        caller: Pii::new("13812345678"),
        caller_name: Some(Pii::new("张三")),
        called: "12348".into(),
        plan: None,
    }
}

struct Watcher {
    reader: BufReader<TcpStream>,
}

impl Watcher {
    /// The next event that is not a beat: its name and its id.
    async fn next(&mut self) -> (String, u64) {
        let mut event = String::new();
        loop {
            let line = self.line().await;
            if let Some(name) = line.strip_prefix("event: ") {
                event = name.to_owned();
            }
            if let Some(id) = line.strip_prefix("id: ") {
                return (event, id.parse().unwrap());
            }
        }
    }

    async fn line(&mut self) -> String {
        let mut line = String::new();
        let read = tokio::time::timeout(DEADLINE, self.reader.read_line(&mut line)).await.unwrap().unwrap();
        assert_ne!(read, 0, "the stream ended");
        line.trim_end().to_owned()
    }
}

#[tokio::test]
async fn every_answer_carries_the_security_headers() {
    let server = Server::start().await;
    for path in ["/", "/api/board", "/healthz", "/nothing/here", "/metrics"] {
        let answer = server.get(path).await;
        assert!(answer.head.contains("content-security-policy: default-src 'self';"), "{path}");
        assert!(!answer.head.contains("unsafe-"), "{path}");
        assert!(answer.head.contains("frame-ancestors 'none'"), "{path}");
        assert!(answer.head.contains("x-content-type-options: nosniff"), "{path}");
        assert!(answer.head.contains("referrer-policy: no-referrer"), "{path}");
    }
}

#[tokio::test]
async fn a_foreign_host_name_is_refused_with_a_problem() {
    let server = Server::start().await;
    let answer = server.ask("GET /api/board", "Host: evil.example\r\n", "").await;
    assert_eq!(answer.status, 421);
    assert!(answer.head.contains("content-type: application/problem+json"));
    assert_eq!(server.ask("GET /api/board", "Host: localhost:1\r\n", "").await.status, 200);
}

#[tokio::test]
async fn a_listener_beyond_loopback_is_refused() {
    let server = Server::start().await;
    let listener = tokio::net::TcpListener::bind("0.0.0.0:0").await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}", folder.path().join("test.db").display());
    let app = App {
        store: store::Store::open(&url).await.unwrap(),
        live: server.live.clone(),
        registry: prometheus::Registry::new(),
        commands: mpsc::channel(1).0,
        shutdown: CancellationToken::new(),
    };
    assert!(matches!(web::serve(listener, app).await, Err(web::ServeError::NotLoopback(_))));
}

#[tokio::test]
async fn the_feed_begins_with_a_snapshot_goes_on_with_deltas_and_resumes() {
    let server = Server::start().await;
    let mut first = server.watch(None).await;
    let (event, seq) = first.next().await;
    assert_eq!(event, "snapshot");
    server.ingest_arrival(1);
    server.ingest_arrival(2);
    assert_eq!(first.next().await, ("delta".to_owned(), seq + 1));
    assert_eq!(first.next().await, ("delta".to_owned(), seq + 2));
    let mut second = server.watch(Some(seq + 1)).await;
    assert_eq!(second.next().await, ("delta".to_owned(), seq + 2));
    let mut third = server.watch(Some(seq - 1_000)).await;
    assert_eq!(third.next().await, ("snapshot".to_owned(), seq + 2));
}

#[tokio::test]
async fn an_order_to_a_lawyer_reaches_the_switch() {
    let mut server = Server::start().await;
    let json = "Content-Type: application/json\r\n";
    let agent = AgentId(8001);
    let paused = |reason| Duty::Paused { reason, until: None };
    for (body, duty) in [
        (r#"{"duty":"paused"}"#, paused(PauseReason::Other)),
        (r#"{"duty":"paused","reason":"fieldwork"}"#, paused(PauseReason::Fieldwork)),
        (r#"{"duty":"logged_out"}"#, Duty::LoggedOut),
    ] {
        assert_eq!(server.ask("POST /api/agents/8001/duty", json, body).await.status, 202, "{body}");
        assert_eq!(server.commands.recv().await, Some(Command::AgentDuty { agent, duty }));
    }
    let half_an_hour = Duration::from_secs(1800);
    let asked = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let timed = r#"{"duty":"paused","reason":"meal","for_s":1800}"#;
    assert_eq!(server.ask("POST /api/agents/8001/duty", json, timed).await.status, 202);
    let Some(Command::AgentDuty { duty: Duty::Paused { until: Some(until), .. }, .. }) =
        server.commands.recv().await
    else {
        panic!("no pause that ends");
    };
    let left = until - Timestamp::from_ms(asked.as_millis() as i64);
    assert!((half_an_hour..half_an_hour + DEADLINE).contains(&left), "{left:?}");
    let longer = server.ask("POST /api/agents/8001/wrap-up-extended", json, r#"{"by_s":60}"#).await;
    assert_eq!(longer.status, 202);
    let by = Duration::from_secs(60);
    assert_eq!(server.commands.recv().await, Some(Command::WrapUpExtended { agent, by }));
    assert_eq!(server.ask("POST /api/agents/8001/wrap-up-done", "", "").await.status, 202);
    let refused = server.ask("POST /api/agents/8001/duty", json, r#"{"duty":"ready"}"#).await;
    assert_eq!(refused.status, 503, "one command waits, which is all that fits");
    assert!(refused.head.contains("retry-after: "));
}

#[tokio::test]
async fn what_a_lawyer_wants_of_a_talk_is_passed_on_as_far_as_it_makes_sense() {
    let mut server = Server::start().await;
    let json = "Content-Type: application/json\r\n";
    let told = [
        (r#"{"wish":"consult","target":"hotline_12345"}"#, TalkWish::Consult("hotline_12345".into())),
        (r#"{"wish":"join"}"#, TalkWish::Join),
        (r#"{"wish":"part"}"#, TalkWish::Part),
        (r#"{"wish":"leave"}"#, TalkWish::Leave),
        (r#"{"wish":"pass_to","pool":"city"}"#, TalkWish::PassTo("city".into())),
    ];
    for (body, wish) in told {
        assert_eq!(server.ask("POST /api/agents/8001/talk", json, body).await.status, 202);
        let agent = AgentId(8001);
        assert_eq!(server.commands.recv().await, Some(Command::TalkWished { agent, wish }));
    }
    let wrong = [
        r#"{"wish":"consult"}"#,
        r#"{"wish":"consult","target":"a","pool":"b"}"#,
        r#"{"wish":"pass_to","target":"a"}"#,
        r#"{"wish":"join","target":"a"}"#,
        r#"{"wish":"sing"}"#,
    ];
    for body in wrong {
        assert_eq!(server.ask("POST /api/agents/8001/talk", json, body).await.status, 422, "{body}");
    }
    assert_eq!(server.ask("POST /api/agents/9999/talk", json, r#"{"wish":"join"}"#).await.status, 404);
}

#[tokio::test]
async fn a_supervisor_takes_part_in_calls_that_are_under_way() {
    let mut server = Server::start().await;
    let json = "Content-Type: application/json\r\n";
    let listen = r#"{"mode":"listen","phone":"9001"}"#;
    assert_eq!(server.ask("POST /api/calls/1/supervision", json, listen).await.status, 404);
    server.ingest_arrival(1);
    for (word, mode) in [
        ("listen", Some(Supervision::Listen)),
        ("whisper", Some(Supervision::Whisper)),
        ("barge", Some(Supervision::Barge)),
        ("off", None),
    ] {
        let body = format!(r#"{{"mode":"{word}","phone":"9001"}}"#);
        assert_eq!(server.ask("POST /api/calls/1/supervision", json, &body).await.status, 202);
        let (call, user, by) = (CallId(1), "9001".to_owned(), "board".to_owned());
        assert_eq!(server.commands.recv().await, Some(Command::CallSupervised { call, user, mode, by }));
    }
    for body in
        [r#"{"mode":"shout","phone":"9001"}"#, r#"{"mode":"listen","phone":""}"#, r#"{"mode":"listen"}"#]
    {
        assert_eq!(server.ask("POST /api/calls/1/supervision", json, body).await.status, 422, "{body}");
    }
}

#[tokio::test]
async fn a_waiting_call_is_moved_and_no_other() {
    let mut server = Server::start().await;
    server.ingest_arrival(1);
    let json = "Content-Type: application/json\r\n";
    let early = server.ask("POST /api/calls/1/priority", json, r#"{"urgent":true}"#).await;
    assert_eq!(early.status, 404, "it does not wait yet");
    server.ingest(Fact::CallQueued { call: CallId(1), pool: "lucheng".into() });
    let body = r#"{"urgent":false,"head_start_s":600}"#;
    assert_eq!(server.ask("POST /api/calls/1/priority", json, body).await.status, 202);
    let (call, head_start) = (CallId(1), Duration::from_secs(600));
    let expected = Command::CallPrioritised { call, urgent: false, head_start, by: "board".to_owned() };
    assert_eq!(server.commands.recv().await, Some(expected));
    let endless = server.ask("POST /api/calls/1/priority", json, r#"{"urgent":false,"head_start_s":86401}"#);
    assert_eq!(endless.await.status, 422);
    let moved = Fact::CallPrioritised { call, urgent: true, head_start_ms: 0, by: "board".to_owned() };
    server.ingest(moved);
    let board = server.get("/api/board").await;
    assert!(board.body.contains(r#""priority":{"urgent":true,"head_start_ms":0}"#), "{}", board.body);
}

#[tokio::test]
async fn a_pool_and_a_region_are_closed_and_opened_by_hand() {
    let mut server = Server::start().await;
    let json = "Content-Type: application/json\r\n";
    let (region, by) = (RegionId::new("wenzhou"), "board".to_owned());
    let body = r#"{"state":"closed"}"#;
    assert_eq!(server.ask("POST /api/pools/lucheng/override", json, body).await.status, 202);
    let (pool, set) = (Some("lucheng".into()), Some(Override { open: false, until: None }));
    let expected = Command::PoolsOverridden { region: region.clone(), pool, set, by: by.clone() };
    assert_eq!(server.commands.recv().await, Some(expected));
    let body = r#"{"state":"by_hours"}"#;
    assert_eq!(server.ask("POST /api/regions/wenzhou/override", json, body).await.status, 202);
    let expected = Command::PoolsOverridden { region, pool: None, set: None, by };
    assert_eq!(server.commands.recv().await, Some(expected));
    let body = r#"{"state":"open","for_s":3600}"#;
    assert_eq!(server.ask("POST /api/pools/lucheng/override", json, body).await.status, 202);
    let Some(Command::PoolsOverridden { set: Some(set), .. }) = server.commands.recv().await else {
        panic!("nothing was set");
    };
    assert!(set.open && set.until.is_some());
}

#[tokio::test]
async fn a_wrong_order_is_explained() {
    let server = Server::start().await;
    let json = "Content-Type: application/json\r\n";
    let check = async |request: &str, more: &str, body: &str, status: u16| {
        let answer = server.ask(request, more, body).await;
        assert_eq!(answer.status, status, "{request} {body}");
        assert!(answer.head.contains("content-type: application/problem+json"), "{request} {body}");
        assert!(answer.body.contains("\"detail\""), "{request} {body}");
    };
    check("POST /api/agents/9/duty", json, r#"{"duty":"ready"}"#, 404).await;
    check("POST /api/pools/nowhere/override", json, r#"{"state":"open"}"#, 404).await;
    check("POST /api/regions/nowhere/override", json, r#"{"state":"open"}"#, 404).await;
    check("POST /api/pools/lucheng/override", json, r#"{"state":"ajar"}"#, 422).await;
    check("POST /api/pools/lucheng/override", json, r#"{"state":"by_hours","for_s":5}"#, 422).await;
    check("POST /api/pools/lucheng/override", json, r#"{"state":"open","for_s":604801}"#, 422).await;
    check("POST /api/agents/li/duty", json, r#"{"duty":"ready"}"#, 400).await;
    check("POST /api/agents/8001/duty", json, r#"{"duty":"lunch"}"#, 422).await;
    check("POST /api/agents/8001/duty", json, r#"{"duty":"paused","reason":"no_answer"}"#, 422).await;
    check("POST /api/agents/8001/duty", json, r#"{"duty":"paused","for_s":0}"#, 422).await;
    check("POST /api/agents/8001/duty", json, r#"{"duty":"ready","reason":"meal"}"#, 422).await;
    check("POST /api/agents/8001/wrap-up-extended", json, r#"{"by_s":3601}"#, 422).await;
    check("POST /api/agents/8001/duty", json, "{", 400).await;
    check("POST /api/agents/8001/duty", "", r#"{"duty":"ready"}"#, 415).await;
    check("POST /api/agents/8001/duty", json, &" ".repeat(20_000), 413).await;
    let foreign = "Content-Type: application/json\r\nOrigin: http://evil.example\r\n";
    check("POST /api/agents/8001/duty", foreign, r#"{"duty":"ready"}"#, 403).await;
    check("DELETE /api/board", "", "", 405).await;
    check("GET /api/calls?limit=many", "", "", 400).await;
    check("GET /api/calls/7", "", "", 404).await;
    check("GET /api/tickets/none", "", "", 404).await;
}

#[tokio::test]
async fn records_and_board_are_served_masked() {
    let server = Server::start().await;
    server.ingest_arrival(1);
    let board = server.get("/api/board").await;
    assert_eq!(board.status, 200);
    assert!(board.body.contains("138****5678") && !board.body.contains("13812345678"));
    assert_eq!(server.get("/api/calls").await.body, "[]");
    assert_eq!(server.get("/api/tickets?limit=5").await.body, "[]");
}

#[tokio::test]
async fn a_stored_call_and_its_ticket_are_shown_masked() {
    let server = Server::start().await;
    let call = CallId(7);
    let facts = [
        arrival(7, Some("wenzhou")),
        Fact::CallQueued { call, pool: "lucheng".into() },
        Fact::CallDeparted { call, departure: Departure::AbandonedQueue, by: Party::Caller },
        Fact::CallClosed { call },
    ];
    let facts = facts.into_iter().zip(1..).map(|(fact, seq)| FactRecord { at: START, seq, fact }).collect();
    server.store.apply(&[store::CallFacts { call, facts }]).await.unwrap();
    let ticket = server.store.ticket_of_call(call).await.unwrap().unwrap().number;
    for path in ["/api/calls", "/api/calls/7", "/api/tickets", &format!("/api/tickets/{ticket}")] {
        let answer = server.get(path).await;
        assert_eq!(answer.status, 200, "{path}");
        assert!(answer.body.contains("138****5678"), "{path}: {}", answer.body);
        assert!(!answer.body.contains("13812345678"), "{path}");
        assert!(!answer.body.contains("张三"), "{path}");
    }
}

#[tokio::test]
async fn a_ticket_shows_how_satisfied_the_caller_was() {
    let server = Server::start().await;
    let call = CallId(7);
    let facts = [
        arrival(7, Some("wenzhou")),
        Fact::CallBridged { call, agent: AgentId(8001), pool: "lucheng".into(), waited_ms: 1 },
        Fact::TalkEnded { call, by: Party::Agent },
        Fact::SurveyAsked { call },
        Fact::SurveyAnswered { call, level: Satisfaction::FairlySatisfied },
        Fact::CallDeparted { call, departure: Departure::Answered, by: Party::System },
        Fact::CallClosed { call },
    ];
    let facts = facts.into_iter().zip(1..).map(|(fact, seq)| FactRecord { at: START, seq, fact }).collect();
    server.store.apply(&[store::CallFacts { call, facts }]).await.unwrap();
    let body = server.get("/api/tickets").await.body;
    assert!(body.contains("\"satisfaction\":\"fairly_satisfied\""), "{body}");
}

#[tokio::test]
async fn metrics_show_pools_departures_and_clients() {
    let server = Server::start().await;
    let mut watcher = server.watch(None).await;
    watcher.next().await;
    let text = server.get("/metrics").await.body;
    assert!(text.contains("hotline_pool_waiting{pool=\"lucheng\"} 0"), "{text}");
    assert!(text.contains("hotline_pool_agents{pool=\"lucheng\",standing=\"offline\"} 1"));
    assert!(text.contains("hotline_departures_total{departure=\"answered\"} 0"));
    assert!(text.contains("hotline_live_clients 1"));
}

#[tokio::test]
async fn the_server_stops_although_browsers_watch() {
    let server = Server::start().await;
    let mut watcher = server.watch(None).await;
    watcher.next().await;
    server.shutdown.cancel();
    tokio::time::timeout(DEADLINE, server.task).await.unwrap().unwrap().unwrap();
}

#[test]
fn the_committed_description_of_the_api_is_the_one_that_the_code_makes() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/ui/openapi.json");
    let made = web::openapi_json() + "\n";
    if std::env::var_os("UPDATE_OPENAPI").is_some() {
        std::fs::write(path, &made).unwrap();
    }
    let committed = std::fs::read_to_string(path).unwrap_or_default();
    assert!(
        committed == made,
        "run UPDATE_OPENAPI=1 cargo test -p web, then npm run api-types in crates/web/ui"
    );
}

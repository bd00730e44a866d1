//! The hotline under test: `hotline serve` with a configuration of its own, in a folder of its own.

use super::block::{self, Block, HOME, free_port};
use super::phone::{Account, Over, Phone};
use super::process::Program;
use super::trunk::{Script, Sipp};
use super::{SOON, eventually, root, sound, web};
use serde_json::Value;
use std::io::Write;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::time::Duration;
use tempfile::TempDir;

/// What the tests' city does with a call.
pub const DIALPLAN: &str = include_str!("../dialplan.toml");
/// A caller whose prefix is Lucheng's, and one whom no table knows.
pub const FROM_LUCHENG: &str = "057788001234";
pub const FROM_NOWHERE: &str = "13812345678";
/// SIPp sends its speech from this port, if it sends; else the one that echoes.
const SPEAKS: &str = "[rtpstream_audio_port]";
const ECHOES: &str = "[media_port]";
/// For so long a phone registers.
const REGISTER_S: u32 = 60;
const DESK_PORT: u16 = 9_060;
/// After SIGTERM calls may go on for 20 s, then 12 s to settle, then 10 s for the last records.
const STOPS_WITHIN: Duration = Duration::from_secs(60);

/// What a test wants to be different.
pub struct Setup {
    pub calls_max: u32,
    pub silence_timeout: &'static str,
    pub ping_interval: &'static str,
    /// Staff numbers of Lucheng's lawyers.
    pub lawyers: Vec<u32>,
    /// Their phones do not register.
    pub at_fixed_addresses: bool,
    /// A baresip is behind the trunk, too, not SIPp alone: whoever is called back is called there.
    pub has_telephones: bool,
    /// A baresip is behind a trunk of its own, `government`, and has this number there.
    pub government: Option<&'static str>,
    /// The dialplan that the server starts with.
    pub dialplan: String,
}

impl Setup {
    /// Lawyers of Lucheng with these staff numbers.
    pub fn lawyers(ids: &[u32]) -> Self {
        Self {
            calls_max: 10,
            silence_timeout: "30s",
            ping_interval: "30s",
            lawyers: ids.to_vec(),
            at_fixed_addresses: false,
            has_telephones: false,
            government: None,
            dialplan: DIALPLAN.to_owned(),
        }
    }
}

/// A city for one test: addresses, folder, server. The server ends with it.
pub struct City {
    pub block: Block,
    pub sip: SocketAddr,
    pub web: SocketAddr,
    pub program: Program,
    dir: TempDir,
    telephone: SocketAddr,
    government: SocketAddr,
}

impl City {
    pub fn open(setup: &Setup) -> Self {
        let (block, dir) = (Block::claim(), TempDir::new().expect("a temporary folder"));
        let sip = free_port(block.hotline());
        let web = SocketAddr::new(block.hotline(), sip.port() + 2);
        write_prompts(&dir.path().join("prompts"));
        let (telephone, government) = (block::at_home(), block::at_home());
        std::fs::write(dir.path().join("dialplan.toml"), &setup.dialplan).expect("a dialplan");
        let config = config(setup, &block, sip, web, [telephone, government]);
        std::fs::write(dir.path().join("config.toml"), config).expect("a config");
        let program = serve(dir.path());
        let city = Self { block, sip, web, program, dir, telephone, government };
        city.wait_until_open();
        city
    }

    pub fn wait_until_open(&self) {
        let is_open = || web::get(self.web, "/healthz").filter(|(status, _)| *status == 200);
        eventually("the hotline is open", SOON, is_open);
    }

    /// Starts the server again, on the same data and addresses.
    pub fn reopen(&mut self) {
        self.program = serve(self.dir.path());
        self.wait_until_open();
    }

    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// Ends the server as systemd would.
    #[track_caller]
    pub fn close(mut self) {
        self.stop();
    }

    /// Ends the server as systemd would, and starts it again.
    #[track_caller]
    pub fn restart(&mut self) {
        self.stop();
        self.reopen();
    }

    #[track_caller]
    fn stop(&mut self) {
        self.program.terminate();
        let status = self.program.wait(STOPS_WITHIN);
        assert!(status.success(), "the server ends with {status}");
        let log = self.program.log();
        assert!(!log.contains("panicked"), "something panicked:\n{log}");
    }

    /// The phone of a lawyer who is ready as soon as it has registered.
    pub fn lawyer(&self, id: u32, over: Over, answers_by_itself: bool, speech: &[i16]) -> Phone {
        let phone = self.registered_phone(id, over, answers_by_itself, speech);
        self.wait_for_agent(id, "ready");
        phone
    }

    /// The phone of a lawyer, which will have registered soon.
    pub fn registered_phone(&self, id: u32, over: Over, answers_by_itself: bool, speech: &[i16]) -> Phone {
        let (user, password) = (id.to_string(), password(id));
        let account = Account {
            user: &user,
            password: &password,
            at: block::at_home(),
            hotline: self.sip,
            over,
            answers_by_itself,
            speech,
        };
        Phone::switch_on(self.dir(), &account, REGISTER_S)
    }

    /// SIPp as the phone of a lawyer who does not register.
    pub fn desk_phone(&self, id: u32, name: &str) -> Sipp {
        let script = Script { name, hotline: self.sip, values: &[], speech: &[], echoes: false, calls: None };
        Sipp::start_at(self.dir(), desk_address(&self.block, id), &script)
    }

    /// The citizen's telephone behind the trunk (see [`Setup::has_telephones`]), off the hook by `dial`.
    pub fn telephone(&self, speech: &[i16]) -> Phone {
        let account = Account {
            user: FROM_LUCHENG,
            password: "none",
            at: self.telephone,
            hotline: self.sip,
            over: Over::Udp,
            answers_by_itself: false,
            speech,
        };
        Phone::switch_on(self.dir(), &account, 0)
    }

    /// Whoever answers at that number behind the trunk `government` (see [`Setup::government`]), at once.
    pub fn government(&self, number: &str, speech: &[i16]) -> Phone {
        let account = Account {
            user: number,
            password: "none",
            at: self.government,
            hotline: self.sip,
            over: Over::Udp,
            answers_by_itself: true,
            speech,
        };
        Phone::switch_on(self.dir(), &account, 0)
    }

    /// Calls of citizens through SIPp as trunk; they speak this over and over.
    pub fn callers(&self, caller: &str, speech: &[u8], calls: u32) -> Sipp {
        let speak = "<exec rtp_stream=\"speech.al,-1,8\"/>";
        let values = [("caller", caller), ("called", "12348"), ("port", SPEAKS), ("speak", speak)];
        self.caller(&values, speech, false, calls)
    }

    /// A citizen who says whatever the lawyer says.
    pub fn echo(&self) -> Sipp {
        let values = [("caller", FROM_LUCHENG), ("called", "12348"), ("port", ECHOES), ("speak", "")];
        self.caller(&values, &[], true, 1)
    }

    fn caller(&self, values: &[(&str, &str)], speech: &[u8], echoes: bool, calls: u32) -> Sipp {
        let script = Script { name: "caller", hotline: self.sip, values, speech, echoes, calls: Some(calls) };
        Sipp::start(self.dir(), self.block.trunk(), &script)
    }

    /// REGISTERs as a phone would, and expects this status at the end.
    pub fn register(&self, user: u32, password: &str, contact: &str, expires: &str, status: &str) {
        let user = user.to_string();
        let values = [
            ("user", user.as_str()),
            ("password", password),
            ("contact", contact),
            ("expires", expires),
            ("status", status),
        ];
        let script = Script {
            name: "register",
            hotline: self.sip,
            values: &values,
            speech: &[],
            echoes: false,
            calls: Some(1),
        };
        Sipp::start(self.dir(), self.block.stranger(), &script).finish();
    }

    pub fn board(&self) -> Value {
        web::json(self.web, "/api/board")
    }

    /// Waits until a call under way is in this phase, and gives it.
    #[track_caller]
    pub fn wait_for_phase(&self, phase: &str) -> Value {
        let what = format!("a call is {phase}");
        eventually(&what, SOON, || rows(&self.board(), "calls").into_iter().find(|c| c["phase"] == phase))
    }

    /// Waits for a call in line that somebody is on the line of, or nobody, who will be called back.
    #[track_caller]
    pub fn wait_for_waiting(&self, is_callback: bool) -> Value {
        let is_it = |call: &Value| call["is_callback"] == is_callback && call["phase"] == "waiting";
        let look = || rows(&self.board(), "calls").into_iter().find(is_it);
        eventually("a call waits", SOON, look)
    }

    /// Waits until the trunk has answered, so that it can be dialled through.
    #[track_caller]
    pub fn wait_for_trunk(&self, id: &str) {
        let is_it = |trunk: &Value| trunk["id"] == id && trunk["reachable"] == true;
        eventually(id, SOON, || rows(&self.board(), "trunks").iter().any(is_it).then_some(()));
    }

    #[track_caller]
    pub fn wait_for_no_calls(&self) {
        eventually("no call is left", SOON, || rows(&self.board(), "calls").is_empty().then_some(()));
    }

    /// Waits until so many calls have left.
    #[track_caller]
    pub fn wait_for_departures(&self, count: usize) {
        let what = format!("{count} calls have left");
        eventually(&what, SOON, || (rows(&self.board(), "recent").len() >= count).then_some(()));
    }

    #[track_caller]
    pub fn wait_for_agent(&self, id: u32, standing: &str) -> Value {
        self.wait_long_for_agent(id, standing, SOON)
    }

    #[track_caller]
    pub fn wait_long_for_agent(&self, id: u32, standing: &str, within: Duration) -> Value {
        let what = format!("{id} is {standing}");
        eventually(&what, within, || {
            let agents = rows(&self.board(), "agents");
            agents.into_iter().find(|agent| agent["id"] == id && agent["standing"] == standing)
        })
    }

    /// Waits for the records of `count` calls, and gives them, oldest first. Each has exactly one ticket.
    #[track_caller]
    pub fn records(&self, count: usize) -> Vec<Value> {
        self.wait_for_no_calls();
        let mut calls = eventually("the calls are on record", SOON, || {
            let calls = rows(&web::json(self.web, "/api/calls"), "");
            (calls.len() >= count).then_some(calls)
        });
        calls.reverse();
        let ids = |rows: &[Value], key: &str| {
            let mut ids: Vec<String> =
                rows.iter().map(|row| row[key].as_str().unwrap_or("?").to_owned()).collect();
            ids.sort();
            ids
        };
        let tickets = rows(&web::json(self.web, "/api/tickets"), "");
        assert_eq!(calls.len(), count, "{calls:#?}");
        assert_eq!(ids(&tickets, "call"), ids(&calls, "id"), "each call has one ticket: {tickets:#?}");
        calls
    }

    /// The record of the only call, as (record, legs, recordings, ticket).
    #[track_caller]
    pub fn detail(&self) -> Value {
        let calls = self.records(1);
        let id = calls[0]["id"].as_str().expect("ids are text");
        web::json(self.web, &format!("/api/calls/{id}"))
    }

    pub fn ticket(&self, number: &str) -> Value {
        web::json(self.web, &format!("/api/tickets/{number}"))
    }

    pub fn recording(&self, file: &str) -> PathBuf {
        self.dir().join("data/recordings").join(file)
    }

    /// Waits until the sum of a metric over its labels is this.
    #[track_caller]
    pub fn wait_for_metric(&self, name: &str, value: f64) {
        let look = || {
            let (_, text) = web::get(self.web, "/metrics").expect("metrics");
            Some(sum(&text, name)).filter(|seen| *seen >= value)
        };
        let found = eventually(&format!("{name} is {value}"), SOON, look);
        assert_eq!(found, value, "{name}");
    }
}

/// Of one metric in the text format of Prometheus.
fn sum(text: &str, name: &str) -> f64 {
    let is_it = |line: &&str| {
        line.strip_prefix(name).is_some_and(|rest| rest.starts_with(' ') || rest.starts_with('{'))
    };
    text.lines().filter(is_it).filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum()
}

pub fn rows(value: &Value, key: &str) -> Vec<Value> {
    let list = if key.is_empty() { value } else { &value[key] };
    list.as_array().unwrap_or_else(|| panic!("no list {key} in {value}")).clone()
}

pub fn password(agent: u32) -> String {
    format!("secret-{agent}")
}

/// The program under test: HOTLINE_BIN, or what the workspace builds.
pub fn binary() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| {
        if let Some(path) = std::env::var_os("HOTLINE_BIN") {
            return path.into();
        }
        // The test itself is target/PROFILE/deps/e2e-….
        let own = std::env::current_exe().expect("a running test has a path");
        let path = own.ancestors().nth(2).expect("target/PROFILE").join("hotline");
        if !path.exists() {
            let mut build = Command::new(env!("CARGO"));
            let status = build.args(["build", "-p", "hotline"]).current_dir(root()).status();
            assert!(status.is_ok_and(|status| status.success()), "the server does not build");
        }
        path
    })
}

pub fn serve(dir: &Path) -> Program {
    let mut command = Command::new(binary());
    command.args(["serve", "--config", "config.toml"]).env("RUST_BACKTRACE", "1");
    Program::start("hotline", dir, &mut command)
}

/// Runs the program to its end: (did it succeed, what it said).
pub fn run(dir: &Path, arguments: &[&str], input: &str) -> (bool, String) {
    let mut command = Command::new(binary());
    command.current_dir(dir).args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.stderr(Stdio::piped()).spawn().expect("the program runs");
    let mut stdin = child.stdin.take().expect("it is piped");
    stdin.write_all(input.as_bytes()).expect("the program reads");
    drop(stdin);
    let output = child.wait_with_output().expect("the program ends");
    let said = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8_lossy(&said).into_owned())
}

/// The bureau's prompts, cut short: nobody listens to the end.
pub fn write_prompts(dir: &Path) {
    std::fs::create_dir_all(dir).expect("a folder for prompts");
    let lengths = [
        ("notice", 0.5),
        ("menu", 1.0),
        ("queue_wait", 0.5),
        ("hold_music", 3.0),
        ("callback_kept", 2.0),
        ("goodbye", 0.5),
    ];
    for (name, seconds) in lengths {
        std::fs::write(dir.join(format!("{name}.al")), sound::prompt(name, seconds)).expect("a prompt");
    }
}

/// It is free, for the block is ours and nothing else runs there; the port need not be usual.
fn desk_address(block: &Block, id: u32) -> SocketAddr {
    SocketAddr::new(block.desk(id), DESK_PORT)
}

fn config(
    setup: &Setup,
    block: &Block,
    sip: SocketAddr,
    web: SocketAddr,
    [telephone, government]: [SocketAddr; 2],
) -> String {
    let ip = block.hotline();
    let trunk: Vec<IpAddr> =
        [block.trunk()].into_iter().chain(setup.has_telephones.then_some(HOME)).collect();
    let peers: Vec<String> = trunk.iter().map(|peer| format!("\"{peer}\"")).collect();
    // Asked by OPTIONS, baresip is only there for those who name its user.
    let contact = setup.has_telephones.then(|| format!("contact = \"sip:{FROM_LUCHENG}@{telephone}\"\n"));
    let mut text = format!(
        r#"data_dir = "data"
dialplans = ["dialplan.toml"]
prompts = ["prompts"]
[sip]
udp = ["{sip}"]
tcp = ["{sip}"]
[media]
ip = "{ip}"
port_min = 20000
port_max = 20199
silence_timeout = "{}"
[web]
listen = "{web}"
[limits]
calls_max = {}
ping_interval = "{}"
[[trunk]]
id = "telecom"
peers = [{}]
{}"#,
        setup.silence_timeout,
        setup.calls_max,
        setup.ping_interval,
        peers.join(", "),
        contact.unwrap_or_default()
    );
    if let Some(number) = setup.government {
        let (peer, contact) = (block.government(), format!("sip:{number}@{government}"));
        text += &format!("[[trunk]]\nid = \"government\"\npeers = [\"{peer}\"]\ncontact = \"{contact}\"\n");
    }
    for id in &setup.lawyers {
        let proof = match setup.at_fixed_addresses {
            true => format!("contact = \"sip:{id}@{}\"\n", desk_address(block, *id)),
            false => {
                let arguments = ["ha1", "--user", &id.to_string()];
                let (_, digests) = run(&std::env::temp_dir(), &arguments, &password(*id));
                // baresip 1.0 gives up when it sees any algorithm but MD5.
                let md5 = digests.lines().find(|line| line.starts_with("ha1_md5"));
                format!("{}\n", md5.expect("the digests of a password"))
            }
        };
        text += &format!(
            "[[agent]]\nid = {id}\nname = \"律师{id}\"\nregion = \"wenzhou\"\npools = [\"lucheng\"]\n{proof}"
        );
    }
    text
}

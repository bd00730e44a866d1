//! SIPp: the operator's trunk, and phones that do what no good phone does.
//!
//! Its callers hang up on a cue: one datagram from the test, a MESSAGE with the call's own Call-ID, for
//! which the scenario waits. So a test decides by what it sees, and nobody counts seconds.

use super::process::Program;
use super::{SOON, block, eventually, fill, now_ms};
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::Command;

pub struct Sipp {
    pub program: Program,
    pub address: SocketAddr,
    dir: PathBuf,
    /// Milliseconds of UTC; a part of the Call-IDs.
    started_ms: i64,
}

/// What distinguishes one run of SIPp from another.
pub struct Script<'a> {
    /// A file of tests/e2e/sipp, without its ending.
    pub name: &'a str,
    pub hotline: SocketAddr,
    /// Values for the `{{name}}`s of the script.
    pub values: &'a [(&'a str, &'a str)],
    /// Sent over and over once the call is up, if the script says so.
    pub speech: &'a [u8],
    /// Whether it sends back what it hears. It cannot speak then.
    pub echoes: bool,
    /// How many calls, all at once; none for a script that waits for others to call.
    pub calls: Option<u32>,
}

impl Sipp {
    pub fn start(dir: &Path, ip: IpAddr, script: &Script<'_>) -> Self {
        Self::start_at(dir, block::free_port(ip), script)
    }

    pub fn start_at(dir: &Path, address: SocketAddr, script: &Script<'_>) -> Self {
        let dir = dir.join(format!("sipp-{}-{}", script.name, address.port()));
        std::fs::create_dir_all(&dir).expect("a folder for SIPp");
        std::fs::write(dir.join("speech.al"), script.speech).expect("a file for SIPp");
        let source = super::root().join(format!("tests/e2e/sipp/{}.xml", script.name));
        let template = std::fs::read_to_string(source).expect("a script of SIPp");
        std::fs::write(dir.join("script.xml"), fill(&template, script.values)).expect("a file for SIPp");
        let (ip, media) = (address.ip().to_string(), address.port() + 1_000);
        let mut command = Command::new("sipp");
        command.arg(script.hotline.to_string()).args([
            "-sf",
            "script.xml",
            "-nostdin",
            "-i",
            &ip,
            "-mi",
            &ip,
        ]);
        command.args(["-p", &address.port().to_string(), "-mp", &media.to_string()]);
        command.args([
            "-trace_err",
            "-error_file",
            "errors.log",
            "-trace_msg",
            "-message_file",
            "messages.log",
        ]);
        command.args(["-trace_logs", "-log_file", "listening.log"]);
        command.args(["-timeout", "120", "-timeout_error"]);
        if script.echoes {
            command.arg("-rtp_echo");
        }
        if let Some(calls) = script.calls.map(|calls| calls.to_string()) {
            command.args(["-m", &calls, "-l", &calls, "-r", &calls]);
        }
        let started_ms = now_ms();
        command.args(["-cid_str", &format!("%u-{started_ms}")]);
        let program = Program::start(&format!("sipp-{}", script.name), &dir, &mut command);
        Self { program, address, dir, started_ms }
    }

    /// Lets the call (the first is 1) go on to its next act, once it is up.
    #[track_caller]
    pub fn cue(&self, call: u32) {
        // SIPp would take a cue for a mistake that comes before it is waited for.
        let listens = || self.read("listening.log").contains(&format!("listening {call};")).then_some(());
        eventually("the call is up", SOON, listens);
        let message = format!(
            "MESSAGE sip:cue@{0} SIP/2.0\r\nVia: SIP/2.0/UDP {0};branch=z9hG4bKcue{call}\r\nMax-Forwards: 1\r\n\
             From: <sip:cue@{0}>;tag=cue\r\nTo: <sip:cue@{0}>;tag=cue\r\nCall-ID: {call}-{1}\r\n\
             CSeq: 1 MESSAGE\r\nContent-Length: 0\r\n\r\n",
            self.address, self.started_ms
        );
        let socket = UdpSocket::bind((self.address.ip(), 0)).expect("a socket");
        socket.send_to(message.as_bytes(), self.address).expect("a cue");
    }

    /// Waits until this stands in a message that it sent or got.
    #[track_caller]
    pub fn wait_to_say(&self, words: &str) {
        let what = format!("SIPp sends or gets \"{words}\"");
        eventually(&what, SOON, || self.messages().contains(words).then_some(()));
    }

    /// Every call went as the script says.
    #[track_caller]
    pub fn finish(mut self) {
        let status = self.program.wait(SOON * 2);
        assert!(status.success(), "SIPp: {status}\n{}\n{}", self.errors(), self.messages());
    }

    /// All SIP messages, both ways.
    pub fn messages(&self) -> String {
        self.read("messages.log")
    }

    fn errors(&self) -> String {
        self.read("errors.log")
    }

    fn read(&self, file: &str) -> String {
        String::from_utf8_lossy(&std::fs::read(self.dir.join(file)).unwrap_or_default()).into_owned()
    }
}

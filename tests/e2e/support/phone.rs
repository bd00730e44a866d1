//! baresip: a lawyer's phone that registers, or a citizen's telephone behind the trunk.
//!
//! It speaks a WAV file, writes down what it hears, and is told by netstrings over TCP (`ctrl_tcp`).

use super::process::Program;
use super::{SOON, block, eventually, fill, sound};
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

/// The file that a phone speaks must not end before the call: its end would end the call.
const SPEECH_SECONDS: usize = 90;
/// For what a phone has sent already to be read.
const SAID_BY_NOW: Duration = Duration::from_millis(100);
const CONFIG: &str = include_str!("baresip.config");

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Over {
    Udp,
    Tcp,
}

pub struct Phone {
    program: Program,
    control: TcpStream,
    unread: Vec<u8>,
    /// What happened and was not waited for yet.
    events: Vec<Value>,
    dir: PathBuf,
}

/// What a phone is before it is switched on.
pub struct Account<'a> {
    pub user: &'a str,
    pub password: &'a str,
    /// Where the phone is (see [`block::at_home`]).
    pub at: SocketAddr,
    pub hotline: SocketAddr,
    pub over: Over,
    pub answers_by_itself: bool,
    /// Spoken from the moment of answering; silence follows.
    pub speech: &'a [i16],
}

impl Phone {
    /// It registers for `register_s` seconds at a time; with 0, not at all.
    pub fn switch_on(dir: &Path, account: &Account<'_>, register_s: u32) -> Self {
        let dir = dir.join(format!("phone-{}", account.user));
        std::fs::create_dir_all(&dir).expect("a folder for the phone");
        let mut speech = account.speech.to_vec();
        speech.resize(speech.len().max(SPEECH_SECONDS * sound::HZ), 0);
        sound::write_wav(&dir.join("speech.wav"), &speech);
        let sip = account.at;
        let control = SocketAddr::new(sip.ip(), sip.port() + block::CONTROL);
        let config = fill(
            CONFIG,
            &[
                ("ip", &sip.ip().to_string()),
                ("sip", &sip.to_string()),
                ("control", &control.to_string()),
                ("dir", &dir.display().to_string()),
            ],
        );
        std::fs::write(dir.join("config"), config).expect("the phone's config");
        let transport = if account.over == Over::Tcp { ";transport=tcp" } else { "" };
        let answer = if account.answers_by_itself { "auto" } else { "manual" };
        let line = format!(
            "<sip:{}@{}{transport}>;auth_pass={};regint={register_s};audio_codecs=PCMA;answermode={answer}\n",
            account.user, account.hotline, account.password
        );
        std::fs::write(dir.join("accounts"), line).expect("the phone's account");
        let mut command = Command::new("baresip");
        command.arg("-f").arg(&dir);
        let program = Program::start(&format!("phone-{}", account.user), &dir, &mut command);
        let control = eventually("the phone takes commands", SOON, || TcpStream::connect(control).ok());
        Self { program, control, unread: Vec::new(), events: Vec::new(), dir }
    }

    /// Does one of `dial`, `accept`, `hangup`, `hold`, `resume`, `sndcode` (a key, RFC 4733).
    pub fn tell(&mut self, command: &str, words: &str) {
        let text = json!({ "command": command, "params": words, "token": command }).to_string();
        write!(self.control, "{}:{text},", text.len()).expect("the phone listens");
        let answer = self.next(SOON, |message| message["token"] == command && message["response"] == true);
        assert_eq!(answer["ok"], true, "{command} {words}: {answer}");
    }

    /// Waits for an event such as `CALL_INCOMING`, `CALL_ESTABLISHED`, `CALL_CLOSED`.
    #[track_caller]
    pub fn wait_for(&mut self, event: &str) -> Value {
        self.next(SOON, |message| message["event"] == true && message["type"] == event)
    }

    /// Whether such an event has come until now that nobody waited for yet.
    pub fn has_said(&mut self, event: &str) -> bool {
        self.read(SAID_BY_NOW);
        self.events.iter().any(|message| message["type"] == event)
    }

    #[track_caller]
    fn next(&mut self, within: Duration, is_it: impl Fn(&Value) -> bool) -> Value {
        let deadline = Instant::now() + within;
        loop {
            if let Some(at) = self.events.iter().position(&is_it) {
                return self.events.remove(at);
            }
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "the phone did not say it in time; it said {:?}", self.events);
            self.read(left);
        }
    }

    fn read(&mut self, within: Duration) {
        self.control.set_read_timeout(Some(within)).expect("a time-out");
        let mut bytes = [0; 65_536];
        match self.control.read(&mut bytes) {
            Ok(0) => panic!("the phone has gone"),
            Ok(count) => self.unread.extend_from_slice(&bytes[..count]),
            Err(_) => {}
        }
        while let Some(message) = take_netstring(&mut self.unread) {
            self.events.push(message);
        }
    }

    /// The power fails.
    pub fn kill(&mut self) {
        self.program.kill();
    }

    /// What the phone has heard until now, all calls in the order in which they began.
    pub fn heard(&self) -> Vec<i16> {
        let mut files: Vec<PathBuf> = std::fs::read_dir(&self.dir)
            .expect("the phone's folder")
            .flatten()
            .map(|entry| entry.path())
            .filter(|path| path.to_string_lossy().ends_with("-dec.wav"))
            .collect();
        files.sort();
        let long_enough = |path: &PathBuf| path.metadata().is_ok_and(|meta| meta.len() > 100);
        files.retain(long_enough);
        files.iter().flat_map(|path| sound::Wav::read(path).channels.swap_remove(0)).collect()
    }

    /// Waits until the phone has heard so much, silence included.
    #[track_caller]
    pub fn hear_seconds(&self, seconds: usize) {
        let within = SOON + Duration::from_secs(seconds as u64);
        let enough = || (self.heard().len() >= seconds * sound::HZ).then_some(());
        eventually("the phone has heard enough", within, enough);
    }
}

fn take_netstring(bytes: &mut Vec<u8>) -> Option<Value> {
    let colon = bytes.iter().position(|byte| *byte == b':')?;
    let length: usize = std::str::from_utf8(&bytes[..colon]).ok()?.parse().ok()?;
    let text = bytes.get(colon + 1..colon + 1 + length)?;
    let value = serde_json::from_slice(text).expect("the phone speaks JSON");
    bytes.get(colon + 1 + length)?;
    bytes.drain(..colon + 2 + length);
    Some(value)
}

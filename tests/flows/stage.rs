//! Plays a script: the real switch on one side, phones on the other, a network that loses, delays and
//! crosses what the script tells it to, and one clock.
//!
//! ```text
//! 0s caller dials 12348                         also: 057788012348; from 13800001111; offering only G.729;
//!                                               with Require: 100rel; without an offer (by hand)
//! 2s 1001 answers | answers with G.729 | rejects with 486 | hangs up | holds | resumes
//! 2s 1001 moves to port 40002 | changes to G.729 | repeats its offer
//! 2s 1001 registers | unregisters | pauses | is ready | dies | loses its connection
//! 2s 1001 calls hotline_12345 in | joins | parts | leaves | passes to ouhai
//! 2s 9001 listens | whispers | barges in | stops     a supervisor, in the last call
//! 2s 1001 refers to hotline_12345 | informs of 5   by hand, in the call that it answered
//! 2s caller cancels                              by hand, whatever has been answered
//! 2s caller agrees to sendonly                   by hand, to later offers of ours; also: to nothing
//! 2s 1001 says 180 as desk                      by hand, one branch of a fork; further: with sdp,
//!                                                keyless, reliably
//! 2s caller presses 1 | is silent | sends PUBLISH | pings
//! 2s hotline drains | hangs up | makes the last call urgent
//! 2s hotline reloads: 1002 in ouhai; without 1001; closed for menu     a changed configuration
//! 2s records name 1001 and 2 calls               where `callers are remembered`: an answer to what was asked last
//! 2s lose next ACK from caller                  also: every; 200 INVITE; to 1001
//! 2s delay next 200 from 1001 by 300ms
//! 60s end
//! ```

use crate::cast::{Cast, House, span};
use crate::ladder::{Ladder, describe, label, tell_fact};
use crate::phone::{Dialling, Phone};
use crate::studio::Studio;
use domain::{CallId, Duty, FactRecord, Override, PauseReason, PoolId, Supervision, TalkWish, Timestamp};
use sip::{Flow, Message, Method, sdp};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use switch::{Input, Node, Output};

/// Sunday, 22 November 2026, 10:00 in China.
pub(crate) const OPENING: Timestamp = Timestamp::from_ms(1_795_312_800_000);
/// Phones register before the script begins.
const PRELUDE: Duration = Duration::from_secs(5);
const NETWORK_DELAY: Duration = Duration::from_millis(10);
/// Nothing may happen in this time after the end of a script.
const EPILOGUE: Duration = Duration::from_secs(100);
const STEPS_MAX: u32 = 100_000;
const HOTLINE: &str = "hotline";

pub(crate) fn play(script: &str) -> Result<Vec<String>, String> {
    let mut cast = Cast::default();
    let mut stage = None;
    for line in script.lines().filter(|line| !line.is_empty()) {
        if stage.is_none() && cast.take(line) {
            continue;
        }
        let stage = stage.get_or_insert_with(|| Stage::new(&cast));
        stage.moment(line).map_err(|what| format!("{line}: {what}"))?;
    }
    stage.ok_or_else(|| "nothing happens in the script".to_owned())?.close()
}

struct Stage {
    now: Timestamp,
    node: Node,
    house: House,
    phones: BTreeMap<String, Phone>,
    studio: Studio,
    ladder: Ladder,
    shown: Vec<String>,
    rules: Vec<Rule>,
    /// In order of arrival; the number keeps apart what arrives in the same millisecond.
    in_flight: BTreeMap<(Timestamp, u64), Arrival>,
    sent: u64,
    seen: BTreeSet<Vec<u8>>,
    calls: Vec<CallId>,
    /// The last call of whose caller the records were asked.
    asked: Option<CallId>,
    /// The script has ended: asking phones whether they are there goes on, and is not told.
    is_over: bool,
}

enum Arrival {
    AtNode { flow: Flow, bytes: Vec<u8> },
    AtPhone { name: String, bytes: Vec<u8> },
    Media(media::Event),
}

/// What the network does to a packet.
struct Rule {
    label: String,
    from: Option<String>,
    to: Option<String>,
    is_once: bool,
    fate: Fate,
}

#[derive(Clone, Copy)]
enum Fate {
    Arrives(Duration),
    IsLost,
}

impl Stage {
    fn new(cast: &Cast) -> Self {
        let now = Timestamp::from_ms(OPENING.as_ms() - PRELUDE.as_millis() as i64);
        let mut stage = Self {
            now,
            node: cast.node(now),
            house: cast.house(),
            phones: cast.phones(),
            studio: Studio::default(),
            ladder: Ladder::default(),
            shown: cast.shown.clone(),
            rules: Vec::new(),
            in_flight: BTreeMap::new(),
            sent: 0,
            seen: BTreeSet::new(),
            calls: Vec::new(),
            asked: None,
            is_over: false,
        };
        for name in cast.registered() {
            stage.phones.get_mut(name).expect("it is in the cast").register(now);
        }
        stage.collect();
        stage
    }

    fn moment(&mut self, line: &str) -> Result<(), String> {
        let (time, what) = line.split_once(' ').ok_or("no time")?;
        let at = OPENING + span(time);
        if at < self.now {
            return Err("earlier than the line before".to_owned());
        }
        self.run_until(at)?;
        if what == "end" {
            return Ok(());
        }
        self.ladder.cue(self.at_ms(), what);
        let (who, what) = what.split_once(' ').ok_or("nobody does anything")?;
        match who {
            "lose" | "delay" => self.rules.push(Rule::read(who, what)),
            HOTLINE => self.act_as_hotline(what),
            "records" => self.tell_history(what),
            _ => self.act_as_phone(who, what),
        }
        self.collect();
        self.node.check_invariants()
    }

    fn act_as_hotline(&mut self, what: &str) {
        let input = match what {
            "makes the last call urgent" => {
                let call = *self.calls.last().expect("there is a call");
                let priority = acd::Priority { urgent: true, ..acd::Priority::default() };
                Input::CallPrioritised { call, priority, by: "board".to_owned() }
            }
            "closes every pool" => self.overridden(None, Some(None)),
            "goes by its hours again" => self.overridden(None, None),
            "drains" => Input::Drain,
            "hangs up" => Input::HangUpAll,
            other if other.starts_with("closes ") => {
                let (pool, left) =
                    other["closes ".len()..].split_once(" for ").expect("closes lucheng for 60s");
                self.overridden(Some(PoolId::new(pool)), Some(Some(span(left))))
            }
            other => {
                let changes = other.strip_prefix("reloads: ");
                let changes = changes.unwrap_or_else(|| panic!("the hotline cannot: {other}"));
                changes.split("; ").for_each(|change| self.house.change(change));
                Input::Configured(Box::new(self.house.snapshot()))
            }
        };
        self.node.handle_input(self.now, input);
    }

    /// One pool or all of them, closed for so long or until further notice, or by their hours again.
    fn overridden(&self, pool: Option<PoolId>, closed: Option<Option<Duration>>) -> Input {
        let set = closed.map(|left| Override { open: false, until: left.map(|left| self.now + left) });
        Input::PoolsOverridden { region: "wenzhou".into(), pool, set, by: "board".to_owned() }
    }

    /// `name 1001 and 2 calls`: the talk was a day ago, the calls are of today.
    fn tell_history(&mut self, what: &str) {
        let words: Vec<&str> = what.split(' ').collect();
        let [_, agent, _, calls, _] = words.as_slice() else { panic!("the records cannot: {what}") };
        let yesterday = Timestamp::from_ms(self.now.as_ms() - 86_400_000);
        let last_talk = agent.parse().ok().map(|agent| (domain::AgentId(agent), yesterday));
        let arrivals = vec![self.now; calls.parse().expect("a number of calls")];
        let call = self.asked.expect("the records were asked");
        let history = dialplan::History { last_talk, arrivals };
        self.node.handle_input(self.now, Input::CallerKnown { call, history });
    }

    fn act_as_phone(&mut self, who: &str, what: &str) {
        let now = self.now;
        let phone = self.phones.get_mut(who).unwrap_or_else(|| panic!("who is {who}?"));
        let (verb, rest) = what.split_once(' ').unwrap_or((what, ""));
        match (verb, rest) {
            ("dials", _) => dial(now, phone, who, rest),
            ("answers", _) => phone.answer(now, rest.is_empty()),
            ("rejects", _) => phone.reject(now, number(rest)),
            ("hangs", "up") => phone.hang_up(now),
            ("cancels", _) => phone.hand.cancel(),
            ("agrees", _) => phone.hand.agree(rest),
            ("holds", _) => phone.change(now, sdp::Direction::SendOnly, None),
            ("resumes", _) => phone.change(now, sdp::Direction::SendRecv, None),
            ("moves", _) => phone.change(now, sdp::Direction::SendRecv, Some(number(rest))),
            ("repeats", _) => phone.repeat_offer(now),
            ("changes", _) => phone.change_codec(now),
            ("registers", _) => phone.register(now),
            ("unregisters", _) => phone.unregister(now),
            ("pings", _) => phone.ping(now, "12348"),
            ("sends", _) => phone.hand.request(rest, who, "12348"),
            ("says", _) => say(phone, rest),
            ("dies", _) => phone.is_dead = true,
            ("loses", _) => {
                phone.is_dead = true;
                let flow = mirrored(phone.flow);
                self.node.handle_input(now, Input::FlowClosed(flow));
            }
            ("presses", _) => {
                let event = self.studio.key(who, rest);
                self.node.handle_input(now, Input::Media(event));
            }
            ("is", "silent") => {
                let event = self.studio.silence(who);
                self.node.handle_input(now, Input::Media(event));
            }
            ("calls", _) => self.wish(who, TalkWish::Consult(rest.trim_end_matches(" in").into())),
            ("refers", _) => phone.hand.refer(rest.trim_start_matches("to ")),
            ("informs", _) => phone.hand.inform(rest.trim_start_matches("of ")),
            ("listens", _) => self.supervise(who, Some(Supervision::Listen)),
            ("whispers", _) => self.supervise(who, Some(Supervision::Whisper)),
            ("barges", _) => self.supervise(who, Some(Supervision::Barge)),
            ("stops", _) => self.supervise(who, None),
            ("joins", _) => self.wish(who, TalkWish::Join),
            ("parts", _) => self.wish(who, TalkWish::Part),
            ("leaves", _) => self.wish(who, TalkWish::Leave),
            ("passes", _) => self.wish(who, TalkWish::PassTo(PoolId::new(rest.trim_start_matches("to ")))),
            ("pauses", _) => self.set_duty(who, Duty::Paused { reason: PauseReason::Other, until: None }),
            ("is", "ready") => self.set_duty(who, Duty::Ready),
            _ => panic!("a phone cannot: {what}"),
        }
    }

    /// The last call, from the board.
    fn supervise(&mut self, who: &str, mode: Option<Supervision>) {
        let call = *self.calls.last().expect("a call");
        let (user, by) = (who.to_owned(), "board".to_owned());
        self.node.handle_input(self.now, Input::CallSupervised { call, user, mode, by });
    }

    fn wish(&mut self, who: &str, wish: TalkWish) {
        let agent = domain::AgentId(who.parse().expect("a lawyer's name is a number"));
        self.node.handle_input(self.now, Input::TalkWished { agent, wish });
    }

    fn set_duty(&mut self, who: &str, duty: Duty) {
        let agent = domain::AgentId(who.parse().expect("a lawyer's name is a number"));
        self.node.handle_input(self.now, Input::AgentDuty { agent, duty });
    }

    /// Whatever is still to happen must be over, and nothing may be left.
    fn close(mut self) -> Result<Vec<String>, String> {
        let told = self.ladder.len();
        self.is_over = true;
        let end = self.now + EPILOGUE;
        self.run_until(end)?;
        if self.ladder.len() > told {
            return Err(format!("the script ends too early: {}", self.ladder.last().unwrap_or_default()));
        }
        if self.node.call_count() > 0 {
            return Err(format!("{} calls are left", self.node.call_count()));
        }
        Ok(self.ladder.lines())
    }

    fn run_until(&mut self, end: Timestamp) -> Result<(), String> {
        for _ in 0..STEPS_MAX {
            let arrival = self.in_flight.first_key_value().map(|((at, _), _)| *at);
            let phones = self.phones.values().filter_map(Phone::poll_timeout).min();
            let due = [arrival, self.node.poll_timeout(), phones].into_iter().flatten().min();
            let Some(due) = due.filter(|due| *due <= end) else {
                self.now = end;
                return Ok(());
            };
            self.now = self.now.max(due);
            if arrival == Some(due)
                && let Some((_, arrival)) = self.in_flight.pop_first()
            {
                self.deliver(arrival);
            } else {
                self.phones.values_mut().for_each(|phone| phone.handle_timeout(self.now));
                self.node.handle_timeout(self.now);
            }
            self.collect();
            self.node.check_invariants()?;
        }
        Err("no end of it".to_owned())
    }

    fn deliver(&mut self, arrival: Arrival) {
        match arrival {
            Arrival::AtNode { flow, bytes } => self.node.handle_packet(self.now, self.now, flow, &bytes),
            Arrival::AtPhone { name, bytes } => {
                if let Some(phone) = self.phones.get_mut(&name) {
                    phone.handle_packet(self.now, &bytes);
                }
            }
            Arrival::Media(event) => {
                if self.studio.is_current(&event) {
                    self.node.handle_input(self.now, Input::Media(event));
                }
            }
        }
    }

    /// Puts on the ladder and on the way what node and phones say: packets first, then media, then facts.
    fn collect(&mut self) {
        let (mut commands, mut facts) = (Vec::new(), Vec::new());
        while let Some(output) = self.node.poll_output() {
            match output {
                Output::Transmit { flow, bytes } => self.send_to_phone(flow, bytes),
                Output::Media { command, .. } => commands.push(command),
                Output::Fact(record) => facts.push(record),
                Output::CallerAsked { call, number } => {
                    self.asked = Some(call);
                    self.note(format!("asked: who is {number}"));
                }
                Output::ClockSetBack { by } => self.note(format!("log: the clock was set back {by:?}")),
                Output::AuthFailed { user, .. } => self.note(format!("log: wrong credentials of {user}")),
            }
        }
        for command in commands {
            self.obey(command);
        }
        for record in facts {
            self.tell(&record);
        }
        let names: Vec<String> = self.phones.keys().cloned().collect();
        for name in names {
            let Some(phone) = self.phones.get_mut(&name) else { continue };
            let (flow, packets, is_dead) = (mirrored(phone.flow), phone.take(self.now), phone.is_dead);
            for bytes in packets.into_iter().filter(|_| !is_dead) {
                self.send(&name, HOTLINE, bytes, false, |bytes| Arrival::AtNode { flow, bytes });
            }
        }
    }

    fn send_to_phone(&mut self, flow: Flow, bytes: Vec<u8>) {
        let found = self.phones.iter().find(|(_, phone)| phone.flow == mirrored(flow));
        let (name, is_dead) = found.map_or(("nobody", true), |(name, phone)| (name.as_str(), phone.is_dead));
        let name = name.to_owned();
        if let Ok(message) = Message::parse(&bytes) {
            self.studio.hear_of(&name, &message);
        }
        self.send(HOTLINE, &name, bytes, is_dead, |bytes| Arrival::AtPhone { name: name.clone(), bytes });
    }

    fn send(
        &mut self,
        from: &str,
        to: &str,
        bytes: Vec<u8>,
        is_lost: bool,
        arrival: impl FnOnce(Vec<u8>) -> Arrival,
    ) {
        let message = Message::parse(&bytes).expect("messages of ours can be read");
        let fate = if is_lost { Fate::IsLost } else { self.fate(&label(&message), from, to) };
        let mut what = describe(&message, &self.shown);
        let is_copy = !self.seen.insert(bytes.clone());
        if is_copy {
            what += " (again)";
        }
        match fate {
            Fate::Arrives(delay) => {
                if delay != NETWORK_DELAY {
                    let at_ms = self.at_ms() + delay.as_millis() as i64;
                    what += &format!("  ~ arrives at {}.{:03}s", at_ms / 1_000, at_ms % 1_000);
                }
                self.arrive(delay, arrival(bytes));
            }
            Fate::IsLost => what += "  x lost",
        }
        let is_hidden = (self.is_over && message.cseq().1 == Method::Options)
            || (is_copy && self.shown.iter().any(|shown| shown == "no copies"));
        let is_told = self.now >= OPENING && !is_hidden;
        if is_told {
            self.ladder.packet(self.at_ms(), from, to, what);
        }
    }

    fn fate(&mut self, label: &str, from: &str, to: &str) -> Fate {
        let Some(index) = self.rules.iter().position(|rule| rule.applies(label, from, to)) else {
            return Fate::Arrives(NETWORK_DELAY);
        };
        let fate = self.rules[index].fate;
        if self.rules[index].is_once {
            self.rules.remove(index);
        }
        fate
    }

    fn obey(&mut self, command: media::Command) {
        let (told, answer) = self.studio.obey(self.now, command);
        if let Some(told) = told {
            self.note(format!("media: {told}"));
        }
        if let Some((delay, event)) = answer {
            self.arrive(delay, Arrival::Media(event));
        }
    }

    fn tell(&mut self, record: &FactRecord) {
        let with_agents = self.shown.iter().any(|shown| shown == "agents");
        let Some(told) = tell_fact(&record.fact, with_agents) else { return };
        let number = record.fact.call().map_or(0, |call| {
            let known = self.calls.iter().position(|known| *known == call);
            known.unwrap_or_else(|| {
                self.calls.push(call);
                self.calls.len() - 1
            })
        });
        let which = if number > 0 { format!(" (call {})", number + 1) } else { String::new() };
        self.note(format!("fact: {told}{which}"));
    }

    fn note(&mut self, what: String) {
        if self.now >= OPENING {
            self.ladder.note(self.at_ms(), what);
        }
    }

    fn arrive(&mut self, delay: Duration, arrival: Arrival) {
        self.sent += 1;
        self.in_flight.insert((self.now + delay, self.sent), arrival);
    }

    fn at_ms(&self) -> i64 {
        self.now.as_ms() - OPENING.as_ms()
    }
}

impl Rule {
    /// `next ACK from caller`, `every 200 INVITE from hotline to caller by 300ms`.
    fn read(verb: &str, text: &str) -> Self {
        let (text, delay) = text.split_once(" by ").map_or((text, None), |(text, by)| (text, Some(span(by))));
        let (text, to) = text.split_once(" to ").map_or((text, None), |(text, to)| (text, Some(to)));
        let (text, from) = text.split_once(" from ").map_or((text, None), |(text, from)| (text, Some(from)));
        let (often, label) = text.split_once(' ').unwrap_or(("next", text));
        let fate = match (verb, delay) {
            ("delay", Some(delay)) => Fate::Arrives(delay),
            _ => Fate::IsLost,
        };
        let (from, to) = (from.map(str::to_owned), to.map(str::to_owned));
        Self { label: label.to_owned(), from, to, is_once: often == "next", fate }
    }

    fn applies(&self, label: &str, from: &str, to: &str) -> bool {
        let is_named = label == self.label || label.split(' ').next() == Some(self.label.as_str());
        is_named
            && self.from.as_deref().is_none_or(|wanted| wanted == from)
            && self.to.as_deref().is_none_or(|wanted| wanted == to)
    }
}

fn dial(now: Timestamp, phone: &mut Phone, who: &str, rest: &str) {
    // A landline of Lucheng, unless the script says otherwise or the phone has a number of its own.
    let default = who.starts_with("caller").then_some("057788000001");
    let (rest, is_delayed) =
        rest.strip_suffix(" without an offer").map_or((rest, false), |rest| (rest, true));
    let (rest, only_g729) =
        rest.strip_suffix(" offering only G.729").map_or((rest, false), |rest| (rest, true));
    let (rest, header) =
        rest.split_once(" with ").map_or((rest, None), |(rest, header)| (rest, Some(header)));
    let (called, number) =
        rest.split_once(" from ").map_or((rest, default), |(rest, from)| (rest, Some(from)));
    if is_delayed {
        return phone.hand.invite(number.unwrap_or(who), called);
    }
    let header = header.and_then(|header| header.split_once(": "));
    let headers = header.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    phone.dial(now, number, called, Dialling { headers, only_g729 });
}

/// `180 as desk with sdp reliably`.
fn say(phone: &mut Phone, rest: &str) {
    let (status, rest) = rest.split_once(" as ").expect("a status as somebody");
    let mut words = rest.split(' ');
    let tag = words.next().unwrap_or_default();
    let words: Vec<&str> = words.collect();
    let with_keys = !words.contains(&"keyless");
    phone.hand.say(number(status), tag, words.contains(&"sdp"), with_keys, words.contains(&"reliably"));
}

/// The number at the end of a phrase.
fn number(text: &str) -> u16 {
    let last = text.rsplit(' ').next().unwrap_or(text);
    last.parse().unwrap_or_else(|_| panic!("{text}: no number"))
}

fn mirrored(flow: Flow) -> Flow {
    Flow { transport: flow.transport, local: flow.remote, remote: flow.local }
}

//! What happened, as lines that a person can read: who sent what to whom, what media and facts came of it.
//! Identifiers that chance or a counter chose are left out, so that a ladder says the same every time.

use domain::{Activity, Duty, Fact, Override, Segment, Supervision};
use sip::{Message, Method, sdp};

enum Rung {
    Packet {
        from: String,
        to: String,
        what: String,
    },
    /// Something that no packet shows.
    Note(String),
    /// A line of the script.
    Cue(String),
}

#[derive(Default)]
pub(crate) struct Ladder {
    /// By ms since the script began.
    rungs: Vec<(i64, Rung)>,
}

impl Ladder {
    pub(crate) fn packet(&mut self, at_ms: i64, from: &str, to: &str, what: String) {
        self.rungs.push((at_ms, Rung::Packet { from: from.to_owned(), to: to.to_owned(), what }));
    }

    pub(crate) fn note(&mut self, at_ms: i64, what: String) {
        self.rungs.push((at_ms, Rung::Note(what)));
    }

    pub(crate) fn cue(&mut self, at_ms: i64, what: &str) {
        self.rungs.push((at_ms, Rung::Cue(what.to_owned())));
    }

    /// The latest event, the script's own lines aside.
    pub(crate) fn last(&self) -> Option<String> {
        let told = self.rungs.iter().rev().find(|(_, rung)| !matches!(rung, Rung::Cue(_)))?;
        Some(format!("{} at {}", what(&told.1), time(told.0)))
    }

    pub(crate) fn len(&self) -> usize {
        self.rungs.len()
    }

    /// One line each, in columns.
    pub(crate) fn lines(&self) -> Vec<String> {
        let names = self.rungs.iter().flat_map(|(_, rung)| match rung {
            Rung::Packet { from, to, .. } => vec![from.len(), to.len()],
            Rung::Note(_) | Rung::Cue(_) => Vec::new(),
        });
        let width = names.max().unwrap_or(0);
        let lines = self.rungs.iter().map(|(at_ms, rung)| {
            let line = match rung {
                Rung::Packet { from, to, what } => format!("{from:>width$} -> {to:<width$}  {what}"),
                Rung::Note(what) => format!("{:>width$}    {what}", ""),
                Rung::Cue(what) => format!("* {what}"),
            };
            format!("{:>9}  {line}", time(*at_ms)).trim_end().to_owned()
        });
        lines.collect()
    }
}

fn what(rung: &Rung) -> &str {
    match rung {
        Rung::Packet { what, .. } | Rung::Note(what) | Rung::Cue(what) => what,
    }
}

fn time(ms: i64) -> String {
    format!("{}.{:03}s", ms / 1_000, ms % 1_000)
}

/// `BYE`, `200 INVITE`: by which a script picks a packet.
pub(crate) fn label(message: &Message) -> String {
    match (message.method(), message.status()) {
        (Some(method), _) => method.to_string(),
        (None, status) => format!("{} {}", status.unwrap_or(0), message.cseq().1),
    }
}

/// `INVITE 12348 #1 sdp(v1)`, `180 Ringing #1 INVITE`, with the headers of `shown` that the message has.
pub(crate) fn describe(message: &Message, shown: &[String]) -> String {
    let (number, method) = message.cseq();
    let mut text = match (message.method(), message.status()) {
        (Some(method), _) => {
            let begins = message.to_tag().is_none() && !matches!(method, Method::Register | Method::Cancel);
            let called = message.uri().and_then(sip::Uri::user).filter(|_| begins);
            let called = called.map(|user| format!("{user} ")).unwrap_or_default();
            format!("{method} {called}#{number}")
        }
        (None, status) => {
            let status = status.unwrap_or(0);
            format!("{status} {} #{number} {method}", sip::message::reason_phrase(status))
        }
    };
    if let Some(body) = message.sdp() {
        text += &sdp_in_a_word(body);
    }
    for name in shown {
        let values: Vec<String> = message.headers_named(name).map(|value| abridged(name, value)).collect();
        if name == "To-tag" {
            text += &message
                .to_tag()
                .filter(|tag| tag.len() < 20)
                .map(|tag| format!("; to {tag}"))
                .unwrap_or_default();
        } else if !values.is_empty() {
            text += &format!("; {name}: {}", values.join(", "));
        }
    }
    text
}

/// ` sdp v1`, with the version of its `o=` line, and what it says that is not the rule.
fn sdp_in_a_word(body: &[u8]) -> String {
    let Ok(session) = sdp::Session::parse(body) else { return " sdp(unreadable)".to_owned() };
    let special = match session.audio() {
        Some(audio) if audio.codecs.iter().all(|codec| *codec == sdp::Codec::Other) => " G.729",
        Some(audio) => match audio.direction {
            sdp::Direction::SendRecv => "",
            sdp::Direction::SendOnly => " sendonly",
            sdp::Direction::RecvOnly => " recvonly",
            sdp::Direction::Inactive => " inactive",
        },
        None => " no audio",
    };
    format!(" sdp(v{}{special})", session.origin_version)
}

/// Of a digest only what a reader can check.
fn abridged(name: &str, value: &str) -> String {
    if !name.contains("Auth") {
        return value.to_owned();
    }
    let keep = |part: &&str| part.starts_with("algorithm=") || part.starts_with("stale=true");
    let parts: Vec<&str> = value.split([',', ' ']).map(str::trim).filter(keep).collect();
    format!("Digest {}", parts.join(" "))
}

/// `None` for what a ladder leaves to the books: media statistics and, unless asked for, agents' states.
pub(crate) fn tell_fact(fact: &Fact, with_agents: bool) -> Option<String> {
    Some(match fact {
        Fact::CallArrived { caller, called, .. } => format!("call_arrived {caller} dialled {called}"),
        Fact::CallAttributed { county, .. } => format!("call_attributed {county}"),
        Fact::CallStepped { step, .. } => format!("call_stepped {step}"),
        Fact::CallQueued { pool, .. } => format!("call_queued {pool}"),
        Fact::CallOverflowed { from, to, reason, .. } => {
            format!("call_overflowed {from} to {to}: {}", word(reason))
        }
        Fact::CallPrioritised { urgent, head_start_ms, by, .. } => {
            let place =
                if *urgent { "urgent".to_owned() } else { format!("{} ahead", time(*head_start_ms as i64)) };
            format!("call_prioritised {place} by {by}")
        }
        Fact::WaitAnnounced { position, wait_ms, longer, .. } => {
            let why = longer.map_or_else(String::new, |why| format!(", longer: {}", word(&why)));
            format!("wait_announced position={position} wait_ms={wait_ms}{why}")
        }
        Fact::CallbackAsked { .. } => "callback_asked".to_owned(),
        Fact::CallbackDialled { agent, .. } => format!("callback_dialled for {agent}"),
        Fact::TransferDialled { target, attempt, .. } => {
            format!("transfer_dialled {target}, number {attempt}")
        }
        Fact::CallConferenced { target, .. } => format!("call_conferenced with {target}"),
        Fact::GuestLeft { target, by, .. } => format!("guest_left {target} by {}", word(by)),
        Fact::CallPassedOn { target, .. } => format!("call_passed_on to {target}"),
        Fact::CallPassedTo { agent, pool, .. } => format!("call_passed_to {pool} by {agent}"),
        Fact::ReferralRefused { agent, to, .. } => format!("referral_refused of {agent} to {to}"),
        Fact::CallSupervised { user, mode, by, .. } => supervised(user, *mode, by),
        Fact::TransferEnded { target, end, .. } => format!("transfer_ended {target}: {}", word(end)),
        Fact::AgentOffered { agent, pool, .. } => format!("agent_offered {agent} of {pool}"),
        Fact::OfferEnded { agent, end, .. } => format!("offer_ended {agent}: {}", word(end)),
        Fact::CallBridged { agent, waited_ms, .. } => {
            format!("call_bridged {agent} after {}", time(*waited_ms as i64))
        }
        Fact::CallHeld { by, .. } => format!("call_held by {}", word(by)),
        Fact::CallResumed { by, .. } => format!("call_resumed by {}", word(by)),
        Fact::TalkEnded { by, .. } => format!("talk_ended by {}", word(by)),
        Fact::SurveyAsked { .. } => "survey_asked".to_owned(),
        Fact::SurveyAnswered { level, .. } => format!("survey_answered {}", level.as_str()),
        Fact::CallDeparted { departure, by, .. } => {
            format!("call_departed {} by {}", departure.as_str(), word(by))
        }
        Fact::LegEnded { .. } => return None,
        Fact::RecordingClosed { duration_ms, segments, .. } => {
            let parts: Vec<String> = segments.iter().filter_map(heard).collect();
            format!("recording_closed {}{}", time(*duration_ms as i64), parts.concat())
        }
        Fact::CallClosed { .. } => "call_closed".to_owned(),
        Fact::AgentChanged { agent, reachable, state, activity } if with_agents => {
            let reach = if *reachable { "reachable" } else { "unreachable" };
            let duty = match state {
                Duty::LoggedOut => "logged_out".to_owned(),
                Duty::Ready => "ready".to_owned(),
                Duty::Paused { reason, .. } => format!("paused({})", word(reason)),
            };
            format!("agent_changed {agent}: {reach}, {duty}, {}", activity_in_a_word(activity))
        }
        Fact::AgentChanged { .. } => return None,
        Fact::PoolOverridden { pool, set, by, .. } => {
            let how = match set {
                None => "by its hours",
                Some(Override { open: true, .. }) => "open",
                Some(Override { open: false, .. }) => "closed",
            };
            format!("pool_overridden {pool}: {how}, says {by}")
        }
        Fact::TrunkChanged { trunk, reachable } => format!("trunk_changed {trunk} reachable={reachable}"),
    })
}

fn supervised(user: &str, mode: Option<Supervision>, by: &str) -> String {
    format!("call_supervised by {user}: {}, says {by}", mode.map_or("no longer", Supervision::as_str))
}

/// Who is on our side in that segment.
fn heard(segment: &Segment) -> Option<String> {
    let privately = if segment.is_private { " in private" } else { "" };
    let supervised = segment.supervision.map_or_else(String::new, |how| format!(" under {}", how.as_str()));
    match (segment.agent, &segment.target) {
        (Some(agent), Some(target)) => Some(format!(" with {agent} and {target}{privately}{supervised}")),
        (Some(agent), None) => Some(format!(" with {agent}{supervised}")),
        (None, Some(target)) => Some(format!(" with {target}")),
        (None, None) => None,
    }
}

fn activity_in_a_word(activity: &Activity) -> &'static str {
    match activity {
        Activity::Idle { .. } => "idle",
        Activity::Ringing { .. } => "ringing",
        Activity::Clearing { .. } => "clearing",
        Activity::Talking { .. } => "talking",
        Activity::WrapUp { .. } => "wrap-up",
    }
}

/// `NoAnswer` → `no_answer`.
fn word(value: &impl std::fmt::Debug) -> String {
    let mut text = String::new();
    for (index, letter) in format!("{value:?}").chars().enumerate() {
        if letter.is_uppercase() && index > 0 {
            text.push('_');
        }
        text.extend(letter.to_lowercase());
    }
    text
}

//! Keys pressed during a call that come as INFO, which no standard describes and many phones send.
//!
//! `application/dtmf-relay` has lines `Signal=5` and `Duration=160`, `application/dtmf` the key alone.
//! Everything else is answered as RFC 2976 section 2.2 wants it, and info packages (RFC 6086) with 469.
//!
//! Deliberately absent: durations (a key counts once, however long), hook flash, INFOs of ours.

use super::wire::response;
use super::{Endpoint, Event, LegId};
use crate::message::Message;
use crate::transaction::ServerId;

/// Longest body read, in bytes: two short lines.
const BODY_BYTES_MAX: usize = 256;
const RELAY_TYPE: &str = "application/dtmf-relay";
const KEY_TYPE: &str = "application/dtmf";

impl Endpoint {
    pub(super) fn take_info(&mut self, leg: LegId, tx: ServerId, info: &Message) {
        // RFC 6086 section 4.2.2: we take no package, and say so by an empty list.
        if info.header("Info-Package").is_some() {
            let mut refusal = response(info, 469, "");
            refusal.push_header("Recv-Info", "");
            return self.wire.respond(tx, &refusal);
        }
        match key_of(info) {
            Ok(digit) => {
                self.refuse(tx, info, 200);
                if let Some(digit) = digit {
                    self.wire.event(Event::Key { leg, digit });
                }
            }
            Err(415) => {
                let mut refusal = response(info, 415, "");
                refusal.push_header("Accept", &format!("{RELAY_TYPE}, {KEY_TYPE}"));
                refusal.push_header("Accept-Encoding", "identity");
                self.wire.respond(tx, &refusal);
            }
            Err(status) => self.refuse(tx, info, status),
        }
    }
}

/// The key in an INFO, none in an empty one, or the status that refuses it.
fn key_of(info: &Message) -> Result<Option<char>, u16> {
    if info.body.is_empty() {
        return Ok(None);
    }
    let media_type =
        info.header("Content-Type").and_then(|value| value.split(';').next()).unwrap_or_default();
    let is = |name: &str| media_type.trim().eq_ignore_ascii_case(name);
    let is_encoded = info.header("Content-Encoding").is_some_and(|e| !e.eq_ignore_ascii_case("identity"));
    if is_encoded || !(is(RELAY_TYPE) || is(KEY_TYPE)) {
        return Err(415);
    }
    if info.body.len() > BODY_BYTES_MAX {
        return Err(413);
    }
    let text = std::str::from_utf8(&info.body).map_err(|_| 400_u16)?;
    let signal = if is(RELAY_TYPE) { signal_line(text) } else { Some(text) };
    signal.and_then(|signal| key(signal.trim())).map(Some).ok_or(400)
}

/// The value of the only `Signal` line.
fn signal_line(text: &str) -> Option<&str> {
    let lines = text.lines().filter_map(|line| line.split_once('='));
    let mut signals =
        lines.filter(|(name, _)| name.trim().eq_ignore_ascii_case("Signal")).map(|(_, value)| value);
    let signal = signals.next()?;
    signals.next().is_none().then_some(signal)
}

/// `5`, `*`, `#`, `a`; or the event of RFC 4733 section 3.2, where 10 is `*` and 15 is `D`.
fn key(signal: &str) -> Option<char> {
    match signal {
        "10" => Some('*'),
        "11" => Some('#'),
        "12" => Some('A'),
        "13" => Some('B'),
        "14" => Some('C'),
        "15" => Some('D'),
        _ => {
            let mut chars = signal.chars();
            let key = chars.next()?.to_ascii_uppercase();
            let is_key = matches!(key, '0'..='9' | '*' | '#' | 'A'..='D');
            (is_key && chars.next().is_none()).then_some(key)
        }
    }
}

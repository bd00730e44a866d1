//! Who is calling: P-Asserted-Identity (RFC 3325) from a trusted peer, else From.
//!
//! Deliberately absent: bringing numbers into one form; that is the dialplan's affair.

use crate::message::Message;
use crate::name_addr::NameAddr;
use domain::Pii;
use serde::{Deserialize, Serialize};

/// Longest number or name kept, in characters; more is cut off.
const TEXT_CHARS_MAX: usize = 64;

/// The caller as the network tells it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Caller {
    /// The number without visual separators, else the user part as it is; empty when withheld.
    pub user: Pii,
    pub display: Option<Pii>,
}

/// `trusted`: the peer's word on who calls is taken (RFC 3325 section 5).
#[must_use]
pub fn caller(message: &Message, trusted: bool) -> Caller {
    let asserted = message.headers_named("P-Asserted-Identity").filter(|_| trusted);
    let mut asserted: Vec<NameAddr> = asserted.filter_map(|value| NameAddr::parse(value).ok()).collect();
    asserted.retain(|identity| !is_anonymous(identity));
    // A network may assert a sip and a tel address (RFC 3325 section 9.1): the one with the number counts.
    let best = asserted.iter().position(|identity| identity.uri.number().is_some()).unwrap_or(0);
    if best < asserted.len() {
        let display = asserted.iter().find_map(|identity| identity.display.as_deref());
        return Caller { user: user_of(&asserted[best]), display: display.and_then(name) };
    }
    let from = message.from();
    if is_anonymous(&from) {
        return Caller { user: Pii::new(""), display: None };
    }
    Caller { user: user_of(&from), display: from.display.as_deref().and_then(name) }
}

fn user_of(identity: &NameAddr) -> Pii {
    let user = identity.uri.number().or_else(|| identity.uri.user()).unwrap_or_default();
    Pii::new(printable(&user))
}

fn name(display: &str) -> Option<Pii> {
    let name = printable(display);
    (!name.is_empty()).then(|| Pii::new(name))
}

fn printable(text: &str) -> String {
    let text: String = text.chars().filter(|c| !c.is_control()).take(TEXT_CHARS_MAX).collect();
    text.trim().to_owned()
}

/// RFC 3323 section 4.1.1.3, and how gateways write it.
fn is_anonymous(identity: &NameAddr) -> bool {
    const WORDS: [&str; 4] = ["anonymous", "restricted", "unavailable", "unknown"];
    let withheld = |user: &str| WORDS.iter().any(|word| user.eq_ignore_ascii_case(word));
    identity.uri.host().eq_ignore_ascii_case("anonymous.invalid")
        || identity.uri.user().is_some_and(|user| withheld(&user))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn caller_of(headers: &[u8], trusted: bool) -> (String, Option<String>) {
        let head = b"INVITE sip:12348@h SIP/2.0\r\nVia: SIP/2.0/UDP h\r\nTo: <sip:b@h>\r\nCall-ID: c\r\nCSeq: 1 INVITE\r\n";
        let message = Message::parse(&[head, headers, b"\r\n\r\n"].concat()).unwrap();
        let caller = caller(&message, trusted);
        (caller.user.reveal().to_owned(), caller.display.map(|display| display.reveal().to_owned()))
    }

    fn check(headers: &[u8], trusted: bool, user: &str, display: Option<&str>) {
        let got = caller_of(headers, trusted);
        assert_eq!(
            (got.0.as_str(), got.1.as_deref()),
            (user, display),
            "{}",
            String::from_utf8_lossy(headers)
        );
    }

    #[test]
    fn from_tells_the_caller_in_every_spelling() {
        check(b"From: <sip:13812345678@gw;user=phone>;tag=1", false, "13812345678", None);
        check(b"From: tel:+86-577-88001234;tag=1", false, "+8657788001234", None);
        check("From: 张三 <sip:8001@gw>".as_bytes(), false, "8001", Some("张三"));
        check(b"From: \"\xD5\xC5\xC8\xFD\" <sip:8001@gw>", false, "8001", Some("张三"));
        check(b"From: <sip:li.si@gw>", false, "li.si", None);
        check(b"From: <sip:gw>", false, "", None);
    }

    #[test]
    fn asserted_identity_counts_only_from_a_trusted_peer() {
        let headers =
            b"From: \"X\" <sip:1@gw>\r\nP-Asserted-Identity: \"Li\" <sip:li@gw>, <tel:+8613812345678>";
        check(headers, true, "+8613812345678", Some("Li"));
        check(headers, false, "1", Some("X"));
        check(b"From: <sip:1@gw>\r\nP-Asserted-Identity: nonsense", true, "1", None);
        check(b"From: <sip:1@gw>\r\nP-Asserted-Identity: <sip:anonymous@anonymous.invalid>", true, "1", None);
    }

    #[test]
    fn who_withholds_the_number_has_none() {
        check(b"From: \"Anonymous\" <sip:anonymous@anonymous.invalid>;tag=1", false, "", None);
        check(b"From: <sip:Restricted@gw>", false, "", None);
        check(b"From: <sip:anonymous@gw>\r\nP-Asserted-Identity: <sip:110@gw>", true, "110", None);
    }

    #[test]
    fn controls_and_excess_length_are_cut_off() {
        let long = format!("From: \"{}\" <sip:8001@gw>", "张".repeat(99));
        check(long.as_bytes(), false, "8001", Some(&"张".repeat(TEXT_CHARS_MAX)));
        check(b"From: \"a\x07b\" <sip:80%0001@gw>", false, "8001", Some("ab"));
    }
}

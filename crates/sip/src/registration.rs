//! Our registration at somebody's registrar (RFC 3261 section 10.2): what a phone does.

use crate::endpoint::{Credentials, Target};
use crate::message::{Message, Method};
use crate::name_addr::NameAddr;
use crate::uri::Uri;
use std::time::Duration;

/// After a failure; RFC 5626 section 4.5 begins with this.
const RETRY: Duration = Duration::from_secs(30);
/// Attempts of one refresh: plain, with credentials, with a fresh nonce; again with a longer expiry.
const MAX_ATTEMPTS: u8 = 6;
/// A refresh comes this long before the end, or at half the time if that is later.
const MARGIN_S: u32 = 30;

pub(crate) struct Registration {
    pub(crate) target: Target,
    pub(crate) credentials: Credentials,
    expires_s: u32,
    contact: String,
    call_id: String,
    tag: String,
    cseq: u32,
    attempts: u8,
    /// The last request carried credentials: a challenge to it means that they are wrong.
    authorized: bool,
    /// `register` waits for its outcome; refreshes tell only of failure.
    reported: bool,
}

/// What follows a response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// Nothing yet.
    Wait,
    /// Answer the challenge, or wish for more time, at once.
    Again,
    /// The outcome, if it is news, and when to register again; never after the end of a binding that we
    /// gave up ourselves.
    Done { report: Option<u16>, again_after: Option<Duration> },
}

impl Registration {
    pub(crate) fn new(
        target: Target,
        credentials: Credentials,
        expires_s: u32,
        contact: String,
        call_id: String,
        tag: String,
    ) -> Self {
        Self {
            target,
            credentials,
            expires_s,
            contact,
            call_id,
            tag,
            cseq: 0,
            attempts: 0,
            authorized: false,
            reported: false,
        }
    }

    /// Gives the binding up with the next request.
    pub(crate) fn give_up(&mut self) {
        self.expires_s = 0;
        self.attempts = 0;
        self.reported = false;
    }

    /// The next REGISTER, without Via.
    pub(crate) fn request(&mut self, authorization: Option<(&'static str, String)>) -> Message {
        self.cseq += 1;
        self.attempts += 1;
        self.authorized = authorization.is_some();
        let target = &self.target.uri;
        let user = &self.credentials.user;
        let aor = NameAddr::new(Uri::sip(Some(user), target.host(), target.port()));
        let mut request = Message::request(Method::Register, target.for_request_line());
        request.push_header("From", &aor.clone().with_tag(&self.tag).to_string());
        request.push_header("To", &aor.to_string());
        request.push_header("Call-ID", &self.call_id);
        request.push_header("CSeq", &format!("{} REGISTER", self.cseq));
        request.push_header("Contact", &self.contact);
        request.push_header("Expires", &self.expires_s.to_string());
        if let Some((name, value)) = authorization {
            request.push_header(name, &value);
        }
        request
    }

    /// `response`: none if nobody answered. `stale`: the challenge is only about our nonce's age.
    pub(crate) fn hear(&mut self, response: Option<&Message>, stale: bool) -> Next {
        let status = response.and_then(Message::status).unwrap_or(408);
        let may_try = self.attempts < MAX_ATTEMPTS;
        match (status, response) {
            (0..200, _) => return Next::Wait,
            (401 | 407, Some(_)) if may_try && (stale || !self.authorized) => return Next::Again,
            (423, Some(response)) if may_try => {
                let least_s = response.header("Min-Expires").and_then(|value| value.trim().parse().ok());
                if let Some(least_s) = least_s.filter(|least_s| *least_s > self.expires_s) {
                    self.expires_s = least_s;
                    return Next::Again;
                }
            }
            _ => {}
        }
        self.attempts = 0;
        let ok = (200..300).contains(&status);
        let report = (!ok || !self.reported).then_some(status);
        self.reported = true;
        let again_after = match response {
            _ if self.expires_s == 0 => None,
            Some(response) if ok => Some(refresh_after(self.granted_s(response))),
            Some(_) | None => Some(RETRY),
        };
        Next::Done { report, again_after }
    }

    /// Section 10.2.4: the `expires` of our own contact, else the Expires header, else what we wished.
    fn granted_s(&self, response: &Message) -> u32 {
        let ours = NameAddr::parse(&self.contact).ok();
        let is_ours = |contact: &NameAddr| ours.as_ref().is_some_and(|o| o.uri.equivalent(&contact.uri));
        let contact = response.contacts().into_iter().find(is_ours);
        let of_contact = contact.and_then(|contact| contact.params.get("expires")?.trim().parse().ok());
        of_contact.or(response.expires()).unwrap_or(self.expires_s)
    }
}

fn refresh_after(granted_s: u32) -> Duration {
    let after_s = granted_s.saturating_sub(MARGIN_S).max(granted_s / 2).max(1);
    Duration::from_secs(u64::from(after_s))
}

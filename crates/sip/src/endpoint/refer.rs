//! Their REFER inside a call (RFC 3515): asked, answered, and reported on by NOTIFYs until its outcome.
//!
//! A dialog has one referral at a time, and one NOTIFY of it under way at a time, so that reports arrive
//! in their order; what is reported meanwhile waits, and only the latest of it. The call outlives every
//! failure of a subscription (RFC 5057 section 5).
//!
//! Deliberately absent: REFERs of ours, REFER outside a dialog (403), other methods than INVITE in the
//! address (403), SUBSCRIBEs that prolong or end the subscription (489: it ends by itself), multiple
//! targets (RFC 5368), and a proof of Referred-By (RFC 3892 section 3).

use super::leg::{Followed, Pending, Referral, State};
use super::replaces::Replaces;
use super::wire::{Wire, dialog_response};
use super::{Endpoint, Event, LegId, Referred, Timer};
use crate::charset;
use crate::dialog::Dialog;
use crate::message::{Message, Method, reason_phrase};
use crate::name_addr::NameAddr;
use crate::transaction::{ClientId, Delivery, Purpose, ServerId};
use crate::uri::{Scheme, Uri};
use domain::{Pii, Timestamp};
use std::sync::Arc;
use std::time::Duration;

/// The application has this long to answer; the peer waits 64·T1.
const ANSWER_MAX: Duration = Duration::from_secs(5);
/// The implicit subscription ends after this, outcome or not.
const SUBSCRIPTION_MAX: Duration = Duration::from_secs(60);
/// Longest Refer-To read, in bytes: an address, and a Replaces in it.
const REFER_TO_BYTES_MAX: usize = 2048;
/// Longest user part or number taken, in characters.
const USER_CHARS_MAX: usize = 64;
const SIPFRAG_TYPE: &str = "message/sipfrag;version=2.0";

/// Subscription-State of a last NOTIFY (RFC 6665 section 4.1.3).
const NO_RESOURCE: &str = "terminated;reason=noresource";
const TIMED_OUT: &str = "terminated;reason=timeout";

impl Endpoint {
    /// Accepts `Referred`: 202, and unless the peer wants none (RFC 4488) a NOTIFY that says 100. Then
    /// `report_referral` says what becomes of it, for 60 s at most.
    pub fn accept_referral(&mut self, now: Timestamp, leg: LegId) {
        self.wire.io.now = now;
        let Some(pending) = self.take_asked(leg) else { return };
        let Some(found) = self.legs.get_mut(leg) else { return };
        let Pending { tx, request } = pending;
        let dialog = &mut found.record.dialog;
        dialog.refresh_target(&request);
        let mut accepted = dialog_response(&request, 202, &dialog.local_tag, &dialog.contact);
        if wants_no_reports(&request) {
            accepted.push_header("Refer-Sub", "false");
            return self.wire.respond(tx, &accepted);
        }
        // RFC 3515 section 2.4.6: of the first REFER in a dialog the id may be left out.
        let (number, _) = request.cseq();
        let event = if found.was_referred { format!("refer;id={number}") } else { "refer".to_owned() };
        found.was_referred = true;
        let followed =
            Followed { event, last: 100, queued: None, notifying: None, until: now + SUBSCRIPTION_MAX };
        found.referral = Referral::Followed(Box::new(followed));
        self.wire.respond(tx, &accepted);
        self.wire.io.after(Timer::Referral(leg), SUBSCRIPTION_MAX);
        self.send_report(leg, 100);
    }

    /// Refuses `Referred`, `status` 400 to 699: 403 for a place where nobody may be sent.
    pub fn refuse_referral(&mut self, now: Timestamp, leg: LegId, status: u16) {
        self.wire.io.now = now;
        let status = if (400..700).contains(&status) { status } else { 403 };
        self.finish_asked(leg, status);
    }

    /// Tells the peer what has become of its referral, `status` 100 to 699. The first of 200 or more is
    /// the outcome and the last word.
    pub fn report_referral(&mut self, now: Timestamp, leg: LegId, status: u16) {
        self.wire.io.now = now;
        let Some(found) = self.legs.get_mut(leg) else { return };
        let Referral::Followed(followed) = &mut found.referral else { return };
        if !(100..700).contains(&status) || followed.last >= 200 {
            return;
        }
        followed.last = status;
        if followed.notifying.is_some() {
            followed.queued = Some(status);
        } else {
            self.send_report(leg, status);
        }
    }

    pub(super) fn take_refer(&mut self, leg: LegId, tx: ServerId, mut request: Message) {
        let refer = match self.read_refer(&request) {
            Ok(refer) => Box::new(refer),
            Err(status) => return self.refuse(tx, &request, status),
        };
        let Some(found) = self.legs.get_mut(leg) else { return };
        // RFC 3261 section 21.4.27: an INVITE or another REFER is pending in this dialog.
        if !matches!((&found.state, &found.referral), (State::Confirmed, Referral::None)) {
            return self.refuse(tx, &request, 491);
        }
        request.body = Vec::new();
        found.referral = Referral::Asked { pending: Pending { tx, request: Arc::new(request) } };
        self.wire.io.after(Timer::Referral(leg), ANSWER_MAX);
        self.wire.event(Event::Referred { leg, refer });
    }

    /// Nobody answered the REFER, or its outcome is not known after the whole time.
    pub(super) fn expire_referral(&mut self, leg: LegId) {
        self.finish_asked(leg, 500);
        self.end_followed(leg, TIMED_OUT);
    }

    /// The call ends: nobody is told any more (RFC 3261 section 15.1.2).
    pub(super) fn close_referral(&mut self, leg: LegId) {
        self.finish_asked(leg, 487);
        self.end_followed(leg, NO_RESOURCE);
    }

    /// A NOTIFY was answered, or was not.
    pub(super) fn hear_report(&mut self, leg: LegId, delivery: Delivery, response: Option<&Message>) {
        let status = response.and_then(Message::status).unwrap_or(408);
        let Some(found) = self.legs.get_mut(leg) else { return };
        let Referral::Followed(followed) = &mut found.referral else { return };
        if status < 200 || followed.notifying != Some(delivery.id) {
            return;
        }
        followed.notifying = None;
        let queued = followed.queued.take();
        if status >= 300 {
            // RFC 6665 section 4.2.2: whoever does not take it has no subscription.
            found.referral = Referral::None;
            self.wire.io.timers.cancel(Timer::Referral(leg));
        } else if let Some(status) = queued {
            self.send_report(leg, status);
        }
    }

    fn send_report(&mut self, leg: LegId, status: u16) {
        if status >= 200 {
            return self.end_followed(leg, NO_RESOURCE);
        }
        let Some(found) = self.legs.get_mut(leg) else { return };
        let Referral::Followed(followed) = &mut found.referral else { return };
        let left_s = (followed.until - self.wire.now()).as_millis().div_ceil(1000);
        let state = format!("active;expires={left_s}");
        let dialog = &mut found.record.dialog;
        let tx = notify(&mut self.wire, dialog, followed, &state, Purpose::Referral(leg));
        followed.notifying = Some(tx);
    }

    /// Ends the subscription with a last NOTIFY, whose fate changes nothing.
    fn end_followed(&mut self, leg: LegId, state: &str) {
        let Some(found) = self.legs.get_mut(leg) else { return };
        match std::mem::replace(&mut found.referral, Referral::None) {
            Referral::Followed(followed) => {
                self.wire.io.timers.cancel(Timer::Referral(leg));
                notify(&mut self.wire, &mut found.record.dialog, &followed, state, Purpose::Orphan);
            }
            other @ (Referral::None | Referral::Asked { .. }) => found.referral = other,
        }
    }

    fn finish_asked(&mut self, leg: LegId, status: u16) {
        if let Some(pending) = self.take_asked(leg)
            && let Some(found) = self.legs.get(leg)
        {
            self.wire.finish(pending, status, &found.record.dialog.local_tag);
        }
    }

    /// The REFER that waits for an answer, no longer waiting.
    fn take_asked(&mut self, leg: LegId) -> Option<Pending> {
        let found = self.legs.get_mut(leg)?;
        match std::mem::replace(&mut found.referral, Referral::None) {
            Referral::Asked { pending } => {
                self.wire.io.timers.cancel(Timer::Referral(leg));
                Some(pending)
            }
            other @ (Referral::None | Referral::Followed(_)) => {
                found.referral = other;
                None
            }
        }
    }

    /// What a REFER wants, or the status that refuses it.
    fn read_refer(&self, request: &Message) -> Result<Referred, u16> {
        // Section 2.1: exactly one. The lexer has refused two headers, and two in one is no address.
        let value =
            request.header("Refer-To").filter(|value| value.len() <= REFER_TO_BYTES_MAX).ok_or(400_u16)?;
        let uri = NameAddr::parse(value).map_err(|_| 400_u16)?.uri;
        match uri.scheme() {
            Scheme::Sip | Scheme::Sips | Scheme::Tel => {}
            Scheme::Other => return Err(416),
        }
        if uri.param("method").is_some_and(|method| method != Method::Invite.as_str()) {
            return Err(403);
        }
        let user = number_or_user(&uri);
        if user.chars().count() > USER_CHARS_MAX {
            return Err(400);
        }
        let replaces = replaces_in(&uri)?.map(|replaces| self.replaced(&replaces));
        let referrer = request.header("Referred-By").and_then(|value| NameAddr::parse(value).ok());
        let referred_by = referrer
            .map(|referrer| number_or_user(&referrer.uri).chars().take(USER_CHARS_MAX).collect::<String>());
        Ok(Referred {
            user: Pii::new(user),
            host: uri.host().to_owned(),
            replaces,
            referred_by: referred_by.map(Pii::new),
        })
    }
}

/// A NOTIFY with the last status reported (RFC 3515 section 2.4.5).
fn notify(
    wire: &mut Wire,
    dialog: &mut Dialog,
    followed: &Followed,
    state: &str,
    purpose: Purpose,
) -> ClientId {
    let mut notify = dialog.request(Method::Notify);
    notify.push_header("Event", &followed.event);
    notify.push_header("Subscription-State", state);
    let status = followed.last;
    notify.set_body(SIPFRAG_TYPE, format!("SIP/2.0 {status} {}\r\n", reason_phrase(status)).into_bytes());
    wire.send_request(notify, dialog.next_hop(), purpose)
}

/// RFC 4488 section 4: `Refer-Sub: false`.
fn wants_no_reports(refer: &Message) -> bool {
    let value = refer.header("Refer-Sub").and_then(|value| value.split(';').next());
    value.is_some_and(|value| value.trim().eq_ignore_ascii_case("false"))
}

fn number_or_user(uri: &Uri) -> String {
    uri.number().or_else(|| uri.user()).unwrap_or_default()
}

/// The Replaces header in the address (RFC 3891 section 4), 400 if it is there twice or cannot be read.
fn replaces_in(uri: &Uri) -> Result<Option<Replaces>, u16> {
    let headers = uri.headers().unwrap_or_default().split('&').filter_map(|header| header.split_once('='));
    let mut values =
        headers.filter(|(name, _)| name.eq_ignore_ascii_case("Replaces")).map(|(_, value)| value);
    match (values.next(), values.next()) {
        (None, _) => Ok(None),
        (Some(value), None) => Replaces::parse(&charset::percent_decode(value)).map(Some).ok_or(400),
        (Some(_), Some(_)) => Err(400),
    }
}

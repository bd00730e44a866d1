//! Message waiting: SUBSCRIBEs of phones to their own mailbox, and the NOTIFYs that light their lamp
//! (RFC 6665, RFC 3842).
//!
//! A subscription has one NOTIFY under way at a time and at most one a second (RFC 3842 section 3.10);
//! what changes meanwhile is told by the next one, which always says how it is then.
//!
//! Deliberately absent: NOTIFYs that nobody has subscribed to, other people's mailboxes, other event
//! packages (489), lists of resources (RFC 4662), and conditional notification (RFC 5839).

use super::wire::{Wire, dialog_response, response};
use super::{Endpoint, Flow, Timer};
use crate::dialog::{Dialog, LocalSide, Order};
use crate::mailboxes::{Counts, MAX_SUBSCRIPTIONS, MAX_SUBSCRIPTIONS_OF_USER, Subscription, SubscriptionId};
use crate::message::{Message, Method, members};
use crate::name_addr::param_of;
use crate::transaction::{Purpose, ServerId};
use crate::uri::Uri;
use domain::Timestamp;
use std::time::Duration;

const PACKAGE: &str = "message-summary";
const SUMMARY_TYPE: &str = "application/simple-message-summary";
/// Longest Event header taken, in bytes: NOTIFYs repeat its id.
const EVENT_BYTES_MAX: usize = 128;
/// Without a wish (RFC 3842 section 3.4), and the most that is granted, in seconds.
const EXPIRES_DEFAULT_S: u32 = 3600;
/// Shorter wishes get 423, in seconds.
const EXPIRES_MIN_S: u32 = 60;
/// Between two NOTIFYs of one subscription.
const NOTICE_GAP: Duration = Duration::from_secs(1);

/// Subscription-State of a last NOTIFY (RFC 6665 section 4.1.3): the time is up, or the phone's own wish.
const TIMED_OUT: &str = "terminated;reason=timeout";
/// The user has no account any more.
const REJECTED: &str = "terminated;reason=rejected";
/// The user has more phones than we tell.
const PROBATION: &str = "terminated;reason=probation";

impl Endpoint {
    /// Says how many new and old voice messages a user of ours has; whoever subscribed is told. Users
    /// without an account have no mailbox: a new one's counts are set after `set_accounts`.
    pub fn set_mailbox(&mut self, now: Timestamp, user: &str, new: u32, old: u32) {
        self.wire.io.now = now;
        if self.accounts.contains_key(user) && self.mailboxes.set_counts(user, Counts { new, old }) {
            for id in self.mailboxes.of_user(user) {
                self.tell(id);
            }
        }
    }

    /// A SUBSCRIBE in no call: a new subscription, or one that is refreshed or given up.
    pub(super) fn take_subscribe(&mut self, flow: Flow, tx: ServerId, request: &Message) {
        let Some(tag) = request.to_tag() else { return self.subscribe(flow, tx, request) };
        match self.mailboxes.by_tag(tag).filter(|id| self.belongs(*id, request)) {
            Some(id) => self.resubscribe(id, flow, tx, request),
            None => {
                self.counters.no_such_dialog += 1;
                self.refuse(tx, request, 481);
            }
        }
    }

    /// RFC 6665 section 4.2.1.1.
    pub(super) fn refuse_event(&mut self, tx: ServerId, request: &Message) {
        let mut refusal = response(request, 489, &self.wire.ids.tag_of(request.call_id()));
        refusal.push_header("Allow-Events", PACKAGE);
        self.wire.respond(tx, &refusal);
    }

    /// Tells a phone how it is, now or as soon as it may be told.
    pub(super) fn tell(&mut self, id: SubscriptionId) {
        let now = self.wire.now();
        let Some(subscription) = self.mailboxes.get_mut(id) else { return };
        if subscription.notifying {
            subscription.again = true;
        } else if now < subscription.quiet_until {
            self.wire.io.timers.set(Timer::MailboxNotice(id), subscription.quiet_until);
        } else {
            self.send_notice(id);
        }
    }

    /// A NOTIFY was answered, or was not.
    pub(super) fn hear_notice(&mut self, id: SubscriptionId, response: Option<&Message>) {
        let status = response.and_then(Message::status).unwrap_or(408);
        if status < 200 {
            return;
        }
        if status >= 300 {
            // RFC 6665 section 4.2.2: whoever does not take it has no subscription.
            return drop(self.forget_subscription(id));
        }
        let Some(subscription) = self.mailboxes.get_mut(id) else { return };
        subscription.notifying = false;
        if std::mem::take(&mut subscription.again) {
            self.tell(id);
        }
    }

    pub(super) fn expire_subscription(&mut self, id: SubscriptionId) {
        self.end_subscription(id, TIMED_OUT);
    }

    /// Mailboxes without an account are no more.
    pub(super) fn drop_strange_mailboxes(&mut self) {
        for id in self.mailboxes.forget_strangers(|user| self.accounts.contains_key(user)) {
            self.end_subscription(id, REJECTED);
        }
    }

    pub(super) fn drop_subscriptions_on(&mut self, flow: Flow) {
        for id in self.mailboxes.on_connection(flow) {
            self.forget_subscription(id);
        }
    }

    fn subscribe(&mut self, flow: Flow, tx: ServerId, request: &Message) {
        let Some(event) = event_of(request) else { return self.refuse_event(tx, request) };
        let Some(user) = request.from().uri.user() else { return self.refuse(tx, request, 403) };
        if self.authenticate(flow, tx, request, &user).is_none() {
            return;
        }
        if let Some(status) = self.subscribe_refusal(&user, request) {
            return self.refuse(tx, request, status);
        }
        let Some(expires_s) = self.grant_subscription(tx, request) else { return };
        if expires_s > 0 && self.mailboxes.len() >= MAX_SUBSCRIPTIONS {
            self.counters.refused_overload += 1;
            let mut refusal = response(request, 503, &self.wire.ids.tag_of(request.call_id()));
            refusal.push_header("Retry-After", &self.limits.retry_after_s.to_string());
            return self.wire.respond(tx, &refusal);
        }
        let side = LocalSide {
            tag: self.wire.ids.token(),
            contact: self.wire.contact(Some(&user), flow),
            flow,
            pinned: !self.is_trusted(flow),
        };
        let now = self.wire.now();
        let mut subscription = Subscription {
            user,
            dialog: Dialog::of_incoming(request, side),
            event,
            expires_at: now + Duration::from_secs(u64::from(expires_s)),
            notifying: false,
            again: false,
            quiet_until: now,
        };
        confirm(&mut self.wire, tx, request, &subscription.dialog, expires_s);
        if expires_s == 0 {
            // RFC 6665 section 4.4.3: asked once.
            let counts = self.mailboxes.counts(&subscription.user);
            notify(&mut self.wire, &mut subscription, counts, TIMED_OUT, Purpose::Orphan);
            return;
        }
        let others = self.mailboxes.of_user(&subscription.user);
        if let Some(oldest) = others.first().filter(|_| others.len() >= MAX_SUBSCRIPTIONS_OF_USER) {
            self.end_subscription(*oldest, PROBATION);
        }
        let expires_at = subscription.expires_at;
        let id = self.mailboxes.add(subscription);
        self.wire.io.timers.set(Timer::MailboxExpiry(id), expires_at);
        self.tell(id);
    }

    fn resubscribe(&mut self, id: SubscriptionId, flow: Flow, tx: ServerId, request: &Message) {
        let Some(subscription) = self.mailboxes.get_mut(id) else { return };
        if subscription.dialog.count(request) == Order::Old {
            return self.refuse(tx, request, 500);
        }
        if event_of(request).as_ref() != Some(&subscription.event) {
            return self.refuse_event(tx, request);
        }
        let user = subscription.user.clone();
        if self.authenticate(flow, tx, request, &user).is_none() {
            return;
        }
        let Some(expires_s) = self.grant_subscription(tx, request) else { return };
        let expires_at = self.wire.now() + Duration::from_secs(u64::from(expires_s));
        self.mailboxes.refresh(id, flow, expires_at);
        let Some(subscription) = self.mailboxes.get_mut(id) else { return };
        subscription.dialog.refresh_target(request);
        subscription.quiet_until = self.wire.now(); // every SUBSCRIBE has its NOTIFY at once
        confirm(&mut self.wire, tx, request, &subscription.dialog, expires_s);
        if expires_s == 0 {
            return self.end_subscription(id, TIMED_OUT);
        }
        self.wire.io.timers.set(Timer::MailboxExpiry(id), expires_at);
        self.tell(id);
    }

    fn belongs(&self, id: SubscriptionId, request: &Message) -> bool {
        self.mailboxes.get(id).is_some_and(|subscription| subscription.dialog.matches(request))
    }

    /// Why a user who has proved its name may not subscribe.
    fn subscribe_refusal(&self, user: &str, request: &Message) -> Option<u16> {
        if request.uri().and_then(Uri::user).as_deref() != Some(user) {
            return Some(403); // somebody else's mailbox
        }
        if self.registrar.newest(user).is_none() {
            return Some(480); // no phone of ours, or not yet
        }
        if !accepts_summary(request) {
            return Some(406);
        }
        request.contact().is_none().then_some(400)
    }

    /// The seconds granted; else `None`, and the request has been answered.
    fn grant_subscription(&mut self, tx: ServerId, request: &Message) -> Option<u32> {
        let wish_s = request.expires().unwrap_or(EXPIRES_DEFAULT_S);
        if (1..EXPIRES_MIN_S).contains(&wish_s) {
            let mut refusal = response(request, 423, &self.wire.ids.tag_of(request.call_id()));
            refusal.push_header("Min-Expires", &EXPIRES_MIN_S.to_string());
            self.wire.respond(tx, &refusal);
            return None;
        }
        Some(wish_s.min(EXPIRES_DEFAULT_S))
    }

    fn send_notice(&mut self, id: SubscriptionId) {
        let now = self.wire.now();
        let Some(counts) = self.mailboxes.get(id).map(|known| self.mailboxes.counts(&known.user)) else {
            return;
        };
        let Some(subscription) = self.mailboxes.get_mut(id) else { return };
        let left_s = (subscription.expires_at - now).as_millis().div_ceil(1000);
        let state = format!("active;expires={left_s}");
        subscription.notifying = true;
        subscription.quiet_until = now + NOTICE_GAP;
        self.wire.io.timers.cancel(Timer::MailboxNotice(id));
        notify(&mut self.wire, subscription, counts, &state, Purpose::Mailbox(id));
    }

    /// Ends a subscription with a last NOTIFY, whose fate changes nothing.
    fn end_subscription(&mut self, id: SubscriptionId, state: &str) {
        if let Some(mut subscription) = self.forget_subscription(id) {
            let counts = self.mailboxes.counts(&subscription.user);
            notify(&mut self.wire, &mut subscription, counts, state, Purpose::Orphan);
        }
    }

    fn forget_subscription(&mut self, id: SubscriptionId) -> Option<Subscription> {
        self.wire.io.timers.cancel(Timer::MailboxExpiry(id));
        self.wire.io.timers.cancel(Timer::MailboxNotice(id));
        self.mailboxes.remove(id)
    }
}

/// 200 with what was granted (RFC 6665 section 4.2.1.2).
fn confirm(wire: &mut Wire, tx: ServerId, request: &Message, dialog: &Dialog, expires_s: u32) {
    let mut confirmed = dialog_response(request, 200, &dialog.local_tag, &dialog.contact);
    confirmed.push_header("Expires", &expires_s.to_string());
    wire.respond(tx, &confirmed);
}

/// A NOTIFY with what lies in the mailbox (RFC 3842 section 5.2). No message of ours is urgent.
fn notify(wire: &mut Wire, subscription: &mut Subscription, counts: Counts, state: &str, purpose: Purpose) {
    let Subscription { user, dialog, event, .. } = subscription;
    let mut notify = dialog.request(Method::Notify);
    notify.push_header("Event", event);
    notify.push_header("Subscription-State", state);
    let account = Uri::from_socket(Some(user), wire.our_address(dialog.flow));
    let Counts { new, old } = counts;
    let waiting = if new > 0 { "yes" } else { "no" };
    let summary = format!(
        "Messages-Waiting: {waiting}\r\nMessage-Account: {account}\r\nVoice-Message: {new}/{old} (0/0)\r\n"
    );
    notify.set_body(SUMMARY_TYPE, summary.into_bytes());
    wire.send_request(notify, dialog.next_hop(), purpose);
}

/// The Event header for NOTIFYs, if the package is the one that we have.
fn event_of(subscribe: &Message) -> Option<String> {
    let value = subscribe.header("Event").filter(|value| value.len() <= EVENT_BYTES_MAX)?;
    let (package, params) = value.split_at(value.find(';').unwrap_or(value.len()));
    if !package.trim().eq_ignore_ascii_case(PACKAGE) {
        return None;
    }
    Some(match param_of(params, "id").filter(|id| !id.is_empty()) {
        Some(id) => format!("{PACKAGE};id={id}"),
        None => PACKAGE.to_owned(),
    })
}

/// RFC 3842 section 3.5: whoever says nothing takes the summary.
fn accepts_summary(subscribe: &Message) -> bool {
    let mut accepted = subscribe.headers_named("Accept").flat_map(members).peekable();
    let is_fitting = |value: &str| {
        let name = value.split(';').next().unwrap_or_default().trim();
        [SUMMARY_TYPE, "application/*", "*/*"].iter().any(|fitting| fitting.eq_ignore_ascii_case(name))
    };
    accepted.peek().is_none() || accepted.any(is_fitting)
}

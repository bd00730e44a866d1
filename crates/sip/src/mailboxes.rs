//! The tables of message waiting (RFC 3842): what lies in whose mailbox, and which phones want to know.
//!
//! Plain tables; digest, messages and timers are the endpoint's. Deliberately absent: the messages
//! themselves, urgent ones, and other kinds than voice.

use crate::dialog::Dialog;
use crate::flow::{Flow, Transport};
use domain::Timestamp;
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// Subscriptions of one user; one more ends the one that was refreshed longest ago.
pub const MAX_SUBSCRIPTIONS_OF_USER: usize = 5;
/// Subscriptions of all users; above, new ones are refused.
pub const MAX_SUBSCRIPTIONS: usize = 10_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SubscriptionId(pub(crate) u64);

/// Voice messages in a mailbox.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    pub new: u32,
    /// Heard already.
    pub old: u32,
}

/// One phone that is told about its user's mailbox.
#[derive(Clone, Debug)]
pub struct Subscription {
    pub user: String,
    pub dialog: Dialog,
    /// Event header of its NOTIFYs, with the subscriber's id.
    pub event: String,
    pub expires_at: Timestamp,
    /// A NOTIFY is under way.
    pub notifying: bool,
    /// The next one follows its answer.
    pub again: bool,
    /// The next one is not sent before.
    pub quiet_until: Timestamp,
}

#[derive(Default)]
pub struct Mailboxes {
    next: u64,
    /// Without a row, nothing lies there.
    counts: BTreeMap<String, Counts>,
    table: BTreeMap<SubscriptionId, Subscription>,
    /// Of each user, the subscription refreshed last comes last. No user has an empty list.
    by_user: BTreeMap<String, Vec<SubscriptionId>>,
    /// By the local tag of the dialog.
    by_tag: HashMap<String, SubscriptionId>,
    by_connection: BTreeSet<(Flow, SubscriptionId)>,
}

impl Mailboxes {
    #[must_use]
    pub fn counts(&self, user: &str) -> Counts {
        self.counts.get(user).copied().unwrap_or_default()
    }

    /// Whether that is news.
    pub fn set_counts(&mut self, user: &str, counts: Counts) -> bool {
        let before = self.counts(user);
        if counts == Counts::default() {
            self.counts.remove(user);
        } else {
            self.counts.insert(user.to_owned(), counts);
        }
        before != counts
    }

    /// Forgets the mailboxes of users that `keep` does not want; their subscriptions, to be ended.
    pub fn forget_strangers(&mut self, keep: impl Fn(&str) -> bool) -> Vec<SubscriptionId> {
        self.counts.retain(|user, _| keep(user));
        let strangers = self.by_user.iter().filter(|(user, _)| !keep(user));
        strangers.flat_map(|(_, ids)| ids).copied().collect()
    }

    #[must_use]
    pub fn get(&self, id: SubscriptionId) -> Option<&Subscription> {
        self.table.get(&id)
    }

    pub fn get_mut(&mut self, id: SubscriptionId) -> Option<&mut Subscription> {
        self.table.get_mut(&id)
    }

    /// The user's subscriptions, the one refreshed last at the end.
    #[must_use]
    pub fn of_user(&self, user: &str) -> Vec<SubscriptionId> {
        self.by_user.get(user).cloned().unwrap_or_default()
    }

    #[must_use]
    pub fn by_tag(&self, tag: &str) -> Option<SubscriptionId> {
        self.by_tag.get(tag).copied()
    }

    /// The subscriptions whose phone is behind a TCP connection.
    #[must_use]
    pub fn on_connection(&self, flow: Flow) -> Vec<SubscriptionId> {
        let range = (flow, SubscriptionId(0))..=(flow, SubscriptionId(u64::MAX));
        self.by_connection.range(range).map(|(_, id)| *id).collect()
    }

    #[must_use]
    pub fn len(&self) -> usize {
        self.table.len()
    }

    pub fn add(&mut self, subscription: Subscription) -> SubscriptionId {
        self.next += 1;
        let id = SubscriptionId(self.next);
        self.insert(id, subscription);
        id
    }

    /// Moves a subscription to the end of its user's list, and to the flow that it was refreshed on.
    pub fn refresh(&mut self, id: SubscriptionId, flow: Flow, expires_at: Timestamp) {
        if let Some(mut subscription) = self.remove(id) {
            subscription.dialog.flow = flow;
            subscription.expires_at = expires_at;
            self.insert(id, subscription);
        }
    }

    pub fn remove(&mut self, id: SubscriptionId) -> Option<Subscription> {
        let subscription = self.table.remove(&id)?;
        self.by_tag.remove(&subscription.dialog.local_tag);
        self.by_connection.remove(&(subscription.dialog.flow, id));
        if let Some(ids) = self.by_user.get_mut(&subscription.user) {
            ids.retain(|other| *other != id);
            if ids.is_empty() {
                self.by_user.remove(&subscription.user);
            }
        }
        Some(subscription)
    }

    fn insert(&mut self, id: SubscriptionId, subscription: Subscription) {
        let dialog = &subscription.dialog;
        self.by_tag.insert(dialog.local_tag.clone(), id);
        if dialog.flow.transport == Transport::Tcp {
            self.by_connection.insert((dialog.flow, id));
        }
        self.by_user.entry(subscription.user.clone()).or_default().push(id);
        self.table.insert(id, subscription);
    }
}

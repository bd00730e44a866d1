//! Every wake-up of the endpoint, by name, in one table fired in fixed order.

use super::{BindingId, LegId, RegistrationId};
use crate::mailboxes::SubscriptionId;
use crate::transaction::{ClientId, ServerId};
use domain::Timestamp;
use std::collections::{BTreeMap, BTreeSet};

/// Why the endpoint wakes up. Letters are those of RFC 3261 section 17 and RFC 6026.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Timer {
    /// A, E: send the request again.
    ClientResend(ClientId),
    /// B, F: nobody answers. Also the end of waiting for the 487 after a CANCEL (section 9.1).
    ClientGiveUp(ClientId),
    /// D, K, M: retransmitted responses are no longer expected.
    ClientLinger(ClientId),
    /// An INVITE has had no response for 200 ms: 100 Trying.
    ServerTrying(ServerId),
    /// G: send the final response to an INVITE again.
    ServerResend(ServerId),
    /// H, I, J, L: retransmitted requests are no longer expected.
    ServerLinger(ServerId),
    /// Send our 2xx again (section 13.3.1.4), or our reliable provisional response (RFC 3262 section 3).
    LegResend(LegId),
    /// Nobody acknowledged it.
    LegGiveUp(LegId),
    /// Our turn to refresh the session (RFC 4028).
    SessionRefresh(LegId),
    /// Nobody refreshed the session.
    SessionExpiry(LegId),
    /// Try a re-INVITE again after a 491 (section 14.1).
    GlareRetry(LegId),
    /// The application has not answered a REFER, or its implicit subscription runs out.
    Referral(LegId),
    /// A binding of the registrar runs out.
    Binding(BindingId),
    /// A NOTIFY about a mailbox had to wait.
    MailboxNotice(SubscriptionId),
    /// A subscription to a mailbox runs out.
    MailboxExpiry(SubscriptionId),
    /// Refresh or retry a registration of ours.
    Registration(RegistrationId),
}

#[derive(Default)]
pub(crate) struct Timers {
    queue: BTreeSet<(Timestamp, Timer)>,
    /// Each timer is set at most once; setting it again moves it.
    deadlines: BTreeMap<Timer, Timestamp>,
}

impl Timers {
    pub(crate) fn set(&mut self, timer: Timer, at: Timestamp) {
        if let Some(before) = self.deadlines.insert(timer, at) {
            self.queue.remove(&(before, timer));
        }
        self.queue.insert((at, timer));
    }

    pub(crate) fn cancel(&mut self, timer: Timer) {
        if let Some(at) = self.deadlines.remove(&timer) {
            self.queue.remove(&(at, timer));
        }
    }

    pub(crate) fn is_set(&self, timer: Timer) -> bool {
        self.deadlines.contains_key(&timer)
    }

    pub(crate) fn next(&self) -> Option<Timestamp> {
        self.queue.first().map(|(at, _)| *at)
    }

    /// Takes out the first timer that is due.
    pub(crate) fn pop(&mut self, now: Timestamp) -> Option<Timer> {
        let (at, timer) = *self.queue.first()?;
        if at > now {
            return None;
        }
        self.queue.remove(&(at, timer));
        self.deadlines.remove(&timer);
        Some(timer)
    }

    pub(crate) fn len(&self) -> usize {
        self.queue.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timer_set_again_moves_and_a_cancelled_one_never_fires() {
        let mut timers = Timers::default();
        let at = Timestamp::from_ms;
        timers.set(Timer::SessionExpiry(LegId(1)), at(10));
        timers.set(Timer::SessionExpiry(LegId(1)), at(30));
        timers.set(Timer::SessionRefresh(LegId(1)), at(20));
        timers.cancel(Timer::GlareRetry(LegId(1)));
        assert_eq!(timers.next(), Some(at(20)));
        assert_eq!(timers.pop(at(19)), None);
        assert_eq!(timers.pop(at(40)), Some(Timer::SessionRefresh(LegId(1))));
        assert_eq!(timers.pop(at(40)), Some(Timer::SessionExpiry(LegId(1))));
        assert_eq!((timers.pop(at(40)), timers.len()), (None, 0));
    }
}

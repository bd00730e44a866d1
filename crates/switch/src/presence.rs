//! Which agents' phones can be reached: registered or at a fixed address, and answering OPTIONS.

use crate::Node;
use crate::call::Timer;
use domain::{AgentId, Timestamp};
use sip::{PingId, Target};
use std::time::Duration;

/// An agent's phone as far as we know.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Phone {
    /// What the region's `acd` was told.
    pub(crate) is_reachable: bool,
    ping: Option<PingId>,
}

impl Node {
    /// Phones at fixed addresses count as unreachable until they answer their first OPTIONS.
    pub(crate) fn watch_fixed_phones(&mut self, now: Timestamp) {
        let fixed: Vec<AgentId> =
            self.config.agents.iter().filter(|(_, a)| a.contact.is_some()).map(|(id, _)| *id).collect();
        let interval_ms = self.config.limits.ping_interval.as_millis() as u64;
        let count = fixed.len() as u64;
        for (index, agent) in fixed.into_iter().enumerate() {
            // Spread over one interval, but no later than two seconds: agents want to start work.
            let delay = (index as u64 * interval_ms / count.max(1)).min(2_000);
            self.timers.set(Timer::Ping(agent), Some(now + Duration::from_millis(delay)));
        }
    }

    pub(crate) fn target_of(&self, agent: AgentId) -> Option<Target> {
        let agent = self.config.agents.get(&agent)?;
        agent.contact.clone().or_else(|| self.sip.target_of(&agent.user))
    }

    /// A binding that was just proved by credentials is reachable until an OPTIONS says otherwise.
    pub(crate) fn on_registered(&mut self, now: Timestamp, user: &str) {
        let Some(&agent) = self.users.get(user) else { return };
        if !self.phones.get(&agent).is_some_and(|phone| phone.is_reachable) {
            self.set_reachable(now, agent, true);
            self.timers.set(Timer::Ping(agent), Some(now + self.config.limits.ping_interval));
        }
    }

    pub(crate) fn on_unregistered(&mut self, now: Timestamp, user: &str) {
        let Some(&agent) = self.users.get(user) else { return };
        if self.target_of(agent).is_none() {
            self.set_reachable(now, agent, false);
            self.timers.set(Timer::Ping(agent), None);
            if let Some(ping) = self.phones.entry(agent).or_default().ping.take() {
                self.pings.remove(&ping);
            }
        }
    }

    pub(crate) fn ping(&mut self, now: Timestamp, agent: AgentId) {
        self.timers.set(Timer::Ping(agent), Some(now + self.config.limits.ping_interval));
        let Some(target) = self.target_of(agent) else { return };
        let ping = self.sip.ping(now, target);
        let phone = self.phones.entry(agent).or_default();
        if let Some(unanswered) = phone.ping.replace(ping) {
            self.pings.remove(&unanswered);
        }
        self.pings.insert(ping, agent);
    }

    /// Any answer shows that somebody is there; only silence, or a proxy that says so, means absent.
    pub(crate) fn on_pong(&mut self, now: Timestamp, ping: PingId, status: Option<u16>) {
        let Some(agent) = self.pings.remove(&ping) else { return };
        self.phones.entry(agent).or_default().ping = None;
        let is_there = !matches!(status, None | Some(404 | 408 | 410 | 480 | 503));
        self.set_reachable(now, agent, is_there);
    }

    fn set_reachable(&mut self, now: Timestamp, agent: AgentId, reachable: bool) {
        let phone = self.phones.entry(agent).or_default();
        if phone.is_reachable != reachable {
            phone.is_reachable = reachable;
            self.tell_acd_of(now, agent, acd::Input::AgentReachable { agent, reachable });
        }
    }
}

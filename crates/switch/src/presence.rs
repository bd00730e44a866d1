//! Which agents can be reached: by a phone that is registered or at a fixed address and answers OPTIONS, or else
//! by a mobile while its trunk answers.

use crate::Node;
use crate::call::Timer;
use domain::{AgentId, Fact, Timestamp};
use sip::{PingId, Target};
use std::time::Duration;

/// Within which every fixed phone and trunk is asked for the first time.
const FIRST_PINGS_MS: u64 = 2_000;

/// Everybody is asked in an interval of his own, up to a quarter shorter than the longest: who was first asked
/// together would otherwise be asked in one wave for ever.
fn rhythm(longest: Duration, timer: Timer) -> Duration {
    let number = match timer {
        Timer::Ping(agent) => agent.0,
        Timer::PingTrunk(index) => index as u32,
        Timer::Phase(_) => 0,
    };
    // Fibonacci hashing: numbers in a row lie far apart.
    longest - longest / 4 * (number.wrapping_mul(0x9E37_79B9) >> 22) / 1_024
}

impl Node {
    /// Phones at fixed addresses count as unreachable until they answer their first OPTIONS.
    pub(crate) fn watch_fixed_peers(&mut self, now: Timestamp) {
        let phones =
            self.config.agents.iter().filter(|(_, a)| a.contact.is_some()).map(|(id, _)| Timer::Ping(*id));
        let trunks = self.config.trunks.iter().enumerate().filter(|(_, t)| t.contact.is_some());
        let all: Vec<Timer> = phones.chain(trunks.map(|(index, _)| Timer::PingTrunk(index))).collect();
        for (index, timer) in all.iter().enumerate() {
            // Spread over two seconds: agents want to start work.
            let delay_ms = index as u64 * FIRST_PINGS_MS / all.len() as u64;
            self.timers.set(*timer, Some(now + Duration::from_millis(delay_ms)));
        }
    }

    pub(crate) fn target_of(&self, agent: AgentId) -> Option<Target> {
        let agent = self.config.agents.get(&agent)?;
        agent.contact.clone().or_else(|| self.sip.target_of(&agent.user))
    }

    /// A binding that was just proved by credentials is reachable until an OPTIONS says otherwise.
    pub(crate) fn on_registered(&mut self, now: Timestamp, user: &str) {
        let Some(&agent) = self.users.get(user) else { return };
        // The silence of an address that the phone has left says nothing.
        self.forget_pings(agent);
        if !self.phones_there.contains(&agent) {
            self.set_phone_there(now, agent, true);
            self.timers.set(Timer::Ping(agent), Some(now + self.config.limits.ping_interval));
        }
    }

    pub(crate) fn on_unregistered(&mut self, now: Timestamp, user: &str) {
        let Some(&agent) = self.users.get(user) else { return };
        if self.target_of(agent).is_none() {
            self.set_phone_there(now, agent, false);
            self.timers.set(Timer::Ping(agent), None);
        }
    }

    /// A phone that died in the middle of a call counts as absent until it answers.
    pub(crate) fn doubt(&mut self, now: Timestamp, agent: AgentId) {
        self.forget_pings(agent);
        self.set_phone_there(now, agent, false);
        self.ping(now, Timer::Ping(agent));
    }

    fn forget_pings(&mut self, agent: AgentId) {
        self.pings.retain(|_, asked| *asked != Timer::Ping(agent));
    }

    pub(crate) fn ping(&mut self, now: Timestamp, timer: Timer) {
        self.timers.set(timer, Some(now + rhythm(self.config.limits.ping_interval, timer)));
        let target = match timer {
            Timer::Ping(agent) => self.target_of(agent),
            Timer::PingTrunk(index) => self.config.trunks[index].contact.clone(),
            Timer::Phase(_) => None,
        };
        let Some(target) = target else { return };
        let ping = self.sip.ping(now, target);
        self.pings.insert(ping, timer);
    }

    /// Any answer shows that somebody is there; only silence, or a proxy that says so, means absent.
    pub(crate) fn on_pong(&mut self, now: Timestamp, ping: PingId, status: Option<u16>) {
        let is_there = !matches!(status, None | Some(404 | 408 | 410 | 480 | 503));
        match self.pings.remove(&ping) {
            // A phone that unregistered while it was asked stays away.
            Some(Timer::Ping(agent)) if self.target_of(agent).is_some() => {
                self.set_phone_there(now, agent, is_there);
            }
            Some(Timer::PingTrunk(index)) => self.set_trunk_reachable(now, index, is_there),
            Some(Timer::Ping(_) | Timer::Phase(_)) | None => {}
        }
    }

    fn set_trunk_reachable(&mut self, now: Timestamp, index: usize, reachable: bool) {
        if self.trunk_is_reachable[index].replace(reachable) != Some(reachable) {
            let trunk = self.config.trunks[index].id.clone();
            let mobiles = self.mobiles_through(&trunk);
            self.fact(now, Fact::TrunkChanged { trunk, reachable });
            mobiles.into_iter().for_each(|agent| self.review(now, agent));
        }
    }

    fn set_phone_there(&mut self, now: Timestamp, agent: AgentId, is_there: bool) {
        if is_there {
            self.phones_there.insert(agent);
        } else {
            self.phones_there.remove(&agent);
        }
        self.review(now, agent);
    }

    fn review(&mut self, now: Timestamp, agent: AgentId) {
        let reachable = self.phones_there.contains(&agent) || self.mobile_target(agent).is_some();
        let changed = if reachable { self.reachable.insert(agent) } else { self.reachable.remove(&agent) };
        if changed {
            self.tell_acd_of(now, agent, acd::Input::AgentReachable { agent, reachable });
        }
    }
}

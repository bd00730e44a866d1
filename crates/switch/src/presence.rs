//! Which agents can be reached: by a phone that is registered or at a fixed address and answers OPTIONS, or else
//! by a mobile while its trunk answers. Whose shift is done by mobile is reached by that alone.

use crate::Node;
use crate::call::Timer;
use domain::{AgentId, Fact, Timestamp};
use sip::{PingId, Target};
use std::time::Duration;

/// Within which every fixed phone and trunk is asked for the first time: spread, and soon, for agents want to
/// start work.
const FIRST_PINGS_MS: u64 = 2_000;

/// Everybody is asked in an interval of his own, up to a quarter shorter than the longest: who was first asked
/// together would otherwise be asked in one wave for ever.
fn rhythm(longest: Duration, timer: Timer) -> Duration {
    let number = match timer {
        Timer::Ping(agent) => agent.0,
        Timer::PingTrunk(index) => index as u32,
        Timer::Phase(_) | Timer::Supervisor(_) | Timer::Shifts | Timer::Overrides => 0,
    };
    // Fibonacci hashing: numbers in a row lie far apart.
    longest - longest / 4 * (number.wrapping_mul(0x9E37_79B9) >> 22) / 1_024
}

fn first_ping(place: usize, count: usize) -> Duration {
    Duration::from_millis(place as u64 * FIRST_PINGS_MS / count.max(1) as u64)
}

impl Node {
    pub(crate) fn watch_trunks(&mut self, now: Timestamp) {
        let trunks = self.config.trunks.iter().enumerate().filter(|(_, trunk)| trunk.contact.is_some());
        let all: Vec<usize> = trunks.map(|(index, _)| index).collect();
        for (place, &index) in all.iter().enumerate() {
            self.timers.set(Timer::PingTrunk(index), Some(now + first_ping(place, all.len())));
        }
    }

    /// A phone that an agent did not have before, the one at `place` of `count`. One that has registered is
    /// there; one at a fixed address is not until it answers its first OPTIONS.
    pub(crate) fn meet_phone(&mut self, now: Timestamp, agent: AgentId, place: usize, count: usize) {
        self.forget_pings(agent);
        let is_fixed = self.config.snapshot.agents.get(&agent).is_some_and(|agent| agent.contact.is_some());
        let is_registered = !is_fixed && self.target_of(agent).is_some();
        let ping_after = if is_fixed { first_ping(place, count) } else { self.config.limits.ping_interval };
        self.timers.set(Timer::Ping(agent), (is_fixed || is_registered).then(|| now + ping_after));
        if is_registered {
            self.phones_there.insert(agent);
        } else {
            self.phones_there.remove(&agent);
        }
    }

    pub(crate) fn target_of(&self, agent: AgentId) -> Option<Target> {
        let agent = self.config.snapshot.agents.get(&agent)?;
        agent.contact.clone().or_else(|| self.sip.target_of(&agent.user))
    }

    /// Where to ring the agent's own phone; none while it is not there or must not be rung.
    pub(crate) fn phone_target(&self, agent: AgentId) -> Option<Target> {
        let is_rung = self.phones_there.contains(&agent) && !self.by_mobile.contains(&agent);
        self.target_of(agent).filter(|_| is_rung)
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
        if !self.config.snapshot.agents.contains_key(&agent) {
            return;
        }
        self.forget_pings(agent);
        self.set_phone_there(now, agent, false);
        self.ping(now, Timer::Ping(agent));
    }

    pub(crate) fn forget_pings(&mut self, agent: AgentId) {
        self.pings.retain(|_, asked| *asked != Timer::Ping(agent));
    }

    pub(crate) fn ping(&mut self, now: Timestamp, timer: Timer) {
        self.timers.set(timer, Some(now + rhythm(self.config.limits.ping_interval, timer)));
        let target = match timer {
            Timer::Ping(agent) => self.target_of(agent),
            Timer::PingTrunk(index) => self.config.trunks[index].contact.clone(),
            Timer::Phase(_) | Timer::Supervisor(_) | Timer::Shifts | Timer::Overrides => None,
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
            Some(
                Timer::Ping(_) | Timer::Phase(_) | Timer::Supervisor(_) | Timer::Shifts | Timer::Overrides,
            )
            | None => {}
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

    pub(crate) fn review(&mut self, now: Timestamp, agent: AgentId) {
        let reachable = self.phone_target(agent).is_some() || self.mobile_target(agent).is_some();
        let changed = if reachable { self.reachable.insert(agent) } else { self.reachable.remove(&agent) };
        if changed {
            self.tell_reachable(now, agent);
        }
    }

    /// An agent who was moved to another region is there as soon as the phone is done with the old one.
    pub(crate) fn tell_reachable(&mut self, now: Timestamp, agent: AgentId) {
        let reachable = self.reachable.contains(&agent) && !self.is_busy_elsewhere(agent);
        self.tell_acd_of(now, agent, acd::Input::AgentReachable { agent, reachable });
    }

    fn is_busy_elsewhere(&self, agent: AgentId) -> bool {
        let leg = self.offered.get(&agent).and_then(|leg| self.agent_legs.get(leg));
        let home = self.config.snapshot.agents.get(&agent).map(|agent| &agent.region);
        leg.is_some_and(|leg| Some(&leg.region) != home)
    }
}

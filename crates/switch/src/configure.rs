//! A new snapshot under live calls: no call loses its way, its lawyer or the phone that rings for it.

use crate::call::Timer;
use crate::{Agent, Node, Snapshot};
use domain::{Activity, AgentId, Duty, Timestamp};
use std::collections::BTreeMap;
use std::sync::Arc;

impl Node {
    pub(crate) fn configure(&mut self, now: Timestamp, snapshot: Snapshot) {
        let before = std::mem::replace(&mut self.config.snapshot, snapshot);
        let Snapshot { agents, accounts, .. } = &self.config.snapshot;
        self.users = agents.iter().map(|(id, agent)| (agent.user.clone(), *id)).collect();
        self.sip.set_accounts(accounts.clone());
        self.change_reach(now);
        self.configure_regions(now);
        self.watch_shifts(now);
        self.follow_phones(now, &before.agents);
    }

    fn configure_regions(&mut self, now: Timestamp) {
        self.regions.values_mut().for_each(|region| region.dialplan = None);
        for plan in &self.config.snapshot.dialplans {
            let region = self.regions.entry(plan.region().clone()).or_default();
            region.dialplan = Some(Arc::clone(plan));
            self.plans.renew(plan, &self.config.snapshot.prompts);
        }
        for region in self.regions.values_mut() {
            // Who waits in a region that is no more takes the last steps of the old dialplan.
            let plan = region.dialplan.as_deref();
            let on_shift = plan.map(|plan| self.config.snapshot.on_shift(plan.region(), now));
            region.on_shift = on_shift.unwrap_or_default();
            let acd = |plan| self.config.snapshot.acd(plan, &region.on_shift);
            let config = plan.map_or_else(acd::Config::default, acd);
            region.acd.handle_input(now, acd::Input::Configured(config));
        }
    }

    /// Agents are as they were before a restart.
    pub(crate) fn restore_agents(&mut self, now: Timestamp, restored: &BTreeMap<AgentId, (Duty, Activity)>) {
        for (id, region) in &mut self.regions {
            // Not that everybody is ready, which new agents are: were the server killed now, that would be the last
            // word on who has gone home.
            while region.acd.poll_output().is_some() {}
            let agents = self.config.snapshot.agents.iter().filter(|(_, agent)| agent.region == *id);
            for (&agent, _) in agents {
                let nothing = (Duty::Ready, Activity::Idle { since: now });
                let (duty, activity) = restored.get(&agent).copied().unwrap_or(nothing);
                region.acd.handle_input(now, acd::Input::AgentRestored { agent, duty, activity });
            }
        }
    }

    /// Whose phone stayed the same is as reachable as before.
    fn follow_phones(&mut self, now: Timestamp, before: &BTreeMap<AgentId, Agent>) {
        let agents = &self.config.snapshot.agents;
        let gone: Vec<AgentId> = before.keys().filter(|id| !agents.contains_key(id)).copied().collect();
        let is_same_phone = |id: &AgentId, agent: &Agent| {
            before.get(id).is_some_and(|old| old.user == agent.user && old.contact == agent.contact)
        };
        let stayed = |id: &AgentId, agent: &Agent| {
            let is_at_home = |old: &Agent| old.region == agent.region && old.mobile == agent.mobile;
            is_same_phone(id, agent) && before.get(id).is_some_and(is_at_home)
        };
        let others = agents.iter().filter(|(id, agent)| !stayed(id, agent));
        let others: Vec<(AgentId, bool)> =
            others.map(|(id, agent)| (*id, is_same_phone(id, agent))).collect();
        for agent in gone {
            self.phones_there.remove(&agent);
            self.reachable.remove(&agent);
            self.forget_pings(agent);
            self.timers.set(Timer::Ping(agent), None);
        }
        let count = others.len();
        for (index, (agent, is_same_phone)) in others.into_iter().enumerate() {
            if !is_same_phone {
                self.meet_phone(now, agent, index, count);
            }
            self.review(now, agent);
            // Also where nothing has changed: the region's machine may be another.
            self.tell_reachable(now, agent);
        }
    }
}

//! Shifts begin and end at their instants. A lawyer who goes off shift is withdrawn from offers and finishes the
//! talk under way, as with any other configuration without them. Whose shift is done by mobile is rung there and not on
//! the phone, also while the trunk is not there: whoever has gone home hears no phone.

use crate::Node;
use crate::call::Timer;
use domain::{AgentId, Timestamp};

impl Node {
    /// Tells each region in which somebody came or went, and notes when that will be so again.
    pub(crate) fn change_shifts(&mut self, now: Timestamp) {
        self.change_reach(now);
        for region in self.regions.values_mut() {
            let Some(plan) = &region.dialplan else { continue };
            let on_shift = self.config.snapshot.on_shift(plan.region(), now);
            if region.on_shift != on_shift {
                let config = self.config.snapshot.acd(plan, &on_shift);
                region.on_shift = on_shift;
                region.acd.handle_input(now, acd::Input::Configured(config));
            }
        }
        self.watch_shifts(now);
    }

    /// Comes before the rest, so that no shift begins with a ring that must be taken back.
    pub(crate) fn change_reach(&mut self, now: Timestamp) {
        let by_mobile = self.config.snapshot.by_mobile(now);
        let before = std::mem::replace(&mut self.by_mobile, by_mobile);
        let changed: Vec<AgentId> = before.symmetric_difference(&self.by_mobile).copied().collect();
        changed.into_iter().for_each(|agent| self.review(now, agent));
    }

    pub(crate) fn watch_shifts(&mut self, now: Timestamp) {
        let next = self.config.snapshot.rosters.iter().map(|roster| roster.next_change(now)).min();
        self.timers.set(Timer::Shifts, next);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Agent, Config, Input, Limits, MediaPort, Snapshot};
    use dialplan::{Calendars, Context, Dialplan, Roster, RosterContext, china_day, parse_china_minute};
    use std::collections::{BTreeMap, BTreeSet};
    use std::sync::Arc;

    /// Until 10:01 and from then on, every day.
    const ROSTER: &str = "region = \"wenzhou\"\n\
        [shifts.early]\npools = [\"lucheng\"]\nlawyers = [1001]\ndays = [\"daily\"]\nhours = \"09:00-10:01\"\n\
        [shifts.late]\npools = [\"lucheng\"]\nlawyers = [1002]\ndays = [\"daily\"]\nhours = \"10:01-18:00\"\n";

    fn at(text: &str) -> Timestamp {
        parse_china_minute(text).unwrap()
    }

    fn roster(dialplans: &[Arc<Dialplan>], text: &str) -> Arc<Roster> {
        let today = china_day(at("2026-11-23 00:00"));
        let context = RosterContext { dialplans, staff: None, today };
        Arc::new(Roster::parse("roster", text, &context).unwrap().value)
    }

    fn agents() -> BTreeMap<AgentId, Agent> {
        let agent = |user: u32| {
            let pools = ["lucheng", "city"].map(|pool| (pool.into(), acd::Membership::default())).into();
            let (region, user) = ("wenzhou".into(), user.to_string());
            Agent { region, pools, skills: acd::Skills::new(), user, contact: None, mobile: None }
        };
        [1001, 1002].map(|id| (AgentId(id), agent(id))).into()
    }

    fn node(now: Timestamp) -> Node {
        const PLAN: &str = include_str!("../../../tests/flows/dialplan.toml");
        let prompts = ["notice", "menu", "queue_wait", "hold_music", "voicemail_greeting", "beep", "goodbye"];
        let (prompts, calendars) = (BTreeSet::from(prompts.map(str::to_owned)), Calendars::default());
        let context = Context::new(&prompts, &calendars, 2026);
        let plan = Arc::new(Dialplan::parse("plan", PLAN, &context).unwrap().value);
        let dialplans = vec![plan];
        let config = Config {
            sip: sip::Config::new([7; 32]),
            trunks: Vec::new(),
            snapshot: Snapshot {
                rosters: vec![roster(&dialplans, ROSTER)],
                dialplans,
                agents: agents(),
                ..Snapshot::default()
            },
            restored: crate::Restored::default(),
            media_ip: std::net::Ipv4Addr::LOCALHOST.into(),
            media_ports: vec![MediaPort { shard: 0, port: 20_000 }, MediaPort { shard: 0, port: 20_002 }],
            limits: Limits::default(),
        };
        Node::new(now, config)
    }

    fn in_lucheng(node: &Node) -> Vec<u32> {
        let region = &node.regions[&"wenzhou".into()];
        let plan = region.dialplan.as_ref().unwrap();
        let config = node.config.snapshot.acd(plan, &region.on_shift);
        let agents = config.agents.iter();
        assert!(
            agents.clone().all(|(_, agent)| agent.pools.contains_key(&"city".into())),
            "no shift names it"
        );
        agents.filter(|(_, agent)| agent.pools.contains_key(&"lucheng".into())).map(|(id, _)| id.0).collect()
    }

    #[test]
    fn the_node_wakes_when_a_shift_begins_and_again_when_the_clock_is_set_back() {
        let mut node = node(at("2026-11-23 09:30"));
        assert_eq!(in_lucheng(&node), [1001]);
        assert_eq!(node.poll_timeout(), Some(at("2026-11-23 10:01")));
        node.handle_timeout(at("2026-11-23 10:01"));
        assert_eq!(in_lucheng(&node), [1002]);
        assert_eq!(node.poll_timeout(), Some(at("2026-11-23 18:00")));
        node.handle_timeout(at("2026-11-23 09:45"));
        assert_eq!(in_lucheng(&node), [1001]);
        assert_eq!(node.poll_timeout(), Some(at("2026-11-23 10:01")));
        assert_eq!(node.check_invariants(), Ok(()));
    }

    #[test]
    fn a_new_roster_counts_at_once_and_none_lets_everybody_in() {
        let mut node = node(at("2026-11-23 09:30"));
        let snapshot = |rosters| {
            let Snapshot { dialplans, .. } = &node.config.snapshot;
            Snapshot { dialplans: dialplans.clone(), agents: agents(), rosters, ..Snapshot::default() }
        };
        let late = roster(&node.config.snapshot.dialplans, &ROSTER.replace("10:01", "09:15"));
        let (with, without) = (snapshot(vec![late]), snapshot(Vec::new()));
        node.handle_input(at("2026-11-23 09:31"), Input::Configured(Box::new(with)));
        assert_eq!(in_lucheng(&node), [1002]);
        assert_eq!(node.poll_timeout(), Some(at("2026-11-23 18:00")));
        node.handle_input(at("2026-11-23 09:32"), Input::Configured(Box::new(without)));
        assert_eq!(in_lucheng(&node), [1001, 1002]);
        assert_eq!(node.poll_timeout(), None);
        assert_eq!(node.check_invariants(), Ok(()));
    }
}

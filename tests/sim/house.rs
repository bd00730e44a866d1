//! What the hotline is configured with, and what it is told in the middle of the day: other dialplans, lawyers
//! who come, go, change pools and cities, accounts that are closed.

use crate::{prompts, wenzhou};
use dialplan::Dialplan;
use domain::{AgentId, Pii, PoolId, Timestamp};
use phones::{Dice, Lawyer};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use switch::{Prompts, Snapshot};

pub struct House {
    plan: Arc<Dialplan>,
    /// The same city under other settings, and another city that takes over its numbers.
    others: [Arc<Dialplan>; 2],
    /// The last one is true of those who have only a mobile.
    lawyers: Vec<(AgentId, PoolId, bool)>,
    accounts: BTreeMap<String, sip::Account>,
    prompts: Arc<Prompts>,
    dice: Dice,
    next_reload: Option<Timestamp>,
}

impl House {
    pub fn new(plan: Arc<Dialplan>, lawyers: &[(AgentId, PoolId, Lawyer)], seed: u64) -> Self {
        let realm = sip::Config::new([0; 32]).realm;
        let account = |lawyer: &Lawyer| {
            let password = lawyer.password.as_deref()?;
            Some((lawyer.user.clone(), sip::Account::from_password(&lawyer.user, &realm, password)))
        };
        Self {
            others: [
                wenzhou(|text| {
                    text.replace("max_waiting = ", "max_waiting = 1 # ").replace("\"40s\"", "\"9s\"")
                }),
                wenzhou(|text| text.replace("id = \"wenzhou\"", "id = \"neighbour\"")),
            ],
            plan,
            lawyers: lawyers
                .iter()
                .map(|(id, pool, who)| (*id, pool.clone(), who.password.is_none()))
                .collect(),
            accounts: lawyers.iter().filter_map(|(.., lawyer)| account(lawyer)).collect(),
            prompts: Arc::new(prompts(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../dialplans"))),
            dice: Dice::new(seed ^ 0x4e10ad),
            next_reload: None,
        }
    }

    pub fn as_it_opens(&self) -> Snapshot {
        let lawyers = self.lawyers.iter();
        let agents =
            lawyers.map(|(id, pool, is_mobile)| (*id, agent(*id, self.plan.region(), [pool], *is_mobile)));
        Snapshot {
            rosters: Vec::new(),
            agents: agents.collect(),
            dialplans: vec![Arc::clone(&self.plan)],
            accounts: self.accounts.clone(),
            prompts: Arc::clone(&self.prompts),
        }
    }

    /// From time to time everything is different.
    pub fn reload(&mut self, now: Timestamp) -> Option<Snapshot> {
        let due = *self.next_reload.get_or_insert(now + Duration::from_secs(60));
        if now < due {
            return None;
        }
        self.next_reload = Some(now + Duration::from_secs(1 + self.dice.below(900)));
        let [busier, neighbour] = &self.others;
        let dialplans: Vec<Arc<Dialplan>> = match self.dice.below(5) {
            0 | 1 => vec![Arc::clone(&self.plan)],
            2 => vec![Arc::clone(busier)],
            3 => vec![Arc::clone(neighbour)],
            _ => vec![Arc::clone(&self.plan), Arc::clone(neighbour)],
        };
        let mut agents = BTreeMap::new();
        for index in 0..self.lawyers.len() {
            if self.dice.below(10) == 0 {
                continue;
            }
            let helps_out = &self.lawyers[self.dice.below(self.lawyers.len() as u64) as usize].1;
            let (id, pool, is_mobile) = &self.lawyers[index];
            let region = dialplans[self.dice.below(dialplans.len() as u64) as usize].region();
            agents.insert(*id, agent(*id, region, [pool, helps_out], *is_mobile));
        }
        let mut accounts = self.accounts.clone();
        accounts.retain(|_, _| self.dice.below(50) > 0);
        Some(Snapshot {
            dialplans,
            agents,
            rosters: Vec::new(),
            accounts,
            prompts: Arc::clone(&self.prompts),
        })
    }
}

fn agent<'p>(
    id: AgentId,
    region: &domain::RegionId,
    pools: impl IntoIterator<Item = &'p PoolId>,
    is_mobile: bool,
) -> switch::Agent {
    let pools = pools.into_iter().map(|pool| (pool.clone(), acd::Membership::default())).collect();
    let (region, skills, user) = (region.clone(), acd::Skills::new(), id.to_string());
    // Who has no password does not register and is rung on a mobile.
    let mobile = is_mobile.then(|| switch::Mobile {
        number: Pii::new(user.clone()),
        trunk: "trunk".into(),
        caller_id: "12348".to_owned(),
    });
    switch::Agent { region, pools, skills, user, contact: None, mobile }
}

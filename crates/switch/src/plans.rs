//! The dialplans that calls walk, each with the recordings that belong to it: what a call began with it ends
//! with, whatever new calls get meanwhile.

use crate::Prompts;
use dialplan::Dialplan;
use domain::PlanVersion;
use std::collections::BTreeMap;
use std::sync::Arc;

#[derive(Default)]
pub(crate) struct Plans {
    walked: BTreeMap<PlanVersion, Walked>,
}

struct Walked {
    plan: Arc<Dialplan>,
    prompts: Arc<Prompts>,
    /// Never zero.
    calls: usize,
}

impl Plans {
    pub(crate) fn enter(&mut self, plan: &Arc<Dialplan>, prompts: &Arc<Prompts>) {
        let new = || Walked { plan: Arc::clone(plan), prompts: Arc::clone(prompts), calls: 0 };
        self.walked.entry(plan.version().clone()).or_insert_with(new).calls += 1;
    }

    /// The last call of a dialplan takes it along.
    pub(crate) fn leave(&mut self, version: &PlanVersion) {
        if let Some(walked) = self.walked.get_mut(version) {
            walked.calls -= 1;
            if walked.calls == 0 {
                self.walked.remove(version);
            }
        }
    }

    /// A dialplan that stays may have been given other recordings of the same names.
    pub(crate) fn renew(&mut self, plan: &Dialplan, prompts: &Arc<Prompts>) {
        if let Some(walked) = self.walked.get_mut(plan.version()) {
            walked.prompts = Arc::clone(prompts);
        }
    }

    pub(crate) fn plan(&self, version: &PlanVersion) -> Option<&Dialplan> {
        self.walked.get(version).map(|walked| &*walked.plan)
    }

    pub(crate) fn prompt(&self, version: &PlanVersion, name: &str) -> Option<&Arc<[u8]>> {
        self.walked.get(version)?.prompts.get(name)
    }

    /// How many calls walk each.
    pub(crate) fn counts(&self) -> BTreeMap<&PlanVersion, usize> {
        self.walked.iter().map(|(version, walked)| (version, walked.calls)).collect()
    }
}

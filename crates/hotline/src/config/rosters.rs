//! Rosters: who is on duty when.

use super::Agent;
use super::read::read_text;
use dialplan::doc::Section;
use dialplan::{Checked, Date, Dialplan, Lawyer, Problem, Roster, RosterContext, Staff};
use domain::AgentId;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

/// Reads the roster `path` of the region of one of `dialplans`. Without `staff`, lawyers go unchecked.
///
/// # Errors
/// Every problem of the file, warnings too; there is at least one error among them.
pub fn read_roster(
    path: &Path,
    dialplans: &[Arc<Dialplan>],
    staff: Option<&Staff>,
    today: Date,
) -> Result<Checked<Roster>, Vec<Problem>> {
    let file = path.display().to_string();
    let text = read_text(path, &file, 1)?;
    Roster::parse(&file, &text, &RosterContext { dialplans, staff, today })
}

pub fn staff(agents: &BTreeMap<AgentId, Agent>) -> Staff {
    let lawyer = |agent: &Agent| Lawyer {
        region: agent.region.clone(),
        pools: agent.pools.keys().cloned().collect(),
        has_mobile: agent.mobile.is_some(),
    };
    agents.iter().map(|(id, agent)| (*id, lawyer(agent))).collect()
}

/// `rosters = ["wenzhou.toml"]`, at most one a region.
pub(super) fn read_rosters(
    root: &Section<'_>,
    folder: &Path,
    dialplans: &[Arc<Dialplan>],
    agents: &BTreeMap<AgentId, Agent>,
    today: Date,
    others: &mut Vec<Problem>,
) -> Vec<Arc<Roster>> {
    let mut rosters: Vec<Arc<Roster>> = Vec::new();
    let paths = root.list_or_empty("rosters");
    if dialplans.is_empty() {
        // Which was told, and without dialplans no roster can be read.
        return rosters;
    }
    let staff = staff(agents);
    for path in paths {
        match read_roster(&folder.join(&path.value), dialplans, Some(&staff), today) {
            Ok(Checked { value, .. }) if rosters.iter().any(|other| other.region() == value.region()) => {
                let what = format!("two rosters are for the region {}", value.region());
                root.doc().problem(path.line, what, "keep one of them");
            }
            Ok(Checked { value, mut warnings }) => {
                others.append(&mut warnings);
                rosters.push(Arc::new(value));
            }
            Err(mut problems) => others.append(&mut problems),
        }
    }
    rosters
}

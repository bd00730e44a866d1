//! Which agents can serve which calls, so that a decision never looks at one agent after another.
//!
//! There are few needs: as many as the dialplans have queues, times the steps that relax them. Agents who fit
//! all of them equally well are one class, and pools keep their agents by class.

use crate::message::{Need, Skills};
use std::collections::BTreeMap;

/// A need that some call has had since the last configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct NeedIx(u32);

/// Agents who are the same to every call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Class(u32);

/// By need: the levels that are lacking in what is wished for, or [`UNFIT`].
type Row = Box<[u8]>;
const UNFIT: u8 = u8::MAX;
const LACKING_MAX: u8 = UNFIT - 1;

#[derive(Clone, Debug, Default)]
pub(crate) struct Fits {
    needs: Vec<Need>,
    by_need: BTreeMap<Need, NeedIx>,
    rows: Vec<Row>,
    by_row: BTreeMap<Row, Class>,
}

impl Fits {
    pub(crate) fn known(&self, need: &Need) -> Option<NeedIx> {
        self.by_need.get(need).copied()
    }

    /// Classes found before are void after this.
    pub(crate) fn learn(&mut self, need: Need) -> NeedIx {
        let index = NeedIx(self.needs.len() as u32);
        self.by_need.insert(need.clone(), index);
        self.needs.push(need);
        self.rows.clear();
        self.by_row.clear();
        index
    }

    pub(crate) fn need(&self, index: NeedIx) -> Option<&Need> {
        self.needs.get(index.0 as usize)
    }

    pub(crate) fn class(&mut self, skills: &Skills) -> Class {
        let row: Row = self.needs.iter().map(|need| fit(need, skills)).collect();
        if let Some(&class) = self.by_row.get(&row) {
            return class;
        }
        let class = Class(self.rows.len() as u32);
        self.rows.push(row.clone());
        self.by_row.insert(row, class);
        class
    }

    /// How many levels agents of that class lack in what is wished for; `None` if they cannot serve.
    pub(crate) fn lacking(&self, class: Class, need: NeedIx) -> Option<u8> {
        let row = self.rows.get(class.0 as usize)?;
        row.get(need.0 as usize).copied().filter(|&lacking| lacking != UNFIT)
    }
}

fn fit(need: &Need, skills: &Skills) -> u8 {
    let level = |skill| skills.get(skill).copied().unwrap_or(0);
    if need.required.iter().any(|(skill, &wanted)| level(skill) < wanted) {
        return UNFIT;
    }
    let lacking = need.wished.iter().map(|(skill, &wanted)| u32::from(wanted.saturating_sub(level(skill))));
    u8::try_from(lacking.sum::<u32>()).unwrap_or(LACKING_MAX).min(LACKING_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::SkillId;

    fn skills(levels: &[(&str, u8)]) -> Skills {
        levels.iter().map(|&(skill, level)| (SkillId::new(skill), level)).collect()
    }

    #[test]
    fn agents_who_fit_all_needs_equally_are_one_class() {
        let mut fits = Fits::default();
        let need = Need { required: skills(&[("yi", 5)]), wished: skills(&[("labour", 8)]) };
        let ix = fits.learn(need.clone());
        assert_eq!(fits.known(&need), Some(ix));
        let mut lacking = |levels: &[(&str, u8)]| {
            let class = fits.class(&skills(levels));
            (class, fits.lacking(class, ix))
        };
        assert_eq!(lacking(&[("yi", 4), ("labour", 10)]).1, None);
        assert_eq!(lacking(&[]).0, lacking(&[("yi", 4)]).0);
        assert_eq!(lacking(&[("yi", 5)]).1, Some(8));
        assert_eq!(lacking(&[("yi", 9), ("labour", 6)]), lacking(&[("yi", 5), ("labour", 6), ("sea", 1)]));
        assert_eq!(lacking(&[("yi", 9), ("labour", 10)]).1, Some(0));
    }

    #[test]
    fn what_lacks_more_than_can_be_counted_still_fits() {
        let wished: Skills = (0..40).map(|n| (SkillId::new(&format!("s{n}")), 10)).collect();
        let mut fits = Fits::default();
        let ix = fits.learn(Need { required: Skills::new(), wished });
        let class = fits.class(&Skills::new());
        assert_eq!(fits.lacking(class, ix), Some(LACKING_MAX));
    }
}

//! Which agents can serve which calls, so that a decision never looks at one agent after another.
//!
//! There are few needs: as many as the dialplans have queues, times the steps that relax them. Agents who fit
//! all of them equally well are one class, and pools keep their agents by class.

use crate::message::{Need, Skills};
use domain::SkillId;
use std::collections::{BTreeMap, BTreeSet};

/// A need that some call has had.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct NeedIx(u32);

/// Agents who are the same to every call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Class(u32);

/// An agent's levels in the skills that somebody has, in their order.
pub(crate) type Levels = Box<[u8]>;

/// How many levels are lacking in what is wished for, or [`UNFIT`].
type Fit = u8;
const UNFIT: Fit = Fit::MAX;
const LACKING_MAX: Fit = UNFIT - 1;

#[derive(Clone, Debug, Default)]
pub(crate) struct Fits {
    /// Those that somebody has.
    skills: BTreeMap<SkillId, usize>,
    needs: Vec<Need>,
    by_need: BTreeMap<Need, NeedIx>,
    /// By need, then by class.
    fits: Vec<Vec<Fit>>,
    class_count: u32,
}

impl Fits {
    /// Other agents, of whom nothing is known yet: say who they are with [`Fits::sort`].
    pub(crate) fn restart<'a>(&mut self, skills: impl Iterator<Item = &'a Skills>) {
        let all: BTreeSet<&SkillId> = skills.flat_map(BTreeMap::keys).collect();
        self.skills = all.into_iter().cloned().zip(0..).collect();
    }

    /// Of the same agents, and without needs.
    pub(crate) fn without_needs(&self) -> Self {
        Self { skills: self.skills.clone(), ..Self::default() }
    }

    pub(crate) fn levels(&self, skills: &Skills) -> Levels {
        let mut levels = vec![0; self.skills.len()].into_boxed_slice();
        for (skill, &level) in skills {
            if let Some(&index) = self.skills.get(skill) {
                levels[index] = level;
            }
        }
        levels
    }

    pub(crate) fn known(&self, need: &Need) -> Option<NeedIx> {
        self.by_need.get(need).copied()
    }

    pub(crate) fn needs(&self) -> &[Need] {
        &self.needs
    }

    pub(crate) fn need(&self, index: NeedIx) -> Option<&Need> {
        self.needs.get(index.0 as usize)
    }

    /// True if anybody's class is another now.
    pub(crate) fn learn(&mut self, need: Need, agents: &mut [(&mut Class, &Levels)]) -> (NeedIx, bool) {
        let index = NeedIx(self.needs.len() as u32);
        let measure = self.measure(&need);
        self.by_need.insert(need.clone(), index);
        self.needs.push(need);
        (index, self.part(&measure, agents))
    }

    /// Finds everybody's class anew.
    pub(crate) fn sort(&mut self, agents: &mut [(&mut Class, &Levels)]) {
        self.fits.clear();
        self.class_count = 1;
        agents.iter_mut().for_each(|(class, _)| **class = Class::default());
        let measures: Vec<Measure> = self.needs.iter().map(|need| self.measure(need)).collect();
        for measure in measures {
            self.part(&measure, agents);
        }
    }

    /// Parts the agents of each class who do not fit the need equally.
    fn part(&mut self, measure: &Measure, agents: &mut [(&mut Class, &Levels)]) -> bool {
        let mut of_class: Vec<Option<Fit>> = vec![None; self.class_count as usize];
        let mut parted = BTreeMap::new();
        for (class, levels) in agents {
            let fit = measure.fit(levels);
            if *of_class[class.0 as usize].get_or_insert(fit) != fit {
                let next = Class(self.class_count + parted.len() as u32);
                **class = *parted.entry((**class, fit)).or_insert(next);
            }
        }
        self.class_count += parted.len() as u32;
        let mut by_number: Vec<(Class, Class, Fit)> =
            parted.into_iter().map(|((from, fit), class)| (class, from, fit)).collect();
        by_number.sort_unstable();
        for &(_, from, _) in &by_number {
            self.fits.iter_mut().for_each(|fits| fits.push(fits[from.0 as usize]));
        }
        let mut fits: Vec<Fit> = of_class.into_iter().map(|fit| fit.unwrap_or(UNFIT)).collect();
        fits.extend(by_number.iter().map(|&(.., fit)| fit));
        self.fits.push(fits);
        !by_number.is_empty()
    }

    /// How many levels agents of that class lack in what is wished for; `None` if they cannot serve.
    pub(crate) fn lacking(&self, class: Class, need: NeedIx) -> Option<u8> {
        let fits = self.fits.get(need.0 as usize)?;
        fits.get(class.0 as usize).copied().filter(|&fit| fit != UNFIT)
    }

    fn measure(&self, need: &Need) -> Measure {
        let by_index = |skills: &Skills| {
            skills.iter().map(|(skill, &level)| (self.skills.get(skill).copied(), level)).collect()
        };
        Measure { required: by_index(&need.required), wished: by_index(&need.wished) }
    }
}

/// A need in terms of [`Levels`]. Nobody has a skill without a number.
struct Measure {
    required: Vec<(Option<usize>, u8)>,
    wished: Vec<(Option<usize>, u8)>,
}

impl Measure {
    fn fit(&self, levels: &Levels) -> Fit {
        let lacks = |&(skill, wanted): &(Option<usize>, u8)| {
            let level = skill.and_then(|index| levels.get(index)).copied().unwrap_or(0);
            u32::from(wanted.saturating_sub(level))
        };
        if self.required.iter().any(|required| lacks(required) > 0) {
            return UNFIT;
        }
        let lacking = self.wished.iter().map(lacks).sum::<u32>();
        Fit::try_from(lacking).unwrap_or(LACKING_MAX).min(LACKING_MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn skills(levels: &[(&str, u8)]) -> Skills {
        levels.iter().map(|&(skill, level)| (SkillId::new(skill), level)).collect()
    }

    /// The class of each, and what it lacks.
    fn learn(needs: &[Need], agents: &[Skills]) -> Vec<(Class, Vec<Option<u8>>)> {
        let mut fits = Fits::default();
        fits.restart(agents.iter());
        let mut known: Vec<(Class, Levels)> =
            agents.iter().map(|skills| (Class::default(), fits.levels(skills))).collect();
        let mut borrowed: Vec<(&mut Class, &Levels)> =
            known.iter_mut().map(|(class, levels)| (class, &*levels)).collect();
        fits.sort(&mut borrowed);
        let mut learn = |need: &Need| {
            let (ix, _) = fits.learn(need.clone(), &mut borrowed);
            assert_eq!(fits.known(need), Some(ix));
            ix
        };
        let needs: Vec<NeedIx> = needs.iter().map(&mut learn).collect();
        let of_each = |fits: &Fits, known: &[(Class, Levels)]| {
            let lacking = |class| needs.iter().map(|&need| fits.lacking(class, need)).collect();
            known.iter().map(|&(class, _)| (class, lacking(class))).collect()
        };
        let learned: Vec<(Class, Vec<Option<u8>>)> = of_each(&fits, &known);
        // Learned one after the other or all again at once, it is the same.
        fits.sort(&mut known.iter_mut().map(|(class, levels)| (class, &*levels)).collect::<Vec<_>>());
        assert_eq!(of_each(&fits, &known), learned);
        learned
    }

    #[test]
    fn agents_who_fit_all_needs_equally_are_one_class() {
        let needs = [
            Need { required: skills(&[("yi", 5)]), wished: skills(&[("labour", 8)]) },
            Need { required: skills(&[("labour", 6)]), wished: Skills::new() },
            Need { required: skills(&[("sea", 1)]), wished: Skills::new() },
        ];
        let agents = [
            skills(&[]),
            skills(&[("yi", 4), ("labour", 5)]),
            skills(&[("yi", 4), ("labour", 10)]),
            skills(&[("yi", 5)]),
            skills(&[("yi", 9), ("labour", 6)]),
            skills(&[("yi", 5), ("labour", 6), ("land", 1)]),
            skills(&[("yi", 9), ("labour", 10)]),
        ];
        let learned = learn(&needs, &agents);
        let lacking: Vec<&[Option<u8>]> = learned.iter().map(|(_, lacking)| lacking.as_slice()).collect();
        assert_eq!(
            lacking,
            [
                [None, None, None],
                [None, None, None],
                [None, Some(0), None],
                [Some(8), None, None],
                [Some(2), Some(0), None],
                [Some(2), Some(0), None],
                [Some(0), Some(0), None],
            ]
        );
        let classes: BTreeSet<Class> = learned.iter().map(|&(class, _)| class).collect();
        assert_eq!(classes.len(), 5);
        assert_eq!((learned[0].0, learned[4].0), (learned[1].0, learned[5].0));
    }

    #[test]
    fn what_lacks_more_than_can_be_counted_still_fits() {
        let wished: Skills = (0..40).map(|n| (SkillId::new(&format!("s{n}")), 10)).collect();
        let learned = learn(&[Need { required: Skills::new(), wished }], &[Skills::new()]);
        assert_eq!(learned, [(Class::default(), vec![Some(LACKING_MAX)])]);
    }
}

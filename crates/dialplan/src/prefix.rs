//! Whose number this is: the longest prefix decides, among a million of them.
//!
//! All prefixes lie in one sorted array, each packed into eight bytes. The longest prefix of a number is the
//! last entry that is not greater than the number, or one of the entries which that one extends; those are
//! linked. So a look-up is one binary search and a few steps. Where a lump of the array begins is kept apart as
//! well, in so little memory that the first half of the search stays within the processor's cache. A prefix
//! takes 20 bytes.

use domain::CountyId;
use std::collections::BTreeSet;

/// Characters of a prefix, a plus sign included. No number in the world is longer.
pub(crate) const PREFIX_CHARS_MAX: usize = 16;
const BITS: u32 = 4;
const NO_PARENT: u32 = u32::MAX;
/// Entries.
const LUMP: usize = 64;

/// Prefixes of normalised numbers and the counties that they belong to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct PrefixTable {
    /// Sorted by key, each key there once.
    slots: Box<[Slot]>,
    /// The key of the first of each [`LUMP`] slots.
    lumps: Box<[u64]>,
    /// As many as slots, and apart from them, for only an explanation asks.
    origins: Box<[u32]>,
    /// What places count in.
    counties: Box<[CountyId]>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Slot {
    key: u64,
    /// The longest other prefix that this one extends.
    parent: u32,
    place: u16,
}

/// A prefix before the table is built.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Entry {
    pub(crate) key: u64,
    pub(crate) origin: Origin,
    /// In the list of counties.
    pub(crate) place: u16,
}

/// Where a prefix was named, with its line, counted from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Origin {
    /// In `caller_prefixes` of its county.
    County(u32),
    /// In `[area_codes]`.
    AreaCode(u32),
    /// In the table of `[tables]`.
    Table(u32),
}

/// An entry whose prefix another one, `first`, has too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Clash {
    pub(crate) first: Entry,
    pub(crate) second: Entry,
}

/// The prefix that decided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Found<'t> {
    pub(crate) county: &'t CountyId,
    pub(crate) key: u64,
    origin: &'t u32,
}

impl Found<'_> {
    pub(crate) const fn origin(&self) -> Origin {
        Origin::unpack(*self.origin)
    }
}

impl PrefixTable {
    /// Of entries with the same prefix the first stays; the others come back.
    pub(crate) fn build(mut entries: Vec<Entry>, counties: Vec<CountyId>) -> (Self, Vec<Clash>) {
        entries.sort_unstable();
        let mut clashes = Vec::new();
        entries.dedup_by(|second, first| {
            let is_same = second.key == first.key;
            if is_same {
                clashes.push(Clash { first: *first, second: *second });
            }
            is_same
        });
        let mut slots = Vec::with_capacity(entries.len());
        let mut path: Vec<u32> = Vec::new();
        for (i, entry) in entries.iter().enumerate() {
            while path.last().is_some_and(|parent| !is_prefix(entries[*parent as usize].key, entry.key)) {
                path.pop();
            }
            let parent = path.last().copied().unwrap_or(NO_PARENT);
            slots.push(Slot { key: entry.key, parent, place: entry.place });
            path.push(i as u32);
        }
        let lumps = slots.iter().step_by(LUMP).map(|slot: &Slot| slot.key).collect();
        let origins = entries.iter().map(|entry| entry.origin.pack()).collect();
        let table = Self { slots: slots.into(), lumps, origins, counties: counties.into() };
        (table, clashes)
    }

    /// The longest prefix of `number`.
    pub(crate) fn find(&self, number: &str) -> Option<Found<'_>> {
        let number = pack(number);
        let lump = self.lumps.partition_point(|key| *key <= number).checked_sub(1)? * LUMP;
        let lump_end = self.slots.len().min(lump + LUMP);
        let mut at = lump + self.slots[lump..lump_end].partition_point(|slot| slot.key <= number) - 1;
        while !is_prefix(self.slots[at].key, number) {
            at = self.parent(at)?;
        }
        Some(self.found(at))
    }

    /// Prefixes that say nothing new: each with the shorter one, which leads to the same county.
    pub(crate) fn repeated(&self) -> impl Iterator<Item = (Found<'_>, Found<'_>)> {
        (0..self.slots.len()).filter_map(|at| {
            let parent = self.parent(at)?;
            (self.slots[at].place == self.slots[parent].place).then(|| (self.found(at), self.found(parent)))
        })
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = Found<'_>> {
        (0..self.slots.len()).map(|at| self.found(at))
    }

    pub(crate) fn counties(&self) -> BTreeSet<&CountyId> {
        let places: BTreeSet<u16> = self.slots.iter().map(|slot| slot.place).collect();
        places.into_iter().map(|place| &self.counties[usize::from(place)]).collect()
    }

    fn parent(&self, at: usize) -> Option<usize> {
        let parent = self.slots[at].parent;
        (parent != NO_PARENT).then_some(parent as usize)
    }

    fn found(&self, at: usize) -> Found<'_> {
        Found {
            county: &self.counties[usize::from(self.slots[at].place)],
            key: self.slots[at].key,
            origin: &self.origins[at],
        }
    }
}

impl Origin {
    #[must_use]
    pub const fn line(self) -> u32 {
        match self {
            Self::County(line) | Self::AreaCode(line) | Self::Table(line) => line,
        }
    }

    const fn pack(self) -> u32 {
        let kind = match self {
            Self::County(_) => 0,
            Self::AreaCode(_) => 1,
            Self::Table(_) => 2,
        };
        self.line() << 2 | kind
    }

    const fn unpack(packed: u32) -> Self {
        let line = packed >> 2;
        match packed & 3 {
            0 => Self::County(line),
            1 => Self::AreaCode(line),
            _ => Self::Table(line),
        }
    }
}

/// The number's beginning, four bits a character, the first one highest: packed numbers sort as their texts
/// do. What is no digit ends it.
pub(crate) fn pack(number: &str) -> u64 {
    let mut key = 0;
    let mut shift = u64::BITS;
    for byte in number.bytes().take(PREFIX_CHARS_MAX) {
        let code = match byte {
            b'+' => 1,
            b'0'..=b'9' => u64::from(byte - b'0') + 2,
            _ => break,
        };
        shift -= BITS;
        key |= code << shift;
    }
    key
}

pub(crate) fn unpack(key: u64) -> String {
    let codes = (1..=PREFIX_CHARS_MAX as u32).map(|i| (key >> (u64::BITS - BITS * i) & 0xF) as u8);
    codes
        .take_while(|code| *code > 0)
        .map(|code| if code == 1 { '+' } else { char::from(b'0' + code - 2) })
        .collect()
}

/// Whether the text of `prefix` begins that of `number`.
fn is_prefix(prefix: u64, number: u64) -> bool {
    let unused_bits = prefix.trailing_zeros() / BITS * BITS;
    // An empty prefix leaves all 64 bits unused.
    prefix == number.checked_shr(unused_bits).and_then(|kept| kept.checked_shl(unused_bits)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use proptest::test_runner::RngSeed;
    use std::collections::BTreeMap;

    fn table(prefixes: &[&str]) -> (PrefixTable, Vec<Clash>) {
        let counties = prefixes.iter().map(|prefix| CountyId::new(prefix)).collect();
        let entry = |(i, prefix): (usize, &&str)| Entry {
            key: pack(prefix),
            origin: Origin::Table(i as u32 + 1),
            place: i as u16,
        };
        PrefixTable::build(prefixes.iter().enumerate().map(entry).collect(), counties)
    }

    #[test]
    fn a_packed_number_is_its_first_sixteen_characters() {
        for number in ["", "0", "05778800", "+85223456789", "1234567890123456"] {
            assert_eq!(unpack(pack(number)), number);
        }
        assert_eq!(unpack(pack("12345678901234567")), "1234567890123456");
        assert_eq!(unpack(pack("0577张三")), "0577");
    }

    #[test]
    fn the_first_of_two_equal_prefixes_stays() {
        let (table, clashes) = table(&["0577", "1390", "0577"]);
        assert_eq!(table.find("057788001234").unwrap().origin(), Origin::Table(1));
        let lines: Vec<_> = clashes.iter().map(|c| (c.first.origin.line(), c.second.origin.line())).collect();
        assert_eq!(lines, [(1, 3)]);
    }

    #[test]
    fn an_empty_table_knows_nobody() {
        assert_eq!(table(&[]).0.find("0577"), None);
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, rng_seed: RngSeed::Fixed(12_348), ..ProptestConfig::with_cases(500) })]

        #[test]
        fn the_longest_prefix_is_found_as_by_trying_all(
            prefixes in prop::collection::btree_set("[+]?[0-2]{1,6}", 0..60),
            numbers in prop::collection::vec("[+]?[0-2]{0,8}", 1..40),
        ) {
            let prefixes: Vec<&str> = prefixes.iter().map(String::as_str).collect();
            let model: BTreeMap<&str, usize> = prefixes.iter().enumerate().map(|(i, prefix)| (*prefix, i)).collect();
            let (table, clashes) = table(&prefixes);
            prop_assert!(clashes.is_empty());
            for number in &numbers {
                let longest = (0..=number.len()).rev().find_map(|len| model.get(&number[..len]));
                let found = table.find(number).map(|found| found.county.to_string());
                prop_assert_eq!(found.as_deref(), longest.map(|i| prefixes[*i]));
            }
        }
    }
}

use std::fmt;

/// One thing wrong with a file, for the person who has to mend it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    pub file: String,
    /// Counted from 1.
    pub line: usize,
    /// What is wrong.
    pub what: String,
    /// What would be right.
    pub remedy: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}; {}", self.file, self.line, self.what, self.remedy)
    }
}

impl std::error::Error for Problem {}

/// The name that was probably meant: the closest of `known`, if one is close enough to be a slip.
pub fn nearest<'k>(name: &str, known: impl IntoIterator<Item = &'k str>) -> Option<&'k str> {
    let limit = (name.chars().count() / 3).max(2);
    known
        .into_iter()
        .map(|candidate| (distance(name, candidate), candidate))
        .filter(|(distance, candidate)| *distance <= limit && *distance < candidate.chars().count())
        .min()
        .map(|(_, candidate)| candidate)
}

/// Levenshtein's distance: how many characters must be put in, taken out or changed.
fn distance(from: &str, to: &str) -> usize {
    let to: Vec<char> = to.chars().collect();
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (above, a) in from.chars().enumerate() {
        let mut diagonal = above;
        row[0] = above + 1;
        for (i, b) in to.iter().enumerate() {
            let change = diagonal + usize::from(a != *b);
            diagonal = row[i + 1];
            row[i + 1] = change.min(row[i] + 1).min(diagonal + 1);
        }
    }
    row[to.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_is_recognised_and_a_stranger_is_not() {
        let check = |name: &str, expect: Option<&str>| {
            assert_eq!(nearest(name, ["ring_timeout", "wrap_up", "city"]), expect, "{name}");
        };
        check("ring_timout", Some("ring_timeout"));
        check("wrapup", Some("wrap_up"));
        check("ctiy", Some("city"));
        check("volume", None);
        check("", None);
    }
}

use std::fmt;

/// One thing wrong with a file, for the person who has to mend it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    pub file: String,
    /// Counted from 1.
    pub line: usize,
    pub severity: Severity,
    /// What is wrong.
    pub what: String,
    /// What would be right.
    pub remedy: String,
}

/// Whether a file can be used in spite of a problem.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// It cannot: the file is refused as a whole.
    Error,
    /// It can, and probably does not do what was meant.
    Warning,
}

/// What was read without an error, and what is odd about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checked<T> {
    pub value: T,
    /// In the order of the file.
    pub warnings: Vec<Problem>,
}

impl Problem {
    pub fn error(
        file: impl Into<String>,
        line: usize,
        what: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        let (file, what, remedy) = (file.into(), what.into(), remedy.into());
        Self { file, line, severity: Severity::Error, what, remedy }
    }

    pub fn warning(
        file: impl Into<String>,
        line: usize,
        what: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        Self { severity: Severity::Warning, ..Self::error(file, line, what, remedy) }
    }

    #[must_use]
    pub const fn is_error(&self) -> bool {
        matches!(self.severity, Severity::Error)
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = if self.is_error() { "" } else { "warning: " };
        write!(f, "{}:{}: {kind}{}; {}", self.file, self.line, self.what, self.remedy)
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

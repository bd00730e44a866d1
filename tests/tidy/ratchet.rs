//! Limits on length, and the list of what is still longer: `ratchet.txt`, which may only shrink.
//!
//! A line of the list is `path function lines`, with `*` for the file as a whole.

use crate::code::{Language, functions, tokens};
use crate::repo::SourceFile;
use std::collections::BTreeMap;

const FUNCTION_LINES_MAX: usize = 70;
const FILE_LINES_MAX: usize = 800;
const WHOLE_FILE: &str = "*";

/// Lines by (path, function).
pub type Lengths = BTreeMap<(String, String), usize>;

pub fn parse(list: &str) -> Lengths {
    let mut lengths = Lengths::new();
    for line in list.lines().filter(|line| !line.trim().is_empty() && !line.starts_with('#')) {
        let parts: Vec<&str> = line.split_whitespace().collect();
        let &[path, function, lines] = parts.as_slice() else {
            panic!("ratchet.txt: not three words: {line}")
        };
        let lines = lines.parse().unwrap_or_else(|_| panic!("ratchet.txt: not a number: {line}"));
        lengths.insert((path.to_owned(), function.to_owned()), lines);
    }
    lengths
}

/// The length of every file and of every function in it; of two with one name, the longer.
pub fn measure(files: &[SourceFile]) -> Lengths {
    let mut lengths = Lengths::new();
    for file in files.iter().filter(|file| !is_generated(&file.text)) {
        lengths.insert((file.path.clone(), WHOLE_FILE.to_owned()), file.text.lines().count());
        let language = if file.path.ends_with(".rs") { Language::Rust } else { Language::Script };
        let text = if file.path.ends_with(".vue") { script_of(&file.text) } else { &file.text };
        for function in functions(language, &tokens(language, text)) {
            let longest = lengths.entry((file.path.clone(), function.name.to_owned())).or_default();
            *longest = function.lines.max(*longest);
        }
    }
    lengths
}

/// What is too long and not on the list, and what the list allows without need.
pub fn judge(allowed: &Lengths, found: &Lengths) -> Vec<String> {
    let mut problems = Vec::new();
    for ((path, function), &lines) in found {
        let limit = if function == WHOLE_FILE { FILE_LINES_MAX } else { FUNCTION_LINES_MAX };
        match allowed.get(&(path.clone(), function.clone())) {
            None if lines > limit => {
                problems.push(format!("{path} {function}: {lines} lines, at most {limit}"));
            }
            Some(&entry) if lines > entry => {
                problems
                    .push(format!("{path} {function}: {lines} lines, and it may only shrink from {entry}"));
            }
            Some(_) if lines <= limit => {
                problems
                    .push(format!("{path} {function}: short enough now; take its line out of ratchet.txt"));
            }
            Some(&entry) if lines < entry => {
                problems
                    .push(format!("{path} {function}: {lines} lines now; lower its {entry} in ratchet.txt"));
            }
            None | Some(_) => {}
        }
    }
    for (path, function) in allowed.keys().filter(|key| !found.contains_key(key)) {
        problems.push(format!("{path} {function}: no longer there; take its line out of ratchet.txt"));
    }
    problems
}

/// Made by a program that says so in the first line.
fn is_generated(text: &str) -> bool {
    text.lines().next().is_some_and(|line| line.starts_with("//") && line.ends_with("Do not edit."))
}

/// The part of a Vue file between `<script …>` and `</script>`.
fn script_of(text: &str) -> &str {
    let Some(open) = text.find("<script") else { return "" };
    let begin = text[open..].find('>').map_or(text.len(), |at| open + at + 1);
    let end = text.rfind("</script>").unwrap_or(text.len());
    text.get(begin..end).unwrap_or("")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lengths(lines: usize) -> Lengths {
        Lengths::from([(("a.rs".to_owned(), "f".to_owned()), lines)])
    }

    #[test]
    fn the_list_may_only_shrink() {
        let check = |allowed: &str, lines: usize, expect: &str| {
            let said = judge(&parse(allowed), &lengths(lines)).join("; ");
            assert!(
                said.contains(expect) && said.is_empty() == expect.is_empty(),
                "{said:?} is not {expect:?}"
            );
        };
        check("", 70, "");
        check("", 71, "at most 70");
        check("a.rs f 80", 80, "");
        check("a.rs f 80", 81, "may only shrink from 80");
        check("a.rs f 80", 79, "lower its 80");
        check("a.rs f 80", 70, "take its line out");
        check("# why\na.rs g 80", 70, "no longer there");
    }

    #[test]
    fn a_vue_file_is_measured_by_its_script() {
        let text = "<script setup lang=\"ts\">\nfunction f() {\n}\n</script>\n<template/>".to_owned();
        let found = measure(&[SourceFile { path: "a.vue".to_owned(), text }]);
        assert_eq!(found[&("a.vue".to_owned(), "f".to_owned())], 2);
        assert_eq!(found[&("a.vue".to_owned(), WHOLE_FILE.to_owned())], 5);
    }
}

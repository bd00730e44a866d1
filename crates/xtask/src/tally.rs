//! Counts tests by what their runners print, and remembers what went wrong.
//!
//! A test that is ignored or skipped counts as failed: a test that does not run proves nothing.

use serde_json::Value;
use std::fmt;

#[derive(Debug, Default, PartialEq, Eq)]
pub struct Tally {
    pub passed: u64,
    pub failed: u64,
    /// One line for each thing that failed, in order.
    pub failures: Vec<String>,
}

impl Tally {
    /// A stage without tests of its own, such as clippy: one test.
    pub fn stage(&mut self, name: &str, done: anyhow::Result<()>) {
        match done {
            Ok(()) => self.passed += 1,
            Err(error) => self.fail(1, format!("{name}: {error:#}")),
        }
    }

    /// A stage that counted by itself. One that ends badly although no test failed (it did not build, it
    /// was killed), or that ran nothing, is one failure.
    pub fn runner(&mut self, name: &str, counted: Self, ended: anyhow::Result<bool>) {
        let quiet = counted.failed == 0;
        let empty = counted.passed == 0 && quiet;
        self.passed += counted.passed;
        self.failed += counted.failed;
        self.failures.extend(counted.failures.into_iter().map(|failure| format!("{name}: {failure}")));
        match ended {
            Err(error) => self.fail(1, format!("{name}: {error:#}")),
            Ok(false) if quiet => self.fail(1, format!("{name}: stopped before its tests ended")),
            Ok(true) if empty => self.fail(1, format!("{name}: ran no test")),
            Ok(_) => {}
        }
    }

    /// A line of `cargo test`.
    pub fn hear_cargo(&mut self, line: &str) {
        if let Some(summary) = line.split("test result: ").nth(1) {
            let count = |word: &str| number_before(summary, word).unwrap_or(0);
            self.passed += count(" passed;");
            self.failed += count(" failed;") + count(" ignored;");
        } else if let Some((name, end)) =
            line.strip_prefix("test ").and_then(|test| test.rsplit_once(" ... "))
            && (end == "FAILED" || end.starts_with("ignored"))
        {
            self.failures.push(format!("{name} ({})", end.to_lowercase()));
        }
    }

    /// A line of node's own test runner, in either of its reporters (`# pass 3`, `ℹ pass 3`).
    pub fn hear_node(&mut self, line: &str) {
        let Some(summary) = line.strip_prefix("# ").or_else(|| line.strip_prefix("ℹ ")) else { return };
        let Some((word, Ok(count))) =
            summary.split_once(' ').map(|(word, count)| (word, count.parse::<u64>()))
        else {
            return;
        };
        match word {
            "pass" => self.passed += count,
            "fail" | "cancelled" | "skipped" | "todo" if count > 0 => {
                self.fail(count, format!("{count} {word}"));
            }
            _ => {}
        }
    }

    /// The report of vitest's JSON reporter (the same as jest's).
    pub fn hear_vitest(&mut self, report: &Value) {
        let count = |key: &str| report[key].as_u64().unwrap_or(0);
        self.passed += count("numPassedTests");
        self.failed += count("numFailedTests") + count("numPendingTests") + count("numTodoTests");
        let files = report["testResults"].as_array().into_iter().flatten();
        for test in files.flat_map(|file| file["assertionResults"].as_array().into_iter().flatten()) {
            if test["status"] != "passed" {
                let text = |key: &str| test[key].as_str().unwrap_or("?").to_owned();
                self.failures.push(format!("{} ({})", text("fullName"), text("status")));
            }
        }
    }

    fn fail(&mut self, count: u64, failure: String) {
        self.failed += count;
        self.failures.push(failure);
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} passed, {} failed", self.passed, self.failed)
    }
}

fn number_before(text: &str, word: &str) -> Option<u64> {
    text[..text.find(word)?].rsplit(' ').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heard(hear: fn(&mut Tally, &str), lines: &[&str]) -> Tally {
        let mut tally = Tally::default();
        lines.iter().for_each(|line| hear(&mut tally, line));
        tally
    }

    #[test]
    fn cargo_is_counted_over_all_its_binaries() {
        let tally = heard(
            Tally::hear_cargo,
            &[
                "running 2 tests",
                "test tests::a ... ok",
                "test tests::b ... FAILED",
                "test result: FAILED. 1 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s",
                "test result: ok. 12 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.01s",
            ],
        );
        assert_eq!(tally.to_string(), "13 passed, 1 failed");
        assert_eq!(tally.failures, ["tests::b (failed)"]);
    }

    #[test]
    fn a_test_that_did_not_run_is_a_failure() {
        let cargo = heard(
            Tally::hear_cargo,
            &[
                "test a ... ignored, slow",
                "test result: ok. 0 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.00s",
            ],
        );
        assert_eq!(cargo.to_string(), "0 passed, 1 failed");
        assert_eq!(cargo.failures, ["a (ignored, slow)"]);
        let node = heard(Tally::hear_node, &["# tests 3", "# pass 2", "# fail 0", "# skipped 1"]);
        assert_eq!(node.to_string(), "2 passed, 1 failed");
    }

    #[test]
    fn vitest_is_counted_by_its_report() {
        let report = serde_json::json!({
            "numPassedTests": 2, "numFailedTests": 1, "numPendingTests": 0, "numTodoTests": 0,
            "testResults": [{ "assertionResults": [
                { "fullName": "a b", "status": "passed" }, { "fullName": "a c", "status": "failed" }
            ] }],
        });
        let mut tally = Tally::default();
        tally.hear_vitest(&report);
        assert_eq!((tally.passed, tally.failed, tally.failures), (2, 1, vec!["a c (failed)".to_owned()]));
    }

    #[test]
    fn a_stage_that_breaks_off_or_runs_nothing_is_a_failure() {
        let check = |counted: Tally, ended: anyhow::Result<bool>, expect: &str| {
            let mut tally = Tally::default();
            tally.runner("x", counted, ended);
            assert_eq!(tally.to_string(), expect);
        };
        let counted = |passed, failed| Tally { passed, failed, failures: Vec::new() };
        check(counted(3, 0), Ok(true), "3 passed, 0 failed");
        check(counted(3, 1), Ok(false), "3 passed, 1 failed");
        check(counted(3, 0), Ok(false), "3 passed, 1 failed");
        check(counted(0, 0), Ok(true), "0 passed, 1 failed");
        check(counted(0, 0), Err(anyhow::anyhow!("no such program")), "0 passed, 1 failed");
    }
}

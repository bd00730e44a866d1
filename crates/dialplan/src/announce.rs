//! What a caller who waits is told, as a row of recordings: 您前面还有 三 位来电者 预计等待 五 分钟.

use crate::plan::{Cursor, Dialplan, Node};
use std::time::Duration;

const NEXT: &str = "wait_next";
const AHEAD: &str = "wait_ahead";
const CALLERS: &str = "wait_callers";
const ABOUT: &str = "wait_about";
const MINUTES: &str = "wait_minutes";
const LONG: &str = "wait_long";
const TWO_OF: &str = "number_2_of";
const TEN: &str = "number_10";
const DIGITS: [&str; 10] = [
    "number_0", "number_1", "number_2", "number_3", "number_4", "number_5", "number_6", "number_7",
    "number_8", "number_9",
];

/// All of them.
pub(crate) const RECORDINGS: [&str; 18] = [
    NEXT, AHEAD, CALLERS, ABOUT, MINUTES, LONG, TWO_OF, TEN, DIGITS[0], DIGITS[1], DIGITS[2], DIGITS[3],
    DIGITS[4], DIGITS[5], DIGITS[6], DIGITS[7], DIGITS[8], DIGITS[9],
];

/// A longer wait is only said to be long, and a longer line too.
const MINUTES_MAX: u64 = 60;
const AHEAD_MAX: usize = 99;

impl Dialplan {
    /// In the language of the call, which waits in the queue at `cursor`. `position` counts from 1; begun minutes
    /// count whole.
    #[must_use]
    pub fn announcement(&self, cursor: &Cursor, position: usize, wait: Duration) -> Vec<String> {
        let mut said: Vec<&str> = Vec::new();
        match position.saturating_sub(1) {
            0 => said.push(NEXT),
            ahead => {
                said.push(AHEAD);
                said.extend(number(ahead.min(AHEAD_MAX)));
                said.push(CALLERS);
            }
        }
        match wait.as_secs().div_ceil(60).max(1) {
            minutes @ ..=MINUTES_MAX => {
                said.push(ABOUT);
                said.extend(number(minutes as usize));
                said.push(MINUTES);
            }
            _ => said.push(LONG),
        }
        let mut said: Vec<String> = said.into_iter().map(str::to_owned).collect();
        if let Some(Node::Queue(queue)) = self.steps.get(&cursor.step) {
            said.extend(queue.then.iter().cloned());
        }
        self.spoken(&said, cursor)
    }
}

/// 1 to 99 of something: 两位, 十位, 十二位, 二十位, 二十二位.
fn number(n: usize) -> Vec<&'static str> {
    match (n / 10, n % 10) {
        (0, 2) => vec![TWO_OF],
        (0, ones) => vec![DIGITS[ones]],
        (tens, ones) => {
            let tens = (tens > 1).then(|| DIGITS[tens.min(9)]);
            tens.into_iter().chain([TEN]).chain((ones > 0).then(|| DIGITS[ones])).collect()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_said_as_one_says_them() {
        let said = |n| number(n).join(" ").replace("number_", "");
        let all = [1, 2, 9, 10, 11, 12, 20, 22, 60, 99].map(said);
        assert_eq!(all, ["1", "2_of", "9", "10", "10 1", "10 2", "2 10", "2 10 2", "6 10", "9 10 9"]);
    }
}

//! Shares as people write them: `95%`, `99.5%`.

use std::fmt;
use std::str::FromStr;

/// A share of one, from 0 to [`PERCENT_MAX`] of a hundred.
#[derive(Clone, Copy, Debug, Default, PartialEq, PartialOrd)]
pub struct Percent(f64);

/// A spread can be larger than the mean that it is a share of, but hardly ten times.
const PERCENT_MAX: f64 = 1_000.0;

impl Percent {
    /// `part` of one, such as 0.95; at most all of it.
    #[must_use]
    pub fn of(part: f64) -> Self {
        Self(part.clamp(0.0, 1.0) * 100.0)
    }

    #[must_use]
    pub fn of_one(self) -> f64 {
        self.0 / 100.0
    }

    #[must_use]
    pub fn is_part(self) -> bool {
        self.0 <= 100.0
    }
}

impl FromStr for Percent {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let number = text.trim().strip_suffix('%').and_then(|number| number.trim_end().parse::<f64>().ok());
        match number {
            Some(number) if (0.0..=PERCENT_MAX).contains(&number) => Ok(Self(number)),
            Some(_) | None => Err(format!("\"{text}\" is no share of a hundred; write it like \"95%\"")),
        }
    }
}

impl fmt::Display for Percent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}%", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_has_its_sign() {
        for (text, expect) in [("95%", Some(0.95)), (" 99.5 % ", Some(0.995)), ("0%", Some(0.0))] {
            assert_eq!(text.parse().ok().map(Percent::of_one), expect, "{text}");
        }
        for text in ["95", "%", "-1%", "1001%", "NaN%", "inf%", "", "a%"] {
            assert!(text.parse::<Percent>().is_err(), "{text}");
        }
        assert_eq!("99.5%".parse::<Percent>().map(|share| share.to_string()), Ok("99.5%".to_owned()));
    }
}

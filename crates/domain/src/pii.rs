use serde::{Deserialize, Serialize};
use std::fmt;

/// Personal data, a phone number or a name: prints masked, is read only through [`Pii::reveal`].
///
/// It serialises in the clear, for facts travel to the ticket store; whoever shows it to a person
/// shows [`Pii::masked`].
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Pii(String);

impl Pii {
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text itself. Every call of this is a place where personal data leaves its wrapper.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// `13812345678` → `138****5678`; shorter numbers keep two digits; a name keeps its first character.
    #[must_use]
    pub fn masked(&self) -> String {
        let chars: Vec<char> = self.0.chars().collect();
        let is_number = chars.iter().all(|c| c.is_ascii_digit() || *c == '+');
        let (head, tail) = match chars.len() {
            0 => return String::new(),
            n if is_number && n >= 10 => (3, 4),
            n if is_number && n >= 5 => (0, 2),
            1 => (0, 0),
            _ if is_number => (0, 0),
            _ => (1, 0),
        };
        let stars = (chars.len() - head - tail).min(4);
        let mut masked: String = chars[..head].iter().collect();
        masked.extend(std::iter::repeat_n('*', stars));
        masked.extend(&chars[chars.len() - tail..]);
        masked
    }
}

impl fmt::Debug for Pii {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Pii({})", self.masked())
    }
}

impl fmt::Display for Pii {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.masked())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_names_print_masked() {
        let check = |clear: &str, masked: &str| assert_eq!(format!("{}", Pii::new(clear)), masked);
        check("13812345678", "138****5678");
        check("057788001234", "057****1234");
        check("88001234", "****34");
        check("110", "***");
        check("张三丰", "张**");
        check("张", "*");
        check("", "");
        assert_eq!(format!("{:?}", Pii::new("13812345678")), "Pii(138****5678)");
    }
}

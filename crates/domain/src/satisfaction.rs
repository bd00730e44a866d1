use serde::{Deserialize, Serialize};

/// How satisfied a caller was with the talk (满意度): the five levels of the survey after it, each with the key that
/// stands for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Satisfaction {
    /// 1, 非常满意.
    VerySatisfied,
    /// 2, 满意.
    Satisfied,
    /// 3, 基本满意.
    FairlySatisfied,
    /// 4, 不满意.
    Dissatisfied,
    /// 5, 非常不满意.
    VeryDissatisfied,
}

impl Satisfaction {
    pub const ALL: [Self; 5] = [
        Self::VerySatisfied,
        Self::Satisfied,
        Self::FairlySatisfied,
        Self::Dissatisfied,
        Self::VeryDissatisfied,
    ];

    /// None for a key that stands for no level.
    #[must_use]
    pub const fn of_key(key: char) -> Option<Self> {
        match key {
            '1' => Some(Self::VerySatisfied),
            '2' => Some(Self::Satisfied),
            '3' => Some(Self::FairlySatisfied),
            '4' => Some(Self::Dissatisfied),
            '5' => Some(Self::VeryDissatisfied),
            _ => None,
        }
    }

    /// What tickets call it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::VerySatisfied => "very_satisfied",
            Self::Satisfied => "satisfied",
            Self::FairlySatisfied => "fairly_satisfied",
            Self::Dissatisfied => "dissatisfied",
            Self::VeryDissatisfied => "very_dissatisfied",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn five_keys_stand_for_five_levels_from_the_best_to_the_worst() {
        let of_keys: Vec<Satisfaction> =
            ('0'..='9').chain("*#ABCD".chars()).filter_map(Satisfaction::of_key).collect();
        assert_eq!(of_keys, Satisfaction::ALL);
        assert!(of_keys.is_sorted());
    }
}

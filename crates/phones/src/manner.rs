//! How people behave on the phone, in numbers.

use crate::Dice;
use std::time::Duration;

/// Times anywhere between the two, both included.
#[derive(Clone, Copy, Debug)]
pub struct Span {
    pub min: Duration,
    pub max: Duration,
}

/// How often out of a thousand.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PerMille(pub u16);

/// What a lawyer does with calls.
#[derive(Clone, Copy, Debug)]
pub struct Manner {
    /// From ringing to picking up.
    pub answers_after: Span,
    /// From picking up to hanging up, for whoever hangs up.
    pub talks: Span,
    /// Lets it ring.
    pub ignores: PerMille,
    /// Declines, after the same time as others answer.
    pub rejects: PerMille,
    /// Ends the talk first; otherwise the caller does.
    pub hangs_up: PerMille,
    /// Puts the caller on hold once, for a fifth of the talk.
    pub holds: PerMille,
    /// The phone falls silent in the middle of the talk and never hangs up.
    pub dies: PerMille,
    /// Unregisters while it rings, and registers again a minute later.
    pub leaves: PerMille,
}

#[derive(Clone, Debug)]
pub struct Lawyer {
    /// User name of the phone.
    pub user: String,
    /// None: the phone stands at a fixed address and does not register.
    pub password: Option<String>,
    pub manner: Manner,
}

#[derive(Clone, Copy, Debug)]
pub enum Arrivals {
    /// Independent callers: exponential gaps with this mean.
    Poisson { mean_gap: Duration },
    /// One after the other at this distance, in microseconds: load generators want exact rates.
    Steady { gap_us: u64 },
}

#[derive(Clone, Debug)]
pub struct Callers {
    pub arrivals: Arrivals,
    /// No more calls after these.
    pub calls_max: u64,
    /// No more callers at once than these; who comes on top does not dial.
    pub at_once_max: usize,
    /// What they dial.
    pub called: String,
    /// Caller numbers begin with one of these and are filled up: eleven digits for a mobile, twelve
    /// with an area code.
    pub prefixes: Vec<String>,
    /// From dialling to giving up, unless a lawyer answers.
    pub patience: Span,
}

impl Span {
    #[must_use]
    pub const fn ms(min: u64, max: u64) -> Self {
        Self { min: Duration::from_millis(min), max: Duration::from_millis(max) }
    }

    #[must_use]
    pub fn draw(&self, dice: &mut Dice) -> Duration {
        let (min, max) = (self.min.as_millis() as u64, self.max.as_millis() as u64);
        Duration::from_millis(min + dice.below(max.saturating_sub(min) + 1))
    }
}

impl PerMille {
    #[must_use]
    pub fn draw(self, dice: &mut Dice) -> bool {
        dice.below(1_000) < u64::from(self.0)
    }
}

impl Manner {
    /// Answers at once, talks as long as told, and the caller hangs up.
    #[must_use]
    pub const fn prompt(talks: Span) -> Self {
        Self {
            answers_after: Span::ms(0, 0),
            talks,
            ignores: PerMille(0),
            rejects: PerMille(0),
            hangs_up: PerMille(0),
            holds: PerMille(0),
            dies: PerMille(0),
            leaves: PerMille(0),
        }
    }

    /// As people are: some miss calls, some hang up first.
    #[must_use]
    pub const fn human(talks: Span) -> Self {
        Self {
            answers_after: Span::ms(1_500, 9_000),
            talks,
            ignores: PerMille(40),
            rejects: PerMille(20),
            hangs_up: PerMille(300),
            holds: PerMille(80),
            dies: PerMille(0),
            leaves: PerMille(0),
        }
    }
}

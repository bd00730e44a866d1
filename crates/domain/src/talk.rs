use crate::{PoolId, TargetId};
use serde::{Deserialize, Serialize};

/// How a supervisor takes part in a talk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Supervision {
    /// Hears all and is heard by nobody.
    Listen,
    /// Is heard by the lawyer only.
    Whisper,
    /// Is heard by all.
    Barge,
}

impl Supervision {
    pub const ALL: [Self; 3] = [Self::Listen, Self::Whisper, Self::Barge];

    /// The word for it in records.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Listen => "listen",
            Self::Whisper => "whisper",
            Self::Barge => "barge",
        }
    }
}

/// What a lawyer wants of the talk that they are in. It is done if it fits, and else nothing is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TalkWish {
    /// Call that target of the dialplan; the caller hears music meanwhile.
    Consult(TargetId),
    /// All three hear each other.
    Join,
    /// Part from the third party, whether it has answered or not.
    Part,
    /// Leave the caller to the third party, or to its ringing.
    Leave,
    /// Leave, and let the caller wait for that pool, before all others.
    PassTo(PoolId),
}

use crate::{CallId, Timestamp};
use serde::{Deserialize, Serialize};

/// Why an agent does not take calls although present.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PauseReason {
    /// The agent or a supervisor asked for it.
    Asked,
    /// The phone rang unanswered too often.
    NoAnswer,
}

/// What the human wants: take calls or not. Kept apart from [`Activity`], what the phone is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "duty")]
pub enum Duty {
    Ready,
    /// `until` is the deadline after which the agent is ready again, if there is one.
    Paused {
        reason: PauseReason,
        until: Option<Timestamp>,
    },
}

/// What an agent's phone is doing. Only `Idle`, together with `Duty::Ready` and a reachable phone, is
/// offered calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "activity")]
pub enum Activity {
    /// `since` orders agents: the longest idle is first.
    Idle {
        since: Timestamp,
    },
    /// An offer rings until `until`.
    Ringing {
        call: CallId,
        until: Timestamp,
    },
    /// An offer was withdrawn and the phone has not yet confirmed that it is silent.
    Clearing {
        call: CallId,
        until: Timestamp,
    },
    Talking {
        call: CallId,
        since: Timestamp,
    },
    WrapUp {
        call: CallId,
        until: Timestamp,
    },
}

use crate::{CallId, Timestamp};
use serde::{Deserialize, Serialize};

/// Why an agent does not take calls although present.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PauseReason {
    /// 小休
    ShortBreak,
    /// 用餐
    Meal,
    /// 会议
    Meeting,
    /// 培训
    Training,
    /// 外勤
    Fieldwork,
    /// 其他. Called `asked` by journals from before there were reasons.
    #[serde(alias = "asked")]
    Other,
    /// By the machine: the phone rang unanswered too often.
    NoAnswer,
    /// By the machine: the form of the last call was not saved in time. Ends when it is.
    FormUnsaved,
}

impl PauseReason {
    /// Those that a human gives, in the order in which they are offered.
    pub const ASKED: [Self; 6] =
        [Self::ShortBreak, Self::Meal, Self::Meeting, Self::Training, Self::Fieldwork, Self::Other];
}

/// What the human wants: take calls or not. Kept apart from [`Activity`], what the phone is doing, and from
/// whether the phone can be reached. Each has an owner: the agent, or the clock where there is an `until`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "duty")]
pub enum Duty {
    /// Gone home. The phone may still be registered; it is not rung.
    LoggedOut,
    Ready,
    /// `until` is the deadline after which the agent is ready again, if there is one.
    Paused {
        reason: PauseReason,
        until: Option<Timestamp>,
    },
}

/// What an agent's phone is doing. Only `Idle`, together with `Duty::Ready` and a reachable phone, is
/// offered calls. Each ends with its deadline or, for a talk, with its call.
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
    /// Writes down the call; `until` is the deadline, `rule` what may move it and what follows.
    WrapUp {
        call: CallId,
        until: Timestamp,
        /// Journals from before there were rules knew fixed spans only.
        #[serde(default)]
        rule: WrapUpRule,
    },
}

/// How a wrap-up ends. The agent may always end it sooner.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WrapUpRule {
    /// With its deadline.
    #[default]
    Fixed,
    /// With its deadline, which the agent may put off until `latest`.
    Extendable { latest: Timestamp },
    /// When the form is saved. At the deadline the agent is paused, and not ready.
    UntilSaved,
}

/// What a supervisor has set in place of a pool's hours: for a typhoon, or for a night on which everybody stays.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Override {
    pub open: bool,
    /// From then on the hours count again; none: until a supervisor says so.
    pub until: Option<Timestamp>,
}

impl Override {
    #[must_use]
    pub fn holds(&self, now: Timestamp) -> bool {
        self.until.is_none_or(|until| now < until)
    }
}

//! Everything that the machine waits for. A timer exists exactly as long as the state it belongs to.

use domain::{AgentId, CallId, Timestamp};
use std::time::Duration;

/// In the order in which they fire at the same instant: a call that has waited long enough is not first
/// offered to somebody else.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Timer {
    /// The call's next step is due.
    Step(CallId),
    /// The agent whom the call is kept for had time enough.
    Kept(CallId),
    /// The caller is to be told the place in the line.
    Announce(CallId),
    /// The agent has let the phone ring long enough.
    Ring(AgentId),
    /// The agent's phone never confirmed that it is silent.
    Clear(AgentId),
    /// The agent has had time to write down the last call.
    WrapUp(AgentId),
    /// The agent's pause is over.
    Pause(AgentId),
    /// Calls of a day are counted anew.
    Midnight,
}

/// Never `now` itself: a timer that is set while timers fire belongs to a later instant, so no chain of
/// zero spans can keep the machine busy for ever.
pub(crate) fn deadline(now: Timestamp, span: Duration) -> Timestamp {
    now + span.max(Duration::from_millis(1))
}

/// [`Timestamp::NEVER`] needs no timer.
pub(crate) fn timer(at: Timestamp, timer: Timer) -> Option<(Timestamp, Timer)> {
    (at != Timestamp::NEVER).then_some((at, timer))
}

//! How an agent writes down the last call, and what a restart leaves of an agent.

use crate::agent::Seat;
use crate::machine::Acd;
use crate::message::WrapUp;
use crate::timer::deadline;
use domain::{Activity, AgentId, CallId, Duty, PauseReason, Timestamp, WrapUpRule};
use std::time::Duration;

/// What an agent does whose talk ends at `now`.
pub(crate) fn seat_after(now: Timestamp, call: CallId, wrap_up: WrapUp) -> Seat {
    let (span, rule) = match wrap_up {
        WrapUp::Fixed(span) => (span, WrapUpRule::Fixed),
        WrapUp::Extendable { span, max } => {
            (span, WrapUpRule::Extendable { latest: deadline(now, max.max(span)) })
        }
        WrapUp::UntilSaved { max } => (max, WrapUpRule::UntilSaved),
    };
    if span.is_zero() {
        return Seat::Idle { since: now };
    }
    Seat::WrapUp { call, until: deadline(now, span), rule }
}

impl Acd {
    /// The agent says so.
    pub(crate) fn wrap_up_done(&mut self, now: Timestamp, agent: AgentId) {
        self.update(now, agent, |state| match (&state.seat, state.duty) {
            (Seat::WrapUp { .. }, _) => state.seat = Seat::Idle { since: now },
            (_, Duty::Paused { reason: PauseReason::FormUnsaved, .. }) => state.duty = Duty::Ready,
            (_, Duty::LoggedOut | Duty::Ready | Duty::Paused { .. }) => {}
        });
    }

    /// The clock says so. An unsaved form then leaves nobody ready, not even by the end of a timed pause.
    pub(crate) fn wrap_up_over(&mut self, now: Timestamp, agent: AgentId) {
        self.update(now, agent, |state| {
            let Seat::WrapUp { rule, .. } = state.seat else { return };
            state.seat = Seat::Idle { since: now };
            let would_be_ready = match state.duty {
                Duty::Ready | Duty::Paused { until: Some(_), .. } => true,
                Duty::LoggedOut | Duty::Paused { until: None, .. } => false,
            };
            if rule == WrapUpRule::UntilSaved && would_be_ready {
                state.duty = Duty::Paused { reason: PauseReason::FormUnsaved, until: None };
            }
        });
    }

    pub(crate) fn wrap_up_extended(&mut self, now: Timestamp, agent: AgentId, by: Duration) {
        self.update(now, agent, |state| {
            if let Seat::WrapUp { until, rule: WrapUpRule::Extendable { latest }, .. } = &mut state.seat {
                *until = (*until + by).min(*latest);
            }
        });
    }

    pub(crate) fn agent_restored(&mut self, now: Timestamp, agent: AgentId, duty: Duty, activity: Activity) {
        self.update(now, agent, |state| {
            let Seat::Idle { .. } = state.seat else { return };
            state.duty = duty;
            state.seat = match activity {
                Activity::WrapUp { call, until, rule } => Seat::WrapUp { call, until, rule },
                Activity::Idle { .. }
                | Activity::Ringing { .. }
                | Activity::Clearing { .. }
                | Activity::Talking { .. } => Seat::Idle { since: now },
            };
        });
        self.changed.extend(self.agents.contains_key(&agent).then_some(agent));
    }
}

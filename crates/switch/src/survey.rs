//! A talk that the lawyer's side has ended: the caller who stays on the line is asked how satisfied it was.
//!
//! The lawyer is free to write the call up meanwhile, and the call departs as answered whatever the caller does.
//! A caller who hangs up first cannot be asked.

use crate::Node;
use crate::call::{Heard, Phase};
use crate::overrides::when;
use crate::treatment::abandoned;
use dialplan::{Outcome, Step};
use domain::{CallId, Fact, Party, Satisfaction, Timestamp};
use std::time::Duration;

impl Node {
    /// The lawyer, or whom they left the caller to, has hung up or is lost. The caller goes on with a third party that
    /// is there, or where the dialplan says, or else the call ends too.
    pub(crate) fn end_talk(&mut self, now: Timestamp, id: CallId, by: Party) {
        if self.leave(now, id, by) {
            return;
        }
        let Some(step) = self.step_after_talk(now, id) else {
            let departure = self.calls.get(&id).map(|call| abandoned(call, now));
            return departure.into_iter().for_each(|departure| self.depart(now, id, departure, by));
        };
        let Some(call) = self.calls.get_mut(&id) else { return };
        match std::mem::replace(&mut call.phase, Phase::Playing { is_notice: false }) {
            Phase::Talking { agent, leg, held_by, .. } => {
                if held_by.contains(&Party::Agent) {
                    self.stop_playing(id);
                }
                self.free_lawyer(now, id, agent, leg, by);
            }
            Phase::PassedOn { leg, held_by, .. } => {
                if held_by.contains(&Party::Outside) {
                    self.stop_playing(id);
                }
                self.mark_segment(id, vec![], Heard::default());
                self.end_outside_leg(now, &leg);
            }
            _ => return,
        }
        self.run_step(now, id, step);
    }

    fn step_after_talk(&mut self, now: Timestamp, id: CallId) -> Option<Step> {
        let call = self.calls.get_mut(&id)?;
        // Whoever was passed on by the dialplan has not spoken with a lawyer.
        if !matches!(call.phase, Phase::Talking { .. } | Phase::PassedOn { .. }) || call.bridged_at.is_none()
        {
            return None;
        }
        let plan = self.plans.plan(&call.plan)?;
        let talked = call.bridged_at.map_or(Duration::ZERO, |bridged_at| now - bridged_at);
        plan.after_talk(&mut call.cursor, when(&self.regions, &call.region, now), talked)
    }

    /// Another key is no answer.
    pub(crate) fn on_survey_key(&mut self, now: Timestamp, id: CallId, digit: char) {
        let Some(level) = Satisfaction::of_key(digit) else { return };
        self.fact(now, Fact::SurveyAnswered { call: id, level });
        self.stop_playing(id);
        self.advance(now, id, Outcome::Played);
    }
}

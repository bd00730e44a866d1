//! A talk that the lawyer's side has ended: the caller who stays on the line is asked how satisfied it was.
//!
//! The lawyer is free to write the call up meanwhile, and the call departs as answered whatever the caller does.
//! A caller who hangs up first cannot be asked.

use crate::Node;
use crate::call::Phase;
use crate::overrides::when;
use crate::treatment::abandoned;
use dialplan::{Outcome, Step};
use domain::{CallId, Fact, Party, Satisfaction, Timestamp};
use std::time::Duration;

impl Node {
    /// The lawyer has hung up or is lost. The caller goes where the dialplan says, or else the call ends too.
    pub(crate) fn end_talk(&mut self, now: Timestamp, id: CallId, by: Party) {
        let Some(step) = self.step_after_talk(now, id) else {
            let departure = self.calls.get(&id).map(|call| abandoned(call, now));
            return departure.into_iter().for_each(|departure| self.depart(now, id, departure, by));
        };
        let Some(call) = self.calls.get_mut(&id) else { return };
        let talking = std::mem::replace(&mut call.phase, Phase::Playing { is_notice: false });
        let Phase::Talking { agent, leg, held_by, .. } = talking else { return };
        // It was made, and nothing of it is left to do.
        call.callback = None;
        let (region, shard) = (call.region.clone(), call.caller.port.shard);
        self.fact(now, Fact::TalkEnded { call: id, by });
        self.mark_segment(id, None);
        if held_by.contains(&Party::Agent) {
            self.stop_playing(id);
        }
        self.tell_acd(now, &region, acd::Input::TalkEnded { agent, call: id });
        // This ends the bridge as well.
        self.end_agent_leg(now, leg, shard);
        self.run_step(now, id, step);
    }

    fn step_after_talk(&mut self, now: Timestamp, id: CallId) -> Option<Step> {
        let call = self.calls.get_mut(&id)?;
        let Phase::Talking { .. } = &call.phase else { return None };
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

//! Codes of two keys by which a lawyer with nothing but a telephone says what they want of a talk: `*` and another key
//! soon after.
//!
//! They are taken from the lawyer's own leg only. Whoever hears the lawyer then may hear the keys as well, as a third
//! party with a menu must.

use crate::Node;
use domain::{TalkWish, Timestamp};
use sip::LegId;
use std::time::Duration;

const PREFIX: char = '*';
/// A later key is one by itself.
const GAP_MAX: Duration = Duration::from_secs(3);

impl Node {
    /// `*1` to `*9`: call the target with that key in; `**`: all three talk; `*0`: back to the caller alone; `*#`: leave.
    pub(crate) fn on_talk_key(&mut self, now: Timestamp, leg: LegId, key: char) {
        let Some(found) = self.agent_legs.get_mut(&leg) else { return };
        let agent = found.agent;
        let is_code = found.prefixed_at.take().is_some_and(|at| now - at <= GAP_MAX);
        if is_code && let Some(wish) = self.wish_of(leg, key) {
            self.on_talk_wish(now, agent, wish);
        } else if key == PREFIX
            && let Some(found) = self.agent_legs.get_mut(&leg)
        {
            found.prefixed_at = Some(now);
        }
    }

    fn wish_of(&self, leg: LegId, key: char) -> Option<TalkWish> {
        match key {
            PREFIX => Some(TalkWish::Join),
            '0' => Some(TalkWish::Part),
            '#' => Some(TalkWish::Leave),
            _ => {
                let call = self.calls.get(&self.agent_legs.get(&leg)?.call)?;
                let plan = self.plans.plan(&call.plan)?;
                let mut targets = plan.targets().iter();
                targets
                    .find(|(_, target)| target.key == Some(key))
                    .map(|(id, _)| TalkWish::Consult(id.clone()))
            }
        }
    }
}

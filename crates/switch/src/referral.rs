//! A lawyer's phone sends the caller on by REFER (RFC 3515): to a target of the dialplan, by its name or one of its
//! numbers, or to a pool by its name. Nobody is sent anywhere else, and only by the lawyer they talk to.
//!
//! A target is dialled as if the lawyer had asked for a consultation, and the lawyer is still there: who is not reached
//! costs the caller nothing. A phone that hangs up at once leaves the caller to the ringing. With a third party in the
//! talk already, a REFER to it leaves the caller to it.
//!
//! Deliberately absent: a second call of the phone's own that the first one is to take the place of (Replaces, RFC
//! 3891), for such a call cannot be made.

use crate::Node;
use crate::call::{AgentLegState, Phase};
use dialplan::number;
use domain::{AgentId, CallId, Fact, Party, PoolId, TargetId, Timestamp};
use sip::{LegId, Referred};

/// Where a caller may be sent.
enum Place {
    Target(TargetId),
    Pool(PoolId),
}

impl Node {
    pub(crate) fn on_referred(&mut self, now: Timestamp, leg: LegId, refer: &Referred) {
        let talking = self.agent_legs.get(&leg).filter(|found| found.state == AgentLegState::Talking);
        let Some((agent, id)) = talking.map(|found| (found.agent, found.call)) else {
            return self.sip.refuse_referral(now, leg, 403);
        };
        match self.place_of(id, refer) {
            Some(Place::Target(to)) => self.refer_to(now, id, (agent, leg), to),
            Some(Place::Pool(pool)) => {
                self.sip.accept_referral(now, leg);
                self.sip.report_referral(now, leg, 200);
                self.pass_to(now, id, &pool);
            }
            None => {
                self.sip.refuse_referral(now, leg, 403);
                self.fact(now, Fact::ReferralRefused { call: id, agent, to: refer.user.clone() });
            }
        }
    }

    fn refer_to(&mut self, now: Timestamp, id: CallId, (agent, leg): (AgentId, LegId), to: TargetId) {
        let guest = self.calls.get(&id).and_then(|call| match &call.phase {
            Phase::Talking { agent: talking, guest, .. } if *talking == agent => Some(guest.as_ref()),
            _ => None,
        });
        match guest {
            Some(None) => {
                self.sip.accept_referral(now, leg);
                self.call_guest(now, id, to, true);
            }
            Some(Some(guest)) if guest.outward.to == to => {
                self.sip.accept_referral(now, leg);
                self.sip.report_referral(now, leg, 200);
                self.leave(now, id, Party::Agent);
            }
            // Somebody else is there, or nobody is talked to yet.
            Some(Some(_)) | None => self.sip.refuse_referral(now, leg, 491),
        }
    }

    fn place_of(&self, id: CallId, refer: &Referred) -> Option<Place> {
        let plan = self.plans.plan(&self.calls.get(&id)?.plan)?;
        if refer.replaces.is_some() {
            return None;
        }
        let user = refer.user.reveal();
        let dialled = number::normalise(user, plan.area_code());
        let mut targets = plan.targets().iter();
        let target = targets.find(|(id, target)| {
            let own =
                |written: &String| written == user || number::normalise(written, plan.area_code()) == dialled;
            id.as_str() == user || target.numbers.iter().any(own)
        });
        let pool = || plan.pools().keys().find(|pool| pool.as_str() == user).cloned().map(Place::Pool);
        target.map(|(id, _)| Place::Target(id.clone())).or_else(pool)
    }
}

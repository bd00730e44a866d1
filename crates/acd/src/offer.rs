//! What happens to offers.

use crate::agent::Seat;
use crate::call::{CallState, Queued};
use crate::machine::{Acd, Phone};
use crate::message::Output;
use crate::pool::PoolIx;
use crate::timer::deadline;
use domain::{AgentId, CallId, Duty, OfferEnd, PauseReason, Timestamp};

impl Acd {
    pub(crate) fn agent_answered(&mut self, now: Timestamp, agent: AgentId, call: CallId) {
        let seat = self.agents.get(&agent).map(|state| &state.seat);
        if matches!(seat, Some(Seat::Talking { call: with, .. }) if *with == call) {
            return;
        }
        if self.ringing(agent) != Some(call) {
            return self.outputs.push_back(Output::Release { agent, call });
        }
        let Some(queued) = self.lift(call) else { return };
        self.calls.insert(call, CallState::Talking { agent });
        let Queued { arrived, offers, .. } = *queued;
        let Some(&(_, pool)) = offers.iter().find(|(rung, _)| *rung == agent) else { return };
        let waited = now - arrived;
        self.outputs.push_back(Output::OfferEnded { agent, call, end: OfferEnd::Answered });
        for &other in offers.iter().filter(|(other, _)| *other != agent) {
            self.free_phone(now, other, call, OfferEnd::Withdrawn, Phone::StillRings);
        }
        let id = self.pools[pool.0 as usize].id.clone();
        self.outputs.push_back(Output::Connect { agent, call, pool: id, waited });
        self.update(now, agent, |state| {
            state.seat = Seat::Talking { call, pool, since: now };
            state.busy_since = Some((pool, now));
            state.misses = 0;
        });
        self.count_answer(now, agent, pool);
    }

    /// A failure that crosses our own withdrawal says no more than that the phone is silent.
    pub(crate) fn offer_failed(&mut self, now: Timestamp, agent: AgentId, call: CallId, end: OfferEnd) {
        if self.ringing(agent) == Some(call) {
            self.end_offer(now, agent, call, end, Phone::IsSilent);
            self.put_back(call);
        } else {
            self.offer_cleared(now, agent, call);
        }
    }

    pub(crate) fn offer_cleared(&mut self, now: Timestamp, agent: AgentId, call: CallId) {
        let seat = self.agents.get(&agent).map(|state| &state.seat);
        if matches!(seat, Some(Seat::Clearing { call: cleared, .. }) if *cleared == call) {
            self.cleared(now, agent);
        }
    }

    pub(crate) fn cleared(&mut self, now: Timestamp, agent: AgentId) {
        self.update(now, agent, |state| {
            if let Seat::Clearing { idle_since, .. } = state.seat {
                state.seat = Seat::Idle { since: idle_since };
            }
        });
    }

    /// Takes the call away from an agent whose phone rings for it; what becomes of the call is up to the
    /// caller of this. Whatever is not `Withdrawn` is a miss.
    pub(crate) fn end_offer(
        &mut self,
        now: Timestamp,
        agent: AgentId,
        call: CallId,
        end: OfferEnd,
        phone: Phone,
    ) {
        let Some(CallState::Queued(queued)) = self.calls.get_mut(&call) else { return };
        let Some(index) = queued.offers.iter().position(|(rung, _)| *rung == agent) else { return };
        // Into the lines it comes by `put_back`.
        let offer = queued.offers.remove(index);
        if end != OfferEnd::Withdrawn && !queued.missed_by.contains(&agent) {
            queued.missed_by.push(agent);
        }
        self.free_phone(now, offer, call, end, phone);
    }

    /// The agent's part in the end of an offer.
    pub(crate) fn free_phone(
        &mut self,
        now: Timestamp,
        (agent, pool): (AgentId, PoolIx),
        call: CallId,
        end: OfferEnd,
        phone: Phone,
    ) {
        let missed = end != OfferEnd::Withdrawn;
        if phone == Phone::StillRings {
            self.outputs.push_back(Output::StopRinging { agent, call, end });
        }
        self.outputs.push_back(Output::OfferEnded { agent, call, end });
        let Some(pool) = &self.pools[pool.0 as usize].config else { return };
        let (limit, pause) = (pool.miss_limit.max(1), pool.miss_pause);
        let clear_until = deadline(now, pool.clear_timeout);
        self.update(now, agent, |state| {
            let Seat::Ringing { idle_since, .. } = state.seat else { return };
            let idle_since = if missed { now } else { idle_since };
            state.seat = match phone {
                Phone::StillRings => Seat::Clearing { call, until: clear_until, idle_since },
                Phone::IsSilent => Seat::Idle { since: idle_since },
            };
            state.misses += u32::from(missed);
            if state.misses >= limit {
                let until = pause.map(|span| deadline(now, span));
                state.duty = Duty::Paused { reason: PauseReason::NoAnswer, until };
                state.misses = 0;
            }
        });
    }
}

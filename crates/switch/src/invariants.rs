//! What must hold between any two inputs; simulations ask after every step.

use crate::Node;
use crate::call::{AgentLegState, Call, Phase, Timer};
use domain::Departure;
use std::collections::{BTreeMap, BTreeSet};

impl Node {
    /// # Errors
    /// The first invariant that does not hold, in words.
    pub fn check_invariants(&self) -> Result<(), String> {
        self.check_calls()?;
        self.check_plans()?;
        self.check_agent_legs()?;
        self.check_outside_legs()?;
        self.check_supervisors()?;
        self.check_ports()?;
        self.check_timers()?;
        for (id, region) in &self.regions {
            region.acd.check_invariants().map_err(|what| format!("{id}: {what}"))?;
        }
        Ok(())
    }

    fn check_calls(&self) -> Result<(), String> {
        if let Some(id) = self.callbacks.values().find(|id| !self.calls.contains_key(*id)) {
            return Err(format!("call {id} is listed to be called back and does not exist"));
        }
        for (id, call) in &self.calls {
            let is_departed = matches!(call.phase, Phase::Departed);
            let is_gone = is_departed || matches!(call.phase, Phase::Away { .. });
            if !is_gone && self.caller_legs.get(&call.caller.sip) != Some(id) {
                return Err(format!("call {id} lives without its caller's leg"));
            }
            if is_departed && call.deadline.is_none() {
                return Err(format!("call {id} departed and nothing will close it"));
            }
            let with = match &call.phase {
                Phase::Talking { agent, leg, .. } => Some((agent, leg)),
                Phase::Dialling { reserved, .. } => Some((&reserved.agent, &reserved.leg)),
                _ => None,
            };
            if let Some((agent, leg)) = with {
                let leg = self.agent_legs.get(leg).ok_or_else(|| format!("call {id} talks to nobody"))?;
                if leg.agent != *agent || leg.call != *id || leg.state != AgentLegState::Talking {
                    return Err(format!("call {id} and agent {agent} disagree about talking"));
                }
            }
            if matches!(call.phase, Phase::Survey { .. }) && call.cursor.ending() != Departure::Answered {
                return Err(format!("call {id} is asked about a talk that was not"));
            }
            let number = call.number.reveal();
            if matches!(call.phase, Phase::Away { .. }) && self.callbacks.get(number) != Some(id) {
                return Err(format!("call {id} waits to be called back and is not listed"));
            }
            if call.ringing.iter().any(|leg| !self.agent_legs.contains_key(leg)) {
                return Err(format!("call {id} rings a leg that is gone"));
            }
        }
        Ok(())
    }

    fn check_plans(&self) -> Result<(), String> {
        let mut walking = BTreeMap::new();
        for call in self.calls.values() {
            *walking.entry(&call.plan).or_default() += 1;
        }
        let counts = self.plans.counts();
        if walking == counts { Ok(()) } else { Err(format!("{walking:?} walk, {counts:?} are held")) }
    }

    fn check_agent_legs(&self) -> Result<(), String> {
        let mut busy = BTreeSet::new();
        for leg in self.agent_legs.values() {
            let is_busy = match leg.state {
                AgentLegState::Ringing | AgentLegState::Asked { .. } | AgentLegState::Talking => true,
                AgentLegState::Stopping | AgentLegState::Over => false,
            };
            if is_busy && !busy.insert(leg.agent) {
                return Err(format!("agent {} has two calls", leg.agent));
            }
            if matches!(leg.state, AgentLegState::Asked { .. }) && !(leg.is_mobile && leg.leg.media_open) {
                return Err(format!("agent {} is asked for a key and hears nothing", leg.agent));
            }
            if leg.state == AgentLegState::Talking && !self.calls.contains_key(&leg.call) {
                return Err(format!("agent {} talks to a call that is closed", leg.agent));
            }
        }
        Ok(())
    }

    fn check_outside_legs(&self) -> Result<(), String> {
        for (leg, id) in &self.outside_legs {
            let own = self.calls.get(id).and_then(Call::outside);
            if own.is_none_or(|own| own.sip != *leg) {
                return Err(format!("call {id} does not know whom it is passed on to"));
            }
        }
        for (id, call) in &self.calls {
            let Some(own) = call.outside() else { continue };
            if self.outside_legs.get(&own.sip) != Some(id) {
                return Err(format!("call {id} is passed on to nobody"));
            }
            let rings = !own.media_open;
            let must_ring = matches!(call.phase, Phase::Transferring(_));
            let must_talk = matches!(call.phase, Phase::PassedOn { .. });
            if (must_ring && !rings) || (must_talk && rings) || rings != call.deadline.is_some() {
                return Err(format!("call {id} is passed on, and rings: {rings}, until {:?}", call.deadline));
            }
        }
        Ok(())
    }

    fn check_supervisors(&self) -> Result<(), String> {
        for (id, call) in &self.calls {
            let Some(supervisor) = &call.supervisor else { continue };
            if self.supervisor_legs.get(&supervisor.leg.sip) != Some(id) {
                return Err(format!("call {id} has a supervisor without a leg"));
            }
            if !matches!(call.phase, Phase::Talking { .. }) {
                return Err(format!("call {id} has a supervisor and no lawyer"));
            }
        }
        let supervised = self.calls.values().filter(|call| call.supervisor.is_some()).count();
        if supervised == self.supervisor_legs.len() {
            Ok(())
        } else {
            Err("a supervisor has no call".to_owned())
        }
    }

    fn check_ports(&self) -> Result<(), String> {
        let ringing = self.agent_legs.values().filter(|leg| !leg.leg.media_open).count();
        let dialled = |call: &&Call| matches!(call.phase, Phase::Dialling { port: Some(_), .. });
        let outside = |call: &&Call| call.outside().is_some_and(|leg| !leg.media_open);
        let supervisor = |call: &&Call| call.supervisor.as_ref().is_some_and(|found| !found.has_answered());
        let ringing = ringing + self.calls.values().filter(|call| dialled(call) || outside(call)).count();
        let ringing = ringing + self.calls.values().filter(supervisor).count();
        let (free, open) = (self.ports.free_count(), self.media.len());
        let all = self.config.media_ports.len();
        if free + open + ringing == all {
            Ok(())
        } else {
            Err(format!("{free} ports free, {open} open, {ringing} ringing, of {all}"))
        }
    }

    fn check_timers(&self) -> Result<(), String> {
        for timer in self.timers.armed() {
            let is_alive = match timer {
                Timer::Phase(call) => self.calls.contains_key(call),
                Timer::Supervisor(call) => self.supervisor_legs.values().any(|id| id == call),
                Timer::Ping(agent) => self.config.snapshot.agents.contains_key(agent),
                Timer::PingTrunk(index) => *index < self.config.trunks.len(),
                Timer::Shifts => !self.config.snapshot.rosters.is_empty(),
                Timer::Overrides => self.regions.values().any(|region| !region.overrides.is_empty()),
            };
            if !is_alive {
                return Err(format!("{timer:?} is armed for the dead"));
            }
        }
        Ok(())
    }
}

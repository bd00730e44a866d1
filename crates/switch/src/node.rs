//! The node: owns the machines, moves what one says to the other, and wakes whoever is due.

use crate::call::{AgentLeg, Call, MediaUse, Timer, Timers};
use crate::facts::FactLog;
use crate::plans::Plans;
use crate::ports::PortPool;
use crate::tones::Tones;
use crate::{Config, Counters, Input, Output};
use acd::Acd;
use dialplan::{Dialplan, OnShift, Overrides};
use domain::{AgentId, CallId, Fact, Pii, RegionId, Timestamp};
use sip::{Endpoint, Event, Flow, LegId, PingId};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

pub struct Node {
    pub(crate) config: Config,
    pub(crate) sip: Endpoint,
    pub(crate) regions: BTreeMap<RegionId, Region>,
    /// The dialplans that calls walk.
    pub(crate) plans: Plans,
    pub(crate) calls: BTreeMap<CallId, Call>,
    pub(crate) caller_legs: BTreeMap<LegId, CallId>,
    /// Open call-backs by number; the bound is in `callback.rs`.
    pub(crate) callbacks: BTreeMap<String, CallId>,
    pub(crate) agent_legs: BTreeMap<LegId, AgentLeg>,
    /// Of those whom calls are passed on to.
    pub(crate) outside_legs: BTreeMap<LegId, CallId>,
    pub(crate) supervisor_legs: BTreeMap<LegId, CallId>,
    /// The leg that last rang an agent's phone, until it is gone.
    pub(crate) offered: BTreeMap<AgentId, LegId>,
    pub(crate) media: BTreeMap<u64, MediaUse>,
    /// Agents who can be reached, as the regions' `acd` were told.
    pub(crate) reachable: BTreeSet<AgentId>,
    /// Those whose own phone is there; the others' mobiles are rung.
    pub(crate) phones_there: BTreeSet<AgentId>,
    /// Those whose shift is done by mobile: their own phones are not rung.
    pub(crate) by_mobile: BTreeSet<AgentId>,
    pub(crate) users: BTreeMap<String, AgentId>,
    pub(crate) trunk_is_reachable: Vec<Option<bool>>,
    pub(crate) pings: BTreeMap<PingId, Timer>,
    pub(crate) ports: PortPool,
    pub(crate) timers: Timers,
    pub(crate) tones: Tones,
    pub(crate) counters: Counters,
    pub(crate) is_draining: bool,
    facts: FactLog,
    outputs: VecDeque<Output>,
}

#[derive(Default)]
pub(crate) struct Region {
    /// What new calls get; none: the region takes no more.
    pub(crate) dialplan: Option<Arc<Dialplan>>,
    /// As `acd` was told.
    pub(crate) on_shift: OnShift,
    pub(crate) acd: Acd,
    /// What supervisors have set of its pools.
    pub(crate) overrides: Overrides,
}

impl Node {
    #[must_use]
    pub fn new(now: Timestamp, mut config: Config) -> Self {
        // A caller who is let in must find a port for the lawyer too.
        config.limits.calls_max = config.limits.calls_max.min(config.media_ports.len() / 2);
        config.sip.trusted_peers = config.trusted_peers();
        let (snapshot, restored) =
            (std::mem::take(&mut config.snapshot), std::mem::take(&mut config.restored));
        let mut node = Self {
            sip: Endpoint::new(config.sip.clone()),
            regions: BTreeMap::new(),
            plans: Plans::default(),
            calls: BTreeMap::new(),
            caller_legs: BTreeMap::new(),
            callbacks: BTreeMap::new(),
            agent_legs: BTreeMap::new(),
            outside_legs: BTreeMap::new(),
            supervisor_legs: BTreeMap::new(),
            offered: BTreeMap::new(),
            media: BTreeMap::new(),
            reachable: BTreeSet::new(),
            phones_there: BTreeSet::new(),
            by_mobile: BTreeSet::new(),
            users: BTreeMap::new(),
            trunk_is_reachable: vec![None; config.trunks.len()],
            pings: BTreeMap::new(),
            ports: PortPool::new(&config.media_ports),
            timers: Timers::default(),
            tones: Tones::new(),
            counters: Counters::default(),
            is_draining: false,
            facts: FactLog::new(now),
            outputs: VecDeque::new(),
            config,
        };
        node.configure(now, snapshot);
        node.restore_agents(now, &restored.agents);
        node.restore_overrides(now, restored.overrides);
        node.watch_trunks(now);
        node.pump(now);
        node
    }

    /// One datagram, or one message of a stream. `received` is when the socket saw it: the difference to
    /// `now` is how far behind we are.
    pub fn handle_packet(&mut self, now: Timestamp, received: Timestamp, flow: Flow, bytes: &[u8]) {
        self.sip.set_shedding(self.is_draining || now - received > self.config.limits.lag_max);
        self.sip.handle_packet(now, flow, bytes);
        self.pump(now);
    }

    pub fn handle_input(&mut self, now: Timestamp, input: Input) {
        match input {
            Input::Media(event) => self.on_media(now, event),
            Input::FlowClosed(flow) => self.sip.handle_flow_closed(now, flow),
            Input::AgentDuty { agent, duty } => {
                self.tell_acd_of(now, agent, acd::Input::AgentDuty { agent, duty });
            }
            Input::WrapUpDone { agent } => self.tell_acd_of(now, agent, acd::Input::WrapUpDone { agent }),
            Input::WrapUpExtended { agent, by } => {
                self.tell_acd_of(now, agent, acd::Input::WrapUpExtended { agent, by });
            }
            Input::CallSupervised { call, user, mode, by } => self.supervise(now, call, &user, mode, by),
            Input::TalkWished { agent, wish } => self.on_talk_wish(now, agent, wish),
            Input::Configured(snapshot) => self.configure(now, *snapshot),
            Input::CallerKnown { call, history } => {
                if let Some(call) = self.calls.get_mut(&call) {
                    call.cursor.set_history(history);
                }
            }
            Input::CallPrioritised { call, priority, by } => self.prioritise(now, call, priority, by),
            Input::PoolsOverridden { region, pool, set, by } => {
                self.override_pools(now, &region, pool.as_ref(), set, &by);
            }
            Input::Drain => {
                self.is_draining = true;
                self.end_callbacks(now);
            }
            Input::HangUpAll => self.hang_up_all(now),
        }
        self.pump(now);
    }

    /// Whatever is due; harmless when nothing is.
    pub fn handle_timeout(&mut self, now: Timestamp) {
        self.sip.handle_timeout(now);
        for region in self.regions.values_mut() {
            region.acd.handle_timeout(now);
        }
        self.pump(now);
        while let Some(timer) = self.timers.take_due(now) {
            match timer {
                Timer::Phase(call) => self.on_phase_timeout(now, call),
                Timer::Ping(_) | Timer::PingTrunk(_) => self.ping(now, timer),
                Timer::Shifts => self.change_shifts(now),
                Timer::Overrides => self.end_overrides(now),
                Timer::Supervisor(call) => self.end_supervision(now, call),
            }
            self.pump(now);
        }
    }

    /// When [`Self::handle_timeout`] must be called at the latest.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Timestamp> {
        let acd = self.regions.values().filter_map(|region| region.acd.poll_timeout()).min();
        [self.sip.poll_timeout(), acd, self.timers.next()].into_iter().flatten().min()
    }

    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// Calls that are not yet closed.
    #[must_use]
    pub fn call_count(&self) -> usize {
        self.calls.len()
    }

    #[must_use]
    pub fn counters(&self) -> Counters {
        self.counters
    }

    #[must_use]
    pub fn sip_counters(&self) -> &sip::Counters {
        self.sip.counters()
    }

    /// Carries what the machines below say to whom it concerns, until all are silent.
    fn pump(&mut self, now: Timestamp) {
        loop {
            if let Some(output) = self.sip.poll_output() {
                match output {
                    sip::Output::Transmit { flow, bytes } => {
                        self.outputs.push_back(Output::Transmit { flow, bytes });
                    }
                    sip::Output::Event(event) => self.on_sip(now, event),
                }
            } else if let Some((region, output)) = self.next_acd_output() {
                self.on_acd(now, &region, output);
            } else {
                return;
            }
        }
    }

    fn next_acd_output(&mut self) -> Option<(RegionId, acd::Output)> {
        self.regions.iter_mut().find_map(|(id, region)| Some((id.clone(), region.acd.poll_output()?)))
    }

    fn on_sip(&mut self, now: Timestamp, event: Event) {
        match event {
            Event::Invited { leg, invite } => self.on_invited(now, leg, *invite),
            Event::Progress { .. } => {}
            Event::Confirmed { .. } => {}
            Event::Answered { leg, sdp } if self.supervisor_legs.contains_key(&leg) => {
                let id = self.supervisor_legs.get(&leg).copied();
                id.into_iter().for_each(|id| self.on_supervisor_answered(now, id, sdp.as_deref()));
            }
            Event::Answered { leg, sdp } => {
                let (caller, outside) = (self.caller_legs.get(&leg), self.outside_legs.get(&leg));
                match (caller.copied(), outside.copied()) {
                    (Some(id), _) => self.on_caller_answered(now, id, sdp.as_deref()),
                    (None, Some(id)) => self.on_outside_answered(now, id, sdp.as_deref()),
                    (None, None) => self.on_agent_answered(now, leg, sdp.as_deref()),
                }
            }
            Event::Failed { leg, .. } if self.caller_legs.contains_key(&leg) => {
                self.on_caller_failed(now, leg);
            }
            Event::Failed { leg, status } if self.outside_legs.contains_key(&leg) => {
                self.on_outside_failed(now, leg, status);
            }
            Event::Failed { leg, .. } if self.supervisor_legs.contains_key(&leg) => {
                self.on_supervisor_gone(now, leg);
            }
            Event::Failed { leg, status } => self.on_agent_failed(now, leg, status),
            Event::OfferReceived { leg, sdp } => self.on_offer(now, leg, sdp.as_deref()),
            Event::OfferAnswered { leg, sdp } => self.on_offer_answered(now, leg, &sdp),
            Event::OfferRefused { leg, .. } => self.on_offer_refused(now, leg),
            Event::Key { leg, digit } => self.on_info_key(now, leg, digit),
            Event::Referred { leg, refer } => self.on_referred(now, leg, &refer),
            Event::Ended { leg, cause } => self.on_leg_ended(now, leg, cause),
            Event::Registered { user, .. } => self.on_registered(now, &user),
            Event::Unregistered { user } => self.on_unregistered(now, &user),
            Event::Pong { ping, status } => self.on_pong(now, ping, status),
            Event::RegisterDone { .. } => {}
            Event::AuthFailed { user, flow } => self.outputs.push_back(Output::AuthFailed { user, flow }),
        }
    }

    fn on_media(&mut self, now: Timestamp, event: media::Event) {
        match event {
            media::Event::Dtmf { leg, digit } => self.on_media_key(now, leg, digit),
            media::Event::Played { leg, tag } => self.on_played(now, leg, tag),
            media::Event::Closed { leg, stats } => self.on_media_closed(now, leg, stats),
            media::Event::Silent { leg } => self.on_silent(now, leg),
            media::Event::Recorded { recording, file, duration_ms, segments } => {
                self.on_recorded(now, CallId(recording.0), file, duration_ms, segments);
            }
        }
    }

    pub(crate) fn fact(&mut self, now: Timestamp, fact: Fact) {
        let record = self.facts.record(now, fact);
        self.outputs.push_back(Output::Fact(record));
    }

    pub(crate) fn ask_who_calls(&mut self, call: CallId, number: Pii) {
        self.outputs.push_back(Output::CallerAsked { call, number });
    }

    pub(crate) fn new_call_id(&mut self, now: Timestamp) -> CallId {
        self.facts.new_call_id(now)
    }

    pub(crate) fn tell_media(&mut self, shard: u16, command: media::Command) {
        self.outputs.push_back(Output::Media { shard, command });
    }

    pub(crate) fn on_clock_set_back(&mut self, now: Timestamp, by: Duration) {
        if !self.config.snapshot.rosters.is_empty() {
            // Whoever came on shift in the time that is yet to come again is asked for anew.
            self.timers.set(Timer::Shifts, Some(now));
        }
        self.outputs.push_back(Output::ClockSetBack { by });
    }

    pub(crate) fn tell_acd(&mut self, now: Timestamp, region: &RegionId, input: acd::Input) {
        if let Some(region) = self.regions.get_mut(region) {
            region.acd.handle_input(now, input);
        }
    }

    pub(crate) fn tell_acd_of(&mut self, now: Timestamp, agent: AgentId, input: acd::Input) {
        if let Some(region) = self.config.snapshot.agents.get(&agent).map(|agent| agent.region.clone()) {
            self.tell_acd(now, &region, input);
        }
    }
}

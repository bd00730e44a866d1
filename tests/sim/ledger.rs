//! Keeps the books of a simulated day from the outside, from facts and from what phones saw, and says when
//! they do not add up. Knows nothing of how the switch works.

use domain::{Activity, AgentId, CallId, Departure, Fact, FactRecord, OfferEnd};
use phones::Report;
use std::collections::{BTreeMap, BTreeSet};

#[derive(Default)]
pub struct Ledger {
    open: BTreeMap<CallId, Page>,
    pub closed: u64,
    pub departures: BTreeMap<Departure, u64>,
    pub dialled: u64,
    /// Callers who have answered the survey.
    pub rated: u64,
    /// Talks of three.
    pub conferences: u64,
    /// Which call an agent is in, by the facts.
    talking: BTreeMap<AgentId, CallId>,
    offered: BTreeMap<AgentId, CallId>,
    /// Calls for which a number outside rings.
    dialling: BTreeSet<CallId>,
    last_seq: Option<u64>,
    wrong: Option<String>,
}

#[derive(Default)]
struct Page {
    has_departed: bool,
    agents: BTreeSet<AgentId>,
    talk_ended: bool,
    was_asked: bool,
    has_answered: bool,
    /// Somebody outside is in it.
    has_guest: bool,
    /// With somebody outside and without a lawyer, now or before.
    is_passed_on: bool,
    /// The lawyer has left the caller to somebody else: another may follow.
    is_left: bool,
}

impl Ledger {
    pub fn enter(&mut self, record: &FactRecord) {
        if self.last_seq.is_some_and(|last| record.seq != last + 1) {
            self.wrong(format!("fact {} does not follow {:?}", record.seq, self.last_seq));
        }
        self.last_seq = Some(record.seq);
        match &record.fact {
            Fact::CallArrived { call, .. } => {
                if self.open.insert(*call, Page::default()).is_some() {
                    self.wrong(format!("call {call} arrived twice"));
                }
            }
            Fact::AgentOffered { call, agent, .. } => self.offer(*call, *agent),
            Fact::OfferEnded { agent, call, .. } => {
                if self.offered.remove(agent) != Some(*call) {
                    self.wrong(format!("an offer of call {call} to {agent} ended that never began"));
                }
            }
            Fact::CallbackDialled { call, agent } => self.reserve(*call, *agent),
            Fact::TransferDialled { call, attempt, .. } => self.dial_outside(*call, *attempt),
            Fact::TransferEnded { call, end, .. } => self.end_outside(*call, *end),
            Fact::CallConferenced { call, .. } => self.confer(*call),
            Fact::GuestLeft { call, .. } => self.part(*call),
            Fact::CallPassedOn { call, .. } | Fact::CallPassedTo { call, .. } => self.leave(*call),
            Fact::CallBridged { call, agent, .. } => self.bridge(*call, *agent),
            Fact::TalkEnded { call, .. } => self.end_talk(*call),
            Fact::SurveyAsked { call } => self.ask(*call),
            Fact::SurveyAnswered { call, .. } => self.rate(*call),
            Fact::CallDeparted { call, departure, .. } => self.depart(*call, *departure),
            Fact::CallClosed { call } => self.close(*call),
            Fact::AgentChanged { agent, activity, .. } => self.change(*agent, *activity),
            Fact::CallAttributed { .. }
            | Fact::CallStepped { .. }
            | Fact::CallQueued { .. }
            | Fact::CallOverflowed { .. }
            | Fact::CallPrioritised { .. }
            | Fact::WaitAnnounced { .. }
            | Fact::CallbackAsked { .. }
            | Fact::CallHeld { .. }
            | Fact::ReferralRefused { .. }
            | Fact::CallSupervised { .. }
            | Fact::CallResumed { .. }
            | Fact::LegEnded { .. }
            | Fact::RecordingClosed { .. }
            | Fact::TrunkChanged { .. }
            | Fact::PoolOverridden { .. } => {}
        }
    }

    pub fn hear(&mut self, report: &Report) {
        if matches!(report, Report::Dialled { .. }) {
            self.dialled += 1;
        }
    }

    /// # Errors
    /// The first thing that did not add up.
    pub fn verdict(&self) -> Result<(), String> {
        self.wrong.clone().map_or(Ok(()), Err)
    }

    /// # Errors
    /// Something is not settled although the day is over.
    pub fn end_of_day(&self) -> Result<(), String> {
        if let Some(call) = self.open.keys().next() {
            return Err(format!("call {call} was never closed"));
        }
        if let Some(call) = self.dialling.first() {
            return Err(format!("a number outside still rings for call {call}"));
        }
        if let Some((agent, call)) = self.talking.iter().chain(&self.offered).next() {
            return Err(format!("agent {agent} is still busy with call {call}"));
        }
        let departed: u64 = self.departures.values().sum();
        if departed == self.closed {
            Ok(())
        } else {
            Err(format!("{departed} departed, {} closed", self.closed))
        }
    }

    fn offer(&mut self, call: CallId, agent: AgentId) {
        if let Some(other) = self.offered.insert(agent, call) {
            self.wrong(format!("agent {agent} is offered {call} while {other} rings"));
        }
        if let Some(other) = self.talking.get(&agent) {
            self.wrong(format!("agent {agent} is offered {call} while talking to {other}"));
        }
        let rung_twice = self.offered.iter().filter(|(_, offered)| **offered == call).count() > 1;
        if rung_twice {
            self.wrong(format!("call {call} rings two agents"));
        }
    }

    /// The agent has answered and waits for the caller who is being dialled.
    fn reserve(&mut self, call: CallId, agent: AgentId) {
        if let Some(other) = self.talking.insert(agent, call).filter(|other| *other != call) {
            self.wrong(format!("agent {agent} talks to {call} and {other}"));
        }
    }

    fn dial_outside(&mut self, call: CallId, attempt: u8) {
        if !self.dialling.insert(call) || usize::from(attempt) > crate::OUTSIDE.len() {
            self.wrong(format!("call {call} dials number {attempt} outside"));
        }
        if self.open.get(&call).is_none_or(|page| page.has_departed || page.has_guest) {
            self.wrong(format!("call {call} dials outside and is over, or somebody is there already"));
        }
    }

    fn is_talking(&self, call: CallId) -> bool {
        self.talking.values().any(|talking| *talking == call)
    }

    fn confer(&mut self, call: CallId) {
        if !self.is_talking(call) || self.open.get(&call).is_none_or(|page| !page.has_guest) {
            self.wrong(format!("call {call} is a conference without all three"));
        }
        self.conferences += 1;
    }

    fn part(&mut self, call: CallId) {
        let is_talking = self.is_talking(call);
        match self.open.get_mut(&call) {
            Some(page) if is_talking && page.has_guest => page.has_guest = false,
            Some(_) | None => self.wrong(format!("somebody outside left call {call} who was not in it")),
        }
    }

    fn leave(&mut self, call: CallId) {
        let is_talking = self.is_talking(call);
        match self.open.get_mut(&call) {
            Some(page) if !is_talking && page.talk_ended && !page.has_departed => {
                page.is_left = true;
                page.is_passed_on |= page.has_guest;
            }
            Some(_) | None => self.wrong(format!("call {call} is left to others and not by a lawyer")),
        }
    }

    fn end_outside(&mut self, call: CallId, end: OfferEnd) {
        let was_dialled = self.dialling.remove(&call);
        if !was_dialled && end != OfferEnd::Unreachable {
            self.wrong(format!("nobody was dialled for call {call}, and it ended: {end:?}"));
        }
        let is_talking = self.is_talking(call);
        match self.open.get_mut(&call) {
            Some(page) if end == OfferEnd::Answered && !page.has_departed => {
                page.has_guest = true;
                page.is_passed_on |= !is_talking;
            }
            // A lawyer has thought better of it.
            Some(_) if end == OfferEnd::Withdrawn && is_talking => {}
            Some(page) if page.has_departed != (end == OfferEnd::Withdrawn) => {
                self.wrong(format!("call {call} dialled outside: {end:?} at the wrong time"));
            }
            Some(_) => {}
            None => self.wrong(format!("call {call} dialled outside and is not open")),
        }
    }

    fn bridge(&mut self, call: CallId, agent: AgentId) {
        self.reserve(call, agent);
        let Some(page) = self.open.get_mut(&call) else {
            return self.wrong(format!("call {call} is bridged and not open"));
        };
        let is_first = page.agents.is_empty() && !page.talk_ended;
        let is_next = page.is_left && page.talk_ended && !page.has_guest;
        page.agents.insert(agent);
        (page.is_left, page.talk_ended) = (false, false);
        if page.has_departed || !(is_first || is_next) {
            self.wrong(format!("call {call} is bridged again"));
        }
    }

    fn end_talk(&mut self, call: CallId) {
        let agents = self.talking.len();
        self.talking.retain(|_, talking| *talking != call);
        let page = self.open.get_mut(&call).filter(|page| !page.has_departed && !page.talk_ended);
        match page {
            Some(page) if self.talking.len() + 1 == agents => page.talk_ended = true,
            Some(_) | None => self.wrong(format!("the talk of call {call} ended and was none")),
        }
    }

    fn ask(&mut self, call: CallId) {
        match self.open.get_mut(&call) {
            Some(page) if page.talk_ended && !page.was_asked && !page.has_departed => page.was_asked = true,
            Some(_) | None => self.wrong(format!("call {call} is asked without a talk, or twice")),
        }
    }

    fn rate(&mut self, call: CallId) {
        self.rated += 1;
        match self.open.get_mut(&call) {
            Some(page) if page.was_asked && !page.has_answered && !page.has_departed => {
                page.has_answered = true;
            }
            Some(_) | None => self.wrong(format!("call {call} answers and was not asked")),
        }
    }

    fn depart(&mut self, call: CallId, departure: Departure) {
        *self.departures.entry(departure).or_default() += 1;
        self.talking.retain(|_, talking| *talking != call);
        match self.open.get_mut(&call) {
            Some(page) if !page.has_departed => {
                page.has_departed = true;
                let was_answered = !page.agents.is_empty();
                let was_passed_on = page.is_passed_on;
                let is_right = match departure {
                    Departure::Answered => was_answered,
                    // Also of whom a lawyer left to others who did not answer.
                    Departure::Voicemail => !was_passed_on || was_answered,
                    Departure::Transferred => was_passed_on && !was_answered,
                    _ => !was_passed_on && !was_answered,
                };
                if !is_right {
                    self.wrong(format!(
                        "call {call} departed as {departure:?}, answered: {was_answered}, passed on: {was_passed_on}"
                    ));
                }
            }
            Some(_) => self.wrong(format!("call {call} departed twice")),
            None => self.wrong(format!("call {call} departed without arriving")),
        }
    }

    fn close(&mut self, call: CallId) {
        self.closed += 1;
        if !self.open.remove(&call).is_some_and(|page| page.has_departed) {
            self.wrong(format!("call {call} was closed before it departed"));
        }
    }

    fn change(&mut self, agent: AgentId, activity: Activity) {
        if let Activity::Talking { call, .. } = activity
            && self.talking.get(&agent) != Some(&call)
            && self.offered.get(&agent) != Some(&call)
        {
            self.wrong(format!("agent {agent} is said to talk to {call}"));
        }
    }

    fn wrong(&mut self, what: String) {
        self.wrong.get_or_insert(what);
    }
}

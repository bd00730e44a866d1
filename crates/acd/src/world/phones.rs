//! The agents' phones: what each is doing, and a protest when it is asked to do two things at once.

use domain::{AgentId, CallId};

/// What a phone does about an offer, unless it lets it ring.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Fate {
    Answers,
    Rejects,
    IsUnreachable,
    Vanishes,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phone {
    Silent,
    Rings { call: CallId, offer: u64 },
    Answered { call: CallId },
    Talks,
}

pub(super) struct Phones {
    phones: Vec<Phone>,
    offers: u64,
}

impl Phones {
    pub(super) fn new(agents: u32) -> Self {
        Self { phones: vec![Phone::Silent; agents as usize], offers: 0 }
    }

    /// Returns the number of the offer.
    pub(super) fn ring(&mut self, agent: AgentId, call: CallId) -> Result<u64, String> {
        self.offers += 1;
        let offer = self.offers;
        self.change(agent, |phone| *phone == Phone::Silent, Phone::Rings { call, offer })?;
        Ok(offer)
    }

    /// The call that the phone acts on, unless its offer of that number is gone.
    pub(super) fn acts(&mut self, agent: AgentId, number: u64, fate: Fate) -> Option<CallId> {
        let phone = &mut self.phones[agent.0 as usize - 1];
        match *phone {
            Phone::Rings { call, offer } if offer == number => {
                *phone = match fate {
                    Fate::Answers => Phone::Answered { call },
                    Fate::Rejects | Fate::IsUnreachable => Phone::Silent,
                    Fate::Vanishes => Phone::Rings { call, offer },
                };
                Some(call)
            }
            Phone::Rings { .. } | Phone::Silent | Phone::Answered { .. } | Phone::Talks => None,
        }
    }

    pub(super) fn stop(&mut self, agent: AgentId, call: CallId) -> Result<(), String> {
        let rings = |phone: &Phone| matches!(phone, Phone::Rings { call: rung, .. } if *rung == call);
        self.change(agent, rings, Phone::Silent)
    }

    pub(super) fn connect(&mut self, agent: AgentId, call: CallId) -> Result<(), String> {
        self.change(agent, |phone| *phone == Phone::Answered { call }, Phone::Talks)
    }

    pub(super) fn hang_up(&mut self, agent: AgentId) {
        self.phones[agent.0 as usize - 1] = Phone::Silent;
    }

    fn change(&mut self, agent: AgentId, allowed: impl Fn(&Phone) -> bool, to: Phone) -> Result<(), String> {
        let phone = &mut self.phones[agent.0 as usize - 1];
        if !allowed(phone) {
            return Err(format!("agent {agent} is {phone:?} and shall become {to:?}"));
        }
        *phone = to;
        Ok(())
    }
}

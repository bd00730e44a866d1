//! Callers who ask to be called back: they leave the line, their place in it stays, and they are dialled when a lawyer
//! has picked up (adr/0006). As `crates/switch/src/callback.rs` does it; what the dialplan says after the call-back was
//! taken down changes no figure and is left out.

use super::{Engine, Event, Phase};
use crate::simulate::people::{about, happens};
use dialplan::{Outcome, Step};
use domain::{AgentId, CallId, Departure, Timestamp};
use std::collections::BTreeSet;
use std::time::Duration;

/// Mean time until a caller who is dialled picks up.
const PICK_UP: Duration = Duration::from_secs(10);
/// As long rings the phone of one who does not.
const DIAL_TIMEOUT: Duration = Duration::from_secs(45);

/// A caller who is not on the line any more.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Away {
    /// Hears until then that the call-back is taken down, and is away afterwards.
    Kept { on_the_line_until: Timestamp },
    /// This lawyer hears the caller's phone ring.
    Dialled { agent: AgentId, pool: usize, picks_up: bool },
}

impl Engine<'_> {
    /// The key that the caller will press for a call-back in a queue with these, if this is such a caller.
    pub(super) fn callback_key(&mut self, call: CallId, keys: &BTreeSet<char>) -> Option<char> {
        let (house, now) = (self.house, self.now);
        let caller = self.caller(call).filter(|caller| caller.wants_callback)?;
        let leads_there = |key: &char| {
            let step = house.next(&mut caller.cursor.clone(), now, Outcome::Digit(*key));
            matches!(step, Step::Callback { .. })
        };
        keys.iter().copied().find(leads_there)
    }

    /// The caller has heard how long it will take, and what can be done instead.
    pub(super) fn was_told(&mut self, call: CallId, position: usize, wait: Duration) {
        let house = self.house;
        let Some(caller) = self.caller(call) else { return };
        if let Some(key) = caller.callback_key.take() {
            let said = house.announcement(&caller.cursor, position, wait);
            self.schedule(said, Event::AsksToBeCalled(call, key));
        }
    }

    pub(super) fn ask_to_be_called(&mut self, call: CallId, key: char) {
        let (house, now) = (self.house, self.now);
        let Some(caller) = self.caller(call).filter(|caller| caller.phase == Phase::Queued) else { return };
        let step = house.next(&mut caller.cursor, now, Outcome::Digit(key));
        let Step::Callback { prompts, within } = step else { return };
        caller.phase = Phase::Away(Away::Kept { on_the_line_until: now + house.length(&prompts) });
        caller.left_queue = Some(now);
        self.acd.handle_input(now, acd::Input::CallbackAsked { call, until: now + within });
    }

    /// A lawyer has picked up for a caller who is away.
    pub(super) fn dial_back(&mut self, agent: AgentId, call: CallId, pool: usize) {
        let unanswered = self.forecast.callback_unanswered.of_one();
        let Some(caller) = self.caller(call) else { return };
        let picks_up = !happens(&mut caller.dice, unanswered);
        let span = if picks_up { about(&mut caller.dice, PICK_UP) } else { DIAL_TIMEOUT };
        caller.phase = Phase::Away(Away::Dialled { agent, pool, picks_up });
        self.schedule(span, Event::DialEnds(call));
        self.note_work(agent, span);
    }

    pub(super) fn dial_ends(&mut self, call: CallId) {
        let Some(caller) = self.caller(call) else { return };
        let Phase::Away(Away::Dialled { agent, pool, picks_up }) = caller.phase else { return };
        if picks_up {
            self.talk(agent, call, pool);
        } else {
            self.depart(call, Departure::CallbackUnanswered, None);
            self.acd.handle_input(self.now, acd::Input::TalkEnded { agent, call });
            self.note_work(agent, self.wrap_ups[pool]);
        }
    }
}

//! A clock that is set.
//!
//! Set forward, what is overdue fires: rings end, waits end, nothing is lost. Set back, every deadline would
//! lie too far ahead and every newcomer would look older than all who wait, so all instants that the machine
//! holds go back with it.

use crate::agent::Seat;
use crate::call::{CallKey, CallState};
use crate::day::next_midnight;
use crate::machine::Acd;
use crate::message::Output;
use domain::{Duty, Timestamp, WrapUpRule};
use std::time::Duration;

/// Stamps of several readers, and of a queue that is read late, go back by less than this. A clock set back by
/// less makes deadlines late by as much; set back by more, by the time since the machine was last told it.
const LAG_MAX: Duration = Duration::from_secs(60);

impl Acd {
    pub(crate) fn follow_clock(&mut self, now: Timestamp) {
        let latest = self.latest.unwrap_or(now);
        if now + LAG_MAX < latest {
            self.set_back(now, latest - now);
            self.outputs.push_back(Output::ClockSetBack { by: latest - now });
            self.latest = Some(now);
        } else {
            self.latest = Some(latest.max(now));
        }
    }

    fn set_back(&mut self, now: Timestamp, by: Duration) {
        let by_ms = i64::try_from(by.as_millis()).unwrap_or(i64::MAX);
        let move_back = |at: &mut Timestamp| {
            if *at != Timestamp::NEVER {
                *at = Timestamp::from_ms(at.as_ms().saturating_sub(by_ms));
            }
        };
        for (&id, agent) in &mut self.agents {
            match &mut agent.seat {
                Seat::Idle { since } | Seat::Talking { since, .. } => move_back(since),
                Seat::Ringing { until, idle_since, .. } | Seat::Clearing { until, idle_since, .. } => {
                    move_back(until);
                    move_back(idle_since);
                }
                Seat::WrapUp { until, rule, .. } => {
                    move_back(until);
                    if let WrapUpRule::Extendable { latest } = rule {
                        move_back(latest);
                    }
                }
            }
            if let Some((_, since)) = &mut agent.busy_since {
                move_back(since);
            }
            if let Duty::Paused { until: Some(until), .. } = &mut agent.duty {
                move_back(until);
            }
            self.changed.insert(id);
        }
        for call in self.calls.values_mut() {
            if let CallState::Queued(queued) = call {
                move_back(&mut queued.arrived);
                move_back(&mut queued.entered);
                if let Some((_, until)) = &mut queued.kept_for {
                    move_back(until);
                }
                if let Some((at, _)) = &mut queued.announce {
                    move_back(at);
                }
                queued.key = CallKey::new(queued.key.call, queued.arrived, queued.priority);
            }
        }
        self.midnight = self.midnight.map(|_| next_midnight(now));
        self.reindex();
    }
}

//! Transactions (RFC 3261 section 17, RFC 6026): what is sent again, what is absorbed, when to give up.
//!
//! Two tables of pure state enums, one per role. They send bytes and set timers through [`Io`] and hand
//! every message that is new to the user above, named by a [`Purpose`].
//!
//! Deliberately absent: forwarding, and what a method means.

mod client;
mod server;

pub(crate) use client::{Clients, Delivery, Purpose, cancel_of};
pub(crate) use server::{AckFor, Keys, Servers};

use crate::endpoint::{Event, Output, Timer, Timers};
use crate::flow::Flow;
use domain::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;
use std::time::Duration;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct ClientId(pub(crate) u64);

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct ServerId(pub(crate) u64);

/// T1, T2 and T4 of RFC 3261 section 17.1.1.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Intervals {
    /// Round trip estimate.
    pub t1: Duration,
    /// The longest pause between retransmissions.
    pub t2: Duration,
    /// How long a message can stay in the network.
    pub t4: Duration,
}

impl Default for Intervals {
    fn default() -> Self {
        Self {
            t1: Duration::from_millis(500),
            t2: Duration::from_millis(4000),
            t4: Duration::from_millis(5000),
        }
    }
}

impl Intervals {
    /// Timers B, F, H, J, L and M.
    #[must_use]
    pub fn give_up(&self) -> Duration {
        self.t1 * 64
    }

    /// The pause after one of `before`.
    pub(crate) fn doubled(&self, before: Duration) -> Duration {
        (before * 2).min(self.t2)
    }
}

/// What machines act through: the time, the timers, the way out.
pub(crate) struct Io {
    pub(crate) now: Timestamp,
    pub(crate) timers: Timers,
    pub(crate) out: VecDeque<Output>,
    pub(crate) intervals: Intervals,
}

impl Io {
    pub(crate) fn new(intervals: Intervals) -> Self {
        Self { now: Timestamp::default(), timers: Timers::default(), out: VecDeque::new(), intervals }
    }

    pub(crate) fn transmit(&mut self, flow: Flow, bytes: Vec<u8>) {
        self.out.push_back(Output::Transmit { flow, bytes });
    }

    pub(crate) fn event(&mut self, event: Event) {
        self.out.push_back(Output::Event(event));
    }

    pub(crate) fn after(&mut self, timer: Timer, span: Duration) {
        self.timers.set(timer, self.now + span);
    }
}

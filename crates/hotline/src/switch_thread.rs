//! The one thread that owns the switch: takes what its inbox brings, hands out what the node says, sleeps
//! until something is due. It never waits for anyone else.

use crate::callers::Question;
use crate::outlet::Outlet;
use domain::Timestamp;
use net::media::{MediaShards, Refused};
use net::sip::{Inbox, SipSockets, now};
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use switch::{Input, Node, Output};
use tokio::sync::mpsc;
use tracing::{error, warn};

/// Messages over TCP, media events and commands that may wait for the switch.
pub const POSTS_MAX: usize = 4_096;
/// How long things pile up while there are calls. An INVITE waits once before it becomes an offer, which has 10 ms.
pub const GATHER: Duration = Duration::from_millis(3);
/// Inputs handled between two looks at the timers.
const TURN_INPUTS_MAX: usize = 64;
/// How soon a media shard whose queue is full is tried again.
const SHARD_RETRY: Duration = Duration::from_millis(1);
/// With nothing due at all.
const IDLE: Duration = Duration::from_secs(1);

pub enum Inbound {
    Sip(net::sip::Inbound),
    Input(Input),
    Stop,
}

impl From<net::sip::Inbound> for Inbound {
    fn from(inbound: net::sip::Inbound) -> Self {
        Self::Sip(inbound)
    }
}

pub struct SwitchThread {
    pub node: Node,
    pub inbox: Inbox<Inbound>,
    pub sockets: SipSockets,
    pub shards: MediaShards,
    pub outlet: Outlet,
    pub questions: mpsc::Sender<Question>,
    pub calls: Arc<AtomicUsize>,
    /// Commands that their shard had no room for, in order, by shard. Bounded by what the calls that the
    /// node admits can ask for.
    pub unsent: Vec<VecDeque<media::Command>>,
}

impl SwitchThread {
    pub fn run(mut self) {
        self.hand_out();
        loop {
            let now = now();
            if self.node.poll_timeout().is_some_and(|due| due <= now) {
                self.node.handle_timeout(now);
                self.hand_out();
            }
            self.send_to_shards();
            if let Err(error) = self.inbox.wait(self.sleep_from(now)) {
                return error!(%error, "the switch cannot wait for packets");
            }
            for _ in 0..TURN_INPUTS_MAX {
                match self.inbox.take() {
                    Some(Inbound::Stop) => return,
                    Some(inbound) => self.handle(inbound),
                    None => break,
                }
            }
        }
    }

    fn sleep_from(&self, now: Timestamp) -> Duration {
        let until_due = self.node.poll_timeout().map_or(IDLE, |due| (due - now).min(IDLE));
        let has_unsent = self.unsent.iter().any(|queue| !queue.is_empty());
        if has_unsent { until_due.min(SHARD_RETRY) } else { until_due }
    }

    fn handle(&mut self, inbound: Inbound) {
        match inbound {
            Inbound::Sip(net::sip::Inbound::Packet(packet)) => {
                self.node.handle_packet(now(), packet.at, packet.flow, &packet.bytes);
            }
            Inbound::Sip(net::sip::Inbound::FlowClosed(flow)) => {
                self.node.handle_input(now(), Input::FlowClosed(flow));
            }
            Inbound::Input(input) => self.node.handle_input(now(), input),
            Inbound::Stop => {}
        }
        self.hand_out();
    }

    fn hand_out(&mut self) {
        while let Some(output) = self.node.poll_output() {
            match output {
                Output::Transmit { flow, bytes } => self.sockets.send(flow, &bytes),
                Output::Media { shard, command } => self.unsent[usize::from(shard)].push_back(command),
                Output::Fact(record) => self.outlet.publish(record),
                Output::CallerAsked { call, number } => {
                    let asked = tokio::time::Instant::now();
                    if self.questions.try_send(Question { call, number, asked }).is_err() {
                        self.outlet.count_unasked();
                    }
                }
                Output::ClockSetBack { by } => {
                    warn!(?by, "the clock was set back; all deadlines went with it");
                }
                Output::AuthFailed { user, flow } => {
                    warn!(%user, from = %flow.remote.ip(), "a phone gave wrong credentials");
                }
            }
        }
        self.calls.store(self.node.call_count(), Ordering::Relaxed);
        self.outlet.count(&self.node);
    }

    /// Rings once for all that a turn led to.
    fn send_to_shards(&mut self) {
        for (shard, queue) in self.unsent.iter_mut().enumerate().filter(|(_, queue)| !queue.is_empty()) {
            while let Some(command) = queue.pop_front() {
                match self.shards.queue(shard as u16, command) {
                    Ok(()) => {}
                    Err(Refused::Full(command)) => {
                        queue.push_front(command);
                        break;
                    }
                    Err(Refused::Gone(_)) => error!(shard, "a media shard has ended"),
                }
            }
            self.shards.ring(shard as u16);
        }
    }
}

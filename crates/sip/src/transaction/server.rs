//! Server transactions (RFC 3261 section 17.2, RFC 6026 section 7.1).

use super::{Io, ServerId};
use crate::endpoint::{LegId, Timer};
use crate::flow::Flow;
use crate::message::{Message, Method};
use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

/// An INVITE without a response for this long gets a 100 (section 17.2.1).
const TRYING_AFTER: Duration = Duration::from_millis(200);

pub(crate) struct Servers {
    next: u64,
    table: BTreeMap<ServerId, Server>,
    index: HashMap<String, ServerId>,
    /// Requests without a To tag, to tell merged ones (section 8.2.2.2).
    merging: HashMap<String, ServerId>,
}

struct Server {
    key: String,
    merge_key: Option<String>,
    reply_to: Flow,
    leg: Option<LegId>,
    state: State,
}

enum State {
    /// INVITE without a final response; `last` is sent again for every copy.
    Proceeding { last: Option<Vec<u8>> },
    /// INVITE answered with a 2xx, which the dialog sends again itself; copies are absorbed.
    Accepted,
    /// INVITE refused, its ACK awaited. `pause` is timer G's, absent on reliable transports.
    Completed { response: Vec<u8>, pause: Option<Duration> },
    /// INVITE refused and acknowledged.
    Confirmed,
    /// Another method, not answered yet.
    Trying,
    /// Another method, answered.
    Answered { response: Vec<u8> },
}

/// What an ACK met.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AckFor {
    /// It ended the transaction of a refusal.
    Refusal,
    /// Not this layer's: it may be for a 2xx.
    Dialog,
}

impl Servers {
    pub(crate) fn new() -> Self {
        Self { next: 0, table: BTreeMap::new(), index: HashMap::new(), merging: HashMap::new() }
    }

    pub(crate) fn len(&self) -> usize {
        self.table.len()
    }

    /// The transaction that a request is a copy of.
    pub(crate) fn find(&self, keys: &Keys) -> Option<ServerId> {
        self.index.get(&keys.transaction).copied()
    }

    /// The INVITE that a CANCEL means (section 9.2), and the leg that it made or belongs to.
    pub(crate) fn find_cancelled(&self, cancel: &Message) -> Option<(ServerId, Option<LegId>)> {
        let id = *self.index.get(&key(cancel, &Method::Invite)?)?;
        Some((id, self.table.get(&id)?.leg))
    }

    /// Whether the same request came here by another path (section 8.2.2.2).
    pub(crate) fn is_merged(&self, keys: &Keys) -> bool {
        keys.merging.as_ref().is_some_and(|key| self.merging.contains_key(key))
    }

    /// Opens the transaction of a new request.
    pub(crate) fn open(&mut self, io: &mut Io, keys: Keys, is_invite: bool, reply_to: Flow) -> ServerId {
        let Keys { transaction: key, merging: merge_key } = keys;
        self.next += 1;
        let id = ServerId(self.next);
        if let Some(merge_key) = &merge_key {
            self.merging.entry(merge_key.clone()).or_insert(id);
        }
        let state = if is_invite {
            io.after(Timer::ServerTrying(id), TRYING_AFTER);
            State::Proceeding { last: None }
        } else {
            State::Trying
        };
        self.index.insert(key.clone(), id);
        self.table.insert(id, Server { key, merge_key, reply_to, leg: None, state });
        id
    }

    /// Notes whose INVITE this is.
    pub(crate) fn set_leg(&mut self, id: ServerId, leg: LegId) {
        if let Some(server) = self.table.get_mut(&id) {
            server.leg = Some(leg);
        }
    }

    /// Whose INVITE this is.
    pub(crate) fn leg(&self, id: ServerId) -> Option<LegId> {
        self.table.get(&id)?.leg
    }

    /// Where responses go.
    pub(crate) fn reply_to(&self, id: ServerId) -> Option<Flow> {
        self.table.get(&id).map(|server| server.reply_to)
    }

    /// A copy of the request came: the last response again, if there is one to repeat.
    pub(crate) fn absorb(&self, io: &mut Io, id: ServerId) {
        let Some(server) = self.table.get(&id) else { return };
        let response = match &server.state {
            State::Proceeding { last: Some(response) }
            | State::Completed { response, .. }
            | State::Answered { response } => response.clone(),
            State::Proceeding { last: None } | State::Accepted | State::Confirmed | State::Trying => return,
        };
        io.transmit(server.reply_to, response);
    }

    /// Sends a response and moves on. A response after the final one is not sent.
    pub(crate) fn respond(&mut self, io: &mut Io, id: ServerId, status: u16, bytes: Vec<u8>) {
        let Some(server) = self.table.get_mut(&id) else { return };
        let reliable = server.reply_to.transport.is_reliable();
        io.timers.cancel(Timer::ServerTrying(id));
        server.state = match (&server.state, status) {
            (State::Proceeding { .. }, 0..200) => {
                io.transmit(server.reply_to, bytes.clone());
                State::Proceeding { last: Some(bytes) }
            }
            (State::Proceeding { .. }, 200..300) => {
                io.transmit(server.reply_to, bytes);
                io.after(Timer::ServerLinger(id), io.intervals.give_up()); // L
                State::Accepted
            }
            (State::Proceeding { .. }, _) => {
                io.transmit(server.reply_to, bytes.clone());
                io.after(Timer::ServerLinger(id), io.intervals.give_up()); // H
                if !reliable {
                    io.after(Timer::ServerResend(id), io.intervals.t1); // G
                }
                State::Completed { response: bytes, pause: (!reliable).then_some(io.intervals.t1) }
            }
            (State::Trying, 200..) => {
                io.transmit(server.reply_to, bytes.clone());
                if reliable {
                    self.remove(io, id);
                    return;
                }
                io.after(Timer::ServerLinger(id), io.intervals.give_up()); // J
                State::Answered { response: bytes }
            }
            (
                State::Trying
                | State::Accepted
                | State::Completed { .. }
                | State::Confirmed
                | State::Answered { .. },
                _,
            ) => return,
        };
    }

    /// An ACK with the INVITE's branch (section 17.2.1).
    pub(crate) fn acknowledge(&mut self, io: &mut Io, ack: &Message) -> AckFor {
        let Some(id) = key(ack, &Method::Invite).and_then(|key| self.index.get(&key).copied()) else {
            return AckFor::Dialog;
        };
        let Some(server) = self.table.get_mut(&id) else { return AckFor::Dialog };
        match server.state {
            State::Completed { .. } => {
                io.timers.cancel(Timer::ServerResend(id));
                if server.reply_to.transport.is_reliable() {
                    self.remove(io, id);
                } else {
                    server.state = State::Confirmed;
                    io.after(Timer::ServerLinger(id), io.intervals.t4); // I
                }
                AckFor::Refusal
            }
            State::Confirmed => AckFor::Refusal,
            State::Proceeding { .. } | State::Accepted | State::Trying | State::Answered { .. } => {
                AckFor::Dialog
            }
        }
    }

    /// Timer G.
    pub(crate) fn resend(&mut self, io: &mut Io, id: ServerId) {
        let Some(server) = self.table.get_mut(&id) else { return };
        if let State::Completed { response, pause: Some(pause) } = &mut server.state {
            *pause = io.intervals.doubled(*pause);
            io.transmit(server.reply_to, response.clone());
            io.after(Timer::ServerResend(id), *pause);
        }
    }

    pub(crate) fn remove(&mut self, io: &mut Io, id: ServerId) {
        if let Some(server) = self.table.remove(&id) {
            self.index.remove(&server.key);
            if let Some(merge_key) = &server.merge_key
                && self.merging.get(merge_key) == Some(&id)
            {
                self.merging.remove(merge_key);
            }
        }
        io.timers.cancel(Timer::ServerTrying(id));
        io.timers.cancel(Timer::ServerResend(id));
        io.timers.cancel(Timer::ServerLinger(id));
    }
}

/// What a request is known by.
pub(crate) struct Keys {
    transaction: String,
    /// From tag, Call-ID and CSeq; only of a request without a To tag.
    merging: Option<String>,
}

impl Keys {
    /// `None` without a usable Via.
    pub(crate) fn of(request: &Message) -> Option<Self> {
        let transaction = key(request, request.method()?)?;
        let merging = request.to_tag().is_none().then(|| {
            let (number, method) = request.cseq();
            format!("{} {} {number} {method}", request.from_tag().unwrap_or_default(), request.call_id())
        });
        Some(Self { transaction, merging })
    }
}

/// What a transaction is matched by: branch, sent-by and method (section 17.2.3); without the magic cookie
/// the identifiers of RFC 2543. `method` is INVITE for an ACK or CANCEL that looks for its INVITE.
fn key(request: &Message, method: &Method) -> Option<String> {
    let via = request.via_top()?;
    let branch = via.branch();
    if branch.starts_with("z9hG4bK") && branch.len() > 7 {
        let port = via.port.unwrap_or(5060);
        return Some(format!("{branch} {}:{port} {method}", via.host.to_ascii_lowercase()));
    }
    let tag = request.from_tag().unwrap_or_default();
    let (number, _) = request.cseq();
    let (call_id, uri) = (request.call_id(), request.uri()?);
    Some(format!("{tag} {call_id} {number} {uri} {}:{:?} {branch} {method}", via.host, via.port))
}

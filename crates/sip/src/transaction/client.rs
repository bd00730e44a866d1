//! Client transactions (RFC 3261 section 17.1, RFC 6026 section 7.2).

use super::{ClientId, Io};
use crate::endpoint::{LegId, PingId, RegistrationId, Timer};
use crate::flow::Flow;
use crate::mailboxes::SubscriptionId;
use crate::message::{Message, Method};

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

/// Remembered answers of one forked INVITE; a peer that forks wider gets no second ACK.
const MAX_ACKS: usize = 8;

/// Who asked, and is told what came of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// The INVITE that makes the leg.
    Invite(LegId),
    /// A re-INVITE or UPDATE: an offer or a session refresh.
    Exchange(LegId),
    /// The leg's last request.
    Bye(LegId),
    Cancel(LegId),
    Prack(LegId),
    /// A NOTIFY on what became of a REFER.
    Referral(LegId),
    /// A NOTIFY about a mailbox.
    Mailbox(SubscriptionId),
    Ping(PingId),
    Register(RegistrationId),
    /// Nobody waits for the outcome.
    Orphan,
}

/// A response, or its absence, for the user of a transaction.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Delivery {
    pub(crate) id: ClientId,
    pub(crate) purpose: Purpose,
    pub(crate) flow: Flow,
}

pub(crate) struct Clients {
    next: u64,
    table: BTreeMap<ClientId, Client>,
    index: HashMap<Key, ClientId>,
}

/// A response is matched by our branch and the method (section 17.1.3); a CANCEL shares the INVITE's.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Key {
    branch: String,
    cancel: bool,
}

struct Client {
    key: Key,
    flow: Flow,
    purpose: Purpose,
    state: State,
}

enum State {
    /// INVITE sent, nothing heard. `resend` is absent on reliable transports.
    Calling { invite: Box<Message>, resend: Option<Resend> },
    /// INVITE: a provisional response was heard.
    Proceeding { invite: Box<Message> },
    /// INVITE: a 2xx was heard; more may come, from forks or because our ACK was lost.
    Accepted { invite: Box<Message>, acks: Vec<SentAck> },
    /// INVITE: refused; the ACK is sent again for every copy of the refusal.
    Completed { ack: Vec<u8> },
    /// Another method, no final response yet.
    Trying { resend: Option<Resend> },
    /// Another method, answered.
    Finished,
}

struct Resend {
    bytes: Vec<u8>,
    pause: Duration,
}

struct SentAck {
    to_tag: String,
    flow: Flow,
    bytes: Vec<u8>,
}

impl Clients {
    pub(crate) fn new() -> Self {
        Self { next: 0, table: BTreeMap::new(), index: HashMap::new() }
    }

    pub(crate) fn len(&self) -> usize {
        self.table.len()
    }

    /// Sends a request whose top Via carries `branch`.
    pub(crate) fn start(
        &mut self,
        io: &mut Io,
        mut request: Message,
        branch: String,
        flow: Flow,
        purpose: Purpose,
    ) -> ClientId {
        self.next += 1;
        let id = ClientId(self.next);
        let bytes = request.encode();
        io.transmit(flow, bytes.clone());
        let resend = (!flow.transport.is_reliable()).then_some(Resend { bytes, pause: io.intervals.t1 });
        if resend.is_some() {
            io.after(Timer::ClientResend(id), io.intervals.t1);
        }
        io.after(Timer::ClientGiveUp(id), io.intervals.give_up());
        let method = request.method();
        let cancel = method == Some(&Method::Cancel);
        let state = if method == Some(&Method::Invite) {
            request.body = Vec::new(); // what is built from it (ACK, CANCEL) has no body
            State::Calling { invite: Box::new(request), resend }
        } else {
            State::Trying { resend }
        };
        let key = Key { branch, cancel };
        self.index.insert(key.clone(), id);
        self.table.insert(id, Client { key, flow, purpose, state });
        id
    }

    /// Takes a response; `None` if it was a copy and has been dealt with.
    ///
    /// # Errors
    /// [`Stray`] if it answers nothing of ours.
    pub(crate) fn receive(&mut self, io: &mut Io, response: &Message) -> Result<Option<Delivery>, Stray> {
        let status = response.status().ok_or(Stray)?;
        let branch = response.via_top().ok_or(Stray)?.branch().to_owned();
        let cancel = response.cseq().1 == Method::Cancel;
        let id = *self.index.get(&Key { branch, cancel }).ok_or(Stray)?;
        let client = self.table.get_mut(&id).ok_or(Stray)?;
        let delivery = Delivery { id, purpose: client.purpose, flow: client.flow };
        let news = client.receive(io, id, response, status);
        if client.is_over() {
            self.remove(io, id);
        }
        Ok(news.then_some(delivery))
    }

    /// Timers A and E.
    pub(crate) fn resend(&mut self, io: &mut Io, id: ClientId) {
        let Some(client) = self.table.get_mut(&id) else { return };
        let pause = match &mut client.state {
            State::Calling { resend: Some(resend), .. } => {
                resend.pause *= 2; // A grows without T2: section 17.1.1.2
                io.transmit(client.flow, resend.bytes.clone());
                resend.pause
            }
            State::Trying { resend: Some(resend) } => {
                resend.pause = io.intervals.doubled(resend.pause);
                io.transmit(client.flow, resend.bytes.clone());
                resend.pause
            }
            State::Calling { resend: None, .. }
            | State::Proceeding { .. }
            | State::Accepted { .. }
            | State::Completed { .. }
            | State::Trying { resend: None }
            | State::Finished => return,
        };
        io.after(Timer::ClientResend(id), pause);
    }

    /// Timers B and F: nobody answered in time.
    pub(crate) fn give_up(&mut self, io: &mut Io, id: ClientId) -> Option<Delivery> {
        let client = self.table.get(&id)?;
        let delivery = Delivery { id, purpose: client.purpose, flow: client.flow };
        self.remove(io, id);
        Some(delivery)
    }

    /// The INVITE of a transaction, without its body: what its ACKs and CANCEL are made from.
    pub(crate) fn invite(&self, id: ClientId) -> Option<&Message> {
        match &self.table.get(&id)?.state {
            State::Calling { invite, .. } | State::Proceeding { invite } | State::Accepted { invite, .. } => {
                Some(invite)
            }
            State::Completed { .. } | State::Trying { .. } | State::Finished => None,
        }
    }

    /// Whether a CANCEL may be sent: only after a provisional response (section 9.1).
    pub(crate) fn is_proceeding(&self, id: ClientId) -> bool {
        self.table.get(&id).is_some_and(|client| matches!(client.state, State::Proceeding { .. }))
    }

    /// A CANCEL was sent: the INVITE has 64·T1 to end (section 9.1).
    pub(crate) fn expect_end(&self, io: &mut Io, id: ClientId) {
        if self.is_proceeding(id) {
            io.after(Timer::ClientGiveUp(id), io.intervals.give_up());
        }
    }

    /// Sends the ACK of a 2xx and remembers it for copies of that 2xx (section 13.2.2.4).
    pub(crate) fn acknowledge(
        &mut self,
        io: &mut Io,
        id: ClientId,
        to_tag: &str,
        flow: Flow,
        bytes: Vec<u8>,
    ) {
        io.transmit(flow, bytes.clone());
        let Some(Client { state: State::Accepted { acks, .. }, .. }) = self.table.get_mut(&id) else {
            return;
        };
        if acks.len() < MAX_ACKS {
            acks.push(SentAck { to_tag: to_tag.to_owned(), flow, bytes });
        }
    }

    /// Drops a transaction whose outcome no longer matters: its connection is gone.
    pub(crate) fn remove(&mut self, io: &mut Io, id: ClientId) {
        if let Some(client) = self.table.remove(&id) {
            self.index.remove(&client.key);
        }
        io.timers.cancel(Timer::ClientResend(id));
        io.timers.cancel(Timer::ClientGiveUp(id));
        io.timers.cancel(Timer::ClientLinger(id));
    }
}

/// A response to nothing that we asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("response without a transaction")]
pub(crate) struct Stray;

impl Client {
    /// Moves on; whether the response is news for the user.
    fn receive(&mut self, io: &mut Io, id: ClientId, response: &Message, status: u16) -> bool {
        let state = std::mem::replace(&mut self.state, State::Finished);
        let reliable = self.flow.transport.is_reliable();
        let (state, news) = match (state, status) {
            // Section 17.1.1.2: a provisional response stops A and B; those of a CANCEL go on.
            (State::Calling { invite, .. }, 0..200) => {
                stop(io, id);
                (State::Proceeding { invite }, true)
            }
            (State::Proceeding { invite }, 0..200) => (State::Proceeding { invite }, true),
            // RFC 6026 section 7.2: M.
            (State::Calling { invite, .. } | State::Proceeding { invite }, 200..300) => {
                stop(io, id);
                io.after(Timer::ClientLinger(id), io.intervals.give_up());
                (State::Accepted { invite, acks: Vec::new() }, true)
            }
            (State::Accepted { invite, acks }, 200..300) => {
                let copy_of = acks.iter().find(|ack| ack.to_tag == response.to_tag().unwrap_or_default());
                if let Some(ack) = copy_of {
                    io.transmit(ack.flow, ack.bytes.clone());
                }
                let news = copy_of.is_none() && acks.len() < MAX_ACKS;
                (State::Accepted { invite, acks }, news)
            }
            (State::Calling { invite, .. } | State::Proceeding { invite }, _) => {
                stop(io, id);
                let ack = ack_of_refusal(&invite, response).encode();
                io.transmit(self.flow, ack.clone());
                if !reliable {
                    io.after(Timer::ClientLinger(id), io.intervals.give_up()); // D: at least 32 s
                }
                (State::Completed { ack }, true)
            }
            (State::Completed { ack }, 300..) => {
                io.transmit(self.flow, ack.clone());
                (State::Completed { ack }, false)
            }
            (state @ (State::Accepted { .. } | State::Completed { .. }), _) => (state, false),
            // Section 17.1.2.2: after a provisional response E goes on with T2.
            (State::Trying { mut resend }, 0..200) => {
                if let Some(resend) = &mut resend {
                    resend.pause = io.intervals.t2;
                    io.after(Timer::ClientResend(id), io.intervals.t2);
                }
                (State::Trying { resend }, true)
            }
            (State::Trying { .. }, _) => {
                stop(io, id);
                if !reliable {
                    io.after(Timer::ClientLinger(id), io.intervals.t4); // K
                }
                (State::Finished, true)
            }
            (State::Finished, _) => (State::Finished, false),
        };
        self.state = state;
        news
    }

    /// On a reliable transport nothing lingers but a success of INVITE.
    fn is_over(&self) -> bool {
        self.flow.transport.is_reliable() && matches!(self.state, State::Completed { .. } | State::Finished)
    }
}

fn stop(io: &mut Io, id: ClientId) {
    io.timers.cancel(Timer::ClientResend(id));
    io.timers.cancel(Timer::ClientGiveUp(id));
}

/// The ACK that belongs to the INVITE's own transaction (section 17.1.1.3).
fn ack_of_refusal(invite: &Message, response: &Message) -> Message {
    let mut ack = same_hop(invite, Method::Ack);
    ack.set_header("To", response.header("To").unwrap_or_default());
    ack
}

/// The CANCEL of an INVITE (section 9.1), Via included.
pub(crate) fn cancel_of(invite: &Message) -> Message {
    same_hop(invite, Method::Cancel)
}

/// Request line, top Via, Route, From, To, Call-ID and CSeq number of the INVITE.
fn same_hop(invite: &Message, method: Method) -> Message {
    let (number, _) = invite.cseq();
    let uri = invite.uri().cloned().unwrap_or_else(|| invite.to().uri);
    let mut request = Message::request(method, uri);
    for name in ["Via", "Max-Forwards", "Route", "From", "To", "Call-ID"] {
        request.copy_headers(invite, name);
    }
    let cseq = format!("{number} {}", request.method().map_or("", Method::as_str));
    request.push_header("CSeq", &cseq);
    request
}

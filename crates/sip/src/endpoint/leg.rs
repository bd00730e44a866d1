//! One leg: a dialog, or a dialog to be, with what is under way in it.

use super::{Credentials, EndCause, LegId};
use crate::dialog::{Dialog, Order};
use crate::flow::{Flow, Transport};
use crate::message::Message;
use crate::session_timer::SessionTimer;
use crate::transaction::{ClientId, ServerId};
use domain::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

/// Early dialogs kept of one forked INVITE.
pub(crate) const MAX_EARLY: usize = 8;

/// What another node would need to go on with a confirmed leg.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Record {
    pub(crate) dialog: Dialog,
    /// The session description that we sent last and the peer agreed to, or may yet.
    pub(crate) local_sdp: Vec<u8>,
    /// The peer's last one.
    pub(crate) remote_sdp: Vec<u8>,
    pub(crate) session: Option<SessionTimer>,
    /// The least session interval that the peer has asked for with a 422, in seconds.
    pub(crate) session_ask_s: u32,
    /// Our refreshes use UPDATE, which disturbs no media.
    pub(crate) peer_allows_update: bool,
}

impl Record {
    pub(crate) fn new(dialog: Dialog) -> Self {
        Self {
            dialog,
            local_sdp: Vec::new(),
            remote_sdp: Vec::new(),
            session: None,
            session_ask_s: 0,
            peer_allows_update: false,
        }
    }
}

pub(crate) struct Leg {
    pub(crate) record: Record,
    pub(crate) state: State,
    pub(crate) exchange: Exchange,
    /// An offer that waits for its turn: another exchange, an ACK, or the pause after a 491.
    pub(crate) queued: Option<Offer>,
    /// Our 2xx to an INVITE or re-INVITE, until its ACK.
    pub(crate) unacked: Option<Box<Unacked>>,
    pub(crate) referral: Referral,
    /// The peer has had a referral in this dialog before.
    pub(crate) was_referred: bool,
}

pub(crate) enum State {
    /// Our INVITE is out.
    Calling(Box<Calling>),
    /// Their INVITE waits for our answer.
    Incoming(Box<Incoming>),
    Confirmed,
    /// We hang up: the BYE is out, or waits for the ACK of our 2xx (section 15).
    Leaving(EndCause),
}

pub(crate) struct Calling {
    pub(crate) tx: ClientId,
    pub(crate) cancel: Cancel,
    /// Dialogs that provisional responses made.
    pub(crate) early: Vec<Early>,
    pub(crate) attempt: Attempt,
}

/// What an INVITE of ours says, for sending it again.
pub(crate) struct Attempt {
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) credentials: Option<Credentials>,
    /// The session interval asked for; a 422 raises it.
    pub(crate) session_expires_s: u32,
    pub(crate) min_se_s: u32,
    /// Counts from 1.
    pub(crate) number: u8,
    /// The last one carried credentials: a challenge to it means that they are wrong.
    pub(crate) authorized: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cancel {
    No,
    /// To be sent after the first provisional response (section 9.1).
    Wanted,
    Sent,
}

pub(crate) struct Early {
    pub(crate) dialog: Dialog,
    /// The last reliable provisional response acknowledged (RFC 3262 section 4).
    pub(crate) rseq: Option<u32>,
    /// The answer, if a provisional response carried it.
    pub(crate) sdp: Option<Vec<u8>>,
}

pub(crate) struct Incoming {
    pub(crate) pending: Pending,
    /// The caller sent no offer: ours goes out with the answer.
    pub(crate) delayed_offer: bool,
    pub(crate) reliable: Reliable,
    /// Of the last reliable provisional response.
    pub(crate) rseq: u32,
    /// A reliable provisional response carried our SDP and was acknowledged.
    pub(crate) settled: bool,
}

/// Reliable provisional responses (RFC 3262 section 3), one under way at a time.
pub(crate) enum Reliable {
    NotRequired,
    /// None is under way.
    Idle,
    Unacked {
        bytes: Vec<u8>,
        pause: Duration,
        has_sdp: bool,
        then: Option<Next>,
    },
}

/// What waits for a PRACK.
pub(crate) enum Next {
    Ring { status: u16, sdp: Option<Vec<u8>> },
    Answer { sdp: Vec<u8> },
}

/// A request that wants one final response; consumed by it.
pub(crate) struct Pending {
    pub(crate) tx: ServerId,
    pub(crate) request: Arc<Message>,
}

/// An offer and answer under way in a confirmed dialog (RFC 3261 section 14, RFC 3311).
pub(crate) enum Exchange {
    Idle,
    /// Our re-INVITE or UPDATE is out.
    Ours {
        tx: ClientId,
        offer: Offer,
    },
    /// Theirs waits for `accept_offer` or `refuse_offer`.
    Theirs {
        pending: Pending,
        has_offer: bool,
    },
}

/// A REFER of the peer (RFC 3515), one at a time.
pub(crate) enum Referral {
    None,
    /// It waits for `accept_referral` or `refuse_referral`.
    Asked {
        pending: Pending,
    },
    /// Accepted: the peer is told what becomes of it.
    Followed(Box<Followed>),
}

/// The implicit subscription of a REFER.
pub(crate) struct Followed {
    /// Event header of its NOTIFYs.
    pub(crate) event: String,
    /// The status reported last, sent or not.
    pub(crate) last: u16,
    /// A status that waits for the answer to the NOTIFY under way.
    pub(crate) queued: Option<u16>,
    pub(crate) notifying: Option<ClientId>,
    pub(crate) until: Timestamp,
}

/// What we send to change or to refresh a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Offer {
    /// Asked for by `reinvite`.
    Asked(Vec<u8>),
    /// A session refresh.
    Refresh,
}

pub(crate) struct Unacked {
    pub(crate) cseq: u32,
    pub(crate) flow: Flow,
    pub(crate) bytes: Vec<u8>,
    pub(crate) pause: Duration,
    /// It carries our offer; the ACK brings the answer.
    pub(crate) offered: bool,
    /// It answers the first INVITE, not a re-INVITE.
    pub(crate) first: bool,
}

impl Leg {
    pub(crate) fn new(record: Record, state: State) -> Self {
        Self {
            record,
            state,
            exchange: Exchange::Idle,
            queued: None,
            unacked: None,
            referral: Referral::None,
            was_referred: false,
        }
    }

    /// The dialog that a request of the peer belongs to: the leg's, or an early one of a forked INVITE.
    pub(crate) fn dialog_of(&self, request: &Message) -> Option<&Dialog> {
        self.dialog_named(request.call_id(), request.from_tag())
    }

    /// The leg's dialog, or an early one of a forked INVITE, by Call-ID and the peer's tag.
    pub(crate) fn dialog_named(&self, call_id: &str, remote_tag: Option<&str>) -> Option<&Dialog> {
        let early = match &self.state {
            State::Calling(calling) => calling.early.as_slice(),
            State::Incoming(_) | State::Confirmed | State::Leaving(_) => &[],
        };
        let dialogs = std::iter::once(&self.record.dialog).chain(early.iter().map(|early| &early.dialog));
        dialogs.into_iter().find(|dialog| dialog.is(call_id, remote_tag))
    }

    /// Counts a request in its dialog; false if it is old.
    pub(crate) fn count(&mut self, request: &Message) -> bool {
        let early = match &mut self.state {
            State::Calling(calling) => calling.early.as_mut_slice(),
            State::Incoming(_) | State::Confirmed | State::Leaving(_) => &mut [],
        };
        let dialogs =
            std::iter::once(&mut self.record.dialog).chain(early.iter_mut().map(|early| &mut early.dialog));
        let dialog = dialogs.into_iter().find(|dialog| dialog.matches(request));
        dialog.is_some_and(|dialog| dialog.count(request) == Order::Next)
    }

    /// The INVITE or re-INVITE that waits for our answer.
    pub(crate) fn pending_invite(&self, tx: ServerId) -> Option<&Message> {
        let pending = match (&self.state, &self.exchange) {
            (State::Incoming(incoming), _) => &incoming.pending,
            (_, Exchange::Theirs { pending, .. }) => pending,
            (_, Exchange::Idle | Exchange::Ours { .. }) => return None,
        };
        (pending.tx == tx).then_some(&*pending.request)
    }

    /// An INVITE of ours may be sent: none is under way in either direction (section 14.1).
    pub(crate) fn may_offer(&self) -> bool {
        matches!(self.state, State::Confirmed)
            && matches!(self.exchange, Exchange::Idle)
            && self.unacked.is_none()
    }
}

/// All legs, found by id, by local tag, and by connection.
pub(crate) struct Legs {
    next: u64,
    table: BTreeMap<LegId, Box<Leg>>,
    by_tag: HashMap<String, LegId>,
    by_connection: BTreeSet<(Flow, LegId)>,
}

impl Legs {
    pub(crate) fn new() -> Self {
        Self { next: 0, table: BTreeMap::new(), by_tag: HashMap::new(), by_connection: BTreeSet::new() }
    }

    pub(crate) fn len(&self) -> usize {
        self.table.len()
    }

    pub(crate) fn next_id(&mut self) -> LegId {
        self.next += 1;
        LegId(self.next)
    }

    pub(crate) fn insert(&mut self, id: LegId, leg: Leg) {
        let dialog = &leg.record.dialog;
        self.by_tag.insert(dialog.local_tag.clone(), id);
        if dialog.flow.transport == Transport::Tcp {
            self.by_connection.insert((dialog.flow, id));
        }
        self.table.insert(id, Box::new(leg));
    }

    pub(crate) fn get(&self, id: LegId) -> Option<&Leg> {
        self.table.get(&id).map(|leg| &**leg)
    }

    pub(crate) fn get_mut(&mut self, id: LegId) -> Option<&mut Leg> {
        self.table.get_mut(&id).map(|leg| &mut **leg)
    }

    pub(crate) fn by_tag(&self, tag: &str) -> Option<LegId> {
        self.by_tag.get(tag).copied()
    }

    pub(crate) fn on_connection(&self, flow: Flow) -> Vec<LegId> {
        let range = (flow, LegId(0))..=(flow, LegId(u64::MAX));
        self.by_connection.range(range).map(|(_, id)| *id).collect()
    }

    pub(crate) fn remove(&mut self, id: LegId) -> Option<Box<Leg>> {
        let leg = self.table.remove(&id)?;
        self.by_tag.remove(&leg.record.dialog.local_tag);
        self.by_connection.remove(&(leg.record.dialog.flow, id));
        Some(leg)
    }

    /// Sizes of the three tables.
    pub(crate) fn sizes(&self) -> [usize; 3] {
        [self.table.len(), self.by_tag.len(), self.by_connection.len()]
    }
}

//! What goes in and out of an endpoint beside bytes.

use super::Replaced;
use crate::flow::Flow;
use crate::identity::Caller;
use crate::message::Message;
use crate::uri::Uri;
use domain::Pii;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::sync::Arc;

/// One INVITE dialog, or dialog to be; allocated by the endpoint, rising.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct LegId(pub u64);

/// One OPTIONS of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PingId(pub u64);

/// One registration of ours at somebody's registrar.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RegistrationId(pub u64);

/// Whom to reach, and over which way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Target {
    pub flow: Flow,
    pub uri: Uri,
}

#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    pub user: String,
    pub password: String,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Credentials(…)")
    }
}

/// An INVITE to send.
#[derive(Clone, Debug)]
pub struct Invite {
    pub target: Target,
    pub from_display: Option<String>,
    pub from_user: String,
    /// SDP.
    pub offer: Vec<u8>,
    /// Further headers, name and value.
    pub headers: Vec<(String, String)>,
    /// For a peer that challenges us.
    pub credentials: Option<Credentials>,
}

/// A registration to keep.
#[derive(Clone, Debug)]
pub struct Register {
    /// The registrar; its URI is the request's.
    pub target: Target,
    pub user: String,
    pub password: String,
    /// The wish in seconds; the registrar decides.
    pub expires_s: u32,
}

#[derive(Clone, Debug)]
pub enum Output {
    Transmit { flow: Flow, bytes: Vec<u8> },
    Event(Event),
}

/// What happened. Every leg has exactly one last event: `Failed` or `Ended`.
#[derive(Clone, Debug)]
pub enum Event {
    /// A new INVITE. `ring`, `answer`, `reject` or `hang_up` it.
    Invited { leg: LegId, invite: Box<Invited> },
    /// A provisional response to our INVITE, 100 excepted.
    Progress { leg: LegId, status: u16, sdp: Option<Vec<u8>> },
    /// Our INVITE was accepted, and acknowledged. `sdp` is the answer, also if it came earlier.
    Answered { leg: LegId, sdp: Option<Vec<u8>> },
    /// Our INVITE came to nothing: the peer's status, 408 for silence, 487 after `hang_up`, 503 for a lost
    /// connection. Last event of the leg.
    Failed { leg: LegId, status: u16 },
    /// Our answer was acknowledged.
    Confirmed { leg: LegId },
    /// The peer changes the session; `accept_offer` or `refuse_offer` it. Without `sdp` it asks for an
    /// offer: `accept_offer` sends one, and `OfferAnswered` or `OfferRefused` follows.
    OfferReceived { leg: LegId, sdp: Option<Vec<u8>> },
    /// The peer answered an offer of ours: of `reinvite`, or one that it asked for.
    OfferAnswered { leg: LegId, sdp: Vec<u8> },
    /// The session stays as it was.
    OfferRefused { leg: LegId, status: u16 },
    /// The peer wants the other end of its call elsewhere. `accept_referral` within 5 s and then
    /// `report_referral`, or `refuse_referral`.
    Referred { leg: LegId, refer: Box<Referred> },
    /// The peer pressed a key and tells it by INFO: `0` to `9`, `*`, `#`, `A` to `D`.
    Key { leg: LegId, digit: char },
    /// The leg is over.
    Ended { leg: LegId, cause: EndCause },
    /// A binding of the registrar was added or refreshed, or is the newest now that another went.
    Registered { user: String, target: Target, expires_s: u32 },
    /// The last binding of the user is gone.
    Unregistered { user: String },
    /// Wrong credentials were refused with 403.
    AuthFailed { user: Pii, flow: Flow },
    /// The outcome of a `ping`; no status: no answer.
    Pong { ping: PingId, status: Option<u16> },
    /// The outcome of a `register`; later, every refresh that failed.
    RegisterDone { user: String, status: u16 },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EndCause {
    /// The peer cancelled its INVITE before we answered.
    Cancelled,
    /// The peer hung up.
    Bye,
    /// We did: by `hang_up` or `reject`.
    LocalHangUp,
    /// Nobody refreshed the session (RFC 4028).
    SessionExpired,
    /// The peer acknowledges or answers nothing any more.
    Timeout,
    /// The peer's connection closed.
    TransportLost,
}

/// A new INVITE, as far as anybody asks.
#[derive(Clone, Debug)]
pub struct Invited {
    pub flow: Flow,
    /// User part of the request URI, decoded; the number of a `tel:` URI.
    pub called: String,
    pub caller: Caller,
    /// The account that proved itself by digest.
    pub user: Option<String>,
    /// The source is one of the trusted peers.
    pub trusted: bool,
    /// SDP; `None` if the peer wants our offer.
    pub offer: Option<Vec<u8>>,
    /// The leg of ours whose place this one is to take (RFC 3891): whether it may is not checked.
    pub replaces: Option<LegId>,
    pub(crate) request: Arc<Message>,
}

impl Invited {
    /// The first value of a header.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.request.header(name)
    }
}

/// A REFER (RFC 3515): where the other end of a call is to go. Nothing of it is proved but the call itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Referred {
    /// The number, else the user part as it is, decoded; empty if the address has none.
    pub user: Pii,
    /// Host name or address; empty for a `tel:` URI.
    pub host: String,
    /// The call there that the new one is to take the place of: an attended transfer (RFC 3891).
    pub replaces: Option<Replaced>,
    /// Number or user part of Referred-By (RFC 3892).
    pub referred_by: Option<Pii>,
}

/// Plain counts since the start, for `/metrics`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counters {
    /// Messages taken, malformed ones included.
    pub received: u64,
    /// Malformed and answered.
    pub malformed_answered: u64,
    /// Malformed beyond an answer: dropped.
    pub malformed_dropped: u64,
    /// Copies absorbed by server transactions.
    pub retransmissions: u64,
    /// Responses and ACKs that belong to nothing.
    pub stray: u64,
    /// Requests refused with 503 at a limit.
    pub refused_overload: u64,
    /// Requests inside dialogs dropped at twice the limit.
    pub dropped_overload: u64,
    /// Digest challenges sent.
    pub challenged: u64,
    /// Wrong credentials.
    pub auth_failed: u64,
    /// Requests for a dialog that is not there: 481.
    pub no_such_dialog: u64,
}

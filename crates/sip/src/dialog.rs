//! Dialogs (RFC 3261 section 12): who talks to whom, over which way, and how far both have counted.
//!
//! Plain data: whoever holds a [`Dialog`] can send its next request. Deliberately absent: DNS. A Route or
//! Contact with a host name leads back over the flow on which the dialog was made.

use crate::flow::{Flow, Transport};
use crate::message::{Message, Method};
use crate::name_addr::NameAddr;
use crate::uri::Uri;
use serde::{Deserialize, Serialize};

/// Hops of a route set; a longer one is cut off, for nobody can have such a path.
const MAX_ROUTES: usize = 16;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dialog {
    pub call_id: String,
    /// From of our requests, tag included.
    pub local: String,
    pub local_tag: String,
    /// To of our requests, tag included once the peer has given one.
    pub remote: String,
    /// `None` until our INVITE has an answer, and for peers of RFC 2543, which give none.
    pub remote_tag: Option<String>,
    pub local_seq: u32,
    /// `None` until the peer has sent a request.
    pub remote_seq: Option<u32>,
    /// In the order in which our requests visit it.
    pub route_set: Vec<NameAddr>,
    pub remote_target: Uri,
    /// Our Contact.
    pub contact: String,
    /// The flow on which the dialog was made.
    pub flow: Flow,
    /// The peer may be behind a NAT: our requests take `flow`, whatever route and target say.
    pub pinned: bool,
    /// We sent the INVITE, and so own the Call-ID (section 14.1).
    pub initiator: bool,
}

/// How an in-dialog request relates to what was seen before (section 12.2.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    Next,
    /// Not above the last one: 500.
    Old,
}

/// What a new dialog needs to know about our side.
pub(crate) struct LocalSide {
    pub(crate) tag: String,
    pub(crate) contact: String,
    pub(crate) flow: Flow,
    pub(crate) pinned: bool,
}

impl Dialog {
    /// The dialog that an INVITE of a peer makes (section 12.1.1). Without a Contact its From is the target.
    pub(crate) fn of_incoming(invite: &Message, side: LocalSide) -> Self {
        let from = invite.from();
        let remote_target = invite.contact().map_or_else(|| from.uri.clone(), |contact| contact.uri);
        let to = invite.to().with_tag(&side.tag);
        Self {
            call_id: invite.call_id().to_owned(),
            local: to.to_string(),
            local_tag: side.tag,
            remote: invite.header("From").unwrap_or_default().to_owned(),
            remote_tag: invite.from_tag().map(str::to_owned),
            local_seq: 0,
            remote_seq: Some(invite.cseq().0),
            route_set: invite.record_routes().into_iter().take(MAX_ROUTES).collect(),
            remote_target,
            contact: side.contact,
            flow: side.flow,
            pinned: side.pinned,
            initiator: false,
        }
    }

    /// The dialog that an INVITE of ours is to make, before any answer.
    pub(crate) fn of_outgoing(
        call_id: String,
        from: NameAddr,
        to: &NameAddr,
        target: Uri,
        side: LocalSide,
    ) -> Self {
        Self {
            call_id,
            local: from.with_tag(&side.tag).to_string(),
            local_tag: side.tag,
            remote: to.to_string(),
            remote_tag: None,
            local_seq: 0,
            remote_seq: None,
            route_set: Vec::new(),
            remote_target: target,
            contact: side.contact,
            flow: side.flow,
            pinned: side.pinned,
            initiator: true,
        }
    }

    /// What a response to our INVITE settles (section 12.1.2).
    pub(crate) fn establish(&mut self, response: &Message) {
        self.remote = response.header("To").unwrap_or_default().to_owned();
        self.remote_tag = response.to_tag().map(str::to_owned);
        self.route_set = response.record_routes();
        self.route_set.reverse();
        self.route_set.truncate(MAX_ROUTES);
        self.refresh_target(response);
    }

    /// The dialog of one more answer to a forked INVITE, from the INVITE itself.
    pub(crate) fn of_fork(invite: &Message, response: &Message, flow: Flow) -> Self {
        let side = LocalSide {
            tag: invite.from_tag().unwrap_or_default().to_owned(),
            contact: invite.header("Contact").unwrap_or_default().to_owned(),
            flow,
            pinned: true,
        };
        let target = invite.uri().cloned().unwrap_or_else(|| invite.to().uri);
        let call_id = invite.call_id().to_owned();
        let mut dialog = Self::of_outgoing(call_id, invite.from(), &invite.to(), target, side);
        dialog.local_seq = invite.cseq().0;
        dialog.establish(response);
        dialog
    }

    /// A new Contact moves the target (section 12.2.1.2, 12.2.2).
    pub(crate) fn refresh_target(&mut self, message: &Message) {
        if let Some(contact) = message.contact() {
            self.remote_target = contact.uri;
        }
    }

    /// Whether a request belongs to this dialog; the local tag has led here.
    #[must_use]
    pub fn matches(&self, request: &Message) -> bool {
        self.is(request.call_id(), request.from_tag())
    }

    /// Whether this is the dialog of that Call-ID with that peer; the local tag has led here.
    #[must_use]
    pub fn is(&self, call_id: &str, remote_tag: Option<&str>) -> bool {
        self.call_id == call_id && self.remote_tag.as_deref() == remote_tag
    }

    /// Counts a request of the peer. ACK and CANCEL share their INVITE's number and are not counted.
    pub(crate) fn count(&mut self, request: &Message) -> Order {
        let (number, _) = request.cseq();
        if self.remote_seq.is_some_and(|last| number <= last) {
            return Order::Old;
        }
        self.remote_seq = Some(number);
        Order::Next
    }

    /// The next request, without Via, Max-Forwards and User-Agent.
    pub(crate) fn request(&mut self, method: Method) -> Message {
        self.local_seq += 1;
        self.request_numbered(method, self.local_seq)
    }

    /// A request with a given CSeq number: the ACK of a 2xx (section 13.2.2.4).
    pub(crate) fn request_numbered(&self, method: Method, number: u32) -> Message {
        let cseq = format!("{number} {method}");
        let has_contact = match method {
            Method::Invite | Method::Update | Method::Prack | Method::Notify => true,
            Method::Ack
            | Method::Bye
            | Method::Cancel
            | Method::Options
            | Method::Register
            | Method::Info
            | Method::Refer
            | Method::Subscribe
            | Method::Message
            | Method::Publish
            | Method::Other(_) => false,
        };
        let first_is_strict = self.route_set.first().is_some_and(|route| !route.uri.is_loose_router());
        let (uri, routes) = match self.route_set.split_first() {
            Some((first, rest)) if first_is_strict => (first.uri.for_request_line(), rest),
            Some(_) | None => (self.remote_target.for_request_line(), self.route_set.as_slice()),
        };
        let mut request = Message::request(method, uri);
        for route in routes {
            request.push_header("Route", &route.to_string());
        }
        if first_is_strict {
            request.push_header("Route", &NameAddr::new(self.remote_target.clone()).to_string());
        }
        request.push_header("From", &self.local);
        request.push_header("To", &self.remote);
        request.push_header("Call-ID", &self.call_id);
        request.push_header("CSeq", &cseq);
        if has_contact {
            request.push_header("Contact", &self.contact);
        }
        request
    }

    /// Where the next request goes. A TCP dialog stays on its connection.
    #[must_use]
    pub fn next_hop(&self) -> Flow {
        if self.pinned || self.flow.transport == Transport::Tcp {
            return self.flow;
        }
        let hop = self.route_set.first().map_or(&self.remote_target, |route| &route.uri);
        match hop.socket_addr() {
            Some(remote) if remote.is_ipv4() == self.flow.local.is_ipv4() => Flow { remote, ..self.flow },
            Some(_) | None => self.flow,
        }
    }
}

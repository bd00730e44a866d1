//! The endpoint's hands: what every role needs to send requests and responses.

use super::ids::Ids;
use super::leg::Pending;
use super::{Config, Event};
use crate::flow::{Flow, Transport};
use crate::message::{Message, Method, via_value};
use crate::transaction::{ClientId, Clients, Io, Purpose, ServerId, Servers, cancel_of};
use crate::uri::Uri;
use domain::Timestamp;
use std::collections::BTreeMap;
use std::net::SocketAddr;

/// Methods that we take (RFC 3261 section 20.5).
pub(crate) const ALLOW: &str =
    "INVITE, ACK, CANCEL, BYE, OPTIONS, INFO, PRACK, UPDATE, REGISTER, REFER, SUBSCRIBE";
/// Extensions that we speak.
pub(crate) const SUPPORTED: &str = "100rel, timer, replaces, norefersub";
pub(crate) const SDP_TYPE: &str = "application/sdp";
const MAX_FORWARDS: &str = "70";

pub(crate) struct Wire {
    pub(crate) io: Io,
    pub(crate) ids: Ids,
    pub(crate) clients: Clients,
    pub(crate) servers: Servers,
    user_agent: String,
    advertised: BTreeMap<SocketAddr, SocketAddr>,
}

impl Wire {
    pub(crate) fn new(config: &Config) -> Self {
        Self {
            io: Io::new(config.intervals),
            ids: Ids::new(config.seed),
            clients: Clients::new(),
            servers: Servers::new(),
            user_agent: config.user_agent.clone(),
            advertised: config.advertised.clone(),
        }
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.io.now
    }

    pub(crate) fn event(&mut self, event: Event) {
        self.io.event(event);
    }

    /// What Via and Contact call us on a flow.
    pub(crate) fn our_address(&self, flow: Flow) -> SocketAddr {
        self.advertised.get(&flow.local).copied().unwrap_or(flow.local)
    }

    /// Our Contact on a flow.
    pub(crate) fn contact(&self, user: Option<&str>, flow: Flow) -> String {
        let uri = Uri::from_socket(user, self.our_address(flow));
        match flow.transport {
            Transport::Udp => format!("<{uri}>"),
            Transport::Tcp => format!("<{}>", uri.with_param("transport", Some("tcp"))),
        }
    }

    /// Starts a client transaction: adds Via, Max-Forwards and User-Agent.
    pub(crate) fn send_request(&mut self, mut request: Message, flow: Flow, purpose: Purpose) -> ClientId {
        let branch = self.address(&mut request, flow);
        self.clients.start(&mut self.io, request, branch, flow, purpose)
    }

    /// Sends the ACK of a 2xx; copies of that 2xx get it again.
    pub(crate) fn send_ack(&mut self, mut ack: Message, flow: Flow, invite: ClientId, to_tag: &str) {
        self.address(&mut ack, flow);
        self.clients.acknowledge(&mut self.io, invite, to_tag, flow, ack.encode());
    }

    /// Cancels an INVITE of ours that has had a provisional response (RFC 3261 section 9.1).
    pub(crate) fn send_cancel(&mut self, invite: ClientId, flow: Flow, purpose: Purpose) {
        let Some(cancel) = self.clients.invite(invite).map(cancel_of) else { return };
        let branch = cancel.via_top().map(|via| via.branch().to_owned()).unwrap_or_default();
        self.clients.expect_end(&mut self.io, invite);
        self.clients.start(&mut self.io, cancel, branch, flow, purpose);
    }

    fn address(&mut self, request: &mut Message, flow: Flow) -> String {
        let branch = self.ids.branch();
        let via = via_value(flow.transport.as_str(), self.our_address(flow), &branch);
        request.prepend_header("Via", &via);
        request.push_header("Max-Forwards", MAX_FORWARDS);
        if request.method() != Some(&Method::Ack) {
            request.push_header("User-Agent", &self.user_agent);
        }
        branch
    }

    pub(crate) fn respond(&mut self, tx: ServerId, response: &Message) {
        let status = response.status().unwrap_or(500);
        self.servers.respond(&mut self.io, tx, status, response.encode());
    }

    /// The final response to a request that waited for us.
    pub(crate) fn finish(&mut self, pending: Pending, status: u16, to_tag: &str) {
        let Pending { tx, request } = pending;
        self.respond(tx, &response(&request, status, to_tag));
    }

    /// Sends a response without a transaction.
    pub(crate) fn respond_stateless(&mut self, response: &Message, flow: Flow) {
        let to = reply_flow(response, flow);
        self.io.transmit(to, response.encode());
    }

    /// What a 2xx to INVITE or OPTIONS says about us.
    pub(crate) fn describe(&self, response: &mut Message) {
        response.push_header("Allow", ALLOW);
        response.push_header("Supported", SUPPORTED);
        response.push_header("Server", &self.user_agent);
    }
}

/// A response with its To tag.
pub(crate) fn response(request: &Message, status: u16, to_tag: &str) -> Message {
    let mut response = Message::response_to(request, status);
    if status > 100 && response.to_tag().is_none() {
        response.set_to_tag(to_tag);
    }
    response
}

/// A response that makes or keeps a dialog: the request's Record-Route and our Contact (section 12.1.1).
pub(crate) fn dialog_response(request: &Message, status: u16, to_tag: &str, contact: &str) -> Message {
    let mut response = response(request, status, to_tag);
    response.copy_headers(request, "Record-Route");
    response.push_header("Contact", contact);
    response
}

/// Where responses go (RFC 3261 section 18.2.2, RFC 3581 section 4): back over the connection, to the
/// source port if the peer asked for that, else to the port that its Via names.
pub(crate) fn reply_flow(message: &Message, flow: Flow) -> Flow {
    let via = match (flow.transport, message.via_top()) {
        (Transport::Tcp, _) | (Transport::Udp, None) => return flow,
        (Transport::Udp, Some(via)) => via,
    };
    if via.rport().is_some() {
        return flow;
    }
    let remote = SocketAddr::new(flow.remote.ip(), via.port.unwrap_or(5060));
    Flow { remote, ..flow }
}

//! A phone played by hand: it writes messages that our own endpoint would never write, such as a forked
//! answer, an INVITE without an offer, or a method that nobody knows.

use crate::phone::{CODECS, sdp_id};
use sip::{Flow, Message, Method, NameAddr, Uri, sdp};
use std::net::SocketAddr;

pub(crate) struct Hand {
    flow: Flow,
    sdp_version: u64,
    /// The INVITE that came in last.
    received: Option<Message>,
    /// The INVITE that we sent last, and the 2xx to it.
    sent: Option<Message>,
    accepted: Option<Message>,
    requests: u32,
    rseq: u32,
    /// Tag of the branch that spoke last.
    tag: String,
    /// Direction of our answers to offers that come in a 2xx; none: we do not answer.
    direction: Option<String>,
    outgoing: Vec<Message>,
}

impl Hand {
    pub(crate) fn new(flow: Flow) -> Self {
        Self {
            flow,
            sdp_version: 0,
            received: None,
            sent: None,
            accepted: None,
            requests: 0,
            rseq: 0,
            tag: String::new(),
            direction: Some("sendrecv".to_owned()),
            outgoing: Vec::new(),
        }
    }

    pub(crate) fn take(&mut self) -> Vec<Message> {
        std::mem::take(&mut self.outgoing)
    }

    pub(crate) fn owns(message: &Message) -> bool {
        message.call_id().starts_with("hand-")
    }

    pub(crate) fn hear(&mut self, message: Message) {
        match (message.method().cloned(), message.status()) {
            (Some(Method::Invite), _) => self.received = Some(message),
            (Some(Method::Ack), _) => {}
            (Some(Method::Cancel), _) => {
                self.outgoing.push(Message::response_to(&message, 200));
                let tag = self.tag.clone();
                self.say(487, &tag, false, true, false);
            }
            (Some(_), _) => self.outgoing.push(Message::response_to(&message, 200)),
            (None, Some(200..300)) if message.cseq().1 == Method::Invite => self.acknowledge(message),
            (None, _) => {}
        }
    }

    /// Answers the INVITE that came in, as one branch of a fork.
    pub(crate) fn say(&mut self, status: u16, tag: &str, with_sdp: bool, with_keys: bool, reliably: bool) {
        let Some(invite) = &self.received else { return };
        let mut response = Message::response_to(invite, status);
        tag.clone_into(&mut self.tag);
        response.set_to_tag(tag);
        response.push_header("Contact", &format!("<sip:{tag}@{}>", self.flow.local));
        if reliably {
            self.rseq += 1;
            response.push_header("Require", "100rel");
            response.push_header("RSeq", &self.rseq.to_string());
        }
        let offer = invite.sdp().and_then(|offer| sdp::Session::parse(offer).ok());
        if let Some(offer) = offer.filter(|_| with_sdp) {
            self.sdp_version += 1;
            let answer = sdp::answer(&offer, self.audio(), sdp_id(self.flow), self.sdp_version, &CODECS);
            let (answer, _) = answer.expect("the hotline offers A-law");
            let answer = if with_keys { answer } else { without_keys(&answer) };
            response.set_body("application/sdp", answer);
        }
        self.outgoing.push(response);
    }

    /// An INVITE without an offer: a new call, or within the one that stands.
    pub(crate) fn invite(&mut self, user: &str, called: &str) {
        let mut invite = match (&self.sent, &self.accepted) {
            (Some(_), Some(_)) => self.inside(Method::Invite),
            _ => self.outside(Method::Invite, user, called),
        };
        invite.push_header("Contact", &format!("<sip:{user}@{}>", self.flow.local));
        self.sent = Some(invite.clone());
        self.outgoing.push(invite);
    }

    /// Takes the INVITE back although it may have been answered (RFC 3261 section 9.1 has its words).
    pub(crate) fn cancel(&mut self) {
        let Some(invite) = &self.sent else { return };
        let mut cancel = Message::request(Method::Cancel, invite.to().uri);
        for name in ["Via", "Max-Forwards", "From", "To", "Call-ID"] {
            cancel.copy_headers(invite, name);
        }
        cancel.push_header("CSeq", &format!("{} CANCEL", invite.cseq().0));
        self.outgoing.push(cancel);
    }

    /// `to sendonly`, `to nothing`.
    pub(crate) fn agree(&mut self, what: &str) {
        let what = what.trim_start_matches("to ");
        self.direction = (what != "nothing").then(|| what.to_owned());
    }

    /// A request outside any dialog.
    pub(crate) fn request(&mut self, method: &str, user: &str, called: &str) {
        let method = Method::parse(method).expect("a token");
        let request = self.outside(method, user, called);
        self.outgoing.push(request);
    }

    pub(crate) fn hang_up(&mut self) {
        let bye = self.inside(Method::Bye);
        self.outgoing.push(bye);
    }

    /// Sends the other side elsewhere: `hotline_12345`.
    pub(crate) fn refer(&mut self, to: &str) {
        let mut refer = self.inside(Method::Refer);
        let address = NameAddr::new(Uri::from_socket(Some(to), self.flow.remote));
        refer.push_header("Refer-To", &address.to_string());
        refer.push_header("Contact", &format!("<sip:hand@{}>", self.flow.local));
        self.outgoing.push(refer);
    }

    /// A key of a phone whose audio carries none.
    pub(crate) fn inform(&mut self, key: &str) {
        let mut info = self.inside(Method::Info);
        info.set_body("application/dtmf-relay", format!("Signal={key}\r\nDuration=160\r\n").into_bytes());
        self.outgoing.push(info);
    }

    /// The ACK of a 2xx, with our answer where the 2xx brought the offer.
    fn acknowledge(&mut self, accepted: Message) {
        self.accepted = Some(accepted);
        let mut ack = self.inside(Method::Ack);
        let offer = self.accepted.as_ref().and_then(|accepted| sdp::Session::parse(accepted.sdp()?).ok());
        if let (Some(offer), Some(direction)) = (offer, &self.direction) {
            self.sdp_version += 1;
            let answer = sdp::answer(&offer, self.audio(), sdp_id(self.flow), self.sdp_version, &CODECS);
            let (answer, _) = answer.expect("the hotline offers A-law");
            let answer = String::from_utf8_lossy(&answer).replace("sendrecv", direction);
            ack.set_body("application/sdp", answer.into_bytes());
        }
        self.outgoing.push(ack);
    }

    fn outside(&mut self, method: Method, user: &str, called: &str) -> Message {
        self.requests += 1;
        let uri = Uri::from_socket(Some(called), self.flow.remote);
        let from = NameAddr::new(Uri::from_socket(Some(user), self.flow.local)).with_tag("hand");
        let (to, cseq) = (NameAddr::new(uri.clone()), format!("{} {method}", self.requests));
        let mut request = Message::request(method, uri);
        self.address(&mut request);
        request.push_header("From", &from.to_string());
        request.push_header("To", &to.to_string());
        request.push_header("Call-ID", &format!("hand-{}-{}", self.flow.local, self.requests));
        request.push_header("CSeq", &cseq);
        request
    }

    /// A request of the dialog that our answer made.
    fn inside_of_theirs(&mut self, method: Method, invite: &Message) -> Message {
        self.requests += 1;
        let cseq = format!("{} {method}", self.requests);
        let target = invite.contact().map_or_else(|| invite.from().uri, |contact| contact.uri);
        let mut request = Message::request(method, target);
        self.address(&mut request);
        request.push_header("From", &invite.to().with_tag(&self.tag).to_string());
        request.push_header("To", &invite.from().to_string());
        request.copy_headers(invite, "Call-ID");
        request.push_header("CSeq", &cseq);
        request
    }

    /// A request of the dialog that the last 2xx made. An ACK counts as its INVITE does.
    fn inside(&mut self, method: Method) -> Message {
        if let Some(invite) = self.received.clone().filter(|_| self.sent.is_none()) {
            return self.inside_of_theirs(method, &invite);
        }
        let (Some(sent), Some(accepted)) = (self.sent.clone(), self.accepted.clone()) else {
            panic!("there is no dialog for {method}");
        };
        if method != Method::Ack {
            self.requests += 1;
        }
        let number = if method == Method::Ack { accepted.cseq().0 } else { self.requests };
        let cseq = format!("{number} {method}");
        let target = accepted.contact().map_or_else(|| sent.to().uri, |contact| contact.uri);
        let mut request = Message::request(method, target);
        self.address(&mut request);
        for name in ["From", "To", "Call-ID"] {
            request.copy_headers(&accepted, name);
        }
        request.push_header("CSeq", &cseq);
        request
    }

    fn address(&mut self, request: &mut Message) {
        let branch = format!("z9hG4bKhand{}{}", self.requests, request.method().map_or("", Method::as_str));
        let via = sip::message::via_value(self.flow.transport.as_str(), self.flow.local, &branch);
        request.push_header("Via", &via);
        request.push_header("Max-Forwards", "70");
    }

    fn audio(&self) -> SocketAddr {
        SocketAddr::new(self.flow.local.ip(), crate::phone::RTP_PORT)
    }
}

/// The answer of a phone that knows no telephone-event (RFC 4733).
fn without_keys(answer: &[u8]) -> Vec<u8> {
    let text = String::from_utf8_lossy(answer);
    let lines =
        text.lines().filter(|line| !line.starts_with("a=rtpmap:101") && !line.starts_with("a=fmtp:101"));
    let lines: Vec<&str> = lines.map(|line| line.strip_suffix(" 101").unwrap_or(line)).collect();
    (lines.join("\r\n") + "\r\n").into_bytes()
}

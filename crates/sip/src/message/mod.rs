//! SIP messages: bytes to typed values and back (RFC 3261 sections 7, 8.1.1, 8.2.6 and 20).
//!
//! [`Message::parse`] takes one datagram, or one message that [`crate::StreamFramer`] cut out of a stream.
//! What it returns has a Via, From, To, Call-ID and CSeq that can be read, no header twice that may stand
//! only once, and in a request the same method in CSeq. Everything else is a [`ParseError`], which knows
//! the answer to send. Typed access parses on demand and allocates little; a header of a message built
//! here that was never set reads as empty.
//!
//! Deliberately absent: what the headers mean to a transaction or dialog.

mod body;
mod headers;
mod lexer;
mod method;
mod parse;
mod status;
mod via;

pub use headers::Headers;
pub use lexer::{HEADER_VALUE_BYTES_MAX, HEADERS_MAX};
pub(crate) use lexer::{content_length, members};
pub use method::Method;
pub use parse::{MESSAGE_BYTES_MAX, ParseError, Salvage};
pub use status::reason_phrase;
pub use via::{Via, via_value};

use crate::name_addr::{self, NameAddr};
use crate::uri::Uri;
use std::fmt;
use std::io::Write as _;
use std::net::SocketAddr;

/// The start line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Start {
    Request { method: Method, uri: Uri },
    Response { status: u16, reason: String },
}

/// A request or a response.
#[derive(Clone, PartialEq, Eq)]
pub struct Message {
    pub start: Start,
    pub headers: Headers,
    pub body: Vec<u8>,
}

impl Message {
    /// # Errors
    /// When the bytes are no message that we take; the error says how to answer.
    pub fn parse(bytes: &[u8]) -> Result<Self, ParseError> {
        parse::parse(bytes)
    }

    #[must_use]
    pub fn request(method: Method, uri: Uri) -> Self {
        let headers = Headers::with_capacity(768, 20);
        Self { start: Start::Request { method, uri }, headers, body: Vec::new() }
    }

    /// Copies every Via, From, To, Call-ID, CSeq, and Timestamp if there is one (RFC 3261 section 8.2.6).
    #[must_use]
    pub fn response_to(request: &Self, status: u16) -> Self {
        Self::response_from(&request.headers, status, reason_phrase(status))
    }

    fn response_from(request: &Headers, status: u16, reason: &str) -> Self {
        let mut headers = Headers::with_capacity(768, 16);
        headers.copy_from(request, "Via", HEADERS_MAX);
        for name in ["From", "To", "Call-ID", "CSeq", "Timestamp"] {
            headers.copy_from(request, name, 1);
        }
        Self { start: Start::Response { status, reason: reason.to_owned() }, headers, body: Vec::new() }
    }

    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(128 + self.headers.encoded_bytes() + self.body.len());
        self.encode_into(&mut out);
        out
    }

    /// Appends the message as it goes on the wire, `Content-Length` included.
    pub fn encode_into(&self, out: &mut Vec<u8>) {
        match &self.start {
            Start::Request { method, uri } => {
                out.extend_from_slice(method.as_str().as_bytes());
                out.push(b' ');
                out.extend_from_slice(uri.as_str().as_bytes());
                out.extend_from_slice(b" SIP/2.0\r\n");
            }
            Start::Response { status, reason } => {
                let _ = write!(out, "SIP/2.0 {status} ");
                out.extend(reason.bytes().map(|byte| if byte.is_ascii_control() { b' ' } else { byte }));
                out.extend_from_slice(b"\r\n");
            }
        }
        self.headers.encode_into(out);
        let _ = write!(out, "Content-Length: {}\r\n\r\n", self.body.len());
        out.extend_from_slice(&self.body);
    }
}

/// The start line and the headers that every message has.
impl Message {
    #[must_use]
    pub fn is_request(&self) -> bool {
        matches!(self.start, Start::Request { .. })
    }

    /// `None` for responses.
    #[must_use]
    pub fn method(&self) -> Option<&Method> {
        match &self.start {
            Start::Request { method, .. } => Some(method),
            Start::Response { .. } => None,
        }
    }

    /// `None` for responses.
    #[must_use]
    pub fn uri(&self) -> Option<&Uri> {
        match &self.start {
            Start::Request { uri, .. } => Some(uri),
            Start::Response { .. } => None,
        }
    }

    /// `None` for requests.
    #[must_use]
    pub fn status(&self) -> Option<u16> {
        match self.start {
            Start::Request { .. } => None,
            Start::Response { status, .. } => Some(status),
        }
    }

    #[must_use]
    pub fn call_id(&self) -> &str {
        self.header("Call-ID").unwrap_or("")
    }

    /// Sequence number and method.
    #[must_use]
    pub fn cseq(&self) -> (u32, Method) {
        self.header("CSeq").and_then(parse::parse_cseq).unwrap_or((0, Method::Other("".into())))
    }

    #[must_use]
    pub fn via_top(&self) -> Option<Via<'_>> {
        self.vias().next()
    }

    pub fn vias(&self) -> impl Iterator<Item = Via<'_>> {
        self.headers_named("Via").filter_map(|value| Via::parse(value).ok())
    }

    #[must_use]
    pub fn from(&self) -> NameAddr {
        self.address("From")
    }

    #[must_use]
    pub fn to(&self) -> NameAddr {
        self.address("To")
    }

    #[must_use]
    pub fn from_tag(&self) -> Option<&str> {
        self.tag("From")
    }

    #[must_use]
    pub fn to_tag(&self) -> Option<&str> {
        self.tag("To")
    }

    /// Adds our tag to To; does nothing if To has a tag (RFC 3261 section 8.2.6.2).
    pub fn set_to_tag(&mut self, tag: &str) {
        if self.to_tag().is_none() {
            self.headers.extend_first("To", &format!(";tag={tag}"));
        }
    }

    fn address(&self, name: &str) -> NameAddr {
        self.header(name).and_then(|value| NameAddr::parse(value).ok()).unwrap_or_else(|| {
            let uri = Uri::parse("sip:anonymous@anonymous.invalid").expect("the URI of RFC 3323 is one");
            NameAddr::new(uri)
        })
    }

    fn tag(&self, name: &str) -> Option<&str> {
        let parts = name_addr::split(self.header(name)?).ok()?;
        name_addr::param_of(parts.params, "tag").filter(|tag| !tag.is_empty())
    }
}

/// The other headers.
impl Message {
    /// The first Contact that is an address.
    #[must_use]
    pub fn contact(&self) -> Option<NameAddr> {
        self.headers_named("Contact").find_map(|value| NameAddr::parse(value).ok())
    }

    /// Without `*`, which [`Message::has_star_contact`] tells.
    #[must_use]
    pub fn contacts(&self) -> Vec<NameAddr> {
        self.addresses("Contact")
    }

    /// `Contact: *` (RFC 3261 section 10.2.2).
    #[must_use]
    pub fn has_star_contact(&self) -> bool {
        self.headers_named("Contact").any(|value| value == "*")
    }

    #[must_use]
    pub fn routes(&self) -> Vec<NameAddr> {
        self.addresses("Route")
    }

    /// From top to bottom.
    #[must_use]
    pub fn record_routes(&self) -> Vec<NameAddr> {
        self.addresses("Record-Route")
    }

    /// The first value of that name; names compare without case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)
    }

    pub fn headers_named<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.headers.get_all(name)
    }

    /// Whether a comma-separated header (Supported, Require, Allow…) lists the token; case is ignored.
    #[must_use]
    pub fn has_token(&self, header: &str, token: &str) -> bool {
        self.headers_named(header).flat_map(lexer::members).any(|member| member.eq_ignore_ascii_case(token))
    }

    /// The Expires header in seconds; what is too large for the type is its maximum.
    #[must_use]
    pub fn expires(&self) -> Option<u32> {
        self.header("Expires").and_then(lexer::number)
    }

    #[must_use]
    pub fn max_forwards(&self) -> Option<u32> {
        self.header("Max-Forwards").and_then(lexer::number)
    }

    /// The session description in the body: `application/sdp`, also as a part of `multipart/mixed`.
    #[must_use]
    pub fn sdp(&self) -> Option<&[u8]> {
        body::sdp(self.header("Content-Type"), &self.body)
    }

    fn addresses(&self, name: &str) -> Vec<NameAddr> {
        self.headers_named(name).filter_map(|value| NameAddr::parse(value).ok()).collect()
    }
}

/// Building.
impl Message {
    /// Appends. Line ends inside the value become blanks.
    pub fn push_header(&mut self, name: &str, value: &str) {
        self.headers.push(name, value);
    }

    /// Puts a header before all others; for Via.
    pub fn prepend_header(&mut self, name: &str, value: &str) {
        self.headers.prepend(name, value);
    }

    /// Replaces every field of this name by one, in the place of the first; appends if there is none.
    pub fn set_header(&mut self, name: &str, value: &str) {
        self.headers.set(name, value);
    }

    pub fn remove_header(&mut self, name: &str) {
        self.headers.remove(name);
    }

    /// Appends every field of that name of another message, as it came on the wire.
    pub fn copy_headers(&mut self, other: &Self, name: &str) {
        self.headers.copy_from(&other.headers, name, HEADERS_MAX);
    }

    /// Fills `received` and, if asked for, `rport` into the top Via (RFC 3261 section 18.2.1, RFC 3581).
    pub fn stamp_via(&mut self, source: SocketAddr) {
        if let Some(value) = self.header("Via").and_then(|value| via::stamped(value, source)) {
            self.headers.replace_first("Via", &value);
        }
    }

    /// Sets the body and its Content-Type.
    pub fn set_body(&mut self, content_type: &str, body: Vec<u8>) {
        self.set_header("Content-Type", content_type);
        self.body = body;
    }
}

/// Without values: they hold phone numbers.
impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} {:?} +{} bytes", self.start, self.headers, self.body.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const INVITE: &str = "INVITE sip:12348@10.0.0.1 SIP/2.0\r\n\
        Via: SIP/2.0/UDP 10.0.0.9:5080;branch=z9hG4bKa;rport, SIP/2.0/TCP h2\r\n\
        Record-Route: <sip:p1;lr>, <sip:p2;lr>\r\n\
        From: \"Li\" <sip:13812345678@10.0.0.9>;tag=ft\r\n\
        To: <sip:12348@10.0.0.1>\r\n\
        Call-ID: abc@10.0.0.9\r\n\
        CSeq: 7 INVITE\r\n\
        Supported: 100rel, Timer\r\n\
        m: <sip:c@10.0.0.9:5080>\r\n\
        Max-Forwards: 70\r\n\
        Content-Type: application/sdp\r\n\
        Content-Length: 3\r\n\r\nv=0";

    fn invite() -> Message {
        Message::parse(INVITE.as_bytes()).unwrap()
    }

    #[test]
    fn typed_access_reads_what_is_there() {
        let invite = invite();
        assert_eq!((invite.method(), invite.status()), (Some(&Method::Invite), None));
        assert_eq!(invite.uri().and_then(Uri::user).as_deref(), Some("12348"));
        assert_eq!((invite.call_id(), invite.cseq()), ("abc@10.0.0.9", (7, Method::Invite)));
        assert_eq!((invite.from_tag(), invite.to_tag()), (Some("ft"), None));
        assert_eq!(invite.from().display.as_deref(), Some("Li"));
        assert_eq!(invite.vias().map(|via| via.host).collect::<Vec<_>>(), ["10.0.0.9", "h2"]);
        assert_eq!(invite.record_routes().len(), 2);
        assert_eq!(
            invite.contact().map(|contact| contact.uri.to_string()).as_deref(),
            Some("sip:c@10.0.0.9:5080")
        );
        assert!(invite.has_token("supported", "timer") && !invite.has_token("Supported", "path"));
        assert_eq!((invite.max_forwards(), invite.expires()), (Some(70), None));
        assert_eq!(invite.sdp(), Some(&b"v=0"[..]));
    }

    #[test]
    fn what_is_encoded_parses_to_the_same() {
        let invite = invite();
        assert_eq!(Message::parse(&invite.encode()), Ok(invite));
    }

    #[test]
    fn a_response_carries_what_the_request_must_get_back() {
        let mut request = invite();
        request.stamp_via("10.0.0.9:6000".parse().unwrap());
        let mut response = Message::response_to(&request, 180);
        response.set_to_tag("tt");
        response.set_to_tag("again");
        response.copy_headers(&request, "Record-Route");
        let expect = "SIP/2.0 180 Ringing\r\n\
            Via: SIP/2.0/UDP 10.0.0.9:5080;branch=z9hG4bKa;received=10.0.0.9;rport=6000\r\n\
            Via: SIP/2.0/TCP h2\r\n\
            From: \"Li\" <sip:13812345678@10.0.0.9>;tag=ft\r\n\
            To: <sip:12348@10.0.0.1>;tag=tt\r\n\
            Call-ID: abc@10.0.0.9\r\n\
            CSeq: 7 INVITE\r\n\
            Record-Route: <sip:p1;lr>\r\n\
            Record-Route: <sip:p2;lr>\r\n\
            Content-Length: 0\r\n\r\n";
        assert_eq!(String::from_utf8(response.encode()).unwrap(), expect);
    }

    #[test]
    fn a_gbk_name_goes_back_byte_by_byte_with_our_tag_behind_it() {
        let bytes = INVITE.replace("To: <", "To: X <").into_bytes();
        let at = bytes.windows(5).position(|window| window == b"To: X").unwrap() + 4;
        let bytes = [&bytes[..at], b"\xD5\xC5", &bytes[at + 1..]].concat();
        let request = Message::parse(&bytes).unwrap();
        assert_eq!(request.to().display.as_deref(), Some("张"));
        let mut response = Message::response_to(&request, 200);
        response.set_to_tag("tt");
        let encoded = response.encode();
        let expect = b"To: \xD5\xC5 <sip:12348@10.0.0.1>;tag=tt\r\n";
        assert!(encoded.windows(expect.len()).any(|window| window == expect));
    }

    #[test]
    fn rsip_reads_what_we_write() {
        use rsip::prelude::HeadersExt as _;
        let theirs = rsip::SipMessage::try_from(invite().encode()).unwrap();
        assert_eq!(theirs.call_id_header().unwrap().to_string(), "Call-ID: abc@10.0.0.9");
        assert_eq!(theirs.cseq_header().unwrap().to_string(), "CSeq: 7 INVITE");
        let theirs = rsip::SipMessage::try_from(Message::response_to(&invite(), 486).encode()).unwrap();
        assert!(matches!(theirs, rsip::SipMessage::Response(response) if response.status_code.code() == 486));
    }

    #[test]
    fn a_message_prints_without_the_numbers_in_it() {
        assert!(!format!("{:?}", invite()).contains("138"));
    }
}
